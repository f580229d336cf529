"""A client of gRPC's standard health service, whose short messages are decoded by hand."""

import contextlib

import grpc

# HealthCheckResponse on the wire: field 1, a number.
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


@contextlib.contextmanager
def health(port: int, ca, peer):
    """Check and Watch of a channel, for the server as a whole."""
    credentials = grpc.ssl_channel_credentials(
        ca.read_bytes(), peer.key.read_bytes(), peer.certificate.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials,
                             options=[("grpc.ssl_target_name_override", "localhost")]) as channel:
        yield Health(channel)


class Health:
    def __init__(self, channel):
        self._check = channel.unary_unary("/grpc.health.v1.Health/Check")
        self._watch = channel.unary_stream("/grpc.health.v1.Health/Watch")

    def check(self) -> bytes:
        return self._check(b"", timeout=10)

    def watch(self):
        """Returns the current state and every later one."""
        return self._watch(b"", timeout=60)
