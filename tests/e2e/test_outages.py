"""Outages of dependencies: a service fails closed, reports it, and recovers by itself."""

import pytest

from microcart.testing import tokens
from microcart.testing.client import Client
from microcart.waiting import eventually

UNAVAILABLE = "503: Service Unavailable"
SIGNED_IN = {
    "get cart": ("GET", "/api/v1/cart/3/", None),
    "delete cart": ("DELETE", "/api/v1/cart/3/", None),
    "create item": ("POST", "/api/v1/cart-item/3/create", {"product_id": 1, "quantity": 1}),
    "patch item": ("PATCH", "/api/v1/cart-item/3/", {"quantity": 1}),
    "delete item": ("DELETE", "/api/v1/cart-item/3/", None),
}


def call(client: Client, endpoint: str, token: str):
    method, path, body = SIGNED_IN[endpoint]
    return client.call(method, path, token, **({} if body is None else {"body": body}))


def assert_recovers(cart, cart_service):
    def served() -> bool:
        answer = cart.get("/api/v1/cart/3/", tokens.bearer(3))
        assert answer.status in (200, 503), answer
        return answer.status == 200
    eventually(served, 15)
    cart_service.wait_ready()


def test_customers_stopped(cart, customers_service, cart_service):
    token = tokens.bearer(3)
    before = cart.get("/api/v1/cart/3/", token).ok()
    customers_service.stop()
    for endpoint in SIGNED_IN:
        call(cart, endpoint, token).refused(503, UNAVAILABLE)
    cart.get("/api/v1/cart/3/").refused(403, "403: Invalid authorization header")
    assert len(cart.get("/api/v1/products/list/").ok()) == 4
    cart_service.wait_ready(503)
    assert Client(cart.url, checker=lambda response: response).get("/healthz").status_code == 200
    customers_service.start()
    assert_recovers(cart, cart_service)
    assert cart.get("/api/v1/cart/3/", token).ok() == before


def test_customers_killed_and_back(cart, customers_service, cart_service):
    customers_service.kill()
    call(cart, "get cart", tokens.bearer(3)).refused(503, UNAVAILABLE)
    customers_service.start()
    assert_recovers(cart, cart_service)


def test_customers_silent(cart, customers_service, cart_service):
    customers_service.pause()
    try:
        for endpoint in SIGNED_IN:
            answer = call(cart, endpoint, tokens.bearer(3))
            answer.refused(503, UNAVAILABLE)
            assert answer.response.elapsed.total_seconds() < 10
        cart.get("/api/v1/products/list/").ok()
    finally:
        customers_service.resume()
    assert_recovers(cart, cart_service)


def test_cart_starts_before_customers(cart_binary, cart_environment, cart_database,
                                      customers_service, start_service):
    customers_service.stop()
    early = start_service(cart_binary, cart_environment(
        cart_database, customers_service.grpc_port), until_ready=False)
    client = Client(early.url)
    early.wait_ready(503)
    client.get("/api/v1/products/list/").ok()
    client.get("/api/v1/cart/3/", tokens.bearer(3)).refused(503, UNAVAILABLE)
    customers_service.start()
    assert_recovers(client, early)
    client.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_stopped(cluster, customers, cart, customers_service, cart_service, mode):
    token = tokens.bearer(3)
    customers.get("/api/v1/users/3/", token).ok()
    cluster.stop(mode)
    try:
        customers.get("/api/v1/users/3/", token).refused(503, UNAVAILABLE)
        customers.post("/api/v1/auth/login/", body={
            "email": "nonadmin3@email.com", "password": "testPass123"}).refused(503, UNAVAILABLE)
        cart.get("/api/v1/products/list/").refused(503, UNAVAILABLE)
        cart.get("/api/v1/cart/3/", token).refused(503, UNAVAILABLE)
        customers.get("/api/v1/nothing/").refused(404, "404: Not Found")
        customers_service.wait_ready(503)
        cart_service.wait_ready(503)
    finally:
        cluster.start()
    customers_service.wait_ready(seconds=15)
    cart_service.wait_ready(seconds=15)
    customers.get("/api/v1/users/3/", token).ok()
    cart.get("/api/v1/cart/3/", token).ok()
