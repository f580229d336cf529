"""The chart as `helm template` renders it."""

import base64
import copy
import dataclasses
import functools
import subprocess
from pathlib import Path

import yaml

from harness import tools
from microcart import ROOT

DIRECTORY = ROOT / "deploy/helm/microcart"
VALUES = Path(__file__).resolve().parent.parent / "values"
RELEASE = "store"
NAMESPACE = "shop"


def helm(*arguments, input: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tools.HELM, *arguments], input=input, capture_output=True, text=True,
                          check=False)


def template(*arguments, version: str, values: dict | None = None) -> subprocess.CompletedProcess[str]:
    """Renders the chart with the values of files (`-f`) and with `values` over them."""
    return helm("template", RELEASE, DIRECTORY, "--namespace", NAMESPACE, "--kube-version", version,
                *arguments, "-f", "-", input=yaml.safe_dump(values or {}))


@dataclasses.dataclass(frozen=True)
class Objects:
    objects: list[dict]

    def of(self, kind: str) -> list[dict]:
        return [each for each in self.objects if each["kind"] == kind]

    def get(self, kind: str, name: str) -> dict:
        [found] = [each for each in self.of(kind) if each["metadata"]["name"] == f"{RELEASE}-{name}"]
        return found

    def pods(self) -> list[dict]:
        """The pods' templates of all workloads."""
        return [each["spec"]["template"] for kind in ("Deployment", "Job") for each in self.of(kind)]


@functools.cache
def rendered(name: str, version: str, is_upgrade: bool = False) -> Objects:
    """The objects for values/<name>.yaml, or for the chart's own values (`default`)."""
    files = [] if name == "default" else ["-f", VALUES / f"{name}.yaml"]
    done = template(*files, *(["--is-upgrade"] if is_upgrade else []), version=version)
    assert done.returncode == 0, done.stderr
    return Objects([each for each in yaml.safe_load_all(done.stdout) if each])


def named(name: str) -> list[str]:
    return ["default", *sorted(path.stem for path in VALUES.iterdir())] if name == "all" else [name]


def without_secrets(resource: dict) -> dict:
    """Returns a copy whose secret data is replaced, because it differs at each rendering."""
    made = copy.deepcopy(resource)
    if made["kind"] == "Secret":
        made["data"] = {key: value if key == "username" else "(made at the installation)"
                        for key, value in made["data"].items()}
    return made


def secret_values(objects: Objects) -> list[str]:
    """All secrets that the chart has made, in both encodings."""
    return [text for secret in objects.of("Secret") for key, value in secret["data"].items()
            if key not in ("username", "ca.crt", "tls.crt")
            for text in (value, base64.b64decode(value).decode())]
