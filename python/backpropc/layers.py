"""Layers: what a network is made of, and the plan of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arguments import FloatArray, items_of, real_array, shape_error, shown, truth, whole_number
from .definitions import ACTIVATION, INITIALIZER, Definition


@dataclass(frozen=True, init=False, repr=False)
class Dense:
    """The plan of one dense layer, for `Network`. Immutable, so that one may be given to several networks.

    Parameters
    ----------
    fan_in, fan_out : int
        Numbers of inputs and outputs, at least 1.
    activation : str or activation object
        σ, one of `ACTIVATIONS`.
    trainable : bool
        Whether updates change the layer.
    initializer, bias_initializer : str or initializer object
        What the weights and the biases start as, one of `INITIALIZERS`.
    mask : array_like of bool, or of 0 and 1, shape (fan_in, fan_out), or None
        Which weights there are; the others are 0 and remain so. None is all of them.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A size is below 1, a name is unknown, or the mask is of another shape or holds something else.
    """

    fan_in: int
    fan_out: int
    activation: Definition
    trainable: bool
    initializer: Definition
    bias_initializer: Definition
    mask: NDArray[np.bool_] | None = field(compare=False)
    _mask_bytes: bytes | None = field(init=False)  # the mask, in a form that compares and hashes

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        activation: str | Definition = "logistic",
        trainable: bool = True,
        initializer: str | Definition = "glorot_uniform",
        bias_initializer: str | Definition = "zeros",
        mask: ArrayLike | None = None,
    ) -> None:
        shape = whole_number(fan_in, "fan_in", 1), whole_number(fan_out, "fan_out", 1)
        of_weights = None if mask is None else mask_value(mask, shape)
        vars(self).update(  # what is frozen cannot be assigned
            fan_in=shape[0],
            fan_out=shape[1],
            activation=ACTIVATION.resolve(activation, "activation"),
            trainable=truth(trainable, "trainable"),
            initializer=INITIALIZER.resolve(initializer, "initializer"),
            bias_initializer=INITIALIZER.resolve(bias_initializer, "bias_initializer"),
            mask=of_weights,
            _mask_bytes=None if of_weights is None else of_weights.tobytes(),
        )

    def __repr__(self) -> str:
        return f"Dense({self.fan_in}, {self.fan_out}, {self.activation.short!r}{_options(self)})"


class Layer:
    """One layer of a network: views of its parameters, so that writing to them changes the network.

    Attributes
    ----------
    fan_in, fan_out : int
        Numbers of inputs and outputs.
    w : ndarray, shape (fan_in, fan_out)
        Weights, a view of the network's parameters.
    b : ndarray, shape (fan_out,)
        Biases, likewise.
    activation : str or activation object
        σ.
    trainable : bool
        Whether updates change the layer; may be set.
    mask : ndarray of bool, shape (fan_in, fan_out), or None
        Which weights there are; may be set.
    """

    __slots__ = ("_b", "_core", "_index", "_plan", "_w")

    def __init__(self, core: _core.Network, index: int, plan: Dense, w: FloatArray, b: FloatArray) -> None:
        self._core, self._index, self._plan, self._w, self._b = core, index, plan, w, b

    @property
    def fan_in(self) -> int:
        """Number of inputs."""
        return self._plan.fan_in

    @property
    def fan_out(self) -> int:
        """Number of outputs."""
        return self._plan.fan_out

    @property
    def activation(self) -> str | Definition:
        """The activation σ."""
        return self._plan.activation.short

    @property
    def w(self) -> FloatArray:
        """Weights, (fan_in, fan_out): a view. Assigning copies the values in."""
        return self._w

    @w.setter
    def w(self, value: ArrayLike) -> None:
        write_into(self._w, value, "w")
        self.apply_mask()

    @property
    def b(self) -> FloatArray:
        """Biases, (fan_out,): a view. Assigning copies the values in."""
        return self._b

    @b.setter
    def b(self, value: ArrayLike) -> None:
        write_into(self._b, value, "b")

    @property
    def trainable(self) -> bool:
        """Whether updates change the layer."""
        return self._core.trainable(self._index)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._core.set_trainable(self._index, truth(value, "trainable"))

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Which weights there are, a read-only copy; None for all of them.

        A weight that the mask leaves out becomes 0 when the mask is set, and when `w` or the network's `parameters`
        are assigned. No step changes it, whatever the optimizer, and its gradient is 0. What is written into the views
        is not watched: the next step of a layer that learns sets it to 0 again.
        """
        mask = self._core.mask(self._index)
        return None if mask is None else mask_value(mask, (self.fan_in, self.fan_out))

    @mask.setter
    def mask(self, value: ArrayLike | None) -> None:
        mask = None if value is None else mask_value(value, (self.fan_in, self.fan_out)).view(np.uint8)
        self._core.set_mask(self._index, mask)

    def apply_mask(self) -> None:
        """Set the weights to 0 that the mask leaves out."""
        mask = self._core.mask(self._index)
        if mask is not None:
            self._w[mask == 0] = 0

    def __repr__(self) -> str:
        return f"Layer({self.fan_in}, {self.fan_out}, {self.activation!r}{_options(self)})"


def _options(layer: Dense | Layer) -> str:
    """Return what differs from the default, as a repr shows it."""
    mask = layer.mask
    sparse = "" if mask is None else f", mask=<{np.count_nonzero(mask)} of {mask.size} weights>"
    return sparse if layer.trainable else f", trainable=False{sparse}"


def mask_value(value: ArrayLike, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask as a read-only array of bool."""
    array = real_array(value, "mask")
    if array.shape != shape:
        raise shape_error("mask", array.shape, f"{shape}, as w")
    wrong = np.argwhere((array != 0) & (array != 1))
    if len(wrong):
        i, j = wrong[0]
        raise ValueError(f"mask[{i}, {j}] is {array[i, j]}; it must be 0 or 1, or a bool")
    mask = np.array(array, dtype=np.bool_, order="C")
    mask.flags.writeable = False
    return mask


def write_into(view: FloatArray, value: ArrayLike, name: str) -> None:
    """Copy `value` into `view`; what `layer.w -= dw` ends in, where it is the view itself."""
    if value is view:
        return
    array = real_array(value, name)
    if array.shape != view.shape:
        raise shape_error(name, array.shape, f"{view.shape}")
    with np.errstate(all="ignore"):
        view[...] = array


def plan_layers(layers: Sequence[int] | Sequence[Dense], **of_all: str | Definition | None) -> tuple[Dense, ...]:
    """Return one `Dense` for each layer, from sizes or from layers."""
    if isinstance(layers, (str, bytes, Set, Mapping)) or not isinstance(layers, Iterable):
        raise TypeError(f"layers is {shown(layers)}; it must be a sequence of sizes, as [8, 3, 8], or of Dense layers")
    given = items_of(layers, "layers", "sizes, or of Dense layers")
    if not given:
        raise ValueError("layers is empty; it must have at least two sizes, or one Dense layer")
    n_dense = sum(isinstance(layer, Dense) for layer in given)
    if n_dense == 0:
        return _plan_of_sizes(given, **of_all)
    if n_dense < len(given):
        raise TypeError("layers mixes sizes and Dense layers; it must be all of one kind")
    for name, value in of_all.items():
        if value is not None:
            raise TypeError(f"{name} is {shown(value)}, but layers are Dense, which have their own; give one of them")
    return _plan_of_layers(cast("list[Dense]", given))


def _plan_of_sizes(
    given: list[Any],
    activation: str | Definition | None,
    output_activation: str | Definition | None,
    initializer: str | Definition | None,
    bias_initializer: str | Definition | None,
) -> tuple[Dense, ...]:
    sizes = [whole_number(size, f"layers[{i}]", 1) for i, size in enumerate(given)]
    if len(sizes) < 2:
        raise ValueError(f"layers is {sizes}; it must have at least two sizes, those of the input and the output")
    hidden = ACTIVATION.resolve("logistic" if activation is None else activation, "activation")
    last = hidden if output_activation is None else ACTIVATION.resolve(output_activation, "output_activation")
    weights = INITIALIZER.resolve("glorot_uniform" if initializer is None else initializer, "initializer")
    biases = INITIALIZER.resolve("zeros" if bias_initializer is None else bias_initializer, "bias_initializer")
    return tuple(
        Dense(fan_in, fan_out, last if i == len(sizes) - 2 else hidden, True, weights, biases)
        for i, (fan_in, fan_out) in enumerate(pairwise(sizes))
    )


def _plan_of_layers(given: list[Dense]) -> tuple[Dense, ...]:
    for i, (below, above) in enumerate(pairwise(given)):
        if below.fan_out != above.fan_in:
            raise ValueError(
                f"layers[{i + 1}] has fan_in {above.fan_in}; it must be {below.fan_out}, the fan_out of layers[{i}]"
            )
    return tuple(given)
