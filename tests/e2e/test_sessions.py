"""Sessions: every login begins one. When it is ended, both services refuse its token at once."""

import datetime
import time
from collections import Counter

import jwt
import pytest

from microcart.testing import tokens
from microcart.testing.accounts import PASSWORD
from microcart.testing.client import FORBIDDEN, NOT_FOUND, Client, at_once
from microcart.waiting import eventually

LOGIN, LOGOUT = "/api/v1/auth/login/", "/api/v1/auth/logout/"
REVOKED = "403: Token is revoked"
NEW_PASSWORD = "quite another password"
LIMIT = 100


def sessions_path(account) -> str:
    return f"/api/v1/users/{account.id}/sessions/"


def claims(token: str) -> dict:
    return jwt.decode(token.split()[1], tokens.SECRET, algorithms=["HS256"])


@pytest.fixture(scope="module")
def log_in(customers):
    def send(account, **options) -> str:
        return customers.post(LOGIN, body={"email": account.email, "password": PASSWORD},
                              **options).ok()["token"]
    return send


@pytest.fixture(scope="module")
def is_accepted(customers, cart):
    """Returns whether a token of an account is accepted. Both services must agree."""
    def ask(account, token: str) -> bool:
        answers = (customers.get(f"/api/v1/users/{account.id}/", token),
                   cart.get(f"/api/v1/cart/{account.id}/", token))
        for answer in answers:
            if answer.status != 200:
                answer.refused(403, REVOKED)
        [status] = {answer.status for answer in answers}
        return status == 200
    return ask


@pytest.fixture(scope="module")
def sessions_of(customers):
    def send(account, token: str) -> list[dict]:
        return customers.get(sessions_path(account), token).ok()
    return send


@pytest.fixture(scope="module")
def add_sessions(cluster, customers_database):
    """Adds rows of sessions that began long ago, numbered from 1."""
    def add(account, count: int, expires: str = "1 day") -> None:
        cluster.query(customers_database, """
            INSERT INTO sessions (user_id, id, expires, client, user_agent)
            SELECT %s, number, now() + %s::interval, '192.0.2.1', ''
            FROM generate_series(1, %s) AS number""", account.id, expires, count)
    return add


@pytest.fixture(scope="module")
def stored(cluster, customers_database):
    """The numbers of an account's sessions in the database, in order."""
    def ask(account) -> list[int]:
        return [row[0] for row in cluster.query(
            customers_database, "SELECT id FROM sessions WHERE user_id = %s ORDER BY id",
            account.id)]
    return ask


def test_a_login_is_a_session(accounts, log_in, sessions_of):
    account = accounts.create()
    before = datetime.datetime.now(datetime.UTC)
    first = log_in(account, headers={"User-Agent": "A browser"})
    second = log_in(account, headers={"User-Agent": "Another"})
    listed = sessions_of(account, first)
    assert [session["id"] for session in listed] == [claims(second)["sid"], claims(first)["sid"]]
    assert [session["is_current"] for session in listed] == [False, True]
    assert [session["user_agent"] for session in listed] == ["Another", "A browser"]
    for session, token in zip(listed, (second, first)):
        assert set(session) == {"id", "created", "expires", "client", "user_agent", "is_current"}
        assert session["client"] == "127.0.0.1"
        created = datetime.datetime.fromisoformat(session["created"])
        assert before <= created <= datetime.datetime.now(datetime.UTC)
        expires = datetime.datetime.fromisoformat(session["expires"])
        assert expires.timestamp() == claims(token)["exp"]


def test_an_administrator_sees_another_users_sessions(accounts, admin, log_in, sessions_of):
    account = accounts.create()
    token = log_in(account)
    [session] = sessions_of(account, admin)
    assert (session["id"], session["is_current"]) == (claims(token)["sid"], False)
    # Numbers of sessions are those of their user, so an administrator's may be the same.
    assert sessions_of(account, account.token) == [session]
    assert sessions_of(accounts.create(), admin) == []


@pytest.mark.parametrize("sent, shown", [
    (b"", ""), (b"x" * 300, "x" * 256), ("Geräte".encode(), "Geräte"),
    (b"\xff\xfe agent", "?? agent"), (b"x" * 255 + "ä".encode(), "x" * 255 + "?")],
    ids=["empty", "long", "UTF-8", "no UTF-8", "cut within a character"])
def test_the_user_agent_is_short_valid_text(customers, accounts, log_in, sessions_of, sent, shown):
    account = accounts.create()
    token = log_in(account, headers={"User-Agent": sent})
    assert [session["user_agent"] for session in sessions_of(account, token)] == [shown]


def test_logging_out_ends_this_session_alone(customers, accounts, log_in, is_accepted, stored):
    account = accounts.create()
    ended, kept = log_in(account), log_in(account)
    assert is_accepted(account, ended)
    customers.post(LOGOUT, ended).ok(204)
    assert not is_accepted(account, ended)
    assert is_accepted(account, kept) and is_accepted(account, account.token)
    assert stored(account) == [claims(kept)["sid"]]
    customers.post(LOGOUT, ended).refused(403, REVOKED)


def test_logging_out_without_a_session_ends_all_tokens_without_one(customers, accounts, log_in,
                                                                   is_accepted):
    account = accounts.create()
    session = log_in(account)
    other = tokens.bearer(account.id, lifetime=60)
    customers.post(LOGOUT, account.token).ok(204)
    assert not is_accepted(account, account.token) and not is_accepted(account, other)
    assert is_accepted(account, session) and is_accepted(account, log_in(account))


def test_ending_a_session(customers, accounts, admin, log_in, is_accepted):
    account = accounts.create()
    kept, ended, ended_by_admin = (log_in(account) for _ in range(3))
    for token, caller in ((ended, kept), (ended_by_admin, admin)):
        path = f"{sessions_path(account)}{claims(token)['sid']}/"
        customers.delete(path, caller).ok(204)
        assert not is_accepted(account, token)
        customers.delete(path, caller).refused(404, NOT_FOUND)
    assert is_accepted(account, kept)
    # A session can also be ended with its own token.
    customers.delete(f"{sessions_path(account)}{claims(kept)['sid']}/", kept).ok(204)
    assert not is_accepted(account, kept)


def test_nobody_ends_a_strangers_session(customers, accounts, people, log_in, is_accepted):
    account = accounts.create()
    token = log_in(account)
    stranger = log_in(people.stranger)
    number = claims(token)["sid"]
    customers.delete(f"{sessions_path(account)}{number}/", stranger).refused(403, FORBIDDEN)
    customers.delete(sessions_path(account), stranger).refused(403, FORBIDDEN)
    # The number is that of another user's session.
    customers.delete(f"{sessions_path(people.stranger)}{number + 1000}/", stranger).refused(
        404, NOT_FOUND)
    assert is_accepted(account, token)


@pytest.mark.parametrize("number", [0, 1, 2**31, 10**30])
def test_sessions_that_never_were_are_404(customers, accounts, number):
    account = accounts.create()
    customers.delete(f"{sessions_path(account)}{number}/", account.token).refused(404, NOT_FOUND)


def test_ending_all_other_sessions(customers, accounts, log_in, is_accepted):
    account = accounts.create()
    kept, *others = (log_in(account) for _ in range(4))
    customers.delete(sessions_path(account), kept).ok(204)
    assert is_accepted(account, kept)
    assert not any(is_accepted(account, token) for token in (*others, account.token))


def test_an_administrator_ends_all_sessions_of_another(customers, accounts, admin, log_in,
                                                       is_accepted):
    account = accounts.create()
    held = [log_in(account), log_in(account), account.token]
    customers.delete(sessions_path(account), admin).ok(204)
    assert not any(is_accepted(account, token) for token in held)
    customers.get("/api/v1/users/list/", admin).ok()


def test_ending_the_other_sessions_without_one(customers, accounts, log_in, is_accepted):
    account = accounts.create()
    held = [log_in(account), log_in(account)]
    customers.delete(sessions_path(account), account.token).ok(204)
    assert not any(is_accepted(account, token) for token in held)
    assert is_accepted(account, account.token)


@pytest.mark.parametrize("by_admin", [False, True], ids=["by the user", "by an administrator"])
def test_a_password_change_ends_all_sessions(customers, accounts, admin, log_in, is_accepted,
                                             stored, by_admin):
    account = accounts.create()
    held = [log_in(account), log_in(account), account.token]
    body = {"new_password": NEW_PASSWORD, "confirm_new_password": NEW_PASSWORD}
    if not by_admin:
        body["current_password"] = PASSWORD
    customers.patch(f"/api/v1/users/{account.id}/change-password/", admin if by_admin else held[0],
                    body)
    assert not any(is_accepted(account, token) for token in held)
    assert stored(account) == []


def test_a_renewed_hash_ends_no_session(cluster, customers_database, accounts, log_in, is_accepted):
    account = accounts.create()
    token = log_in(account)
    cluster.query(customers_database, "UPDATE users SET password = 'another hash' WHERE id = %s",
                  account.id)
    assert is_accepted(account, token)


def test_sessions_go_with_their_account(accounts, log_in, is_accepted, stored):
    account = accounts.create()
    token = log_in(account)
    accounts.delete(account)
    assert stored(account) == []
    assert not is_accepted(account, token)


def test_a_session_is_its_users_alone(accounts, log_in, is_accepted):
    account, other = accounts.create(), accounts.create()
    sid = claims(log_in(account))["sid"]
    for number in (sid, sid + 1):
        forged = "Bearer " + tokens.sign({**tokens.claims(other.id), "ver": 0, "sid": number})
        assert not is_accepted(other, forged)


@pytest.mark.parametrize("sid", [0, -1, 1.5, "1", True, None, 2**31, [1]])
def test_a_session_is_a_positive_int32(customers, cart, accounts, sid):
    account = accounts.create()
    token = "Bearer " + tokens.sign({**tokens.claims(account.id), "sid": sid})
    reason = "Invalid authorization token, Invalid payload"
    customers.get(f"/api/v1/users/{account.id}/", token).refused(401, f"401: {reason}")
    cart.get(f"/api/v1/cart/{account.id}/", token).refused(403, f"403: {reason}")


def test_no_number_is_given_out_again(customers, accounts, log_in, is_accepted, stored, cluster,
                                      customers_database):
    """This holds even after a back-up from before the sessions has been restored."""
    account = accounts.create()
    ended = [log_in(account) for _ in range(3)]
    customers.delete(sessions_path(account), account.token).ok(204)
    assert claims(log_in(account))["sid"] > claims(ended[-1])["sid"]
    second = int(time.time())
    eventually(lambda: int(time.time()) > second + 5)
    cluster.query(customers_database, "DELETE FROM sessions WHERE user_id = %s", account.id)
    cluster.query(customers_database, "UPDATE users SET last_session = 0 WHERE id = %s", account.id)
    log_in(account)
    assert not any(is_accepted(account, token) for token in ended)


def test_an_expired_session_is_gone(customers, accounts, log_in, sessions_of, cluster,
                                    customers_database):
    account = accounts.create()
    number = claims(log_in(account))["sid"]
    cluster.query(customers_database,
                  "UPDATE sessions SET expires = now() WHERE user_id = %s", account.id)
    assert sessions_of(account, account.token) == []
    customers.delete(f"{sessions_path(account)}{number}/", account.token).refused(404, NOT_FOUND)


def test_the_oldest_ends_when_there_are_too_many(accounts, add_sessions, log_in, stored,
                                                 sessions_of):
    account = accounts.create()
    add_sessions(account, LIMIT)
    token = log_in(account)
    assert stored(account) == [*range(2, LIMIT + 1), claims(token)["sid"]]
    assert len(sessions_of(account, token)) == LIMIT


def test_parallel_logins_do_not_pass_the_limit(customers, accounts, add_sessions, stored):
    account = accounts.create()
    add_sessions(account, LIMIT - 3)
    # The throttle permits this number of logins at once.
    answers = at_once(customers.url, [
        ("POST", LOGIN, None, {"email": account.email, "password": PASSWORD})] * 8)
    begun = sorted(claims(answer.ok()["token"])["sid"] for answer in answers)
    assert len(set(begun)) == 8
    assert stored(account) == [*range(6, LIMIT - 2), *begun]


def test_logins_at_the_same_moment_as_their_end(customers, accounts, log_in, is_accepted, stored):
    """Each login succeeds, and its token is valid exactly as long as its session exists."""
    for _ in range(5):
        account = accounts.create()
        before = [log_in(account), log_in(account)]
        login = ("POST", LOGIN, None, {"email": account.email, "password": PASSWORD})
        end = ("DELETE", sessions_path(account), before[0])
        logins = at_once(customers.url, [login, end, login])
        assert Counter(answer.status for answer in logins) == {200: 2, 204: 1}
        assert is_accepted(account, before[0]) and not is_accepted(account, before[1])
        tokens_now = [answer.data["token"] for answer in logins if answer.status == 200]
        remaining = stored(account)
        for token in tokens_now:
            assert is_accepted(account, token) == (claims(token)["sid"] in remaining)


def test_logins_at_the_same_moment_as_a_logout_without_a_session(customers, accounts, is_accepted):
    for _ in range(5):
        account = accounts.create()
        login = ("POST", LOGIN, None, {"email": account.email, "password": PASSWORD})
        answers = at_once(customers.url, [login, ("POST", LOGOUT, account.token), login])
        assert Counter(answer.status for answer in answers) == {200: 2, 204: 1}
        for answer in answers:
            assert answer.status == 204 or is_accepted(account, answer.data["token"])


def test_no_session_of_the_old_password_outlives_it(customers, accounts, admin, is_accepted, stored):
    for _ in range(5):
        account = accounts.create()
        login = ("POST", LOGIN, None, {"email": account.email, "password": PASSWORD})
        change = ("PATCH", f"/api/v1/users/{account.id}/change-password/", admin,
                  {"new_password": NEW_PASSWORD, "confirm_new_password": NEW_PASSWORD})
        answers = at_once(customers.url, [login, login, change, login, login])
        assert answers[2].status == 200
        for answer in answers[:2] + answers[3:]:
            assert answer.status in (200, 400), answer
            if answer.status == 200:
                assert not is_accepted(account, answer.data["token"])
        assert stored(account) == []


def test_listing_at_the_same_moment_as_a_password_change(customers, accounts, admin, log_in):
    account = accounts.create()
    for turn in range(5):
        password = PASSWORD if turn % 2 == 0 else NEW_PASSWORD
        other = NEW_PASSWORD if turn % 2 == 0 else PASSWORD
        own = [accounts.login(account.email, password) for _ in range(3)]
        numbers = [claims(token)["sid"] for token in reversed(own)]
        change = ("PATCH", f"/api/v1/users/{account.id}/change-password/", admin,
                  {"new_password": other, "confirm_new_password": other})
        listing = ("GET", sessions_path(account), admin)
        answers = at_once(customers.url, [listing, listing, change, listing, listing])
        for answer in answers[:2] + answers[3:]:
            # The list has all sessions or none, because the change ends them in one statement.
            assert [session["id"] for session in answer.ok()] in ([], numbers)
        assert customers.get(sessions_path(account), admin).ok() == []


def test_replicas_agree_at_once(customers_binary, customers_environment, customers_database,
                                start_service, accounts, customers):
    other = Client(start_service(customers_binary, customers_environment(customers_database)).url)
    account = accounts.create()
    body = {"email": account.email, "password": PASSWORD}
    for here, there in ((customers, other), (other, customers)):
        for _ in range(10):
            token = here.post(LOGIN, body=body).ok()["token"]
            there.get(sessions_path(account), token).ok()
            there.post(LOGOUT, token).ok(204)
            here.get(sessions_path(account), token).refused(403, REVOKED)
    other.close()


def test_a_restart_forgets_no_session(customers_binary, customers_environment, customers_database,
                                      start_service, accounts):
    service = start_service(customers_binary, customers_environment(customers_database))
    client = Client(service.url)
    account = accounts.create()
    body = {"email": account.email, "password": PASSWORD}
    kept, ended = (client.post(LOGIN, body=body).ok()["token"] for _ in range(2))
    client.post(LOGOUT, ended).ok(204)
    service.stop()
    service.start()
    client.get(sessions_path(account), kept).ok()
    client.get(sessions_path(account), ended).refused(403, REVOKED)
    client.close()


@pytest.fixture
def replica_of_the_version_before(cluster, customers_database):
    """A replica that does not support sessions. It is recognized by its application_name."""
    with cluster.connect(customers_database, application_name="customers") as connection:
        yield connection


def test_replicas_of_the_version_before_agree(replica_of_the_version_before, customers, accounts,
                                              log_in, is_accepted, cluster, customers_database):
    """The version before accepts a token whose `ver` is the account's token_version, whatever its
    `sid`. While a replica of that version is connected, this version decides in the same way."""
    account = accounts.create()

    def agree(token: str) -> bool:
        [(version,)] = cluster.query(customers_database,
                                     "SELECT token_version FROM users WHERE id = %s", account.id)
        assert is_accepted(account, token) == (claims(token)["ver"] == version)
        return is_accepted(account, token)

    held = [log_in(account), log_in(account)]
    assert all("sid" not in claims(token) and agree(token) for token in held)
    customers.post(LOGOUT, held[0]).ok(204)
    assert not any(agree(token) for token in held)
    assert agree(log_in(account))


def test_the_version_before_accepts_no_token_with_a_session(accounts, log_in):
    """No account has their `ver`. Otherwise that version would accept them after the session's end."""
    account = accounts.create()
    assert claims(log_in(account))["ver"] == -1


def test_a_password_change_by_the_version_before_ends_sessions(accounts, log_in, is_accepted,
                                                               cluster, customers_database, stored):
    account = accounts.create()
    token = log_in(account)
    # The statement of the version before.
    cluster.query(customers_database, "UPDATE users SET password = 'new', "
                  "token_version = token_version + 1 WHERE id = %s", account.id)
    assert not is_accepted(account, token)
    assert stored(account) == []


def test_expired_sessions_are_swept(customers_binary, customers_environment, customers_database,
                                    start_service, accounts, add_sessions, stored, cluster,
                                    log_in):
    """The sweep works in batches, and does not wait for a locked row."""
    account, live = accounts.create(), accounts.create()
    token = log_in(live)
    with cluster.connect(customers_database, autocommit=False) as holder:
        # No replica sweeps before the row is locked.
        holder.execute("SELECT pg_advisory_lock(hashtext('sweep_sessions'))")
        add_sessions(account, 1200, expires="-1 second")
        holder.execute("SELECT FROM sessions WHERE user_id = %s AND id = 7 FOR UPDATE", [account.id])
        holder.execute("SELECT pg_advisory_unlock(hashtext('sweep_sessions'))")
        start_service(customers_binary, customers_environment(customers_database))
        # The sweep runs at once, or after a minute if another replica is sweeping at this moment.
        eventually(lambda: stored(account) == [7], 90)
    assert stored(live) == [claims(token)["sid"]]


def test_many_sessions_over_the_link(cart, accounts, log_in, customers):
    """The same batches have tokens of open sessions and of ended ones."""
    account = accounts.create()
    held = [log_in(account) for _ in range(20)]
    for token in held[::2]:
        customers.post(LOGOUT, token).ok(204)
    answers = at_once(cart.url, [("GET", f"/api/v1/cart/{account.id}/", token) for token in held])
    for index, answer in enumerate(answers):
        if index % 2:
            answer.ok()
        else:
            answer.refused(403, REVOKED)
