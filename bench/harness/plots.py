"""Plots of the results, as SVG."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "microcart"  # The same data gives the same file.

from matplotlib import pyplot  # noqa: E402

from harness.report import MEMORY_BUDGET_MIB  # noqa: E402


def draw_spread(axes, positions: list[int], values: list[dict[str, float]], label: str) -> None:
    """Draws a line through the medians, with bars from the minimum to the maximum."""
    medians = [each["median"] for each in values]
    axes.errorbar(positions, medians, marker=".", capsize=2, label=label,
                  yerr=[[each["median"] - each["min"] for each in values],
                        [each["max"] - each["median"] for each in values]])


def draw(directory: Path, part: str, results: dict) -> list[Path]:
    """Returns the plots that these results allow."""
    images = []

    def save(figure, name: str) -> None:
        path = directory / f"{part}-{name}.svg"
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)
        images.append(path)

    if results.get("sweep"):
        figure, axes = pyplot.subplots(figsize=(7, 4))
        clients = [each["clients"] for each in results["sweep"]]
        for key, label in (("service", "GET cart"), ("yardstick", "pgbench, same SQL")):
            draw_spread(axes, clients, [each[key] for each in results["sweep"]], label)
        axes.set(xscale="log", xlabel="clients", ylabel="requests/s", ylim=(0, None))
        axes.legend()
        axes.set_xticks(clients, [str(count) for count in clients])
        axes.grid(alpha=0.3)
        save(figure, "clients")

    measured = [each for each in results.get("scenarios", []) if each["latency"]]
    if measured:
        figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True)
        for plot, load in zip(axes, ("half", "full")):
            for each in measured:
                percentiles = each["latency"][load]["percentiles"]
                plot.plot(list(percentiles), list(percentiles.values()), marker=".",
                          label=each["title"])
            plot.set(yscale="log", title=f"{load} load", xlabel="percentile", ylabel="ms")
            plot.grid(alpha=0.3)
        axes[0].legend(fontsize="small")
        save(figure, "latency")

    if results.get("rates"):
        figure, axes = pyplot.subplots(figsize=(10, 5))
        for name, values in results["rates"].items():
            draw_spread(axes, results["rows"], values, name)
        axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="requests/s")
        axes.set_xticks(results["rows"], [f"{count:,}" for count in results["rows"]])
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        axes.grid(alpha=0.3)
        save(figure, "rows")

    if results.get("memory"):
        figure, axes = pyplot.subplots(figsize=(7, 4))
        for service, samples in results["memory"].items():
            axes.plot([at / 60 for at, _ in samples], [mib for _, mib in samples], label=service)
        axes.axhline(MEMORY_BUDGET_MIB, linestyle=":", label="budget")
        axes.set(xlabel="minutes", ylabel="resident MiB", ylim=(0, None))
        axes.legend()
        axes.grid(alpha=0.3)
        save(figure, "memory")
    return images
