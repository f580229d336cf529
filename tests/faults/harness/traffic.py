"""The requests of clients of both services, and the checks of their answers."""

import itertools
import random

from harness.http import Pool, Reply, request
from harness.load import Request
from microcart.testing import tokens

# Maximum time of one step: platform/postgres/client.h, services/customers/client, and the time that a
# password waits, platform/security/hash_pool.h.
STATEMENT = 3
VALIDATION = 2
HASHING = 3

_numbers = itertools.count(1)


def _profile_of(owner):
    def problem(reply: Reply) -> str | None:
        user = reply.json()["data"]
        seen = (user["id"], user["email"])
        return None if seen == (owner.id, owner.email) else f"another's profile: {seen}"
    return problem


def _renamed(owner, name: str):
    def problem(reply: Reply) -> str | None:
        seen = reply.json()["data"]["first_name"]
        return _profile_of(owner)(reply) or (None if seen == name else f"another's name: {seen}")
    return problem


def _cart_of(owner):
    def problem(reply: Reply) -> str | None:
        cart = reply.json()["data"]
        seen = {cart["user_id"], *(item["cart_id"] for item in cart["cart_items"])}
        return None if seen == {owner.id} else f"the carts of {seen}, not {owner.id}"
    return problem


def _changed(owner, item: int, quantity: int):
    def problem(reply: Reply) -> str | None:
        lines = {line["id"]: line["quantity"] for line in reply.json()["data"]["cart_items"]}
        return _cart_of(owner)(reply) or (
            None if lines.get(item) == quantity else f"{item} is not {quantity}: {lines}")
    return problem


def _products(reply: Reply) -> str | None:
    count = len(reply.json()["data"])
    return None if count == 4 else f"{count} products"


class Traffic:
    """A mix of reads and writes of several owners, each with one item in the cart, and of a user
    whose tokens must never be accepted."""

    def __init__(self, customers: Pool, cart: Pool, items, deleted, seed: int = 1):
        self._customers = customers
        self._cart = cart
        self._items = items
        self._deleted = deleted
        self._random = random.Random(seed)
        self._kinds = itertools.cycle([
            self._profile, self._get_cart, self._rename, self._change_item, self._list_products,
            self._intrude])

    def __call__(self) -> Request:
        return next(self._kinds)(self._random.choice(self._items))

    def _profile(self, item) -> Request:
        owner = item.owner
        return Request("get profile", self._customers,
                       request("GET", f"/api/v1/users/{owner.id}/", owner.token), STATEMENT,
                       problem=_profile_of(owner))

    def _rename(self, item) -> Request:
        owner, name = item.owner, f"Name {next(_numbers)}"
        return Request("rename", self._customers,
                       request("PATCH", f"/api/v1/users/{owner.id}/", owner.token,
                               {"first_name": name}), 2 * STATEMENT,
                       problem=_renamed(owner, name))

    def _get_cart(self, item) -> Request:
        owner = item.owner
        return Request("get cart", self._cart,
                       request("GET", f"/api/v1/cart/{owner.id}/", owner.token),
                       VALIDATION + STATEMENT, problem=_cart_of(owner))

    def _change_item(self, item) -> Request:
        quantity = self._random.randint(1, 5)
        return Request("change item", self._cart,
                       request("PATCH", f"/api/v1/cart-item/{item.id}/", item.owner.token,
                               {"quantity": quantity}), VALIDATION + 2 * STATEMENT,
                       problem=_changed(item.owner, item.id, quantity))

    def _list_products(self, _) -> Request:
        return Request("list products", self._cart, request("GET", "/api/v1/products/list/"),
                       STATEMENT, problem=_products)

    def _intrude(self, item) -> Request:
        """Uses a deleted user's token, or one signed with another secret, for an owner's objects."""
        owner = item.owner
        token, status = self._random.choice([
            (self._deleted.token, 403),
            (f"Bearer {tokens.sign(tokens.claims(owner.id), tokens.OTHER_SECRET)}", 401)])
        if self._random.random() < 0.5:
            return Request("intrude on a profile", self._customers,
                           request("GET", f"/api/v1/users/{owner.id}/", token), STATEMENT,
                           expected=(status,))
        return Request("intrude on a cart", self._cart,
                       request("GET", f"/api/v1/cart/{owner.id}/", token), VALIDATION,
                       expected=(403,))
