"""GET /api/v1/products/list/: search, pages, money."""

import json
import socket
from urllib.parse import quote, urlsplit

import pytest

from support import bodies
from support.client import MONEY, TIMESTAMP

LIST = "/api/v1/products/list/"

# Names beside the demo data's Product_0 … Product_3, with prices as stored and as shown.
PRODUCTS = [
    ("100% Wool", "10", "10.00"),
    ("snake_case mug", "0.5", "0.50"),
    ("Back\\slash", "0", "0.00"),
    ("Brötchen Ångström", "1234567.891", "1234567.89"),
    ("O'Neil \"quoted\" 🛒", "99999999999999.99", "99999999999999.99"),
]

SEARCHES = {
    "demo": ("product_", ["Product_0", "Product_1", "Product_2", "Product_3"]),
    "upper case": ("PRODUCT_2", ["Product_2"]),
    "percent": ("%", ["100% Wool"]),
    "percent as a wildcard": ("prod%1", []),
    "underscore": ("e_c", ["snake_case mug"]),
    "underscore as a wildcard": ("Product__", []),
    "one underscore too many": ("snake__case", []),
    "backslash": ("\\", ["Back\\slash"]),
    "escaped underscore": ("snake\\_case", []),
    "unicode": ("öt", ["Brötchen Ångström"]),
    "unicode in another case": ("BRÖTCHEN å", ["Brötchen Ångström"]),
    "quotes": ("o'neil \"Q", ["O'Neil \"quoted\" 🛒"]),
    "four bytes": ("🛒", ["O'Neil \"quoted\" 🛒"]),
    "description is not searched": ("description", []),
    "price is not searched": ("149.99", []),
    "nothing": ("nothing such", []),
    "256 characters": ("🛒" * 256, []),
}


@pytest.fixture(scope="module", autouse=True)
def products(cluster, cart_database):
    for name, price, _ in PRODUCTS:
        cluster.query(cart_database, "INSERT INTO products (name, description, price) "
                      "VALUES (%s, 'A description: Zoë', %s::numeric)", name, price)


def names(answer) -> list[str]:
    return [product["name"] for product in answer.ok()]


def test_all_by_id(cart):
    answer = cart.get(LIST)
    assert [product["id"] for product in answer.ok()] == list(range(1, 10))
    assert answer.body["next"] is None
    for product in answer.data:
        assert set(product) == {"id", "created", "name", "description", "price"}
        assert TIMESTAMP.fullmatch(product["created"])
        assert MONEY.fullmatch(product["price"])


def test_demo_products(cart):
    assert [(product["name"], product["price"]) for product in cart.get(LIST).ok()[:4]] == [
        ("Product_0", "149.99"), ("Product_1", "299.99"),
        ("Product_2", "99.99"), ("Product_3", "149.99")]


@pytest.mark.parametrize("name, price, shown", PRODUCTS, ids=lambda value: value)
def test_price_is_a_string_with_two_places(cart, name, price, shown):
    [product] = cart.get(f"{LIST}?search={quote(name)}").ok()
    assert (product["price"], product["description"]) == (shown, "A description: Zoë")


@pytest.mark.parametrize("text, found", SEARCHES.values(), ids=SEARCHES)
def test_search(cart, text, found):
    assert names(cart.get(f"{LIST}?search={quote(text)}")) == found


@pytest.mark.parametrize("raw, found", [("Brötchen", ["Brötchen Ångström"]), ("a|b", []),
                                        ("[x]", []), ("{y}^`", [])])
def test_what_clients_do_not_encode_is_text(cart, raw, found):
    with socket.create_connection(("127.0.0.1", urlsplit(cart.url).port), timeout=10) as client:
        client.sendall(f"GET {LIST}?search={raw} HTTP/1.0\r\n\r\n".encode())
        head, body = client.makefile("rb").read().split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert [product["name"] for product in json.loads(body)["data"]] == found


@pytest.mark.parametrize("search, total", [("", 9), ("product", 4)])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9, 1000])
def test_pages_make_up_the_list(cart, search, total, limit):
    gathered, after = [], 0
    while after is not None:
        page = cart.get(f"{LIST}?search={search}&limit={limit}&after={after}")
        gathered += page.ok()
        assert 1 <= len(page.data) <= limit
        after = page.body["next"]
        assert after in (None, page.data[-1]["id"])
    assert gathered == cart.get(f"{LIST}?search={search}").ok()
    assert len(gathered) == total


@pytest.mark.parametrize("query, ids, following", [
    ("limit=2", [1, 2], 2), ("limit=9", list(range(1, 10)), None), ("after=7", [8, 9], None),
    ("after=7&limit=1", [8], 8), ("after=8&limit=1", [9], None), ("after=9", [], None),
    ("after=2147483647", [], None), ("limit=1&after=0", [1], 1),
    ("search=Product&after=2&limit=1", [3], 3)])
def test_page(cart, query, ids, following):
    answer = cart.get(f"{LIST}?{query}")
    assert ([product["id"] for product in answer.ok()], answer.body["next"]) == (ids, following)


@pytest.mark.parametrize("query, fields", bodies.BAD_PAGING.values(), ids=bodies.BAD_PAGING)
def test_bad_query(cart, query, fields):
    cart.get(f"{LIST}?{query}").invalid(fields)


def test_a_page_holds_a_thousand_unless_told_otherwise(cart, cluster, cart_database):
    cluster.query(cart_database, """
        INSERT INTO products (name, description, price)
        SELECT 'Many ' || n, '', n FROM generate_series(1, 1001) n""")
    try:
        answer = cart.get(f"{LIST}?search=many")
        assert len(answer.ok()) == 1000
        assert answer.body["next"] == answer.data[-1]["id"]
        rest = cart.get(f"{LIST}?search=many&after={answer.body['next']}")
        assert (names(rest), rest.body["next"]) == (["Many 1001"], None)
    finally:
        cluster.query(cart_database, "DELETE FROM products WHERE name LIKE 'Many %%'")
