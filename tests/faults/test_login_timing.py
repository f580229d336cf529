"""The time of a refused login reveals neither whether the email has an account nor its hash's kind."""

import random
import statistics

import httpx
import pytest

from microcart.testing.accounts import fresh_email

TOLERANCE = 0.05
SAMPLES = 150  # For each kind of email, in a batch.
SLOW_SAMPLES = 20
BATCHES = 6  # At most.
REFERENCE_HASH = "$5$rounds=535000$ZyNumk0CX/piPWQj$dhprG6A4nC0NEIHkfPLiSD2TU/0DZmIc.KOwKgecZ7B"


@pytest.fixture(scope="module")
def service(customers_binary, customers_environment, customers_database, start_service):
    return start_service(customers_binary, customers_environment(
        customers_database, LOGIN_FAILURES_PER_ACCOUNT="1000000"))


@pytest.fixture(scope="module")
def known(accounts) -> str:
    """An account with an argon2id hash, like all new ones."""
    return accounts.create().email


def _assert_alike(url: str, samples: int, password: str, **emails) -> None:
    """A wrong password takes the same time for each kind of email. The kinds alternate in random
    order. All samples count; more are taken only while the medians are not settled."""
    times = {kind: [] for kind in emails}
    with httpx.Client(base_url=url) as client:
        for _ in range(BATCHES):
            for _ in range(samples):
                for kind in random.sample(list(emails), len(emails)):
                    answer = client.post("/api/v1/auth/login/",
                                         json={"email": emails[kind](), "password": password})
                    assert answer.status_code == 400
                    times[kind].append(answer.elapsed.total_seconds() * 1000)
            medians = {kind: statistics.median(measured) for kind, measured in times.items()}
            print(medians)
            if max(medians.values()) <= (1 + TOLERANCE) * min(medians.values()):
                return
    raise AssertionError(medians)


def _unknown() -> str:
    return fresh_email("none")


def test_unknown_emails_take_as_long(service, known):
    _assert_alike(service.url, SAMPLES, "wrong password", known=lambda: known, unknown=_unknown)


@pytest.mark.parametrize("password", ["wrong password", "x" * 129],
                         ids=["usual", "too long for crypt"])
def test_hashes_of_the_reference_take_as_long(service, known, accounts, cluster,
                                              customers_database, password):
    adopted = accounts.create()
    cluster.query(customers_database, "UPDATE users SET password = %s WHERE id = %s",
                  REFERENCE_HASH, adopted.id)
    try:
        _assert_alike(service.url, SLOW_SAMPLES, password, adopted=lambda: adopted.email,
                      known=lambda: known, unknown=_unknown)
    finally:
        accounts.delete(adopted)
