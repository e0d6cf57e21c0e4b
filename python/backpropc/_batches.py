"""Data that come batch by batch, from an iterable that is gone through once in every epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from . import _core
from ._arguments import FloatArray, shown
from ._samples import samples_for
from ._weights import ClassWeight, weights_of_samples

if TYPE_CHECKING:
    from .training import Trainer

Batches = Iterable[Any]  # of (x, t), or of (x, t, weight)


def batches_for(value: object, name: str, passes: int) -> Batches:
    """Return `value` as something that can be gone through so many times."""
    must = "it must be an iterable of batches, each a tuple (x, t) or (x, t, weight)"
    if isinstance(value, (np.ndarray, str, bytes, dict)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is {shown(value)}, and there is no t: {must}, or give x and t")
    if passes > 1 and isinstance(value, Iterator):
        raise TypeError(
            f"{name} is {shown(value)}, an iterator, which can be gone through only once; each of the {passes} epochs "
            "needs a pass: give a list, or an object whose __iter__ begins anew"
        )
    return value


def are_batches(validation_data: object) -> bool:
    """Return whether these are batches and not the pair (x, t): two batches are tuples, each with rows for its x."""
    if not isinstance(validation_data, (tuple, list)):
        return isinstance(validation_data, Iterable) and not isinstance(validation_data, (np.ndarray, str, bytes, dict))
    return len(validation_data) > 0 and all(
        isinstance(item, tuple) and len(item) > 1 and np.ndim(item[0]) == 2 for item in validation_data
    )


class Pass:
    """The batches of one pass as the core has checked them, from a number of samples on.

    Parameters
    ----------
    trainer : Trainer
        Whose network and loss they are to fit.
    batches : iterable of tuple
        What is gone through.
    name : str
        How messages call a batch, before its number.
    skip : int
        So many samples the epoch has had already.
    class_weight : dict, or None
        How much the samples of a class count.
    """

    def __init__(
        self, trainer: Trainer, batches: Batches, name: str, skip: int = 0, class_weight: ClassWeight | None = None
    ) -> None:
        self._trainer, self._name, self._class_weight = trainer, name, class_weight
        self._skip, self._seen = skip, 0
        self._numbered = enumerate(batches)
        self._ahead: list[tuple[int, _core.Samples]] = []

    def next(self) -> tuple[int, _core.Samples] | None:
        """Return the next batch, with its number of samples; None at the end."""
        return self._ahead.pop() if self._ahead else self._fetch()

    def put_back(self, batch: tuple[int, _core.Samples]) -> None:
        """Make this the next batch again."""
        self._ahead.append(batch)

    def at_end(self) -> bool:
        """Return whether there are no more, which takes looking one ahead."""
        if not self._ahead:
            found = self._fetch()
            if found is None:
                return True
            self._ahead.append(found)
        return False

    def _fetch(self) -> tuple[int, _core.Samples] | None:
        for number, batch in self._numbered:
            where = f"{self._name} {number}"
            x, t, weight = _parts(batch, where)
            names = (f"{where}: x", f"{where}: t")
            trainer = self._trainer
            _, rows, targets = samples_for(trainer.network, x, t, trainer._loss, names=names, one_allowed=False)
            self._seen += len(rows)
            if self._seen <= self._skip:
                continue
            if self._seen - len(rows) < self._skip:
                raise ValueError(
                    f"{where} is of samples {self._seen - len(rows)} to {self._seen - 1}, but the epoch was "
                    f"interrupted after {self._skip}; the batches must be the same as before"
                )
            weights = self._weights(weight, targets, where)
            finite = trainer.on_nonfinite == "raise"
            return len(rows), trainer._core.check(rows, targets, weights, f"{where}: ", finite)
        if self._seen == 0:
            raise ValueError(f"there is no {self._name} 0; every pass must give at least one batch")
        if self._seen < self._skip:
            raise ValueError(
                f"the batches have {self._seen} samples, but the epoch was interrupted after {self._skip}; they must "
                "be the same as before"
            )
        return None

    def _weights(self, weight: Any, targets: FloatArray, where: str) -> FloatArray | None:
        n_classes = self._trainer.network.sizes[-1]
        return weights_of_samples(weight, self._class_weight, targets, n_classes, where=f"{where}: ")


def _parts(batch: object, where: str) -> tuple[Any, Any, Any]:
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise TypeError(f"{where} is {shown(batch)}; it must be a tuple (x, t) or (x, t, weight)")
    x, t, *weight = batch
    return x, t, weight[0] if weight else None


class ByBatches:
    """Training batch by batch: each is a step, and a pass is an epoch.

    Parameters
    ----------
    trainer : Trainer
        What learns.
    batches : iterable of tuple
        Gone through once in every epoch.
    validation : Samples, iterable of tuple, or None
        Whose loss is recorded at the end of every epoch.
    class_weight : dict, or None
        How much the samples of a class count.
    """

    done = False

    def __init__(
        self,
        trainer: Trainer,
        batches: Batches,
        validation: _core.Samples | Batches | None,
        class_weight: ClassWeight | None,
    ) -> None:
        self._trainer, self._core, self._batches = trainer, trainer._core, batches
        self._validation, self._class_weight = validation, class_weight
        self.validates = validation is not None
        self._pass: Pass | None = None

    def run(self, until_epoch: int, until_step: int, finite: bool) -> None:
        """Train until so many epochs are completed or steps done; raise where numbers must be finite and are not."""
        core = self._core
        while core.epoch < until_epoch and core.step_count < until_step:
            if self._pass is None:
                self._pass = Pass(self._trainer, self._batches, "batch", core.learned, self._class_weight)
            while core.step_count < until_step and (batch := self._pass.next()) is not None:
                self._learn(batch, finite)
            if self._pass.at_end():
                self._end_epoch()

    def _learn(self, batch: tuple[int, _core.Samples], finite: bool) -> None:
        try:
            self._core.learn(batch[1], finite)
        except FloatingPointError:  # not taken; who tries again begins with it
            cast(Pass, self._pass).put_back(batch)
            raise

    def _end_epoch(self) -> None:
        if math.isnan(self._core.epoch_loss):
            raise ValueError("the weights of all batches sum to 0; they must sum to more")
        validation = self._validation
        if validation is None or not isinstance(validation, Iterable):
            loss = math.nan if validation is None else self._loss_of(validation)
        else:
            loss = self._loss_of_batches(validation)
        self._core.complete_epoch(loss)
        self._pass = None

    def _loss_of(self, samples: _core.Samples) -> float:
        return _core.whole_loss(self._trainer.network._core, samples, self._trainer._loss._choice)

    def _loss_of_batches(self, batches: Batches) -> float:
        total, count = 0.0, 0
        of_pass = Pass(self._trainer, batches, "validation_data: batch")
        while (batch := of_pass.next()) is not None:
            total += batch[0] * self._loss_of(batch[1])
            count += batch[0]
        return total / count
