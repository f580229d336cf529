"""Whether memory stays flat: load for minutes, and a thousand idle connections to each service."""

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
# Of the idle connections, in turn, one in so many asks after each slice: before the services'
# HTTP_IDLE_TIMEOUT of a minute.
TURNS = 4
# Without a limit: a page of 1,000 rows, the most that a connection may have to keep room for.
BIG_PAGES = {"customers": "/api/v1/users/list/", "cart": "/api/v1/products/list/"}
# Of the resident memory in the second quarter, in which caches are full. Allocators need some air.
GROWTH_BUDGET = 0.05


class IdleConnections:
    """Connections to a service that are kept, and ask for a big page at long intervals."""

    def __init__(self, stage: Stage, service: str):
        self._port = stage.ports[service]
        self._headers = {"Authorization": stage.tokens[0]}  # An administrator's: lists of users.
        self._path = BIG_PAGES[service]
        self._connections: list[http.client.HTTPConnection] = []
        self._turn = 0

    def refresh(self) -> None:
        """Brings their number up to what it should be, and some to life for a moment."""
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
        """False if the connection is of no use any more."""
        try:
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status == 200 and len(body) > 0 and not answer.will_close
        except (OSError, http.client.HTTPException):
            connection.close()
            return False


def measure(stage: Stage, minutes: float, progress: Progress) -> dict:
    """Memory of each service as (seconds, MiB) every ten seconds, and a table."""
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
