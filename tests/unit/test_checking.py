"""check_gradients: right gradients pass, each planted mistake is caught, kinks are told from mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, network, oracle_net, targets
from oracle import activations, vector

SIZES = [4, 4, 4, 3]  # square layers, so that a missing transpose has a shape that fits


def problem(hidden: str = "tanh", output: str = "logistic", n: int = 5, dtype: str = "float64") -> tuple[Any, ...]:
    rng = np.random.default_rng(7)
    net = network(SIZES, hidden, output, dtype)
    net.layers[-1].w = rng.normal(size=net.layers[-1].w.shape)
    return net, rng.normal(size=(n, SIZES[0])), rng.uniform(0.1, 0.9, (n, SIZES[-1]))


# --- right gradients --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", bp.LOSSES)
@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_the_core_is_right(activation: str, loss: str, dtype: str) -> None:
    output = {"softmax_cross_entropy": "softmax"}.get(loss, "logistic")
    net = network([3, 4, 2], activation, output, dtype)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(5, 3)), targets(loss, rng, (5, 2))
    before = net.parameters.copy()
    report = bp.check_gradients(net, x, t, loss)
    assert report.ok, report
    assert bool(report)
    assert report.error < 1e-6
    assert [layer.n_checked for layer in report.layers] == [layer.n_parameters for layer in report.layers] == [16, 10]
    assert not any(layer.undecided or layer.kinks for layer in report.layers)
    assert_same_bits(net.parameters, before)


def test_one_sample_integer_classes_frozen_layers_and_parameters_of_any_size() -> None:
    net = bp.Network([bp.Dense(3, 4, "tanh", trainable=False), bp.Dense(4, 3, "softmax")], seed=0)
    net.layers[1].b = [1e4, 1e4, 1e4 + 1.0]
    assert bp.check_gradients(net, [0.5, -1.0, 2.0], 2, "softmax_cross_entropy")
    report = bp.check_gradients(net, np.ones((2, 3)), [0, 1], loss="softmax_cross_entropy")
    assert report.ok, report


def test_weights_that_a_mask_leaves_out_are_none(dtype: str) -> None:
    net = bp.Network([3, 4, 2], "tanh", seed=0, dtype=dtype)
    net.layers[0].mask = np.arange(12).reshape(3, 4) % 3 != 0
    report = bp.check_gradients(net, np.ones((2, 3)), np.zeros((2, 2)))
    assert report.ok, report
    assert [layer.n_checked for layer in report.layers] == [8 + 4, 10]
    assert [layer.n_parameters for layer in report.layers] == [8 + 4, 10]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 255.0, 1e4])
def test_inputs_of_any_scale(scale: float) -> None:
    """The step must follow: E bends within 1/scale of a weight."""
    net, x, t = problem()
    report = bp.check_gradients(net, scale * x, t)
    assert report.ok, report


def test_a_large_network_is_checked_by_a_seeded_sample() -> None:
    net = bp.Network([60, 40, 10], "tanh", "softmax", seed=0)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(4, 60)), rng.integers(0, 10, 4)

    def seen(**options: Any) -> list[int]:
        report = bp.check_gradients(net, x, t, "softmax_cross_entropy", **options)
        return [layer.n_checked for layer in report.layers]

    assert sum(seen()) == 1000
    assert sum(seen(n_parameters=100)) == 100
    assert seen(n_parameters=10**6) == [2440, 410]
    one = bp.check_gradients(net, x, t, "softmax_cross_entropy", n_parameters=50, seed=3)
    assert one.ok
    assert str(one) == str(bp.check_gradients(net, x, t, "softmax_cross_entropy", n_parameters=50, seed=3))
    assert min(layer.n_checked for layer in one.layers) >= 20, "every layer has its share"


# --- planted mistakes -------------------------------------------------------------------------------------------------


def backward(net: Any, x: np.ndarray, t: np.ndarray, mistake: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The lecture's algorithm with a mistake in it."""
    oracle = oracle_net(net)
    done = vector.trace(oracle, x, t, "half_squared_error")
    depth = len(oracle.w)

    def dsigma(layer: int) -> np.ndarray:
        derivative = activations.ACTIVATIONS[oracle.activations[layer]].derivative
        assert derivative is not None
        return derivative(done.a[layer + 1] if mistake == "sigma' of a instead of z" else done.z[layer])

    n = 1 if mistake == "forgotten mean" else len(x)
    delta = [(done.a[-1] - t) / n * dsigma(depth - 1)]
    for layer in reversed(range(depth - 1)):
        w = oracle.w[layer + 1]
        if mistake == "off-by-one layer" and layer + 2 < depth:
            w = oracle.w[layer + 2]
        if mistake == "missing transpose" and w.shape[0] == w.shape[1]:
            w = w.T
        back = delta[0] @ w.T if w.shape[1] == delta[0].shape[1] else delta[0] @ oracle.w[layer + 1].T
        delta.insert(0, back * dsigma(layer))
    sign = -1.0 if mistake == "wrong sign" else 1.0
    pairs = []
    for layer in range(depth):
        below = done.a[layer + 1] if mistake == "a of the layer above" and layer < 2 else done.a[layer]
        dw = below.T @ delta[layer]
        if mistake == "transposed dw" and dw.shape[0] == dw.shape[1]:
            dw = dw.T
        pairs.append((sign * dw, sign * delta[layer].sum(axis=0)))
    if mistake == "off-by-one layer":
        pairs[0] = pairs[1]
    return pairs


MISTAKES = {
    "wrong sign": "every gradient is -1 times what it should be: the sign is turned",
    "forgotten mean": "every gradient is 5 times what it should be: the mean over the 5 samples is missing",
    "sigma' of a instead of z": "",
    "missing transpose": "the gradients are right above layers[0] and wrong there: look at BP2 and σ′ of layers[0]",
    "off-by-one layer": "the gradients are right above layers[0] and wrong there: look at BP2 and σ′ of layers[0]",
    "transposed dw": "∂E/∂w of a square layer is the transpose of what it should be: look at BP4",
    "a of the layer above": "every ∂E/∂b is right and some ∂E/∂w are not, so δ is right: look at BP4",
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("hidden", ["tanh", "logistic"])
def test_a_planted_mistake_is_caught(mistake: str, hidden: str) -> None:
    net, x, t = problem(hidden)
    right = bp.check_gradients(net, x, t, gradients=lambda net, x, t: backward(net, x, t, ""))
    assert right.ok, right
    report = bp.check_gradients(net, x, t, gradients=lambda net, x, t: backward(net, x, t, mistake))
    assert not report.ok
    assert not report
    assert report.hint == MISTAKES[mistake]
    assert "WRONG" in str(report)


def with_mistake(sizes: list[int], gradients: Any) -> bp.checking.GradientCheck:
    net, rng = network(sizes, "tanh", "logistic"), np.random.default_rng(7)
    return bp.check_gradients(
        net, rng.normal(size=(5, sizes[0])), rng.uniform(0.1, 0.9, (5, sizes[-1])), gradients=gradients
    )


def test_a_transpose_is_seen_behind_layers_of_other_sizes() -> None:
    report = with_mistake([3, 4, 3, 3, 2], lambda net, x, t: backward(net, x, t, "transposed dw"))
    assert report.hint == MISTAKES["transposed dw"]


def test_the_first_of_two_layers_is_named() -> None:
    def gradients(net: bp.Network, x: np.ndarray, t: np.ndarray) -> Any:
        (dw, db), last = backward(net, x, t, "")
        return [(2.0 * dw, 3.0 * db), last]

    report = with_mistake([3, 4, 2], gradients)
    assert report.hint == "the gradients are right above layers[0] and wrong there: look at BP2 and σ′ of layers[0]"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_network_whose_own_gradients_are_wrong_is_caught(mistake: str, dtype: str) -> None:
    class Wrong(bp.Network):
        def gradients(self, x: Any, t: Any, loss: Any = "half_squared_error") -> Any:
            pairs = backward(self, np.asarray(x), np.asarray(t), mistake)
            return bp.Gradients(0.0, tuple(bp.tracing.LayerGradients(*pair) for pair in pairs))

    twin, x, t = problem()
    net = Wrong(SIZES, "tanh", "logistic", dtype=dtype)
    net.parameters = twin.parameters
    assert not bp.check_gradients(net, x, t).ok


def test_one_wrong_parameter_among_many_is_found_and_named() -> None:
    net, x, t = problem()
    flat = np.concatenate([p.ravel() for layer in net.gradients(x, t).layers for p in layer])
    for index, name in ((0, "layers[0].w[0, 0]"), (18, "layers[0].b[2]"), (29, "layers[1].w[2, 1]")):
        wrong = flat.copy()
        wrong[index] *= 1.0 + 1e-4
        report = bp.check_gradients(net, x, t, gradients=wrong)
        assert not report.ok
        (layer,) = [layer for layer in report.layers if not layer.ok]
        assert layer.where == name
        assert layer.error == pytest.approx(1e-4, rel=1e-3)
        assert layer.gradient == wrong[index]
        assert abs(layer.difference - flat[index]) <= layer.uncertainty + 1e-12
        assert f"at {name}  WRONG" in str(report)


@pytest.mark.parametrize("form", ["Gradients", "pairs", "flat", "lists", "function"])
def test_gradients_of_every_form(form: str) -> None:
    net, x, t = problem()
    found = net.gradients(x, t)
    forms: dict[str, Any] = {
        "Gradients": found,
        "pairs": [(layer.dw, layer.db) for layer in found.layers],
        "flat": np.concatenate([p.ravel() for layer in found.layers for p in layer]),
        "lists": [[layer.dw.tolist(), layer.db.tolist()] for layer in found.layers],
        "function": lambda net, x, t: net.gradients(x, t),
    }
    assert bp.check_gradients(net, x, t, gradients=forms[form])


def test_gradients_in_float32_are_measured_by_what_float32_can_do() -> None:
    net, x, t = problem(dtype="float32")
    found = net.gradients(x, t)
    assert found.layers[0].dw.dtype == np.float32
    report = bp.check_gradients(net, x, t, gradients=found)
    assert report.ok, report
    assert report.tolerance == 1e-3
    assert not bp.check_gradients(net, x, t, gradients=[(1.01 * layer.dw, layer.db) for layer in found.layers])


# --- functions of one's own -------------------------------------------------------------------------------------------


def cubic(z: np.ndarray) -> np.ndarray:
    return z + 0.1 * z**3


def fourth(a: np.ndarray, t: np.ndarray) -> np.ndarray:
    return ((a - t) ** 4).sum(axis=1) / 4.0


CUBIC = bp.Activation(cubic, lambda z: 1.0 + 0.3 * z**2)
FOURTH = bp.Loss(fourth, lambda a, t: (a - t) ** 3)


@pytest.mark.parametrize("output", ["identity", "softmax", CUBIC], ids=str)
@pytest.mark.parametrize("loss", ["half_squared_error", FOURTH], ids=str)
def test_right_functions_of_ones_own_pass(loss: Any, output: Any, dtype: str) -> None:
    net = bp.Network([3, 4, 4, 2], CUBIC, output, seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    report = bp.check_gradients(net, rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), loss)
    assert report.ok, report
    assert not any(layer.undecided or layer.kinks for layer in report.layers)


WRONG_DERIVATIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a turned sign": lambda z: -(1.0 + 0.3 * z**2),
    "of a instead of z": lambda z: 1.0 + 0.3 * cubic(z) ** 2,
    "a factor": lambda z: 1.0 + 0.2 * z**2,
    "a small slip": lambda z: 1.0 + 0.3001 * z**2,
    "nothing": np.zeros_like,
}


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("derivative", WRONG_DERIVATIVES)
def test_a_wrong_derivative_of_ones_own_is_caught_and_its_layer_named(derivative: str, where: int, dtype: str) -> None:
    """What lies above it is right: the gradient is wrong from its own layer down."""
    wrong = bp.Activation(cubic, WRONG_DERIVATIVES[derivative], "wrong")
    sigma: list[Any] = [CUBIC, CUBIC, "identity"]
    sigma[where] = wrong
    layers = [bp.Dense(*shape, each) for shape, each in zip(((3, 4), (4, 4), (4, 2)), sigma, strict=True)]
    net = bp.Network(layers, seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    report = bp.check_gradients(net, rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    assert [layer.ok for layer in report.layers] == [layer > where for layer in range(3)]
    assert report.layers[where].where.startswith(f"layers[{where}].")
    assert f"at {report.layers[where].where}  WRONG" in str(report)
    if where < 2:
        assert f"right above layers[{where}] and wrong there: look at BP2 and σ′ of layers[{where}]" in report.hint


@pytest.mark.parametrize("factor", [-1.0, 2.0, 1.001])
def test_a_wrong_gradient_of_a_loss_of_ones_own_is_caught(factor: float) -> None:
    wrong = bp.Loss(fourth, lambda a, t: factor * (a - t) ** 3, "wrong")
    net = bp.Network([3, 4, 2], "tanh", "identity", seed=0)
    rng = np.random.default_rng(0)
    report = bp.check_gradients(net, rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), wrong)
    assert not any(layer.ok for layer in report.layers)
    assert report.hint.startswith(f"every gradient is {factor:.4g} times what it should be")


def test_the_kink_of_an_activation_of_ones_own() -> None:
    ramp = bp.Activation(lambda z: np.where(z > 0.0, z, 0.1 * z), lambda z: np.where(z > 0.0, 1.0, 0.1), "ramp")
    net = bp.Network([2, 3, 1], ramp, "identity", seed=0, dtype="float64")
    report = bp.check_gradients(net, [[0.0, 0.0], [1.0, -0.5]], [[1.0], [0.3]])
    assert report.ok, report
    assert "z of unit 0 of layers[0] (Activation('ramp')) passes 0 for sample 0" in str(report)


# --- kinks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "selu"])
def test_a_kink_is_told_from_a_mistake(activation: str) -> None:
    """A row of zeros and no bias: every z of the first layer is exactly 0."""
    net = bp.Network([2, 3, 1], activation, "identity", seed=0, dtype="float64")
    x, t = np.array([[0.0, 0.0], [1.0, -0.5]]), np.array([[1.0], [0.3]])
    report = bp.check_gradients(net, x, t)
    assert report.ok, report
    assert len(report.layers[0].kinks) == 3
    assert re.search(
        rf"at layers\[0\].b\[0\] E has a kink, for z of unit 0 of layers\[0\] \({activation}\) passes 0 for sample 0",
        str(report),
    )
    wrong = [(layer.dw + 0.1, layer.db) for layer in net.gradients(x, t).layers]
    assert not bp.check_gradients(net, x, t, gradients=wrong).ok, "a kink explains a kink, not a mistake elsewhere"


def test_a_kink_nearby_is_stepped_past() -> None:
    net = bp.Network([1, 1], "relu", dtype="float64")
    net.layers[0].w, net.layers[0].b = [[1.0]], [-1.0 + 1e-5]
    report = bp.check_gradients(net, [[1.0]], [[1.0]])
    assert report.ok, report
    assert report.layers[0].kinks == ()
    assert report.layers[0].step < 1e-5


def test_the_kink_of_a_loss() -> None:
    net = bp.Network([1, 1], "identity", dtype="float64")
    net.layers[0].w = [[1.0]]
    assert bp.check_gradients(net, [[1.0]], [[1.0]], "mean_absolute_error").ok, "0, as the difference quotient"
    one_sided = np.array([-1.0, 1.0])
    report = bp.check_gradients(net, [[1.0]], [[1.0]], "mean_absolute_error", gradients=one_sided)
    assert report.ok, report
    assert "E has a kink, for the loss or an activation has one there: to the left ∂E is -1, to the right 1" in str(
        report
    )
    flat = np.array([3.0, 0.0])
    assert not bp.check_gradients(net, [[1.0]], [[1.0]], "mean_absolute_error", gradients=flat).ok


# --- what is refused --------------------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"net": 3}, TypeError, r"net is 3 \(int\); it must be a backpropc.Network"),
    ({"tolerance": 1.0}, ValueError, r"tolerance is 1.0; it must be above 0 and below 1"),
    ({"tolerance": 0.0}, ValueError, r"tolerance is 0.0; it must be above 0 and below 1"),
    ({"n_parameters": 0}, ValueError, r"n_parameters is 0; it must be at least 1"),
    ({"seed": -1}, ValueError, r"seed is -1; it must be at least 0"),
    ({"loss": "no"}, ValueError, r"loss is 'no'; it must be one of"),
    ({"gradients": 3}, TypeError, r"gradients is 3; it must be Gradients, a \(dw, db\) for each layer"),
    ({"gradients": np.zeros(4)}, ValueError, r"gradients has shape \(4,\); it must be \(55,\), as net.parameters"),
    ({"gradients": [(1, 2)]}, ValueError, r"gradients is .*: 3 of them"),
    (
        {"gradients": [(np.zeros((4, 4)), np.zeros(3))] * 3},
        ValueError,
        r"gradients\[0\] db has shape \(3,\); it must be \(4,\)",
    ),
    ({"gradients": "abc"}, ValueError, r"gradients is 'abc'"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[case[2] for case in WRONG])
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    net, x, t = problem()
    check: Callable[..., Any] = bp.check_gradients
    with pytest.raises(error, match=message):
        check(**{"net": net, "x": x, "t": t} | options)


def test_fewer_parameters_than_arrays_are_one_of_each() -> None:
    report = bp.check_gradients(bp.Network([3, 4, 2], seed=0), np.ones(3), np.ones(2), n_parameters=1)
    assert report
    assert [layer.n_checked for layer in report.layers] == [2, 2]
