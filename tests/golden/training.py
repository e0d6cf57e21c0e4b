"""Trains the networks of runs.txt by the Python package; as a program, prints the digest of each of their parameters.

python training.py      one line for each run, number of threads and floating-point mode: name dtype threads mode digest
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import hashlib
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import backpropc as bp

FILE = Path(__file__).with_name("runs.txt")
THREADS = (1, 2, 3, 7)
STREAM = 1000  # of the data: none of the core's own


@dataclass(frozen=True)
class Run:
    """One line of the file."""

    name: str
    sizes: str
    activation: str
    output: str
    loss: str
    optimizer: str
    batch_size: str
    shuffle: str
    samples: str
    epochs: str
    dtype: str
    digest: str


def runs() -> list[Run]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [Run(*line.split()) for line in lines if line and not line.startswith("#")]


def optimizer(text: str) -> Any:
    """``"SGD:learning_rate=0.3,momentum=0.9"`` as an object."""
    name, _, settings = text.partition(":")
    pairs = (setting.split("=") for setting in settings.split(",") if setting)
    return getattr(bp, name)(**{parameter: float(value) for parameter, value in pairs})


def uniform(substream: int, n: int) -> np.ndarray:
    """In [0, 1)."""
    key = np.array([0, STREAM], dtype=np.uint64)
    counter = np.array([0, substream, 0, 0], dtype=np.uint64)
    bits = np.random.Philox(key=key, counter=counter).random_raw(n)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def data(run: Run, fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
    n = int(run.samples)
    x = (2 * uniform(0, n * fan_in) - 1).reshape(n, fan_in).astype(run.dtype)
    if run.loss == "softmax_cross_entropy":
        return x, np.floor(fan_out * uniform(1, n)).astype(np.int64)
    return x, uniform(1, n * fan_out).reshape(n, fan_out).astype(run.dtype)


@contextlib.contextmanager
def hostile_mode() -> Iterator[None]:
    """Round upward and flush subnormals to zero, as a caller may have set the processor before it calls us."""
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    saved, changed = (ctypes.c_uint32 * 16)(), (ctypes.c_uint32 * 16)()
    libm.fegetenv(saved)
    libm.fegetenv(changed)
    if platform.machine() == "x86_64":
        changed[7] |= 0x4000 | 0x8000 | 0x0040  # MXCSR, after the 28 bytes of the x87's environment
    else:
        changed[0] |= 1 << 22 | 1 << 24  # aarch64's FPCR
    libm.fesetenv(changed)
    try:
        yield
    finally:
        libm.fesetenv(saved)


def mode_is_known() -> bool:
    return sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


def trained_digest(run: Run, hostile: bool = False) -> str:
    """SHA-256 of the parameters after the run."""
    sizes = [int(size) for size in run.sizes.split("-")]
    net = bp.Network(sizes, run.activation, run.output, seed=0, dtype=run.dtype)
    trainer = bp.Trainer(
        net,
        loss=run.loss,
        optimizer=optimizer(run.optimizer),
        batch_size=int(run.batch_size),
        shuffle=run.shuffle == "yes",
        seed=0,
    )
    x, t = data(run, sizes[0], sizes[-1])
    with hostile_mode() if hostile else contextlib.nullcontext():
        trainer.fit(x, t, epochs=int(run.epochs))
    return hashlib.sha256(net.parameters.astype(net.dtype.newbyteorder("<")).tobytes()).hexdigest()


def main() -> None:
    for run in runs():
        for threads in THREADS:
            bp.set_num_threads(threads)
            for mode in ("usual", "hostile") if mode_is_known() else ("usual",):
                print(run.name, run.dtype, threads, mode, trained_digest(run, mode == "hostile"))


if __name__ == "__main__":
    main()
