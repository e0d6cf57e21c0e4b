"""Many short trainings one after the other, with all that may go on around them: memory, handles and threads stay flat.

    python tests/soak/soak.py --minutes 10

A round makes networks, trains them in every way, cancels and breaks off fits, saves, loads and resumes. After each
block of rounds the process is measured. Flat means: no more open files and threads than after the first block, and no
more memory than after the second but for what an allocator may keep.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import backpropc as bp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 20)).astype("float32")
T = RNG.uniform(size=(300, 5)).astype("float32")
CLASSES = RNG.integers(0, 5, 300)
MARGIN = 8 * 2**20  # bytes; one network's batch left behind in each round would be more within a minute


class Measured(NamedTuple):
    """What a process holds."""

    memory: int
    files: int
    threads: int


def measured() -> Measured:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Measured(
        pages * os.sysconf("SC_PAGESIZE"), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    )


class Enough(Exception):
    pass


def fail(*_: object) -> None:
    raise Enough


# --- what a round does ------------------------------------------------------------------------------------------------


def optimizers(_: Path) -> None:
    for optimizer in (bp.SGD(0.05), bp.SGD(0.01, momentum=0.9), bp.Adam(), bp.Rprop(), bp.LevenbergMarquardt()):
        net = bp.Network([20, 10, 5], "tanh", "logistic", seed=0)
        net.fit(X, T, optimizer=optimizer, epochs=1, batch_size=32, seed=0)
        net.predict(X), net.loss(X, T), net.gradients(X, T), net.trace(X[:3], T[:3]), net.copy()


def online(_: Path) -> None:
    net = bp.Network([20, 8, 5], "tanh", "softmax", seed=0)
    net.fit(X, CLASSES, loss="softmax_cross_entropy", optimizer=bp.SGD(0.01), batch_size=1, epochs=2, seed=0)
    for i in range(50):
        net.update(X[i], T[i] / T[i].sum(), 0.01, loss="softmax_cross_entropy")


def threads(_: Path) -> None:
    net = bp.Network([20, 300, 300, 5], "relu", seed=0)
    for n in (1, 2, 3, 2):
        with bp.num_threads(n):
            net.fit(X, T, optimizer=bp.SGD(1e-3), epochs=1, batch_size=150)
    workers = [threading.Thread(target=net.predict, args=(X,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def control(_: Path) -> None:
    net = bp.Network([20, 30, 5], "gelu", seed=0)
    trainer = bp.Trainer(
        net, optimizer=bp.Adam(), dropout=0.2, l2=1e-3, clip_norm=1.0, schedule=bp.schedules.cosine(3), seed=0
    )
    stopping = bp.EarlyStopping(patience=1)
    trainer.fit(X, T, epochs=3, validation_data=(X, T), metrics=["r2"], early_stopping=stopping)
    trainer.fit([(X[:100], T[:100]), (X[100:], T[100:])], epochs=2)
    repr(trainer.history)


def files(folder: Path) -> None:
    path = folder / "run.safetensors"
    trainer = bp.Trainer(bp.Network([20, 30, 5], "tanh", seed=0), optimizer=bp.Adam(), batch_size=64, seed=0)
    trainer.fit(X, T, epochs=2, checkpoint=path, checkpoint_every_steps=4)
    bp.Trainer.load(path).fit(X, T, until_epoch=3)
    bp.Network.load(path).save(folder / "net.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    refused(lambda: bp.Trainer.load(path), ValueError)
    refused(lambda: trainer.save(folder / "none" / "file"), OSError)


def populations(folder: Path) -> None:
    path = folder / "population.safetensors"
    population = bp.Population([20, 10, 5], 20, seed=0)
    arguments: dict[str, Any] = {"optimizer": bp.Adam(np.linspace(0.001, 0.1, 20)), "batch_size": 32}
    population.fit(X, T, epochs=2, checkpoint=path, **arguments)
    bp.Population.load(path).resume(X, T, until_epoch=3, metrics=["r2"])
    refused(lambda: population.fit(X, T, callbacks=[fail], **arguments), Enough)
    bp.search([20, 5, 5], {"optimizer": [bp.SGD(0.1), bp.SGD(0.01)]}, X, T, cv=2, epochs=1)


def broken_off(_: Path) -> None:
    own = bp.Activation(np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    breaking = bp.Activation(np.tanh, fail)
    for hidden in (own, breaking):
        net = bp.Network([20, 10, 5], hidden, seed=0)
        refused(lambda net=net: net.fit(X, T, optimizer=bp.SGD(0.1), callbacks=[fail]), Enough)
    net = bp.Network([20, 10, 5], "relu", seed=0)
    refused(lambda: net.fit(X, 1e38 * T, optimizer=bp.SGD(1e30)), FloatingPointError)
    refused(lambda: net.fit(X, T[:-1], optimizer=bp.SGD(0.1)), ValueError)
    refused(lambda: net.fit(X, T, optimizer="none"), ValueError)


def cancelled(_: Path) -> None:
    net = bp.Network([20, 10, 5], "tanh", seed=0)
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    refused(lambda: net.fit(X, T, optimizer=bp.SGD(1e-6), epochs=10**9), Enough)


def refused(call: Callable[[], Any], error: type[BaseException]) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


WORK = (optimizers, online, threads, control, files, populations, broken_off, cancelled)

# --- the loop ---------------------------------------------------------------------------------------------------------


def soak(minutes: float, blocks: int) -> list[Measured]:
    """Work for so long; return what was measured at the end of each of so many blocks of equal time."""
    signal.signal(signal.SIGALRM, fail)
    bp.set_num_threads(2)
    found, rounds, start = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for block in range(1, blocks + 1):
            while time.monotonic() < start + 60.0 * minutes * block / blocks:
                for work in WORK:
                    work(Path(folder))
                rounds += 1
            found.append(measured())
            now = found[-1]
            print(
                f"{rounds:6} rounds, {len(WORK) * rounds:7} pieces of work: {now.memory / 2**20:.1f} MiB, "
                f"{now.files} files, {now.threads} threads",
                flush=True,
            )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    minutes = parser.parse_args().minutes
    found = soak(minutes, blocks=6)
    first, last = found[0], found[-1]
    grown = last.memory - found[1].memory
    flat = grown <= MARGIN and last.files <= first.files and last.threads <= first.threads
    print("flat" if flat else f"NOT FLAT: {grown} bytes more, {first} to {last}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
