"""api.md, "schedules": the rate of every epoch, against the oracle and as a training feels it."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, network
from oracle import schedules as oracle
from oracle import tolerance

CASES = [
    pytest.param(name, arguments, id=f"{name}-{index}")
    for name, cases in oracle.CASES.items()
    for index, arguments in enumerate(cases)
]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(23, 5)), rng.normal(size=(23, 3))


def test_every_schedule_is_in_the_oracle() -> None:
    assert {*bp.schedules.__all__} - {"Schedule", "reduce_on_plateau"} == {*oracle.SCHEDULES} == {*oracle.CASES}


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_every_schedule_is_the_oracles(name: str, arguments: dict[str, Any]) -> None:
    schedule, want = getattr(bp.schedules, name)(**arguments), oracle.SCHEDULES[name](**arguments)
    for epoch in range(25):
        got, expected = schedule.rate(epoch, 0.7), want(epoch, 0.7)
        assert abs(got - expected) <= 0.7 * tolerance.gamma(64, "float64"), epoch
    assert pickle.loads(pickle.dumps(schedule)) == schedule


@pytest.mark.parametrize("batch_size", [1, 6])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_rate_holds_for_its_epoch(name: str, arguments: dict[str, Any], batch_size: int, dtype: str) -> None:
    """The run is the one whose optimizer is made anew for each epoch; a step between two has the next one's rate."""
    nets = [network([5, 4, 3], "tanh", "identity", dtype) for _ in range(2)]
    schedule, (x, t) = getattr(bp.schedules, name)(**arguments), data()
    options: dict[str, Any] = {"batch_size": batch_size, "shuffle": False}
    trainer = bp.Trainer(nets[0], optimizer=bp.SGD(0.1), schedule=schedule, **options)
    trainer.fit(x, t, epochs=2)
    assert trainer.learning_rate == schedule.rate(2, 0.1)
    trainer.step(x[:2], t[:2])
    trainer.fit(x, t, until_epoch=4)
    for epoch in range(4):
        now = bp.Trainer(nets[1], optimizer=bp.SGD(schedule.rate(epoch, 0.1)), **options)
        if epoch == 2:
            now.step(x[:2], t[:2])
        now.fit(x, t)
    assert_same_bits(nets[0].parameters, nets[1].parameters)


def test_any_callable_is_a_schedule(dtype: str) -> None:
    nets, asked = [network([5, 4, 3], "tanh", "identity", dtype) for _ in range(2)], []

    def rate(epoch: int) -> float:
        asked.append(epoch)
        return [0.1, 0.0, 0.05][epoch]

    losses = nets[0].fit(*data(), optimizer=bp.SGD(9.0), schedule=rate, epochs=3, shuffle=False).loss
    assert asked == [0, 1, 2]
    assert losses[1] == losses[2], "nothing was learned at a rate of 0"
    for each in (0.1, 0.05):
        nets[1].fit(*data(), optimizer=bp.SGD(each), shuffle=False)
    assert_same_bits(nets[0].parameters, nets[1].parameters)


def test_reduce_on_plateau_by_hand() -> None:
    schedule = bp.schedules.reduce_on_plateau(factor=0.5, patience=1, min_delta=0.1, min_rate=0.2)
    losses = [1.0, 0.95, 0.85, 0.84, 0.83, 0.82, 0.81, 0.5, 0.5, 0.5, 0.5, 0.5]
    rates = [schedule.rate(epoch, 1.0, losses) for epoch in range(len(losses) + 1)]
    assert rates == [1, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]
    assert bp.schedules.reduce_on_plateau(min_rate=5.0).rate(30, 1.0, [1.0] * 30) == 1.0, "never raised"


@pytest.mark.parametrize("validated", [True, False])
def test_reduce_on_plateau_looks_at_the_validation_loss_if_there_is_one(validated: bool) -> None:
    net, (x, t) = network([5, 4, 3], "tanh", "identity"), data()
    schedule = bp.schedules.reduce_on_plateau(factor=0.5, patience=0)
    trainer = bp.Trainer(net, optimizer=bp.SGD(0.05), schedule=schedule)
    # training brings the outputs to t and so away from -t
    trainer.fit(x, t, epochs=4, validation_data=(x, -t) if validated else None)
    assert trainer.learning_rate == (0.05 / 8 if validated else 0.05)


def test_reduce_on_plateau_looks_at_each_loss_once() -> None:
    seen: list[int] = []

    class Watching(bp.schedules.reduce_on_plateau):
        def after(self, plateau: bp.schedules.Plateau, losses: Iterable[float]) -> bp.schedules.Plateau:
            found = list(losses)
            seen.append(len(found))
            return super().after(plateau, found)

    (x, t), schedule = data(), Watching(factor=0.5, patience=1, min_delta=0.02)
    trainer = bp.Trainer(network([5, 4, 3], "tanh", "identity"), optimizer=bp.SGD(0.05), schedule=schedule, seed=0)
    for _ in range(2):
        history = trainer.fit(x, t, epochs=30)
    assert len(history.loss) == 30
    assert sum(seen) == trainer.epoch - 1 == 59
    whole = bp.schedules.reduce_on_plateau(factor=0.5, patience=1, min_delta=0.02)
    assert trainer.learning_rate == whole.rate(60, 0.05, trainer.history.loss) < 0.05


WRONG: list[tuple[Any, type[Exception], str]] = [
    ("cosin", ValueError, r"schedule is 'cosin'; it must be a callable of the epoch, or one of: constant, step, .*"),
    ("cosine", ValueError, r"schedule is 'cosine', which takes parameters; write bp.schedules.cosine\(epochs\)"),
    (0.1, TypeError, r"schedule is 0.1; it must be a callable of the epoch, or one of"),
    (bp.schedules.constant, TypeError, r"schedule is <class .*; it must be a callable"),
]


@pytest.mark.parametrize(("schedule", "error", "message"), WRONG)
def test_what_is_refused(schedule: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bp.Trainer(bp.Network([2, 1], seed=0), optimizer=bp.SGD(0.1), schedule=schedule)


def test_parameters_that_are_refused() -> None:
    for make, message in (
        (lambda: bp.schedules.step(0), r"step: every is 0; it must be at least 1"),
        (lambda: bp.schedules.exponential(1.5), r"exponential: factor is 1.5; it must be in \[0, 1\]"),
        (
            lambda: bp.schedules.inverse_time(float("inf")),
            r"inverse_time: decay is inf; it must be at least 0 and finite",
        ),
        (lambda: bp.schedules.one_cycle(5, start=0.5), r"one_cycle: start is 0.5; it must be at least 1 and finite"),
        (lambda: bp.schedules.reduce_on_plateau(patience=-1), r"reduce_on_plateau: patience is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_a_rate_that_is_none_ends_the_fit_before_its_epoch() -> None:
    net = bp.Network([5, 3], seed=0)
    trainer = bp.Trainer(net, optimizer=bp.SGD(0.1), schedule=lambda epoch: 0.1 - epoch)
    with pytest.raises(ValueError, match=r"schedule: the rate of epoch 1 is -0.9; it must be at least 0 and finite"):
        trainer.fit(*data(), epochs=5)
    assert (trainer.epoch, len(trainer.history.loss)) == (1, 1)


def test_rprop_has_no_rate_to_schedule() -> None:
    for schedule in ("constant", bp.schedules.exponential(0.9)):
        with pytest.raises(ValueError, match=r"schedule is .*, but Rprop has no learning rate; it must be None"):
            bp.Trainer(bp.Network([2, 1], seed=0), optimizer=bp.Rprop(), schedule=schedule)
