"""Tests of the capacity model: against what was measured, and of its arithmetic."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tools")]

from harness import capacity, capacity_page  # noqa: E402
from harness.capacity import Costs  # noqa: E402
from microcart.services import build_directory  # noqa: E402


def point(per_second: float, *microseconds: float) -> dict:
    return {"per_second": per_second, "errors": 0, "cpu_us": dict(zip(
        (*capacity.PROCESSES, "load generator"), microseconds))}


def load(points: list[dict], cart: float, customers: float, wal: float) -> dict:
    return {"points": points, "wal_bytes": wal, "link_bytes": {
        "cart → postgres": cart, "customers → postgres": customers, "cart → customers": 300}}


# A request costs the same whatever it is, in round numbers.
COSTS = Costs({"cores": 2, "http_bytes": 1000, "loads": {
    name: load([point(5_000, 80, 40, 100, 20, 10), point(8_000, 40, 20, 80, 10, 10),
                point(10_000, 30, 15, 75, 8, 10)], 1250, 125, 100)
    for name in capacity.MIX}})


@pytest.mark.parametrize("name", ("read", "write"))
def test_the_model_finds_the_highest_throughput_that_was_measured(name):
    """Of each load alone: the cores of the measurement, divided by the CPU time of a request."""
    costs = Costs.load()
    measured = costs.measured["loads"][name]["points"][-1]["per_second"]
    assert capacity.highest(costs, name) == pytest.approx(measured, rel=0.1)


def test_the_document_has_the_figures_of_the_costs():
    """`bench/capacity --update-docs` makes it so."""
    assert capacity.DOCUMENT.read_text(encoding="utf-8") == capacity_page.document(Costs.load())


def test_the_costs_are_those_at_the_planned_utilisation():
    assert COSTS.point("read", capacity.UTILISATION)["per_second"] == 5_000
    assert COSTS.point("read", 1)["per_second"] == 10_000
    assert COSTS.cpu_seconds("cart") == pytest.approx(80e-6)


def test_the_highest_rate_uses_all_cores():
    assert capacity.highest(COSTS, "read") == pytest.approx(2e6 / (30 + 15 + 75 + 8 + 10))


def test_what_a_rate_takes():
    needed = capacity.plan(COSTS, 100_000)
    assert needed.cores == pytest.approx({"cart": 8, "customers": 4, "postgres (cart)": 10,
                                          "postgres (customers)": 2})
    assert needed.replicas == {"cart": 4, "customers": 2}  # 16 and 8 cores, half used, by fours.
    assert needed.workers == {"cart": 16, "customers": 8}
    assert needed.database_connections == {"cart": 96, "customers": 48}
    assert needed.grpc_connections == 16 * 2
    assert needed.databases == {"cart": 1, "customers": 1}
    assert needed.database_nodes == 6
    assert needed.client_connections == 1_000_000
    assert needed.http_bits == pytest.approx(0.8e9)
    assert needed.database_bits == pytest.approx({"cart": 1e9, "customers": 0.1e9})
    assert needed.wal_bytes == pytest.approx(100 * 100_000 * (1 - capacity.MIX["login"]))
    assert needed.id_seconds == pytest.approx((2**31 - 1) / (100_000 * 0.1 / 3))


def test_a_database_is_divided_beyond_half_of_a_machine():
    most = 32 / 100e-6
    assert capacity.plan(COSTS, 0.99 * most).databases["cart"] == 1
    assert capacity.plan(COSTS, 1.01 * most).databases == {"cart": 2, "customers": 1}


def test_there_are_two_replicas_at_least():
    assert capacity.plan(COSTS, 1).replicas == {"cart": 2, "customers": 2}


def test_the_mix_is_of_all_requests():
    assert sum(capacity.MIX.values()) == pytest.approx(1)


def test_limits_come_in_order_and_end_where_a_part_is_used_up():
    found = {each.part: each.rate for each in capacity.limits(COSTS)}
    assert list(found.values()) == sorted(found.values())
    assert found["processors of the cart service's database"] == pytest.approx(32 / 100e-6)
    assert found["processors of the customers service's database"] == pytest.approx(32 / 20e-6)
    assert found["connections of the cart service's database"] == pytest.approx(
        5_000 / (80e-6 / 0.5 * 6))
    assert found["network of the cart service's database"] == pytest.approx(25e9 / 10_000)
    assert capacity.plan(COSTS, found["ids of items, for a year"]).id_seconds == pytest.approx(
        capacity.YEAR)
    assert capacity.plan(COSTS, found["write-ahead log of the cart service's database"]
                         ).wal_bytes == pytest.approx(500e6)


def test_costs_are_measured(tmp_path):
    done = subprocess.run([ROOT / "bench/run", "--quick", "--costs", "--build", build_directory(),
                           "--results", tmp_path], capture_output=True, text=True, check=False,
                          timeout=350)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads((tmp_path / "costs.json").read_text())
    assert measured["http_bytes"] > 500
    for name, each in measured["loads"].items():
        assert len(each["points"]) == 4
        assert each["points"][-1]["per_second"] > 0
        assert each["points"][-1]["cpu_us"]["customers"] > 0
        assert each["link_bytes"]["customers → postgres"] > 100
        if name != "login":  # Which leaves the cart service to its checks of readiness.
            assert each["link_bytes"]["cart → postgres"] > 500
            assert each["link_bytes"]["cart → customers"] > 200
        if name != "read":
            assert each["wal_bytes"] > 100
    assert capacity.plan(Costs(measured), 1_000_000).cores["cart"] > 1


def test_every_assumption_is_in_the_document():
    text = capacity.DOCUMENT.read_text(encoding="utf-8")
    for said in (f"{1000 * capacity.MIX['read']:.0f} read a cart",
                 f"{1000 * capacity.MIX['write']:.0f} add, change or remove",
                 f"{capacity.REPLICA_WORKERS} workers", f"machine of {capacity.NODE_CORES} cores",
                 f"{capacity.LINK_BITS / 1e9:.0f} Gbit/s", f"{capacity.WAL_BYTES / 1e6:.0f} MB",
                 f"{capacity.MOST_CONNECTIONS:,} connections", f"every {capacity.CLIENT_SECONDS} seconds",
                 f"accepts {capacity.REPLICA_CLIENTS:,}"):
        assert said in text, said
