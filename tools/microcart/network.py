"""Free ports, and one HTTP request."""

import dataclasses
import json
import socket
import urllib.error
import urllib.request


def free_ports(count: int) -> list[int]:
    """Returns different ports of 127.0.0.1 on which nothing listened a moment ago."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]


def why_not_free(address: str, port: int) -> str | None:
    """Returns the system's reason why nothing can listen there; None if something can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            # Two sockets may be bound to a port as long as neither listens.
            probe.listen()
        except OSError as error:
            return error.strerror
        return None


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to a request. Without one, `status` is 0 and `content` is the reason."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self):
        return json.loads(self.content)

    def __str__(self) -> str:
        return f"{self.status} {self.text[:500].strip()}" if self.status else self.text


def request(method: str, url: str, body=None, token: str = "",
            headers: dict[str, str] | None = None, seconds: float = 10) -> Answer:
    """Sends one request, without any proxy. `token` is the whole Authorization header; `body` is
    sent as JSON."""
    headers = dict(headers or {})
    if token:
        headers["Authorization"] = token
    content = None
    if body is not None:
        content = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, content, headers, method=method),
                         timeout=seconds) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())
    except OSError as error:
        return Answer(0, {}, str(error).encode())
