"""The services' SQL, as their stores print it, so that a yardstick runs the very same statement."""

import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache

from microcart.processes import Failure
from microcart.services import build_directory


@dataclass(frozen=True)
class Statement:
    sql: str  # With $1, $2, …
    planned_each_call: bool

    def with_arguments(self, *arguments: str) -> str:
        """The statement with pgbench's variables, or literals, as its parameters."""
        sql = re.sub(r"\$(\d)", lambda match: arguments[int(match[1]) - 1], self.sql)
        return " ".join(sql.split())


@cache
def _printed() -> dict:
    program = build_directory() / "bench/bench_statements"
    if not program.exists():
        raise Failure(f"{program} is not there: `make build` first")
    return json.loads(subprocess.run([program], check=True, capture_output=True).stdout)


def stores() -> dict[str, dict[str, Statement]]:
    """All statements by their stores and names."""
    return {store: {name: Statement(printed["sql"].strip(), printed["planned_each_call"])
                    for name, printed in statements.items()}
            for store, statements in _printed()["stores"].items()}


def statement(store: str, name: str) -> Statement:
    try:
        return stores()[store][name]
    except KeyError:
        raise Failure(f"the store {store} has no statement {name}") from None


def session_options() -> str:
    """The settings of the services' sessions, as PGOPTIONS has them."""
    return _printed()["session_options"]
