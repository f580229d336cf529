"""deploy/nginx.conf, with Debian's nginx in front of the two services."""

import http.server
import json
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from microcart.network import free_port
from microcart.testing.accounts import DEMO_PASSWORD
from microcart.testing.nginx import CART, CUSTOMERS, Nginx
from microcart.waiting import eventually

@pytest.fixture(scope="module")
def nginx(customers_service, cart_service):
    server = Nginx([customers_service.port], [cart_service.port])
    yield server
    server.close()


class Recorder:
    """An upstream that answers with the headers that it received, and counts its connections."""

    def __init__(self):
        recorder = self
        self.connections = 0
        self.go_on = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                recorder.connections += 1
                super().setup()

            def do_GET(self):
                if self.path == "/wait":
                    recorder.go_on.wait(60)
                body = json.dumps({name.lower(): self.headers.get_all(name)
                                   for name in self.headers}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128  # The default of 5 is too small for tests in parallel.
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def recorded():
    """nginx in front of one recorder, and the recorder."""
    recorder = Recorder()
    server = Nginx([recorder.port], [recorder.port])
    yield server, recorder
    server.close()
    recorder.close()


def test_each_name_leads_to_its_service(nginx):
    login = nginx.call("POST", CUSTOMERS, "/api/v1/auth/login/",
                       json={"email": "nonadmin3@email.com", "password": DEMO_PASSWORD})
    assert login.status_code == 200
    token = login.json()["data"]["token"]
    cart = nginx.call("GET", CART, "/api/v1/cart/3/", headers={"Authorization": token})
    assert cart.status_code == 200 and cart.json()["data"]["user_id"] == 3
    assert nginx.call("GET", CUSTOMERS, "/api/v1/cart/3/").status_code == 404
    for host in (CUSTOMERS, CART):
        assert nginx.call("GET", host, "/api/v1/docs/swagger.json").status_code == 200


def test_plain_http_is_sent_to_https(nginx):
    answer = httpx.get(f"http://127.0.0.1:{nginx.http}/api/v1/products/list/?search=a",
                       headers={"Host": CART}, trust_env=False)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://{CART}/api/v1/products/list/?search=a"


@pytest.mark.parametrize("host", [CUSTOMERS, CART])
def test_answers_say_to_stay_with_https_and_not_what_is_missing(nginx, host):
    answer = nginx.call("GET", host, "/healthz")
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert nginx.call("GET", host, "/readyz").status_code == 404


def test_a_request_id_is_the_same_everywhere(nginx, cart_service):
    sent = "from-the-client-1234"
    answer = nginx.call("GET", CART, "/api/v1/products/list/", headers={"X-Request-ID": sent})
    assert answer.headers.get_list("X-Request-ID") == [sent]
    made = nginx.call("GET", CART, "/api/v1/products/list/").headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    eventually(lambda: all(id in nginx.access_log.read_text() for id in (sent, made)), 5)


def test_a_large_body_gets_the_services_answer(nginx):
    answer = nginx.call("POST", CUSTOMERS, "/api/v1/auth/login/", content=b" " * 70_000,
                        headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["message"].startswith("413: ")


def test_the_client_address_cannot_be_forged(recorded):
    nginx, _ = recorded
    seen = nginx.call("GET", CART, "/", headers={"X-Forwarded-For": "203.0.113.9",
                                                 "X-Forwarded-Proto": "gopher"}).json()
    assert seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["https"]
    assert seen["host"] == [CART]
    assert "connection" not in seen


def test_connections_to_the_service_are_kept(recorded):
    nginx, recorder = recorded
    nginx.call("GET", CUSTOMERS, "/")
    before = recorder.connections
    for _ in range(20):
        assert nginx.call("GET", CUSTOMERS, "/").status_code == 200
    assert recorder.connections == before


@pytest.fixture
def fresh():
    """Like `recorded`, with all limits unused."""
    recorder = Recorder()
    server = Nginx([recorder.port], [recorder.port])
    yield server, recorder
    recorder.go_on.set()
    server.close()
    recorder.close()


def assert_limited(nginx, host: str, path: str, rate: float, burst: int) -> None:
    """Sends requests until well beyond the burst, as fast as they are answered."""
    began = time.monotonic()
    answers = [nginx.call("GET", host, path) for _ in range(burst + 40)]
    allowed = burst + 1 + rate * (time.monotonic() - began) + 1
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 429}
    assert burst < statuses[200] <= allowed, statuses
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["error"]["code"] == "too_many_requests"
            assert answer.headers["Retry-After"] == "1"


def test_passwords_of_one_client_are_limited_more_strictly(fresh):
    nginx, _ = fresh
    assert_limited(nginx, CUSTOMERS, "/api/v1/auth/login/", rate=1, burst=10)
    assert nginx.call("GET", CUSTOMERS, "/api/v1/auth/recover/").status_code == 429
    assert nginx.call("GET", CUSTOMERS, "/api/v1/users/3/change-password/").status_code == 429
    assert nginx.call("GET", CUSTOMERS, "/api/v1/users/3/").status_code == 200


def test_registrations_of_one_client_are_limited_most_strictly(fresh):
    nginx, _ = fresh
    assert_limited(nginx, CUSTOMERS, "/api/v1/users/create/", rate=6 / 60, burst=10)
    assert nginx.call("GET", CUSTOMERS, "/api/v1/users/3/").status_code == 200


@pytest.mark.parametrize("host", [CUSTOMERS, CART])
def test_requests_of_one_client_are_limited(fresh, host):
    nginx, _ = fresh

    def statuses(count: int) -> Counter:
        with ThreadPoolExecutor(20) as pool:
            return Counter(answer.status_code for answer in pool.map(
                lambda _: nginx.call("GET", host, "/healthz"), range(count)))

    began = time.monotonic()
    found = Counter()
    while found[429] == 0 and sum(found.values()) < 3000:
        found += statuses(100)
    assert set(found) == {200, 429}, found
    assert found[200] <= 61 + 30 * (time.monotonic() - began) + 1


def test_connections_of_one_client_are_limited(fresh):
    nginx, recorder = fresh
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(nginx.call, "GET", CART, "/wait", timeout=60) for _ in range(60)]
        eventually(lambda: sum(call.done() for call in waiting) == 10, 30)
        recorder.go_on.set()
    assert Counter(call.result().status_code for call in waiting) == {200: 50, 429: 10}


def test_a_service_that_is_away_is_a_502(customers_service):
    server = Nginx([customers_service.port], [free_port()])
    try:
        assert server.call("GET", CART, "/api/v1/products/list/").status_code == 502
        assert server.call("GET", CUSTOMERS, "/healthz").status_code == 200
    finally:
        server.close()
