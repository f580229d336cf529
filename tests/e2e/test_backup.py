"""The commands of docs/operations.md back both databases up and restore them."""

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
                             accounts, carts):
    owner = carts.owner(first_name="Zoë")
    carts.add(owner, quantity=3)
    script("backup")
    after = accounts.create()  # Not in the back-up.
    script("restore")

    databases = [f"{name}_restored" for name in (customers_database, cart_database)]
    assert cluster.dump(databases[1]) == cluster.dump(cart_database)
    customers = start_service(customers_binary, customers_environment(databases[0]))
    cart = start_service(cart_binary, cart_environment(databases[1], customers.grpc_port))
    client = Client(customers.url)
    assert client.get(f"/api/v1/users/{owner.id}/", owner.token).ok()["first_name"] == "Zoë"
    client.get(f"/api/v1/users/{after.id}/", after.token).refused(403, "403: Token is revoked")
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
