"""Installs the tools; adds --update-golden; leaves out the tests that need a cluster if there is none."""

import os

import pytest

from harness import tools


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true",
                     help="write the golden file instead of comparing with it")


def pytest_collection_modifyitems(config, items):
    if os.environ.get("KUBECONFIG"):
        return
    without = [item for item in items if item.get_closest_marker("cluster")]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


def pytest_terminal_summary(terminalreporter):
    if not os.environ.get("KUBECONFIG"):
        terminalreporter.write_line(
            "not run: the installation in a cluster (set KUBECONFIG to one of kind or k3s)")


@pytest.fixture(scope="session", autouse=True)
def _tools():
    tools.install()
