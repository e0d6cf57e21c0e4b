"""api.md, "Trainer": metrics, callbacks, early stopping and progress look at a run and change none of its bits."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, network
from oracle.tolerance import gamma

SIZES = [5, 4, 3]


def data(n: int = 23, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)), rng.normal(size=(n, 3))


def trainer(batch_size: int = 5, **options: Any) -> bp.Trainer:
    return bp.Trainer(network(SIZES, "tanh", "identity"), "half_squared_error", bp.SGD(0.05), batch_size, **options)


def ignore(state: bp.State) -> None:
    pass


def every(steps: int, function: Callable[[bp.State], object]) -> Callable[[bp.State], object]:
    def callback(state: bp.State) -> object:
        return function(state)

    callback.every_steps = steps
    return callback


WATCHED: dict[str, dict[str, Any]] = {
    "metrics": {"metrics": ["r2"]},
    "epochs": {"callbacks": [ignore]},
    "steps": {"callbacks": [every(3, ignore), every(7, ignore)]},
    "early_stopping": {"early_stopping": bp.EarlyStopping(patience=None, restore_best=False)},
    "progress": {"progress": True},
}


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("name", WATCHED)
def test_being_watched_changes_no_bit(name: str, batch_size: int) -> None:
    watched, alone = trainer(batch_size, seed=0), trainer(batch_size, seed=0)
    history = watched.fit(*data(), epochs=6, validation_data=data(seed=2), **WATCHED[name])
    other = alone.fit(*data(), epochs=6, validation_data=data(seed=2))
    assert_same_bits(watched.network.parameters, alone.network.parameters)
    assert (history.loss, history.val_loss) == (other.loss, other.val_loss)
    assert (watched.epoch, watched.step_count) == (alone.epoch, alone.step_count)


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_metrics_are_those_of_the_parameters_at_the_end_of_the_epoch() -> None:
    def worst(t: np.ndarray, a: np.ndarray) -> float:
        return float(np.abs(t - a).max())

    run, (x, t), (xv, tv) = trainer(seed=0), data(), data(9, seed=2)
    history = run.fit(x, t, epochs=3, validation_data=(xv, tv), metrics=["r2", worst])
    assert list(history.history) == ["loss", "val_loss", "r2", "worst", "val_r2", "val_worst"]
    assert history.history["val_worst"][-1] == np.abs(tv - run.network.predict(xv)).max()
    for prefix, (inputs, want) in {"": (x, t), "val_": (xv, tv)}.items():
        a = run.network.predict(inputs)
        r2 = np.mean(1 - ((want - a) ** 2).sum(axis=0) / ((want - want.mean(axis=0)) ** 2).sum(axis=0))
        assert abs(history.history[f"{prefix}r2"][-1] - r2) <= gamma(200, "float64") * max(1.0, abs(r2))
    assert set(run.fit(x, t).history) == {"loss"}
    assert np.isnan(run.history.history["r2"]).tolist() == [False, False, False, True]


def test_r2_of_targets_that_are_all_the_same() -> None:
    net = bp.Network([5, 2], "identity", seed=0, initializer="zeros")
    x = data()[0]
    for t, want in ((np.zeros((23, 2)), 1.0), (np.tile([0.0, 1.0], (23, 1)), 0.5)):
        assert net.copy().fit(x, t, optimizer=bp.SGD(0.0), metrics=["r2"]).history["r2"] == [want]


@pytest.mark.parametrize("as_rows", [True, False])
def test_accuracy(as_rows: bool) -> None:
    classes, x = np.arange(23) % 3, data()[0]
    net = bp.Network(SIZES, "tanh", "softmax", seed=0)
    t = np.eye(3)[classes] if as_rows else classes
    history = net.fit(x, t, "softmax_cross_entropy", bp.SGD(0.1), 2, metrics=["accuracy"]).history
    assert history["accuracy"][-1] == np.mean(net.predict(x).argmax(axis=1) == classes)
    one = bp.Network([5, 1], "logistic", seed=0)
    history = one.fit(x, classes[:, np.newaxis] % 2, "binary_cross_entropy", bp.SGD(0.1), metrics=["accuracy"]).history
    assert history["accuracy"] == [np.mean((one.predict(x)[:, 0] > 0.5) == (classes % 2 == 1))]


# --- callbacks --------------------------------------------------------------------------------------------------------


def test_a_callback_sees_where_the_run_stands() -> None:
    run, seen, batches = trainer(seed=0), [], []
    callbacks = [seen.append, every(2, batches.append)]
    history = run.fit(*data(), epochs=3, validation_data=data(9, seed=2), metrics=["r2"], callbacks=callbacks)
    assert [(state.epoch, state.step) for state in seen] == [(1, 5), (2, 10), (3, 15)]
    assert [state.loss for state in seen] == history.loss
    assert [state.val_loss for state in seen] == history.val_loss
    for name in ("r2", "val_r2"):
        assert [state.metrics[name] for state in seen] == history.history[name]
    assert seen[0].network is run.network
    assert [(state.epoch, state.step) for state in batches] == [
        (0, 2), (0, 4), (1, 6), (1, 8), (2, 10), (2, 12), (2, 14),
    ]  # fmt: skip
    assert batches[0].val_loss is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen[0].epoch = 7
    with pytest.raises(TypeError):
        seen[0].metrics["r2"] = 1.0


def test_the_loss_within_an_epoch_is_the_mean_so_far() -> None:
    run, twin, (x, t), seen = trainer(shuffle=False), trainer(), data(), []
    run.fit(x, t, callbacks=[every(1, seen.append)])
    losses = [twin.step(x[at : at + 5], t[at : at + 5]) for at in range(0, 23, 5)]
    want = np.cumsum(np.array(losses) * [5, 5, 5, 5, 3]) / [5, 10, 15, 20, 23]
    np.testing.assert_allclose([state.loss for state in seen], want, rtol=gamma(32, "float64"))


@pytest.mark.parametrize("batch_size", [1, 5])
def test_true_ends_the_run_and_another_fit_goes_on(batch_size: int) -> None:
    """Also in the middle of an epoch, which the next fit finishes: the bits are those of a run in one piece."""
    run, alone, (x, t) = trainer(batch_size, seed=0), trainer(batch_size, seed=0), data()
    run.fit(x, t, epochs=9, callbacks=[every(4, lambda state: state.step == 12)])
    assert run.step_count == 12
    run.fit(x, t, epochs=9, callbacks=[lambda state: np.bool_(state.epoch == 3)])
    alone.fit(x, t, until_epoch=3)
    assert run.epoch == 3
    assert run.history.loss == alone.history.loss
    assert_same_bits(run.network.parameters, alone.network.parameters)
    assert len(run.fit(x, t, epochs=2, callbacks=[lambda state: "no bool"]).loss) == 2


@pytest.mark.parametrize("steps", [None, 3])
def test_what_a_callback_raises_ends_the_run(steps: int | None) -> None:
    run, alone, (x, t) = trainer(seed=0), trainer(seed=0), data()

    def fail(state: bp.State) -> None:
        state.network.predict(x)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        run.fit(x, t, epochs=5, callbacks=[fail if steps is None else every(steps, fail)])
    assert run.step_count == (steps or 5)
    run.fit(x, t, until_epoch=2)
    alone.fit(x, t, until_epoch=2)
    assert_same_bits(run.network.parameters, alone.network.parameters)


# --- early stopping ---------------------------------------------------------------------------------------------------


def scripted(values: Sequence[float], rule: bp.EarlyStopping) -> tuple[int, int]:
    """Of a run whose metric takes these values: the epochs it took, and after how many its parameters are from."""
    run, left, after = trainer(seed=0), iter(values), []

    def value(t: np.ndarray, a: np.ndarray) -> float:
        return next(left)

    callbacks = [lambda state: after.append(state.network.parameters.tobytes())]
    run.fit(*data(), epochs=len(values), metrics=[value], early_stopping=rule, callbacks=callbacks)
    return run.epoch, after.index(run.network.parameters.tobytes()) + 1


STOPPED: list[tuple[Sequence[float], dict[str, Any], tuple[int, int]]] = [
    ([5, 4, 4, 3, 3, 3.5, 3, 1], {"patience": 3}, (7, 4)),
    ([5, 4, 4, 3, 3, 3.5, 3, 1], {"patience": 3, "restore_best": False}, (7, 7)),
    ([5, 4, 4, 3, 3, 3.5, 3, 1], {"patience": 4}, (8, 8)),
    ([5, 4, 4, 3, 3, 3.5, 3, 1, 2], {"patience": None}, (9, 8)),
    ([5, 4.5, 4, 3.5, 3], {"patience": 2, "min_delta": 0.5}, (5, 5)),
    ([5, 4.5, 4.5, 3.5, 3], {"patience": 2, "min_delta": 0.5}, (3, 1)),
    ([1, 2, 3, 2, 2, 9], {"patience": 2, "maximize": True}, (5, 3)),
    ([4, 5, 2, 2.2, 2.25, 1], {"patience": None, "generalization_loss": 10.0}, (2, 1)),
    ([4, 4.4, 2, 2.2, 2.25, 1], {"patience": None, "generalization_loss": 10.5}, (5, 3)),
    ([5, 4, 3], {"patience": None, "time_limit": 0.0}, (1, 1)),
    ([5, 4, 3], {"patience": None, "time_limit": 1e6}, (3, 3)),
]


@pytest.mark.parametrize(("values", "rule", "want"), STOPPED, ids=[str(case[1]) for case in STOPPED])
def test_early_stopping(values: Sequence[float], rule: dict[str, Any], want: tuple[int, int]) -> None:
    assert scripted(values, bp.EarlyStopping(monitor="value", **rule)) == want


def test_what_is_monitored_by_default() -> None:
    """The validation loss rises from the first epoch on, the training loss falls."""
    x, t = data()
    for held_out, want in (((x, -t), 3), (None, 20)):
        run = trainer(seed=0)
        run.fit(x, t, epochs=20, validation_data=held_out, early_stopping=bp.EarlyStopping(patience=2))
        assert run.epoch == want
    run = trainer(seed=0)
    run.fit(x, t, epochs=20, metrics=["r2"], early_stopping=bp.EarlyStopping("r2", patience=2))
    assert run.epoch == 20, "more of r2 is better"


# --- progress ---------------------------------------------------------------------------------------------------------


def test_progress_counts_the_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    trainer().fit(*data(), epochs=40, validation_data=data(seed=2), progress=True)
    shown = capsys.readouterr().err
    assert "40/40" in shown
    assert "val_loss=" in shown
    trainer().fit(*data(), epochs=2)
    assert capsys.readouterr().err == ""


def test_tqdm_is_imported_when_first_used() -> None:
    code = """
import sys, numpy as np, backpropc as bp
net = bp.Network([2, 1], seed=0)
net.fit(np.ones((3, 2)), np.ones((3, 1)), optimizer=bp.SGD(0.1))
assert "tqdm" not in sys.modules
net.fit(np.ones((3, 2)), np.ones((3, 1)), optimizer=bp.SGD(0.1), progress=True)
assert "tqdm" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, stderr=subprocess.DEVNULL)


# --- errors -----------------------------------------------------------------------------------------------------------


def named_loss(t: np.ndarray, a: np.ndarray) -> float:
    return 0.0


named_loss.__name__ = "loss"

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"metrics": "r2"}, TypeError, r"metrics is 'r2'; it must be a sequence, each a callable"),
    ({"metrics": ["r3"]}, ValueError, r"metrics\[0\] is 'r3'; it must be a callable of \(t, a\), or one of: accuracy"),
    ({"metrics": [3]}, TypeError, r"metrics\[0\] is 3; it must be a callable"),
    ({"metrics": ["r2", "r2"]}, ValueError, r"metrics\[1\] is named 'r2', as another number of the history is"),
    ({"metrics": [named_loss]}, ValueError, r"metrics\[0\] is named 'loss'"),
    ({"callbacks": ignore}, TypeError, r"callbacks is .*; it must be a sequence of callables"),
    ({"callbacks": [3]}, TypeError, r"callbacks\[0\] is 3; it must be a callable of the state"),
    ({"callbacks": [every(0, ignore)]}, ValueError, r"callbacks\[0\].every_steps is 0; it must be at least 1"),
    ({"early_stopping": True}, TypeError, r"early_stopping is True; it must be None or a bp.EarlyStopping"),
    ({"early_stopping": bp.EarlyStopping("r2")}, ValueError, r"monitor is .r2.; it must be one of: loss"),
    ({"progress": 1}, TypeError, r"progress is 1; it must be True or False"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[case[2] for case in WRONG])
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    run = trainer()
    with pytest.raises(error, match=message):
        run.fit(*data(), **options)
    assert run.step_count == 0


def test_rules_that_are_refused() -> None:
    for arguments, error, message in (
        ({"patience": 0}, ValueError, r"patience is 0; it must be at least 1"),
        ({"min_delta": -1.0}, ValueError, r"min_delta is -1.0; it must be at least 0 and finite"),
        ({"time_limit": "soon"}, TypeError, r"time_limit is 'soon'; it must be a real number"),
        ({"monitor": 3}, TypeError, r"monitor is 3; it must be None or a name of the history"),
        ({"restore_best": 1}, TypeError, r"restore_best is 1; it must be True or False"),
        (
            {"monitor": "val_r2", "generalization_loss": 5},
            ValueError,
            r"generalization_loss is given, but val_r2",
        ),
    ):
        with pytest.raises(error, match=message):
            bp.EarlyStopping(**arguments)


# --- callbacks that are told of the run, and that wait ----------------------------------------------------------------


def test_a_callback_is_told_what_is_to_run_and_says_when_it_wishes_to_be_called() -> None:
    class Patient:
        epochs_to_wait = 3

        def __init__(self) -> None:
            self.begun: list[Any] = []
            self.epochs: list[int] = []

        def begin(self, *told: Any) -> None:
            self.begun.append(told)

        def __call__(self, state: bp.State) -> None:
            self.epochs.append(state.epoch)
            self.epochs_to_wait = 2

    (x, t), run, patient = data(), trainer(), Patient()
    run.fit(x, t, epochs=8, callbacks=[patient])
    ((told, rows, targets, until_epoch),) = patient.begun
    assert told is run
    assert np.array_equal(rows, np.asarray(x, rows.dtype))
    assert np.array_equal(targets, np.asarray(t, targets.dtype))
    assert until_epoch == 8
    assert patient.epochs == [3, 5, 7, 8]
