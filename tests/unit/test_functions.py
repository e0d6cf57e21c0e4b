"""api.md, "Functions": the lecture's equations are right for every registered name, both dtypes, any axes, any memory.

Parametrized over `bp.ACTIVATIONS` and `bp.LOSSES`: one that is added is tested here without a test being written. Where
the oracle has no entry for it, it is held to central differences of itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import backpropc as bp
from backpropc.definitions import FAMILIES
from helpers import LAYOUTS, assert_same_bits, is_row_function, targets
from oracle import activations, differences, losses, tolerance, vector
from oracle.activations import ACTIVATIONS
from oracle.losses import LOSSES, one_hot
from oracle.tolerance import assert_within

LEADING = {"none": (), "one": (5,), "many": (2, 1, 3), "empty": (0,), "empty_among_others": (3, 0, 2)}
FAN_IN, FAN_OUT = 7, 4
ELEMENTWISE = [name for name in bp.ACTIVATIONS if not is_row_function(name)]
# Small, large, the edges of saturation in either dtype, and both zeros.
POINTS = np.concatenate(
    [
        np.linspace(-6, 6, 48),
        [0.0, -0.0, 1e-3, -1e-3, 1e-20, -1e-20, 15.0, -15.0, 40.0, -40.0, 90.0, -90.0, 800.0, -800.0],
    ]
)


def layer(dtype: str, leading: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, w, b, da."""
    rng = np.random.default_rng(seed)
    shapes = (leading + (FAN_IN,), (FAN_IN, FAN_OUT), (FAN_OUT,), leading + (FAN_OUT,))
    x, w, b, da = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    return x, w, b, da


def wide(*arrays: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(array, dtype=np.float64) for array in arrays]


# --- forward ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leading", LEADING.values(), ids=LEADING)
@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_dense_forward(activation: str, leading: tuple[int, ...], dtype: str) -> None:
    x, w, b, _ = layer(dtype, leading)
    result = bp.dense_forward(x, w, b, activation=activation)
    assert result._fields == ("z", "a")
    z, a = result
    assert type(result).__name__ == "DenseForward"
    assert z.dtype == a.dtype == np.dtype(dtype)
    assert z.shape == a.shape == leading + (FAN_OUT,)
    assert_within(z, wide(x)[0] @ w + b, tolerance.product(*wide(x, w), dtype, b), "z")
    if activation in ACTIVATIONS:
        want = ACTIVATIONS[activation].value(*wide(z))
        assert_within(a, want, tolerance.activation(want, *wide(z), is_row_function(activation), dtype), "a")


def test_dense_forward_is_logistic_unless_told() -> None:
    x, w, b, _ = layer("float64", (3,))
    assert_same_bits(bp.dense_forward(x, w, b).a, bp.dense_forward(x, w, b, "logistic").a)
    assert_same_bits(bp.dense_forward(x, w, b, "sigmoid").a, bp.dense_forward(x, w, b, "logistic").a)


def representable(want: np.ndarray, dtype: str) -> np.ndarray:
    """Infinite where it is larger than any number of this dtype."""
    return np.where(np.abs(want) > float(np.finfo(dtype).max), np.copysign(np.inf, want), want)


@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_activate(activation: str, dtype: str) -> None:
    z = POINTS.astype(dtype)
    a = bp.activate(activation, z)
    assert a.dtype == np.dtype(dtype)
    assert a.shape == z.shape
    assert_same_bits(
        a, bp.dense_forward(z[:, None], np.ones((1, 1), dtype), np.full(1, -0.0, dtype), activation).a[:, 0]
    )
    if activation not in ACTIVATIONS:
        want = wide(bp.activate(activation, *wide(z)))[0]
    else:
        want = representable(ACTIVATIONS[activation].value(*wide(z)), dtype)
    assert_within(a, want, tolerance.activation(want, *wide(z), False, dtype))


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_far_out_nothing_overflows_into_nan(activation: str, dtype: str) -> None:
    largest = float(np.finfo(dtype).max)
    x = np.array([[1e4, -1e4, 0.0], [largest, -largest, 1.0], [-largest, largest, largest]], dtype=dtype)
    assert not np.isnan(bp.dense_forward(x, np.eye(3, dtype=dtype), np.zeros(3, dtype), activation).a).any()


@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_an_infinite_z_is_no_nan(activation: str, dtype: str) -> None:
    """Nor is one that is as large as a finite number can be; a derivative is finite even there, but for exp's."""
    largest = float(np.finfo(dtype).max)
    z = np.array([np.inf, largest, largest / 2, -largest / 2, -largest, -np.inf], dtype=dtype)
    a = bp.activate(activation, z)
    assert not np.isnan(a).any()
    derivative = bp.activation_derivative(activation, z)
    assert np.array_equal(derivative, a) if activation == "exp" else np.isfinite(derivative).all()
    assert_same_bits(a[[0, -1]], bp.activate(activation, z[[0, -1]]))
    zeros = bp.activate(activation, np.array([0.0, -0.0], dtype))
    assert zeros[0] == zeros[1]
    assert not np.signbit(zeros[0])


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_nan_comes_out_where_nan_went_in(activation: str, dtype: str) -> None:
    x = np.array([[np.nan, 1.0], [0.5, 1.0]], dtype=dtype)
    _, a = bp.dense_forward(x, np.eye(2, dtype=dtype), np.zeros(2, dtype), activation)
    assert np.isnan(a[0, 0])
    assert np.isfinite(a[1]).all()


def test_rows_of_softmax_sum_to_one(dtype: str) -> None:
    z = np.random.default_rng(0).normal(size=(9, 11)).astype(dtype) * 30
    a = bp.dense_forward(z, np.eye(11, dtype=dtype), np.zeros(11, dtype), "softmax").a
    assert (a >= 0).all()
    assert_within(wide(a)[0].sum(axis=1), np.ones(9), tolerance.bound(2 * tolerance.ELEMENTARY + 11, 1.0, dtype))
    huge = np.array([[1e4, 1e4, -1e4]], dtype=dtype)
    assert bp.dense_forward(huge, np.eye(3, dtype=dtype), np.zeros(3, dtype), "softmax").a.tolist() == [[0.5, 0.5, 0.0]]


# --- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_activation_derivative(activation: str, dtype: str) -> None:
    z = POINTS.astype(dtype)
    got = bp.activation_derivative(activation, z)
    assert got.dtype == np.dtype(dtype)
    assert got.shape == z.shape
    a = wide(bp.activate(activation, z))[0]
    if activation not in ACTIVATIONS:
        want = wide(bp.activation_derivative(activation, *wide(z)))[0]
    else:
        want = representable(ACTIVATIONS[activation].derivative(*wide(z)), dtype)
    assert_within(got, want, tolerance.delta(np.ones_like(a), a, want, dtype))


@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_activation_derivative_equals_central_differences(activation: str) -> None:
    # Far out a step of a difference, a share of z, is too large for exp, whose derivatives are all as large as it is.
    points = POINTS[np.abs(POINTS) <= 15.0] if activation == "exp" else POINTS
    lower, upper, smooth = differences.derivative(lambda z: bp.activate(activation, z), points)
    got = bp.activation_derivative(activation, points)
    size = np.maximum(np.maximum(1.0, np.abs(points)), np.abs(bp.activate(activation, points)))
    slack = tolerance.difference(upper, size)
    assert smooth.sum() > len(points) // 2
    assert np.all(got >= lower - slack)
    assert np.all(got <= upper + slack)


@pytest.mark.parametrize("name", [name for name, cls in FAMILIES["activation"].objects()])
def test_activations_with_other_parameters(name: str, dtype: str) -> None:
    make, values = activations.WITH_PARAMETERS[name]
    activation, want, z = getattr(bp, name)(**values), make(**values), POINTS.astype(dtype)
    value, derivative = want.value(*wide(z)), want.derivative(*wide(z))
    assert_within(bp.activate(activation, z), value, tolerance.activation(value, *wide(z), False, dtype), "a")
    slack = tolerance.delta(np.full(z.shape, 1.0 + max(values.values())), value, derivative, dtype)
    assert_within(bp.activation_derivative(activation, z), derivative, slack, "derivative")


def test_relu_has_derivative_0_at_0(dtype: str) -> None:
    assert bp.activation_derivative("relu", np.array([0.0, -0.0], dtype)).tolist() == [0.0, 0.0]


def test_a_row_function_has_no_elementwise_derivative() -> None:
    with pytest.raises(ValueError, match="softmax"):
        bp.activation_derivative("softmax", np.zeros(3))


# --- backward ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leading", LEADING.values(), ids=LEADING)
@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_dense_backward(activation: str, leading: tuple[int, ...], dtype: str) -> None:
    x, w, b, da = layer(dtype, leading)
    z, a = bp.dense_forward(x, w, b, activation)
    result = bp.dense_backward(da, x, w, z, a, activation=activation)
    assert type(result).__name__ == "DenseBackward"
    assert result._fields == ("delta", "dx", "dw", "db")
    delta, dx, dw, db = result
    assert {array.dtype for array in result} == {np.dtype(dtype)}
    assert (delta.shape, dx.shape, dw.shape, db.shape) == (z.shape, x.shape, w.shape, b.shape)

    rows_x, rows_delta = vector.rows(wide(x)[0]), vector.rows(wide(delta)[0])
    assert_within(dx, wide(delta)[0] @ w.T, tolerance.product(*wide(delta, w.T), dtype), "BP2: dx")
    assert_within(dw, rows_x.T @ rows_delta, tolerance.product(rows_x.T, rows_delta, dtype), "BP4: dw")
    assert_within(db, rows_delta.sum(0), tolerance.bound(len(rows_delta), np.abs(rows_delta).sum(0), dtype), "BP3: db")

    if activation not in ACTIVATIONS:
        return
    want, (da, z, a) = ACTIVATIONS[activation].backward(*wide(da, z)), wide(da, z, a)
    if is_row_function(activation):
        slack = tolerance.row_delta(da, a, z, dtype)
    else:
        slack = tolerance.delta(da, a, ACTIVATIONS[activation].derivative(z), dtype)
    assert_within(delta, want, slack, "BP1: delta")


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_dense_backward_equals_central_differences(activation: str) -> None:
    """Of E = Σ c·a for a fixed c, in x, w and b: for a row function too."""
    x, w, b, c = layer("float64", (3,), seed=1)
    got = bp.dense_backward(c, x, w, *bp.dense_forward(x, w, b, activation), activation)

    def error(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> float:
        return float(np.sum(c * bp.dense_forward(x, w, b, activation).a))

    size = np.abs(c).sum()
    for name, gradient, want in (
        ("dx", got.dx, differences.gradient(lambda v: error(v, w, b), x)),
        ("dw", got.dw, differences.gradient(lambda v: error(x, v, b), w)),
        ("db", got.db, differences.gradient(lambda v: error(x, w, v), b)),
    ):
        assert_within(gradient, want, tolerance.difference(want, size), name)


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_float32_backward_is_the_float64_one_rounded(activation: str) -> None:
    """For every registered name, so also for one the oracle does not know."""
    x, w, b, da = layer("float32", (3,))
    z, a = bp.dense_forward(x, w, b, activation)
    got = bp.dense_backward(da, x, w, z, a, activation).delta
    a64 = bp.dense_forward(*wide(z), np.eye(FAN_OUT), np.zeros(FAN_OUT), activation).a
    want = bp.dense_backward(*wide(da), *wide(z), np.eye(FAN_OUT), *wide(z), a64, activation).delta
    scale = np.abs(wide(da)[0]).sum(axis=-1, keepdims=True) * (1.0 + np.abs(a64)) * (1.0 + np.abs(wide(z)[0]))
    assert_within(got, want, tolerance.bound(4 * tolerance.ELEMENTARY, scale, "float32"))


# Sizes on either side of whatever a product is cut into: tiles, panels, blocks of rows and of k.
BLOCKS = [
    (1, 1500, 7),
    (3, 300, 700),
    (13, 17, 1000),
    (64, 64, 64),
    (5, 97, 145),
    (70, 513, 130),
    (200, 1030, 97),
    (257, 129, 1),
    (600, 5, 33),
]


@pytest.mark.parametrize(("n", "fan_in", "fan_out"), BLOCKS)
def test_products_of_many_blocks(n: int, fan_in: int, fan_out: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    shapes = (n, fan_in), (fan_in, fan_out), (fan_out,), (n, fan_out)
    x, w, b, da = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    z, a = bp.dense_forward(x, w, b, "identity")
    assert_within(z, wide(x)[0] @ wide(w)[0] + b, tolerance.product(*wide(x, w), dtype, b), "z")
    for i in {0, n // 2, n - 1}:
        assert_same_bits(bp.dense_forward(x[i], w, b, "identity").z, z[i], f"row {i} alone")
    delta, dx, dw, db = bp.dense_backward(da, x, w, z, a, "identity")
    assert_same_bits(delta, da)
    assert_within(dx, wide(da)[0] @ wide(w.T)[0], tolerance.product(*wide(da, w.T), dtype), "dx")
    assert_within(dw, wide(x.T)[0] @ wide(da)[0], tolerance.product(*wide(x.T, da), dtype), "dw")
    assert_within(db, wide(da)[0].sum(axis=0), tolerance.bound(n, np.abs(wide(da)[0]).sum(axis=0), dtype), "db")


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_leading_axes_are_rows(activation: str, dtype: str) -> None:
    """(2, 1, 3, k) is (6, k): the same bits, only the shape differs."""
    x, w, b, da = layer(dtype, (2, 1, 3))
    z, a = bp.dense_forward(x, w, b, activation)
    flat_z, flat_a = bp.dense_forward(x.reshape(6, -1), w, b, activation)
    assert_same_bits(z.reshape(6, -1), flat_z)
    assert_same_bits(a.reshape(6, -1), flat_a)
    many = bp.dense_backward(da, x, w, z, a, activation)
    flat = bp.dense_backward(da.reshape(6, -1), x.reshape(6, -1), w, flat_z, flat_a, activation)
    for got, want in zip(many, flat, strict=True):
        assert_same_bits(got.reshape(want.shape), want)


def test_no_sample_has_zero_gradients(dtype: str) -> None:
    x, w, b, da = layer(dtype, (0,))
    result = bp.dense_backward(da, x, w, *bp.dense_forward(x, w, b, "tanh"), "tanh")
    assert not result.dw.any()
    assert not result.db.any()


@pytest.mark.parametrize(("fan_in", "fan_out"), [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_layers_of_width_0(activation: str, fan_in: int, fan_out: int, dtype: str) -> None:
    """An empty sum is 0, so z is b; an empty row stays empty."""
    x, w, b = np.ones((2, fan_in), dtype), np.ones((fan_in, fan_out), dtype), np.full(fan_out, 0.25, dtype)
    z, a = bp.dense_forward(x, w, b, activation)
    assert_same_bits(z, np.full((2, fan_out), 0.25, dtype))
    result = bp.dense_backward(np.ones_like(z), x, w, z, a, activation)
    assert [array.shape for array in result] == [z.shape, x.shape, w.shape, b.shape]
    assert not result.dx.any() or fan_out


def test_integers_small_enough_are_exact(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-8, 9, (33, 65)).astype(dtype), rng.integers(-8, 9, (65, 17)).astype(dtype)
    b = rng.integers(-8, 9, 17).astype(dtype)
    z, a = bp.dense_forward(x, w, b, "identity")
    assert (z == x.astype(np.int64) @ w.astype(np.int64) + b.astype(np.int64)).all()
    result = bp.dense_backward(z, x, w, z, a, "identity")
    assert (result.dw == x.astype(np.int64).T @ z.astype(np.int64)).all()
    assert (result.dx == z.astype(np.int64) @ w.astype(np.int64).T).all()
    assert (result.db == z.astype(np.int64).sum(axis=0)).all()


# --- losses -----------------------------------------------------------------------------------------------------------


def outputs(loss: str, dtype: str, leading: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """a in (0, 1) and targets that fit."""
    rng = np.random.default_rng(3)
    shape = leading + (FAN_OUT,)
    return rng.uniform(0.05, 0.95, shape).astype(dtype), targets(loss, rng, shape).astype(dtype)


@pytest.mark.parametrize("leading", LEADING.values(), ids=LEADING)
@pytest.mark.parametrize("loss", bp.LOSSES)
def test_loss_value_and_gradient(loss: str, leading: tuple[int, ...], dtype: str) -> None:
    a, t = outputs(loss, dtype, leading)
    with np.errstate(all="raise"):
        value, gradient = bp.loss_value(loss, a, t), bp.loss_gradient(loss, a, t)
    assert np.ndim(value) == 0
    assert gradient.dtype == np.dtype(dtype)
    assert gradient.shape == a.shape
    n = int(np.prod(leading))
    if n == 0:
        assert np.isnan(value)
        return
    k = 4 * tolerance.ELEMENTARY + FAN_OUT + n
    scale = tolerance.loss_terms(*wide(a, t))
    if loss in LOSSES:
        want = vector.loss_value(loss, *wide(a, t)), vector.loss_gradient(loss, *wide(a, t))
    else:
        want = bp.loss_value(loss, *wide(a, t)), bp.loss_gradient(loss, *wide(a, t))
    assert_within(value, want[0], tolerance.bound(k, scale.sum() / n, dtype), "loss")
    assert_within(gradient, want[1], tolerance.bound(k, scale / n, dtype), "gradient")


@pytest.mark.parametrize("name", [name for name, cls in FAMILIES["loss"].objects()])
def test_losses_with_other_parameters(name: str, dtype: str) -> None:
    make, values = losses.WITH_PARAMETERS[name]
    (a, t), loss, want = outputs(name, dtype, (5,)), getattr(bp, name)(**values), make(**values)
    scale = tolerance.loss_terms(*wide(a, t))
    slack = tolerance.bound(4 * tolerance.ELEMENTARY + FAN_OUT + 5, scale, dtype)
    assert_within(bp.loss_value(loss, a, t), want.value(*wide(a, t)).mean(), slack.sum() / 5, "loss")
    assert_within(bp.loss_gradient(loss, a, t), want.gradient(*wide(a, t)) / 5, slack / 5, "gradient")


def test_mean_absolute_error_has_gradient_0_at_0(dtype: str) -> None:
    a, t = np.array([1.0, 0.5, -2.0, np.nan], dtype), np.array([1.0, 1.0, -3.0, 0.0], dtype)
    assert bp.loss_gradient("mean_absolute_error", a, t)[:3].tolist() == [0.0, -0.25, 0.25]
    assert np.isnan(bp.loss_gradient("mean_absolute_error", a, t)[3])


def test_poisson_at_its_edges(dtype: str) -> None:
    """0 ln 0 is 0; a target too small for t/a costs what 0 does; a small difference keeps its digits."""
    tiny = np.finfo(dtype).smallest_subnormal
    assert bp.loss_value("poisson", np.array([2.0], dtype), np.array([0.0], dtype)) == 2.0
    assert bp.loss_value("poisson", np.array([2.0], dtype), np.array([tiny], dtype)) == 2.0
    assert bp.loss_value("poisson", np.array([0.0], dtype), np.array([0.0], dtype)) == 0.0
    assert bp.loss_value("poisson", np.array([0.0], dtype), np.array([1.0], dtype)) == np.inf
    a, t = np.array([0.0, 4.0, 4.0, 4.0], dtype), np.array([0.0, 0.0, 1.0, 4.0], dtype)
    assert bp.loss_gradient("poisson", a, t).tolist() == [0.25, 0.25, 0.1875, 0.0]
    a, t = np.array([1000.5], dtype), np.array([1000.0], dtype)
    assert_within(
        bp.loss_value("poisson", a, t),
        0.5 - 1000 * np.log1p(5e-4),
        tolerance.bound(2 * tolerance.ELEMENTARY, 0.5, dtype),
    )


@pytest.mark.parametrize("loss", bp.LOSSES)
def test_loss_gradient_equals_central_differences(loss: str) -> None:
    a, t = outputs(loss, "float64", (3,))
    want = differences.gradient(lambda v: float(bp.loss_value(loss, v, t)), a)
    scale = tolerance.loss_terms(a, t) ** 3  # third derivatives of the logarithms go as the cube of 1/a
    assert_within(bp.loss_gradient(loss, a, t), want, tolerance.difference(want, scale))


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_a_certain_and_right_answer_costs_nothing(loss: str, dtype: str) -> None:
    """0·ln 0 is 0, not nan; a certain and wrong answer costs infinity."""
    sure = np.array([[0.0, 1.0]], dtype=dtype)
    assert bp.loss_value(loss, sure, sure) == 0.0
    assert np.isfinite(bp.loss_gradient(loss, sure, sure)).all()
    assert bp.loss_value(loss, sure, 1 - sure) == np.inf


def test_half_squared_error_is_the_lectures(dtype: str) -> None:
    a, t = np.array([1.0, 2.0], dtype), np.array([0.0, 4.0], dtype)
    assert bp.loss_value("half_squared_error", a, t) == 2.5
    assert bp.loss_gradient("half_squared_error", a, t).tolist() == [1.0, -2.0]
    assert bp.loss_value("mean_squared_error", a, t) == 2.5
    assert bp.loss_gradient("mean_squared_error", a, t).tolist() == [1.0, -2.0]
    twice = np.stack([a, t]), np.stack([t, t])
    assert bp.loss_value("half_squared_error", *twice) == 1.25, "the mean over the samples"
    assert bp.loss_gradient("half_squared_error", *twice).tolist() == [[0.5, -1.0], [0.0, 0.0]]


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_integer_classes_are_one_hot_rows(kind: type, dtype: str) -> None:
    a = np.random.default_rng(0).dirichlet(np.ones(FAN_OUT), 5).astype(dtype)
    classes = np.array([3, 0, 1, 1, 2], dtype=kind)
    rows = one_hot(classes, FAN_OUT).astype(dtype)
    assert bp.loss_value("softmax_cross_entropy", a, classes) == bp.loss_value("softmax_cross_entropy", a, rows)
    assert_same_bits(
        bp.loss_gradient("softmax_cross_entropy", a, classes), bp.loss_gradient("softmax_cross_entropy", a, rows)
    )


# --- update -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (59,), (7, 4), (2, 3, 5), (0,), (0, 4)])
def test_sgd_update(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    w, dw = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    w, dw = np.asarray(w), np.asarray(dw)
    want = wide(w)[0] - 0.3 * wide(dw)[0]
    slack = tolerance.bound(3, np.abs(w) + np.abs(0.3 * dw), dtype)
    result = bp.sgd_update(w, dw, 0.3)
    assert result is w
    assert_within(w, want, slack)


def test_sgd_update_takes_what_can_be_updated() -> None:
    """A contiguous view is updated in its place, and nothing beside it."""
    whole = np.arange(12.0)
    bp.sgd_update(whole[4:8], np.ones(4), 0.5)
    assert whole.tolist() == [0, 1, 2, 3, 3.5, 4.5, 5.5, 6.5, 8, 9, 10, 11]


def test_sgd_update_reads_before_it_writes() -> None:
    """w and dw may share memory: dw is what it was when the call was made, as in NumPy's w -= rate * dw."""
    for shift in (1, -1, 0):
        memory, expected = np.arange(40.0), np.arange(40.0)
        w, dw = (memory[shift:], memory[: 40 - shift]) if shift >= 0 else (memory[:shift], memory[-shift:])
        v, dv = (expected[shift:], expected[: 40 - shift]) if shift >= 0 else (expected[:shift], expected[-shift:])
        v -= 0.5 * dv
        bp.sgd_update(w, dw, 0.5)
        assert memory.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        pytest.param(LAYOUTS["read_only"], ValueError, id="read_only"),
        pytest.param(LAYOUTS["strided"], ValueError, id="not_contiguous"),
        pytest.param(LAYOUTS["negative_strides"], ValueError, id="negative_strides"),
        pytest.param(LAYOUTS["broadcast"], ValueError, id="broadcast"),
        pytest.param(LAYOUTS["unaligned"], ValueError, id="unaligned"),
        pytest.param(LAYOUTS["byte_swapped"], TypeError, id="byte_swapped"),
        pytest.param(lambda w: w.astype(np.float16), TypeError, id="float16"),
        pytest.param(lambda w: w.astype(np.longdouble), TypeError, id="longdouble"),
        pytest.param(lambda w: w.astype(np.int64), TypeError, id="int64"),
        pytest.param(lambda w: w.astype(complex), TypeError, id="complex"),
        pytest.param(lambda w: w.tolist(), TypeError, id="list"),
    ],
)
def test_sgd_update_refuses_what_it_cannot_update(make: Callable, error: type[Exception]) -> None:
    w = make(np.ones((4, 6)))
    before = np.array(w)
    with pytest.raises(error, match=r"\bw\b"):
        bp.sgd_update(w, np.ones((4, 6)), 0.3)
    assert np.array_equal(np.array(w), before)


# --- memory and types -------------------------------------------------------------------------------------------------


def calls(dtype: str) -> dict[str, tuple[Callable, dict[str, np.ndarray]]]:
    """Every function with its array arguments."""
    x, w, b, da = layer(dtype, (5,))
    z, a = bp.dense_forward(x, w, b, "softmax")
    t = targets("softmax_cross_entropy", np.random.default_rng(0), a.shape).astype(dtype)
    return {
        "dense_forward": (lambda x, w, b: bp.dense_forward(x, w, b, "tanh"), {"x": x, "w": w, "b": b}),
        "dense_backward": (
            lambda da, x, w, z, a: bp.dense_backward(da, x, w, z, a, "softmax"),
            {"da": da, "x": x, "w": w, "z": z, "a": a},
        ),
        "activate": (lambda z: bp.activate("logistic", z), {"z": z}),
        "activation_derivative": (lambda z: bp.activation_derivative("logistic", z), {"z": z}),
        "loss_value": (lambda a, t: bp.loss_value("softmax_cross_entropy", a, t), {"a": a, "t": t}),
        "loss_gradient": (lambda a, t: bp.loss_gradient("softmax_cross_entropy", a, t), {"a": a, "t": t}),
        "sgd_update": (lambda dw: bp.sgd_update(np.ones_like(w), dw, 0.3), {"dw": w}),
    }


ARGUMENTS = [(name, argument) for name, (_, arguments) in calls("float32").items() for argument in arguments]


def as_tuple(result: object) -> tuple:
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_any_memory_layout_gives_the_same_bits(name: str, argument: str, layout: str, dtype: str) -> None:
    function, arguments = calls(dtype)[name]
    laid_out = LAYOUTS[layout](arguments[argument])
    plain = np.array(laid_out, dtype=dtype, order="C")
    before = laid_out.tobytes()
    got, want = function(**{**arguments, argument: laid_out}), function(**{**arguments, argument: plain})
    assert laid_out.tobytes() == before, "the argument was modified"
    for one, other in zip(as_tuple(got), as_tuple(want), strict=True):
        assert_same_bits(one, other)
        assert np.asarray(one).dtype.isnative


@pytest.mark.parametrize("layout", LAYOUTS)
def test_leading_axes_of_any_layout(layout: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = LAYOUTS[layout](rng.normal(size=(2, 3, 4, 7)).astype(dtype))
    w, b = rng.normal(size=(7, 4)).astype(dtype), rng.normal(size=4).astype(dtype)
    for moved in (x, x.transpose(2, 0, 1, 3), x[:, ::2], x[..., ::-1]):
        want = bp.dense_forward(np.array(moved, dtype=dtype, order="C"), w, b)
        for got, expected in zip(bp.dense_forward(moved, w, b), want, strict=True):
            assert_same_bits(got, expected)


@pytest.mark.parametrize("name", calls("float32"))
def test_inputs_are_never_modified(name: str, dtype: str) -> None:
    function, arguments = calls(dtype)[name]
    before = {key: array.tobytes() for key, array in arguments.items()}
    results = as_tuple(function(**arguments))
    assert {key: array.tobytes() for key, array in arguments.items()} == before
    for result in results:
        assert not any(np.shares_memory(result, array) for array in arguments.values())
        if isinstance(result, np.ndarray):
            assert result.flags.writeable
            assert result.flags.c_contiguous


@pytest.mark.parametrize("name", calls("float32"))
def test_outputs_do_not_share_memory(name: str, dtype: str) -> None:
    """Also with the identity, whose z and a, and da and delta, are equal."""
    x, w, b, da = layer(dtype, (5,))
    z, a = bp.dense_forward(x, w, b, "identity")
    assert not np.shares_memory(z, a)
    assert not np.shares_memory(bp.dense_backward(da, x, w, z, a, "identity").delta, da)
    assert not np.shares_memory(bp.activate("identity", z), z)


PROMOTIONS = [
    ("float32", "float32", "float32"),
    ("float64", "float64", "float64"),
    ("float32", "float64", "float64"),
    ("float16", "float16", "float32"),
    ("float16", "float32", "float32"),
    ("float16", "float64", "float64"),
    ("int8", "int8", "float64"),
    ("int64", "int64", "float64"),
    ("uint8", "uint64", "float64"),
    ("bool", "bool", "float64"),
    ("bool", "int32", "float64"),
    ("bool", "float32", "float32"),
    ("int16", "float32", "float32"),
    ("int32", "float32", "float64"),
    ("int8", "float16", "float32"),
    ("longdouble", "longdouble", "float64"),
    ("longdouble", "float32", "float64"),
]


@pytest.mark.parametrize(("one", "other", "want"), PROMOTIONS)
def test_types_follow_result_type_and_end_in_float64(one: str, other: str, want: str) -> None:
    x, w, b = np.ones((2, 3)).astype(one), np.ones((3, 4)).astype(other), np.zeros(4).astype(other)
    z, a = bp.dense_forward(x, w, b)
    assert z.dtype == a.dtype == np.dtype(want)
    assert (z == 3).all()
    result = bp.dense_backward(np.ones((2, 4)).astype(one), x, w, z.astype(other), a.astype(other))
    assert {array.dtype for array in result} == {np.dtype(want)}
    assert bp.loss_gradient("half_squared_error", x, np.zeros((2, 3)).astype(other)).dtype == np.dtype(want)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "longdouble", "int8", "uint64", "bool"])
def test_types_of_one_argument(kind: str) -> None:
    z = np.array([0, 1, 1]).astype(kind)
    want = np.dtype("float32" if kind in ("float16", "float32") else "float64")
    assert bp.activate("tanh", z).dtype == want
    assert bp.activation_derivative("tanh", z).dtype == want
    assert_within(bp.activate("tanh", z), np.tanh([0.0, 1.0, 1.0]), tolerance.bound(tolerance.ELEMENTARY, 1.0, want))


@pytest.mark.parametrize(
    "bad",
    [
        np.ones((2, 3), complex),
        np.ones((2, 3), object),
        np.full((2, 3), "1.0"),
        np.full((2, 3), b"1.0"),
        np.zeros((2, 3), "datetime64[s]"),
        np.zeros((2, 3), "timedelta64[s]"),
        np.zeros((2, 3), [("x", "f4")]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_other_types_are_refused_by_name(bad: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"\bx\b.*"):
        bp.dense_forward(bad, np.ones((3, 4)), np.ones(4))
    with pytest.raises(TypeError, match=r"\bz\b"):
        bp.activate("tanh", bad)
    with pytest.raises(TypeError, match=r"\bt\b"):
        bp.loss_value("half_squared_error", np.ones((2, 3)), bad)


def test_lists_and_scalars_are_arrays() -> None:
    z, a = bp.dense_forward([1, 2], [[1.0, 0.0], [0.0, 1.0]], [0.5, 0.5], "identity")
    assert z.tolist() == a.tolist() == [1.5, 2.5]
    assert z.dtype == np.float64
    assert float(bp.activate("relu", 3)) == 3.0
    assert float(bp.activate("relu", -1.5)) == 0.0
    assert np.shape(bp.activate("relu", 3.0)) == ()
    assert float(bp.activation_derivative("tanh", 0.0)) == 1.0
    assert bp.loss_value("half_squared_error", [1.0, 0.0], [0.0, 0.0]) == 0.5
    assert bp.loss_gradient("half_squared_error", [1.0, 0.0], [0.0, 0.0]).tolist() == [1.0, 0.0]


# --- the lists of names -----------------------------------------------------------------------------------------------


def test_the_registered_names() -> None:
    assert {"identity", "logistic", "tanh", "relu", "softmax"} <= set(bp.ACTIVATIONS)
    losses = {"half_squared_error", "mean_squared_error", "binary_cross_entropy", "softmax_cross_entropy"}
    assert losses <= set(bp.LOSSES)
    uniform_and_normal = {"glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "zeros"}
    assert uniform_and_normal <= set(bp.INITIALIZERS)
    for names in (bp.ACTIVATIONS, bp.LOSSES, bp.OPTIMIZERS, bp.INITIALIZERS):
        assert isinstance(names, tuple)
        assert all(isinstance(name, str) for name in names)
        assert len(set(names)) == len(names)
    assert "sigmoid" not in bp.ACTIVATIONS


def test_poisson_from_z_keeps_its_digits(dtype: str) -> None:
    """With d = z − ln t: near 0, where the terms cancel; on both sides of 1; where eᵈ overflows though e^z does not.

    The bound: d is off by ε (|z| + |ln t|), which E has eᵈ − 1 times t of; the terms of E by ε each.
    """
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    distances = (0.0, 1e-3, -1e-3, 0.5, -0.5, 0.99, -1.01, 1.01, 4.0)
    cases = [(d + np.log(t), t) for t in (0.25, 1.0, 7.0) for d in distances]
    cases += [(z, t) for z in (-2.0, 0.0, 5.0) for t in (0.0, tiny)]
    for z, t in np.array(cases, dtype):
        net = bp.Network([1, 1], "exp", seed=0, dtype=dtype, initializer="zeros")
        net.layers[0].b[...] = z
        loss = bp.Trainer(net, "poisson", bp.SGD(1.0)).step(np.zeros((1, 1), dtype), np.full((1, 1), t))
        z, t = float(z), float(t)
        want, error = np.exp(z), np.exp(z)
        if t > tiny:
            d = z - np.log(t)
            want = losses.poisson_from_z(np.array([z]), np.array([t]))
            error = want + t * (np.abs(np.expm1(d)) * (1 + abs(z) + abs(np.log(t))) + abs(d))
        assert_within(loss, want, 4 * eps * error, f"E of z = {z}, t = {t}")
        bound = 4 * eps * (np.exp(z) + t + abs(z))
        assert_within(net.layers[0].b, [z - (np.exp(z) - t)], bound, f"b after a step from z = {z}, t = {t}")
