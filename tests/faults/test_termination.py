"""SIGTERM under load, behind a proxy that retries nothing: whoever has sent a request gets its answer."""

import asyncio
import random
import signal

import pytest

from harness.http import read_reply, request
from harness.proxy import Delay, Proxy
from support.accounts import PASSWORD, fresh_email

GRACE = 30
CLIENTS = 40


class Latency(Delay):
    """Requests are on their way for long enough to cross with the end of a connection."""

    SECONDS = 0.002


class Clients:
    """Each asks again and again, over a connection that it keeps for as long as it may, with pauses
    now and then; until it is turned away."""

    def __init__(self, port: int, make_request):
        self._port = port
        self._make_request = make_request
        self.answered = 0
        self.turned_away = 0  # At their first request on a connection.
        self.wrong: list[str] = []  # Lost, or not answered with a success.

    async def run(self) -> None:
        await asyncio.gather(*(self._run(number) for number in range(CLIENTS)))

    async def _run(self, number: int) -> None:
        chance = random.Random(number)
        while await self._converse(chance):
            pass

    async def _converse(self, chance) -> bool:
        """Whether to connect again."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        count = 0
        try:
            while not reader.at_eof():
                writer.write(self._make_request(chance))
                reply = await read_reply(reader)
                count += 1
                if reply.status not in (200, 201):
                    self.wrong.append(f"{reply.status}: {reply.body!r}")
                if reply.headers["connection"] == "close":
                    break
                await asyncio.sleep(chance.choice((0, 0, 0.001, 0.02)))
            return True
        except (OSError, asyncio.IncompleteReadError) as error:
            if count:
                self.wrong.append(f"lost after {count} answers: {error!r}")
            else:
                self.turned_away += 1
            return False
        finally:
            self.answered += count
            writer.close()


@pytest.fixture(scope="module")
def ask(carts):
    """Makes requests for either service."""
    owners = [carts.owner() for _ in range(8)]

    def customers(chance) -> bytes:
        if chance.random() < 0.1:
            return request("POST", "/api/v1/users/create/",
                           body={"email": fresh_email(), "password": PASSWORD})
        owner = chance.choice(owners)
        return request("GET", f"/api/v1/users/{owner.id}/", owner.token)

    def cart(chance) -> bytes:
        owner = chance.choice(owners)
        return request("GET", f"/api/v1/cart/{owner.id}/", owner.token)

    return {"customers": customers, "cart": cart}


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("name", ["customers", "cart"])
def test_sigterm(background, customers_service, cart_service, ask, name, attempt):
    service = {"customers": customers_service, "cart": cart_service}[name]
    proxy = Proxy(service.port)

    async def under_load() -> Clients:
        await proxy.listen()
        await proxy.begin(Latency())
        clients = Clients(proxy.port, ask[name])
        running = asyncio.create_task(clients.run())
        await asyncio.sleep(1)
        assert not running.done()
        service.process.send_signal(signal.SIGTERM)
        await running
        await proxy.close()
        return clients

    clients = background.run(under_load())
    assert service.wait(GRACE) == 0
    service.start()
    customers_service.wait_ready()
    cart_service.wait_ready()
    assert clients.wrong == []
    assert clients.turned_away == proxy.turned_away == CLIENTS
    assert clients.answered > 2 * CLIENTS
