"""How far apart two right answers may be, from eps and the number of operations: the only tolerances of the suite.

u is the unit roundoff, γ_k = k·u / (1 − k·u) the bound on k roundings in a row (Higham, Accuracy and Stability of
Numerical Algorithms, chapter 3). The oracle computes in float64 and is itself only right to float64's γ, so that is
added; so is what k operations may lose below the smallest normal number.

Where the bound is componentwise it holds for any data. `network` is the exception: a whole pass through a network has a
condition number, and its bound is for the well-behaved networks of these tests (weights and z of about 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# Roundings that one elementary function (exp, tanh, logistic…) may stand for: a library within 4 ulp is a good one.
ELEMENTARY = 8


def gamma(k: int, dtype: object) -> float:
    ku = k * float(np.finfo(np.dtype(dtype)).eps) / 2.0
    return ku / (1.0 - ku)


def bound(k: int, magnitude: object, dtype: object) -> np.ndarray:
    """k roundings in a row on terms whose absolute values sum to `magnitude`."""
    magnitude = np.abs(np.asarray(magnitude, dtype=np.float64))
    return (gamma(k, dtype) + gamma(k, np.float64)) * magnitude + underflow(k, dtype)


def underflow(k: int, dtype: object) -> float:
    """What k operations may lose where their results are below the smallest normal number."""
    return k * float(np.finfo(np.dtype(dtype)).smallest_subnormal)


def product(x: np.ndarray, w: np.ndarray, dtype: object, b: object = 0.0) -> np.ndarray:
    """x @ w + b in any order of summation: γ_{K+1} (|x| |w| + |b|), K the length of the sums."""
    return bound(x.shape[-1] + 1, np.abs(x) @ np.abs(w) + np.abs(np.asarray(b)), dtype)


def activation(value: np.ndarray, z: np.ndarray, row_function: bool, dtype: object) -> np.ndarray:
    """σ(z) for the z at hand: an elementary function; in a row function also z − max z and a sum over the row."""
    if not row_function:
        return bound(ELEMENTARY, value, dtype)
    spread = np.abs(z - np.max(z, axis=-1, keepdims=True, initial=-np.inf))
    return bound(2 * ELEMENTARY + z.shape[-1], np.abs(value) * (1.0 + spread), dtype)


def delta(da: np.ndarray, a: np.ndarray, derivative: np.ndarray, dtype: object) -> np.ndarray:
    """da ⊙ σ'(z), where σ' may come from the rounded a (1 − a² and a(1 − a) cancel, by no more than a's rounding)."""
    k, size = 2 * ELEMENTARY, np.abs(da)
    return bound(k, size * (np.abs(derivative) + np.abs(a)), dtype) + underflow(k, dtype) * size


def row_delta(da: np.ndarray, a: np.ndarray, z: np.ndarray, dtype: object) -> np.ndarray:
    """a ⊙ (da − Σ da·a), a's own error included."""
    spread = np.max(np.abs(z - np.max(z, axis=-1, keepdims=True, initial=-np.inf)), axis=-1, keepdims=True, initial=0.0)
    terms = np.abs(a) * (np.abs(da) + np.sum(np.abs(da * a), axis=-1, keepdims=True))
    k, size = 4 * ELEMENTARY + 2 * z.shape[-1], np.abs(da) + np.sum(np.abs(da), axis=-1, keepdims=True)
    return bound(k, terms * (1.0 + spread), dtype) + underflow(k, dtype) * size


def network(sizes: Sequence[int], samples: int, want: np.ndarray, dtype: object) -> np.ndarray:
    """A pass through a whole network, forward and back: one bound for an array, from its largest element.

    Every layer has a sum over fan_in and two activations on the way forward, a sum over fan_out on the way back, and
    the sum over the samples ends it. The factor 8 is for the condition of the networks used here.
    """
    k = 8 * (sum(sizes[:-1]) + sum(sizes[1:]) + 4 * ELEMENTARY * (len(sizes) - 1) + samples)
    scale = float(np.max(np.abs(want), initial=0.0))
    return np.broadcast_to(bound(k, scale, dtype), np.shape(want))


def trained(sizes: Sequence[int], samples: int, steps: int, want: np.ndarray, dtype: object) -> np.ndarray:
    """Parameters, or losses, after so many steps: each adds the error of a pass, of numbers of at least about 1.

    For rates at which a step does not magnify what the steps before were off by.
    """
    size = np.full(np.shape(want), max(1.0, float(np.max(np.abs(want), initial=0.0))))
    return max(1, steps) * network(sizes, samples, size, dtype)


def loss_terms(a: np.ndarray, t: np.ndarray, targets: str = "unit") -> np.ndarray:
    """What a loss and its gradient are made of, before any of it cancels: at most so much for each a.

    `targets` is what t may be, as `losses.Loss` has it, and tells which ratios and logarithms there are, as
    |ln a| ≤ 1/a for a below 1.
    """
    terms = (1.0 + np.abs(a) + np.abs(t)) ** 2
    if targets != "real":
        terms = terms + np.abs(t) / np.abs(a)
    return terms + np.abs(1.0 - t) / np.abs(1.0 - a) if targets == "unit" else terms


SLOPE = 2.0  # that no σ' but the exponential's goes beyond


def pass_terms(
    w: Sequence[np.ndarray], b: Sequence[np.ndarray], a: Sequence[np.ndarray], t: np.ndarray, targets: str
) -> dict[str, Any]:
    """For each number of a pass the sum of the absolute values that it is summed from, by its letter.

    What `network` takes in place of the numbers themselves, where those may cancel. a[0] is x, and a[-1] the output.
    """
    n = max(1, int(np.prod(a[0].shape[:-1])))
    loss = loss_terms(a[-1], t, targets) / n
    z = [np.abs(each) @ np.abs(wl) + np.abs(bl) for each, wl, bl in zip(a[:-1], w, b, strict=True)]
    da, delta = [loss], [SLOPE * loss]
    for wl in reversed(w[1:]):
        da.insert(0, delta[0] @ np.abs(wl).T)
        delta.insert(0, SLOPE * da[0])
    columns = [np.abs(each).reshape(n, -1) for each in a[:-1]]
    by_row = [each.reshape(n, -1) for each in delta]
    return {
        "loss": loss.sum(),
        "z": z,
        "a": [np.abs(a[0]), *(SLOPE * size for size in z)],
        "da": da,
        "delta": delta,
        "dw": [column.T @ row for column, row in zip(columns, by_row, strict=True)],
        "db": [row.sum(axis=0) for row in by_row],
    }


# --- against central differences, in float64: truncation and rounding are both about ε^⅔ of the function's size -------

DIFFERENCE = 64 * float(np.finfo(np.float64).eps) ** (2.0 / 3.0)


def difference(want: np.ndarray, size: object = 1.0) -> np.ndarray:
    """f' by central differences for an f (and third derivatives) of about `size`."""
    return DIFFERENCE * (np.abs(want) + np.abs(np.asarray(size, dtype=np.float64)))


def assert_within(got: object, want: object, bound: object, what: str = "result") -> None:
    """|got − want| ≤ bound, element by element; infinities and nan must be the same."""
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    bound = np.broadcast_to(np.asarray(bound, dtype=np.float64), want.shape)
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite], err_msg=what)
    error, allowed = np.abs(got[finite] - want[finite]), bound[finite]
    bad = ~(error <= allowed)
    if bad.any():
        worst = int(np.argmax(np.where(np.isnan(error), np.inf, error - allowed)))
        raise AssertionError(
            f"{what}: {bad.sum()} of {bad.size} elements too far; the worst is {got[finite][worst]!r}, "
            f"expected {want[finite][worst]!r} within {allowed[worst]:.3g}, off by {error[worst]:.3g}"
        )
