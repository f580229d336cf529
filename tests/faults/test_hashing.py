"""More passwords than the machine can hash: the excess is refused at once, other requests work, and
nobody's login waits for those of another address."""

import asyncio
import itertools
import os
import statistics
from collections import Counter
from collections.abc import Callable

import pytest

from harness.http import Pool, request
from microcart.testing.accounts import PASSWORD, fresh_email
from microcart.testing.metrics import Growth, Scrape

SECONDS = 6
# The bounds of services/customers/src/service.cpp.
CORES = os.cpu_count() or 1
PLACES_OF_CLIENT = 32 * CORES
LOGIN, CREATE = "/api/v1/auth/login/", "/api/v1/users/create/"
READS = {"profile": "/api/v1/users/{}/", "list": "/api/v1/users/list/?limit=20",
         "documentation": "/api/v1/docs/swagger.json", "readiness": "/readyz"}

ATTACKER, PROXY = "127.0.0.2", "127.0.0.3"
CONNECTIONS = 150
HONEST_LOGINS = 20
# Hashes of others that may begin while an honest login waits: clients and purposes take turns.
TURNS = 2
# An account with such a hash makes refusals cost both kinds of hash.
REFERENCE_HASH = "$5$rounds=535000$ZyNumk0CX/piPWQj$dhprG6A4nC0NEIHkfPLiSD2TU/0DZmIc.KOwKgecZ7B"


def test_a_full_pool(background, customers_service, accounts):
    """One address takes all of its places; its excess is refused, and other requests go on."""
    admin = accounts.create(is_admin=True)
    answers: Counter = Counter()
    waits: list[str | None] = []
    fullness: list[float] = []
    seconds: dict[str, list[float]] = {name: [] for name in READS}

    async def log_in(pool: Pool) -> None:
        while True:
            reply, _ = await pool.exchange(request("POST", LOGIN, body={
                "email": fresh_email("none"), "password": "wrong password"}))
            answers[reply.status] += 1
            if reply.status == 503:
                waits.append(reply.headers.get("retry-after"))
                await asyncio.sleep(0.3)

    async def read(pool: Pool) -> None:
        while True:
            for name, path in READS.items():
                reply, took = await pool.exchange(request("GET", path.format(admin.id),
                                                          admin.token))
                assert reply.status == 200
                seconds[name].append(took)
            await asyncio.sleep(0.05)

    async def all_at_once() -> None:
        logins, reads = Pool(customers_service.port), Pool(customers_service.port)
        tasks = [asyncio.create_task(log_in(logins)) for _ in range(4 * PLACES_OF_CLIENT)]
        await asyncio.sleep(1)
        tasks.append(asyncio.create_task(read(reads)))
        for _ in range(SECONDS):
            await asyncio.sleep(1)
            scrape = await asyncio.to_thread(Scrape, customers_service)
            fullness.append(scrape.value("password_hash_pool_places", purpose="login")
                            / PLACES_OF_CLIENT)
        for task in tasks:
            assert not task.done(), task.exception()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pool in (logins, reads):
            await pool.close()

    background.run(all_at_once())
    told = f"{answers} {fullness} " + str({
        name: (len(times), statistics.median(times), max(times)) for name, times in seconds.items()})
    print(told)
    assert set(answers) == {400, 503}, told
    assert set(waits) == {"1"}
    assert statistics.median(fullness) > 0.8, told
    assert max(fullness) <= 1, told
    for times in seconds.values():
        assert len(times) > SECONDS, told


@pytest.fixture
def service(customers_binary, customers_environment, customers_database, start_service):
    """A service whose throttle stops no attacker, and that trusts one proxy."""
    return start_service(customers_binary, customers_environment(
        customers_database, LOGIN_FAILURES_PER_ACCOUNT="1000000", TRUSTED_PROXIES=PROXY))


def _login(headers: tuple[str, ...] = (), password: str = "wrong password") -> bytes:
    return request("POST", LOGIN, headers=headers,
                   body={"email": fresh_email("none"), "password": password})


def _addresses_of_one_network():
    return (f"X-Forwarded-For: 2001:db8:1:2::{number:x}" for number in itertools.count(1))


_FORWARDED = _addresses_of_one_network()

# For each attack its purpose, the number and the source of its connections, and its next request.
ATTACKS: dict[str, tuple[str, int, str, Callable[[], bytes]]] = {
    "two with long passwords": (
        "login", 2, ATTACKER, lambda: _login(password="x" * 511)),
    "registrations": (
        "registration", CONNECTIONS, ATTACKER, lambda: request("POST", CREATE, body={
            "email": fresh_email("attacker"), "password": PASSWORD})),
    "logins": (
        "login", CONNECTIONS, ATTACKER, _login),
    "logins of one network through a proxy": (
        "login", CONNECTIONS, PROXY, lambda: _login((next(_FORWARDED),))),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_honest_login_waits_for_nobody(background, service, accounts, cluster,
                                          customers_database, attack):
    """While one client attacks, and an account has a hash of the reference, logins from another
    address are served at their turn, which comes next."""
    purpose, count, source, make = ATTACKS[attack]
    honest, adopted = accounts.create(), accounts.create()
    cluster.query(customers_database, "UPDATE users SET password = %s WHERE id = %s",
                  REFERENCE_HASH, adopted.id)
    statuses: Counter = Counter()
    attacks: Counter = Counter()

    async def attack_on(pool: Pool) -> None:
        while True:
            reply, _ = await pool.exchange(make())
            attacks[reply.status] += 1

    async def scraped(name: str, **labels: str) -> float:
        return (await asyncio.to_thread(Scrape, service)).value(name, **labels)

    async def all_at_once() -> Growth:
        attackers, logins = Pool(service.port, source), Pool(service.port)
        tasks = [asyncio.create_task(attack_on(attackers)) for _ in range(count)]
        # Until the attackers hash as much as they may.
        while await scraped("password_hash_pool_places", purpose=purpose) < min(
                count, PLACES_OF_CLIENT):
            await asyncio.sleep(0.05)
        grown = await asyncio.to_thread(Growth, service)
        for _ in range(HONEST_LOGINS):
            reply, _ = await logins.exchange(request("POST", LOGIN, body={
                "email": honest.email, "password": honest.password}))
            statuses[reply.status] += 1
        for task in tasks:
            assert not task.done(), task.exception()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pool in (attackers, logins):
            await pool.close()
        return grown

    grown = background.run(all_at_once(), 240)
    # On a busy machine a login may miss a deadline, but none is refused for the attackers' sake.
    missed = grown("db_client_operation_errors_total") + grown(
        "password_hash_pool_refused_total", purpose="login", reason="late")
    told = f"{statuses} {attacks} missed: {missed}"
    print(told)
    assert set(statuses) <= {200, 503} and statuses[503] <= missed, told
    assert grown("password_hash_pool_refused_total", reason="full") == 0
    soon = grown("password_hash_jobs_ahead_bucket", purpose="login", le=str(TURNS))
    assert soon >= statuses[200], told
    if count > PLACES_OF_CLIENT:
        refused = Scrape(service).value("password_hash_pool_refused_total", purpose=purpose,
                                        reason="client")
        assert refused >= count - PLACES_OF_CLIENT, told
