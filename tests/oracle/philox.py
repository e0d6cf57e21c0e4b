"""The random numbers of a run: a function of (seed, stream, sub, index), drawn here with numpy.random.Philox."""

from __future__ import annotations

import numpy as np

INITIAL_PARAMETERS = 0  # sub is the layer
SHUFFLING = 1  # sub is the epoch, from 0


def raw(seed: int, stream: int, sub: int, n: int) -> np.ndarray:
    key = np.array([seed, stream], dtype=np.uint64)
    counter = np.array([0, sub, 0, 0], dtype=np.uint64)
    return np.asarray(np.random.Philox(key=key, counter=counter).random_raw(n), dtype=np.uint64)


def uniforms(bits: np.ndarray) -> np.ndarray:
    """In [0, 1), multiples of 2⁻⁵³."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def inner_uniforms(bits: np.ndarray) -> np.ndarray:
    """In (0, 1), the middles of 2⁵² cells: for the inverse of a distribution function, which is infinite at 0 and 1."""
    return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def order(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of n samples in an epoch: Fisher and Yates downwards, from the identity."""
    p = np.arange(n)
    bits = [int(r) for r in raw(seed, SHUFFLING, epoch, max(n - 1, 0))]
    for k, i in enumerate(range(n - 1, 0, -1)):
        j = (bits[k] * (i + 1)) >> 64
        p[i], p[j] = p[j], p[i]
    return p
