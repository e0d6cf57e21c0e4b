"""api.md, "Network": one flat array of parameters seen through views, and every number it gives is the oracle's."""

from __future__ import annotations

import copy
import gc
import itertools
import pickle
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, in_oracle, network, oracle_net, targets
from oracle import differences, initializers, tolerance, vector
from oracle.losses import LOSSES, one_hot
from oracle.tolerance import assert_within

SIZES = [6, 5, 3, 4]
# Every activation in the output and in the hidden layers, each with every loss: twice the list, not its square.
PAIRS = [("tanh", output, loss) for output in bp.ACTIVATIONS for loss in bp.LOSSES] + [
    (hidden, "logistic", loss) for hidden in bp.ACTIVATIONS for loss in bp.LOSSES
]


def batch(loss: str = "half_squared_error", n: int = 7, dtype: str = "float64", seed: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, SIZES[0])).astype(dtype), targets(loss, rng, (n, SIZES[-1])).astype(dtype)


def wide(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, dtype=np.float64)


# --- what a network is ------------------------------------------------------------------------------------------------


def test_the_lectures_network() -> None:
    net = bp.Network([8, 3, 8], activation="logistic", seed=0)
    assert net.sizes == (8, 3, 8)
    assert net.dtype == np.dtype("float32")
    assert net.n_parameters == 59
    assert net.parameters.shape == (59,)
    assert [layer.w.shape for layer in net.layers] == [(8, 3), (3, 8)]
    assert [layer.b.shape for layer in net.layers] == [(3,), (8,)]
    assert [layer.activation for layer in net.layers] == ["logistic", "logistic"]
    assert [layer.trainable for layer in net.layers] == [True, True]


def test_activations_by_position() -> None:
    net = bp.Network([4, 3, 2, 2], activation="relu", output_activation="softmax", seed=0)
    assert [layer.activation for layer in net.layers] == ["relu", "relu", "softmax"]
    net = bp.Network([bp.Dense(8, 3, "tanh"), bp.Dense(3, 8, "logistic", trainable=False)], seed=0)
    assert net.sizes == (8, 3, 8)
    assert [layer.activation for layer in net.layers] == ["tanh", "logistic"]
    assert [layer.trainable for layer in net.layers] == [True, False]
    assert net.n_parameters == 59


def test_sigmoid_is_logistic() -> None:
    net, alias = bp.Network([4, 3], "logistic", seed=0), bp.Network([4, 3], "sigmoid", seed=0)
    x = np.ones((2, 4), np.float32)
    assert_same_bits(net.predict(x), alias.predict(x))


def test_parameters_are_one_flat_array_layer_by_layer_w_then_b(dtype: str) -> None:
    net = bp.Network(SIZES, seed=1, dtype=dtype, bias_initializer=bp.uniform(-1, 1))
    flat = net.parameters
    assert flat.ndim == 1
    assert flat.flags.c_contiguous
    assert flat.dtype == np.dtype(dtype)
    assert net.n_parameters == len(flat) == 6 * 5 + 5 + 5 * 3 + 3 + 3 * 4 + 4
    assert_same_bits(flat, np.concatenate([p for layer in net.layers for p in (layer.w.ravel(), layer.b)]))
    for layer in net.layers:
        assert layer.w.flags.c_contiguous
        assert np.shares_memory(layer.w, flat)
        assert np.shares_memory(layer.b, flat)


def test_writing_to_a_view_changes_the_network(dtype: str) -> None:
    net = bp.Network([3, 2], "identity", seed=0, dtype=dtype)
    x = np.eye(3, dtype=dtype)
    net.parameters[:] = 0
    net.layers[0].w[1, 0] = 5
    net.layers[0].b[1] = 2
    assert net.predict(x).tolist() == [[0, 2], [5, 2], [0, 2]]
    assert net.parameters.tolist() == [0, 0, 5, 0, 0, 0, 0, 2]
    net.parameters[0] = 7
    assert net.predict(x)[0].tolist() == [7, 2]


def test_setting_a_layer_copies_into_the_network(dtype: str) -> None:
    net = bp.Network([3, 2], "identity", seed=0, dtype=dtype)
    flat = net.parameters
    new = np.arange(6.0).reshape(3, 2)
    net.layers[0].w = new
    net.layers[0].b = [1, -1]
    new[:] = 99
    assert flat.tolist() == [0, 1, 2, 3, 4, 5, 1, -1]
    net.layers[0].w -= 0.5
    net.layers[0].b *= 2
    net.layers[0].w += net.layers[0].w
    assert flat.tolist() == [-1, 1, 3, 5, 7, 9, 2, -2]
    assert net.predict(np.zeros((1, 3), dtype)).tolist() == [[2, -2]]


def test_setting_a_layer_to_the_wrong_shape_changes_nothing() -> None:
    net = bp.Network([3, 2], seed=0)
    before = net.parameters.tobytes()
    for name, value in (("w", np.zeros((2, 3))), ("w", np.zeros(6)), ("b", np.zeros(3)), ("b", np.zeros((1, 2)))):
        with pytest.raises(ValueError, match=rf"\b{name}\b"):
            setattr(net.layers[0], name, value)
    assert net.parameters.tobytes() == before


def test_views_outlive_the_network() -> None:
    net = bp.Network(SIZES, seed=0)
    flat, w = net.parameters, net.layers[1].w
    want = flat.copy()
    del net
    gc.collect()
    assert_same_bits(flat, want)
    w[...] = 3
    assert flat[35] == 3


def test_a_copy_is_independent(dtype: str) -> None:
    net = network(SIZES, "tanh", dtype=dtype)
    twin = net.copy()
    x, t = batch(dtype=dtype)
    assert_same_bits(twin.parameters, net.parameters)
    assert not np.shares_memory(twin.parameters, net.parameters)
    assert (twin.sizes, twin.dtype) == (net.sizes, net.dtype)
    assert [layer.activation for layer in twin.layers] == [layer.activation for layer in net.layers]
    before = twin.parameters.copy()
    net.update(x, t, 0.5)
    assert_same_bits(twin.parameters, before)
    twin.update(x, t, 0.5)
    assert_same_bits(twin.parameters, net.parameters)


def test_a_copy_keeps_frozen_layers_frozen() -> None:
    net = bp.Network([bp.Dense(3, 3, "tanh", trainable=False), bp.Dense(3, 2)], seed=0)
    assert [layer.trainable for layer in net.copy().layers] == [False, True]


class Named(bp.Network):
    """A class of a user's own."""


@pytest.mark.parametrize(
    "twin_of",
    [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_pythons_ways_to_copy(twin_of: Callable[[bp.Network], bp.Network], dtype: str) -> None:
    """Each keeps the class, all bits, what is frozen (also since), and trains on as the original does."""
    net = Named([bp.Dense(6, 5, "tanh", trainable=False), bp.Dense(5, 4, "softmax")], seed=0, dtype=dtype)
    net.layers[0].trainable, net.layers[1].trainable = True, False
    twin = twin_of(net)
    assert type(twin) is Named
    assert [layer.trainable for layer in twin.layers] == [True, False]
    assert [layer.activation for layer in twin.layers] == ["tanh", "softmax"]
    x, t = batch(dtype=dtype)
    for one in (net, twin):
        one.fit(x, t, optimizer=bp.SGD(0.5), epochs=2, seed=0)
    assert_same_bits(twin.parameters, net.parameters)


def test_what_the_core_would_not_follow_cannot_be_assigned() -> None:
    net, plan = bp.Network([3, 2], seed=0), bp.Dense(3, 2)
    for owner in (net.layers[0], plan):
        for name, value in (("activation", "relu"), ("fan_in", 7), ("fan_out", 7)):
            with pytest.raises(AttributeError, match=name):
                setattr(owner, name, value)
    with pytest.raises(AttributeError, match="trainable"):
        plan.trainable = False  # type: ignore[misc]
    with pytest.raises(AttributeError, match="sizes"):
        net.sizes = (3, 9)  # type: ignore[misc]
    assert repr(net.layers[0]) == "Layer(3, 2, 'logistic')"


def test_one_plan_serves_many_networks() -> None:
    plan = bp.Dense(3, 3, "tanh", False, "he_normal", bp.uniform(-1, 1))
    net = bp.Network([plan, plan], seed=0)
    net.layers[0].trainable = True
    assert [layer.trainable for layer in net.layers] == [True, False]
    assert not plan.trainable
    assert plan == bp.Dense(3, 3, "tanh", False, "he_normal", bp.uniform(-1, 1)) != bp.Dense(3, 3, "tanh")
    assert pickle.loads(pickle.dumps(plan)) == copy.deepcopy(plan) == plan


# --- seeds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", bp.INITIALIZERS)
def test_initial_parameters_are_philoxs(name: str, dtype: str) -> None:
    """Uniform ones to the last bit; normal ones to the last bits of the logarithm in their tails."""
    make: dict[str, tuple[Any, Callable]] = {
        "uniform": (bp.uniform(-0.1, 0.3), lambda i, o: initializers.uniform(-0.1, 0.3)),
        "normal": (bp.normal(0.7), lambda i, o: initializers.normal(0.7)),
    }
    argument, draw = make.get(name, (name, initializers.INITIALIZERS.get(name)))
    if draw is None:
        pytest.skip("no entry in the oracle")
    sizes, seed = [40, 30, 7], 12345678901234567890
    net = bp.Network(sizes, seed=seed, dtype=dtype, initializer=argument)
    for index, layer in enumerate(net.layers):
        fan_in, fan_out = sizes[index : index + 2]
        w, b = initializers.layer(seed, index, fan_in, fan_out, draw(fan_in, fan_out))
        if "normal" in name:
            assert_within(
                layer.w, w.astype(dtype), tolerance.bound(tolerance.ELEMENTARY, w, "float64"), f"layer {index}"
            )
        else:
            assert_same_bits(layer.w, w.astype(dtype), f"layer {index}")
        assert_same_bits(layer.b, b.astype(dtype), f"biases of layer {index}")


def test_biases_are_drawn_after_the_weights(dtype: str) -> None:
    net = bp.Network([5, 4], seed=3, dtype=dtype, initializer=bp.uniform(-1, 1), bias_initializer=bp.uniform(2, 3))
    w, b = initializers.layer(3, 0, 5, 4, initializers.uniform(-1, 1), initializers.uniform(2, 3))
    assert_same_bits(net.layers[0].w, w.astype(dtype))
    assert_same_bits(net.layers[0].b, b.astype(dtype))


def test_the_default_is_glorot_uniform_with_zero_biases(dtype: str) -> None:
    net = bp.Network(SIZES, seed=9, dtype=dtype)
    assert_same_bits(net.parameters, initializers.parameters(9, SIZES, "glorot_uniform").astype(dtype))


def test_a_layer_has_its_own_initializer() -> None:
    layers = [
        bp.Dense(4, 3, initializer="he_uniform"),
        bp.Dense(3, 2, initializer="zeros", bias_initializer=bp.uniform(1, 2)),
    ]
    net = bp.Network(layers, seed=2, dtype="float64")
    assert_same_bits(net.layers[0].w, initializers.layer(2, 0, 4, 3, initializers.INITIALIZERS["he_uniform"](4, 3))[0])
    assert not net.layers[1].w.any()
    assert ((net.layers[1].b >= 1) & (net.layers[1].b < 2)).all()


def test_the_same_int_is_the_same_network() -> None:
    for seed in (0, 1, np.int64(7), 2**63):
        assert_same_bits(bp.Network(SIZES, seed=seed).parameters, bp.Network(SIZES, seed=seed).parameters)
    assert_same_bits(bp.Network(SIZES, seed=7).parameters, bp.Network(SIZES, seed=np.int32(7)).parameters)
    assert_same_bits(bp.Network(SIZES, seed=7).parameters, bp.Network(SIZES, rng=7).parameters)
    assert (bp.Network(SIZES, seed=0).layers[0].w != bp.Network(SIZES, seed=1).layers[0].w).all()
    assert (bp.Network(SIZES).layers[0].w != bp.Network(SIZES).layers[0].w).all()


def test_generators_as_seeds() -> None:
    """Equal generators give equal networks; one generator gives a new one each time, and moves on."""
    one, other = np.random.default_rng(4), np.random.default_rng(4)
    first = bp.Network(SIZES, seed=one)
    assert_same_bits(first.parameters, bp.Network(SIZES, rng=other).parameters)
    assert (first.layers[0].w != bp.Network(SIZES, seed=one).layers[0].w).all()
    assert np.random.default_rng(4).bit_generator.state != other.bit_generator.state


def test_a_layer_does_not_depend_on_the_layers_before_it() -> None:
    """Its numbers are a function of (seed, layer), so that networks can be cut and compared."""
    long, short = bp.Network([4, 3, 2], seed=5), bp.Network([4, 3], seed=5)
    assert_same_bits(long.layers[0].w, short.layers[0].w)


# --- predict ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_predict_does_not_depend_on_the_batch(activation: str, dtype: str) -> None:
    """Promise 1: predict(x)[i] is predict(x[i]), bit for bit, however rows are grouped."""
    net = network([17, 33, 9], activation, dtype=dtype)
    x = np.random.default_rng(0).normal(size=(67, 17)).astype(dtype)
    whole = net.predict(x)
    assert whole.shape == (67, 9)
    assert whole.dtype == np.dtype(dtype)
    for i in range(len(x)):
        assert_same_bits(net.predict(x[i]), whole[i])
    for start, stop in ((0, 1), (0, 2), (1, 8), (3, 66), (16, 32), (5, 5)):
        assert_same_bits(net.predict(x[start:stop]), whole[start:stop])
    assert_same_bits(net.predict(x[::-1]), whole[::-1])


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_predict_is_the_functions_composed(activation: str, dtype: str) -> None:
    net = network(SIZES, activation, dtype=dtype)
    x, _ = batch(dtype=dtype)
    a = x
    for layer in net.layers:
        a = bp.dense_forward(a, layer.w, layer.b, layer.activation).a
    assert_same_bits(net.predict(x), a)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends signals")
def test_a_signals_handler_may_predict_while_predict_runs(dtype: str) -> None:
    """Both work on the same memory of their thread, which the larger network moves."""
    net, larger = bp.Network([4, 300, 300, 4], seed=0, dtype=dtype), [4, 20000, 4]
    undisturbed = net.predict(np.ones((1, 4), dtype))
    calls: list[np.ndarray] = []

    def handler(*_: object) -> None:
        calls.append(bp.Network(larger, seed=0, dtype=dtype).predict(np.ones((50, 4), dtype)))
        larger[1] += 1000

    before, rows = signal.signal(signal.SIGALRM, handler), 20
    try:
        while len(calls) < 3:  # in the end there are enough rows for the signal to come while they are predicted
            so_far = len(calls)
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            result = net.predict(np.ones((rows, 4), dtype))
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert_same_bits(result, np.broadcast_to(undisturbed, result.shape))
            if len(calls) == so_far:
                rows *= 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_predict_of_no_rows(dtype: str) -> None:
    result = network(SIZES, "tanh", dtype=dtype).predict(np.zeros((0, 6), dtype))
    assert result.shape == (0, 4)
    assert result.dtype == np.dtype(dtype)


def test_a_network_computes_in_its_own_type(dtype: str) -> None:
    """Whatever comes in: float64 data given to a float32 network is rounded first."""
    net = network(SIZES, "tanh", dtype=dtype)
    x, t = batch()
    for kind in ("float16", "float32", "float64", "longdouble"):
        data = x.astype(kind)
        assert_same_bits(net.predict(data), net.predict(data.astype(dtype)))
        assert net.loss(data, t.astype(kind)) == net.loss(data.astype(dtype), t.astype(kind).astype(dtype))
    assert net.predict(np.ones((2, 6), int)).dtype == np.dtype(dtype)
    assert net.predict([[1, 2, 3, 4, 5, 6]]).shape == (1, 4)


def test_nothing_given_is_modified(dtype: str) -> None:
    net = network(SIZES, "tanh", dtype=dtype)
    x, t = batch(dtype=dtype)
    before = x.tobytes(), t.tobytes()
    for call in (
        net.predict,
        lambda x: net.update(x, t, 0.1),
        lambda x: net.gradients(x, t),
        lambda x: net.trace(x, t),
    ):
        assert not np.shares_memory(call(x) if call is net.predict else 0, x)
    net.fit(x, t, loss="half_squared_error", optimizer=bp.SGD(0.1), epochs=2, seed=0)
    assert (x.tobytes(), t.tobytes()) == before


# --- loss, gradients, trace -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hidden", "output", "loss"), PAIRS)
def test_loss_and_gradients(hidden: str, output: str, loss: str, dtype: str) -> None:
    net = network(SIZES, hidden, output, dtype)
    x, t = batch(loss, dtype=dtype)
    before = net.parameters.tobytes()
    got = net.gradients(x, t, loss=loss)
    assert got.loss == net.loss(x, t, loss=loss)
    assert net.parameters.tobytes() == before
    assert len(got.layers) == 3
    if in_oracle(net, loss):
        done = vector.trace(oracle_net(net), wide(x), wide(t), loss)
    else:
        exact = network(SIZES, hidden, output, "float64")
        exact.parameters[:] = net.parameters
        of_self = exact.gradients(wide(x), wide(t), loss=loss)
        empty: list = []
        done = vector.Pass(
            of_self.loss, empty, empty, empty, [layer.dw for layer in of_self.layers], [g.db for g in of_self.layers]
        )
    assert_within(got.loss, done.loss, tolerance.network(SIZES, len(x), np.array(done.loss), dtype), "loss")
    for index, layer in enumerate(got.layers):
        assert layer.dw.dtype == layer.db.dtype == np.dtype(dtype)
        for name, one, want in (("dw", layer.dw, done.dw[index]), ("db", layer.db, done.db[index])):
            assert_within(one, want, tolerance.network(SIZES, len(x), want, dtype), f"{name} of layer {index}")


@pytest.mark.parametrize(("hidden", "output", "loss"), PAIRS)
def test_gradients_equal_central_differences(hidden: str, output: str, loss: str) -> None:
    net = network([3, 4, 3], hidden, output)
    rng = np.random.default_rng(8)
    x, t = rng.normal(size=(4, 3)), targets(loss, rng, (4, 3))
    got = net.gradients(x, t, loss=loss)

    def error(parameters: np.ndarray) -> float:
        net.parameters[:] = parameters
        return float(net.loss(x, t, loss=loss))

    want = differences.gradient(error, net.parameters.copy())
    flat = np.concatenate([p for layer in got.layers for p in (layer.dw.ravel(), layer.db)])
    assert_within(flat, want, tolerance.difference(want, 10 * (1.0 + abs(got.loss))))


@pytest.mark.parametrize(("hidden", "output", "loss"), PAIRS)
def test_trace(hidden: str, output: str, loss: str, dtype: str) -> None:
    net = network(SIZES, hidden, output, dtype)
    x, t = batch(loss, dtype=dtype)
    got, gradients = net.trace(x, t, loss=loss), net.gradients(x, t, loss=loss)
    assert got.loss == gradients.loss
    assert len(got.a) == 4
    assert len(got.z) == len(got.delta) == len(got.dw) == len(got.db) == len(got.layers) == 3
    assert_same_bits(got.a[0], x)
    assert_same_bits(got.a[-1], net.predict(x))
    for index, layer in enumerate(got.layers):
        assert_same_bits(layer.x, got.a[index])
        assert_same_bits(layer.a, got.a[index + 1])
        for name in ("z", "delta", "dw", "db"):
            assert_same_bits(getattr(layer, name), getattr(got, name)[index])
        assert_same_bits(layer.dw, gradients.layers[index].dw)
        assert_same_bits(layer.db, gradients.layers[index].db)
    if not in_oracle(net, loss):
        return
    done = vector.trace(oracle_net(net), wide(x), wide(t), loss)
    for name in ("z", "a", "delta", "dw", "db"):
        for index, (one, want) in enumerate(zip(getattr(got, name), getattr(done, name), strict=True)):
            assert_within(one, want, tolerance.network(SIZES, len(x), want, dtype), f"{name}[{index}]")


@pytest.mark.parametrize("loss", bp.LOSSES)
def test_one_sample_is_a_batch_of_one(loss: str, dtype: str) -> None:
    """A batch of one is the lecture's E: same numbers, without the leading axis."""
    output = {"softmax_cross_entropy": "softmax"}.get(loss, "logistic")
    net = network(SIZES, "tanh", output, dtype)
    x, t = batch(loss, n=1, dtype=dtype)
    assert net.loss(x[0], t[0], loss=loss) == net.loss(x, t, loss=loss)
    one, many = net.trace(x[0], t[0], loss=loss), net.trace(x, t, loss=loss)
    for name in ("z", "a", "delta"):
        for got, want in zip(getattr(one, name), getattr(many, name), strict=True):
            assert_same_bits(got, want[0])
    for name in ("dw", "db"):
        for got, want in zip(getattr(one, name), getattr(many, name), strict=True):
            assert_same_bits(got, want)
    twin = net.copy()
    assert net.update(x[0], t[0], 0.3, loss=loss) == twin.update(x, t, 0.3, loss=loss)
    assert_same_bits(net.parameters, twin.parameters)


def test_the_loss_is_half_squared_error_unless_told() -> None:
    net = network(SIZES, "tanh")
    x, t = batch()
    assert net.loss(x, t) == net.loss(x, t, loss="half_squared_error")
    assert net.gradients(x, t).loss == net.trace(x, t).loss == net.loss(x, t)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_integer_classes_equal_one_hot_rows(kind: type, dtype: str) -> None:
    net = network(SIZES, "tanh", "softmax", dtype)
    x, _ = batch(dtype=dtype)
    classes = np.array([0, 3, 2, 1, 1, 0, 3]).astype(kind)
    rows = one_hot(classes, 4).astype(dtype)
    loss = "softmax_cross_entropy"
    assert net.loss(x, classes, loss=loss) == net.loss(x, rows, loss=loss)
    for got, want in zip(
        net.gradients(x, classes, loss=loss).layers, net.gradients(x, rows, loss=loss).layers, strict=True
    ):
        assert_same_bits(got.dw, want.dw)
        assert_same_bits(got.db, want.db)
    twin = net.copy()
    assert net.update(x, classes, 0.3, loss=loss) == twin.update(x, rows, 0.3, loss=loss)
    for one, labels in ((net, classes), (twin, rows)):
        one.fit(
            x, labels, loss=loss, optimizer=bp.SGD(0.3), epochs=3, batch_size=2, seed=0, validation_data=(x, labels)
        )
    assert_same_bits(net.parameters, twin.parameters)


def test_rows_that_sum_to_nearly_one_have_the_true_gradient() -> None:
    """−Σ t ln a of a softmax has ∂E/∂z = a·Σt − t; only where Σt is 1 is that a − t."""
    net = network([3, 4], "softmax")
    x = np.random.default_rng(0).normal(size=(2, 3))
    t = np.full((2, 4), 0.25) * np.array([[1.0005], [0.9995]])
    want = vector.trace(oracle_net(net), x, t, "softmax_cross_entropy")
    got = net.trace(x, t, loss="softmax_cross_entropy")
    assert_within(got.delta[0], want.delta[0], tolerance.network([3, 4], 2, np.ones(1), "float64"))


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_cross_entropies_after_their_own_activation_are_computed_from_z(scale: float, dtype: str) -> None:
    """Where a is 0 or 1 to the last bit the loss is still |z|, and the gradient still right."""
    for activation, loss, t in (
        ("logistic", "binary_cross_entropy", [[0.0, 1.0], [1.0, 0.0], [0.25, 0.5]]),
        ("softmax", "softmax_cross_entropy", [[0.0, 1.0], [1.0, 0.0], [0.25, 0.75]]),
    ):
        net = bp.Network([2, 2], activation, seed=0, dtype=dtype)
        net.layers[0].w = scale * np.array([[1.0, -1.0], [0.5, 0.25]])
        x, want_t = np.array([[1.0, 0.0], [1.0, -1.0], [-1.0, 0.5]]), np.array(t)
        want = vector.trace(oracle_net(net), x, want_t, loss)
        got = net.trace(x, t, loss=loss)
        assert_within(got.loss, want.loss, tolerance.bound(64, abs(want.loss) + 1.0, dtype), loss)
        # z is exact here; ln and exp of it are right to a few roundings of z itself
        slack = tolerance.bound(4 * tolerance.ELEMENTARY, np.abs(want.delta[0]) * (1.0 + scale), dtype)
        floor = tolerance.bound(4, 1.0, dtype)
        assert_within(got.delta[0], want.delta[0], slack + floor, loss)
        assert np.isfinite(net.gradients(x, t, loss=loss).layers[0].dw).all()


# --- update -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hidden", "output", "loss"), PAIRS)
def test_update_is_one_step_down_the_gradient(hidden: str, output: str, loss: str, dtype: str) -> None:
    net = network(SIZES, hidden, output, dtype)
    x, t = batch(loss, dtype=dtype)
    gradients, before = net.gradients(x, t, loss=loss), wide(net.parameters).copy()
    returned = net.update(x, t, 0.3, loss=loss)
    assert returned == gradients.loss, "the loss before the step"
    step = 0.3 * np.concatenate([wide(p) for layer in gradients.layers for p in (layer.dw.ravel(), layer.db)])
    slack = tolerance.network(SIZES, len(x), step, dtype) + tolerance.bound(3, np.abs(before) + np.abs(step), dtype)
    assert_within(net.parameters, before - step, slack)


def test_many_updates_follow_the_oracle() -> None:
    net = network(SIZES, "tanh", "logistic")
    mirror, sgd = oracle_net(net), vector.Sgd(0.2)
    x, t = batch()
    for _ in range(50):
        want = vector.train_step(mirror, x, t, "half_squared_error", sgd)
        assert abs(net.update(x, t, 0.2) - want) <= 1e-10 * abs(want)
    scale = np.abs(mirror.parameters()).max()
    assert_within(net.parameters, mirror.parameters(), 1e-10 * scale)


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_layers_stay_while_their_gradients_are_reported(frozen: int, dtype: str) -> None:
    layers = [bp.Dense(i, o, "tanh", trainable=k != frozen) for k, (i, o) in enumerate(itertools.pairwise(SIZES))]
    net = bp.Network(layers, seed=0, dtype=dtype)
    free = bp.Network(SIZES, "tanh", seed=0, dtype=dtype)
    assert_same_bits(net.parameters, free.parameters)
    x, t = batch(dtype=dtype)
    for got, want in zip(net.gradients(x, t).layers, free.gradients(x, t).layers, strict=True):
        assert_same_bits(got.dw, want.dw)
        assert_same_bits(got.db, want.db)
        assert got.dw.any()
    before = [(layer.w.copy(), layer.b.copy()) for layer in net.layers]
    net.update(x, t, 0.5)
    free.update(x, t, 0.5)
    for k, layer in enumerate(net.layers):
        want = before[k] if k == frozen else (free.layers[k].w, free.layers[k].b)
        assert_same_bits(layer.w, want[0])
        assert_same_bits(layer.b, want[1])
    net.fit(x, t, loss="half_squared_error", optimizer=bp.SGD(0.5, momentum=0.9), epochs=3, seed=0)
    for k, layer in enumerate(net.layers):
        assert (layer.w.tobytes() == before[k][0].tobytes()) == (k == frozen)
        assert (layer.b.tobytes() == before[k][1].tobytes()) == (k == frozen)


def test_hidden_softmax_layers_are_row_functions(dtype: str) -> None:
    net = bp.Network(
        [bp.Dense(6, 5, "softmax"), bp.Dense(5, 3, "softmax"), bp.Dense(3, 4, "logistic")], seed=0, dtype=dtype
    )
    for layer in net.layers:
        layer.w[...] *= 3
    x, t = batch(dtype=dtype)
    want = vector.trace(oracle_net(net), wide(x), wide(t), "half_squared_error")
    for index, layer in enumerate(net.gradients(x, t).layers):
        assert_within(layer.dw, want.dw[index], tolerance.network(SIZES, len(x), want.dw[index], dtype))


@pytest.mark.parametrize("sizes", [[1, 1], [1, 1, 1, 1], [3, 1, 3], [1, 40, 1], [33, 17, 65, 2], [5] * 12])
def test_odd_shapes(sizes: list[int], dtype: str) -> None:
    net = bp.Network(sizes, "tanh", seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 31):
        x, t = rng.normal(size=(n, sizes[0])).astype(dtype), rng.normal(size=(n, sizes[-1])).astype(dtype)
        want = vector.trace(oracle_net(net), wide(x), wide(t), "half_squared_error")
        got = net.gradients(x, t)
        assert_within(got.loss, want.loss, tolerance.network(sizes, n, np.array(want.loss), dtype))
        for index, layer in enumerate(got.layers):
            assert_within(layer.dw, want.dw[index], tolerance.network(sizes, n, want.dw[index], dtype))
            assert_within(layer.db, want.db[index], tolerance.network(sizes, n, want.db[index], dtype))


def test_a_network_says_what_it_is() -> None:
    text = repr(bp.Network([8, 3, 8], seed=0))
    assert "Network" in text
    assert "8" in text
    assert "3" in text


def test_every_loss_of_the_oracle_is_registered() -> None:
    assert set(LOSSES) <= set(bp.LOSSES)


def test_layers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"layers\[1\] has fan_in 5; it must be 4, the fan_out of layers\[0\]"):
        bp.Network([bp.Dense(3, 4), bp.Dense(5, 2)])
