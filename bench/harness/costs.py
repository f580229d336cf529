"""Measures what a signed-in request costs: CPU time at several rates, bytes on each link, WAL."""

import os
import re
import socket
import statistics
import subprocess
from urllib.parse import urlsplit

from harness.generators import OPEN_LOOP_WARM_UP, HttpLoad
from harness.measure import PEAK_SECONDS, Pace, Progress
from harness.scenarios import cart_load, login_load, writes_load
from harness.stage import Stage
from microcart.processes import Failure

# Shares of the rate that the open loop reaches when the highest throughput is due.
SHARES = (0.25, 0.5, 0.75)
LEAST_RATE = 40  # Requests a second: on a very busy machine nothing may be answered in two.
GENERATOR = "load generator"
PROCESSES = ("cart", "customers", "postgres (cart)", "postgres (customers)")
LOADS = {"read": cart_load, "write": writes_load, "login": login_load}


def seconds(pace: Pace) -> float:
    return len(LOADS) * (2 * PEAK_SECONDS + pace.rounds * _round_seconds(pace))


def _round_seconds(pace: Pace) -> float:
    return pace.seconds + len(SHARES) * (pace.seconds + OPEN_LOOP_WARM_UP)


def measure(stage: Stage, pace: Pace, progress: Progress) -> dict:
    """The last of each load's points is the highest throughput; the others are open loops."""
    return {"cores": os.cpu_count(),
            "loads": {name: _measure(stage, name, make(stage), pace, progress)
                      for name, make in LOADS.items()},
            "http_bytes": _http_bytes(stage)}


def _measure(stage: Stage, name: str, load: HttpLoad, pace: Pace, progress: Progress) -> dict:
    progress.step(f"{name}: warming up, and what the open loop reaches", 2 * PEAK_SECONDS)
    highest = max(load.measure(stage, PEAK_SECONDS).per_second, LEAST_RATE)
    peak = max(load.at_rate(stage, PEAK_SECONDS, highest)["per_second"], LEAST_RATE)
    points: list[list[dict]] = [[] for _ in (*SHARES, "saturated")]
    links: dict[str, float] = {}
    wal = 0.0
    for number in range(1, pace.rounds + 1):
        progress.step(f"{name}: round {number} of {pace.rounds}", _round_seconds(pace))
        for found, share in zip(points, SHARES):
            before = stage.sample()
            done = load.at_rate(stage, pace.seconds, share * peak)
            after = stage.sample()
            # The samples include the warm-up.
            whole = done["arrivals"] * (1 + OPEN_LOOP_WARM_UP / pace.seconds) * _steps(load)
            found.append(_point(done["per_second"], before, after, whole) | {
                "errors": done["errors"]})
        links_before, wal_before, before = _links(stage), _wal(stage), stage.sample()
        outcome = load.measure(stage, pace.seconds)
        while not outcome.requests:  # On a very busy machine.
            outcome = load.measure(stage, 5 * pace.seconds)
        points[-1].append(_point(outcome.per_second, before, stage.sample(), outcome.requests) | {
            "errors": outcome.errors})
        links = {link: (count - links_before[link]) / outcome.requests
                 for link, count in _links(stage).items()}
        wal = (_wal(stage) - wal_before) / outcome.requests
    return {"points": [_median(found) for found in points], "link_bytes": links, "wal_bytes": wal}


def _point(per_second: float, before: dict[str, float], after: dict[str, float],
           requests: float) -> dict:
    return {"per_second": per_second,
            "cpu_us": {process: 1e6 * (after[process] - before.get(process, 0)) / requests
                       for process in (*PROCESSES, GENERATOR)}}


def _median(points: list[dict]) -> dict:
    return {"per_second": statistics.median(each["per_second"] for each in points),
            "errors": sum(each["errors"] for each in points),
            "cpu_us": {process: statistics.median(each["cpu_us"][process] for each in points)
                       for process in points[0]["cpu_us"]}}


def _steps(load: HttpLoad) -> float:
    """Requests of a chain; the open loop counts chains."""
    return sum(len(chain) for chain in load.chains) / len(load.chains)


def _wal(stage: Stage) -> int:
    return int(stage.psql("cart", "SELECT (pg_current_wal_lsn() - '0/0')::bigint"))


def _links(stage: Stage) -> dict[str, int]:
    """Returns the bytes so far, both ways, on the connections that the services keep."""
    listed = subprocess.run(["ss", "--tcp", "--numeric", "--info", "--processes", "--no-header",
                             "state", "established"], check=True, capture_output=True, text=True)
    pids = {child.process.pid: name for name, child in stage.services.items()}
    found = {f"{name} → postgres": 0 for name in stage.services} | {"cart → customers": 0}
    for head, info in zip(*[iter(listed.stdout.splitlines())] * 2):
        owner = re.search(r"pid=(\d+)", head)
        port = int(head.split()[3].rpartition(":")[2])
        service = pids.get(int(owner[1])) if owner else None
        count = sum(map(int, re.findall(r"bytes_(?:sent|received):(\d+)", info)))
        if service and port == stage.cluster.port:
            found[f"{service} → postgres"] += count
        elif service == "cart" and port == stage.ports["grpc"]:
            found["cart → customers"] += count
    return found


def _http_bytes(stage: Stage) -> int:
    """Returns the bytes of a GET of a cart and its answer, both ways."""
    address = urlsplit(stage.url("cart"))
    request = (f"GET /api/v1/cart/1/ HTTP/1.1\r\nHost: {address.netloc}\r\n"
               f"Authorization: {stage.tokens[0]}\r\nConnection: close\r\n\r\n").encode()
    answer = b""
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(request)
        while part := connection.recv(65536):
            answer += part
    if not answer.startswith(b"HTTP/1.1 200"):
        raise Failure(f"GET cart was answered with {answer[:200]!r}")
    return len(request) + len(answer)
