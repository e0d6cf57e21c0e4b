"""Ways through the data of a fit: how it trains up to its next pause, and what can be measured then."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from . import _core
from ._arguments import FloatArray
from ._whole_batch import Method, Objective, WholeBatch

if TYPE_CHECKING:
    from .training import Trainer


class Data(NamedTuple):
    """Samples as the core has checked them, and the arrays they are in."""

    x: FloatArray
    t: FloatArray
    samples: _core.Samples


class Way(Protocol):
    """How a fit trains. Interrupted, it stands at a whole step; `done` is whether nothing is left to do."""

    done: bool
    validates: bool  # whether each epoch ends with a validation loss

    def run(self, until_epoch: int, until_step: int, finite: bool) -> None:
        """Train until so many epochs are completed or steps done; raise where numbers must be finite and are not."""


class InCore:
    """Training by the core's own loop, on arrays."""

    done = False

    def __init__(self, core: _core.Trainer, training: _core.Samples, validation: _core.Samples | None) -> None:
        self._core, self._training, self._validation = core, training, validation
        self.validates = validation is not None

    def run(self, until_epoch: int, until_step: int, finite: bool) -> None:
        """Train until so many epochs are completed or steps done; raise where numbers must be finite and are not."""
        self._core.fit(self._training, self._validation, until_epoch, until_step, finite)


def way_through_arrays(trainer: Trainer, training: Data, validation: Data | None) -> Way:
    """Return the way of a trainer's optimizer through arrays."""
    held_out = None if validation is None else validation.samples
    if trainer._method is None:
        return InCore(trainer._core, training.samples, held_out)
    return whole_batch(trainer, trainer._method, training.samples, held_out)


def whole_batch(
    trainer: Trainer, method: Method, samples: _core.Samples, validation: _core.Samples | None = None
) -> WholeBatch:
    """Return the way of a method that takes all samples in each step."""
    objective = Objective(trainer.network, trainer._loss, trainer._regularization.l2, samples)
    return WholeBatch(trainer._core, method, objective, validation)
