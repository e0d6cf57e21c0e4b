"""The schedules, by their formulas, as functions of the epoch (from 0) and the optimizer's own rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rate = Callable[[int, float], float]


def half_cosine(first: float, last: float, part: float) -> float:
    return last + (first - last) * 0.5 * (1.0 + np.cos(np.pi * min(part, 1.0)))


def one_cycle(epochs: int, rise: float = 0.3, start: float = 25.0, end: float = 25e4) -> Rate:
    top = rise * (epochs - 1)

    def rate(epoch: int, own: float) -> float:
        if epoch < top:
            return half_cosine(own / start, own, epoch / top)
        return half_cosine(own, own / end, (epoch - top) / (epochs - 1 - top))

    return rate


SCHEDULES: dict[str, Callable[..., Rate]] = {
    "constant": lambda: lambda epoch, own: own,
    "step": lambda every, factor=0.1: lambda epoch, own: own * factor ** (epoch // every),
    "exponential": lambda factor: lambda epoch, own: own * factor**epoch,
    "inverse_time": lambda decay: lambda epoch, own: own / (1.0 + decay * epoch),
    "cosine": lambda epochs, final=0.0: lambda epoch, own: half_cosine(own, final * own, epoch / epochs),
    "one_cycle": one_cycle,
}
CASES: dict[str, list[dict[str, Any]]] = {
    "constant": [{}],
    "step": [{"every": 3}, {"every": 1, "factor": 0.5}],
    "exponential": [{"factor": 0.9}],
    "inverse_time": [{"decay": 0.5}],
    "cosine": [{"epochs": 10}, {"epochs": 7, "final": 0.25}],
    "one_cycle": [{"epochs": 12}, {"epochs": 9, "rise": 0.5, "start": 2.0, "end": 10.0}],
}
