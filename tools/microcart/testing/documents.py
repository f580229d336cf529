"""Checks answers against the OpenAPI documents of docs/openapi/."""

import dataclasses
import datetime
import functools
import json
import re

import httpx
import jsonschema

from microcart import ROOT
from microcart.services import SERVICES

_DIRECTORY = ROOT / "docs/openapi"
# Headers that an answer may have only if its description names them.
_SPECIAL_HEADERS = ("Retry-After", "WWW-Authenticate", "Allow", "Location")

_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("int32")
def _is_int32(value) -> bool:
    return not isinstance(value, int) or -2**31 <= value < 2**31


@_formats.checks("date-time", raises=ValueError)
def _is_date_time(value) -> bool:
    return datetime.datetime.fromisoformat(value).tzinfo is not None


@_formats.checks("email")
def _is_email(value) -> bool:
    return "@" in value


@dataclasses.dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    needs_token: bool


def fill(path: str, identifier: int) -> str:
    """Returns the path with `identifier` for each of its parameters."""
    return re.sub(r"\{\w+\}", str(identifier), path)


def _needs_token(operation: dict) -> bool:
    """Returns whether the operation requires an authorization."""
    return bool(operation["security"]) and {} not in operation["security"]


class Document:
    """The OpenAPI document of one service."""

    def __init__(self, document: dict):
        self._document = document
        self._paths = [(re.compile(re.sub(r"\\\{\w+\\\}", r"[0-9]+", re.escape(path))), operations)
                       for path, operations in document["paths"].items()]

    def endpoints(self) -> dict[str, Endpoint]:
        """Returns every endpoint, by its method and path."""
        return {f"{method.upper()} {path}": Endpoint(method.upper(), path, _needs_token(operation))
                for path, operations in self._document["paths"].items()
                for method, operation in operations.items()}

    def methods(self) -> dict[str, set[str]]:
        """Returns the methods of each path."""
        return {path: set(map(str.upper, operations))
                for path, operations in self._document["paths"].items()}

    def operations(self, path: str) -> dict | None:
        """Returns the operations of a path, by method. A `{parameter}` matches digits only."""
        found = [operations for pattern, operations in self._paths if pattern.fullmatch(path)]
        return found[0] if found else None

    def check(self, response: httpx.Response, answers: dict) -> None:
        """Raises AssertionError if the answer is not one of the described answers."""
        status = str(response.status_code)
        told = f"{response.request.method} {response.request.url} → {status} {response.text[:500]}"
        assert status in answers, f"this status is not documented: {told}"
        description = self._resolve(answers[status])
        headers = {name: self._resolve(header)
                   for name, header in description.get("headers", {}).items()}
        for name, header in headers.items():
            value = response.headers.get(name)
            assert value is not None or not header.get("required"), f"no {name}: {told}"
            if header["schema"]["type"] == "integer":
                value = int(value)
            self._validate(value, header["schema"], f"{name} of {told}")
        for name in _SPECIAL_HEADERS:
            assert name in headers or name not in response.headers, f"{name} not documented: {told}"
        if response.request.method == "HEAD":
            return
        if "content" not in description:
            assert response.content == b"", f"a body that is not documented: {told}"
            return
        media_type = response.headers["Content-Type"].split(";")[0]
        assert media_type in description["content"], f"{media_type} is not documented: {told}"
        self._validate(response.json(), description["content"][media_type]["schema"], told)

    def component(self, kind: str, name: str) -> dict:
        return self._document["components"][kind][name]

    def _validate(self, value, schema: dict, told: str) -> None:
        validator = jsonschema.Draft202012Validator(
            {**schema, "components": self._document["components"]}, format_checker=_formats)
        problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not problems, f"not as documented: {problems}: {told}"

    def _resolve(self, described: dict) -> dict:
        if "$ref" not in described:
            return described
        _, _, kind, name = described["$ref"].split("/")
        return self.component(kind, name)


@functools.cache
def documents() -> dict[str, Document]:
    """Returns each service's document."""
    return {service: Document(json.loads((_DIRECTORY / f"{service}.json").read_text()))
            for service in SERVICES}


def check(response: httpx.Response) -> None:
    """Raises AssertionError if an answer does not match its service's document.

    Two kinds of requests are outside of the documents: a path that they do not name, which is a 404
    (or the other service's), and OPTIONS.
    """
    path = response.request.url.raw_path.split(b"?")[0].decode("latin-1")
    method = response.request.method.lower().replace("head", "get")
    for document in documents().values():
        operations = document.operations(path)
        if operations is None or response.status_code == 404 and method not in operations:
            continue  # A path of the other service.
        if method in operations:
            # For the wrong service, the path is unknown.
            document.check(response, operations[method]["responses"] | {
                "404": {"$ref": "#/components/responses/not_found"}})
        elif method != "options":
            document.check(response, {"405": document.component("responses", "method_not_allowed")})
