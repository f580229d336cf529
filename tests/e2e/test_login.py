"""POST /api/v1/auth/login/."""

import json

import pytest

from microcart.testing import bodies
from microcart.testing.accounts import DEMO_PASSWORD
from microcart.testing.client import TIMESTAMP

LOGIN = "/api/v1/auth/login/"
WRONG_PAIR = {"non_field_errors": ["Unable to log in with provided credentials."]}


@pytest.fixture(scope="module")
def account(accounts):
    return accounts.create(email="Mixed.Case+Tag@Example.com", password="Пароль-🛒-secret",
                           first_name="Zoë", last_name="Ångström")


def test_answers_token_and_user(customers, account):
    data = customers.post(LOGIN, body={"email": account.email, "password": account.password}).ok()
    assert set(data) == {"token", "user"}
    assert data["token"].startswith("Bearer ")
    assert TIMESTAMP.fullmatch(data["user"].pop("created"))
    assert data["user"] == {"id": account.id, "email": account.email, "first_name": "Zoë",
                            "last_name": "Ångström", "is_admin": False}


@pytest.mark.parametrize("user, is_admin", [
    ("admin1", True), ("admin2", True), ("nonadmin3", False), ("nonadmin4", False)])
def test_demo_users_log_in(customers, user, is_admin):
    data = customers.post(LOGIN, body={"email": f"{user}@email.com",
                                       "password": DEMO_PASSWORD}).ok()
    assert (data["user"]["id"], data["user"]["is_admin"]) == (int(user[-1]), is_admin)


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.swapcase, str.title])
def test_in_any_case_with_the_stored_spelling(customers, account, spell):
    body = {"email": spell(account.email), "password": account.password}
    assert customers.post(LOGIN, body=body).ok()["user"]["email"] == account.email


WRONG = {
    "wrong password": ("mixed.case+tag@example.com", "wrong password"),
    "password in another case": ("mixed.case+tag@example.com", "пароль-🛒-secret"),
    "password with a space behind": ("mixed.case+tag@example.com", "Пароль-🛒-secret "),
    "beginning of the password": ("mixed.case+tag@example.com", "Пароль-🛒"),
    "unknown email": ("nobody@example.com", "Пароль-🛒-secret"),
    "like pattern": ("%@example.com", "Пароль-🛒-secret"),
    "no email at all": ("", "Пароль-🛒-secret"),
    "email of spaces": ("   ", "Пароль-🛒-secret"),
    "long email": ("é" * 10_000, "Пароль-🛒-secret"),
}


@pytest.mark.parametrize("email, password", WRONG.values(), ids=WRONG)
def test_wrong_pair(customers, account, email, password):
    customers.post(LOGIN, body={"email": email, "password": password}).invalid(WRONG_PAIR, 400)


INVALID = {
    "nothing": ({}, {"email": [bodies.REQUIRED], "password": [bodies.REQUIRED]}),
    "no email": ({"password": "a password"}, {"email": [bodies.REQUIRED]}),
    "no password": ({"email": "a@example.com"}, {"password": [bodies.REQUIRED]}),
    "nulls": ({"email": None, "password": None},
              {"email": [bodies.NULL], "password": [bodies.NULL]}),
    "all at once": ({"email": 1, "password": []},
                    {"email": [bodies.STRING], "password": [bodies.STRING]}),
    "names are case-sensitive": ({"Email": "a@example.com", "password": "a password"},
                                 {"email": [bodies.REQUIRED]}),
    "empty password": ({"email": "a@example.com", "password": ""}, {"password": [bodies.SHORT]}),
    "password of 6 characters": ({"email": "a@example.com", "password": "é" * 6},
                                 {"password": [bodies.SHORT]}),
    "password of 1025 characters": ({"email": "a@example.com", "password": "é" * 1025},
                                    {"password": [bodies.LONG]}),
    "NUL in password": ({"email": "a@example.com", "password": "before\0after"},
                        {"password": [bodies.STRING]}),
}


@pytest.mark.parametrize("body, fields", INVALID.values(), ids=INVALID)
def test_invalid(customers, body, fields):
    customers.post(LOGIN, body=body).invalid(fields)


@pytest.mark.parametrize("field", ["email", "password"])
@pytest.mark.parametrize("value", bodies.NO_STRINGS.values(), ids=bodies.NO_STRINGS)
def test_no_string(customers, field, value):
    other = "password" if field == "email" else "email"
    content = f'{{"{field}": {value}, "{other}": "a@example.com"}}'.encode()
    customers.post(LOGIN, content=content).invalid({field: [bodies.STRING]})


@pytest.mark.parametrize("email", bodies.INVALID_EMAILS.values(), ids=bodies.INVALID_EMAILS)
def test_an_email_may_be_any_text(customers, email):
    customers.post(LOGIN, body={"email": email, "password": "a password"}).invalid(WRONG_PAIR, 400)


def test_unknown_members_are_ignored(customers, account):
    customers.post(LOGIN, body={"email": account.email, "password": account.password,
                                "remember": True, "user": {"id": [None]}}).ok()


def test_a_short_password_is_no_guess(customers, accounts):
    account = accounts.create()
    for _ in range(11):  # One more than the guesses that are allowed.
        customers.post(LOGIN, body={"email": account.email, "password": "123456"}).invalid(
            {"password": [bodies.SHORT]})
    customers.post(LOGIN, body={"email": account.email, "password": account.password}).ok()


@pytest.mark.parametrize("content, status, fields", bodies.MALFORMED.values(), ids=bodies.MALFORMED)
def test_malformed_body(customers, content, status, fields):
    customers.post(LOGIN, content=content).invalid(fields, status)


@pytest.mark.parametrize("content", [None, b""], ids=["no body", "empty body"])
def test_no_body_counts_as_empty_object(customers, content):
    customers.post(LOGIN, content=content).invalid(
        {"email": [bodies.REQUIRED], "password": [bodies.REQUIRED]})


OLDER_HASH_OF_DECOMPOSED = (
    "$5$rounds=535000$0123456789abcdef$PmlfsxAi7A6EnlL2UM6EnVw.S0IwqFe50dF.TMDc5a5")
COMPOSED, DECOMPOSED = "Zo\u00eb's \u0439\u1ec7", "Zoe\u0308's \u0438\u0306e\u0302\u0323"


@pytest.mark.parametrize("chosen", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
def test_a_password_in_either_form(customers, accounts, chosen):
    """Keyboards and systems differ in the code points that they send for one character."""
    account = accounts.create(password=chosen)
    for password in (COMPOSED, DECOMPOSED):
        accounts.login(account.email, password)
    customers.post(LOGIN, body={"email": account.email, "password": "Zoe's \u0438e"}).invalid(
        WRONG_PAIR, 400)
    other, repeated = (DECOMPOSED, COMPOSED) if chosen == COMPOSED else (COMPOSED, DECOMPOSED)
    customers.patch(f"/api/v1/users/{account.id}/change-password/", account.token, {
        "current_password": other, "new_password": "\u00fc" + other,
        "confirm_new_password": "u\u0308" + repeated}).ok()
    accounts.login(account.email, "u\u0308" + chosen)


def test_an_older_hash_of_what_was_typed(cluster, customers_database, accounts):
    """Accepted, and replaced by a hash that matches either form."""
    account = accounts.create()
    cluster.query(customers_database, "UPDATE users SET password = %s WHERE id = %s",
                  OLDER_HASH_OF_DECOMPOSED, account.id)
    accounts.login(account.email, DECOMPOSED)
    [(stored,)] = cluster.query(customers_database, "SELECT password FROM users WHERE id = %s",
                                account.id)
    assert stored.startswith("$argon2id$")
    for password in (COMPOSED, DECOMPOSED):
        accounts.login(account.email, password)


def test_escapes_are_understood(customers, account):
    escaped = json.dumps({"email": account.email, "password": account.password}).encode()
    assert b"\\u" in escaped
    customers.post(LOGIN, content=escaped).ok()
