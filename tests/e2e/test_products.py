"""The products: one, and the list with search, pages and money."""

import json
import socket
from urllib.parse import quote, urlsplit

import pytest

from microcart.testing import bodies
from microcart.testing.client import MONEY, NOT_FOUND, TIMESTAMP, Client, at_once
from microcart.testing.metrics import Scrape
from microcart.waiting import eventually

LIST = "/api/v1/products/list/"
SEARCH_QUEUE = 256  # Maximum number of waiting searches in each worker.

# Names beside the demo data's Product_0 … Product_3, with stored and shown prices.
PRODUCTS = [
    ("100% Wool", "10", "10.00"),
    ("snake_case mug", "0.5", "0.50"),
    ("Back\\slash", "0", "0.00"),
    ("Half an eighth", "0.125", "0.13"),
    ("Brötchen Ångström", "1234567.891", "1234567.89"),
    ("O'Neil \"quoted\" 🛒", "99999999999999.99", "99999999999999.99"),
]

SEARCHES = {
    "demo": ("product_", ["Product_0", "Product_1", "Product_2", "Product_3"]),
    "upper case": ("PRODUCT_2", ["Product_2"]),
    "one letter": ("Å", ["Brötchen Ångström"]),
    "two letters": ("NG", ["Brötchen Ångström"]),
    "two letters that are not neighbours": ("gn", []),
    "a letter and a space": ("L ", ["O'Neil \"quoted\" 🛒"]),
    "a space and a letter": (" m", ["snake_case mug"]),
    "no letters": ("\" 🛒", ["O'Neil \"quoted\" 🛒"]),
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


def test_one(cart):
    for product in cart.get(LIST).ok():
        assert cart.get(f"/api/v1/products/{product['id']}/").ok() == product


@pytest.mark.parametrize("product", [0, 11, 2**31 - 1, 2**31])
def test_an_unknown_one(cart, product):
    cart.get(f"/api/v1/products/{product}/").refused(404, NOT_FOUND)


def test_all_by_id(cart):
    answer = cart.get(LIST)
    assert [product["id"] for product in answer.ok()] == list(range(1, 11))
    assert answer.body["next"] is None
    for product in answer.data:
        assert set(product) == {"id", "created", "name", "description", "price", "sku", "image_url",
                                "stock", "is_active"}
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


@pytest.mark.parametrize("search, total", [("", 10), ("product", 4)])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 10, 1000])
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
    ("limit=2", [1, 2], 2), ("limit=10", list(range(1, 11)), None), ("after=8", [9, 10], None),
    ("after=8&limit=1", [9], 9), ("after=9&limit=1", [10], None), ("after=10", [], None),
    ("after=2147483647", [], None), ("limit=1&after=0", [1], 1),
    ("search=Product&after=2&limit=1", [3], 3)])
def test_page(cart, query, ids, following):
    answer = cart.get(f"{LIST}?{query}")
    assert ([product["id"] for product in answer.ok()], answer.body["next"]) == (ids, following)


@pytest.mark.parametrize("query, fields", bodies.BAD_PAGING.values(), ids=bodies.BAD_PAGING)
def test_bad_query(cart, query, fields):
    cart.get(f"{LIST}?{query}").invalid(fields)


@pytest.fixture
def slow_searches(cluster, cart_database):
    """Makes ILIKE on a product's name take longer than any statement may."""
    cluster.query(cart_database, """
        CREATE FUNCTION slow_match(varchar, text) RETURNS boolean LANGUAGE sql
            AS 'SELECT pg_sleep(60) IS NULL';
        CREATE OPERATOR public.~~* (LEFTARG = varchar, RIGHTARG = text, FUNCTION = slow_match)""")
    yield
    cluster.query(cart_database, """
        DROP OPERATOR public.~~* (varchar, text); DROP FUNCTION slow_match""")


def ask(port: int, target: str) -> socket.socket:
    """Sends a request without waiting for the answer."""
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
    return client


def test_searches_hold_up_nobody_else(carts, start_service, cart_binary, cart_environment,
                                      cart_database, customers_service, slow_searches):
    service = start_service(cart_binary, cart_environment(
        cart_database, customers_service.grpc_port, WORKERS="1"))
    client = Client(service.url)
    owner = carts.owner()
    cart_path = f"/api/v1/cart/{owner.id}/"
    searches = [ask(service.port, f"{LIST}?search=mug&limit=1") for _ in range(SEARCH_QUEUE)]
    eventually(lambda: Scrape(service).value(
        "db_client_operations_in_flight", lane="search") == SEARCH_QUEUE)
    for query in ("search=mug", "limit=101", ""):
        [refused] = at_once(service.url, [("GET", f"{LIST}?{query}")])
        refused.refused(503, "503: Service Unavailable")
        assert int(refused.headers["Retry-After"]) >= 1

    item = client.post(f"/api/v1/cart-item/{owner.id}/create", owner.token,
                       {"product_id": 1, "quantity": 1}).ok(201)["cart_items"][0]["id"]
    client.patch(f"/api/v1/cart-item/{item}/", owner.token, {"quantity": 2}).ok()
    client.delete(f"/api/v1/cart-item/{item}/", owner.token).ok(204)
    assert client.get(cart_path, owner.token).ok()["cart_items"] == []
    assert len(client.get(f"{LIST}?limit=100").ok()) == 10
    assert Scrape(service).value(
        "db_client_operations_in_flight", lane="search") == SEARCH_QUEUE
    assert service.readiness() == 200

    for search in searches:  # Each ends within its deadline.
        assert search.recv(12) == b"HTTP/1.1 503"
        search.close()
    # Only the first few were sent to the database, which executes them one by one.
    eventually(lambda: client.get(f"{LIST}?limit=101").status == 200, 20)
    client.close()


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
