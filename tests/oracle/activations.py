"""The activations σ, their derivatives σ', and their Jacobians, each in a form that neither overflows nor cancels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Activation(NamedTuple):
    """One activation; `derivative` is None for a row function, whose outputs depend on the whole row of z."""

    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array] | None
    backward: Callable[[Array, Array], Array]  # (da, z) -> delta
    jacobian: Callable[[Array], Array]  # of one row z: [i, j] is da_i / dz_j


def elementwise(value: Callable[[Array], Array], derivative: Callable[[Array], Array]) -> Activation:
    return Activation(
        value, derivative, lambda da, z: np.asarray(da) * derivative(z), lambda z: np.diag(derivative(np.asarray(z)))
    )


def logistic(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    return np.where(np.asarray(z) >= 0, 1.0, e) / (1.0 + e)


def logistic_derivative(z: Array) -> Array:
    e = np.exp(-np.abs(z))  # σ(1 - σ) without the cancellation of 1 - σ
    return e / (1.0 + e) ** 2


def tanh_derivative(z: Array) -> Array:
    e = np.exp(-2.0 * np.abs(z))  # 1 - tanh² without its cancellation
    return 4.0 * e / (1.0 + e) ** 2


def softmax(z: Array) -> Array:
    e = np.exp(z - np.max(z, axis=-1, keepdims=True, initial=-np.inf))
    return e / np.sum(e, axis=-1, keepdims=True)


def softmax_backward(da: Array, z: Array) -> Array:
    a = softmax(z)
    return a * (da - np.sum(da * a, axis=-1, keepdims=True))


def softmax_jacobian(z: Array) -> Array:
    a = softmax(np.asarray(z))
    return np.diag(a) - np.outer(a, a)


ACTIVATIONS: dict[str, Activation] = {
    "identity": elementwise(lambda z: np.array(z, dtype=float), lambda z: np.ones_like(z, dtype=float)),
    "logistic": elementwise(logistic, logistic_derivative),
    "tanh": elementwise(np.tanh, tanh_derivative),
    "relu": elementwise(lambda z: np.maximum(z, 0.0), lambda z: np.where(np.asarray(z) > 0, 1.0, 0.0)),
    "softmax": Activation(softmax, None, softmax_backward, softmax_jacobian),
}
