"""Clients that use one cart at once, and record its history for harness.linearizability."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal

import psycopg

from harness import cart_model as model
from harness.http import Pool, Reply, request
from harness.linearizability import Operation, check
from microcart.testing import tokens

# Longer than a service takes for any answer.
DEADLINE = 10
# Seconds after the first unknown outcome of a request, doubled after each further one. Many unknown
# outcomes would make the search long.
PAUSE = 0.1


class Shoppers:
    """Each of `count` clients sends `requests` requests, one after the other with pauses of `pace`
    seconds, each to any of `pools`: the replicas of the cart service. `products` are in no other cart, so that the history of cart and
    products is complete. `edit` changes one of them, and returns whether its outcome is known.

    A moment of the history is the number of events before it. All clients run on one event loop, so
    an event that was seen before another one has a lower number.
    """

    def __init__(self, pools: list[Pool], owner: int, token: str, products: dict[int, model.Product],
                 edit: Callable[[model.Edit], Awaitable[bool]], seed: str, count: int,
                 requests: int, pace: float):
        self.initial = model.State(tuple(products.items()))
        self.history: list[Operation] = []
        self.problems: list[str] = []
        self.answered = 0
        self._pools = pools
        self.owner = owner
        self._token = token
        self._products = list(products)
        self._edit = edit
        self._clients = [random.Random(f"{seed} {number}") for number in range(count)]
        self._requests = requests
        self._pace = pace
        self._moments = itertools.count(1)
        # What answers have shown, the latest last.
        self._items: dict[int, int] = {}  # Item → product.
        self._tags: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(*map(self._shop, self._clients))

    async def _shop(self, client: random.Random) -> None:
        for _ in range(self._requests):
            wanted, pause = self._choose(client), PAUSE
            while not await self._send(client.choice(self._pools), wanted):
                await asyncio.sleep(pause)
                pause *= 2
                if client.random() < 0.2:
                    break
            await asyncio.sleep(self._pace)

    def _choose(self, client: random.Random):
        product = client.choice(self._products)
        tag = None
        if self._tags and client.random() < 0.4:
            tag = self._tags[-1] if client.random() < 0.8 else client.choice(self._tags)
        item = client.choice(list(self._items)[-4:]) if self._items else None
        kinds = ["get"] * 3 + ["create"] * 2 + ["put"] * 4 + ["add"] * 3 + ["merge"] * 2 + ["clear"]
        kinds += ["edit"] * 2 + ["checkout"] * 2 * bool(self._tags)
        kinds += (["change"] * 3 + ["remove"]) * bool(self._items)
        match client.choice(kinds):
            case "get":
                return model.Get(tag)
            case "create":
                return model.Create(product, client.randint(1, 5), tag)
            case "change":
                return model.Change(item, self._items[item], client.randint(1, 5), tag)
            case "remove":
                return model.Remove(item, self._items[item], tag)
            case "clear":
                return model.Clear(tag)
            case "put":
                return model.Put(product, client.randint(0, 5), tag)
            case "add":
                return model.Add(product, client.randint(1, 2), tag)
            case "merge":
                chosen = client.sample(self._products, client.randint(1, 2))
                return model.Merge(tuple((each, client.randint(1, 5)) for each in chosen), tag)
            case "checkout":
                return model.Checkout(tag or self._tags[-1])
            case "edit":
                return model.Edit(product, client.choice([
                    (("price", f"{client.randint(1, 9)}.50"),), (("is_active", False),),
                    (("is_active", True),), (("is_active", True),),
                    (("stock", client.choice([None, 3, 50])),)]))

    async def _send(self, pool: Pool, wanted) -> bool:
        """Returns whether the outcome is known."""
        began = next(self._moments)
        if isinstance(wanted, model.Edit):
            return self._record(began, wanted,
                                model.Answer(200) if await self._edit(wanted) else None)
        try:
            reply, _ = await asyncio.wait_for(pool.exchange(self._message(wanted)), DEADLINE)
        except (OSError, EOFError, asyncio.TimeoutError):
            return self._record(began, wanted, None)
        try:
            return self._record(began, wanted, self._answer(reply))
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            self.problems.append(f"{wanted} → {reply.status} {reply.body!r}: {error!r}")
            return True

    def _record(self, began: int, wanted, answer: model.Answer | None) -> bool:
        """Returns whether the outcome is known."""
        known = answer is not None
        self.answered += known
        self.history += model.operations(began, next(self._moments) if known else None, wanted,
                                         answer)
        if known and answer.tag:
            self._tags.append(answer.tag)
        for line in answer.lines if known else ():
            if line.id is not None:
                self._items.pop(line.id, None)
                self._items[line.id] = line.product
        return known

    def _message(self, wanted) -> bytes:
        cart, token, body, headers = f"/api/v1/cart/{self.owner}", self._token, None, ()
        match wanted:
            case model.Get():
                method, path = "GET", f"{cart}/"
            case model.Create(product, quantity):
                method, path = "POST", f"/api/v1/cart-item/{self.owner}/create"
                body = {"product_id": product, "quantity": quantity}
            case model.Change(item, _, quantity):
                method, path, body = "PATCH", f"/api/v1/cart-item/{item}/", {"quantity": quantity}
            case model.Remove(item):
                method, path = "DELETE", f"/api/v1/cart-item/{item}/"
            case model.Clear():
                method, path = "DELETE", f"{cart}/"
            case model.Put(product, quantity):
                method, path, body = "PUT", f"{cart}/products/{product}/", {"quantity": quantity}
            case model.Add(product, quantity):
                method, path = "POST", f"{cart}/products/{product}/add/"
                body = {"quantity": quantity}
            case model.Merge(items):
                method, path = "POST", f"{cart}/merge/"
                body = {"items": [{"product_id": product, "quantity": quantity}
                                  for product, quantity in items]}
            case model.Checkout():
                method, path = "POST", f"{cart}/checkout/"
        if wanted.tag:
            name = "If-None-Match" if isinstance(wanted, model.Get) else "If-Match"
            headers = (f"{name}: {wanted.tag}",)
        return request(method, path, token, body, headers)

    def _answer(self, reply: Reply) -> model.Answer | None:
        """Returns None if the outcome is unknown. Raises an error if this is no answer of the API."""
        if reply.status == 503:
            return None
        if reply.status in (204, 304, 404, 409, 412):
            return model.Answer(reply.status)
        if reply.status == 400:
            return model.Answer(400, refused=tuple(reply.json()["error"]["fields"]))
        assert reply.status in (200, 201)
        data, tag, skipped = reply.json()["data"], reply.headers.get("etag"), ()
        if "lines" in data:
            return _checkout(reply.status, data)
        if "cart" in data:
            data, skipped = data["cart"], tuple(sorted(data["skipped"]))
        assert tag and data["user_id"] == self.owner
        items = data["cart_items"]
        assert items == sorted(items, key=lambda item: item["id"])
        assert all(Decimal(item["line_total"]) == item["quantity"] * Decimal(item["price"])
                   for item in items)
        assert Decimal(data["total_price"]) == sum(
            Decimal(item["line_total"]) for item in items if item["is_available"])
        items = sorted(items, key=lambda item: item["product_id"])
        return model.Answer(
            reply.status, tag=tag, skipped=skipped,
            lines=tuple(model.Line(item["product_id"], item["quantity"], item["id"])
                        for item in items),
            shown=tuple((item["price"], item["is_available"]) for item in items))


def _checkout(status: int, data: dict) -> model.Answer:
    lines = sorted(data["lines"], key=lambda line: line["product_id"])
    assert Decimal(data["total_price"]) == sum(Decimal(line["line_total"]) for line in lines)
    return model.Answer(
        status, checkout=data["id"],
        lines=tuple(model.Line(line["product_id"], line["quantity"]) for line in lines),
        shown=tuple((line["price"], True) for line in lines))


class Store:
    """The databases of both services, and the replicas of the cart service."""

    def __init__(self, cluster, customers_database: str, cart_database: str, pools: list[Pool]):
        self.cluster = cluster
        self.customers_database = customers_database
        self.cart_database = cart_database
        self.pools = pools

    def shoppers(self, seed: str, *, carts: int, clients: int, requests: int, products: int,
                 pace: float = 0) -> list[Shoppers]:
        """Makes new carts, each with products of its own, and the clients of each."""
        made = []
        for number in range(carts):
            [(user,)] = self.cluster.query(
                self.customers_database, "INSERT INTO users (email, first_name, last_name, password, "
                "is_admin) VALUES (gen_random_uuid() || '@example.com', '', '', '', false) "
                "RETURNING id")
            on_sale = self.cluster.query(
                self.cart_database, "INSERT INTO products (name, description, price) "
                "SELECT 'Product ' || n, '', 5 FROM generate_series(1, %s) AS n RETURNING id",
                products)
            self.cluster.query(self.cart_database, "INSERT INTO carts (user_id) VALUES (%s)", user)
            made.append(Shoppers(
                self.pools, user, tokens.bearer(user),
                {product: model.Product("5.00") for (product,) in on_sale}, self.edit,
                f"{seed} {number}", clients, requests, pace))
        return made

    async def edit(self, wanted: model.Edit) -> bool:
        """Changes a product in the database. Returns whether the outcome is known."""
        columns = ", ".join(f"{column} = %s" for column, _ in wanted.fields)
        try:
            await asyncio.to_thread(
                self.cluster.query, self.cart_database, f"UPDATE products SET {columns} WHERE id = %s",
                *(value for _, value in wanted.fields), wanted.product)
        except psycopg.Error:
            return False
        return True


def explain(made: list[Shoppers], seed: str) -> list[str]:
    """Returns what is wrong with the histories."""
    problems = []
    for shoppers in made:
        problems += shoppers.problems
        violation = check(shoppers.history, shoppers.initial, model.step)
        if violation:
            problems.append(f"seed {seed}, cart {shoppers.owner}: {violation}")
    return problems
