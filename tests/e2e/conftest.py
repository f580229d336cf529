"""Fixtures: one PostgreSQL cluster a session; databases, services and clients of its own for every
test file, so that files can run in parallel and in any order."""

import itertools
import os
import pathlib

import pytest

pytest.register_assert_rewrite("support.client", "support.accounts", "support.service")

from support import auth_rpc, tokens  # noqa: E402
from support.accounts import Accounts, People  # noqa: E402
from support.carts import Carts  # noqa: E402
from support.certificates import Certificates  # noqa: E402
from support.client import Client  # noqa: E402
from support.cluster import Cluster  # noqa: E402
from support.external import ExternalService, is_external, skip_if_external  # noqa: E402
from support.service import Service, run  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]

_numbers = itertools.count(1)


def _binary(variable: str, default: str) -> pathlib.Path:
    skip_if_external()
    path = pathlib.Path(os.environ.get(variable) or ROOT / "build/release" / default).resolve()
    assert path.is_file(), f"{path} does not exist: build it, or set {variable}"
    return path


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the services wrote."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for service in Service.running:
            report.sections.append((f"{service.name} (port {service.port})", service.report()))


@pytest.fixture(scope="session")
def customers_binary() -> pathlib.Path:
    return _binary("MICROCART_CUSTOMERS", "services/customers/customers")


@pytest.fixture(scope="session")
def cart_binary() -> pathlib.Path:
    return _binary("MICROCART_CART", "services/cart/cart")


@pytest.fixture(scope="session")
def cluster(certificates):
    skip_if_external()
    server = Cluster(certificates.customers)
    yield server
    server.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def auth_messages(tmp_path_factory):
    """The Python module of auth.proto."""
    return auth_rpc.generate(tmp_path_factory.mktemp("proto"))


def _migrated(cluster: Cluster, binary: pathlib.Path, name: str) -> str:
    cluster.create(name)
    done = run(binary, "migrate", "up", "--demo", environment=cluster.environment(name))
    assert done.returncode == 0, done.stdout + done.stderr
    return name


@pytest.fixture(scope="session")
def customers_template(cluster, customers_binary) -> str:
    return _migrated(cluster, customers_binary, "customers_template")


@pytest.fixture(scope="session")
def cart_template(cluster, cart_binary) -> str:
    return _migrated(cluster, cart_binary, "cart_template")


def _copy(cluster: Cluster, template: str):
    name = cluster.create(template.replace("template", str(next(_numbers))), template)
    yield name
    cluster.drop(name)


@pytest.fixture(scope="module")
def customers_database(cluster, customers_template):
    """Migrated, with the demo data."""
    yield from _copy(cluster, customers_template)


@pytest.fixture(scope="module")
def cart_database(cluster, cart_template):
    yield from _copy(cluster, cart_template)


@pytest.fixture(scope="session")
def customers_environment(cluster, certificates):
    """Makes the variables of a customers service over a database."""
    def environment(database: str, **more: str) -> dict[str, str]:
        return {**cluster.environment(database), **certificates.customers.environment(),
                "JWT_SECRET": tokens.SECRET, "GRPC_PORT": "0",
                # All tests come from one address; test_throttle.py has limits of its own.
                "LOGIN_FAILURES_PER_ADDRESS": "1000000", **more}
    return environment


@pytest.fixture(scope="session")
def cart_environment(cluster, certificates):
    """Makes the variables of a cart service over a database that asks the customers at a port."""
    def environment(database: str, grpc_port: int, **more: str) -> dict[str, str]:
        return {**cluster.environment(database), **certificates.cart.environment(),
                "CUSTOMERS_HOST": "localhost", "GRPC_PORT": str(grpc_port), **more}
    return environment


def _serving(service: Service):
    service.start()
    yield service
    if service.alive():
        service.stop()


@pytest.fixture(scope="module")
def service_class() -> type[Service]:
    """What runs the two services of a test file."""
    return Service


@pytest.fixture(scope="module")
def own_customers_service(service_class, customers_binary, customers_environment,
                          customers_database):
    yield from _serving(service_class(customers_binary, customers_environment(customers_database)))


@pytest.fixture(scope="module")
def own_cart_service(service_class, cart_binary, cart_environment, cart_database,
                     customers_service):
    yield from _serving(
        service_class(cart_binary, cart_environment(cart_database, customers_service.grpc_port)))


@pytest.fixture(scope="module")
def customers_service(request):
    """The service under test: one of our own, or of a deployment (see support.external)."""
    if is_external():
        return ExternalService("customers")
    return request.getfixturevalue("own_customers_service")


@pytest.fixture(scope="module")
def cart_service(request):
    if is_external():
        return ExternalService("cart")
    return request.getfixturevalue("own_cart_service")


@pytest.fixture(scope="module")
def start_service():
    """Starts a service that the test file needs beside the usual two; stopped at its end."""
    started = []

    def start(binary: pathlib.Path, environment: dict[str, str], **options) -> Service:
        started.append(Service(binary, environment).start(**options))
        return started[-1]

    yield start
    for service in reversed(started):
        if service.alive():
            service.stop()


def _client(service: Service):
    client = Client(service.url)
    yield client
    client.close()


@pytest.fixture(scope="module")
def customers(customers_service):
    yield from _client(customers_service)


@pytest.fixture(scope="module")
def cart(cart_service):
    yield from _client(cart_service)


@pytest.fixture(scope="module")
def accounts(customers) -> Accounts:
    return Accounts(customers)


@pytest.fixture(scope="module")
def carts(cart, accounts) -> Carts:
    return Carts(cart, accounts)


@pytest.fixture(scope="module")
def people(accounts) -> People:
    return People(accounts)


@pytest.fixture(scope="module")
def admin(accounts) -> str:
    """An admin's token."""
    return accounts.demo_admin_token
