"""What the learners of single layers share: their random numbers, and what they ask of arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FloatArray, quick_array, rate_for, real_number, shape_error, shown
from .definitions import INITIALIZER
from .layers import Dense
from .network import Network

VISIBLE = ("bernoulli", "gaussian")

# The second word of the Philox key, beside those of the core (csrc/core/philox.hpp). The substream is the epoch, and
# one of the purposes below.
STREAM = 3
ORDER, SAMPLES, CORRUPTION, SEEDS = range(4)


class Words:
    """The numbers of one substream, in their order.

    Parameters
    ----------
    seed, substream, purpose : int
        Which.
    """

    def __init__(self, seed: int, substream: int, purpose: int) -> None:
        key = np.array([seed, STREAM], dtype=np.uint64)
        counter = np.array([0, substream, purpose, 0], dtype=np.uint64)
        self._philox = np.random.Philox(key=key, counter=counter)

    def raw(self, n: int) -> Any:
        """Return the next n words of 64 bits."""
        return self._philox.random_raw(n)

    def seed(self) -> int:
        """Return a seed of other streams."""
        return int(self.raw(1)[0])

    def below(self, p: FloatArray | float, shape: tuple[int, ...]) -> Any:
        """Return for each element whether a uniform number of 53 bits is below p."""
        uniform = (self.raw(math.prod(shape)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return uniform.reshape(shape) < p

    def bernoulli(self, p: FloatArray) -> FloatArray:
        """Return 1 with probability p, else 0."""
        return np.asarray(self.below(p, p.shape).astype(p.dtype))

    def normal(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
        """Return standard normal numbers: the core's initializer, with a word for its seed."""
        plan = Dense(*shape, "identity", initializer=INITIALIZER.classes["normal"](1.0))
        return Network([plan], seed=self.seed(), dtype=dtype).layers[0].w


def visible_kind(value: object) -> str:
    """Return `value`, once it is one of the kinds of visible units."""
    must = f"it must be one of: {', '.join(VISIBLE)}"
    if not isinstance(value, str):
        raise TypeError(f"visible is {shown(value)}; {must}")
    if value not in VISIBLE:
        raise ValueError(f"visible is {shown(value)}; {must}")
    return value


def samples(x: ArrayLike, n_visible: int, visible: str, dtype: np.dtype[Any]) -> FloatArray:
    """Return x as rows that a layer can learn from."""
    rows = quick_array(x, "x", dtype)
    if rows.ndim != 2 or rows.shape[1] != n_visible:
        raise shape_error("x", rows.shape, f"(n, {n_visible})")
    if len(rows) == 0:
        raise ValueError("x has no samples; there must be at least one")
    must, fits = f"it must be finite in {dtype}", np.isfinite(rows)
    if visible == "bernoulli" and fits.all():
        must = "with visible='bernoulli' it must be in [0, 1]; scale x, or take visible='gaussian'"
        fits = (rows >= 0.0) & (rows <= 1.0)
    if not fits.all():
        i, j = np.argwhere(~fits)[0]
        raise ValueError(f"x[{i}, {j}] is {rows[i, j]}; {must}")
    return rows


def rate(value: object, dtype: np.dtype[Any], default: float) -> float:
    """Return a learning rate, for None the default."""
    return default if value is None else rate_for(dtype, value)


def share(value: object, name: str) -> float:
    """Return `value` as a float, if it is in [0, 1)."""
    number = real_number(value, name)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{name} is {number}; it must be at least 0 and below 1")
    return number
