"""Every link between the parts, with every fault, in both directions, under steady load.

While a fault lasts, each request is answered within its deadline, correctly or with a 503. After it
has ended, everything recovers by itself within two seconds.

The links to PostgreSQL use TLS, which is necessary if a network may alter data: without it, an
altered value cannot be distinguished from a correct one. test_altered_plain_text demands less.
"""

import asyncio
import dataclasses
import time

import pytest

from harness.http import Pool
from harness.load import Load, summary
from harness.proxy import (BlackHole, Corrupt, Cut, CutMidMessage, Delay, Direction, Drip, Fault,
                           Flapping, HalfClose, NoAnswer, Proxy, Refuse)
from harness.traffic import STATEMENT, Traffic
from microcart.testing.accounts import Accounts
from microcart.testing.carts import Carts
from microcart.testing.client import Client

RECOVERY = 2.0
RATE = 120
LINKS = ("cart to customers", "cart to PostgreSQL", "customers to PostgreSQL")
MOMENT = 0.6
# Long enough for every time-out to pass.
LONG = STATEMENT + 0.4
# Fault → its duration. The faults of the second table act on one direction.
WHOLE = {Refuse: MOMENT, NoAnswer: LONG, Flapping: MOMENT}
DIRECTED = {Delay: MOMENT, Cut: MOMENT, CutMidMessage: MOMENT, Corrupt: MOMENT, Drip: MOMENT,
            HalfClose: MOMENT, BlackHole: LONG}
CASES = [*((fault, None, seconds) for fault, seconds in WHOLE.items()),
         *((fault, direction, seconds) for fault, seconds in DIRECTED.items()
           for direction in Direction)]


def _name(case) -> str:
    fault, direction, _ = case
    return f"{fault.__name__} {direction.value}" if direction else fault.__name__


@dataclasses.dataclass
class System:
    """Both services with a proxy in each link, under load."""

    customers: object
    cart: object
    proxies: dict[str, Proxy]
    load: Load

    def services(self):
        return (self.customers, self.cart)


@pytest.fixture(scope="module")
def start_system(background, cluster, customers_binary, cart_binary, customers_environment,
                 cart_environment, customers_database, cart_database, start_service):
    def listen(target: int) -> Proxy:
        proxy = Proxy(target)
        background.run(proxy.listen())
        return proxy

    def start(sslmode: str) -> System:
        def database(proxy: Proxy) -> dict[str, str]:
            return {"POSTGRES_PORT": str(proxy.port), "POSTGRES_SSLMODE": sslmode}

        to_customers_database = listen(cluster.port)
        customers = start_service(customers_binary, customers_environment(
            customers_database, **database(to_customers_database)))
        to_customers = listen(customers.grpc_port)
        to_cart_database = listen(cluster.port)
        cart = start_service(cart_binary, cart_environment(
            cart_database, to_customers.port, **database(to_cart_database)))

        clients = Client(customers.url), Client(cart.url)
        accounts = Accounts(clients[0])
        carts = Carts(clients[1], accounts)
        items = [carts.item() for _ in range(6)]
        deleted = accounts.delete(accounts.create())
        for client in clients:
            client.close()
        pools = Pool(customers.port), Pool(cart.port)
        load = Load(Traffic(*pools, items, deleted), RATE)

        async def begin():
            for pool in pools:
                await pool.open(8)
            await load.start()

        background.run(begin())
        return System(customers, cart, dict(zip(
            LINKS, (to_customers, to_cart_database, to_customers_database))), load)

    return start


@pytest.fixture(scope="module")
def system(background, start_system):
    running = start_system("require")
    yield running
    background.run(running.load.stop())


async def _inflict(system: System, link: str, fault: Fault, seconds: float):
    """Returns the requests during fault and recovery, and the time of recovery after its end."""
    proxy, load = system.proxies[link], system.load
    began = time.monotonic()
    await proxy.begin(fault)
    await asyncio.sleep(seconds)
    await proxy.end()
    ended = time.monotonic()
    well = await load.well_since(ended, RECOVERY)
    await load.settled(before=time.monotonic() if well is None else well)
    return load.since(began), None if well is None else well - ended


@pytest.mark.parametrize("case", CASES, ids=_name)
@pytest.mark.parametrize("link", LINKS)
def test_link(background, system, link, case):
    fault, direction, seconds = case
    outcomes, recovery = background.run(_inflict(system, link, fault(direction), seconds))
    assert [str(outcome) for outcome in outcomes if outcome.problem] == []
    assert recovery is not None, summary(outcomes)
    assert all(service.alive() for service in system.services())
    # The fault has affected the load.
    unavailable = [outcome for outcome in outcomes if outcome.status == 503]
    slow = [outcome for outcome in outcomes if outcome.seconds and outcome.seconds > Delay.SECONDS]
    assert unavailable or fault in (Delay, Drip) and slow, summary(outcomes)


@pytest.fixture(scope="module")
def plain_system(background, start_system):
    running = start_system("disable")
    yield running
    background.run(running.load.stop())


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.value)
@pytest.mark.parametrize("link", LINKS[1:])
def test_altered_plain_text(background, plain_system, link, direction):
    """Without TLS a wrong value cannot be recognised, so an answer may be wrong, or a 500. However,
    there is an answer in time, nothing ends or hangs, and with new connections everything works."""
    proxy, load = plain_system.proxies[link], plain_system.load

    async def alter():
        began = time.monotonic()
        await proxy.begin(Corrupt(direction))
        await asyncio.sleep(2 * MOMENT)
        await proxy.end()
        await load.settled(before=time.monotonic())
        proxy.cut_all()  # A session may remember altered values.
        well = await load.well_since(time.monotonic(), RECOVERY)
        return load.since(began), well

    outcomes, well = background.run(alter())
    assert [str(outcome) for outcome in outcomes if outcome.status == 0 and outcome.seconds] == []
    assert any(not outcome.succeeded for outcome in outcomes), "the load has not met the fault"
    assert well is not None, summary(outcomes)
    assert all(service.alive() for service in plain_system.services())
