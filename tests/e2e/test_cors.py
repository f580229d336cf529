"""CORS_ORIGINS: the headers that permit browsers to show answers to pages of other origins."""

import socket

import pytest

from microcart.testing import tokens
from microcart.testing.client import Client
from microcart.testing.service import run

SHOP, DESK = "https://shop.example", "http://localhost:3000"
EVIL = "https://shop.example.evil.example"


@pytest.fixture(scope="module")
def services(customers_binary, customers_environment, customers_database, cart_binary,
             cart_environment, cart_database, start_service):
    """Both services, open to two origins."""
    customers = start_service(customers_binary, customers_environment(
        customers_database, CORS_ORIGINS=f"{SHOP}, {DESK}"))
    return {"customers": customers, "cart": start_service(cart_binary, cart_environment(
        cart_database, customers.grpc_port, CORS_ORIGINS=f"{SHOP} {DESK}"))}


@pytest.fixture(scope="module")
def clients(services):
    return {name: Client(service.url) for name, service in services.items()}


def cors(answer) -> dict[str, str]:
    """Returns the CORS headers."""
    return {name.lower(): value for name, value in answer.headers.items()
            if name.lower().startswith("access-control-")}


PREFLIGHTS = {
    "cart": ("cart", "/api/v1/cart/3/", {"GET", "HEAD", "DELETE", "OPTIONS"}),
    "create item": ("cart", "/api/v1/cart-item/3/create", {"POST", "OPTIONS"}),
    "products": ("cart", "/api/v1/products/list/", {"GET", "HEAD", "OPTIONS"}),
    "login": ("customers", "/api/v1/auth/login/", {"POST", "OPTIONS"}),
    "user": ("customers", "/api/v1/users/3/", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
}


@pytest.mark.parametrize("origin", [SHOP, DESK])
@pytest.mark.parametrize("target", PREFLIGHTS)
def test_a_preflight_tells_what_the_route_allows(clients, target, origin):
    service, path, methods = PREFLIGHTS[target]
    answer = clients[service].call("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,content-type"})
    answer.ok(204)
    said = cors(answer)
    assert said.pop("access-control-allow-origin") == origin
    assert set(said.pop("access-control-allow-methods").split(", ")) == methods
    assert {"authorization", "content-type", "if-match", "if-none-match", "x-request-id",
            "traceparent"} == set(
        said.pop("access-control-allow-headers").lower().split(", "))
    assert int(said.pop("access-control-max-age")) > 0
    assert said == {}
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("service, method, path, token, status", [
    ("cart", "GET", "/api/v1/products/list/", None, 200),
    ("cart", "GET", "/api/v1/cart/3/", tokens.bearer(3), 200),
    ("customers", "GET", "/api/v1/users/3/", tokens.bearer(3), 200),
    ("customers", "POST", "/api/v1/auth/login/", None, 422),
    ("customers", "GET", "/api/v1/users/3/", None, 401),
    ("cart", "GET", "/api/v1/cart/3/", "Bearer x", 403),
    ("cart", "GET", "/api/v1/nothing/", None, 404),
    ("cart", "PUT", "/api/v1/cart/3/", None, 405),
])
def test_every_answer_can_be_read_by_a_page(clients, service, method, path, token, status):
    answer = clients[service].call(method, path, token, headers={"Origin": SHOP})
    assert answer.status == status
    said = cors(answer)
    assert said.pop("access-control-allow-origin") == SHOP
    exposed = set(said.pop("access-control-expose-headers").split(", "))
    assert {"ETag", "X-Request-ID", "Retry-After"} <= exposed
    assert said == {}


def test_refusals_before_the_route_too(services):
    """The head is readable, but the body is too large."""
    with socket.create_connection(("127.0.0.1", services["customers"].port), timeout=10) as client:
        client.sendall(b"POST /api/v1/auth/login/ HTTP/1.1\r\nHost: x\r\nOrigin: "
                       + SHOP.encode() + b"\r\nContent-Length: 100000000\r\n\r\n")
        answer = client.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 413 ")
    assert f"\r\nAccess-Control-Allow-Origin: {SHOP}\r\n" in answer


@pytest.mark.parametrize("origin", [EVIL, "null", "https://SHOP.example", "http://shop.example",
                                    f"{SHOP}:8443", f"{SHOP}, {EVIL}", None], ids=str)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_origins_are_told_nothing(clients, origin, method):
    headers = {"Access-Control-Request-Method": "GET"} if method == "OPTIONS" else {}
    if origin is not None:
        headers["Origin"] = origin
    answer = clients["cart"].call(method, "/api/v1/products/list/", headers=headers)
    assert answer.status in (200, 204)
    assert cors(answer) == {}
    # This prevents a cache from serving this answer to a page that may read it.
    assert answer.headers["Vary"] == "Origin"


def test_it_is_off_by_default(customers, cart):
    for client, path in ((customers, "/api/v1/auth/login/"), (cart, "/api/v1/products/list/")):
        for method in ("GET", "OPTIONS"):
            answer = client.call(method, path, headers={
                "Origin": SHOP, "Access-Control-Request-Method": "GET"})
            assert cors(answer) == {}
            assert "Vary" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "null", "shop.example", f"{SHOP}/", f"{SHOP}:443",
                                    "https://*.example"])
def test_what_is_no_origin_is_named(cart_binary, cart_environment, cart_database, origin):
    done = run(cart_binary, "serve", environment=cart_environment(
        cart_database, 1, CORS_ORIGINS=f"{DESK},{origin}"))
    assert done.returncode > 0
    assert "CORS_ORIGINS" in done.stderr
    assert f'"{origin}"' in done.stderr
