"""Whatever function of the user's raises, at whichever of its calls: the run stands after a whole step and goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
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

    def __init__(self, breaking: Breaking) -> None:
        self.breaking = breaking

    def begin(self, *_: object) -> None:
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


def arguments(name: str, breaking: Breaking) -> tuple[dict[str, Any], tuple[Any, ...], dict[str, Any]]:
    """Return a trainer's arguments, and the data and options of its fit."""
    trainer: dict[str, Any] = {}
    data: tuple[Any, ...] = (X, T)
    options: dict[str, Any] = {"validation_data": (X[:7], T[:7])}
    if name == "callbacks":
        options["callbacks"] = [Callback(breaking), every_step(breaking.watched(lambda state: None), 3)]
    elif name == "metrics and early stopping":
        stopping = bp.EarlyStopping("val_distance", patience=9, maximize=False, restore_best=False)
        options.update(metrics=[breaking.watched(distance)], early_stopping=stopping)
    elif name == "schedule":
        trainer["schedule"] = breaking.watched(lambda epoch: 0.05 / (1 + epoch))
    elif name == "own functions":
        trainer["activation"] = bp.Activation(
            breaking.watched(np.tanh), breaking.watched(lambda z: 1 - np.tanh(z) ** 2), "own"
        )
        trainer["loss"] = bp.Loss(breaking.watched(half_square), breaking.watched(lambda a, t: a - t), "own")
    elif name == "batches":
        data, options = (Batches(breaking, 6),), {"validation_data": Batches(breaking, 9)}
    elif name == "progress":
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


@pytest.mark.parametrize(
    "name", ["callbacks", "metrics and early stopping", "schedule", "own functions", "batches", "progress"]
)
def test_every_call_raises_in_turn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    after, whole = after_each_step(name)
    call = 0
    while True:
        call += 1
        breaking = Breaking(call)
        if name == "progress":
            monkeypatch.setattr(tqdm.auto, "tqdm", functools.partial(Bar, breaking))
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
    assert call > EPOCHS, "there were calls to fail"
