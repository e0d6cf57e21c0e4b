"""Populations: every network is bit for bit the one that Trainer gives alone, whatever is asked for."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import _members
from helpers import assert_same_bits, targets

N = 7  # a part of a unit of lanes


@pytest.fixture(autouse=True)
def lanes_from_two_networks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests are about lanes, also with numbers of networks for which they are no faster."""
    monkeypatch.setattr(_members, "least_networks", lambda shape: 2)


def data(loss: str, sizes: list[int], n: int = 23, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, sizes[0])).astype(dtype), targets(loss, rng, (n, sizes[-1])).astype(dtype)


def alone(
    population: bp.Population, i: int, x: np.ndarray, t: np.ndarray, fit: dict[str, Any], **arguments: Any
) -> bp.Trainer:
    """A Trainer of network i as it was at first, run by itself; stopped where its loss is not finite."""
    network = population[i]
    trainer = bp.Trainer(network, seed=int(population.seeds[i]), **arguments)
    with contextlib.suppress(FloatingPointError):
        trainer.fit(x, t, **fit)
    return trainer


def check(
    population: bp.Population,
    x: np.ndarray,
    t: np.ndarray,
    fit: dict[str, Any],
    each: dict[str, list[Any]],
    **arguments: Any,
) -> bp.PopulationHistory:
    """Train a population, with arguments for all and for each, and compare every network with one trained alone."""
    at_first = population.copy()
    given = {name: values for name, values in each.items() if name != "rates"}
    optimizer = arguments.pop("optimizer", bp.SGD(0.1))
    if "rates" in each:
        several = type(optimizer)(**{**optimizer.parameters, "learning_rate": each["rates"]})
    else:
        several = optimizer
    history = population.fit(x, t, optimizer=several, **arguments, **given, **fit)
    for i in range(population.n):
        own = {name: values[i] for name, values in given.items()}
        rate = {"learning_rate": each["rates"][i]} if "rates" in each else {}
        one = alone(
            at_first, i, x, t, fit, optimizer=type(optimizer)(**{**optimizer.parameters, **rate}), **arguments, **own
        )
        assert_same_bits(population.parameters[i], one.network.parameters, f"network {i}")
        assert history[i].history == one.history.history or np.isnan(one.history.loss).any()
        assert history[i].epoch == one.history.epoch
        check_standing(population, i, one)
    return history


def check_standing(population: bp.Population, i: int, one: bp.Trainer) -> None:
    """Lanes do without the loss before where no step asks for it."""
    assert population._run is not None
    got, want = population._run.states.standing_of(i), dict(one._core.snapshot()["standing"])
    if got["former_loss"] == math.inf and not repr(one.optimizer).startswith("Rprop"):
        del got["former_loss"], want["former_loss"]
    assert got == want


RATES = list(np.geomspace(0.0005, 0.05, N))

# --- the promise ------------------------------------------------------------------------------------------------------


def test_network_i_is_the_one_of_seed_plus_i(dtype: str) -> None:
    layers = [bp.Dense(5, 4, "tanh", initializer="he_normal", bias_initializer=bp.uniform(-1, 1)), bp.Dense(4, 2)]
    population = bp.Population(layers, n=5, seed=2**40, dtype=dtype)
    for i, network in enumerate(population):
        assert_same_bits(network.parameters, bp.Network(layers, seed=2**40 + i, dtype=dtype).parameters)


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_every_activation(activation: str, dtype: str) -> None:
    x, t = data("half_squared_error", [5, 17, 3], dtype=dtype)
    x = x / 10 if activation == "exp" else x
    for batch_size in (1, 6):
        population = bp.Population([5, 17, 3], N, activation, seed=1, dtype=dtype)
        check(population, x, t, {"epochs": 2}, {"rates": RATES}, batch_size=batch_size)


@pytest.mark.parametrize("loss", bp.LOSSES)
def test_every_loss(loss: str, dtype: str) -> None:
    sizes = [4, 5, 19]  # more outputs than a sum has virtual lanes
    x, t = data(loss, sizes, dtype=dtype)
    for output in ("softmax", "logistic", *(["softplus"] if loss != "binary_cross_entropy" else [])):
        for batch_size in (1, 6):
            population = bp.Population(sizes, N, "tanh", output, seed=1, dtype=dtype)
            fit = {"epochs": 2, "validation_data": (x[:9], t[:9])}
            check(population, x, t, fit, {"rates": RATES}, loss=loss, batch_size=batch_size)


@pytest.mark.parametrize("loss", ["half_squared_error", "binary_cross_entropy", "softmax_cross_entropy"])
def test_more_networks_than_one_unit_holds(loss: str, dtype: str) -> None:
    """The core takes up to 16 at a time; the losses look at a, at z, and at both."""
    sizes, n = [4, 5, 3], 37
    x, t = data(loss, sizes, dtype=dtype)
    output = "softmax" if loss == "softmax_cross_entropy" else "logistic"
    for batch_size in (1, 6):
        population = bp.Population(sizes, n, "tanh", output, seed=1, dtype=dtype)
        rates = list(np.geomspace(0.0005, 0.05, n))
        check(population, x, t, {"epochs": 2}, {"rates": rates}, loss=loss, batch_size=batch_size)


def test_layers_of_every_width(dtype: str) -> None:
    """A tile has eight columns at most; whole ones end where the next layer's numbers begin."""
    for width in (1, 2, 3, 7, 8, 9, 15, 16, 24):
        x, t = data("half_squared_error", [width, 2], dtype=dtype)
        for batch_size in (1, 2, 6):
            population = bp.Population([width, width, 2], N, seed=1, dtype=dtype)
            check(population, x, t, {"epochs": 1}, {"rates": RATES}, batch_size=batch_size)


OPTIMIZERS = (
    bp.SGD(0.1),
    bp.SGD(0.1, 0.9),
    bp.SGD(0.1, 0.5, nesterov=True),
    bp.RMSprop(),
    bp.RMSprop(momentum=0.5),
    bp.Adagrad(),
    bp.Adam(),
    bp.Adam(amsgrad=True),
    bp.AdamW(),
    bp.Quickprop(),
    *(bp.Rprop(variant=variant) for variant in ("rprop+", "rprop-", "irprop+", "irprop-")),
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_optimizer(optimizer: bp.definitions.Definition, dtype: str) -> None:
    x, t = data("half_squared_error", [5, 9, 3], dtype=dtype)
    each = {"rates": RATES} if "learning_rate" in optimizer.parameters else {}
    for l2 in (0.0, 0.01):
        check(bp.Population([5, 9, 3], N, seed=1, dtype=dtype), x, t, {"epochs": 4}, each, optimizer=optimizer, l2=l2)


@pytest.mark.parametrize(
    "arguments",
    [
        {"shuffle": False},
        {"batch_size": 1, "shuffle": False},
        {"l1": 0.01},
        {"l2": [0.1, 0.0], "batch_size": 1},
        {"dropout": 0.3},
        {"dropout": 0.3, "input_dropout": 0.2, "batch_size": 1},
        {"clip_value": 0.01},
        {"clip_norm": 0.05},
        {"max_norm": 0.5},
        {"schedule": bp.schedules.exponential(0.8)},
        {"schedule": bp.schedules.reduce_on_plateau(patience=1)},
        {"schedule": lambda epoch: 0.1 / (1 + epoch)},
    ],
    ids=str,
)
def test_every_argument_of_a_trainer(arguments: dict[str, Any]) -> None:
    x, t = data("half_squared_error", [5, 9, 3])
    check(bp.Population([5, 9, 3], N, seed=1), x, t, {"epochs": 4}, {"rates": RATES}, **arguments)


EACH: dict[str, list[Any]] = {
    "loss": ["half_squared_error", "huber"] * 3 + [bp.huber(0.5)],
    "batch_size": [1, 2, 5, 5, 5, 5, 100],
    "shuffle": [True, False] * 3 + [True],
    "l1": [0.0, 0.1, 0.2, 0.3, 0.01, 0.02, 0.03],
    "l2": [[0.1 * i, 0.2] for i in range(N)],
    "dropout": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "clip_value": [None, 0.1, 0.2, 0.3, 0.01, 0.02, 0.03],
    "clip_norm": [None, 0.1, None, None, None, None, 0.3],
    "schedule": [None, *(bp.schedules.exponential(0.1 * i) for i in range(1, N))],
}


@pytest.mark.parametrize("name", EACH)
def test_arguments_that_differ(name: str) -> None:
    x, t = data("half_squared_error", [5, 9, 3])
    check(bp.Population([5, 9, 3], N, seed=1), x, t, {"epochs": 3}, {"rates": RATES, name: EACH[name]})


def test_optimizers_that_differ_in_kind() -> None:
    x, t = data("half_squared_error", [5, 9, 3])
    population = bp.Population([5, 9, 3], 14, seed=1)
    at_first = population.copy()
    several = [bp.SGD(0.1), bp.Adam(0.01)] * 7
    population.fit(x, t, optimizer=several, epochs=3)
    for i, optimizer in enumerate(several):
        one = alone(at_first, i, x, t, {"epochs": 3}, optimizer=optimizer)
        assert_same_bits(population.parameters[i], one.network.parameters)


def test_weights_and_classes() -> None:
    x, _ = data("half_squared_error", [5, 9, 3])
    classes = np.arange(len(x)) % 3
    weights = np.arange(len(x))
    for extra in ({"sample_weight": weights}, {"sample_weight": weights + 0.1}, {"class_weight": {0: 2.0, 1: 0.0}}, {}):
        for batch_size in (1, 6):
            population = bp.Population([5, 9, 3], N, "relu", "softmax", seed=1)
            fit = {"epochs": 3, **extra}
            check(population, x, classes, fit, {"rates": RATES}, loss="softmax_cross_entropy", batch_size=batch_size)


def test_frozen_layers() -> None:
    x, t = data("half_squared_error", [5, 3])
    for frozen in ((True, False, False), (False, True, False), (False, False, True), (True, True, True)):
        layers = [bp.Dense(m, n, "tanh", trainable=not f) for m, n, f in zip((5, 4, 6), (4, 6, 3), frozen, strict=True)]
        for batch_size in (1, 4):
            population = bp.Population(layers, N, seed=1)
            check(population, x, t, {"epochs": 2}, {"rates": RATES}, batch_size=batch_size)


def test_masks_and_whole_batches(tmp_path: Path) -> None:
    x, t = data("half_squared_error", [5, 3])
    mask = np.random.default_rng(0).random((5, 9)) < 0.5
    layers = [bp.Dense(5, 9, "tanh", mask=mask), bp.Dense(9, 3)]
    population = bp.Population(layers, N, seed=1)
    assert_same_bits(population.parameters[2], bp.Network(layers, seed=3).parameters)
    check(population, x, t, {"epochs": 3}, {"rates": RATES}, batch_size=1)
    population.save(tmp_path / "population.safetensors")
    loaded = bp.Population.load(tmp_path / "population.safetensors")
    assert (loaded[0].layers[0].mask == mask).all()
    population = bp.Population([5, 9, 3], N, seed=1)
    check(population, x, t, {"epochs": 3}, {}, optimizer=bp.LevenbergMarquardt())
    with pytest.raises(ValueError, match="whose runs cannot be resumed"):
        population.save(tmp_path / "population.safetensors")


def test_functions_of_the_users_own(tmp_path: Path) -> None:
    x, t = data("half_squared_error", [5, 3])
    softplus = bp.Activation(lambda z: np.log1p(np.exp(z)), lambda z: 1 / (1 + np.exp(-z)), name="soft")
    population = bp.Population([5, 9, 3], N, softplus, seed=1)
    for i, network in enumerate(population):
        assert_same_bits(population.predict(x)[i], network.predict(x))
        assert population.loss(x, t)[i] == network.loss(x, t)
    check(population, x, t, {"epochs": 2}, {"rates": RATES})
    population.save(tmp_path / "population.safetensors")
    with pytest.raises(ValueError, match="say what that is"):
        bp.Population.load(tmp_path / "population.safetensors")
    loaded = bp.Population.load(tmp_path / "population.safetensors", custom={"soft": softplus})
    assert_same_bits(loaded.predict(x), population.predict(x))


def test_metrics_and_callbacks_train_one_by_one() -> None:
    x, t = data("half_squared_error", [5, 9, 3])
    history = check(bp.Population([5, 9, 3], N, seed=1), x, t, {"epochs": 3, "metrics": ["r2"]}, {"rates": RATES})
    assert history.history["r2"].shape == (N, 3)
    seen = []
    fit = {"epochs": 2, "callbacks": [lambda state: seen.append(state.epoch)]}
    bp.Population([5, 9, 3], N, seed=1).fit(x, t, optimizer=bp.SGD(0.1), **fit)
    assert seen == [1, 2] * N


@pytest.mark.parametrize(
    "rule",
    [
        bp.EarlyStopping(patience=2, min_delta=0.01),
        bp.EarlyStopping(patience=1, restore_best=False),
        bp.EarlyStopping(monitor="loss", patience=None, generalization_loss=1.0),
        bp.EarlyStopping(monitor="loss", patience=3, maximize=True),
    ],
)
def test_early_stopping_ends_each_by_itself(rule: bp.EarlyStopping) -> None:
    x, t = data("half_squared_error", [5, 9, 3])
    rates = list(np.geomspace(1e-4, 3.0, 40))
    fit = {"epochs": 25, "early_stopping": rule, "validation_data": (x[:7], t[7:14])}
    history = check(bp.Population([5, 9, 3], 40, seed=1), x, t, fit, {"rates": rates}, batch_size=4)
    assert len({len(each.epoch) for each in history}) > 1 or rule.maximize


@pytest.mark.parametrize("others", [{}, {"metrics": ["r2"]}], ids=["in lanes", "one by one"])
@pytest.mark.parametrize("between", [None, "a fit without a rule"])
def test_early_stopping_begins_anew_after_a_fit_that_came_to_its_end(
    between: str | None, others: dict[str, Any]
) -> None:
    """As a Trainer's does; by this rule no epoch is better than the first."""
    x, t = data("half_squared_error", [5, 9, 3])
    rule = bp.EarlyStopping(monitor="loss", patience=3, maximize=True)
    population = bp.Population([5, 9, 3], 9, seed=1)
    trainer = bp.Trainer(population[4], optimizer=bp.SGD(0.01), seed=5)
    population.fit(x, t, optimizer=bp.SGD(0.01), epochs=2, early_stopping=rule, **others)
    trainer.fit(x, t, epochs=2, early_stopping=rule, **others)
    rules = [None, rule] if between else [rule]
    for until, now in zip((5, 20), rules, strict=False):
        population.resume(x, t, until_epoch=until, early_stopping=now, **others)
        trainer.fit(x, t, until_epoch=until, early_stopping=now, **others)
        assert population.history[4].history == trainer.history.history
    assert_same_bits(population.parameters[4], trainer.network.parameters)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_network_that_diverges_stays_as_it_was_and_the_others_go_on(batch_size: int, tmp_path: Path) -> None:
    x, t = data("half_squared_error", [5, 9, 3])
    rates = [0.01, 1e20, 0.02, 0.01, 1e22, 0.03, 1e30]
    population = bp.Population([5, 9, 3], N, "relu", seed=1)
    with pytest.warns(RuntimeWarning, match=r"the loss of 3 of 7 networks was not finite \(1, 4, 6; see diverged\)"):
        check(population, x, t, {"epochs": 4}, {"rates": rates}, batch_size=batch_size)
    assert population.diverged.tolist() == [rate > 1 for rate in rates]
    population.save(tmp_path / "population.safetensors")
    loaded = bp.Population.load(tmp_path / "population.safetensors")
    with pytest.warns(RuntimeWarning, match="see diverged"):
        epochs = [len(each.epoch) for each in loaded.resume(x, t, until_epoch=6)]
    assert epochs == [2 if rate < 1 else 0 for rate in rates]


@pytest.mark.parametrize(
    ("sizes", "n", "dtype", "lanes"),
    [
        ([8, 3, 8], 4, "float32", False),
        ([8, 3, 8], 5, "float32", True),
        ([8, 30, 8], 7, "float32", False),
        ([8, 30, 8], 8, "float32", True),
        ([8, 30, 8], 4, "float64", True),
        ([100, 200, 10], 50, "float32", False),
    ],
)
def test_lanes_are_taken_where_they_are_faster(
    sizes: list[int], n: int, dtype: str, lanes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    population = bp.Population(sizes, n, dtype=dtype, seed=0)
    members = _members.make_members(population._shape, n, {"optimizer": bp.SGD(0.1)})
    groups = list(_members.in_groups(members, population._shape, _members.Work(None, None, 1)))
    assert [(shared, len(group)) for shared, group in groups] == [(lanes, n)]


def test_more_networks_than_are_at_work_at_once() -> None:
    """Block after block, each done in no time: the steps set aside for one do not grow with those before."""
    x, t = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    population = bp.Population([1, 1], n=20_000, seed=0)
    with bp.num_threads(1):
        population.fit(x, t, optimizer=bp.SGD(0.1))
    for i in (0, 12_345, 19_999):
        net = bp.Network([1, 1], seed=i)
        net.fit(x, t, optimizer=bp.SGD(0.1), batch_size=1)
        assert_same_bits(population.parameters[i], net.parameters)


def test_a_large_network_is_trained_as_by_itself() -> None:
    x, t = data("half_squared_error", [30, 10], n=6)
    check(bp.Population([30, 900, 10], 4, seed=1), x, t, {"epochs": 2}, {}, batch_size=4)


@pytest.mark.parametrize("isa", bp.available_isas())
@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_the_same_bits_on_every_instruction_set_and_number_of_threads(isa: str, threads: str) -> None:
    script = """
        import hashlib
        import numpy as np, backpropc as bp
        rng = np.random.default_rng(0)
        digest = hashlib.sha256()
        for dtype in ("float32", "float64"):
            for batch_size, optimizer in ((1, bp.SGD(np.geomspace(0.01, 0.3, 1000))), (7, bp.Adam())):
                population = bp.Population([6, 9, 4], 1000, "tanh", "softmax", seed=0, dtype=dtype)
                x, t = rng.normal(size=(20, 6)), rng.dirichlet(np.ones(4), 20)
                loss, held_out = "softmax_cross_entropy", (x, t)
                history = population.fit(x, t, loss, optimizer, 2, batch_size, validation_data=held_out)
                for i in (0, 499, 999):
                    rate = optimizer.one_by_one()[i] if batch_size == 1 else optimizer
                    one = bp.Network([6, 9, 4], "tanh", "softmax", seed=i, dtype=dtype)
                    one.fit(x, t, loss, rate, 2, batch_size, seed=i)
                    assert (population.parameters[i] == one.parameters).all()
                for array in (population.parameters, history.loss, history.val_loss, population.predict(x)):
                    digest.update(np.ascontiguousarray(array).tobytes())
        print(digest.hexdigest())
    """
    environment = {**os.environ, "BACKPROPC_ISA": isa, "BACKPROPC_NUM_THREADS": threads}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = DIGESTS.setdefault("", done.stdout)
    assert done.stdout == found


DIGESTS: dict[str, str] = {}

# --- what a population is asked for -----------------------------------------------------------------------------------


def test_predict_loss_and_mean() -> None:
    population = bp.Population([5, 4, 2], 9, seed=3)
    x, t = data("half_squared_error", [5, 2])
    outputs, losses = population.predict(x), population.loss(x, t)
    assert outputs.shape == (9, 23, 2)
    assert losses.shape == (9,)
    for i, network in enumerate(population):
        assert_same_bits(outputs[i], network.predict(x))
        assert losses[i] == network.loss(x, t)
    assert_same_bits(population.predict(x[4]), outputs[:, 4])
    assert_same_bits(population.mean_predict(x), outputs.astype(float).mean(axis=0).astype(np.float32))
    assert population.mean_predict(x[0]).shape == (2,)


def test_indexing_gives_networks_and_populations_of_their_own() -> None:
    population = bp.Population([5, 4, 2], 9, seed=3)
    assert_same_bits(population[-1].parameters, population.parameters[8])
    population[2].parameters[:] = 0
    assert population.parameters[2].any()
    for index in (slice(2, 7, 2), [2, 4, 6], np.arange(9) % 2 == 0):
        some = population[index]
        assert isinstance(some, bp.Population)
        assert_same_bits(some.parameters, population.parameters[index])
        assert (some.seeds == population.seeds[index]).all()
    with pytest.raises(IndexError, match="index is 9; it must be at least -9 and below 9"):
        population[9]
    with pytest.raises(IndexError, match="must choose at least one of 9 networks"):
        population[9:]


def test_best() -> None:
    population = bp.Population([5, 4, 2], 9, seed=3)
    with pytest.raises(ValueError, match="there was no run"):
        population.best()
    scores = [3, 1, np.nan, 2, 5, 6, 7, 8, 0]
    assert_same_bits(population.best(by=scores).parameters, population.parameters[8])
    assert_same_bits(population.best(3, by=scores).parameters, population.parameters[[8, 1, 3]])
    x, t = data("half_squared_error", [5, 2])
    history = population.fit(x, t, optimizer=bp.SGD(0.1), epochs=3, validation_data=(x[:5], t[5:10]))
    best = int(history.val_loss[:, -1].argmin())
    assert_same_bits(population.best().parameters, population.parameters[best])
    best = int(history.loss[:, -1].argmin())
    assert_same_bits(population.best(1, by="loss")[0].parameters, population.parameters[best])
    with pytest.raises(ValueError, match="k is 10; it must be at most 9"):
        population.best(10)
    with pytest.raises(ValueError, match="by is 'r2'; it must be one of: loss, val_loss, or numbers"):
        population.best(by="r2")


def test_copies_and_pickles() -> None:
    population = bp.Population([5, 4, 2], 9, seed=3)
    for twin in (copy.copy(population), copy.deepcopy(population), pickle.loads(pickle.dumps(population))):
        assert_same_bits(twin.parameters, population.parameters)
        twin.parameters[:] = 0
        assert population.parameters.any()


def test_seeds_of_its_own_and_of_the_run() -> None:
    seeds = [2**64 - 1, 5, 2**53 + 1, 0]
    population = bp.Population([5, 4, 2], 4, seed=seeds)
    assert population.seeds.tolist() == seeds
    x, t = data("half_squared_error", [5, 2])
    at_first = population.copy()
    population.fit(x, t, optimizer=bp.SGD(0.1), epochs=2, seed=[3, 2, 1, 0])
    for i in range(4):
        network = at_first[i]
        network.fit(x, t, optimizer=bp.SGD(0.1), epochs=2, seed=3 - i)
        assert_same_bits(population.parameters[i], network.parameters)
    assert len(set(bp.Population([2, 2], 3).seeds.tolist())) == 3
    assert bp.Population([2, 2], 3, rng=np.random.default_rng(0)).n == 3


# --- stopping and going on --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"max_norm": 1.0}], ids=str)
def test_a_checkpoint_goes_on_to_the_same_bits(arguments: dict[str, Any], tmp_path: Path) -> None:
    x, t = data("half_squared_error", [5, 9, 3])
    fit = {"optimizer": bp.Adam(RATES), "batch_size": 4, "l2": [0.1 * i for i in range(N)], **arguments}

    first = bp.Population([5, 9, 3], N, seed=1)
    path = tmp_path / "population.safetensors"
    first.fit(x, t, epochs=5, checkpoint=path, checkpoint_every=2, **fit)
    plain = bp.Population([5, 9, 3], N, seed=1)
    plain.fit(x, t, epochs=12, **fit)
    loaded = bp.Population.load(path)
    told = loaded.resume(x, t, until_epoch=12)
    assert_same_bits(loaded.parameters, plain.parameters)
    assert told.loss.shape == (N, 7)
    assert loaded.history.loss.tolist() == plain.history.loss.tolist()


CTRL_C = """
import os, signal, sys, threading, time
import numpy as np, backpropc as bp
x = np.random.default_rng(0).normal(size=(50, 8))
population = bp.Population([8, 3, 8], 300, seed=0)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
sent = time.monotonic() + 0.5
try:
    population.fit(x, x, optimizer=bp.Adam(), epochs=10**9, checkpoint=sys.argv[1], checkpoint_every=10**9)
except KeyboardInterrupt:
    print(time.monotonic() - sent)
"""


def test_ctrl_c_saves_and_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    path = str(tmp_path / "population.safetensors")
    done = subprocess.run([sys.executable, "-c", CTRL_C, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout, "it was not interrupted"
    population = bp.Population.load(path)
    epochs = {len(each.epoch) for each in population.history}
    assert max(epochs) > 0
    x = np.random.default_rng(0).normal(size=(50, 8))
    until = max(epochs) + 2
    population.resume(x, x, until_epoch=until)
    for i in (0, 150, 299):
        network = bp.Network([8, 3, 8], seed=i)
        network.fit(x, x, optimizer=bp.Adam(), epochs=until, seed=i)
        assert_same_bits(population.parameters[i], network.parameters)


def test_two_threads_cannot_train_one_population() -> None:
    x, t = data("half_squared_error", [5, 3])
    population = bp.Population([5, 9, 3], 500, seed=0)
    errors: list[str] = []

    def train() -> None:
        try:
            population.fit(x, t, optimizer=bp.SGD(0.1), epochs=300)
        except RuntimeError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=train) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) <= 1
    assert all("another thread is training it" in error for error in errors)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    population = bp.Population([5, 4, 2], 9, seed=3)
    path = tmp_path / "population.safetensors"
    x, t = data("half_squared_error", [5, 2])
    population.fit(x, t, optimizer=bp.SGD(0.1))
    population.save(path)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match=r"it holds a population: load it by backpropc\.Population\.load"):
        bp.Network.load(path)
    for changed in (
        whole[:-4],
        whole.replace(rb"\"n\":9", rb"\"n\":8"),
        whole.replace(rb"\"until\":1", rb"\"until\":x"),
    ):
        assert changed != whole
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="cannot be loaded"):
            bp.Population.load(path)


# --- errors that teach ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": None}, r"optimizer is missing; give one, as optimizer=bp\.SGD\(0\.1\)"),
        (
            {"optimizer": bp.SGD([0.1] * 6)},
            r"optimizer has 6 values; it must be one for all, or 7: one for each network",
        ),
        ({"batch_size": [1, 2]}, r"batch_size has 2 values; it must be one for all, or 7"),
        ({"batch_size": 0}, r"batch_size is 0; it must be at least 1"),
        ({"loss": "mse"}, r"loss is 'mse'; it must be one of"),
        ({"l2": [0.1] * 6}, r"l2 has 6 numbers; it must be one number, or 2: one for each layer"),
        ({"seed": [1, 2]}, r"seed has shape \(2,\); it must be one integer, or 7: one for each network"),
        ({"seed": 2**64 - 1}, r"seed is 18446744073709551615; the last network's"),
        ({"epochs": -1}, r"epochs is -1; it must be at least 0"),
        ({"until_epoch": -1}, r"until_epoch is -1; it must be at least 0"),
        ({"epochs": 1, "until_epoch": 1}, r"epochs and until_epoch are both given; give one of them"),
        ({"early_stopping": bp.EarlyStopping(monitor="val_loss")}, r"monitor is 'val_loss'; it must be one of: loss"),
        ({"early_stopping": True}, r"early_stopping is True; it must be None or a bp\.EarlyStopping"),
        ({"progress": 1}, r"progress is 1; it must be True or False"),
    ],
)
def test_what_fit_refuses(change: dict[str, Any], message: str) -> None:
    x, t = data("half_squared_error", [5, 2])
    population = bp.Population([5, 4, 2], N, seed=3)
    before = population.parameters.copy()
    with pytest.raises((TypeError, ValueError), match=message):
        population.fit(x, t, **{"optimizer": bp.SGD(0.1), **change})
    assert_same_bits(population.parameters, before)


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="n is 0; it must be at least 1"):
        bp.Population([2, 2], 0)
    with pytest.raises(
        MemoryError, match="cannot allocate 8000000000000000 bytes for the seeds of 1000000000000000 net"
    ):
        bp.Population([2, 2], 10**15)
    for index in (3, -4):
        with pytest.raises(IndexError, match=rf"index is {index}; it must be at least -3 and below 3"):
            bp.Population([2, 2], 3).history[index]
    with pytest.raises(ValueError, match=r"learning_rate\[1\] is -1\.0; it must be a finite number at least 0"):
        bp.SGD([0.1, -1.0])
    with pytest.raises(ValueError, match="optimizer has parameters of 2 networks"):
        bp.Trainer(bp.Network([2, 2]), optimizer=bp.SGD([0.1, 0.2]))
    with pytest.raises(ValueError, match="there is no run to go on with"):
        bp.Population([2, 2], 2).resume([[0, 0]], [[0, 0]])
    population = bp.Population([2, 2], 2, seed=0)
    population.parameters[1, 3] = np.nan
    with pytest.raises(ValueError, match=r"network 1: parameters\[3\] is nan"):
        population.fit([[0, 0]], [[0, 0]], optimizer=bp.SGD(0.1))
    with pytest.raises(ValueError, match=r"x has shape \(3,\)"):
        population.predict([1, 2, 3])


class Loader:
    """An iterable of batches, as loaders of data are."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return iter([(np.eye(3), np.eye(3))] * 2)

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize("n", [1, 40])
@pytest.mark.parametrize("x", [Loader(), iter(Loader()), [(np.eye(3), np.eye(3))], {"x": np.eye(3)}, np.eye(3)])
def test_batches_are_refused_with_what_to_do(x: Any, n: int) -> None:
    population = bp.Population([3, 3], n, seed=0)
    message = "a population learns from two arrays, x and t .*put the batches together, or train each network by bp.Tra"
    for train in (population.fit, population.resume):
        with pytest.raises(TypeError, match=rf"x is .*, and there is no t; {message}"):
            train(x, **({"optimizer": bp.SGD(0.1)} if train == population.fit else {}))
        if not isinstance(x, (list, np.ndarray)):
            with pytest.raises(TypeError, match=message):
                train(x, np.eye(3), **({"optimizer": bp.SGD(0.1)} if train == population.fit else {}))
        population.fit(np.eye(3), np.eye(3), optimizer=bp.SGD(0.1))  # so that there is a run to resume


def test_until_epoch_is_of_the_run() -> None:
    x, t = data("half_squared_error", [5, 2])
    population, other = (bp.Population([5, 4, 2], N, seed=3) for _ in range(2))
    for _ in range(2):  # every fit begins a run of its own, as a new Trainer does
        assert population.fit(x, t, optimizer=bp.Adam(0.01), until_epoch=3).loss.shape == (N, 3)
        other.fit(x, t, optimizer=bp.Adam(0.01), epochs=3)
    assert_same_bits(population.parameters, other.parameters)
    assert population.resume(x, t, until_epoch=5).loss.shape == (N, 2)
    assert population.resume(x, t, until_epoch=4).loss.shape == (N, 0)
    assert bp.Population([5, 2], N).fit(x, t, optimizer=bp.SGD(0.1)).loss.shape == (N, 1)


@pytest.mark.parametrize("lanes", [True, False])
@pytest.mark.parametrize("is_saved", [True, False])
def test_validation_and_metrics_may_begin_and_end_within_a_run(lanes: bool, is_saved: bool, tmp_path: Path) -> None:
    x, t = data("half_squared_error", [5, 3], n=12)
    validation: dict[str, Any] = {"validation_data": (x[:4], t[:4])}
    fits: list[dict[str, Any]] = [{}, validation, {}, {**validation, "metrics": ["r2"]}, {"metrics": ["accuracy"]}, {}]
    population = bp.Population([5, 4, 3], N if lanes else 1, seed=1)
    trainers = [bp.Trainer(population[i], optimizer=bp.Adam(0.01), seed=1 + i) for i in range(population.n)]
    population.fit(x, t, optimizer=bp.Adam(0.01), epochs=0)
    for number, fit in enumerate(fits):
        if is_saved:
            population.save(tmp_path / "population")
            population = bp.Population.load(tmp_path / "population")
        of_all = population.resume(x, t, until_epoch=2 * number + 2, **fit)
        for i, trainer in enumerate(trainers):
            own = trainer.fit(x, t, until_epoch=2 * number + 2, **fit)
            np.testing.assert_equal(of_all[i].history, own.history)
            np.testing.assert_equal(population.history[i].history, trainer.history.history)
            assert of_all[i].epoch == own.epoch
            for name, values in own.history.items():
                assert_same_bits(of_all.last(name)[i], np.float64(values[-1]))
            assert_same_bits(population.parameters[i], trainer.network.parameters)


def test_networks_that_stand_at_different_epochs_have_histories_of_their_own() -> None:
    x, t = data("half_squared_error", [5, 3], n=12)
    population = bp.Population([5, 4, 3], 3, seed=1)
    trainers = [bp.Trainer(network, optimizer=bp.SGD(0.1), seed=1 + i) for i, network in enumerate(population)]
    seen: list[int] = []

    def interrupt(state: bp.TrainingState) -> None:
        seen.append(state.epoch)
        if len(seen) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        population.fit(x, t, optimizer=bp.SGD(0.1), epochs=4, callbacks=[interrupt])
    first = [len(history.epoch) for history in population.history]
    assert first == [4, 2, 0]
    history = population.resume(x, t, until_epoch=5)
    assert history.loss.shape == (3, 5)
    for i, trainer in enumerate(trainers):
        want = trainer.fit(x, t, epochs=5).history
        assert history[i].epoch == list(range(first[i], 5))
        assert history[i].loss == want["loss"][first[i] :]
        np.testing.assert_equal(history.loss[i, len(history[i].loss) :], np.nan)
        assert_same_bits(population.parameters[i], trainer.network.parameters)


def test_progress_counts_all_networks(capsys: pytest.CaptureFixture[str]) -> None:
    x, t = data("half_squared_error", [5, 2])
    bp.Population([5, 4, 2], N, seed=3).fit(x, t, optimizer=bp.SGD(0.1), epochs=4, progress=True)
    assert "28/28" in capsys.readouterr().err


def test_an_interrupted_population_is_usable() -> None:
    """No time is asserted: that it ends at all, with everything usable."""
    x, t = data("half_squared_error", [5, 2])
    population = bp.Population([5, 4, 2], 100, seed=3)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        population.fit(x, t, optimizer=bp.SGD(0.1), epochs=10**9)
    assert np.isfinite(population.predict(x)).all()
    assert population.resume(x, t, until_epoch=0).loss.shape == (100, 0)


def test_a_part_with_metrics_may_be_trained_twice() -> None:
    """What Dask trains again has not been changed by the first time."""
    x, t = data("half_squared_error", [3, 2], n=6)
    population = bp.Population([3, 2], 2, seed=0)
    population.fit(x, t, optimizer=bp.SGD(0.1), metrics=["r2"], epochs=3)
    assert population._run is not None
    states = population._run.states
    for _ in range(2):
        part = states.part(np.arange(2))
        part.metrics[0].record(3, {"r2": 0.5})
        assert part.metrics[0].column("r2", 5)[3] == 0.5
    assert np.isnan(states.metrics[0].column("r2", 4)).tolist() == [False] * 3 + [True]
