"""A step of training with all that may stand beside E and the optimizer, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .activations import ACTIVATIONS, Array
from .losses import LOSSES
from .optimizers import Optimizer
from .vector import Net, dense_forward, output_delta


def penalty(net: Net, l1: Sequence[float], l2: Sequence[float]) -> float:
    """l1·Σ|w| + ½·l2·Σw² of every layer: on the weights, not the biases."""
    layers = zip(net.w, l1, l2, strict=True)
    return float(sum(one * np.abs(w).sum() + 0.5 * two * (w**2).sum() for w, one, two in layers))


def sample_losses(net: Net, loss: str, z: Array, a: Array, t: Array) -> Array:
    """E of each sample, from z where the loss knows the output activation."""
    from_z = LOSSES[loss].from_z.get(net.activations[-1])
    return from_z.value(z, t) if from_z else LOSSES[loss].value(a, t)


def gradients(
    net: Net, x: Array, t: Array, loss: str, weight: Array, masks: list[Array]
) -> tuple[float, list[Array], list[Array]]:
    """E = Σ wᵢEᵢ / Σ wᵢ with its dw and db; all 0 where all weights are. Layer l reads its input times masks[l]."""
    n, total = len(x), weight.sum()
    share = weight / total if total > 0 else np.zeros(n)
    reads, z, a = [], [], x
    for w, b, activation, mask in zip(*net, masks, strict=True):
        reads.append(a * mask)
        zl, a = dense_forward(reads[-1], w, b, activation)
        z.append(zl)
    value = float(share @ sample_losses(net, loss, z[-1], a, t))
    delta = output_delta(net, loss, z[-1], a, t) * n * share[:, np.newaxis]
    dw, db = [], []
    for layer in range(len(net.w) - 1, -1, -1):
        dw.insert(0, reads[layer].T @ delta)
        db.insert(0, delta.sum(axis=0))
        if layer > 0:
            da = delta @ net.w[layer].T * masks[layer]
            delta = ACTIVATIONS[net.activations[layer - 1]].backward(da, z[layer - 1])
    return value, dw, db


def step(
    net: Net,
    x: Array,
    t: Array,
    loss: str,
    optimizer: Optimizer,
    *,
    weight: Array | None = None,
    l1: Sequence[float] | None = None,
    l2: Sequence[float] | None = None,
    masks: list[Array] | None = None,
    clip_value: float = np.inf,
    clip_norm: float = np.inf,
    max_norm: float = np.inf,
    connected: Sequence[Array] | None = None,
) -> float:
    """One step down E plus the penalties, in place; returns E alone, before it. Weights not `connected` stay 0."""
    zero = [0.0] * len(net.w)
    l1, l2 = l1 or zero, l2 or zero
    weight = np.ones(len(x)) if weight is None else weight
    value, dw, db = gradients(net, x, t, loss, weight, masks or [np.ones(1)] * len(net.w))
    dw = [g + one * np.sign(w) + two * w for g, w, one, two in zip(dw, net.w, l1, l2, strict=True)]
    connected = connected or [np.ones(1)] * len(net.w)
    dw = [g * there for g, there in zip(dw, connected, strict=True)]
    clipped = [np.clip(g, -clip_value, clip_value) for g in (*dw, *db)]
    norm = np.sqrt(sum((g**2).sum() for g in clipped))
    optimizer.step([*net.w, *net.b], [g * min(1.0, clip_norm / norm) for g in clipped], value + penalty(net, l1, l2))
    for w, there in zip(net.w, connected, strict=True):
        w *= there
        norms = np.linalg.norm(w, axis=0)
        w *= np.where(norms > max_norm, max_norm / norms, 1.0)
    return value
