"""api.md, "Trainer": penalties, weights, dropout and bounds, each against the oracle; and off, each costs no bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, network, oracle_net, targets
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
    of_layers = [np.broadcast_to(value, 2).tolist() for value in (l1, l2)]
    total = 0.0
    for batch in batches(3, 8, 23, batch_size):
        total += len(batch) * control.penalized_step(mirror, x[batch], t[batch], HALF, optimizer, *of_layers)
    assert_close(net, mirror)
    assert_within(sum(history.loss), total / 23, 1e-10 * total), "reported without the penalties"


def test_a_penalty_alone_draws_weights_to_zero_and_leaves_biases(dtype: str) -> None:
    """Where E has no slope, each step takes l2's share and l1's constant off every weight, and a 0 stays 0."""
    net = bp.Network([3, 2], "identity", seed=0, dtype=dtype)
    net.layers[0].w[...] = [[1, -2], [0, 3], [-0.5, 0.25]]
    net.layers[0].b[...] = 7
    w = net.layers[0].w.copy()
    bp.Trainer(net, optimizer=bp.SGD(0.5), l1=0.25, l2=0.5).step(np.zeros((1, 3)), net.predict(np.zeros((1, 3))))
    assert_same_bits(net.layers[0].w, w - np.array(0.5, dtype) * (w * np.array(0.5, dtype) + np.sign(w) / 4).astype(dtype))
    assert (net.layers[0].b == 7).all()


def test_frozen_layers_are_not_penalized(dtype: str) -> None:
    net = network(SIZES, "tanh", "logistic", dtype)
    net.layers[0].trainable = False
    before = net.layers[0].w.copy()
    bp.Trainer(net, optimizer=bp.SGD(0.1), l2=0.5, batch_size=4, seed=0).fit(*data())
    assert_same_bits(net.layers[0].w, before)


OFF: dict[str, Any] = {"l1": 0.0, "l2": [0, 0]}


@pytest.mark.parametrize("optimizer", [bp.SGD(0.1), bp.Adam()], ids=str)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_what_is_off_changes_no_bit(optimizer: Any, batch_size: int, dtype: str) -> None:
    nets = [network(SIZES, "tanh", "logistic", dtype) for _ in range(2)]
    for net, options in zip(nets, ({}, OFF), strict=True):
        net.fit(*data(), optimizer=optimizer, batch_size=batch_size, epochs=3, seed=1, **options)
    assert_same_bits(nets[0].parameters, nets[1].parameters)


ON: dict[str, dict[str, Any]] = {"penalties": {"l1": 0.001, "l2": 0.01}}


@pytest.mark.parametrize("name", ON)
@pytest.mark.parametrize("optimizer", [bp.SGD(0.01), bp.Adam()], ids=str)
def test_the_bits_depend_on_neither_threads_nor_instruction_set(name: str, optimizer: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(200, 90)), rng.uniform(size=(200, 37))
    results, (threads, isa) = [], (bp.get_num_threads(), bp.isa())
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
    ({"l1": "much"}, TypeError, r"l1 is 'much'; it must be a real number"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[str(case[0]) for case in WRONG])
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bp.Trainer(bp.Network(SIZES, seed=0), optimizer=bp.SGD(0.1), **options)
