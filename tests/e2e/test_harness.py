"""The harness itself, on which every other file relies, reports every fault."""

import http.server
import ssl
import socket
import threading

import httpx
import jwt
import pytest

from microcart.testing import tokens, tour
from microcart.testing.client import Client, check


def answer(status: int, body: bytes = b"", method: str = "GET", **headers: str) -> httpx.Response:
    """Returns an answer like a service's; header names have _ for -."""
    given = {"Content-Type": "application/json", "X-Request-ID": "1",
             **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.Response(status, headers={name: value for name, value in given.items() if value},
                          content=body, request=httpx.Request(method, "http://localhost/"))


GOOD = {
    "data": answer(200, '{"data": {"name": "Zoë"}}'.encode()),
    "page": answer(200, b'{"data": [], "next": null}'),
    "no content": answer(204),
    "head": answer(404, method="HEAD"),
    "control escape": answer(200, b'{"data": "a\\u0001"}'),
    "error": answer(404, b'{"error": {"code": "not_found", "message": "404: Not Found"}}'),
    "fields": answer(422, b'{"error": {"code": "unprocessable_entity", "message": '
                          b'"Request validation has failed", "fields": {"password": ["x"]}}}'),
}

BAD = {
    "content type": answer(200, b'{"data": 1}', Content_Type="text/html"),
    "no content type on 204": answer(204, Content_Type=""),
    "no request id": answer(200, b'{"data": 1}', X_Request_ID=""),
    "body on 204": answer(204, b"{}"),
    "neither data nor error": answer(200, b"{}"),
    "data and error": answer(200, b'{"data": 1, "error": 2}'),
    "error with 200": answer(200, b'{"error": {"code": "ok", "message": "200: OK"}}'),
    "ASCII-escaped": answer(200, b'{"data": "Zo\\u00eb"}'),
    "password": answer(200, b'{"data": [{"password": "x"}]}'),
    "wrong code": answer(404, b'{"error": {"code": "gone", "message": "404: Not Found"}}'),
    "wrong message": answer(404, b'{"error": {"code": "not_found", "message": "Not Found"}}'),
    "fields without validation": answer(
        404, b'{"error": {"code": "not_found", "message": "404: Not Found", "fields": {}}}'),
    "no challenge": answer(401, b'{"error": {"code": "unauthorized", "message": "401: No"}}'),
    "no allow": answer(405, b'{"error": {"code": "method_not_allowed", "message": "405: No"}}'),
    "no retry": answer(503, b'{"error": {"code": "service_unavailable", "message": "503: No"}}'),
}


@pytest.mark.parametrize("response", GOOD.values(), ids=GOOD)
def test_checker_accepts(response):
    check(response)


@pytest.mark.parametrize("response", BAD.values(), ids=BAD)
def test_checker_refuses(response):
    with pytest.raises(AssertionError):
        check(response)


def test_client_sends_paths_as_they_are():
    seen = []

    class Recorder(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{server.server_port}", checker=lambda response: response)
        paths = ["/list/?search=%00", "/list/?search=%FF%FE", "/list/?search=%25&limit=1",
                 "/list/?search=a+b", "/a//b/%31%20/"]
        for path in paths:
            client.get(path)
        client.close()
        server.shutdown()
    assert seen == paths


def test_cluster_copies_templates_and_survives_a_restart(cluster):
    cluster.create("harness_template")
    cluster.query("harness_template", "CREATE TABLE t AS SELECT 'Zoë' AS name")
    cluster.create("harness_copy", "harness_template")
    cluster.stop()
    cluster.start()
    assert cluster.query("harness_copy", "SELECT * FROM t WHERE name = %s", "Zoë") == [("Zoë",)]
    assert "CREATE TABLE public.t" in cluster.dump("harness_copy", "--schema-only")
    cluster.drop("harness_copy")
    cluster.drop("harness_template")


@pytest.mark.parametrize("name", [
    None, "another authority", "self-signed", "expired", "not valid yet", "a server's"])
def test_certificates_are_good_and_bad_as_named(certificates, name):
    peer = certificates.bad_clients[name] if name else certificates.cart

    def context(side, purpose) -> ssl.SSLContext:
        made = ssl.create_default_context(purpose, cafile=str(side.ca))
        made.load_cert_chain(side.certificate, side.key)
        return made

    server = context(certificates.customers, ssl.Purpose.CLIENT_AUTH)
    server.verify_mode = ssl.CERT_REQUIRED
    client = context(peer, ssl.Purpose.SERVER_AUTH)
    near, far = socket.socketpair()
    results = []

    def serve():
        try:
            with server.wrap_socket(far, server_side=True) as secured:
                secured.send(b"hello")
            results.append(True)
        except ssl.SSLError:
            results.append(False)
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname="localhost") as secured:
            secured.recv(5)
    except OSError:
        near.close()
    thread.join(timeout=10)
    assert results == [name is None]


def test_tokens_are_the_references(auth_messages):
    claims = jwt.decode(tokens.bearer(7).split()[1], tokens.SECRET, algorithms=["HS256"])
    assert set(claims) == {"id", "email", "is_admin", "exp"}
    assert auth_messages.JwtToken(value="a").SerializeToString() == b"\x0a\x01a"


TOUR = """
# Title
```sh
echo outside
```
<!-- tour:begin -->
Text.
```sh
GREETING=hello
echo '{"b": 1, "at": "2026-11-22T23:00:27.304648+00:00"}'
```
answers
```json
{"at": "2020-01-01T00:00:00.000000+00:00",
 "b": 1}
```
```sh
echo "$GREETING Bearer a.b.c"
```
```text
hello Bearer x.y.z
```
```sh
true
```
<!-- tour:end -->
"""


def test_tour_runs_its_blocks_in_one_shell():
    steps = tour.parse(TOUR)
    outputs = tour.run(steps, {})
    assert [step.language for step in steps] == ["json", "text", None]
    assert all(tour.same(step, output) for step, output in zip(steps, outputs))
    assert not tour.same(steps[0], '{"b": 2, "at": "2026-11-22T23:00:27.304648+00:00"}')
    assert not tour.same(steps[2], "unannounced")


def test_tour_stops_at_a_failing_command():
    steps = tour.parse("<!-- tour:begin -->\n```sh\nfalse\n```\n<!-- tour:end -->")
    with pytest.raises(AssertionError):
        tour.run(steps, {})
