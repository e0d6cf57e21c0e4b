"""`search`: what it tries, what it returns, and that every fold is the one that Trainer gives alone."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import _members
from helpers import assert_same_bits

SIZES = [3, 5, 2]
NETWORK = {"activation": "tanh", "output_activation": "softmax", "loss": "softmax_cross_entropy"}


@pytest.fixture(autouse=True)
def lanes_from_two_networks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_members, "least_networks", lambda shape: 2)


def data(n: int = 43) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(2).normal(size=(n, 3))
    return x, (x[:, 0] * x[:, 1] > 0.2).astype(np.int64)


def trained_alone(
    settings: dict[str, Any], fold: int, found: bp.SearchResult, **of_fit: Any
) -> tuple[bp.Trainer, np.ndarray, np.ndarray]:
    """Return a Trainer with a candidate's settings that has run on a fold, and what was held out."""
    x, t = data()
    own, seed = dict(settings), found.seed + fold
    numbers = {name: own.pop(name) for name in ("learning_rate", "momentum") if name in own}
    optimizer = own.pop("optimizer", "Adam")
    optimizer = getattr(bp, optimizer)(**numbers) if isinstance(optimizer, str) else optimizer
    hidden = own.pop("hidden", [5])
    sizes = [SIZES[0], *(hidden if isinstance(hidden, list) else [hidden]), SIZES[2]]
    network = bp.Network(sizes, own.pop("activation"), own.pop("output_activation"), seed=seed)
    epochs = own.pop("epochs")
    trainer = bp.Trainer(network, optimizer=optimizer, seed=seed, **own)
    training, held_out = found.folds[fold]
    trainer.fit(x[training], t[training], epochs, validation_data=(x[held_out], t[held_out]), **of_fit)
    return trainer, x[held_out], t[held_out]


SPACES: list[dict[str, Any]] = [
    {"space": {"learning_rate": [0.01, 0.1], "hidden": [4, [6, 3]], "batch_size": [1, 8]}},
    {"space": {"optimizer": ["Adam", bp.SGD(0.1, 0.9), bp.Rprop()], "l2": [0.0, 0.01]}, "cv": 3},
    {
        "space": {"activation": ["relu", "tanh"], "dropout": [0.0, 0.3], "epochs": [2, 5]},
        "scoring": "accuracy",
        "cv": 2,
    },
    {"space": {"learning_rate": bp.log_uniform(1e-3, 1.0), "hidden": [2, 5]}, "n": 7, "optimizer": "SGD"},
    {"space": {"learning_rate": [0.05, 0.5]}, "early_stopping": bp.EarlyStopping(patience=1), "optimizer": "SGD"},
]


@pytest.mark.parametrize("given", SPACES, ids=str)
def test_every_fold_is_the_one_trained_alone(given: dict[str, Any]) -> None:
    x, t = data()
    fixed = {k: v for k, v in {**NETWORK, "epochs": 6}.items() if k not in given["space"]}
    found = bp.search(SIZES, x=x, t=t, seed=11, **given, **fixed)
    fixed |= {k: given[k] for k in ("optimizer",) if k in given}
    of_fit = {k: given[k] for k in ("early_stopping",) if k in given}
    for place, row in enumerate(found.table):
        settings = {**fixed, **{name: row[name] for name in given["space"]}}
        for fold, score in enumerate(row["fold_scores"]):
            trainer, xv, tv = trained_alone(settings, fold, found, **of_fit)
            expected = trainer.network.loss(xv, tv, NETWORK["loss"])
            if "scoring" in given:
                expected = float(np.mean(trainer.network.predict(xv).argmax(axis=1) == tv))
            assert score == expected
            if place == 0:
                assert_same_bits(found.best_folds_.parameters[fold], trainer.network.parameters)
    scores = [row["score"] for row in found.table]
    assert scores == sorted(scores, reverse="scoring" in given)
    assert found.best_score_ == scores[0] == np.mean(found.table[0]["fold_scores"])


def test_the_refit_has_learned_from_all_samples() -> None:
    x, t = data()
    found = bp.search(SIZES, {"learning_rate": [0.3, 0.01]}, x, t, optimizer="SGD", epochs=5, seed=3, **NETWORK)
    network = bp.Network(SIZES, "tanh", "softmax", seed=3)
    history = network.fit(
        x, t, NETWORK["loss"], bp.SGD(found.best_params_["learning_rate"]), epochs=5, seed=3, batch_size=32
    )
    assert found.best_ is not None
    assert_same_bits(found.best_.parameters, network.parameters)
    assert found.best_history_ is not None
    assert found.best_history_.loss == history.loss
    assert bp.search(SIZES, {"l2": [0.0]}, x, t, epochs=1, refit=False, **NETWORK).best_ is None


def test_the_refit_after_early_stopping_takes_the_mean_of_the_best_epochs() -> None:
    x, t = data()
    rule = bp.EarlyStopping(patience=2)
    found = bp.search(
        SIZES, {"learning_rate": [3.0]}, x, t, optimizer="SGD", epochs=40, batch_size=1, early_stopping=rule, **NETWORK
    )
    best = []
    for fold in range(5):
        settings = {**NETWORK, "learning_rate": 3.0, "epochs": 40, "optimizer": "SGD", "batch_size": 1}
        trainer, *_ = trained_alone(settings, fold, found, early_stopping=rule)
        best.append(int(np.argmin(trainer.history.val_loss)) + 1)
    assert found.best_history_ is not None
    assert len(found.best_history_.epoch) == max(1, round(float(np.mean(best))))


def test_the_same_seed_finds_the_same() -> None:
    x, t = data()
    space = {"learning_rate": bp.log_uniform(1e-3, 1.0), "momentum": [0.0, 0.9]}
    found = [bp.search(SIZES, space, x, t, n=5, optimizer="SGD", epochs=2, seed=s, **NETWORK) for s in (1, 1, 2)]
    tables = [[{k: v for k, v in row.items() if k != "seconds"} for row in each.table] for each in found]
    assert tables[0] == tables[1] != tables[2]


def test_folds_hold_every_sample_once_and_their_share_of_each_class() -> None:
    x, t = data()
    found = bp.search(SIZES, {"l2": [0.0]}, x, t, epochs=1, cv=4, **NETWORK)
    assert np.array_equal(np.sort(np.concatenate([held for _, held in found.folds])), np.arange(len(x)))
    for training, held_out in found.folds:
        assert np.array_equal(np.sort(np.concatenate([training, held_out])), np.arange(len(x)))
    for c in (0, 1):
        counts = [int((t[held] == c).sum()) for _, held in found.folds]
        assert max(counts) - min(counts) <= 1


def test_folds_may_be_given() -> None:
    x, t = data()
    pairs = [(np.arange(30), np.arange(30, 43)), (np.arange(13, 43), np.arange(13))]

    class Splitter:
        def split(self, x: Any, t: Any) -> Any:
            return iter(pairs)

    masks = [(np.arange(43) < 30, np.arange(43) >= 30), (np.arange(43) >= 13, np.arange(43) < 13)]
    tables = []
    for cv in (pairs, Splitter(), masks):
        found = bp.search(SIZES, {"learning_rate": [0.1, 0.01]}, x, t, cv=cv, epochs=2, **NETWORK)
        tables.append([row["fold_scores"] for row in found.table])
    assert tables[0] == tables[1] == tables[2]


def test_spaces_in_a_list_and_draws_without_repetition() -> None:
    x, t = data()
    spaces = [
        {"optimizer": ["SGD"], "learning_rate": [0.1, 0.2], "momentum": [0.0, 0.9]},
        {"optimizer": ["Adam"], "learning_rate": [0.01, 0.02]},
    ]
    whole = bp.search(SIZES, spaces, x, t, epochs=1, refit=False, **NETWORK)
    drawn = bp.search(SIZES, spaces, x, t, n=6, epochs=1, refit=False, **NETWORK)
    keys = ("optimizer", "learning_rate", "momentum")
    tried = [{tuple(row.get(key) for key in keys) for row in each.table} for each in (whole, drawn)]
    assert len(whole.table) == 6
    assert tried[0] == tried[1]


def test_what_diverged_comes_last() -> None:
    x, t = data()
    settings = {"optimizer": "SGD", "epochs": 3, "activation": "identity", "batch_size": 1}
    target = np.stack([t, 1 - t], axis=1)
    found = bp.search(SIZES, {"learning_rate": [1e3, 0.01, 1e4]}, x, target, **settings)
    assert [row["rank"] for row in found.table] == [1, 2, 3]
    assert found.best_params_ == {"learning_rate": 0.01}
    assert [row["diverged"] for row in found.table] == [0, 5, 5]
    assert np.isnan(found.table[1]["score"])
    with pytest.raises(RuntimeError, match="all 1 candidates diverged"):
        bp.search(SIZES, {"learning_rate": [1e4]}, x, target, **settings)


def test_how_it_shows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    x, t = data()
    space = {"learning_rate": list(np.geomspace(0.01, 0.1, 12)), "hidden": [4]}
    found = bp.search(SIZES, space, x, t, scoring="accuracy", epochs=1, **NETWORK)
    lines = repr(found).splitlines()
    assert lines[0].startswith("12 candidates, 5 folds, accuracy (more is better), ")
    assert lines[0].endswith("the 10 best:")
    assert lines[1].split() == [
        *("rank", "learning_rate", "hidden", "score", "score_std"),
        *("val_loss", "train_loss", "epochs_trained", "diverged", "seconds"),
    ]
    assert len(lines) == 13
    assert "<table>" in found._repr_html_()
    frame = found.to_dataframe()
    assert list(frame.columns[-5:]) == [f"fold_{f}_score" for f in range(5)]
    assert frame.shape == (12, 15)
    assert frame["score"].tolist() == [row["score"] for row in found.table]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="to_dataframe needs pandas: pip install pandas"):
        found.to_dataframe()


def test_distributions_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    x, t = data()
    space = {"learning_rate": stats.loguniform(1e-3, 1e-1), "hidden": stats.randint(2, 6)}
    found = bp.search(SIZES, space, x, t, n=6, epochs=1, refit=False, **NETWORK)
    assert all(1e-3 <= row["learning_rate"] <= 1e-1 and 2 <= row["hidden"] < 6 for row in found.table)
    assert all(type(row["hidden"]) is int for row in found.table)


def test_log_uniform_is_uniform_in_the_logarithm() -> None:
    drawn = np.log10(bp.log_uniform(1e-4, 1.0).rvs(4000, random_state=0))
    counts, _ = np.histogram(drawn, 4, (-4.0, 0.0))
    assert counts.sum() == 4000
    assert abs(counts - 1000).max() < 5 * np.sqrt(750)  # five standard deviations of a binomial


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {"learning_rat": [1]}}, r"space names 'learning_rat', which is no hyperparameter; did you mean lea"),
        ({"space": {"colour": [1]}}, r"'colour', which is no hyperparameter; the hyperparameters are: hidden, "),
        ({"optimiser": "SGD"}, r"search names 'optimiser', which is no hyperparameter; did you mean optimizer\?"),
        ({"space": {"l2": 0.1}}, r"space: l2 is 0\.1; it must be a list of values, or a distribution"),
        ({"space": {"activation": "tanh"}}, r"space: activation is 'tanh'; it must be a list of values"),
        ({"space": {"l2": bp.uniform(0, 1)}}, r"space: l2 is uniform\(.*\), an initializer of weights; it must be"),
        ({"space": {"l2": []}}, r"space: l2 is empty; it must have at least one value"),
        ({"space": {"l2": bp.log_uniform(1e-3, 1.0)}}, r"space: l2 is a distribution, so n must say how many"),
        ({"space": {"l2": [0.0], "epochs": [1]}}, r"epochs is an argument and in space; give it once"),
        ({"space": {"l2": [0.0, 0.1]}, "n": 3}, r"n is 3, but the lists have 2 combinations; n=None tries them all"),
        ({"space": {"rho": [0.5]}}, r"rho is no parameter of Adam, whose are: learning_rate, beta1, beta2"),
        ({"space": {"batch_size": [4, 0]}}, r"batch_size is 0; it must be at least 1"),
        ({"space": {"hidden": [3, 0]}}, r"layers\[1\] is 0; it must be at least 1"),
        ({"space": 3}, r"space is 3; it must be a dict of hyperparameters, or a list of such dicts"),
        ({"cv": 1}, r"cv is 1; it must be at least 2"),
        ({"cv": 99}, r"cv is 99; with 43 samples it must be at most 43"),
        ({"cv": "kfold"}, r"cv is 'kfold'"),  # it has a method split, too
        ({"cv": re.compile("x")}, r"cv is re.compile\('x'\), whose split\(x, t\) fails: "),
        ({"cv": np.array(2.0)}, r"cv is array\(2\.\); it must be a sequence of pairs"),
        ({"cv": memoryview(np.eye(2))}, r"cv is <memory.*; it must be a sequence of pairs"),
        ({"cv": []}, r"cv has no folds; it must have at least one"),
        ({"cv": [5]}, r"cv\[0\] is 5; it must be a pair of the rows"),
        ({"cv": [([0], [43])]}, r"cv\[0\]\[1\]\[0\] is 43; with 43 samples it must be 0 to 42"),
        ({"scoring": "acuracy"}, r"scoring is 'acuracy'; it must be a callable of \(t, a\), or one of: accuracy"),
        ({"scoring": 3}, r"scoring is 3; it must be None, a metric's name or a function of \(t, a\)"),
        ({"epochs": 0}, r"epochs is 0; it must be at least 1"),
        ({"refit": 1}, r"refit is 1; it must be True or False"),
        ({"client": 3}, r"client is 3; it must be None or a dask\.distributed\.Client"),
        ({"x": np.zeros((43, 2))}, r"x has shape \(43, 2\); it must be \(n, 3\)"),
    ],
)
def test_what_search_refuses(change: dict[str, Any], message: str) -> None:
    x, t = data()
    given = {"sizes": SIZES, "space": {"l2": [0.0]}, "x": x, "t": t, "epochs": 1, **NETWORK, **change}
    if isinstance(given["space"], dict):
        given = {k: v for k, v in given.items() if k not in given["space"] or k in ("epochs", *change)}
    with pytest.raises((TypeError, ValueError), match=message):
        bp.search(**given)


def test_losses_cannot_be_compared_with_each_other() -> None:
    x, t = data()
    target = np.stack([t, 1 - t], axis=1)
    space = {"loss": ["half_squared_error", "binary_cross_entropy"]}
    with pytest.raises(ValueError, match="scoring is None, the loss, but the candidates have several"):
        bp.search(SIZES, space, x, target, epochs=1)
    found = bp.search(SIZES, space, x, target, epochs=1, scoring="accuracy", refit=False)
    assert len(found.table) == 2
