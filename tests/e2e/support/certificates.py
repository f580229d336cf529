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
        """A certificate of this authority; a negative `valid_for` makes one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            self._builder(subject, key, valid_for)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(
                [*map(x509.DNSName, hosts or (name,)),
                 x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False))
        private = key.private_bytes(serialization.Encoding.PEM,
                                    serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        return Peer(self.certificate,
                    self._write(f"{name}.crt", _pem(builder.sign(self._key, hashes.SHA256()))),
                    self._write(f"{name}.key", private))

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
    """`customers` and `cart` trust each other; customers must refuse `stranger` and `expired`."""

    def __init__(self, directory: pathlib.Path):
        ours = Authority(directory / "ours", "ca")
        other = Authority(directory / "other", "ca")
        client = ExtendedKeyUsageOID.CLIENT_AUTH
        self.customers = ours.issue("customers", ExtendedKeyUsageOID.SERVER_AUTH,
                                    ("customers", "localhost"))
        self.cart = ours.issue("cart", client)
        # Trusts our server, so that only the server's refusal can end the connection.
        self.stranger = dataclasses.replace(other.issue("stranger", client), ca=ours.certificate)
        self.expired = ours.issue("expired", client, valid_for=-_DAY / 24)
        # A server of another authority, for clients that must not talk to it.
        self.impostor = dataclasses.replace(
            other.issue("customers", ExtendedKeyUsageOID.SERVER_AUTH, ("customers", "localhost")),
            ca=ours.certificate)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
