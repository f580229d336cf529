"""Fixtures: those of the end-to-end tests, with databases that fail over."""

import subprocess

import pytest

pytest_plugins = ["microcart.testing.fixtures"]
pytest.register_assert_rewrite("harness.writes")

from harness.background import Background  # noqa: E402
from report import Report  # noqa: E402
from stack import Databases  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--write", action="store_true", help="write the figures to docs/scaling.md")


@pytest.fixture(scope="session")
def background():
    loop = Background()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def cluster(certificates, background):
    databases = Databases(certificates.customers, background)
    yield databases
    databases.close()


def _migrated(cluster, binary, name: str) -> str:
    subprocess.run([binary, "migrate", "up", "--demo"], env=cluster.environment(name), timeout=120,
                   check=True)
    return name


@pytest.fixture(scope="session")
def customers_database(cluster, customers_binary):
    name = _migrated(cluster, customers_binary, "customers")
    # A plugin's module, which pytest has to import first.
    from microcart.testing.accounts import ACCOUNTS_OF_THE_REFERENCE
    cluster.query(name, ACCOUNTS_OF_THE_REFERENCE)
    return name


@pytest.fixture(scope="session")
def cart_database(cluster, cart_binary):
    return _migrated(cluster, cart_binary, "cart")


@pytest.fixture(scope="session")
def report(pytestconfig):
    made = Report()
    yield made
    made.print()
    if pytestconfig.getoption("write"):
        made.write()
