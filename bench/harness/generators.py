"""The programs that make load: wrk, the open loop, pgbench and our own small ones."""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from harness.stage import Stage
from harness.statements import Statement
from local.cluster import BIN
from local.processes import Failure

LOAD = Path(__file__).resolve().parents[1] / "load"
PGBENCH_CLIENTS = 16
# More answers than this that are no success, and it was not the intended load.
MAX_ERROR_SHARE = 0.01
SETTLE_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome:
    per_second: float
    requests: int = 0
    errors: int = 0
    p50_ms: float = math.nan
    p99_ms: float = math.nan


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str = ""
    body: str = ""

    def line(self) -> str:
        return "\t".join((self.method, self.path, self.token, self.body))


Chain = tuple[Request, ...]


@dataclass(frozen=True)
class HttpLoad:
    """Chains of requests, in turn, to a service, or to nginx."""

    service: str
    chains: list[Chain]
    connections: int = 256
    restore: str = ""  # SQL that removes what chains leave that are cut off at the end.

    def write(self, stage: Stage) -> Path:
        path = stage.run / "requests"
        path.write_text("".join(
            "+" * (number > 0) + request.line() + "\n"
            for chain in self.chains for number, request in enumerate(chain)))
        return path

    def measure(self, stage: Stage, seconds: int, connections: int = 0) -> Outcome:
        """As fast as it goes: wrk, one thread."""
        self._clean_up(stage)
        output = stage.output(
            ["wrk", "-t1", f"-c{connections or self.connections}", f"-d{seconds}s", "--timeout",
             "30s", "-s", LOAD / "requests.lua", stage.url(self.service), "--", self.write(stage)])
        self._clean_up(stage)
        result = json.loads(_find(r"^RESULT (.*)$", output, "wrk"))
        outcome = Outcome(result["requests"] / result["seconds"], result["requests"],
                          result["errors"], result["p50_ms"], result["p99_ms"])
        if outcome.errors > outcome.requests * MAX_ERROR_SHARE:
            raise Failure(f"{outcome.errors} of {outcome.requests} requests to {self.service} "
                          f"failed:\n{output}")
        return outcome

    def open_loop(self, stage: Stage, seconds: float, rate: float) -> dict:
        """At a given rate of requests: see open_loop.cpp."""
        steps = sum(len(chain) for chain in self.chains) / len(self.chains)
        result = json.loads(stage.output(
            ["nice", "-n", -15, stage.program("bench_open_loop"), self.write(stage), "--poisson",
             "--port", stage.ports[self.service], "--rate", rate / steps, "--warm-up", 1,
             "--seconds", seconds, "--connections", self.connections]))
        self._clean_up(stage)
        return result

    def _clean_up(self, stage: Stage) -> None:
        stage.truncate_logs()
        if self.restore:
            # The service still works on what it was sent before the connections were closed.
            stage.supervisor.wait(SETTLE_SECONDS)
            stage.psql(self.service, self.restore)


@dataclass(frozen=True)
class PgBench:
    """Transactions of 16 clients of pgbench, each one of the scripts at random."""

    database: str
    scripts: list[str]
    statement: Statement
    variables: dict[str, str] = field(default_factory=dict)
    requests_per_transaction: int = 1
    title: str = "pgbench, same SQL"

    def measure(self, stage: Stage, seconds: int) -> Outcome:
        files = []
        for number, script in enumerate(self.scripts):
            path = stage.run / f"script{number}.sql"
            path.write_text(script)
            files += ["-f", path]
        for name, value in self.variables.items():
            files += ["-D", f"{name}={value}"]
        environment = stage.postgres_environment(self.database)
        if self.statement.planned_each_call:
            environment["PGOPTIONS"] = "-c plan_cache_mode=force_custom_plan"
        output = stage.output([BIN / "pgbench", "-n", "-M", "prepared", "-c", PGBENCH_CLIENTS, "-j",
                               1, "-T", seconds, *files], environment)
        if not re.search(r"number of failed transactions: 0 ", output):
            raise Failure(f"pgbench had failures:\n{output}")
        return Outcome(self.requests_per_transaction
                       * float(_find(r"^tps = ([\d.]+) ", output, "pgbench")))


@dataclass(frozen=True)
class PasswordHashes:
    title: str = "argon2id, all cores"

    def measure(self, stage: Stage, seconds: int) -> Outcome:
        return _own(stage, ["bench_password_hashes", "--seconds", seconds])


@dataclass(frozen=True)
class Nginx:
    title: str = "nginx, return 200"

    def measure(self, stage: Stage, seconds: int) -> Outcome:
        stage.start_nginx()
        return HttpLoad("nginx", [(Request("GET", "/healthz"),)]).measure(stage, seconds)


@dataclass(frozen=True)
class Validation:
    """Tokens over gRPC: to customers, or to the echo."""

    way: str  # unary, stream, batch
    server: str  # The port's name.
    title: str = "gRPC echo, same messages"

    def measure(self, stage: Stage, seconds: int) -> Outcome:
        if self.server == "echo":
            stage.start_echo()
        return _own(stage, ["bench_validation_load", self.way, stage.run / "tokens",
                            "--port", stage.ports[self.server], "--seconds", seconds,
                            "--connections", stage.workers, *stage.client_tls()])


def _own(stage: Stage, command: list) -> Outcome:
    result = json.loads(stage.output([stage.program(command[0]), *command[1:]]))
    outcome = Outcome(result["per_second"], errors=result.get("errors", 0))
    if outcome.errors > 0:
        raise Failure(f"{command[0]} had {outcome.errors} errors")
    return outcome


def _find(pattern: str, text: str, program: str) -> str:
    match = re.search(pattern, text, re.M)
    if not match:
        raise Failure(f"{program} printed no result:\n{text}")
    return match[1]
