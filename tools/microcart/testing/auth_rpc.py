"""A client of UserAuth, with messages generated from the project's own proto file."""

import importlib
import pathlib
import subprocess
import sys

import grpc

from microcart import ROOT

_PROTO = ROOT / "proto"
_METHOD = "/UserAuth/ValidateToken"


def generate(directory: pathlib.Path):
    """Compiles auth.proto into `directory` and returns its module."""
    subprocess.run(["protoc", f"--proto_path={_PROTO}", f"--python_out={directory}", "auth.proto"],
                   check=True, capture_output=True)
    sys.path.insert(0, str(directory))
    try:
        return importlib.import_module("auth_pb2")
    finally:
        sys.path.remove(str(directory))


class UserAuth:
    """One peer's calls; a context manager. `peer` None connects without a client certificate."""

    def __init__(self, messages, port: int, ca: pathlib.Path, peer=None):
        self._messages = messages
        credentials = grpc.ssl_channel_credentials(
            ca.read_bytes(),
            peer.key.read_bytes() if peer else None,
            peer.certificate.read_bytes() if peer else None)
        self._channel = grpc.secure_channel(
            f"127.0.0.1:{port}", credentials,
            options=[("grpc.ssl_target_name_override", "localhost")])
        self._call = self._channel.unary_unary(
            _METHOD,
            request_serializer=messages.AuthRequest.SerializeToString,
            response_deserializer=messages.AuthResponse.FromString)

    def __enter__(self) -> "UserAuth":
        return self

    def __exit__(self, *_) -> None:
        self._channel.close()

    def validate(self, header: str, seconds: float = 10, metadata: tuple = ()):
        """Returns the payload for an Authorization header's value. Raises grpc.RpcError."""
        request = self._messages.AuthRequest(token=self._messages.JwtToken(value=header))
        return self._call(request, timeout=seconds, metadata=metadata).payload

    def send(self, request, seconds: float = 10):
        return self._call(request, timeout=seconds)

    def refusal(self, header: str) -> tuple[grpc.StatusCode, str]:
        """Returns status and message of a call that must fail."""
        try:
            payload = self.validate(header)
        except grpc.RpcError as error:
            return error.code(), error.details()
        raise AssertionError(f"accepted: {payload}")
