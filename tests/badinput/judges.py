"""The oracle's word on what came of a call, where it has one: of real numbers of moderate size in fitting shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import backpropc as bp
from helpers import in_oracle, oracle_net
from oracle import tolerance, vector
from oracle.activations import ACTIVATIONS
from oracle.losses import LOSSES
from oracle.tolerance import assert_within

MODERATE = 2.0


def check(name: str, before: dict[str, Any], after: dict[str, Any], result: Any) -> bool:
    """Compare with the oracle; return whether it has a word on it. Raises an AssertionError where they differ."""
    if name not in JUDGES:
        return False
    arrays = {key: wide(value) for key, value in before.items() if key in ARRAYS}
    if any(array is None for array in arrays.values()):
        return False
    return JUDGES[name]({**before, **arrays}, after, result) is not False


ARRAYS = ("x", "t", "w", "b", "z", "a", "da", "dw")


def wide(value: Any) -> np.ndarray | None:
    """The numbers in float64, if they are real and moderate."""
    try:
        array = np.asarray(value)
    except Exception:
        return None
    if array.dtype.kind not in "fiub" or array.size > 10**5:
        return None
    array = array.astype(np.float64)
    return array if np.all(np.abs(array) <= MODERATE) else None


def known(activation: Any) -> bool:
    return isinstance(activation, str) and activation in ACTIVATIONS


def forward(given: dict[str, Any], after: dict[str, Any], result: Any) -> Any:
    x, w, b, activation = given["x"], given["w"], given["b"], given["activation"]
    dtype = result.z.dtype
    assert dtype == bp.dense_forward(np.asarray(after["x"]), after["w"], after["b"]).z.dtype
    assert_within(result.z, x @ w + b, tolerance.product(x, w, dtype, b), "z")
    if not known(activation):
        return False
    z = np.asarray(result.z, np.float64)
    want, by_row = ACTIVATIONS[activation].value(z), ACTIVATIONS[activation].derivative is None
    assert_within(result.a, want, tolerance.activation(want, z, by_row, dtype), "a")
    return True


def backward(given: dict[str, Any], after: dict[str, Any], result: Any) -> Any:
    delta, dtype = np.asarray(result.delta, np.float64), result.delta.dtype
    rows_x, rows_d = vector.rows(given["x"]), vector.rows(delta)
    assert_within(result.dx, delta @ given["w"].T, tolerance.product(delta, given["w"].T, dtype), "dx")
    assert_within(result.dw, rows_x.T @ rows_d, tolerance.product(rows_x.T, rows_d, dtype), "dw")
    db, size = rows_d.sum(axis=0), np.abs(rows_d).sum(axis=0)
    assert_within(result.db, db, tolerance.bound(len(rows_d) + 1, size, dtype), "db")


def activated(given: dict[str, Any], after: dict[str, Any], result: Any) -> Any:
    if not known(given["activation"]) or given["z"].ndim == 0:
        return False
    entry, dtype = ACTIVATIONS[given["activation"]], np.asarray(result).dtype
    want = entry.value(given["z"])
    assert_within(result, want, tolerance.activation(want, given["z"], entry.derivative is None, dtype), "a")
    return True


def loss_of(given: dict[str, Any], after: dict[str, Any], result: Any) -> Any:
    loss, a, t = given["loss"], given["a"], given["t"]
    if not isinstance(loss, str) or loss not in LOSSES or a.shape != t.shape or not a.size:
        return False
    with np.errstate(all="ignore"):
        want = vector.loss_value(loss, a, t)
    if np.isfinite(want) and loss in ("half_squared_error", "mean_squared_error", "mean_absolute_error"):
        size = float(np.sum((np.abs(a) + np.abs(t)) ** 2 + np.abs(a) + np.abs(t)))
        assert_within(result, want, tolerance.bound(a.size + 4, size, np.asarray(result).dtype), "E")
    return True


def stepped(given: dict[str, Any], after: dict[str, Any], result: Any) -> Any:
    w, dw, rate = given["w"], given["dw"], float(given["learning_rate"])
    if rate > MODERATE:
        return False
    assert result is after["w"]
    assert_within(result, w - rate * dw, tolerance.bound(3, np.abs(w) + np.abs(rate * dw), result.dtype), "w")
    return True


def predicted(given: dict[str, Any], after: dict[str, Any], result: Any) -> Any:
    net = given["self"]
    x = given["x"].astype(net.dtype).astype(np.float64)
    assert isinstance(result, np.ndarray)
    want = vector.forward(oracle_net(net), x)[1][-1]
    samples = len(x) if x.ndim == 2 else 1
    assert_within(result, want, tolerance.network(net.sizes, samples, want, net.dtype), "a")
    return True


def gradients(given: dict[str, Any], after: dict[str, Any], result: Any) -> Any:
    net, x, t, loss = given["self"], given["x"], given["t"], given["loss"]
    if not isinstance(loss, str) or not in_oracle(net, loss) or t.shape != (*x.shape[:-1], net.sizes[-1]):
        return False
    samples = len(x) if x.ndim == 2 else 1
    with np.errstate(all="ignore"):
        want = vector.trace(oracle_net(net), x.astype(net.dtype).astype(float), t.astype(net.dtype).astype(float), loss)
    if not np.isfinite(want.loss):
        return False
    for got, dw, db in zip(result.layers, want.dw, want.db, strict=True):
        assert_within(got.dw, dw, tolerance.network(net.sizes, samples, dw, net.dtype), "dw")
        assert_within(got.db, db, tolerance.network(net.sizes, samples, db, net.dtype), "db")
    return True


JUDGES: dict[str, Callable[[dict[str, Any], dict[str, Any], Any], Any]] = {
    "dense_forward": forward,
    "dense_backward": backward,
    "activate": activated,
    "loss_value": loss_of,
    "sgd_update": stepped,
    "Network.predict": predicted,
    "Network.gradients": gradients,
}
