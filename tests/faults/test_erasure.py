"""A deleted user's cart is erased, whatever crashes or is cut meanwhile, and nothing of it is left."""

import concurrent.futures
import random
import threading

import grpc
import pytest

from harness.proxy import BlackHole, Cut, Delay, Direction, Flapping, Proxy, Refuse
from microcart.testing.accounts import Account, Accounts
from microcart.testing.carts import Carts
from microcart.testing.client import Client
from microcart.testing.metrics import Scrape
from microcart.waiting import eventually

# Long enough for every time-out to pass, on a busy machine.
SECONDS = 60
STATES = ("standby", "following", "unavailable", "unimplemented")


def state(service) -> str:
    """Returns what a replica of the cart service does about deletions."""
    scrape = Scrape(service)
    [current] = [name for name in STATES if scrape.value("erasure_state", state=name)]
    return current


class Erasures:
    """The state of carts, from the cart service's database."""

    def __init__(self, cluster, database: str):
        self._cluster = cluster
        self.database = database

    def query(self, statement: str, *arguments) -> list[tuple]:
        return self._cluster.query(self.database, statement, *arguments)

    def erased(self) -> set[int]:
        return {row[0] for row in self.query("SELECT user_id FROM carts WHERE erased")}

    def of(self, user: int) -> tuple:
        """Returns whether a cart is erased, its version, and the number of its items."""
        [row] = self.query("SELECT erased, version, (SELECT count(*) FROM cartitems "
                           "WHERE cart_id = user_id) FROM carts WHERE user_id = %s", user)
        return row

    def wait_for(self, *users: int) -> None:
        eventually(lambda: set(users) <= self.erased(), SECONDS,
                   lambda: f"not erased: {set(users) - self.erased()}")
        assert self.query("SELECT count(*) FROM cartitems WHERE cart_id = ANY(%s)",
                          list(users)) == [(0,)]


@pytest.fixture(scope="module")
def erasures(cluster, cart_database) -> Erasures:
    return Erasures(cluster, cart_database)


@pytest.fixture(scope="module")
def link(background, customers_service) -> Proxy:
    """The link of both replicas of the cart service to the customers service."""
    proxy = Proxy(customers_service.grpc_port)
    background.run(proxy.listen())
    return proxy


@pytest.fixture(scope="module")
def replicas(link, cart_binary, cart_environment, cart_database, start_service) -> list:
    return [start_service(cart_binary, cart_environment(cart_database, link.port))
            for _ in range(2)]


@pytest.fixture(scope="module")
def cart_service(replicas):
    return replicas[0]


@pytest.fixture(autouse=True)
def all_running(customers_service, replicas):
    yield
    for service in (customers_service, *replicas):
        if not service.alive():
            service.start(until_ready=False)
    for service in (customers_service, *replicas):
        service.wait_ready()


def turn(replicas: list) -> tuple:
    """Returns the replica whose turn it is, and the other one."""
    def find():
        found = [replica for replica in replicas if state(replica) == "following"]
        return found[0] if len(found) == 1 else None

    holder = eventually(find, SECONDS)
    return holder, replicas[1 - replicas.index(holder)]


def buyer(carts: Carts) -> Account:
    account = carts.owner()
    for product in (1, 2):
        carts.add(account, product)
    return account


def test_a_deleted_users_cart_is_erased(accounts, carts, cart, admin, erasures):
    account, other, without_cart = buyer(carts), buyer(carts), accounts.create()
    item = carts.add(account, 3)["cart_items"][0]["id"]
    _, version, _ = erasures.of(account.id)
    accounts.delete(account)
    accounts.delete(without_cart)
    erasures.wait_for(account.id, without_cart.id)
    assert erasures.of(account.id) == (True, version + 1, 0)
    assert erasures.of(other.id)[0::2] == (False, 2)
    # Not even an administrator can look at it, or bring it back.
    path, new = f"/api/v1/cart/{account.id}/", {"product_id": 1, "quantity": 1}
    for method, where, body in (
            ("GET", path, {}), ("DELETE", path, {}),
            ("POST", f"/api/v1/cart-item/{account.id}/create", {"body": new}),
            ("PATCH", f"/api/v1/cart-item/{item}/", {"body": {"quantity": 1}}),
            ("DELETE", f"/api/v1/cart-item/{item}/", {}),
            ("PUT", f"{path}products/1/", {"body": {"quantity": 1}}),
            ("POST", f"{path}products/1/add/", {"body": {}}),
            ("POST", f"{path}merge/", {"body": {"items": [new]}}),
            ("POST", f"{path}checkout/", {"headers": {"If-Match": "*"}})):
        cart.call(method, where, admin, **body).refused(404, "404: Not Found")
    assert erasures.of(account.id) == (True, version + 1, 0)


def test_an_erased_cart_is_not_written_to(carts, accounts, erasures):
    """What each of the functions does that arrives late, without anything between."""
    account = buyer(carts)
    [(item,)] = erasures.query("SELECT min(id) FROM cartitems WHERE cart_id = %s", account.id)
    accounts.delete(account)
    erasures.wait_for(account.id)
    before = erasures.of(account.id)
    for call in (f"add_item({account.id}, 1, 1, NULL)", f"change_item({account.id}, {item}, 1, NULL)",
                 f"put_product({account.id}, 1, 1, NULL)", f"add_product({account.id}, 1, 1, NULL)",
                 f"check_out({account.id}, NULL)",
                 f"remove_item({account.id}, {item}, NULL)", f"clear_cart({account.id}, NULL)"):
        with pytest.raises(Exception, match="P0002|no_data_found"):
            erasures.query(f"SELECT {call}")
    assert erasures.of(account.id) == before


class Late(Delay):
    """So late that an erasure overtakes the data, but not its deadline."""

    SECONDS = 1.5


def test_a_write_that_was_let_in_before_creates_nothing(
        background, cluster, carts, accounts, replicas, link, cart_binary, cart_environment,
        cart_database, start_service, erasures):
    """The token of each request is validated before the deletion. Its statements reach the database
    while the cart is erased, or after that."""
    to_database = Proxy(cluster.port)
    background.run(to_database.listen())
    slow = start_service(cart_binary, cart_environment(
        cart_database, link.port, POSTGRES_PORT=str(to_database.port)))
    turn([*replicas])  # The slow replica has no turn.
    client = Client(slow.url)
    users = [buyer(carts) for _ in range(4)] + [accounts.create() for _ in range(2)]

    def write(user: Account) -> int:
        if user in users[:2]:
            return client.post(f"/api/v1/cart-item/{user.id}/create", user.token,
                               {"product_id": 3, "quantity": 1}).status
        if user in users[2:4]:
            return client.delete(f"/api/v1/cart/{user.id}/", user.token).status
        return client.get(f"/api/v1/cart/{user.id}/", user.token).status

    background.run(to_database.begin(Late(Direction.TO_SERVER)))
    validated = Scrape(slow).value("token_validation_client_verdicts_total", outcome="accepted")
    with concurrent.futures.ThreadPoolExecutor(len(users)) as threads:
        writes = [threads.submit(write, user) for user in users]
        eventually(lambda: Scrape(slow).value("token_validation_client_verdicts_total",
                                              outcome="accepted") >= validated + len(users))
        for user in users:
            accounts.delete(user)
        answers = [answer.result() for answer in writes]
    background.run(to_database.end())
    assert set(answers) <= {200, 201, 204, 404, 503}, answers
    erasures.wait_for(*(user.id for user in users))
    client.close()
    slow.stop()


def test_writers_race_with_the_erasure(carts, accounts, replicas, erasures):
    """Many writers, at both replicas, until they are refused."""
    clients = [Client(replica.url) for replica in replicas]
    for _ in range(6):
        account = buyer(carts)
        start = threading.Barrier(5)

        def write(number: int) -> None:
            client = clients[number % 2]
            start.wait()
            while True:
                client.get(f"/api/v1/cart/{account.id}/", account.token)
                client.post(f"/api/v1/cart-item/{account.id}/create", account.token,
                            {"product_id": 3, "quantity": 1})
                answer = client.delete(f"/api/v1/cart/{account.id}/", account.token)
                assert answer.status in (204, 403, 404, 503), answer
                if answer.status == 403:
                    return

        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            writers = [threads.submit(write, number) for number in range(4)]
            start.wait()
            accounts.delete(account)
            for writer in writers:
                writer.result(timeout=SECONDS)
        erasures.wait_for(account.id)
    for client in clients:
        client.close()


@pytest.mark.parametrize("fault", [Refuse, Flapping, Cut, BlackHole])
def test_the_link_is_broken_meanwhile(background, link, carts, accounts, erasures, fault):
    users = [buyer(carts) for _ in range(3)]
    accounts.delete(users[0])
    directed = fault in (Cut, BlackHole)
    background.run(link.begin(fault(Direction.TO_CLIENT) if directed else fault()))
    accounts.delete(users[1])
    background.run(link.end())
    accounts.delete(users[2])
    erasures.wait_for(*(user.id for user in users))


def test_customers_is_killed_after_the_deletion(customers_service, carts, accounts, erasures):
    for _ in range(3):
        user = buyer(carts)
        accounts.delete(user)
        customers_service.kill()
        customers_service.start()
        erasures.wait_for(user.id)


def test_all_are_killed_at_any_time(cluster, customers_service, replicas, customers_database,
                                    erasures):
    """While many users are deleted, replicas and the customers service end in the middle, and
    PostgreSQL once. All carts of deleted users are erased, each once, and no others."""
    count, choose = 900, random.Random(7)
    users = [row[0] for row in cluster.query(customers_database, """
        INSERT INTO users (email, first_name, last_name, password, is_admin)
        SELECT 'mass' || n || '@example.com', '', '', '', false FROM generate_series(1, %s) AS n
        RETURNING id""", count)]
    erasures.query("INSERT INTO carts (user_id) SELECT unnest(%s::integer[])", users)
    erasures.query("INSERT INTO cartitems (cart_id, product_id, quantity) "
                   "SELECT unnest(%s::integer[]), 1, 1", users)
    deleted = [user for user in users if choose.random() < 0.7]
    for batch in range(6):
        cluster.query(customers_database, "DELETE FROM users WHERE id = ANY(%s)",
                      deleted[batch::6])
        victim = (replicas[0], replicas[1], customers_service)[batch % 3]
        # At any progress, so that it ends in the middle.
        done = len(erasures.erased() & set(deleted))
        eventually(lambda: len(erasures.erased() & set(deleted)) > done
                   or not any(replica.alive() for replica in replicas), SECONDS)
        victim.kill()
        if batch == 3:
            cluster.stop("immediate")
            cluster.start()
        victim.start(until_ready=False)
    erasures.wait_for(*deleted)
    kept = sorted(set(users) - set(deleted))
    assert erasures.query("SELECT bool_or(erased), count(*), sum(version) FROM carts "
                          "WHERE user_id = ANY(%s)", kept) == [(False, len(kept), 0)]
    assert erasures.query("SELECT count(*) FROM cartitems WHERE cart_id = ANY(%s)",
                          kept) == [(len(kept),)]
    # Each was erased once.
    assert erasures.query("SELECT DISTINCT version FROM carts WHERE user_id = ANY(%s)",
                          deleted) == [(1,)]
    [(position,)] = cluster.query(customers_database, "SELECT max(position) FROM deletions")
    eventually(lambda: erasures.query("SELECT position FROM erasure_cursor") == [(position,)])


@pytest.mark.parametrize("how", ["killed", "frozen", "stopped"])
def test_another_replica_takes_over(replicas, carts, accounts, erasures, how):
    holder, other = turn(replicas)
    {"killed": holder.kill, "frozen": holder.pause, "stopped": holder.stop}[how]()
    account = accounts.create()
    accounts.delete(account)
    erasures.wait_for(account.id)
    assert state(other) == "following"
    if how == "frozen":
        holder.resume()
        # It notices that its turn is over, and has changed nothing meanwhile.
        eventually(lambda: state(holder) == "standby", SECONDS)
        last = accounts.delete(accounts.create())
        erasures.wait_for(last.id)
        assert state(other) == "following"


def test_a_restored_database_of_the_cart_service(
        cluster, carts, accounts, erasures, link, cart_binary, cart_environment, start_service,
        tmp_path):
    users = [buyer(carts) for _ in range(2)]
    accounts.delete(users[0])
    erasures.wait_for(users[0].id)
    dump = tmp_path / "cart.sql"
    dump.write_text(cluster.dump(erasures.database))
    accounts.delete(users[1])
    erasures.wait_for(users[1].id)

    restored = Erasures(cluster, cluster.create("restored_cart"))
    cluster.restore(restored.database, dump)
    assert restored.of(users[1].id)[0::2] == (False, 2)
    start_service(cart_binary, cart_environment(restored.database, link.port))
    restored.wait_for(users[1].id)
    # What had been applied before the dump has not been applied again.
    assert restored.of(users[0].id) == erasures.of(users[0].id)


def test_a_restored_database_of_the_customers_service(
        cluster, carts, accounts, erasures, customers_binary,
        customers_environment, customers_database, cart_binary, cart_environment, start_service,
        tmp_path):
    """The feed lacks the last deletion that was applied. All are applied again, and further ones."""
    dump = tmp_path / "customers.sql"
    dump.write_text(cluster.dump(customers_database))
    lost = buyer(carts)
    accounts.delete(lost)
    erasures.wait_for(lost.id)

    restored = cluster.create("restored_customers")
    cluster.restore(restored, dump)
    # As the documented commands do. Otherwise the next user would get the lost one's id.
    cluster.query(restored, "SELECT setval('users_id_seq', 1000000)")
    cart_copy = Erasures(cluster, cluster.create("cart_of_restored"))
    cart_dump = tmp_path / "cart.sql"
    cart_dump.write_text(cluster.dump(erasures.database))
    cluster.restore(cart_copy.database, cart_dump)
    customers = start_service(customers_binary, customers_environment(restored))
    cart = start_service(cart_binary, cart_environment(cart_copy.database, customers.grpc_port))

    eventually(lambda: "customers does not know the last deletion" in cart.output(), SECONDS)
    new = Accounts(Client(customers.url))
    user = new.delete(new.create())
    cart_copy.wait_for(user.id)
    # The cart of a user who is there again stays erased.
    assert cart_copy.of(lost.id)[0]
    [(position,)] = cluster.query(restored, "SELECT max(position) FROM deletions")
    assert cart_copy.query("SELECT position FROM erasure_cursor") == [(position,)]
    # Once is enough.
    assert cart.output().count("customers does not know the last deletion") == 1


@pytest.fixture
def older_customers(certificates, auth_messages):
    """A server with UserAuth alone, such as the reference: its port, and the methods called so far."""
    def refuse(request, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Invalid JWT token")

    class Counting(grpc.ServerInterceptor):
        def intercept_service(self, continuation, details):
            calls.append(details.method.rpartition("/")[2])
            return continuation(details)

    calls: list[str] = []
    peer = certificates.customers
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), interceptors=(Counting(),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("UserAuth", {
        "ValidateToken": grpc.unary_unary_rpc_method_handler(
            refuse, auth_messages.AuthRequest.FromString,
            auth_messages.AuthResponse.SerializeToString)}),))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(
        [(peer.key.read_bytes(), peer.certificate.read_bytes())], peer.ca.read_bytes(), True))
    server.start()
    yield port, calls
    server.stop(0)


def test_a_customers_service_without_the_feed_is_waited_for(
        background, cluster, older_customers, customers_service, carts, accounts, erasures,
        cart_binary, cart_environment, start_service, tmp_path):
    """Silently, and the cart service is ready. An upgrade of the customers service begins the feed."""
    port, calls = older_customers
    to_customers = Proxy(port)
    background.run(to_customers.listen())
    user = buyer(carts)
    dump = tmp_path / "cart.sql"
    dump.write_text(cluster.dump(erasures.database))
    own = Erasures(cluster, cluster.create("waits_for_feed"))
    cluster.restore(own.database, dump)
    cart = start_service(cart_binary, cart_environment(own.database, to_customers.port))
    eventually(lambda: state(cart) == "unimplemented", SECONDS)
    cart.wait_ready()
    # Many more attempts bring no more lines.
    eventually(lambda: calls.count("StreamDeletions") > 5, SECONDS)
    assert state(cart) == "unimplemented" and cart.readiness() == 200
    assert cart.output().count("deletions") == 1, cart.report()

    accounts.delete(user)
    to_customers.target = customers_service.grpc_port
    to_customers.cut_all()
    own.wait_for(user.id)


def test_nothing_of_a_deleted_user_is_left(cluster, customers, cart, carts, accounts, erasures,
                                           customers_service, replicas, customers_database):
    """Neither in the databases nor in any log."""
    marks = ("planted-mail", "Planted-First", "Planted-Last")
    account = carts.owner(email="planted-mail.77@example.com", first_name="Planted-First",
                          last_name="Planted-Last")
    token = accounts.login(account.email)
    carts.add(account, 1, 5)
    customers.post("/api/v1/auth/login/", body={"email": account.email,
                                                "password": "not this one"})
    customers.post("/api/v1/users/create/", body={"email": account.email,
                                                  "password": account.password})
    customers.get(f"/api/v1/users/list/?search={account.email}", accounts.demo_admin_token).ok()
    cart.get(f"/api/v1/cart/{account.id}/", token).ok()
    dumps = [cluster.dump(database) for database in (customers_database, erasures.database)]
    assert all(mark in dumps[0] for mark in marks)
    assert f"\t{account.id}\t1\t5" in dumps[1]

    customers.delete(f"/api/v1/users/{account.id}/", token).ok(204)
    erasures.wait_for(account.id)
    dumps = [cluster.dump(database) for database in (customers_database, erasures.database)]
    logs = [service.output() for service in (customers_service, *replicas)]
    for text in (*dumps, *logs, cluster.log()):
        assert not [mark for mark in (*marks, token.split()[1]) if mark in text]
    # Its id is all that is left: the deletion, and an erased cart.
    assert erasures.of(account.id)[0::2] == (True, 0)
    for database, tables in ((customers_database, {"deletions"}), (erasures.database, {"carts"})):
        columns = cluster.query(database, """
            SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name IN ('user_id', 'cart_id')
            AND table_name IN (SELECT relname FROM pg_class WHERE relkind = 'r')""")
        assert {table for table, column in columns if cluster.query(
            database, f"SELECT 1 FROM {table} WHERE {column} = %s", account.id)} == tables
