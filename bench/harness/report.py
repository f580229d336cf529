"""Formats the results as tables: on the terminal, in Markdown, and in a section of the docs."""

import math
import os
import platform
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/performance.md"
# docs/performance.md explains them.
MEMORY_BUDGET_MIB = 64
START_BUDGET_MS = 60
TAIL_BUDGET = 5  # p99 at half load against the median.
# GET cart against pgbench with as many clients, with this many or more.
MANY_CLIENTS, MANY_CLIENTS_RATIO = 64, 1.0
# p50 of GET cart against the latency of its two queries, one after the other, by the number of clients.
FEW_CLIENTS_RATIOS = {1: 1.6, 4: 2.0, 16: 2.0}
MAX_LOAD_BEFORE = 1  # Load average of the machine for figures that may be kept.
# Limits beyond which a latency is not valid.
MIN_SAMPLES = 1000
MAX_LATE_SHARE = 0.01  # Arrivals that the generator itself noticed late. More would affect p99.
MIN_KEPT_SHARE = 0.97  # Due requests that were answered in the same time. With less, a queue grew.
Table = list[list[str]]


def first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          cwd=ROOT).stdout.partition("\n")[0].strip()


def is_dirty() -> bool:
    """Returns whether the measured code differs from the commit; tables in the docs may differ."""
    return bool(first_line("git", "status", "--porcelain", "--untracked-files=no", "--", ".",
                           f":!{DOCUMENT.relative_to(ROOT)}"))


def why_not_to_document() -> str | None:
    """Returns the reasons against putting new figures into docs/performance.md."""
    load = os.getloadavg()[0]
    if is_dirty():
        return "the tree has changes that are not committed, so nobody could measure this again"
    if load > MAX_LOAD_BEFORE:
        return (f"the machine is busy, or was a minute ago: its load average is {load:.2f}, and "
                f"should be {MAX_LOAD_BEFORE} at most")
    return None


def host() -> dict:
    """Returns time, commit and machine of the measurement."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "commit": first_line("git", "describe", "--always") + "-dirty" * is_dirty(),
            "cores": os.cpu_count(), "cpu": cpu[1] if cpu else platform.machine(),
            "kernel": platform.release(),
            "postgres": first_line("/usr/lib/postgresql/15/bin/postgres", "--version"),
            "load_before": round(os.getloadavg()[0], 2)}


def number(value: float) -> str:
    """Formats a number with three significant digits."""
    if not math.isfinite(value):
        return "–"
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def with_spread(values: dict[str, float]) -> str:
    return f"{number(values['median'])} ({number(values['min'])}–{number(values['max'])})"


def verdict(good: bool) -> str:
    return "ok" if good else "UNDER"


def scenario_table(scenarios: list[dict]) -> Table:
    rows = [["scenario", "requests/s", "yardstick/s", "ratio", "budget", ""]]
    for each in scenarios:
        budget = each["budget"]
        rows.append([
            each["title"], with_spread(each["service"]),
            f"{with_spread(each['yardstick'])} {each['yardstick_title']}",
            with_spread(each["ratio"]), f"≥ {budget}" if budget else "",
            verdict(each["ratio"]["median"] >= budget) if budget else ""])
    return rows


def doubts(measured: dict) -> str:
    """Returns the reason why latencies are not valid; empty if they are."""
    found = []
    if measured["late_arrivals"] > MAX_LATE_SHARE * measured["arrivals"]:
        found.append("invalid: the generator was late")
    if measured["per_second"] < MIN_KEPT_SHARE * measured["due_per_second"]:
        found.append("invalid: the queue grew")
    if measured["requests"] < MIN_SAMPLES:
        found.append(f"only {measured['requests']} samples")
    if measured["errors"]:
        found.append(f"{measured['errors']} of {measured['requests']} failed")
    return "; ".join(found)


def tail_ratio(measured: dict) -> float:
    return measured["p99_ms"]["median"] / measured["p50_ms"]["median"]


def latency_table(scenarios: list[dict]) -> Table:
    rows = [["scenario", "load", "due/s", "answered/s", "p50 ms", "p99 ms", "p99 / p50",
             f"half load ≤ {TAIL_BUDGET}", "generator: cores, late", "notes"]]
    # Only our own services can miss a budget.
    measured = [(each["title"], each["latency"], "UNDER") for each in scenarios]
    yardsticks = [(each["yardstick_title"], each["yardstick_latency"], "over")
                  for each in scenarios]
    for title, loads, missed_word in measured + yardsticks:
        for load, each in loads.items():
            told = "ok" if tail_ratio(each) <= TAIL_BUDGET else missed_word
            late = each["late_arrivals"] / max(each["arrivals"], 1)
            rows.append([title, load, number(each["due_per_second"]), number(each["per_second"]),
                         with_spread(each["p50_ms"]), with_spread(each["p99_ms"]),
                         number(tail_ratio(each)), told if load == "half" else "",
                         f"{number(each['cores'])}, {100 * late:.1f} %", doubts(each)])
    return rows


def usage_table(scenarios: list[dict]) -> Table:
    processes = sorted({name for each in scenarios for name in each["cpu_us_per_request"]})
    services = sorted({name for each in scenarios for name in each["memory_mib"]})
    rows = [["scenario", *(f"{name} µs" for name in processes),
             *(f"{name} MiB now / peak" for name in services), "budget MiB", ""]]
    for each in scenarios:
        memory = each["memory_mib"]
        rows.append([each["title"],
                     *(number(each["cpu_us_per_request"].get(name, 0)) for name in processes),
                     *(f"{number(memory[name]['now'])} / {number(memory[name]['peak'])}"
                       for name in services),
                     f"≤ {each['memory_budget_mib']}",
                     verdict(all(m["peak"] <= each["memory_budget_mib"]
                                 for m in memory.values()))])
    return rows


def start_table(starts: dict[str, dict[str, float]]) -> Table:
    return [["service", "start to ready, ms", f"max ≤ {START_BUDGET_MS} ms"],
            *([name, with_spread(values), verdict(values["max"] <= START_BUDGET_MS)]
              for name, values in starts.items())]


def sweep_table(sweep: list[dict]) -> Table:
    rows = [["clients", "GET cart/s", "pgbench/s", "ratio", "p50 ms", "p99 ms",
             "p50 / both queries of pgbench", "budget", ""]]
    for each in sweep:
        clients, budget, good = each["clients"], "", None
        if clients >= MANY_CLIENTS:
            budget = f"ratio ≥ {MANY_CLIENTS_RATIO}"
            good = each["ratio"]["median"] >= MANY_CLIENTS_RATIO
        elif clients in FEW_CLIENTS_RATIOS:
            budget = f"p50 ≤ {FEW_CLIENTS_RATIOS[clients]}"
            good = each["p50_ratio"]["median"] <= FEW_CLIENTS_RATIOS[clients]
        rows.append([str(clients),
                     *(with_spread(each[key]) for key in ("service", "yardstick", "ratio")),
                     number(each["p50_ms"]["median"]), number(each["p99_ms"]["median"]),
                     with_spread(each["p50_ratio"]) if each["p50_ratio"] else "",
                     budget, "" if good is None else verdict(good)])
    return rows


def missed(tables: list[tuple[str, Table]]) -> list[str]:
    return [f"{title}: {row[0]}" for title, table in tables for row in table if "UNDER" in row]


def tables(results: dict) -> list[tuple[str, Table]]:
    """Returns title and rows (the first is the head) of each table of the results."""
    found = []
    if results.get("scenarios"):
        found += [("Throughput", scenario_table(results["scenarios"])),
                  ("Latency", latency_table(results["scenarios"])),
                  ("CPU time of a request, memory", usage_table(results["scenarios"]))]
    if results.get("sweep"):
        found.append(("Throughput against clients", sweep_table(results["sweep"])))
    if results.get("starts"):
        found.append(("Start", start_table(results["starts"])))
    found += [(title, table) for title, table in results.get("tables", [])]
    return found


def as_text(table: Table) -> str:
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def as_markdown(table: Table) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def text(results: dict) -> str:
    return "\n\n".join(f"{title}\n{as_text(table)}" for title, table in tables(results))


def describe(results: dict) -> str:
    where = results["host"]
    return (f"{where['when']}, commit {where['commit']}, {where['cores']} × {where['cpu']}, Linux "
            f"{where['kernel']}, {where['postgres']}; load average before {where['load_before']}; "
            f"{results['settings']}."
            + ("" if results.get("generator_first", True) else
               " The open loops could not go first: no permission for a real-time priority."))


def markdown(results: dict, level: str = "##") -> str:
    return "\n\n".join([describe(results), *(f"{level} {title}\n\n{as_markdown(table)}"
                                              for title, table in tables(results))])


def update_document(part: str, results: dict) -> None:
    """Replaces the text between the part's markers in docs/performance.md."""
    begin, end = f"<!-- bench: {part} -->", "<!-- bench: end -->"
    before, found, rest = DOCUMENT.read_text().partition(begin)
    if not found:
        return
    after = rest.partition(end)[2]
    DOCUMENT.write_text(f"{before}{begin}\n{markdown(results, '###')}\n{end}{after}")
