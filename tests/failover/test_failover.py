"""The databases of both services fail over, under load through two replicas of each service: no
acknowledged write is lost or done twice, no revoked token is let in, no answer is late, and histories
of carts are linearizable.

`make failover-test` runs this. The load is that of tests/faults.
"""

import asyncio
import itertools
import random
import threading
import time

import psycopg
import pytest

from harness.http import Pool, Reply, request
from harness.load import Load, Outcome, Request, summary
from harness.proxy import BlackHole
from harness.shoppers import Store, explain
from harness.traffic import STATEMENT, VALIDATION
from harness.writes import PRODUCTS, Writes
from microcart.testing import tokens
from report import Row
from stack import Database, Node, wait_for

REPLICAS = 2
RATE = 60  # Requests each second, beside those of the shoppers.
OWNERS = 40
SUBJECTS = 1000  # Users whose tokens can be revoked, for each event.
CALM = 2.0  # Seconds of load before an event.
# From the moment that another node accepts writes on, all requests succeed within this time.
RECOVERY = 1.0
# Shopping begins just before the event, and goes on after it.
SHOPPING = {"carts": 3, "clients": 3, "requests": 60, "products": 3, "pace": 0.2}


class Replicas:
    """A pool of connections to each replica of a service, used in turn."""

    def __init__(self, pools: list[Pool]):
        self._next = itertools.cycle(pools)

    async def exchange(self, message: bytes) -> tuple[Reply, float]:
        return await next(self._next).exchange(message)


class Revocations:
    """Revokes tokens, and uses those whose revocation was acknowledged at all replicas."""

    def __init__(self, cluster, customers: Replicas, cart: Replicas, admin: str):
        self._customers, self._cart, self._admin = customers, cart, admin
        self._random = random.Random(1)
        # Tokens of the reference, and tokens with a session.
        subjects = cluster.query(
            "customers", "WITH made AS (INSERT INTO users (email, first_name, last_name, password, "
            "is_admin) SELECT gen_random_uuid() || '@example.com', '', '', '', false "
            "FROM generate_series(1, %s) RETURNING id), begun AS (INSERT INTO sessions "
            "(user_id, id, expires, client, user_agent) SELECT id, 1, now() + interval '1 hour', '', "
            "'' FROM made WHERE id %% 2 = 0) SELECT id FROM made", SUBJECTS)
        self._subjects = iter([(user, self._token(user)) for (user,) in subjects])
        self.revoked: list[tuple[int, str]] = []

    @staticmethod
    def _token(user: int) -> str:
        claims = tokens.claims(user)
        return f"Bearer {tokens.sign(claims | {'sid': 1, 'ver': -1} if user % 2 == 0 else claims)}"

    def revoke(self) -> Request:
        user, token = next(self._subjects, (None, None))
        if user is None:
            return self.intrude()

        def note(reply: Reply | None) -> None:
            if reply is not None:
                self.revoked.append((user, token))

        message = (request("DELETE", f"/api/v1/users/{user}/", self._admin) if user % 3 == 0
                   else request("POST", "/api/v1/auth/logout/", token))
        return Request("revoke", self._customers, message, 2 * STATEMENT, expected=(204,),
                       on_reply=note)

    def intrude(self) -> Request:
        if not self.revoked:
            return self.revoke()
        # Mostly those of the last moments.
        recent = self.revoked[-10:] if self._random.random() < 0.7 else self.revoked
        return self._use(*self._random.choice(recent))

    def _use(self, user: int, token: str) -> Request:
        if self._random.random() < 0.5:
            return Request("intrude on a profile", self._customers,
                           request("GET", f"/api/v1/users/{user}/", token), STATEMENT,
                           expected=(401, 403))
        return Request("intrude on a cart", self._cart,
                       request("GET", f"/api/v1/cart/{user}/", token), VALIDATION + STATEMENT,
                       expected=(403,))


class Leadership:
    """Watches, from its start on, when another node accepts writes, and when the balancer leads to a
    node that does."""

    def __init__(self, database: Database, old: Node):
        self._stopped = threading.Event()
        self.leads: float | None = None
        self.reached: float | None = None
        others = [node.port for node in database.nodes if node is not old]
        self._threads = [threading.Thread(target=self._watch, args=(database, port, old.port))
                         for port in (*others, database.port)]

    def __enter__(self) -> "Leadership":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, database: Database, port: int, old: int) -> None:
        is_balancer = port == database.port
        while not self._stopped.wait(0.03):
            try:
                with database.connect(port) as connection:
                    while not self._stopped.is_set():
                        [(in_recovery, server)] = connection.execute(
                            "SELECT pg_is_in_recovery(), inet_server_port()").fetchall()
                        if in_recovery or server == old:
                            if is_balancer:
                                break
                            self._stopped.wait(0.03)
                            continue
                        now = time.monotonic()
                        if is_balancer:
                            self.reached = self.reached or now
                        else:
                            self.leads = self.leads or now
                        return
            except psycopg.Error:
                pass


# Events. Each returns how it is undone, or None.


def switchover(database: Database, leader: Node, _) -> None:
    synchronous, _ = database.standbys()
    answer = leader.patroni("switchover", "POST",
                            {"leader": leader.name, "candidate": synchronous.name}, seconds=60)
    assert answer.status == 200, answer


def kill_node(_, leader: Node, __):
    leader.kill()
    return leader.start


def kill_patroni(_, leader: Node, __):
    leader.kill_patroni()
    return leader.start


def freeze(_, leader: Node, __):
    leader.freeze()
    return leader.thaw


def cut_off(_, leader: Node, background):
    background.run(leader.to_etcd.begin(BlackHole()))
    return lambda: background.run(leader.to_etcd.end())


def kill_standby(database: Database, _, __):
    synchronous, _ = database.standbys()
    synchronous.kill()
    return synchronous.start


EVENTS = {"switchover": switchover, "killed node": kill_node, "killed Patroni": kill_patroni,
          "frozen leader": freeze, "leader cut off from etcd": cut_off,
          "killed synchronous standby": kill_standby}
# Writes that need a database, and happen often.
WRITES = {"customers": {"revoke", "register"}, "cart": {"add item"}}


class Clients:
    """The clients of the replicas, whose ports are given."""

    def __init__(self, cluster, background, ports: dict[str, list[int]], owners, admin: str):
        self._background = background
        self._pools = {name: [Pool(port) for port in of_service]
                       for name, of_service in ports.items()}
        customers, cart = (Replicas(self._pools[name]) for name in ("customers", "cart"))
        self.writes = Writes(customers, cart, owners)
        self.revocations = Revocations(cluster, customers, cart, admin)
        kinds = itertools.cycle([self.writes, self.writes, self.revocations.revoke,
                                 self.revocations.intrude, self.revocations.intrude])
        self.load = Load(lambda: next(kinds)(), RATE)
        self.store = Store(cluster, "customers", "cart", self._pools["cart"])

    def close(self) -> None:
        for pool in itertools.chain(*self._pools.values()):
            self._background.run(pool.close())


@pytest.fixture(scope="module")
def replicas(cluster, customers_binary, cart_binary, customers_environment,
             cart_environment, customers_database, cart_database, start_service) -> dict[str, list[int]]:
    """Two replicas of each service; their ports."""
    customers, carts = [], []
    for _ in range(REPLICAS):
        customers.append(start_service(customers_binary, customers_environment(customers_database)))
        carts.append(start_service(cart_binary, cart_environment(cart_database,
                                                                 customers[-1].grpc_port)))
    cluster.query(cart_database, "INSERT INTO products (name, description, price) "
                  "SELECT 'Crash ' || n, '', 1 FROM generate_series(1, %s) AS n", PRODUCTS)
    return {"customers": [service.port for service in customers],
            "cart": [service.port for service in carts]}


@pytest.fixture
def clients(cluster, background, replicas, carts, accounts):
    cluster.await_health()
    made = Clients(cluster, background, replicas, [carts.owner() for _ in range(OWNERS)],
                   accounts.demo_admin_token)
    yield made
    made.close()


def longest_gap(outcomes: list[Outcome], kinds: set[str], began: float) -> tuple[float, float]:
    """Returns the longest time between two successful writes, and its end."""
    ends = sorted(outcome.ended for outcome in outcomes
                  if outcome.succeeded and outcome.request.kind in kinds)
    return max((later - earlier, later) for earlier, later in itertools.pairwise(ends)
               if later > began)


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("event", EVENTS)
def test_failover(clients, cluster, background, report, event, name):
    database, load, writes, revocations = (
        cluster[name], clients.load, clients.writes, clients.revocations)
    leader, (_, other) = database.leader(), database.standbys()
    seed = f"{event}, {name}"
    shoppers = clients.store.shoppers(seed, **SHOPPING)
    background.run(load.start())
    undo = None
    try:
        time.sleep(CALM)

        async def shop():
            return [asyncio.create_task(each.run()) for each in shoppers]

        shopping = background.run(shop())
        with Leadership(database, leader) as leadership:
            began = time.monotonic()
            undo = EVENTS[event](database, leader, background)
            if event == "killed synchronous standby":
                wait_for(lambda: database.is_confirmed_by(other), "another standby", 60)
                ready = time.monotonic()
            else:
                wait_for(lambda: leadership.leads and leadership.reached, "another leader", 60)
                ready = leadership.leads
            well = background.run(load.well_since(ready, 10))
        if undo:
            undo()
            undo = None
        database.await_health()

        async def finish():
            await asyncio.gather(*shopping)
        background.run(finish(), 120)
        ended = time.monotonic()
        background.run(load.settled(before=ended))
    finally:
        background.run(load.stop())
        if undo:
            undo()

    outcomes = [outcome for outcome in load.outcomes if outcome.seconds is not None]
    # Each has an answer within its deadline: success, or 503 with Retry-After.
    assert [str(outcome) for outcome in outcomes if outcome.problem] == []
    writes.assert_stored(cluster, "customers", "cart")
    gone = cluster.query("customers", "SELECT count(*) FROM users WHERE id = ANY(%s)",
                         [user for user, _ in revocations.revoked if user % 3 == 0])
    assert gone == [(0,)]
    assert explain(shoppers, seed) == []
    assert sum(each.answered for each in shoppers) > 0

    gap, gap_end = longest_gap(outcomes, WRITES[name], began)
    assert well is not None, summary(outcomes)
    ours = max(0, gap_end - (leadership.reached or ready))
    refused = sum(outcome.request.kind.startswith("intrude") and outcome.succeeded
                  for outcome in outcomes)
    report.add(Row(
        event, name, gap, leadership.leads and leadership.leads - began,
        leadership.reached and max(0, leadership.reached - leadership.leads), ours, well - ready,
        max(outcome.seconds for outcome in outcomes),
        sum(outcome.status == 503 for outcome in outcomes),
        sum(number is not None for made in (writes.users, writes.items) for number in made.values()),
        refused))
    assert refused > 0
    # The rest of the gap is Patroni's.
    assert max(ours, well - ready) <= RECOVERY
