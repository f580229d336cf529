"""How long a refused login takes tells nobody whether the email has an account."""

import statistics

import httpx

from support.accounts import fresh_email

SAMPLES = 120
ATTEMPTS = 4  # At measuring, on a machine that is busy with something else.
TOLERANCE = 0.05


def _medians(url: str, known: str) -> tuple[float, float]:
    """Seconds that a wrong password takes for `known` and for unknown emails, in turn."""
    seconds: tuple[list[float], list[float]] = ([], [])
    with httpx.Client(base_url=url) as client:
        for number in range(2 * SAMPLES):
            email = (known, fresh_email("none"))[number % 2]
            answer = client.post("/api/v1/auth/login/",
                                 json={"email": email, "password": "wrong password"})
            assert answer.status_code == 400
            seconds[number % 2].append(answer.elapsed.total_seconds())
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def test_unknown_emails_take_as_long(customers_binary, customers_environment, customers_database,
                                     start_service, accounts):
    account = accounts.create()  # With an argon2id hash, as all new ones.
    service = start_service(customers_binary, customers_environment(
        customers_database, LOGIN_FAILURES_PER_ACCOUNT="1000000"))
    measured = []
    for _ in range(ATTEMPTS):
        known, unknown = _medians(service.url, account.email)
        measured.append((known, unknown))
        if abs(known - unknown) <= TOLERANCE * min(known, unknown):
            return
    raise AssertionError(f"medians of known and unknown emails differ: {measured}")
