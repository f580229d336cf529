"""What the two services are told by whoever runs them on this machine, and how they become ready."""

import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from local.cluster import Cluster, secret_file
from local.processes import Child, Failure, Supervisor, tail

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 30


def base_environment() -> dict[str, str]:
    """Bare, so that none of the caller's settings (PG*, proxies, POSTGRES_*) leaks into a child."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}


def service_environments(run: Path, cluster: Cluster, *, customers_port: int, cart_port: int,
                         grpc_port: int, customers_metrics_port: int = 0,
                         cart_metrics_port: int = 0) -> dict[str, dict[str, str]]:
    """Each service's environment, listening on loopback.

    Makes what is missing of its parts: secrets and certificates in `run`, databases in the cluster.
    A metrics port of 0 is any free one.
    """
    subprocess.run([ROOT / "scripts/certificates", run / "tls"], check=True)
    environments = {}
    for service, port, metrics_port in (("customers", customers_port, customers_metrics_port),
                                        ("cart", cart_port, cart_metrics_port)):
        password = secret_file(run / f"{service}.password")
        cluster.provide_database(service, password)
        environments[service] = base_environment() | {
            "LISTEN_ADDRESS": "127.0.0.1", "SERVICE_PORT": str(port),
            "METRICS_PORT": str(metrics_port), "LOG_FORMAT": "json",
            "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(cluster.port),
            "POSTGRES_SSLMODE": "disable", "POSTGRES_DB": service, "POSTGRES_USER": service,
            "POSTGRES_PASSWORD_FILE": str(password),
            "GRPC_PORT": str(grpc_port), "TLS_CA_FILE": str(run / "tls/ca.crt"),
            "TLS_CERT_FILE": str(run / f"tls/{service}.crt"),
            "TLS_KEY_FILE": str(run / f"tls/{service}.key")}
    environments["customers"]["JWT_SECRET_FILE"] = str(secret_file(run / "jwt_secret"))
    environments["cart"]["CUSTOMERS_HOST"] = "localhost"
    return environments


def wait_until_ready(supervisor: Supervisor, child: Child, base_url: str) -> None:
    """Returns when /readyz says so. Raises Failure with what it said last otherwise."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_SECONDS
    answer = "no connection"
    while time.monotonic() < deadline:
        try:
            with opener.open(f"{base_url}/readyz", timeout=2):
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read(500).decode(errors='replace').strip()}"
        except OSError as error:
            answer = str(error)
        supervisor.wait(0.01)
    raise Failure(f"{child.name} was not ready within {READY_SECONDS} s. "
                  f"{base_url}/readyz: {answer}.\nThe end of {child.log}:\n{tail(child.log)}")
