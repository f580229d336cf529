"""Clients that make a service keep as much memory as they can."""

import contextlib
import select
import socket
import time


class _Attacker:
    def __init__(self, port: int, message: bytes, receive_buffer: int):
        self._message = memoryview(message)
        self._sent = 0
        self.socket = socket.socket()
        # What it does not take has to wait at the service.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))

    def send(self) -> None:
        """Sends as much of the message as the service accepts."""
        with contextlib.suppress(OSError):
            while self._sent < len(self._message):
                self._sent += self.socket.send(self._message[self._sent:])

    def take(self, size: int) -> None:
        with contextlib.suppress(OSError):
            self.socket.recv(size)


class Attackers:
    """`count` connections. Each sends `message`, and takes `taken` bytes of the answers in a
    round. One that is closed comes back."""

    def __init__(self, port: int, count: int, message: bytes, taken: int = 0,
                 receive_buffer: int = 4096):
        self._make = lambda: _Attacker(port, message, receive_buffer)
        self._taken = taken
        self._attackers: dict[int, _Attacker] = {}
        self._poll = select.poll()
        self.closed = 0  # Connections that the service has closed.
        for _ in range(count):
            self._add()

    def __enter__(self) -> "Attackers":
        return self

    def __exit__(self, *_) -> None:
        for attacker in self._attackers.values():
            attacker.socket.close()

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._round()

    def _add(self) -> None:
        attacker = self._make()
        self._attackers[attacker.socket.fileno()] = attacker
        self._poll.register(attacker.socket, select.POLLRDHUP)

    def _round(self) -> None:
        for attacker in self._attackers.values():
            attacker.send()
            if self._taken:
                attacker.take(self._taken)
        closed = [descriptor for descriptor, _ in self._poll.poll(10)]
        for descriptor in closed:
            self._poll.unregister(descriptor)
            self._attackers.pop(descriptor).socket.close()
        for _ in closed:
            self._add()
        self.closed += len(closed)
