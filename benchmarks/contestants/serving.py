"""A contestant's side of the conversation: one line of JSON in, one out, over standard input and output."""

from __future__ import annotations

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..workloads import Data, Workload

SAMPLES = 256


class CannotEnterError(Exception):
    """This contestant has no way to do this work; the message says why."""


class Contestant(ABC):
    """One library's way to do a workload, holding everything that it needs between rounds."""

    # Where the library can only do something close to the workload: what. Its update is then not compared.
    deviation = ""

    @abstractmethod
    def __init__(self, workload: Workload, data: Data) -> None:
        """Set up at `data`'s parameters; raise `CannotEnterError` where the library lacks something."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the library, as the table shows it."""

    @abstractmethod
    def run(self, passes: int) -> None:
        """Go over the rows so many times, in order, batch by batch."""

    @abstractmethod
    def result(self) -> list[np.ndarray]:
        """The parameters, w and b layer by layer; for predictions the last output."""


def samples_of(arrays: list[np.ndarray], start: list[np.ndarray] | None) -> list[list[float]]:
    """Some elements of each array, or of its change since `start`, the same ones in every process."""
    found = []
    for i, array in enumerate(arrays):
        flat = np.asarray(array, dtype=np.float64).ravel()
        if start is not None:
            flat = flat - start[i].ravel()
        found.append(flat[:: max(1, flat.size // SAMPLES)].tolist())
    return found


def answer(contestant: Contestant, workload: Workload, data: Data, request: dict[str, Any]) -> dict[str, Any]:
    """Do what one line asks for."""
    if request["do"] == "check":
        contestant.run(1)
        start = None if workload.predict else [array for layer in data.parameters for array in layer]
        return {"samples": samples_of(contestant.result(), start)}
    cpu, wall = time.process_time(), time.perf_counter()
    contestant.run(request["passes"])
    wall = time.perf_counter() - wall
    return {"seconds": wall, "cores": (time.process_time() - cpu) / wall}


def serve(kind: type[Contestant]) -> None:
    """Run the conversation: a workload as the argument, then requests until the input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not break the protocol

    def reply(record: dict[str, Any]) -> None:
        print(json.dumps(record), file=replies, flush=True)

    workload = Workload.from_record(json.loads(sys.argv[1]))
    data = workload.data()
    try:
        contestant = kind(workload, data)
    except CannotEnterError as reason:
        reply({"skip": str(reason)})
        return
    reply({"version": contestant.version, "deviation": contestant.deviation})
    for line in sys.stdin:
        reply(answer(contestant, workload, data, json.loads(line)))
