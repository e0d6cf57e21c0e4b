"""Diagnosis: what it records, that it says what is wrong with sick runs, that its advice helps, and its silence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import diagnosis as diagnosis_module
from helpers import assert_same_bits
from oracle import tolerance
from oracle.tolerance import assert_within

CE = "softmax_cross_entropy"


def blobs(n: int = 600, classes: int = 3, columns: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = rng.integers(0, classes, n)
    centers = 1.5 * rng.normal(size=(classes, columns))
    return rng.normal(size=(n, columns)) + centers[t], t


def spirals(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    angle = np.linspace(0.5, 2 * np.pi, n)
    arm = np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1) / 4
    return np.concatenate([arm, -arm]), np.repeat([0, 1], n)


def curve(n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(n, 3))
    return x, np.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:]


def diagnosed(
    net: bp.Network, x: Any, t: Any, loss: str, optimizer: Any, epochs: int = 30, **options: Any
) -> tuple[bp.Diagnosis, float]:
    """The diagnosis of a run and its last loss, infinite where it broke off."""
    diagnosis = bp.Diagnosis(every=1)
    try:
        history = net.fit(x, t, loss, optimizer, epochs=epochs, seed=0, callbacks=[diagnosis], **options)
    except FloatingPointError:
        return diagnosis, math.inf
    return diagnosis, history.loss[-1]


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_the_numbers_of_a_record(dtype: str) -> None:
    x, t = blobs(48)
    net = bp.Network([6, 10, 7, 3], "logistic", "softmax", seed=0, dtype=dtype)
    net.layers[0].w *= 20.0
    before = net.copy()
    diagnosis, _ = diagnosed(net, x, t, CE, bp.SGD(0.5), epochs=2)
    for record, at in ((diagnosis.records[0], before), (diagnosis.records[2], net)):
        trace = at.trace(x, t, CE)
        assert record.sample_loss == trace.loss
        for layer, seen, w in zip(trace.layers, record.layers, at.layers, strict=True):
            a, delta = layer.a.astype(np.float64), 48 * layer.delta.astype(np.float64)
            close = tolerance.network(net.sizes, 48, np.full(1, 100.0), dtype)[0]
            assert seen.mean == pytest.approx(a.mean(), abs=close)
            assert seen.deviation == pytest.approx(a.std(), abs=math.sqrt(close))
            assert seen.size == pytest.approx(np.sqrt((a**2).mean()), abs=close)
            assert seen.x == pytest.approx(np.sqrt((layer.x.astype(np.float64) ** 2).mean()), abs=close)
            assert seen.delta == pytest.approx(np.sqrt((delta**2).mean()), abs=close)
            assert seen.dw == pytest.approx(np.linalg.norm(layer.dw), abs=close)
            assert seen.w == pytest.approx(np.linalg.norm(w.w), abs=close)
            assert_within(seen.a, np.percentile(a, [2, 25, 50, 75, 98], method="nearest"), np.full(5, close))
        hidden = trace.dsigma[0]
        assert record.layers[0].saturated == np.mean(hidden < 0.025) > 0.1
        assert record.layers[0].dsigma == pytest.approx(hidden.mean(), rel=1e-5)
        assert math.isnan(record.layers[2].saturated)
        assert record.layers[2].dead == 0.0, "a softmax unit has no slope of its own"
    first, last = before.layers[0].w, net.layers[0].w
    assert math.isnan(diagnosis.records[0].layers[0].update)
    moved = sum(r.layers[0].update for r in diagnosis.records[1:])
    assert moved >= 0.99 * np.linalg.norm(last - first) / np.linalg.norm(first)


def test_dead_units_are_counted() -> None:
    x, t = blobs(100)
    net = bp.Network([6, 10, 3], "relu", "softmax", seed=0)
    net.layers[0].b[:4] = -1e3
    diagnosis, _ = diagnosed(net, x, t, CE, bp.SGD(0.01), epochs=1)
    assert diagnosis.records[0].layers[0].dead == pytest.approx(0.4)
    (line,) = [line for line in str(diagnosis).splitlines() if " relu " in line]
    assert "%" in line
    assert "nan%" not in str(diagnosis), "relu does not saturate"
    assert math.isnan(diagnosis.records[0].layers[0].saturated)


def test_a_unit_that_one_sample_reaches_is_not_dead() -> None:
    """Whichever it is; the second unit is reached by none."""
    for x in np.eye(3)[:, :, None]:
        net = bp.Network([1, 2, 1], "relu", "identity", seed=0)
        net.layers[0].w, net.layers[0].b = [[1.0, 0.0]], [-0.5, -0.5]
        diagnosis, _ = diagnosed(net, x, x, "half_squared_error", bp.SGD(0.01), epochs=1)
        assert diagnosis.records[0].layers[0].dead == 0.5


def test_every_epoch_or_every_so_many() -> None:
    x, t = blobs(100)
    for every, want in ((1, [0, 1, 2, 3, 4, 5, 6, 7]), (3, [0, 3, 6, 7]), (100, [0, 7])):
        diagnosis = bp.Diagnosis(every=every)
        net = bp.Network([6, 4, 3], "tanh", "softmax", seed=0)
        net.fit(x, t, CE, bp.SGD(0.1), epochs=7, callbacks=[diagnosis])
        assert [record.epoch for record in diagnosis.records] == want
        assert [math.isfinite(record.loss) for record in diagnosis.records] == [True] * len(want)


def test_short_epochs_are_not_all_looked_at() -> None:
    """Looking at each would take longer than they do; the first and the last are always there."""
    diagnosis = bp.Diagnosis()
    net = bp.Network([8, 3, 8], seed=0)
    net.fit(np.eye(8), np.eye(8), optimizer=bp.SGD(0.3), batch_size=1, epochs=20000, callbacks=[diagnosis])
    epochs = [record.epoch for record in diagnosis.records]
    assert epochs[0] == 0
    assert epochs[-1] == 20000
    assert epochs == sorted(set(epochs))
    assert 3 <= len(epochs) < 10000


@pytest.mark.parametrize(("epoch_seconds", "look_seconds"), [(1e-6, 1e-5), (4e-3, 3e-4), (4e-3, 2e-2), (0.5, 1e-3)])
def test_looks_keep_within_their_share_of_the_time(
    epoch_seconds: float, look_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that the test winds: 3 % of the training, a millisecond, and the looks at both ends."""
    now = [0.0]
    monkeypatch.setattr(diagnosis_module, "now", lambda: now[0])
    seeing = diagnosis_module._Looker.look

    def look(self: Any, epoch: int, loss: float) -> diagnosis_module.Record:
        now[0] += look_seconds
        record = seeing(self, epoch, loss)
        self.cost = look_seconds
        return record

    monkeypatch.setattr(diagnosis_module._Looker, "look", look)
    x, t = blobs(50)
    trainer = bp.Trainer(shallow(), CE, bp.SGD(0.1), seed=0)
    trainer.fit(x, t, epochs=1)
    diagnosis, end = bp.Diagnosis(), 40_000
    diagnosis.begin(trainer, x, t, end)
    epoch = calls = 0
    while epoch < end:
        wait = min(diagnosis.epochs_to_wait, end - epoch)
        now[0] += wait * epoch_seconds + diagnosis_module.INTERRUPTION
        epoch, calls = epoch + wait, calls + 1
        diagnosis(bp.State(epoch, epoch, 0.5, None, {}, trainer.network))
    trained = end * epoch_seconds
    spent = len(diagnosis.records) * look_seconds + calls * diagnosis_module.INTERRUPTION
    assert spent <= 0.03 * trained + 1e-3 + 3 * (look_seconds + diagnosis_module.INTERRUPTION)
    possible = 0.03 * trained / (look_seconds + diagnosis_module.INTERRUPTION)
    assert len(diagnosis.records) >= 0.4 * min(possible, end), "what may be looked at is"
    assert calls <= 2 * len(diagnosis.records) + 20


def test_threads_do_not_change_what_is_seen(dtype: str) -> None:
    x, t = blobs(600, columns=200)
    seen = []
    for threads in (1, 3):
        with bp.num_threads(threads):
            net = bp.Network([200, 150, 100, 3], "tanh", "softmax", seed=0, dtype=dtype)
            diagnosis, _ = diagnosed(net, x, t, CE, bp.SGD(0.1), epochs=2)
            seen.append([record.layers for record in diagnosis.records])
    assert repr(seen[0]) == repr(seen[1])


def test_functions_of_ones_own_masks_and_one_sample(dtype: str) -> None:
    cube = bp.Activation(lambda z: z**3, lambda z: 3 * z**2, "cube")
    absolute = bp.Loss(lambda a, t: np.abs(a - t).sum(axis=1), lambda a, t: np.sign(a - t), "absolute")
    net = bp.Network([bp.Dense(2, 3, cube), bp.Dense(3, 1, "identity")], seed=0, dtype=dtype)
    net.layers[0].mask = [[1, 0, 1], [0, 1, 1]]
    diagnosis, _ = diagnosed(net, [[0.5, 1.0]], [[0.3]], absolute, bp.SGD(0.01), epochs=2)
    trace, layer = net.trace([[0.5, 1.0]], [[0.3]], absolute).layers[0], diagnosis.records[-1].layers[0]
    assert layer.dsigma == pytest.approx(float(trace.dsigma.mean()), rel=1e-6)
    assert layer.dw == pytest.approx(float(np.linalg.norm(trace.dw)), rel=1e-6)
    assert math.isnan(layer.saturated)


def test_a_run_that_is_not_stopped_at_a_number_that_is_none() -> None:
    x, t = curve()
    trainer = bp.Trainer(
        bp.Network([3, 20, 1], "relu", "identity", seed=0), optimizer=bp.SGD(50.0), on_nonfinite="ignore"
    )
    diagnosis = bp.Diagnosis(every=1)
    trainer.fit(x, t, epochs=20, callbacks=[diagnosis])
    assert diagnosis.complaints[0].name == "rate too large"
    assert re.match(r"The loss is no longer finite from epoch \d+ on", diagnosis.report())
    assert "a learning rate of 0.5, or clip_norm=1.0" in diagnosis.report()
    assert math.isnan(diagnosis.records[-1].layers[0].mean)


def test_looking_changes_nothing(dtype: str) -> None:
    x, t = blobs(100)
    nets = [bp.Network([6, 10, 3], "tanh", "softmax", seed=0, dtype=dtype) for _ in range(3)]
    seen: list[int] = []
    for net, callbacks in zip(
        nets, ([], [bp.Diagnosis()], [bp.Diagnosis(), lambda s: seen.append(s.epoch)]), strict=True
    ):
        net.fit(x, t, CE, bp.Adam(), epochs=5, seed=0, callbacks=callbacks)
    assert_same_bits(nets[1].parameters, nets[0].parameters)
    assert_same_bits(nets[2].parameters, nets[0].parameters)
    assert seen == [1, 2, 3, 4, 5]


def test_samples_of_ones_own_and_runs_that_go_on() -> None:
    x, t = blobs(100)
    net = bp.Network([6, 10, 3], "tanh", "softmax", seed=0)
    diagnosis = bp.Diagnosis(x[:5], t[:5], every=1)
    trainer = bp.Trainer(net, CE, bp.SGD(0.1), seed=0)
    trainer.fit(x, t, epochs=2, callbacks=[diagnosis])
    assert diagnosis.records[-1].sample_loss == net.loss(x[:5], t[:5], CE)
    trainer.fit(x, t, epochs=2, callbacks=[diagnosis])
    assert [record.epoch for record in diagnosis.records] == [0, 1, 2, 3, 4]
    net.copy().fit(x, t, CE, bp.SGD(0.1), epochs=1, callbacks=[diagnosis])
    assert [record.epoch for record in diagnosis.records] == [0, 1], "another network is another run"


def test_as_dicts_and_as_text() -> None:
    diagnosis, _ = diagnosed(bp.Network([6, 10, 3], "tanh", "softmax", seed=0), *blobs(), CE, bp.SGD(0.1), epochs=2)
    assert diagnosis.to_dict()[1]["layers"][0]["mean"] == diagnosis.records[1].layers[0].mean
    assert repr(diagnosis) == "Diagnosis(3 records, 0 complaints)"
    assert str(diagnosis).splitlines()[0] == "after 2 epochs"
    assert len(str(diagnosis).splitlines()) == 4
    assert bp.Diagnosis().report() == ""
    assert str(bp.Diagnosis()) == "Diagnosis: no records"


def test_data_in_batches() -> None:
    x, t = blobs(100)
    net = bp.Network([6, 10, 3], "tanh", "softmax", seed=0)
    diagnosis = bp.Diagnosis(x, t, every=1)
    net.fit([(x[:50], t[:50]), (x[50:], t[50:])], loss=CE, optimizer=bp.SGD(0.1), epochs=2, callbacks=[diagnosis])
    assert [record.epoch for record in diagnosis.records] == [0, 1, 2]
    assert diagnosis.report() == ""
    with pytest.raises(TypeError, match=r"come in batches; give bp.Diagnosis\(x, t\)"):
        net.fit([(x, t)], loss=CE, optimizer=bp.SGD(0.1), callbacks=[bp.Diagnosis()])


# --- what is wrong with sick runs, and that the advice helps ----------------------------------------------------------


class Case:
    """A sick run, what must be said of it, and the run after taking the advice."""

    def __init__(self, name: str, words: Sequence[str], sick: Callable[[], Any], better: Callable[[], Any]) -> None:
        self.name, self.words, self.sick, self.better = name, words, sick, better


def deep(activation: str, initializer: Any, depth: int = 8, seed: int = 0) -> bp.Network:
    return bp.Network([6, *[20] * depth, 3], activation, "softmax", seed=seed, initializer=initializer)


def shallow(activation: str = "tanh", initializer: Any = "glorot_uniform", output: str = "softmax") -> bp.Network:
    return bp.Network([6, 20, 3], activation, output, seed=0, initializer=initializer)


def scaled(x: np.ndarray) -> np.ndarray:
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


def pretrained() -> bp.Network:
    """A deep logistic network, each layer first trained as the encoder of an autoencoder."""
    net = deep("logistic", "glorot_uniform", depth=5)
    code = scaled(blobs()[0])
    for layer in net.layers[:-1]:
        pair = bp.Network(
            [bp.Dense(layer.fan_in, layer.fan_out), bp.Dense(layer.fan_out, layer.fan_in, "identity")], seed=1
        )
        pair.fit(code, code, "mean_squared_error", bp.Adam(0.01), epochs=60, seed=0)
        layer.w, layer.b = 2.0 * pair.layers[0].w, pair.layers[0].b
        code = bp.dense_forward(code, layer.w, layer.b).a
    return net


X, T = blobs()
ONE_HOT = np.eye(3)[T]
C, D = curve()
HALF = "half_squared_error"
UNLIKE = X * [300.0, 0.01, 0.01, 0.01, 0.01, 0.01] / 30.0
CASES = {
    "large inputs": Case(
        "inputs",
        ["The inputs are large (root mean square 1", "subtract each column's mean"],
        lambda: diagnosed(shallow(), 100 * X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(shallow(), scaled(100 * X), T, CE, bp.SGD(0.1)),
    ),
    "inputs of unlike scales": Case(
        "inputs",
        ["standard deviations up to", "one rate cannot suit them all"],
        lambda: diagnosed(shallow(), UNLIKE, T, CE, bp.SGD(0.01)),
        lambda: diagnosed(shallow(), scaled(UNLIKE), T, CE, bp.SGD(0.01)),
    ),
    "saturated by large weights": Case(
        "saturation",
        ["Layer 1 is saturated", "largest value 0.25", "BP2 makes the gradient there", 'initializer="glorot_uniform"'],
        lambda: diagnosed(shallow("logistic", bp.normal(10.0)), X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(shallow("logistic"), X, T, CE, bp.SGD(0.1)),
    ),
    "saturated: take relu": Case(
        "saturation",
        ["of its tanh units", 'or "relu"'],
        lambda: diagnosed(shallow("tanh", bp.normal(10.0)), X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(shallow("relu", "he_normal"), X, T, CE, bp.SGD(0.1)),
    ),
    "saturated outputs": Case(
        "saturation",
        ["Layer 2 is saturated", "BP1 makes", "binary_cross_entropy"],
        lambda: diagnosed(shallow("tanh", bp.normal(8.0), "logistic"), X, ONE_HOT, "half_squared_error", bp.SGD(0.1)),
        lambda: diagnosed(
            shallow("tanh", "glorot_uniform", "logistic"), X, ONE_HOT, "binary_cross_entropy", bp.SGD(0.1)
        ),
    ),
    "vanishing: take relu": Case(
        "vanishing",
        ["from layer 8 down to layer 1", "at most 1/4", "BP2", 'activation="relu"', "more slowly than layer 9"],
        lambda: diagnosed(deep("logistic", "glorot_uniform"), X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(deep("relu", "he_normal"), X, T, CE, bp.SGD(0.1)),
    ),
    "vanishing: take tanh": Case(
        "vanishing",
        ["pre-training"],
        lambda: diagnosed(deep("logistic", "glorot_uniform"), X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(deep("tanh", "glorot_uniform"), X, T, CE, bp.SGD(0.1)),
    ),
    "vanishing: pre-train": Case(
        "vanishing",
        ["weights from pre-training, one layer after the other"],
        lambda: diagnosed(deep("logistic", "glorot_uniform", depth=5), scaled(X), T, CE, bp.SGD(0.1)),
        lambda: diagnosed(pretrained(), scaled(X), T, CE, bp.SGD(0.1)),
    ),
    "vanishing with small relu weights": Case(
        "vanishing",
        ['initializer="he_normal" for relu'],
        lambda: diagnosed(deep("relu", bp.normal(0.05)), X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(deep("relu", "he_normal"), X, T, CE, bp.SGD(0.1)),
    ),
    "vanishing, three hidden layers": Case(
        "vanishing",
        ["from layer 3 down to layer 1", "at most 1/4", "more slowly than layer 4"],
        lambda: diagnosed(deep("logistic", "glorot_uniform", depth=3), X, T, CE, bp.SGD(0.01), 10),
        lambda: diagnosed(deep("tanh", "glorot_uniform", depth=3), X, T, CE, bp.SGD(0.01), 10),
    ),
    "weights of 0": Case(
        "zero weights",
        ["All weights were 0", "BP2, which multiplies by w, passes nothing down", 'initializer="glorot_uniform"'],
        lambda: diagnosed(shallow("tanh", "zeros"), X, T, CE, bp.SGD(0.1), 10),
        lambda: diagnosed(shallow("tanh"), X, T, CE, bp.SGD(0.1), 10),
    ),
    "targets out of reach": Case(
        "saturation",
        ["Layer 2 is saturated", "BP1", 'targets scaled to between 0 and 1, or output_activation="identity"'],
        lambda: diagnosed(bp.Network([3, 40, 1], "tanh", "logistic", seed=0), C, 9 * D, HALF, bp.SGD(0.1)),
        lambda: diagnosed(bp.Network([3, 40, 1], "tanh", "identity", seed=0), C, 9 * D, HALF, bp.SGD(0.1)),
    ),
    "exploding": Case(
        "exploding",
        ["The gradient explodes: from layer 8 down to layer 1", 'initializer="he_normal" for relu'],
        lambda: diagnosed(deep("relu", bp.normal(1.0)), X, T, CE, bp.SGD(0.01)),
        lambda: diagnosed(deep("relu", "he_normal"), X, T, CE, bp.SGD(0.01)),
    ),
    "exploding: clip": Case(
        "exploding",
        ["clip_norm=1.0"],
        lambda: diagnosed(deep("relu", bp.normal(1.0)), X, T, CE, bp.SGD(0.01)),
        lambda: diagnosed(deep("relu", bp.normal(1.0)), X, T, CE, bp.SGD(0.01), clip_norm=1.0),
    ),
    "low activations": Case(
        "low activations",
        ["The activations of layer 1 are low", "BP4", "larger initial weights"],
        lambda: diagnosed(shallow("tanh", bp.normal(1e-4)), X, T, CE, bp.SGD(0.01), epochs=10),
        lambda: diagnosed(shallow(), X, T, CE, bp.SGD(0.01), epochs=10),
    ),
    "low inputs": Case(
        "low activations",
        ["The inputs are low", "scaling the inputs"],
        lambda: diagnosed(shallow(), 1e-3 * X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(shallow(), scaled(1e-3 * X), T, CE, bp.SGD(0.1)),
    ),
    "dead from the start": Case(
        "dead units",
        ["relu units of layer 1 100% are dead, and were before training", '"leaky_relu"', "biases of 0"],
        lambda: diagnosed(biased("relu"), X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(shallow("relu", "he_normal"), X, T, CE, bp.SGD(0.1)),
    ),
    "dead: take leaky_relu": Case(
        "dead units",
        ["leaky_relu"],
        lambda: diagnosed(biased("relu"), X, T, CE, bp.SGD(0.1)),
        lambda: diagnosed(biased("leaky_relu"), X, T, CE, bp.SGD(0.1)),
    ),
    "killed by a large rate": Case(
        "dead units",
        ["before training 0% were", "a learning rate of 0.3"],
        lambda: diagnosed(
            shallow("relu", "he_normal", "identity"),
            X,
            5 + 5 * ONE_HOT,
            "half_squared_error",
            bp.SGD(3.0),
            10,
            clip_norm=1.0,
        ),
        lambda: diagnosed(
            shallow("relu", "he_normal", "identity"),
            X,
            5 + 5 * ONE_HOT,
            "half_squared_error",
            bp.SGD(0.3),
            10,
            clip_norm=1.0,
        ),
    ),
    "a rate too large": Case(
        "rate too large",
        ["The loss does not settle", "a learning rate of 1"],
        lambda: diagnosed(
            bp.Network([3, 40, 1], "tanh", "identity", seed=0),
            *curve(),
            "half_squared_error",
            bp.SGD(10.0),
            clip_norm=1.0,
        ),
        lambda: diagnosed(
            bp.Network([3, 40, 1], "tanh", "identity", seed=0),
            *curve(),
            "half_squared_error",
            bp.SGD(1.0),
            clip_norm=1.0,
        ),
    ),
    "a rate so large that the run breaks off": Case(
        "rate too large",
        ["No epoch was completed", "a learning rate of"],
        lambda: diagnosed(shallow("relu", "he_normal", "identity"), X, ONE_HOT, "half_squared_error", bp.SGD(50.0)),
        lambda: diagnosed(shallow("relu", "he_normal", "identity"), X, ONE_HOT, "half_squared_error", bp.SGD(0.05)),
    ),
    "a rate too small": Case(
        "rate too small",
        ["The weights hardly move", "a learning rate of 0.0001"],
        lambda: diagnosed(shallow(), X, T, CE, bp.SGD(1e-5)),
        lambda: diagnosed(shallow(), X, T, CE, bp.SGD(1e-4)),
    ),
    "a rate too small: take Adam": Case(
        "rate too small",
        ["or bp.Adam()"],
        lambda: diagnosed(shallow(), X, T, CE, bp.SGD(1e-5)),
        lambda: diagnosed(shallow(), X, T, CE, bp.Adam()),
    ),
}


def biased(activation: str) -> bp.Network:
    net = shallow(activation, "he_normal")
    net.layers[0].b[:] = -30.0
    return net


def test_how_much_smaller_the_gradient_is_with_saturated_units() -> None:
    diagnosis, _ = CASES["saturated by large weights"].sick()
    (text,) = [complaint.text for complaint in diagnosis.complaints if complaint.name == "saturation"]
    found = re.search(r"and (\S+) in the mean, so BP2 makes the gradient there (\S+) times as small", text)
    assert found is not None, text
    assert float(found[2]) == pytest.approx(0.25 / float(found[1]), rel=0.06), "two digits are printed"


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said_and_the_advice_helps(case: str) -> None:
    told = CASES[case]
    diagnosis, loss = told.sick()
    assert told.name in [complaint.name for complaint in diagnosis.complaints], f"{diagnosis}\n{diagnosis.report()}"
    for words in told.words:
        assert words in diagnosis.report()
    _, after = told.better()
    if case == "saturated outputs":  # another loss; the outputs are compared instead
        after /= 2.0
    assert after < 0.98 * loss, f"{loss} before, {after} after"


# --- silence ----------------------------------------------------------------------------------------------------------


def healthy() -> dict[str, Callable[[], tuple[bp.Diagnosis, float]]]:
    u, v = spirals()
    c, d = curve()
    unit = (X - X.min(axis=0)) / (X.max(axis=0) - X.min(axis=0))
    rng = np.random.default_rng(5)
    pixels = np.where(rng.random((400, 64)) < 0.8, 0.0, rng.random((400, 64))) * np.linspace(1e-3, 1, 64)
    digits = rng.integers(0, 4, 400)
    pixels[np.arange(400), 60 + digits] = 1.0
    eye = np.eye(8)

    def run(net: bp.Network, x: Any, t: Any, loss: str, optimizer: Any, epochs: int = 30, **more: Any) -> Any:
        return lambda: diagnosed(net, x, t, loss, optimizer, epochs, **more)

    return {
        "tanh": run(shallow(), X, T, CE, bp.SGD(0.1)),
        "relu": run(shallow("relu", "he_normal"), X, T, CE, bp.SGD(0.1)),
        "logistic": run(shallow("logistic"), X, T, CE, bp.SGD(0.5)),
        "logistic, inputs in [0, 1]": run(shallow("logistic"), unit, T, CE, bp.SGD(0.5), 60),
        "leaky_relu": run(shallow("leaky_relu", "he_normal"), X, T, CE, bp.Adam(0.01)),
        "gelu": run(shallow("gelu", "he_normal"), X, T, CE, bp.Adam(0.01)),
        "selu": run(shallow("selu", "lecun_normal"), X, T, CE, bp.Adam(0.01)),
        "momentum": run(shallow(), X, T, CE, bp.SGD(0.02, momentum=0.9)),
        "RMSprop": run(shallow("relu", "he_normal"), X, T, CE, bp.RMSprop(0.003)),
        "Rprop": run(shallow(), X, T, CE, bp.Rprop(), 60, batch_size=600),
        "dropout": run(shallow("relu", "he_normal"), X, T, CE, bp.Adam(0.01), dropout=0.3),
        "l2": run(shallow(), X, T, CE, bp.SGD(0.1), l2=1e-4),
        "batch of one": run(shallow(), X, T, CE, bp.SGD(0.01), 10, batch_size=1),
        "cross-entropy of logistic outputs": run(
            shallow("tanh", output="logistic"), X, ONE_HOT, "binary_cross_entropy", bp.SGD(0.1)
        ),
        "squared error of logistic outputs": run(
            shallow("tanh", output="logistic"), X, ONE_HOT, "half_squared_error", bp.SGD(0.3)
        ),
        "regression": run(
            bp.Network([3, 40, 1], "tanh", "identity", seed=0), c, d, "half_squared_error", bp.Adam(0.01), 100
        ),
        "deep relu": run(deep("relu", "he_normal", depth=5), X, T, CE, bp.SGD(0.05)),
        "deep tanh": run(deep("tanh", "glorot_uniform", depth=6), X, T, CE, bp.SGD(0.05)),
        "spirals": run(
            bp.Network([2, 30, 30, 2], "relu", "softmax", seed=1, initializer="he_normal"), u, v, CE, bp.Adam(0.01), 60
        ),
        "pixels": run(bp.Network([64, 32, 4], "relu", "softmax", seed=0), pixels, digits, CE, bp.Adam(0.003), 40),
        "the lecture's autoencoder": run(
            bp.Network([8, 3, 8], seed=0, initializer=bp.uniform(-0.1, 0.1)),
            eye,
            eye,
            "half_squared_error",
            bp.SGD(0.3),
            5000,
            batch_size=1,
        ),
        "8-3-8 with Rprop": run(
            bp.Network([8, 3, 8], seed=0), eye, eye, "half_squared_error", bp.Rprop(), 300, batch_size=8
        ),
        "a linear model from weights of 0": run(
            bp.Network([6, 3], "softmax", seed=0, initializer="zeros"), X, T, CE, bp.SGD(0.1)
        ),
        "exclusive or, a sample at a time": run(
            bp.Network([2, 4, 1], "tanh", "logistic", seed=1),
            [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]],
            [[0.0], [1.0], [1.0], [0.0]],
            "binary_cross_entropy",
            bp.SGD(0.5),
            1000,
            batch_size=1,
        ),
        "one sample": run(bp.Network([2, 3, 1], "tanh", "identity", seed=1), u[5:6], [[0.5]], HALF, bp.SGD(0.1), 100),
        "nothing to be learned": run(
            bp.Network([6, 20, 1], "relu", "identity", seed=0), X, rng.normal(size=(600, 1)), HALF, bp.SGD(0.01)
        ),
        "one epoch": run(shallow(), X, T, CE, bp.SGD(0.05), 1),
        "a batch of all": run(shallow(), X, T, CE, bp.SGD(0.5), 60, batch_size=600),
        "inputs not scaled, but learned": run(shallow(), 3 * X, T, CE, bp.SGD(0.1)),
        "relu units to spare": run(
            bp.Network([2, 200, 2], "relu", "softmax", seed=0, initializer="he_normal"), u, v, CE, bp.Adam(0.03), 100
        ),
        "three hidden layers of logistic units that learn": run(
            deep("logistic", "glorot_uniform", depth=3), X, T, CE, bp.Adam(0.02)
        ),
        "a frozen first layer": run(
            bp.Network([bp.Dense(6, 30, "tanh", trainable=False), bp.Dense(30, 3, "softmax")], seed=0),
            X,
            T,
            CE,
            bp.SGD(0.1),
        ),
        "L-BFGS": run(shallow(), X, T, CE, bp.LBFGS(), 30, batch_size=600),
        "batches of 128": run(shallow("relu", "he_normal"), X, T, CE, bp.Adam(0.01), batch_size=128),
        "a linear model": run(bp.Network([6, 3], "softmax", seed=0), X, T, CE, bp.SGD(0.1)),
    }


HEALTHY = healthy()


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_are_left_in_peace(name: str) -> None:
    diagnosis, _ = HEALTHY[name]()
    assert diagnosis.report() == "", diagnosis
    assert diagnosis.complaints == ()
    assert len(HEALTHY) >= 20


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_is_refused() -> None:
    x, t = blobs(20)
    with pytest.raises(TypeError, match="x and t belong together"):
        bp.Diagnosis(x)
    with pytest.raises(ValueError, match="every is 0; it must be at least 1"):
        bp.Diagnosis(every=0)
    net = bp.Network([6, 3], "softmax", seed=0)
    with pytest.raises(ValueError, match=r"x has shape \(20, 5\)"):
        net.fit(x, t, CE, bp.SGD(0.1), callbacks=[bp.Diagnosis(x[:, :5], t)])
    with pytest.raises(RuntimeError, match="was not begun"):
        bp.Diagnosis()(bp.State(1, 1, 0.0, None, {}, net))
    with pytest.raises(TypeError, match="training data come in batches"):
        bp.Diagnosis().begin(bp.Trainer(net, CE, bp.SGD(0.1)), None, None, 3)
