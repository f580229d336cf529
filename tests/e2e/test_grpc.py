"""UserAuth.ValidateToken over mutual TLS, with good and bad peers."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from microcart import certificates
from microcart.services import SERVICES
from microcart.testing import tokens
from microcart.testing.auth_rpc import UserAuth
from microcart.testing.client import Client
from microcart.testing.service import Service
from microcart.waiting import eventually

REFUSED = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def auth(auth_messages, customers_service, certificates):
    with UserAuth(auth_messages, customers_service.grpc_port, certificates.cart.ca,
                  certificates.cart) as client:
        yield client


@pytest.mark.parametrize("role, is_admin", [
    ("owner", False), ("admin", True), ("demoted", False), ("promoted", True)])
def test_payload_is_the_databases(auth, people, role, is_admin):
    account = getattr(people, role)
    payload = auth.validate(account.token)
    assert (payload.user_id, payload.email, payload.is_admin) == (
        account.id, account.email, is_admin)


def test_email_is_the_present_one(auth, accounts, customers):
    account = accounts.create()
    customers.patch(f"/api/v1/users/{account.id}/", account.token,
                    {"email": f"New.{account.email}"}).ok()
    assert auth.validate(account.token).email == f"New.{account.email}"


def test_a_logins_token(auth, accounts):
    account = accounts.create()
    assert auth.validate(accounts.login(account.email)).user_id == account.id


HEADERS = {
    "empty": ("", "Invalid JWT token"),
    "space": (" ", "Invalid JWT token"),
    "one word": ("Bearer", "Invalid JWT token"),
    "token alone": ("a.b.c", "Invalid JWT token"),
    "three words": ("Bearer a b", "Invalid JWT token"),
    "Basic": ("Basic x", "Invalid token scheme"),
    "unicode scheme": ("Бирер x", "Invalid token scheme"),
}


@pytest.mark.parametrize("header, message", HEADERS.values(), ids=HEADERS)
def test_bad_header(auth, header, message):
    assert auth.refusal(header) == (REFUSED, message)


@pytest.mark.parametrize("why", tokens.REFUSED)
def test_bad_token(auth, people, why):
    make, words = tokens.REFUSED[why]
    code, message = auth.refusal(f"Bearer {make(people.owner.id)}")
    prefix = "Invalid authorization token, "
    assert code == REFUSED
    assert message == prefix + words if words else message.startswith(prefix)


def test_deleted_user(auth, people):
    assert auth.refusal(people.deleted.token) == (REFUSED, "Token is revoked")


def test_token_from_before_a_password_change(auth, accounts, customers):
    account = accounts.create()
    new = "quite another password"
    customers.patch(f"/api/v1/users/{account.id}/change-password/", account.token, {
        "current_password": account.password, "new_password": new,
        "confirm_new_password": new}).ok()
    assert auth.refusal(account.token) == (REFUSED, "Token is revoked")
    assert auth.validate(accounts.login(account.email, new)).user_id == account.id


@pytest.mark.parametrize("empty", ["request", "token"])
def test_empty_message(auth, auth_messages, empty):
    request = auth_messages.AuthRequest()
    if empty == "token":
        request.token.SetInParent()
    with pytest.raises(grpc.RpcError) as error:
        auth.send(request)
    assert (error.value.code(), error.value.details()) == (REFUSED, "Invalid JWT token")


def test_very_long_token(auth):
    code, _ = auth.refusal(f"Bearer {'a' * 1_000_000}.b.c")
    assert code in (REFUSED, grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_many_at_once(auth, people):
    def outcome(number: int):
        if number % 2:
            return auth.validate(people.owner.token).user_id
        return auth.refusal(people.deleted.token)[1]

    with ThreadPoolExecutor(32) as threads:
        outcomes = list(threads.map(outcome, range(1000)))
    assert outcomes == ["Token is revoked", people.owner.id] * 500


# The cart service's validation, over the stream and by calls of UserAuth

@pytest.fixture(scope="module")
def unary_cart(cart_binary, cart_environment, cart_database, certificates, customers_service,
               start_service):
    """A cart service whose customers service has only UserAuth, like the reference's."""
    def credentials(peer):
        return peer.ca.read_bytes(), peer.key.read_bytes(), peer.certificate.read_bytes()

    channel = grpc.secure_channel(f"localhost:{customers_service.grpc_port}",
                                  grpc.ssl_channel_credentials(*credentials(certificates.cart)))
    validate = channel.unary_unary("/UserAuth/ValidateToken")
    asked = []

    def relay(request: bytes, context) -> bytes:
        asked.append(request)
        try:
            return validate(request, timeout=5)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    ca, key, certificate = credentials(certificates.customers)
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "UserAuth", {"ValidateToken": grpc.unary_unary_rpc_method_handler(relay)})])
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=ca, require_client_auth=True))
    server.start()
    service = start_service(cart_binary, cart_environment(cart_database, port))
    client = Client(service.url)
    yield client
    client.close()
    assert asked
    service.stop()
    server.stop(None)
    channel.close()


@pytest.fixture(params=["stream", "unary"])
def asking_cart(request):
    return request.getfixturevalue({"stream": "cart", "unary": "unary_cart"}[request.param])


CART_HEADERS = {
    **{label: row for label, row in HEADERS.items() if row[0].strip()},
    "one word, not ASCII": ("é", "Invalid JWT token"),
    "not ASCII": ("Bearer é", "Invalid authorization token, Not enough segments"),
}


def test_cart_asks_whose_token_it_is(asking_cart, people):
    cart = f"/api/v1/cart/{people.owner.id}/"
    assert asking_cart.get(cart, people.owner.token).ok()["user_id"] == people.owner.id
    asking_cart.get(cart, people.deleted.token).refused(403, "403: Token is revoked")
    asking_cart.get(cart).refused(403, "403: Invalid authorization header")


@pytest.mark.parametrize("header, message", CART_HEADERS.values(), ids=CART_HEADERS)
def test_cart_asks_about_a_bad_header(asking_cart, people, header, message):
    answer = asking_cart.get(f"/api/v1/cart/{people.owner.id}/", header.encode())
    answer.refused(403, f"403: {message}")


def test_cart_asks_about_bytes_that_are_no_text(cart, unary_cart, people):
    path = f"/api/v1/cart/{people.owner.id}/"
    cart.get(path, b"\xe9").refused(403, "403: Invalid JWT token")
    cart.get(path, b"\xe9 x").refused(403, "403: Invalid token scheme")
    # UserAuth's string cannot hold these bytes.
    unary_cart.get(path, b"\xe9").refused(403, "403: Invalid authorization header")


@pytest.mark.parametrize("why", tokens.REFUSED)
def test_cart_asks_about_a_bad_token(asking_cart, people, why):
    make, words = tokens.REFUSED[why]
    answer = asking_cart.get(f"/api/v1/cart/{people.owner.id}/",
                             f"Bearer {make(people.owner.id)}")
    message = f"403: Invalid authorization token, {words}"
    assert answer.status == 403
    told = answer.body["error"]["message"]
    assert told == message if words else told.startswith(message)


# Certificates

@pytest.mark.parametrize("host", ["localhost", "customers"])
def test_server_certificate_names_its_hosts(certificates, customers_service, host):
    credentials = grpc.ssl_channel_credentials(
        certificates.cart.ca.read_bytes(), certificates.cart.key.read_bytes(),
        certificates.cart.certificate.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{customers_service.grpc_port}", credentials,
                             options=[("grpc.ssl_target_name_override", host)]) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)


def test_certificates_made_by_the_projects_script(
        customers_binary, cart_binary, customers_environment, cart_environment, customers_database,
        cart_database, start_service, tmp_path):
    certificates.make(tmp_path, *(spec.certificate() for spec in SERVICES.values()))

    def tls(name: str) -> dict[str, str]:
        return certificates.peer(tmp_path, name).environment()

    server = start_service(customers_binary,
                           {**customers_environment(customers_database), **tls("customers")})
    service = start_service(cart_binary, {
        **cart_environment(cart_database, server.grpc_port), **tls("cart")})
    client = Client(service.url)
    client.get("/api/v1/cart/3/", tokens.bearer(3)).ok()
    client.close()


def test_a_renewed_server_certificate_is_taken_up_while_running(
        auth_messages, customers_binary, customers_environment, customers_database, certificates,
        tmp_path):
    live = {"TLS_CA_FILE": tmp_path / "ca.crt", "TLS_CERT_FILE": tmp_path / "tls.crt",
            "TLS_KEY_FILE": tmp_path / "tls.key"}
    good = certificates.customers.environment()
    bad = certificates.bad_servers["another authority"].environment()

    def install(files: dict[str, str]) -> None:
        for variable, target in live.items():
            shutil.copy(files[variable], f"{target}.new")
            (tmp_path / f"{target.name}.new").rename(target)

    def believed() -> bool:
        with UserAuth(auth_messages, service.grpc_port, certificates.cart.ca,
                      certificates.cart) as client:
            return client.refusal("Bearer x")[0] == REFUSED

    install(bad)
    service = Service(customers_binary, {**customers_environment(customers_database),
                                         **{name: str(path) for name, path in live.items()}})
    service.start()
    try:
        assert not believed()
        install(good)
        eventually(believed, 30)
    finally:
        service.stop()
