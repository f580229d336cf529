"""PostgreSQL restarts, and each service is killed, under load. Afterwards every acknowledged write
is stored, exactly once, and everything recovers by itself."""

import asyncio
import time

import pytest

from harness.http import Pool
from harness.load import Load, summary
from harness.writes import PRODUCTS, Writes

RECOVERY = 2.0
RATE = 80
OWNERS = 20
RESTARTS = 20
KILLS = 4


class Running:
    """Both services under load, and the state that they must have stored."""

    def __init__(self, cluster, databases, services, pools: tuple[Pool, Pool], load: Load,
                 writes: Writes):
        self.cluster = cluster
        self.customers, self.cart = services
        self.pools = dict(zip(("customers", "cart"), pools))
        self.load = load
        self.writes = writes
        self._databases = databases

    def assert_stored(self) -> None:
        self.writes.assert_stored(self.cluster, *self._databases)


@pytest.fixture(scope="module")
def running(background, cluster, customers_database, cart_database, customers_service,
            cart_service, carts):
    cluster.query(cart_database, "INSERT INTO products (name, description, price) "
                  "SELECT 'Crash ' || n, '', 1 FROM generate_series(1, %s) AS n", PRODUCTS)
    pools = Pool(customers_service.port), Pool(cart_service.port)
    writes = Writes(*pools, [carts.owner() for _ in range(OWNERS)])
    load = Load(writes, RATE)
    background.run(load.start())
    yield Running(cluster, (customers_database, cart_database), (customers_service, cart_service),
                  pools, load, writes)
    background.run(load.stop())


def _assert_recovered(background, running, began: float, killed: Pool | None = None) -> None:
    """Expects recovery within two seconds from now, and then the right data. Only requests to the
    `killed` part may see their connection end; all others are answered."""
    load, now = running.load, time.monotonic()
    well = background.run(load.well_since(now, RECOVERY))
    background.run(load.settled(before=well or now))
    outcomes = load.since(began)
    assert well is not None, summary(outcomes)
    assert [str(outcome) for outcome in outcomes if outcome.problem and not (
        outcome.connection_lost and outcome.request.pool is killed)] == []
    running.assert_stored()


@pytest.mark.parametrize("number", range(RESTARTS))
def test_restart_of_postgresql(background, running, number):
    background.run(asyncio.sleep(0.3))
    began = time.monotonic()
    running.cluster.stop(("fast", "immediate")[number % 2])
    background.run(running.load.hindered_since(began))
    background.run(asyncio.sleep(0.1 * (number % 3)))
    running.cluster.start()
    _assert_recovered(background, running, began)


@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("name", ["customers", "cart"])
def test_kill(background, running, name, number):
    service = getattr(running, name)
    background.run(asyncio.sleep(0.3))
    began = time.monotonic()
    service.kill()
    # Otherwise a start may be so quick that no request has failed.
    background.run(running.load.hindered_since(began))
    background.run(asyncio.sleep(0.1 * number))
    service.start(until_ready=False)
    _assert_recovered(background, running, began, killed=running.pools[name])
