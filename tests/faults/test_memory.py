"""The memory of connections is bounded, whatever was requested on them."""

import contextlib
import pathlib
import re
import socket

import httpx
import pytest

from harness.http import request

READERS = 300
KEPT = 1000
# Memory for each connection, and for everything else.
BYTES_PER_CONNECTION = 16 * 1024
BASE_BYTES = 64 * 1024 * 1024


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


def _resident(service) -> int:
    status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


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
        resident = _resident(fresh_service)
        print(f"{resident >> 20} MiB with {READERS} readers")
        assert resident < BASE_BYTES + READERS * BYTES_PER_CONNECTION


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
        resident = _resident(fresh_service)
        print(f"{resident >> 20} MiB with {KEPT} kept connections")
        assert resident < BASE_BYTES + KEPT * BYTES_PER_CONNECTION
