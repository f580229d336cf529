"""Versions of carts: ETag, If-None-Match and If-Match."""

from collections import Counter

import pytest

from microcart.testing.client import NOT_FOUND, at_once

FAILED = "412: Precondition Failed"
OTHER = '"0-1234"'


def cart_path(account) -> str:
    return f"/api/v1/cart/{account.id}/"


# Every write to a cart → method, path, body, status of success.
WRITES = {
    "clear": ("DELETE", "/api/v1/cart/{user}/", None, 204),
    "put": ("PUT", "/api/v1/cart/{user}/products/2/", {"quantity": 3}, 200),
    "add": ("POST", "/api/v1/cart/{user}/products/1/add/", {}, 200),
    "merge": ("POST", "/api/v1/cart/{user}/merge/",
              {"items": [{"product_id": 2, "quantity": 1}]}, 200),
    "checkout": ("POST", "/api/v1/cart/{user}/checkout/", None, 201),
    "create item": ("POST", "/api/v1/cart-item/{user}/create",
                    {"product_id": 2, "quantity": 1}, 201),
    "change item": ("PATCH", "/api/v1/cart-item/{item}/", {"quantity": 3}, 200),
    "delete item": ("DELETE", "/api/v1/cart-item/{item}/", None, 204),
}


class Write:
    """A write to a new cart, which holds an item."""

    def __init__(self, cart, carts, name: str):
        self._cart = cart
        self.item = carts.item()
        self.owner = self.item.owner
        self.method, path, self.body, self.success = WRITES[name]
        self.path = path.format(user=self.owner.id, item=self.item.id)

    def arguments(self, condition: str | None) -> tuple:
        """The arguments of `Client.call`, without its keywords."""
        options = {} if self.body is None else {"body": self.body}
        return (self.method, self.path, self.owner.token), {
            **options, "headers": {"If-Match": condition} if condition is not None else {}}

    def send(self, condition: str | None):
        arguments, options = self.arguments(condition)
        return self._cart.call(*arguments, **options)

    def state(self):
        return self._cart.get(cart_path(self.owner), self.owner.token)


@pytest.fixture(params=WRITES)
def write(request, cart, carts) -> Write:
    return Write(cart, carts, request.param)


def test_every_answer_with_a_cart_has_its_tag(write):
    before = write.state()
    answer = write.send(before.headers["ETag"])
    answer.ok(write.success)
    after = write.state()
    assert after.headers["ETag"] != before.headers["ETag"]
    if "checkout/" in write.path or write.success == 204:
        assert "ETag" not in answer.headers
    else:
        assert answer.headers["ETag"] == after.headers["ETag"]
        assert answer.data.get("cart", answer.data) == after.data


@pytest.mark.parametrize("condition", [OTHER, "", "no tag", '"*"', f'{OTHER}, "x"'])
def test_another_state_changes_nothing(write, condition):
    before = write.state()
    write.send(condition).refused(412, FAILED)
    write.send("W/" + before.headers["ETag"]).refused(412, FAILED)
    after = write.state()
    assert (after.data, after.headers["ETag"]) == (before.data, before.headers["ETag"])


@pytest.mark.parametrize("condition", ["{}", f"{OTHER}, {{}}", "*", "{} , *"])
def test_this_state(write, condition):
    write.send(condition.format(write.state().headers["ETag"])).ok(write.success)


def test_the_state_before(write, carts):
    """The same lines after two writes are another state."""
    before = write.state()
    carts.put(write.owner, 3, 1).ok()
    carts.put(write.owner, 3, 0).ok()
    assert write.state().data == before.data
    write.send(before.headers["ETag"]).refused(412, FAILED)


def test_refusals_change_no_tag(cart, carts):
    item = carts.item()
    before = carts.get(item.owner).headers["ETag"]
    for method, path, body in (
            ("POST", f"/api/v1/cart-item/{item.owner.id}/create", {"product_id": 1, "quantity": 1}),
            ("POST", f"/api/v1/cart-item/{item.owner.id}/create", {"product_id": 999, "quantity": 1}),
            ("PUT", f"/api/v1/cart/{item.owner.id}/products/999/", {"quantity": 1}),
            ("POST", f"/api/v1/cart/{item.owner.id}/products/1/add/", {"quantity": 5})):
        assert cart.call(method, path, item.owner.token, body).status == 400
    assert carts.get(item.owner).headers["ETag"] == before


@pytest.mark.parametrize("attempt", range(3))
def test_of_writers_with_one_tag_one_succeeds(write, cart, attempt):
    tag = write.state().headers["ETag"]
    arguments, options = write.arguments(tag)
    body = [options["body"]] if "body" in options else []
    answers = at_once(cart.url, [(*arguments, *body)] * 8, headers=options["headers"])
    statuses = Counter(answer.status for answer in answers)
    if write.path.endswith("/checkout/"):
        assert statuses == {201: 1, 200: 7}
        assert len({answer.data["id"] for answer in answers}) == 1
    elif write.method == "DELETE" and "cart-item" in write.path:
        # A late request does not find the item that its path names.
        assert statuses[204] == 1 and statuses[412] + statuses[404] == 7
    else:
        assert statuses == {write.success: 1, 412: 7}


# GET

def test_known_state_is_304(cart, carts):
    item = carts.item()
    first = carts.get(item.owner)
    for method in ("GET", "HEAD"):
        for known in ("{}", 'W/{}', '"x", {}', "*"):
            answer = cart.call(method, cart_path(item.owner), item.owner.token, headers={
                "If-None-Match": known.format(first.headers["ETag"])})
            assert answer.status == 304
            assert answer.headers["ETag"] == first.headers["ETag"]
        other = cart.call(method, cart_path(item.owner), item.owner.token,
                          headers={"If-None-Match": OTHER})
        assert other.status == 200
    carts.put(item.owner, 2).ok()
    assert cart.get(cart_path(item.owner), item.owner.token, headers={
        "If-None-Match": first.headers["ETag"]}).ok() != first.data


def test_what_a_line_shows_is_in_the_tag(carts, products):
    owner = carts.owner()
    product = products.create(stock=5)
    carts.put(owner, product, 3).ok()
    seen = {}
    for columns in ({}, {"price": "10.01"}, {"price": "10.014"}, {"name": "Renamed"},
                    {"is_active": False}, {"is_active": True}, {"stock": 3}, {"stock": 2},
                    {"stock": None}, {"description": "Not shown"}):
        if columns:
            products.change(product, **columns)
        answer = carts.get(owner)
        seen.setdefault(answer.headers["ETag"], answer.text)
        assert seen[answer.headers["ETag"]] == answer.text
    # The first, another price, another name, off sale or not enough.
    assert len(seen) == 4


def test_anothers_purchase_changes_no_tag(cart, carts, products):
    """Unless it makes a line unavailable."""
    product = products.create(stock=5)
    mine, other = carts.owner(), carts.owner()
    before = carts.put(mine, product, 2).headers["ETag"]

    def buy(quantity: int) -> None:
        tag = carts.put(other, product, quantity).headers["ETag"]
        cart.post(f"/api/v1/cart/{other.id}/checkout/", other.token,
                  headers={"If-Match": tag}).ok(201)

    buy(3)
    assert carts.get(mine).headers["ETag"] == before
    buy(1)
    assert carts.get(mine).headers["ETag"] != before


def test_an_admins_get_creates_no_cart(cart, accounts, admin, cluster, cart_database):
    account = accounts.create()
    for _ in range(2):
        answer = cart.get(cart_path(account), admin)
        assert answer.ok() == {"user_id": account.id, "total_price": "0.00", "cart_items": []}
    assert cluster.query(cart_database, "SELECT FROM carts WHERE user_id = %s", account.id) == []
    cart.delete(cart_path(account), admin).refused(404, NOT_FOUND)
    # It is the state of an empty cart.
    own = cart.get(cart_path(account), account.token)
    assert own.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("condition, status", [('"0-0"', 200), ("*", 200), (OTHER, 412)])
def test_a_put_into_no_cart_has_the_state_of_an_empty_one(cart, accounts, condition, status):
    account = accounts.create()
    answer = cart.put(f"{cart_path(account)}products/1/", account.token, {"quantity": 1},
                      headers={"If-Match": condition})
    assert answer.status == status


def test_an_erased_cart_is_404(cart, carts, admin, cluster, cart_database):
    owner = carts.owner()
    cluster.query(cart_database, "UPDATE carts SET erased = true WHERE user_id = %s", owner.id)
    path = cart_path(owner)
    for token in (owner.token, admin):
        for method, target, body in (
                ("GET", path, None), ("DELETE", path, None),
                ("PUT", f"{path}products/1/", {"quantity": 1}),
                ("POST", f"{path}products/1/add/", {}), ("POST", f"{path}merge/", {"items": []}),
                ("POST", f"/api/v1/cart-item/{owner.id}/create", {"product_id": 1, "quantity": 1})):
            options = {} if body is None else {"body": body}
            cart.call(method, target, token, **options).refused(404, NOT_FOUND)
        cart.post(f"{path}checkout/", token, headers={"If-Match": "*"}).refused(404, NOT_FOUND)
    assert cluster.query(cart_database, "SELECT FROM cartitems WHERE cart_id = %s", owner.id) == []
