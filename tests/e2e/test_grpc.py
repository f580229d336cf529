"""UserAuth.ValidateToken over mutual TLS, with good and bad peers."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from conftest import ROOT
from support import tokens
from support.auth_rpc import UserAuth
from support.client import Client
from support.service import Service
from support.waiting import eventually

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
    subprocess.run([ROOT / "scripts/certificates", tmp_path], check=True, capture_output=True)

    def tls(name: str) -> dict[str, str]:
        return {"TLS_CA_FILE": f"{tmp_path}/ca.crt", "TLS_CERT_FILE": f"{tmp_path}/{name}.crt",
                "TLS_KEY_FILE": f"{tmp_path}/{name}.key"}

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
