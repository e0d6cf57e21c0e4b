"""Epochs until an encoder has learned, over many initial weights: python examples/encoder_benchmark.py

The benchmark of Fahlman 1988. A network n-h-n of logistic units is to reproduce n patterns, each with one 1, through
h < n hidden units. Weights and biases start uniform in ±1; an epoch is one step on all patterns; the network has
learned when every output is less than 0.4 from its target. Prints two Markdown tables; with --figure it draws the
distributions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import backpropc as bp

PROBLEMS = ((10, 5), (8, 3))  # n and h
N_SEEDS = 300
LIMIT = 1000  # epochs, after which a network counts as one that did not learn
CLOSE_ENOUGH = 0.4


@dataclass(frozen=True)
class Published:
    """What a paper found for 10-5-10: mean and, where we know it, standard deviation."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        return f"about {self.mean:g}" if self.deviation is None else f"{self.mean:g} ± {self.deviation:g}"


def raised_slope(z: np.ndarray) -> np.ndarray:
    return bp.activation_derivative("logistic", z) + 0.1


# Fahlman's remedy for units that are stuck: a logistic function with a slope that is nowhere less than 0.1. Both come
# from the core, because NumPy's exp has not the same bits on every machine.
RAISED = bp.Activation(lambda z: bp.activate("logistic", z), raised_slope, name="raised")


@dataclass(frozen=True)
class Method:
    """An optimizer as the literature writes it, for E the sum over the patterns."""

    name: str
    settings: str
    published: Published | None
    optimizer: Callable[[int], Any]  # of n, as our E is the mean over n: rates are n times theirs, penalties one nth
    activation: Any = "logistic"


def backpropagation(rate: float) -> Callable[[int], Any]:
    return lambda n: bp.SGD(n * rate)


def quickprop(epsilon: float) -> Callable[[int], Any]:
    return lambda n: bp.Quickprop(n * epsilon, mu=1.75, weight_decay=1e-4 / n)


def rprop(variant: str, first: float, largest: float) -> Callable[[int], Any]:
    return lambda n: bp.Rprop(first, max_step=largest, variant=variant)


FAHLMAN_DESCENT = Published(129, 46)
FAHLMAN_QUICKPROP = Published(22, None)
RIEDMILLER = Published(19, 3)

METHODS = (
    Method("Backpropagation", "rate 1.7", FAHLMAN_DESCENT, backpropagation(1.7)),
    Method("Backpropagation", "rate 1.7, σ′ + 0.1", None, backpropagation(1.7), RAISED),
    Method("Quickprop", "ε 0.55, μ 1.75", FAHLMAN_QUICKPROP, quickprop(0.55)),
    Method("Quickprop", "ε 1.5, μ 1.75", FAHLMAN_QUICKPROP, quickprop(1.5)),
    Method("Quickprop", "ε 0.55, μ 1.75, σ′ + 0.1", FAHLMAN_QUICKPROP, quickprop(0.55), RAISED),
    Method("Rprop+", "Δ₀ 0.1, Δmax 50", RIEDMILLER, rprop("rprop+", 0.1, 50.0)),
    Method("Rprop+", "Δ₀ 0.1, Δmax 50, σ′ + 0.1", None, rprop("rprop+", 0.1, 50.0), RAISED),
    Method("Rprop+", "Δ₀ 0.1, Δmax 2", RIEDMILLER, rprop("rprop+", 0.1, 2.0)),
    Method("Rprop+", "Δ₀ 1, Δmax 2", RIEDMILLER, rprop("rprop+", 1.0, 2.0)),
    Method("iRprop+", "Δ₀ 0.1, Δmax 2", None, rprop("irprop+", 0.1, 2.0)),
    Method("Adam", "rate 0.1", None, lambda n: bp.Adam(0.1)),
)


def epochs_to_learn(method: Method, n: int, hidden: int, seed: int) -> int | None:
    """Steps from these initial weights until every output is close enough; None where that takes too long."""
    patterns = np.eye(n)
    around_0 = bp.uniform(-1.0, 1.0)
    net = bp.Network(
        [n, hidden, n], method.activation, seed=seed, dtype="float64", initializer=around_0, bias_initializer=around_0
    )
    trainer = bp.Trainer(net, "half_squared_error", method.optimizer(n), batch_size=n, shuffle=False, seed=seed)
    for epoch in range(LIMIT + 1):
        if np.abs(net.predict(patterns) - patterns).max() < CLOSE_ENOUGH:
            return epoch
        trainer.step(patterns, patterns)
    return None


def all_epochs(method: Method, n: int, hidden: int, seeds: int) -> list[int | None]:
    return [epochs_to_learn(method, n, hidden, seed) for seed in range(seeds)]


def row(method: Method, epochs: list[int | None], with_published: bool) -> str:
    learned = np.array([count for count in epochs if count is not None])
    spread = f" ± {learned.std(ddof=1):.1f}" if learned.size > 1 else ""
    cells = [method.name, method.settings]
    if with_published:
        cells.append(str(method.published) if method.published else "")
    if learned.size:
        cells += [f"{learned.mean():.1f}{spread}", f"{np.median(learned):g}", f"{learned.min()} to {learned.max()}"]
    else:
        cells += ["", "", ""]
    cells.append(str(len(epochs) - learned.size))
    return f"| {' | '.join(cells)} |"


def table(n: int, hidden: int, results: list[list[int | None]]) -> str:
    """The results of one problem; those that did not learn are counted apart and in no mean."""
    with_published = (n, hidden) == PROBLEMS[0]
    heads = ["method", "settings", *(["published"] if with_published else [])]
    heads += ["ours, mean ± s.d.", "median", "range", f"not in {LIMIT}"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [row(method, epochs, with_published) for method, epochs in zip(METHODS, results, strict=True)]
    return "\n".join(lines)


PALE, BLUE, ORANGE, RED = "#a9c6e6", "#12395f", "#d9822b", "#a03020"


def draw(results: dict[tuple[int, int], list[list[int | None]]], path: str) -> None:
    """One line for each method: the distribution of its counts, below it their mean ± s.d., above it the published."""
    from matplotlib import pyplot as plt

    style = {f"axes.spines.{side}": False for side in ("top", "right", "left")}
    with plt.rc_context({"backend": "agg", "font.size": 9, "svg.hashsalt": "backpropc", **style}):
        figure, grid = plt.subplots(1, len(results), figsize=(9.6, 6), sharey=True, layout="constrained")
        for axes, (problem, of_methods) in zip(grid, results.items(), strict=True):
            draw_problem(axes, problem, of_methods)
        grid[0].set_yticks(range(len(METHODS)), [f"{method.name}\n{method.settings}" for method in METHODS])
        grid[0].invert_yaxis()
        for label, color in (("ours, mean ± s.d.", BLUE), ("published", ORANGE)):
            grid[0].plot([], [], "o-", color=color, markersize=4, label=label)
        grid[0].legend(loc="lower right", bbox_to_anchor=(1, 0.12), frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)
        plt.close(figure)


def draw_problem(axes: Any, problem: tuple[int, int], of_methods: list[list[int | None]]) -> None:
    n, hidden = problem
    axes.set_title(f"{n}-{hidden}-{n}", loc="left", fontweight="bold")
    for line, (method, epochs) in enumerate(zip(METHODS, of_methods, strict=True)):
        draw_line(axes, line, epochs, method.published if problem == PROBLEMS[0] else None)
    axes.set(xscale="log", xlim=(8, LIMIT), xlabel=f"epochs until every output is less than {CLOSE_ENOUGH} off")
    axes.set_xticks([10, 20, 50, 100, 200, 500, 1000], ["10", "20", "50", "100", "200", "500", "1000"])
    axes.minorticks_off()
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="y", length=0)


def draw_line(axes: Any, line: int, epochs: list[int | None], published: Published | None) -> None:
    bar = {"fmt": "o", "markersize": 4, "capsize": 3, "zorder": 2}
    if published:
        axes.errorbar(published.mean, line - 0.46, xerr=published.deviation, color=ORANGE, **bar)
    if None in epochs:
        axes.text(LIMIT, line, f"{epochs.count(None)} not in {LIMIT}", ha="right", va="center", color=RED)
    learned = np.array([count for count in epochs if count is not None])
    if learned.size > 1:
        at, height = density(np.log(learned))
        axes.fill_between(np.exp(at), line + 0.14, line + 0.14 - 0.52 * height, color=PALE, linewidth=0, zorder=1)
    if learned.size:
        spread = learned.std(ddof=1) if learned.size > 1 else None
        axes.errorbar(learned.mean(), line + 0.27, xerr=spread, color=BLUE, **bar)


def density(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where, and how dense relative to the densest place: a sum of Gaussians of the width of Scott's rule."""
    width = max(numbers.std(ddof=1), 1e-3) * numbers.size**-0.2
    at = np.linspace(numbers.min() - 2 * width, numbers.max() + 2 * width, 60)
    height = np.exp(-0.5 * ((at[:, None] - numbers) / width) ** 2).sum(axis=1)
    return at, height / height.max()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Epochs until an encoder has learned, by optimizer.")
    parser.add_argument("--seeds", type=int, default=N_SEEDS, help="initial weights for each method (%(default)s)")
    parser.add_argument("--figure", metavar="FILE", help="draw the distributions (needs matplotlib)")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}; it must be at least 1")
    results = {}
    for n, hidden in PROBLEMS:
        results[n, hidden] = [all_epochs(method, n, hidden, options.seeds) for method in METHODS]
        print(f"Epochs of {n}-{hidden}-{n}, seeds 0 to {options.seeds - 1}\n")
        print(f"{table(n, hidden, results[n, hidden])}\n", flush=True)
    if options.figure:
        draw(results, options.figure)


if __name__ == "__main__":
    main()
