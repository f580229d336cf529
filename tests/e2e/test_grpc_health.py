"""The gRPC health service of the customers service reports the same as its readiness."""

import signal
import socket

import pytest

from microcart.testing.health_rpc import NOT_SERVING, SERVING, health
from microcart.testing.service import Service
from microcart.waiting import eventually


@pytest.fixture
def service(customers_binary, customers_environment, customers_database):
    running = Service(customers_binary, customers_environment(customers_database)).start()
    yield running
    if running.alive():
        running.kill()


@pytest.fixture
def ask(service, certificates):
    with health(service.grpc_port, certificates.cart.ca, certificates.cart) as client:
        yield client


def test_a_ready_service_serves(ask):
    eventually(lambda: ask.check() == SERVING)


def test_without_its_database_it_does_not(service, ask, cluster):
    states = ask.watch()
    while next(states) != SERVING:
        pass
    cluster.stop()
    try:
        assert next(states) == NOT_SERVING
        assert ask.check() == NOT_SERVING
        assert service.readiness() == 503
    finally:
        cluster.start()
    assert next(states) == SERVING
    assert ask.check() == SERVING
    states.cancel()


def test_before_the_schema_is_right_it_does_not(customers_binary, customers_environment, cluster,
                                                certificates):
    empty = cluster.create("not_migrated")
    service = Service(customers_binary, customers_environment(empty)).start(until_ready=False)
    with health(service.grpc_port, certificates.cart.ca, certificates.cart) as client:
        service.wait_ready(503)
        assert client.check() == NOT_SERVING
    service.stop()


def test_a_stopping_service_does_not(service, ask):
    states = ask.watch()
    while next(states) != SERVING:
        pass
    with socket.create_connection(("127.0.0.1", service.port)) as slow:
        slow.sendall(b"POST /api/v1/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
        eventually(lambda: service.readiness() == 200)
        service.process.send_signal(signal.SIGTERM)
        assert next(states) == NOT_SERVING
        # The service still waits for that request.
        assert ask.check() == NOT_SERVING
        assert service.alive()
        slow.sendall(b"}")
        assert b"422 Unprocessable Entity" in slow.recv(4096)
    states.cancel()
    assert service.wait() == 0
