"""Rights that are lost while a request waits: the request was let in, but changes nothing."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.testing.client import FORBIDDEN
from microcart.testing.metrics import Scrape
from microcart.waiting import eventually

NEW_PASSWORD = "quite another password"
# Matches no password. The more passes, the longer takes its verification; usual hashes have 2.
SLOW_HASH = ("$argon2id$v=19$m=19456,t={passes},p=1$37A4+s3JQRmh2XA9WV+yzw$"
             "DeYkRu37ARb06JMVpYmDeiSPpib88p1NmxHy/JHfjw4")
LOGIN, CREATE = "/api/v1/auth/login/", "/api/v1/users/create/"


def _path(user: int, rest: str = "") -> str:
    return f"/api/v1/users/{user}/{rest}"


# What an administrator may do to an account, and what its owner may do: the requests.
ADMINS_ACTS = {
    "promote": lambda user: ("PATCH", _path(user), {"is_admin": True}),
    "change the email": lambda user: ("PATCH", _path(user), {"email": fresh_email()}),
    "set the password": lambda user: (
        "PATCH", _path(user, "change-password/"),
        {"new_password": NEW_PASSWORD, "confirm_new_password": NEW_PASSWORD}),
    "delete": lambda user: ("DELETE", _path(user), None),
    "make a recovery code": lambda user: ("POST", _path(user, "recovery/"), None),
    "end a session": lambda user: ("DELETE", _path(user, "sessions/1/"), None),
    "end all sessions": lambda user: ("DELETE", _path(user, "sessions/"), None),
}
OWNERS_ACTS = {name: ADMINS_ACTS[name] for name in (
    "change the email", "delete", "end a session", "end all sessions")}

DEMOTED = "UPDATE users SET is_admin = false WHERE id = %(actor)s"
LOGGED_OUT = "UPDATE users SET token_version = token_version + 1 WHERE id = %(actor)s"
SESSION_ENDED = "DELETE FROM sessions WHERE user_id = %(actor)s"


@pytest.fixture
def act_while(customers, cluster, customers_database):
    """Returns the answer to a request whose statement waits for the account's row while another
    transaction takes the actor's right away. If the account is the actor's own, it is the same
    transaction that holds both."""
    def send(target: int, token: str, act, loss: str, actor: int):
        method, path, body = act(target)
        options = {} if body is None else {"body": body}
        with cluster.connect(customers_database, autocommit=False) as holder, \
                ThreadPoolExecutor(1) as threads:
            holder.execute("SELECT FROM users WHERE id = %s FOR UPDATE", [target])
            holder.execute("SELECT FROM sessions WHERE user_id = %s FOR UPDATE", [target])
            holder.execute("SELECT FROM recovery_codes WHERE user_id = %s FOR UPDATE", [target])
            answer = threads.submit(customers.call, method, path, token, **options)
            eventually(lambda: answer.done() or cluster.query(
                customers_database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database()"))
            holder.execute(loss, {"actor": actor})
            holder.commit()
            return answer.result()
    return send


@pytest.fixture
def stored(cluster, customers_database):
    """Everything that is stored about an account."""
    def ask(user: int) -> list:
        return [cluster.query(customers_database, f"SELECT * FROM {table} WHERE {key} = %s", user)
                for table, key in (("users", "id"), ("sessions", "user_id"),
                                   ("recovery_codes", "user_id"))]
    return ask


def _add_session(cluster, database: str, user: int) -> None:
    cluster.query(database, "INSERT INTO sessions (user_id, id, expires, client, user_agent) "
                  "VALUES (%s, 1, now() + interval '1 day', '', '')", user)


def _refused(attempt) -> None:
    """Repeats an attempt until its statement has not waited for too long on a busy machine."""
    answer = eventually(lambda: (found := attempt()).status != 503 and found, 60)
    answer.refused(403, FORBIDDEN)


@pytest.mark.parametrize("name", ADMINS_ACTS)
def test_a_demoted_administrator_changes_no_account(customers, accounts, cluster,
                                                    customers_database, act_while, stored, name):
    """The demotion is committed while the request waits for the account."""
    def attempt():
        account = accounts.create()
        _add_session(cluster, customers_database, account.id)
        admin = accounts.create(is_admin=True)
        before = stored(account.id)
        answer = act_while(account.id, admin.token, ADMINS_ACTS[name], DEMOTED, admin.id)
        assert stored(account.id) == before
        return answer

    _refused(attempt)


@pytest.mark.parametrize("name", OWNERS_ACTS)
@pytest.mark.parametrize("loss", [LOGGED_OUT, SESSION_ENDED], ids=["version", "session"])
def test_a_revoked_token_changes_nothing(customers, accounts, cluster, customers_database,
                                         act_while, stored, name, loss):
    def attempt():
        account = accounts.create()
        _add_session(cluster, customers_database, account.id)
        token = accounts.login(account.email) if loss == SESSION_ENDED else account.token
        before = stored(account.id)[0][0]
        answer = act_while(account.id, token, OWNERS_ACTS[name], loss, account.id)
        [after] = stored(account.id)[0]
        changed = [new for new, old in zip(after, before, strict=True) if new != old]
        assert len(changed) == (1 if loss == LOGGED_OUT else 0), (before, after)
        return answer

    _refused(attempt)


def test_a_change_comes_before_the_loss_of_its_right_or_not_at_all(customers, accounts, admin,
                                                                   cluster, customers_database):
    """A demotion waits for a change that has checked its right already."""
    account, actor = accounts.create(), accounts.create(is_admin=True)
    with cluster.connect(customers_database, autocommit=False) as change, \
            ThreadPoolExecutor(1) as threads:
        change.execute("SELECT authorize(id, token_version, 0, %s, true, false) FROM users "
                       "WHERE id = %s", [account.id, actor.id])
        demotion = threads.submit(customers.patch, _path(actor.id), admin, {"is_admin": False})
        eventually(lambda: demotion.done() or cluster.query(
            customers_database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"))
        assert not demotion.done() or demotion.result().status == 503
        change.rollback()


def test_a_demoted_administrator_makes_no_administrator(customers_service, customers, accounts,
                                                        admin, cluster, customers_database):
    """The demotion is answered while the request waits for the hash pool."""
    guesses = (os.cpu_count() or 1) + 1  # As many as are hashed at once.
    slow = [accounts.create() for _ in range(guesses)]
    passes = 40

    def pending() -> float:
        return Scrape(customers_service).value("password_hash_pool_pending")

    def attempt() -> bool:
        nonlocal passes
        cluster.query(customers_database, "UPDATE users SET password = %s WHERE id = ANY(%s)",
                      SLOW_HASH.format(passes=passes), [account.id for account in slow])
        actor, email = accounts.create(is_admin=True), fresh_email("admin")
        with ThreadPoolExecutor(guesses + 1) as threads:
            held = [threads.submit(customers.post, LOGIN, body={
                "email": account.email, "password": PASSWORD}) for account in slow]
            eventually(lambda: pending() == guesses or held[0].done())
            answer = threads.submit(customers.post, CREATE, actor.token, {
                "email": email, "password": PASSWORD, "is_admin": True})
            eventually(lambda: pending() > guesses or answer.done() or held[0].done())
            customers.patch(_path(actor.id), admin, {"is_admin": False}).ok()
            came_first = answer.done()
            assert {guess.result().status for guess in held} <= {400, 503}
        if came_first or answer.result().status == 503:
            # The machine is faster or slower than expected.
            passes = min(1000, 2 * passes) if came_first else max(2, passes // 2)
            return False
        answer.result().refused(403, FORBIDDEN)
        assert cluster.query(customers_database, "SELECT count(*) FROM users WHERE email = %s",
                             email) == [(0,)]
        return True

    eventually(attempt, 120)
