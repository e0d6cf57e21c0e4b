"""Derivatives by central differences in float64: (f(x + h) − f(x − h)) / 2h, one element at a time.

With h = ε^⅓ the truncation, h²f‴/6, and the rounding, ε|f|/h, are both about ε^⅔ = 4e-11.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEP = float(np.finfo(np.float64).eps) ** (1.0 / 3.0)


def steps(x: np.ndarray) -> np.ndarray:
    """One h for each element, a power of two so that x ± h loses as little as it can."""
    return STEP * np.exp2(np.ceil(np.log2(np.maximum(1.0, np.abs(x)))))


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """∂f/∂x for a scalar f, which gets an array it may keep."""
    x = np.asarray(x, dtype=np.float64)
    h = steps(x)
    result = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h[index]
        down[index] -= h[index]
        result[index] = (f(up) - f(down)) / (up[index] - down[index])
    return result


def derivative(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """f' for an element-wise f, as (lower, upper, smooth): the two bounds between which it lies, and where f is smooth.

    At a kink these are the two one-sided derivatives, each extrapolated from h and h/2 to 0. A kink gives itself away
    by their difference, as a smooth function's stays near h²f‴. Elsewhere the bounds are the central difference and
    what halving h changes in it, which is little but where f″ jumps.
    """
    x = np.asarray(x, dtype=np.float64)
    h = steps(x)
    here, up, down, half_up, half_down = f(x), f(x + h), f(x - h), f(x + h / 2), f(x - h / 2)
    right = (4 * half_up - up - 3 * here) / h
    left = (3 * here - 4 * half_down + down) / h
    halved = (half_up - half_down) / h
    change = 2 * np.abs((up - down) / (2 * h) - halved)
    smooth = np.abs(right - left) < 1e3 * h
    return (
        np.where(smooth, halved - change, np.minimum(left, right)),
        np.where(smooth, halved + change, np.maximum(left, right)),
        smooth,
    )
