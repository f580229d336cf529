"""A trial that ends with the way back to the reference. The tests do not need the reference:
they check in SQL what it requires of the databases, with and without `migrate to 1`."""

import ctypes
import itertools
import re

import psycopg
import pytest

from microcart import ROOT
from microcart.testing import tokens
from microcart.testing.client import Client
from microcart.testing.service import run

DUMPS = ROOT / "tests/fixtures/reference"
PASSWORD = "testPass123"
NEW = "chosen in the trial"
HASH = re.compile(r"\$5\$rounds=535000\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{43}")
REVISIONS = {"customers": "ed7855b80d3fdata", "cart": "2560f7762880data"}
TABLES = {"customers": ["users"], "cart": ["products", "carts", "cartitems"]}
WAYS = {"after migrate to 1": ["to", "1"], "without migrating": ["status"]}

_numbers = itertools.count(1)


_libcrypt = ctypes.CDLL("libcrypt.so.1")
_libcrypt.crypt.restype = ctypes.c_char_p


def crypt(password: str, setting: str) -> str:
    """Returns the hash of a password. `setting` has the salt and rounds, and may be a hash."""
    return _libcrypt.crypt(password.encode(), setting.encode()).decode()


def _adopted(cluster, binary) -> str:
    name = cluster.create(f"trial_{binary.name}")
    cluster.restore(name, DUMPS / f"{binary.name}.sql")
    done = run(binary, "migrate", "up", environment=cluster.environment(name))
    assert done.returncode == 0, done.stderr
    return name


def _log_in(client: Client, email: str, password: str) -> str:
    return client.post("/api/v1/auth/login/",
                       body={"email": email, "password": password}).ok()["token"]


def _password_of(cluster, database: str, email: str) -> str:
    [(password,)] = cluster.query(database, "SELECT password FROM users WHERE email = %s", email)
    return password


@pytest.fixture(scope="module")
def customers_database(cluster, customers_binary):
    name = _adopted(cluster, customers_binary)
    yield name
    cluster.drop(name)


@pytest.fixture(scope="module")
def cart_database(cluster, cart_binary):
    name = _adopted(cluster, cart_binary)
    yield name
    cluster.drop(name)


@pytest.fixture(scope="module")
def customers_service(customers_binary, customers_environment, customers_database, start_service):
    return start_service(customers_binary, customers_environment(
        customers_database, REPLACE_REFERENCE_HASHES="false"))


@pytest.fixture(scope="module")
def trial(cluster, customers_binary, customers, cart, customers_service, cart_service,
          customers_database, cart_database) -> dict[str, str]:
    """Returns the database of each service after some days of use, with both services stopped."""
    before = _password_of(cluster, customers_database, "Mixed.Case@Example.com")
    token = _log_in(customers, "mixed.case@example.com", PASSWORD)
    assert _password_of(cluster, customers_database, "Mixed.Case@Example.com") == before

    customers.post("/api/v1/users/create/",
                   body={"email": "new@example.com", "password": NEW}).ok(201)
    customers.post("/api/v1/users/create/",
                   body={"email": "long@example.com", "password": "x" * 512}).ok(201)
    changed = _log_in(customers, "nonadmin4@email.com", PASSWORD)
    customers.patch("/api/v1/users/4/change-password/", changed, {
        "current_password": PASSWORD, "new_password": NEW, "confirm_new_password": NEW}).ok()
    customers.patch("/api/v1/users/6/", token, {"first_name": "Renamed"}).ok()
    customers.delete("/api/v1/users/3/", tokens.bearer(1)).ok(204)
    # The hash that a login before the trial has stored.
    cluster.query(customers_database, "UPDATE users SET password = %s WHERE id = 2",
                  "$argon2id$v=19$m=19456,t=2,p=1$mrm7NCsI4OEiKQxoVKjItA"
                  "$7JJjOJ1atq39fb6Gs4bzxXoPTAZvNeP5076SZ/dl1ZM")
    _log_in(customers, "admin2@email.com", PASSWORD)

    cart.get("/api/v1/cart/6/", token).ok()
    cart.post("/api/v1/cart-item/6/create", token, {"product_id": 1, "quantity": 2}).ok(201)
    made = run(customers_binary, "create-admin", "--email", "boss@example.com", stdin=NEW,
               environment={**cluster.environment(customers_database),
                            "REPLACE_REFERENCE_HASHES": "false"})
    assert made.returncode == 0, made.stderr
    for service in (cart_service, customers_service):
        service.stop()
    return {"customers": customers_database, "cart": cart_database}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def went_back(request, cluster, customers_binary, cart_binary, trial):
    """Goes back with a copy of a service's database. Returns the name of the copy."""
    copies = []

    def go(service: str) -> str:
        copies.append(cluster.create(f"back_{service}_{next(_numbers)}", trial[service]))
        done = run({"customers": customers_binary, "cart": cart_binary}[service], "migrate",
                   *request.param, environment=cluster.environment(copies[-1]))
        assert done.returncode == 0, done.stderr
        return copies[-1]

    yield go
    for copy in copies:
        cluster.drop(copy)


def columns(cluster, database: str, table: str) -> dict[str, tuple]:
    return {row[0]: row[1:] for row in cluster.query(database, """
        SELECT column_name, data_type, is_nullable, column_default, is_generated
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s""",
        table)}


def constraints(cluster, database: str, table: str) -> set[tuple]:
    return set(cluster.query(database, """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = %s::regclass""", f"public.{table}"))


@pytest.mark.parametrize("service", TABLES)
def test_the_schema_is_the_references(cluster, went_back, service):
    database = went_back(service)
    reference = cluster.create(f"pristine_{service}")
    cluster.restore(reference, DUMPS / f"{service}.sql")
    for table in ("alembic_version", *TABLES[service]):
        expected, found = columns(cluster, reference, table), columns(cluster, database, table)
        assert {name: found.get(name) for name in expected} == expected
        # An additional column does not prevent the reference's INSERT.
        for name in set(found) - set(expected):
            _, is_nullable, default, _ = found[name]
            assert is_nullable == "YES" or default is not None, name
        assert constraints(cluster, reference, table) <= constraints(cluster, database, table)
    assert cluster.query(database, "SELECT version_num FROM alembic_version") == [
        (REVISIONS[service],)]
    cluster.drop(reference)


def test_after_migrate_to_1_the_tables_are_exactly_the_references(cluster, customers_binary,
                                                                  cart_binary, trial):
    for binary in (customers_binary, cart_binary):
        database = cluster.create(f"exact_{binary.name}", trial[binary.name])
        assert run(binary, "migrate", "to", "1",
                   environment=cluster.environment(database)).returncode == 0
        reference = cluster.create(f"expected_{binary.name}")
        cluster.restore(reference, DUMPS / f"{binary.name}.sql")
        options = ("--schema-only", "--schema=public", "--exclude-table=schema_migrations",
                   "--no-privileges")
        assert cluster.dump(database, *options) == cluster.dump(reference, *options)
        cluster.drop(database)
        cluster.drop(reference)


def test_every_hash_is_one_that_the_reference_reads(cluster, went_back):
    stored = dict(cluster.query(went_back("customers"), "SELECT email, password FROM users"))
    # crypt refuses a password of this length, so it has an argon2id hash.
    assert stored.pop("long@example.com").startswith("$argon2id$")
    assert [email for email, hash_ in stored.items() if not HASH.fullmatch(hash_)] == []
    for email, password in {"new@example.com": NEW, "nonadmin4@email.com": NEW,
                            "boss@example.com": NEW, "admin2@email.com": PASSWORD,
                            "Mixed.Case@Example.com": PASSWORD}.items():
        assert crypt(password, stored[email]) == stored[email], email


def test_new_rows_are_there(cluster, went_back):
    database = went_back("customers")
    assert cluster.query(database, """SELECT first_name, last_name, is_admin FROM users
        WHERE email IN ('new@example.com', 'Mixed.Case@Example.com', 'boss@example.com')
        ORDER BY id""") == [("Renamed", "Case", False), ("", "", False), ("", "", True)]
    assert cluster.query(database, "SELECT 1 FROM users WHERE id = 3") == []
    assert cluster.query(went_back("cart"), """SELECT product_id, quantity FROM cartitems
        WHERE cart_id = 6""") == [(1, 2)]


def test_the_reference_writes_users_again(cluster, customers_binary, went_back):
    database = went_back("customers")
    [(user,)] = cluster.query(database, """INSERT INTO users
        (email, first_name, last_name, password, is_admin) VALUES (%s, '', '', %s, false)
        RETURNING id""", "afterwards@example.com", crypt(PASSWORD, "$5$rounds=535000$salt"))
    assert user > max(id_ for (id_,) in cluster.query(
        database, "SELECT id FROM users WHERE id <> %s", user))
    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        cluster.query(database, """INSERT INTO users
            (email, first_name, last_name, password, is_admin)
            VALUES ('afterwards@example.com', '', '', '', false)""")
    assert refused.value.diag.constraint_name == "uq__users__email"
    cluster.query(database, "UPDATE users SET first_name = 'x', is_admin = true WHERE id = %s",
                  user)
    cluster.query(database, "DELETE FROM users WHERE id = 4")
    # A second trial takes the database over again.
    done = run(customers_binary, "migrate", "up", environment=cluster.environment(database))
    assert done.returncode == 0, done.stderr
    assert cluster.query(database, """SELECT first_name, token_version FROM users
        WHERE email = 'afterwards@example.com'""") == [("x", 0)]


def test_the_reference_writes_carts_again(cluster, cart_binary, went_back):
    database = went_back("cart")
    [(product,)] = cluster.query(database, """INSERT INTO products (name, description, price)
        VALUES ('Later', '', 0.125) RETURNING id""")
    cluster.query(database, "INSERT INTO carts (user_id) VALUES (77)")
    add = "INSERT INTO cartitems (cart_id, product_id, quantity) VALUES (77, %s, 2) RETURNING id"
    [(item,)] = cluster.query(database, add, product)
    assert item > 7
    for statement, constraint in (
            (add, "uq__cartitems__cart_id_product_id"),
            ("INSERT INTO cartitems (cart_id, product_id, quantity) VALUES (78, %s, 2)",
             "fk__cartitems__cart_id__carts"),
            ("INSERT INTO cartitems (cart_id, product_id, quantity) VALUES (77, -%s, 2)",
             "fk__cartitems__product_id__products")):
        with pytest.raises(psycopg.IntegrityError) as refused:
            cluster.query(database, statement, product)
        assert refused.value.diag.constraint_name == constraint
    done = run(cart_binary, "migrate", "up", environment=cluster.environment(database))
    assert done.returncode == 0, done.stderr
    assert cluster.query(database, """SELECT product_id, quantity FROM cartitems
        WHERE cart_id = 77""") == [(product, 2)]
    cluster.query(database, "DELETE FROM products WHERE id = %s", product)
    assert cluster.query(database, "SELECT 1 FROM cartitems WHERE cart_id = 77") == []
