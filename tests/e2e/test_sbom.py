"""The list of components: its form, and that nothing is left out."""

import json
import os
import subprocess

import jsonschema
import pytest

from microcart import ROOT
from microcart.services import SERVICES, build_directory

# The parts of CycloneDX 1.5's schema that the list uses, without any others.
TEXT = {"type": "string", "minLength": 1}


def _object(required: list[str], **properties) -> dict:
    return {"type": "object", "required": required, "properties": properties,
            "additionalProperties": False}


COMPONENT = _object(
    ["type", "bom-ref", "name", "version"],
    **{"bom-ref": TEXT}, type={"enum": ["application", "library"]}, name=TEXT, version=TEXT,
    purl={"type": "string", "pattern": "^pkg:(deb/debian|npm)/[^@ ]+@[^@ ]+$"},
    scope={"enum": ["required", "excluded"]},
    hashes={"type": "array", "items": _object(
        ["alg", "content"], alg={"enum": ["SHA-256", "SHA-384", "SHA-512"]},
        content={"type": "string", "pattern": "^([0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$"})},
    licenses={"type": "array", "maxItems": 1,
              "items": _object(["expression"], expression=TEXT)},
    properties={"type": "array", "items": _object(["name", "value"], name=TEXT, value=TEXT)})
SCHEMA = _object(
    ["bomFormat", "specVersion", "serialNumber", "version", "metadata", "components",
     "dependencies"],
    bomFormat={"const": "CycloneDX"}, specVersion={"const": "1.5"}, version={"const": 1},
    serialNumber={"type": "string",
                  "pattern": "^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
    metadata=_object(["component"], component=COMPONENT),
    components={"type": "array", "items": COMPONENT, "uniqueItems": True},
    dependencies={"type": "array", "uniqueItems": True, "items": _object(
        ["ref", "dependsOn"], ref=TEXT,
        dependsOn={"type": "array", "items": TEXT, "uniqueItems": True})})


def _make() -> str:
    return subprocess.run([ROOT / "scripts/sbom"], stdout=subprocess.PIPE, text=True, check=True,
                          env=os.environ | {"BUILD_DIRECTORY": str(build_directory())}).stdout


@pytest.fixture(scope="module")
def sbom() -> dict:
    return json.loads(_make())


@pytest.fixture(scope="module")
def components(sbom) -> dict[str, dict]:
    return {component["bom-ref"]: component for component in sbom["components"]}


def test_it_has_the_form_of_cyclonedx(sbom):
    jsonschema.Draft7Validator(SCHEMA).validate(sbom)


def test_the_same_packages_make_the_same_list(sbom):
    assert json.loads(_make()) == sbom


def test_references_lead_somewhere(sbom, components):
    assert len(components) == len(sbom["components"])
    known = {*components, "microcart"}
    for dependency in sbom["dependencies"]:
        assert {dependency["ref"], *dependency["dependsOn"]} <= known
    assert {dependency["ref"] for dependency in sbom["dependencies"]} == {
        "microcart", *(f"microcart/{name}" for name in SERVICES)}


@pytest.mark.parametrize("service", SERVICES)
def test_every_library_of_a_binary_is_in_it(sbom, components, service):
    needed = subprocess.run(
        ["ldd", SERVICES[service].binary(build_directory())], stdout=subprocess.PIPE, text=True,
        check=True).stdout
    dependencies, = (dependency["dependsOn"] for dependency in sbom["dependencies"]
                     if dependency["ref"] == f"microcart/{service}")
    files = set()
    for ref in dependencies:
        if ref.startswith("pkg:deb/"):
            files.update(subprocess.run(
                ["dpkg-query", "--listfiles", components[ref]["name"]], stdout=subprocess.PIPE,
                text=True, check=True).stdout.splitlines())
    names = {os.path.basename(file) for file in files}
    libraries = [word for word in needed.split() if word.startswith("/")]
    assert libraries
    missing = [library for library in libraries
               if not {os.path.basename(library),
                       os.path.basename(os.path.realpath(library))} & names]
    assert missing == []
    assert {"libpq5", "libboost1.81-dev"} <= {components[ref]["name"] for ref in dependencies}


def test_every_package_of_the_lock_file_is_in_it(components):
    lock = json.loads((ROOT / "web/package-lock.json").read_text(encoding="utf-8"))
    listed = {(component["name"], component["version"]) for component in components.values()
              if component.get("purl", "").startswith("pkg:npm/")}
    wanted = {(path.rpartition("node_modules/")[2], entry["version"])
              for path, entry in lock["packages"].items() if path}
    assert listed == wanted
    embedded = {component["name"] for component in components.values()
                if component.get("purl", "").startswith("pkg:npm/")
                and component["scope"] == "required"}
    assert "swagger-ui-dist" in embedded and "typescript" not in embedded
