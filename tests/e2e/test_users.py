"""GET, PATCH and DELETE /api/v1/users/{user_id}/, and their permissions."""

import json

import pytest

from microcart.testing import bodies
from microcart.testing.accounts import fresh_email
from microcart.testing.client import FORBIDDEN, NOT_FOUND, TIMESTAMP

TAKEN = {"email": ["User with this email already exists."]}
NEW = "quite another password"


def path(user) -> str:
    return f"/api/v1/users/{getattr(user, 'id', user)}/"


ENDPOINTS = {
    "list": ("GET", "/api/v1/users/list/", None, 200),
    "get": ("GET", "/api/v1/users/{id}/", None, 200),
    "patch": ("PATCH", "/api/v1/users/{id}/", {"first_name": "New"}, 200),
    "change password": ("PATCH", "/api/v1/users/{id}/change-password/",
                        {"new_password": NEW, "confirm_new_password": NEW}, 200),
    "delete": ("DELETE", "/api/v1/users/{id}/", None, 204),
}

# Role → the error on another user's account; None is success.
ROLES = {
    "anonymous": (401, "401: Missing authorization token"),
    "stranger": (403, FORBIDDEN),
    "demoted": (403, FORBIDDEN),
    "deleted": (403, "403: Token is revoked"),
    "admin": None,
    "promoted": None,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_another_may(customers, accounts, people, endpoint, role):
    method, template, body, success = ENDPOINTS[endpoint]
    target = template.format(id=accounts.create().id)
    options = {} if body is None else {"body": body}
    answer = customers.call(method, target, people.token(role), **options)
    if ROLES[role]:
        answer.refused(*ROLES[role])
    else:
        answer.ok(success)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_owner_may(customers, accounts, endpoint):
    method, template, body, success = ENDPOINTS[endpoint]
    owner = accounts.create()
    if endpoint == "change password":
        body = {**body, "current_password": owner.password}
    options = {} if body is None else {"body": body}
    answer = customers.call(method, template.format(id=owner.id), owner.token, **options)
    if endpoint == "list":
        answer.refused(403, FORBIDDEN)
    else:
        answer.ok(success)


@pytest.mark.parametrize("role", ["owner", "admin"])
@pytest.mark.parametrize("endpoint", ["get", "patch", "change password", "delete"])
def test_existence_is_judged_before_permission_and_body(customers, people, endpoint, role):
    method, template, _, _ = ENDPOINTS[endpoint]
    for user in (0, 999999, people.deleted.id):
        customers.call(method, template.format(id=user), people.token(role),
                       content=b"no json").refused(404, NOT_FOUND)


@pytest.mark.parametrize("endpoint", ["patch", "change password"])
def test_permission_is_judged_before_the_body(customers, people, endpoint):
    method, template, _, _ = ENDPOINTS[endpoint]
    target = template.format(id=people.owner.id)
    customers.call(method, target, people.stranger.token, content=b"no json").refused(
        403, FORBIDDEN)
    customers.call(method, target, content=b"no json").refused(
        401, "401: Missing authorization token")
    customers.call(method, target, people.owner.token, content=b"no json").invalid(
        bodies.NO_JSON, 400)


# GET

def test_get_answers_the_user(customers, accounts):
    account = accounts.create(first_name="Zoë", last_name="Ångström")
    answer = customers.get(path(account), account.token)
    assert "Zoë Ångström" == f"{answer.ok()['first_name']} {answer.data['last_name']}"
    assert "Zoë".encode() in answer.response.content
    assert TIMESTAMP.fullmatch(answer.data.pop("created"))
    assert answer.data == {"id": account.id, "email": account.email, "first_name": "Zoë",
                           "last_name": "Ångström", "is_admin": False}


@pytest.mark.parametrize("stored, shown", [
    ("2026-01-02 03:04:05+00", "2026-01-02T03:04:05.000000+00:00"),
    ("2026-01-02 03:04:05.5+00", "2026-01-02T03:04:05.500000+00:00"),
    ("2026-01-02 03:04:05.000007+02", "2026-01-02T01:04:05.000007+00:00"),
    ("2024-02-29 23:59:59.999999+00", "2024-02-29T23:59:59.999999+00:00"),
    ("1969-12-31 23:59:59.25+00", "1969-12-31T23:59:59.250000+00:00"),
])
def test_timestamps(customers, accounts, cluster, customers_database, stored, shown):
    account = accounts.create()
    cluster.query(customers_database, "UPDATE users SET created = %s WHERE id = %s", stored,
                  account.id)
    assert customers.get(path(account), account.token).ok()["created"] == shown


# PATCH

@pytest.mark.parametrize("fields", [
    {"first_name": "Only"}, {"last_name": "Last"}, {"first_name": "Zoë", "last_name": "🛒" * 256},
    {"email": "Changed.Spelling@Example.com"}], ids=lambda fields: "+".join(fields))
def test_patch_changes_what_is_given_and_no_more(customers, accounts, fields):
    account = accounts.create(first_name="First", last_name="Name")
    before = customers.get(path(account), account.token).ok()
    after = customers.patch(path(account), account.token, fields).ok()
    assert after == {**before, **fields}
    assert customers.get(path(account), account.token).ok() == after
    accounts.login(after["email"], account.password)


@pytest.mark.parametrize("options", [{"body": {}}, {}, {"content": b""}],
                         ids=["empty object", "no body", "empty body"])
def test_empty_patch_changes_nothing(customers, accounts, options):
    account = accounts.create(first_name="First")
    before = customers.get(path(account), account.token).ok()
    assert customers.call("PATCH", path(account), account.token, **options).ok() == before


def test_a_user_that_was_fetched_can_be_sent_back(customers, accounts):
    """What the endpoint does not know is ignored, also where it is another value."""
    account = accounts.create(first_name="First", last_name="Last")
    before = customers.get(path(account), account.token).ok()
    assert customers.patch(path(account), account.token, before).ok() == before
    sent = {**before, "first_name": "New", "id": 1, "created": "now", "password": NEW, "": [None]}
    assert customers.patch(path(account), account.token, sent).ok() == {
        **before, "first_name": "New"}
    accounts.login(account.email, account.password)


@pytest.mark.parametrize("email", ["a@b", "Ops@exa_mple.com", "é" * 200 + "@example.com", "a@-.é"])
def test_an_email_that_cannot_be_registered_here_can_be_kept(customers, accounts, cluster,
                                                             customers_database, email):
    account = accounts.create()
    cluster.query(customers_database, "UPDATE users SET email = %s WHERE id = %s", email,
                  account.id)
    accounts.login(email, account.password)
    accounts.login(email.upper(), account.password)
    kept = customers.patch(path(account), account.token, {"email": email, "first_name": "New"})
    assert (kept.ok()["email"], kept.data["first_name"]) == (email, "New")
    customers.patch(path(account), account.token, {"email": email.swapcase()}).invalid(
        {"email": [bodies.EMAIL]})


def test_patch_keeps_the_token_valid(customers, accounts):
    account = accounts.create()
    token = accounts.login(account.email)
    customers.patch(path(account), token, {"email": fresh_email()}).ok()
    customers.get(path(account), token).ok()


@pytest.mark.parametrize("spell", [str, str.upper])
def test_patch_to_a_taken_email(customers, accounts, spell):
    account, other = accounts.create(), accounts.create()
    customers.patch(path(account), account.token, {"email": spell(other.email)}).invalid(TAKEN, 400)
    assert customers.get(path(account), account.token).ok()["email"] == account.email


def test_patch_to_ones_own_email_in_another_case(customers, accounts):
    account = accounts.create()
    upper = account.email.upper()
    assert customers.patch(path(account), account.token, {"email": upper}).ok()["email"] == upper
    customers.patch(path(account), account.token, {"email": upper}).ok()


INVALID = {
    "email": ({"email": "x"}, {"email": [bodies.EMAIL]}),
    "empty names": ({"first_name": "", "last_name": ""},
                    {"first_name": [bodies.NAME], "last_name": [bodies.NAME]}),
    "long names": ({"first_name": "é" * 257, "last_name": "x" * 257},
                   {"first_name": [bodies.NAME], "last_name": [bodies.NAME]}),
    "nulls": ({"email": None, "first_name": None, "last_name": None, "is_admin": None},
              {"email": [bodies.NULL], "first_name": [bodies.NULL], "last_name": [bodies.NULL],
               "is_admin": [bodies.NULL]}),
    "NUL": ({"first_name": "a\0b", "email": "\0@example.com"},
            {"first_name": [bodies.STRING], "email": [bodies.STRING]}),
    "all at once": ({"email": 1, "first_name": [], "last_name": "", "is_admin": "x", "x": {}},
                    {"email": [bodies.STRING], "first_name": [bodies.STRING],
                     "last_name": [bodies.NAME], "is_admin": [bodies.BOOLEAN]}),
    "no email and no name": ({"email": "x", "first_name": ""},
                             {"email": [bodies.EMAIL], "first_name": [bodies.NAME]}),
}


@pytest.mark.parametrize("body, fields", INVALID.values(), ids=INVALID)
def test_invalid_patch(customers, people, body, fields):
    customers.patch(path(people.owner), people.owner.token, body).invalid(fields)


@pytest.mark.parametrize("email", bodies.INVALID_EMAILS.values(), ids=bodies.INVALID_EMAILS)
def test_patch_to_an_invalid_email(customers, people, email):
    customers.patch(path(people.owner), people.owner.token, {"email": email}).invalid(
        {"email": [bodies.EMAIL]})


@pytest.mark.parametrize("field", ["email", "first_name", "last_name"])
@pytest.mark.parametrize("value", bodies.NO_STRINGS.values(), ids=bodies.NO_STRINGS)
def test_patch_to_no_string(customers, people, field, value):
    customers.patch(path(people.owner), people.owner.token,
                    content=f'{{"{field}": {value}}}'.encode()).invalid({field: [bodies.STRING]})


@pytest.mark.parametrize("value", bodies.NO_BOOLEANS.values(), ids=bodies.NO_BOOLEANS)
def test_patch_to_no_boolean(customers, admin, people, value):
    customers.patch(path(people.owner), admin, content=f'{{"is_admin": {value}}}'.encode()).invalid(
        {"is_admin": [bodies.BOOLEAN]})


@pytest.mark.parametrize("content, status, fields", bodies.MALFORMED.values(), ids=bodies.MALFORMED)
def test_malformed_patch(customers, people, content, status, fields):
    customers.patch(path(people.owner), people.owner.token, content=content).invalid(fields, status)


@pytest.mark.parametrize("value", [True, 1, *bodies.TRUE_WORDS], ids=repr)
def test_nobody_makes_himself_an_admin(customers, accounts, value):
    account = accounts.create()
    customers.patch(path(account), account.token,
                    {"is_admin": value, "first_name": "Root"}).refused(403, FORBIDDEN)
    user = customers.get(path(account), account.token).ok()
    assert (user["is_admin"], user["first_name"]) == (False, "")


@pytest.mark.parametrize("value", [False, 0, *bodies.FALSE_WORDS], ids=repr)
def test_the_present_value_is_allowed(customers, people, value):
    body = {"is_admin": value, "first_name": json.dumps(value)}
    user = customers.patch(path(people.owner), people.owner.token, body).ok()
    assert (user["is_admin"], user["first_name"]) == (False, json.dumps(value))


def test_an_admin_makes_and_unmakes_admins(customers, admin, accounts):
    account = accounts.create()
    for value in (True, True, False, False):
        assert customers.patch(path(account), admin, {"is_admin": value}).ok()["is_admin"] is value
        listed = customers.get("/api/v1/users/list/", account.token)
        assert listed.status == (200 if value else 403)


def test_an_admin_may_step_down(customers, accounts):
    account = accounts.create(is_admin=True)
    assert customers.patch(path(account), account.token, {"is_admin": True}).ok()["is_admin"]
    assert not customers.patch(path(account), account.token, {"is_admin": False}).ok()["is_admin"]
    customers.get("/api/v1/users/list/", account.token).refused(403, FORBIDDEN)
    customers.patch(path(account), account.token, {"is_admin": True}).refused(403, FORBIDDEN)


# DELETE

@pytest.mark.parametrize("by_admin", [False, True], ids=["self", "admin"])
def test_delete(customers, admin, accounts, by_admin):
    account = accounts.create()
    customers.delete(path(account), admin if by_admin else account.token).ok(204)
    customers.get(path(account), admin).refused(404, NOT_FOUND)
    customers.delete(path(account), admin).refused(404, NOT_FOUND)
    customers.post("/api/v1/auth/login/", body={
        "email": account.email, "password": account.password}).invalid(
            {"non_field_errors": ["Unable to log in with provided credentials."]}, 400)


def test_a_deleted_users_email_is_free_again_but_not_his_id(customers, accounts):
    account = accounts.delete(accounts.create())
    again = accounts.create(email=account.email)
    assert again.id > account.id
    customers.get(path(account), account.token).refused(403, "403: Token is revoked")
