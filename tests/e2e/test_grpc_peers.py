"""Only our own services can use the gRPC port, over mutual TLS of today. Any other peer is refused,
both as a client of the customers service and in its place."""

import contextlib
import socket
import ssl
import time

import grpc
import pytest

from microcart.testing import tokens
from microcart.testing.auth_rpc import UserAuth
from microcart.certificates import Peer
from microcart.testing.client import Client
from microcart.testing.metrics import Scrape
from microcart.waiting import eventually

HANDSHAKE_TIME = 2  # platform/grpc/server.h
SLACK = 3
BAD_CLIENTS = ("another authority", "self-signed", "expired", "not valid yet", "a server's",
               "another name")
BAD_SERVERS = (*BAD_CLIENTS[:4], "a client's", "another name")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)  # And empty SETTINGS.


def test_every_bad_peer_has_its_test(certificates):
    assert set(certificates.bad_clients) == set(BAD_CLIENTS)
    assert set(certificates.bad_servers) == set(BAD_SERVERS)


@pytest.fixture(autouse=True)
def still_served(auth_messages, customers_service, certificates):
    """After any bad peer, a good one is answered."""
    yield
    with UserAuth(auth_messages, customers_service.grpc_port, certificates.cart.ca,
                  certificates.cart) as auth:
        assert auth.validate(tokens.bearer(3)).user_id == 3


# Clients of the customers service

@pytest.mark.parametrize("name", [None, *BAD_CLIENTS])
def test_bad_client_gets_no_answer(auth_messages, certificates, customers_service, name):
    peer = certificates.bad_clients[name] if name else None
    with UserAuth(auth_messages, customers_service.grpc_port, certificates.cart.ca, peer) as bad:
        for header in (tokens.bearer(3), "Bearer x"):
            assert bad.refusal(header)[0] == grpc.StatusCode.UNAVAILABLE


def test_further_clients_are_served_by_name(
        auth_messages, certificates, customers_binary, customers_environment, customers_database,
        start_service):
    service = start_service(customers_binary, customers_environment(
        customers_database, GRPC_CLIENTS="cart, orders"))
    for peer in (certificates.cart, certificates.bad_clients["another name"]):
        with UserAuth(auth_messages, service.grpc_port, certificates.cart.ca, peer) as auth:
            assert auth.validate(tokens.bearer(3)).user_id == 3


def test_plain_text_grpc_gets_no_answer(auth_messages, customers_service):
    with grpc.insecure_channel(f"127.0.0.1:{customers_service.grpc_port}") as channel:
        call = channel.unary_unary(
            "/UserAuth/ValidateToken",
            request_serializer=auth_messages.AuthRequest.SerializeToString,
            response_deserializer=auth_messages.AuthResponse.FromString)
        with pytest.raises(grpc.RpcError) as error:
            call(auth_messages.AuthRequest(), timeout=5)
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def _context(peer: Peer, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(peer.ca))
    context.load_cert_chain(peer.certificate, peer.key)
    context.set_alpn_protocols(protocols)
    return context


@contextlib.contextmanager
def _connected(port: int, context: ssl.SSLContext | None = None):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        if context is None:
            yield plain
        else:
            with context.wrap_socket(plain, server_hostname="localhost") as wrapped:
                yield wrapped


def _read_to_end(connection: socket.socket) -> bytes:
    """Returns the bytes until the connection ends in any way; fails if it does not end."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except (ConnectionError, ssl.SSLError):
        pass
    return received


def test_our_own_way_to_connect_works(customers_service, certificates):
    """A good peer is accepted, so the refusals below are due to the peers."""
    with _connected(customers_service.grpc_port, _context(certificates.cart, "h2")) as good:
        assert good.version() == "TLSv1.3" and good.selected_alpn_protocol() == "h2"
        good.sendall(PREFACE)
        assert good.recv(9)[3] == 4  # SETTINGS.


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1],
                         ids=["TLS 1.0", "TLS 1.1"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(customers_service, certificates, version):
    context = _context(certificates.cart, "h2")
    context.set_ciphers("ALL:@SECLEVEL=0")  # Ours would offer it.
    context.minimum_version = context.maximum_version = version
    first_line = len(customers_service.stdout)
    with pytest.raises(ssl.SSLError):
        with _connected(customers_service.grpc_port, context):
            pass
    eventually(lambda: "unsupported protocol" in "".join(customers_service.stdout[first_line:]))


@pytest.mark.parametrize("protocols", [(), ("http/1.1",), ("h2c", "spdy/3")],
                         ids=["none", "HTTP/1.1", "unknown"])
def test_other_protocols_over_tls_are_refused(customers_service, certificates, protocols):
    """This holds even for a peer with a good certificate."""
    try:
        with _connected(customers_service.grpc_port,
                        _context(certificates.cart, *protocols)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = _read_to_end(connection)
    except (ssl.SSLError, ConnectionError):
        return
    assert b"HTTP/1.1" not in received and b"200" not in received


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", PREFACE, b"\x00" * 4096, b"\xff" * 4096,
    b"\x16\x03\x01\xff\xff" + b"x" * 1000, b"\x80\x2e\x01\x00\x02" + b"x" * 41,
    b"\x15\x03\x03\x00\x02\x02\x00"],
    ids=["HTTP/1.1", "HTTP/2 in plain text", "zeroes", "ones", "an oversized record", "SSL 2",
         "an alert"])
def test_garbage_ends_the_connection(customers_service, garbage):
    began = time.monotonic()
    with _connected(customers_service.grpc_port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(garbage)
        received = _read_to_end(connection)
    assert len(received) <= 16, received  # At most an alert.
    assert time.monotonic() - began < HANDSHAKE_TIME + SLACK


def _client_hello(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("part", ["nothing", "half a hello", "a hello", "a hello, byte by byte"])
def test_a_handshake_that_goes_on_for_too_long_is_ended(customers_service, certificates, part):
    hello = _client_hello(_context(certificates.cart, "h2"))
    sent = {"nothing": b"", "half a hello": hello[:len(hello) // 2]}.get(part, hello)
    began = time.monotonic()
    with _connected(customers_service.grpc_port) as connection:
        if part.endswith("byte by byte"):
            with contextlib.suppress(ConnectionError):
                for position in range(len(sent)):
                    if time.monotonic() - began > HANDSHAKE_TIME + SLACK:
                        break
                    connection.sendall(sent[position:position + 1])
                    time.sleep(0.1)
        else:
            connection.sendall(sent)
        _read_to_end(connection)
    assert time.monotonic() - began < HANDSHAKE_TIME + SLACK


def test_silent_connections_take_neither_the_port_nor_all_descriptors(
        auth_messages, customers_service, certificates):
    """3,000 connections of one address that never shake hands: others are answered meanwhile."""
    silent = []
    try:
        for _ in range(3000):
            silent.append(socket.socket())
            silent[-1].bind(("127.0.0.2", 0))
            silent[-1].connect(("127.0.0.1", customers_service.grpc_port))
        assert Scrape(customers_service).value("process_open_fds") < 600
        with UserAuth(auth_messages, customers_service.grpc_port, certificates.cart.ca,
                      certificates.cart) as auth:
            assert auth.validate(tokens.bearer(3)).user_id == 3
        assert customers_service.readiness() == 200
    finally:
        for connection in silent:
            connection.close()


# In the place of the customers service

@pytest.mark.parametrize("name", BAD_SERVERS)
def test_bad_server_is_not_believed(
        cart_binary, cart_environment, cart_database, customers_binary, customers_environment,
        customers_database, certificates, start_service, name):
    impostor = start_service(customers_binary, {
        **customers_environment(customers_database), **certificates.bad_servers[name].environment()})
    misled = start_service(cart_binary, cart_environment(cart_database, impostor.grpc_port),
                           until_ready=False)
    client = Client(misled.url)
    client.get("/api/v1/cart/3/", tokens.bearer(3)).refused(503, "503: Service Unavailable")
    assert misled.readiness() == 503
    client.close()
    misled.kill()
    impostor.kill()


@pytest.mark.parametrize("name", ["another authority", "expired"])
def test_cart_with_a_bad_certificate_is_not_served(
        cart_binary, cart_environment, cart_database, certificates, customers_service,
        start_service, name):
    service = start_service(cart_binary, {
        **cart_environment(cart_database, customers_service.grpc_port),
        **certificates.bad_clients[name].environment()}, until_ready=False)
    client = Client(service.url)
    client.get("/api/v1/cart/3/", tokens.bearer(3)).refused(503, "503: Service Unavailable")
    assert service.readiness() == 503
    client.close()
