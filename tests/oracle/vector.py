"""The lecture in vector form, for batches: E is the mean over the samples, every δ and gradient that of this E.

`Net` holds what the lecture calls the net: w[l] (fan_in, fan_out), b[l], and the name of σ of each layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .activations import ACTIVATIONS, Array
from .losses import LOSSES
from .optimizers import Optimizer
from .optimizers import Sgd as Sgd


class Net(NamedTuple):
    w: list[Array]
    b: list[Array]
    activations: list[str]

    def parameters(self) -> Array:
        """All of them in one flat array: layer by layer, w then b."""
        return np.concatenate([p for w, b in zip(self.w, self.b, strict=True) for p in (w.ravel(), b)])

    def copy(self) -> Net:
        return Net([w.copy() for w in self.w], [b.copy() for b in self.b], list(self.activations))


class Pass(NamedTuple):
    """Everything one pass computes; a[0] is x, so a is one longer than the others."""

    loss: float
    z: list[Array]
    a: list[Array]
    delta: list[Array]
    dw: list[Array]
    db: list[Array]


def rows(array: Array) -> Array:
    """The leading axes as one."""
    return array.reshape(int(np.prod(array.shape[:-1])), array.shape[-1])


def dense_forward(x: Array, w: Array, b: Array, activation: str) -> tuple[Array, Array]:
    z = x @ w + b
    return z, ACTIVATIONS[activation].value(z)


def dense_backward(da: Array, x: Array, w: Array, z: Array, activation: str) -> tuple[Array, Array, Array, Array]:
    """delta, dx, dw, db; dw and db are summed over the leading axes."""
    delta = ACTIVATIONS[activation].backward(da, z)
    return delta, delta @ w.T, rows(x).T @ rows(delta), rows(delta).sum(axis=0)


def forward(net: Net, x: Array) -> tuple[list[Array], list[Array]]:
    z, a = [], [np.asarray(x, dtype=float)]
    for w, b, activation in zip(*net, strict=True):
        zl, al = dense_forward(a[-1], w, b, activation)
        z.append(zl)
        a.append(al)
    return z, a


def loss_value(loss: str, a: Array, t: Array) -> float:
    """Mean over all leading axes; of no sample at all it is nan."""
    values = LOSSES[loss].value(a, t)
    return float(np.sum(values) / values.size) if values.size else float("nan")


def loss_gradient(loss: str, a: Array, t: Array) -> Array:
    """∇ₐ of that mean."""
    return LOSSES[loss].gradient(a, t) / max(1, int(np.prod(a.shape[:-1])))


def output_loss(net: Net, loss: str, z: Array, a: Array, t: Array) -> float:
    """E, from z where the loss knows the output activation."""
    from_z = LOSSES[loss].from_z.get(net.activations[-1])
    return float(np.mean(from_z.value(z, t))) if from_z else loss_value(loss, a, t)


def output_delta(net: Net, loss: str, z: Array, a: Array, t: Array) -> Array:
    """BP1, from z where the loss knows the output activation."""
    from_z = LOSSES[loss].from_z.get(net.activations[-1])
    if from_z:
        return from_z.delta(z, t) / max(1, int(np.prod(z.shape[:-1])))
    return ACTIVATIONS[net.activations[-1]].backward(loss_gradient(loss, a, t), z)


def trace(net: Net, x: Array, t: Array, loss: str) -> Pass:
    z, a = forward(net, x)
    delta = [output_delta(net, loss, z[-1], a[-1], t)]
    for layer in range(len(net.w) - 2, -1, -1):
        da = delta[0] @ net.w[layer + 1].T
        delta.insert(0, ACTIVATIONS[net.activations[layer]].backward(da, z[layer]))
    dw = [rows(a[i]).T @ rows(delta[i]) if a[i].ndim > 1 else np.outer(a[i], delta[i]) for i in range(len(delta))]
    db = [rows(d).sum(axis=0) if d.ndim > 1 else d.copy() for d in delta]
    return Pass(output_loss(net, loss, z[-1], a[-1], t), z, a, delta, dw, db)


def train_step(
    net: Net, x: Array, t: Array, loss: str, optimizer: Optimizer, trainable: Sequence[bool] | None = None
) -> float:
    """One step in place; returns E before it."""
    done = trace(net, x, t, loss)
    learns = [*(trainable or [True] * len(net.w))] * 2
    gradients = [g if keep else None for g, keep in zip([*done.dw, *done.db], learns, strict=True)]
    optimizer.step([*net.w, *net.b], gradients, done.loss)
    return done.loss


def fit(
    net: Net, x: Array, t: Array, loss: str, optimizer: Optimizer, batch_size: int, orders: Iterable[Array]
) -> tuple[list[float], int]:
    """One epoch for each order of the samples. The losses of the epochs, each sample's before its step; the steps."""
    losses, steps = [], 0
    for order in orders:
        total = 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            total += len(batch) * train_step(net, x[batch], t[batch], loss, optimizer)
            steps += 1
        losses.append(total / len(order))
    return losses, steps
