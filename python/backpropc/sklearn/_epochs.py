"""Training in epochs, by scikit-learn's rules: when the rate falls, when it is enough, and what is recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .. import _core
from .._checkpoints import NEVER
from .._methods import METHODS
from .._regularization import dropout_rates
from ..definitions import OPTIMIZER
from ._descent import Descent, adam, regularization_of, sgd
from ._lbfgs import mean_loss
from ._runs import HeldOut, NotFinite, Run, Samples

SMALLEST_RATE = 1e-6  # with learning_rate="adaptive"


class Orders:
    """The order of the samples in each epoch: the last one's, shuffled, as scikit-learn does it."""

    def __init__(self, mlp: Any, n: int) -> None:
        self._mlp, self._order = mlp, np.arange(n)

    def next(self) -> Any:
        """Return the next epoch's."""
        if self._mlp.shuffle:
            self._order = self._order[self._mlp._random_state.permutation(len(self._order))]
        return self._order


def batch_size_of(mlp: Any) -> int:
    """Return how many samples a step takes, where there are so many."""
    return 200 if mlp.batch_size == "auto" else int(mlp.batch_size)


class Epochs:
    """The epochs of one fit, one after the other, in the core."""

    def __init__(self, mlp: Any, training: Samples) -> None:
        self._mlp, self._training = mlp, training
        self._objective, network = mlp._objective(), mlp._network
        self._batch_size = batch_size_of(mlp)
        self._trainer: _core.Trainer = mlp._optimizer.trainer_for(
            network,
            self._objective.loss,
            self._batch_size,
            shuffle=bool(mlp.shuffle),
            seed=mlp._dropout_seed if hasattr(mlp, "_dropout_seed") else 0,
            regularization=regularization_of(
                network, mlp.alpha / self._objective.gradient, dropout_rates(network, mlp.dropout, 0.0)
            ),
        )
        self.checked = None if training.is_sparse else self._check(training.take(slice(None), network.dtype))

    def _check(self, samples: Samples) -> _core.Samples:
        return self._trainer.check(samples.x, samples.t, samples.weight)

    def run(self, order: Any) -> float:
        """Take every sample once; return E, penalties included, as scikit-learn reports it.

        It is nan where E ceased to be finite, at which the core has stopped before the step that would spread it: so
        early stopping can leave its best parameters. Without it there are none, and NotFinite is raised.
        """
        try:
            loss, penalty = self._take_all(order)
        except FloatingPointError as error:
            if not self._mlp.early_stopping:
                raise NotFinite from error
            return float("nan")
        return float(loss * self._objective.value + penalty * self._objective.gradient)

    def _take_all(self, order: Any) -> tuple[float, float]:
        return self._take_batches(order) if self.checked is None else self._take(self.checked, order)

    def _take(self, samples: _core.Samples, order: Any) -> tuple[float, float]:
        trainer = self._trainer
        trainer.begin_next_epoch(order if self._mlp.shuffle else None)
        trainer.fit(samples, None, trainer.epoch + 1, NEVER)
        return trainer.batch_means

    def _take_batches(self, order: Any) -> tuple[float, float]:
        """Write out the batches of a sparse X one after the other; the core takes each for an epoch of its own."""
        loss = penalty = 0.0
        for at in range(0, self._training.n, self._batch_size):
            batch = self._training.take(order[at : at + self._batch_size], self._mlp._network.dtype)
            means = self._take(self._check(batch), np.arange(batch.n))
            loss, penalty = loss + means[0] * batch.n, penalty + means[1] * batch.n
        return loss / self._training.n, penalty / self._training.n


class Course:
    """What follows on each epoch of a fit: what is recorded, when it is enough, which parameters remain."""

    def __init__(self, mlp: Any, held_out: HeldOut | None, run: Run) -> None:
        _prepare(mlp, held_out, run)
        self._mlp, self._held_out, self._run = mlp, held_out, run
        self._best = mlp._network.parameters.copy() if mlp.early_stopping else None
        self._message: str | None = None
        self.goes_on = True
        mlp.n_iter_ = 0

    def begin_epoch(self) -> None:
        """Tell callbacks that an epoch begins."""
        self._run.begin_iteration()

    def end_epoch(self, loss: float, n: int) -> None:
        """Look at an epoch of n samples that had this E, and see whether the fit goes on."""
        mlp, run = self._mlp, self._run
        _record(mlp, loss, n, self._held_out)
        if self._best is not None and _is_best(mlp):
            self._best[...] = mlp._network.parameters
        enough = _is_enough(mlp) and not run.incremental
        wanted = run.end_iteration(mlp, _latest(mlp))
        diverged = bool(np.isnan(loss))
        self.goes_on = not (enough or wanted or diverged or mlp.n_iter_ >= run.limit)
        if diverged:
            self._message = "the loss is not finite any more; training ended with the best parameters."
        elif not (self.goes_on or enough or wanted or run.incremental or mlp.epochs is not None):
            self._message = f"Maximum iterations ({mlp.max_iter}) reached and the optimization hasn't converged yet."

    def leave(self) -> None:
        """Give the network its best parameters, with early stopping; however the fit ends."""
        self.goes_on = False
        if self._best is not None:
            self._mlp._network.parameters = self._best

    def warn(self) -> None:
        """Tell the user of a fit that did not converge, from within `Restarts.warn`."""
        if self._message is not None:
            warnings.warn(f"Stochastic Optimizer: {self._message}", ConvergenceWarning, stacklevel=6)


def fit_in_epochs(mlp: Any, training: Samples, held_out: HeldOut | None, run: Run) -> Callable[[], None]:
    """Train until it is enough; return what warns where it was not."""
    course = Course(mlp, held_out, run)
    epochs, orders = Epochs(mlp, training), Orders(mlp, training.n)
    try:
        while course.goes_on:
            course.begin_epoch()
            course.end_epoch(epochs.run(orders.next()), training.n)
    finally:
        course.leave()
    return course.warn


def _prepare(mlp: Any, held_out: HeldOut | None, run: Run) -> None:
    """Have an optimizer, and lists to write to."""
    goes_on = run.incremental or (mlp.warm_start and mlp.keep_optimizer)
    if not goes_on or not hasattr(mlp, "_optimizer"):
        mlp._optimizer = _descent_of(mlp)
    if not run.incremental:
        mlp._no_improvement_count = 0  # a warm start goes on, where the last fit found it enough
    looks_at = {"validation_scores_": [], "best_validation_score_": -np.inf, "validation_loss_curve_": []}
    for name, first in {
        "loss_curve_": [],
        "best_loss_": None if mlp.early_stopping else np.inf,
        "_no_improvement_count": 0,
        **({} if held_out is None else looks_at),
    }.items():
        if getattr(mlp, name, None) is None:
            setattr(mlp, name, first)
    for name in ("validation_scores_", "best_validation_score_"):
        vars(mlp).setdefault(name, None)


def _descent_of(mlp: Any) -> Descent:
    """Return the steps of the solver, or of the optimizer given in its place."""
    if mlp.optimizer is not None:
        optimizer = OPTIMIZER.resolve(mlp.optimizer, "optimizer")
        if optimizer.name in METHODS:
            raise ValueError(
                f"optimizer is {optimizer!r}, whose steps take all samples at once; it must be one that goes by "
                'batches: for L-BFGS write solver="lbfgs", for others use bp.Trainer'
            )
        return Descent(optimizer)
    unit = mlp._objective().gradient
    if mlp.solver == "sgd":
        return Descent(sgd(mlp.learning_rate_init * unit, mlp.momentum, mlp.nesterovs_momentum), unit)
    return Descent(adam(mlp.learning_rate_init, mlp.beta_1, mlp.beta_2, mlp.epsilon / unit))


def _record(mlp: Any, loss: float, n: int, held_out: HeldOut | None) -> None:
    mlp.n_iter_ += 1
    mlp.loss_ = loss
    mlp.t_ += n
    mlp.loss_curve_.append(loss)
    if mlp.verbose:
        print(f"Iteration {mlp.n_iter_}, loss = {loss:.8f}")
    if held_out is None:
        return
    mlp.validation_loss_curve_.append(float("nan") if np.isnan(loss) else mean_loss(mlp, held_out.samples))
    mlp.validation_scores_.append(float("nan") if np.isnan(loss) else mlp._score_on(held_out))
    if mlp.verbose:
        print(f"Validation score: {mlp.validation_scores_[-1]:f}")


def _is_best(mlp: Any) -> bool:
    return bool(mlp.validation_scores_[-1] > mlp.best_validation_score_)


def _latest(mlp: Any) -> dict[str, float]:
    latest = {"loss": mlp.loss_curve_[-1]}
    if getattr(mlp, "validation_loss_curve_", None):
        latest["val_loss"] = mlp.validation_loss_curve_[-1]
    return latest


def _is_enough(mlp: Any) -> bool:
    """Count the epochs without improvement; after too many of them end, or lower the rate."""
    _count(mlp)
    optimizer: Descent = mlp._optimizer
    if mlp.optimizer is None and mlp.solver == "sgd" and mlp.learning_rate == "invscaling":
        optimizer.learning_rate = float(mlp.learning_rate_init) / (mlp.t_ + 1) ** mlp.power_t
    if mlp.epochs is not None or mlp._no_improvement_count <= mlp.n_iter_no_change:
        return False
    what = "Validation score" if mlp.early_stopping else "Training loss"
    message = f"{what} did not improve more than tol={mlp.tol:f} for {mlp.n_iter_no_change} consecutive epochs."
    if mlp.optimizer is not None or mlp.solver != "sgd" or mlp.learning_rate != "adaptive":
        return _say(mlp, f"{message} Stopping.", True)
    if optimizer.learning_rate <= SMALLEST_RATE:
        return _say(mlp, f"{message} Learning rate too small. Stopping.", True)
    optimizer.learning_rate = optimizer.learning_rate / 5.0
    mlp._no_improvement_count = 0
    return _say(mlp, f"{message} Setting learning rate to {optimizer.learning_rate:f}", False)


def _say(mlp: Any, message: str, answer: bool) -> bool:
    if mlp.verbose:
        print(message)
    return answer


def _count(mlp: Any) -> None:
    """Count an epoch that did not improve by tol what is looked at, and keep the best."""
    if mlp.early_stopping:
        improved = not mlp.validation_scores_[-1] < mlp.best_validation_score_ + mlp.tol
    else:
        improved = not mlp.loss_curve_[-1] > mlp.best_loss_ - mlp.tol
        mlp.best_loss_ = min(mlp.best_loss_, mlp.loss_curve_[-1])
    if mlp.validation_scores_:
        mlp.best_validation_score_ = max(mlp.best_validation_score_, mlp.validation_scores_[-1])
    mlp._no_improvement_count = 0 if improved else mlp._no_improvement_count + 1
