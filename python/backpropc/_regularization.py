"""Penalties, dropout and bounds as the core keeps them, and what is wrong with those it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import _core
from ._arguments import LARGEST, numbers_for, real_number, shown

if TYPE_CHECKING:
    from .network import Network

Numbers = float | Sequence[float]  # one number, or one for each layer


def regularization_for(
    network: Network,
    l1: Numbers,
    l2: Numbers,
    dropout: Numbers,
    input_dropout: float,
    clip_value: float | None,
    clip_norm: float | None,
    max_norm: float | None,
) -> _core.Regularization:
    """Return these arguments of a trainer as the core keeps them."""
    regularization = _core.Regularization()
    regularization.l1 = _penalty(network, l1, "l1")
    regularization.l2 = _penalty(network, l2, "l2")
    regularization.dropout = dropout_rates(network, dropout, input_dropout)
    regularization.clip_value = _bound(network, clip_value, "clip_value")
    regularization.clip_norm = _bound(network, clip_norm, "clip_norm")
    regularization.max_norm = _bound(network, max_norm, "max_norm")
    return regularization


def _penalty(network: Network, value: Numbers, name: str) -> tuple[float, ...]:
    largest = LARGEST[network.dtype]
    must = f"at least 0 and finite in {network.dtype}"
    return numbers_for(value, name, len(network.layers), "each layer", 0.0, math.nextafter(largest, math.inf), must)


def dropout_rates(network: Network, hidden: Numbers, of_input: float) -> tuple[float, ...]:
    """Return the rate for what each layer reads."""
    must, n_hidden = "at least 0 and below 1", len(network.layers) - 1
    if n_hidden == 0 and np.any(np.asarray(hidden) != 0):
        raise ValueError(f"dropout is {shown(hidden)}; it must be 0 where there is no hidden layer")
    rates = numbers_for(hidden, "dropout", n_hidden, "each hidden layer", 0.0, 1.0, must) or (0.0,) * n_hidden
    first = numbers_for(real_number(of_input, "input_dropout"), "input_dropout", 1, "the input", 0.0, 1.0, must) or (
        0.0,
    )
    return first + rates if any(first + rates) else ()


def _bound(network: Network, value: float | None, name: str) -> float:
    if value is None:
        return math.inf
    number = real_number(value, name)
    if not float(np.finfo(network.dtype).tiny) <= number <= LARGEST[network.dtype]:
        raise ValueError(f"{name} is {number}; it must be None, or above 0 and finite in {network.dtype}")
    return number


def none_if_infinite(bound: float) -> float | None:
    return None if bound == math.inf else bound
