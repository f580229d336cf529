"""Replicas of both services behind the shipped configurations of HAProxy and nginx: nobody notices when
one is stopped or replaced, and when one is killed, only those whose request it was answering."""

import itertools
import random
import ssl

import pytest

from harness.clients import Clients
from harness.http import request
from harness.mixed_load import CartWrites
from microcart.testing import nginx
from microcart.testing.haproxy import HAProxy
from microcart.testing.metrics import Growth
from microcart.waiting import eventually

CLIENTS = 16
PRODUCTS = 2000
# The tests' clients have one address.
UNLIMITED = ((r"rate=\S+;", "rate=100000r/s;"), (r"burst=60", "burst=100000"),
             (r"burst=10 ", "burst=100000 "))


class Names:
    """Requests for the customers service: each client reads its own account, and changes its name."""

    def __init__(self, owners, host: str):
        self._owners = owners
        self._host = host
        self._numbers = itertools.count()
        # By account. The last name sent may be stored although its request failed.
        self._acknowledged: dict[int, str] = {}
        self._sent: dict[int, str] = {}

    def __call__(self, number: int, chance: random.Random):
        owner = self._owners[number]
        path = f"/api/v1/users/{owner.id}/"
        if chance.random() > 0.2:
            return request("GET", path, owner.token, host=self._host), lambda _: None
        name = self._sent[owner.id] = f"Name {next(self._numbers)}"
        return (request("PATCH", path, owner.token, {"first_name": name}, host=self._host),
                lambda _: self._acknowledged.update({owner.id: name}))

    def check(self, cluster, databases) -> None:
        """Expects every acknowledged write to be stored."""
        stored = dict(cluster.query(databases["customers"], "SELECT id, first_name FROM users"))
        assert self._acknowledged
        for owner, name in self._acknowledged.items():
            assert stored[owner] in (name, self._sent[owner])


class Items:
    """Requests for the cart service: clients read carts, and add items to them."""

    def __init__(self, owners, host: str):
        self._writes = CartWrites(owners, host)

    def __call__(self, _: int, chance: random.Random):
        return self._writes(chance)

    def check(self, cluster, databases) -> None:
        """Expects every acknowledged write to be stored."""
        acknowledged = self._writes.acknowledged
        stored = self._writes.stored(cluster, databases)
        assert acknowledged
        assert {key: stored.get(key) for key in acknowledged} == acknowledged


class Haproxy:
    HOSTS = {"customers": "localhost", "cart": "localhost"}
    TLS = None

    def __init__(self, ports: dict[str, list[int]]):
        self._server = HAProxy(ports["customers"], ports["cart"])
        self.ports = {"customers": self._server.customers, "cart": self._server.cart}
        self.close = self._server.close


class Nginx:
    HOSTS = {"customers": nginx.CUSTOMERS, "cart": nginx.CART}

    def __init__(self, ports: dict[str, list[int]]):
        self._server = nginx.Nginx(ports["customers"], ports["cart"], UNLIMITED)
        self.ports = {"customers": self._server.https, "cart": self._server.https}
        self.TLS = ssl.create_default_context(cafile=self._server.certificate)
        self.close = self._server.close


@pytest.fixture(scope="module")
def replicas(start_service, customers_binary, customers_environment, customers_database,
             cart_binary, cart_environment, cart_database, cluster):
    """Two of each service; all cart services ask both customers services."""
    cluster.query(cart_database, "INSERT INTO products (name, description, price) "
                  "SELECT 'Balanced ' || n, '', 1 FROM generate_series(1, %s) AS n", PRODUCTS)
    customers = [start_service(customers_binary, customers_environment(customers_database))
                 for _ in range(2)]
    hosts = ",".join(f"127.0.0.1:{replica.grpc_port}" for replica in customers)
    carts = [start_service(cart_binary, cart_environment(
        cart_database, customers[0].grpc_port, CUSTOMERS_HOST=hosts)) for _ in range(2)]
    return {"customers": customers, "cart": carts}


@pytest.fixture(scope="module", params=[Haproxy, Nginx], ids=["haproxy", "nginx"])
def balancer(request, replicas):
    server = request.param({name: [replica.port for replica in both]
                            for name, both in replicas.items()})
    yield server
    server.close()


@pytest.fixture(scope="module")
def databases(customers_database, cart_database):
    return {"customers": customers_database, "cart": cart_database}


@pytest.fixture(scope="module")
def traffic(carts, balancer):
    owners = [carts.owner() for _ in range(CLIENTS)]
    return {"customers": Names(owners, balancer.HOSTS["customers"]),
            "cart": Items(owners, balancer.HOSTS["cart"])}


def wait_until_used(replica) -> None:
    """Waits until the replica answers requests of clients, and not only of the balancer."""
    served = Growth(replica)
    eventually(lambda: served("http_server_requests_total", status="2xx")
               - served("http_server_requests_total", route="/readyz")
               - served("http_server_requests_total", route="/healthz") > CLIENTS, 60)


def run_clients(background, balancer, traffic, name) -> Clients:
    chances = [random.Random(number) for number in range(CLIENTS)]
    return Clients(background, balancer.ports[name], CLIENTS,
                   lambda number: traffic[name](number, chances[number]), balancer.TLS)


@pytest.mark.parametrize("name", ["customers", "cart"])
def test_a_roll_costs_nothing(background, balancer, replicas, traffic, cluster, databases, name):
    """Each replica is stopped with SIGTERM and started again, one after the other."""
    with run_clients(background, balancer, traffic, name) as clients:
        for replica in replicas[name]:
            wait_until_used(replica)
            replica.stop(60)
            replica.start()
            wait_until_used(replica)
    assert clients.failures == []
    traffic[name].check(cluster, databases)


@pytest.mark.parametrize("name", ["customers", "cart"])
def test_a_kill_costs_what_was_in_flight(background, balancer, replicas, traffic, cluster, databases,
                                         name):
    killed, other = replicas[name]
    with run_clients(background, balancer, traffic, name) as clients:
        wait_until_used(killed)
        killed.kill()
        wait_until_used(other)
        killed.start()
        wait_until_used(killed)
    # Each client had at most one request in flight. None was done and then refused, because it was
    # repeated.
    assert len(clients.failures) <= CLIENTS, clients.failures
    assert {failure.status for failure in clients.failures} <= {0, 502, 503}, clients.failures
    traffic[name].check(cluster, databases)


def test_a_kill_of_the_validating_replica_costs_nothing(background, balancer, replicas, traffic):
    """The clients' requests are at the cart service, which asks the other customers service."""
    killed, other = replicas["customers"]
    with run_clients(background, balancer, traffic, "cart") as clients:
        validated = Growth(killed)
        eventually(lambda: validated("token_validation_server_verdicts_total") > 100, 60)
        killed.kill()
        validated = Growth(other)
        eventually(lambda: validated("token_validation_server_verdicts_total") > 100, 60)
        killed.start()
    assert clients.failures == []


def test_without_a_ready_replica_those_alive_answer(background, balancer, replicas):
    """Without the customers service no cart service is ready, but products need none."""
    if balancer.TLS is not None:
        pytest.skip("nginx does not ask whether replicas are ready")
    read = request("GET", "/api/v1/products/list/", host=balancer.HOSTS["cart"])
    for replica in replicas["customers"]:
        replica.pause()
    try:
        for replica in replicas["cart"]:
            replica.wait_ready(503)
        with Clients(background, balancer.ports["cart"], 4,
                     lambda _: (read, lambda _: None)) as clients:
            eventually(lambda: clients.succeeded > 100, 60)
        assert clients.failures == []
    finally:
        for replica in replicas["customers"]:
            replica.resume()
