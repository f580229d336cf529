"""The services' logs: JSON lines, request ids, and never a secret; nor has a trace one."""

import json
import re
import socket

import pytest

from microcart import ROOT
from microcart.testing import tokens
from microcart.testing.auth_rpc import UserAuth
from microcart.testing.cluster import PASSWORD as DATABASE_PASSWORD, SERVING_ROLE
from microcart.testing.client import FORBIDDEN, Client
from microcart.testing.collector import Collector
from microcart.testing.service import Service
from microcart.waiting import eventually

EMAIL = "marked-email@example.com"
PREVIOUS_SECRET = "marked-previous-secret-0123456789abcdef"
COLLECTOR_KEY = "marked-collector-key"
TAKEN = {"email": ["User with this email already exists."]}
PASSWORDS = ("marked-first-password", "marked-second-password", "marked-wrong-password")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Toured:
    """The logs of both services at the lowest level, after a tour of all functions, and of their
    database server; and the spans that a collector has received."""

    def __init__(self, customers: Service, cart: Service, cluster, collector: Collector):
        self.services = [customers, cart]
        self.collector = collector
        self._cluster = cluster
        self.secrets = [tokens.SECRET, PREVIOUS_SECRET, DATABASE_PASSWORD, COLLECTOR_KEY,
                        *PASSWORDS, EMAIL, EMAIL.title(), "$argon2id$"]

    def token(self, header: str) -> str:
        """Records a token; neither it nor its signature may be logged."""
        self.secrets += [header.split()[-1], header.rsplit(".", 1)[-1]]
        return header

    def output(self) -> str:
        return "\n".join([*(service.output() for service in self.services), self._cluster.log()])


def _tour(toured: Toured, customers: Client, cart: Client) -> None:
    first, second, wrong = PASSWORDS
    email = EMAIL
    create = "/api/v1/users/create/"
    user = customers.post(create, body={"email": email, "password": first},
                          headers={"X-Request-ID": "marked-request-id"}).ok(201)
    path = f"/api/v1/users/{user['id']}/"

    def login(password: str):
        return customers.post("/api/v1/auth/login/", body={"email": email, "password": password})

    login(wrong).invalid({"non_field_errors": ["Unable to log in with provided credentials."]}, 400)
    token, ended, left = (toured.token(login(first).ok()["token"]) for _ in range(3))
    sessions = customers.get(f"{path}sessions/", token, headers={"User-Agent": wrong}).ok()
    customers.delete(f"{path}sessions/{sessions[1]['id']}/", token).ok(204)
    customers.get(path, ended).refused(403, "403: Token is revoked")
    customers.post("/api/v1/auth/logout/", left).ok(204)
    customers.delete(f"{path}sessions/", token).ok(204)
    for spelling in (email, email.title()):
        customers.post(create, body={"email": spelling, "password": first}).invalid(TAKEN, 400)
        customers.patch("/api/v1/users/3/", tokens.bearer(3), {"email": spelling}).invalid(TAKEN, 400)
    customers.post(create, content=f'{{"password": "{first}", broken'.encode())
    customers.post(create, body={"password": first, wrong: 1})
    customers.get(f"/api/v1/users/list/?search={wrong}", toured.token(tokens.bearer(1)))
    customers.patch(path, token, {"password": wrong})
    customers.patch(path, token, {"first_name": "Zoë"}).ok()
    cart_path = f"/api/v1/cart/{user['id']}/"
    cart.get(cart_path, token).ok()
    items = cart.post(f"/api/v1/cart-item/{user['id']}/create", token,
                      {"product_id": 1, "quantity": 1}).ok(201)["cart_items"]
    item = f"/api/v1/cart-item/{items[0]['id']}/"
    cart.patch(item, token, {"quantity": 2}).ok()
    cart.patch(item, token, {"quantity": wrong, first: email})
    cart.delete(item, token).ok(204)
    cart.put(f"{cart_path}products/1/", token, {"quantity": 1}).ok()
    cart.post(f"{cart_path}products/1/add/", token, {"quantity": 1}).ok()
    cart.post(f"{cart_path}merge/", token, {"items": [{"product_id": 2, "quantity": 1}]}).ok()
    checkout = cart.post(f"{cart_path}checkout/", token, headers={"If-Match": "*"}).ok(201)
    cart.get(f"{cart_path}checkouts/", token).ok()
    cart.get(f"/api/v1/checkouts/{checkout['id']}/", token).ok()
    cart.get("/api/v1/checkouts/list/", toured.token(tokens.bearer(1))).ok()
    cart.delete(cart_path, token).ok(204)
    cart.get(f"/api/v1/products/list/?search={wrong}").ok()
    cart.get("/api/v1/products/1/").ok()
    administrator = toured.token(tokens.bearer(1))
    cart.get(f"/api/v1/products/all/?search={wrong}&sort=name", administrator).ok()
    product = cart.post("/api/v1/products/create/", administrator,
                        {"name": wrong, "price": "1", "sku": "toured"}).ok(201)["id"]
    cart.patch(f"/api/v1/products/{product}/", administrator, {"description": wrong}).ok()
    cart.patch(f"/api/v1/products/{product}/", administrator, {"price": wrong})
    cart.delete(f"/api/v1/products/{product}/", administrator).ok(204)
    for client in (customers, cart):
        client.get(f"/api/v1/nothing/{email}/?password={wrong}", token, headers={
            "Cookie": f"session={wrong}", "Origin": f"https://{wrong}.example",
            "X-Forwarded-For": wrong, "X-Request-ID": f"{email} {wrong}",
            "traceparent": wrong, "tracestate": f"vendor={wrong}", "Referer": f"http://x/?{wrong}",
            "User-Agent": wrong})
    customers.patch(f"{path}change-password/", token, {
        "current_password": wrong, "new_password": second, "confirm_new_password": second})
    customers.patch(f"{path}change-password/", token, {
        "current_password": first, "new_password": second, "confirm_new_password": second}).ok()
    for client, target in ((customers, path), (cart, f"/api/v1/cart/{user['id']}/")):
        client.get(target, token)
        for make, _ in tokens.REFUSED.values():
            refused = make(user["id"])
            if refused.count(".") == 2 and len(refused) > 40:
                toured.token(f"Bearer {refused}")
            client.get(target, f"Bearer {refused}")
        client.get(target, f"Basic {wrong}")
        client.get(target, wrong)
        client.get("/api/v1/nothing/", token)
    recovery = {"code": wrong, "new_password": first, "confirm_new_password": first}
    customers.post("/api/v1/auth/recover/", body=recovery)
    code = customers.post(f"{path}recovery/", tokens.bearer(1)).ok(201)["code"]
    toured.secrets.append(code)
    customers.post("/api/v1/auth/recover/", body={**recovery, "code": code}).ok()
    customers.delete(path, toured.token(login(first).ok()["token"])).ok(204)


@pytest.fixture(scope="module")
def toured(customers_binary, customers_environment, customers_database, cart_binary,
           cart_environment, cart_database, cluster):
    collector = Collector()
    settings = {"LOG_LEVEL": "trace", "DEBUG": "true", "OTEL_TRACES_SAMPLER": "always_on",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={COLLECTOR_KEY}"}
    customers_service = Service(customers_binary, customers_environment(
        customers_database, JWT_SECRET_PREVIOUS=PREVIOUS_SECRET, **settings)).start()
    cart_service = Service(cart_binary, cart_environment(
        cart_database, customers_service.grpc_port, **settings)).start()
    toured = Toured(customers_service, cart_service, cluster, collector)
    customers, cart = Client(customers_service.url), Client(cart_service.url)
    _tour(toured, customers, cart)
    # Failures are likely to reveal details.
    cluster.stop("immediate")
    customers.post("/api/v1/auth/login/", body={
        "email": EMAIL, "password": PASSWORDS[1]}).refused(
            503, "503: Service Unavailable")
    cluster.start()
    customers_service.wait_ready()
    eventually(lambda: cart_service.readiness() == 200, 15)
    customers.close()
    cart.close()
    cart_service.stop()
    customers_service.stop()
    collector.close()
    return toured


def test_no_secret_is_logged(toured):
    output = toured.output()
    leaked = [secret for secret in toured.secrets if len(secret) > 7 and secret in output]
    assert leaked == []


def test_a_span_holds_nothing_secret_or_personal(toured):
    """Nothing that a client sends, but the ids of its trace; no id of a user, and no value of a
    statement."""
    spans = toured.collector.spans()
    assert {span.service for span in spans} == {"customers", "cart"}
    sent = "".join(body.decode() for body in toured.collector.accepted)
    assert [secret for secret in toured.secrets if len(secret) > 7 and secret in sent] == []
    for hidden in ("marked", "@", "Bearer", "Zoë", "SELECT", "INSERT", "/api/v1/users/3/"):
        assert hidden not in sent, hidden
    shown = {(key, value) for span in spans for key, value in span.attributes.items()}
    assert {key for key, _ in shown} == {
        "http.request.method", "http.route", "http.response.status_code", "url.scheme",
        "client.address", "db.system.name", "db.query.summary", "rpc.system", "rpc.method",
        "microcart.token.accepted", "error.type"}
    assert {value for key, value in shown if key == "client.address"} == {"127.0.0.1"}
    # Names and texts are declared ones.
    for text in {span.name for span in spans} | {value for key, value in shown
                                                 if isinstance(value, str)}:
        assert re.fullmatch(r"[A-Z]+ /[a-z0-9_{}/.-]*|/[a-z0-9_{}/.-]*|[A-Za-z0-9_./ ]+", text), text


def test_every_line_is_a_json_object(toured):
    for service in toured.services:
        assert service.stdout
        for line in service.stdout:
            entry = json.loads(line)
            assert {"time", "level", "message"} <= set(entry), line
            assert TIME.fullmatch(entry["time"]), line
            assert entry["level"] in ("trace", "debug", "info", "warning", "error"), line


def test_nothing_is_written_elsewhere(toured):
    assert [line for service in toured.services for line in service.stderr] == []


def entries(service: Service, message: str, **fields) -> list[dict]:
    """Returns the lines with this message and these fields."""
    parsed = [json.loads(line) for line in service.stdout]
    return [entry for entry in parsed if entry["message"] == message
            and all(entry.get(name) == value for name, value in fields.items())]


def test_a_request_is_found_by_its_id(toured):
    assert entries(toured.services[0], "request", request_id="marked-request-id")


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_the_tour_leaves_no_endpoint_out(toured, service):
    document = json.loads((ROOT / "docs/openapi" / f"{service}.json").read_text())
    known = {(method.upper(), path) for path, methods in document["paths"].items()
             for method in methods if method != "parameters"}
    logged = {(entry["method"], entry["route"])
              for entry in entries(toured.services[service == "cart"], "request")}
    assert known - logged == set()


def test_every_request_has_its_line(toured):
    """The text format, with the values of the tour."""
    for service in toured.services:
        for entry in entries(service, "request"):
            assert list(entry) == ["time", "level", "message", "request_id", "method", "route",
                                   "status", "duration_ms", "client", "user_id", "trace_id",
                                   "span_id"], entry
            assert entry["client"] == "127.0.0.1"
            assert re.fullmatch("[0-9a-f]{32}", entry["trace_id"]), entry
            assert re.fullmatch("[0-9a-f]{16}", entry["span_id"]), entry


@pytest.mark.parametrize("service", [0, 1], ids=["customers", "cart"])
def test_a_line_names_the_tokens_user(toured, service):
    lines = entries(toured.services[service], "request")
    with_user = [line for line in lines if line["user_id"] is not None]
    assert {line["status"] for line in with_user} >= {200}
    assert all(isinstance(line["user_id"], int) for line in with_user)
    # A refused token names no user.
    assert [line for line in with_user if line["status"] == 401] == []


# One request through both services

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Logged:
    """Both services at level debug, and their logs."""

    def __init__(self, customers: Service, cart: Service):
        self.services = customers, cart
        self.customers, self.cart = Client(customers.url), Client(cart.url)

    def lines(self, service: int, message: str, **fields) -> list[dict]:
        """Returns at least one line; lines are written within moments."""
        eventually(lambda: entries(self.services[service], message, **fields), 10)
        return entries(self.services[service], message, **fields)


@pytest.fixture(scope="module")
def logged(customers_binary, customers_environment, customers_database, cart_binary,
           cart_environment, cart_database, start_service):
    customers = start_service(customers_binary, customers_environment(
        customers_database, LOG_LEVEL="debug", TRUSTED_PROXIES="127.0.0.1"))
    return Logged(customers, start_service(cart_binary, cart_environment(
        cart_database, customers.grpc_port, LOG_LEVEL="debug", TRUSTED_PROXIES="127.0.0.1")))


def test_one_id_finds_the_lines_of_both_services(logged):
    logged.cart.get("/api/v1/cart/3/", tokens.bearer(3), headers={
        "X-Request-ID": "through-both", "traceparent": TRACEPARENT}).ok()
    asked, = logged.lines(1, "request", request_id="through-both")
    judged, = logged.lines(0, "token accepted", request_id="through-both")
    assert asked["user_id"] == judged["user_id"] == 3
    assert asked["trace_id"] == judged["trace_id"] == TRACE
    assert asked["span_id"] == judged["span_id"] != PARENT


def test_a_refusal_is_told_with_its_reason(logged):
    logged.cart.get("/api/v1/cart/3/", f"Bearer {tokens.sign(tokens.claims(3, lifetime=-60))}",
                    headers={"X-Request-ID": "refused-one"}).refused(
                        403, "403: Invalid authorization token, Signature has expired")
    asked, = logged.lines(1, "request", request_id="refused-one")
    judged, = logged.lines(0, "token refused", request_id="refused-one")
    assert (asked["user_id"], judged["user_id"]) == (None, None)
    assert judged["level"] == "info"
    assert judged["reason"] == "Invalid authorization token, Signature has expired"
    assert asked["trace_id"] == judged["trace_id"]


def test_a_unary_call_tells_its_ids_too(logged, auth_messages, certificates):
    with UserAuth(auth_messages, logged.services[0].grpc_port, certificates.cart.ca,
                  certificates.cart) as auth:
        auth.validate(tokens.bearer(3), metadata=(
            ("x-request-id", "unary-one"), ("traceparent", TRACEPARENT)))
        # A text that is not an id is not logged, and has no effect.
        auth.validate(tokens.bearer(4), metadata=(
            ("x-request-id", 'marked "id"'), ("traceparent", "marked-trace")))
    judged, = logged.lines(0, "token accepted", request_id="unary-one")
    assert (judged["user_id"], judged["trace_id"], judged["span_id"]) == (3, TRACE, PARENT)
    judged, = logged.lines(0, "token accepted", user_id=4)
    assert (judged["request_id"], judged["trace_id"], judged["span_id"]) == (None, None, None)


def test_being_asked_whether_one_is_there_is_not_logged(logged):
    """The cart service's readiness check sends an empty token every second."""
    logged.customers.get("/api/v1/nothing/")
    assert logged.services[1].readiness() == 200
    assert [entry for entry in entries(logged.services[0], "token refused")
            if entry["request_id"] is None] == []


@pytest.mark.parametrize("sent", [
    None, "", "garbage", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{PARENT}-01-more",
], ids=str)
def test_a_trace_is_begun_where_none_is_sent(logged, sent):
    name = f"trace-{abs(hash(sent))}"
    headers = {"X-Request-ID": name, **({} if sent is None else {"traceparent": sent})}
    logged.cart.get("/api/v1/cart/3/", tokens.bearer(3), headers=headers).ok()
    asked, = logged.lines(1, "request", request_id=name)
    judged, = logged.lines(0, "token accepted", request_id=name)
    assert asked["trace_id"] == judged["trace_id"] != TRACE
    assert asked["span_id"] == judged["span_id"] != PARENT


def test_two_traces_are_none(logged):
    with socket.create_connection(("127.0.0.1", logged.services[1].port), timeout=10) as client:
        client.sendall(f"GET /api/v1/nothing/ HTTP/1.1\r\nHost: x\r\nX-Request-ID: two-traces\r\n"
                       f"traceparent: {TRACEPARENT}\r\nTraceparent: {TRACEPARENT}\r\n\r\n".encode())
        client.recv(4096)
    entry, = logged.lines(1, "request", request_id="two-traces")
    assert entry["trace_id"] != TRACE


def test_a_later_version_of_the_header_is_understood(logged):
    logged.customers.get("/api/v1/users/3/", tokens.bearer(3), headers={
        "X-Request-ID": "later-version", "traceparent": f"01-{TRACE}-{PARENT}-03-and-more"}).ok()
    entry, = logged.lines(0, "request", request_id="later-version")
    assert (entry["trace_id"], entry["user_id"]) == (TRACE, 3)
    assert entry["span_id"] != PARENT


def test_a_statement_that_the_database_refuses_is_told(logged, cluster, cart_database):
    logged.cart.get("/api/v1/cart/3/", tokens.bearer(3)).ok()
    cluster.query(cart_database, f"REVOKE INSERT ON cartitems FROM {SERVING_ROLE}")
    try:
        assert logged.cart.post("/api/v1/cart-item/3/create", tokens.bearer(3),
                                {"product_id": 1, "quantity": 1}).status == 500
    finally:
        cluster.query(cart_database, f"GRANT INSERT ON cartitems TO {SERVING_ROLE}")
    entry, = logged.lines(1, "statement failed")
    assert {key: entry[key] for key in ("level", "statement", "sqlstate", "error")} == {
        "level": "error", "statement": "add_item", "sqlstate": "42501",
        "error": "permission denied for table cartitems"}


@pytest.mark.parametrize("service", [0, 1], ids=["customers", "cart"])
def test_the_clients_address_is_what_trusted_proxies_tell(logged, service):
    client = (logged.customers, logged.cart)[service]
    for number, (forwarded, address) in enumerate([
            ("203.0.113.9", "203.0.113.9"), ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, 127.0.0.1", "203.0.113.9"), (None, "127.0.0.1")]):
        headers = {"X-Request-ID": f"forwarded-{service}-{number}"}
        if forwarded is not None:
            headers["X-Forwarded-For"] = forwarded
        client.get("/api/v1/nothing/", headers=headers)
        entry, = logged.lines(service, "request", request_id=headers["X-Request-ID"])
        assert entry["client"] == address


def test_a_permission_denied_names_who_tried(logged):
    for service, client, path in ((0, logged.customers, "/api/v1/users/1/"),
                                  (1, logged.cart, "/api/v1/cart/1/")):
        name = f"denied-{service}"
        client.get(path, tokens.bearer(3), headers={"X-Request-ID": name}).refused(403, FORBIDDEN)
        entry, = logged.lines(service, "request", request_id=name)
        assert (entry["status"], entry["user_id"]) == (403, 3)


# Texts that might end a string, a line or an object, or begin another; as sent over the wire.
FORGED = [b'"', b'\\', b'marked","level":"error', b'marked"}{"message":"forged"}', b"marked\tforged",
          b"marked\nforged: x", b"marked\rforged", b"marked\x01", b"marked\x1b[2Jforged", b"marked\x7f",
          b"marked\xff\xfe", "marked\u2028\u202eforged".encode(), b'203.0.113.9"', b'fe80::1%"']
FIELDS = {
    "request": {"time", "level", "message", "request_id", "method", "route", "status",
                "duration_ms", "client", "user_id", "trace_id", "span_id"},
    "request refused": {"time", "level", "message", "request_id", "status", "client", "trace_id",
                        "span_id"},
}


@pytest.mark.parametrize("header", ["X-Request-ID", "traceparent", "X-Forwarded-For"])
@pytest.mark.parametrize("service", [0, 1], ids=["customers", "cart"])
def test_a_line_cannot_be_forged(logged, service, header):
    """Not by any logged part of a request: its ids, and the address from a trusted proxy."""
    client = (logged.customers, logged.cart)[service]
    opening, last = f"first-{service}-{header}", f"last-{service}-{header}"
    client.get("/api/v1/nothing/", headers={"X-Request-ID": opening})
    logged.lines(service, "request", request_id=opening)  # Also the lines before it were read.
    first = len(logged.services[service].stdout)
    for text in FORGED:
        with socket.create_connection(("127.0.0.1", logged.services[service].port),
                                      timeout=10) as connection:
            connection.sendall(b"GET /api/v1/nothing/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               + header.encode() + b": " + text + b"\r\n\r\n")
            while connection.recv(4096):
                pass
    client.get("/api/v1/nothing/", headers={"X-Request-ID": last})
    logged.lines(service, "request", request_id=last)
    told = [json.loads(line) for line in logged.services[service].stdout[first:]]
    assert len(told) == len(FORGED) + 1
    for entry in told:
        assert set(entry) == FIELDS[entry["message"]]
        assert entry["level"] == "info"
        assert re.fullmatch(r"[\w.:-]+", entry["request_id"]), entry
        assert re.fullmatch(r"[0-9a-f.:]+", entry["client"]), entry
        assert re.fullmatch("[0-9a-f]{32}", entry["trace_id"]), entry
    assert not [entry for entry in told if "marked" in str(entry) or "forged" in str(entry)]
