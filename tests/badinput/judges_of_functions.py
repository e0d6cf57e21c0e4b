"""The oracle's word on the functions on arrays and the schedules."""

from __future__ import annotations

import dataclasses

import numpy as np

from oracle import schedules, tolerance, vector
from oracle.tolerance import assert_within

from .judging import Case, count, judge, known_activation, known_loss, number, only_if, rows_of_targets


@judge("dense_forward", takes=("x", "w", "b", "activation"))
def forward(case: Case) -> None:
    x, w, b, (z, a) = case.array("x"), case.array("w"), case.array("b"), case.result
    assert z.dtype == a.dtype
    assert_within(z, x @ w + b, tolerance.product(x, w, z.dtype, b), "z")
    entry = known_activation(case.before["activation"])
    want = entry.value(np.asarray(z, np.float64))
    assert_within(
        a, want, tolerance.activation(want, np.asarray(z, np.float64), entry.derivative is None, z.dtype), "a"
    )


@judge("dense_backward", takes=("da", "x", "w", "z", "a", "activation"))
def backward(case: Case) -> None:
    x, w, got = case.array("x"), case.array("w"), case.result
    delta, dtype = np.asarray(got.delta, np.float64), got.delta.dtype
    rows_x, rows_d = vector.rows(x), vector.rows(delta)
    assert_within(got.dx, delta @ w.T, tolerance.product(delta, w.T, dtype), "dx")
    assert_within(got.dw, rows_x.T @ rows_d, tolerance.product(rows_x.T, rows_d, dtype), "dw")
    db, size = rows_d.sum(axis=0), np.abs(rows_d).sum(axis=0)
    assert_within(got.db, db, tolerance.bound(len(rows_d) + 1, size, dtype), "db")
    entry, da, z, a = known_activation(case.before["activation"]), *map(case.array, ("da", "z", "a"))
    by_row = entry.derivative is None
    if np.all(np.abs(a - entry.value(z)) <= tolerance.activation(a, z, by_row, dtype)):  # σ' may be taken from either
        through = tolerance.row_delta(da, a, z, dtype) if by_row else tolerance.delta(da, a, entry.derivative(z), dtype)
        assert_within(delta, entry.backward(da, z), through, "delta")


@judge("activate", takes=("activation", "z"))
def activated(case: Case) -> None:
    entry, z = known_activation(case.before["activation"]), case.array("z")
    only_if(z.ndim > 0)
    want = entry.value(z)
    dtype = np.asarray(case.result).dtype
    assert_within(case.result, want, tolerance.activation(want, z, entry.derivative is None, dtype), "a")


@judge("activation_derivative", takes=("activation", "z"))
def derived(case: Case) -> None:
    entry, z = known_activation(case.before["activation"]), case.array("z")
    assert entry.derivative is not None
    want = entry.derivative(z)
    dtype = np.asarray(case.result).dtype
    # a slope or a scale of its own magnifies what is rounded
    slack = tolerance.delta(np.full(z.shape, 1.0 + np.max(want, initial=0.0)), entry.value(z), want, dtype)
    assert_within(case.result, want, slack, "σ'")


@judge("loss_value", "loss_gradient", takes=("loss", "a", "t"))
def of_a_loss(case: Case) -> None:
    loss, a = known_loss(case.before["loss"]), case.array("a")
    t = rows_of_targets(case.array("t"), a.shape, loss)
    n = int(np.prod(a.shape[:-1]))
    terms = tolerance.loss_terms(a, t, loss.targets) / max(n, 1)
    value, gradient = loss.value(a, t).sum() / max(n, 1), loss.gradient(a, t) / max(n, 1)
    only_if(a.size and np.isfinite(value) and terms.max() < 1.0 / np.finfo(np.float32).eps)
    k, dtype = 4 * tolerance.ELEMENTARY + a.shape[-1] + n, np.asarray(case.result).dtype
    if np.ndim(case.result) == 0:
        assert_within(case.result, value, tolerance.bound(k, terms.sum(), dtype), "E")
    else:
        assert_within(case.result, gradient, tolerance.bound(k, terms, dtype), "∇ₐE")


@judge("sgd_update", takes=("w", "dw", "learning_rate"))
def stepped(case: Case) -> None:
    w, dw, rate = case.array("w"), case.array("dw"), number(case.before["learning_rate"])
    assert case.result is case.after["w"]
    slack = tolerance.bound(3, np.abs(w) + np.abs(rate * dw), case.result.dtype)
    assert_within(case.result, w - rate * dw, slack, "w")


@judge(*(f"schedules.{name}.rate" for name in schedules.SCHEDULES), takes=("epoch", "learning_rate", "losses"))
def rate(case: Case) -> None:
    schedule, epoch, own = case.before["self"], count(case.before["epoch"]), number(case.before["learning_rate"])
    only_if(0 <= epoch <= 1000)
    want = schedules.SCHEDULES[type(schedule).__name__](**dataclasses.asdict(schedule))(epoch, own)
    dtype = np.asarray(case.result).dtype  # that of the rate it is given
    only_if(dtype.kind == "f")
    assert_within(case.result, want, tolerance.bound(64 + 2 * epoch, own, dtype), "rate")
