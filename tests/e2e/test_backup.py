"""The commands of docs/operations.md back both databases up and restore them. After that no token is
valid that was made before, nothing of the time after the back-up has an effect again, and no id is
given out twice."""

import os
import re
import subprocess
import time

import jwt
import pytest

from microcart import ROOT
from microcart.testing import tokens
from microcart.testing.accounts import ACCOUNTS_OF_OUR_OWN, PASSWORD, fresh_email
from microcart.testing.client import Client
from microcart.testing.cluster import ROLE
from microcart.testing.service import run
from microcart.waiting import eventually

REVOKED = "403: Token is revoked"
UNSIGNED = "Invalid authorization token, Signature verification failed"
POSITIONS = "SELECT sequencename, coalesce(last_value, start_value) FROM pg_sequences"


def commands(name: str) -> str:
    """Returns the script of this name in the documentation."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- {name}:begin -->\n```sh\n(.*?)```\n<!-- {name}:end -->", text,
                     re.DOTALL)[1]


def without_positions(dump: str) -> list[str]:
    """Returns the lines of a dump without those that set a sequence's position."""
    return [line for line in dump.splitlines() if "pg_catalog.setval(" not in line]


@pytest.fixture
def script(cluster, tmp_path):
    """Runs a script of the documentation like an administrator, on these two databases and, restored,
    on two of the same name with "_restored"."""
    def run_script(name: str, customers: str, cart: str) -> None:
        names = {"CUSTOMERS_DB": customers, "CART_DB": cart, "ROLE": ROLE,
                 "NEW_CUSTOMERS_DB": f"{customers}_restored", "NEW_CART_DB": f"{cart}_restored"}
        done = subprocess.run(
            ["sh", "-euc", commands(name)], cwd=tmp_path, capture_output=True, text=True,
            check=False, env={"PATH": os.environ["PATH"], **cluster.administrator(), **names})
        assert done.returncode == 0, done.stderr
    return run_script


@pytest.fixture
def new_secret(tmp_path):
    """The settings of a customers service after the restore."""
    return {"JWT_SECRET": "", "JWT_SECRET_FILE": str(tmp_path / "jwt_secret")}


def test_back_up_and_restore(script, new_secret, cluster, customers_database, cart_database,
                             customers_binary, cart_binary, customers_environment, cart_environment,
                             start_service, accounts, admin, carts, customers):
    owner = carts.owner(first_name="Zoë")
    carts.add(owner, quantity=3)
    sessions = [accounts.login(owner.email) for _ in range(2)]
    code = customers.post(f"/api/v1/users/{owner.id}/recovery/", admin).ok(201)["code"]
    dumped = without_positions(cluster.dump(cart_database))
    script("backup", customers_database, cart_database)
    customers.post("/api/v1/auth/logout/", sessions[0]).ok(204)
    customers.post("/api/v1/auth/logout/", owner.token).ok(204)  # Raises its token_version.
    after = carts.owner()  # Not in the back-up.
    carts.add(after, quantity=2)
    earlier = [owner.token, *sessions, after.token, accounts.login(after.email)]
    script("restore", customers_database, cart_database)

    restored_customers, restored_cart = (
        f"{name}_restored" for name in (customers_database, cart_database))
    assert without_positions(cluster.dump(restored_cart)) == dumped
    service = start_service(customers_binary,
                            customers_environment(restored_customers, **new_secret))
    cart_service = start_service(cart_binary,
                                 cart_environment(restored_cart, service.grpc_port))
    client, cart = Client(service.url), Client(cart_service.url)
    client.post("/api/v1/auth/recover/", body={
        "code": code, "new_password": "quite another password",
        "confirm_new_password": "quite another password"}).invalid(
            {"code": ["Invalid or expired code."]}, 400)

    def log_in(email: str) -> str:
        return client.post("/api/v1/auth/login/",
                           body={"email": email, "password": PASSWORD}).ok()["token"]

    login = log_in(owner.email)
    assert client.get(f"/api/v1/users/{owner.id}/", login).ok()["first_name"] == "Zoë"
    items = cart.get(f"/api/v1/cart/{owner.id}/", login).ok()["cart_items"]
    assert [item["quantity"] for item in items] == [3]

    email = fresh_email("later")
    new = client.post("/api/v1/users/create/", body={"email": email, "password": PASSWORD}).ok(201)
    assert cart.get(f"/api/v1/cart/{new['id']}/", log_in(email)).ok()["cart_items"] == []
    for token in earlier:
        for user in (owner.id, after.id, new["id"]):
            client.get(f"/api/v1/users/{user}/", token).refused(401, f"401: {UNSIGNED}")
            cart.get(f"/api/v1/cart/{user}/", token).refused(403, f"403: {UNSIGNED}")
    client.close()
    cart.close()


def test_no_id_is_given_out_again(script, cluster, customers_database, cart_database, carts):
    """Not even the ids of the time after the back-up."""
    script("backup", customers_database, cart_database)
    carts.add(carts.owner())
    databases = (customers_database, cart_database)
    before = [dict(cluster.query(name, POSITIONS)) for name in databases]
    for name in databases:
        cluster.query("postgres", f'DROP DATABASE IF EXISTS "{name}_restored" WITH (FORCE)')
    script("restore", *databases)
    after = [dict(cluster.query(f"{name}_restored", POSITIONS)) for name in databases]
    assert all(before)
    for given, advanced in zip(before, after):
        assert given.keys() == advanced.keys()
        assert all(advanced[name] > given[name] + 900_000 for name in given), (given, advanced)


def test_a_dump_from_before_sessions(script, new_secret, cluster, customers_binary,
                                     cart_binary, customers_environment, start_service):
    """The reference's databases, restored by the same commands and then migrated."""
    names = [cluster.create(f"old_{service}") for service in ("customers", "cart")]
    for name, service in zip(names, ("customers", "cart")):
        cluster.restore(name, ROOT / f"tests/fixtures/reference/{service}.sql")
    script("backup", *names)
    script("restore", *names)
    for name, binary in zip(names, (customers_binary, cart_binary)):
        done = run(binary, "migrate", "up", environment=cluster.environment(f"{name}_restored"))
        assert done.returncode == 0, done.stderr
    service = start_service(customers_binary,
                            customers_environment(f"{names[0]}_restored", **new_secret))
    client = Client(service.url)
    client.post("/api/v1/auth/login/",
                body={"email": "nonadmin3@email.com", "password": "testPass123"}).ok()
    client.get("/api/v1/users/3/", tokens.bearer(3)).refused(401, f"401: {UNSIGNED}")
    new = client.post("/api/v1/users/create/",
                      body={"email": fresh_email(), "password": PASSWORD}).ok(201)
    assert new["id"] > 1_000_000
    client.close()


def test_an_earlier_accounts_tokens_are_not_valid_for_the_next_one_with_its_id(
        cluster, customers_template, customers_binary, cart_binary, cart_database,
        customers_environment, cart_environment, start_service):
    """Even if a restore keeps the JWT secret and does not advance the ids."""
    database = cluster.create("same_ids", customers_template)
    cluster.query(database, ACCOUNTS_OF_OUR_OWN)
    service = start_service(customers_binary, customers_environment(database))
    client = Client(service.url)
    cart = Client(start_service(cart_binary,
                                cart_environment(cart_database, service.grpc_port)).url)

    def register() -> tuple[int, str, int]:
        email = fresh_email()
        user = client.post("/api/v1/users/create/",
                           body={"email": email, "password": PASSWORD}).ok(201)["id"]
        login = client.post("/api/v1/auth/login/",
                            body={"email": email, "password": PASSWORD}).ok()["token"]
        [(version,)] = cluster.query(database, "SELECT token_version FROM users WHERE id = %s", user)
        return user, login, version

    user, login, version = register()
    without_session = "Bearer " + tokens.sign({**tokens.claims(user), "ver": version})
    earlier = [login, without_session]
    for token in earlier:
        client.get(f"/api/v1/users/{user}/", token).ok()
        cart.get(f"/api/v1/cart/{user}/", token).ok()
    assert jwt.decode(login.split()[1], tokens.SECRET, algorithms=["HS256"])["sid"] > 0

    # As if a dump from before its registration had been restored.
    cluster.query(database, "DELETE FROM users WHERE id = %s", user)
    cluster.query(database, "SELECT setval('users_id_seq', %s)", user - 1)
    second = int(time.time())
    # The number of an account's first session is the second of the login, rounded.
    eventually(lambda: int(time.time()) > second + 1)
    newcomer, _, _ = register()
    assert newcomer == user
    for token in (*earlier, tokens.bearer(user)):
        client.get(f"/api/v1/users/{user}/", token).refused(403, REVOKED)
        client.patch(f"/api/v1/users/{user}/", token, {"first_name": "Eve"}).refused(403, REVOKED)
        cart.get(f"/api/v1/cart/{user}/", token).refused(403, REVOKED)
    client.close()
    cart.close()


def test_new_accounts_begin_at_different_versions(cluster, customers_template, customers_binary,
                                                  customers_environment, start_service):
    """An increment for each password change still fits the column afterwards."""
    database = cluster.create("versions", customers_template)
    cluster.query(database, ACCOUNTS_OF_OUR_OWN)
    service = start_service(customers_binary, customers_environment(database))
    client = Client(service.url)
    for _ in range(8):
        client.post("/api/v1/users/create/",
                    body={"email": fresh_email(), "password": PASSWORD}).ok(201)
    client.close()
    versions = [version for (version,) in cluster.query(
        database, "SELECT token_version FROM users WHERE id > 4")]
    assert len(set(versions)) == 8
    assert all(0 < version <= 1_000_000_000 for version in versions)
