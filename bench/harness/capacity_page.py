"""The part of docs/scaling.md that `capacity.py` computes."""

from pathlib import Path

from harness import capacity
from harness.capacity import Costs
from harness.report import Table, as_markdown, describe, number

BEGIN, END = "<!-- capacity: begin -->", "<!-- capacity: end -->"


def tables(costs: Costs) -> list[tuple[str, Table]]:
    return [("Measured", capacity.cost_table(costs)), ("Traffic", capacity.traffic_table(costs)),
            ("Needed", capacity.plan_table(costs)), ("Limits", capacity.limit_table(costs))]


def text(costs: Costs) -> str:
    """Returns the text between the markers."""
    measured, traffic, needed, limits = (as_markdown(table) for _, table in tables(costs))
    first = capacity.limits(costs)[0]
    return "\n\n".join((
        f"Measured: {describe(costs.measured)}", measured, traffic,
        "Needed:", needed,
        "![Cores by rate](images/capacity-cores.svg)",
        f"First to end: {first.part}, at {number(first.rate)} requests a second.", limits,
        "![Limits by rate](images/capacity-limits.svg)"))


def document(costs: Costs) -> str:
    """Returns docs/scaling.md with that text."""
    before, found, rest = capacity.DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    assert found, f"{capacity.DOCUMENT} has no {BEGIN}"
    return f"{before}{BEGIN}\n{text(costs)}\n{END}{rest.partition(END)[2]}"


def update(costs: Costs) -> None:
    capacity.DOCUMENT.write_text(document(costs), encoding="utf-8")
    draw(costs, capacity.IMAGES)


def draw(costs: Costs, directory: Path) -> None:
    from harness.plots import pyplot  # matplotlib is slow to load.

    def save(figure, name: str) -> None:
        figure.tight_layout()
        figure.savefig(directory / f"capacity-{name}.svg", metadata={"Date": None})
        pyplot.close(figure)

    rates = [10 ** (3 + step / 10) for step in range(31)]
    plans = [capacity.plan(costs, rate) for rate in rates]
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for process in plans[0].cores:
        axes.plot(rates, [each.cores[process] for each in plans], label=process)
    axes.axhline(capacity.NODE_CORES * capacity.UTILISATION, linestyle=":", color="black",
                 label=f"half of a machine of {capacity.NODE_CORES} cores")
    axes.set(xscale="log", yscale="log", xlabel="signed-in requests/s", ylabel="cores used")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    save(figure, "cores")

    found = capacity.limits(costs)[::-1]
    figure, axes = pyplot.subplots(figsize=(9, 4))
    axes.barh([each.part for each in found], [each.rate for each in found])
    for rate in capacity.RATES:
        axes.axvline(rate, linestyle=":", color="black", linewidth=1)
    axes.set(xscale="log", xlabel="suffices up to, signed-in requests/s")
    axes.set_xlim(left=100)
    save(figure, "limits")
