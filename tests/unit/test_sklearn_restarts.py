"""`n_restarts` of the estimators: the best of several seeds, trained side by side or one after another."""

from __future__ import annotations

import pickle
import signal
import unittest
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")

import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

import backpropc as bp
from backpropc.sklearn import MLPClassifier, MLPRegressor, _lanes, _restarts

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS = load_iris(return_X_y=True)
X, Y = IRIS
VALUES, TARGETS = make_regression(n_samples=70, n_features=5, n_targets=3, noise=1.0, random_state=0)
SEVERAL = VALUES, TARGETS / 50
TWO = X[:100], Y[:100]
HELD_OUT = {"validation_data": (X[::3] + 0.1, Y[::3])}


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ways in which fits took their restarts, one after the other."""
    taken: list[str] = []

    def noting(name: str, function: Any) -> Any:
        def call(self: Any, *arguments: Any) -> Any:
            taken.append(name)
            return function(self, *arguments)

        return call

    for name in ("_train_in_lanes", "_train_one_by_one"):
        monkeypatch.setattr(_restarts.Restarts, name, noting(name, getattr(_restarts.Restarts, name)))
    return taken


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_restarts, "can_share_lanes", lambda *_: False)


def assert_same(one: Any, other: Any) -> None:
    """Every attribute, every random number to come, and the optimizer's state."""
    apart = {"_network", "_optimizer", "_random_state", "_label_binarizer"}
    assert vars(one).keys() == vars(other).keys()
    for name in vars(one).keys() - apart:
        np.testing.assert_equal(vars(one)[name], vars(other)[name], err_msg=name)
    np.testing.assert_array_equal(one.network_.parameters, other.network_.parameters)
    np.testing.assert_equal(one._random_state.get_state(), other._random_state.get_state())
    states = [mlp._optimizer.__getstate__() for mlp in (one, other) if hasattr(mlp, "_optimizer")]
    for name in ("_step_count", "_state", "_rate") if states else ():
        np.testing.assert_array_equal(states[0][name], states[1][name])


def kept(mlp: Any) -> dict[str, Any]:
    """What the estimator has of the restart that it kept."""
    names = ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_", "n_iter_", "t_")
    found = {name: getattr(mlp, name, None) for name in names}
    return {**found, "parameters": mlp.network_.parameters.copy()}


# --- one way and the other --------------------------------------------------------------------------------------------

SETTINGS: dict[str, dict[str, Any]] = {
    "a batch": {},
    "batches": {"alpha": 0.0, "batch_size": 16},
    "early stopping": {"early_stopping": True},
    "in order, with dropout": {"alpha": 0.0, "batch_size": 7, "shuffle": False, "dropout": 0.2, "early_stopping": True},
    "online": {"alpha": 0.0, "batch_size": 1, "momentum": 0.0, "tol": 0.01},
    "rates that fall": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "learning_rate_init": 0.1},
    "rates that fall each epoch": {"solver": "sgd", "learning_rate": "invscaling", "alpha": 0.0, "batch_size": 50},
    "an optimizer": {"optimizer": bp.Rprop(), "alpha": 0.0, "epochs": 12},
    "one that remembers the loss": {"optimizer": bp.Rprop(), "alpha": 0.0, "batch_size": 7, "early_stopping": True},
    "layers": {"hidden_layer_sizes": (4, 5), "activation": ["tanh", "logistic"], "alpha": 1.0, "tol": 0.01},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("data", [IRIS, TWO, SEVERAL], ids=["classes", "two classes", "values"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_lanes_give_the_bits_of_one_after_another(
    settings: dict[str, Any], data: Any, dtype: Any, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = MLPRegressor if data is SEVERAL else MLPClassifier
    given = {"hidden_layer_sizes": (6,), "solver": "sgd", "learning_rate_init": 0.02, "max_iter": 15} | settings
    made = cls(**given, n_iter_no_change=2, n_restarts=9, random_state=3)
    x, y = data[0].astype(dtype), data[1]
    in_lanes = clone(made).fit(x, y)
    one_by_one(monkeypatch)
    alone = clone(made).fit(x, y)
    assert ways == ["_train_in_lanes", "_train_one_by_one"]
    assert_same(in_lanes, alone)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_restarts_that_diverge_beside_others(
    early_stopping: bool, ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are as if they had not; with early stopping they too have a best epoch."""
    made = MLPRegressor(hidden_layer_sizes=(6,), solver="sgd", learning_rate_init=0.8, momentum=0.0, epochs=12)
    made.set_params(random_state=0, n_restarts=12, early_stopping=early_stopping)
    x, y = SEVERAL[0].astype(np.float32), SEVERAL[1]
    message = r"of 12 restarts ended with a loss that is not finite: restart_losses_ tells which"
    with nullcontext() if early_stopping else pytest.warns(ConvergenceWarning, match=message):
        in_lanes = clone(made).fit(x, y)
    one_by_one(monkeypatch)
    alone = clone(made).fit(x, y)
    assert ways == ["_train_in_lanes", "_train_one_by_one"]
    assert_same(in_lanes, alone)
    diverged = np.isnan(in_lanes.restart_losses_)
    assert 0 < diverged.sum() < 12
    if early_stopping:
        assert np.isfinite(in_lanes.restart_scores_).sum() > 12 - diverged.sum()
    else:
        assert in_lanes.best_restart_ == np.nanargmin(in_lanes.restart_losses_)


@pytest.mark.parametrize("lanes", [True, False])
def test_all_fail(lanes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not lanes:
        one_by_one(monkeypatch)
    made = MLPRegressor(hidden_layer_sizes=(6,), solver="sgd", learning_rate_init=1e30, n_restarts=6, random_state=0)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights") as caught:
        made.fit(*SEVERAL)
    assert isinstance(caught.value.__cause__, FloatingPointError)


# --- what a restart is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("watched", [False, True])
def test_restart_i_is_the_estimator_with_seed_plus_i(solver: str, watched: bool) -> None:
    made = MLPClassifier((5,), solver=solver, learning_rate_init=0.01, max_iter=12, early_stopping=watched)
    given = HELD_OUT if watched else {}
    several = clone(made).set_params(n_restarts=6, random_state=4).fit(X, Y, **given)
    alone = [clone(made).set_params(random_state=4 + i).fit(X, Y, **given) for i in range(6)]
    np.testing.assert_array_equal(several.restart_losses_, [mlp.loss_ for mlp in alone])
    np.testing.assert_equal(kept(several), kept(alone[several.best_restart_]))
    if watched:
        at = -1 if solver == "lbfgs" else None  # which early stopping does not stop
        scores = [mlp.validation_scores_[at] if at else mlp.best_validation_score_ for mlp in alone]
        np.testing.assert_array_equal(several.restart_scores_, scores)
    else:
        assert several.restart_scores_ is None


def test_one_restart_is_a_fit_as_ever() -> None:
    made = MLPClassifier((5,), epochs=5, random_state=4)
    one = clone(made).set_params(n_restarts=1).fit(X, Y)
    assert_same(one, clone(made).fit(X, Y))
    assert one.best_restart_ == 0
    assert one.restart_losses_.tolist() == [one.loss_]
    assert one.restart_scores_ is None


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_first_is_that_of_one_restart_whatever_the_random_state(solver: str) -> None:
    for random_state in (0, 2**32 - 2, np.random.RandomState(5), None):
        losses = []
        for n in (1, 6):
            if random_state is None:
                np.random.seed(7)  # noqa: NPY002 - it is where None takes its numbers from
            given = pickle.loads(pickle.dumps(random_state))
            made = MLPClassifier((5,), solver=solver, max_iter=5, random_state=given, n_restarts=n, early_stopping=True)
            losses.append(made.fit(X, Y).restart_losses_)
        assert losses[0][0] == losses[1][0]
        assert len(set(losses[1])) == 6  # each from a seed of its own


def test_a_random_state_goes_on_as_with_one_restart() -> None:
    states = [np.random.RandomState(3) for _ in range(2)]
    for state, n in zip(states, (1, 7), strict=True):
        MLPClassifier((5,), epochs=3, random_state=state, n_restarts=n).fit(X, Y)
    np.testing.assert_equal(states[0].get_state(), states[1].get_state())


def test_restarts_are_held_to_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share that early stopping holds out is the first's, whatever the seed of the restart."""
    shares: list[Any] = []
    score_on = MLPClassifier._score_on

    def noting(self: Any, held_out: Any) -> float:
        shares.append(held_out.samples.x)
        return score_on(self, held_out)

    monkeypatch.setattr(MLPClassifier, "_score_on", noting)
    several = MLPClassifier((5,), epochs=4, early_stopping=True, random_state=0, n_restarts=6).fit(X, Y)
    of_several = list(shares)
    shares.clear()
    one = MLPClassifier((5,), epochs=4, early_stopping=True, random_state=0).fit(X, Y)
    assert several.restart_scores_[0] == one.best_validation_score_
    assert len(of_several) == 6 * 4
    for share in of_several:
        np.testing.assert_array_equal(share, shares[0])


# --- which is the best ------------------------------------------------------------------------------------------------


def test_the_least_training_loss() -> None:
    mlp = MLPRegressor(hidden_layer_sizes=(4,), epochs=20, random_state=1, n_restarts=8, learning_rate_init=0.02).fit(
        *SEVERAL
    )
    assert mlp.best_restart_ == mlp.restart_losses_.argmin() > 0
    assert mlp.loss_ == mlp.loss_curve_[-1] == mlp.restart_losses_.min()
    assert mlp.n_iter_ == 20


@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_largest_validation_score(early_stopping: bool) -> None:
    """Of the last epoch, or of the best where that is what remains; of equal ones the lower validation loss decides."""
    made = MLPClassifier((4,), epochs=15, learning_rate_init=0.02, early_stopping=early_stopping)
    mlp = clone(made).set_params(random_state=0, n_restarts=12).fit(X, Y, **HELD_OUT)
    alone = [clone(made).set_params(random_state=i).fit(X, Y, **HELD_OUT) for i in range(12)]
    ranks = []
    for i, one in enumerate(alone):
        at = int(np.argmax(one.validation_scores_)) if early_stopping else -1
        ranks.append((-one.validation_scores_[at], one.validation_loss_curve_[at], i))
    assert len({rank[0] for rank in ranks}) < 12
    assert mlp.best_restart_ == min(ranks)[2]
    np.testing.assert_equal(kept(mlp), kept(alone[mlp.best_restart_]))
    assert mlp.score(*HELD_OUT["validation_data"]) == mlp.restart_scores_.max()


# --- as an estimator --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "call", "message"),
    [
        (
            {"warm_start": True},
            lambda mlp: mlp.fit(X, Y),
            "n_restarts is 3, but warm_start begins with the parameters of",
        ),
        (
            {},
            lambda mlp: mlp.partial_fit(X, Y, classes=[0, 1, 2]),
            "n_restarts is 3, but partial_fit .* n_restarts must be 1",
        ),
        ({}, lambda mlp: mlp.fit(X, Y, coefs_init=[np.ones((4, 2))]), "n_restarts is 3, but coefs_init"),
        ({}, lambda mlp: mlp.fit(X, Y, intercepts_init=[[0.0]]), "n_restarts is 3, but intercepts_init"),
        (
            {"n_restarts": 0},
            lambda mlp: mlp.fit(X, Y),
            r"'n_restarts' parameter .* must be an int in the range \[1, inf\)",
        ),
        ({"n_restarts": 2.0}, lambda mlp: mlp.fit(X, Y), "'n_restarts' parameter"),
    ],
)
def test_what_restarts_refuse(settings: dict[str, Any], call: Any, message: str) -> None:
    mlp = MLPClassifier((2,), **{"n_restarts": 3, **settings})
    with pytest.raises(ValueError, match=message):
        call(mlp)
    assert not hasattr(mlp, "coefs_")


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.filterwarnings("ignore")  # the checks say for themselves which warnings they demand
def test_the_checks_of_estimators(cls: Any) -> None:
    """All of them but those of partial_fit, which goes on with one network."""
    checks = list(estimator_checks_generator(cls(n_restarts=2)))
    refused = 0
    for estimator, check in checks:
        try:
            check(estimator)
        except unittest.SkipTest:
            continue
        except ValueError as error:
            if "but partial_fit begins with" not in str(error):
                raise
            refused += 1
    assert len(checks) >= 60
    assert refused <= 4


def test_clone_pickle_and_going_on() -> None:
    mlp = MLPClassifier((5,), epochs=4, random_state=0, n_restarts=6).fit(X, Y)
    assert clone(mlp).n_restarts == 6
    back = pickle.loads(pickle.dumps(mlp))
    assert_same(mlp, back)
    for one in (mlp, back):
        one.set_params(n_restarts=1).partial_fit(X, Y)
    np.testing.assert_array_equal(mlp.network_.parameters, back.network_.parameters)
    assert len(mlp.restart_losses_) == 6  # of the fit, not of partial_fit
    alone = MLPClassifier((5,), epochs=4, random_state=mlp.best_restart_).fit(X, Y)
    alone.random_state = mlp.random_state
    np.testing.assert_array_equal(alone.partial_fit(X, Y).network_.parameters, mlp.network_.parameters)
    mlp.coefs_[0][...] = 0.0
    assert not mlp.network_.layers[0].w.any()  # the arrays are the network's own


def test_a_grid_search_over_restarts() -> None:
    made = MLPClassifier((3,), epochs=30, learning_rate_init=0.02, random_state=0)
    search = GridSearchCV(made, {"n_restarts": [1, 6]}, cv=2, n_jobs=2).fit(X, Y)
    assert set(search.cv_results_["param_n_restarts"]) == {1, 6}
    assert len(search.best_estimator_.restart_losses_) == search.best_params_["n_restarts"]


@pytest.mark.parametrize(
    ("settings", "x", "given"),
    [
        ({"solver": "lbfgs"}, X, {}),
        ({}, scipy.sparse.csr_matrix(X), {}),
        ({}, X, {"sample_weight": np.linspace(0.1, 2.0, len(X))}),
        ({"class_weight": "balanced"}, X, {}),
        ({"batch_size": 16}, X, {}),
        ({"n_restarts": 2, "hidden_layer_sizes": (300,)}, X, {}),
        ({"activation": bp.Activation(np.tanh, lambda z: 1.0 - np.tanh(z) ** 2)}, X, {}),
        ({"verbose": True}, X, {}),
    ],
)
def test_what_is_trained_one_after_another(
    settings: dict[str, Any], x: Any, given: dict[str, Any], ways: list[str]
) -> None:
    made = MLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 4, "n_restarts": 6, "random_state": 0, **settings})
    mlp = made.fit(x, Y, **given)
    assert ways == ["_train_one_by_one"]
    alone = clone(made).set_params(random_state=mlp.best_restart_, n_restarts=1).fit(x, Y, **given)
    np.testing.assert_equal(kept(mlp), kept(alone))


# --- who looks on -----------------------------------------------------------------------------------------------------


class Recorder:
    """A callback of scikit-learn's protocol."""

    def __init__(self, *, ends: str = "", after: int = 0, error: type[BaseException] | None = None) -> None:
        self.ended: list[str] = []
        self._ends, self._after, self._error = ends, after, error
        self.losses: list[float] = []

    def setup(self, estimator: Any, context: Any) -> None: ...
    def teardown(self, estimator: Any, context: Any) -> None: ...
    def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        self.ended.append(context.task_name)
        if context.task_name == "iteration":
            self.losses.append(estimator.loss_)
            assert fitted_estimator.predict(X[:3]).shape == (3,)
        if self._error is not None and len(self.ended) == self._after:
            raise self._error
        return context.task_name == self._ends


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_see_every_restart(solver: str) -> None:
    recorder = Recorder()
    made = MLPClassifier((4,), solver=solver, epochs=3, random_state=0, n_restarts=6).set_callbacks(recorder)
    mlp = made.fit(X, Y)
    assert recorder.ended == [*["iteration", "iteration", "iteration", "restart"] * 6, "fit"]
    np.testing.assert_array_equal(recorder.losses[2::3], mlp.restart_losses_)
    ending = Recorder(ends="restart")
    mlp = clone(made).set_callbacks(ending).fit(X, Y)
    assert np.isnan(mlp.restart_losses_).tolist() == [False] + [True] * 5


def test_verbose_tells_the_restarts_apart(capsys: pytest.CaptureFixture[str]) -> None:
    MLPClassifier((4,), epochs=2, verbose=True, random_state=0, n_restarts=6).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("Restart")] == [f"Restart {i}" for i in range(6)]
    assert len(lines) == 6 * 3


@pytest.mark.parametrize("settings", [{}, {"batch_size": 16}], ids=["side by side", "one after another"])
def test_the_bar_counts_the_epochs_of_all(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    MLPClassifier((4,), epochs=5, progress=True, random_state=0, n_restarts=6, **settings).fit(X, Y)
    assert "30/30" in capsys.readouterr().err


def test_what_did_not_converge_is_told_of_once_and_of_the_best() -> None:
    for settings in ({}, {"batch_size": 16}, {"solver": "lbfgs"}):
        made = MLPClassifier((4,), max_iter=2, random_state=0, n_restarts=6, **settings)
        with pytest.warns(ConvergenceWarning) as caught:
            made.fit(X, Y)
        assert len(caught) == 1
        if not settings:
            assert caught[0].filename == __file__


# --- what ends it early -----------------------------------------------------------------------------------------------


def test_an_end_before_any_restart_was_finite() -> None:
    made = MLPRegressor(
        hidden_layer_sizes=(4,), solver="sgd", learning_rate_init=1e300, epochs=9, random_state=0, n_restarts=3
    )
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        made.set_callbacks(Recorder(ends="restart")).fit(X, Y)


def test_the_first_that_is_finite_is_kept_where_the_first_of_all_is_not() -> None:
    """Though the scores of all are nan."""
    made = MLPRegressor(hidden_layer_sizes=(4,), epochs=3, random_state=0, n_restarts=3)
    restarts = _restarts.Restarts(made, [1, 2], object())  # type: ignore[arg-type]
    other = MLPRegressor()
    vars(other).update(loss_=np.inf, n_iter_=1, validation_scores_=[np.nan], validation_loss_curve_=[np.nan])
    restarts._take(0, made, _restarts.NotFinite())
    restarts._take(1, other, None)
    restarts.leave_best()
    restarts.record()
    assert made.best_restart_ == 1
    assert made.loss_ == np.inf


def test_an_interrupt_does_not_forget_who_diverged(monkeypatch: pytest.MonkeyPatch, ways: list[str]) -> None:
    run, epochs = _lanes.Lanes.run, iter(range(9))

    def fails(self: Any, some: list[int]) -> Any:
        losses, epoch = run(self, some), next(epochs)
        if epoch == 2:
            raise KeyboardInterrupt
        return {**losses, 2: _restarts.NotFinite()} if epoch == 1 else losses

    monkeypatch.setattr(_lanes.Lanes, "run", fails)
    mlp = MLPClassifier((4,), epochs=5, random_state=0, n_restarts=9)
    with pytest.raises(KeyboardInterrupt):
        mlp.fit(X, Y)
    assert ways == ["_train_in_lanes"]
    assert np.isnan(mlp.restart_losses_).tolist() == [i == 2 for i in range(9)]
    assert mlp.best_restart_ == np.nanargmin(mlp.restart_losses_)


def test_an_interrupt_leaves_the_best_so_far() -> None:
    recorder = Recorder(error=KeyboardInterrupt, after=4 * 3 + 2)
    mlp = MLPClassifier((4,), epochs=3, random_state=0, n_restarts=6).set_callbacks(recorder)
    with pytest.raises(KeyboardInterrupt):
        mlp.fit(X, Y)
    assert np.isnan(mlp.restart_losses_).tolist() == [False] * 4 + [True] * 2
    assert mlp.best_restart_ == np.nanargmin(mlp.restart_losses_)
    assert mlp.loss_ == np.nanmin(mlp.restart_losses_)
    assert mlp.predict(X).shape == Y.shape


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_in_lanes(early_stopping: bool, ways: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run, epochs = _lanes.Lanes.run, iter(range(9))

    def interrupted(self: Any, some: list[int]) -> Any:
        if next(epochs) == 5:
            signal.raise_signal(signal.SIGINT)
        return run(self, some)

    monkeypatch.setattr(_lanes.Lanes, "run", interrupted)
    mlp = MLPClassifier((8,), epochs=9, random_state=0, n_restarts=16, early_stopping=early_stopping)
    with pytest.raises(KeyboardInterrupt):
        mlp.fit(X, Y)
    assert ways == ["_train_in_lanes"]
    assert np.isfinite(mlp.restart_losses_).all()
    assert mlp.loss_ == mlp.restart_losses_[mlp.best_restart_]
    assert len(mlp.loss_curve_) == mlp.n_iter_ == 5
    mlp.set_params(n_restarts=1, epochs=1).partial_fit(X, Y) if not early_stopping else mlp.predict(X)
