"""A deployment that runs already, tested in place of services that the tests start.

MICROCART_CUSTOMERS_URL and MICROCART_CART_URL name it, MICROCART_JWT_SECRET is its secret, and it
has the demo data. Tests that need a database or a process of their own are skipped.
"""

import os
from urllib.parse import urlsplit

import pytest

JWT_SECRET = os.environ.get("MICROCART_JWT_SECRET")

_URLS = {"customers": os.environ.get("MICROCART_CUSTOMERS_URL"),
         "cart": os.environ.get("MICROCART_CART_URL")}


class ExternalService:
    """What the tests use of `support.service.Service`, of a service that others run."""

    def __init__(self, name: str):
        self.name = name
        self.url = _URLS[name]
        self.port = urlsplit(self.url).port


def is_external() -> bool:
    return any(_URLS.values())


def skip_if_external() -> None:
    if is_external():
        pytest.skip("needs a database or a process of its own")
