"""Throttled password guesses: limits per account and address, and per address."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from microcart.testing.accounts import PASSWORD, Accounts, fresh_email
from microcart.testing.client import Client

LOGIN = "/api/v1/auth/login/"
PER_ACCOUNT, PER_ADDRESS, WINDOW = 4, 12, 900


@pytest.fixture(scope="module")
def start_throttled(customers_binary, customers_environment, customers_database, start_service):
    """Starts a replica with low limits that believes the X-Forwarded-For of this machine."""
    clients = []

    def start(**more: str) -> Client:
        clients.append(Client(start_service(customers_binary, customers_environment(
            customers_database, TRUSTED_PROXIES="127.0.0.0/8",
            **{"LOGIN_FAILURES_PER_ACCOUNT": str(PER_ACCOUNT),
               "LOGIN_FAILURES_PER_ADDRESS": str(PER_ADDRESS),
               "LOGIN_FAILURE_WINDOW": str(WINDOW)} | more)).url))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def throttled(start_throttled) -> Client:
    return start_throttled()


@pytest.fixture(scope="module")
def new_accounts(throttled) -> Accounts:
    return Accounts(throttled)


_NUMBERS = itertools.count(1)


@pytest.fixture
def address() -> str:
    """A separate address for every test."""
    return f"198.51.100.{next(_NUMBERS)}"


def login(client, address, email, password="wrong password"):
    return client.post(LOGIN, body={"email": email, "password": password},
                       headers={"X-Forwarded-For": address})


def assert_throttled(answer):
    answer.refused(429, "429: Too Many Requests")
    assert 0 < int(answer.headers["Retry-After"]) <= WINDOW


@pytest.mark.parametrize("known", [True, False], ids=["known email", "unknown email"])
def test_an_account_from_one_address(throttled, new_accounts, address, known):
    email = new_accounts.create().email if known else fresh_email()
    for _ in range(PER_ACCOUNT):
        assert login(throttled, address, email).status == 400
    assert_throttled(login(throttled, address, email))
    # An email in another case is the same account, and even the right password is not checked.
    assert_throttled(login(throttled, address, email.upper(), PASSWORD))


def test_a_stranger_never_locks_the_owner_out(throttled, new_accounts, address):
    account = new_accounts.create()
    for _ in range(PER_ACCOUNT + 1):
        login(throttled, address, account.email)
    assert login(throttled, "203.0.113.7", account.email, PASSWORD).status == 200


def test_a_success_clears_the_pair(throttled, new_accounts, address):
    account = new_accounts.create()
    for _ in range(2):
        for _ in range(PER_ACCOUNT - 1):
            assert login(throttled, address, account.email).status == 400
        assert login(throttled, address, account.email, PASSWORD).status == 200


def test_successes_do_not_count(throttled, new_accounts, address):
    account = new_accounts.create()
    for _ in range(PER_ADDRESS + 1):
        assert login(throttled, address, account.email, PASSWORD).status == 200


def test_many_accounts_from_one_address(throttled, address):
    for _ in range(PER_ADDRESS):
        assert login(throttled, address, fresh_email()).status == 400
    assert_throttled(login(throttled, address, fresh_email()))


def test_holds_across_replicas_and_restarts(throttled, start_throttled, new_accounts, address):
    account = new_accounts.create()
    replica = start_throttled()
    for turn in range(PER_ACCOUNT):
        assert login((throttled, replica)[turn % 2], address, account.email).status == 400
    assert_throttled(login(replica, address, account.email))
    assert_throttled(login(start_throttled(), address, account.email))


def test_parallel_guesses_get_no_more(throttled, new_accounts, address):
    account = new_accounts.create()

    def guess(_):
        client = Client(throttled.url)
        try:
            return login(client, address, account.email).status
        finally:
            client.close()

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(guess, range(16)))
    assert statuses.count(400) == PER_ACCOUNT
    assert statuses.count(429) == 16 - PER_ACCOUNT


def test_is_forgotten_after_the_window(cluster, customers_database, throttled, new_accounts,
                                       address):
    account = new_accounts.create()
    for _ in range(PER_ACCOUNT):
        assert login(throttled, address, account.email).status == 400

    def pass_by(seconds: int) -> None:
        cluster.query(customers_database, """
            UPDATE login_failures SET last_time = last_time - make_interval(secs => %s),
                times = ARRAY(SELECT t - make_interval(secs => %s) FROM unnest(times) AS t)""",
                      seconds, seconds)

    pass_by(WINDOW // 2)
    answer = login(throttled, address, account.email, PASSWORD)
    assert_throttled(answer)
    assert int(answer.headers["Retry-After"]) <= WINDOW // 2
    pass_by(WINDOW // 2)
    assert login(throttled, address, account.email, PASSWORD).status == 200


def guess_current(client, address, account):
    """Requests a password change with a wrong current password."""
    return client.patch(f"/api/v1/users/{account.id}/change-password/", account.token, {
        "current_password": "wrong password", "new_password": "quite another password",
        "confirm_new_password": "quite another password"}, headers={"X-Forwarded-For": address})


def test_guesses_of_the_current_password_count_too(throttled, new_accounts, address):
    account = new_accounts.create()
    for _ in range(PER_ACCOUNT):
        guess_current(throttled, address, account).invalid(
            {"current_password": ["Wrong password."]}, 400)
    assert_throttled(guess_current(throttled, address, account))
    assert_throttled(login(throttled, address, account.email, PASSWORD))


def test_another_email_gives_no_more_guesses(throttled, new_accounts, address):
    account = new_accounts.create()
    email = account.email
    guesses = [lambda: guess_current(throttled, address, account),
               lambda: login(throttled, address, email)]
    for turn in range(PER_ACCOUNT):
        assert guesses[turn % 2]().status == 400
        email = fresh_email()
        throttled.patch(f"/api/v1/users/{account.id}/", account.token, {"email": email}).ok()
    for guess in guesses:
        assert_throttled(guess())


# A fingerprint of the table of failures; `xmin` changes with any write.
ROWS = "SELECT key, xmin::text, times FROM login_failures ORDER BY key"


def test_an_attempt_that_is_refused_writes_nothing(cluster, customers_database, throttled,
                                                   address):
    for _ in range(PER_ADDRESS):
        login(throttled, address, fresh_email())
    before = cluster.query(customers_database, ROWS)
    for _ in range(1000):
        assert_throttled(login(throttled, address, fresh_email()))
    assert cluster.query(customers_database, ROWS) == before


def test_the_clean_up_blocks_nobody_for_ever(cluster, customers_database):
    """Clients whose rows are due return at the same time, and each removes some rows of the others.
    The test does not use the service, whose hashing would keep the clients apart."""
    owners = [(fresh_email(), f"10.1.1.{number}") for number in range(16)]
    together = Barrier(len(owners))

    def come_back(owner: tuple[str, str]) -> int:
        with cluster.connect(customers_database) as connection:
            together.wait(timeout=30)
            return connection.execute("SELECT wait_seconds FROM begin_login(%s, %s, 10, 100, 900)",
                                      owner).fetchone()[0]

    for _ in range(50):
        cluster.query(customers_database, "DELETE FROM login_failures")
        for email, address in owners:
            cluster.query(customers_database, """
                INSERT INTO login_failures
                SELECT sha256(convert_to(name, 'UTF8')), '{}', now() - random() * interval '1 day'
                    - interval '1 hour'
                FROM (VALUES (%s), (%s)) AS names (name)""", f"{email} {address}", address)
        with ThreadPoolExecutor(len(owners)) as executor:
            assert list(executor.map(come_back, owners)) == [0] * len(owners)
        assert cluster.query(customers_database, """
            SELECT count(*) FROM login_failures WHERE cardinality(times) = 1""") == [
                (2 * len(owners),)]


def test_a_clients_own_header_is_not_believed(throttled, new_accounts, address):
    """Only the entry that the trusted proxy added counts, not the entries before it."""
    account = new_accounts.create()
    for turn in range(PER_ACCOUNT):
        login(throttled, f"203.0.113.{turn}, {address}", account.email)
    assert_throttled(login(throttled, f"203.0.113.99, {address}", account.email))


def test_keeps_no_email(cluster, customers_database, throttled, address):
    email = fresh_email("marked")
    login(throttled, address, email)
    rows = cluster.query(customers_database, "SELECT * FROM login_failures")
    assert rows
    assert email not in str(rows) and address not in str(rows)
