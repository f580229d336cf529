"""Several replicas of the customers service: the cart service spreads its validations over those that
are there, and their coming and going costs nobody a request."""

import json
import time
from collections import Counter

import pytest

from harness.clients import Clients
from harness.http import request
from microcart.network import free_port
from microcart.testing.metrics import Growth, Scrape
from microcart.waiting import eventually

CLIENTS = 16
MAX_AGE = 2  # Seconds; the age of a connection to the customers service.
WINDOW = 1500  # Minimum number of validations in which shares are compared.


class Replicas:
    """Three replicas of the customers service, and a fourth one that is not started yet."""

    def __init__(self, start):
        self._start = start
        self.running = [start() for _ in range(3)]
        self.ports = [replica.grpc_port for replica in self.running] + [free_port()]

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def start_fourth(self) -> None:
        self.running.append(self._start(self.ports[3]))

    def validated(self) -> list[float]:
        """Returns the number of tokens that each has accepted."""
        return [Scrape(replica).value("token_validation_server_verdicts_total", outcome="accepted")
                for replica in self.running]

    def expect_equal_shares(self) -> None:
        """Waits until the shares of all validations from now on are within 20 % of each other."""
        before = self.validated()
        shares: list[float] = []

        def are_alike() -> bool:
            nonlocal shares
            shares = [now - then for now, then in zip(self.validated(), before)]
            return sum(shares) >= WINDOW and max(shares) <= 1.2 * min(shares)

        eventually(are_alike, 120, lambda: f"the shares are {shares}")

    def wait_until_all_validate(self) -> None:
        before = self.validated()
        eventually(lambda: all(now > then for now, then in zip(self.validated(), before)), 30)


@pytest.fixture
def replicas(start_service, customers_binary, customers_environment, customers_database):
    return Replicas(lambda port=0: start_service(customers_binary, customers_environment(
        customers_database, port, GRPC_MAX_CONNECTION_AGE=str(MAX_AGE))))


def cart_of(replicas, workers, start_service, cart_binary, cart_environment, cart_database):
    return start_service(cart_binary, cart_environment(
        cart_database, replicas.ports[0], CUSTOMERS_HOST=replicas.hosts, WORKERS=str(workers)))


def log_of(service, first: int) -> Counter:
    """Returns how often the log has each warning or error."""
    lines = (json.loads(line) for line in service.stdout[first:])
    return Counter(f"{line['message']} {line.get('grpc_status', '')}" for line in lines
                   if line["level"] in ("warning", "error"))


@pytest.mark.parametrize("workers", [1, 3])
def test_replicas_come_and_go(background, replicas, carts, start_service, cart_binary,
                              cart_environment, cart_database, workers):
    cart = cart_of(replicas, workers, start_service, cart_binary, cart_environment, cart_database)
    owner = carts.owner()
    read = request("GET", f"/api/v1/cart/{owner.id}/", owner.token)
    with Clients(background, cart.port, CLIENTS, lambda _: (read, lambda _: None)) as clients:
        replicas.wait_until_all_validate()
        first = len(cart.stdout)
        began = time.monotonic()
        growth = Growth(cart)
        replicas.expect_equal_shares()

        # The end of a connection costs no request and no line.
        eventually(lambda: time.monotonic() > began + 3 * MAX_AGE, 60)
        assert log_of(cart, first) == {}
        assert growth("token_validation_client_repeats_total") == 0

        # A new replica gets its share.
        replicas.start_fourth()
        replicas.wait_until_all_validate()
        replicas.expect_equal_shares()

        # One that is stopped costs no request; a stream that reaches it too late, a repetition.
        replicas.running.pop().stop()
        replicas.expect_equal_shares()

        # One that is killed costs repetitions.
        replicas.running.pop().kill()
        replicas.expect_equal_shares()
        assert clients.failures == []
    # Each of the two costs a line in the log of each worker, and one about deletions, at most.
    log = log_of(cart, first)
    assert all(line.startswith("the stream ") for line in log), log
    assert log.total() <= 2 * (workers + 1), log


def test_the_last_replica(background, replicas, carts, start_service, cart_binary,
                          cart_environment, cart_database):
    """One replica is enough, also at the start; without any, the cart service is not ready."""
    for _ in range(2):
        replicas.running.pop(0).kill()
    cart = cart_of(replicas, 2, start_service, cart_binary, cart_environment, cart_database)
    owner = carts.owner()
    read = request("GET", f"/api/v1/cart/{owner.id}/", owner.token)
    with Clients(background, cart.port, CLIENTS, lambda _: (read, lambda _: None)) as clients:
        replicas.expect_equal_shares()
    assert clients.failures == []
    replicas.running[0].kill()
    cart.wait_ready(503)
    replicas.running[0].start()
    cart.wait_ready()
