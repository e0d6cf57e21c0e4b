"""api.md, "Trainer": penalties, weights, dropout and bounds, each against the oracle; and off, each costs no bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, divide_penalties_by_batch, network, oracle_net, targets
from oracle import control, optimizers, philox, vector
from oracle.tolerance import assert_within

SIZES = [5, 4, 3]
HALF = "half_squared_error"


def data(loss: str = HALF, n: int = 23, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, SIZES[0])), targets(loss, rng, (n, SIZES[-1]))


def assert_close(net: bp.Network, mirror: vector.Net) -> None:
    """Within 1e-10 of the largest parameter: hundreds of steps of float64, in another order of summation."""
    want = mirror.parameters()
    assert_within(net.parameters, want, 1e-10 * np.abs(want).max())


def batches(seed: int, epochs: int, n: int, batch_size: int) -> list[np.ndarray]:
    orders = [philox.order(seed, e, n) for e in range(epochs)]
    return [order[at : at + batch_size] for order in orders for at in range(0, n, batch_size)]


CASES = [
    pytest.param("SGD", {"learning_rate": 0.1}, 5, id="sgd"),
    pytest.param("SGD", {"learning_rate": 0.1}, 1, id="online"),
    pytest.param("SGD", {"learning_rate": 0.05, "momentum": 0.9}, 5, id="momentum"),
    pytest.param("Adam", {}, 5, id="adam"),
    pytest.param("Rprop", {}, 23, id="rprop"),
]

# --- l1, l2 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.01), (0.01, 0.0), ([0.0, 0.02], [0.03, 0.01])])
@pytest.mark.parametrize(("name", "arguments", "batch_size"), CASES)
def test_penalties_are_the_oracles(name: str, arguments: Any, batch_size: int, l1: Any, l2: Any) -> None:
    net, optimizer = network(SIZES, "tanh", "logistic"), optimizers.OPTIMIZERS[name](**arguments)
    mirror, (x, t) = oracle_net(net), data("binary_cross_entropy")
    trainer = bp.Trainer(
        net, optimizer=getattr(bp, name)(**arguments), batch_size=batch_size, seed=3, l1=l1, l2=l2, loss=HALF
    )
    history = trainer.fit(x, t, epochs=8)
    penalties: Any = {"l1": np.broadcast_to(l1, 2).tolist(), "l2": np.broadcast_to(l2, 2).tolist()}
    total = 0.0
    for batch in batches(3, 8, 23, batch_size):
        total += len(batch) * control.step(mirror, x[batch], t[batch], HALF, optimizer, **penalties)
    assert_close(net, mirror)
    assert_within(sum(history.loss), total / 23, 1e-10 * total, "the losses, which are reported without the penalties")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.01), (0.01, 0.0), (0.003, 0.02)])
def test_the_penalty_of_more_weights_than_are_summed_at_once(l1: float, l2: float, threads: int) -> None:
    """The sum is made of blocks of 2¹⁴; here one of two is not full."""
    sizes = [131, 149, 2]
    net, rng = network(sizes, "tanh", "logistic"), np.random.default_rng(4)
    mirror, x, t = oracle_net(net), rng.normal(size=(6, 131)), rng.random((6, 2))
    want = control.penalty(mirror, [l1] * 2, [l2] * 2)
    before = bp.get_num_threads()
    bp.set_num_threads(threads)
    try:
        trainer = bp.Trainer(net, HALF, bp.SGD(0.1), batch_size=6, shuffle=False, l1=l1, l2=l2)
        trainer.fit(x, t)
    finally:
        bp.set_num_threads(before)
    loss = control.step(mirror, x, t, HALF, optimizers.Sgd(0.1), l1=[l1] * 2, l2=[l2] * 2)
    assert_within(trainer._core.batch_means, (loss, want), 1e-12 * np.array([loss, want]), "loss and penalty")
    assert_close(net, mirror)


@pytest.mark.parametrize("by_batch", [False, True])
@pytest.mark.parametrize("batch_size", [5, 23])
def test_batches_are_counted_by_their_samples(batch_size: int, by_batch: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The means of the batches' losses and penalties, each before its step, anew in every epoch.

    With `by_batch` a penalty is divided by what the batch weighs, and there is none where that is nothing.
    """
    net, (x, t) = network(SIZES, "tanh", "logistic"), data("binary_cross_entropy")
    weight = np.random.default_rng(6).uniform(0.1, 2.0, 23)
    if batch_size < 23:
        weight[5:10] = 0.0
    if by_batch:
        divide_penalties_by_batch(monkeypatch)
    l1, l2, mirror, optimizer = [0.02, 0.01], [0.03, 0.05], oracle_net(net), optimizers.Sgd(0.1, 0.5)
    trainer = bp.Trainer(net, HALF, bp.SGD(0.1, momentum=0.5), batch_size=batch_size, shuffle=False, l1=l1, l2=l2)
    for _ in range(3):
        trainer.fit(x, t, sample_weight=weight)
        total = np.zeros(2)
        for at in range(0, 23, batch_size):
            batch = slice(at, at + batch_size)
            mass = weight[batch].sum()
            share = (1.0 / mass if mass > 0.0 else 0.0) if by_batch else 1.0
            one, two = [share * v for v in l1], [share * v for v in l2]
            penalty = control.penalty(mirror, one, two)
            loss = control.step(mirror, x[batch], t[batch], HALF, optimizer, weight=weight[batch], l1=one, l2=two)
            total += len(x[batch]) * np.array([loss, penalty])
        assert_within(trainer._core.batch_means, total / 23, 1e-10 * total, "mean loss and penalty")
        assert_close(net, mirror)


def test_a_penalty_alone_draws_weights_to_zero_and_leaves_biases(dtype: str) -> None:
    """Where E has no slope, each step takes l2's share and l1's constant off every weight, and a 0 stays 0."""
    net = bp.Network([3, 2], "identity", seed=0, dtype=dtype)
    net.layers[0].w[...] = [[1, -2], [0, 3], [-0.5, 0.25]]
    net.layers[0].b[...] = 7
    w = net.layers[0].w.copy()
    bp.Trainer(net, optimizer=bp.SGD(0.5), l1=0.25, l2=0.5).step(np.zeros((1, 3)), net.predict(np.zeros((1, 3))))
    assert_same_bits(
        net.layers[0].w, w - np.array(0.5, dtype) * (w * np.array(0.5, dtype) + np.sign(w) / 4).astype(dtype)
    )
    assert (net.layers[0].b == 7).all()


def test_frozen_layers_are_not_penalized(dtype: str) -> None:
    net = network(SIZES, "tanh", "logistic", dtype)
    net.layers[0].trainable = False
    before = net.layers[0].w.copy()
    bp.Trainer(net, optimizer=bp.SGD(0.1), l2=0.5, batch_size=4, seed=0).fit(*data())
    assert_same_bits(net.layers[0].w, before)


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", bp.LOSSES)
@pytest.mark.parametrize("output", ["logistic", "softmax"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_sample_weight_is_the_oracles(loss: str, output: str, shuffle: bool) -> None:
    """Also in a batch where all weigh nothing, the fourth of the unshuffled: E and its gradient are 0 there."""
    net, optimizer = network(SIZES, "tanh", output), optimizers.Sgd(0.02, 0.5)
    mirror, (x, t) = oracle_net(net), data(loss)
    weight = np.random.default_rng(5).exponential(size=23)
    weight[15:20] = 0
    trainer = bp.Trainer(net, loss=loss, optimizer=bp.SGD(0.02, 0.5), batch_size=5, shuffle=shuffle, seed=3)
    history = trainer.fit(x, t, epochs=4, sample_weight=weight)
    order = batches(3, 4, 23, 5) if shuffle else [np.arange(at, min(at + 5, 23)) for at in range(0, 23, 5)] * 4
    losses = [
        weight[batch].sum() * control.step(mirror, x[batch], t[batch], loss, optimizer, weight=weight[batch])
        for batch in order
    ]
    assert_close(net, mirror)
    want = np.reshape(losses, (4, 5)).sum(axis=1) / weight.sum()
    assert_within(history.loss, want, 1e-10 * want)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"clip_norm": 0.1}], ids=str)
@pytest.mark.parametrize("optimizer", [bp.SGD(0.01), bp.Adam()], ids=str)
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("loss", bp.LOSSES)
def test_a_sample_that_weighs_nothing_does_not_count_whatever_its_loss(
    loss: str, batch_size: int, optimizer: Any, options: Any, dtype: str
) -> None:
    """Two hidden units of it are infinite, and the outputs are ∞ − ∞."""
    (x, t), losses = data(loss, n=12), []
    weight = np.ones(12)
    weight[[2, 7]] = 0
    nets = [
        network(SIZES, "relu", "softmax" if loss == "softmax_cross_entropy" else "logistic", dtype) for _ in range(2)
    ]
    x[:, 0] = 0
    for net, spoilt in zip(nets, (0.0, np.finfo(dtype).max), strict=True):
        net.layers[0].w[0, :2] = 100
        net.layers[1].w[:2] = [[1], [-1]]
        x[[2, 7], 0] = spoilt
        settings: Any = {"optimizer": optimizer, "batch_size": batch_size, "seed": 3, "epochs": 2, **options}
        losses.append(net.fit(x, t, loss, sample_weight=weight, **settings).loss)
    assert np.isnan(nets[1].predict(x[2])).all()
    assert_same_bits(nets[1].parameters, nets[0].parameters)
    assert np.isfinite(losses[0]).all()
    assert losses[0] == losses[1]


@pytest.mark.parametrize("loss", bp.LOSSES)
def test_a_sample_without_weight_may_have_a_loss_without_a_slope(loss: str, dtype: str) -> None:
    """Its ∂E/∂a is not finite, for a target that the outputs cannot reach; 0 times that would be not a number."""
    output = "softmax" if loss == "softmax_cross_entropy" else "relu"
    x, t = np.random.default_rng(2).random((5, 3)).astype(dtype), np.full((5, 2), 0.5, dtype)
    weight = np.array([1, 2, 0, 1, 0], dtype)
    nets = []
    for target in ([0.5, 0.5], [1.0, 0.0]):
        net = bp.Network([3, 4, 2], "tanh", output, seed=1, dtype=dtype)
        net.layers[-1].w[...] = np.abs(net.layers[-1].w) / 16
        net.layers[-1].b[...] = 0.25
        t[weight == 0] = target
        net.fit(x, t, loss, optimizer=bp.SGD(0.01), batch_size=5, epochs=2, sample_weight=weight, seed=0)
        nets.append(net)
    assert np.isfinite(nets[0].parameters).all()
    assert_same_bits(nets[0].parameters, nets[1].parameters)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("epsilon_hat", [False, True])
def test_adams_epsilon_is_where_it_is_asked_for(epsilon_hat: bool, amsgrad: bool) -> None:
    """An ε that counts beside √v, as long as v's average has hardly begun."""
    arguments: Any = {"epsilon": 0.01, "amsgrad": amsgrad, "epsilon_hat": epsilon_hat}
    net, optimizer = network(SIZES, "tanh", "logistic"), optimizers.Adam(**arguments)
    mirror, (x, t) = oracle_net(net), data("binary_cross_entropy")
    trainer = bp.Trainer(net, HALF, bp.Adam(**arguments))
    for _ in range(5):
        trainer.step(x, t)
        control.step(mirror, x, t, HALF, optimizer)
        assert_close(net, mirror)


@pytest.mark.parametrize("factor", [1e-300, 1.0, 1e300])
def test_only_the_ratio_of_weights_matters(factor: float, dtype: str) -> None:
    """Equal weights are none, up to rounding; and 2 counts as twice the sample."""
    nets = [network(SIZES, "tanh", "logistic", dtype) for _ in range(2)]
    x, t = data(n=4)
    nets[0].fit(x, t, optimizer=bp.SGD(0.5), batch_size=4, sample_weight=np.array([1, 2, 1, 3]) * factor, seed=0)
    nets[1].fit(x[[0, 1, 1, 2, 3, 3, 3]], t[[0, 1, 1, 2, 3, 3, 3]], optimizer=bp.SGD(0.5), batch_size=7, seed=0)
    assert_within(nets[0].parameters, nets[1].parameters, 100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("batch_size", [1, 6])
def test_class_weight_is_a_weight_for_each_sample(batch_size: int, dtype: str) -> None:
    x, classes = data()[0], np.repeat([0, 2], [17, 6])
    options: Any = {"optimizer": bp.Adam(), "batch_size": batch_size, "seed": 2, "epochs": 3}
    for class_weight, of_class in (
        ("balanced", [23 / (2 * 17), 1.0, 23 / (2 * 6)]),
        ({2: 3, 0: 0.5}, [0.5, 1.0, 3.0]),
        ({np.int64(2): 4.0}, [1.0, 1.0, 4.0]),
    ):
        more = np.linspace(1, 2, 23)
        for given, want in ((None, np.ones(23)), (more, more)):
            nets = [network(SIZES, "tanh", "softmax", dtype) for _ in range(2)]
            loss = "softmax_cross_entropy"
            nets[0].fit(x, classes, loss, class_weight=class_weight, sample_weight=given, **options)
            nets[1].fit(x, classes, loss, sample_weight=want * np.array(of_class)[classes], **options)
            assert_same_bits(nets[0].parameters, nets[1].parameters)


WRONG_WEIGHTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"sample_weight": [1.0, -1.0, 1.0]},
        ValueError,
        r"sample_weight\[1\] is -1.0; weights must be at least 0 and finite",
    ),
    ({"sample_weight": [1.0, 1.0, np.nan]}, ValueError, r"sample_weight\[2\] is nan"),
    ({"sample_weight": [0, 0, 0]}, ValueError, r"sample_weight sums to 0 over the samples; it must be above 0"),
    ({"sample_weight": [1e308] * 3}, ValueError, r"sample_weight sums to inf"),
    ({"sample_weight": [1, 1]}, ValueError, r"sample_weight has shape \(2,\); it must be \(3,\)"),
    ({"sample_weight": ["a", "b", "c"]}, TypeError, r"sample_weight has dtype .*; it must hold real numbers"),
    ({"class_weight": "fair"}, ValueError, r"class_weight is 'fair'; it must be 'balanced', or a dict"),
    ({"class_weight": 3}, TypeError, r"class_weight is 3; it must be 'balanced', or a dict"),
    ({"class_weight": {3: 1.0}}, ValueError, r"class_weight names class 3; the classes must be 0 to 2"),
    ({"class_weight": {0: -1.0}}, ValueError, r"class_weight\[0\] is -1.0; it must be at least 0 and finite"),
    ({"class_weight": {"a": 1.0}}, TypeError, r"class_weight: a class is 'a'; it must be an integer"),
    ({"class_weight": {0: 0.0}}, ValueError, r"class_weight sums to 0"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG_WEIGHTS, ids=[str(case[0]) for case in WRONG_WEIGHTS])
def test_weights_that_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    net = bp.Network(SIZES, "tanh", "softmax", seed=0)
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.fit(data()[0][:3], [0, 0, 0], "softmax_cross_entropy", optimizer=bp.SGD(0.1), **options)
    assert_same_bits(net.parameters, before)


def test_class_weight_needs_classes() -> None:
    net = bp.Network(SIZES, "tanh", "softmax", seed=0)
    with pytest.raises(ValueError, match=r"class_weight is given, but t is not a vector of integer classes"):
        net.fit(*data("softmax_cross_entropy"), "softmax_cross_entropy", bp.SGD(0.1), class_weight="balanced")
    with pytest.raises(ValueError, match=r"t\[1\] is class 7; with 3 outputs the classes must be 0 to 2"):
        net.fit(data()[0][:2], [0, 7], "softmax_cross_entropy", bp.SGD(0.1), class_weight="balanced")


# --- dropout ----------------------------------------------------------------------------------------------------------

DEEP = [5, 9, 17, 8, 3]


@pytest.mark.parametrize("hidden", ["tanh", "relu", "gelu", "softmax"])
@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.2, [0.1, 0.0, 0.7]), (0.3, 0.0)], ids=str)
@pytest.mark.parametrize(("name", "arguments", "batch_size"), CASES[:4])
def test_dropout_is_the_oracles(name: str, arguments: Any, batch_size: int, rates: Any, hidden: str) -> None:
    """Masks by step and layer; a unit's derivative is taken at what it was, not at what was left of it."""
    net, optimizer = network(DEEP, hidden, "logistic"), optimizers.OPTIMIZERS[name](**arguments)
    mirror, (x, t) = oracle_net(net), data()
    trainer = bp.Trainer(
        net, HALF, getattr(bp, name)(**arguments), batch_size, seed=3, input_dropout=rates[0], dropout=rates[1]
    )
    trainer.fit(x, t, epochs=3)
    trainer.step(x[:6], t[:6])
    of_layers = [rates[0], *np.broadcast_to(rates[1], 3).tolist()]
    for count, batch in enumerate([*batches(3, 3, 23, batch_size), np.arange(6)]):
        masks = [philox.mask(3, count, i, rate, len(batch), DEEP[i]) for i, rate in enumerate(of_layers)]
        control.step(mirror, x[batch], t[batch], HALF, optimizer, masks=masks)
    assert_close(net, mirror)


def test_dropout_keeps_the_mean_and_drops_at_its_rate() -> None:
    """Of 200,000 units within six standard deviations."""
    net = bp.Network([1000, 1], "identity", seed=0, dtype="float64", initializer="zeros")
    trainer = bp.Trainer(net, optimizer=bp.SGD(1.0), batch_size=200, seed=1, input_dropout=0.3, shuffle=False)
    trainer.step(np.ones((200, 1000)), -np.ones((200, 1)))  # w becomes minus the mean of each column of the mask
    kept = -net.layers[0].w * 0.7
    assert abs(kept.mean() - 0.7) < 6 * np.sqrt(0.3 * 0.7 / 200_000)
    assert kept.std() < 6 * np.sqrt(0.3 * 0.7 / 200)


def test_only_steps_drop_out(dtype: str) -> None:
    net, (x, t) = network(SIZES, "tanh", "logistic", dtype), data()
    want, error = net.predict(x), net.loss(x, t)
    trainer = bp.Trainer(net, optimizer=bp.SGD(0.0), dropout=0.5, input_dropout=0.5, seed=0)
    assert trainer.fit(x, t, validation_data=(x, t)).val_loss == [error]
    assert trainer.history.loss != [error]
    assert_same_bits(net.predict(x), want)


# --- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bounds",
    [
        {"clip_value": 0.004},
        {"clip_norm": 0.05},
        {"max_norm": 0.6},
        {"clip_value": 0.01, "clip_norm": 0.04, "max_norm": 0.7, "l1": [0.001, 0.0], "l2": [0.01, 0.3]},
        {"clip_value": 1e6, "clip_norm": 1e6, "max_norm": 1e6},
    ],
    ids=str,
)
@pytest.mark.parametrize(("name", "arguments", "batch_size"), CASES[:4])
def test_bounds_are_the_oracles(name: str, arguments: Any, batch_size: int, bounds: dict[str, Any]) -> None:
    net, optimizer = network(SIZES, "tanh", "logistic"), optimizers.OPTIMIZERS[name](**arguments)
    mirror, (x, t) = oracle_net(net), data()
    bp.Trainer(net, HALF, getattr(bp, name)(**arguments), batch_size, seed=3, **bounds).fit(x, t, epochs=5)
    for batch in batches(3, 5, 23, batch_size):
        control.step(mirror, x[batch], t[batch], HALF, optimizer, **bounds)
    assert_close(net, mirror)


@pytest.mark.parametrize("frozen", [0, 1])
def test_the_norm_is_that_of_the_layers_that_learn(frozen: int, dtype: str) -> None:
    """A step of rate 1 is as long as its gradient: exactly clip_norm, whatever a frozen layer's would have been."""
    net, (x, t) = network(SIZES, "tanh", "logistic", dtype), data()
    trainer = bp.Trainer(net, HALF, bp.SGD(1.0), clip_norm=1e-3)
    trainer.step(x, t)  # leaves a gradient of the layer that is frozen from now on
    net.layers[frozen].trainable = False
    before = net.parameters.astype("float64")
    trainer.step(x, t)
    assert abs(np.linalg.norm(net.parameters - before) - 1e-3) < 100 * np.finfo(dtype).eps


def test_a_gradient_too_long_for_its_norm_ends_the_run_before_the_step() -> None:
    net = bp.Network([1, 1], "identity", seed=0, dtype="float64", initializer="zeros")
    before = net.parameters.copy()
    trainer = bp.Trainer(net, "mean_absolute_error", bp.Adam(), clip_norm=1.0)
    with pytest.raises(FloatingPointError, match=r"the gradient's norm is inf in epoch 1, step 1; it must be finite"):
        trainer.step(np.full((1, 1), 1e200), np.ones((1, 1)))
    assert_same_bits(net.parameters, before)
    assert trainer.step_count == 0


# --- off, and the same everywhere -------------------------------------------------------------------------------------

OFF: dict[str, Any] = {
    "l1": 0.0,
    "l2": [0, 0],
    "dropout": 0.0,
    "input_dropout": 0.0,
    "clip_value": None,
    "clip_norm": None,
}


@pytest.mark.parametrize("optimizer", [bp.SGD(0.1), bp.Adam()], ids=str)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_what_is_off_changes_no_bit(optimizer: Any, batch_size: int, dtype: str) -> None:
    nets = [network(SIZES, "tanh", "logistic", dtype) for _ in range(2)]
    for net, options in zip(nets, ({}, OFF), strict=True):
        net.fit(*data(), optimizer=optimizer, batch_size=batch_size, epochs=3, seed=1, **options)
    assert_same_bits(nets[0].parameters, nets[1].parameters)


ON: dict[str, dict[str, Any]] = {
    "penalties": {"l1": 0.001, "l2": 0.01},
    "dropout": {"dropout": 0.5, "input_dropout": 0.2},
    "bounds": {"clip_value": 0.01, "clip_norm": 0.1, "max_norm": 0.5},
    "weights": {"sample_weight": np.linspace(0, 1, 200)},
}


@pytest.mark.parametrize("name", ON)
@pytest.mark.parametrize("optimizer", [bp.SGD(0.01), bp.Adam()], ids=str)
def test_the_bits_do_not_depend_on_threads(name: str, optimizer: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(200, 90)), rng.uniform(size=(200, 37))
    results, threads = [], bp.get_num_threads()
    try:
        for n in (1, 2, 3, 7):
            bp.set_num_threads(n)
            net = bp.Network([90, 300, 37], "tanh", "logistic", seed=0, dtype=dtype)
            net.fit(x, t, optimizer=optimizer, batch_size=64, epochs=2, seed=1, **ON[name])
            results.append(net.parameters.copy())
    finally:
        bp.set_num_threads(threads)
    for result in results[1:]:
        assert_same_bits(result, results[0])


# --- errors -----------------------------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"l1": -0.1}, ValueError, r"l1 is -0.1; it must be at least 0 and finite in float32"),
    ({"l2": float("nan")}, ValueError, r"l2 is nan; it must be at least 0"),
    ({"l2": 1e39}, ValueError, r"l2 is 1e\+39; it must be .* finite in float32"),
    ({"l2": [0.1, -1]}, ValueError, r"l2\[1\] is -1.0; it must be at least 0"),
    ({"l1": [0.1]}, ValueError, r"l1 has 1 numbers; it must be one number, or 2: one for each layer"),
    ({"dropout": 1.0}, ValueError, r"dropout is 1.0; it must be at least 0 and below 1"),
    ({"input_dropout": -0.5}, ValueError, r"input_dropout is -0.5; it must be at least 0 and below 1"),
    ({"input_dropout": [0.5]}, TypeError, r"input_dropout is \[0.5\]; it must be a real number"),
    (
        {"dropout": [0.5, 0.5]},
        ValueError,
        r"dropout has 2 numbers; it must be one number, or 1: one for each hidden layer",
    ),
    ({"clip_norm": 0}, ValueError, r"clip_norm is 0.0; it must be None, or above 0 and finite in float32"),
    ({"clip_value": -1}, ValueError, r"clip_value is -1.0; it must be None, or above 0"),
    ({"max_norm": 1e39}, ValueError, r"max_norm is 1e\+39; it must be None, or above 0 and finite in float32"),
    ({"max_norm": "one"}, TypeError, r"max_norm is 'one'; it must be a real number"),
    ({"l1": "much"}, TypeError, r"l1 is 'much'; it must be a real number"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[str(case[0]) for case in WRONG])
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bp.Trainer(bp.Network(SIZES, seed=0), optimizer=bp.SGD(0.1), **options)
