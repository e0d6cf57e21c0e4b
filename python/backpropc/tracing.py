"""What one forward and backward pass computes, by the lecture's letters."""

from __future__ import annotations

from typing import NamedTuple

from ._arguments import FloatArray


class LayerGradients(NamedTuple):
    """∂E/∂w (fan_in, fan_out) and ∂E/∂b (fan_out,) of one layer: the lecture's BP4 and BP3."""

    dw: FloatArray
    db: FloatArray


class Gradients(NamedTuple):
    """E, and its gradient by layer."""

    loss: float
    layers: tuple[LayerGradients, ...]


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


class Trace(NamedTuple):
    """Every number of one forward and backward pass."""

    loss: float
    layers: tuple[LayerTrace, ...]

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
