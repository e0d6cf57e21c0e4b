"""The figures, from build/bench/results.json: `python -m benchmarks.plots RESULTS FOLDER`, where matplotlib is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from .report import cache_of, number, title_of
from .workloads import OURS, Workload

plt.switch_backend("svg")
# The salt makes equal figures equal files.
plt.rcParams.update({"svg.hashsalt": "backpropc", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})

BLUE, GRAY, ORANGE = "#1f5fa8", "#b5b5b5", "#d9822b"


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def bars(axes: Axes, race: dict[str, Any]) -> None:
    """One race: the fastest above, ours in color, each bar with its number."""
    timed = sorted((o for o in race["outcomes"] if o["rows_per_second"]), key=lambda o: o["rows_per_second"])
    scale = Workload.from_record(race["workload"]).flops_per_row * 1e-9 if race["unit"] == "GFLOP/s" else 1.0
    values = [outcome["rows_per_second"] * scale for outcome in timed]
    colors = [BLUE if outcome["label"] == OURS else GRAY for outcome in timed]
    drawn = axes.barh([title_of(outcome["label"]) for outcome in timed], values, color=colors)
    axes.bar_label(drawn, [number(value) for value in values], padding=3)
    axes.set_title(f"{race['name']}: {race['title']}", fontsize=9, loc="left")
    axes.set_xlabel(race["unit"])
    if values and max(values) > 100 * min(values):
        axes.set(xscale="log", xlim=(min(values) / 3, 8 * max(values)))
    elif values:
        axes.set_xlim(right=1.18 * max(values))
    axes.xaxis.set_major_formatter(lambda value, _: number(value) if value else "0")


def draw_races(results: dict[str, Any], path: Path) -> None:
    """All races of the first section."""
    races = [race for race in results["races"] if race["section"] == "One thread, float32"]
    if not races:
        return
    lines = (len(races) + 1) // 2
    figure, grid = plt.subplots(lines, 2, figsize=(11, 2.3 * lines), squeeze=False, layout="constrained")
    for axes in grid.flat[len(races) :]:
        axes.set_visible(False)
    for axes, race in zip(grid.flat, races, strict=False):
        bars(axes, race)
    save(figure, path)


def roof(workload: Workload, machine: dict[str, Any]) -> float:
    """GFLOP/s that no step can pass: the FMA peak, or the time to read every parameter twice and write it once."""
    peak = max(rates[workload.dtype] for rates in machine["fma"].values())
    moved = 3 * workload.parameter_bytes
    bandwidth = machine["read"][cache_of(workload.parameter_bytes, machine)]
    return min(peak, workload.flops_per_row * workload.batch / moved * bandwidth)


def plain_numbers(axes: Axes, values: list[float]) -> None:
    """Labels as one writes them, and a whole decade at the bottom."""
    timed = [value for value in values if value]
    axes.set_ylim(10 ** np.floor(np.log10(min(timed))), 2 * max(timed))
    axes.set_xscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())


def draw_curves(results: dict[str, Any], path: Path) -> None:
    """A family of networks in each field: ours, NumPy's and the roof over them."""
    families = results["curves"]
    if not families:
        return
    figure, grid = plt.subplots(2, 2, figsize=(11, 7.5), squeeze=False, layout="constrained")
    for axes, family in zip(grid.flat, families, strict=True):
        at = [point["at"] for point in family["points"]]
        roofs = [roof(Workload.from_record(point["workload"]), results["machine"]) for point in family["points"]]
        axes.plot(at, roofs, color=ORANGE, linestyle="--", label="roof: FMA peak or bandwidth")
        axes.plot(at, [point["ours"] or None for point in family["points"]], "o-", color=BLUE, ms=4, label="backpropc")
        axes.plot(at, [point["numpy"] or None for point in family["points"]], "s-", color="0.45", ms=3.5, label="NumPy")
        axes.set(title=family["title"], xlabel=family["axis"], ylabel="GFLOP/s", yscale="log")
        axes.grid(alpha=0.3)
        plain_numbers(axes, [point[who] for point in family["points"] for who in ("ours", "numpy")] + roofs)
    grid[0, 0].legend()
    save(figure, path)


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    results = json.loads(source.read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    draw_races(results, folder / "benchmarks-races.svg")
    draw_curves(results, folder / "benchmarks-sizes.svg")


if __name__ == "__main__":
    main()
