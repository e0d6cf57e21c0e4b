"""What it costs to watch a training with a Diagnosis: its processor time, beside the same training without.

python -m benchmarks.diagnosis
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

import backpropc as bp

ROUNDS = 15


@dataclass(frozen=True)
class Run:
    """A training of some tenths of a second."""

    sizes: tuple[int, ...]
    samples: int
    batch_size: int
    epochs: int

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"{sizes}, {self.samples} samples, batches of {self.batch_size}, {self.epochs} epochs"

    def seconds(self, diagnosis: bp.Diagnosis | None) -> float:
        """Return the processor time of all threads."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.samples, self.sizes[0])).astype(np.float32)
        t = rng.uniform(size=(self.samples, self.sizes[-1])).astype(np.float32)
        net = bp.Network(self.sizes, "tanh", "logistic", seed=0)
        trainer = bp.Trainer(net, optimizer=bp.SGD(0.01), batch_size=self.batch_size, seed=0)
        begin = time.process_time()
        trainer.fit(x, t, epochs=self.epochs, callbacks=[] if diagnosis is None else [diagnosis])
        return time.process_time() - begin


RUNS = (
    Run((8, 3, 8), 8, 1, 400_000),
    Run((2, 16, 16, 1), 200, 32, 12_000),
    Run((784, 128, 10), 1_000, 32, 60),
    Run((784, 128, 10), 10_000, 32, 8),
    Run((784, 128, 10), 1_000, 128, 60),
    Run((64, 256, 256, 256, 256, 10), 1_000, 32, 30),
    Run((784, 1000, 1000, 10), 2_000, 64, 3),
)


def cost(run: Run) -> tuple[float, float, int]:
    """Return the seconds without, the share that watching adds, and how many looks there were.

    Turn and turn about, so that what else the machine does meets both; of each the first quartile, for that only adds.
    """
    times: tuple[list[float], list[float]] = ([], [])
    looks = 0
    for _ in range(ROUNDS):
        diagnosis = bp.Diagnosis()
        times[0].append(run.seconds(None))
        times[1].append(run.seconds(diagnosis))
        looks = len(diagnosis.records)
    without, watched = (float(np.percentile(each, 25)) for each in times)
    return without, watched / without - 1.0, looks


def main() -> None:
    """Print the table."""
    print("| a training of | without | watching adds | looks |")
    print("| --- | ---: | ---: | ---: |")
    with bp.num_threads(1):
        for run in RUNS:
            run.seconds(bp.Diagnosis())
            without, share, looks = cost(run)
            print(f"| {run} | {without:.2f} s | {share:.1%} | {looks} |", flush=True)


if __name__ == "__main__":
    main()
