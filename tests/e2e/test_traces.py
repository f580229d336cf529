"""Traces: spans of both services, as an OpenTelemetry collector receives them. Without a collector,
and with one that fails, requests are served as before."""

import json
import secrets
import socket
import threading

import httpx
import pytest

from microcart.network import free_port
from microcart.testing import tokens
from microcart.testing.auth_rpc import UserAuth
from microcart.testing.client import Client
from microcart.testing.collector import CLIENT, SERVER, Collector, Span
from microcart.testing.metrics import Scrape
from microcart.testing.service import Service
from microcart.waiting import eventually

PARENT = "00f067aa0ba902b7"
EXPORTED, DROPPED = "trace_spans_exported_total", "trace_spans_dropped_total"
VALIDATE = "customers.v1.TokenValidation/ValidateTokens"


def traceparent(flags: str = "01") -> tuple[str, str]:
    """Returns the id of a new trace, and the header that names a span of it."""
    trace = secrets.token_hex(16)
    return trace, f"00-{trace}-{PARENT}-{flags}"


def lines(service: Service, message: str) -> list[dict]:
    parsed = [json.loads(line) for line in service.stdout]
    return [entry for entry in parsed if entry["message"] == message]


class Pair:
    """Both services, with one collector. Spans are complete after stop()."""

    def __init__(self, customers: Service, cart: Service):
        self.services = customers, cart
        self.customers, self.cart = Client(customers.url), Client(cart.url)

    def stop(self) -> None:
        for service in reversed(self.services):
            if service.alive():
                service.stop()


@pytest.fixture
def start_pair(customers_binary, customers_environment, customers_database, cart_binary,
               cart_environment, cart_database, start_service):
    """Starts both services with these variables."""
    def start(collector: Collector, **variables: str) -> Pair:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **variables}
        customers = start_service(customers_binary, customers_environment(
            customers_database, LOG_LEVEL="debug", **variables))
        return Pair(customers, start_service(cart_binary, cart_environment(
            cart_database, customers.grpc_port, LOG_LEVEL="debug", **variables)))
    return start


@pytest.fixture
def start_customers(customers_binary, customers_environment, customers_database, start_service):
    def start(endpoint: str, **variables: str) -> Service:
        return start_service(customers_binary, customers_environment(
            customers_database, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **variables))
    return start


def children(spans: list[Span], parent: Span) -> list[Span]:
    return sorted((span for span in spans if span.parent_id == parent.span_id),
                  key=lambda span: span.start)


def check_cart_trace(spans: list[Span], statement: str = "read_cart") -> None:
    """The trace of a GET of a cart: from the request to the statement in the other service."""
    request, = [span for span in spans if span.parent_id == PARENT]
    assert (request.service, request.name, request.kind, request.is_error) == (
        "cart", "GET /api/v1/cart/{user_id}/", SERVER, False)
    assert request.attributes == {
        "http.request.method": "GET", "http.route": "/api/v1/cart/{user_id}/",
        "http.response.status_code": 200, "url.scheme": "http", "client.address": "127.0.0.1"}
    validation, *statements = children(spans, request)
    assert (validation.service, validation.name, validation.kind) == (
        "cart", "validate token", CLIENT)
    assert statement in [span.name for span in statements]
    verdict, = children(spans, validation)
    assert (verdict.service, verdict.name, verdict.kind) == ("customers", VALIDATE, SERVER)
    assert verdict.attributes == {"rpc.system": "grpc", "rpc.method": VALIDATE,
                                  "microcart.token.accepted": True}
    lookup, = children(spans, verdict)
    assert lookup.service == "customers"
    for span in (*statements, lookup):
        assert span.kind == CLIENT and not span.is_error
        assert span.attributes == {"db.system.name": "postgresql", "db.query.summary": span.name}
    assert len(spans) == 4 + len(statements)
    # Each span lies within its parent; both services have one clock here.
    within = {span.span_id: span for span in spans}
    for span in spans:
        if span.parent_id != PARENT:
            parent = within[span.parent_id]
            assert parent.start <= span.start <= span.end <= parent.end, (parent, span)


def test_one_trace_shows_both_services(start_pair):
    with Collector() as collector:
        pair = start_pair(collector)
        trace, header = traceparent()
        pair.cart.get("/api/v1/cart/3/", tokens.bearer(3), headers={
            "traceparent": header, "X-Request-ID": "traced"}).ok()
        check_cart_trace(collector.trace(trace, 5))
        # The lines of the log have the same ids.
        pair.stop()
        spans = {span.span_id: span for span in collector.spans() if span.trace_id == trace}
        asked, = [line for line in lines(pair.services[1], "request")
                  if line["request_id"] == "traced"]
        judged, = [line for line in lines(pair.services[0], "token accepted")
                   if line["request_id"] == "traced"]
        assert asked["trace_id"] == judged["trace_id"] == trace
        assert spans[asked["span_id"]].name == "GET /api/v1/cart/{user_id}/"
        assert spans[judged["span_id"]].name == VALIDATE


def test_traces_of_simultaneous_requests_are_not_mixed(start_pair):
    """Their validations share messages and statements."""
    threads, requests = 8, 25
    headers: dict[str, str] = {}
    with Collector() as collector:
        pair = start_pair(collector)

        def work() -> None:
            with httpx.Client(base_url=pair.services[1].url) as client:
                for _ in range(requests):
                    trace, header = traceparent()
                    headers[trace] = header
                    client.get("/api/v1/cart/3/", headers={
                        "Authorization": tokens.bearer(3), "traceparent": header}
                    ).raise_for_status()

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        pair.stop()
        assert len(headers) == threads * requests
        traces: dict[str, list[Span]] = {trace: [] for trace in headers}
        for span in collector.spans():
            if span.trace_id in traces:
                traces[span.trace_id].append(span)
    for spans in traces.values():
        check_cart_trace(spans)


def test_failures(start_pair):
    """A refusal is an answer; an outage is an error of all spans that it leads to."""
    with Collector() as collector:
        pair = start_pair(collector)
        refused, header = traceparent()
        assert pair.cart.get("/api/v1/cart/3/", "Bearer x", headers={
            "traceparent": header}).status == 403
        customers, cart = pair.services
        customers.pause()
        failed, header = traceparent()
        assert pair.cart.get("/api/v1/cart/3/", tokens.bearer(3), headers={
            "traceparent": header}).status == 503
        customers.resume()
        customers.wait_ready()
        pair.stop()
        spans = collector.spans()
    of_refused = {span.name: span for span in spans if span.trace_id == refused}
    assert [span for span in of_refused.values() if span.is_error] == []
    for name in ("validate token", VALIDATE):
        assert of_refused[name].attributes["microcart.token.accepted"] is False
    assert of_refused["GET /api/v1/cart/{user_id}/"].attributes["http.response.status_code"] == 403
    of_failed = {span.name: span for span in spans
                 if span.trace_id == failed and span.service == "cart"}
    assert {name: (span.is_error, span.attributes["error.type"])
            for name, span in of_failed.items()} == {
        "GET /api/v1/cart/{user_id}/": (True, "503"), "validate token": (True, "unavailable")}


def test_a_failed_statement(start_pair):
    with Collector() as collector:
        pair = start_pair(collector)
        trace, header = traceparent()
        item = {"product_id": 1, "quantity": 1}
        pair.cart.delete("/api/v1/cart/3/", tokens.bearer(3)).ok(204)
        pair.cart.post("/api/v1/cart-item/3/create", tokens.bearer(3), item).ok(201)
        assert pair.cart.post("/api/v1/cart-item/3/create", tokens.bearer(3), item, headers={
            "traceparent": header}).status == 400
        pair.stop()
        failed, = [span for span in collector.spans()
                   if span.trace_id == trace and span.name == "add_item"]
    assert failed.is_error
    assert failed.attributes["error.type"] == "23505"


def test_what_has_no_span(start_customers):
    """Health checks; and the path of an unknown route, which may hold anything."""
    with Collector() as collector:
        service = start_customers(collector.url, OTEL_TRACES_SAMPLER="always_on")
        client = Client(service.url)
        for path in ("/healthz", "/readyz"):
            client.get(path).ok()
        client.get("/api/v1/marked/?marked=1").refused(404, "404: Not Found")
        client.call("BREW", "/api/v1/marked/")
        client.close()
        service.stop()
        spans = collector.spans()
        assert sorted((span.name, span.attributes["http.request.method"]) for span in spans) == [
            ("GET", "GET"), ("HTTP", "_OTHER")]
        assert b"marked" not in b"".join(collector.accepted)


def test_a_unary_call(start_customers, auth_messages, certificates):
    with Collector() as collector:
        service = start_customers(collector.url)
        trace, header = traceparent()
        with UserAuth(auth_messages, service.grpc_port, certificates.cart.ca,
                      certificates.cart) as auth:
            auth.validate(tokens.bearer(3), metadata=(("traceparent", header),))
        service.stop()
        spans = [span for span in collector.spans() if span.trace_id == trace]
    call, = [span for span in spans if span.parent_id == PARENT]
    assert (call.name, call.kind) == ("UserAuth/ValidateToken", SERVER)
    assert len(children(spans, call)) == 1


@pytest.mark.parametrize("sampler, argument, recorded", [
    ("", "", {"01", "none"}),
    ("always_on", "", {"00", "01", "none"}),
    ("always_off", "", set()),
    ("traceidratio", "0", set()),
    ("parentbased_always_off", "", {"01"}),
    ("parentbased_traceidratio", "0", {"01"}),
    ("parentbased_traceidratio", "1", {"01", "none"}),
], ids=str)
def test_samplers(start_pair, sampler, argument, recorded):
    """Both services decide alike, because the cart service passes its decision on."""
    with Collector() as collector:
        pair = start_pair(collector, OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
        sent = {}
        for flags in ("00", "01"):
            trace, header = traceparent(flags)
            sent[trace] = flags
            pair.cart.get("/api/v1/cart/3/", tokens.bearer(3), headers={
                "traceparent": header}).ok()
        pair.cart.get("/api/v1/cart/3/", tokens.bearer(3)).ok()
        pair.stop()
        for service in ("customers", "cart"):
            assert {sent.get(span.trace_id, "none") for span in collector.spans()
                    if span.service == service} == recorded
        # A span that is not recorded is no failure either.
        assert lines(pair.services[1], "spans lost at the end") == []


def test_service_names_and_headers(start_customers):
    with Collector() as collector:
        service = start_customers(collector.url, OTEL_SERVICE_NAME="accounts",
                                  OTEL_EXPORTER_OTLP_HEADERS="api-key=marked%20key")
        client = Client(service.url)
        client.get("/api/v1/users/3/", tokens.bearer(3)).ok()
        client.close()
        service.stop()
        assert {span.service for span in collector.spans()} == {"accounts"}
        assert {headers["api-key"] for headers, _ in collector.requests} == {"marked key"}
    assert "marked" not in service.output()


def test_without_a_collector_nothing_is_recorded(start_customers):
    service = start_customers("")
    client = Client(service.url)
    _, header = traceparent()
    client.get("/api/v1/users/3/", tokens.bearer(3), headers={"traceparent": header}).ok()
    client.close()
    scrape = Scrape(service)
    assert (scrape.value(EXPORTED), scrape.value(DROPPED)) == (0, 0)


# TLS

@pytest.mark.parametrize("trusts", [True, False], ids=["trusted", "not trusted"])
def test_https(start_customers, certificates, trusts):
    peer = certificates.customers
    with Collector(tls=(peer.certificate, peer.key)) as collector:
        variables = {"SSL_CERT_FILE": str(peer.ca)} if trusts else {}
        service = start_customers(f"https://localhost:{collector.port}", **variables)
        client = Client(service.url)
        client.get("/api/v1/users/3/", tokens.bearer(3)).ok()
        client.close()
        service.stop()
        if trusts:
            assert collector.spans() != []
            return
        assert collector.requests == []
    failure, = lines(service, "cannot send spans to the collector")
    assert "certificate verify failed" in failure["error"]
    lost, = lines(service, "spans lost at the end")
    assert lost["spans"] > 0


# Collectors that fail

def send(service: Service, count: int) -> None:
    """Sends requests that each lead to two spans or more. All are answered."""
    batch = 50
    request = (f"GET /api/v1/users/3/ HTTP/1.1\r\nHost: x\r\n"
               f"Authorization: {tokens.bearer(3)}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        for _ in range(0, count, batch):
            connection.sendall(request * batch)
            answers = b""
            while answers.count(b"HTTP/1.1 200") < batch or not answers.endswith(b"}}"):
                received = connection.recv(65536)
                assert received
                answers += received


@pytest.mark.parametrize("failure", ["away", "stalls", "busy"])
def test_a_collector_that_fails_holds_up_nothing(start_customers, failure):
    """Neither requests nor the end. What is lost is counted; when the collector works again, what
    has been kept is sent."""
    port = free_port()
    service = start_customers(f"http://127.0.0.1:{port}")
    failing = None
    if failure != "away":
        failing = Collector(port, stalls=failure == "stalls", status=503)
    send(service, 2000)
    scrape = Scrape(service)
    kept = 2048 + 512
    dropped = scrape.value(DROPPED)
    assert dropped >= 2 * 2000 - kept
    assert scrape.value(EXPORTED) == 0
    eventually(lambda: len(lines(service, "spans dropped")) == 1, 30)
    assert len(lines(service, "cannot send spans to the collector")) == 1
    if failing is not None:
        failing.close()
    with Collector(port) as collector:
        eventually(lambda: Scrape(service).value(EXPORTED) > 2000, 60)
        eventually(lambda: len(lines(service, "spans are sent again")) == 1)
        before = Scrape(service).value(DROPPED)
        send(service, 50)
        service.stop()
        assert len(collector.spans()) >= 2000 + 100
    assert before == dropped
    assert len(lines(service, "cannot send spans to the collector")) == 1
    assert lines(service, "spans lost at the end") == []


def test_a_collector_that_refuses(start_customers):
    with Collector(status=401) as collector:
        service = start_customers(collector.url)
        send(service, 300)
        eventually(lambda: Scrape(service).value(DROPPED) >= 512)
        failure, = lines(service, "cannot send spans to the collector")
        assert failure["error"] == "HTTP status 401"
        collector.status = 200
        send(service, 300)
        eventually(lambda: Scrape(service).value(EXPORTED) >= 512)
        service.stop()
        assert len(lines(service, "cannot send spans to the collector")) == 1
        assert len(lines(service, "spans are sent again")) == 1


@pytest.mark.parametrize("failure", ["away", "stalls"])
def test_a_collector_that_fails_does_not_keep_it_from_ending(start_customers, failure):
    with Collector(stalls=True) as collector:
        port = collector.port if failure == "stalls" else free_port()
        service = start_customers(f"http://127.0.0.1:{port}")
        send(service, 50)
        service.process.terminate()
        assert service.wait() == 0
    lost, = lines(service, "spans lost at the end")
    assert lost["spans"] >= 100
