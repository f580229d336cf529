"""The figures of a run: printed, and with --write put into docs/scaling.md."""

import dataclasses
import re

from microcart import ROOT

PAGE = ROOT / "docs/scaling.md"
_PLACE = re.compile(r"(?<=<!-- failover:begin -->\n).*?(?=<!-- failover:end -->)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Row:
    """What an event has meant for one database. Times are in seconds; `leads` and `reached` are None
    if no other node had to become the leader."""

    event: str
    database: str
    gap: float  # The longest time without a successful write that needs the database.
    leads: float | None  # From the event until another node accepts writes.
    reached: float | None  # From then on until the balancer leads there.
    ours: float  # The part of the gap after that.
    recovered: float  # From the new leader on until all requests succeed.
    slowest: float  # The slowest answer.
    failed: int  # Requests that were answered with 503.
    writes: int  # Acknowledged writes, all of which are there once.
    refused: int  # Requests with tokens whose revocation was acknowledged, all of them refused.


class Report:
    def __init__(self):
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)

    def table(self) -> str:
        def seconds(value: float | None) -> str:
            return "–" if value is None else f"{value:.1f} s"

        lines = ["| event | database | gap | leader | balancer | ours | well | slowest | 503 | writes "
                 "| refused |", "|---|---|---|---|---|---|---|---|---|---|---|"]
        for row in self._rows:
            lines.append("| " + " | ".join([
                row.event, row.database,
                *map(seconds, (row.gap, row.leads, row.reached, row.ours, row.recovered,
                               row.slowest)),
                f"{row.failed:,}", f"{row.writes:,}", f"{row.refused:,}"]) + " |")
        return "\n".join(lines) + "\n"

    def print(self) -> None:
        print(f"\n{self.table()}")

    def write(self) -> None:
        text = PAGE.read_text()
        assert _PLACE.search(text)
        PAGE.write_text(_PLACE.sub(lambda _: self.table(), text))
