"""SIGTERM under load, behind a proxy that retries nothing: every request that was sent is answered,
and every acknowledged write is stored."""

import asyncio
import random
import signal
import time

import pytest

from harness.background import Background
from harness.http import read_reply
from harness.proxy import Delay, Proxy
from harness.mixed_load import CartWrites, CustomersWrites, Writes

GRACE = 30
CLIENTS = 40
# Time after an answer for a last request on the same connection (platform/http/connection.cpp).
LAST_REQUEST = 1.0
OWNERS = 8
PRODUCTS = 2000


class Latency(Delay):
    """Delays requests so that some cross with the end of a connection."""

    SECONDS = 0.002


class Clients:
    """Clients that each send requests over one connection for as long as the service permits, with
    occasional pauses, until they are refused."""

    def __init__(self, port: int, make_request: Writes):
        self._port = port
        self._make_request = make_request
        self.answered = 0
        self.turned_away = 0  # Clients refused at their first request on a connection.
        self.wrong: list[str] = []  # Requests that were lost or failed.

    async def run(self) -> None:
        await asyncio.gather(*(self._run(number) for number in range(CLIENTS)))

    async def _run(self, number: int) -> None:
        chance = random.Random(number)
        while await self._converse(chance):
            pass

    async def _converse(self, chance) -> bool:
        """Returns whether to connect again."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        count = 0
        answered = sent = time.monotonic()
        try:
            while not reader.at_eof():
                message, note = self._make_request(chance)
                sent = time.monotonic()
                writer.write(message)
                reply = await read_reply(reader)
                answered = time.monotonic()
                count += 1
                if reply.status in (200, 201):
                    note(reply)
                else:
                    self.wrong.append(f"{reply.status}: {reply.body!r}")
                if reply.headers["connection"] == "close":
                    break
                await asyncio.sleep(chance.choice((0, 0, 0.001, 0.02)))
            return True
        except (OSError, asyncio.IncompleteReadError) as error:
            if count == 0:
                self.turned_away += 1
                return False
            # A client that was delayed by a busy machine may have sent its request too late.
            if sent - answered < LAST_REQUEST:
                self.wrong.append(f"lost after {count} answers: {error!r}")
            return True
        finally:
            self.answered += count
            writer.close()


@pytest.fixture(scope="module")
def databases(customers_database, cart_database, cluster):
    cluster.query(cart_database, "INSERT INTO products (name, description, price) "
                  "SELECT 'Termination ' || n, '', 1 FROM generate_series(1, %s) AS n", PRODUCTS)
    return {"customers": customers_database, "cart": cart_database}


@pytest.fixture(scope="module")
def writes(carts, databases):
    owners = [carts.owner() for _ in range(OWNERS)]
    return {"customers": CustomersWrites(owners), "cart": CartWrites(owners)}


@pytest.fixture(scope="module")
def proxies():
    """A loop for the proxies, so that they do not wait for the clients."""
    loop = Background()
    yield loop
    loop.close()


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("name", ["customers", "cart"])
def test_sigterm(background, proxies, cluster, databases, customers_service, cart_service, writes,
                 name, attempt):
    service = {"customers": customers_service, "cart": cart_service}[name]
    proxy = Proxy(service.port)
    proxies.run(proxy.listen())
    proxies.run(proxy.begin(Latency()))
    clients = Clients(proxy.port, writes[name])

    async def under_load() -> float:
        """Returns the time at which the service received SIGTERM."""
        running = asyncio.create_task(clients.run())
        await asyncio.sleep(1)
        assert not running.done()
        service.process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        await running
        return told

    told = background.run(under_load())
    proxies.run(proxy.close())
    assert service.wait(GRACE) == 0
    service.start()
    customers_service.wait_ready()
    cart_service.wait_ready()
    assert clients.wrong == []
    assert clients.turned_away == proxy.turned_away == CLIENTS
    assert clients.answered > 2 * CLIENTS
    # Every acknowledged write is stored, also after the signal.
    acknowledged = writes[name].acknowledged
    assert writes[name].last > told
    stored = writes[name].stored(cluster, databases)
    assert {key: stored.get(key) for key in acknowledged} == acknowledged
