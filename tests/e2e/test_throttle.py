"""Throttled password guesses: limits per account and address, and per address."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from microcart.testing.accounts import PASSWORD, Accounts, fresh_email
from microcart.testing.client import Client, at_once
from microcart.testing.metrics import Growth, Scrape
from microcart.waiting import eventually

LOGIN = "/api/v1/auth/login/"
PER_ACCOUNT, PER_ADDRESS, WINDOW = 4, 12, 900
# Refusals after which an address is refused without being looked up.
REFUSALS = 10 * PER_ADDRESS
# A hash of PASSWORD that takes half a second to verify, on an idle machine.
SLOW_HASH = "$5$rounds=1000000$0123456789abcdef$Uw4YGaauo5RRqDOt1T3rOKMk/bNqMugr4HuJbqTLW53"


@pytest.fixture(scope="module")
def start_throttled(customers_binary, customers_environment, customers_database, start_service):
    """Starts a replica with low limits that believes the X-Forwarded-For of this machine."""
    clients = []

    def start(**more: str) -> Client:
        service = start_service(customers_binary, customers_environment(
            customers_database, TRUSTED_PROXIES="127.0.0.0/8",
            **{"LOGIN_FAILURES_PER_ACCOUNT": str(PER_ACCOUNT),
               "LOGIN_FAILURES_PER_ADDRESS": str(PER_ADDRESS),
               "LOGIN_FAILURE_WINDOW": str(WINDOW)} | more))
        clients.append(Client(service.url))
        clients[-1].service = service
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


def logins_at_once(client, address, guesses: list[tuple[str, str]]) -> list[int]:
    """Returns the statuses of logins (email, password) that are sent at the same moment."""
    answers = at_once(client.url, [
        ("POST", LOGIN, None, {"email": email, "password": password}) for email, password in guesses],
        headers={"X-Forwarded-For": address})
    return [answer.status for answer in answers]


def assert_guesses(statuses: list[int], limit: int) -> None:
    """As many wrong guesses as the limit were decided, and no more. On a busy machine some guesses are
    not verified in time (503), which then are missing from those."""
    counts = Counter(statuses)
    assert set(counts) <= {400, 429, 503}, counts
    assert limit - counts[503] <= counts[400] <= limit, counts


def assert_logins(statuses: list[int]) -> None:
    """No right password was throttled, though some may not have been verified in time."""
    assert set(statuses) in ({200}, {200, 503}), statuses


def test_parallel_guesses_get_no_more(throttled, new_accounts, address):
    account = new_accounts.create()
    statuses = logins_at_once(throttled, address, [(account.email, "wrong password")] * 16)
    assert_guesses(statuses, PER_ACCOUNT)


def test_parallel_guesses_at_many_accounts_get_no_more(throttled, address):
    statuses = logins_at_once(throttled, address, [(fresh_email(), PASSWORD) for _ in range(32)])
    assert_guesses(statuses, PER_ADDRESS)


def test_parallel_logins_of_one_account_are_no_failures(throttled, new_accounts, address):
    account = new_accounts.create()
    statuses = logins_at_once(throttled, address, [(account.email, PASSWORD)] * 30)
    assert_logins(statuses)


def test_parallel_logins_from_one_address_are_no_failures(throttled, new_accounts, address):
    emails = [new_accounts.create().email for _ in range(PER_ADDRESS + 8)]
    statuses = logins_at_once(throttled, address, [(email, PASSWORD) for email in emails])
    assert_logins(statuses)


def test_parallel_right_and_wrong_passwords(throttled, new_accounts, address):
    """One failure less than the limit refuses nobody."""
    right = [(new_accounts.create().email, PASSWORD) for _ in range(6)]
    wrong = [(fresh_email(), PASSWORD) for _ in range(PER_ADDRESS - 1)]
    both = [guess for pair in itertools.zip_longest(right, wrong) for guess in pair if guess]
    statuses = logins_at_once(throttled, address, both)
    assert all(status in (200 if guess in right else 400, 503)
               for guess, status in zip(both, statuses, strict=True)), statuses


def test_a_right_password_that_is_verified_too_late_has_no_effect(
        start_throttled, new_accounts, address, cluster, customers_database):
    """Others reach the limit while the right password is verified. The answer does not reveal that it
    was right."""
    replica = start_throttled()
    account = new_accounts.create()
    cluster.query(customers_database, "UPDATE users SET password = %s WHERE id = %s", SLOW_HASH,
                  account.id)

    def attempt() -> bool:
        cluster.query(customers_database, "TRUNCATE login_failures")
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(login, replica, address, account.email, PASSWORD)
            eventually(lambda: answer.done() or Scrape(replica.service).value(
                "password_hash_pool_pending"))
            for _ in range(PER_ACCOUNT):
                cluster.query(customers_database, "SELECT count_wrong_guess(%s, %s, %s, %s, %s, %s)",
                              str(account.id), [address], [1], PER_ACCOUNT, PER_ADDRESS, WINDOW)
            if answer.done():
                return False  # The machine was busy.
            assert_throttled(answer.result())
        return True

    eventually(attempt, 60)
    assert cluster.query(customers_database, "SELECT password FROM users WHERE id = %s",
                         account.id) == [(SLOW_HASH,)]
    assert cluster.query(customers_database, "SELECT count(*) FROM sessions WHERE user_id = %s",
                         account.id) == [(0,)]


@pytest.mark.parametrize("bits, share", [(64, 1), (56, 2), (48, 4)])
@pytest.mark.parametrize("limit", [PER_ACCOUNT, PER_ADDRESS], ids=["account", "address"])
def test_an_ipv6_network_of_one_customer(throttled, new_accounts, bits, share, limit):
    """Every guess comes from another address, and if possible from another smaller network."""
    email = new_accounts.create().email
    network = f"2001:db8:{bits:x}{limit:02x}"
    addresses = [{64: f"{network}:0:1::{number:x}", 56: f"{network}:{number:x}::1",
                  48: f"{network}:{number * 0x100:x}::1"}[bits]
                 for number in range(share * limit + 2)]
    statuses = [login(throttled, address, email if limit == PER_ACCOUNT else fresh_email()).status
                for address in addresses]
    assert statuses == [400] * (share * limit) + [429] * 2
    # Another customer's network is not affected.
    assert login(throttled, "2001:db9::1", email, PASSWORD).status == 200


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
    for _ in range(REFUSALS - 1):
        assert_throttled(login(throttled, address, fresh_email()))
    assert cluster.query(customers_database, ROWS) == before


def test_an_address_that_is_refused_again_and_again_is_no_longer_looked_up(
        throttled, new_accounts, address):
    """Neither in the database nor by the hash pool, for logins as for registrations."""
    account = new_accounts.create()
    for _ in range(PER_ADDRESS):
        assert login(throttled, address, fresh_email()).status == 400
    for _ in range(REFUSALS):
        assert_throttled(login(throttled, address, account.email, PASSWORD))
    grown = Growth(throttled.service)
    assert_throttled(login(throttled, address, account.email, PASSWORD))
    assert_throttled(throttled.post("/api/v1/users/create/", body={
        "email": fresh_email(), "password": PASSWORD}, headers={"X-Forwarded-For": address}))
    assert grown("password_guesses_total", outcome="throttled") == 1
    assert grown("db_client_operation_duration_seconds_count", statement="guess_wait") == 0
    assert grown("db_client_operation_duration_seconds_count",
                 statement="find_credentials_by_email") == 0
    assert grown("password_hash_duration_seconds_count") == 0
    # Others are not affected.
    assert login(throttled, "203.0.113.8", account.email, PASSWORD).status == 200


def test_the_clean_up_blocks_nobody_for_ever(cluster, customers_database):
    """Clients whose rows are due return at the same time, and each removes some rows of the others.
    The test does not use the service, whose hashing would keep the clients apart."""
    owners = [(fresh_email(), f"10.1.1.{number}") for number in range(16)]
    together = Barrier(len(owners))

    def come_back(owner: tuple[str, str]) -> int:
        with cluster.connect(customers_database) as connection:
            together.wait(timeout=30)
            return connection.execute(
                "SELECT count_wrong_guess(%s, ARRAY[%s], ARRAY[1], 10, 100, 900)",
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
