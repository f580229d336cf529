"""Fixtures: those of the end-to-end tests, and an event loop that runs beside a test."""

import resource

import pytest

# These tests open thousands of sockets.
_HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_HARD, _HARD))

pytest_plugins = ["microcart.testing.fixtures"]
pytest.register_assert_rewrite("harness.writes")

from harness.background import Background  # noqa: E402


@pytest.fixture(scope="module")
def background():
    loop = Background()
    yield loop
    loop.close()
