"""A change of the tokens' key: JWT_SECRET signs, JWT_SECRET_PREVIOUS still verifies."""

import jwt
import pytest

from microcart.testing import tokens
from microcart.testing.accounts import Accounts
from microcart.testing.client import Client
from microcart.testing.service import run

OLD, NEW = tokens.SECRET, "the-new-secret-0123456789abcdef-0123456789"


class Pair:
    """Starts both services, the customers service with these keys."""

    def __init__(self, customers, cart):
        self.customers, self.cart = Client(customers.url), Client(cart.url)
        self.accounts = Accounts(self.customers)

    def verdicts(self, token: str, user_id: int) -> tuple[int, int]:
        """Returns the statuses of a profile and of a cart with this token."""
        return (self.customers.get(f"/api/v1/users/{user_id}/", token).status,
                self.cart.get(f"/api/v1/cart/{user_id}/", token).status)


@pytest.fixture(scope="module")
def start_pair(customers_binary, cart_binary, customers_environment, cart_environment,
               customers_database, cart_database, start_service):
    """Starts both services over the same two databases; the variables are the customers service's."""
    def start(**keys: str) -> Pair:
        customers = start_service(customers_binary,
                                  {**customers_environment(customers_database), **keys})
        return Pair(customers, start_service(
            cart_binary, cart_environment(cart_database, customers.grpc_port)))

    return start


def signed_with(token: str, secret: str) -> bool:
    try:
        jwt.decode(token.removeprefix("Bearer "), secret, algorithms=["HS256"])
    except jwt.InvalidSignatureError:
        return False
    return True


def test_a_change_of_the_key_logs_nobody_out(start_pair, tmp_path):
    before = start_pair(JWT_SECRET=OLD)
    user = before.accounts.create()
    old_token = before.accounts.login(user.email)
    assert signed_with(old_token, OLD)
    assert before.verdicts(old_token, user.id) == (200, 200)

    file = tmp_path / "previous"
    file.write_text(f"{OLD}\n")
    during = start_pair(JWT_SECRET=NEW, JWT_SECRET_PREVIOUS_FILE=str(file))
    assert during.verdicts(old_token, user.id) == (200, 200)
    new_token = during.accounts.login(user.email)
    assert signed_with(new_token, NEW) and not signed_with(new_token, OLD)
    assert during.verdicts(new_token, user.id) == (200, 200)
    # Replicas that have not been changed yet do not know the new key.
    assert before.verdicts(new_token, user.id) == (401, 403)

    after = start_pair(JWT_SECRET=NEW)
    assert after.verdicts(old_token, user.id) == (401, 403)
    assert after.verdicts(new_token, user.id) == (200, 200)


def test_keys_can_be_known_before_they_sign(start_pair):
    """With replicas, first all verify both keys, then one after the other signs with the new one."""
    prepared = start_pair(JWT_SECRET=OLD, JWT_SECRET_PREVIOUS=NEW)
    changed = start_pair(JWT_SECRET=NEW, JWT_SECRET_PREVIOUS=OLD)
    user = prepared.accounts.create()
    for issuer in (prepared, changed):
        token = issuer.accounts.login(user.email)
        for service in (prepared, changed):
            assert service.verdicts(token, user.id) == (200, 200)


@pytest.fixture(scope="module")
def two_keys(start_pair) -> Pair:
    return start_pair(JWT_SECRET=NEW, JWT_SECRET_PREVIOUS=OLD)


@pytest.mark.parametrize("why", tokens.REFUSED)
def test_two_keys_accept_no_more_than_one(two_keys, user, why):
    make, _ = tokens.REFUSED[why]
    assert two_keys.verdicts(f"Bearer {make(user.id)}", user.id) == (401, 403)


@pytest.fixture(scope="module")
def user(two_keys):
    return two_keys.accounts.create()


def test_the_reason_is_the_tokens_own(two_keys, user):
    """The reason does not depend on the key that was tried last."""
    expired = f"Bearer {tokens.sign(tokens.claims(user.id, lifetime=-tokens.HOUR), OLD)}"
    two_keys.customers.get("/api/v1/users/list/", expired).refused(
        401, "401: Invalid authorization token, Signature has expired")


@pytest.mark.parametrize("secret", ["marked-but-short", "x" * 31])
def test_a_previous_key_is_as_long_as_any(customers_binary, customers_environment,
                                          customers_database, secret):
    done = run(customers_binary, "serve", environment=customers_environment(
        customers_database, JWT_SECRET_PREVIOUS=secret))
    assert done.returncode > 0
    assert "JWT_SECRET_PREVIOUS has" in done.stderr and "32" in done.stderr
    assert secret not in done.stdout + done.stderr
