"""Alternating rounds of a scenario and its yardstick, then its latency at given rates."""

import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness import usage
from harness.generators import (CONNECT_MILLISECONDS, OPEN_LOOP_WARM_UP, HttpLoad, Nginx, Outcome,
                                PgBench, Validation)
from harness.report import FEW_CLIENTS_RATIOS, MEMORY_BUDGET_MIB, MIN_SAMPLES
from harness.scenarios import Scenario, cart_load, cart_yardstick, profile_yardstick
from harness.stage import Stage
from microcart.services import SERVICES

# At the highest throughput itself queues grow without end, so "full" is a little below it.
LOADS = {"half": 0.5, "full": 0.9}
PEAK_SECONDS = 2
# The rounds of a slow scenario are made longer, up to this, to get enough samples.
MAX_LATENCY_SECONDS = 4
SWEEP = (1, 4, 16, 64, 256, 1000)
SWEEP_ROUNDS = 3
HASH_MIB = 19  # Memory of one password hash (platform/security/password.h).


@dataclass(frozen=True)
class Pace:
    rounds: int = 5
    seconds: int = 2  # For each half of a round.
    warm_up: int = 1  # Seconds, for the service; pgbench then finds the same pages in memory.
    connections: int = 0  # For HTTP loads; 0 means the scenario's own number.
    latency_rounds: int = 3
    latency_seconds: float = 1.5  # For each round at each load.

    def scenario_seconds(self, scenario: Scenario) -> float:
        latency = PEAK_SECONDS + self.latency_rounds * len(LOADS) * (
            self.latency_seconds + OPEN_LOOP_WARM_UP)
        return (self.warm_up + 2 * self.rounds * self.seconds
                + scenario.has_latency * latency)

    def sweep_seconds(self) -> float:
        rounds = min(self.rounds, SWEEP_ROUNDS)
        measurements = 2 * len(SWEEP) + len(FEW_CLIENTS_RATIOS)
        return len(SWEEP) * self.warm_up + measurements * self.seconds * rounds + rounds * sum(
            clients * CONNECT_MILLISECONDS // 1000 for clients in SWEEP)


class Progress:
    """Reports on stderr the current step and the remaining time."""

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
    """Returns the CPU microseconds of each process that used any."""
    used = {name: 1e6 * (seconds - before.get(name, 0)) / count for name, seconds in after.items()}
    return {name: microseconds for name, microseconds in sorted(used.items())
            if microseconds >= 0.05}


def alternate(number: int, first: Callable[[], Outcome],
              second: Callable[[], Outcome]) -> tuple[Outcome, Outcome]:
    """Runs both, in this order in odd rounds and in the other order in even ones."""
    if number % 2:
        one = first()
        return one, second()
    other = second()
    return first(), other


def measure(stage: Stage, scenario: Scenario, pace: Pace, progress: Progress) -> dict:
    load, yardstick = scenario.load(stage), scenario.yardstick(stage)
    if pace.connections and isinstance(load, HttpLoad):
        load = replace(load, connections=pace.connections)
    if pace.warm_up:
        progress.step(f"{scenario.name}: warming up", pace.warm_up)
        load.measure(stage, pace.warm_up)
    reset_peaks(stage)

    rounds, cpu = [], []

    def service() -> Outcome:
        before = stage.sample()
        outcome = load.measure(stage, pace.seconds)
        cpu.append(per_request(before, stage.sample(), outcome.requests))
        return outcome

    for number in range(1, pace.rounds + 1):
        progress.step(f"{scenario.name}: round {number} of {pace.rounds}", 2 * pace.seconds)
        bare, full = alternate(number, lambda: yardstick.measure(stage, pace.seconds), service)
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
        "latency": {}, "yardstick_latency": {},
    }
    if scenario.has_latency:
        result["latency"] = latencies(stage, scenario.title, load, result["service"]["median"],
                                      pace, progress)
    if isinstance(yardstick, Nginx):
        result["yardstick_latency"] = latencies(stage, yardstick.title, yardstick,
                                                result["yardstick"]["median"], pace, progress)
    result["memory_mib"] = memory(stage)
    result["memory_budget_mib"] = MEMORY_BUDGET_MIB + (
        HASH_MIB * (os.cpu_count() + 1) * scenario.hashes)
    return result


def latencies(stage: Stage, title: str, load: HttpLoad | Nginx | Validation, highest: float,
              pace: Pace, progress: Progress) -> dict[str, dict]:
    """Measures latencies at each of the loads, in turns. A load is a share of the rate that the
    open loop achieves when `highest` is due.

    That rate is less than `highest` if the open loop itself is the limit, because it does more work
    for a request than the program that measured `highest`.
    """
    progress.step(f"{title}: what the open loop reaches", PEAK_SECONDS)
    peak = load.at_rate(stage, PEAK_SECONDS, highest)["per_second"]
    rounds: dict[str, list[dict]] = {name: [] for name in LOADS}
    for number in range(1, pace.latency_rounds + 1):
        progress.step(f"{title}: latency, round {number} of {pace.latency_rounds}",
                      len(LOADS) * (pace.latency_seconds + OPEN_LOOP_WARM_UP))
        for name, share in LOADS.items():
            rate = share * peak
            seconds = min(max(math.ceil(MIN_SAMPLES / (pace.latency_rounds * rate)),
                              pace.latency_seconds), MAX_LATENCY_SECONDS)
            rounds[name].append({"rate": rate} | load.at_rate(stage, seconds, rate))
    return {name: summary(each) for name, each in rounds.items()}


def summary(rounds: list[dict]) -> dict:
    """Returns the medians and the spread of rounds at one rate, and the totals of all counts."""
    return {
        "rounds": rounds, "rate": rounds[0]["rate"],
        **{key: sum(each[key] for each in rounds)
           for key in ("requests", "errors", "arrivals", "late_arrivals")},
        **{key: statistics.median(each[key] for each in rounds)
           for key in ("per_second", "due_per_second", "cores")},
        "percentiles": {name: statistics.median(each["percentiles"][name] for each in rounds)
                        for name in rounds[0]["percentiles"]},
        "p50_ms": spread([each["percentiles"]["50"] for each in rounds]),
        "p99_ms": spread([each["percentiles"]["99"] for each in rounds])}


def sweep(stage: Stage, pace: Pace, progress: Progress) -> list[dict]:
    """Measures GET cart with a growing number of clients, in turns with pgbench with as many; with
    few clients, also with pgbench and the query of the validation."""
    points = []
    for clients in SWEEP:
        load = replace(cart_load(stage), connections=clients)
        yardstick: PgBench = replace(cart_yardstick(stage), clients=clients)
        validation: PgBench = replace(profile_yardstick(stage), clients=clients)
        rounds, p50_ratios = [], []
        if pace.warm_up:
            progress.step(f"GET cart with {clients} clients: warming up", pace.warm_up)
            load.measure(stage, pace.warm_up)
        for number in range(1, min(pace.rounds, SWEEP_ROUNDS) + 1):
            progress.step(f"GET cart with {clients} clients: round {number}",
                          (3 if clients in FEW_CLIENTS_RATIOS else 2) * pace.seconds
                          + yardstick.connect_seconds())
            rounds.append(alternate(number, lambda: yardstick.measure(stage, pace.seconds),
                                    lambda: load.measure(stage, pace.seconds)))
            if clients in FEW_CLIENTS_RATIOS:
                bare, full = rounds[-1]
                checked = validation.measure(stage, pace.seconds)
                both_ms = 1000 * clients * (1 / bare.per_second + 1 / checked.per_second)
                p50_ratios.append(full.p50_ms / both_ms)
        points.append({
            "clients": clients,
            "service": spread([full.per_second for _, full in rounds]),
            "yardstick": spread([bare.per_second for bare, _ in rounds]),
            "ratio": spread([full.per_second / bare.per_second for bare, full in rounds]),
            "p50_ms": spread([full.p50_ms for _, full in rounds]),
            "p99_ms": spread([full.p99_ms for _, full in rounds]),
            "p50_ratio": spread(p50_ratios) if p50_ratios else None})
    return points


def start_times(stage: Stage, starts: int, progress: Progress) -> dict[str, dict[str, float]]:
    """Measures the milliseconds from a service's start until it is ready, for each alone."""
    times: dict[str, list[float]] = {name: [] for name in SERVICES}
    for number in range(1, starts + 1):
        progress.step(f"start to ready, {number} of {starts}", 1)
        for name in SERVICES:
            stage.supervisor.stop(stage.services.pop(name))
            began = time.monotonic()
            stage.start_service(name)
            times[name].append(1000 * (time.monotonic() - began))
    return {name: spread(values) for name, values in times.items()}
