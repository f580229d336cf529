"""POST, PATCH and DELETE /api/v1/cart-item/…: their answers and errors."""

import pytest

from microcart.testing import bodies
from microcart.testing.client import NOT_FOUND

IN_CART = {"product_id": ["The product is already in cart. Please change the product or just "
                          "update it's quantity."]}
NO_PRODUCT = {"non_field_errors": ["Failed to add this product to cart."]}


def create_path(account) -> str:
    return f"/api/v1/cart-item/{account.id}/create"


def item_path(item) -> str:
    return f"/api/v1/cart-item/{getattr(item, 'id', item)}/"


@pytest.fixture(scope="module")
def owner(carts):
    """An account whose cart no test fills."""
    return carts.owner()


@pytest.fixture(scope="module")
def item(carts):
    """An item that no test changes."""
    return carts.item(product=4, quantity=2)


# POST

def test_create_answers_the_cart(cart, carts):
    owner = carts.owner()
    first = cart.post(create_path(owner), owner.token, {"product_id": 2, "quantity": 5}).ok(201)
    assert (first["user_id"], first["total_price"]) == (owner.id, "1499.95")
    second = cart.post(create_path(owner), owner.token, {"product_id": 1, "quantity": 1}).ok(201)
    assert second["total_price"] == "1649.94"
    assert second["cart_items"][0] == first["cart_items"][0]
    assert cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok() == second


def test_an_admin_adds_to_anothers_cart(cart, carts, admin):
    owner = carts.owner()
    answer = cart.post(create_path(owner), admin, {"product_id": 3, "quantity": 2})
    assert (answer.ok(201)["user_id"], answer.data["total_price"]) == (owner.id, "199.98")


def test_create_without_a_cart(cart, accounts, admin):
    account = accounts.create()
    for token in (account.token, admin):
        cart.post(create_path(account), token, {"product_id": 1, "quantity": 1}).refused(
            404, NOT_FOUND)


@pytest.mark.parametrize("quantity", [1, 2, 3, 4, 5])
def test_quantities(cart, carts, quantity):
    owner = carts.owner()
    [item] = carts.add(owner, 1, quantity)["cart_items"]
    assert item["quantity"] == quantity
    answer = cart.patch(item_path(item["id"]), owner.token, {"quantity": 6 - quantity})
    assert answer.ok()["cart_items"] == [
        {**item, "quantity": 6 - quantity, "line_total": answer.data["total_price"]}]


@pytest.mark.parametrize("quantity", [2, 5])
def test_a_product_is_in_a_cart_once(cart, item, quantity):
    cart.post(create_path(item.owner), item.owner.token,
              {"product_id": 4, "quantity": quantity}).invalid(IN_CART, 400)
    [line] = cart.get(f"/api/v1/cart/{item.owner.id}/", item.owner.token).ok()["cart_items"]
    assert line["quantity"] == 2


@pytest.mark.parametrize("product", [0, 999999, 2**31 - 1])
def test_no_such_product(cart, owner, product):
    cart.post(create_path(owner), owner.token, {"product_id": product, "quantity": 1}).invalid(
        NO_PRODUCT, 400)


INVALID_CREATE = {
    "nothing": ({}, {"product_id": [bodies.REQUIRED], "quantity": [bodies.REQUIRED]}),
    "no product": ({"quantity": 1}, {"product_id": [bodies.REQUIRED]}),
    "no quantity": ({"product_id": 1}, {"quantity": [bodies.REQUIRED]}),
    "nulls": ({"product_id": None, "quantity": None},
              {"product_id": [bodies.NULL], "quantity": [bodies.NULL]}),
    "negative product": ({"product_id": -1, "quantity": 1}, {"product_id": [bodies.NEGATIVE]}),
    "least product": ({"product_id": -2**31, "quantity": 1}, {"product_id": [bodies.NEGATIVE]}),
    "product past int32": ({"product_id": 2**31, "quantity": 1}, {"product_id": [bodies.INTEGER]}),
    "product wrapping round": ({"product_id": 2**32 + 1, "quantity": 1},
                               {"product_id": [bodies.INTEGER]}),
    "all at once": ({"product_id": "1", "quantity": 6, "x": 1},
                    {"product_id": [bodies.INTEGER], "quantity": [bodies.QUANTITY]}),
}


@pytest.mark.parametrize("body, fields", INVALID_CREATE.values(), ids=INVALID_CREATE)
def test_invalid_create(cart, owner, body, fields):
    cart.post(create_path(owner), owner.token, body).invalid(fields)


@pytest.mark.parametrize("field", ["product_id", "quantity"])
@pytest.mark.parametrize("value", bodies.NO_INTEGERS.values(), ids=bodies.NO_INTEGERS)
def test_create_with_no_integer(cart, owner, field, value):
    other = "quantity" if field == "product_id" else "product_id"
    content = f'{{"{field}": {value}, "{other}": 1}}'.encode()
    cart.post(create_path(owner), owner.token, content=content).invalid({field: [bodies.INTEGER]})


BAD_QUANTITIES = [0, 6, -1, 100, 32768, 65537, 2**31 - 1]


@pytest.mark.parametrize("quantity", BAD_QUANTITIES)
def test_create_with_a_quantity_out_of_range(cart, owner, quantity):
    cart.post(create_path(owner), owner.token, {"product_id": 1, "quantity": quantity}).invalid(
        {"quantity": [bodies.QUANTITY]})


@pytest.mark.parametrize("content, status, fields", bodies.MALFORMED.values(), ids=bodies.MALFORMED)
def test_malformed_create(cart, owner, content, status, fields):
    cart.post(create_path(owner), owner.token, content=content).invalid(fields, status)


def test_refusals_left_the_cart_empty(cart, owner):
    assert cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()["cart_items"] == []


# PATCH

def test_patch_answers_the_cart(cart, carts):
    owner = carts.owner()
    carts.add(owner, 1, 1)
    lines = carts.add(owner, 2, 1)["cart_items"]
    answer = cart.patch(item_path(lines[1]["id"]), owner.token, {"quantity": 4})
    assert answer.ok() == {"user_id": owner.id, "total_price": "1349.95",
                           "cart_items": [lines[0], {**lines[1], "quantity": 4,
                                                     "line_total": "1199.96"}]}


def test_patch_by_an_admin_answers_the_items_cart(cart, carts, accounts):
    admin = accounts.create(is_admin=True)
    own = carts.item(product=1)
    cart.get(f"/api/v1/cart/{admin.id}/", admin.token).ok()
    carts.add(admin, 2, 2)
    answer = cart.patch(item_path(own), admin.token, {"quantity": 3})
    assert (answer.ok()["user_id"], answer.data["total_price"]) == (own.owner.id, "449.97")
    [line] = answer.data["cart_items"]
    assert (line["id"], line["cart_id"], line["quantity"]) == (own.id, own.owner.id, 3)


@pytest.mark.parametrize("options", [{"body": {}}, {}, {"content": b""}],
                         ids=["empty object", "no body", "empty body"])
def test_patch_needs_a_quantity(cart, item, options):
    before = cart.get(f"/api/v1/cart/{item.owner.id}/", item.owner.token).ok()
    cart.call("PATCH", item_path(item), item.owner.token, **options).invalid(
        {"quantity": [bodies.REQUIRED]})
    assert cart.get(f"/api/v1/cart/{item.owner.id}/", item.owner.token).ok() == before


def test_an_item_that_was_fetched_can_be_sent_back(cart, carts):
    """What the endpoint does not know is ignored, also where it names another cart or price."""
    owner = carts.owner()
    [item] = carts.add(owner, 1, 1)["cart_items"]
    sent = {**item, "quantity": 3, "cart_id": 1, "product_id": 2, "price": "0.01", "": None}
    answer = cart.patch(item_path(item["id"]), owner.token, sent).ok()
    assert answer["cart_items"] == [{**item, "quantity": 3, "line_total": "449.97"}]
    cart.delete(item_path(item["id"]), owner.token).ok(204)
    [again] = cart.post(create_path(owner), owner.token, sent).ok(201)["cart_items"]
    assert (again["cart_id"], again["product_id"], again["quantity"]) == (owner.id, 2, 3)
    assert again["id"] != item["id"]


def test_patch_to_the_present_quantity(cart, item):
    assert cart.patch(item_path(item), item.owner.token,
                      {"quantity": 2}).ok()["total_price"] == "299.98"


INVALID_PATCH = {
    "null": ({"quantity": None}, {"quantity": [bodies.NULL]}),
    "only another member": ({"cart_id": 1}, {"quantity": [bodies.REQUIRED]}),
}


@pytest.mark.parametrize("body, fields", INVALID_PATCH.values(), ids=INVALID_PATCH)
def test_invalid_patch(cart, item, body, fields):
    cart.patch(item_path(item), item.owner.token, body).invalid(fields)


@pytest.mark.parametrize("value", bodies.NO_INTEGERS.values(), ids=bodies.NO_INTEGERS)
def test_patch_to_no_integer(cart, item, value):
    cart.patch(item_path(item), item.owner.token,
               content=f'{{"quantity": {value}}}'.encode()).invalid({"quantity": [bodies.INTEGER]})


@pytest.mark.parametrize("quantity", BAD_QUANTITIES)
def test_patch_to_a_quantity_out_of_range(cart, item, quantity):
    cart.patch(item_path(item), item.owner.token, {"quantity": quantity}).invalid(
        {"quantity": [bodies.QUANTITY]})


@pytest.mark.parametrize("content, status, fields", bodies.MALFORMED.values(), ids=bodies.MALFORMED)
def test_malformed_patch(cart, item, content, status, fields):
    cart.patch(item_path(item), item.owner.token, content=content).invalid(fields, status)


def test_refusals_left_the_item_as_it_was(cart, item):
    [line] = cart.get(f"/api/v1/cart/{item.owner.id}/", item.owner.token).ok()["cart_items"]
    assert (line["product_id"], line["quantity"]) == (4, 2)


# DELETE

@pytest.mark.parametrize("by_admin", [False, True], ids=["owner", "admin"])
def test_delete_removes_one_item(cart, carts, admin, by_admin):
    owner = carts.owner()
    carts.add(owner, 1)
    lines = carts.add(owner, 2)["cart_items"]
    token = admin if by_admin else owner.token
    cart.delete(item_path(lines[0]["id"]), token).ok(204)
    left = cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()
    assert (left["cart_items"], left["total_price"]) == ([lines[1]], "299.99")
    cart.delete(item_path(lines[0]["id"]), token).refused(404, NOT_FOUND)
    cart.patch(item_path(lines[0]["id"]), token, {"quantity": 1}).refused(404, NOT_FOUND)


def test_a_removed_product_can_be_added_again(cart, carts):
    item = carts.item(product=1)
    cart.delete(item_path(item), item.owner.token).ok(204)
    [line] = carts.add(item.owner, 1, 2)["cart_items"]
    assert line["id"] > item.id
