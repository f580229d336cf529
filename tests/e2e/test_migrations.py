"""`migrate`: the stairway, the demo data, two runners at once, a killed runner."""

import itertools
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from microcart.testing.accounts import DEMO_PASSWORD
from microcart.testing.service import run
from microcart.waiting import eventually

_numbers = itertools.count(1)


@pytest.fixture(params=["customers", "cart"])
def service(request) -> str:
    return request.param


@pytest.fixture
def migrate(cluster, customers_binary, cart_binary, service):
    """Runs `migrate` on a new, empty database."""
    class Migrate:
        database = cluster.create(f"migrations_{service}_{next(_numbers)}")
        binary = {"customers": customers_binary, "cart": cart_binary}[service]

        def __call__(self, *arguments: str) -> str:
            done = self.attempt(*arguments)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        def attempt(self, *arguments: str):
            return run(self.binary, "migrate", *arguments,
                       environment=cluster.environment(self.database))

        def schema(self) -> str:
            return cluster.dump(self.database, "--schema-only")

        def query(self, statement: str, *arguments) -> list[tuple]:
            return cluster.query(self.database, statement, *arguments)

    made = Migrate()
    yield made
    cluster.drop(made.database)


def test_stairway(migrate):
    """Every step up, down and up again results in the same schema."""
    migrate("up")
    top = migrate.schema()
    migrate("to", "0")
    bottom = migrate.schema()
    for table in ("users", "carts", "cartitems", "products"):
        assert f" public.{table} " not in bottom
    last = 0
    while migrate.attempt("to", str(last + 1)).returncode == 0:
        last += 1
        up = migrate.schema()
        migrate("to", str(last - 1))
        migrate("to", str(last))
        assert migrate.schema() == up
    assert last > 0 and migrate.schema() == top
    for below in reversed(range(last)):
        migrate("down")
        down = migrate.schema()
        migrate("to", str(below))
        assert migrate.schema() == down
    assert migrate.schema() == bottom


def test_up_again_changes_nothing(migrate, cluster):
    migrate("up", "--demo")
    before = cluster.dump(migrate.database)
    migrate("up")
    migrate("up", "--demo")
    assert cluster.dump(migrate.database) == before


def test_status_asks_without_changing(migrate, cluster):
    before = cluster.dump(migrate.database)
    pending = migrate("status")
    assert cluster.dump(migrate.database) == before
    migrate("up")
    assert migrate("status") != pending


def test_two_runners_at_once(migrate, cluster):
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: migrate.attempt("up", "--demo"), range(4)))
    assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
    table = "products" if "cart" in migrate.database else "users"
    assert migrate.query(f"SELECT count(*) FROM {table}") == [(4,)]


def test_demo_data_only_when_asked_for(migrate, service):
    migrate("up")
    for table in {"customers": ["users"], "cart": ["carts", "cartitems", "products"]}[service]:
        assert migrate.query(f"SELECT count(*) FROM {table}") == [(0,)]


def test_demo_data(migrate, service):
    migrate("up", "--demo")
    if service == "customers":
        assert migrate.query("SELECT id, email, is_admin FROM users ORDER BY id") == [
            (1, "admin1@email.com", True), (2, "admin2@email.com", True),
            (3, "nonadmin3@email.com", False), (4, "nonadmin4@email.com", False)]
        assert DEMO_PASSWORD not in str(migrate.query("SELECT * FROM users"))
        sequences = ["users_id_seq"]
    else:
        assert migrate.query("SELECT user_id FROM carts ORDER BY 1") == [(1,), (2,), (3,), (4,)]
        assert migrate.query("SELECT id, cart_id, product_id FROM cartitems ORDER BY 1") == [
            (number, number, number) for number in (1, 2, 3, 4)]
        assert migrate.query("SELECT id, name FROM products ORDER BY 1") == [
            (number, f"Product_{number - 1}") for number in (1, 2, 3, 4)]
        sequences = ["cartitems_id_seq", "products_id_seq"]
    for sequence in sequences:
        assert migrate.query(f"SELECT nextval('{sequence}')") == [(5,)]


def test_the_references_names(migrate, service):
    migrate("up")
    names = {name for (name,) in migrate.query(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace")}
    assert {"customers": {"pk__users", "uq__users__email"},
            "cart": {"pk__cartitems", "pk__carts", "pk__products",
                     "uq__cartitems__cart_id_product_id", "fk__cartitems__cart_id__carts",
                     "fk__cartitems__product_id__products"}}[service] <= names


def test_an_unreachable_database_is_said(migrate):
    done = run(migrate.binary, "migrate", "--wait", "1", "up", environment={
        "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "1", "POSTGRES_DB": "x",
        "POSTGRES_USER": "x", "POSTGRES_PASSWORD": "marked-password"})
    assert done.returncode > 0
    assert (done.stdout + done.stderr).strip()
    assert "marked-password" not in done.stdout + done.stderr


# The latest migration before one that builds an index of the table, which later ones keep; and the table.
BEFORE_AN_INDEX = {"customers": ("3", "users"), "cart": ("10", "products")}
INVALID_INDEXES = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
RUNNERS = ("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
           " AND application_name = 'microcart-migrate'")


def test_a_runner_is_killed_while_it_builds_an_index(migrate, service, cluster):
    """The build, which waits for a transaction, holds up no other write. A killed runner's build ends
    and leaves an index that is not valid; the next run builds it again."""
    version, table = BEFORE_AN_INDEX[service]
    migrate("to", version)
    with cluster.connect(migrate.database, autocommit=False) as writer:
        writer.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        runner = subprocess.Popen(
            [migrate.binary, "migrate", "up"], stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], **cluster.environment(migrate.database)})
        (index,), = eventually(lambda: migrate.query(INVALID_INDEXES), 60)
        migrate.query(f"SET lock_timeout = '1ms'; UPDATE {table} SET id = id")
        runner.kill()
        runner.wait()
        eventually(lambda: not migrate.query(RUNNERS), 60)
    assert migrate.query(INVALID_INDEXES) == [(index,)]
    migrate("up")
    assert migrate.query(INVALID_INDEXES) == []
    assert migrate.query("SELECT count(*) FROM pg_indexes WHERE indexname = %s", index) == [(1,)]
