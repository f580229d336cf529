"""Every object is valid, for every version of Kubernetes and every set of values."""

import copy

import pytest
import yaml

from harness import chart, schemas

GOLDEN = chart.VALUES.parent / "golden/default.yaml"
NEWEST = schemas.VERSIONS[-1]


def test_lint():
    done = chart.helm("lint", "--strict", "--quiet", chart.DIRECTORY)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("is_upgrade", (False, True), ids=("install", "upgrade"))
@pytest.mark.parametrize("version", schemas.VERSIONS)
@pytest.mark.parametrize("name", chart.named("all"))
def test_every_object_is_valid(name, version, is_upgrade):
    objects = chart.rendered(name, version, is_upgrade).objects
    assert len(objects) > 10
    found = {f"{each['kind']} {each['metadata']['name']}": schemas.mistakes(each, version)
             for each in objects}
    assert {name: mistakes for name, mistakes in found.items() if mistakes} == {}
    assert len(found) == len(objects), "two objects have the same name"


def paths(value, path=()):
    """Yields the path of every object with fields of Kubernetes' own, or of an operator's."""
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            if key not in FREE:
                yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


# Maps whose keys are not fields; `metadata` of custom resources is checked by the API server alone.
FREE = {"labels", "annotations", "matchLabels", "data", "requests", "limits", "parameters",
        "nodeSelector", "tolerations", "metadata"}


def test_an_unknown_field_is_a_mistake_wherever_it_is():
    """The validation itself: no part of any object escapes it."""
    kinds = {each["kind"]: each for each in chart.rendered("everything", NEWEST).objects}
    assert {"Cluster", "Certificate", "PrometheusRule", "ServiceMonitor"} <= kinds.keys()
    for kind, resource in kinds.items():
        for path in paths(resource):
            changed = copy.deepcopy(resource)
            at = changed
            for step in path:
                at = at[step]
            at["unknownField"] = 1
            assert schemas.mistakes(changed, NEWEST), f"{kind}: {path}"


def test_an_object_without_a_schema_is_a_mistake():
    assert schemas.mistakes({"apiVersion": "example.com/v1", "kind": "Thing"}, NEWEST)


@pytest.mark.parametrize("kind, path, wrong", (
    ("Deployment", ("spec", "replicas"), "two"),
    ("Cluster", ("spec", "instances"), "three"),
    ("Certificate", ("spec", "dnsNames"), "cart"),
    ("ServiceMonitor", ("spec", "endpoints"), {}),
    ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "expr"), None)))
def test_a_wrong_type_is_a_mistake(kind, path, wrong):
    resource = copy.deepcopy(chart.rendered("everything", NEWEST).of(kind)[0])
    at = resource
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = wrong
    assert schemas.mistakes(resource, NEWEST)


def test_the_default_values_render_the_golden_file(request):
    """A change of the objects is seen in review; `make chart-test ARGS=--update-golden` accepts it."""
    objects = [chart.without_secrets(each) for each in chart.rendered("default", NEWEST).objects]
    text = yaml.safe_dump_all(objects, sort_keys=False, width=100)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
