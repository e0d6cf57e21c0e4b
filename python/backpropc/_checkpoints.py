"""When a fit saves its trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._arguments import whole_number
from ._files import check_writable, file_name

if TYPE_CHECKING:
    from .training import Trainer

NEVER = 2**63  # an epoch or a step that no run reaches


class Checkpoints:
    """The stops at which a fit saves, counted from the trainer's birth, so that a resumed run makes the same.

    Parameters
    ----------
    trainer : Trainer
        What is saved.
    path : path-like or None
        Where to; with None there are no stops.
    every, every_steps : int or None
        After how many epochs, and after how many steps.
    """

    def __init__(self, trainer: Trainer, path: object, every: int | None, every_steps: int | None) -> None:
        self._trainer = trainer
        self._path = None if path is None else file_name(path, "checkpoint")
        self._every = NEVER if every is None else whole_number(every, "checkpoint_every", 1)
        self._every_steps = NEVER if every_steps is None else whole_number(every_steps, "checkpoint_every_steps", 1)
        self._stop = NEVER, NEVER
        if self._path is not None:  # what cannot be saved is refused now, not after the first hour
            from . import io

            io.settings_of(trainer)
            check_writable(self._path)

    def next_stop(self, until_epoch: int, until_step: int | None) -> tuple[int, int]:
        """Return the epoch and the step up to which to train, if these are those of others that want a stop."""
        if self._path is not None:
            self._stop = _next(self._trainer.epoch, self._every), _next(self._trainer.step_count, self._every_steps)
        return min(self._stop[0], until_epoch), self._stop[1] if until_step is None else min(self._stop[1], until_step)

    def save_where_due(self) -> None:
        """Save the trainer, if it has come to the last stop."""
        if self._trainer.epoch >= self._stop[0] or self._trainer.step_count >= self._stop[1]:
            self.save()

    def save(self) -> None:
        """Save the trainer, where the fit saves at all."""
        if self._path is not None:
            self._trainer.save(self._path)


def _next(count: int, every: int) -> int:
    """Return the next multiple of `every`."""
    return min((count // every + 1) * every, NEVER)
