"""Checks that memory stays flat under minutes of load, with a thousand idle connections to each
service."""

import http.client
import statistics
import time

from harness import scenarios, usage
from harness.measure import Progress
from harness.report import MEMORY_BUDGET_MIB, Table, number, verdict
from harness.stage import Stage
from microcart.processes import Failure

IDLE_CONNECTIONS = 1000
SLICE_SECONDS = 10
# After each slice, one in this many idle connections sends a request, in turn, so that each does so
# before the services' HTTP_IDLE_TIMEOUT of a minute.
TURNS = 4
# Without `limit`, a page has 1,000 rows, the largest answer for which a connection needs memory.
BIG_PAGES = {"customers": "/api/v1/users/list/", "cart": "/api/v1/products/list/"}
# Maximum growth over the resident memory of the second quarter, in which caches are full. It allows
# for the variation of allocators.
GROWTH_BUDGET = 0.05


class IdleConnections:
    """Connections to a service that are kept open and request a large page at long intervals."""

    def __init__(self, stage: Stage, service: str):
        self._port = stage.ports[service]
        self._headers = {"Authorization": stage.tokens[0]}  # An administrator's: lists of users.
        self._path = BIG_PAGES[service]
        self._connections: list[http.client.HTTPConnection] = []
        self._turn = 0

    def refresh(self) -> None:
        """Opens missing connections, and lets some of them send a request."""
        self._turn += 1
        asking = set(self._connections[self._turn % TURNS::TURNS])
        kept = [each for each in self._connections if each not in asking or self._ask(each)]
        while len(kept) < IDLE_CONNECTIONS:
            kept.append(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30))
            if not self._ask(kept[-1]):
                raise Failure(f"{self._path} was not answered")
        self._connections = kept

    def close(self) -> None:
        for each in self._connections:
            each.close()

    def _ask(self, connection: http.client.HTTPConnection) -> bool:
        """Returns false if the connection can no longer be used."""
        try:
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status == 200 and len(body) > 0 and not answer.will_close
        except (OSError, http.client.HTTPException):
            connection.close()
            return False


def measure(stage: Stage, minutes: float, progress: Progress) -> dict:
    """Returns the memory of each service as (seconds, MiB) every ten seconds, and a table."""
    loads = [scenarios.cart_load(stage), scenarios.profile_load(stage),
             scenarios.writes_load(stage), scenarios.page_load(stage),
             scenarios.search_load()]
    idle = [IdleConnections(stage, name) for name in BIG_PAGES]
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in BIG_PAGES}
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
    title = (f"Memory over {minutes:g} minutes, with {IDLE_CONNECTIONS} idle connections to each "
             "service, each of which was last sent 1,000 rows")
    return {"memory": samples, "tables": [(title, table(samples, peaks))]}


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
