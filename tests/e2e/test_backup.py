"""The commands of docs/operations.md back both databases up and restore them. No session and no
recovery code is valid after that, because it may have ended since the back-up."""

import os
import re
import subprocess

import pytest

from microcart import ROOT
from microcart.testing.cluster import ROLE
from microcart.testing.client import Client


def commands(name: str) -> str:
    """Returns the script of this name in the documentation."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- {name}:begin -->\n```sh\n(.*?)```\n<!-- {name}:end -->", text,
                     re.DOTALL)[1]


@pytest.fixture
def script(cluster, customers_database, cart_database, tmp_path):
    """Runs a script like an administrator."""
    names = {"CUSTOMERS_DB": customers_database, "CART_DB": cart_database, "ROLE": ROLE,
             "NEW_CUSTOMERS_DB": f"{customers_database}_restored",
             "NEW_CART_DB": f"{cart_database}_restored"}

    def run(name: str) -> None:
        done = subprocess.run(
            ["sh", "-euc", commands(name)], cwd=tmp_path, capture_output=True, text=True,
            check=False, env={"PATH": os.environ["PATH"], **cluster.administrator(), **names})
        assert done.returncode == 0, done.stderr
    return run


def test_back_up_and_restore(script, cluster, customers_database, cart_database, customers_binary,
                             cart_binary, customers_environment, cart_environment, start_service,
                             accounts, admin, carts, customers):
    owner = carts.owner(first_name="Zoë")
    carts.add(owner, quantity=3)
    sessions = [accounts.login(owner.email) for _ in range(2)]
    code = customers.post(f"/api/v1/users/{owner.id}/recovery/", admin).ok(201)["code"]
    script("backup")
    customers.post("/api/v1/auth/logout/", sessions[0]).ok(204)
    after = accounts.create()  # Not in the back-up.
    script("restore")

    databases = [f"{name}_restored" for name in (customers_database, cart_database)]
    assert cluster.dump(databases[1]) == cluster.dump(cart_database)
    restored = start_service(customers_binary, customers_environment(databases[0]))
    cart = start_service(cart_binary, cart_environment(databases[1], restored.grpc_port))
    client = Client(restored.url)
    assert client.get(f"/api/v1/users/{owner.id}/", owner.token).ok()["first_name"] == "Zoë"
    for account, token in ((after, after.token), *((owner, session) for session in sessions)):
        client.get(f"/api/v1/users/{account.id}/", token).refused(403, "403: Token is revoked")
    client.post("/api/v1/auth/recover/", body={
        "code": code, "new_password": "quite another password",
        "confirm_new_password": "quite another password"}).invalid(
            {"code": ["Invalid or expired code."]}, 400)
    login = client.post("/api/v1/auth/login/",
                        body={"email": owner.email, "password": owner.password}).ok()
    # Ids continue where they were.
    new = client.post("/api/v1/users/create/",
                      body={"email": "later@example.com", "password": owner.password}).ok(201)
    client.close()
    assert new["id"] > owner.id
    client = Client(cart.url)
    items = client.get(f"/api/v1/cart/{owner.id}/", login["token"]).ok()["cart_items"]
    assert [item["quantity"] for item in items] == [3]
    client.close()
