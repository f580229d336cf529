"""PostgreSQL restarts under both services while requests flow."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.testing.client import Client
from microcart.waiting import eventually

THREADS = 8


class Traffic:
    """Sends requests without pause until `end`; records statuses, failures and acknowledged writes."""

    def __init__(self, customers_url: str, cart_url: str, owners):
        self._urls = (customers_url, cart_url)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.statuses: Counter = Counter()
        self.successes_now = 0
        self.emails: list[str] = []
        self.items: list[tuple[int, int]] = []  # Item id, quantity.
        self._threads = ThreadPoolExecutor(THREADS)
        self._runs = [self._threads.submit(self._run, number, owner)
                      for number, owner in enumerate(owners)]

    def end(self) -> None:
        self._ended.set()
        for finished in self._runs:
            finished.result(timeout=60)
        self._threads.shutdown()

    def count_anew(self) -> None:
        with self._lock:
            self.successes_now = 0

    def _note(self, answer) -> bool:
        """Returns whether it was a success. Any other answer except a 503 fails the test."""
        with self._lock:
            self.statuses[answer.status] += 1
            self.successes_now += answer.status < 300
        assert answer.status < 300 or answer.status == 503, answer
        return answer.status < 300

    def _run(self, number: int, owner) -> None:
        customers, cart = map(Client, self._urls)
        while not self._ended.is_set():
            if number == 0:
                email = fresh_email("restart")
                answer = customers.post("/api/v1/users/create/",
                                        body={"email": email, "password": PASSWORD})
                if self._note(answer):
                    self.emails.append(email)
            elif number % 2:
                self._note(customers.get(f"/api/v1/users/{owner.id}/", owner.token))
                self._note(cart.get("/api/v1/products/list/"))
                self._note(cart.get(f"/api/v1/cart/{owner.id}/", owner.token))
            else:
                self._write(cart, owner)
        customers.close()
        cart.close()

    def _write(self, cart: Client, owner) -> None:
        """Adds an item, unless an unacknowledged write has already done so."""
        answer = cart.get(f"/api/v1/cart/{owner.id}/", owner.token)
        if not self._note(answer):
            return
        lines = answer.data["cart_items"]
        if lines:
            item, quantity = lines[0]["id"], lines[0]["quantity"] % 5 + 1
            answer = cart.patch(f"/api/v1/cart-item/{item}/", owner.token, {"quantity": quantity})
        else:
            answer = cart.post(f"/api/v1/cart-item/{owner.id}/create", owner.token,
                               {"product_id": 1, "quantity": 1})
        if self._note(answer):
            [line] = answer.data["cart_items"]
            with self._lock:
                self.items.append((line["id"], line["quantity"]))


@pytest.fixture(scope="module")
def owners(carts):
    return [carts.owner() for _ in range(THREADS)]


def test_slow_statements_hold_up_nobody_else(cluster, customers, customers_database, owners):
    """A locked row delays only its own request."""
    locked, free = owners[0], owners[1]
    with cluster.connect(customers_database, autocommit=False) as holder:
        holder.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (locked.id,))
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(
                httpx.patch, f"{customers.url}/api/v1/users/{locked.id}/",
                json={"first_name": "Held"}, headers={"Authorization": locked.token}, timeout=30)
            eventually(lambda: cluster.query(
                "postgres", "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = %s", customers_database), 10)
            for _ in range(50):
                customers.get(f"/api/v1/users/{free.id}/", free.token).ok()
            assert not waiting.done()
            holder.rollback()
            assert waiting.result().status_code in (200, 503)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restart(cluster, customers, cart, customers_service, cart_service, customers_database,
                 cart_database, owners, mode):
    traffic = Traffic(customers.url, cart.url, owners)
    try:
        eventually(lambda: traffic.successes_now > 100, 30)
        cluster.stop(mode)
        customers_service.wait_ready(503)
        cart_service.wait_ready(503)
        eventually(lambda: traffic.statuses[503] > 50, 30)
        cluster.start()
        customers_service.wait_ready(seconds=10)
        cart_service.wait_ready(seconds=10)
        traffic.count_anew()
        eventually(lambda: traffic.successes_now > 200, 30)
    finally:
        traffic.end()
    # After the recovery every request succeeds.
    for owner in owners * 5:
        customers.get(f"/api/v1/users/{owner.id}/", owner.token).ok()
        cart.get(f"/api/v1/cart/{owner.id}/", owner.token).ok()
    stored = {email for (email,) in cluster.query(customers_database, "SELECT email FROM users")}
    assert traffic.emails and set(traffic.emails) <= stored
    assert traffic.items
    items = {item for (item,) in cluster.query(cart_database, "SELECT id FROM cartitems")}
    assert {item for item, _ in traffic.items} <= items


def test_backends_terminated(cluster, customers, cart, owners):
    """Sessions end as in a failover or by an administrator; the next requests use new connections."""
    for _ in range(5):
        cluster.query("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE usename = 'microcart'")

        def served() -> bool:
            answers = [customers.get(f"/api/v1/users/{owners[0].id}/", owners[0].token),
                       cart.get(f"/api/v1/cart/{owners[0].id}/", owners[0].token)]
            assert {answer.status for answer in answers} <= {200, 503}, answers
            return all(answer.status == 200 for answer in answers)

        eventually(served, 10)
