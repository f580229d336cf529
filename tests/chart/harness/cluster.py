"""The chart in a cluster that KUBECONFIG names, over a PostgreSQL that the chart does not know.

The nodes need the images of `make images` (`kind load docker-image`, `k3s ctr images import`) or of a
registry ($IMAGE_REGISTRY, $MICROCART_TAG), and pull PostgreSQL and curl themselves. Everything is in a
namespace of its own, which enforces the Pod Security Standard `restricted`.
"""

import base64
import contextlib
import json
import os
import re
import secrets
import subprocess
from pathlib import Path

import yaml

from harness import chart, tools
from microcart import certificates
from microcart.processes import Failure

NAMESPACE = "microcart-chart-test"
RELEASE = chart.RELEASE
SERVICES = ("customers", "cart")
_SECONDS = 600
_POSTGRES = "docker.io/library/postgres:15-bookworm"
_CURL = "docker.io/curlimages/curl:8.11.1"


def _run(*arguments, input: str | None = None, check: bool = True) -> str:
    done = subprocess.run(arguments, input=input, capture_output=True, text=True, check=False,
                          timeout=_SECONDS + 60)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def kubectl(*arguments, input: str | None = None, check: bool = True) -> str:
    return _run("kubectl", "--namespace", NAMESPACE, *arguments, input=input, check=check)


def apply(*objects: dict) -> None:
    kubectl("apply", "--filename", "-", input=yaml.safe_dump_all(objects))


def make_namespace() -> None:
    delete_namespace()
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})


def delete_namespace() -> None:
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", f"--timeout={_SECONDS}s")


def _secret(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def _restricted(user: int) -> tuple[dict, dict]:
    """The security contexts of a pod and of its container."""
    return ({"runAsNonRoot": True, "runAsUser": user, "runAsGroup": user, "fsGroup": user,
             "seccompProfile": {"type": "RuntimeDefault"}},
            {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}})


def make_databases(directory: Path) -> None:
    """Starts one PostgreSQL, with a database and two roles for each service, and waits for it."""
    certificates.make(directory, certificates.server("postgres"))
    peer = certificates.peer(directory, "postgres")
    passwords = {f"{service}-{role}": secrets.token_hex(16)
                 for service in SERVICES for role in ("owner", "serving")}
    statements = "".join(
        f"CREATE ROLE {service} LOGIN PASSWORD '{passwords[f'{service}-owner']}';\n"
        f"CREATE ROLE {service}_service LOGIN PASSWORD '{passwords[f'{service}-serving']}';\n"
        f"CREATE DATABASE {service} OWNER {service};\n"
        f"REVOKE ALL ON DATABASE {service} FROM PUBLIC;\n" for service in SERVICES)
    pod, container = _restricted(999)
    apply(
        *(_secret(name, password=password) for name, password in passwords.items()),
        _secret("database-authority", **{"ca.crt": peer.ca.read_text()}),
        _secret("postgres", **{"tls.crt": peer.certificate.read_text(), "tls.key": peer.key.read_text(),
                               "roles.sql": statements}),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "postgres"},
         "spec": {"selector": {"app": "postgres"}, "ports": [{"port": 5432}]}},
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": "postgres", "labels": {"app": "postgres"}},
         "spec": {
             "securityContext": pod,
             "containers": [{
                 "name": "postgres", "image": _POSTGRES, "securityContext": container,
                 "args": ["-c", "ssl=on", "-c", "ssl_cert_file=/tls/tls.crt",
                          "-c", "ssl_key_file=/tls/tls.key"],
                 "env": [{"name": "POSTGRES_PASSWORD", "value": secrets.token_hex(16)},
                         {"name": "PGDATA", "value": "/data/cluster"}],
                 "readinessProbe": {"exec": {"command": ["pg_isready", "--host=127.0.0.1"]},
                                    "periodSeconds": 1},
                 "volumeMounts": [
                     {"name": "data", "mountPath": "/data"},
                     {"name": "run", "mountPath": "/var/run/postgresql"},
                     {"name": "tls", "mountPath": "/tls"},
                     {"name": "tls", "mountPath": "/docker-entrypoint-initdb.d/roles.sql",
                      "subPath": "roles.sql"}]}],
             "volumes": [{"name": "data", "emptyDir": {}}, {"name": "run", "emptyDir": {}},
                         {"name": "tls", "secret": {"secretName": "postgres", "defaultMode": 0o440}}]}})
    kubectl("wait", "pod/postgres", "--for=condition=Ready", f"--timeout={_SECONDS}s")


def values() -> dict:
    made: dict = {
        "image": {"registry": os.environ.get("IMAGE_REGISTRY", ""),
                  "tag": os.environ.get("MICROCART_TAG", "latest")},
        "demo": True, "databases": "external",
        "networkPolicy": {"clients": [{"podSelector": {"matchLabels": {"app": "load"}}}]}}
    for service in SERVICES:
        made[service] = {"replicas": {"min": 2, "max": 2}, "memory": "384Mi", "database": {
            "host": "postgres", "caSecret": "database-authority",
            "ownerSecret": f"{service}-owner", "servingSecret": f"{service}-serving"}}
    return made


def helm(verb: str, with_values: dict) -> None:
    _run(tools.HELM, verb, RELEASE, chart.DIRECTORY, "--namespace", NAMESPACE, "--wait",
         f"--timeout={_SECONDS}s", "--values", "-", input=yaml.safe_dump(with_values))


def secret(name: str, key: str) -> str:
    return base64.b64decode(json.loads(
        kubectl("get", "secret", f"{RELEASE}-{name}", "--output=json"))["data"][key]).decode()


@contextlib.contextmanager
def forwarded(service: str):
    """Yields a URL on this machine that leads to one replica."""
    with subprocess.Popen(
            ["kubectl", "--namespace", NAMESPACE, "port-forward", f"service/{RELEASE}-{service}",
             f":{chart_port(service)}"], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", line)
            if not found:
                raise Failure(f"kubectl port-forward printed {line!r}")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()


def chart_port(service: str) -> int:
    return {"customers": 8081, "cart": 8082}[service]


def start_load(paths: dict[str, str], token: str) -> None:
    """Starts a pod that requests the path of each service over and over, each time on a new connection,
    four at a time, and logs the status of each answer."""
    loops = "\n".join(
        f"while true; do curl -s -m 10 -o /dev/null -w '{service} %{{http_code}}\\n' "
        f"-H \"Authorization: $TOKEN\" http://{RELEASE}-{service}:{chart_port(service)}{path}; done &"
        for service, path in paths.items() for _ in range(4))
    pod, container = _restricted(100)
    apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load", "labels": {"app": "load"}},
           "spec": {"securityContext": pod, "containers": [{
               "name": "load", "image": _CURL, "securityContext": container,
               "command": ["sh", "-c", f"{loops}\nwait"],
               "env": [{"name": "TOKEN", "value": token}]}]}})
    kubectl("wait", "pod/load", "--for=condition=Ready", f"--timeout={_SECONDS}s")


def load_log() -> list[str]:
    return kubectl("logs", "load").splitlines()


def pods(service: str) -> set[str]:
    listed = kubectl("get", "pods", "--output=name", "--field-selector=status.phase=Running",
                     f"--selector=app.kubernetes.io/component={service}")
    return set(listed.split())
