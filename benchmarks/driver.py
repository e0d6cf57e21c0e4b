"""The races: each entry a process of its own, asked in turn for one timed round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .contestants import KINDS
from .workloads import Entry, Race, Workload

ROOT = Path(__file__).parents[1]

# Relative, in the norm of the samples. A first step's rounding in float32 stays far below; a forgotten term does not.
TOLERANCE = 0.02


class ContestantError(Exception):
    """A contestant computes something else than ours, or broke down; it is not timed."""


@dataclass
class Outcome:
    """What became of one entry: the best round's rows in a second, or why there is none."""

    label: str
    version: str = ""
    note: str = ""
    rows_per_second: float = 0.0
    cores: float = 0.0
    refused: bool = False

    def refuse(self, reason: str) -> None:
        """Leave the entry without a result."""
        self.note, self.refused = f"not timed: {reason}", True


@dataclass
class Method:
    """How long it is measured, by which clock, and with which Python each contestant runs.

    Where all run on one thread, the processor's time is what the wall's would be if nothing else ran.
    """

    rounds: int
    round_seconds: float
    cpu_clock: bool = False
    python: Callable[[str], str] = field(default=lambda contestant: sys.executable)


def environment(threads: int) -> dict[str, str]:
    """The process's environment with every library's number of threads said, and none of its tuning left over."""
    kept = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    count = str(threads)
    pools = ("BACKPROPC", "OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR")
    kept.update({f"{pool}_NUM_THREADS": count for pool in pools})
    flags = f"--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads={count}"
    kept.update({"NPROC": count, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""})
    return kept


class Process:
    """One contestant at its workload, waiting for requests. It ends when its input does."""

    def __init__(self, entry: Entry, python: str) -> None:
        self.entry = entry
        command = [
            python,
            "-m",
            f"benchmarks.contestants.{KINDS[entry.contestant].module}",
            json.dumps(entry.workload.record()),
        ]
        self.popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(entry.workload.threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.greeting = self._reply()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        assert self.popen.stdin is not None
        print(json.dumps(request), file=self.popen.stdin, flush=True)
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        if not line:
            raise ContestantError(f"{self.entry.label} broke down: {self.popen.communicate()[1].strip()[-2000:]}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.communicate()


def compare(samples: list[list[float]], reference: list[list[float]], label: str) -> None:
    """Refuse a contestant whose update (or output) is not the reference's, array by array."""
    if [len(array) for array in samples] != [len(array) for array in reference]:
        raise ContestantError(f"{label} has arrays of other sizes than ours")
    for i, (found, expected) in enumerate(zip(samples, reference, strict=True)):
        distance = float(np.linalg.norm(np.subtract(found, expected)))
        size = float(np.linalg.norm(expected))
        # "Not (<=)": a nan is refused too. An update may be zero, up to the last bits of the parameters.
        if not distance <= TOLERANCE * size + 1e-6 * len(expected) ** 0.5:
            raise ContestantError(f"{label} differs from ours in array {i}: by {distance:.3g} of {size:.3g}")


def same_work(one: Workload, other: Workload) -> bool:
    """Whether two entries must come to the same parameters: but for threads, members and precision they are equal."""
    return one.changed(threads=1, members=1, dtype="float32") == other.changed(threads=1, members=1, dtype="float32")


def check(processes: list[Process], outcomes: dict[str, Outcome]) -> list[Process]:
    """One pass of every process from the same start; those stay that did what the first, ours, did."""
    first, *others = processes
    reference = first.ask({"do": "check"})["samples"]
    accepted = [first]
    for process in others:
        try:
            samples = process.ask({"do": "check"})["samples"]
            if same_work(process.entry.workload, first.entry.workload) and not process.greeting["deviation"]:
                compare(samples, reference, process.entry.label)
        except ContestantError as reason:
            outcomes[process.entry.label].refuse(str(reason))
        else:
            accepted.append(process)
    return accepted


def passes_for(process: Process, seconds: float) -> int:
    """So many passes that a round takes about so long; finding it warms the process up."""
    passes = 1
    while True:
        taken = process.ask({"do": "run", "passes": passes})["seconds"]
        if taken >= 0.5 * seconds or passes >= 1 << 40:
            return max(1, round(passes * seconds / taken))
        passes = max(passes * 2, min(passes * 64, round(0.7 * passes * seconds / max(taken, 1e-9))))


def run(race: Race, method: Method) -> list[Outcome]:
    """All entries of one race, side by side."""
    outcomes = {entry.label: Outcome(entry.label) for entry in race.entries}
    with ExitStack() as stack:
        processes = []
        for entry in race.entries:
            outcome = outcomes[entry.label]
            try:
                process = stack.enter_context(Process(entry, method.python(entry.contestant)))
            except ContestantError as reason:
                outcome.refuse(str(reason))
                continue
            if "skip" in process.greeting:
                outcome.note = process.greeting["skip"]
            else:
                outcome.version, outcome.note = process.greeting["version"], process.greeting["deviation"]
                processes.append(process)
        if processes:
            longer = replace(method, round_seconds=race.longer * method.round_seconds)
            time_rounds(check(processes, outcomes), outcomes, longer)
    return list(outcomes.values())


def time_rounds(processes: list[Process], outcomes: dict[str, Outcome], method: Method) -> None:
    """Rounds in turn; each process's best is what it can do when nothing else disturbs it."""
    cpu_clock = method.cpu_clock and all(process.entry.workload.threads == 1 for process in processes)
    # A thousand networks take some milliseconds to set up and to hand back, whatever they learn between.
    longer = 10 if any(process.entry.workload.members > 1 for process in processes) else 1
    passes = [passes_for(process, method.round_seconds * longer) for process in processes]
    for _ in range(method.rounds):
        for process, count in zip(processes, passes, strict=True):
            told = process.ask({"do": "run", "passes": count})
            outcome = outcomes[process.entry.label]
            seconds = told["seconds"] * (told["cores"] if cpu_clock else 1)
            work = process.entry.workload
            rate = count * work.rows * work.members / seconds
            if rate > outcome.rows_per_second:
                outcome.rows_per_second, outcome.cores = rate, told["cores"]
