"""One fit: its samples, and scikit-learn's callbacks, which are told of every iteration."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse

from .._arguments import FloatArray
from ..monitoring import Progress

if TYPE_CHECKING:
    from typing_extensions import Self

BLOCK = 1 << 22  # numbers of a sparse matrix that are written out at a time


@dataclass
class Samples:
    """Rows of X, dense or sparse, with what each should become, as the core has it, and how much it counts."""

    x: Any
    t: FloatArray
    weight: FloatArray | None

    @property
    def n(self) -> int:
        """How many there are."""
        return int(self.x.shape[0])

    @property
    def is_sparse(self) -> bool:
        """Whether X is a sparse matrix, of which some rows at a time are written out."""
        return bool(scipy.sparse.issparse(self.x))

    def take(self, rows: Any, dtype: np.dtype[Any]) -> Samples:
        """Return some of them, X as an array."""
        x = self.x[rows].toarray() if self.is_sparse else self.x[rows]
        weight = None if self.weight is None else self.weight[rows]
        return Samples(np.ascontiguousarray(x, dtype), self.t[rows], weight)

    def blocks(self, dtype: np.dtype[Any]) -> Iterator[Samples]:
        """Yield all of them, X as arrays that fit in memory."""
        rows = max(1, BLOCK // self.x.shape[1]) if self.is_sparse else self.n
        for at in range(0, self.n, rows):
            yield self.take(slice(at, at + rows), dtype)


@dataclass
class HeldOut:
    """What is looked at after every epoch: samples, and their labels or values as a score compares them."""

    samples: Samples
    y: Any


class NotFinite(ValueError):
    """E or the parameters did not stay finite, in scikit-learn's words."""

    def __init__(self) -> None:
        super().__init__(
            "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
            "preprocessed."
        )


class Run:
    """How far a fit has come, as its user and scikit-learn's callbacks see it; a context that ends with it.

    Parameters
    ----------
    estimator : estimator
        What is fitted.
    given : tuple of (X, y, sample_weight)
        As `fit` was called with.
    limit : int
        How many iterations there may be in each restart.
    incremental : bool
        Whether this is a `partial_fit`.
    """

    def __init__(self, estimator: Any, given: tuple[Any, Any, Any], limit: int, incremental: bool) -> None:
        self.limit, self.incremental = limit, incremental
        self._estimator, (x, y, sample_weight) = estimator, given
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": x, "y": y, "metadata": metadata}
        self._restarts = int(estimator.n_restarts)
        self._progress = Progress(estimator.progress, 0, limit * self._restarts)
        self._iterations = count(1)
        self._context: Any = None
        self._iteration: Any = None

    def __enter__(self) -> Self:
        self._context = self._estimator._init_callback_context(
            task_name="partial_fit" if self.incremental else "fit",
            max_subtasks=self.limit if self._restarts == 1 else self._restarts,
        )
        self._context.call_on_fit_task_begin(**self._data)
        return self

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks on who expects one iteration after the other: callbacks, or a reader of lines."""
        return bool(self._context._callbacks or self._estimator.verbose)

    def begin_restart(self, estimator: Any) -> Run:
        """Return the run of one of the restarts, of which there are several, and tell the callbacks that it begins."""
        if self._restarts == 1:
            return self
        part = copy(self)
        part._data = {**self._data, "estimator": estimator}
        part._context = self._context.subcontext(task_name="restart", max_subtasks=self.limit)
        part._context.call_on_fit_task_begin(**part._data)
        return part

    def end_restart(self, part: Run) -> bool:
        """Tell the callbacks that a restart ends; return whether one of them wants no more."""
        return part is not self and part._ends(part._context, part._data["estimator"])

    def begin_iteration(self) -> None:
        """Tell the callbacks that one begins."""
        self._iteration = self._context.subcontext(task_name="iteration")
        self._iteration.call_on_fit_task_begin(**self._data)

    def end_iteration(self, estimator: Any, losses: dict[str, float]) -> bool:
        """Show an iteration's losses; return whether a callback wants no more of them."""
        self._progress.show(next(self._iterations), losses)
        return self._ends(self._iteration, estimator)

    def _ends(self, context: Any, estimator: Any) -> bool:
        """Tell the callbacks that a task ends, with a copy of the estimator as if the fit had ended here."""
        fitted = partial(copy_of_network, estimator)
        return bool(context.call_on_fit_task_end(**self._data, reconstruction_attributes=fitted))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._progress.close()
        if kind is None:
            self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=dict)


def copy_of_network(estimator: Any) -> dict[str, Any]:
    """Return the attributes that make a copy of the estimator independent of what it learns from now on."""
    network = estimator._network.copy()
    return {
        "_network": network,
        "coefs_": [layer.w for layer in network.layers],
        "intercepts_": [layer.b for layer in network.layers],
    }
