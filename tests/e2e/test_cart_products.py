"""PUT, add and merge: products in a cart by their own ids."""

import pytest

from microcart.testing import bodies
from microcart.testing.client import at_once

NO_PRODUCT = {"non_field_errors": ["Failed to add this product to cart."]}
UP_TO_5 = "Must be greater than or equal to 0 and less than or equal to 5."


def path(account, product: int | None = None, suffix: str = "") -> str:
    base = f"/api/v1/cart/{account.id}/"
    return f"{base}products/{product}/{suffix}" if product is not None else base + suffix


def quantities(data: dict) -> dict[int, int]:
    return {item["product_id"]: item["quantity"] for item in data["cart_items"]}


@pytest.fixture(scope="module")
def off_sale(products) -> int:
    return products.create(name="Off sale", is_active=False)


# PUT

@pytest.mark.parametrize("by_admin", [False, True], ids=["owner", "admin"])
def test_put_creates_the_cart(cart, accounts, admin, by_admin):
    account = accounts.create()
    answer = cart.put(path(account, 2), admin if by_admin else account.token, {"quantity": 3})
    assert (answer.ok()["user_id"], quantities(answer.data)) == (account.id, {2: 3})


def test_put_sets_the_quantity(cart, carts):
    owner = carts.owner()
    [item] = carts.put(owner, 1, 5).ok()["cart_items"]
    for quantity in (1, 1, 4):
        answer = carts.put(owner, 1, quantity).ok()
        total = f"{149.99 * quantity:.2f}"
        assert answer == {"user_id": owner.id, "total_price": total, "cart_items": [
            {**item, "quantity": quantity, "line_total": total}]}
    assert carts.put(owner, 1, 0).ok()["cart_items"] == []
    assert carts.put(owner, 1, 0).ok()["cart_items"] == []


BAD_QUANTITIES = {"6": UP_TO_5, "-1": UP_TO_5, "2147483648": UP_TO_5, "1.5": bodies.INTEGER,
                  '"1"': bodies.INTEGER, "true": bodies.INTEGER, "null": bodies.NULL}


@pytest.mark.parametrize("value, message", BAD_QUANTITIES.items())
def test_invalid_put(cart, carts, value, message):
    owner = carts.owner()
    cart.put(path(owner, 1), owner.token, content=f'{{"quantity": {value}}}'.encode()).invalid(
        {"quantity": [message]})


def test_put_and_add_know_their_fields(cart, carts):
    owner = carts.owner()
    cart.put(path(owner, 1), owner.token, {}).invalid({"quantity": [bodies.REQUIRED]})
    cart.put(path(owner, 1), owner.token, {"quantity": 1, "price": "0.01"}).invalid(
        {"price": ["Unknown field."]})
    cart.post(path(owner, 1, "add/"), owner.token, {"quantity": 1, "x": 1}).invalid(
        {"x": ["Unknown field."]})
    assert carts.get(owner).ok()["cart_items"] == []


def test_a_product_that_cannot_be_bought(cart, accounts, off_sale, cluster, cart_database):
    account = accounts.create()
    for product in (off_sale, 0, 999999, 2**31 - 1):
        cart.put(path(account, product), account.token, {"quantity": 1}).invalid(NO_PRODUCT, 400)
        cart.post(path(account, product, "add/"), account.token).invalid(NO_PRODUCT, 400)
    # Nothing was changed: there is no cart either.
    assert cluster.query(cart_database, "SELECT FROM carts WHERE user_id = %s", account.id) == []
    cart.get(path(account), account.token).ok()
    cart.post(f"/api/v1/cart-item/{account.id}/create", account.token,
              {"product_id": off_sale, "quantity": 1}).invalid(NO_PRODUCT, 400)


def test_what_went_off_sale_can_be_removed(carts, products):
    owner, product = carts.owner(), products.create()
    carts.put(owner, product, 3).ok()
    products.change(product, is_active=False)
    carts.put(owner, product, 2).invalid(NO_PRODUCT, 400)
    assert quantities(carts.get(owner).ok()) == {product: 3}
    assert carts.put(owner, product, 0).ok()["cart_items"] == []


# add

def test_add(cart, accounts):
    account = accounts.create()
    add = path(account, 1, "add/")
    for options, quantity in (({}, 1), ({"body": {}}, 2), ({"body": {"quantity": 3}}, 5)):
        assert quantities(cart.post(add, account.token, **options).ok()) == {1: quantity}
    cart.post(add, account.token, {"quantity": 1}).invalid({"quantity": [bodies.QUANTITY]}, 400)
    assert quantities(cart.get(path(account), account.token).ok()) == {1: 5}


@pytest.mark.parametrize("quantity", [0, 6, -1])
def test_invalid_add(cart, carts, quantity):
    owner = carts.owner()
    cart.post(path(owner, 1, "add/"), owner.token, {"quantity": quantity}).invalid(
        {"quantity": [bodies.QUANTITY]})


def test_additions_at_once_are_all_counted(cart, accounts):
    account = accounts.create()
    answers = at_once(cart.url, [("POST", path(account, 1, "add/"), account.token)] * 12)
    done = [answer for answer in answers if answer.status == 200]
    assert sorted(quantities(answer.data)[1] for answer in done) == [1, 2, 3, 4, 5]
    assert {answer.status for answer in answers} == {200, 400}


# merge

# Quantities before, of the guest → after.
MERGES = {
    "into nothing": ({}, [(1, 2), (3, 5)], {1: 2, 3: 5}),
    "nothing": ({1: 2}, [], {1: 2}),
    "larger ones count": ({1: 2, 2: 4}, [(1, 3), (2, 3)], {1: 3, 2: 4}),
    "the same": ({1: 2}, [(1, 2)], {1: 2}),
    "twice the same product": ({}, [(1, 2), (1, 4), (1, 3)], {1: 4}),
    "others stay": ({4: 1}, [(2, 2)], {4: 1, 2: 2}),
}


@pytest.mark.parametrize("before, guest, after", MERGES.values(), ids=MERGES)
def test_merge(cart, carts, accounts, before, guest, after):
    account = accounts.create()
    for product, quantity in before.items():
        carts.put(account, product, quantity).ok()
    body = {"items": [{"product_id": product, "quantity": quantity}
                      for product, quantity in guest]}
    for _ in range(2):
        answer = cart.post(path(account, suffix="merge/"), account.token, body).ok()
        assert (quantities(answer["cart"]), answer["skipped"]) == (after, [])
        assert answer["cart"] == cart.get(path(account), account.token).ok()


def test_merge_keeps_the_guests_order(cart, accounts):
    account = accounts.create()
    answer = cart.post(path(account, suffix="merge/"), account.token, {"items": [
        {"product_id": product, "quantity": 1} for product in (3, 1, 4, 2, 1)]}).ok()
    assert [item["product_id"] for item in answer["cart"]["cart_items"]] == [3, 1, 4, 2]


def test_merge_skips_what_cannot_be_bought(cart, carts, products, off_sale):
    owner, stale = carts.owner(), products.create()
    carts.put(owner, stale, 2).ok()
    products.change(stale, is_active=False)
    answer = cart.post(path(owner, suffix="merge/"), owner.token, {"items": [
        {"product_id": product, "quantity": 5}
        for product in (999999, 1, off_sale, stale, 999999)]}).ok()
    assert answer["skipped"] == sorted([999999, off_sale, stale])
    assert quantities(answer["cart"]) == {stale: 2, 1: 5}


def test_merge_draws_no_id_for_what_is_there(cart, carts, cluster, cart_database):
    owner = carts.owner()
    carts.put(owner, 1, 5).ok()
    drawn = "SELECT last_value FROM cartitems_id_seq"
    before = cluster.query(cart_database, drawn)
    cart.post(path(owner, suffix="merge/"), owner.token, {"items": [
        {"product_id": 1, "quantity": 3}, {"product_id": 999999, "quantity": 1}]}).ok()
    assert cluster.query(cart_database, drawn) == before


ITEM = {"product_id": 1, "quantity": 1}
INVALID_MERGES = {
    "nothing": ({}, {"items": [bodies.REQUIRED]}),
    "null": ({"items": None}, {"items": [bodies.NULL]}),
    "an object": ({"items": {}}, {"items": ["Not a valid list."]}),
    "too many": ({"items": [ITEM] * 101}, {"items": ["Longer than maximum length 100."]}),
    "members": ({"items": [ITEM, 7, {"product_id": -1, "quantity": 0}, {**ITEM, "price": "1"}]},
                {"items.1": ["Invalid input type."],
                 "items.2.product_id": [bodies.NEGATIVE], "items.2.quantity": [bodies.QUANTITY],
                 "items.3.price": ["Unknown field."]}),
    "unknown": ({"items": [], "x": 1}, {"x": ["Unknown field."]}),
}


@pytest.mark.parametrize("body, fields", INVALID_MERGES.values(), ids=INVALID_MERGES)
def test_invalid_merge(cart, carts, body, fields):
    owner = carts.owner()
    cart.post(path(owner, suffix="merge/"), owner.token, body).invalid(fields)


def test_a_hundred_items(cart, carts):
    owner = carts.owner()
    answer = cart.post(path(owner, suffix="merge/"), owner.token, {"items": [
        {"product_id": 1 + number, "quantity": 1} for number in range(100)]}).ok()
    assert len(answer["cart"]["cart_items"]) + len(answer["skipped"]) == 100


def test_merges_at_once(cart, accounts):
    account = accounts.create()
    guests = [{"items": [{"product_id": 1, "quantity": first}, {"product_id": 2, "quantity": second}]}
              for first, second in ((1, 5), (4, 2), (3, 3), (2, 4))]
    for answer in at_once(cart.url, [
            ("POST", path(account, suffix="merge/"), account.token, guest) for guest in guests * 2]):
        answer.ok()
    assert quantities(cart.get(path(account), account.token).ok()) == {1: 4, 2: 5}
