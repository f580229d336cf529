"""The services: the properties that distinguish them, and the environment of each."""

import dataclasses
import os
from pathlib import Path

from microcart import ROOT, certificates
from microcart.network import request
from microcart.postgres import Cluster, secret_file
from microcart.processes import BARE_ENVIRONMENT, Child, Supervisor, tail
from microcart.waiting import eventually

GRPC_PORT = 50051
READY_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class ServiceSpec:
    name: str
    port: int  # Default port of the REST API.
    metrics_port: int  # Default port of the metrics.
    serves_grpc: bool = False
    calls: tuple[str, ...] = ()  # Names of the services that it calls over gRPC.
    secrets: tuple[str, ...] = ()  # Its variables for secrets, apart from POSTGRES_PASSWORD.

    def variable(self, suffix: str) -> str:
        return f"{self.name.upper()}_{suffix}"

    def binary(self, build: Path) -> Path:
        return build / "services" / self.name / self.name

    def certificate(self) -> certificates.Leaf:
        if self.serves_grpc:
            return certificates.server(self.name)
        return certificates.client(self.name)

    def grpc_environment(self, port: int) -> dict[str, str]:
        """Returns the variables of its gRPC server or calls; all gRPC servers are on this machine."""
        hosts = {f"{callee.upper()}_HOST": "localhost" for callee in self.calls}
        return {"GRPC_PORT": str(port), **hosts}


# Each service comes after those that it calls: they are started in this order.
SERVICES = {spec.name: spec for spec in (
    ServiceSpec("customers", port=8081, metrics_port=9081, serves_grpc=True,
                secrets=("JWT_SECRET",)),
    ServiceSpec("cart", port=8082, metrics_port=9082, calls=("customers",)),
)}


def build_directory() -> Path:
    """Returns the directory of the programs: BUILD_DIRECTORY, or the release build."""
    return Path(os.environ.get("BUILD_DIRECTORY") or ROOT / "build/release").absolute()


def tls_directory(run: Path) -> Path:
    return run / "tls"


def _serving_role(name: str) -> str:
    return f"{name}_service"


def _owner_password(run: Path, name: str) -> Path:
    return run / f"{name}.password"


def migration_environment(run: Path, name: str, environment: dict[str, str]) -> dict[str, str]:
    """Returns a service's environment with the role that owns the database, for `migrate`."""
    return environment | {"POSTGRES_USER": name,
                          "POSTGRES_PASSWORD_FILE": str(_owner_password(run, name)),
                          "POSTGRES_SERVING_ROLE": _serving_role(name)}


def environments(run: Path, cluster: Cluster, *, ports: dict[str, int], grpc_port: int,
                 metrics_ports: dict[str, int] | None = None) -> dict[str, dict[str, str]]:
    """Returns each service's environment; the services listen on the loopback interface, and log in
    to their database as a role that can change no schema.

    Makes missing secrets and certificates in `run`, and missing databases in the cluster. A service
    without an entry in `metrics_ports` takes any free port for its metrics.
    """
    tls = tls_directory(run)
    certificates.make(tls, *(spec.certificate() for spec in SERVICES.values()))
    made = {}
    for name, spec in SERVICES.items():
        role = _serving_role(name)
        password = secret_file(run / f"{role}.password")
        cluster.provide_database(
            name, {name: secret_file(_owner_password(run, name)), role: password})
        made[name] = BARE_ENVIRONMENT | {
            "LISTEN_ADDRESS": "127.0.0.1", "SERVICE_PORT": str(ports[name]),
            "METRICS_PORT": str((metrics_ports or {}).get(name, 0)), "LOG_FORMAT": "json",
            "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(cluster.port),
            "POSTGRES_SSLMODE": "disable", "POSTGRES_DB": name, "POSTGRES_USER": role,
            "POSTGRES_PASSWORD_FILE": str(password),
            **spec.grpc_environment(grpc_port), **certificates.peer(tls, name).environment(),
            **{f"{secret}_FILE": str(secret_file(run / secret.lower()))
               for secret in spec.secrets}}
    return made


def wait_until_ready(supervisor: Supervisor, child: Child, url: str) -> None:
    """Returns when /readyz returns 200. Otherwise raises Failure with its last answer."""
    answer = None

    def is_ready() -> bool:
        nonlocal answer
        answer = request("GET", f"{url}/readyz", seconds=2)
        return answer.status == 200

    eventually(is_ready, READY_SECONDS,
               lambda: f"{child.name} was not ready within {READY_SECONDS} s. {url}/readyz: {answer}."
                       f"\nThe end of {child.log}:\n{tail(child.log)}", supervisor.wait, 0.01)
