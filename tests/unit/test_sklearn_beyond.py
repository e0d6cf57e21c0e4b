"""What scikit-learn demands of any estimator, and what ours can do beyond its own."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import unittest
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")

import joblib
import scipy.sparse
import sklearn.neural_network as theirs
import threadpoolctl
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import backpropc as bp
from backpropc.sklearn import MLPClassifier, MLPRegressor, _lbfgs

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS = load_iris(return_X_y=True)
VALUES = make_regression(n_samples=70, n_features=5, noise=1.0, random_state=0)
SEVERAL = make_regression(n_samples=70, n_features=5, n_targets=3, noise=1.0, random_state=0)
OURS: dict[str, Any] = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}


def parameters(mlp: Any) -> np.ndarray:
    return np.concatenate([np.ravel(a) for a in [*mlp.coefs_, *mlp.intercepts_]])


# --- as any estimator -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # the checks say for themselves which warnings they demand
@pytest.mark.parametrize("name", OURS)
def test_the_checks_of_estimators(name: str) -> None:
    """All of them: those that skip themselves ask for what is not installed or not claimed."""
    checks = list(estimator_checks_generator(OURS[name]()))
    assert len(checks) >= {"MLPClassifier": 67, "MLPRegressor": 60}[name]
    skipped = 0
    for estimator, check in checks:
        try:
            check(estimator)
        except unittest.SkipTest:
            skipped += 1
    assert skipped <= 2


@pytest.mark.parametrize("name", OURS)
def test_every_parameter_of_scikit_learn_is_there(name: str) -> None:
    """In its place, and with its default."""
    want = getattr(theirs, name)().get_params()
    assert want.items() <= OURS[name]().get_params().items()
    arguments = [list(cls.__init__.__code__.co_varnames) for cls in (OURS[name], getattr(theirs, name))]
    assert arguments[0][: len(want) + 1] == arguments[1][: len(want) + 1]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    "bad",
    [
        {"solver": "newton"},
        {"alpha": -1.0},
        {"hidden_layer_sizes": (3, -1)},
        {"hidden_layer_sizes": -1},
        {"batch_size": 0},
        {"learning_rate": "fast"},
        {"max_iter": -1},
        {"momentum": 2},
        {"validation_fraction": 1.0},
        {"n_iter_no_change": -1},
        {"shuffle": "yes"},
        {"early_stopping": "yes"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_the_same_words(name: str, bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be") as want:
        getattr(theirs, name)(**bad).fit(*IRIS)
    with pytest.raises(type(want.value)) as got:
        OURS[name](**bad).fit(*IRIS)
    assert sorted(str(got.value)) == sorted(str(want.value))  # sets of names come in any order


def test_grid_search_pipelines_and_cross_validation() -> None:
    pipeline = make_pipeline(StandardScaler(), MLPClassifier([8], solver="lbfgs", random_state=0))
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1.0]}, n_jobs=2, cv=3).fit(*IRIS)
    assert search.best_score_ > 0.7
    assert cross_val_score(search.best_estimator_, *IRIS, cv=3).shape == (3,)


def test_names_of_features_and_set_output() -> None:
    frame = load_iris(as_frame=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier([4], max_iter=3)).set_output(transform="pandas")
    pipeline.fit(frame.data, frame.target)
    assert list(pipeline[-1].feature_names_in_) == list(frame.data.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        pipeline[-1].predict(frame.data.rename(columns=str.upper))


def test_sample_weights_are_routed() -> None:
    with config_context(enable_metadata_routing=True):
        asks = MLPClassifier([4], max_iter=3, random_state=0)
        asks.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(asks, *IRIS, params={"sample_weight": np.ones(150)}, cv=2)
    assert found["test_score"].shape == (2,)


COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda mlp: pickle.loads(pickle.dumps(mlp)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_copies_go_on_by_themselves(copied: Callable[[Any], Any], solver: str) -> None:
    mlp = MLPClassifier([6], solver=solver, random_state=0, max_iter=3).fit(*IRIS)
    twin = copied(mlp)
    assert np.array_equal(twin.predict_proba(IRIS[0]), mlp.predict_proba(IRIS[0]))
    before = parameters(mlp).copy()
    twin.partial_fit(*IRIS)
    assert np.array_equal(parameters(mlp), before)
    assert np.array_equal(parameters(mlp.partial_fit(*IRIS)), parameters(twin))


def test_joblib_keeps_an_estimator(tmp_path: Any) -> None:
    mlp = MLPRegressor(hidden_layer_sizes=[6], random_state=0, max_iter=3).fit(*VALUES)
    joblib.dump(mlp, tmp_path / "mlp.joblib")
    assert np.array_equal(joblib.load(tmp_path / "mlp.joblib").predict(VALUES[0]), mlp.predict(VALUES[0]))


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_sparse_input_is_the_same_as_dense(solver: str, make: Any) -> None:
    x = np.where(np.random.default_rng(0).random(IRIS[0].shape) < 0.5, 0.0, IRIS[0])
    kwargs = {"solver": solver, "max_iter": 5, "random_state": 0, "batch_size": 40, "dropout": 0.2}
    dense, sparse = MLPClassifier(**kwargs).fit(x, IRIS[1]), MLPClassifier(**kwargs).fit(make(x), IRIS[1])
    assert np.array_equal(parameters(dense), parameters(sparse))
    assert np.array_equal(dense.predict_proba(x), sparse.predict_proba(make(x)))
    assert dense.loss_ == pytest.approx(sparse.loss_, rel=1e-12)


def test_float32_is_computed_in_float32() -> None:
    x, y = IRIS[0].astype(np.float32), IRIS[1]
    mlp = MLPClassifier(max_iter=3, random_state=0).fit(x, y)
    assert {a.dtype for a in [*mlp.coefs_, *mlp.intercepts_]} == {np.dtype(np.float32)}
    assert mlp.predict_proba(x).dtype == np.float32


@pytest.mark.parametrize("hidden", [(), 1, (1, 1)])
def test_the_smallest(hidden: Any) -> None:
    """No hidden layer, one unit, one sample, one feature."""
    regressor = MLPRegressor(hidden_layer_sizes=hidden, max_iter=2, random_state=0).fit([[1.0]], [2.0])
    assert regressor.predict([[1.0]]).shape == (1,)
    classifier = MLPClassifier(hidden, max_iter=2, random_state=0).fit([[1.0], [2.0]], ["a", "b"])
    assert classifier.predict([[1.0]])[0] in "ab"


# --- what the list of their issues asks for ---------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_class_weight_is_a_weight_of_samples(solver: str) -> None:
    weights = {0: 1.0, 1: 5.0, 2: 0.5}
    kwargs = {"solver": solver, "max_iter": 5, "random_state": 0}
    by_class = MLPClassifier(**kwargs, class_weight=weights).fit(*IRIS)
    by_sample = MLPClassifier(**kwargs).fit(*IRIS, sample_weight=[weights[y] for y in IRIS[1]])
    assert np.array_equal(parameters(by_class), parameters(by_sample))


def test_balanced_class_weights() -> None:
    x, y = IRIS[0][:110], IRIS[1][:110]
    balanced = MLPClassifier(max_iter=3, random_state=0, class_weight="balanced").fit(x, y)
    weights = {0: 110 / 150, 1: 110 / 150, 2: 110 / 30}
    want = MLPClassifier(max_iter=3, random_state=0, class_weight=weights).fit(x, y)
    np.testing.assert_allclose(parameters(balanced), parameters(want), rtol=1e-12)
    with pytest.raises(ValueError, match="class_weight is 'balanced', but partial_fit"):
        balanced.partial_fit(x, y)


def test_an_activation_for_each_hidden_layer() -> None:
    mlp = MLPClassifier([5, 4, 3], activation=["gelu", bp.leaky_relu(0.2), "tanh"], max_iter=2).fit(*IRIS)
    layers = [(4, 5, "gelu"), (5, 4, bp.leaky_relu(0.2)), (4, 3, "tanh"), (3, 3, "softmax")]
    net = bp.Network([bp.Dense(*layer) for layer in layers], dtype="float64")
    for layer, w, b in zip(net.layers, mlp.coefs_, mlp.intercepts_, strict=True):
        layer.w, layer.b = w, b
    assert np.array_equal(mlp.predict_proba(IRIS[0]), net.predict(IRIS[0]))
    with pytest.raises(ValueError, match="activation has 2 entries; it must be one, or 3"):
        MLPClassifier([5, 4, 3], activation=["gelu", "tanh"]).fit(*IRIS)
    with pytest.raises(ValueError, match="The 'activation' parameter of MLPClassifier must be"):
        MLPClassifier(activation="no such").fit(*IRIS)


def silu(z: np.ndarray) -> np.ndarray:
    return z / (1 + np.exp(-z))


def silu_derivative(z: np.ndarray) -> np.ndarray:
    a = silu(z)
    return a + (1 - a) / (1 + np.exp(-z))


SILU = bp.Activation(silu, silu_derivative)  # at the level of a module, where pickle finds its functions
WITH_OWN = {"one": (SILU, "silu"), "several": ([SILU, "tanh", SILU], ["silu", "tanh", "silu"])}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("activations", WITH_OWN.values(), ids=WITH_OWN)
def test_an_activation_of_ones_own(activations: tuple[Any, Any], solver: str, name: str) -> None:
    """It trains as the core's of the same formula does, and the estimator stays one."""
    own, core = activations
    x, y = IRIS[0] - IRIS[0].mean(axis=0), IRIS[1]
    given = {"hidden_layer_sizes": [5, 4, 3], "solver": solver, "max_iter": 8, "random_state": 0}
    mlp = OURS[name](**given, activation=own).fit(x, y)
    np.testing.assert_allclose(parameters(mlp), parameters(OURS[name](**given, activation=core).fit(x, y)), atol=1e-8)
    for other in (clone(mlp).fit(x, y), pickle.loads(pickle.dumps(mlp)), copy.deepcopy(mlp)):
        assert [layer.activation for layer in other.network_.layers] == [
            layer.activation for layer in mlp.network_.layers
        ]
        assert np.array_equal(parameters(other), parameters(mlp))
        assert np.array_equal(other.predict(x), mlp.predict(x))
    before = mlp.loss_
    assert mlp.set_params(warm_start=True).fit(x, y).loss_ < before
    assert OURS[name](**given, activation=own).fit(x.astype(np.float32), y).network_.layers[0].activation == SILU


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_with_an_activation_of_ones_own(solver: str, name: str) -> None:
    x, y = IRIS[0] - IRIS[0].mean(axis=0), IRIS[1]
    parts = [OURS[name](hidden_layer_sizes=[5], activation=f, solver=solver, random_state=0) for f in (SILU, "silu")]
    for mlp in parts:
        mlp.partial_fit(x, y, **({"classes": [0, 1, 2]} if name == "MLPClassifier" else {})).partial_fit(x, y, epochs=3)
        assert mlp.t_ == 4 * len(y)
    np.testing.assert_allclose(*(parameters(mlp) for mlp in parts), atol=1e-12)


def test_a_search_over_activations_of_ones_own() -> None:
    choices = ["silu", SILU, [SILU, "tanh"]]
    mlp = MLPClassifier([5, 4], epochs=20, learning_rate_init=0.02, random_state=0)
    search = GridSearchCV(mlp, {"activation": choices}, cv=2, n_jobs=2).fit(*IRIS)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[1]
    assert search.best_estimator_.activation == choices[int(scores.argmax())]


def test_lambdas_train_but_are_not_pickled() -> None:
    own = bp.Activation(lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0), name="mine")
    mlp = MLPClassifier([5], activation=own, epochs=2, random_state=0).fit(*IRIS)
    assert "Activation('mine')" in repr(mlp)
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(mlp)


@pytest.mark.parametrize("given", [silu, [silu]], ids=["one", "a list"])
def test_a_bare_function_is_no_activation(given: Any) -> None:
    with pytest.raises(TypeError, match=r"activation is .*; it must be .*bp\.Activation\(function, derivative\)"):
        MLPClassifier([5], activation=given).fit(*IRIS)


def test_dropout() -> None:
    plain, one, again, other = (
        parameters(MLPClassifier(max_iter=4, random_state=0, dropout=rate).fit(*IRIS))
        for rate in (0.0, 0.5, 0.5, [0.2])
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, plain)
    assert not np.array_equal(one, other)


def test_other_optimizers() -> None:
    mlp = MLPClassifier(optimizer=bp.Rprop(), solver="lbfgs", batch_size=150, epochs=100, random_state=0)
    assert mlp.fit(*IRIS).score(*IRIS) > 0.9
    assert mlp.partial_fit(*IRIS).n_iter_ == 1
    by_name = MLPClassifier(optimizer="RMSprop", epochs=3, random_state=0).fit(*IRIS)
    by_object = MLPClassifier(optimizer=bp.RMSprop(), epochs=3, random_state=0).fit(*IRIS)
    assert np.array_equal(parameters(by_name), parameters(by_object))


@pytest.fixture
def divided() -> tuple[Any, ...]:
    rows = np.random.default_rng(0).permutation(150)
    return IRIS[0][rows[:100]], IRIS[1][rows[:100]], IRIS[0][rows[100:]], IRIS[1][rows[100:]]


def test_early_stopping_watches_an_own_validation_set(divided: Any) -> None:
    x, y, x_val, y_val = divided
    mlp = MLPClassifier([8], early_stopping=True, max_iter=400, random_state=0, n_iter_no_change=20)
    mlp.fit(x, y, validation_data=(x_val, y_val))
    assert len(mlp.validation_scores_) == len(mlp.validation_loss_curve_) == mlp.n_iter_
    assert mlp.score(x_val, y_val) == mlp.best_validation_score_ == max(mlp.validation_scores_)


def test_the_validation_loss_is_that_of_the_predictions(divided: Any) -> None:
    x, y, x_val, y_val = divided
    plain = MLPClassifier([8], max_iter=5, random_state=0).fit(x, y)
    weight = np.arange(1.0, 51.0)
    losses = -np.log(plain.predict_proba(x_val)[np.arange(50), y_val])
    for data, want in (((x_val, y_val), losses.mean()), ((x_val, y_val, weight), np.average(losses, weights=weight))):
        watching = MLPClassifier([8], max_iter=5, random_state=0).fit(x, y, validation_data=data)
        assert np.array_equal(parameters(watching), parameters(plain))
        assert watching.validation_loss_curve_[-1] == pytest.approx(want)
    regressor = MLPRegressor(solver="lbfgs", max_iter=5).fit(*SEVERAL, validation_data=SEVERAL)
    assert len(regressor.validation_loss_curve_) == regressor.n_iter_
    want = ((regressor.predict(SEVERAL[0]) - SEVERAL[1]) ** 2).mean() / 2
    assert regressor.validation_loss_curve_[-1] == pytest.approx(want)


def test_validation_data_that_do_not_fit_are_refused(divided: Any) -> None:
    x, y, x_val, y_val = divided
    mlp = MLPClassifier([8], max_iter=5)
    with pytest.raises(ValueError, match="validation_data has the classes"):
        mlp.fit(x, y, validation_data=(x_val, y_val + 7))
    with pytest.raises(ValueError, match="50 rows of X and 49 of y"):
        mlp.fit(x, y, validation_data=(x_val, y_val[1:]))
    with pytest.raises(TypeError, match=r"validation_data must be \(X, y\)"):
        mlp.fit(x, y, validation_data=x_val)


def test_poisson_refuses_what_is_no_count() -> None:
    x, y = VALUES[0], np.abs(VALUES[1])
    regressor = MLPRegressor("poisson", [3], max_iter=2)
    with pytest.raises(ValueError, match=r"y has the value -1; with loss='poisson' all must be at least 0"):
        regressor.fit(x, np.append(y[1:], -1.0))
    assert not hasattr(regressor, "coefs_")
    with pytest.raises(ValueError, match=r"validation_data's y has the value -1"):
        regressor.fit(x, y, validation_data=(x[:2], [0.0, -1.0]))


def test_initial_weights_can_be_given() -> None:
    first = MLPClassifier([6], max_iter=1, random_state=0).fit(*IRIS)
    given = MLPClassifier([6], max_iter=1, random_state=5, shuffle=False)
    given.fit(*IRIS, coefs_init=first.coefs_, intercepts_init=first.intercepts_)
    want = MLPClassifier([6], max_iter=1, random_state=5, shuffle=False, warm_start=True).fit(*IRIS)
    want.coefs_, want.intercepts_ = [w.copy() for w in first.coefs_], [b.copy() for b in first.intercepts_]
    assert np.array_equal(parameters(given), parameters(want.fit(*IRIS)))
    with pytest.raises(ValueError, match="coefs_init has arrays of the shapes"):
        given.fit(*IRIS, coefs_init=first.coefs_[:1])


def test_a_fixed_number_of_epochs_is_no_failure_to_converge() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MLPClassifier(epochs=7, tol=10.0, n_iter_no_change=1).fit(*IRIS).n_iter_ == 7
        assert MLPClassifier(epochs=7, solver="lbfgs").fit(*IRIS).n_iter_ == 7
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(7\) reached"):
        MLPClassifier(max_iter=7).fit(*IRIS)


def test_what_was_found_enough_can_go_on() -> None:
    """scikit-learn's count of epochs without improvement outlives a fit, so that the next one ends at once."""
    mlp = MLPClassifier([8], warm_start=True, tol=0.05, random_state=0, n_iter_no_change=4).fit(*IRIS)
    assert mlp.n_iter_ < mlp.max_iter
    assert mlp.fit(*IRIS).n_iter_ >= 5


def test_many_epochs_in_one_call_are_many_calls() -> None:
    one = MLPClassifier([8], random_state=0, shuffle=False).partial_fit(*IRIS, classes=[0, 1, 2], epochs=6)
    six = MLPClassifier([8], random_state=0, shuffle=False, epochs=2, warm_start=True, keep_optimizer=True)
    for _ in range(3):
        six.fit(*IRIS)
    assert one.n_iter_ == 6
    assert np.array_equal(parameters(one), parameters(six))


def test_writing_to_coefs_changes_predictions() -> None:
    mlp = MLPRegressor(hidden_layer_sizes=[3], max_iter=2, random_state=0).fit(*VALUES)
    before = mlp.predict(VALUES[0])
    mlp.intercepts_[-1][...] += 1.0
    np.testing.assert_allclose(mlp.predict(VALUES[0]), before + 1.0)
    mlp.intercepts_ = [mlp.intercepts_[0], mlp.intercepts_[1] + 1.0]
    np.testing.assert_allclose(mlp.predict(VALUES[0]), before + 2.0)


def test_the_network_can_leave() -> None:
    mlp = MLPRegressor(hidden_layer_sizes=[3], max_iter=2, random_state=0)
    assert not hasattr(mlp, "network_")
    mlp.fit(*VALUES)
    assert np.array_equal(mlp.network_.predict(VALUES[0])[:, 0], mlp.predict(VALUES[0]))
    mlp.network_.layers[-1].b += 1.0
    assert np.array_equal(mlp.network_.predict(VALUES[0])[:, 0], mlp.predict(VALUES[0]))


def test_a_loss_that_is_not_finite_any_more() -> None:
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        MLPRegressor(activation="identity", solver="sgd", learning_rate_init=1e3).fit(*VALUES)
    stops = MLPRegressor(activation="identity", solver="sgd", learning_rate_init=1e3, early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="not finite"):
        stops.fit(*VALUES)
    assert np.isfinite(stops.predict(VALUES[0])).all()


def test_ctrl_c_reaches_the_caller_and_leaves_a_model() -> None:
    x = np.random.default_rng(0).normal(size=(2000, 50))
    y = (x[:, 0] > 0).astype(int)
    mlp = MLPClassifier([300, 300], max_iter=100_000, n_iter_no_change=np.inf, random_state=0)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        mlp.fit(x, y)
    timer.join()
    assert len(mlp.loss_curve_) == mlp.n_iter_
    assert mlp.predict(x).shape == (2000,)
    assert mlp.partial_fit(x, y).n_iter_ == 1


@pytest.mark.parametrize("iterations", [0, 2])
def test_ctrl_c_amid_a_line_search_leaves_the_last_iteration(iterations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the search has just tried parameters that may be worse than any before."""
    given = {"solver": "lbfgs", "random_state": 0}
    whole = MLPClassifier([6], **given, epochs=max(iterations, 1)).fit(*IRIS)
    mlp = MLPClassifier([6], **given)
    evaluate, to_come = _lbfgs.loss_and_gradient, 1 if iterations else 2  # the very first belongs to no iteration

    def interrupted(*arguments: Any) -> Any:
        nonlocal to_come
        found = evaluate(*arguments)
        to_come -= mlp.n_iter_ == iterations
        if to_come == 0:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(_lbfgs, "loss_and_gradient", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mlp.fit(*IRIS)
    first = _lbfgs.pack(mlp.network_, mlp.network_.parameters)
    assert mlp.n_iter_ == iterations
    if iterations:
        assert np.array_equal(first, _lbfgs.pack(whole.network_, whole.network_.parameters))
    else:
        begun = MLPClassifier([6], random_state=0, solver="sgd", learning_rate_init=1e-300, epochs=1).fit(*IRIS)
        np.testing.assert_array_equal(first, _lbfgs.pack(begun.network_, begun.network_.parameters))


def test_progress_is_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    MLPClassifier(epochs=3, progress=True, random_state=0).fit(*IRIS, validation_data=IRIS)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err
    assert "val_loss" in shown.err


class Recorder:
    """A callback of scikit-learn's protocol."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.begun, self.stop_after = 0, stop_after
        self.scores: list[float] = []
        self.events: list[str] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.events.append("setup")

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.begun += 1

    def on_fit_task_end(self, estimator: Any, context: Any, *, X: Any, y: Any, fitted_estimator: Any) -> bool:
        if context.task_name != "iteration":
            return False
        self.scores.append(fitted_estimator.score(X, y))
        return len(self.scores) >= self.stop_after

    def teardown(self, estimator: Any, context: Any) -> None:
        self.events.append("teardown")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_of_scikit_learn(solver: str) -> None:
    recorder = Recorder(stop_after=6)
    mlp = MLPClassifier([6], solver=solver, random_state=0).set_callbacks(recorder).fit(*IRIS)
    assert recorder.events == ["setup", "teardown"]
    assert mlp.n_iter_ == len(recorder.scores) == 6
    assert recorder.scores[-1] == mlp.score(*IRIS)
    assert recorder.begun == 7  # of the fit and of its iterations


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three_threads() -> Iterator[None]:
    with bp.num_threads(3):
        yield


@pytest.mark.usefixtures("three_threads")
def test_threadpoolctl_governs_the_pool() -> None:
    with threadpoolctl.threadpool_limits(limits=1):
        assert bp.get_num_threads() == 1
    assert bp.get_num_threads() == 3
    with threadpoolctl.threadpool_limits(limits=2, user_api="backpropc"):
        assert bp.get_num_threads() == 2
    (ours,) = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "backpropc"]
    assert (ours["num_threads"], ours["version"]) == (3, bp.__version__)


@pytest.mark.usefixtures("three_threads")
def test_an_estimator_has_its_own_number_of_threads() -> None:
    seen: list[int] = []

    class Looks(Recorder):
        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
            seen.append(bp.get_num_threads())

    one = MLPClassifier([4], epochs=2, n_threads=1, random_state=0).set_callbacks(Looks()).fit(*IRIS)
    two = MLPClassifier([4], epochs=2, n_threads=2, random_state=0).fit(*IRIS)
    assert set(seen) == {1}
    assert bp.get_num_threads() == 3
    assert np.array_equal(parameters(one), parameters(two))


def test_workers_of_joblib_do_not_oversubscribe() -> None:
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        assert joblib.Parallel()(joblib.delayed(bp.get_num_threads)() for _ in range(2)) == [1, 1]


@pytest.mark.parametrize(("value", "want"), [("1", 1), ("1,4", 1), ("", None), ("many", None), ("0", None)])
def test_the_pool_honours_omp_num_threads(value: str, want: int | None) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", "import backpropc as bp; print(bp.get_num_threads())"]
    default, given = (
        int(subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=True).stdout)
        for more in ({}, {"OMP_NUM_THREADS": value})
    )
    assert given == (default if want is None else want)


def test_without_scikit_learn_the_message_says_what_to_install() -> None:
    code = "import sys; sys.modules['sklearn'] = None\nimport backpropc.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'backpropc[sklearn]'" in done.stderr


@pytest.mark.parametrize("optimizer", ["LBFGS", "LevenbergMarquardt"])
def test_methods_of_whole_batches_are_refused(optimizer: str) -> None:
    x, y = np.arange(8.0)[:, None], np.arange(8) % 2
    with pytest.raises(ValueError, match=f"optimizer is {optimizer}.*batches"):
        MLPClassifier([3], optimizer=optimizer).fit(x, y)


@pytest.mark.parametrize("epochs", [np.nan, np.inf, 0.5, "1"])
def test_partial_fit_takes_whole_epochs(epochs: object) -> None:
    """Of one that is not a number there would be no last one."""
    x = np.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(TypeError, match=r"epochs is .*; it must be an integer"):
        MLPRegressor(random_state=0).partial_fit(x, x[:, 0], epochs=epochs)


def test_no_epochs_of_partial_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="epochs is 0; it must be at least 1"):
        MLPClassifier((3,)).partial_fit(*IRIS, classes=[0, 1, 2], epochs=0)
