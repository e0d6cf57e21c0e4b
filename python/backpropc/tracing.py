"""What one forward and backward pass computes, by the lecture's letters."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arguments import FloatArray


def _described(arrays: dict[str, Any]) -> str:
    """Return what a person wants to know of arrays at a glance: their shapes, and of gradients how large they are."""
    parts = []
    for name, array in arrays.items():
        size = f" of norm {np.linalg.norm(array.astype(np.float64)):.4g}" if name.startswith("d") else ""
        parts.append(f"{name} {array.shape}{size}")
    return ", ".join(parts)


def _by_layer(head: str, layers: tuple[Any, ...]) -> str:
    return "\n".join([head, *(f"  layers[{i}]: {_described(layer._asdict())}" for i, layer in enumerate(layers))])


class LayerGradients(NamedTuple):
    """∂E/∂w (fan_in, fan_out) and ∂E/∂b (fan_out,) of one layer: the lecture's BP4 and BP3."""

    dw: FloatArray
    db: FloatArray

    def __repr__(self) -> str:
        return f"LayerGradients({_described(self._asdict())})"


class Gradients(NamedTuple):
    """E, and its gradient by layer."""

    loss: float
    layers: tuple[LayerGradients, ...]

    def __repr__(self) -> str:
        return _by_layer(f"Gradients(loss={self.loss:.6g}, {len(self.layers)} layers)", self.layers)


class LayerTrace(NamedTuple):
    """Every number of one layer in one pass, by the lecture's letters.

    ``x`` is the layer's input, ``z`` and ``a`` come from the forward pass, ``delta`` (∂E/∂z, BP1 or BP2), ``dw`` (BP4)
    and ``db`` (BP3) from the backward pass.
    """

    x: FloatArray
    z: FloatArray
    a: FloatArray
    delta: FloatArray
    dw: FloatArray
    db: FloatArray

    def __repr__(self) -> str:
        return f"LayerTrace({_described(self._asdict())})"


class Trace(NamedTuple):
    """Every number of one forward and backward pass."""

    loss: float
    layers: tuple[LayerTrace, ...]

    def __repr__(self) -> str:
        return _by_layer(f"Trace(loss={self.loss:.6g}, {len(self.layers)} layers)", self.layers)

    @property
    def a(self) -> tuple[FloatArray, ...]:
        """a⁰ = x, a¹, …, aᴸ: one more than there are layers."""
        return (self.layers[0].x, *(layer.a for layer in self.layers))

    @property
    def z(self) -> tuple[FloatArray, ...]:
        """z¹, …, zᴸ; ``z[l]`` belongs to ``layers[l]``."""
        return tuple(layer.z for layer in self.layers)

    @property
    def delta(self) -> tuple[FloatArray, ...]:
        """δ¹, …, δᴸ; ``delta[l]`` belongs to ``layers[l]``."""
        return tuple(layer.delta for layer in self.layers)

    @property
    def dw(self) -> tuple[FloatArray, ...]:
        """∂E/∂w of each layer."""
        return tuple(layer.dw for layer in self.layers)

    @property
    def db(self) -> tuple[FloatArray, ...]:
        """∂E/∂b of each layer."""
        return tuple(layer.db for layer in self.layers)
