"""The README's tour prints the output that it shows, on the demo data."""

import pytest

from microcart import ROOT
from microcart.testing import tour
from microcart.testing.external import CART_PROGRAM, is_external


def test_tour(request, customers_service, cart_service):
    steps = tour.parse((ROOT / "README.md").read_text(encoding="utf-8"))
    environment = {"CUSTOMERS_URL": customers_service.url, "CART_URL": cart_service.url}
    if is_external():
        environment["CART_PROGRAM"] = CART_PROGRAM
    else:
        environment |= {**cart_service.environment,
                        "CART_PROGRAM": str(request.getfixturevalue("cart_binary"))}
    outputs = tour.run(steps, environment)
    for step, output in zip(steps, outputs, strict=True):
        if not tour.same(step, output):
            pytest.fail(f"{step.script}\nprinted\n{output}\nbut the README says\n{step.expected}")
