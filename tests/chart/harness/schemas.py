"""Strict validation of objects: fields that the schema does not have are mistakes."""

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from harness import tools

# The versions that Kubernetes supports, and the oldest one of Chart.yaml.
VERSIONS = ("1.30", "1.35", "1.36", "1.37")

_DEFINITIONS = "https://kubernetes.io/api/_definitions.json"

# CloudNativePG's definitions can be had from no package index, so this schema states the fields that
# the chart uses, as CloudNativePG 1.27 has them.
_OWN_SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"


def mistakes(resource: dict, version: str) -> list[str]:
    """Returns the mistakes of an object for a version of Kubernetes, each with its place. An object
    without a schema is a mistake too."""
    validator = _validator(resource["apiVersion"], resource["kind"], version)
    if validator is None:
        return [f"{resource['apiVersion']} {resource['kind']} has no schema"]
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(resource)]


@functools.cache
def _validator(api_version: str, kind: str, version: str):
    own = _OWN_SCHEMAS / f"{kind}.json"
    crd = _crds().get((api_version, kind))
    if crd is not None:
        return jsonschema.Draft202012Validator(crd)
    if own.exists():
        schema = json.loads(own.read_text(encoding="utf-8"))
        if schema["properties"]["apiVersion"]["const"] == api_version:
            return jsonschema.Draft202012Validator(schema)
    group, _, name = api_version.rpartition("/")
    file = "-".join([kind.lower(), *filter(None, [group.split(".")[0]]), name]) + ".json"
    path = _directory(version) / file
    if not path.exists():
        return None
    schema = json.loads(path.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, resolver=_resolver(version))


def _directory(version: str) -> Path:
    return tools.kubernetes_schemas() / f"v{version}.0-local-strict"


@functools.cache
def _resolver(version: str) -> jsonschema.RefResolver:
    definitions = json.loads((_directory(version) / "_definitions.json").read_text(encoding="utf-8"))
    return jsonschema.RefResolver("", {}, store={_DEFINITIONS: definitions})


@functools.cache
def _crds() -> dict[tuple[str, str], dict]:
    found = {}
    for path in tools.CRDS.iterdir():
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        for version in definition["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["metadata"] = {"type": "object"}
            found[f"{definition['group']}/{version['name']}", definition["names"]["kind"]] = \
                strict(schema)
    return found


def strict(schema: Any) -> Any:
    """Returns the JSON schema for a structural schema of OpenAPI: objects have no further fields, as
    the API server with strict validation sees it."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: strict(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties", "anyOf", "allOf", "oneOf", "not"):
            made[key] = strict(value)
        elif key in ("default", "enum", "example") or not key.startswith("x-"):
            made[key] = value
    if "properties" in made and "additionalProperties" not in made and \
            not schema.get("x-kubernetes-preserve-unknown-fields") and "type" in schema:
        made["additionalProperties"] = False
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    return made
