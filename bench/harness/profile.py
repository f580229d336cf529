"""Profiles the CPU time of the services with perf while one scenario is under load."""

import re
from collections import Counter

from harness.generators import Outcome
from harness.measure import Progress
from harness.report import Table, number
from harness.scenarios import cart_load
from harness.stage import Stage
from microcart.processes import Failure
from microcart.services import SERVICES

SECONDS = 5
SAMPLES_PER_SECOND = 999
TOP = 15
# Groups by object file or symbol; the first match counts.
GROUPS = {
    "kernel": r"\[kernel|\[vdso|^\[unknown\]$",
    "malloc": r"\b(malloc|free|calloc|realloc|cfree|_int_\w+|malloc_consolidate|unlink_chunk\w*|"
              r"tcache_\w+|sysmalloc|systrim|operator (new|delete))\b",
    "TLS, hashes": r"lib(crypto|ssl|sodium)|^crypto_generichash|blake2b",
    "protobuf": r"libprotobuf|google::protobuf",
    "HTTP/2": r"libnghttp2|^nghttp2_",
    "libpq": r"libpq\.",
    "Boost": r"^[\w ]*\bboost::",
    "C and C++ library": r"lib(c|m|stdc\+\+|gcc_s)\.|ld-linux",
}
OWN = "the services' own code"
# `perf script`: pid, address, symbol (object)
_SAMPLE = re.compile(r"^\s*(?P<pid>\d+)\s+[0-9a-f]+\s+(?P<symbol>.*) \((?P<object>[^()]*)\)$", re.M)
_SYSCALL = re.compile(r"^(?P<count>\d+),,syscalls:sys_enter_(?P<name>\w+),", re.M)


def group(symbol: str, where: str) -> str:
    name = without_arguments(symbol)
    for title, pattern in GROUPS.items():
        if re.search(pattern, where) or re.search(pattern, name):
            return title
    return OWN


def without_arguments(symbol: str) -> str:
    """Returns a function's name without template arguments and parameters."""
    before = None
    while before != symbol:
        before = symbol
        symbol = re.sub(r"<[^<>]*>|(?<!operator)\([^()]*\)", "", symbol)
    return symbol.removesuffix(" const").strip()


def record(stage: Stage) -> dict[str, Counter]:
    """Returns the samples of each service by symbol and object."""
    data = stage.run / "perf.data"
    names = {stage.services[name].process.pid: name for name in SERVICES}
    cart_load(stage).measure(stage, SECONDS, under=[
        "perf", "record", "-q", "-e", "cpu-clock", "-F", SAMPLES_PER_SECOND, "-o", data,
        "-p", ",".join(map(str, names)), "--"])
    found = {name: Counter() for name in SERVICES}
    for match in _SAMPLE.finditer(stage.output(["perf", "script", "-i", data, "-F",
                                                "pid,ip,sym,dso"])):
        where = match["object"].rpartition("/")[2]
        found[names[int(match["pid"])]][match["symbol"].strip(), where] += 1
    if not all(found.values()):
        raise Failure("perf took no samples")
    return found


def system_calls(stage: Stage) -> dict[str, dict[str, float]] | None:
    """Returns the system calls for each request, by service and name; None if counting them is not
    permitted."""
    counts = {}
    for name in SERVICES:
        file = stage.run / "perf.stat"
        try:
            outcome: Outcome = cart_load(stage).measure(stage, SECONDS, under=[
                "perf", "stat", "-x", ",", "-e", "syscalls:sys_enter_*", "-o", file,
                "-p", stage.services[name].process.pid, "--"])
        except Failure:
            return None
        counts[name] = {match["name"]: int(match["count"]) / outcome.requests
                        for match in _SYSCALL.finditer(file.read_text())}
    return counts


def tables(samples: dict[str, Counter],
           calls: dict[str, dict[str, float]] | None) -> list[tuple[str, Table]]:
    def percent(count: int, name: str) -> str:
        return f"{100 * count / samples[name].total():.1f} %"

    groups = {name: Counter() for name in samples}
    for name, counter in samples.items():
        for (symbol, where), count in counter.items():
            groups[name][group(symbol, where)] += count
    found = [("Shares of CPU time: GET cart",
              [["where", *samples],
               *([title, *(percent(groups[name][title], name) for name in samples)]
                 for title in (*GROUPS, OWN))])]
    if calls is not None:
        every = sorted({call for each in calls.values() for call in each},
                       key=lambda call: -sum(each.get(call, 0) for each in calls.values()))
        found.append(("System calls for each request",
                      [["call", *calls],
                       *([call, *(number(each.get(call, 0)) for each in calls.values())]
                         for call in every
                         if any(each.get(call, 0) >= 0.01 for each in calls.values()))]))
    for name, counter in samples.items():
        found.append((f"Functions of {name} that take most",
                      [["function", "in", "share"],
                       *(["all without a symbol" if symbol == "[unknown]"
                          else f"`{without_arguments(symbol)}`", where, percent(count, name)]
                         for (symbol, where), count in counter.most_common(TOP))]))
    return found


def seconds() -> float:
    return 2 + (2 + len(SERVICES)) * SECONDS


def measure(stage: Stage, progress: Progress) -> list[tuple[str, Table]]:
    progress.step("warming up", 2)
    cart_load(stage).measure(stage, 2)
    progress.step("where the time goes", 2 * SECONDS)
    samples = record(stage)
    progress.step("system calls", len(SERVICES) * SECONDS)
    return tables(samples, system_calls(stage))
