"""What is measured: each network, its data and the work in it, defined once for every contestant."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A network and what is done with it; a plain record, so that it can be sent to a contestant's process."""

    sizes: tuple[int, ...]
    rows: int
    batch: int = 1
    activation: str = "relu"
    output_activation: str = "softmax"
    loss: str = "softmax_cross_entropy"
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    dropout: float = 0.0
    progress: bool = False
    callback: bool = False
    predict: bool = False
    dtype: str = "float32"
    threads: int = 1
    members: int = 1  # networks of this shape, each trained on the same rows

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Workload:
        """The workload that `record` was made of."""
        return cls(**{**record, "sizes": tuple(record["sizes"])})

    def record(self) -> dict[str, Any]:
        """What JSON can carry."""
        return asdict(self)

    def changed(self, **changes: Any) -> Workload:
        """The same with other values."""
        return replace(self, **changes)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Every layer's (fan_in, fan_out)."""
        return list(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def parameter_bytes(self) -> int:
        """What one prediction of one row must read."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in self.layers) * np.dtype(self.dtype).itemsize

    @property
    def flops_per_row(self) -> int:
        """Multiplications and additions of the matrix products, for one row.

        Forward, dx and dw are 2·fan_in·fan_out each; nobody needs the first layer's dx.
        """
        products = sum(fan_in * fan_out for fan_in, fan_out in self.layers)
        if self.predict:
            return 2 * products
        return 6 * products - 2 * self.sizes[0] * self.sizes[1]

    def data(self) -> Data:
        """Samples, targets and the parameters that every contestant starts from."""
        rng = np.random.default_rng(0)
        fan_in, fan_out = self.sizes[0], self.sizes[-1]
        classes = rng.integers(0, fan_out, self.rows)
        if self.output_activation == "logistic" and fan_in == fan_out == self.rows:
            x = t = np.eye(fan_in, dtype=self.dtype)
        elif self.loss == "softmax_cross_entropy":
            x = rng.random((self.rows, fan_in)).astype(self.dtype)
            t = np.eye(fan_out, dtype=self.dtype)[classes]
        else:
            x = rng.random((self.rows, fan_in)).astype(self.dtype)
            t = rng.normal(size=(self.rows, fan_out)).astype(self.dtype)
        parameters = [self._layer(rng, *layer) for layer in self.layers]
        return Data(x, t, classes, parameters)

    def _layer(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
        w = rng.normal(size=(fan_in, fan_out)) * np.sqrt(2 / (fan_in + fan_out))
        return w.astype(self.dtype), rng.normal(scale=0.01, size=fan_out).astype(self.dtype)


@dataclass(frozen=True)
class Data:
    """x (rows, fan_in), t (rows, fan_out), the classes that a one-hot t stands for, and (w, b) of every layer."""

    x: np.ndarray
    t: np.ndarray
    classes: np.ndarray
    parameters: list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Entry:
    """One contestant's part in a race, under the name that the table shows."""

    label: str
    contestant: str
    workload: Workload


@dataclass(frozen=True)
class Target:
    """Ours at least `ratio` times the best of `of`, or at least a share of one of the machine's limits, where given.

    `of` names entries of the same race. `share_of_peak` is a number, or one for each instruction set.
    """

    ratio: float | None = None
    of: tuple[str, ...] = ()
    share_of_peak: float | dict[str, float] | None = None
    share_of_bandwidth: float | None = None


@dataclass(frozen=True)
class Race:
    """Entries run side by side, ours first; the table counts rows a second under the name `unit`, or GFLOP/s."""

    name: str
    title: str
    unit: str
    entries: tuple[Entry, ...]
    targets: tuple[Target, ...] = ()
    section: str = "One thread, float32"
    longer: int = 1  # how many times as long as others' a round takes, where what comes once in a run must not count

    @property
    def workload(self) -> Workload:
        """Ours'."""
        return self.entries[0].workload

    def without(self, absent: set[str]) -> Race:
        """The same among fewer contestants."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.contestant not in absent))


OURS = "backpropc"
PEERS = ("numpy", "torch", "jax", "sklearn")

W1 = Workload((8, 3, 8), 8, 1, "logistic", "logistic", "half_squared_error", learning_rate=0.3)
W2A = Workload((784, 128, 10), 1024, 32)
W2B = Workload((784, 512, 256, 10), 1024, 128)
W2C = W2A.changed(optimizer="adam", learning_rate=1e-4)
W3 = Workload((1024, 4096, 1024), 256, 256, "relu", "identity", "mean_squared_error", learning_rate=0.1)
W4 = Workload((784, 128, 10), 1, 1, predict=True)
W4B = W4.changed(rows=1024, batch=1024)


def against(workload: Workload, *contestants: str) -> tuple[Entry, ...]:
    """Ours and these, all at the same work."""
    return tuple(Entry(name, name, workload) for name in (OURS, *contestants))


def main_races() -> list[Race]:
    """The issue's workloads, one thread."""
    predictors = (*PEERS, "onnxruntime")
    return [
        Race(
            "W1",
            "online SGD, 8-3-8 logistic, ½ squared error",
            "updates/s",
            against(W1, "handwritten", "fann", *PEERS),
            (
                Target(0.9, ("handwritten",)),
                Target(3.0, ("fann",)),
                Target(6.0, ("jax",)),
                Target(1000.0, ("torch",)),
            ),
        ),
        Race(
            "W2a",
            "784-128-10 relu, softmax cross-entropy, batch 32, SGD",
            "samples/s",
            against(W2A, *PEERS),
            (Target(1.5, PEERS, share_of_peak=0.75),),
        ),
        Race(
            "W2b",
            "784-512-256-10 relu, softmax cross-entropy, batch 128, SGD",
            "samples/s",
            against(W2B, *PEERS),
            (Target(1.3, PEERS, share_of_peak=0.8),),
        ),
        Race("W2c", "as W2a with Adam", "samples/s", against(W2C, *PEERS), (Target(1.8, PEERS),)),
        Race(
            "W3",
            "1024-4096-1024 relu, mean squared error, batch 256, SGD",
            "GFLOP/s",
            against(W3, *PEERS),
            (Target(share_of_peak={"avx2": 0.85, "avx512": 0.8}),),
        ),
        Race(
            "W4",
            "predict one row, 784-128-10",
            "calls/s",
            against(W4, *predictors),
            (Target(2.0, ("onnxruntime",), share_of_bandwidth=0.8),),
        ),
        Race(
            "W4b",
            "predict 1024 rows, 784-128-10",
            "rows/s",
            against(W4B, *predictors),
            (Target(1.1, ("onnxruntime",), share_of_peak=0.8),),
        ),
    ]


def thread_races() -> list[Race]:
    """Ours on two threads against ours on one."""
    races = []
    for race in main_races():
        if race.name not in ("W1", "W2a", "W2b", "W3", "W4b"):
            continue
        work = race.workload
        entries = (Entry("two threads", OURS, work.changed(threads=2)), Entry("one thread", OURS, work))
        ratio = 1.0 if race.name in ("W1", "W2a") else 1.8
        targets = (Target(ratio, ("one thread",)),)
        races.append(Race(f"{race.name}-threads", race.title, race.unit, entries, targets, "Two threads"))
    return races


def float64_races() -> list[Race]:
    """Ours in float64 against ours in float32, beside the peers that matter."""
    races = []
    for race in main_races():
        if race.name == "W2c":
            continue
        work = race.workload
        double = work.changed(dtype="float64")
        peers = ("handwritten", "numpy") if race.name == "W1" else ("numpy",)
        entries = (*against(double, *peers), Entry("backpropc float32", OURS, work))
        targets = (Target(0.5, ("backpropc float32",)),)
        races.append(Race(f"{race.name}-float64", race.title, race.unit, entries, targets, "float64"))
    return races


def option_races() -> list[Race]:
    """What an option adds to a step of 784-128-10, batch 32, at most by a factor (0: any); the bar, to W1's."""

    def race(name: str, title: str, work: Workload, factor: float, longer: int = 1, **changes: Any) -> Race:
        entries = (Entry(title, OURS, work.changed(**changes)), Entry("plain SGD", OURS, work))
        targets = (Target(1 / factor, ("plain SGD",)),) if factor else ()
        heading = f"{title} against plain SGD"
        return Race(name, heading, "samples/s", entries, targets, "What options cost", longer)

    return [
        race("adam-cost", "Adam", W2A, 1.3, optimizer="adam", learning_rate=1e-4),
        race("dropout-cost", "dropout 0.5", W2A, 1.1, dropout=0.5),
        race("callback-cost", "a callback at every epoch's end", W2A, 0, callback=True),
        race("progress-cost", "W1 with a progress bar", W1, 1.01, 30, progress=True),
    ]


W5 = W1.changed(members=1024)
W5B = Workload((2, 16, 16, 1), 1024, 32, "tanh", "identity", "mean_squared_error", learning_rate=0.01, members=1024)


def population_races() -> list[Race]:
    """Networks side by side, counted over all of them, against one after the other."""

    def race(name: str, title: str, unit: str, work: Workload, *targets: Target) -> Race:
        alone, lone = work.changed(members=1), "backpropc, one network"
        entries = (
            Entry(OURS, OURS, work),
            Entry(lone, OURS, alone),
            *(Entry(f"jax {n} networks", "jax", work.changed(members=n)) for n in (256, 1024, 4096)),
            Entry("torch", "torch", alone),
        )
        return Race(name, title, unit, entries, targets, "Populations")

    jax = tuple(f"jax {n} networks" for n in (256, 1024, 4096))
    return [
        race(
            "W5",
            "1024 networks, online SGD, 8-3-8 logistic, ½ squared error",
            "updates/s",
            W5,
            Target(8.0, ("backpropc, one network",)),
            Target(6.0, jax),
        ),
        race(
            "W5b",
            "1024 networks, 2-16-16-1 tanh, mean squared error, batch 32, SGD",
            "samples/s",
            W5B,
            Target(4.0, jax),
            Target(50.0, ("torch",)),
        ),
        Race(
            "W5-threads",
            "1024 networks, online SGD, 8-3-8 logistic",
            "updates/s",
            (Entry("two threads", OURS, W5.changed(threads=2)), Entry("one thread", OURS, W5)),
            (Target(1.8, ("one thread",)),),
            "Populations",
        ),
    ]


@dataclass(frozen=True)
class Curve:
    """A training step's GFLOP/s over a family of networks, ours against NumPy's: (x of the plot, workload)."""

    name: str
    title: str
    axis: str
    points: tuple[tuple[int, Workload], ...]

    def race(self, workload: Workload) -> Race:
        """Ours and NumPy at one point."""
        return Race(self.name, self.title, "GFLOP/s", against(workload, "numpy"), section="Over sizes")


def all_races() -> list[Race]:
    """Every table's, in the order of the report."""
    return [*main_races(), *thread_races(), *float64_races(), *option_races(), *population_races()]


def curves(quick: bool) -> list[Curve]:
    """Families whose sizes cross everything a kernel treats apart: tails, one column, panels, thresholds."""
    batches = (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128)
    squares = (1, 2, 3, 5, 8, 13, 16, 17, 31, 32, 37, 64, 67, 97, 128, 131, 251, 256, 257, 509, 512, 521, 1000, 1009)
    widths = (1, 3, 17, 64, 127, 256, 1000, 1021, 4096, 4099, 16384)
    depths = (1, 2, 4, 8, 16, 32, 64, 128)
    if quick:
        batches, squares = (1, 2, 4, 8, 32), (1, 3, 17, 64, 131, 256, 1000)
        widths, depths = (17, 256, 4099), (4, 64)
    step = Workload((784, 128, 10), 0)

    def sized(sizes: tuple[int, ...], batch: int) -> Workload:
        return step.changed(sizes=sizes, batch=batch, rows=batch, learning_rate=1e-3)

    return [
        Curve("batch", "784-128-10", "batch", tuple((n, sized((784, 128, 10), n)) for n in batches)),
        Curve("square", "n-n-n, batch 32", "n", tuple((n, sized((n, n, n), 32)) for n in squares)),
        Curve("wide", "64-n-10, batch 32", "n", tuple((n, sized((64, n, 10), 32)) for n in widths)),
        Curve("deep", "64-…-64, batch 32", "layers", tuple((n, sized((64,) * (n + 1), 32)) for n in depths)),
    ]
