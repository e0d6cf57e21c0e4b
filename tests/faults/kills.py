"""kill -9 at random moments of a training with checkpoints: what is on the disk always resumes, to the same bits.

    python tests/faults/kills.py N [FOLDER]   kills so many trainings, each of which goes on where the last one ended

Prints how many there were and at which step the last one ended; an error is an AssertionError.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import backpropc as bp

X = np.random.default_rng(0).normal(size=(50, 5))
T = np.random.default_rng(1).uniform(size=(50, 3))


def new() -> bp.Trainer:
    return bp.Trainer(bp.Network([5, 30, 3], "tanh", "logistic", seed=0), optimizer="Adam", batch_size=4, seed=7)


def train(path: Path) -> None:
    trainer = bp.Trainer.load(path) if path.exists() else new()
    trainer.fit(X, T, until_epoch=10**9, checkpoint=path, checkpoint_every=None, checkpoint_every_steps=3)


def killed_training(path: Path, seconds: float | None) -> float:
    """Kill a training after so many seconds, or once it has saved; return how many they were."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        train(path)
    if seconds is None:
        while not path.exists():
            time.sleep(0.001)
    else:
        time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert status == signal.SIGKILL, f"it ended by itself, with status {status}"
    return time.monotonic() - started


def check(path: Path, undisturbed: bp.Trainer, last: int) -> int:
    """Compare what resumes with a run that was never killed; return at which step it was saved."""
    resumed = bp.Trainer.load(path)
    step = resumed.step_count
    assert step >= last, f"step {last} was on the disk, now it is {step}"
    resumed.fit(X, T, until_epoch=resumed.epoch + 1)
    undisturbed.fit(X, T, until_epoch=resumed.epoch)
    assert resumed.network.parameters.tobytes() == undisturbed.network.parameters.tobytes(), f"other bits at {step}"
    assert resumed.history.history == undisturbed.history.history
    assert resumed.step_count == undisturbed.step_count
    return step


def main(kills: int, path: Path) -> None:
    bp.set_num_threads(1)
    moments = random.Random(0)
    # How long a child lives is measured in what the first file took on this machine.
    horizon = 4 * killed_training(path, None)
    undisturbed, last = new(), 0
    for _ in range(kills):
        killed_training(path, moments.uniform(0.0, horizon))
        last = check(path, undisturbed, last)
    assert last > kills, "the kills came before there was anything to lose"
    new().save(path)
    assert os.listdir(path.parent) == [path.name], "temporary files stay"
    print(f"{kills} kills, up to step {last}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        main(int(sys.argv[1]), Path(folder) / "run.safetensors")
