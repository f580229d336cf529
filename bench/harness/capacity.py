"""What a number of signed-in requests a second takes, and what ends first: arithmetic on the costs
that `costs.py` has measured. docs/scaling.md explains the assumptions."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.report import ROOT, Table, number

COSTS = ROOT / "bench/costs.json"
DOCUMENT = ROOT / "docs/scaling.md"
IMAGES = ROOT / "docs/images"
RATES = (1_000, 10_000, 100_000, 1_000_000)

# Shares of the requests: a cart is read, an item is written, a user logs in.
MIX = {"read": 0.899, "write": 0.1, "login": 0.001}
UTILISATION = 0.5      # Of a core, so that p99 stays within 5 times the median (docs/performance.md).
REPLICA_WORKERS = 4    # Of a replica, each with a core.
LEAST_REPLICAS = 2
NODE_CORES = 64        # Of a machine for PostgreSQL.
INSTANCES = 3          # Of each database: one that writes, and two standbys.
LANE_CONNECTIONS = 6   # To PostgreSQL, of each worker (platform/postgres/client.h).
MOST_CONNECTIONS = 5_000  # Of one PostgreSQL.
REPLICA_CLIENTS = 4_000   # Connections of clients that a replica accepts in compose.yaml and the chart.
CLIENT_SECONDS = 10    # Between two requests of a client that keeps its connection open.
LINK_BITS = 25e9       # Of a machine's network.
WAL_BYTES = 500e6      # That a machine's disk takes in a second.
IDS = 2**31 - 1        # Of a sequence; an id of an item is used up by one of three writes.
YEAR = 365 * 86_400

SERVICES = ("cart", "customers")


PROCESSES = (*SERVICES, *(f"postgres ({name})" for name in SERVICES))


@dataclass(frozen=True)
class Costs:
    """What `costs.measure` returned, with the place of the measurement."""
    measured: dict

    @staticmethod
    def load(path: Path = COSTS) -> "Costs":
        return Costs(json.loads(path.read_text(encoding="utf-8")))

    def point(self, load: str, share: float) -> dict:
        """The measured point whose rate is nearest to this share of the highest throughput."""
        points = self.measured["loads"][load]["points"]
        return min(points, key=lambda each: abs(
            each["per_second"] - share * points[-1]["per_second"]))

    def cpu_seconds(self, process: str) -> float:
        """CPU time of a request at the utilisation for which we plan: a request costs more at lower
        rates, because it shares messages and wake-ups with fewer others."""
        return _mixed(lambda load: self.point(load, UTILISATION)["cpu_us"][process]) / 1e6

    def link_bytes(self, link: str) -> float:
        return _mixed(lambda load: self.measured["loads"][load]["link_bytes"][link])

    def wal_bytes(self) -> float:
        """Bytes that the cart service's database logs for a request. A login changes the other one."""
        return _mixed(lambda load: self.measured["loads"][load]["wal_bytes"] * (load != "login"))


def _mixed(of: Callable[[str], float]) -> float:
    return sum(share * of(load) for load, share in MIX.items())


def highest(costs: Costs, load: str) -> float:
    """The rate at which the CPU time of all programs, the load's included, uses up the cores of the
    measurement."""
    return costs.measured["cores"] / sum(costs.point(load, 1)["cpu_us"].values()) * 1e6


@dataclass(frozen=True)
class Plan:
    """What a rate takes."""
    rate: float
    cores: dict[str, float]         # Used by each process.
    workers: dict[str, int]         # Of all replicas of each service.
    replicas: dict[str, int]
    databases: dict[str, int]       # PostgreSQL servers that write, for each service.
    database_nodes: int             # With their standbys.
    database_connections: dict[str, int]
    grpc_connections: int
    client_connections: float       # If clients keep theirs open.
    http_bits: float
    database_bits: dict[str, float]
    wal_bytes: float                # Of the cart service's database.
    id_seconds: float               # Until the ids of items are used up.


def plan(costs: Costs, rate: float) -> Plan:
    cores = {process: rate * costs.cpu_seconds(process) for process in PROCESSES}
    replicas = {name: max(LEAST_REPLICAS, math.ceil(cores[name] / UTILISATION / REPLICA_WORKERS))
                for name in SERVICES}
    workers = {name: count * REPLICA_WORKERS for name, count in replicas.items()}
    databases = {name: max(1, math.ceil(cores[f"postgres ({name})"] / UTILISATION / NODE_CORES))
                 for name in SERVICES}
    return Plan(
        rate=rate, cores=cores, workers=workers, replicas=replicas, databases=databases,
        database_nodes=INSTANCES * sum(databases.values()),
        database_connections={name: workers[name] * LANE_CONNECTIONS for name in SERVICES},
        grpc_connections=workers["cart"] * replicas["customers"],
        client_connections=rate * CLIENT_SECONDS,
        http_bits=8 * rate * costs.measured["http_bytes"],
        database_bits={name: 8 * rate * costs.link_bytes(f"{name} → postgres") for name in SERVICES},
        wal_bytes=rate * costs.wal_bytes(),
        id_seconds=IDS / (rate * MIX["write"] / 3))


@dataclass(frozen=True)
class Limit:
    """The rate up to which a part suffices."""
    part: str
    rate: float
    then: str


def limits(costs: Costs) -> list[Limit]:
    """The limits, the lowest first. What replicas and proxies add to has none here."""
    at_one = plan(costs, 1)  # Everything but the roundings is proportional to the rate.
    node = NODE_CORES * UTILISATION
    found = [
        Limit("ids of items, for a year", at_one.id_seconds / YEAR,
              "64-bit ids, or the runbook of MicrocartIdsRunOut"),
        Limit("write-ahead log of the cart service's database", WAL_BYTES / at_one.wal_bytes, "shards")]
    for name in SERVICES:
        connections = at_one.cores[name] / UTILISATION * LANE_CONNECTIONS
        found += [
            Limit(f"processors of the {name} service's database",
                  node / at_one.cores[f"postgres ({name})"], "shards by user"),
            Limit(f"connections of the {name} service's database", MOST_CONNECTIONS / connections,
                  "shards, or fewer connections of each worker"),
            Limit(f"network of the {name} service's database",
                  LINK_BITS / at_one.database_bits[name], "shards by user")]
    return sorted(found, key=lambda each: each.rate)


def duration(seconds: float) -> str:
    for unit, length in (("years", YEAR), ("days", 86_400), ("hours", 3600)):
        if seconds >= length:
            return f"{number(seconds / length)} {unit}"
    return f"{number(seconds / 60)} minutes"


def plan_table(costs: Costs) -> Table:
    plans = [plan(costs, rate) for rate in RATES]
    rows: Table = [["requests a second", *(f"{each.rate:,.0f}" for each in plans)]]
    for process in PROCESSES:
        rows.append([f"cores used: {process}", *(number(each.cores[process]) for each in plans)])
    for name in SERVICES:
        rows.append([f"replicas of {REPLICA_WORKERS} cores: {name}",
                     *(f"{each.replicas[name]:,}" for each in plans)])
    rows.append(["database nodes (cart + customers, with standbys)",
                 *(f"{INSTANCES * each.databases['cart']} + {INSTANCES * each.databases['customers']}"
                   for each in plans)])
    for name in SERVICES:
        rows.append([f"connections to PostgreSQL: {name}",
                     *(f"{each.database_connections[name]:,}" for each in plans)])
    rows += [
        ["gRPC connections", *(f"{each.grpc_connections:,}" for each in plans)],
        ["clients' connections", *(f"{each.client_connections:,.0f}" for each in plans)],
        ["replicas of cart for these, without proxies",
         *(f"{math.ceil(each.client_connections / REPLICA_CLIENTS):,}" for each in plans)],
        ["HTTP, Gbit/s", *(number(each.http_bits / 1e9) for each in plans)],
        ["cart → PostgreSQL, Gbit/s", *(number(each.database_bits["cart"] / 1e9) for each in plans)],
        ["write-ahead log, MB/s", *(number(each.wal_bytes / 1e6) for each in plans)],
        ["ids of items last", *(duration(each.id_seconds) for each in plans)],
    ]
    return rows


def limit_table(costs: Costs) -> Table:
    return [["part", "suffices up to, requests/s", "then"],
            *([each.part, number(each.rate), each.then] for each in limits(costs))]


def cost_table(costs: Costs) -> Table:
    rows: Table = [["load", "requests/s", *(f"{process} µs" for process in PROCESSES),
                    "load generator µs", "failed"]]
    for name, title in (("read", "GET cart"), ("write", "add, change, remove an item"), ("login", "login")):
        rows += [[title, number(each["per_second"]),
                  *(number(each["cpu_us"][process]) for process in (*PROCESSES, "load generator")),
                  str(each["errors"])]
                 for each in costs.measured["loads"][name]["points"]]
    return rows


def traffic_table(costs: Costs) -> Table:
    loads = [costs.measured["loads"][name] for name in MIX]
    return [["bytes of a request, both ways", "GET cart", "a write", "login"],
            *([link, *(number(each["link_bytes"][link]) for each in loads)]
              for link in loads[0]["link_bytes"]),
            ["client → cart, with headers", number(costs.measured["http_bytes"]), "", ""],
            ["write-ahead log", *(number(each["wal_bytes"]) for each in loads)]]
