"""dense_forward and dense_backward within γ_K of the oracle for any shape from 0 to 20, any layout, any pair of types.

The bounds are componentwise and hold whatever the data: |error| ≤ γ_{K+1} Σ|x||w|, K the length of the sum.
"""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

import backpropc as bp
from helpers import LAYOUTS, assert_same_bits
from oracle import tolerance, vector
from oracle.activations import ACTIVATIONS
from oracle.tolerance import assert_within

width = st.integers(0, 20)
leading = st.lists(st.integers(0, 5), max_size=3).map(tuple)
element = st.sampled_from(["float32", "float64"])
layout = st.sampled_from([lambda array: array, *LAYOUTS.values()])
# Powers of ten over the range in which no product of three over- or underflows in float32.
scale = st.integers(-6, 6).map(lambda e: 10.0**e)
known = st.sampled_from([name for name in bp.ACTIVATIONS if name in ACTIVATIONS])


def draw_array(data: st.DataObject, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Normal numbers of any scale, some of them 0, in any layout."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32), label="values"))
    array = rng.normal(size=shape) * data.draw(scale, label="scale")
    array[rng.random(shape) < 0.1] = 0.0
    return data.draw(layout, label="layout")(array.astype(dtype))


def wide(array: np.ndarray) -> np.ndarray:
    return np.array(array, dtype=np.float64)


@given(st.data(), leading, width, width, known, element, element)
def test_forward_and_backward(
    data: st.DataObject, lead: tuple[int, ...], fan_in: int, fan_out: int, activation: str, one: str, other: str
) -> None:
    x, da = (draw_array(data, (*lead, n), one) for n in (fan_in, fan_out))
    w, b = (draw_array(data, shape, other) for shape in ((fan_in, fan_out), (fan_out,)))
    dtype = np.result_type(np.dtype(one), np.dtype(other))

    z, a = bp.dense_forward(x, w, b, activation)
    assert z.dtype == a.dtype == dtype
    assert_within(z, wide(x) @ wide(w) + wide(b), tolerance.product(wide(x), wide(w), dtype, wide(b)), "z")
    # What exp has made infinite, or next to it, is no number for the products that follow.
    assume(activation != "exp" or np.max(z, initial=0.0) < 40.0)
    row_function = ACTIVATIONS[activation].derivative is None
    want = ACTIVATIONS[activation].value(wide(z))
    assert_within(a, want, tolerance.activation(want, wide(z), row_function, dtype), "a")

    delta, dx, dw, db = bp.dense_backward(da, x, w, z, a, activation)
    assert {array.dtype for array in (delta, dx, dw, db)} == {dtype}
    if row_function:
        slack = tolerance.row_delta(wide(da), wide(a), wide(z), dtype)
    else:
        slack = tolerance.delta(wide(da), wide(a), ACTIVATIONS[activation].derivative(wide(z)), dtype)
    assert_within(delta, ACTIVATIONS[activation].backward(wide(da), wide(z)), slack, "delta")
    d, rows_x, rows_d = wide(delta), vector.rows(wide(x)), vector.rows(wide(delta))
    assert_within(dx, d @ wide(w).T, tolerance.product(d, wide(w).T, dtype), "dx")
    assert_within(dw, rows_x.T @ rows_d, tolerance.product(rows_x.T, rows_d, dtype), "dw")
    assert_within(db, rows_d.sum(axis=0), tolerance.bound(len(rows_d) + 1, np.abs(rows_d).sum(axis=0), dtype), "db")


@given(st.data(), st.integers(1, 20), width, st.integers(1, 20), known, element)
def test_a_row_does_not_know_its_neighbours(
    data: st.DataObject, n: int, fan_in: int, fan_out: int, activation: str, dtype: str
) -> None:
    """Row i of a batch is that row alone, bit for bit (promise 1)."""
    x = draw_array(data, (n, fan_in), dtype)
    w, b = draw_array(data, (fan_in, fan_out), dtype), draw_array(data, (fan_out,), dtype)
    whole = bp.dense_forward(x, w, b, activation)
    i = data.draw(st.integers(0, n - 1), label="row")
    for got, want in zip(bp.dense_forward(np.array(x[i], dtype=dtype), w, b, activation), whole, strict=True):
        assert_same_bits(got, want[i])


@given(st.data(), st.lists(st.integers(0, 20), max_size=3).map(tuple), element, st.just(0.0) | st.floats(1e-20, 1e3))
def test_sgd_update(data: st.DataObject, shape: tuple[int, ...], dtype: str, rate: float) -> None:
    w = np.array(draw_array(data, shape or (1,), dtype), dtype=dtype, order="C")
    dw = draw_array(data, shape or (1,), dtype)
    want, step = wide(w) - rate * wide(dw), rate * wide(dw)
    slack = tolerance.bound(3, np.abs(w) + np.abs(step), dtype)
    assert bp.sgd_update(w, dw, rate) is w
    assert_within(w, want, slack)
