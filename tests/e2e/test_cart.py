"""GET and DELETE /api/v1/cart/{user_id}/, and the permissions of the whole cart service."""

import pytest

from microcart.testing import tokens
from microcart.testing.client import FORBIDDEN, NOT_FOUND, TIMESTAMP


def path(account) -> str:
    return f"/api/v1/cart/{getattr(account, 'id', account)}/"


ENDPOINTS = {
    "get cart": ("GET", "/api/v1/cart/{user}/", None, 200),
    "create item": ("POST", "/api/v1/cart-item/{user}/create",
                    {"product_id": 2, "quantity": 1}, 201),
    "patch item": ("PATCH", "/api/v1/cart-item/{item}/", {"quantity": 3}, 200),
    "delete item": ("DELETE", "/api/v1/cart-item/{item}/", None, 204),
    "delete cart": ("DELETE", "/api/v1/cart/{user}/", None, 204),
}

# Role → the message of its 403 on another's cart; None is success.
ROLES = {
    "anonymous": "403: Invalid authorization header",
    "stranger": FORBIDDEN,
    "demoted": FORBIDDEN,
    "deleted": "403: Token is revoked",
    "admin": None,
    "promoted": None,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_another_may(cart, carts, people, endpoint, role):
    method, template, body, success = ENDPOINTS[endpoint]
    item = carts.item()
    options = {} if body is None else {"body": body}
    answer = cart.call(method, template.format(user=item.owner.id, item=item.id),
                       people.token(role), **options)
    if ROLES[role]:
        answer.refused(403, ROLES[role])
        content = cart.get(path(item.owner), item.owner.token).ok()["cart_items"]
        assert [(line["id"], line["quantity"]) for line in content] == [(item.id, 1)]
    else:
        data = answer.ok(success)
        assert data is None or data["user_id"] == item.owner.id


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_owner_may(cart, carts, endpoint):
    method, template, body, success = ENDPOINTS[endpoint]
    item = carts.item()
    options = {} if body is None else {"body": body}
    cart.call(method, template.format(user=item.owner.id, item=item.id), item.owner.token,
              **options).ok(success)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_on_a_cart_permission_is_judged_before_existence(cart, accounts, people, method):
    without_cart = accounts.create()
    cart.call(method, path(without_cart), people.stranger.token).refused(403, FORBIDDEN)
    cart.call(method, path(999999), people.stranger.token).refused(403, FORBIDDEN)


# On items, existence comes first: role → endpoint → body that would be wrong too.
@pytest.mark.parametrize("role", ["stranger", "admin"])
@pytest.mark.parametrize("endpoint", ["create item", "patch item", "delete item"])
def test_on_items_existence_is_judged_before_permission_and_body(cart, people, endpoint, role):
    method, template, _, _ = ENDPOINTS[endpoint]
    for missing in (0, 999999):
        cart.call(method, template.format(user=missing, item=missing), people.token(role),
                  content=b"no json").refused(404, NOT_FOUND)


@pytest.mark.parametrize("endpoint", ["create item", "patch item"])
def test_permission_is_judged_before_the_body(cart, carts, people, endpoint):
    method, template, _, _ = ENDPOINTS[endpoint]
    item = carts.item()
    target = template.format(user=item.owner.id, item=item.id)
    cart.call(method, target, people.stranger.token, content=b"no json").refused(403, FORBIDDEN)
    cart.call(method, target, content=b"no json").refused(403, "403: Invalid authorization header")


# GET

def test_get_creates_what_is_missing(cart, accounts, cluster, cart_database):
    account = accounts.create()
    for _ in range(2):
        assert cart.get(path(account), account.token).ok() == {
            "user_id": account.id, "total_price": "0.00", "cart_items": []}
    assert cluster.query(cart_database, "SELECT count(*) FROM carts WHERE user_id = %s",
                         account.id) == [(1,)]


def test_head_of_a_missing_cart_is_as_its_get(cart, accounts):
    account = accounts.create()
    head = cart.call("HEAD", path(account), account.token)
    assert head.status == 200
    assert int(head.headers["Content-Length"]) == len(
        cart.get(path(account), account.token).response.content)


def test_get_answers_items_by_id(cart, carts):
    owner = carts.owner()
    for product, quantity in ((3, 1), (1, 5), (2, 2)):
        carts.add(owner, product, quantity)
    data = cart.get(path(owner), owner.token).ok()
    items = data.pop("cart_items")
    assert data == {"user_id": owner.id, "total_price": "1449.92"}
    assert [(item["cart_id"], item["product_id"], item["quantity"]) for item in items] == [
        (owner.id, 3, 1), (owner.id, 1, 5), (owner.id, 2, 2)]
    assert [item["id"] for item in items] == sorted(item["id"] for item in items)
    for item in items:
        assert set(item) == {"id", "created", "cart_id", "product_id", "quantity", "name", "price",
                             "line_total", "is_available"}
        assert TIMESTAMP.fullmatch(item["created"])


@pytest.mark.parametrize("user, total", [(1, "149.99"), (2, "1499.95"), (3, "499.95"),
                                         (4, "749.95")])
def test_demo_carts(cart, user, total):
    data = cart.get(path(user), tokens.bearer(user)).ok()
    assert data["total_price"] == total
    assert [(item["id"], item["product_id"]) for item in data["cart_items"]] == [(user, user)]


# Prices as stored and quantities → the total.
TOTALS = {
    "whole": ([("10", 3)], "30.00"),
    "cents": ([("0.01", 1)], "0.01"),
    "free": ([("0", 5)], "0.00"),
    "tenths": ([("0.1", 3)], "0.30"),
    "many places count as they are shown": ([("0.004", 1), ("0.004", 1)], "0.00"),
    "half rounds up, before the quantity counts": ([("0.125", 5)], "0.65"),
    "below half rounds down": ([("0.1249", 1)], "0.12"),
    "rounds no more": ([("33.333", 3)], "99.99"),
    "no binary fractions": ([("1.005", 1)], "1.01"),
    "large": ([("99999999999999.99", 5)], "499999999999999.95"),
    "sum": ([("19.99", 2), ("5.01", 4), ("100", 1)], "160.02"),
}


@pytest.mark.parametrize("lines, total", TOTALS.values(), ids=TOTALS)
def test_total_price(cart, carts, cluster, cart_database, lines, total):
    owner = carts.owner()
    for price, quantity in lines:
        [(product,)] = cluster.query(
            cart_database, "INSERT INTO products (name, description, price) "
            "VALUES ('Priced', '', %s::numeric) RETURNING id", price)
        carts.add(owner, product, quantity)
    assert cart.get(path(owner), owner.token).ok()["total_price"] == total


# Stock, whether it is on sale, quantity → whether it is available.
AVAILABILITY = {
    "not counted": (None, True, 5, True),
    "enough": (5, True, 5, True),
    "too little": (4, True, 5, False),
    "none": (0, True, 1, False),
    "off sale": (None, False, 1, False),
    "off sale, in stock": (5, False, 1, False),
}


@pytest.mark.parametrize("stock, is_active, quantity, is_available", AVAILABILITY.values(),
                         ids=AVAILABILITY)
def test_only_available_lines_count(carts, products, stock, is_active, quantity, is_available):
    owner = carts.owner()
    carts.add(owner, 1)
    product = products.create(name="Line", price="2.499")
    carts.add(owner, product, quantity)
    products.change(product, stock=stock, is_active=is_active)
    data = carts.get(owner).ok()
    line = data["cart_items"][1]
    total = f"{quantity * 2.5:.2f}"
    assert (line["name"], line["price"], line["line_total"], line["is_available"]) == (
        "Line", "2.50", total, is_available)
    assert data["total_price"] == (f"{149.99 + quantity * 2.5:.2f}" if is_available else "149.99")


def test_the_current_price_counts(carts, products):
    owner, product = carts.owner(), products.create(price="1.00")
    carts.add(owner, product, 3)
    products.change(product, price="2.00", name="Renamed")
    [line] = carts.get(owner).ok()["cart_items"]
    assert (line["name"], line["price"], line["line_total"]) == ("Renamed", "2.00", "6.00")


# DELETE

@pytest.mark.parametrize("by_admin", [False, True], ids=["owner", "admin"])
def test_delete_empties_the_cart_and_keeps_it(cart, carts, admin, cluster, cart_database, by_admin):
    owner, other = carts.owner(), carts.item()
    for product in (1, 2, 3):
        carts.add(owner, product)
    token = admin if by_admin else owner.token
    cart.delete(path(owner), token).ok(204)
    assert cluster.query(cart_database, "SELECT user_id FROM carts WHERE user_id = %s",
                         owner.id) == [(owner.id,)]
    assert cluster.query(cart_database, "SELECT id FROM cartitems WHERE cart_id = %s",
                         owner.id) == []
    cart.delete(path(owner), token).ok(204)
    assert cart.get(path(owner), owner.token).ok()["total_price"] == "0.00"
    assert len(cart.get(path(other.owner), other.owner.token).ok()["cart_items"]) == 1


@pytest.mark.parametrize("by_admin", [False, True], ids=["owner", "admin"])
def test_delete_of_a_cart_that_never_was(cart, accounts, admin, by_admin):
    account = accounts.create()
    cart.delete(path(account), admin if by_admin else account.token).refused(404, NOT_FOUND)
