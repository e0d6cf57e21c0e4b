"""The optimizers that Python adds to the core's: one line each, and the module that holds it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import _core
from ._whole_batch import Method
from .lbfgs import LBFGS
from .levenberg_marquardt import LevenbergMarquardt

if TYPE_CHECKING:
    from .definitions import Definition
    from .network import Network

METHODS: dict[str, type[Method]] = {method.entry["name"]: method for method in (LBFGS, LevenbergMarquardt)}
ENTRIES = tuple(method.entry for method in METHODS.values())


def method_for(
    optimizer: Definition, loss: Definition, network: Network, regularization: _core.Regularization
) -> Method | None:
    """Return the method that an optimizer names, None for one of the core's; refuse what it cannot do."""
    if optimizer.name not in METHODS:
        return None
    cls, name = METHODS[optimizer.name], optimizer.name
    if cls.losses and loss.short not in cls.losses:  # not a loss of the user's own by such a name
        raise ValueError(f"loss is {loss.short!r}; with {name} it must be a sum of squares: {', '.join(cls.losses)}")
    changes = {
        "l1, which has no derivative at 0,": any(regularization.l1),
        "dropout, which changes E from step to step,": any(regularization.dropout),
        "clip_value": regularization.clip_value < math.inf,
        "clip_norm": regularization.clip_norm < math.inf,
        "max_norm": regularization.max_norm < math.inf,
    }
    for given, is_on in changes.items():
        if is_on:
            raise ValueError(f"{given} is not for {name}, whose steps follow E itself; leave it out, or use l2")
    return cls(optimizer, network.n_parameters)
