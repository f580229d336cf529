"""A thousand clients that are slow on purpose are closed in time, and no other client waits."""

import asyncio
import contextlib
import itertools
import os
import pathlib
import socket
import time

import pytest

from harness.background import Background
from harness.http import read_reply, request

SLOW = 334  # Clients of each of the three kinds.
HEAD_TIME, BODY_TIME = 10, 30  # platform/http/server.h; the time to write is that for a body.
SLACK = 3  # Seconds after the limit within which a client sees the end of its connection.
LATE = 6  # Seconds after the first connection's limit within which the last one is closed.
BYSTANDERS = 4  # For each service.
# A p99 below this is caused by the machine, not by the service.
FLOOR = 0.01


class Bystander:
    """Sends one request after the other and records how long each takes."""

    def __init__(self, port: int, message: bytes):
        self._port = port
        self._message = message
        self.seconds: list[float] = []

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                began = time.monotonic()
                writer.write(self._message)
                reply = await read_reply(reader)
                assert reply.status == 200, reply.body
                self.seconds.append(time.monotonic() - began)
                await asyncio.sleep(0.02)
        finally:
            writer.close()


def _p99(bystanders: list[Bystander]) -> float:
    seconds = sorted(second for bystander in bystanders for second in bystander.seconds)
    assert len(seconds) > 1000
    return seconds[len(seconds) * 99 // 100]


async def _read_to_end(reader) -> bytes:
    with contextlib.suppress(OSError):
        return await reader.read()
    return b""


async def _slow_head(port: int) -> tuple[float, bytes]:
    """Sends a byte every second. Returns the seconds until the connection ended, and the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    ended = asyncio.create_task(_read_to_end(reader))
    head = request("GET", "/api/v1/users/3/", headers=("X-Slow: " + "x" * 100,))
    with contextlib.suppress(OSError):
        for position in range(len(head)):
            writer.write(head[position:position + 1])
            if (await asyncio.wait([ended], timeout=1))[0]:
                break
    received = await ended
    writer.close()
    return time.monotonic() - began, received


async def _slow_body(port: int) -> tuple[float, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    ended = asyncio.create_task(_read_to_end(reader))
    writer.write(b"POST /api/v1/auth/login/ HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Length: 1000\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(900):
            writer.write(b"x")
            if (await asyncio.wait([ended], timeout=1))[0]:
                break
    received = await ended
    writer.close()
    return time.monotonic() - began, received


async def _slow_read(port: int) -> None:
    """Requests far more data than any buffer holds, and reads none of it."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plain, ("127.0.0.1", port))
    questions = request("GET", "/api/v1/docs/swagger.json") * 100
    try:
        while True:
            await loop.sock_sendall(plain, questions)
    except OSError:
        pass
    finally:
        plain.close()


def _sockets(service) -> int:
    """Returns the number of connections that the service has open. Clients may notice the end later,
    because a client that reads nothing cannot receive it."""
    count = 0
    for descriptor in pathlib.Path(f"/proc/{service.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(descriptor).startswith("socket:")
    return count


@pytest.fixture
def bystanders(customers_service, accounts, start_service):
    """Bystanders of the service under test, and of another service without slow clients. They run on
    their own event loop, so that they do not wait for the slow clients' loop."""
    account = accounts.create()
    message = request("GET", f"/api/v1/users/{account.id}/", account.token)
    peaceful = start_service(customers_service.binary, {
        **customers_service.environment,
        "SERVICE_PORT": "0", "GRPC_PORT": "0", "METRICS_PORT": "0"})
    loop = Background()
    asking = [[Bystander(service.port, message) for _ in range(BYSTANDERS)]
              for service in (customers_service, peaceful)]
    running = [asyncio.run_coroutine_threadsafe(bystander.run(), loop.loop)
               for pair in zip(*asking) for bystander in pair]
    yield asking
    assert not any(future.done() for future in running), running
    loop.close()


def test_slow_clients(background, customers_service, bystanders):
    async def beset():
        port, began = customers_service.port, time.monotonic()
        heads, bodies, reads = [
            [asyncio.create_task(kind(port)) for _ in range(SLOW)]
            for kind in (_slow_head, _slow_body, _slow_read)]
        samples = []
        for moment in (5, HEAD_TIME + LATE, BODY_TIME - 1, BODY_TIME + LATE):
            await asyncio.sleep(began + moment - time.monotonic())
            samples.append(_sockets(customers_service) - before)
            # A busy machine may take a while to close a third of the connections.
            while (moment == HEAD_TIME + LATE and samples[-1] > 2 * SLOW
                   and time.monotonic() < began + BODY_TIME - 2):
                await asyncio.sleep(0.1)
                samples[-1] = _sockets(customers_service) - before
            if len(samples) == 1:
                # The time of a thousand simultaneous connections is not counted.
                for bystander in itertools.chain(*bystanders):
                    bystander.seconds.clear()
        while samples[-1] > 0 and time.monotonic() < began + BODY_TIME + LATE + SLACK:
            await asyncio.sleep(0.1)
            samples[-1] = _sockets(customers_service) - before
        for task in reads:
            task.cancel()
        return samples, [await asyncio.gather(*tasks) for tasks in (heads, bodies)]

    time.sleep(1)  # All bystanders are connected.
    before = _sockets(customers_service)
    (there, without_heads, still, none), ended = background.run(beset(), 90)

    # Each kind stayed connected until its limit, and not longer.
    assert there == 3 * SLOW
    assert without_heads == still == 2 * SLOW
    assert none <= 0
    for limit, results in zip((HEAD_TIME, BODY_TIME), ended):
        seconds = [result[0] for result in results]
        assert limit - 1 < min(seconds) and max(seconds) < limit + SLACK, sorted(seconds)
        assert all(received.startswith(b"HTTP/1.1 408 ") for _, received in results)

    # The bystanders did not notice: they waited as long as those of the other service at the same
    # time.
    p99 = [_p99(asking) for asking in bystanders]
    print(f"p99 {p99[0] * 1000:.1f} ms beside the slow clients, {p99[1] * 1000:.1f} ms in peace")
    assert p99[0] <= max(2 * p99[1], FLOOR)
