"""Activations and losses of the user's own: ours bit for bit where they compute the same, and harmless where wrong."""

from __future__ import annotations

import copy
import functools
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, network
from oracle import differences, tolerance
from oracle.optimizers import CASES
from oracle.tolerance import assert_within
from safetensors_files import with_configuration

X, T = np.random.default_rng(1).normal(size=(23, 5)), np.random.default_rng(2).uniform(0.1, 1.0, size=(23, 1))
SGD = bp.SGD(0.05)
OPTIMIZERS = [getattr(bp, name)(**arguments) for name in CASES for arguments in CASES[name]]


# The expressions of our relu and half_squared_error, element by element, so that the bits are the same.
def relu(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, z, 0)


def step(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, 1.0, 0.0)  # of float64: converted


def half_square(a: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Of one output: over several, NumPy adds in another order."""
    return (0.5 * (a - t) * (a - t))[:, 0] if a.shape[1] == 1 else (0.5 * (a - t) * (a - t)).sum(axis=1)


def difference(a: np.ndarray, t: np.ndarray) -> np.ndarray:
    return a - t


RELU, SQUARE = bp.Activation(relu, step), bp.Loss(half_square, difference, name="square")
OURS: tuple[Any, Any] = "relu", "half_squared_error"
THEIRS: tuple[Any, Any] = RELU, SQUARE


def make(activation: Any, sizes: tuple[int, ...] = (5, 4, 3, 1), dtype: str = "float32") -> bp.Network:
    return bp.Network(sizes, activation, seed=0, dtype=dtype, bias_initializer=bp.uniform(0.0, 0.5))


# --- the same bits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize(("sizes", "batch_size"), [((5, 4, 3, 1), 1), ((5, 4, 3, 1), 7), ((5, 300, 200, 3), 23)])
def test_training_is_ours(sizes: tuple[int, ...], batch_size: int, threads: int, dtype: str) -> None:
    """Online (where ours takes another way), in batches, and with products that are shared out among threads."""
    t = np.random.default_rng(3).uniform(0.1, 1.0, size=(23, sizes[-1]))
    nets = []
    for (activation, loss), n in ((OURS, 1), (THEIRS, threads)):
        net = make(activation, sizes, dtype)
        with bp.num_threads(n):
            net.fit(X, t, loss=loss, optimizer=SGD, batch_size=batch_size, epochs=3, seed=5)
            nets.append((net.parameters, net.predict(X), net.gradients(X, t, loss=loss).layers[0].dw))
    for ours, theirs in zip(*nets, strict=True):
        assert_same_bits(theirs, ours)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "online": {"batch_size": 1},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "penalties": {"l1": 0.01, "l2": 0.02},
    "bounds": {"clip_value": 0.2, "clip_norm": 0.3, "max_norm": 0.9},
    "schedule": {"schedule": lambda epoch: 0.1 / (1 + epoch)},
    "fit": {
        "sample_weight": np.arange(23),
        "validation_data": (X[:9], T[:9]),
        "metrics": ["r2"],
        "early_stopping": bp.EarlyStopping(patience=2, restore_best=True),
    },
}


def run(which: tuple[Any, Any], optimizer: Any, options: dict[str, Any], dtype: str) -> tuple[bp.Network, bp.History]:
    net = make(which[0], dtype=dtype)
    options = {"batch_size": 4, **options}
    return net, net.fit(X, T, loss=which[1], optimizer=optimizer, epochs=6, seed=1, **options)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_is_ours(options: dict[str, Any], dtype: str) -> None:
    (ours, our_history), (theirs, their_history) = (run(which, SGD, options, dtype) for which in (OURS, THEIRS))
    assert_same_bits(theirs.parameters, ours.parameters)
    assert their_history.history == our_history.history


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, bp.LBFGS()], ids=repr)
def test_every_optimizer_is_ours(optimizer: Any) -> None:
    (ours, our_history), (theirs, their_history) = (run(which, optimizer, {}, "float32") for which in (OURS, THEIRS))
    assert_same_bits(theirs.parameters, ours.parameters)
    assert their_history.history == our_history.history


def test_levenberg_marquardt_is_ours() -> None:
    """With an activation of the user's own; the loss must be one of ours."""
    nets = [make(activation, dtype="float64") for activation in ("relu", RELU)]
    for net in nets:
        net.fit(X, T, optimizer=bp.LevenbergMarquardt(), epochs=3)
    assert_same_bits(nets[1].parameters, nets[0].parameters)


def test_data_in_batches_and_a_mask_are_ours() -> None:
    nets = []
    for activation, loss in (OURS, THEIRS):
        net = make(activation)
        net.layers[0].mask = np.arange(20).reshape(5, 4) % 3 > 0
        bp.Trainer(net, loss, bp.Adam(), seed=0, dropout=0.2).fit([(X[:9], T[:9]), (X[9:], T[9:])], epochs=3)
        nets.append(net.parameters)
    assert_same_bits(*nets)


@pytest.mark.parametrize(("x", "t"), [(X, T), (X[:1], T[:1]), (X[0], T[0])], ids=["samples", "a row", "one"])
def test_every_call_is_ours(x: np.ndarray, t: np.ndarray, dtype: str) -> None:
    ours, theirs = make("relu", dtype=dtype), make(RELU, dtype=dtype)
    assert_same_bits(theirs.predict(x), ours.predict(x))
    assert theirs.loss(x, t, loss=SQUARE) == ours.loss(x, t)
    for got, want in zip(theirs.gradients(x, t, SQUARE).layers, ours.gradients(x, t).layers, strict=True):
        assert_same_bits(got.dw, want.dw)
        assert_same_bits(got.db, want.db)
    for layer, expected in zip(theirs.trace(x, t, SQUARE).layers, ours.trace(x, t).layers, strict=True):
        for name, got in layer._asdict().items():
            assert_same_bits(got, getattr(expected, name), name)
    assert theirs.update(x, t, 0.1, loss=SQUARE) == ours.update(x, t, 0.1)
    steps = [
        bp.Trainer(net, loss=loss, optimizer=bp.Adam(), seed=0).step(x, t)
        for net, loss in ((theirs, SQUARE), (ours, OURS[1]))
    ]
    assert steps[0] == steps[1]
    assert_same_bits(theirs.parameters, ours.parameters)


def test_frozen_layers_stay(dtype: str) -> None:
    nets = []
    for activation, loss in (OURS, THEIRS):
        layers = [bp.Dense(5, 4, activation, trainable=False), bp.Dense(4, 3, activation), bp.Dense(3, 1, activation)]
        net = bp.Network(layers, seed=0, dtype=dtype)
        net.fit(X, T, loss=loss, optimizer=SGD, epochs=2, seed=0)
        nets.append(net.parameters)
        net.layers[2].trainable = net.layers[1].trainable = False
        before = net.parameters.copy()
        net.fit(X, T, loss=loss, optimizer=SGD, epochs=1, seed=0)
        assert_same_bits(net.parameters, before, "all layers frozen")
    assert_same_bits(*nets)


@pytest.mark.parametrize("leading", [(), (1,), (4,), (2, 3), (0,)], ids=str)
def test_the_functions_are_ours(leading: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(*leading, 5)).astype(dtype), rng.normal(size=(*leading, 1)).astype(dtype)
    w, b = rng.normal(size=(5, 1)).astype(dtype), rng.normal(size=1).astype(dtype)
    ours, theirs = bp.dense_forward(x, w, b, "relu"), bp.dense_forward(x, w, b, RELU)
    for name, got in theirs._asdict().items():
        assert_same_bits(got, getattr(ours, name), name)
    back, expected = (bp.dense_backward(t, x, w, ours.z, ours.a, activation) for activation in ("relu", RELU))
    for name, got in expected._asdict().items():
        assert_same_bits(got, getattr(back, name), name)
    assert_same_bits(bp.activate(RELU, x), bp.activate("relu", x))
    assert_same_bits(bp.activation_derivative(RELU, x), bp.activation_derivative("relu", x))
    assert_same_bits(bp.loss_value(SQUARE, ours.a, t), bp.loss_value("half_squared_error", ours.a, t))
    assert_same_bits(bp.loss_gradient(SQUARE, ours.a, t), bp.loss_gradient("half_squared_error", ours.a, t))


def test_a_number_alone() -> None:
    assert bp.activate(RELU, 2.0) == 2.0
    assert bp.activation_derivative(RELU, -2.0) == 0.0


def test_predictions_of_many_samples_are_those_of_blocks() -> None:
    seen: list[int] = []

    def counted(z: np.ndarray) -> np.ndarray:
        seen.append(len(z))
        return relu(z)

    x = np.random.default_rng(0).normal(size=(3000, 5))
    assert_same_bits(make(bp.Activation(counted, step)).predict(x), make("relu").predict(x))
    assert max(seen) <= 512
    assert sum(seen) == 3 * 3000


# --- right ------------------------------------------------------------------------------------------------------------


def logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def swish_derivative(z: np.ndarray) -> np.ndarray:
    return logistic(z) * (1 + z * (1 - logistic(z)))


SWISH = bp.Activation(lambda z: z * logistic(z), swish_derivative, name="swish")
LOG_COSH = bp.Loss(lambda a, t: np.log(np.cosh(a - t)).mean(axis=1), lambda a, t: np.tanh(a - t) / a.shape[1])


@pytest.mark.parametrize("loss", [LOG_COSH, SQUARE, "huber", "softmax_cross_entropy"], ids=str)
@pytest.mark.parametrize(
    ("hidden", "output"), [(SWISH, SWISH), ("tanh", SWISH), (SWISH, "logistic"), (SWISH, "softmax")]
)
def test_gradients_equal_central_differences(hidden: Any, output: Any, loss: Any) -> None:
    """Ours and the user's own, in each other's place, after softmax's whole Jacobian too."""
    net = network([5, 4, 3], hidden, output)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(6, 5)), rng.dirichlet(np.ones(3), size=6)

    def loss_at(parameters: np.ndarray) -> float:
        moved = net.copy()
        moved.parameters = parameters
        return moved.loss(x, t, loss=loss)

    gradients = net.gradients(x, t, loss=loss).layers
    got = np.concatenate([part.ravel() for layer in gradients for part in layer])
    want = differences.gradient(loss_at, net.parameters)
    assert_within(got, want, tolerance.difference(want, 10.0))


def test_sample_weights_weigh_the_gradient() -> None:
    """A sample that weighs 0 teaches nothing; the others as if it were not there."""
    weight, few = np.ones(23), np.arange(23) % 3 > 0
    weight[~few] = 0.0
    nets = [make(SWISH, dtype="float64") for _ in range(2)]
    nets[0].fit(X, T, loss=LOG_COSH, optimizer=SGD, batch_size=23, shuffle=False, sample_weight=weight)
    nets[1].fit(X[few], T[few], loss=LOG_COSH, optimizer=SGD, batch_size=23, shuffle=False)
    assert_within(nets[0].parameters, nets[1].parameters, 1e-14)


# --- what they are given ----------------------------------------------------------------------------------------------


def test_they_get_arrays_of_their_own(dtype: str) -> None:
    """Which they may change, and keep for longer than the network lives."""
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(z: np.ndarray) -> np.ndarray:
        assert (z.shape, z.dtype) == ((23, 1), np.dtype(dtype))
        assert z.flags.c_contiguous
        kept.append((z, z.copy()))
        return relu(z)

    def spoil(z: np.ndarray) -> np.ndarray:
        result = step(z)
        z[...] = np.nan
        return result

    net = make(bp.Activation(keep, spoil), sizes=(5, 1), dtype=dtype)
    want = make("relu", sizes=(5, 1), dtype=dtype)
    for each, loss in ((net, SQUARE), (want, OURS[1])):
        each.fit(X, T, loss=loss, optimizer=SGD, batch_size=23, epochs=3, seed=0)
    assert_same_bits(net.parameters, want.parameters)
    del net
    gc.collect()
    assert len(kept) == 3
    for array, copied in kept:
        assert_same_bits(array, copied)


@pytest.mark.parametrize("form", [np.asfortranarray, lambda a: a.astype(np.float64), lambda a: a[::-1].copy()[::-1]])
def test_any_real_array_will_do(form: Callable[[np.ndarray], np.ndarray]) -> None:
    loose = bp.Activation(lambda z: form(relu(z)), lambda z: form(step(z)).astype(np.int8))
    net, want = make(loose), make("relu")
    for each in (net, want):
        each.fit(X, T, optimizer=SGD, batch_size=7, epochs=2, seed=0)
    assert_same_bits(net.parameters, want.parameters)


def test_they_are_called_in_the_callers_thread() -> None:
    seen: set[int] = set()

    def look(z: np.ndarray) -> np.ndarray:
        seen.add(threading.get_ident())
        return relu(z)

    net = make(bp.Activation(look, look), (5, 300, 200, 1))
    with bp.num_threads(4):
        net.fit(X, T, optimizer=SGD)
        net.predict(np.ones((2000, 5)))
    assert seen == {threading.get_ident()}


def test_runs_in_several_threads_do_not_disturb_each_other() -> None:
    results: dict[int, np.ndarray] = {}

    def train(i: int) -> None:
        activation, loss = (OURS, THEIRS)[i % 2]
        net = make(activation, (5, 300, 200, 1))
        net.fit(X, T, loss=loss, optimizer=SGD, epochs=20, seed=0)
        results[i] = net.parameters

    threads = [threading.Thread(target=train, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(1, 4):
        assert_same_bits(results[i], results[0])


# --- what goes wrong --------------------------------------------------------------------------------------------------


def fail(*_: np.ndarray) -> NoReturn:
    raise LookupError("mine")


# What a function returns, the error, and its message.
WRONG: dict[str, tuple[Callable[..., Any], type[Exception], str]] = {
    "shape": (lambda x, *_: x[:, :0], ValueError, r"\(23, 0\); it must be \(23(, 1)?,?\)"),
    "scalar": (lambda *_: 0.5, TypeError, r"returned 0\.5 \(float\); it must be an array of shape \(23"),
    "list": (lambda x, *_: x.tolist(), TypeError, r"\(list\); it must be an array"),
    "none": (lambda *_: None, TypeError, r"returned None \(NoneType\)"),
    "complex": (lambda x, *_: x + 1j, TypeError, r"has dtype complex\d+; it must hold real numbers"),
    "text": (lambda x, *_: x.astype(str), TypeError, r"has dtype <U\d+; it must hold real numbers"),
    "mask": (lambda x, *_: np.ma.masked_array(x), TypeError, "is a masked array; it must be a plain one"),
    "raises": (fail, LookupError, "mine"),
    "takes none": (lambda: 0, TypeError, "positional argument"),
}
PLACES: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "activation 'mine': function": lambda f: (bp.Activation(f, step, "mine"), SQUARE),
    "activation 'mine': derivative": lambda f: (bp.Activation(relu, f, "mine"), SQUARE),
    "loss 'mine': function": lambda f: (RELU, bp.Loss(f, difference, "mine")),
    "loss 'mine': gradient": lambda f: (RELU, bp.Loss(half_square, f, "mine")),
}


@pytest.mark.parametrize(("function", "error", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("place", PLACES)
def test_wrong_results(place: str, function: Any, error: type[Exception], message: str) -> None:
    activation, loss = PLACES[place](function)
    net = make(activation, sizes=(5, 1))
    trainer = bp.Trainer(net, loss, bp.Adam(), batch_size=23, seed=0)
    before = net.parameters.copy()
    calls: list[Callable[[], object]] = [
        lambda: trainer.fit(X, T),
        lambda: trainer.step(X, T),
        lambda: net.fit(X, T, loss, SGD, batch_size=23),
        lambda: net.update(X, T, 0.1, loss),
        lambda: net.gradients(X, T, loss),
        lambda: net.trace(X, T, loss),
    ]
    if place.endswith("function"):
        calls.append(lambda: net.loss(X, T, loss))
    for call in calls:
        with pytest.raises(error, match=message) as caught:
            call()
        assert place in str(caught.value) or function in (fail, WRONG["takes none"][0])
    assert_same_bits(net.parameters, before)
    assert (trainer.epoch, trainer.step_count) == (0, 0)
    assert not trainer._core.optimizer_state().any()


def test_wrong_results_of_the_functions_on_arrays() -> None:
    bad, z = bp.Activation(fail, fail), np.ones((3, 2))
    loss = bp.Loss(fail, fail)
    for call in (
        lambda: bp.activate(bad, z),
        lambda: bp.activation_derivative(bad, z),
        lambda: bp.dense_forward(z, np.ones((2, 2)), np.ones(2), bad),
        lambda: bp.dense_backward(z, z, np.ones((2, 2)), z, z, bad),
        lambda: bp.loss_value(loss, z, z),
        lambda: bp.loss_gradient(loss, z, z),
        lambda: make(bad).predict(X),
    ):
        with pytest.raises(LookupError, match="mine"):
            call()


def test_a_loss_that_is_not_finite() -> None:
    net = make("relu")
    before = net.parameters.copy()
    with pytest.raises(FloatingPointError, match="loss is nan in epoch 1, step 1"):
        net.fit(X, T, bp.Loss(lambda a, t: (a - t)[:, 0] * np.nan, difference), SGD, batch_size=23)
    assert_same_bits(net.parameters, before)


def test_a_function_that_meets_numbers_gone_wrong() -> None:
    """It ends the run before the core has looked; the network is left at finite numbers all the same."""

    def strict(z: np.ndarray) -> np.ndarray:
        if not np.isfinite(z).all():
            fail()
        return relu(z)

    net = make(bp.Activation(strict, step))
    steep = bp.Loss(half_square, lambda a, t: np.full_like(a, 1e38))
    trainer = bp.Trainer(net, steep, bp.SGD(10.0), batch_size=1, seed=0)
    with pytest.raises(LookupError, match="mine"):
        trainer.fit(X, T)
    assert np.isfinite(net.parameters).all()
    assert_same_bits(net.parameters, make("relu").parameters)
    assert trainer.step_count == 0


class Failing:
    """Functions that compute as ours do, until the `left`-th call."""

    def __init__(self, error: Callable[[], object]) -> None:
        self.error, self.left = error, -1

    def watched(self, function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def call(*arrays: np.ndarray) -> np.ndarray:
            self.left -= 1
            if self.left == 0:
                self.error()
            return function(*arrays)

        return call

    def trainer(self, **options: Any) -> bp.Trainer:
        net = make(bp.Activation(self.watched(relu), self.watched(step), "relu"))
        loss = bp.Loss(self.watched(half_square), self.watched(difference), "square")
        return bp.Trainer(net, loss, seed=3, **options)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


KINDS: dict[str, tuple[Callable[[], object], type[BaseException]]] = {"raises": (fail, LookupError)}
if sys.platform != "win32":
    KINDS["ctrl-c"] = interrupt, KeyboardInterrupt


@pytest.mark.parametrize(
    "options",
    [{"optimizer": SGD}, {"optimizer": bp.Adam(), "dropout": 0.2}, {"optimizer": bp.Adam(), "clip_norm": 0.5}],
)
@pytest.mark.parametrize(("error", "raised"), KINDS.values(), ids=KINDS)
def test_a_run_ends_between_two_steps_and_goes_on(
    options: dict[str, Any], error: Callable[[], object], raised: type[BaseException]
) -> None:
    """Whichever of its calls fails: the network is as after the steps counted, and goes on to the same bits."""
    after: dict[int, np.ndarray] = {0: make("relu").parameters.copy()}

    def record(state: bp.State) -> None:
        after[state.step] = state.network.parameters.copy()

    record.every_steps = 1  # type: ignore[attr-defined]
    options = {**options, "batch_size": 8}
    data = {"validation_data": (X[:5], T[:5])}
    whole = bp.Trainer(make("relu"), seed=3, **options)
    history = whole.fit(X, T, epochs=2, callbacks=[record], **data)
    for call in range(1, 2 * (3 * 8 + 4) + 1):  # two epochs of three steps and a validation
        failing = Failing(error)
        trainer = failing.trainer(**options)
        failing.left = call
        with pytest.raises(raised):
            trainer.fit(X, T, epochs=2, **data)
        assert failing.left == 0
        assert_same_bits(trainer.network.parameters, after[trainer.step_count], f"call {call}")
        trainer.fit(X, T, until_epoch=2, **data)
        assert_same_bits(trainer.network.parameters, whole.network.parameters, f"call {call}")
        assert trainer.history.history == history.history


def test_a_function_cannot_use_the_network_that_learns() -> None:
    """It gets an error and no deadlock; another network it may use, and its own while nothing changes."""
    nets: list[bp.Network] = []

    def meddle(z: np.ndarray) -> np.ndarray:
        if len(z) > 1:
            nets[0].predict(X[0])
        return relu(z)

    nets.append(make(bp.Activation(meddle, step)))
    before = nets[0].parameters.copy()
    with pytest.raises(RuntimeError, match=r"network\.copy"):
        nets[0].fit(X, T, optimizer=SGD)
    assert_same_bits(nets[0].parameters, before)
    assert_same_bits(nets[0].predict(X), make("relu").predict(X))
    nets[0] = make("tanh")
    make(bp.Activation(meddle, step)).fit(X, T, optimizer=SGD)


def test_training_within_a_function() -> None:
    """Of another network: a trainer and its pool are not entered twice."""
    other = make("relu", (5, 300, 200, 1))

    def busy(z: np.ndarray) -> np.ndarray:
        other.fit(X, T, optimizer=SGD)
        return relu(z)

    net, want = make(bp.Activation(busy, step), (5, 300, 1)), make("relu", (5, 300, 1))
    with bp.num_threads(2):
        for each in (net, want):
            each.fit(X, T, optimizer=SGD, epochs=2, seed=0)
    assert_same_bits(net.parameters, want.parameters)


DAEMON = """
import threading, time
import numpy as np
import backpropc as bp

def slow(z):
    for _ in range(50):
        z = z + 0
    return z

def same(z):
    return z

net = bp.Network({layers}, bp.Activation({function}, {function}), seed=0)
x, t = (np.ones(({n}, size)) for size in (net.sizes[0], net.sizes[-1]))
options = {{"optimizer": bp.SGD(0.0), "batch_size": {n}, "epochs": 10**9}}
threading.Thread(target=lambda: net.fit(x, t, **options), daemon=True).start()
time.sleep(0.05)
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(DAEMON.format(layers=[8, 3, 8], function="slow", n=1), id="in the function"),
        pytest.param(DAEMON.format(layers=[1, 3000], function="same", n=64), id="in its arguments' making"),
    ],
)
def test_exit_while_a_daemon_thread_is_in_a_function(program: str) -> None:
    """The interpreter ends such a thread by unwinding its stack, where there is much of ours on it."""
    for _ in range(15):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


# --- as objects -------------------------------------------------------------------------------------------------------


def test_names() -> None:
    assert [RELU.name, SQUARE.name, bp.Activation(np.tanh, step).name] == ["relu", "square", "tanh"]
    assert bp.Loss(functools.partial(half_square), difference).name == "partial"
    assert (repr(RELU), repr(SQUARE)) == ("Activation('relu')", "Loss('square')")
    assert "4 Activation('relu') → 1 Activation('relu')" in repr(make(RELU, (5, 4, 1)))
    assert repr(bp.Dense(2, 3, RELU)) == "Dense(2, 3, Activation('relu'))"
    assert (RELU.function, RELU.derivative) == (relu, step)
    assert (SQUARE.function, SQUARE.gradient) == (half_square, difference)
    net = make(RELU)
    assert net.layers[0].activation is RELU
    assert bp.Trainer(net, SQUARE, SGD).loss is SQUARE


def test_the_lists_are_of_ours() -> None:
    assert not {"Activation", "swish"} & {*bp.ACTIVATIONS}
    assert not {"Loss", "square"} & {*bp.LOSSES}


def test_equality() -> None:
    assert bp.Activation(relu, step) == RELU
    assert hash(RELU) == hash(bp.Activation(relu, step))
    assert len({RELU, bp.Activation(relu, step), bp.Activation(relu, relu), bp.Activation(relu, step, "other")}) == 3
    assert RELU != "relu"
    assert bp.Loss(relu, step) != RELU
    hash(bp.Activation([].append, [].append))  # as methods of what has no hash are, which are callable all the same


def test_they_cannot_be_changed() -> None:
    for name in ("name", "derivative", "other"):
        with pytest.raises(
            AttributeError, match=r"cannot be changed; make a new one: Activation\(function, derivative\)"
        ):
            setattr(RELU, name, "other")
    with pytest.raises(AttributeError, match="no attribute 'gradient'"):
        _ = RELU.gradient


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_copies(again: Callable[[Any], Any]) -> None:
    assert again(RELU) == RELU
    assert again(SQUARE) == SQUARE
    net = make(RELU)
    twin = again(net)
    assert twin.layers[0].activation == RELU
    assert_same_bits(twin.predict(X), net.predict(X))
    before = net.parameters.copy()
    twin.update(X, T, 0.1, SQUARE)
    assert_same_bits(net.parameters, before)


def test_a_lambda_cannot_be_pickled() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(bp.Network([2, 2], SWISH))


def test_updates_with_two_losses_of_one_name() -> None:
    """`update` keeps the trainer of the last loss: of the same functions, not of the same name."""
    net, want = make("relu"), make("relu")
    losses = [bp.Loss(half_square, difference, "mine"), bp.Loss(half_square, lambda a, t: 2 * (a - t), "mine")]
    for loss, rate in ((losses[0], 0.1), (losses[1], 0.05), (losses[0], 0.1)):
        net.update(X, T, rate, loss)
        want.update(X, T, 0.1)
    assert_within(net.parameters, want.parameters, 1e-6)


def test_functions_live_no_longer_than_what_uses_them() -> None:
    class Function:
        def __call__(self, z: np.ndarray) -> np.ndarray:
            return z

    function = Function()
    gone = weakref.ref(function)
    activation = bp.Activation(function, function, "mine")
    net = make(activation)
    del function, activation
    gc.collect()
    net.predict(X)
    assert gone() is not None
    del net
    gc.collect()
    assert gone() is None


ARGUMENTS: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "function": (lambda: bp.Activation(3, step), TypeError, r"Activation: function is 3; .* a function of \(z\)"),  # type: ignore[arg-type]
    "derivative": (lambda: bp.Activation(relu, "relu"), TypeError, "Activation: derivative is 'relu'"),  # type: ignore[arg-type]
    "gradient": (lambda: bp.Loss(relu, None), TypeError, r"Loss: gradient is None; .* of \(a, t\)"),  # type: ignore[arg-type]
    "name": (lambda: bp.Loss(relu, step, name=3), TypeError, "Loss: name is 3; it must be a str"),  # type: ignore[arg-type]
    "empty name": (lambda: bp.Loss(relu, step, name=""), ValueError, "Loss: name is ''; it must be printable"),
    "two lines": (lambda: bp.Loss(relu, step, name="a\nb"), ValueError, "must be printable"),
    "function alone": (
        lambda: bp.Network([2, 2], relu),
        TypeError,
        r"or one of your own: bp.Activation\(function, der",
    ),  # type: ignore[arg-type]
    "loss alone": (
        lambda: make("relu").loss(X, T, relu),
        TypeError,
        r"or one of your own: bp.Loss\(function, gradient",
    ),  # type: ignore[arg-type]
    "class": (lambda: bp.Network([2, 2], bp.Activation), TypeError, r"write bp.Activation\(function, derivative\)"),  # type: ignore[arg-type]
    "loss for activation": (
        lambda: bp.Network([2, 2], SQUARE),
        TypeError,
        r"Loss\('square'\), a loss; it must be an act",
    ),
    "activation for loss": (lambda: make(RELU).loss(X, T, RELU), TypeError, "an activation; it must be a loss"),
    "squares by name": (
        lambda: bp.Trainer(make(RELU), bp.Loss(half_square, difference, "half_squared_error"), bp.LevenbergMarquardt()),
        ValueError,
        r"loss is Loss\('half_squared_error'\); with LevenbergMarquardt it must be a sum of squares",
    ),
    "classes": (lambda: make(RELU).loss(X, np.zeros(23, int), SQUARE), ValueError, r"t has shape \(23,\)"),
    "nan": (lambda: make(RELU).loss(X, T * np.nan, SQUARE), ValueError, "targets must be finite numbers"),
}


@pytest.mark.parametrize(("call", "error", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_wrong_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_network_comes_back_from_a_file(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "net.safetensors"
    net = bp.Network([5, 4, 3], SWISH, "relu", seed=0, dtype=dtype)
    net.save(path)
    got = bp.Network.load(path, custom={"swish": SWISH, "another": RELU})
    assert [layer.activation for layer in got.layers] == [SWISH, "relu"]
    assert_same_bits(got.predict(X), net.predict(X))


def test_a_name_that_is_also_ours(tmp_path: Path) -> None:
    """A custom relu does not become ours on the way, nor ours the custom one."""
    path = tmp_path / "net.safetensors"
    bp.Network([5, 4, 3], RELU, "relu", seed=0).save(path)
    assert [layer.activation for layer in bp.Network.load(path, custom={"relu": RELU}).layers] == [RELU, "relu"]
    with pytest.raises(ValueError, match="activation is 'relu', the user's own"):
        bp.Network.load(path)


def test_a_run_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    whole = bp.Trainer(make(RELU), SQUARE, bp.Adam(), batch_size=4, seed=0, dropout=0.2)
    whole.fit(X, T, epochs=5)
    begun = bp.Trainer(make(RELU), SQUARE, bp.Adam(), batch_size=4, seed=0, dropout=0.2)
    begun.fit(X, T, epochs=2, checkpoint=path)
    custom: dict[str, Any] = {"relu": RELU, "square": SQUARE}
    resumed = bp.Trainer.load(path, custom)
    resumed.fit(X, T, until_epoch=5)
    assert_same_bits(resumed.network.parameters, whole.network.parameters)
    assert resumed.history.loss == whole.history.loss
    assert_same_bits(bp.Network.load(path, custom).predict(X), begun.network.predict(X))


UNLOADABLE: dict[str, tuple[Any, type[Exception], str]] = {
    "nothing": (
        None,
        ValueError,
        r"'swish', the user's own; say what that is: load\(path, custom=\{'swish': \.\.\.\}\)",
    ),
    "another": ({"other": SWISH}, ValueError, "activation is 'swish', the user's own"),
    "a loss": (
        {"swish": SQUARE},
        ValueError,
        r"custom\['swish'\] is Loss\('square'\), a loss; it must be an activation",
    ),
    "a function": ({"swish": relu}, TypeError, "custom has 'swish': <function relu"),
    "a name of ours": ({"swish": "silu"}, TypeError, "custom has 'swish': 'silu'; it must be a mapping"),
    "no mapping": ([SWISH], TypeError, r"custom is \[Activation\('swish'\)\]; it must be a mapping"),
}


@pytest.mark.parametrize(("custom", "error", "message"), UNLOADABLE.values(), ids=UNLOADABLE)
def test_loading_without_what_a_name_stands_for(tmp_path: Path, custom: Any, error: Any, message: str) -> None:
    path = tmp_path / "net.safetensors"
    bp.Network([5, 4, 3], SWISH, seed=0).save(path)
    with pytest.raises(error, match=message):
        bp.Network.load(path, custom=custom)


@pytest.mark.parametrize(
    "entry", [{"custom": ["swish"]}, {"custom": "swish", "name": "relu"}, {"custom": None}], ids=str
)
def test_a_file_that_save_does_not_write(tmp_path: Path, entry: dict[str, Any]) -> None:
    path = tmp_path / "net.safetensors"
    bp.Network([5, 4, 3], SWISH, seed=0).save(path)

    def change(configuration: dict[str, Any]) -> None:
        configuration["network"]["layers"][0]["activation"] = entry

    path.write_bytes(with_configuration(path.read_bytes(), change))
    with pytest.raises(ValueError, match="cannot be loaded"):
        bp.Network.load(path, custom={"swish": SWISH})


def test_two_of_one_name_are_not_saved(tmp_path: Path) -> None:
    """A file has nothing but the name; a fit with checkpoints refuses at once."""
    path = tmp_path / "net.safetensors"
    net = bp.Network([bp.Dense(5, 3, bp.Activation(relu, step)), bp.Dense(3, 1, bp.Activation(relu, relu))], seed=0)
    with pytest.raises(ValueError, match=r"two with one name.*: name=\.\.\."):
        net.save(path)
    trainer = bp.Trainer(make(RELU), bp.Loss(half_square, difference, "relu"), SGD)
    with pytest.raises(ValueError, match="two with one name"):
        trainer.fit(X, T, checkpoint=path)
    assert trainer.step_count == 0
    assert not path.exists()
    make(RELU).save(path)  # twice the same


def test_a_sample_of_no_weight_has_no_gradient_to_be_nan() -> None:
    """The loss is asked about a = 0 in its place, where this one is infinite."""

    def gradient(a: np.ndarray, t: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return -t / a

    loss = bp.Loss(lambda a, t: np.zeros(len(a)), gradient, "against_nothing")
    nets = [bp.Network([5, 4, 3], "tanh", "softplus", seed=0) for _ in range(2)]
    x, t = np.random.default_rng(0).normal(size=(6, 5)), np.full((6, 3), 0.5)
    weight = np.array([1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    options = {"loss": loss, "optimizer": bp.SGD(0.1), "batch_size": 6, "shuffle": False, "epochs": 2}
    nets[0].fit(x, t, sample_weight=weight, **options)
    nets[1].fit(x[weight > 0], t[weight > 0], **options)
    assert np.isfinite(nets[0].parameters).all()
    assert nets[0].parameters == pytest.approx(nets[1].parameters, rel=1e-5, abs=1e-6)
