"""Rules for every endpoint of both services: paths, methods, status codes, headers. The client
itself checks the rules for every answer, in every file."""

import json
import re
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest

from microcart.testing import bodies
from microcart.testing.client import NOT_ALLOWED, NOT_FOUND, Client, check
from microcart.testing.documents import documents, fill

# Service, path, the methods that it has.
PATHS = [(service, fill(path, 1), methods) for service, document in documents().items()
         for path, methods in document.methods().items()]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

UNKNOWN = {
    "customers": [
        "/api/v1/", "/api/v1/users/", "/api/v1/nothing/", "/api/v2/users/list/",
        "/api/v1/auth/login", "/api/v1/users/create", "/api/v1/users/list", "/api/v1/users/1",
        "/api/v1/users/abc/", "/api/v1/users/1a/", "/api/v1/users/-1/", "/api/v1/users/+1/",
        "/api/v1/users/1.5/", "/api/v1/users//", "/api/v1/users/%31%20/", "/api/v1/users/1/1/",
        "/api/v1/users/1/change-password", "/api/v1/users/x/change-password/",
        "/api/v1//users/1/", "/API/V1/users/1/", "/api/v1/users/٣/",
        "/api/v1/cart/1/",
    ],
    "cart": [
        "/api/v1/products/", "/api/v1/products/list", "/api/v1/products/1", "/api/v1/products/x/",
        "/api/v1/cart/1",
        "/api/v1/cart/x/", "/api/v1/cart/-1/", "/api/v1/cart//", "/api/v1/cart-item/1",
        "/api/v1/cart-item/1/create/", "/api/v1/cart-item/x/create", "/api/v1/cart-item//create",
        "/api/v1/cart-item/x/", "/api/v1/users/1/", "/api/v1/cart/1/products/1",
        "/api/v1/cart/1/products/x/", "/api/v1/cart/1/products/", "/api/v1/cart/1/products/1/add",
        "/api/v1/cart/1/merge", "/api/v1/cart/1/checkout", "/api/v1/cart/1/checkouts",
        "/api/v1/checkouts/", "/api/v1/checkouts/list", "/api/v1/checkouts/x/",
        "/api/v1/checkouts/1",
    ],
}


@pytest.fixture(scope="module")
def clients(customers, cart) -> dict[str, Client]:
    return {"customers": customers, "cart": cart}


@pytest.mark.parametrize("service, path", [(service, path) for service, paths in UNKNOWN.items()
                                           for path in paths])
def test_unknown_path_is_404_whoever_asks(clients, admin, service, path):
    for method in METHODS:
        clients[service].call(method, path).refused(404, NOT_FOUND)
    clients[service].get(path, admin).refused(404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/api/v1/users/1/../3/", "/api/v1/users/./1/",
                                  "/api/v1/users/%2e%2e/list/"])
def test_dots_lead_nowhere(customers, admin, path):
    connection = HTTPConnection("127.0.0.1", urlsplit(customers.url).port, timeout=10)
    connection.request("GET", path, headers={"Authorization": admin})
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("service, path, methods", PATHS, ids=[row[1] for row in PATHS])
def test_other_method_is_405_with_allow(clients, service, path, methods):
    for method in set(METHODS) - methods:
        answer = clients[service].call(method, path)
        answer.refused(405, NOT_ALLOWED)
        assert_allows(answer, methods)


@pytest.mark.parametrize("service, path, methods", PATHS, ids=[row[1] for row in PATHS])
def test_options_is_204_with_allow(clients, service, path, methods):
    answer = clients[service].call("OPTIONS", path)
    answer.ok(204)
    assert_allows(answer, methods)


def assert_allows(answer, methods):
    allowed = {method.strip() for method in answer.headers["Allow"].split(",")}
    assert methods <= allowed <= methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_options_of_an_unknown_path_is_404(clients, service):
    clients[service].call("OPTIONS", "/api/v1/nothing/").refused(404, NOT_FOUND)


@pytest.mark.parametrize("service, path", [
    ("customers", "/api/v1/users/list/"), ("customers", "/api/v1/users/3/"),
    ("customers", "/api/v1/users/999999/"),
    ("cart", "/api/v1/products/list/"), ("cart", "/api/v1/cart/3/")])
def test_head_is_get_without_the_body(clients, admin, service, path):
    get = clients[service].get(path, admin)
    head = clients[service].call("HEAD", path, admin)
    assert (head.status, head.headers["Content-Length"]) == (
        get.status, get.headers["Content-Length"])


def test_head_asks_for_a_token_too(customers):
    head = customers.call("HEAD", "/api/v1/users/list/")
    assert (head.status, head.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("service", ["customers", "cart"])
@pytest.mark.parametrize("given", ["order-42", "7f3b1e0c-9d2a-4c55-8d53-0a1b2c3d4e5f"])
def test_request_id_is_echoed(clients, service, given):
    for path in ("/api/v1/products/list/", "/api/v1/users/list/", "/api/v1/nothing/"):
        answer = clients[service].get(path, headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_request_id_is_made(clients, service):
    made = {clients[service].get("/api/v1/nothing/").headers["X-Request-ID"] for _ in range(20)}
    assert len(made) == 20
    assert all(re.fullmatch(r"[\w.-]{8,128}", one) for one in made)


@pytest.mark.parametrize("service", ["customers", "cart"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(clients, service, path):
    Client(clients[service].url, checker=lambda response: response).get(path).raise_for_status()


@pytest.mark.parametrize("service, path", [
    ("customers", "/api/v1/users/2147483648/"), ("customers", "/api/v1/users/0/"),
    ("customers", "/api/v1/users/9999999999999999999999/"),
    ("customers", f"/api/v1/users/{2**32 + 3}/"), ("customers", f"/api/v1/users/{2**64 + 3}/"),
    ("cart", "/api/v1/cart/2147483648/"), ("cart", f"/api/v1/cart/{2**32 + 3}/"),
    ("cart", "/api/v1/cart/9999999999999999999999/")])
def test_ids_past_int32_are_404(clients, admin, service, path):
    clients[service].get(path, admin).refused(404, NOT_FOUND)
    clients[service].delete(path, admin).refused(404, NOT_FOUND)


@pytest.mark.parametrize("item", [2**31, 2**32 + 1, 10**22])
def test_item_ids_past_int32_are_404(cart, admin, item):
    path = f"/api/v1/cart-item/{item}/"
    cart.patch(path, admin, {"quantity": 1}).refused(404, NOT_FOUND)
    cart.delete(path, admin).refused(404, NOT_FOUND)
    cart.post(path + "create", admin, {"product_id": 1, "quantity": 1}).refused(404, NOT_FOUND)


def test_past_id_of_change_password_is_404(customers, admin):
    customers.patch("/api/v1/users/2147483648/change-password/", admin, {}).refused(404, NOT_FOUND)


def test_body_where_none_is_expected_is_ignored(clients, admin):
    for body in (b"{}", b"not json", b"\xff"):
        clients["customers"].get("/api/v1/users/3/", admin, content=body).ok()
        clients["cart"].get("/api/v1/products/list/", content=body).ok()
        clients["cart"].get("/api/v1/cart/3/", admin, content=body).ok()


def test_many_requests_share_one_connection(customers):
    for _ in range(100):
        check(customers.get("/api/v1/users/list/").response)


# Endpoints that read a body, with one that they accept.
BODIES = {
    "login": ("customers", "POST", "/api/v1/auth/login/",
              {"email": "admin1@email.com", "password": "testPass123"}),
    "create": ("customers", "POST", "/api/v1/users/create/",
               {"email": "in.a.query@example.com", "password": "testPass123"}),
    "change": ("customers", "PATCH", "/api/v1/users/3/", {"first_name": "Queried"}),
    "password": ("customers", "PATCH", "/api/v1/users/3/change-password/",
                 {"new_password": "in a query", "confirm_new_password": "in a query"}),
    "add": ("cart", "POST", "/api/v1/cart-item/3/create", {"product_id": 4, "quantity": 1}),
    "quantity": ("cart", "PATCH", "/api/v1/cart-item/3/", {"quantity": 1}),
    "put": ("cart", "PUT", "/api/v1/cart/3/products/4/", {"quantity": 1}),
    "add to": ("cart", "POST", "/api/v1/cart/3/products/4/add/", {"quantity": 1}),
    "merge": ("cart", "POST", "/api/v1/cart/3/merge/", {"items": []}),
    "new product": ("cart", "POST", "/api/v1/products/create/", {"name": "Queried", "price": "1"}),
    "product": ("cart", "PATCH", "/api/v1/products/1/", {"name": "Queried"}),
}


@pytest.mark.parametrize("service, method, path, body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("with_body", [False, True], ids=["alone", "beside a body"])
def test_input_in_a_query_string_is_refused(clients, admin, service, method, path, body,
                                            with_body):
    options = {"body": body} if with_body else {}
    clients[service].call(method, f"{path}?{urlencode(body)}", admin, **options).refused(
        400, "400: Input belongs in a JSON body, not in the query string")
    # An empty query string counts as no query string.
    clients[service].call(method, f"{path}?", admin, content=b"no json").invalid(
        bodies.NO_JSON, 400)


@pytest.mark.parametrize("service, method, path, body", BODIES.values(), ids=BODIES)
def test_bodies_of_other_forms_are_refused(clients, admin, service, method, path, body):
    form = urlencode(body).encode()
    part = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                   for name, value in body.items()) + "--x--\r\n"
    for media_type, content in {
            "application/x-www-form-urlencoded": form,
            "multipart/form-data; boundary=x": part.encode(),
            "application/json; charset=utf-16": json.dumps(body).encode("utf-16"),
            "application/json; charset=utf-16le": json.dumps(body).encode("utf-16-le"),
            "application/json; charset=utf-32": json.dumps(body).encode("utf-32"),
    }.items():
        clients[service].call(method, path, admin, content=content,
                              headers={"Content-Type": media_type}).invalid(bodies.NO_JSON, 400)


def test_refused_input_has_changed_nothing(customers, admin):
    assert customers.get("/api/v1/users/3/", admin).ok()["first_name"] == "Penny"
    assert customers.get("/api/v1/users/list/?search=in.a.query", admin).ok() == []


def test_json_counts_as_such_whatever_its_media_type(customers):
    """As `curl --data` sends it."""
    customers.post("/api/v1/auth/login/",
                   content=b'{"email": "admin1@email.com", "password": "testPass123"}',
                   headers={"Content-Type": "application/x-www-form-urlencoded"}).ok()
