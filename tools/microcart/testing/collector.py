"""An OpenTelemetry collector: receives spans by OTLP/HTTP in JSON, and parses them strictly with
OpenTelemetry's own messages."""

import base64
import collections
import dataclasses
import fcntl
import functools
import http.server
import importlib
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading

from google.protobuf import json_format

from microcart import ROOT
from microcart.waiting import eventually

# The messages come from PyPI; the runtime that they need is Debian's.
_REQUIREMENTS = pathlib.Path(__file__).with_name("collector.requirements.txt")
_VENV = ROOT / "build/opentelemetry-venv"

SERVER, CLIENT = 2, 3  # Span.kind
ERROR = 2  # Span.status.code


@functools.cache
def _messages():
    """Returns the Python module of OTLP's trace service; installs it at the first time."""
    _VENV.parent.mkdir(exist_ok=True)
    with open(f"{_VENV}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (_VENV / "bin/pip").exists():
            subprocess.run([sys.executable, "-m", "venv", _VENV], check=True)
        subprocess.run([_VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check",
                        "--no-deps", "--require-hashes", "--requirement", _REQUIREMENTS], check=True)
    sys.path += [str(path) for path in _VENV.glob("lib/python*/site-packages")]
    return importlib.import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")


@dataclasses.dataclass(frozen=True)
class Span:
    """A received span, and the service that it is from."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start: int
    end: int
    attributes: dict
    is_error: bool


def _value(value):
    kind = value.WhichOneof("value")
    return getattr(value, kind)


def _attributes(attributes) -> dict:
    parsed = {attribute.key: _value(attribute.value) for attribute in attributes}
    assert len(parsed) == len(attributes)
    return parsed


def _with_base64_ids(span: dict) -> dict:
    """OTLP has ids as hexadecimal digits, where JSON of protobuf has base64. It has enumerations as
    numbers and 64-bit numbers as strings, while protobuf's parser accepts more."""
    for name, digits in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
        if name in span:
            assert re.fullmatch(rf"[0-9a-f]{{{digits}}}", span[name]), span
            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    assert isinstance(span["kind"], int), span
    assert isinstance(span.get("status", {}).get("code", 0), int), span
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        assert isinstance(span[name], str), span
    return span


def parse(body: bytes) -> list[Span]:
    """Returns the spans of one request. Raises if it is not exactly as OTLP has it."""
    message = json.loads(body)
    for resource_spans in message["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            scope_spans["spans"] = [_with_base64_ids(span) for span in scope_spans["spans"]]
    request = json_format.ParseDict(message, _messages().ExportTraceServiceRequest())
    spans = []
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        assert {"service.name", "service.version", "service.instance.id"} == set(resource)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                spans.append(Span(
                    resource["service.name"], span.trace_id.hex(), span.span_id.hex(),
                    span.parent_span_id.hex(), span.name, span.kind, span.start_time_unix_nano,
                    span.end_time_unix_nano, _attributes(span.attributes),
                    span.status.code == ERROR))
    return spans


class Collector:
    """Listens on a port of 127.0.0.1 until close(); also a context manager. `status` is its answer; with `stalls` it
    accepts connections and reads nothing. `tls` is a server's certificate and key."""

    def __init__(self, port: int = 0, *, status: int = 200, stalls: bool = False, tls=None):
        self.status = status
        self.requests: list[tuple[dict, bytes]] = []  # Headers and bodies, of all attempts.
        self.accepted: list[bytes] = []  # The bodies that were answered with 200.
        self._changed = threading.Condition()
        if stalls:
            self._server = None
            self._listener = socket.create_server(("127.0.0.1", port))
            self.port = self._listener.getsockname()[1]
            return
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/json"
                self._answer(collector.receive(dict(self.headers), body))

            def _answer(self, status: int):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # Of TLS: the client's verdict on the certificate.

        self._server = Server(("127.0.0.1", port), Handler)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Collector":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        if self._server is None:
            self._listener.close()
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def receive(self, headers: dict, body: bytes) -> int:
        with self._changed:
            self.requests.append((headers, body))
            if self.status == 200:
                self.accepted.append(body)
            return self.status

    def spans(self) -> list[Span]:
        """Returns the spans that were accepted; none arrived twice."""
        spans = [span for body in list(self.accepted) for span in parse(body)]
        ids = collections.Counter((span.trace_id, span.span_id) for span in spans)
        assert [span for span, count in ids.items() if count > 1] == []
        return spans

    def trace(self, trace_id: str, count: int) -> list[Span]:
        """Waits for so many spans of a trace, and returns all that have arrived."""
        _messages()  # To install them may take longer than to wait.
        found: list[Span] = []

        def arrived() -> bool:
            found[:] = [span for span in self.spans() if span.trace_id == trace_id]
            return len(found) >= count

        eventually(arrived, 30)
        return found
