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
    keys: int  # Of a read by key; each is an array in the SQL.

    def with_arguments(self, *arguments: str) -> str:
        """The statement with pgbench's variables, or literals, as its parameters.

        A read by key becomes the simpler statement for one call: with values instead of arrays.
        """
        sql = self.sql
        if self.keys > 0:
            sql = re.sub(r"= ANY \((\$\d)\)", r"= \1", sql)
            sql = re.sub(r"unnest\((.*?)\) AS", lambda match: "(VALUES (" + re.sub(
                r"(\$\d)", r"\1::integer", match[1]) + ")) AS", sql)
        sql = re.sub(r"\$(\d)", lambda match: arguments[int(match[1]) - 1], sql)
        return " ".join(sql.split())


@cache
def _printed() -> dict:
    program = build_directory() / "bench/bench_statements"
    if not program.exists():
        raise Failure(f"{program} is not there: `make build` first")
    return json.loads(subprocess.run([program], check=True, capture_output=True).stdout)


def stores() -> dict[str, dict[str, Statement]]:
    """All statements by their stores and names."""
    return {store: {name: Statement(printed["sql"].strip(), printed["planned_each_call"],
                                    printed["keys"])
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
