"""POST /api/v1/users/create/."""

import json

import pytest

from microcart.testing import bodies
from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.testing.client import FORBIDDEN, TIMESTAMP, Client

CREATE = "/api/v1/users/create/"
TAKEN = {"email": ["User with this email already exists."]}


def body(**fields) -> dict:
    return {"email": fresh_email(), "password": PASSWORD, **fields}


def test_answers_the_user_with_defaults(customers):
    sent = body()
    user = customers.post(CREATE, body=sent).ok(201)
    assert isinstance(user.pop("id"), int)
    assert TIMESTAMP.fullmatch(user.pop("created"))
    assert user == {"email": sent["email"], "first_name": "", "last_name": "", "is_admin": False}


def test_keeps_what_was_given(customers, admin):
    sent = body(email="Keep.Spelling@Example.COM", first_name="Зоя 🛒", last_name="a\"b\\c</>\u2028")
    user = customers.post(CREATE, body=sent).ok(201)
    assert [user[name] for name in ("email", "first_name", "last_name")] == [
        sent[name] for name in ("email", "first_name", "last_name")]
    assert customers.get(f"/api/v1/users/{user['id']}/", admin).ok() == user


def test_password_is_stored_as_argon2id(customers, cluster, customers_database):
    user = customers.post(CREATE, body=body()).ok(201)
    [(stored,)] = cluster.query(customers_database, "SELECT password FROM users WHERE id = %s",
                                user["id"])
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("password", ["password", "PassWord", "1234567", "michael1",
                                      "BAS\u212aETBALL"])
def test_common_passwords(customers, people, admin, password):
    """In any case, and whatever the form of a character: U+212A is canonically a K."""
    refused = {"password": ["This password is too common."]}
    customers.post(CREATE, body=body(password=password)).invalid(refused)
    customers.post(CREATE, body=body(password=password, email="x")).invalid(
        {**refused, "email": [bodies.EMAIL]})
    answer = customers.patch(f"/api/v1/users/{people.owner.id}/change-password/", admin,
                             {"new_password": password, "confirm_new_password": password})
    assert answer.fields["new_password"] == refused["password"]


def test_a_common_password_that_is_there_stays_good(customers, accounts, cluster, customers_database):
    """The password of an account that was taken over, as its hash."""
    account = accounts.create()
    cluster.query(customers_database, """
        UPDATE users SET password = '$5$rounds=1000$abcdefgh$fJoGrrpKOnBdtbHD5vkVrzMZSgNSSJMU71zp8o21CQ8'
        WHERE id = %s""", account.id)
    accounts.login(account.email, "password1")


def test_the_minimum_length_can_be_raised(customers_binary, customers_environment,
                                          customers_database, start_service, accounts):
    client = Client(start_service(customers_binary, customers_environment(
        customers_database, PASSWORD_MIN_LENGTH="12")).url)
    short = ["Shorter than minimum length 12."]
    client.post(CREATE, body=body(password="é" * 11, email="x")).invalid(
        {"password": short, "email": [bodies.EMAIL]})
    client.post(CREATE, body=body(password="é" * 12)).ok(201)
    # Existing passwords stay good.
    account = accounts.create(password="7 chars")
    body_of_login = {"email": account.email, "password": account.password}
    token = client.post("/api/v1/auth/login/", body=body_of_login).ok()["token"]
    answer = client.patch(f"/api/v1/users/{account.id}/change-password/", token, {
        "current_password": account.password, "new_password": "8 chars.",
        "confirm_new_password": "8 chars."})
    assert (answer.status, answer.fields["new_password"]) == (422, short)
    client.close()


@pytest.mark.parametrize("spell", [str, str.upper, str.swapcase])
def test_taken_email_in_any_case(customers, spell):
    sent = body()
    customers.post(CREATE, body=sent).ok(201)
    customers.post(CREATE, body={**sent, "email": spell(sent["email"])}).invalid(TAKEN, 400)


@pytest.mark.parametrize("refused", [
    {}, {"email": "ID-BURNER@example.com"}, {"email": '"id-burner"@example.com'}, {"email": "x"},
    {"password": "short"}, {"password": "password1"}, {"is_admin": True}, {"first_name": ""}],
    ids=str)
def test_a_refused_registration_uses_up_no_id(customers, admin, refused):
    email = "id-burner@example.com"
    first = customers.post(CREATE, body=body(email=email)).ok(201)["id"]
    for _ in range(3):
        answer = customers.post(CREATE, body={**body(email=email), **refused})
        assert answer.status in (400, 403, 422)
    next_one = customers.post(CREATE, body=body()).ok(201)["id"]
    customers.delete(f"/api/v1/users/{first}/", admin).ok(204)
    assert next_one == first + 1


@pytest.mark.parametrize("one, other", bodies.SPELLINGS.values(), ids=bodies.SPELLINGS)
def test_one_account_for_all_spellings_of_an_email(customers, accounts, admin, one, other):
    """The stored spelling is kept. The owner may change it to another one, but nobody else may."""
    user = customers.post(CREATE, body=body(email=one)).ok(201)
    assert user["email"] == one
    for spelling in (one, other):
        customers.post(CREATE, body=body(email=spelling)).invalid(TAKEN, 400)
        login = {"email": spelling, "password": PASSWORD}
        assert customers.post("/api/v1/auth/login/", body=login).ok()["user"] == user
    stranger = accounts.create()
    customers.patch(f"/api/v1/users/{stranger.id}/", stranger.token, {"email": other}).invalid(
        TAKEN, 400)
    changed = customers.patch(f"/api/v1/users/{user['id']}/", admin, {"email": other}).ok()
    assert changed == {**user, "email": other}
    customers.post(CREATE, body=body(email=one)).invalid(TAKEN, 400)
    customers.delete(f"/api/v1/users/{user['id']}/", admin).ok(204)


@pytest.mark.parametrize("email", bodies.VALID_EMAILS.values(), ids=bodies.VALID_EMAILS)
def test_valid_email(customers, email):
    assert customers.post(CREATE, body=body(email=email)).ok(201)["email"] == email
    login = {"email": email, "password": PASSWORD}
    customers.post("/api/v1/auth/login/", body=login).ok()


@pytest.mark.parametrize("email", bodies.INVALID_EMAILS.values(), ids=bodies.INVALID_EMAILS)
def test_invalid_email(customers, email):
    customers.post(CREATE, body=body(email=email)).invalid({"email": [bodies.EMAIL]})


VALID = {
    "password of 7 characters": {"password": "7 chars"},
    "password of 7 characters in 14 bytes": {"password": "é" * 7},
    "password of 7 characters in 28 bytes": {"password": "🛒" * 7},
    "password of spaces": {"password": " " * 7},
    "password of 1024 characters": {"password": "x" * 1024},
    "password of 1024 characters in 4096 bytes": {"password": "🛒" * 1024},
    "name of 1": {"first_name": "é", "last_name": "x"},
    "name of 256 characters": {"first_name": "n" * 256, "last_name": "é" * 256},
    "name of 256 characters in 1024 bytes": {"first_name": "🛒" * 256},
    "name of a space": {"first_name": " "},
    "is_admin false": {"is_admin": False},
    "is_admin 0": {"is_admin": 0},
}

INVALID = {
    "password of 6": ({"password": "123456"}, {"password": [bodies.SHORT]}),
    "password of 6 characters in 12 bytes": ({"password": "é" * 6}, {"password": [bodies.SHORT]}),
    "empty password": ({"password": ""}, {"password": [bodies.SHORT]}),
    "password of 1025": ({"password": "x" * 1025}, {"password": [bodies.LONG]}),
    "password with NUL": ({"password": "before\0after"}, {"password": [bodies.STRING]}),
    "email with NUL": ({"email": "a\0b@example.com"}, {"email": [bodies.STRING]}),
    "first name with NUL": ({"first_name": "a\0"}, {"first_name": [bodies.STRING]}),
    "last name with NUL": ({"last_name": "\0"}, {"last_name": [bodies.STRING]}),
    "empty first name": ({"first_name": ""}, {"first_name": [bodies.NAME]}),
    "empty last name": ({"last_name": ""}, {"last_name": [bodies.NAME]}),
    "first name of 257": ({"first_name": "n" * 257}, {"first_name": [bodies.NAME]}),
    "last name of 257 characters": ({"last_name": "é" * 257}, {"last_name": [bodies.NAME]}),
    "nulls": ({name: None for name in ("email", "password", "first_name", "last_name", "is_admin")},
              {name: [bodies.NULL]
               for name in ("email", "password", "first_name", "last_name", "is_admin")}),
    "all at once": (
        {"email": "x", "password": "x", "first_name": "", "last_name": 1, "is_admin": "x", "x": 1},
        {"email": [bodies.EMAIL], "password": [bodies.SHORT], "first_name": [bodies.NAME],
         "last_name": [bodies.STRING], "is_admin": [bodies.BOOLEAN]}),
}


@pytest.mark.parametrize("fields", VALID.values(), ids=VALID)
def test_valid(customers, fields):
    sent = body(**fields)
    customers.post(CREATE, body=sent).ok(201)
    login = {"email": sent["email"], "password": sent["password"]}
    customers.post("/api/v1/auth/login/", body=login).ok()


@pytest.mark.parametrize("sent, fields", INVALID.values(), ids=INVALID)
def test_invalid(customers, sent, fields):
    customers.post(CREATE, body=body(**sent)).invalid(fields)


def test_unknown_members_are_ignored(customers):
    sent = body(id=1, created="now", имя=[1, {}], token_version=9, **{"": None})
    user = customers.post(CREATE, body=sent).ok(201)
    assert user["email"] == sent["email"] and user["id"] != 1 and user["created"] != "now"


@pytest.mark.parametrize("left_out", [["email"], ["password"], ["email", "password"]],
                         ids="+".join)
def test_missing(customers, left_out):
    sent = {name: value for name, value in body().items() if name not in left_out}
    customers.post(CREATE, body=sent).invalid({name: [bodies.REQUIRED] for name in left_out})


def content(**raw: str) -> bytes:
    """Returns a body whose values are JSON texts."""
    texts = {name: json.dumps(value) for name, value in body().items()} | raw
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}").encode()


@pytest.mark.parametrize("field", ["email", "password", "first_name", "last_name"])
@pytest.mark.parametrize("value", bodies.NO_STRINGS.values(), ids=bodies.NO_STRINGS)
def test_no_string(customers, field, value):
    customers.post(CREATE, content=content(**{field: value})).invalid({field: [bodies.STRING]})


@pytest.mark.parametrize("value", bodies.NO_BOOLEANS.values(), ids=bodies.NO_BOOLEANS)
def test_no_boolean(customers, admin, value):
    customers.post(CREATE, admin, content=content(is_admin=value)).invalid(
        {"is_admin": [bodies.BOOLEAN]})


@pytest.mark.parametrize("value", [True, 1, *bodies.TRUE_WORDS], ids=repr)
def test_true_in_all_its_forms(customers, admin, value):
    customers.post(CREATE, body=body(is_admin=value)).refused(403, FORBIDDEN)
    assert customers.post(CREATE, admin, body(is_admin=value)).ok(201)["is_admin"] is True


@pytest.mark.parametrize("value", [False, 0, *bodies.FALSE_WORDS], ids=repr)
def test_false_in_all_its_forms(customers, value):
    assert customers.post(CREATE, body=body(is_admin=value)).ok(201)["is_admin"] is False


@pytest.mark.parametrize("malformed, status, fields", bodies.MALFORMED.values(),
                         ids=bodies.MALFORMED)
def test_malformed_body(customers, malformed, status, fields):
    customers.post(CREATE, content=malformed).invalid(fields, status)


@pytest.mark.parametrize("escape", [r"\ud800", r"\udc00", r"\ud800x", r"\udc00\ud800"])
def test_half_a_surrogate_pair_is_no_text(customers, escape):
    answer = customers.post(CREATE, content=content(first_name=f'"{escape}"'))
    assert (answer.status, answer.fields) in [
        (400, bodies.NO_JSON), (422, {"first_name": [bodies.STRING]})]


def test_deep_value_of_an_unknown_member(customers):
    deep = "[" * 1000 + "]" * 1000
    customers.post(CREATE, content=content(x=deep)).invalid(bodies.NO_JSON, 400)


def test_of_a_repeated_key_the_last_counts(customers):
    sent = content()[:-1] + b', "first_name": "first", "first_name": "second"}'
    assert customers.post(CREATE, content=sent).ok(201)["first_name"] == "second"


def test_a_repeated_key_smuggles_no_right(customers):
    sent = content()[:-1] + b', "is_admin": true, "is_admin": false}'
    assert customers.post(CREATE, content=sent).ok(201)["is_admin"] is False
    sent = content()[:-1] + b', "is_admin": false, "is_admin": true}'
    customers.post(CREATE, content=sent).refused(403, FORBIDDEN)


# Creating an admin: role → status, message.
ADMIN_BY = {
    "anonymous": (403, FORBIDDEN),
    "owner": (403, FORBIDDEN),
    "demoted": (403, FORBIDDEN),
    "deleted": (403, "403: Token is revoked"),
    "admin": (201, None),
    "promoted": (201, None),
}


@pytest.mark.parametrize("role", ADMIN_BY)
def test_who_may_create_an_admin(customers, people, role):
    status, message = ADMIN_BY[role]
    answer = customers.post(CREATE, people.token(role), body(is_admin=True))
    if message:
        answer.refused(status, message)
    else:
        assert answer.ok(status)["is_admin"] is True


@pytest.mark.parametrize("header, status, message", [
    ("Bearer", 403, "403: Invalid authorization header"),
    ("Basic x", 403, "403: Invalid token scheme"),
    ("Bearer x", 401, "401: Invalid authorization token, Not enough segments"),
])
def test_a_bad_token_creates_no_admin(customers, header, status, message):
    customers.post(CREATE, header, body(is_admin=True)).refused(status, message)


def test_the_body_is_judged_before_the_right(customers):
    customers.post(CREATE, body=body(is_admin=True, password="x")).invalid(
        {"password": [bodies.SHORT]})


def test_anyone_signed_in_may_create_a_user(customers, people):
    for role in ("owner", "admin", "deleted"):
        customers.post(CREATE, people.token(role), body(is_admin=False)).ok(201)


def test_an_admin_made_here_is_one(customers, admin, accounts):
    new = body(is_admin=True)
    customers.post(CREATE, admin, new).ok(201)
    customers.get("/api/v1/users/list/", accounts.login(new["email"], new["password"])).ok()
