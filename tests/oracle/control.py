"""A step of training with all that may stand beside E and the optimizer, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .activations import Array
from .optimizers import Optimizer
from .vector import Net, trace


def penalty(net: Net, l1: Sequence[float], l2: Sequence[float]) -> float:
    """l1·Σ|w| + ½·l2·Σw² of every layer: on the weights, not the biases."""
    layers = zip(net.w, l1, l2, strict=True)
    return float(sum(one * np.abs(w).sum() + 0.5 * two * (w**2).sum() for w, one, two in layers))


def penalized_step(
    net: Net, x: Array, t: Array, loss: str, optimizer: Optimizer, l1: Sequence[float], l2: Sequence[float]
) -> float:
    """One step down E plus the penalties, in place; returns E alone, before it."""
    done = trace(net, x, t, loss)
    dw = [g + one * np.sign(w) + two * w for g, w, one, two in zip(done.dw, net.w, l1, l2, strict=True)]
    optimizer.step([*net.w, *net.b], [*dw, *done.db], done.loss + penalty(net, l1, l2))
    return done.loss
