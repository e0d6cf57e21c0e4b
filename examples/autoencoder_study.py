"""The lecture's autoencoder over thousands of seeds: python examples/autoencoder_study.py

An 8-3-8 network of logistic units is to reproduce eight patterns, each with one 1: online, in order, weights and biases
uniform in ± a range. Every hundred epochs it counts the networks whose largest output is right for all patterns, those
of which every output is within 0.4 of its target, and those whose hidden values round to eight different codes: by
learning rate and initial range.
Prints a Markdown table of each; with --figure it draws how the counts of epochs are distributed. With --race it runs
the same training of one network in NumPy and, where it is installed, PyTorch, and scales their times. With --numpy N it
counts N networks that NumPy alone has trained in float64, from random numbers of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import backpropc as bp

RATES = (0.1, 0.3, 1.0, 3.0)
RANGES = (0.1, 1.0)
EVERY = 100  # epochs between looks
CLOSE_ENOUGH = 0.4
PATTERNS = np.eye(8)
NAMES = ("largest output right", f"all within {CLOSE_ENOUGH:g}", "eight codes")


@dataclass
class Found:
    """What became of the networks of one learning rate and one initial range."""

    rate: float
    width: float
    seconds: float
    reached: np.ndarray  # (looks, 3, seeds), bool: by the epoch (look + 1) · EVERY

    def share(self, epoch: int) -> np.ndarray:
        """In percent, of each of the three."""
        return 100.0 * self.reached[epoch // EVERY - 1].mean(axis=1)

    def first_epochs(self, what: int) -> np.ndarray:
        """The first look at which a network had reached it; nan where none."""
        reached = self.reached[:, what]
        return np.where(reached.any(axis=0), (reached.argmax(axis=0) + 1.0) * EVERY, np.nan)


def judge(a: np.ndarray, w1: np.ndarray, b1: np.ndarray) -> np.ndarray:
    """Return the three questions' answers, (3, seeds), of outputs (seeds, 8, 8) and the parameters behind the codes."""
    right = (a.argmax(axis=2) == np.arange(8)).all(axis=1)
    close = (abs(a - PATTERNS) < CLOSE_ENOUGH).all(axis=(1, 2))
    bits = w1 + b1[:, None] > 0.0  # of the hidden values: logistic(z) > ½ where z > 0
    codes = np.sort(bits @ np.array([4, 2, 1]), axis=1)
    return np.stack([right, close, (codes == np.arange(8)).all(axis=1)])


def study(rate: float, width: float, n: int, epochs: int, dtype: str) -> Found:
    """Train n seeds and look at them every EVERY epochs."""
    uniform = bp.uniform(-width, width)
    began = time.perf_counter()
    population = bp.Population(
        [8, 3, 8], n, "logistic", seed=0, dtype=dtype, initializer=uniform, bias_initializer=uniform
    )
    reached = []
    for _ in range(EVERY, epochs + 1, EVERY):  # plain steps in order: nothing but the parameters goes on
        population.fit(PATTERNS, PATTERNS, optimizer=bp.SGD(rate), batch_size=1, shuffle=False, epochs=EVERY)
        p = population.parameters
        reached.append(judge(population.predict(PATTERNS), p[:, :24].reshape(-1, 8, 3), p[:, 24:27]))
    return Found(rate, width, time.perf_counter() - began, np.array(reached))


def in_percent(share: float) -> str:
    """Write a share so that what is not all does not look so."""
    return f"{share:.2f} %" if 99.9 < share < 100.0 else f"{share:.1f} %"


def table(found: list[Found], what: int, looks: list[int]) -> list[str]:
    """Return how many networks had reached it by some epochs, as Markdown."""
    lines = [f"| range | rate | {' | '.join(f'{epoch} epochs' for epoch in looks)} | seconds |"]
    lines.append("| --- " * (len(looks) + 3) + "|")
    for each in found:
        shares = " | ".join(in_percent(each.share(epoch)[what]) for epoch in looks)
        lines.append(f"| ±{each.width:g} | {each.rate:g} | {shares} | {each.seconds:.1f} |")
    return lines


def draw(found: list[Found], path: str, epochs: int) -> None:
    """Draw how many networks reach each of the three, and when."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, len(RANGES), figsize=(9, 8), sharex=True, sharey="row", squeeze=False)
    bins = np.arange(0, epochs + 1, max(EVERY, epochs // 50)) + EVERY / 2
    for column, width in enumerate(RANGES):
        for each in (one for one in found if one.width == width):
            looks = np.arange(1, len(each.reached) + 1) * EVERY
            first = each.first_epochs(1)
            axes[0, column].hist(first[~np.isnan(first)], bins, histtype="step", label=f"rate {each.rate:g}")
            for row, what in ((1, 1), (2, 2)):
                axes[row, column].plot(looks, 100.0 * each.reached[:, what].mean(axis=1))
        axes[0, column].set_title(f"initial range ±{width:g}")
        axes[2, column].set_xlabel("epochs")
    for row, label in enumerate((f"networks that first come\nwithin {CLOSE_ENOUGH:g} of all targets",
                                 f"within {CLOSE_ENOUGH:g}, %", "with eight codes, %")):  # fmt: skip
        axes[row, 0].set_ylabel(label)
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def epochs_of_numpy(n_epochs: int, rate: float = 0.3) -> None:
    """Train one network as one writes it in NumPy."""
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (rng.uniform(-0.1, 0.1, shape).astype(np.float32) for shape in ((8, 3), 3, (3, 8), 8))
    patterns = PATTERNS.astype(np.float32)
    for _ in range(n_epochs):
        for x in patterns:
            a1 = 1 / (1 + np.exp(-(x @ w1 + b1)))
            a2 = 1 / (1 + np.exp(-(a1 @ w2 + b2)))
            delta2 = (a2 - x) * a2 * (1 - a2)
            delta1 = (w2 @ delta2) * a1 * (1 - a1)
            w2 -= rate * np.outer(a1, delta2)
            b2 -= rate * delta2
            w1 -= rate * np.outer(x, delta1)
            b1 -= rate * delta1


def epochs_of_torch(n_epochs: int, rate: float = 0.3) -> None:
    """Train one network as one writes it in PyTorch, in one thread."""
    import torch

    torch.set_num_threads(1)
    layers = [torch.nn.Linear(8, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 8), torch.nn.Sigmoid()]
    network, patterns = torch.nn.Sequential(*layers), torch.eye(8)
    optimizer = torch.optim.SGD(network.parameters(), rate)
    for _ in range(n_epochs):
        for x in patterns:
            optimizer.zero_grad()
            (0.5 * ((network(x) - x) ** 2).sum()).backward()
            optimizer.step()


def study_of_numpy(rate: float, width: float, n: int, epochs: int) -> Found:
    """Train n networks side by side as one writes them in NumPy, and look at them every EVERY epochs."""
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (rng.uniform(-width, width, (n, *shape)) for shape in ((8, 3), (3,), (3, 8), (8,)))
    began, reached = time.perf_counter(), []
    for epoch in range(1, epochs + 1):
        for i in range(8):  # the pattern whose input i is 1
            a1 = 1 / (1 + np.exp(-(w1[:, i] + b1)))
            a2 = 1 / (1 + np.exp(-(np.einsum("nj,njk->nk", a1, w2) + b2)))
            delta2 = (a2 - PATTERNS[i]) * a2 * (1 - a2)
            delta1 = np.einsum("njk,nk->nj", w2, delta2) * a1 * (1 - a1)
            w2 -= rate * a1[:, :, None] * delta2[:, None]
            b2 -= rate * delta2
            w1[:, i] -= rate * delta1
            b1 -= rate * delta1
        if epoch % EVERY == 0:
            a1 = 1 / (1 + np.exp(-(w1 + b1[:, None])))
            reached.append(judge(1 / (1 + np.exp(-(a1 @ w2 + b2[:, None]))), w1, b1))
    return Found(rate, width, time.perf_counter() - began, np.array(reached))


def race(n: int, epochs: int, seconds: float) -> list[str]:
    """Return how long others would take for n networks, by 200 epochs of one."""
    lines = [f"ours: {n} networks, {epochs} epochs: {seconds:.1f} s, measured"]
    others: dict[str, Callable[[int], None]] = {"NumPy": epochs_of_numpy, "PyTorch": epochs_of_torch}
    for name, train in others.items():
        try:
            train(20)
        except ModuleNotFoundError:
            lines.append(f"{name}: not installed")
            continue
        times = []
        for _ in range(3):
            began = time.perf_counter()
            train(200)
            times.append(time.perf_counter() - began)
        whole = min(times) / 200 * epochs * n
        lines.append(
            f"{name}: {min(times) / 1600 * 1e6:.1f} µs an update, measured; {whole / 3600:.1f} h for all, scaled: "
            f"{whole / seconds:.0f} times ours"
        )
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=5000)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--figure", help="where to draw the distributions, as an SVG or PNG")
    parser.add_argument("--race", action="store_true", help="measure NumPy and PyTorch on one network too")
    parser.add_argument("--numpy", type=int, help="how many networks to train in NumPy too, at rate 0.3 from ±0.1")
    given = parser.parse_args(arguments)
    given.epochs = max(EVERY, given.epochs // EVERY * EVERY)
    looks = sorted({epoch for epoch in (500, 1000, 2000, 3000) if epoch < given.epochs} | {given.epochs})
    found = [study(rate, width, given.seeds, given.epochs, given.dtype) for width in RANGES for rate in RATES]
    for what, name in enumerate(NAMES):
        print(f"\n{name}, of {given.seeds} seeds, {given.dtype}\n")
        print("\n".join(table(found, what, looks)))
    if given.numpy:
        in_numpy = study_of_numpy(0.3, 0.1, given.numpy, given.epochs)
        for what, name in enumerate(NAMES):
            print(f"\n{name}, of {given.numpy} in NumPy, float64\n")
            print("\n".join(table([in_numpy], what, looks)))
    if given.race:
        of_lecture = next(each for each in found if (each.rate, each.width) == (0.3, 0.1))
        print("\n" + "\n".join(race(given.seeds, given.epochs, of_lecture.seconds)))
    if given.figure:
        draw(found, given.figure, given.epochs)


if __name__ == "__main__":
    main()
