"""Populations whose networks learn from different samples: each is the one that Trainer gives alone on its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import _members
from helpers import assert_same_bits, targets

N = 9


@pytest.fixture(autouse=True)
def lanes_from_two_networks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_members, "least_networks", lambda shape: 2)


@pytest.fixture
def trainers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the networks that are not trained in lanes."""
    alone: list[int] = []
    train_alone = _members.train_alone

    def counted(*args: Any) -> None:
        alone.append(args[2])
        train_alone(*args)

    monkeypatch.setattr("backpropc.population.train_alone", counted)
    return alone


def data(classes: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(31, 4)), targets("half_squared_error", rng, (31, 3))
    return (x, t.argmax(axis=1), x[::2] + 1, t[::2].argmax(axis=1)) if classes else (x, t, x[::2] + 1, t[::2])


def some_rows(samples: int, length: int) -> list[np.ndarray]:
    rng = np.random.default_rng(length)
    folds = [rng.permutation(samples)[:length], rng.integers(0, samples, length), np.arange(length)]
    return [folds[i % 3] for i in range(N)]


CASES: list[dict[str, Any]] = [
    {"optimizer": bp.SGD(0.1), "batch_size": 1},
    {"optimizer": bp.SGD(list(np.geomspace(0.01, 0.5, N))), "batch_size": 1, "shuffle": False},
    {"optimizer": bp.Adam(0.01), "batch_size": 7, "dropout": 0.3, "l2": 0.01},
    {"optimizer": bp.Rprop(), "batch_size": 100, "early_stopping": bp.EarlyStopping(patience=1)},
    {"optimizer": bp.SGD(0.1, momentum=0.9), "batch_size": 4, "shuffle": False, "weighted": True},
    {"optimizer": bp.SGD(0.1), "metrics": ["r2"]},
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_learns_from_its_rows(case: dict[str, Any], dtype: str, trainers_of_their_own: list[int]) -> None:
    x, t, xv, tv = data()
    rows, held_out = some_rows(len(x), 20), some_rows(len(xv), 5)
    case = dict(case)
    weight = np.linspace(0.5, 2.0, len(x)) if case.pop("weighted", False) else None
    population = bp.Population([4, 6, 3], N, "tanh", seed=5, dtype=dtype)
    of_fit = {"epochs": 4, **{k: case.pop(k) for k in ("early_stopping", "metrics") if k in case}}
    history = population.fit(
        x, t, rows=rows, validation_data=(xv, tv), validation_rows=held_out, sample_weight=weight, **of_fit, **case
    )
    for i in range(N):
        optimizer = case["optimizer"].one_by_one()[i] if case["optimizer"].several else case["optimizer"]
        network = bp.Network([4, 6, 3], "tanh", seed=5 + i, dtype=dtype)
        trainer = bp.Trainer(network, seed=5 + i, **{**case, "optimizer": optimizer})
        own = None if weight is None else weight[rows[i]]
        of_data = {"validation_data": (xv[held_out[i]], tv[held_out[i]]), "sample_weight": own}
        trainer.fit(x[rows[i]], t[rows[i]], **of_data, **of_fit)
        assert_same_bits(population.parameters[i], network.parameters, f"network {i}")
        assert history[i].history == trainer.history.history
    assert trainers_of_their_own == (list(range(N)) if "metrics" in of_fit else [])


def test_rows_of_different_lengths_are_grouped(trainers_of_their_own: list[int]) -> None:
    x, t, *_ = data(classes=True)
    rows = [np.arange(10 + i % 2) for i in range(N)]
    population = bp.Population([4, 6, 3], N, output_activation="softmax", seed=0)
    for weight, n_alone in ((None, 0), ({0: 2.0}, 0), ("balanced", N)):
        trainers_of_their_own.clear()
        trained = population.copy()
        settings = {"loss": "softmax_cross_entropy", "optimizer": bp.Adam(), "batch_size": 3, "epochs": 3}
        trained.fit(x, t, rows=rows, class_weight=weight, **settings)
        for i in range(N):
            network = population[i]
            network.fit(x[rows[i]], t[rows[i]], class_weight=weight, seed=i, **settings)
            assert_same_bits(trained.parameters[i], network.parameters)
        assert len(trainers_of_their_own) == n_alone


def test_all_rows_are_as_none_and_a_run_goes_on(tmp_path: Path) -> None:
    x, t, xv, tv = data()
    arguments = {"optimizer": bp.Adam(0.01), "batch_size": 5, "validation_data": (xv, tv)}
    plain, listed = (bp.Population([4, 5, 3], N, seed=2) for _ in range(2))
    plain.fit(x, t, epochs=6, **arguments)
    every = np.tile(np.arange(len(x)), (N, 1))
    listed.fit(x, t, epochs=2, rows=every, checkpoint=tmp_path / "p.safetensors", **arguments)
    assert_same_bits(listed.parameters, bp.Population.load(tmp_path / "p.safetensors").parameters)
    listed = bp.Population.load(tmp_path / "p.safetensors")
    listed.resume(x, t, until_epoch=6, rows=every, validation_data=(xv, tv))
    assert_same_bits(listed.parameters, plain.parameters)
    assert listed.history.val_loss.tolist() == plain.history.val_loss.tolist()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (5, r"rows is 5; it must be a sequence of 9 arrays of integers"),
        ([[0, 1]] * 8, r"rows has 8 entries; it must have 9: the rows of each network"),
        ([[0, 1.5]] * 9, r"rows\[0\] is \[0, 1\.5\]; it must be a vector of integers"),
        ([[0, 1]] * 8 + [[]], r"rows\[8\] .* must be a vector of integers|rows\[8\] is empty"),
        ([[0, 1]] * 8 + [np.arange(0)], r"rows\[8\] is empty; it must name at least one sample"),
        ([[0, 31]] * 9, r"rows\[0\]\[1\] is 31; with 31 samples it must be 0 to 30"),
        ([[0, -1]] * 9, r"rows\[0\]\[1\] is -1; with 31 samples it must be 0 to 30"),
    ],
)
def test_what_rows_must_be(rows: Any, message: str) -> None:
    x, t, *_ = data()
    population = bp.Population([4, 3], N, seed=0)
    before = population.parameters.copy()
    with pytest.raises((TypeError, ValueError), match=message):
        population.fit(x, t, optimizer=bp.SGD(0.1), rows=rows)
    with pytest.raises(ValueError, match="validation_rows is given; it must be None, or validation_data a pair"):
        population.fit(x, t, optimizer=bp.SGD(0.1), validation_rows=rows)
    assert_same_bits(population.parameters, before)
