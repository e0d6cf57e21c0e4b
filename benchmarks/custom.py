"""What it costs to write an activation and a loss in Python: microseconds a step, beside the same two of ours.

python -m benchmarks.custom
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import backpropc as bp

SHAPES = {"8-3-8, online": ([8, 3, 8], 1, 2000), "784-128-10, batches of 32": ([784, 128, 10], 32, 40)}
REPEATS = 7


def logistic(z: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-z))


def slope(z: np.ndarray) -> np.ndarray:
    a = logistic(z)
    return a * (1.0 - a)


ACTIVATION = bp.Activation(logistic, slope)
LOSS = bp.Loss(lambda a, t: 0.5 * ((a - t) ** 2).sum(axis=1), lambda a, t: a - t, name="half_square")
PAIRS: dict[str, tuple[Any, Any]] = {
    "ours": ("logistic", "half_squared_error"),
    "the loss in Python": ("logistic", LOSS),
    "the activations in Python": (ACTIVATION, "half_squared_error"),
    "both in Python": (ACTIVATION, LOSS),
}


def microseconds(sizes: list[int], batch_size: int, steps: int, activation: Any, loss: Any) -> float:
    """The least of several runs: what disturbs a run only makes it longer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch_size * steps, sizes[0])).astype(np.float32)
    t = rng.uniform(size=(batch_size * steps, sizes[-1])).astype(np.float32)
    trainer = bp.Trainer(bp.Network(sizes, activation, seed=0), loss, bp.SGD(0.01), batch_size, shuffle=False)
    trainer.fit(x, t)
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        trainer.fit(x, t)
        times.append(time.perf_counter() - begin)
    return min(times) / steps * 1e6


def main() -> None:
    """Print the table."""
    print("| a step of", *PAIRS, sep=" | ", end=" |\n")
    print("| ---", *("---:" for _ in PAIRS), sep=" | ", end=" |\n")
    with bp.num_threads(1):
        for name, shape in SHAPES.items():
            times = [microseconds(*shape, *pair) for pair in PAIRS.values()]
            print(f"| {name}", *(f"{each:.3g} µs" for each in times), sep=" | ", end=" |\n")


if __name__ == "__main__":
    main()
