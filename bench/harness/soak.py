"""Whether memory stays flat: load for minutes, and a thousand idle connections to each service."""

import socket
import statistics
import time

from harness import scenarios, usage
from harness.measure import Progress
from harness.report import MEMORY_BUDGET_MIB, Table, number, verdict
from harness.stage import SERVICES, Stage

IDLE_CONNECTIONS = 1000
SLICE_SECONDS = 10
# Of the resident memory in the second quarter, in which caches are full. Allocators need some air.
GROWTH_BUDGET = 0.05


class IdleConnections:
    """Connections to a service that ask for something small at long intervals, to stay open."""

    def __init__(self, port: int):
        self._port = port
        self._sockets: list[socket.socket] = []

    def refresh(self) -> None:
        """Brings their number up to what it should be, and each to life for a moment."""
        alive = []
        for each in self._sockets:
            try:
                each.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                if each.recv(4096):
                    alive.append(each)
                    continue
            except OSError:
                pass
            each.close()
        while len(alive) < IDLE_CONNECTIONS:
            alive.append(socket.create_connection(("127.0.0.1", self._port), timeout=10))
        self._sockets = alive

    def close(self) -> None:
        for each in self._sockets:
            each.close()


def measure(stage: Stage, minutes: float, progress: Progress) -> dict:
    """Memory of each service as (seconds, MiB) every ten seconds, and a table."""
    loads = [scenarios.cart_load(stage), scenarios.profile_load(stage),
             scenarios.writes_load(stage), scenarios.page_load(stage),
             scenarios.search_load()]
    idle = [IdleConnections(stage.ports[name]) for name in SERVICES]
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in SERVICES}
    began = time.monotonic()
    number_of_slices = max(4, round(minutes * 60 / SLICE_SECONDS))
    for part in range(number_of_slices):
        for each in idle:
            each.refresh()
        progress.step(f"soak, {part + 1} of {number_of_slices}", SLICE_SECONDS)
        loads[part % len(loads)].measure(stage, SLICE_SECONDS)
        for name, child in stage.services.items():
            samples[name].append((time.monotonic() - began,
                                  usage.memory_mib(child.process.pid)["now"]))
    peaks = {name: usage.memory_mib(child.process.pid)["peak"]
             for name, child in stage.services.items()}
    for each in idle:
        each.close()
    return {"memory": samples, "tables": [(f"Memory over {minutes:g} minutes, with "
                                           f"{IDLE_CONNECTIONS} idle connections to each service",
                                           table(samples, peaks))]}


def table(samples: dict[str, list[tuple[float, float]]], peaks: dict[str, float]) -> Table:
    rows = [["service", "second quarter MiB", "last quarter MiB", f"growth ≤ {GROWTH_BUDGET:.0%}",
             "peak MiB", f"≤ {MEMORY_BUDGET_MIB} MiB"]]
    for name, values in samples.items():
        mib = [value for _, value in values]
        quarter = len(mib) // 4
        early = statistics.median(mib[quarter:2 * quarter])
        late = statistics.median(mib[-quarter:])
        rows.append([name, number(early), number(late),
                     verdict(late <= early * (1 + GROWTH_BUDGET)), number(peaks[name]),
                     verdict(peaks[name] <= MEMORY_BUDGET_MIB)])
    return rows
