"""Certificates for mutual TLS, of the services and of peers that must be refused."""

import dataclasses
import datetime
import functools
import pathlib

from microcart import certificates
from microcart.certificates import CLIENT, SERVER, Leaf, Peer
from microcart.services import SERVICES

_HOUR = datetime.timedelta(hours=1)
_EXPIRED, _EARLY = (-48 * _HOUR, -_HOUR), (24 * _HOUR, 72 * _HOUR)


class Certificates:
    """The services trust each other (`customers`, `cart`). The customers service must refuse
    `bad_clients`, and the cart service `bad_servers`; all of these trust our authority, so that only
    a refusal can end a connection."""

    def __init__(self, directory: pathlib.Path):
        self._ours, self._other = directory / "ours", directory / "other"
        certificates.make(self._ours, *(spec.certificate() for spec in SERVICES.values()))
        for name in SERVICES:
            setattr(self, name, certificates.peer(self._ours, name))

    @functools.cached_property
    def bad_clients(self) -> dict[str, Peer]:
        certificates.make(self._other, certificates.client("cart"))
        certificates.make(self._ours, certificates.client("expired"), valid=_EXPIRED)
        certificates.make(self._ours, certificates.client("early"), valid=_EARLY)
        certificates.make(self._ours, Leaf("server", SERVER, ("DNS:server",)),
                          certificates.client("orders"))
        return self._trusting_us({
            "another authority": certificates.peer(self._other, "cart"),
            "self-signed": certificates.peer(self._other, "ca"),
            "expired": certificates.peer(self._ours, "expired"),
            "not valid yet": certificates.peer(self._ours, "early"),
            "a server's": certificates.peer(self._ours, "server"),
            "another name": certificates.peer(self._ours, "orders"),
        })

    @functools.cached_property
    def bad_servers(self) -> dict[str, Peer]:
        def server(file: str) -> Leaf:
            return certificates.server("customers", file)

        certificates.make(self._other, server("customers"))
        certificates.make(self._ours, server("expired-server"), valid=_EXPIRED)
        certificates.make(self._ours, server("early-server"), valid=_EARLY)
        certificates.make(
            self._ours, dataclasses.replace(server("client"), usage=CLIENT),
            Leaf("elsewhere", SERVER, ("DNS:elsewhere", "IP:127.0.0.1")))
        return self._trusting_us({
            "another authority": certificates.peer(self._other, "customers"),
            "self-signed": certificates.peer(self._other, "ca"),
            "expired": certificates.peer(self._ours, "expired-server"),
            "not valid yet": certificates.peer(self._ours, "early-server"),
            "a client's": certificates.peer(self._ours, "client"),
            "another name": certificates.peer(self._ours, "elsewhere"),
        })

    def _trusting_us(self, peers: dict[str, Peer]) -> dict[str, Peer]:
        return {name: dataclasses.replace(peer, ca=self._ours / "ca.crt")
                for name, peer in peers.items()}
