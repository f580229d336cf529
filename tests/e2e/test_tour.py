"""The README's tour prints the output that it shows, on the demo data."""

import pytest

from microcart import ROOT
from microcart.testing import tour


def test_tour(customers_service, cart_service):
    steps = tour.parse((ROOT / "README.md").read_text(encoding="utf-8"))
    outputs = tour.run(steps, {"CUSTOMERS_URL": customers_service.url,
                               "CART_URL": cart_service.url})
    for step, output in zip(steps, outputs, strict=True):
        if not tour.same(step, output):
            pytest.fail(f"{step.script}\nprinted\n{output}\nbut the README says\n{step.expected}")
