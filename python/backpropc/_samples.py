"""Samples and targets as the core reads them, and what is wrong with those that do not fit a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FloatArray, check_classes, quick_array, real_array, shape_error
from .definitions import Definition

if TYPE_CHECKING:
    from .network import Network


def samples_for(
    network: Network,
    x: ArrayLike,
    t: ArrayLike,
    loss: Definition,
    names: tuple[str, str] = ("x", "t"),
    one_allowed: bool = True,
) -> tuple[bool, FloatArray, FloatArray]:
    """Return whether x is one sample, x as rows, and t as rows or as integer classes."""
    fan_in = network._plans[0].fan_in
    rows = quick_array(x, names[0], network._dtype)
    one = one_allowed and rows.ndim == 1
    if not (one or rows.ndim == 2) or rows.shape[-1] != fan_in:
        alone = f", or ({fan_in},) for one sample" if one_allowed else ""
        raise shape_error(names[0], rows.shape, f"(n, {fan_in}){alone}")
    if rows.shape[0] == 0:
        raise ValueError(f"{names[0]} has no samples; there must be at least one")
    targets = _targets(network, t, rows.shape[:-1], loss, names)
    return one, (rows[np.newaxis] if one else rows), (targets[np.newaxis] if one else targets)


def _targets(
    network: Network, t: ArrayLike, lead: tuple[int, ...], loss: Definition, names: tuple[str, str]
) -> FloatArray:
    """Return t as an array of shape `lead` + (fan_out,), or of integer classes of shape `lead`."""
    fan_out = network._plans[-1].fan_out
    array = t if type(t) is np.ndarray and t.dtype == network._dtype else real_array(t, names[1])
    expected = (*lead, fan_out)
    if array.shape == expected:
        return quick_array(array, names[1], network._dtype)
    takes_classes = loss.entry["targets"] == "distribution"
    if takes_classes and array.shape == lead and array.dtype.kind in "iu":
        if array.dtype.kind == "u":
            check_classes(array.reshape(-1), fan_out, names[1])  # an int64 does not hold them all
        return np.require(array, np.int64, ("C", "A"))
    hint = ""
    if takes_classes:
        hint = f", or integer classes of shape {lead} (found {array.dtype})"
    elif fan_out == 1 and array.shape == lead:
        hint = f"; write {names[1]}[..., None] for one output"
    raise shape_error(names[1], array.shape, f"{expected}{hint}")
