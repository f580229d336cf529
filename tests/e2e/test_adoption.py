"""The reference's databases are taken over as they are."""

import os
import pty
import re
import subprocess

import pytest

from microcart import ROOT
from microcart.testing import tokens
from microcart.testing.accounts import ACCOUNTS_OF_THE_REFERENCE
from microcart.testing.client import FORBIDDEN, Client
from microcart.testing.service import run

DUMPS = ROOT / "tests/fixtures/reference"
PASSWORD = "testPass123"

# The users with known passwords: id → email, whether admin.
USERS = {
    1: ("admin1@email.com", True),
    2: ("admin2@email.com", True),
    3: ("nonadmin3@email.com", False),
    4: ("nonadmin4@email.com", False),
    6: ("Mixed.Case@Example.com", False),
}
# Each cart's total and (item, product, quantity).
CARTS = {
    1: ("149.99", [(1, 1, 1)]),
    2: ("1499.95", [(2, 2, 5)]),
    3: ("499.95", [(3, 3, 5)]),
    4: ("749.95", [(4, 4, 5)]),
    5: ("1049.96", [(5, 2, 3), (6, 4, 1)]),
    6: ("0.00", []),
}


def contents(cluster, database: str, table: str, columns: str) -> list[tuple]:
    return cluster.query(database, f"SELECT {columns} FROM {table} ORDER BY 1")


USER_COLUMNS = "id, created, email, first_name, last_name, is_admin"
ITEM_COLUMNS = "id, created, cart_id, product_id, quantity"


@pytest.fixture(scope="module")
def customers_database(cluster, customers_binary):
    """The reference's databases, taken over."""
    name = cluster.create("adopted_customers")
    cluster.restore(name, DUMPS / "customers.sql")
    before = contents(cluster, name, "users", f"{USER_COLUMNS}, password")
    done = run(customers_binary, "migrate", "up", environment=cluster.environment(name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(cluster, name, "users", f"{USER_COLUMNS}, password") == before
    cluster.query(name, ACCOUNTS_OF_THE_REFERENCE)
    yield name
    cluster.drop(name)


@pytest.fixture(scope="module")
def cart_database(cluster, cart_binary):
    name = cluster.create("adopted_cart")
    cluster.restore(name, DUMPS / "cart.sql")
    before = [contents(cluster, name, "cartitems", ITEM_COLUMNS),
              contents(cluster, name, "products", "*"), contents(cluster, name, "carts", "user_id")]
    done = run(cart_binary, "migrate", "up", environment=cluster.environment(name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert before == [
        contents(cluster, name, "cartitems", ITEM_COLUMNS),
        contents(cluster, name, "products", "id, created, name, description, price"),
        contents(cluster, name, "carts", "user_id")]
    if "CART_PARTITIONED" in os.environ:
        cluster.partition(name)
    yield name
    cluster.drop(name)


def stored_hash(cluster, database: str, user: int) -> str:
    return cluster.query(database, "SELECT password FROM users WHERE id = %s", user)[0][0]


@pytest.mark.parametrize("user", USERS)
def test_users_log_in_and_their_hash_is_replaced(customers, cluster, customers_database, user):
    email, is_admin = USERS[user]
    old = stored_hash(cluster, customers_database, user)
    assert old.startswith("$5$rounds=535000$")
    login = {"email": email, "password": PASSWORD}
    customers.post("/api/v1/auth/login/", body={**login, "password": "wrong one"}).invalid(
        {"non_field_errors": ["Unable to log in with provided credentials."]}, 400)
    assert stored_hash(cluster, customers_database, user) == old
    data = customers.post("/api/v1/auth/login/", body=login).ok()
    assert (data["user"]["id"], data["user"]["email"], data["user"]["is_admin"]) == (
        user, email, is_admin)
    new = stored_hash(cluster, customers_database, user)
    assert new.startswith("$argon2id$")
    again = customers.post("/api/v1/auth/login/", body=login).ok()
    assert stored_hash(cluster, customers_database, user) == new
    for token in (data["token"], again["token"]):  # A new hash does not count as a password change.
        customers.get(f"/api/v1/users/{user}/", token).ok()


@pytest.mark.parametrize("spelling", ["mixed.case@example.com", "MIXED.CASE@EXAMPLE.COM",
                                      "Mixed.Case@Example.com"])
def test_login_in_any_case(customers, spelling):
    data = customers.post("/api/v1/auth/login/",
                          body={"email": spelling, "password": PASSWORD}).ok()
    assert data["user"]["email"] == "Mixed.Case@Example.com"


@pytest.mark.parametrize("email", ["ops@192.168.1.10", "ops@example.42", "ops@example.a-b"])
def test_an_email_that_only_the_reference_takes_for_one(customers, cluster, customers_database,
                                                        email):
    """The owner logs in and sends it back with a change; another can be registered."""
    [(user,)] = cluster.query(customers_database, """
        INSERT INTO users (email, first_name, last_name, password, is_admin)
        SELECT %s, 'Ops', '', password, false FROM users WHERE id = 1 RETURNING id""", email)
    token = customers.post("/api/v1/auth/login/",
                           body={"email": email, "password": PASSWORD}).ok()["token"]
    change = {"email": email, "first_name": "Operations"}
    changed = customers.patch(f"/api/v1/users/{user}/", token, change).ok()
    assert (changed["email"], changed["first_name"]) == (email, "Operations")
    customers.post("/api/v1/users/create/", body={
        "email": f"new.{email}", "password": PASSWORD}).ok(201)


def test_an_email_that_cannot_be_seen_stays_usable(customers, cluster, customers_database):
    """The reference accepted invisible characters. Its owner logs in and keeps it; nobody else gets
    such an email."""
    email = "zo\u200be@example.net"
    [(user,)] = cluster.query(customers_database, """
        INSERT INTO users (email, first_name, last_name, password, is_admin)
        SELECT %s, '', '', password, false FROM users WHERE id = 1 RETURNING id""", email)
    token = customers.post("/api/v1/auth/login/",
                           body={"email": email, "password": PASSWORD}).ok()["token"]
    changed = customers.patch(f"/api/v1/users/{user}/", token,
                              {"email": email, "first_name": "Zoe"}).ok()
    assert (changed["email"], changed["first_name"]) == (email, "Zoe")
    customers.post("/api/v1/users/create/", body={
        "email": f"new.{email}", "password": PASSWORD}).invalid(
            {"email": ["Not a valid email address."]})
    customers.post("/api/v1/users/create/", body={
        "email": "zoe@example.net", "password": PASSWORD}).ok(201)


@pytest.mark.parametrize("size", [512, 1024])
def test_a_password_that_is_too_long_for_its_hash_is_a_wrong_one(customers, size):
    customers.post("/api/v1/auth/login/", body={
        "email": "zoe@example.com", "password": "x" * size}).invalid(
            {"non_field_errors": ["Unable to log in with provided credentials."]}, 400)


def test_a_hash_of_the_reference_serves_as_current_password(customers, cluster, customers_database,
                                                            accounts):
    account = accounts.create()
    [(reference,)] = cluster.query(customers_database, "SELECT password FROM users WHERE id = 5")
    cluster.query(customers_database, "UPDATE users SET password = %s WHERE id = %s", reference,
                  account.id)
    customers.patch(f"/api/v1/users/{account.id}/change-password/", account.token, {
        "current_password": "not zoe's", "new_password": "another one",
        "confirm_new_password": "another one"}).invalid(
            {"current_password": ["Wrong password."]}, 400)


@pytest.mark.parametrize("user", [1, 2, 3, 4, 5, 6])
def test_a_token_of_the_reference_is_accepted_by_both(customers, cart, user):
    token = tokens.bearer(user, email="whatever@it.said", is_admin=user in (1, 2))
    assert customers.get(f"/api/v1/users/{user}/", token).ok()["id"] == user
    total, lines = CARTS[user]
    data = cart.get(f"/api/v1/cart/{user}/", token).ok()
    assert data["total_price"] == total
    assert [(line["id"], line["product_id"], line["quantity"])
            for line in data["cart_items"]] == lines


def test_unicode_names_and_timestamps_are_kept(customers):
    assert customers.get("/api/v1/users/5/", tokens.bearer(5)).ok() == {
        "id": 5, "created": "2026-11-22T23:14:52.328521+00:00", "email": "zoe@example.com",
        "first_name": "Zoë", "last_name": "Ångström", "is_admin": False}


def test_products_are_kept(cart):
    assert [(product["id"], product["name"], product["description"], product["price"],
             product["created"]) for product in cart.get("/api/v1/products/list/").ok()][:2] == [
        (1, "Product_0", "Natural authority mean affect.", "149.99",
         "2026-11-22T23:14:48.018362+00:00"),
        (2, "Product_1", "Better model himself gun.", "299.99",
         "2026-11-22T23:14:48.018839+00:00")]


def test_new_rows_continue_the_numbers(customers, cart, accounts):
    account = accounts.create()
    assert account.id >= 7
    cart.get(f"/api/v1/cart/{account.id}/", account.token).ok()
    added = cart.post(f"/api/v1/cart-item/{account.id}/create", account.token,
                      {"product_id": 1, "quantity": 1}).ok(201)
    assert added["cart_items"][0]["id"] >= 7


def test_the_new_rules_hold(customers, accounts):
    customers.post("/api/v1/users/create/", body={
        "email": "mixed.case@example.com", "password": "long enough"}).invalid(
            {"email": ["User with this email already exists."]}, 400)
    customers.get("/api/v1/users/1/", tokens.bearer(3, is_admin=True)).refused(403, FORBIDDEN)


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_an_adopted_schema_is_a_migrated_one(
        cluster, service, customers_database, cart_database, customers_template, cart_template):
    adopted, fresh = {"customers": (customers_database, customers_template),
                      "cart": (cart_database, cart_template)}[service]

    def columns(database: str) -> list[tuple]:
        return cluster.query(database, """
            SELECT table_name, column_name, data_type, is_nullable, column_default
            FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2""")

    def constraints(database: str) -> list[tuple]:
        return cluster.query(database, """
            SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2""")

    def indexes(database: str) -> list[tuple]:
        return cluster.query(database, """
            SELECT indexname, indexdef FROM pg_indexes
            WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1""")

    for aspect in (columns, constraints, indexes):
        assert aspect(adopted) == aspect(fresh), aspect.__name__


def test_adopting_twice_changes_nothing(cluster, customers_binary, customers_database):
    before = cluster.dump(customers_database)
    done = run(customers_binary, "migrate", "up",
               environment=cluster.environment(customers_database))
    assert done.returncode == 0, done.stderr
    assert cluster.dump(customers_database) == before


def test_emails_differing_in_case_stop_the_migration(cluster, customers_binary):
    database = cluster.create("conflicting_customers")
    cluster.restore(database, DUMPS / "customers.sql")
    for email in ("ZOE@example.com", "Admin1@Email.com", "free@example.com"):
        cluster.query(database, "INSERT INTO users (id, email, first_name, last_name, password, "
                      "is_admin) VALUES ((SELECT max(id) + 1 FROM users), %s, '', '', '!', false)",
                      email)
    before = cluster.dump(database)
    done = run(customers_binary, "migrate", "up", environment=cluster.environment(database))
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for conflicting in ("ZOE@example.com", "zoe@example.com", "Admin1@Email.com",
                        "admin1@email.com"):
        assert conflicting in said
    assert "free@example.com" not in said and "nonadmin3@email.com" not in said
    assert cluster.dump(database) == before
    # After the rows are corrected, the migration continues.
    cluster.query(database, "DELETE FROM users WHERE id > 6 AND email <> 'free@example.com'")
    done = run(customers_binary, "migrate", "up", environment=cluster.environment(database))
    assert done.returncode == 0, done.stderr
    cluster.drop(database)


@pytest.mark.parametrize("service", ["customers", "cart"])
def test_another_revision_is_refused(cluster, customers_binary, cart_binary, service):
    database = cluster.create(f"unknown_{service}")
    cluster.restore(database, DUMPS / f"{service}.sql")
    cluster.query(database, "UPDATE alembic_version SET version_num = 'somethingelse'")
    before = cluster.dump(database)
    binary = {"customers": customers_binary, "cart": cart_binary}[service]
    done = run(binary, "migrate", "up", environment=cluster.environment(database))
    assert done.returncode != 0
    assert re.search("somethingelse", done.stdout + done.stderr)
    assert cluster.dump(database) == before
    cluster.drop(database)


def test_going_back_from_an_adoptable_revision_is_asked_about(cluster, cart_binary):
    database = cluster.create("asked_cart")
    cluster.restore(database, DUMPS / "cart.sql")
    before = cluster.dump(database)
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, b"n\n")
        done = subprocess.run([cart_binary, "migrate", "to", "0"], stdin=terminal,
                              env=cluster.environment(database), capture_output=True, text=True,
                              timeout=30, check=False)
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert "[y/N]" in done.stdout
    assert (done.returncode, done.stderr) == (1, "cancelled: nothing was changed\n")
    assert cluster.dump(database) == before
    cluster.drop(database)


def test_adopted_carts_of_users_can_be_used(cart):
    token = tokens.bearer(5)
    changed = cart.patch("/api/v1/cart-item/6/", token, {"quantity": 2}).ok()
    assert changed["total_price"] == "1199.95"
    cart.delete("/api/v1/cart-item/5/", token).ok(204)
    assert Client(cart.url).get("/api/v1/cart/5/", token).ok()["total_price"] == "299.98"
