"""Messages generated from the project's own proto files, and channels to its gRPC servers."""

import importlib
import pathlib
import subprocess
import sys

import grpc

from microcart import ROOT

_PROTO = ROOT / "proto"


def generate(file: str, directory: pathlib.Path):
    """Compiles a file of proto/ into `directory` and returns its module."""
    subprocess.run(["protoc", f"--proto_path={_PROTO}", f"--python_out={directory}", file],
                   check=True, capture_output=True)
    sys.path.insert(0, str(directory))
    try:
        return importlib.import_module(file.removesuffix(".proto").replace("/", ".") + "_pb2")
    finally:
        sys.path.remove(str(directory))


def channel(port: int, ca: pathlib.Path, peer=None) -> grpc.Channel:
    """Makes a channel with a peer's certificate; None connects without one."""
    credentials = grpc.ssl_channel_credentials(
        ca.read_bytes(),
        peer.key.read_bytes() if peer else None,
        peer.certificate.read_bytes() if peer else None)
    return grpc.secure_channel(f"127.0.0.1:{port}", credentials,
                               options=[("grpc.ssl_target_name_override", "localhost")])
