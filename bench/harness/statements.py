"""The services' SQL, read from their sources, so that a yardstick runs the very same statement."""

import re
from dataclasses import dataclass
from pathlib import Path

from microcart.processes import Failure

ROOT = Path(__file__).resolve().parents[2]
STORES = {"customers": ROOT / "services/customers/src/store/user_store.cpp",
          "cart": ROOT / "services/cart/src/store/cart_store.cpp",
          "products": ROOT / "services/cart/src/store/product_store.cpp"}

SESSION = ROOT / "platform/postgres/session.cpp"

# constexpr Statement<…> kName{"name", R"(…)" or "…", …, Planning::kEachCall};
_STATEMENT = re.compile(
    r'constexpr Statement<[^;{]*>\s+k\w+\{\s*"(?P<name>\w+)",\s*'
    r'(?:R"\((?P<raw>.*?)\)"|"(?P<plain>[^"\n]*)")(?P<more>[\s,\w:]*)\};', re.S)
# What a session is opened with, but for the timeout, which depends on a deadline.
_SESSION_OPTIONS = re.compile(r'fmt::format\("-c statement_timeout=\{\} (-c [^"{}]*)')


@dataclass(frozen=True)
class Statement:
    sql: str  # With $1, $2, …
    planned_each_call: bool

    def with_arguments(self, *arguments: str) -> str:
        """The statement with pgbench's variables, or literals, as its parameters."""
        sql = re.sub(r"\$(\d)", lambda match: arguments[int(match[1]) - 1], self.sql)
        return " ".join(sql.split())


def statement(store: str, name: str) -> Statement:
    for match in _STATEMENT.finditer(STORES[store].read_text()):
        if match["name"] == name:
            return Statement((match["raw"] or match["plain"]).strip(),
                             "Planning::kEachCall" in match["more"])
    raise Failure(f"there is no statement {name} in {STORES[store]}")


def session_options() -> str:
    """The settings of the services' sessions, as PGOPTIONS has them."""
    match = _SESSION_OPTIONS.search(SESSION.read_text())
    if not match:
        raise Failure(f"there are no session options in {SESSION}")
    return match[1]
