"""Limits on clients (HTTP_MAX_*, HTTP_*_TIMEOUT), with small values."""

import json
import re
import resource
import socket
import time

import httpx
import pytest

from microcart.testing.metrics import Scrape
from microcart.testing.service import run
from microcart.waiting import eventually

SMALL = {
    "WORKERS": "1",
    "HTTP_MAX_HEADER_BYTES": "1024",
    "HTTP_MAX_BODY_BYTES": "2048",
    "HTTP_HEADER_TIMEOUT": "1",
    "HTTP_BODY_TIMEOUT": "2",
    "HTTP_IDLE_TIMEOUT": "3",
    "HTTP_WRITE_TIMEOUT": "1",
    "HTTP_MAX_REQUESTS_PER_CONNECTION": "3",
}
# Deadlines are checked a few times a second, on a machine that may be busy.
SLACK = 2
HEAD = b"POST /api/v1/auth/login/ HTTP/1.1\r\nHost: x\r\n"
ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


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
        self.used = time.monotonic()  # Time of the last bytes sent.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes) -> "Connection":
        if data:
            self.used = time.monotonic()
        self.socket.sendall(data)
        return self

    def rest(self) -> bytes:
        """Returns all bytes until the end; nothing if the connection is reset at once."""
        received = b""
        try:
            while piece := self.socket.recv(65536):
                received += piece
        except ConnectionError:
            pass
        return received


@pytest.fixture
def connect(service):
    """A connection that has been used once."""
    def connect(**options) -> Connection:
        connection = Connection(service, **options)
        assert connection.send(ASK).socket.recv(65536).startswith(b"HTTP/1.1 200")
        return connection

    return connect


def is_served(connection: Connection) -> bool:
    try:
        return connection.send(ASK).socket.recv(65536).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


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
        answer = client.send(sent).rest()
        took = time.monotonic() - client.used
        assert answer.startswith(status) and bool(answer) == bool(status)
        assert seconds <= took <= seconds + SLACK


def test_the_time_to_take_an_answer(service, connect):
    """A client that reads nothing is cut off, with more than a megabyte still to be sent."""
    page = httpx.get(f"{service.url}/api/v1/docs/").text
    script = re.search(r"[\w.-]*bundle[\w.-]*\.js", page).group()
    file = f"GET /api/v1/docs/{script} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with connect(receive_buffer=4096) as client:
        client.send(file * 2)  # The kernel may buffer one of them.
        time.sleep(1 + SLACK)
        answer = client.rest()
        length = int(answer.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        assert answer.startswith(b"HTTP/1.1 200") and length > 1_000_000
        assert len(answer) < 2 * length


def test_requests_of_a_connection(connect):
    with connect() as client:  # This is one connection.
        answer = client.send(ASK * 4).rest()
        assert answer.count(b"HTTP/1.1 200") == 2
        assert answer.count(b"Connection: close") == 1


def keeps_at_most(service, count: int) -> None:
    """Exactly this many connections are kept: one more takes the place of the oldest idle one."""
    def is_closed(connection: Connection) -> bool:
        connection.socket.setblocking(False)
        try:
            return connection.socket.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            connection.socket.settimeout(20)

    # The service may notice a moment later that other connections are closed.
    eventually(lambda: Scrape(service).value("http_server_connections") == 0)
    kept = []
    try:
        for _ in range(count + 2):
            kept.append(Connection(service))
            assert is_served(kept[-1])
        eventually(lambda: is_closed(kept[0]) and is_closed(kept[1]))
        assert not any(is_closed(connection) for connection in kept[2:])
        assert all(is_served(connection) for connection in kept[2:])
        assert Scrape(service).value("http_server_connections_refused_total",
                                     reason="displaced") == 2
    finally:
        for connection in kept:
            connection.socket.close()


def test_connections(customers_binary, customers_environment, customers_database, start_service):
    keeps_at_most(start_service(customers_binary, customers_environment(
        customers_database, WORKERS="1", HTTP_MAX_CONNECTIONS="4")), 4)


def test_one_client_cannot_take_all_connections(customers_binary, customers_environment,
                                                customers_database, start_service):
    """12,000 silent connections of one address, to the workers of a service with its defaults: a
    client of another address is served, and so are health checks."""
    environment = customers_environment(customers_database)
    del environment["HTTP_MAX_CONNECTIONS_PER_CLIENT"]
    service = start_service(customers_binary, environment)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    silent = []
    try:
        for _ in range(12_000):
            silent.append(socket.socket())
            silent[-1].bind(("127.0.0.2", 0))
            silent[-1].connect(("127.0.0.1", service.port))
        scrape = eventually(lambda: Scrape(service) if Scrape(service).value(
            "http_server_connections_refused_total", reason="client") >= 11_000 else None)
        assert scrape.value("http_server_connections") <= 1000
        assert service.readiness() == 200
        assert httpx.get(f"{service.url}/api/v1/docs/").status_code == 200
    finally:
        for connection in silent:
            connection.close()


def test_health_checks_have_a_reserve(customers_binary, customers_environment, customers_database,
                                      start_service):
    """When every connection is busy with a request that does not end."""
    service = start_service(customers_binary, customers_environment(
        customers_database, WORKERS="1", HTTP_MAX_CONNECTIONS="20"))
    eventually(lambda: Scrape(service).value("http_server_connections") == 0)
    busy = [Connection(service) for _ in range(20)]
    try:
        for connection in busy:
            connection.send(HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            assert connection.socket.recv(100).startswith(b"HTTP/1.1 100")
        for _ in range(20):  # More than the reserve has at once.
            assert service.readiness() == 200
            answer = httpx.get(f"{service.url}/api/v1/docs/")
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
    finally:
        for connection in busy:
            connection.socket.close()


@pytest.fixture
def limited_binary(customers_binary, tmp_path):
    """Runs the binary with limits on open files."""
    def limited(soft: int, hard: int):
        script = tmp_path / "customers"
        script.write_text(f'#!/bin/sh\nexec prlimit --nofile={soft}:{hard} {customers_binary} "$@"\n')
        script.chmod(0o755)
        return script

    return limited


def warnings(service) -> list[dict]:
    entries = [json.loads(line) for line in service.stdout]
    return [entry for entry in entries if "HTTP_MAX_CONNECTIONS" in entry["message"]]


def test_the_limit_of_open_files_is_raised(limited_binary, customers_environment,
                                           customers_database, start_service):
    service = start_service(limited_binary(64, 1400), customers_environment(
        customers_database, WORKERS="1", HTTP_MAX_CONNECTIONS="100"))
    assert resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE) == (1400, 1400)
    assert warnings(service) == []
    keeps_at_most(service, 100)


def test_more_connections_than_open_files(limited_binary, customers_environment,
                                          customers_database, start_service):
    service = start_service(limited_binary(64, 1324), customers_environment(
        customers_database, WORKERS="1"))
    [warning] = warnings(service)
    assert warning["level"] == "warning"
    assert (warning["http_max_connections"], warning["open_files"]) == (10_000, 1324)
    keeps_at_most(service, warning["connections_at_once"])


def test_all_mistakes_are_told_at_once(cart_binary, cart_environment, cart_database):
    wrong = {name: "0" for name in SMALL}
    done = run(cart_binary, "serve", environment={
        **cart_environment(cart_database, 1), **wrong})
    assert done.returncode > 0
    assert [name for name in wrong if f"{name} is" not in done.stderr] == []
