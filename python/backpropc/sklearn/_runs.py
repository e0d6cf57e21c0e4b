"""One fit: its samples, and scikit-learn's callbacks, which are told of every iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


class Run:
    """How far a fit has come, as its user and scikit-learn's callbacks see it; a context that ends with it.

    Parameters
    ----------
    estimator : estimator
        What is fitted.
    given : tuple of (X, y, sample_weight)
        As `fit` was called with.
    limit : int
        How many iterations there may be.
    incremental : bool
        Whether this is a `partial_fit`.
    """

    def __init__(self, estimator: Any, given: tuple[Any, Any, Any], limit: int, incremental: bool) -> None:
        self.limit, self.incremental = limit, incremental
        self._estimator, (x, y, sample_weight) = estimator, given
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": x, "y": y, "metadata": metadata}
        self._progress = Progress(estimator.progress, 0, limit)
        self._context: Any = None
        self._iteration: Any = None

    def __enter__(self) -> Self:
        self._context = self._estimator._init_callback_context(
            task_name="partial_fit" if self.incremental else "fit", max_subtasks=self.limit
        )
        self._context.call_on_fit_task_begin(**self._data)
        return self

    def begin_iteration(self) -> None:
        """Tell the callbacks that one begins."""
        self._iteration = self._context.subcontext(task_name="iteration")
        self._iteration.call_on_fit_task_begin(**self._data)

    def end_iteration(self, losses: dict[str, float], fitted: Callable[[], dict[str, Any]]) -> bool:
        """Show an iteration's losses; return whether a callback wants no more of them.

        What `fitted` returns makes a copy of the estimator as if the fit had ended here.
        """
        self._progress.show(self._estimator.n_iter_, losses)
        return bool(self._iteration.call_on_fit_task_end(**self._data, reconstruction_attributes=fitted))

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
