"""Whatever function of the user's raises, at whichever of its calls: the run stands after a whole step and goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tqdm.auto

import backpropc as bp
from helpers import assert_same_bits

X = np.random.default_rng(0).normal(size=(20, 5)).astype("float32")
T = np.random.default_rng(1).uniform(size=(20, 3)).astype("float32")
EPOCHS = 3


class Broken(Exception):
    pass


class Breaking:
    """Counts the calls of all functions that it watches; the `left`-th of them raises."""

    def __init__(self, left: int) -> None:
        self.left = left

    def call(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Broken

    def watched(self, function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            self.call()
            return function(*arguments)

        return call


class Batches:
    """An iterable whose beginning, each step and end count as calls."""

    def __init__(self, breaking: Breaking, size: int) -> None:
        self.breaking, self.size = breaking, size

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self.breaking.call()
        for i in range(0, len(X), self.size):
            self.breaking.call()
            yield X[i : i + self.size], T[i : i + self.size]
        self.breaking.call()


class Callback:
    """Told of the beginning and of every epoch."""

    def __init__(self, breaking: Breaking, begins: bool = True) -> None:
        self.breaking, self.begins = breaking, begins

    def begin(self, *_: object) -> None:
        if self.begins:
            self.breaking.call()

    def __call__(self, state: bp.State) -> None:
        self.breaking.call()


def every_step(function: Callable[[bp.State], Any], steps: int) -> Any:
    function.every_steps = steps  # type: ignore[attr-defined]
    return function


def distance(t: np.ndarray, a: np.ndarray) -> float:
    return float(np.abs(t - a).mean())


def half_square(a: np.ndarray, t: np.ndarray) -> np.ndarray:
    return 0.5 * ((a - t) ** 2).sum(axis=1)


class Bar:
    """In tqdm's place."""

    def __init__(self, breaking: Breaking, **_: object) -> None:
        self.breaking = breaking

    def update(self, _: int) -> None:
        self.breaking.call()

    def set_postfix(self, *_: object, **__: object) -> None:
        self.breaking.call()

    def close(self) -> None:
        self.breaking.call()


class BarThatCloses(Bar):
    """When a fit has closed its bar it has come to its end, and another begins anew."""

    def close(self) -> None:
        pass


def arguments(name: str, breaking: Breaking) -> tuple[dict[str, Any], tuple[Any, ...], dict[str, Any]]:
    """Return a trainer's arguments, and the data and options of its fit."""
    trainer: dict[str, Any] = {}
    data: tuple[Any, ...] = (X, T)
    options: dict[str, Any] = {"validation_data": (X[:7], T[:7])}
    if name != "progress":  # the loss falls, so the first epoch counts as the best, and the second is the last
        options["early_stopping"] = bp.EarlyStopping("loss", patience=1, maximize=True)
    if name == "callbacks":
        options["callbacks"] = [Callback(breaking), every_step(breaking.watched(lambda state: None), 3)]
    elif name == "metrics":
        options["metrics"] = [breaking.watched(distance)]
    elif name == "schedule":
        trainer["schedule"] = breaking.watched(lambda epoch: 0.05 / (1 + epoch))
    elif name == "own functions":
        trainer["activation"] = bp.Activation(
            breaking.watched(np.tanh), breaking.watched(lambda z: 1 - np.tanh(z) ** 2), "own"
        )
        trainer["loss"] = bp.Loss(breaking.watched(half_square), breaking.watched(lambda a, t: a - t), "own")
    elif name == "batches":
        data, options["validation_data"] = (Batches(breaking, 6),), Batches(breaking, 9)
    elif "progress" in name:
        options["progress"] = True
    return trainer, data, options


def make(options: dict[str, Any]) -> bp.Trainer:
    options = dict(options)
    net = bp.Network([5, 8, 3], options.pop("activation", "tanh"), "logistic", seed=0)
    return bp.Trainer(net, optimizer=bp.SGD(0.05, momentum=0.9), batch_size=6, seed=3, **options)


def after_each_step(name: str) -> tuple[dict[int, np.ndarray], bp.Trainer]:
    """Return the parameters of an undisturbed run by its steps, and its trainer."""
    settings, data, options = arguments(name, Breaking(-1))
    trainer = make(settings)
    after = {0: trainer.network.parameters.copy()}

    def note(state: bp.State) -> None:
        after[state.step] = state.network.parameters.copy()

    trainer.fit(*data, **{**options, "epochs": EPOCHS, "callbacks": [every_step(note, 1)]})
    return after, trainer


BARS = {"progress": Bar, "progress and early stopping": BarThatCloses}


@pytest.mark.parametrize("name", ["callbacks", "metrics", "schedule", "own functions", "batches", *BARS])
def test_every_call_raises_in_turn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    after, whole = after_each_step(name)
    call = 0
    while True:
        call += 1
        breaking = Breaking(call)
        if name in BARS:
            monkeypatch.setattr(tqdm.auto, "tqdm", functools.partial(BARS[name], breaking))
        settings, data, options = arguments(name, breaking)
        trainer = make(settings)
        try:
            trainer.fit(*data, until_epoch=EPOCHS, **options)
        except Broken:
            pass
        else:
            break
        what = f"call {call}, step {trainer.step_count}"
        assert_same_bits(trainer.network.parameters, after[trainer.step_count], what)
        assert len(trainer.history.loss) == trainer.epoch
        assert trainer.history.loss == whole.history.loss[: trainer.epoch]
        trainer.network.predict(X)
        trainer.fit(*data, until_epoch=EPOCHS, **options)
        assert_same_bits(trainer.network.parameters, whole.network.parameters, what)
        assert trainer.history.loss == whole.history.loss
        assert trainer.history.history["val_loss"] == whole.history.history["val_loss"]
    assert call > 2, "there were calls to fail"
    assert whole.epoch == (3 if name == "progress" else 2), "early stopping ends the others"


def test_a_populations_callback_raises_at_each_of_its_calls(tmp_path: Path) -> None:
    """Networks trained one after the other, of which one is then in the middle of its epochs."""
    path = tmp_path / "population"
    stopping = bp.EarlyStopping("loss", patience=2, maximize=True)
    options: dict[str, Any] = {"epochs": 5, "early_stopping": stopping}
    arguments: dict[str, Any] = {"optimizer": bp.SGD(0.05, momentum=0.9), "batch_size": 6}
    whole = bp.Population([5, 8, 3], 2, seed=0)
    whole.fit(X, T, **arguments, **options)
    assert whole.history.loss.shape == (2, 3), "early stopping has ended it"
    for call in range(1, 7):
        broken = bp.Population([5, 8, 3], 2, seed=0)
        with pytest.raises(Broken):
            broken.fit(X, T, callbacks=[Callback(Breaking(call), begins=False)], **arguments, **options)
        broken.save(path)
        for each in (broken, bp.Population.load(path)):
            each.resume(X, T, early_stopping=stopping)
            assert_same_bits(each.parameters, whole.parameters, f"call {call}")
            assert_same_bits(each.history.loss, whole.history.loss, f"call {call}")
