"""The memory of the services is bounded, whatever their clients do."""

import collections
import contextlib
import pathlib
import re
import socket
import threading

import httpx
import pytest

from harness.attackers import Attackers
from harness.http import request
from microcart.waiting import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
READERS = 300
KEPT = 1000
# Maximum memory of a service with this many connections, whatever they do, and soon afterwards.
CONNECTIONS = 4000
MAX_BYTES = 64 * 1024 * 1024
CALM_BYTES = 50 * 1024 * 1024
# Maximum memory of the kernel for a connection: docs/architecture.md.
KERNEL_BYTES = 60 * 1024
SECONDS = 3  # Of each attack.


@contextlib.contextmanager
def _connections(port: int, count: int, receive_buffer: int | None = None):
    made = []
    try:
        for _ in range(count):
            connection = socket.socket()
            made.append(connection)
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", port))
        yield made
    finally:
        for connection in made:
            connection.close()


def _memory(service, kind: str = "VmRSS") -> int:
    status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{kind}:\s+(\d+)", status)[1]) * 1024


@pytest.fixture
def fresh_service(customers_binary, customers_environment, customers_database, start_service):
    return start_service(customers_binary, customers_environment(customers_database))


def test_slow_readers_share_a_large_answer(fresh_service):
    page = httpx.get(f"{fresh_service.url}/api/v1/docs/").text
    [script] = re.findall(r"[\w.-]*bundle[\w.-]*\.js", page)
    with _connections(fresh_service.port, READERS, receive_buffer=4096) as readers:
        for reader in readers:
            reader.sendall(request("GET", f"/api/v1/docs/{script}"))
        for reader in readers:
            assert reader.recv(12) == b"HTTP/1.1 200"
        resident = _memory(fresh_service)
        print(f"{resident >> 20} MiB with {READERS} readers")
        assert resident < MAX_BYTES


def test_kept_connections_are_small_again(fresh_service, cluster, customers_database, accounts):
    """For a large request head and a large answer."""
    cluster.query(customers_database, """
        INSERT INTO users (email, password, first_name, last_name, is_admin)
        SELECT 'kept' || n || '@example.com', 'none', repeat('x', 100), repeat('y', 100), false
        FROM generate_series(1, 1000) n RETURNING id""")
    question = request("GET", "/api/v1/users/list/?limit=1000", accounts.demo_admin_token,
                       headers=("a: b",) * 2500)
    with _connections(fresh_service.port, KEPT) as kept:
        for connection in kept:
            connection.sendall(question)
            with connection.makefile("rb") as reply:
                head = b"".join(iter(reply.readline, b"\r\n"))
                assert head.startswith(b"HTTP/1.1 200"), head
                length = int(re.search(rb"Content-Length: (\d+)", head)[1])
                assert length > 200_000 and len(reply.read(length)) == length
        resident = _memory(fresh_service)
        print(f"{resident >> 20} MiB with {KEPT} kept connections")
        assert resident < MAX_BYTES


class Bystander:
    """Sends small requests, one after the other, on its own thread, while a block runs."""

    def __init__(self, url: str):
        self._url = url
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.statuses: collections.Counter = collections.Counter()

    def __enter__(self) -> "Bystander":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=120) as client:
            while not self._done.wait(0.05):
                self.statuses[client.get(self._url).status_code] += 1


def _post(path: str, body: bytes, *headers: str) -> bytes:
    """Returns a POST request that lacks its last byte."""
    return _head("POST", path, *headers, f"Content-Length: {len(body) + 1}") + body


def _head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


_LIST = "/api/v1/products/list/"
_ITEM = "/api/v1/cart-item/1/create"
_RECOVER = "/api/v1/auth/recover/"
# Bodies of the largest size.
_FULL = 65_535
_UNKNOWN = b'{%s}' % b",".join(b'"%d":1' % number for number in range(7900))
_NUMBERS = b'{"quantity":[%s0]}' % (b"0," * 32_000)
_FIELDS = ("a:",) * 3900

# Service, connections, and what each of them sends; then bytes that it takes in a round.
_ATTACKS = {
    "stalled bodies": ("cart", CONNECTIONS, _post(_ITEM, b"x" * _FULL)),
    "stalled chunks": ("cart", CONNECTIONS, _head("POST", _ITEM, "Transfer-Encoding: chunked")
                       + b"ffff\r\n" + b"x" * _FULL),
    "announced bodies": ("cart", CONNECTIONS, _post(_ITEM, b"x" * _FULL)[:300]),
    "unread pages": ("cart", 600, _head("GET", _LIST)),
    "slowly read pages": ("cart", 600, _head("GET", _LIST), 512),
    "unread small pages": ("cart", 2000, _head("GET", _LIST + "?limit=1") * 200),
    "unread pipelined pages": ("cart", 600, _head("GET", _LIST + "?limit=10") * 400),
    "endless heads": ("cart", CONNECTIONS, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 16_000),
    "many fields": ("cart", CONNECTIONS, _post(_ITEM, b"x", *_FIELDS)),
    "many fields of refused requests": (
        "cart", 1000, _head("POST", _ITEM, *_FIELDS, "Content-Length: 99999") * 4),
    "long tokens": ("cart", 2000, _head("GET", "/api/v1/cart/1/", "Authorization: Bearer "
                                        + "x" * 8000) * 20),
    "numbers": ("customers", 1000, _post(_RECOVER, _NUMBERS) + b" "),
    "unread validation errors": ("customers", 300, (_post(_RECOVER, _UNKNOWN) + b" ") * 4),
    "idle connections": ("customers", CONNECTIONS, _head("GET", "/healthz", *_FIELDS), 65536),
}


@pytest.fixture(scope="module")
def attacked(cluster, cart_database, cart_service, customers_service):
    """The services by name, with a thousand products whose page has more than a megabyte."""
    cluster.query(cart_database, """
        INSERT INTO products (name, description, price)
        SELECT 'Large ' || n, repeat('x', 1300), 1 FROM generate_series(1, 1000) n RETURNING id""")
    return {"cart": cart_service, "customers": customers_service}


@pytest.mark.parametrize("attack", _ATTACKS)
def test_memory_is_bounded_under_attack(attacked, attack):
    name, count, message, *taken = _ATTACKS[attack]
    service = attacked[name]
    pathlib.Path(f"/proc/{service.process.pid}/clear_refs").write_text("5", encoding="ascii")
    before = _memory(service)
    with Bystander(f"{service.url}/healthz") as bystander:
        with Attackers(service.port, count, message, *taken) as attackers:
            attackers.run(SECONDS)
    peak = _memory(service, "VmHWM")
    print(f"{before >> 20} MiB before, {peak >> 20} MiB at most, "
          f"{attackers.closed} connections closed, {bystander.statuses}")
    assert peak < MAX_BYTES
    # Whoever needs little memory is served meanwhile.
    assert bystander.statuses.keys() == {200}
    # What has been freed goes back to the system.
    eventually(lambda: _memory(service) < CALM_BYTES)


def test_the_limits_of_compose_fit():
    """The containers have memory for as many connections as they allow."""
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert re.search(r"HTTP_MAX_CONNECTIONS: &\w+ \$\{HTTP_MAX_CONNECTIONS:-(\d+)\}",
                     text)[1] == str(CONNECTIONS)
    services = re.findall(r"\n  (customers|cart):\n.*?\n    mem_limit: (\d+)([mg])", text,
                          re.DOTALL)
    assert {name for name, *_ in services} == {"customers", "cart"}
    for _, number, unit in services:
        limit = int(number) * {"m": 1024, "g": 1024 * 1024}[unit] * 1024
        assert limit > MAX_BYTES + CONNECTIONS * KERNEL_BYTES
