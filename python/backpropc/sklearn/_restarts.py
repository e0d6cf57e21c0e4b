"""Fits from several seeds, of which the best is kept."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from copy import deepcopy
from numbers import Integral
from typing import Any, cast

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ._epochs import fit_in_epochs
from ._lanes import can_share_lanes, fit_in_lanes
from ._lbfgs import fit_by_lbfgs
from ._runs import HeldOut, NotFinite, Run, Samples

# What warns of a fit that did not converge, or why it failed.
Ending = Callable[[], object] | NotFinite


def seeds_of_others(given: Any, n: int) -> list[int]:
    """Return the seed of each restart after the first of n.

    Of an int they are the ints that follow, so that a restart can be had by itself, but for the share that is held
    out. Of a RandomState they are drawn from a copy: the first goes on as if it were alone.
    """
    if isinstance(given, Integral):
        return [(int(given) + i) % 2**32 for i in range(1, n)]
    drawn: list[int] = deepcopy(check_random_state(given)).randint(2**32, size=n - 1, dtype=np.uint64).tolist()
    return drawn


def fit_best(
    mlp: Any,
    seeds: list[int],
    training: Samples,
    held_out: HeldOut | None,
    run: Run,
) -> Callable[[], None]:
    """Train an estimator, which is ready to begin, and restarts from these seeds; make it the best of them.

    What ends it early leaves the best so far. Returns what warns where the best did not converge.
    """
    restarts = Restarts(mlp, seeds, held_out)
    try:
        restarts.train(training, run)
    finally:
        restarts.leave_best()
        if not run.incremental:
            restarts.record()
    return restarts.warn


class Restarts:
    """The fits of an estimator from its own random numbers, and of copies from others."""

    def __init__(self, mlp: Any, seeds: list[int], held_out: HeldOut | None) -> None:
        self._mlp, self._seeds, self._held_out = mlp, seeds, held_out
        self._beginning = dict(vars(mlp))
        n = 1 + len(seeds)
        self._losses, self._scores, self._validation_losses = (np.full(n, math.nan) for _ in range(3))
        self._endings: dict[int, Callable[[], object]] = {}
        self._failures: list[NotFinite] = []
        self._best: tuple[int, Any] | None = None  # none before the first that has not failed

    def train(self, training: Samples, run: Run) -> None:
        """Train all of them: side by side where the core can, and where that pays; to the same bits either way."""
        n = 1 + len(self._seeds)
        if n > 1 and can_share_lanes(self._mlp, n, training, run):
            self._train_in_lanes(training, run)
        else:
            self._train_one_by_one(training, run)
        if self._best is None and self._failures:
            raise self._failures[0]

    def _train_in_lanes(self, training: Samples, run: Run) -> None:
        members = [self._mlp, *map(self._copy, self._seeds)]
        runs = [run.begin_restart(member) for member in members]
        endings: list[Ending | None] = [None] * len(members)
        try:
            fit_in_lanes(members, training, self._held_out, runs, endings)
        finally:
            for i, (member, ending) in enumerate(zip(members, endings, strict=True)):
                self._take(i, member, ending)
        for part in runs:
            run.end_restart(part)

    def _train_one_by_one(self, training: Samples, run: Run) -> None:
        for i, seed in enumerate([None, *self._seeds]):
            member = self._mlp if seed is None else self._copy(seed)
            if self._seeds and self._mlp.verbose:
                print(f"Restart {i}")
            part, ending = run.begin_restart(member), cast("Ending | None", None)
            fit = fit_by_lbfgs if member._uses_lbfgs() else fit_in_epochs
            try:
                ending = fit(member, training, self._held_out, part)
            except NotFinite as error:
                if not self._seeds:
                    raise
                ending = error
            finally:
                self._take(i, member, ending)
            if run.end_restart(part):
                break

    def _copy(self, seed: int) -> Any:
        """Return the estimator as it would begin with other random numbers."""
        mlp = self._mlp
        other: Any = object.__new__(type(mlp))
        vars(other).update(self._beginning, _random_state=np.random.RandomState(seed))
        other._initialize(mlp._network.sizes, mlp._network.dtype)
        return other

    def _take(self, i: int, member: Any, ending: Ending | None) -> None:
        """Look at a restart that has ended so, or was interrupted."""
        if isinstance(ending, NotFinite):
            self._failures.append(ending)
            return
        if ending is not None:
            self._endings[i] = ending
        elif member.n_iter_ == 0:
            return
        self._losses[i] = member.loss_
        scores = member.validation_scores_ if self._held_out is not None else []
        if scores:
            watches = member.early_stopping and not member._uses_lbfgs()
            at = int(np.argmax(np.nan_to_num(scores, nan=-math.inf))) if watches else -1
            self._scores[i], self._validation_losses[i] = scores[at], member.validation_loss_curve_[at]
        if self._best is None or self._rank(i) < self._rank(self._best[0]):
            self._best = i, member

    def _rank(self, i: int) -> tuple[float, ...]:
        """Return what is less for a better restart."""
        if self._held_out is None:
            return (_last_if_nan(self._losses[i]),)
        return _last_if_nan(-self._scores[i]), _last_if_nan(self._validation_losses[i])

    def leave_best(self) -> None:
        """Make the estimator the best of those that have been trained."""
        if self._best is not None:
            vars(self._mlp).update(vars(self._best[1]))

    def record(self) -> None:
        """Write down what became of each restart."""
        self._mlp.best_restart_ = 0 if self._best is None else self._best[0]
        self._mlp.restart_losses_ = self._losses
        self._mlp.restart_scores_ = None if self._held_out is None else self._scores

    def warn(self) -> None:
        """Tell the user of restarts that failed, and of a best one that did not converge, from `BaseMLP._fit`."""
        if self._failures:
            warnings.warn(
                f"{len(self._failures)} of {len(self._losses)} restarts ended with a loss that is not finite: "
                "restart_losses_ tells which",
                ConvergenceWarning,
                stacklevel=5,
            )
        if self._best is not None:
            self._endings[self._best[0]]()


def _last_if_nan(number: float) -> float:
    return math.inf if math.isnan(number) else float(number)
