"""The cart service's stream to the customers service: each request gets the verdict on its own
token, even if the customers service is stopped or killed meanwhile."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from microcart.testing import tokens
from microcart.testing.client import Client

OWNERS = 8


@pytest.fixture(scope="module")
def owners(carts):
    return [carts.owner() for _ in range(OWNERS)]


def _refused_tokens(owner) -> dict[str, str]:
    head, _, signature = owner.token.rpartition(".")
    return {"403: Invalid authorization token, Signature verification failed":
            f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
            "403: Token is revoked": tokens.bearer(2_000_000_000),
            "403: Invalid token scheme": owner.token.replace("Bearer", "Basic")}


def _ask(url: str, owner, ended: threading.Event) -> Counter:
    """Reads a user's own cart with good tokens, and sometimes with bad ones."""
    client = Client(url)
    statuses: Counter = Counter()
    path = f"/api/v1/cart/{owner.id}/"
    refused = _refused_tokens(owner)
    while not ended.is_set():
        for _ in range(5):
            answer = client.get(path, owner.token)
            statuses[answer.status] += 1
            assert answer.status in (200, 503), answer
            if answer.status == 200:
                assert answer.data["user_id"] == owner.id
        for message, token in refused.items():
            answer = client.get(path, token)
            if answer.status != 503:
                answer.refused(403, message)
    client.close()
    return statuses


def test_customers_killed_and_restarted_under_load(
        cart_service, customers_service, owners, cart):
    ended = threading.Event()
    with ThreadPoolExecutor(OWNERS) as threads:
        runs = [threads.submit(_ask, cart.url, owner, ended) for owner in owners]
        try:
            for stop in (customers_service.kill, customers_service.stop, customers_service.kill):
                time.sleep(1)
                stop()
                time.sleep(0.3)
                customers_service.start()
                cart_service.wait_ready(seconds=15)
        finally:
            time.sleep(1)
            ended.set()
        statuses = sum((run.result(timeout=30) for run in runs), Counter())
    assert statuses[200] > statuses.total() / 10, statuses
    for owner in owners:
        assert cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()["user_id"] == owner.id


def test_an_open_stream_does_not_hold_customers_up(customers_service, cart_service, cart):
    cart.get("/api/v1/cart/3/", tokens.bearer(3)).ok()
    begin = time.monotonic()
    customers_service.stop()
    assert time.monotonic() - begin < 5
    customers_service.start()
    cart_service.wait_ready(seconds=15)


def test_cart_stops_cleanly_with_open_streams(cart_binary, cart_environment, cart_database,
                                              customers_service, start_service):
    """At any moment in the work of gRPC's threads."""
    for _ in range(10):
        service = start_service(
            cart_binary, cart_environment(cart_database, customers_service.grpc_port))
        client = Client(service.url)
        client.get("/api/v1/cart/3/", tokens.bearer(3)).ok()
        client.close()
        service.stop()
