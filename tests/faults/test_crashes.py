"""PostgreSQL restarts, and each service is killed, under load. Afterwards every acknowledged write
is stored, exactly once, and everything recovers by itself."""

import asyncio
import itertools
import time

import pytest

from harness.http import Pool, Reply, request
from harness.load import Load, Request, summary
from harness.traffic import STATEMENT, VALIDATION
from microcart.testing.accounts import PASSWORD, fresh_email

RECOVERY = 2.0
RATE = 80
OWNERS = 20
PRODUCTS = 2000
RESTARTS = 20
KILLS = 4


class Writes:
    """Registrations and additions to carts, and the acknowledged ones among them. Each is unique and
    requested once, so that a repetition by a service would be answered with 400."""

    def __init__(self, customers: Pool, cart: Pool, owners):
        self._customers = customers
        self._cart = cart
        self._owners = owners
        self._items = ((owner, product) for product in range(1, PRODUCTS) for owner in owners)
        self._kinds = itertools.cycle([self._register, *[self._add_item] * 5, self._get_cart])
        self.users: dict[str, int | None] = {}  # Email → id, if acknowledged.
        self.items: dict[tuple[int, int], int | None] = {}  # Cart, product → the item's id.

    def __call__(self) -> Request:
        return next(self._kinds)()

    def _register(self) -> Request:
        email = fresh_email("crash")
        self.users[email] = None

        def note(reply: Reply | None) -> None:
            if reply is not None and reply.status == 201:
                self.users[email] = reply.json()["data"]["id"]

        return Request("register", self._customers, request(
            "POST", "/api/v1/users/create/", body={"email": email, "password": PASSWORD}),
            2 * STATEMENT, expected=(201,), on_reply=note)

    def _add_item(self) -> Request:
        owner, product = next(self._items)
        self.items[owner.id, product] = None

        def note(reply: Reply | None) -> None:
            if reply is not None and reply.status == 201:
                [self.items[owner.id, product]] = [
                    line["id"] for line in reply.json()["data"]["cart_items"]
                    if line["product_id"] == product]

        return Request("add item", self._cart, request(
            "POST", f"/api/v1/cart-item/{owner.id}/create", owner.token,
            {"product_id": product, "quantity": 1}),
            VALIDATION + 2 * STATEMENT, expected=(201,), on_reply=note)

    def _get_cart(self) -> Request:
        owner = self._owners[0]
        return Request("get cart", self._cart,
                       request("GET", f"/api/v1/cart/{owner.id}/", owner.token),
                       VALIDATION + STATEMENT)


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
        """Checks that each acknowledged write is stored as acknowledged, exactly once. Acknowledged
        writes are taken first, because the load continues to write."""
        customers, cart = self._databases
        users, items = dict(self.writes.users), dict(self.writes.items)
        stored_users = self.cluster.query(
            customers, "SELECT email, id FROM users WHERE email LIKE 'crash%%'")
        stored_items = self.cluster.query(
            cart, "SELECT cart_id, product_id, id FROM cartitems WHERE cart_id > 4")
        for made, stored in ((users, dict(stored_users)),
                             (items, {line[:2]: line[2] for line in stored_items})):
            acknowledged = {key: number for key, number in made.items() if number is not None}
            assert acknowledged
            assert {key: stored.get(key) for key in acknowledged} == acknowledged


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
