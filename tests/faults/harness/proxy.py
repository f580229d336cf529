"""A TCP proxy that disturbs its connections on request.

It lives on one event loop. Without a fault it forwards every byte unchanged, and the ends of streams
as well. A fault acts on one direction, or on connections as a whole.
"""

import asyncio
import contextlib
import enum
import random
import socket
import struct

_CHUNK = 65536
_LINGER_0 = struct.pack("ii", 1, 0)  # close() resets.


class Direction(enum.Enum):
    TO_SERVER = "to server"
    TO_CLIENT = "to client"


class Fault:
    """No fault. `relay` handles data that arrives in the fault's direction, or
    in both directions if it has none. Once `ended` is set, it must no longer delay data."""

    direction: Direction | None = None

    def __init__(self, direction: Direction | None = None):
        self.direction = direction
        self.ended = asyncio.Event()

    async def begin(self, proxy: "Proxy") -> None:
        """Called once, when the fault begins."""

    async def end(self, proxy: "Proxy") -> None:
        """Called once, before the fault ends."""

    async def relay(self, wire: "Wire", data: bytes) -> None:
        await wire.send(data)

    async def pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.ended.wait(), seconds)


class Refuse(Fault):
    """Nothing listens; existing connections are reset."""

    async def begin(self, proxy):
        await proxy.close_listener()
        proxy.cut_all()

    async def end(self, proxy):
        await proxy.listen()


class NoAnswer(Fault):
    """Connections are accepted and then ignored for ever; existing ones are reset."""

    async def begin(self, proxy):
        proxy.cut_all()

    async def relay(self, wire, data):
        wire.connection.bury()


class Flapping(Fault):
    """Refuses connections, accepts them, refuses them…"""

    PERIOD = 0.1

    async def begin(self, proxy):
        self._task = asyncio.create_task(self._flap(proxy))

    async def end(self, proxy):
        await self._task
        if not proxy.is_listening():
            await proxy.listen()

    async def _flap(self, proxy):
        while not self.ended.is_set():
            await proxy.close_listener()
            proxy.cut_all()
            await self.pause(self.PERIOD)
            await proxy.listen()
            await self.pause(self.PERIOD)


class Delay(Fault):
    SECONDS = 0.25

    async def relay(self, wire, data):
        await self.pause(self.SECONDS)
        await wire.send(data)


class Cut(Fault):
    """Resets the connection instead of forwarding the data."""

    async def relay(self, wire, data):
        wire.connection.cut()


class CutMidMessage(Fault):
    """Forwards half of the data, then resets the connection."""

    async def relay(self, wire, data):
        await wire.send(data[:len(data) // 2])
        wire.connection.cut()


class Corrupt(Fault):
    """Flips one bit in each piece of data."""

    def __init__(self, direction, seed: int = 1):
        super().__init__(direction)
        self._random = random.Random(seed)

    async def relay(self, wire, data):
        corrupted = bytearray(data)
        corrupted[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        await wire.send(bytes(corrupted))


class Drip(Fault):
    """Forwards one byte at a time."""

    SECONDS_PER_BYTE = 0.005

    async def relay(self, wire, data):
        for position in range(len(data)):
            if self.ended.is_set():
                await wire.send(data[position:])
                return
            await wire.send(data[position:position + 1])
            await self.pause(self.SECONDS_PER_BYTE)


class HalfClose(Fault):
    """Ends one direction of the connection properly; the other one continues."""

    async def relay(self, wire, data):
        wire.end()


class BlackHole(Fault):
    """Drops all data of this connection from now on, without closing it."""

    async def relay(self, wire, data):
        wire.is_dead = True


class Wire:
    """One direction of a connection."""

    def __init__(self, connection, direction, reader, writer):
        self.connection = connection
        self.direction = direction
        self.is_dead = False  # Drops all data, and the end of the stream.
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def end(self) -> None:
        if not self.is_dead:
            self.is_dead = True
            with contextlib.suppress(OSError):
                self._writer.write_eof()

    async def carry(self, proxy: "Proxy") -> None:
        while data := await self._reader.read(_CHUNK):
            fault = proxy.fault
            if self.is_dead:
                continue
            if fault.direction in (None, self.direction):
                await fault.relay(self, data)
            else:
                await self.send(data)
        self.end()


class Connection:
    """A client's connection and the corresponding one to the server."""

    def __init__(self, client: tuple, server: tuple):
        self._writers = (client[1], server[1])
        self.wires = (Wire(self, Direction.TO_SERVER, client[0], server[1]),
                      Wire(self, Direction.TO_CLIENT, server[0], client[1]))

    def cut(self) -> None:
        """Resets both ends."""
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            writer.transport.abort()

    def bury(self) -> None:
        """From now on no data is forwarded, and no connection is closed."""
        for wire in self.wires:
            wire.is_dead = True

    async def carry(self, proxy: "Proxy") -> None:
        try:
            await asyncio.gather(*(wire.carry(proxy) for wire in self.wires))
        except OSError:
            self.cut()
        finally:
            for writer in self._writers:
                writer.close()


class Proxy:
    """A proxy between any client and the server at `target`, a port of this machine."""

    def __init__(self, target: int):
        self.target = target
        self.port = 0
        self.fault: Fault = Fault()
        self.turned_away = 0  # Clients for which `target` could not be reached.
        self._server = None
        self._connections: set[Connection] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def is_listening(self) -> bool:
        return self._server is not None

    async def close_listener(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def close(self) -> None:
        await self.close_listener()
        self.cut_all()

    async def begin(self, fault: Fault) -> None:
        self.fault = fault
        await fault.begin(self)

    async def end(self) -> None:
        self.fault.ended.set()
        await self.fault.end(self)
        self.fault = Fault()

    def cut_all(self) -> None:
        for connection in list(self._connections):
            connection.cut()

    async def _accept(self, reader, writer) -> None:
        try:
            server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self.turned_away += 1
            writer.transport.abort()
            return
        connection = Connection((reader, writer), server)
        self._connections.add(connection)
        try:
            await connection.carry(self)
        finally:
            self._connections.discard(connection)
