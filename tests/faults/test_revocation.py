"""Whoever is deleted, demoted, or has a new password is let in no more, at either service, by any
request that starts after the answer, while the links between all parts fail."""

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from harness.proxy import Cut, Delay, Direction, Flapping, Proxy, Refuse
from microcart.testing.accounts import PASSWORD, Account

ROUNDS = 3
SUBJECTS = 4  # In each round, with a thread of its own and one for each of its targets.
NEW_PASSWORD = "quite another password"


@pytest.fixture(scope="module")
def links(background, cluster, customers_binary, cart_binary, customers_environment,
          cart_environment, customers_database, cart_database, start_service):
    """Two replicas of each service, and the proxies in their links."""
    def listen(target: int) -> Proxy:
        proxy = Proxy(target)
        background.run(proxy.listen())
        return proxy

    to_databases = [listen(cluster.port) for _ in range(4)]
    customers = [start_service(customers_binary, customers_environment(
        customers_database, POSTGRES_PORT=str(proxy.port))) for proxy in to_databases[:2]]
    to_customers = [listen(service.grpc_port) for service in customers]
    carts = [start_service(cart_binary, cart_environment(
        cart_database, to.port, POSTGRES_PORT=str(proxy.port)))
        for to, proxy in zip(to_customers, to_databases[2:])]
    return customers, carts, [*to_databases, *to_customers]


@pytest.fixture
def failing(background, links):
    """Disturbs one link after the other, for moments."""
    proxies, stopped, choose = links[2], threading.Event(), random.Random(11)

    def disturb() -> None:
        while not stopped.is_set():
            proxy = choose.choice(proxies)
            kind = choose.choice([Refuse, Flapping, Cut, Delay])
            fault = kind(choose.choice(list(Direction))) if kind in (Cut, Delay) else kind()
            background.run(proxy.begin(fault))
            stopped.wait(choose.uniform(0.1, 0.5))
            background.run(proxy.end())
            stopped.wait(choose.uniform(0.05, 0.3))

    thread = threading.Thread(target=disturb)
    thread.start()
    yield
    stopped.set()
    thread.join()


class Caller:
    """Calls with one account's token until told to stop, and notes what lets it in."""

    def __init__(self, url: str, path: str, token: str):
        self._url, self._path, self._token = url, path, token
        self._stopped = threading.Event()
        self.let_in: list[float] = []  # When each request started that was let in.
        self.refused: list[float] = []

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30,
                          headers={"Authorization": self._token}) as client:
            while not self._stopped.is_set():
                started = time.monotonic()
                try:
                    status = client.get(self._path).status_code
                except httpx.TransportError:
                    continue
                assert status in (200, 401, 403, 404, 503), status
                if status in (200, 404):
                    self.let_in.append(started)
                elif status != 503:
                    self.refused.append(started)

    def stop(self) -> None:
        self._stopped.set()


def until_definite(client: httpx.Client, method: str, path: str, token: str, body=None,
                   done: tuple[int, ...] = ()) -> float:
    """Repeats a request that may fail, and returns the time of the answer that it is done."""
    while True:
        answer = client.request(method, path, json=body, headers={"Authorization": token})
        now = time.monotonic()
        if answer.status_code in (200, 204, *done):
            return now
        assert answer.status_code == 503, answer.text


def delete(client: httpx.Client, account: Account, admin: str) -> float:
    # A repetition finds no account, if the first attempt has deleted it but its answer was lost.
    return until_definite(client, "DELETE", f"/api/v1/users/{account.id}/", admin, done=(404,))


def change_password(client: httpx.Client, account: Account, admin: str) -> float:
    return until_definite(client, "PATCH", f"/api/v1/users/{account.id}/change-password/", admin, {
        "new_password": NEW_PASSWORD, "confirm_new_password": NEW_PASSWORD})


def demote(client: httpx.Client, account: Account, admin: str) -> float:
    return until_definite(client, "PATCH", f"/api/v1/users/{account.id}/", admin,
                          {"is_admin": False})


@pytest.mark.parametrize("revoke", [delete, change_password, demote],
                         ids=lambda revoke: revoke.__name__)
def test_no_request_after_the_answer_is_let_in(links, customers_service, accounts, carts, request,
                                               revoke):
    """A demoted administrator calls what only administrators may."""
    customers, cart_services, _ = links
    is_admin = revoke is demote
    subjects = [accounts.create(is_admin=is_admin) for _ in range(ROUNDS * SUBJECTS)]
    # The token of a login, which has a session.
    tokens = [accounts.login(subject.email, PASSWORD) for subject in subjects]
    stranger = carts.owner()
    request.getfixturevalue("failing")
    replicas = itertools.cycle(customers)

    def check(subject: Account, token: str) -> tuple[int, int]:
        profile = stranger.id if is_admin else subject.id
        callers = [
            *(Caller(service.url, f"/api/v1/users/{profile}/", token) for service in customers),
            *(Caller(service.url, f"/api/v1/cart/{profile}/", token) for service in cart_services)]
        with ThreadPoolExecutor(len(callers)) as threads, \
                httpx.Client(base_url=next(replicas).url, timeout=30) as client:
            running = [threads.submit(caller.run) for caller in callers]
            try:
                # Each caller has been let in before, and is refused after.
                wait(lambda: all(caller.let_in for caller in callers) or failed(running))
                revoked = revoke(client, subject, accounts.demo_admin_token)
                wait(lambda: all(caller.refused for caller in callers) or failed(running))
                time.sleep(0.3)
            finally:
                for caller in callers:
                    caller.stop()
            for run in running:
                run.result()
        late = [started - revoked for caller in callers for started in caller.let_in
                if started > revoked]
        assert late == []
        return (sum(len(caller.let_in) for caller in callers),
                sum(len(caller.refused) for caller in callers))

    for begin in range(0, len(subjects), SUBJECTS):
        with ThreadPoolExecutor(SUBJECTS) as threads:
            counts = list(threads.map(check, subjects[begin:begin + SUBJECTS],
                                      tokens[begin:begin + SUBJECTS]))
        assert all(let_in and refused for let_in, refused in counts)


def failed(running) -> bool:
    return any(run.done() for run in running)


def wait(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
