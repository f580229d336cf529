"""Writes of clients of both services, each unique, and what has been acknowledged of them."""

import itertools

from harness.http import Pool, Reply, request
from harness.load import Request
from harness.traffic import HASHING, STATEMENT, VALIDATION
from microcart.testing.accounts import PASSWORD, fresh_email

# Products that the writes need, with the ids from 1 to this number.
PRODUCTS = 2000


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
            HASHING + 2 * STATEMENT, expected=(201,), on_reply=note)

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

    def assert_stored(self, cluster, customers_database: str, cart_database: str) -> None:
        """Checks that each acknowledged write is stored as acknowledged, exactly once. Acknowledged
        writes are taken first, because the load continues to write."""
        users, items = dict(self.users), dict(self.items)
        stored_users = cluster.query(
            customers_database, "SELECT email, id FROM users WHERE email LIKE 'crash%%'")
        stored_items = cluster.query(
            cart_database, "SELECT cart_id, product_id, id FROM cartitems WHERE cart_id > 4")
        for made, stored in ((users, dict(stored_users)),
                             (items, {line[:2]: line[2] for line in stored_items})):
            acknowledged = {key: number for key, number in made.items() if number is not None}
            assert acknowledged
            assert {key: stored.get(key) for key in acknowledged} == acknowledged
