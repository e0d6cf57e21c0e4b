"""What pre-training does to a deep logistic network, on scikit-learn's digits: a table and a figure.

python examples/pretraining_digits.py [--help]; it needs scikit-learn and matplotlib.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import backpropc as bp

N_TRAINING = 1000


class Start(NamedTuple):
    """How a network begins, and what it is fine-tuned by."""

    activation: str = "logistic"
    method: str | None = None  # of pre-training
    factor: float = 1.0  # of the initial weights
    optimizer: Any = bp.SGD(0.1)


STARTS = {
    "logistic": Start(),
    "logistic, Adam": Start(optimizer=bp.Adam(1e-3)),
    "logistic, 4 w": Start(factor=4.0),
    "logistic, RBMs": Start(method="rbm"),
    "logistic, denoising": Start(method="denoising"),
    "relu": Start("relu"),
}


def digits() -> tuple[np.ndarray, ...]:
    """Images of 8 × 8 points in [0, 1] and their classes: x and t to learn from, x and t held out."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, t = (data.data[order] / 16).astype(np.float32), data.target[order]
    return x[:N_TRAINING], t[:N_TRAINING], x[N_TRAINING:], t[N_TRAINING:]


def run(start: Start, seed: int, given: argparse.Namespace) -> tuple[list[float], float]:
    """The accuracy on the samples held out after each epoch, and the seconds that it all took."""
    x, t, *held_out = digits()
    began = time.perf_counter()
    net = bp.Network([x.shape[1], *given.hidden, 10], start.activation, "softmax", seed=seed)
    net.parameters *= start.factor
    if start.method:
        bp.pretraining.pretrain(net, x, start.method, epochs=given.pretraining_epochs, seed=seed)
    trainer = bp.Trainer(net, loss="softmax_cross_entropy", optimizer=start.optimizer, batch_size=10, seed=seed)
    x, t = x[: given.labels], t[: given.labels]
    history = trainer.fit(x, t, epochs=given.epochs, validation_data=tuple(held_out), metrics=["accuracy"])
    return history.history["val_accuracy"], time.perf_counter() - began


def draw(accuracies: dict[str, np.ndarray], path: str) -> None:
    """Draw for each start the mean over the seeds, and a band from the worst to the best of them."""
    plt.rcParams["svg.hashsalt"] = "backpropc"
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for name, found in accuracies.items():
        epochs = np.arange(1, found.shape[1] + 1)
        (line,) = axes.plot(epochs, 100 * found.mean(axis=0), label=name)
        axes.fill_between(epochs, 100 * found.min(axis=0), 100 * found.max(axis=0), alpha=0.2, color=line.get_color())
    axes.set(xlabel="epochs of fine-tuning", ylabel="held-out digits right, %", xlim=(0, None), ylim=(0, 101))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, nargs="+", default=[100] * 5, help="sizes of the hidden layers")
    parser.add_argument("--seeds", type=int, default=5, help="how many networks of each kind (default: %(default)s)")
    parser.add_argument("--labels", type=int, default=N_TRAINING, help="samples to fine-tune on (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=40, help="of fine-tuning (default: %(default)s)")
    parser.add_argument("--pretraining-epochs", type=int, default=10, help="for each layer (default: %(default)s)")
    parser.add_argument("--figure", metavar="PATH", help="where to write the figure, by its ending .svg, .png, .pdf")
    given = parser.parse_args(arguments)

    sizes = "-".join(map(str, [64, *given.hidden, 10]))
    print(f"{sizes}, {given.labels} labels, {given.seeds} seeds: held-out digits right, mean (worst to best)")
    early = min(5, given.epochs)
    print(f"{'':20} {f'after epoch {early}':>23} {f'after epoch {given.epochs}':>23} {'time':>7}")
    accuracies = {}
    for name, start in STARTS.items():
        runs = [run(start, seed, given) for seed in range(given.seeds)]
        found = np.array([accuracy for accuracy, _ in runs])
        cells = (
            f"{100 * each.mean():5.1f} % ({100 * each.min():4.1f} to {100 * each.max():4.1f})"
            for each in (found[:, early - 1], found[:, -1])
        )
        print(f"{name:20} {' '.join(f'{cell:>23}' for cell in cells)} {np.mean([s for _, s in runs]):5.1f} s")
        accuracies[name] = found
    if given.figure:
        draw(accuracies, given.figure)


if __name__ == "__main__":
    main()
