"""Certificates for mutual TLS: those of the services, and those of peers that must be refused."""

import dataclasses
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Peer:
    """One side of a connection, as files: whom it trusts and who it is."""

    ca: pathlib.Path
    certificate: pathlib.Path
    key: pathlib.Path

    def environment(self) -> dict[str, str]:
        return {
            "TLS_CA_FILE": str(self.ca),
            "TLS_CERT_FILE": str(self.certificate),
            "TLS_KEY_FILE": str(self.key),
        }


class Authority:
    """A certificate authority that issues into one directory."""

    def __init__(self, directory: pathlib.Path, name: str):
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key, _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256()))
        self.certificate = self._write(f"{name}.crt", _pem(certificate))

    def issue(self, name: str, usage: x509.ObjectIdentifier, hosts: tuple[str, ...] = (),
              valid_for: datetime.timedelta = _DAY) -> Peer:
        """A certificate of this authority, valid for two days that end after `valid_for`: less than
        nothing makes one that has expired, more than two days one that is not valid yet."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            self._builder(subject, key, valid_for)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(
                [*map(x509.DNSName, hosts or (name,)),
                 x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False))
        return Peer(self.certificate,
                    self._write(f"{name}.crt", _pem(builder.sign(self._key, hashes.SHA256()))),
                    self._write(f"{name}.key", _private(key)))

    def as_peer(self) -> Peer:
        """The authority itself, by its self-signed certificate."""
        return Peer(self.certificate, self.certificate,
                    self._write("authority.key", _private(self._key)))

    def _builder(self, subject, key, valid_for) -> x509.CertificateBuilder:
        end = datetime.datetime.utcnow() + valid_for
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - 2 * _DAY)
            .not_valid_after(end))

    def _write(self, name: str, content: bytes) -> pathlib.Path:
        path = self._directory / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path


class Certificates:
    """`customers` and `cart` trust each other. customers must refuse `bad_clients`, and cart
    `bad_servers`; all of these trust our authority, so that only a refusal can end a connection."""

    def __init__(self, directory: pathlib.Path):
        ours = Authority(directory / "ours", "ca")
        other = Authority(directory / "other", "ca")
        client, server = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
        hosts = ("customers", "localhost")
        self.customers = ours.issue("customers", server, hosts)
        self.cart = ours.issue("cart", client)
        self.bad_clients = {name: dataclasses.replace(peer, ca=ours.certificate) for name, peer in {
            "another authority": other.issue("cart", client),
            "self-signed": other.as_peer(),
            "expired": ours.issue("expired", client, valid_for=-_DAY / 24),
            "not valid yet": ours.issue("early", client, valid_for=3 * _DAY),
            "a server's": ours.issue("server", server),
        }.items()}
        self.bad_servers = {name: dataclasses.replace(peer, ca=ours.certificate) for name, peer in {
            "another authority": other.issue("customers", server, hosts),
            "self-signed": other.as_peer(),
            "expired": ours.issue("expired-server", server, hosts, valid_for=-_DAY / 24),
            "not valid yet": ours.issue("early-server", server, hosts, valid_for=3 * _DAY),
            "a client's": ours.issue("client", client, hosts),
            "another name": ours.issue("elsewhere", server),
        }.items()}


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())
