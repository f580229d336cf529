"""The catalogue: products are added, changed and taken off sale; lists in every order, with filters."""

import itertools
from decimal import Decimal
from urllib.parse import quote, urlencode

import pytest

from microcart.testing import bodies
from microcart.testing.client import NOT_FOUND, at_once

LIST = "/api/v1/products/list/"
ALL = "/api/v1/products/all/"
CREATE = "/api/v1/products/create/"
PRICE = "Not a valid price."
URL = "Not a valid URL."
SKU = "Not a valid SKU."
POSITION = "Not a position in this list."
TAKEN = {"sku": ["Product with this SKU already exists."]}

numbers = itertools.count(1)

FULL = {"name": "Desk lamp", "price": "24.90", "description": "It is bright.", "sku": "LAMP-1",
        "image_url": "https://shop.example/lamp.jpg", "stock": 12, "is_active": True}


@pytest.fixture
def product(cart, admin) -> dict:
    """A new product that has everything."""
    return cart.post(CREATE, admin, {**FULL, "sku": f"sku-{next(numbers)}"}).ok(201)


def path_of(product: dict) -> str:
    return f"/api/v1/products/{product['id']}/"


def ids(answer) -> list[int]:
    return [product["id"] for product in answer.ok()]


def test_demo_products_have_nothing_new(cart):
    for product in cart.get(LIST).ok()[:4]:
        assert [product[name] for name in ("sku", "image_url", "stock", "is_active")] == [
            None, None, None, True]


def test_a_product_has_what_it_was_created_with(cart, admin):
    created = cart.post(CREATE, admin, FULL).ok(201)
    assert {name: created[name] for name in FULL} == FULL
    assert cart.get(path_of(created)).ok() == created
    assert created in cart.get(LIST).ok()
    assert created in cart.get(ALL, admin).ok()


@pytest.mark.parametrize("nulls", [{}, {"sku": None, "image_url": None, "stock": None}],
                         ids=["missing", "null"])
def test_a_name_and_a_price_are_enough(cart, admin, nulls):
    created = cart.post(CREATE, admin, {"name": "Stool", "price": "5", **nulls}).ok(201)
    assert {name: created[name] for name in FULL} == {
        "name": "Stool", "price": "5.00", "description": "", "sku": None, "image_url": None,
        "stock": None, "is_active": True}


# Field → values → messages. Of a new product and of a change alike.
BAD_FIELDS = {
    "name": [("", bodies.NAME), ("x" * 257, bodies.NAME), (1, bodies.STRING),
             (None, bodies.NULL)],
    "price": [(value, PRICE) for value in (
        "", "x", "-1", "1.234", "1e2", "NaN", "Infinity", "1,5", " 1", "10000000000", 1, 1.5, True,
        [], {})] + [(None, bodies.NULL)],
    "description": [("x" * 10_001, "Longer than maximum length 10000."), (1, bodies.STRING),
                    (None, bodies.NULL)],
    "sku": [(value, SKU) for value in ("", "a b", "ä", "x" * 65, "a/b")] + [(1, bodies.STRING)],
    "image_url": [(value, URL) for value in (
        "", "lamp.jpg", "/lamp.jpg", "ftp://shop.example/", "javascript:alert(1)",
        "https://h/" + "x" * 2039)] + [(1, bodies.STRING)],
    "stock": [(-1, bodies.NEGATIVE), (2**31, bodies.INTEGER), ("1", bodies.INTEGER),
              (1.5, bodies.INTEGER), (True, bodies.INTEGER)],
    "is_active": [("maybe", bodies.BOOLEAN), (None, bodies.NULL)],
    "id": [(1, bodies.UNKNOWN)],
    "created": [("2026-11-22T23:00:27.304648+00:00", bodies.UNKNOWN)],
}
BAD = [(field, value, message) for field, rows in BAD_FIELDS.items() for value, message in rows]


@pytest.mark.parametrize("field, value, message", BAD)
def test_bad_values(cart, admin, field, value, message):
    expected = {field: [message]}
    cart.post(CREATE, admin, {"name": "Stool", "price": "5", field: value}).invalid(expected)
    cart.patch("/api/v1/products/1/", admin, {field: value}).invalid(expected)


def test_all_bad_fields_at_once(cart, admin):
    cart.post(CREATE, admin, {"stock": -1, "colour": "red"}).invalid({
        "name": [bodies.REQUIRED], "price": [bodies.REQUIRED], "stock": [bodies.NEGATIVE],
        "colour": [bodies.UNKNOWN]})


@pytest.mark.parametrize("price, shown", [("0", "0.00"), ("9999999999.99", "9999999999.99"),
                                          ("007.5", "7.50")])
def test_prices(cart, admin, price, shown):
    assert cart.post(CREATE, admin, {"name": "Stool", "price": price}).ok(201)["price"] == shown


CHANGES = {
    "name": {"name": "Floor lamp"}, "price": {"price": "19.90"}, "description": {"description": ""},
    "sku": {"sku": "Other_1.x"}, "image_url": {"image_url": "http://127.0.0.1:8080/x?y#z"},
    "stock": {"stock": 0}, "is_active": {"is_active": False}, "no sku": {"sku": None},
    "no image": {"image_url": None}, "no stock": {"stock": None}, "nothing": {},
    "several": {"name": "Floor lamp", "sku": None, "stock": 3},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_leaves_the_rest(cart, admin, product, change):
    assert cart.patch(path_of(product), admin, change).ok() == {**product, **change}
    assert cart.get(path_of(product)).ok() == {**product, **change}


def test_a_sku_is_unique_whatever_its_case(cart, cluster, cart_database, admin, product):
    def last_id():
        return cluster.query(cart_database, "SELECT last_value FROM products_id_seq")

    before = last_id()
    for sku in (product["sku"], product["sku"].upper()):
        cart.post(CREATE, admin, {"name": "Stool", "price": "5", "sku": sku}).invalid(TAKEN, 400)
        cart.patch("/api/v1/products/1/", admin, {"sku": sku}).invalid(TAKEN, 400)
    assert last_id() == before  # What is refused draws no id.
    # Its own may be spelled in another way.
    upper = cart.patch(path_of(product), admin, {"sku": product["sku"].upper()}).ok()
    assert upper["sku"] == product["sku"].upper()


def test_of_simultaneous_products_with_one_sku_one_is_created(cart, admin):
    requests = [("POST", CREATE, admin, {"name": "Stool", "price": "5", "sku": f"{sku}ace"})
                for sku in "rR" * 10]
    answers = at_once(cart.url, requests)
    assert sorted(answer.status for answer in answers) == [201] + 19 * [400]
    for answer in answers:
        assert answer.status == 201 or answer.fields == TAKEN


def test_off_sale_until_a_change(cart, admin, product):
    for _ in range(2):
        cart.delete(path_of(product), admin).ok(204)
        inactive = {**product, "is_active": False}
        assert cart.get(path_of(product)).ok() == inactive
        assert product["id"] not in ids(cart.get(LIST))
        assert inactive in cart.get(ALL, admin).ok()
    assert cart.patch(path_of(product), admin, {"is_active": True}).ok() == product
    assert product in cart.get(LIST).ok()


@pytest.mark.parametrize("identifier", [0, 10**6, 2**31])
def test_an_unknown_product(cart, admin, carts, identifier):
    path = f"/api/v1/products/{identifier}/"
    for token in (admin, carts.owner().token):  # Existence is checked before permission.
        cart.patch(path, token, {}).refused(404, NOT_FOUND)
        cart.delete(path, token).refused(404, NOT_FOUND)


class Shelf:
    """Products with equal names and prices among them, some off sale, and their expected lists."""

    KEYS = {"id": lambda product: product["id"],
            "price": lambda product: (Decimal(product["price"]), product["id"]),
            "name": lambda product: (product["name"].encode(), product["id"])}

    def __init__(self, cart, admin):
        rows = [(name, price, (index + place) % 3 != 0)
                for index, name in enumerate(["Shelf a", "shelf B", "Shelf C of wood", "Shelf ä"])
                for place, price in enumerate(["10", "9.5", "100.01", "10", "0"])]
        self.products = [cart.post(CREATE, admin, {"name": name, "price": price, "is_active": active})
                         .ok(201) for name, price, active in rows]

    def expected(self, sort: str, wanted) -> list[int]:
        key = self.KEYS[sort.removeprefix("-")]
        return [product["id"] for product in
                sorted(filter(wanted, self.products), key=key, reverse=sort.startswith("-"))]


@pytest.fixture(scope="module")
def shelf(cart, admin) -> Shelf:
    return Shelf(cart, admin)


@pytest.mark.parametrize("search", ["shelf", "wood", "ä", "C "])
@pytest.mark.parametrize("low, high", [(None, None), ("9.50", None), (None, "10"), ("9.51", "100"),
                                       ("101", "5")])
@pytest.mark.parametrize("sort", [None, "id", "price", "-price", "name", "-name"])
@pytest.mark.parametrize("path", [LIST, ALL])
def test_pages_make_up_every_list(cart, admin, shelf, path, sort, low, high, search):
    def wanted(product) -> bool:
        price = Decimal(product["price"])
        return ((path == ALL or product["is_active"]) and search.lower() in product["name"].lower()
                and (low is None or price >= Decimal(low))
                and (high is None or price <= Decimal(high)))

    query = {"search": search, "min_price": low, "max_price": high, "sort": sort}
    query = {name: value for name, value in query.items() if value}
    expected = shelf.expected(sort or "id", wanted)
    # A search for one letter also finds demonstration products.
    if len(search.strip()) > 1 or search == "ä":
        assert ids(cart.get(f"{path}?{urlencode(query)}", admin)) == expected
    for limit in (1, 3, 1000):
        gathered, after = [], {}
        while after is not None:
            page = cart.get(f"{path}?{urlencode({**query, 'limit': limit, **after})}", admin)
            gathered += ids(page)
            following = page.body["next"]
            assert following is None or len(page.data) == limit
            assert following is None or isinstance(following, str if sort else int)
            after = following and {"after": following}
        assert [one for one in gathered if one in expected] == expected
        assert len(gathered) == len(set(gathered))


def test_a_page_begins_where_the_last_one_ended_though_the_price_has_changed(cart, admin, shelf):
    query = f"{LIST}?search=shelf&sort=price&limit=4"
    first = cart.get(query)
    last = first.ok()[-1]
    cart.patch(path_of(last), admin, {"price": "999"}).ok()
    try:
        rest = ids(cart.get(f"{LIST}?search=shelf&sort=price&after={first.body['next']}"))
        active = shelf.expected("price", lambda product: product["is_active"])
        assert rest == active[4:] + [last["id"]]
    finally:
        cart.patch(path_of(last), admin, {"price": last["price"]}).ok()


@pytest.mark.parametrize("query, fields", [
    ("sort=created", {"sort": ["Must be one of: id, price, -price, name, -name."]}),
    ("sort=", {"sort": ["Must be one of: id, price, -price, name, -name."]}),
    ("min_price=x&max_price=-1", {"min_price": [PRICE], "max_price": [PRICE]}),
    ("min_price=1.234", {"min_price": [PRICE]}),
    ("sort=price&after=17", {"after": [POSITION]}),
    ("sort=price&after=~", {"after": [POSITION]}),
    ("sort=price&after=~AAAA", {"after": [POSITION]}),
    ("sort=price&after=x", {"after": [bodies.INTEGER]}),
    ("sort=price&limit=0&after=~", {"after": [POSITION], "limit": [bodies.LIMIT]}),
])
def test_bad_query(cart, admin, query, fields):
    cart.get(f"{LIST}?{query}").invalid(fields)
    cart.get(f"{ALL}?{query}", admin).invalid(fields)


def test_a_position_belongs_to_one_order(cart, shelf):
    following = cart.get(f"{LIST}?sort=price&limit=1").body["next"]
    for sort in ("", "sort=id&", "sort=-price&", "sort=name&"):
        cart.get(f"{LIST}?{sort}after={following}").invalid({"after": [POSITION]})


def test_a_name_of_the_reference_may_be_longer_than_an_index_allows(cart, cluster, cart_database):
    long = "Long ä" + 5000 * "☃"
    for price in (1, 2, 3):
        cluster.query(cart_database, "INSERT INTO products (name, description, price) "
                      "VALUES (%s, '', %s)", long, price)
    expected = ids(cart.get(f"{LIST}?search=long"))
    gathered, after = [], ""
    while after is not None:
        page = cart.get(f"{LIST}?search=long&sort=name&limit=1{after}")
        gathered += ids(page)
        after = page.body["next"] and f"&after={quote(page.body['next'])}"
    assert gathered == expected


def test_a_price_is_filtered_as_it_is_shown(cart, cluster, cart_database):
    cluster.query(cart_database, "INSERT INTO products (name, description, price) "
                  "VALUES ('Precise', '', 77.125)")
    for query, found in (("min_price=77.13&max_price=77.13", 1), ("max_price=77.12", 0)):
        assert len(cart.get(f"{LIST}?search=precise&{query}").ok()) == found
