"""Tokens on every endpoint of both services that requires one."""

import json
import time

import jwt
import pytest

from microcart.testing import tokens
from microcart.testing.accounts import DEMO_ADMIN, fresh_email
from microcart.testing.client import FORBIDDEN, Client
from microcart.testing.documents import Endpoint, documents, fill

CUSTOMERS, CART = ({name: endpoint for name, endpoint in documents()[service].endpoints().items()
                    if endpoint.needs_token} for service in ("customers", "cart"))

# Authorization header → the customers service's status, and the message of both services.
HEADERS = {
    "none": (None, "401: Missing authorization token", "403: Invalid authorization header"),
    "one word": ("Bearer", "403: Invalid authorization header", "403: Invalid JWT token"),
    "token alone": ("a.b.c", "403: Invalid authorization header", "403: Invalid JWT token"),
    "three words": ("Bearer a.b.c d", "403: Invalid authorization header",
                    "403: Invalid JWT token"),
    "Basic": ("Basic dXNlcjpwYXNz", "403: Invalid token scheme", "403: Invalid token scheme"),
    "Token": ("Token a.b.c", "403: Invalid token scheme", "403: Invalid token scheme"),
}


def call(client: Client, endpoint: Endpoint, people, header: str | None):
    return client.call(endpoint.method, fill(endpoint.path, people.owner.id), header, {})


def assert_refused(answer, status: int, reason: str, open_words: bool = False):
    """`open_words`: the message only has to start with `reason`."""
    if open_words:
        assert answer.status == status, answer
        assert answer.body["error"]["message"].startswith(f"{status}: {reason}"), answer
    else:
        answer.refused(status, f"{status}: {reason}")


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("endpoint", CUSTOMERS)
def test_customers_header(customers, people, endpoint, header):
    value, message, _ = HEADERS[header]
    answer = call(customers, CUSTOMERS[endpoint], people, value)
    answer.refused(int(message[:3]), message)


@pytest.mark.parametrize("why", tokens.REFUSED)
@pytest.mark.parametrize("endpoint", CUSTOMERS)
def test_customers_token(customers, people, endpoint, why):
    make, words = tokens.REFUSED[why]
    answer = call(customers, CUSTOMERS[endpoint], people, f"Bearer {make(people.owner.id)}")
    assert_refused(answer, 401, f"Invalid authorization token, {words}", not words)


@pytest.mark.parametrize("endpoint", CUSTOMERS)
def test_customers_deleted_user(customers, people, endpoint):
    answer = call(customers, CUSTOMERS[endpoint], people, people.deleted.token)
    answer.refused(403, "403: Token is revoked")


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("endpoint", CART)
def test_cart_header(cart, people, endpoint, header):
    value, _, message = HEADERS[header]
    call(cart, CART[endpoint], people, value).refused(403, message)


@pytest.mark.parametrize("why", tokens.REFUSED)
@pytest.mark.parametrize("endpoint", CART)
def test_cart_token(cart, people, endpoint, why):
    make, words = tokens.REFUSED[why]
    answer = call(cart, CART[endpoint], people, f"Bearer {make(people.owner.id)}")
    assert_refused(answer, 403, f"Invalid authorization token, {words}", not words)


@pytest.mark.parametrize("endpoint", CART)
def test_cart_deleted_user(cart, people, endpoint):
    answer = call(cart, CART[endpoint], people, people.deleted.token)
    answer.refused(403, "403: Token is revoked")


def test_a_user_id_that_never_was_is_revoked(customers, cart):
    for user in (0, -1, 2**31 - 1):
        customers.get("/api/v1/users/list/", tokens.bearer(user)).refused(
            403, "403: Token is revoked")
        cart.get("/api/v1/cart/1/", tokens.bearer(user)).refused(403, "403: Token is revoked")


@pytest.mark.parametrize("header", [None, "Bearer", "Basic x y", "Bearer garbage"])
def test_open_endpoints_do_not_look_at_a_token(customers, cart, accounts, header):
    account = accounts.create()
    login = {"email": account.email, "password": account.password}
    customers.post("/api/v1/auth/login/", header, login).ok()
    customers.post("/api/v1/users/create/", header,
                   {"email": fresh_email(), "password": account.password}).ok(201)
    cart.get("/api/v1/products/list/", header).ok()


def test_login_token_has_the_references_claims(accounts):
    account = accounts.create()
    scheme, token = accounts.login(account.email).split(" ")
    claims = jwt.decode(token, tokens.SECRET, algorithms=["HS256"])
    assert scheme == "Bearer"
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert {name: claims[name] for name in ("id", "email", "is_admin")} == {
        "id": account.id, "email": account.email, "is_admin": False}
    assert isinstance(claims["ver"], int)
    assert abs(claims["exp"] - (time.time() + 14 * 86400)) < 60


def test_login_token_lives_as_long_as_configured(customers_binary, customers_environment,
                                                 customers_database, start_service, accounts):
    account = accounts.create()
    service = start_service(customers_binary, customers_environment(
        customers_database, JWT_EXPIRATION_DELTA_DAYS="2"))
    client = Client(service.url)
    token = client.post("/api/v1/auth/login/", body={
        "email": account.email, "password": account.password}).ok()["token"].split()[1]
    claims = jwt.decode(token, tokens.SECRET, algorithms=["HS256"])
    assert abs(claims["exp"] - (time.time() + 2 * 86400)) < 60


def test_login_token_of_an_admin_says_so(accounts):
    account = accounts.create(is_admin=True)
    token = accounts.login(account.email).split()[1]
    assert jwt.decode(token, tokens.SECRET, algorithms=["HS256"])["is_admin"] is True


def test_both_services_accept_a_token_of_the_reference_and_a_login(customers, cart, accounts):
    account = accounts.create()
    for token in (account.token, accounts.login(account.email)):
        assert customers.get(f"/api/v1/users/{account.id}/", token).ok()["id"] == account.id
        assert cart.get(f"/api/v1/cart/{account.id}/", token).ok()["user_id"] == account.id


def test_extra_claims_do_no_harm(customers, accounts):
    account = accounts.create()
    token = tokens.sign({**tokens.claims_of(account.token), "iat": int(time.time()), "jti": "x",
                         "list": [1, {}]}, headers={"kid": "1"})
    customers.get(f"/api/v1/users/{account.id}/", f"Bearer {token}").ok()


def test_of_a_claim_given_twice_the_last_counts(customers, cart, accounts):
    """As required by RFC 7519 section 4; and both services find the same user."""
    account = accounts.create()
    claims = tokens.claims_of(account.token)
    del claims["id"]
    token = "Bearer " + tokens.forge(
        {"alg": "HS256"},
        f'{{"id":{DEMO_ADMIN},{json.dumps(claims)[1:-1]},"id":{account.id}}}'.encode())
    assert customers.get(f"/api/v1/users/{account.id}/", token).ok()["id"] == account.id
    assert cart.get(f"/api/v1/cart/{account.id}/", token).ok()["user_id"] == account.id
    customers.get("/api/v1/users/list/", token).refused(403, FORBIDDEN)
    cart.get(f"/api/v1/cart/{DEMO_ADMIN}/", token).refused(403, FORBIDDEN)


def test_is_admin_is_read_from_the_database_at_once(customers, cart, accounts):
    account = accounts.create()
    claimed = "Bearer " + tokens.sign({**tokens.claims_of(account.token), "is_admin": True})
    for is_admin in (False, True, False):
        accounts.set_admin(account, is_admin)
        for answer in (customers.get("/api/v1/users/list/", claimed),
                       cart.get(f"/api/v1/cart/{DEMO_ADMIN}/", claimed)):
            if is_admin:
                answer.ok()
            else:
                answer.refused(403, FORBIDDEN)


def test_a_password_change_revokes_all_earlier_tokens(customers, cart, accounts):
    account = accounts.create()
    earlier = [account.token, accounts.login(account.email), accounts.login(account.email)]
    new = "another password"
    customers.patch(f"/api/v1/users/{account.id}/change-password/", earlier[1], {
        "current_password": account.password, "new_password": new,
        "confirm_new_password": new}).ok()
    later = accounts.login(account.email, new)
    for token in earlier:
        customers.get(f"/api/v1/users/{account.id}/", token).refused(403, "403: Token is revoked")
        cart.get(f"/api/v1/cart/{account.id}/", token).refused(403, "403: Token is revoked")
    customers.get(f"/api/v1/users/{account.id}/", later).ok()
    cart.get(f"/api/v1/cart/{account.id}/", later).ok()


def test_a_password_change_by_an_admin_revokes_them_too(customers, admin, accounts):
    account = accounts.create()
    new = "another password"
    customers.patch(f"/api/v1/users/{account.id}/change-password/", admin, {
        "new_password": new, "confirm_new_password": new}).ok()
    customers.get(f"/api/v1/users/{account.id}/", account.token).refused(
        403, "403: Token is revoked")
    customers.get("/api/v1/users/list/", admin).ok()


def test_a_deleted_users_token_counts_no_more_at_once(customers, cart, accounts):
    account = accounts.create()
    token = accounts.login(account.email)
    cart.get(f"/api/v1/cart/{account.id}/", token).ok()
    accounts.delete(account)
    customers.get(f"/api/v1/users/{account.id}/", token).refused(403, "403: Token is revoked")
    cart.get(f"/api/v1/cart/{account.id}/", token).refused(403, "403: Token is revoked")
