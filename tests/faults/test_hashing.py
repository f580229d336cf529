"""More passwords than the machine can hash: the excess is refused at once, other requests work."""

import asyncio
import os
import statistics
from collections import Counter

from harness.http import Pool, request
from microcart.testing.accounts import fresh_email
from microcart.testing.metrics import Scrape

SECONDS = 6
# More than may be hashed or wait (kHashQueuePerThread in services/customers/src/service.cpp).
CLIENTS = 2 * 65 * (os.cpu_count() or 1)
READS = {"profile": "/api/v1/users/{}/", "list": "/api/v1/users/list/?limit=20",
         "documentation": "/api/v1/docs/swagger.json", "readiness": "/readyz"}


def test_a_full_pool(background, customers_service, accounts):
    admin = accounts.create(is_admin=True)
    answers: Counter = Counter()
    waits: list[str | None] = []
    fullness: list[float] = []
    seconds: dict[str, list[float]] = {name: [] for name in READS}

    async def log_in(pool: Pool) -> None:
        while True:
            reply, _ = await pool.exchange(request("POST", "/api/v1/auth/login/", body={
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
        tasks = [asyncio.create_task(log_in(logins)) for _ in range(CLIENTS)]
        await asyncio.sleep(1)
        tasks.append(asyncio.create_task(read(reads)))
        for _ in range(SECONDS):
            await asyncio.sleep(1)
            scrape = await asyncio.to_thread(Scrape, customers_service)
            fullness.append(scrape.value("password_hash_pool_pending")
                            / scrape.value("password_hash_pool_limit"))
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
    for times in seconds.values():
        assert statistics.median(times) < 0.1, told
        assert max(times) < 1, told
