"""PATCH /api/v1/users/{user_id}/change-password/."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from microcart.testing import bodies
from microcart.testing.accounts import PASSWORD
from microcart.waiting import eventually

NEW = "quite another password"
MISMATCH = {"confirm_new_password": ["The two password fields didn't match."]}
WRONG = {"current_password": ["Wrong password."]}


def change(customers, account, token, **fields):
    return customers.patch(f"/api/v1/users/{account.id}/change-password/", token, fields)


def both(password: str) -> dict:
    return {"new_password": password, "confirm_new_password": password}


def logs_in(customers, account, password: str) -> bool:
    answer = customers.post("/api/v1/auth/login/",
                            body={"email": account.email, "password": password})
    assert answer.status in (200, 400), answer
    return answer.status == 200


@pytest.fixture(scope="module")
def owner(accounts):
    """An account whose password no test changes."""
    return accounts.create()


@pytest.mark.parametrize("new", [NEW, "é" * 7, "🛒" * 1024, " seven ", PASSWORD])
def test_own(customers, accounts, new):
    account = accounts.create()
    change(customers, account, account.token, current_password=PASSWORD, **both(new)).bare()
    assert logs_in(customers, account, new)
    assert logs_in(customers, account, PASSWORD) == (new == PASSWORD)


def test_an_admin_needs_no_current_password_for_another(customers, admin, accounts):
    account = accounts.create()
    change(customers, account, admin, **both(NEW)).bare()
    assert logs_in(customers, account, NEW) and not logs_in(customers, account, PASSWORD)


def test_an_admin_needs_it_for_his_own(customers, accounts):
    account = accounts.create(is_admin=True)
    change(customers, account, account.token, **both(NEW)).invalid(
        {"current_password": [bodies.REQUIRED]})
    change(customers, account, account.token, current_password="not this", **both(NEW)).invalid(
        WRONG, 400)
    change(customers, account, account.token, current_password=PASSWORD, **both(NEW)).ok()


@pytest.mark.parametrize("current", ["not this one", "", PASSWORD.upper(), PASSWORD + " ",
                                     "x" * 1024], ids=repr)
def test_wrong_current_password_changes_nothing(customers, owner, current):
    change(customers, owner, owner.token, current_password=current, **both(NEW)).invalid(WRONG, 400)
    assert logs_in(customers, owner, PASSWORD)


INVALID = {
    "nothing": ({}, {"current_password": [bodies.REQUIRED], "new_password": [bodies.REQUIRED],
                     "confirm_new_password": [bodies.REQUIRED]}),
    "no current": (both(NEW), {"current_password": [bodies.REQUIRED]}),
    "no new": ({"current_password": PASSWORD, "confirm_new_password": NEW},
               {"new_password": [bodies.REQUIRED]}),
    "no confirmation": ({"current_password": PASSWORD, "new_password": NEW},
                        {"confirm_new_password": [bodies.REQUIRED]}),
    "nulls": ({"current_password": None, "new_password": None, "confirm_new_password": None},
              {"current_password": [bodies.NULL], "new_password": [bodies.NULL],
               "confirm_new_password": [bodies.NULL]}),
    "numbers": ({"current_password": 1, "new_password": 1234567, "confirm_new_password": 1234567},
                {"current_password": [bodies.STRING], "new_password": [bodies.STRING],
                 "confirm_new_password": [bodies.STRING]}),
    "mismatch": ({"current_password": PASSWORD, "new_password": NEW,
                  "confirm_new_password": NEW + "x"}, MISMATCH),
    "mismatch in case": ({"current_password": PASSWORD, "new_password": NEW,
                          "confirm_new_password": NEW.upper()}, MISMATCH),
    "short confirmation": ({"current_password": PASSWORD, "new_password": NEW,
                            "confirm_new_password": "123456"},
                           {"confirm_new_password": [bodies.SHORT]}),
    "both short": ({"current_password": PASSWORD, **both("short")},
                   {"new_password": [bodies.SHORT], "confirm_new_password": [bodies.SHORT]}),
    "both long": ({"current_password": PASSWORD, **both("x" * 1025)},
                  {"new_password": [bodies.LONG], "confirm_new_password": [bodies.LONG]}),
    "mismatch beside a wrong current password": (
        {"current_password": "not this one", "new_password": NEW,
         "confirm_new_password": NEW + "x"}, MISMATCH),
    "mismatch is told only of valid ones": (
        {"current_password": PASSWORD, "new_password": "short", "confirm_new_password": NEW},
        {"new_password": [bodies.SHORT]}),
}


@pytest.mark.parametrize("fields, messages", INVALID.values(), ids=INVALID)
def test_invalid(customers, owner, fields, messages):
    change(customers, owner, owner.token, **fields).invalid(messages)


def test_unknown_members_are_ignored(customers, accounts):
    account = accounts.create()
    change(customers, account, account.token, current_password=PASSWORD, **both(NEW),
           password=PASSWORD, id=1).bare()
    assert logs_in(customers, account, NEW) and not logs_in(customers, account, PASSWORD)


@pytest.mark.parametrize("new, message", [
    ("", bodies.SHORT), ("123456", bodies.SHORT), ("é" * 6, bodies.SHORT),
    ("x" * 1025, bodies.LONG), ("é" * 1025, bodies.LONG), ("seven\0seven", bodies.STRING)],
    ids=["empty", "six", "six characters", "1025", "1025 characters", "NUL"])
def test_unfit_new_password(customers, owner, new, message):
    answer = change(customers, owner, owner.token, current_password=PASSWORD, **both(new))
    assert answer.status == 422, answer
    assert answer.fields["new_password"] == [message]
    assert set(answer.fields) <= {"new_password", "confirm_new_password"}


@pytest.mark.parametrize("content, status, fields", bodies.MALFORMED.values(), ids=bodies.MALFORMED)
def test_malformed_body(customers, owner, content, status, fields):
    customers.patch(f"/api/v1/users/{owner.id}/change-password/", owner.token,
                    content=content).invalid(fields, status)


def test_the_stored_hash_changes(customers, accounts, cluster, customers_database):
    account = accounts.create()

    def stored() -> str:
        [(password,)] = cluster.query(customers_database,
                                      "SELECT password FROM users WHERE id = %s", account.id)
        return password

    before = stored()
    change(customers, account, account.token, current_password=PASSWORD, **both(PASSWORD)).ok()
    assert stored() != before and stored().startswith("$argon2id$")


# Races: another statement holds the account's row when the change is about to be written.

REHASH = "UPDATE users SET password = '$argon2id$another hash' WHERE id = %s"
CHANGE = ("UPDATE users SET password = '$argon2id$another password', "
          "token_version = token_version + 1 WHERE id = %s")
DELETE = "DELETE FROM users WHERE id = %s"


@pytest.fixture
def change_against(customers, cluster, customers_database):
    """Returns the answer to a password change that a statement overtakes."""
    def race(account, token, statement: str, **fields):
        with cluster.connect(customers_database, autocommit=False) as other, \
                ThreadPoolExecutor(1) as executor:
            other.execute(statement, (account.id,))
            answer = executor.submit(change, customers, account, token, **fields)
            eventually(lambda: cluster.query(
                "postgres", "SELECT 1 FROM pg_stat_activity WHERE datname = %s "
                "AND wait_event_type = 'Lock'", customers_database))
            assert not answer.done()
            other.commit()
            return answer.result()

    return race


def test_a_better_hash_of_the_same_password_is_no_change(customers, accounts, change_against):
    """Does what a login writes meanwhile."""
    account = accounts.create()
    change_against(account, account.token, REHASH, current_password=PASSWORD, **both(NEW)).ok()
    assert logs_in(customers, account, NEW)


def test_what_was_checked_is_the_current_password_no_more(customers, accounts, change_against):
    account = accounts.create()
    change_against(account, account.token, CHANGE, current_password=PASSWORD,
                   **both(NEW)).invalid(WRONG, 400)
    assert not logs_in(customers, account, NEW)


@pytest.mark.parametrize("statement", [REHASH, CHANGE], ids=["better hash", "other password"])
def test_an_admins_change_overrides_any_other(customers, admin, accounts, change_against,
                                              statement):
    account = accounts.create()
    change_against(account, admin, statement, **both(NEW)).ok()
    assert logs_in(customers, account, NEW)


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_a_deleted_account_is_not_found(admin, accounts, change_against, role):
    account = accounts.create()
    token, known = {"owner": (account.token, {"current_password": PASSWORD}),
                    "admin": (admin, {})}[role]
    change_against(account, token, DELETE, **known, **both(NEW)).refused(404, "404: Not Found")


def test_ended_sessions_meanwhile_do_not_make_the_password_wrong(customers, accounts, cluster,
                                                                 customers_database):
    """Ending sessions increments the token version, too, so it is not what the change compares alone."""
    account = accounts.create()
    with cluster.connect(customers_database, autocommit=False) as holder, \
            ThreadPoolExecutor(1) as threads:
        holder.execute("UPDATE users SET token_version = token_version + 1 WHERE id = %s",
                       [account.id])
        answer = threads.submit(change, customers, account, account.token,
                                current_password=PASSWORD, **both(NEW))
        eventually(lambda: cluster.query(
            customers_database, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = "
            "'Lock' AND datname = current_database()") == [(1,)])
        holder.commit()
        answer.result().bare()
    assert logs_in(customers, account, NEW)
