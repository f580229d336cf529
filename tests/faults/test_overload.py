"""More load than the services can take: they go on with as much as they can, refuse the rest at once,
and need no more memory for it."""

import dataclasses
import http.client
import re
import statistics
import threading
import time

import pytest

from harness import wrk
from harness.http import request
from support.service import Service

# What both workers of a service take on before they refuse (platform/postgres/client.h); a little
# less, since the kernel does not share connections out evenly.
IN_PROGRESS = 2 * 1024
AT_PEAK = IN_PROGRESS * 3 // 4
OVERLOAD = 3 * IN_PROGRESS
AT_PEAK_SECONDS = 3
OVERLOAD_SECONDS = 6  # Some of which thousands of connections take to be made.
ROUNDS = 4  # At most.
# What those who have gone had asked for is still to be worked off.
DRAIN = 2
# What a connection costs, and all else.
BYTES_PER_CONNECTION = 16 * 1024
BASE_BYTES = 64 * 1024 * 1024


@dataclasses.dataclass
class Newcomer:
    """Somebody who comes now and then, on a connection of his own, while all that goes on."""

    port: int
    path: str
    token: str
    seconds: list[float] = dataclasses.field(default_factory=list)
    answers: list[tuple[int, str | None]] = dataclasses.field(default_factory=list)

    def __enter__(self):
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        while not self._ended.wait(0.05):
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            connection.request("GET", self.path, headers={"Authorization": self.token})
            answer = connection.getresponse()
            answer.read()
            self.seconds.append(time.monotonic() - began)
            self.answers.append((answer.status, answer.headers["Retry-After"]))
            connection.close()


class Quiet(Service):
    """Its log is thrown away once it is ready: to keep it would take more time than to serve."""

    def _read(self, pipe, lines):
        def until_ready():
            for line in pipe:
                yield line
                if b'"message":"ready"' in line:
                    return

        super()._read(until_ready(), lines)
        while pipe.read1():
            pass


def _serving(service: Service):
    yield service.start()
    service.stop()


@pytest.fixture(scope="module")
def own_customers_service(customers_binary, customers_environment, customers_database):
    yield from _serving(Quiet(customers_binary, customers_environment(customers_database)))


@pytest.fixture(scope="module")
def own_cart_service(cart_binary, cart_environment, cart_database, customers_service):
    yield from _serving(
        Quiet(cart_binary, cart_environment(cart_database, customers_service.grpc_port)))


def _memory(service) -> int:
    """The most that the process has had in memory, in bytes."""
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


@pytest.fixture(scope="module")
def owners(carts):
    return [carts.item().owner for _ in range(50)]


@pytest.mark.parametrize("name", ["customers", "cart"])
def test_three_times_too_much(customers_service, cart_service, owners, tmp_path, name):
    service = {"customers": customers_service, "cart": cart_service}[name]
    path = {"customers": "/api/v1/users/{}/", "cart": "/api/v1/cart/{}/"}[name]
    messages = [request("GET", path.format(owner.id), owner.token) for owner in owners]
    newcomer = Newcomer(service.port, path.format(owners[0].id), owners[0].token)

    def peak() -> wrk.Result:
        time.sleep(DRAIN)
        return wrk.run(tmp_path, service.port, messages, connections=AT_PEAK,
                       seconds=AT_PEAK_SECONDS)

    def overload() -> wrk.Result:
        with newcomer:
            return wrk.run(tmp_path, service.port, messages, connections=OVERLOAD,
                           seconds=OVERLOAD_SECONDS)

    # One round is enough, unless the machine was busy with something else.
    peaks, overloads = [], []
    while True:
        peaks.append(peak())
        overloads.append(overload())
        is_served = overloads[-1].served >= 0.8 * peaks[-1].served
        if is_served or len(peaks) == ROUNDS:
            break
    told = f"{peaks}\n{overloads}\n{sorted(newcomer.seconds)}"
    print(told)

    assert all(result.refused < 0.01 * result.served for result in peaks), told
    assert all(result.refused > 0 for result in overloads), told
    assert is_served, told
    # Everybody is answered.
    assert all((result.timeouts, result.connect_errors, result.broken) == (0, 0, 0)
               for result in overloads), told
    assert set(newcomer.answers) <= {(200, None), (503, "1")}
    assert statistics.median(newcomer.seconds) < 1, told
    assert _memory(service) < BASE_BYTES + OVERLOAD * BYTES_PER_CONNECTION
    # And when it is over, all is as before.
    after = peak()
    assert after.refused < 0.01 * after.served, after
    assert after.served > 0.5 * min(result.served for result in peaks), f"{told}\n{after}"
