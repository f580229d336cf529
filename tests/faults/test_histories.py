"""Many clients use carts over two replicas of each service, while services are killed, PostgreSQL
restarts and links are cut. The history of each cart is linearizable.

HISTORY_ROUNDS repeats every fault so many times (1), HISTORY_SEED chooses other requests (1).
"""

import asyncio
import contextlib
import dataclasses
import itertools
import os

import pytest

from harness.http import Pool
from harness.proxy import (BlackHole, Cut, CutMidMessage, Direction, Fault, Flapping, NoAnswer, Proxy,
                           Refuse)
from harness.shoppers import Shoppers, Store, explain
from microcart.testing.service import Service

ROUNDS = int(os.environ.get("HISTORY_ROUNDS", 1))
SEED = os.environ.get("HISTORY_SEED", "1")
CARTS = 5
CLIENTS = 4  # Of each cart.
REQUESTS = 25  # Of each client.
PRODUCTS = 3  # Of each cart.
MOMENT = 0.3


@dataclasses.dataclass
class Replica:
    """A replica of each service, of which cart calls customers, with a proxy in each link."""

    customers: Service
    cart: Service
    to_customers: Proxy
    to_cart_database: Proxy
    pool: Pool


class System(Store):
    def __init__(self, background, cluster, databases, replicas: list[Replica]):
        super().__init__(cluster, *databases, [replica.pool for replica in replicas])
        self.background = background
        self.replicas = replicas

    @contextlib.contextmanager
    def altered(self, function: str, code: str, other: str):
        """Has other code in a function of the cart service's database, in the latest of this name."""
        [(definition,)] = self.cluster.query(
            self.cart_database,
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s ORDER BY oid DESC LIMIT 1",
            function)
        assert code in definition
        self.cluster.query(self.cart_database, definition.replace(code, other))
        try:
            yield
        finally:
            self.cluster.query(self.cart_database, definition)

    def run(self, seed: str, fault) -> list[Shoppers]:
        """Lets clients shop, and `fault` happen when they have sent a third of their requests."""
        made = self.shoppers(seed, carts=CARTS, clients=CLIENTS, requests=REQUESTS,
                             products=PRODUCTS)

        async def shop():
            shopping = asyncio.gather(*(shoppers.run() for shoppers in made))
            while (not shopping.done() and sum(shoppers.answered for shoppers in made)
                   < CARTS * CLIENTS * REQUESTS / 3):
                await asyncio.sleep(0.005)
            await fault(self)
            await shopping

        self.background.run(shop(), 250)
        return made


@pytest.fixture(scope="module")
def system(background, cluster, customers_binary, cart_binary, customers_environment,
           cart_environment, customers_database, cart_database, start_service):
    def listen(target: int) -> Proxy:
        proxy = Proxy(target)
        background.run(proxy.listen())
        return proxy

    replicas = []
    for _ in range(2):
        customers = start_service(customers_binary, customers_environment(customers_database))
        to_customers = listen(customers.grpc_port)
        to_database = listen(cluster.port)
        cart = start_service(cart_binary, cart_environment(
            cart_database, to_customers.port, POSTGRES_PORT=str(to_database.port)))
        replicas.append(Replica(customers, cart, to_customers, to_database, Pool(cart.port)))
    yield System(background, cluster, (customers_database, cart_database), replicas)
    for replica in replicas:
        background.run(replica.pool.close())


# Faults


async def nothing(_: System) -> None:
    pass


def kill(name: str):
    async def fault(system: System) -> None:
        replica = system.replicas[0]
        service = getattr(replica, name)
        await asyncio.to_thread(service.kill)
        await replica.pool.close()
        await asyncio.to_thread(service.start)
    fault.__name__ = f"kill {name}"
    return fault


def restart(mode: str):
    async def fault(system: System) -> None:
        await asyncio.to_thread(system.cluster.stop, mode)
        await asyncio.to_thread(system.cluster.start)
    fault.__name__ = f"restart PostgreSQL, {mode}"
    return fault


def cut(link: str, disturbance: type[Fault], direction: Direction | None = None,
        seconds: float = MOMENT):
    async def fault(system: System) -> None:
        for replica in system.replicas:
            await getattr(replica, link).begin(disturbance(direction))
        await asyncio.sleep(seconds)
        for replica in system.replicas:
            await getattr(replica, link).end()
    fault.__name__ = f"{link}: {disturbance.__name__} {direction.value if direction else ''}"
    return fault


FAULTS = [
    nothing, kill("cart"), kill("customers"), restart("fast"), restart("immediate"),
    cut("to_customers", Refuse), cut("to_customers", Cut, Direction.TO_CLIENT),
    cut("to_cart_database", Refuse), cut("to_cart_database", Flapping),
    cut("to_cart_database", Cut, Direction.TO_SERVER),
    cut("to_cart_database", Cut, Direction.TO_CLIENT),
    cut("to_cart_database", CutMidMessage, Direction.TO_CLIENT),
    # Longer than a statement may take.
    cut("to_cart_database", NoAnswer, seconds=3.3),
    cut("to_cart_database", BlackHole, Direction.TO_CLIENT, 3.3),
]


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.strip())
def test_histories(system, fault, round_):
    seed = f"{SEED} {round_} {fault.__name__}"
    made = system.run(seed, fault)
    assert explain(made, seed) == []


BEGIN = "PERFORM begin_write(cart, expected);"
# The defect → a function of the database, a piece of its code, and what is there instead.
DEFECTS = {
    "a change keeps the version": (
        "change_item", BEGIN, f"{BEGIN} UPDATE carts SET version = version - 1 WHERE user_id = cart;"),
    "put ignores If-Match": ("put_product", BEGIN, "PERFORM begin_write(cart, NULL);"),
    "add does not wait for its turn": ("add_product", BEGIN, ""),
    "a repeated checkout is another one": ("check_out", "IF FOUND THEN", "IF false THEN"),
}


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_found(system, defect):
    """The checker finds what is wrong, if these clients use a store that has this defect."""
    with system.altered(*defect):
        for number in itertools.count(1):
            seed = f"{SEED} {number} {defect[0]}"
            if explain(system.run(seed, nothing), seed):
                break
            assert number < 20, "not found"
