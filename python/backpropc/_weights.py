"""How much each sample counts: weights of samples and of classes, made into one number for each sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FloatArray, as_core, check_classes, real_array, real_number, shape_error, shown, whole_number

ClassWeight = Mapping[int, float] | str


def weights_of_samples(
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
    targets: FloatArray,
    n_classes: int,
    where: str = "",
) -> FloatArray | None:
    """Return one weight for each sample, the product of those given, or None where none are.

    They must sum to more than 0, unless they are of one batch of many: then messages begin with `where` it is.
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(targets))
    if sample_weight is not None:
        weights = _checked(sample_weight, len(targets), f"{where}weight" if where else "sample_weight")
    if class_weight is not None:
        weights = weights * _of_classes(class_weight, targets, n_classes)[targets]
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not (0.0 < total < np.inf or (where and total == 0.0)):
        given = f"{where}weight" if where else "sample_weight" if class_weight is None else "class_weight"
        raise ValueError(f"{given} sums to {total:g} over the samples; it must be above 0 and finite")
    return weights


def _checked(sample_weight: ArrayLike, n: int, name: str) -> FloatArray:
    weights = as_core(real_array(sample_weight, name), np.dtype(np.float64))
    if weights.shape != (n,):
        raise shape_error(name, weights.shape, f"({n},): one weight for each sample")
    wrong = np.flatnonzero(~((weights >= 0.0) & (weights < np.inf)))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(f"{name}[{i}] is {weights[i]}; weights must be at least 0 and finite")
    return weights


def _of_classes(class_weight: ClassWeight, targets: FloatArray, n_classes: int) -> FloatArray:
    """Return the weight of each class."""
    if targets.ndim != 1:
        raise ValueError("class_weight is given, but t is not a vector of integer classes; give sample_weight instead")
    check_classes(targets, n_classes)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                f"class_weight is {shown(class_weight)}; it must be 'balanced', or a dict of class to weight"
            )
        counts = np.bincount(targets, minlength=n_classes)
        return cast(FloatArray, len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1)))
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight is {shown(class_weight)}; it must be 'balanced', or a dict of class to weight")
    weights = np.ones(n_classes)
    for key, value in class_weight.items():
        of_class = whole_number(cast(Any, key), "class_weight: a class", 0)
        if of_class >= n_classes:
            raise ValueError(f"class_weight names class {of_class}; the classes must be 0 to {n_classes - 1}")
        weights[of_class] = real_number(value, f"class_weight[{of_class}]")
        if not 0.0 <= weights[of_class] < np.inf:
            raise ValueError(f"class_weight[{of_class}] is {weights[of_class]}; it must be at least 0 and finite")
    return weights
