"""Certificates for mutual TLS, made by scripts/certificates."""

import dataclasses
import datetime
import subprocess
from pathlib import Path

from microcart import ROOT

SERVER, CLIENT = "serverAuth", "clientAuth"
_LOOPBACK = ("IP:127.0.0.1", "IP:::1")


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A certificate to be made. `names` are in OpenSSL's form."""

    name: str
    usage: str
    names: tuple[str, ...]


def server(name: str, file: str | None = None) -> Leaf:
    """Returns the certificate of a gRPC server, which names the host `name` and this machine."""
    return Leaf(file or name, SERVER, (f"DNS:{name}", "DNS:localhost", *_LOOPBACK))


def client(name: str) -> Leaf:
    return Leaf(name, CLIENT, (f"DNS:{name}",))


@dataclasses.dataclass(frozen=True)
class Peer:
    """The files of one side of a connection: the trusted authority, the certificate and its key."""

    ca: Path
    certificate: Path
    key: Path

    def environment(self) -> dict[str, str]:
        return {"TLS_CA_FILE": str(self.ca), "TLS_CERT_FILE": str(self.certificate),
                "TLS_KEY_FILE": str(self.key)}


def peer(directory: Path, name: str) -> Peer:
    return Peer(directory / "ca.crt", directory / f"{name}.crt", directory / f"{name}.key")


def make(directory: Path, *leaves: Leaf,
         valid: tuple[datetime.timedelta, datetime.timedelta] | None = None) -> None:
    """Makes the authority and the leaves that are missing or about to expire.

    `valid` is the period in which the leaves are valid, relative to now; a year by default.
    """
    dates = []
    if valid is not None:
        now = datetime.datetime.now(datetime.timezone.utc)
        dates = ["--valid", *(f"{now + each:%Y%m%d%H%M%SZ}" for each in valid)]
    subprocess.run([ROOT / "scripts/certificates", *dates, directory,
                    *(f"{leaf.name}={leaf.usage}={','.join(leaf.names)}" for leaf in leaves)],
                   check=True)
