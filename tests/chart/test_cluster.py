"""The chart in a real cluster: the README's tour, and a rolling update under load.

Runs only where KUBECONFIG names a cluster; harness/cluster.py says what its nodes need.
"""

import collections

import pytest

from harness import cluster
from microcart import ROOT
from microcart.network import request
from microcart.testing import tour
from microcart.waiting import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture(name="release", scope="module")
def _release(tmp_path_factory):
    cluster.make_namespace()
    cluster.make_databases(tmp_path_factory.mktemp("tls"))
    cluster.helm("install", cluster.values())
    yield
    cluster.delete_namespace()


@pytest.fixture(name="urls", scope="module")
def _urls(release):
    with cluster.forwarded("customers") as customers, cluster.forwarded("cart") as cart:
        yield {"customers": customers, "cart": cart}


def test_the_readme_s_tour(urls):
    steps = tour.parse((ROOT / "README.md").read_text(encoding="utf-8"))
    outputs = tour.run(steps, {
        "CUSTOMERS_URL": urls["customers"], "CART_URL": urls["cart"],
        "CART_PROGRAM": f"kubectl --namespace {cluster.NAMESPACE} exec --stdin "
                        f"deployment/{cluster.RELEASE}-cart -- /usr/bin/cart"})
    for step, output in zip(steps, outputs, strict=True):
        assert tour.same(step, output), f"{step.script}\nprinted\n{output}"


def test_an_upgrade_keeps_secrets_and_loses_no_request(urls):
    """Every replica is replaced, after the migrations; no answer is missing or a failure."""
    login = request("POST", f"{urls['customers']}/api/v1/auth/login/",
                    {"email": "admin1@email.com", "password": "testPass123"})
    assert login.status == 200, str(login)
    token = login.json()["data"]["token"]
    kept = {("jwt", "jwt_secret"), ("customers-tls", "tls.key"), ("cart-tls", "tls.key")}
    before = {name: cluster.secret(*name) for name in kept}
    replicas = {service: cluster.pods(service) for service in cluster.SERVICES}
    assert all(len(each) == 2 for each in replicas.values())

    cluster.start_load({"customers": "/api/v1/users/list/", "cart": "/api/v1/checkouts/list/?after=0"},
                       token)
    eventually(lambda: len(cluster.load_log()) > 100, seconds=60, interval=1)
    changed = cluster.values()
    for service in cluster.SERVICES:
        changed[service]["env"] = {"LOG_LEVEL": "debug"}
    cluster.helm("upgrade", changed)
    eventually(lambda: all(len(cluster.pods(service)) == 2 for service in cluster.SERVICES),
               seconds=120, interval=1)
    seen = len(cluster.load_log())
    eventually(lambda: len(cluster.load_log()) > seen + 100, seconds=60, interval=1)

    assert {name: cluster.secret(*name) for name in kept} == before
    for service in cluster.SERVICES:
        assert not replicas[service] & cluster.pods(service)
    answers = collections.Counter(cluster.load_log())
    assert answers.keys() == {"customers 200", "cart 200"}, answers


def test_nobody_else_reaches_a_service(urls):
    """Needs a network that enforces NetworkPolicies, as k3s has it; where it does not, this fails."""
    for service, port in (("customers", 8081), ("customers-grpc", 50051), ("cart", 8082)):
        printed = cluster.kubectl(
            "exec", "postgres", "--", "bash", "-c",
            f"timeout 5 bash -c '</dev/tcp/{cluster.RELEASE}-{service}/{port}' && echo reached || "
            "echo not reached")
        assert printed.strip() == "not reached"
