"""Fixtures: those of the end-to-end tests, and a loop that goes on beside a test."""

import pytest

pytest_plugins = ["e2e.conftest"]

from harness.background import Background  # noqa: E402


@pytest.fixture(scope="module")
def background():
    loop = Background()
    yield loop
    loop.close()
