"""Mistakes in the values are refused with their place."""

import pytest
import yaml

from harness import chart, schemas

EXTERNAL = yaml.safe_load((chart.VALUES / "external.yaml").read_text(encoding="utf-8"))


def refusal(values: dict) -> str:
    done = chart.template(version=schemas.VERSIONS[-1], values=values)
    assert done.returncode != 0 and not done.stdout
    return done.stderr


def nested(path: str, value) -> dict:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def pointer(path: str) -> str:
    return "/" + path.replace(".", "/")


@pytest.mark.parametrize("path, wrong, told", (
    ("demo", "yes", "got string, want boolean"),
    ("shutdownGrace", 3601, "maximum: got 3,601, want 3,600"),
    ("image.pullPolicy", "Sometimes", "one of 'Always', 'IfNotPresent', 'Never'"),
    ("customers.workers", "2", "got string, want integer"),
    ("customers.workers", 0, "minimum: got 0, want 1"),
    ("customers.memory", "1 GB", "does not match pattern"),
    ("customers.replicas.max", 2.5, "got number, want integer"),
    ("customers.jwtSecret.name", ["a"], "got array, want string"),
    ("cart.targetCPU", 101, "maximum: got 101, want 100"),
    ("cart.database.owner", "cart-owner", "does not match pattern"),
    ("cart.env.LOG_LEVEL", None, "got null, want boolean or integer or string"),
    ("databases", "sqlite", "one of 'cloudnative-pg', 'external'"),
    ("cloudNativePG.image", "postgresql:latest", "does not match pattern"),
    ("cloudNativePG.storage.size", 10, "got number, want string"),
    ("certificates.from", "letsencrypt", "one of 'chart', 'cert-manager'"),
    ("networkPolicy.clients", [], "minItems: got 0, want 1"),
    ("monitoring.labels.release", 1, "got number, want string")))
def test_wrong_values(path, wrong, told):
    text = refusal(nested(path, wrong))
    assert f"at '{pointer(path)}'" in text and told in text


@pytest.mark.parametrize("path", (
    "replicaCount", "image.repository", "customers.replica", "customers.replicas.minimum",
    "customers.jwtSecret.secret", "cart.jwtSecret", "cart.database.password", "cloudNativePG.storage.type",
    "certificates.issuer.ref", "networkPolicy.ingress", "monitoring.alerts"))
def test_unknown_values(path):
    where, _, name = path.rpartition(".")
    text = refusal(nested(path, "x"))
    assert f"at '{pointer(where) if where else ''}': additional properties '{name}' not allowed" in text


@pytest.mark.parametrize("path", (
    "customers.workers", "cart.replicas.min", "cart.database.name", "networkPolicy.dns"))
def test_missing_values(path):
    where, _, name = path.rpartition(".")
    assert f"at '{pointer(where)}': missing property '{name}'" in refusal(nested(path, None))


@pytest.mark.parametrize("service", ("customers", "cart"))
@pytest.mark.parametrize("name", ("host", "ownerSecret", "servingSecret", "caSecret"))
def test_an_external_database_needs(service, name):
    values = {**EXTERNAL, service: {**EXTERNAL[service], "database": {
        **EXTERNAL[service]["database"], name: ""}}}
    assert f"at '/{service}/database/{name}': minLength: got 0, want 1" in refusal(values)


def test_a_database_of_the_chart_has_no_other_host():
    assert "at '/cart/database/host'" in refusal(nested("cart.database.host", "db.example.com"))


def test_a_previous_jwt_secret_needs_a_secret_of_ones_own():
    """The chart's Secret has only one key."""
    assert "at '/customers/jwtSecret/name'" in refusal(nested("customers.jwtSecret.previousKey", "old"))


def test_an_issuer_needs_a_name():
    text = refusal({"certificates": {"from": "cert-manager", "issuer": {"kind": "ClusterIssuer"}}})
    assert "at '/certificates/issuer': missing property 'name'" in text


@pytest.mark.parametrize("variable", ("WORKERS", "POSTGRES_PASSWORD", "JWT_SECRET", "CUSTOMERS_HOST"))
def test_variables_that_the_chart_sets(variable):
    assert f"at '/cart/env/{variable}': false schema" in refusal(nested("cart.env", {variable: "x"}))


def test_a_variable_in_lower_case():
    assert "at '/cart/env': additional properties 'log_level' not allowed" in \
        refusal(nested("cart.env", {"log_level": "debug"}))


def test_more_replicas_at_least_than_at_most():
    text = refusal({"cart": {"replicas": {"min": 4, "max": 3}}})
    assert "cart.replicas: max (3) is less than min (4)" in text
