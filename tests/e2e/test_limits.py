"""What clients may cost (HTTP_MAX_*, HTTP_*_TIMEOUT), with small values."""

import re
import socket
import time

import httpx
import pytest

from support.service import run
from support.waiting import eventually

SMALL = {
    "WORKERS": "1",
    "HTTP_MAX_HEADER_BYTES": "1024",
    "HTTP_MAX_BODY_BYTES": "2048",
    "HTTP_HEADER_TIMEOUT": "1",
    "HTTP_BODY_TIMEOUT": "2",
    "HTTP_IDLE_TIMEOUT": "3",
    "HTTP_WRITE_TIMEOUT": "1",
    "HTTP_MAX_REQUESTS_PER_CONNECTION": "3",
    "HTTP_MAX_CONNECTIONS": "4",
}
# Deadlines are looked at a few times a second, by a machine that may be busy.
SLACK = 2
HEAD = b"POST /api/v1/auth/login/ HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def service(customers_binary, customers_environment, customers_database, start_service):
    return start_service(customers_binary, {**customers_environment(customers_database), **SMALL})


class Connection:
    def __init__(self, service, receive_buffer: int = 0):
        self.socket = socket.socket()
        self.socket.settimeout(20)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", service.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes) -> "Connection":
        self.socket.sendall(data)
        return self

    def rest(self) -> bytes:
        """All that comes until the end; nothing where the connection is reset at once."""
        received = b""
        try:
            while piece := self.socket.recv(65536):
                received += piece
        except ConnectionError:
            pass
        return received


@pytest.fixture
def connect(service):
    """Connects as soon as there is room: the service notices a closed connection a moment later."""
    def connect(**options) -> Connection:
        made = []

        def served() -> bool:
            connection = Connection(service, **options)
            try:
                connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                if connection.socket.recv(65536).startswith(b"HTTP/1.1 200"):
                    made.append(connection)
                    return True
            except ConnectionError:
                pass
            connection.socket.close()
            return False

        eventually(served, 10)
        return made[0]

    return connect


def test_the_head(connect):
    for padding, status in ((600, b"422"), (1024, b"431")):
        with connect() as client:
            client.send(HEAD + b"Content-Length: 0\r\nX-Pad: " + b"x" * padding
                        + b"\r\nConnection: close\r\n\r\n")
            assert client.rest().startswith(b"HTTP/1.1 " + status)


def test_the_body(connect):
    for size, status in ((2048, b"400"), (2049, b"413")):
        with connect() as client:
            client.send(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size
                        + b"x" * size)
            assert client.rest().startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("sent, seconds, status", [
    (b"GET /hea", 1, b"HTTP/1.1 408"),
    (HEAD + b"Content-Length: 5\r\n\r\n{", 2, b"HTTP/1.1 408"),
    (b"", 3, b""),
], ids=["head", "body", "idle"])
def test_times(connect, sent, seconds, status):
    with connect() as client:
        began = time.monotonic()
        answer = client.send(sent).rest()
        took = time.monotonic() - began
        assert answer.startswith(status) and bool(answer) == bool(status)
        assert seconds - 0.1 <= took <= seconds + SLACK


def test_the_time_to_take_an_answer(service, connect):
    """A client that reads nothing is cut off, with more than a megabyte still to be sent."""
    page = httpx.get(f"{service.url}/api/v1/docs/").text
    script = re.search(r"[\w.-]*bundle[\w.-]*\.js", page).group()
    file = f"GET /api/v1/docs/{script} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with connect(receive_buffer=4096) as client:
        client.send(file * 2)  # The kernel may take one of them.
        time.sleep(1 + SLACK)
        answer = client.rest()
        length = int(answer.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        assert answer.startswith(b"HTTP/1.1 200") and length > 1_000_000
        assert len(answer) < 2 * length


def test_requests_of_a_connection(connect):
    with connect() as client:  # Which is one.
        answer = client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 4).rest()
        assert answer.count(b"HTTP/1.1 200") == 2
        assert answer.count(b"Connection: close") == 1


def test_connections(connect, service):
    kept = [connect() for _ in range(4)]
    try:
        with Connection(service) as refused:
            assert refused.rest() == b""
        assert kept[0].send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").socket.recv(4096)
    finally:
        for connection in kept:
            connection.socket.close()
    connect().socket.close()


def test_all_mistakes_are_told_at_once(cart_binary, cart_environment, cart_database):
    wrong = {name: "0" for name in SMALL}
    done = run(cart_binary, "serve", environment={
        **cart_environment(cart_database, 1), **wrong})
    assert done.returncode > 0
    assert [name for name in wrong if f"{name} is" not in done.stderr] == []
