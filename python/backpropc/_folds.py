"""Which samples each network of a population learns from and is validated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FloatArray, items_of, shown

DATA_BY_ROW = ("x", "t", "sample_weight")


@dataclass(frozen=True)
class Folds:
    """The rows of the data by fold, and the fold of each network. Without rows all are validated on all."""

    training: list[FloatArray]
    validation: list[FloatArray]
    of: FloatArray

    @property
    def lengths(self) -> list[tuple[int, int]]:
        """Of each fold, the numbers of its samples."""
        return [(len(a), len(b)) for a, b in zip(self.training, self.validation, strict=True)]

    def tables(self, group: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the fold of each of some networks, and the folds' rows; these networks' must be equally many."""
        used, fold_of = np.unique(self.of[group], return_inverse=True)
        training, validation = (
            np.array([own[fold] for fold in used], np.uint32) for own in (self.training, self.validation)
        )
        return fold_of.astype(np.uint32), training, validation

    def cut(self, member: int, data: dict[str, Any]) -> dict[str, Any]:
        """Return of the data of a fit those of one network."""
        fold = int(self.of[member])
        own = dict(data)
        for name in DATA_BY_ROW:
            if data[name] is not None:
                own[name] = np.asarray(data[name])[self.training[fold]]
        held_out, rows = data["validation_data"], self.validation[fold]
        if held_out is not None and len(rows):
            own["validation_data"] = tuple(np.asarray(each)[rows] for each in held_out)
        return own

    def part(self, members: FloatArray) -> Folds:
        """Return the folds of some of the networks."""
        return Folds(self.training, self.validation, self.of[members])


def folds_for(x: ArrayLike, validation_data: Any, rows: Any, validation_rows: Any, n: int) -> Folds | None:
    """Return the folds of n networks, or None where all learn from all samples.

    Raises
    ------
    TypeError, ValueError
        There are not rows for each network, or they are not rows of the data.
    """
    if rows is None and validation_rows is None:
        return None
    samples = len(np.asarray(x)) if np.ndim(x) else 0
    training = [np.arange(samples)] * n if rows is None else _rows(rows, "rows", n, samples)
    validation = [np.empty(0, np.int64)] * n
    if validation_rows is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise ValueError("validation_rows is given; it must be None, or validation_data a pair of arrays, (x, t)")
        validation = _rows(validation_rows, "validation_rows", n, len(np.asarray(validation_data[0])))
    folds: dict[tuple[int, int], tuple[FloatArray, FloatArray]] = {}
    for pair in zip(training, validation, strict=True):
        folds.setdefault((id(pair[0]), id(pair[1])), pair)
    number = {key: i for i, key in enumerate(folds)}
    of = np.array([number[id(a), id(b)] for a, b in zip(training, validation, strict=True)])
    return Folds([a for a, _ in folds.values()], [b for _, b in folds.values()], of)


def _rows(given: Any, name: str, n: int, samples: int) -> list[FloatArray]:
    """Return the rows of each of n networks; the same object for those that were."""
    if not isinstance(given, (Sequence, np.ndarray)) or isinstance(given, (str, bytes)):
        raise TypeError(f"{name} is {shown(given)}; it must be a sequence of {n} arrays of integers")
    given = items_of(given, name, f"{n} arrays, the rows of each network")
    if len(given) != n:
        raise ValueError(f"{name} has {len(given)} entries; it must have {n}: the rows of each network")
    checked: dict[int, FloatArray] = {}
    given = list(given)  # so that each entry is an object with an id of its own
    for i, own in enumerate(given):
        if id(own) not in checked:
            checked[id(own)] = checked_rows(own, f"{name}[{i}]", samples)
    return [checked[id(own)] for own in given]


def checked_rows(own: Any, name: str, samples: int) -> FloatArray:
    """Return indices of samples, if they are."""
    found = np.asarray(own)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise TypeError(f"{name} is {shown(own)}; it must be a vector of integers, the indices of samples")
    if not len(found):
        raise ValueError(f"{name} is empty; it must name at least one sample")
    wrong = np.flatnonzero((found < 0) | (found >= samples))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(f"{name}[{at}] is {found[at]}; with {samples} samples it must be 0 to {samples - 1}")
    return found.astype(np.int64)
