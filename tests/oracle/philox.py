"""The random numbers of a run: a function of (seed, stream, sub, index), drawn here with numpy.random.Philox."""

from __future__ import annotations

import numpy as np

INITIAL_PARAMETERS = 0  # sub is the layer
SHUFFLING = 1  # sub is the epoch, from 0
DROPOUT = 2  # sub is the step, from 0, and the layer
PRETRAINING = 3  # sub is the epoch, from 0, and what for


def raw(seed: int, stream: int, sub: int, n: int, second: int = 0) -> np.ndarray:
    key = np.array([seed, stream], dtype=np.uint64)
    counter = np.array([0, sub, second, 0], dtype=np.uint64)
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


def mask(seed: int, step: int, layer: int, rate: float, n: int, fan_in: int) -> np.ndarray:
    """What dropout multiplies the layer's input by: 32 bits for each unit, whole blocks of 256 for each sample."""
    blocks = -(-fan_in // 8)
    bits = raw(seed, DROPOUT, step, n * blocks * 4, layer).astype("<u8").view("<u4").reshape(n, blocks * 8)
    return (bits[:, :fan_in] >= int(rate * 2**32)) / (1.0 - rate)
