"""Methods that take all samples in each step, from the books: E as a function of one flat array, and what lowers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from . import vector
from .activations import ACTIVATIONS, Array


def with_parameters(net: vector.Net, flat: Array) -> vector.Net:
    """The net with other parameters: layer by layer, w then b."""
    w, b, at = [], [], 0
    for old in net.w:
        w.append(flat[at : at + old.size].reshape(old.shape))
        at += old.size
        b.append(flat[at : at + old.shape[1]])
        at += old.shape[1]
    return vector.Net(w, b, net.activations)


def is_weight(net: vector.Net) -> Array:
    """Which of the flat parameters are weights: those that a penalty is of."""
    return np.concatenate([np.r_[np.ones(w.size), np.zeros(w.shape[1])] for w in net.w])


def shares(n: int, weight: Array | None) -> Array:
    return np.full(n, 1.0 / n) if weight is None else weight / weight.sum()


def objective(
    net: vector.Net, x: Array, t: Array, loss: str, l2: float = 0.0, weight: Array | None = None
) -> Callable[[Array], tuple[float, Array]]:
    """E + ½ l2 Σw² and its gradient, sample by sample, as a function of the flat parameters."""
    of_weights = l2 * is_weight(net)

    def evaluate(flat: Array) -> tuple[float, Array]:
        here, value, gradient = with_parameters(net, flat), 0.5 * of_weights @ flat**2, of_weights * flat
        for i, share in enumerate(shares(len(x), weight)):
            done = vector.trace(here, x[i : i + 1], t[i : i + 1], loss)
            value += share * done.loss
            gradient += share * vector.Net(done.dw, done.db, []).parameters()
        return value, gradient

    return evaluate


def jacobian_of_output(net: vector.Net, x: Array) -> tuple[Array, Array]:
    """a of one sample, and ∂a/∂parameters: a row for each output, by the chain rule from the output downward."""
    z, a = vector.forward(net, x[None])
    rows = np.empty((a[-1].size, net.parameters().size))
    for j, row in enumerate(rows):
        da = np.eye(a[-1].size)[j : j + 1]
        dw, db = [], []
        for layer in range(len(net.w) - 1, -1, -1):
            delta = ACTIVATIONS[net.activations[layer]].backward(da, z[layer])
            dw.insert(0, a[layer].T @ delta)
            db.insert(0, delta[0])
            da = delta @ net.w[layer].T
        row[:] = vector.Net(dw, db, []).parameters()
    return a[-1][0], rows


def residuals(net: vector.Net, x: Array, t: Array, loss: str, weight: Array | None = None) -> tuple[Array, Array]:
    """r with E = ½ Σ r², and J = ∂r/∂parameters."""
    factor = 1.0 if loss == "half_squared_error" else 2.0 / t.shape[1]
    r, j = [], []
    for i, share in enumerate(shares(len(x), weight)):
        a, rows = jacobian_of_output(net, x[i])
        r.append(np.sqrt(factor * share) * (a - t[i]))
        j.append(np.sqrt(factor * share) * rows)
    return np.concatenate(r), np.concatenate(j)


def levenberg_marquardt(
    net: vector.Net,
    x: Array,
    t: Array,
    loss: str,
    epochs: int,
    damping: float = 1e-3,
    increase: float = 10.0,
    decrease: float = 0.1,
    l2: float = 0.0,
    weight: Array | None = None,
    learns: Sequence[bool] | None = None,
) -> tuple[Array, list[float], float]:
    """Hagan and Menhaj 1994, section III: the flat parameters, E before each step, and the damping at the end.

    The damped equations are solved as the least squares of J over √λ I, which needs no product JᵀJ.
    """
    flat, losses = net.parameters(), []
    sizes = [w.size + w.shape[1] for w in net.w]
    free = np.flatnonzero(np.repeat(learns or [True] * len(sizes), sizes))
    of_weights = (l2 * is_weight(net))[free]

    def value(at: Array) -> float:
        r, _ = residuals(with_parameters(net, at), x, t, loss, weight)
        return float(0.5 * r @ r + 0.5 * of_weights @ at[free] ** 2)

    for _ in range(epochs):
        r, j = residuals(with_parameters(net, flat), x, t, loss, weight)
        losses.append(float(0.5 * r @ r))
        before = value(flat)
        while True:
            rows = np.vstack([j[:, free], np.diag(np.sqrt(of_weights)), np.sqrt(damping) * np.eye(free.size)])
            right = np.concatenate([-r, -np.sqrt(of_weights) * flat[free], np.zeros(free.size)])
            trial = flat.copy()
            trial[free] += np.linalg.lstsq(rows, right, rcond=None)[0]
            if value(trial) < before:
                flat, damping = trial, damping * decrease
                break
            damping *= increase
    return flat, losses, damping
