"""The micro-benchmarks of bench/micro."""

import json

from harness.report import Table, number
from harness.stage import Stage

REPETITIONS = 5


def measure(stage: Stage) -> list[tuple[str, Table]]:
    output = stage.output([stage.program("bench_micro"), "--benchmark_format=json",
                           "--benchmark_min_time=0.1", f"--benchmark_repetitions={REPETITIONS}",
                           "--benchmark_report_aggregates_only=true"])
    table = [["operation", "CPU time, ns", "±"]]
    by_name: dict[str, dict[str, float]] = {}
    for each in json.loads(output)["benchmarks"]:
        by_name.setdefault(each["run_name"], {})[each["aggregate_name"]] = each["cpu_time"]
    table += [[name, number(times["median"]), number(times["stddev"])]
              for name, times in by_name.items()]
    return [("Micro-benchmarks", table)]
