"""The activations σ, their derivatives σ', and their Jacobians, each in a form that neither overflows nor cancels."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
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


def leaky_relu(slope: float = 0.01) -> Activation:
    return elementwise(
        lambda z: np.where(np.asarray(z) > 0, z, slope * np.asarray(z)),
        lambda z: np.where(np.asarray(z) > 0, 1.0, slope),
    )


def elu(alpha: float = 1.0, scale: float = 1.0) -> Activation:
    return elementwise(
        lambda z: scale * np.where(np.asarray(z) > 0, z, alpha * np.expm1(np.minimum(z, 0.0))),
        lambda z: scale * np.where(np.asarray(z) > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0))),
    )


def normal(z: float) -> tuple[float, float]:
    """Φ(z) and √2π φ(z) of the standard normal distribution.

    Far from 0 both change by far more than the rounding of z/√2 or z²/2, which is therefore taken back, exactly known.
    """
    z = max(-40.0, min(40.0, z))
    half_square = Fraction(z) ** 2 / 2
    decay = math.exp(-float(half_square)) * math.exp(float(Fraction(float(half_square)) - half_square))
    x = abs(z) / math.sqrt(2.0)
    tail = 0.5 * math.erfc(x) * math.exp(float(Fraction(x) ** 2 - half_square))
    return (1.0 - tail if z > 0 else tail), decay


normal_cdf = np.vectorize(lambda z: normal(float(z))[0], otypes=[float])
normal_decay = np.vectorize(lambda z: normal(float(z))[1], otypes=[float])


def gelu_of(z: float) -> float:
    """z Φ(z); where Φ is too small to be a normal number, by its asymptotic series, −φ(z) (1 − 1/z² + 3/z⁴ − …)."""
    probability, decay = normal(z)
    if z > -37.0:
        return z * probability
    term, series = 1.0, 0.0
    for k in range(1, 10):
        series += term
        term *= -(2 * k - 1) / z**2
    return -decay * series / math.sqrt(2.0 * math.pi)


gelu = np.vectorize(lambda z: gelu_of(float(z)), otypes=[float])


def times_small(z: Array, factor: Callable[[Array], Array]) -> Array:
    """z e^z factor(z) where z < 0, in an order in which nothing underflows before the result does."""
    z = np.minimum(z, 0.0)
    return z * np.exp(z / 2) * factor(z) * np.exp(z / 2)


def silu(z: Array) -> Array:
    return np.where(np.asarray(z) > 0, z * logistic(z), times_small(z, lambda z: 1.0 / (1.0 + np.exp(z))))


def mish(z: Array) -> Array:
    """tanh(ln(1 + e^z)) is e^z (e^z + 2) / (e^z (e^z + 2) + 2)."""
    small = times_small(z, lambda z: (np.exp(z) + 2.0) / (np.exp(z) * (np.exp(z) + 2.0) + 2.0))
    return np.where(np.asarray(z) > 0, z * np.tanh(softplus(z)), small)


def silu_derivative(z: Array) -> Array:
    small = times_small(z, lambda z: 1.0 / (1.0 + np.exp(z)) ** 2)
    return logistic(z) + np.where(np.asarray(z) > 0, z * logistic_derivative(z), small)


def softplus(z: Array) -> Array:
    return np.logaddexp(0.0, z)


def mish_derivative(z: Array) -> Array:
    small = times_small(z, lambda z: tanh_derivative(softplus(z)) / (1.0 + np.exp(z)))
    return np.tanh(softplus(z)) + np.where(np.asarray(z) > 0, z * tanh_derivative(softplus(z)) * logistic(z), small)


def exp(z: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(z))


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
    "leaky_relu": leaky_relu(),
    "elu": elu(),
    "selu": elu(alpha=1.6732632423543772, scale=1.0507009873554805),
    "gelu": elementwise(
        gelu,
        lambda z: normal_cdf(z) + np.asarray(z) * normal_decay(z) / math.sqrt(2.0 * math.pi),
    ),
    "silu": elementwise(silu, silu_derivative),
    "softplus": elementwise(softplus, logistic),
    "softsign": elementwise(
        lambda z: np.asarray(z) / (1.0 + np.abs(z)),
        lambda z: 1.0 / (1.0 + np.abs(z)) ** 2,
    ),
    "mish": elementwise(mish, mish_derivative),
    "exp": elementwise(exp, exp),
    "softmax": Activation(softmax, None, softmax_backward, softmax_jacobian),
}
# Those that take parameters, and values for them other than the defaults.
WITH_PARAMETERS: dict[str, tuple[Callable[..., Activation], dict[str, float]]] = {
    "leaky_relu": (leaky_relu, {"slope": 0.3}),
    "elu": (elu, {"alpha": 2.5}),
}
