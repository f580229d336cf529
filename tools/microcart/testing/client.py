"""An HTTP client that checks the wire conventions of every answer that it receives."""

import http
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from microcart.testing import documents

NOTHING = object()
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
MONEY = re.compile(r"(0|[1-9]\d*)\.\d\d")
VALIDATION = "Request validation has failed"
FORBIDDEN = "403: You do not have permission to perform this action."
NOT_FOUND = "404: Not Found"
NOT_ALLOWED = "405: Method Not Allowed"

# A character that need not be escaped, written as an escape.
_ASCII_ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\u(?!00[01][0-9a-fA-F]|007[fF])")
# Ends of the paths whose success is the bare `{}`.
_BARE = ("/change-password/", "/auth/recover/")
_NAMES = {413: "payload_too_large"}


class Answer:
    """A checked answer: its status, headers and parsed body."""

    def __init__(self, response: httpx.Response):
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.text = response.text
        self.body = json.loads(response.content) if response.content else None

    def __repr__(self) -> str:
        request = self.response.request
        return f"<{request.method} {request.url} → {self.status} {self.text[:500]}>"

    @property
    def data(self):
        return self.body["data"]

    @property
    def fields(self) -> dict:
        return self.body["error"]["fields"]

    def ok(self, status: int = 200):
        """Returns the data of a success."""
        assert self.status == status, self
        return self.body["data"] if self.body else None

    def bare(self) -> None:
        """A success that answers `{}`, without `data`."""
        assert (self.status, self.body) == (200, {}), self

    def refused(self, status: int, message: str) -> None:
        assert (self.status, self.body["error"]["message"]) == (status, message), self

    def invalid(self, fields: dict, status: int = 422) -> None:
        """Expects a validation failure with exactly these messages."""
        assert (self.status, self.body["error"].get("fields")) == (status, fields), self


def check(response: httpx.Response) -> Answer:
    """Checks an answer. Every answer of either service passes through this function."""
    assert response.headers.get("Content-Type", "").split(";")[0] == "application/json", (
        response.request.url, response.status_code, response.headers)
    assert response.headers.get("X-Request-ID"), response.headers
    documents.check(response)
    bodiless = (response.status_code in (204, 304)
                or response.request.method in ("HEAD", "OPTIONS"))
    if bodiless and response.status_code < 400 or response.request.method == "HEAD":
        assert response.content == b"", response.content
        return Answer(response)
    answer = Answer(response)
    assert not _ASCII_ESCAPED.search(answer.text), answer
    assert isinstance(answer.body, dict), answer
    if response.status_code < 400:
        is_bare = response.request.url.path.endswith(_BARE)
        assert set(answer.body) in ([set()] if is_bare else [{"data"}, {"data", "next"}]), answer
        assert "password" not in keys(answer.body), answer
    else:
        _check_error(answer)
    return answer


def _check_error(answer: Answer) -> None:
    assert set(answer.body) == {"error"}, answer
    error = answer.body["error"]
    status = http.HTTPStatus(answer.status)
    assert error["code"] == _NAMES.get(status, status.phrase.lower().replace(" ", "_")), answer
    if error["message"] == VALIDATION:
        assert set(error) == {"code", "message", "fields"}, answer
        assert answer.status in (400, 409, 422), answer
        assert error["fields"], answer
        for messages in error["fields"].values():
            assert messages and all(isinstance(message, str) for message in messages), answer
    else:
        assert set(error) == {"code", "message"}, answer
        assert error["message"].startswith(f"{answer.status}: "), answer
    if answer.status == 401:
        assert answer.headers.get("WWW-Authenticate") == "Bearer", answer.headers
    if answer.status == 405:
        assert answer.headers.get("Allow"), answer.headers
    if answer.status in (429, 503):
        assert int(answer.headers.get("Retry-After", "0")) >= 1, answer.headers


def keys(value) -> set[str]:
    """Returns every key of every object within a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return set()


def _send_at_once(event: str, details: dict) -> None:
    """Lets a body follow its headers without waiting 40 ms for the server's acknowledgement."""
    if event == "connection.connect_tcp.complete":
        connected = details["return_value"].get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Client:
    """A client of one service. Thread-safe; connections are kept and shared."""

    def __init__(self, url: str, checker=check):
        self.url = url
        self._check = checker
        self._http = httpx.Client(
            base_url=url, timeout=30,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=100))

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, token: str | None = None, body=NOTHING, *,
             content: bytes | None = None, headers: dict | None = None) -> Answer:
        """`token` is the whole Authorization header; `body` is sent as JSON, `content` unchanged."""
        if body is not NOTHING:
            content = json.dumps(body, ensure_ascii=False).encode()
        headers = dict(headers or {})
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        if token is not None:
            headers["Authorization"] = token
        return self._check(self._http.request(method, path, content=content, headers=headers,
                                              extensions={"trace": _send_at_once}))

    def get(self, path: str, token: str | None = None, **options) -> Answer:
        return self.call("GET", path, token, **options)

    def post(self, path: str, token: str | None = None, body=NOTHING, **options) -> Answer:
        return self.call("POST", path, token, body, **options)

    def put(self, path: str, token: str | None = None, body=NOTHING, **options) -> Answer:
        return self.call("PUT", path, token, body, **options)

    def patch(self, path: str, token: str | None = None, body=NOTHING, **options) -> Answer:
        return self.call("PATCH", path, token, body, **options)

    def delete(self, path: str, token: str | None = None, **options) -> Answer:
        return self.call("DELETE", path, token, **options)


def at_once(url: str, requests: list[tuple], headers: list[dict] | dict | None = None
            ) -> list[Answer]:
    """Sends all requests (the arguments of `Client.call`) at the same moment, each on a connection
    of its own that is already open; the answers in the requests' order. `headers` are those of all
    requests, or a list with those of each."""
    barrier = Barrier(len(requests))
    if not isinstance(headers, list):
        headers = [headers] * len(requests)

    def send(arguments: tuple, own_headers: dict | None) -> Answer:
        client = Client(url)
        try:
            client.call("GET", "/api/v1/nothing/")  # Opens the connection.
            barrier.wait(timeout=30)
            return client.call(*arguments, headers=own_headers)
        finally:
            client.close()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(send, requests, headers))
