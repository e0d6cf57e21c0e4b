"""Networks as other formats have them: their layers, and what no other format can hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ._arguments import LARGEST, FloatArray, shown
from .definitions import ACTIVATION, Value
from .network import Network
from .preprocessing import Preprocessing


class ExportedLayer(NamedTuple):
    """A layer's numbers, and its activation by name."""

    w: FloatArray
    b: FloatArray
    activation: str
    parameters: dict[str, Value]


def check_network(net: object) -> None:
    """Raise a TypeError unless `net` is a network."""
    if not isinstance(net, Network):
        raise TypeError(f"net is {shown(net)} ({type(net).__name__}); it must be a backpropc.Network")


def check_preprocessing(preprocessing: object) -> None:
    """Raise a TypeError unless it is what ``backpropc train`` keeps, or None."""
    if not (preprocessing is None or isinstance(preprocessing, Preprocessing)):
        raise TypeError(f"preprocessing is {shown(preprocessing)}; it must be a Preprocessing or None")


def layers_of(network: Network, dtype: np.dtype[np.floating]) -> Iterator[ExportedLayer]:
    """Yield the layers with their numbers rounded to `dtype`.

    Raises
    ------
    ValueError
        An activation is not one of `ACTIVATIONS`, or a parameter is not finite in `dtype`.
    """
    for index, layer in enumerate(network.layers):
        activation = layer._plan.activation
        name = str(getattr(activation, "name", ""))
        if name not in ACTIVATION.classes or type(activation) is not ACTIVATION.classes[name]:
            raise ValueError(
                f"layers[{index}] has the activation {shown(activation)}, which cannot be exported; "
                f"it must be one of: {', '.join(ACTIVATION.names)}"
            )
        for array, letter in ((layer.w, "w"), (layer.b, "b")):
            if not (np.abs(array) <= LARGEST[dtype]).all():
                raise ValueError(f"layers[{index}].{letter} has values that are not finite in {dtype}; they must be")
        yield ExportedLayer(layer.w.astype(dtype), layer.b.astype(dtype), name, activation.parameters)
