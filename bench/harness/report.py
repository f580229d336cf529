"""The results for people: a table on the terminal, a Markdown page, a section of the docs."""

import json
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
START_BUDGET_MS = 300
TAIL_BUDGET = 5  # p99 at half load against the median.
Table = list[list[str]]


def host() -> dict:
    """What was measured, where and when."""
    def first_line(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True,
                              cwd=ROOT).stdout.partition("\n")[0].strip()
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "commit": first_line("git", "describe", "--always", "--dirty"),
            "cores": os.cpu_count(), "cpu": cpu[1] if cpu else platform.machine(),
            "kernel": platform.release(),
            "postgres": first_line("/usr/lib/postgresql/15/bin/postgres", "--version"),
            "load_before": round(os.getloadavg()[0], 2)}


def number(value: float) -> str:
    """Three digits that count."""
    if not math.isfinite(value):
        return "–"
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def with_spread(values: dict[str, float]) -> str:
    return f"{number(values['median'])} ({number(values['min'])}–{number(values['max'])})"


def verdict(good: bool) -> str:
    return "ok" if good else "UNDER"


def latency(result: dict, load: str) -> str:
    if load not in result["latency"]:
        return ""
    measured = result["latency"][load]
    percentiles, errors = measured["percentiles"], measured["errors"]
    return (f"{number(percentiles['50'])} / {number(percentiles['99'])}"
            + (f" ({errors} of {measured['requests']} failed)" if errors else ""))


def tail_ok(result: dict) -> bool | None:
    """Whether p99 at half load keeps to its budget; None where it was not measured."""
    if "half" not in result["latency"]:
        return None
    percentiles = result["latency"]["half"]["percentiles"]
    return percentiles["99"] <= TAIL_BUDGET * percentiles["50"]


def scenario_table(scenarios: list[dict]) -> Table:
    rows = [["scenario", "requests/s", "yardstick/s", "ratio", "budget", "",
             "full load p50 / p99 ms", "half load p50 / p99 ms", "p99 ≤ 5 × p50"]]
    for each in scenarios:
        budget, tail = each["budget"], tail_ok(each)
        rows.append([
            each["title"], with_spread(each["service"]),
            f"{with_spread(each['yardstick'])} {each['yardstick_title']}",
            with_spread(each["ratio"]), f"≥ {budget}" if budget else "",
            verdict(each["ratio"]["median"] >= budget) if budget else "",
            latency(each, "full"), latency(each, "half"),
            "" if tail is None else verdict(tail)])
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
    return [["clients", "GET cart/s", "p50 ms", "p99 ms"],
            *([str(each["clients"]), number(each["per_second"]), number(each["p50_ms"]),
               number(each["p99_ms"])] for each in sweep)]


def missed(tables: list[tuple[str, Table]]) -> list[str]:
    return [f"{title}: {row[0]}" for title, table in tables for row in table if "UNDER" in row]


def tables(results: dict) -> list[tuple[str, Table]]:
    """Title and rows (the first is the head) of all that was measured."""
    found = []
    if results.get("scenarios"):
        found += [("Throughput and latency", scenario_table(results["scenarios"])),
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
            f"{results['settings']}.")


def markdown(results: dict, level: str = "##") -> str:
    return "\n\n".join([describe(results), *(f"{level} {title}\n\n{as_markdown(table)}"
                                              for title, table in tables(results))])


def save(directory: Path, part: str, results: dict) -> None:
    """Writes one part, and the page of all parts that have been measured."""
    from harness import plots  # Slow to load.
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{part}.json").write_text(json.dumps(results, indent=1))
    page = ["# Benchmark results"]
    for path in sorted(directory.glob("*.json")):
        measured = json.loads(path.read_text())
        page += [f"## {path.stem.capitalize()}", markdown(measured, "###"),
                 *(f"![{image.stem}]({image.name})"
                   for image in plots.draw(directory, path.stem, measured))]
    (directory / "README.md").write_text("\n\n".join(page) + "\n")


def update_document(part: str, results: dict) -> None:
    """Replaces what stands between the part's markers in docs/performance.md."""
    begin, end = f"<!-- bench: {part} -->", "<!-- bench: end -->"
    before, found, rest = DOCUMENT.read_text().partition(begin)
    if not found:
        return
    after = rest.partition(end)[2]
    DOCUMENT.write_text(f"{before}{begin}\n{markdown(results, '###')}\n{end}{after}")
