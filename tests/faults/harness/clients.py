"""Clients that send one request after the other, each over a connection of its own."""

import asyncio
import dataclasses
import ssl
from collections.abc import Callable

from harness.background import Background
from harness.http import Reply, read_reply


@dataclasses.dataclass(frozen=True, repr=False)
class Failure:
    """A request that was not answered with success. `status` is 0 without an answer."""

    message: bytes
    status: int
    reason: str

    def __repr__(self) -> str:
        return f"{self.message.partition(b' HTTP')[0].decode()}: {self.status} {self.reason}"


class Clients:
    """`count` clients, as a context. `make` returns the next request of a client, and a function for
    its successful answer. A connection that ends is replaced; a request is never repeated."""

    def __init__(self, background: Background, port: int, count: int,
                 make: Callable[[int], tuple[bytes, Callable[[Reply], None]]],
                 tls: ssl.SSLContext | None = None):
        self._background = background
        self._port = port
        self._count = count
        self._make = make
        self._tls = tls
        self._is_over = False
        self._task: asyncio.Future | None = None
        self.succeeded = 0
        self.failures: list[Failure] = []

    def __enter__(self) -> "Clients":
        self._task = asyncio.run_coroutine_threadsafe(self._run(), self._background.loop)
        return self

    def __exit__(self, *_) -> None:
        self._is_over = True
        self._task.result(60)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self._count)))

    async def _client(self, number: int) -> None:
        while not self._is_over:
            message = b""
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port,
                                                               ssl=self._tls)
                try:
                    is_kept = True
                    while is_kept and not self._is_over:
                        message, note = self._make(number)
                        writer.write(message)
                        reply = await read_reply(reader)
                        is_kept = reply.headers.get("connection") != "close"
                        if reply.status < 300:
                            self.succeeded += 1
                            note(reply)
                        else:
                            self._fail(message, reply.status, repr(reply.body))
                finally:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError) as error:
                self._fail(message, 0, repr(error))

    def _fail(self, *what) -> None:
        self.failures.append(Failure(*what))
