"""More load than the services can handle: they serve as much as they can, refuse the excess at once,
and use no more memory for it."""

import concurrent.futures
import dataclasses
import http.client
import json
import re
import socket
import statistics
import threading
import time

import pytest

from harness.http import request
from microcart import wrk
from microcart.testing.service import Service

# The number of requests that both workers of a service accept before they refuse any
# (platform/postgres/client.h), reduced because the kernel does not distribute connections evenly.
IN_PROGRESS = 2 * 1024
FULL_LOAD = IN_PROGRESS * 3 // 4
OVERLOAD = 3 * IN_PROGRESS
# Fewer connections cost less, so these are served fastest.
MODERATE_LOADS = (64, 256)
LOAD_SECONDS = 3
OVERLOAD_SECONDS = 6  # Includes the time to make thousands of connections.
ROUNDS = 4  # At most.
# Share that is still served: of full load, and of the maximum for any number of connections.
OF_FULL_LOAD = 0.8
OF_PEAK = 0.4
NEWCOMERS = 4  # At a time; more of them would disturb the measurement.
# Minimum number of answers to them in an overload.
ANSWERS = 40
# Requests of clients that have disconnected are still being processed.
DRAIN = 2
# Memory for each connection, and for everything else.
BYTES_PER_CONNECTION = 16 * 1024
BASE_BYTES = 64 * 1024 * 1024


@dataclasses.dataclass
class Newcomers:
    """Clients that send a request now and then, each on a new connection, during the overload."""

    port: int
    message: bytes
    # Status, Retry-After, and duration in seconds.
    answers: list[tuple[int, str | None, float]] = dataclasses.field(default_factory=list)

    def __enter__(self):
        self._ended = threading.Event()
        self._executor = concurrent.futures.ThreadPoolExecutor(NEWCOMERS)
        self._asking = [self._executor.submit(self._ask) for _ in range(NEWCOMERS)]
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._executor.shutdown()
        for asking in self._asking:
            asking.result()  # Raises the exception that ended it.

    def _ask(self) -> None:
        while not self._ended.wait(0.1):
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
                connection.sendall(self.message)
                answer = http.client.HTTPResponse(connection)
                answer.begin()
                answer.read()
                self.answers.append((answer.status, answer.headers["Retry-After"],
                                     time.monotonic() - began))


class Quiet(Service):
    """The log is discarded after the start, because keeping it would take more time than serving."""

    def _read(self, pipe, lines):
        def until_ready():
            for line in pipe:
                yield line
                if b'"message":"ready"' in line:
                    return

        super()._read(until_ready(), lines)
        while pipe.read1():
            pass


@pytest.fixture(scope="module")
def service_class():
    return Quiet


def _memory(service) -> int:
    """Returns the peak of the process's memory, in bytes."""
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


def served(result: wrk.Result) -> float:
    return result.served


def is_taken_on(result: wrk.Result) -> bool:
    return result.refused < 0.01 * result.served


@pytest.fixture(scope="module")
def items(carts):
    return [carts.item() for _ in range(50)]


# The service, and a request for an item or its owner. Reads of profiles cannot be too many, because
# those that wait share statements.
CASES = {
    "change a profile": ("customers", lambda item: (
        "PATCH", f"/api/v1/users/{item.owner.id}/", item.owner.token, {"first_name": "Ann"})),
    "read a cart": ("cart", lambda item: (
        "GET", f"/api/v1/cart/{item.owner.id}/", item.owner.token)),
    "change an item": ("cart", lambda item: (
        "PATCH", f"/api/v1/cart-item/{item.id}/", item.owner.token, {"quantity": 2})),
}


def load_request(method: str, path: str, token: str, body=None) -> wrk.Request:
    return wrk.Request(method, path, token, json.dumps(body) if body else "")


@pytest.mark.parametrize(("name", "make"), CASES.values(), ids=CASES)
def test_three_times_too_much(customers_service, cart_service, items, tmp_path, name, make):
    service = {"customers": customers_service, "cart": cart_service}[name]
    requests = [load_request(*make(item)) for item in items]
    newcomers = Newcomers(service.port, request(*make(items[0])))

    def load(connections: int, seconds: int = LOAD_SECONDS) -> wrk.Result:
        return wrk.run(tmp_path / "requests", service.port, requests, connections=connections,
                       seconds=seconds)

    def full_load() -> wrk.Result:
        """Repeats if some were refused, because one worker may have received too many connections."""
        for _ in range(ROUNDS):
            result = load(FULL_LOAD)
            if is_taken_on(result):
                break
        return result

    def overload() -> wrk.Result:
        with newcomers:
            return load(OVERLOAD, OVERLOAD_SECONDS)

    def refusals() -> list[float]:
        return [seconds for status, _, seconds in newcomers.answers if status == 503]

    # One round is enough, unless the machine was busy otherwise.
    full_loads, peaks, overloads = [], [], []
    while True:
        time.sleep(DRAIN)
        moderate = max((load(connections) for connections in MODERATE_LOADS), key=served)
        full_loads.append(full_load())
        peaks.append(max(moderate, full_loads[-1], key=served))
        overloads.append(overload())
        is_served = (served(overloads[-1]) >= OF_FULL_LOAD * served(full_loads[-1]) and
                     served(overloads[-1]) >= OF_PEAK * served(peaks[-1]))
        if is_served or len(overloads) == ROUNDS:
            break
    told = "\n".join(map(str, (*peaks, *full_loads, *overloads, len(newcomers.answers),
                               sorted(refusals()))))
    print(told)

    assert all(map(is_taken_on, (*peaks, *full_loads))), told
    assert all(result.refused > 0 for result in overloads), told
    assert is_served, told
    # Every request is answered.
    assert all((result.timeouts, result.connect_errors, result.broken) == (0, 0, 0)
               for result in overloads), told
    assert {answer[:2] for answer in newcomers.answers} <= {(200, None), (503, "1")}, told
    assert len(newcomers.answers) >= ANSWERS * len(overloads), told
    # A refused request is answered at once. Often no newcomer is refused, because clients that were
    # refused make room while they rest.
    assert not refusals() or statistics.median(refusals()) < 1, told
    for each in (customers_service, cart_service):
        assert _memory(each) < BASE_BYTES + OVERLOAD * BYTES_PER_CONNECTION
    # After the overload, everything works as before.
    time.sleep(DRAIN)
    after = full_load()
    assert is_taken_on(after), after
    assert after.served > 0.5 * min(map(served, full_loads)), f"{told}\n{after}"
