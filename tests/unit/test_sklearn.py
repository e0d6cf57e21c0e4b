"""The estimators beside scikit-learn's, to 1e-8; what scikit-learn demands of any; and what ours can do beyond."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")

import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_multilabel_classification, make_regression

from backpropc.sklearn import MLPClassifier, MLPRegressor

AGREEMENT = 1e-8  # what is promised of ten epochs in float64
STOPS_EARLY = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
pytestmark = STOPS_EARLY

IRIS = load_iris(return_X_y=True)
TWO = IRIS[0][:100], IRIS[1][:100]
LABELS = make_multilabel_classification(n_samples=70, n_classes=4, random_state=0)
VALUES = make_regression(n_samples=70, n_features=5, noise=1.0, random_state=0)
SEVERAL = make_regression(n_samples=70, n_features=5, n_targets=3, noise=1.0, random_state=0)
COUNTS = VALUES[0], np.random.default_rng(0).poisson(2.0, 70).astype(float)
MORE_COUNTS = VALUES[0], np.random.default_rng(0).poisson(2.0, (70, 3)).astype(float)
TASKS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "classes": ("MLPClassifier", {}, IRIS),
    "two classes": ("MLPClassifier", {}, TWO),
    "labels": ("MLPClassifier", {}, LABELS),
    "values": ("MLPRegressor", {}, (VALUES[0], VALUES[1] / 100)),
    "several values": ("MLPRegressor", {}, (SEVERAL[0], SEVERAL[1] / 100)),
    "counts": ("MLPRegressor", {"loss": "poisson"}, COUNTS),
    "several counts": ("MLPRegressor", {"loss": "poisson"}, MORE_COUNTS),
}
OURS = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}


def pair(name: str, **kwargs: Any) -> tuple[Any, Any]:
    return OURS[name](**kwargs), getattr(theirs, name)(**kwargs)


def parameters(mlp: Any) -> np.ndarray:
    return np.concatenate([np.ravel(a) for a in [*mlp.coefs_, *mlp.intercepts_]])


def assert_agree(ours: Any, their: Any) -> None:
    assert np.abs(parameters(ours) - parameters(their)).max() <= AGREEMENT * max(1.0, np.abs(parameters(their)).max())
    assert (ours.n_iter_, ours.t_, ours.n_layers_, ours.n_outputs_) == (
        their.n_iter_,
        their.t_,
        their.n_layers_,
        their.n_outputs_,
    )
    assert ours.out_activation_ == their.out_activation_
    for name in ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_", "loss_"):
        want = getattr(their, name, None)
        got = getattr(ours, name, None)
        assert (got is None) == (want is None), name
        if want is not None:
            np.testing.assert_allclose(got, want, rtol=AGREEMENT, atol=AGREEMENT, err_msg=name)


SOLVERS: dict[str, dict[str, Any]] = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "sgd without momentum": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05},
    "sgd, the old momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.01},
    "sgd, momentum 1": {"solver": "sgd", "momentum": 1.0, "learning_rate_init": 1e-4},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1, "power_t": 0.3},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.01,
        "n_iter_no_change": 1,
        "tol": 0.5,
    },
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
    "lbfgs": {"solver": "lbfgs"},
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("task", TASKS)
def test_ten_epochs_agree_with_scikit_learn(task: str, solver: str) -> None:
    """From the same initial weights, without shuffling, and with batches the last of which is smaller."""
    name, own, (x, y) = TASKS[task]
    kwargs = {"hidden_layer_sizes": (7, 4), "activation": "tanh", "alpha": 0.1, "max_iter": 10, "batch_size": 16}
    ours, their = pair(name, **kwargs, shuffle=False, random_state=1, **own, **SOLVERS[solver])
    assert_agree(ours.fit(x, y), their.fit(x, y))
    np.testing.assert_allclose(ours.predict(x), their.predict(x), rtol=AGREEMENT, atol=AGREEMENT)


UNSCALED = {"classes": load_wine(return_X_y=True), "two classes": load_breast_cancer(return_X_y=True)}
UNSCALED["labels"] = (50.0 * LABELS[0], LABELS[1])


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("task", UNSCALED)
def test_lbfgs_agrees_where_probabilities_are_clipped(task: str, activation: str, weighted: bool) -> None:
    """z is in the hundreds: scikit-learn's E of a sample ends at -ln eps, by which the line search goes."""
    x, y = UNSCALED[task]
    weight = np.random.default_rng(1).integers(0, 4, len(x)).astype(float) if weighted else None
    kwargs = {"hidden_layer_sizes": (16,), "activation": activation, "max_iter": 10, "random_state": 1}
    ours, their = pair("MLPClassifier", solver="lbfgs", **kwargs)
    assert_agree(ours.fit(x, y, sample_weight=weight), their.fit(x, y, sample_weight=weight))


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_the_seed_of_scikit_learn_gives_its_run(activation: str, solver: str) -> None:
    """The same initial weights and orders, and with early stopping the same samples are held out."""
    kwargs = {"activation": activation, "solver": solver, "hidden_layer_sizes": 9, "max_iter": 10, "random_state": 3}
    for more in ({}, {"early_stopping": True}, {"random_state": np.random.RandomState(3)}):
        ours, their = (clone(mlp) for mlp in pair("MLPClassifier", **{**kwargs, **more}))
        assert_agree(ours.fit(*IRIS), their.fit(*IRIS))


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_sample_weights_agree(solver: str) -> None:
    weight = np.random.default_rng(0).uniform(0.1, 3.0, 150)
    for more in ({}, {"early_stopping": True}):
        ours, their = pair("MLPClassifier", solver=solver, max_iter=10, random_state=0, alpha=1.0, **more)
        assert_agree(ours.fit(*IRIS, sample_weight=weight), their.fit(*IRIS, sample_weight=weight))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_and_warm_start_agree(solver: str) -> None:
    ours, their = pair("MLPClassifier", solver=solver, random_state=0, max_iter=4)
    for part in np.array_split(np.random.default_rng(0).permutation(150), 4):
        for mlp in (ours, their):
            mlp.partial_fit(IRIS[0][part], IRIS[1][part], classes=[0, 1, 2])
        assert_agree(ours, their)
    ours, their = pair("MLPClassifier", solver=solver, random_state=0, max_iter=4, warm_start=True)
    for _ in range(3):
        assert_agree(ours.fit(*IRIS), their.fit(*IRIS))


def test_a_run_ends_where_scikit_learns_ends() -> None:
    for more in ({"tol": 0.01}, {"early_stopping": True}, {"solver": "lbfgs", "max_iter": 1000}):
        ours, their = pair("MLPClassifier", **{"hidden_layer_sizes": 10, "max_iter": 400, "random_state": 0, **more})
        ours.fit(*IRIS), their.fit(*IRIS)
        assert ours.n_iter_ == their.n_iter_ < ours.max_iter
