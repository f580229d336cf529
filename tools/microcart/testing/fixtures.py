"""Fixtures: one PostgreSQL cluster for a session; separate databases, services and clients for
every test file, so that files can run in parallel and in any order."""

import itertools
import os
import pathlib

import pytest

pytest.register_assert_rewrite(
    *(f"microcart.testing.{module}" for module in ("accounts", "client", "documents", "service")))

from microcart.services import SERVICES, ServiceSpec, build_directory  # noqa: E402
from microcart.testing import auth_rpc, tokens  # noqa: E402
from microcart.testing.accounts import (  # noqa: E402
    ACCOUNTS_OF_THE_REFERENCE, Accounts, People)
from microcart.testing.carts import Carts, Products  # noqa: E402
from microcart.testing.client import Client  # noqa: E402
from microcart.testing.cluster import Cluster  # noqa: E402
from microcart.testing.external import ExternalService, is_external, skip_if_external  # noqa: E402
from microcart.testing.peers import Certificates  # noqa: E402
from microcart.testing.service import Service, run  # noqa: E402

# Settings for the tests that differ from the services' defaults.
# Limits for one address are raised, because all tests come from one.
_TEST_SETTINGS = {
    "customers": {
        "JWT_SECRET": tokens.SECRET,
        "LOGIN_FAILURES_PER_ADDRESS": "1000000",
        "HTTP_MAX_CONNECTIONS_PER_CLIENT": "10000"},
    "cart": {"HTTP_MAX_CONNECTIONS_PER_CLIENT": "10000"},
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the services' output to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for service in Service.running:
            report.sections.append((f"{service.name} (port {service.port})", service.report()))


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


@pytest.fixture(scope="module")
def service_class() -> type[Service]:
    """The class that runs the services of a test file."""
    return Service


def _fixtures(spec: ServiceSpec) -> list:
    """The fixtures of one service, all named after it: of the cart service cart_binary,
    cart_database, cart_environment, cart_service, and cart, which is its client."""
    name = spec.name
    numbers = itertools.count(1)

    @pytest.fixture(scope="session", name=f"{name}_binary")
    def binary() -> pathlib.Path:
        skip_if_external()
        path = spec.binary(build_directory())
        assert path.is_file(), f"{path} does not exist: build it, or set BUILD_DIRECTORY"
        return path

    @pytest.fixture(scope="session", name=f"{name}_template")
    def template(request, cluster) -> str:
        database = cluster.create(f"{name}_template")
        done = run(request.getfixturevalue(f"{name}_binary"), "migrate", "up", "--demo",
                   environment=cluster.environment(database))
        assert done.returncode == 0, done.stdout + done.stderr
        if name == "customers":
            cluster.query(database, ACCOUNTS_OF_THE_REFERENCE)
        elif "CART_PARTITIONED" in os.environ:
            cluster.partition(database)
        return database

    @pytest.fixture(scope="module", name=f"{name}_database")
    def database(request, cluster):
        """Migrated, with the demo data."""
        copy = cluster.create(f"{name}_{next(numbers)}",
                              request.getfixturevalue(f"{name}_template"))
        yield copy
        cluster.drop(copy)

    @pytest.fixture(scope="session", name=f"{name}_environment")
    def environment(cluster, certificates):
        """Makes the service's variables for a database. `grpc_port` is the port of its gRPC server,
        or of the one that it calls."""
        def make(database: str, grpc_port: int = 0, **more: str) -> dict[str, str]:
            return {**cluster.serving_environment(database), **getattr(certificates, name).environment(),
                    **spec.grpc_environment(grpc_port), **_TEST_SETTINGS.get(name, {}), **more}
        return make

    @pytest.fixture(scope="module", name=f"own_{name}_service")
    def own_service(request, service_class):
        callees = [request.getfixturevalue(f"{callee}_service").grpc_port for callee in spec.calls]
        environment = request.getfixturevalue(f"{name}_environment")
        service = service_class(
            request.getfixturevalue(f"{name}_binary"),
            environment(request.getfixturevalue(f"{name}_database"), *callees)).start()
        yield service
        if service.alive():
            service.stop()

    @pytest.fixture(scope="module", name=f"{name}_service")
    def service(request):
        """The service under test: one that we start, or an external one (microcart.testing.external)."""
        if is_external():
            return ExternalService(name)
        return request.getfixturevalue(f"own_{name}_service")

    @pytest.fixture(scope="module", name=name)
    def client(request):
        made = Client(request.getfixturevalue(f"{name}_service").url)
        yield made
        made.close()

    return [binary, template, database, environment, own_service, service, client]


for _spec in SERVICES.values():
    for _fixture in _fixtures(_spec):
        globals()[f"_{_spec.name}_{_fixture.__name__}"] = _fixture


@pytest.fixture(scope="module")
def start_service():
    """Starts an additional service, which is stopped at the end of the test file."""
    started = []

    def start(binary: pathlib.Path, environment: dict[str, str], **options) -> Service:
        started.append(Service(binary, environment).start(**options))
        return started[-1]

    yield start
    for service in reversed(started):
        if service.alive():
            service.stop()


@pytest.fixture(scope="module")
def accounts(customers) -> Accounts:
    return Accounts(customers)


@pytest.fixture(scope="module")
def carts(cart, accounts) -> Carts:
    return Carts(cart, accounts)


@pytest.fixture(scope="module")
def products(cluster, cart_database) -> Products:
    return Products(cluster, cart_database)


@pytest.fixture(scope="module")
def people(accounts) -> People:
    return People(accounts)


@pytest.fixture(scope="module")
def admin(accounts) -> str:
    """The token of an admin."""
    return accounts.demo_admin_token
