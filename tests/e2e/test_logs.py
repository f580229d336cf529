"""What the services write down: JSON lines, request ids, and never a secret."""

import json
import re

import pytest

from support import tokens
from support.cluster import PASSWORD as DATABASE_PASSWORD
from support.client import Client
from support.service import Service
from support.waiting import eventually

PASSWORDS = ("marked-first-password", "marked-second-password", "marked-wrong-password")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Toured:
    """Both services at the most talkative level, after a tour of all they do, and ended."""

    def __init__(self, customers: Service, cart: Service):
        self.services = [customers, cart]
        self.secrets = [tokens.SECRET, DATABASE_PASSWORD, *PASSWORDS, "$argon2id$"]

    def token(self, header: str) -> str:
        """Remembers a token: neither it nor its signature may be logged."""
        self.secrets += [header.split()[-1], header.rsplit(".", 1)[-1]]
        return header

    def output(self) -> str:
        return "\n".join(service.output() for service in self.services)


def _tour(toured: Toured, customers: Client, cart: Client) -> None:
    first, second, wrong = PASSWORDS
    email = "logged@example.com"
    create = "/api/v1/users/create/"
    user = customers.post(create, body={"email": email, "password": first},
                          headers={"X-Request-ID": "marked-request-id"}).ok(201)
    path = f"/api/v1/users/{user['id']}/"

    def login(password: str):
        return customers.post("/api/v1/auth/login/", body={"email": email, "password": password})

    login(wrong).invalid({"non_field_errors": ["Unable to log in with provided credentials."]}, 400)
    token = toured.token(login(first).ok()["token"])
    customers.post(create, body={"email": email, "password": first})
    customers.post(create, content=f'{{"password": "{first}", broken'.encode())
    customers.post(create, body={"password": first, wrong: 1})
    customers.get(f"/api/v1/users/list/?search={wrong}", toured.token(tokens.bearer(1)))
    customers.patch(path, token, {"password": wrong})
    customers.patch(path, token, {"first_name": "Zoë"}).ok()
    cart.get(f"/api/v1/cart/{user['id']}/", token).ok()
    cart.post(f"/api/v1/cart-item/{user['id']}/create", token,
              {"product_id": 1, "quantity": 1}).ok(201)
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


@pytest.fixture(scope="module")
def toured(customers_binary, customers_environment, customers_database, cart_binary,
           cart_environment, cart_database, cluster):
    customers_service = Service(customers_binary, customers_environment(
        customers_database, LOG_LEVEL="trace", DEBUG="true")).start()
    cart_service = Service(cart_binary, cart_environment(
        cart_database, customers_service.grpc_port, LOG_LEVEL="trace", DEBUG="true")).start()
    toured = Toured(customers_service, cart_service)
    customers, cart = Client(customers_service.url), Client(cart_service.url)
    _tour(toured, customers, cart)
    # Failures are where details slip out.
    cluster.stop("immediate")
    customers.post("/api/v1/auth/login/", body={
        "email": "logged@example.com", "password": PASSWORDS[1]}).refused(
            503, "503: Service Unavailable")
    cluster.start()
    customers_service.wait_ready()
    eventually(lambda: cart_service.readiness() == 200, 15)
    customers.close()
    cart.close()
    cart_service.stop()
    customers_service.stop()
    return toured


def test_no_secret_is_logged(toured):
    output = toured.output()
    leaked = [secret for secret in toured.secrets if len(secret) > 7 and secret in output]
    assert leaked == []


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


def test_a_request_is_found_by_its_id(toured):
    assert any("marked-request-id" in line for line in toured.services[0].stdout)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", '"', "{}"], ids=repr)
def test_a_line_cannot_be_forged(customers, customers_service, text):
    lines = len(customers_service.stdout)
    customers.get("/api/v1/nothing/", headers={"User-Agent": "x" * 10})
    customers.post("/api/v1/auth/login/", body={"email": text, "password": text})
    customers.get("/api/v1/nothing/?a=%0A%22%7B")
    for line in customers_service.stdout[lines:]:
        json.loads(line)
