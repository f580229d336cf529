"""A client of UserAuth, with messages generated from the project's own proto file."""

import pathlib

import grpc

from microcart.testing import protos

_METHOD = "/UserAuth/ValidateToken"


def generate(directory: pathlib.Path):
    """Compiles auth.proto into `directory` and returns its module."""
    return protos.generate("auth.proto", directory)


class UserAuth:
    """One peer's calls; a context manager. `peer` None connects without a client certificate."""

    def __init__(self, messages, port: int, ca: pathlib.Path, peer=None):
        self._messages = messages
        self._channel = protos.channel(port, ca, peer)
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
