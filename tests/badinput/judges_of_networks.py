"""The oracle's word on networks: their passes, their parameters, and their files."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from helpers import assert_same_bits, oracle_net
from oracle import initializers, tolerance, vector
from oracle.activations import ACTIVATIONS
from oracle.tolerance import assert_within

from . import entries
from .judging import (
    Bounds,
    Case,
    LayerBefore,
    NetworkBefore,
    assert_predicted,
    count,
    judge,
    only_if,
    sizes_of,
    traced,
)

# --- passes -----------------------------------------------------------------------------------------------------------


@judge("Network.predict", takes=("x",))
def predicted(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    x = case.read("x", before)
    assert_predicted(before.net, x, case.result, before.dtype)


def a_pass(case: Case, before: NetworkBefore) -> tuple[vector.Pass, Bounds]:
    return traced(before.net, *case.samples(before), case.loss_name(), before.dtype)


@judge("Network.loss", takes=("x", "t", "loss"))
def lost(case: Case) -> None:
    want, bounds = a_pass(case, case.before["self"])
    assert_within(case.result, want.loss, bounds.loss, "E")


@judge("Network.gradients", takes=("x", "t", "loss"))
def gradients(case: Case) -> None:
    want, bounds = a_pass(case, case.before["self"])
    assert_within(case.result.loss, want.loss, bounds.loss, "E")
    for i, got in enumerate(case.result.layers):
        assert_within(got.dw, want.dw[i], bounds.dw[i], f"dw[{i}]")
        assert_within(got.db, want.db[i], bounds.db[i], f"db[{i}]")


@judge("check_gradients", takes=("net", "x", "t", "loss"))
def gradients_checked(case: Case) -> None:
    """Of each layer the report shows one gradient: it is the oracle's, and right."""
    before: NetworkBefore = case.before["net"]._replace(dtype=np.dtype(np.float64))
    want, bounds = a_pass(case, before)
    assert len(case.result.layers) == len(before.net.w)
    for i, found in enumerate(case.result.layers):
        assert found.n_checked == found.n_parameters == want.dw[i].size + want.db[i].size
        layer, name, at = _place(found.where)
        assert layer == i
        gradient, slack = getattr(want, f"d{name}")[i][at], getattr(bounds, f"d{name}")[i][at]
        assert_within(found.gradient, gradient, slack, found.where)
        if found.undecided == 0 and not found.kinks:
            assert found.ok, found


def _place(where: str) -> tuple[int, str, tuple[int, ...]]:
    """Which layer, parameter and element ``layers[0].w[2, 1]`` is."""
    layer, parameter = where.removeprefix("layers[").split("].")
    name, index = parameter.removesuffix("]").split("[")
    return int(layer), name, tuple(map(int, index.split(",")))


# --- traces -----------------------------------------------------------------------------------------------------------


def assert_traced(got: Any, want: vector.Pass, bounds: Bounds, net: vector.Net, loss: str, t: np.ndarray) -> None:
    """Every number of a trace."""
    assert_within(got.loss, want.loss, bounds.loss, "E")
    assert_within(got.t, t, 0.0, "t")
    for i, layer in enumerate(got.layers):
        assert_same_bits(layer.x, got.layers[i - 1].a if i > 0 else want.a[0].astype(layer.x.dtype))
        assert_within(layer.w, net.w[i], 0.0, "w")
        assert_within(layer.b, net.b[i], 0.0, "b")
        for name in ("z", "delta", "dw", "db", "da"):
            wanted = errors_at_a(net, want, loss, t)[i] if name == "da" else getattr(want, name)[i]
            assert_within(getattr(layer, name), wanted, getattr(bounds, name)[i], f"{name}[{i}]")
        assert_within(layer.a, want.a[i + 1], bounds.a[i + 1], f"a[{i + 1}]")
        derivative = ACTIVATIONS[net.activations[i]].derivative
        if derivative is not None:
            assert_within(layer.dsigma, derivative(want.z[i]), bounds.a[i + 1], f"dsigma[{i}]")


def errors_at_a(net: vector.Net, done: vector.Pass, loss: str, t: np.ndarray) -> list[np.ndarray]:
    """∂E/∂a of each layer."""
    return [
        *(d @ w.T for d, w in zip(done.delta[1:], net.w[1:], strict=True)),
        vector.loss_gradient(loss, done.a[-1], t),
    ]


@judge("Network.trace", takes=("x", "t", "loss"))
def tracing(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    assert_traced(case.result, *a_pass(case, before), before.net, case.loss_name(), case.samples(before)[1])


def good_trace() -> tuple[vector.Pass, Bounds, vector.Net, str, np.ndarray]:
    """What the traces of the good calls are of."""
    net, loss = oracle_net(entries.net()), "half_squared_error"
    dtype = entries.DTYPE.get()
    x, t = (each.astype(dtype).astype(np.float64) for each in (entries.x(), entries.t()))
    return *traced(net, x, t, loss, dtype), net, loss, t


@judge("Trace.step", takes=("i",))
@judge("Trace.__getitem__", takes=("i",))
def steps_of_a_trace(case: Case) -> None:
    """In the lecture's order."""
    want, bounds, net, loss, t = good_trace()
    order, da = range(len(net.w)), errors_at_a(net, want, loss, t)
    numbers = [each for i in order for each in ((want.z[i], bounds.z[i]), (want.a[i + 1], bounds.a[i + 1]))]
    numbers.append((np.array(want.loss), bounds.loss))
    for i in reversed(order):
        numbers += [(da[i], bounds.da[i]), (want.delta[i], bounds.delta[i])]
    numbers += [each for i in order for each in ((want.db[i], bounds.db[i]), (want.dw[i], bounds.dw[i]))]
    for got in case.result if type(case.result) is list else [case.result]:
        assert_within(got.value, *numbers[got.index], got.symbol)


@judge("Trace.to_dict")
@judge("Trace.to_json", takes=("indent",))
def trace_in_words(case: Case) -> None:
    want, bounds, net, _, t = good_trace()
    words = json.loads(case.result) if type(case.result) is str else case.result
    assert_within(words["loss"], want.loss, bounds.loss, "E")
    assert_within(words["t"], t, 0.0, "t")
    for i, layer in enumerate(words["layers"]):
        assert_within(layer["w"], net.w[i], 0.0, "w")
        for name in ("z", "delta", "dw", "db"):
            assert_within(layer[name], getattr(want, name)[i], getattr(bounds, name)[i], f"{name}[{i}]")


# --- parameters -------------------------------------------------------------------------------------------------------


def initial(seed: int, sizes: list[int], initializer: str) -> np.ndarray:
    only_if(0 <= seed < 2**64 and initializer in initializers.INITIALIZERS)
    return initializers.parameters(seed, sizes, initializer)


def sizes_given(case: Case) -> list[int]:
    """Of a new network, where they are given as plain numbers."""
    layers = case.before["layers"]
    only_if(type(layers) in (list, tuple, range))
    return [count(size) for size in layers]


@judge("Network", takes=("layers", "activation", "output_activation", "seed", "initializer"))
def made(case: Case) -> None:
    sizes, net = sizes_given(case), case.result
    name = case.before.get("initializer") or "glorot_uniform"
    only_if(issubclass(type(name), str))
    want = initial(count(case.before["seed"]), sizes, str(name)).astype(np.float32)
    assert list(net.sizes) == sizes
    slack = tolerance.bound(tolerance.ELEMENTARY, want, np.float64) if "normal" in name else 0.0
    assert_within(net.parameters, want, slack, "parameters")


@judge("Network.copy")
def copied(case: Case) -> None:
    assert_same_bits(case.result.parameters, case.before["self"].flat)


@judge("Network.parameters=", takes=("parameters",))
def parameters_assigned(case: Case) -> None:
    got = case.after["self"].parameters
    assert_same_bits(got, case.array("parameters").astype(got.dtype))


@judge("Layer.w=", takes=("w",))
@judge("Layer.b=", takes=("b",))
def layer_assigned(case: Case) -> None:
    before: LayerBefore = case.before["self"]
    layer = case.after["self"]
    for name, old in (("w", before.w), ("b", before.b)):
        want = case.array(name) if name in case.before else old
        assert_same_bits(getattr(layer, name), want.astype(old.dtype), name)


@judge("Layer.mask=", takes=("mask",))
def masked(case: Case) -> None:
    before: LayerBefore = case.before["self"]
    layer, mask = case.after["self"], case.before["mask"]
    there = np.ones(before.w.shape) if mask is None else case.array("mask")
    assert_same_bits(layer.w, np.where(there == 1, before.w, before.w.dtype.type(0)))
    assert_same_bits(layer.b, before.b)


# --- files ------------------------------------------------------------------------------------------------------------


def assert_saved(path: Any, want: dict[str, np.ndarray]) -> None:
    """That a file holds these numbers, as the reference library reads it."""
    only_if(type(path) is str and os.path.isfile(path))
    tensors = load_file(path)
    for name, array in want.items():
        assert_same_bits(tensors[name], array, name)


def tensors_of(before: NetworkBefore) -> dict[str, np.ndarray]:
    arrays = {}
    for i, (w, b) in enumerate(zip(before.net.w, before.net.b, strict=True)):
        arrays[f"layers.{i}.w"], arrays[f"layers.{i}.b"] = w.astype(before.dtype), b.astype(before.dtype)
    return arrays


@judge("Network.save", "Trainer.save", takes=("path",))
def saved(case: Case) -> None:
    assert_saved(case.before["path"], tensors_of(case.before["self"]))


@judge("Network.load", "Trainer.load", takes=("path", "custom"))
def loaded(case: Case) -> None:
    """What the good calls' file was written of."""
    network = getattr(case.result, "network", case.result)
    assert_same_bits(network.parameters, entries.net().parameters)


# --- what others make of them -----------------------------------------------------------------------------------------


@judge("onnx.to_onnx", takes=("net", "path"))
def to_onnx(case: Case) -> None:
    """The graph holds the weights and biases, whatever their names."""
    from onnx import numpy_helper

    before: NetworkBefore = case.before["net"]
    found = [numpy_helper.to_array(each) for each in case.result.graph.initializer]
    for array in tensors_of(before).values():
        assert any(each.shape == array.shape and np.array_equal(each, array) for each in found)


@judge("onnx.from_onnx", takes=("source",))
def from_onnx(case: Case) -> None:
    assert_same_bits(case.result.parameters, entries.net().parameters)


@judge("sklearn.MLPClassifier.predict_proba", "sklearn.MLPClassifier.predict_log_proba", takes=("X",))
@judge("sklearn.MLPRegressor.predict", "sklearn.MLPClassifier.predict", takes=("X",))
def estimated(case: Case) -> None:
    net = oracle_net(case.after["self"].network_)
    only_if(all(name in ACTIVATIONS for name in net.activations))
    dtype = case.after["self"].network_.dtype
    x = case.array("X").astype(dtype).astype(np.float64)
    want = vector.forward(net, x)[1][-1]
    slack = tolerance.network(sizes_of(net), len(x), want, dtype)
    if case.result.ndim == 1:  # a class for each sample: one whose probability is as large as any
        chosen = want[np.arange(len(x)), case.result.astype(int)]
        assert np.all(chosen >= want.max(axis=1) - 2 * slack.max(initial=0.0))
    elif np.all(case.result <= 0):
        assert_within(np.exp(case.result), want, 2 * slack, "probabilities")
    else:
        assert_within(case.result, want, slack, "outputs")
