"""Reads and writes of both services, and what the databases must hold after them."""

import itertools
import random
import time
from collections.abc import Callable

from harness.http import Reply, request
from microcart.testing.accounts import PASSWORD, fresh_email


class Writes:
    """Requests for one service, some of which write, and the acknowledged writes: the data that the
    database must hold, and the time of the last one. `host` is the name that the requests are for."""

    def __init__(self, owners, host: str = "localhost"):
        self._owners = owners
        self._host = host
        self.acknowledged: dict = {}
        self.last = 0.0

    def __call__(self, chance: random.Random) -> tuple[bytes, Callable[[Reply], None]]:
        """A request, and a function for its successful answer."""
        if chance.random() < 0.2 and self._may_write():
            return self._write(chance)
        return self._read(chance.choice(self._owners)), lambda _: None

    def _may_write(self) -> bool:
        return True

    def _note(self, key, stored) -> None:
        self.acknowledged[key] = stored
        self.last = time.monotonic()


class CustomersWrites(Writes):
    # Registrations at once: so few that none waits too long for its password to be hashed.
    OPEN = 8

    def __init__(self, owners, host: str = "localhost"):
        super().__init__(owners, host)
        self._open = 0

    def _may_write(self) -> bool:
        return self._open < self.OPEN

    def _read(self, owner):
        return request("GET", f"/api/v1/users/{owner.id}/", owner.token, host=self._host)

    def _write(self, _):
        email = fresh_email("termination")
        self._open += 1

        def note(reply: Reply) -> None:
            self._open -= 1
            self._note(email, reply.json()["data"]["id"])

        return (request("POST", "/api/v1/users/create/",
                        body={"email": email, "password": PASSWORD}, host=self._host), note)

    def stored(self, cluster, databases) -> dict:
        return dict(cluster.query(
            databases["customers"],
            "SELECT email, id FROM users WHERE email LIKE 'termination%%'"))


class CartWrites(Writes):
    def __init__(self, owners, host: str = "localhost"):
        super().__init__(owners, host)
        self._items = ((owner, product) for product in itertools.count(1) for owner in owners)

    def _read(self, owner):
        return request("GET", f"/api/v1/cart/{owner.id}/", owner.token, host=self._host)

    def _write(self, _):
        owner, product = next(self._items)

        def note(reply: Reply) -> None:
            [item] = [item["id"] for item in reply.json()["data"]["cart_items"]
                      if item["product_id"] == product]
            self._note((owner.id, product), item)

        return (request("POST", f"/api/v1/cart-item/{owner.id}/create", owner.token,
                        {"product_id": product, "quantity": 1}, host=self._host), note)

    def stored(self, cluster, databases) -> dict:
        return {(cart, product): item for cart, product, item in cluster.query(
            databases["cart"], "SELECT cart_id, product_id, id FROM cartitems")}
