"""Alternating rounds of a scenario and its yardstick, then its latency at given rates."""

import os
import statistics
import sys
import time
from dataclasses import dataclass, replace

from harness import usage
from harness.generators import HttpLoad
from harness.report import MEMORY_BUDGET_MIB
from harness.scenarios import Scenario
from harness.stage import SERVICES, Stage

# At the highest throughput itself no queue ever ends, so "full" stays a little below.
FULL_LOAD, HALF_LOAD = 0.9, 0.5
HASH_MIB = 19  # What one password hash takes (platform/security/password.h).


@dataclass(frozen=True)
class Pace:
    rounds: int = 5
    seconds: int = 2  # Of each half of a round, and of each open-loop measurement.
    warm_up: int = 1  # Seconds, of each.
    connections: int = 0  # Of HTTP loads; 0: as each scenario has it.

    def scenario_seconds(self) -> int:
        return 2 * self.warm_up + (2 * self.rounds + 2) * self.seconds


class Progress:
    """Says on stderr what runs now and how long it all will take."""

    def __init__(self, seconds: float):
        self._left = seconds

    def step(self, what: str, seconds: float) -> None:
        minutes, rest = divmod(round(max(self._left, 0)), 60)
        left = f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
        print(f"bench: {what} (about {left} left)", file=sys.stderr, flush=True)
        self._left -= seconds


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def reset_peaks(stage: Stage) -> None:
    for child in stage.services.values():
        usage.reset_peak(child.process.pid)


def memory(stage: Stage) -> dict[str, dict[str, float]]:
    return {name: usage.memory_mib(child.process.pid) for name, child in stage.services.items()}


def per_request(before: dict[str, float], after: dict[str, float],
                count: float) -> dict[str, float]:
    """CPU microseconds of each process that used any."""
    used = {name: 1e6 * (seconds - before.get(name, 0)) / count for name, seconds in after.items()}
    return {name: microseconds for name, microseconds in sorted(used.items())
            if microseconds >= 0.05}


def measure(stage: Stage, scenario: Scenario, pace: Pace, progress: Progress) -> dict:
    load, yardstick = scenario.load(stage), scenario.yardstick(stage)
    if pace.connections and isinstance(load, HttpLoad):
        load = replace(load, connections=pace.connections)
    if pace.warm_up:
        progress.step(f"{scenario.name}: warming up", 2 * pace.warm_up)
        yardstick.measure(stage, pace.warm_up)
        load.measure(stage, pace.warm_up)
    reset_peaks(stage)

    rounds, cpu = [], []
    for number in range(1, pace.rounds + 1):
        progress.step(f"{scenario.name}: round {number} of {pace.rounds}", 2 * pace.seconds)
        bare = yardstick.measure(stage, pace.seconds)
        before, began = stage.sample(), time.monotonic()
        full = load.measure(stage, pace.seconds)
        count = full.requests or full.per_second * (time.monotonic() - began)
        cpu.append(per_request(before, stage.sample(), count))
        rounds.append({"service": full.per_second, "yardstick": bare.per_second,
                       "ratio": full.per_second / bare.per_second, "errors": full.errors})
    result = {
        "name": scenario.name, "title": scenario.title, "yardstick_title": yardstick.title,
        "budget": scenario.budget, "rounds": rounds, "errors": sum(r["errors"] for r in rounds),
        **{key: spread([each[key] for each in rounds])
           for key in ("service", "yardstick", "ratio")},
        "cpu_us_per_request": {
            name: statistics.median(each.get(name, 0) for each in cpu)
            for name in sorted({name for each in cpu for name in each})},
        "latency": {},
    }
    if isinstance(load, HttpLoad):
        for name, share in (("full", FULL_LOAD), ("half", HALF_LOAD)):
            rate = share * result["service"]["median"]
            progress.step(f"{scenario.name}: latency at {share:.0%} of the peak", pace.seconds)
            result["latency"][name] = load.open_loop(stage, pace.seconds, rate)
    result["memory_mib"] = memory(stage)
    result["memory_budget_mib"] = MEMORY_BUDGET_MIB + HASH_MIB * os.cpu_count() * scenario.hashes
    return result


def start_times(stage: Stage, starts: int, progress: Progress) -> dict[str, dict[str, float]]:
    """Milliseconds from a service's start until it is ready, of each service on its own."""
    times: dict[str, list[float]] = {name: [] for name in SERVICES}
    for number in range(1, starts + 1):
        progress.step(f"start to ready, {number} of {starts}", 1)
        for name in SERVICES:
            stage.supervisor.stop(stage.services.pop(name))
            began = time.monotonic()
            stage.start_service(name)
            times[name].append(1000 * (time.monotonic() - began))
    return {name: spread(values) for name, values in times.items()}
