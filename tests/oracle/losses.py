"""The losses: E of one sample, its gradient in a, and both from z where the output activation is the loss's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .activations import logistic, softmax

Array = np.ndarray


class FromZ(NamedTuple):
    """Value and ∂E/∂z for one output activation, taken from z so that nothing is lost where a rounds to 0 or 1."""

    value: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array], Array]


class Loss(NamedTuple):
    value: Callable[[Array, Array], Array]  # (a, t) -> E, one number for each sample
    gradient: Callable[[Array, Array], Array]  # (a, t) -> ∇ₐE of each sample
    # what t may be: "real", "not_negative", "unit" (in [0, 1]) or "probabilities" (rows that sum to 1)
    targets: str
    from_z: dict[str, FromZ]


def times_log(p: Array, log_q: Array) -> Array:
    """p·ln q with 0·ln 0 = 0, the limit that makes a certain and right answer cost nothing."""
    with np.errstate(invalid="ignore"):
        return np.where(np.asarray(p) == 0, 0.0, p * log_q)


def ratio(p: Array, q: Array) -> Array:
    """p/q with 0/0 = 0: a term that is absent from E is absent from its gradient."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(p) == 0, 0.0, np.divide(p, q))


def log(q: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(q)


def log1m(q: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log1p(-np.asarray(q))


def binary_cross_entropy_from_z(z: Array, t: Array) -> Array:
    return np.sum(np.maximum(z, 0.0) - t * z + np.log1p(np.exp(-np.abs(z))), axis=-1)


def log_softmax(z: Array) -> Array:
    shifted = z - np.max(z, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def poisson_from_z(z: Array, t: Array) -> Array:
    """t (e^d − 1 − d) with d = z − ln t, where t > 0."""
    d = z - log(np.where(t > 0, t, 1.0))
    return np.mean(np.where(t > 0, t * (np.expm1(d) - d), np.exp(z)), axis=-1)


def huber(delta: float = 1.0) -> Loss:
    def value(a: Array, t: Array) -> Array:
        d = np.abs(a - t)
        return np.mean(np.where(d <= delta, 0.5 * d**2, delta * (d - 0.5 * delta)), axis=-1)

    def gradient(a: Array, t: Array) -> Array:
        d = a - t
        return np.where(np.abs(d) <= delta, d, delta * np.sign(d)) / a.shape[-1]

    return Loss(value, gradient, "real", {})


LOSSES: dict[str, Loss] = {
    "half_squared_error": Loss(
        lambda a, t: 0.5 * np.sum((a - t) ** 2, axis=-1),
        lambda a, t: a - t,
        "real",
        {},
    ),
    "mean_squared_error": Loss(
        lambda a, t: np.sum((a - t) ** 2, axis=-1) / a.shape[-1],
        lambda a, t: 2.0 * (a - t) / a.shape[-1],
        "real",
        {},
    ),
    "mean_absolute_error": Loss(
        lambda a, t: np.sum(np.abs(a - t), axis=-1) / a.shape[-1],
        lambda a, t: np.sign(a - t) / a.shape[-1],
        "real",
        {},
    ),
    "huber": huber(),
    "poisson": Loss(
        lambda a, t: np.sum(a - t + times_log(t, log(ratio(t, a))), axis=-1) / a.shape[-1],
        lambda a, t: (1.0 - ratio(t, a)) / a.shape[-1],
        "not_negative",
        {"exp": FromZ(poisson_from_z, lambda z, t: (np.exp(z) - t) / z.shape[-1])},
    ),
    "binary_cross_entropy": Loss(
        lambda a, t: -np.sum(times_log(t, log(a)) + times_log(1.0 - t, log1m(a)), axis=-1),
        lambda a, t: ratio(1.0 - t, 1.0 - a) - ratio(t, a),
        "unit",
        {"logistic": FromZ(binary_cross_entropy_from_z, lambda z, t: logistic(z) - t)},
    ),
    "softmax_cross_entropy": Loss(
        lambda a, t: -np.sum(times_log(t, log(a)), axis=-1),
        lambda a, t: -ratio(t, a),
        "probabilities",
        {
            "softmax": FromZ(
                lambda z, t: -np.sum(t * log_softmax(z), axis=-1),
                lambda z, t: softmax(z) * np.sum(t, axis=-1, keepdims=True) - t,
            )
        },
    ),
}


def one_hot(classes: Array, n: int) -> Array:
    """Integer classes as the rows of probabilities they stand for."""
    return np.eye(n)[np.asarray(classes)]


# Those that take parameters, and values for them other than the defaults.
WITH_PARAMETERS: dict[str, tuple[Callable[..., Loss], dict[str, float]]] = {"huber": (huber, {"delta": 0.25})}
