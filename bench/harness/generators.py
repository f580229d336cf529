"""The programs that generate load: wrk, the open loop, pgbench and our own small ones."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.stage import Stage
from harness.statements import Statement
from microcart import wrk
from microcart.postgres import BIN
from microcart.processes import Failure
from microcart.wrk import Chain, Request

PGBENCH_CLIENTS = 16
CONNECT_MILLISECONDS = 8
# With a larger share of failures, the load was not the intended one.
MAX_ERROR_SHARE = 0.01
SETTLE_SECONDS = 0.2
OPEN_LOOP_WARM_UP = 0.5


@dataclass(frozen=True)
class Outcome:
    per_second: float
    requests: int = 0
    errors: int = 0
    p50_ms: float = math.nan
    p99_ms: float = math.nan


@dataclass(frozen=True)
class HttpLoad:
    """Chains of requests, sent in turn to a service or to nginx."""

    service: str
    chains: list[Chain]
    connections: int = 256
    restore: str = ""  # SQL that removes the leftovers of chains that were cut off at the end.

    def write(self, stage: Stage) -> Path:
        return wrk.write(stage.run / "requests", self.chains)

    def measure(self, stage: Stage, seconds: int, under: Sequence = ()) -> Outcome:
        """Measures the highest throughput with wrk; the command `under`, if any, runs it.

        Choosing from several requests requires Lua, and therefore a single thread.
        """
        self._clean_up(stage)
        threads = 1 if self._requests() > 1 else min(stage.workers, self.connections)
        output = stage.output([*under, *wrk.command(
            stage.url(self.service), self.write(stage), connections=self.connections,
            seconds=seconds, threads=threads, timeout=30)])
        self._clean_up(stage)
        result = wrk.result(output)
        outcome = Outcome(result.requests / result.seconds, result.requests, result.errors,
                          result.p50_ms, result.p99_ms)
        if outcome.errors > outcome.requests * MAX_ERROR_SHARE:
            raise Failure(f"{outcome.errors} of {outcome.requests} requests to {self.service} "
                          f"failed:\n{output}")
        return outcome

    def at_rate(self, stage: Stage, seconds: float, rate: float) -> dict:
        """Measures latencies at a given rate of requests: see open_loop.cpp."""
        steps = self._requests() / len(self.chains)
        result = json.loads(stage.output(
            [*stage.first, stage.program("bench_open_loop"), self.write(stage), "--poisson",
             "--port", stage.ports[self.service], "--rate", rate / steps,
             "--warm-up", OPEN_LOOP_WARM_UP, "--seconds", seconds,
             "--connections", self.connections]))
        self._clean_up(stage)
        return result | {"due_per_second": result["arrivals"] * steps / seconds}

    def _requests(self) -> int:
        return sum(len(chain) for chain in self.chains)

    def _clean_up(self, stage: Stage) -> None:
        stage.truncate_logs()
        if self.restore:
            # The service is still working on requests from before the connections were closed.
            stage.supervisor.wait(SETTLE_SECONDS)
            stage.psql(self.service, self.restore)


@dataclass(frozen=True)
class PgBench:
    """Transactions of pgbench, each of which is one of the scripts, chosen at random."""

    database: str
    scripts: list[str]
    statement: Statement
    variables: dict[str, str] = field(default_factory=dict)
    requests_per_transaction: int = 1
    clients: int = PGBENCH_CLIENTS
    title: str = "pgbench, same SQL"

    def connect_seconds(self) -> int:
        """Seconds to make the connections, which pgbench's time includes but its figure does not."""
        return self.clients * CONNECT_MILLISECONDS // 1000

    def measure(self, stage: Stage, seconds: int) -> Outcome:
        files = []
        for number, script in enumerate(self.scripts):
            path = stage.run / f"script{number}.sql"
            path.write_text(script)
            files += ["-f", path]
        for name, value in self.variables.items():
            files += ["-D", f"{name}={value}"]
        planning = ["-c plan_cache_mode=force_custom_plan"] * self.statement.planned_each_call
        # A busy machine takes longer to connect.
        for patience in (1, 3, 9):
            output = stage.output(
                [BIN / "pgbench", "-n", "-M", "prepared", "-c", self.clients, "-j", 1,
                 "-T", seconds + patience * self.connect_seconds(), *files],
                stage.session_environment(self.database, *planning))
            if "transactions actually processed: 0\n" not in output:
                break
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
        return self._load(stage).measure(stage, seconds)

    def at_rate(self, stage: Stage, seconds: float, rate: float) -> dict:
        return self._load(stage).at_rate(stage, seconds, rate)

    def _load(self, stage: Stage) -> HttpLoad:
        stage.start_nginx()
        return HttpLoad("nginx", [(Request("GET", "/healthz"),)])


@dataclass(frozen=True)
class Validation:
    """Tokens over gRPC, to the customers service or to the echo."""

    way: str  # unary, stream, batch
    server: str  # The name of its port.
    title: str = "gRPC echo, same messages"

    def measure(self, stage: Stage, seconds: int) -> Outcome:
        if self.server == "echo":
            stage.start_echo()
        return _own(stage, self._command(stage, seconds))

    def at_rate(self, stage: Stage, seconds: float, rate: float) -> dict:
        """Measures latencies at a given rate of queries: see validation_load.cpp."""
        name, *arguments = self._command(stage, seconds)
        result = json.loads(stage.output([*stage.first, stage.program(name), *arguments,
                                          "--warm-up", OPEN_LOOP_WARM_UP, "--rate", rate]))
        if result["errors"] > 0:
            raise Failure(f"{name} had {result['errors']} errors")
        return result | {"due_per_second": result["arrivals"] / seconds}

    def _command(self, stage: Stage, seconds: float) -> list:
        return ["bench_validation_load", self.way, stage.run / "tokens", "--port",
                stage.ports[self.server], "--seconds", seconds, "--connections", stage.workers,
                *stage.client_tls()]


def _own(stage: Stage, command: list) -> Outcome:
    result = json.loads(stage.output([stage.program(command[0]), *command[1:]]))
    outcome = Outcome(result["per_second"], result.get("requests", 0), result.get("errors", 0))
    if outcome.errors > 0:
        raise Failure(f"{command[0]} had {outcome.errors} errors")
    return outcome


def _find(pattern: str, text: str, program: str) -> str:
    match = re.search(pattern, text, re.M)
    if not match:
        raise Failure(f"{program} printed no result:\n{text}")
    return match[1]
