"""The epochs of several restarts side by side, as `_epochs` has them one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from .. import _core
from .._arguments import FLOAT32, FloatArray
from .._checkpoints import NEVER
from .._members import MOST_PARAMETERS, has_custom, least_networks
from .._regularization import dropout_rates
from ..definitions import OPTIMIZER
from ._epochs import Course, Epochs, Orders, batch_size_of
from ._runs import HeldOut, NotFinite, Run, Samples


def can_share_lanes(mlp: Any, n: int, training: Samples, run: Run) -> bool:
    """Return whether n networks of an estimator can be trained side by side, and whether that is faster.

    Lanes do not tell the penalty of each step, which is part of E here: only where an epoch is one step it is known.
    An optimizer may look at it.
    """
    if mlp._uses_lbfgs() or training.is_sparse or training.weight is not None or run.is_watched:
        return False
    is_one_step = training.n <= batch_size_of(mlp) and mlp.optimizer is None
    pays = n >= least_networks(mlp._network) and mlp._network.n_parameters <= MOST_PARAMETERS
    return pays and (mlp.alpha == 0.0 or is_one_step) and not has_custom(mlp._network)


def fit_in_lanes(
    members: list[Any],
    training: Samples,
    held_out: HeldOut | None,
    runs: list[Run],
    endings: list[Callable[[], object] | NotFinite | None],
) -> None:
    """Train each until it is enough; put into `endings` what warns where it was not, or why it failed.

    What ends all of them early leaves None for those that had not failed.
    """
    courses = [Course(member, held_out, run) for member, run in zip(members, runs, strict=True)]
    lanes = Lanes(members, training)
    try:
        while going_on := [i for i, course in enumerate(courses) if course.goes_on]:
            for i in going_on:
                courses[i].begin_epoch()
            for i, loss in lanes.run(going_on).items():
                if isinstance(loss, NotFinite):
                    endings[i] = loss
                    courses[i].leave()
                else:
                    courses[i].end_epoch(loss, training.n)
    finally:
        lanes.close()
        for course in courses:
            course.leave()
    for i, course in enumerate(courses):
        endings[i] = endings[i] or course.warn


class Lanes:
    """Epochs of all members at once, a network to each lane of the core's vectors.

    A member of which a number is not finite goes on alone, and so do the last ones, where they are too few.
    """

    def __init__(self, members: list[Any], training: Samples) -> None:
        self._members, self._training = members, training
        self._orders = [Orders(member, training.n) for member in members]
        self._alone: dict[int, Epochs] = {}
        first = members[0]
        self._objective, self._least = first._objective(), least_networks(first._network)
        # Where there is a penalty all samples are one batch, by whose weight scikit-learn divides it.
        self._share, self._l2 = 1.0 / training.n, first.alpha / self._objective.gradient
        self._samples = cast("_core.Samples", Epochs(first, training).checked)
        self._parameters = np.stack([member._network.parameters for member in members])
        self._core = self._population()
        for member, state in zip(members, self._core.optimizer_state(), strict=True):
            member._optimizer.keep_state_in(state)

    def _population(self) -> _core.Population:
        first, n = self._members[0], len(self._members)
        network, optimizer = first._network, first._optimizer.optimizer
        cls = _core.PopulationFloat32 if network.dtype == FLOAT32 else _core.PopulationFloat64
        l2 = np.full((n, len(network.layers)), self._l2 * self._share) if first.alpha > 0.0 else None
        dropout = dropout_rates(network, first.dropout, 0.0)
        orders = np.tile(np.arange(self._training.n, dtype=np.uint32), (n, 1)) if first.shuffle else None
        return cls(
            network._core,
            self._objective.loss._choice,
            OPTIMIZER.index[optimizer.name],
            batch_size_of(first),
            False,
            np.array([member._dropout_seed for member in self._members], np.uint64),
            np.array([optimizer.numbers()] * n),
            None if l2 is None else np.zeros_like(l2),
            l2,
            np.array([dropout] * n) if dropout else None,
            None,
            None if orders is None else np.arange(n, dtype=np.uint32),
            orders,
            None,
        )

    def run(self, some: list[int]) -> dict[int, float | NotFinite]:
        """Take every sample once for these members; return each one's E, as `Epochs.run` does or raises."""
        orders = {i: self._orders[i].next() for i in some}
        side_by_side = [i for i in some if i not in self._alone]
        losses: dict[int, float | NotFinite] = {}
        if len(side_by_side) >= self._least:
            losses.update(self._run_side_by_side(side_by_side, orders))
        for i in some:
            if i not in losses:
                losses[i] = self._run_alone(i, orders[i])
        return losses

    def _run_side_by_side(self, some: list[int], orders: dict[int, Any]) -> dict[int, float]:
        """Return E of those whose numbers all stayed finite; the others are as they were."""
        self._set_orders_and_rates(orders)
        penalties = self._penalties()
        epoch = int(self._core.epochs()[some[0]])
        try:
            self._core.run(self._parameters, some, self._samples, None, epoch + 1, NEVER)
        finally:
            for i in some:
                self._members[i]._network.parameters = self._parameters[i]
        losses = self._core.losses_of_epoch(epoch, False) * self._objective.value + penalties * self._objective.gradient
        fallen = set(self._core.fallen)
        return {i: float(losses[i]) for i in some if i not in fallen}

    def _set_orders_and_rates(self, orders: dict[int, Any]) -> None:
        for i, order in orders.items():
            member = self._members[i]
            if member.shuffle:
                self._core.set_training_rows(i, order.astype(np.uint32))
            if member._optimizer.core_rate is not None:
                self._core.set_learning_rate(i, member._optimizer.core_rate)

    def _penalties(self) -> FloatArray:
        """Return each member's penalty in the step to come, as a mean over the samples of the epoch.

        · n / n is what a Trainer does too, with a rounding each.
        """
        n = self._training.n
        return _core.penalties_of_all(self._members[0]._network._core, self._parameters, self._l2) * self._share * n / n

    def _run_alone(self, i: int, order: Any) -> float | NotFinite:
        if i not in self._alone:
            self._leave(i)
            self._alone[i] = Epochs(self._members[i], self._training)
        try:
            return self._alone[i].run(order)
        except NotFinite as error:
            return error

    def _leave(self, i: int) -> None:
        standings = self._core.standings()
        steps, former_loss = int(standings["step_count"][i]), float(standings["former_loss"][i])
        self._members[i]._optimizer.take_state_back(steps, former_loss)

    def close(self) -> None:
        """Give the members their optimizers' numbers."""
        for i in range(len(self._members)):
            if i not in self._alone:
                self._leave(i)
