"""Units are conserved: what was added to carts is in them, was checked out, removed, or has expired or
been erased, and a counted stock loses what was checked out and nothing else. This holds after any
requests at once, while services are killed and PostgreSQL restarts.

A ledger, which triggers keep in the test's database, has every change of units with its transaction
and its statement. CONSERVATION_EXAMPLES is the number of stores that are tried (4).
"""

import asyncio
import contextlib
import dataclasses
import os
import random
from collections import Counter, defaultdict

import psycopg
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (RuleBasedStateMachine, invariant, rule,
                                 run_state_machine_as_test)

from harness.http import Pool, Reply, request
from microcart import network
from microcart.testing import tokens
from microcart.waiting import eventually

EXAMPLES = int(os.environ.get("CONSERVATION_EXAMPLES", 4))
STEPS = 8
OWNERS = 4  # Each has two clients.
REQUESTS = 15  # Of a client, between two checks.
PRODUCTS = 3
STOCK = 20
PAUSE = 0.1  # Seconds after an unknown outcome.
DEADLINE = 10

LEDGER = """
CREATE TABLE ledger (
    xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
    statement text NOT NULL DEFAULT coalesce(substring(current_query() FROM '(\\w+)\\(\\$1'), ''),
    account text NOT NULL,
    cart integer,
    product integer NOT NULL,
    units integer NOT NULL
);
CREATE FUNCTION book_item() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO ledger (account, cart, product, units)
    VALUES ('cart', coalesce(new.cart_id, old.cart_id), coalesce(new.product_id, old.product_id),
            coalesce(new.quantity, 0) - coalesce(old.quantity, 0));
    RETURN NULL;
END $$;
CREATE TRIGGER book AFTER INSERT OR UPDATE OR DELETE ON cartitems
    FOR EACH ROW EXECUTE FUNCTION book_item();
CREATE FUNCTION book_checkout() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO ledger (account, product, units) VALUES ('checkout', new.product_id, new.quantity);
    RETURN NULL;
END $$;
CREATE TRIGGER book AFTER INSERT ON checkout_lines FOR EACH ROW EXECUTE FUNCTION book_checkout();
CREATE FUNCTION book_stock() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO ledger (account, product, units) VALUES ('stock', new.id, new.stock - old.stock);
    RETURN NULL;
END $$;
CREATE TRIGGER book AFTER UPDATE OF stock ON products
    FOR EACH ROW EXECUTE FUNCTION book_stock();
"""


# The function of the statement that takes units out of a cart → where they went.
REASONS = {"change_item": "removed", "remove_item": "removed", "put_product": "removed",
           "clear_cart": "removed", "check_out": "checked out", "expire_carts": "expired",
           "erase_cart": "erased"}


KINDS = ["create", "change", "remove", "clear", "put", "put", "add", "add", "add", "merge",
         "checkout", "checkout", "restock", "expire"]


@dataclasses.dataclass
class Shop:
    """A cart service on a database with a ledger."""

    background: object
    cluster: object
    customers_database: str
    cart_database: str
    customers: object
    service: object

    def query(self, statement: str, *arguments) -> list[tuple]:
        return self.cluster.query(self.cart_database, statement, *arguments)

    def owner(self) -> int:
        [(user,)] = self.cluster.query(
            self.customers_database, "INSERT INTO users (email, first_name, last_name, password, "
            "is_admin) VALUES (gen_random_uuid() || '@example.com', '', '', '', false) RETURNING id")
        self.query("INSERT INTO carts (user_id) VALUES (%s)", user)
        return user

    def product(self) -> int:
        [(product,)] = self.query("INSERT INTO products (name, description, price, stock) "
                                  "VALUES ('Counted', '', 5, %s) RETURNING id", STOCK)
        return product

    def settle(self) -> None:
        """Waits for the statements that nobody waits for any more."""
        eventually(lambda: not self.cluster.query(
            "postgres", "SELECT FROM pg_stat_activity WHERE datname = %s AND state <> 'idle' "
            "AND pid <> pg_backend_pid()", self.cart_database), 30)


FAULTS = {
    "none": lambda shop: None,
    "kill": lambda shop: (shop.service.kill(), shop.service.start()),
    "restart": lambda shop: (shop.cluster.stop("immediate"), shop.cluster.start(),
                             shop.service.wait_ready()),
}


class Store(RuleBasedStateMachine):
    shop: Shop
    failure: AssertionError | None = None

    def __init__(self):
        super().__init__()
        self.owners = [self.shop.owner() for _ in range(OWNERS)]
        self.products = [self.shop.product() for _ in range(PRODUCTS)]
        self.sent = Counter()  # Units of add, by owner and product.
        self.acknowledged = Counter()
        self.checkouts: dict[int, dict[int, int]] = {}  # Acknowledged ones.

    @rule(seed=st.integers(0, 2**32 - 1), fault=st.sampled_from(list(FAULTS)))
    def act(self, seed, fault):
        """Lets clients use the carts, and a fault happen when a third of their requests is answered."""
        self.answered = 0

        async def act_all():
            pool = Pool(self.shop.service.port)
            clients = asyncio.gather(*(self._act(pool, random.Random(f"{seed} {number}"), owner)
                                       for number, owner in enumerate(self.owners * 2)))
            while not clients.done() and self.answered < len(self.owners) * 2 * REQUESTS / 3:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(FAULTS[fault], self.shop)
            await clients
            await pool.close()

        self.shop.background.run(act_all(), 120)

    @rule(number=st.integers(0, OWNERS - 1))
    def delete(self, number):
        """Deletes an owner, whose cart is then erased, and continues with another one."""
        owner = self.owners[number]
        eventually(lambda: network.request(
            "DELETE", f"{self.shop.customers.url}/api/v1/users/{owner}/",
            token=tokens.bearer(1, is_admin=True)).status in (204, 404), 30)
        eventually(lambda: self.shop.query(
            "SELECT 1 FROM carts WHERE user_id = %s AND erased", owner), 60)
        self.owners[number] = self.shop.owner()

    async def _act(self, pool: Pool, client: random.Random, owner: int) -> None:
        token, cart = tokens.bearer(owner), f"/api/v1/cart/{owner}"
        items: list[int] = []
        for _ in range(REQUESTS):
            kind, product = client.choice(KINDS), client.choice(self.products)
            units = client.randint(1, 5)
            quantity = {"quantity": units}
            match kind:
                case "create":
                    reply = await self._exchange(pool, request(
                        "POST", f"/api/v1/cart-item/{owner}/create", token,
                        {"product_id": product, **quantity}))
                    if reply and reply.status == 201:
                        items = [item["id"] for item in reply.json()["data"]["cart_items"]]
                case "change" if items:
                    await self._exchange(pool, request(
                        "PATCH", f"/api/v1/cart-item/{client.choice(items)}/", token, quantity))
                case "remove" if items:
                    await self._exchange(pool, request(
                        "DELETE", f"/api/v1/cart-item/{client.choice(items)}/", token))
                case "clear":
                    await self._exchange(pool, request("DELETE", f"{cart}/", token))
                case "put":
                    await self._exchange(pool, request("PUT", f"{cart}/products/{product}/", token,
                                                       {"quantity": units - 1}))
                case "add":
                    self.sent[owner, product] += units
                    reply = await self._exchange(pool, request(
                        "POST", f"{cart}/products/{product}/add/", token, quantity))
                    if reply and reply.status == 200:
                        self.acknowledged[owner, product] += units
                    elif reply:
                        self.sent[owner, product] -= units
                case "merge":
                    await self._exchange(pool, request("POST", f"{cart}/merge/", token, {
                        "items": [{"product_id": product, **quantity}]}))
                case "checkout":
                    await self._check_out(pool, cart, token)
                case "restock":
                    await self._execute("UPDATE products SET stock = stock + %s WHERE id = %s",
                                        units, product)
                case "expire":
                    await self._execute("UPDATE carts SET touched = now() - interval '2 days' "
                                        "WHERE user_id = %s", owner)
                    await self._execute("SELECT expire_carts(%s, 1000, 1)", owner - 1)

    async def _execute(self, statement: str, *arguments) -> None:
        # An error means that PostgreSQL restarts.
        with contextlib.suppress(psycopg.Error):
            await asyncio.to_thread(self.shop.query, statement, *arguments)

    async def _check_out(self, pool: Pool, cart: str, token: str) -> None:
        reply = await self._exchange(pool, request("GET", f"{cart}/", token))
        if not reply:
            return
        message = request("POST", f"{cart}/checkout/", token,
                          headers=(f"If-Match: {reply.headers['etag']}",))
        # Twice, because a client repeats what it got no answer to.
        for reply in [await self._exchange(pool, message) for _ in range(2)]:
            if reply and reply.status in (200, 201):
                data = reply.json()["data"]
                lines = {line["product_id"]: line["quantity"] for line in data["lines"]}
                assert self.checkouts.setdefault(data["id"], lines) == lines

    async def _exchange(self, pool: Pool, message: bytes) -> Reply | None:
        """Returns None if the outcome is unknown."""
        with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):
            reply, _ = await asyncio.wait_for(pool.exchange(message), DEADLINE)
            if reply.status != 503:
                assert reply.status in (200, 201, 204, 400, 404, 409, 412), reply.body
                self.answered += 1
                return reply
        await asyncio.sleep(PAUSE)
        return None

    @invariant()
    def conserved(self):
        self.shop.settle()
        try:
            self._assert_transactions_balance()
            self._assert_sums()
            self._assert_acknowledged()
        except AssertionError as failure:
            Store.failure = failure
            raise

    def _assert_transactions_balance(self) -> None:
        """Every checkout takes as many units from the cart and the stock as its lines have, in one
        transaction; nothing else changes a stock."""
        moved = self.shop.query("""
            SELECT product, coalesce(sum(units) FILTER (WHERE account = 'cart'), 0),
                   coalesce(sum(units) FILTER (WHERE account = 'stock'), 0),
                   coalesce(sum(units) FILTER (WHERE account = 'checkout'), 0)
            FROM ledger
            WHERE product = ANY (%s)
            GROUP BY xact, product
            HAVING bool_or(account <> 'cart') AND NOT bool_and(statement = '')""", self.products)
        assert [row for row in moved if (row[1], row[2]) != (-row[3], -row[3])] == []

    def _assert_sums(self) -> None:
        gone = defaultdict(Counter)
        added = Counter()
        for product, statement, units in self.shop.query(
                "SELECT product, statement, units FROM ledger WHERE account = 'cart' "
                "AND product = ANY (%s)", self.products):
            if units > 0:
                added[product] += units
            else:
                assert statement in REASONS, f"units were taken by {statement or 'another query'}"
                gone[product][REASONS[statement]] -= units
        in_carts = dict(self.shop.query(
            "SELECT product_id, sum(quantity) FROM cartitems WHERE product_id = ANY (%s) "
            "GROUP BY product_id", self.products))
        checked_out = dict(self.shop.query(
            "SELECT product_id, sum(quantity) FROM checkout_lines WHERE product_id = ANY (%s) "
            "GROUP BY product_id", self.products))
        stocks = self.shop.query("""
            SELECT id, stock, (SELECT coalesce(sum(units), 0) FROM ledger
                               WHERE account = 'stock' AND statement = '' AND product = products.id)
            FROM products
            WHERE id = ANY (%s)""", self.products)
        for product in self.products:
            assert gone[product]["checked out"] == checked_out.get(product, 0)
            assert added[product] == in_carts.get(product, 0) + gone[product].total()
        for product, stock, brought in stocks:
            assert stock == STOCK + brought - checked_out.get(product, 0) >= 0

    def _assert_acknowledged(self) -> None:
        booked = {(owner, product): units for owner, product, units in self.shop.query(
            "SELECT cart, product, sum(units) FROM ledger WHERE statement = 'add_product' "
            "AND product = ANY (%s) GROUP BY cart, product", self.products)}
        for key, sent in self.sent.items():
            assert self.acknowledged[key] <= booked.get(key, 0) <= sent
        lines = defaultdict(dict)
        for checkout, product, quantity in self.shop.query(
                "SELECT checkout_id, product_id, quantity FROM checkout_lines "
                "WHERE checkout_id = ANY (%s)", list(self.checkouts)):
            lines[checkout][product] = quantity
        assert lines == self.checkouts


def test_units_are_conserved(background, cluster, customers_service, customers_database,
                             cart_database, cart_service):
    cluster.query(cart_database, LEDGER)
    Store.shop = Shop(background, cluster, customers_database, cart_database,
                      customers_service, cart_service)
    try:
        run_state_machine_as_test(Store, settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True,
            database=None, phases=[Phase.generate], print_blob=False,
            suppress_health_check=list(HealthCheck)))
    except Flaky as repeated:
        # Requests at once need not fail again when Hypothesis repeats them.
        raise repeated from Store.failure
