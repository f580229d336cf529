"""A running deployment, which is tested instead of services that the tests start.

MICROCART_<SERVICE>_URL is the URL of each service, MICROCART_JWT_SECRET is the secret of the tokens,
MICROCART_CART_PROGRAM is a shell command that runs the cart service's binary with its database, and
it has the demo data. Tests that need a database or a process of their own are skipped.
"""

import os
from urllib.parse import urlsplit

import pytest

from microcart.services import SERVICES

CART_PROGRAM = os.environ.get("MICROCART_CART_PROGRAM")
JWT_SECRET = os.environ.get("MICROCART_JWT_SECRET")

_URLS = {name: os.environ.get(f"MICROCART_{spec.variable('URL')}")
         for name, spec in SERVICES.items()}


class ExternalService:
    """The part of `microcart.testing.service.Service` that a running deployment can offer."""

    def __init__(self, name: str):
        self.name = name
        self.url = _URLS[name]
        self.port = urlsplit(self.url).port


def is_external() -> bool:
    return any(_URLS.values())


def skip_if_external() -> None:
    if is_external():
        pytest.skip("needs a database or a process of its own")
