"""A small asynchronous HTTP client, cheap enough to send thousands of requests beside the tested
programs. It reports answers and checks nothing."""

import asyncio
import collections
import json
import time


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body) if self.body else None


def request(method: str, path: str, token: str | None = None, body=None,
            headers: tuple[str, ...] = (), host: str = "localhost") -> bytes:
    """Returns the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if token is not None:
        lines.append(f"Authorization: {token}")
    content = b"" if body is None else json.dumps(body).encode()
    if content or method in ("POST", "PATCH"):
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Raises IncompleteReadError or OSError if no complete answer arrives."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in fields}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Reply(int(head[0].split()[1]), headers, body)


class Pool:
    """Connections to one port, used in turn, so that all workers of a service get requests. When all
    are busy, another one is opened. They come from the address `source`."""

    def __init__(self, port: int, source: str = "127.0.0.1"):
        self._port = port
        self._source = source
        self._idle: collections.deque = collections.deque()

    async def open(self, count: int) -> None:
        self._idle.extend([await self._connect() for _ in range(count)])

    async def _connect(self):
        return await asyncio.open_connection("127.0.0.1", self._port,
                                             local_addr=(self._source, 0))

    async def exchange(self, message: bytes) -> tuple[Reply, float]:
        """Returns the reply and its seconds. Raises OSError or IncompleteReadError if there is none."""
        if self._idle:
            reader, writer = self._idle.popleft()
        else:
            reader, writer = await self._connect()
        try:
            began = time.monotonic()
            writer.write(message)
            reply = await read_reply(reader)
            seconds = time.monotonic() - began
        except BaseException:
            writer.close()
            raise
        if reply.headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return reply, seconds

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
