"""The initial parameters that a seed stands for: of each layer the weights in C order, then the biases, in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

import numpy as np

from . import philox

Draw = Callable[[np.ndarray], np.ndarray]  # random bits -> parameters, one for each


def uniform(low: float, high: float) -> Draw:
    return lambda bits: low + philox.uniforms(bits) * (high - low)


def normal(std: float) -> Draw:
    """Through the inverse of the distribution function."""
    inverse = NormalDist().inv_cdf
    return lambda bits: std * np.array([inverse(u) for u in philox.inner_uniforms(bits)], dtype=np.float64)


def zeros(bits: np.ndarray) -> np.ndarray:
    return np.zeros(len(bits))


def symmetric(limit: float) -> Draw:
    return uniform(-limit, limit)


# name -> (fan_in, fan_out) -> draw
INITIALIZERS: dict[str, Callable[[int, int], Draw]] = {
    "glorot_uniform": lambda fan_in, fan_out: symmetric(sqrt(6.0 / (fan_in + fan_out))),
    "glorot_normal": lambda fan_in, fan_out: normal(sqrt(2.0 / (fan_in + fan_out))),
    "he_uniform": lambda fan_in, fan_out: symmetric(sqrt(6.0 / fan_in)),
    "he_normal": lambda fan_in, fan_out: normal(sqrt(2.0 / fan_in)),
    "lecun_normal": lambda fan_in, fan_out: normal(sqrt(1.0 / fan_in)),
    "zeros": lambda fan_in, fan_out: zeros,
}


def layer(
    seed: int, index: int, fan_in: int, fan_out: int, draw_w: Draw, draw_b: Draw = zeros
) -> tuple[np.ndarray, np.ndarray]:
    """w and b of the layer with this index, 0 the first."""
    bits = philox.raw(seed, philox.INITIAL_PARAMETERS, index, fan_in * fan_out + fan_out)
    return draw_w(bits[: fan_in * fan_out]).reshape(fan_in, fan_out), draw_b(bits[fan_in * fan_out :])


def parameters(seed: int, sizes: list[int], initializer: str) -> np.ndarray:
    """All parameters of a network with zero biases, flat: layer by layer, w then b."""
    flat = []
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        w, b = layer(seed, index, fan_in, fan_out, INITIALIZERS[initializer](fan_in, fan_out))
        flat += [w.ravel(), b]
    return np.concatenate(flat)
