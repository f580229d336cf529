"""Load from wrk, for rates that Python cannot achieve."""

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from microcart.processes import Failure

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str = ""
    body: str = ""

    def line(self) -> str:
        return "\t".join((self.method, self.path, self.token, self.body))


Chain = tuple[Request, ...]


def write(path: Path, chains: Iterable[Chain]) -> Path:
    """Writes the file that wrk.lua reads, and bench/load/open_loop.cpp, which describes it."""
    path.write_text("".join("+" * (number > 0) + request.line() + "\n"
                            for chain in chains for number, request in enumerate(chain)))
    return path


@dataclasses.dataclass(frozen=True)
class Result:
    """The latencies are those of all answers, refusals included."""

    requests: int
    seconds: float
    refusals: int  # Statuses of 400 and above.
    timeouts: int
    connect_errors: int
    broken: int
    p50_ms: float
    p99_ms: float

    @property
    def served(self) -> float:
        """Returns the number of answers below 400 per second."""
        return (self.requests - self.refusals) / self.seconds

    @property
    def refused(self) -> float:
        """Returns the number of refusals per second."""
        return self.refusals / self.seconds

    @property
    def errors(self) -> int:
        return self.refusals + self.timeouts + self.connect_errors + self.broken


def command(url: str, file: Path, *, connections: int, seconds: int, threads: int = 1,
            timeout: int = 10) -> list:
    """Sends the requests of a file over this many connections, each as fast as it is answered."""
    return ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{timeout}s",
            "-s", _SCRIPT, url, "--", file]


def result(output: str) -> Result:
    """Parses wrk's output."""
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if not found:
        raise Failure(f"wrk printed no result:\n{output}")
    return Result(**json.loads(found[1]))


def run(file: Path, port: int, requests: list[Request], **options) -> Result:
    """Sends these requests to a port of this machine; `options` are those of `command`. `file` is
    overwritten."""
    write(file, [(request,) for request in requests])
    done = subprocess.run(command(f"http://127.0.0.1:{port}", file, **options),
                          capture_output=True, text=True, timeout=options["seconds"] + 60,
                          check=True)
    return result(done.stdout)
