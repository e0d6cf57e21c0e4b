"""The trace as an account: its steps, the numbers they print, and JSON."""

from __future__ import annotations

import json
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, network, targets
from oracle import activations, tolerance
from oracle.tolerance import assert_within

SIX_DIGITS = 0.5e-5  # relative: what a number printed with six digits may be off by


def worked_example() -> bp.Network:
    net = bp.Network([2, 2, 1], activation="logistic", dtype="float64")
    net.layers[0].w, net.layers[0].b = [[0.5, -0.5], [1.0, 0.25]], [0.0, 0.5]
    net.layers[1].w, net.layers[1].b = [[1.0], [-2.0]], [0.5]
    return net


# --- the numbers themselves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [name for name in bp.ACTIVATIONS if name in activations.ACTIVATIONS])
@pytest.mark.parametrize("one", [True, False])
def test_sigma_prime_and_the_way_of_the_error(activation: str, one: bool, dtype: str) -> None:
    """δ = ∂E/∂a·σ′(z), for a row function with the matrix; ∂E/∂a is ∇ₐE, then what comes back through the weights."""
    net = network([4, 5, 3], activation, activation, dtype)
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    trace = net.trace(x[0], t[0]) if one else net.trace(x, t)
    assert_same_bits(trace.da[-1], bp.loss_gradient("half_squared_error", trace.a[-1], trace.t))
    assert_within(
        trace.da[0], trace.delta[1] @ trace.layers[1].w.T, tolerance.network([4, 5, 3], 6, trace.da[0], dtype)
    )
    oracle = activations.ACTIVATIONS[activation]
    for layer in trace.layers:
        z = layer.z.astype(np.float64)
        if oracle.derivative is not None:
            assert_within(layer.dsigma, oracle.derivative(z), tolerance.network([4, 5, 3], 6, np.ones(1), dtype))
            through = layer.da * layer.dsigma
        else:
            assert layer.dsigma.shape == (*layer.z.shape, layer.z.shape[-1])
            through = np.einsum("...k,...kj->...j", layer.da, layer.dsigma)
        assert layer.dsigma.dtype == net.dtype
        assert_within(layer.delta, through, tolerance.network([4, 5, 3], 6, np.ones(1), dtype))


def test_integer_classes_become_rows() -> None:
    net = network([4, 3], "softmax")
    trace = net.trace(np.ones((2, 4)), np.array([2, 0]), loss="softmax_cross_entropy")
    assert trace.t.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    assert net.trace(np.ones(4), 1, loss="softmax_cross_entropy").t.tolist() == [0.0, 1.0, 0.0]


def test_a_trace_keeps_the_parameters_of_its_pass() -> None:
    net = worked_example()
    x, t = np.array([1.0, 0.0]), np.array([1.0])
    trace = net.trace(x, t)
    before = str(trace)
    net.update(x, t, 0.5)
    x[:], t[:] = 7.0, 7.0
    assert str(trace) == before == str(pickle.loads(pickle.dumps(trace)))


# --- the account ------------------------------------------------------------------------------------------------------


def test_the_steps_are_in_the_order_of_the_lecture() -> None:
    trace = worked_example().trace([1.0, 0.0], [1.0])
    assert [step.symbol for step in trace] == (
        ["z¹", "a¹", "z²", "a²", "E"] + ["∂E/∂a²", "δ²", "∂E/∂a¹", "δ¹"] + ["∂E/∂b¹", "∂E/∂w¹", "∂E/∂b²", "∂E/∂w²"]
    )
    assert [step.equation for step in trace] == (
        ["feedforward"] * 4 + ["E", "∇ₐE", "BP1", "chain rule", "BP2"] + ["BP3", "BP4"] * 2
    )
    assert [step.layer for step in trace] == [1, 1, 2, 2, 2, 2, 2, 1, 1, 1, 1, 2, 2]
    values = [trace.z[0], trace.a[1], trace.z[1], trace.a[2], trace.loss, trace.da[1], trace.delta[1], trace.da[0]]
    values += [trace.delta[0], trace.db[0], trace.dw[0], trace.db[1], trace.dw[1]]
    for step, value in zip(trace, values, strict=True):
        assert_same_bits(step.value, value)


def test_a_trace_is_a_sequence_of_its_steps() -> None:
    trace = worked_example().trace([1.0, 0.0], [1.0])
    assert len(trace) == 13
    assert [step.index for step in trace] == list(range(13))
    assert str(trace.step(-1)) == str(trace[12]) == str(trace.step(12))
    assert [step.symbol for step in trace[1:4:2]] == ["a¹", "a²"]
    for wrong in (13, -14):
        with pytest.raises(IndexError, match=rf"i is {wrong}; this trace has 13 steps"):
            trace.step(wrong)
    with pytest.raises(TypeError, match=r"i is 1.0; it must be an integer"):
        trace.step(1.0)  # type: ignore[arg-type]


def test_the_worked_example_reads_as_on_paper() -> None:
    printed = str(worked_example().trace([1.0, 0.0], [1.0]))
    for line in (
        "z¹₁ = 1·0.5 + 0·1 + 0 = 0.5",
        "z¹₂ = 1·(-0.5) + 0·0.25 + 0.5 = 0",
        "a¹₁ = 1/(1 + exp(-0.5)) = 0.622459",
        "E = 1/2·(0.530577 - 1)² = 0.110179",
        "∂E/∂a²₁ = 0.530577 - 1 = -0.469423",
        "σ′(z²₁) = σ′(0.122459) = 0.530577·(1 - 0.530577) = 0.249065",
        "δ²₁ = -0.469423·0.249065 = -0.116917",
        "∂E/∂a¹₂ = -0.116917·(-2) = 0.233834",
        "δ¹₂ = 0.233834·0.25 = 0.0584585",
        "∂E/∂b¹₂ = 0.0584585",
        "∂E/∂w²₁₁ = 0.622459·(-0.116917) = -0.0727761",
    ):
        assert f"    {line}\n" in printed + "\n", line
    forward, backward, gradient = (printed.index(word) for word in ("Forward", "Backward", "The gradient"))
    assert forward < printed.index("∇ₐE: first, the derivative of the error") > backward
    assert printed.index("BP1") < printed.index("BP2") < gradient < printed.index("BP3") < printed.index("BP4")


def evaluated(expression: str) -> tuple[float, float]:
    """What one side of a printed line says, and how far off its rounded numbers may bring it."""
    text = re.sub(r"\(([^()]*)\)²", r"((\1)**2)", expression).replace("²", "**2").replace("·", "*")
    names = {"exp": math.exp, "ln": math.log, "tanh": math.tanh, "max": max}
    value = eval(text, {"__builtins__": {}}, names)
    numbers = [abs(float(n)) for n in re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", expression)]
    # each number is off by SIX_DIGITS of itself, and none is multiplied by more than all the larger ones together
    return value, SIX_DIGITS * len(numbers) * math.prod(max(1.0, n) for n in numbers)


@pytest.mark.parametrize("loss", bp.LOSSES)
@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
@pytest.mark.parametrize("samples", [None, 1, 3])
def test_every_line_can_be_checked_by_hand(loss: str, activation: str, samples: int | None) -> None:
    net = network([3, 4, 2], activation, {"softmax_cross_entropy": "softmax"}.get(loss, "logistic"))
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=(samples or 1, 3)), targets(loss, rng, (samples or 1, 2))
    trace = net.trace(x[0], t[0], loss=loss) if samples is None else net.trace(x, t, loss=loss)
    checked = 0
    for step in trace:
        assert step.lines, step
        for line in step.lines:
            sides = [side for side in line.split(" = ")[1:] if not re.search(r"[σa-df-mo-wyz]\b|mean", side)]
            right = float(sides[-1])
            for side in sides[:-1]:
                value, off = evaluated(side)
                assert abs(value - right) <= off + SIX_DIGITS * abs(right), line
                checked += 1
    assert checked >= 30


def test_long_sums_many_units_and_many_samples_are_abridged() -> None:
    net = bp.Network([784, 128, 10], "relu", "softmax", seed=0)
    rng = np.random.default_rng(0)
    trace = net.trace(rng.normal(size=(64, 784)), rng.integers(0, 10, 64), loss="softmax_cross_entropy")
    lines = [line for step in trace for line in str(step).splitlines()]
    assert len(lines) < 40 * len(trace)
    assert max(map(len, lines)) < 500
    assert " + … " in str(trace.step(0))
    assert str(trace.step(0)).endswith("…")


@pytest.mark.parametrize(("units", "terms"), [(16, 16), (17, 8)])
def test_a_long_softmax_is_abridged(units: int, terms: int) -> None:
    trace = bp.Network([2, units], "softmax", seed=0).trace(np.ones(2), 0, loss="softmax_cross_entropy")
    (line,) = [line for line in str(trace).splitlines() if line.lstrip().startswith("a¹₁ = exp")]
    assert line.count("exp(") == 1 + terms
    assert ("+ …" in line) == (terms < units)


def test_units_beyond_the_ninth_have_names_of_their_own() -> None:
    printed = str(bp.Network([11, 12, 1], seed=0).trace(np.ones(11), np.ones(1)))
    assert "z¹₁₂ = " in printed
    assert "∂E/∂w²[12,1] = " in printed


def test_a_product_of_infinity_and_nothing_is_not_printed() -> None:
    """A saturated softmax has ∂E/∂a = −∞ and ∂a/∂z = 0; δ comes from a − t."""
    net = bp.Network([1, 2], "softmax", dtype="float64")
    net.layers[0].w = [[1000.0, -1000.0]]
    trace = net.trace([1.0], 1, loss="softmax_cross_entropy")
    assert trace.delta[0].tolist() == [1.0, -1.0]
    printed = str(trace)
    assert "nan" not in printed
    assert "δ¹₁ = a - t for this pair = 1 - 0 = 1" in printed
    assert json.loads(trace.to_json())["layers"][0]["da"] == [0.0, None]


# --- dict and JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [None, 3])
def test_to_dict_and_to_json_hold_every_number(samples: int | None, dtype: str) -> None:
    net = network([3, 4, 2], "tanh", "softmax", dtype)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(samples or 1, 3)), targets("softmax_cross_entropy", rng, (samples or 1, 2))
    arguments = (x[0], t[0]) if samples is None else (x, t)
    trace = net.trace(*arguments, loss="softmax_cross_entropy")

    def refuse(token: str) -> Any:
        raise AssertionError(token)

    for found in (trace.to_dict(), json.loads(trace.to_json(indent=1), parse_constant=refuse)):
        assert found["loss"] == trace.loss
        assert found["loss_function"] == "softmax_cross_entropy"
        assert found["t"] == trace.t.tolist()
        assert [layer["activation"] for layer in found["layers"]] == ["tanh", "softmax"]
        for layer, want in zip(found["layers"], trace.layers, strict=True):
            for name in ("w", "b", "x", "z", "a", "dsigma", "da", "delta", "dw", "db"):
                assert layer[name] == getattr(want, name).tolist()
        assert [step["lines"] for step in found["steps"]] == [list(step.lines) for step in trace]
        assert found["steps"][0]["equation"] == "feedforward"
