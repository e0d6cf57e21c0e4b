"""Activations and losses of the user's own: a pair of vectorised functions where otherwise a name stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np

from . import _core
from ._arguments import FloatArray, as_core, real_array, shape_error, shown
from .definitions import ACTIVATION, LOSS, Definition

OfOne = Callable[[Any], Any]
OfTwo = Callable[[Any, Any], Any]
ShapeFor = Callable[[FloatArray], tuple[int, ...]]  # of a result, from the first argument


class Custom(Definition):
    """What an `Activation` and a `Loss` have in common: two functions, and a name to be known by."""

    arguments: ClassVar[tuple[str, str]]  # of the constructor
    signature: ClassVar[str]  # of the functions
    __slots__ = ("_functions", "name")
    _functions: tuple[Callable[..., Any], Callable[..., Any]]

    def __init__(self, value: object, derivative: object, name: object) -> None:
        for argument, function in zip(self.arguments, (value, derivative), strict=True):
            if not callable(function):
                what = f"{type(self).__name__}: {argument}"
                raise TypeError(f"{what} is {shown(function)}; it must be a function of {self.signature}")
        set_once = partial(object.__setattr__, self)
        set_once("_functions", (value, derivative))
        set_once("name", _name(type(self).__name__, value, name))
        set_once("parameters", {})
        set_once("_choice", self._choose())

    def _choose(self) -> _core.Choice:
        raise NotImplementedError

    def _called(self, position: int, shape_for: ShapeFor) -> Callable[..., FloatArray]:
        """Return what the core calls; it must not refer to `self`, which the core would keep alive for ever."""
        what = f"{self.family.kind} {self.name!r}: {self.arguments[position]}{self.signature}"
        return partial(_call, self._functions[position], what, shape_for)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name and other._functions == self._functions

    def __hash__(self) -> int:
        return hash((type(self), self.name))  # functions may be compared that cannot be hashed

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self._functions, self.name)

    @property
    def short(self) -> Custom:
        """The object: its name says nothing to anybody else."""
        return self


def _name(owner: str, function: object, name: object) -> str:
    given = getattr(function, "__name__", type(function).__name__) if name is None else name
    if not isinstance(given, str):
        raise TypeError(f"{owner}: name is {shown(given)}; it must be a str")
    if not given or not given.isprintable():
        raise ValueError(f"{owner}: name is {given!r}; it must be printable and not empty")
    return given


def _like_argument(array: FloatArray) -> tuple[int, ...]:
    return array.shape


def _one_of_row(array: FloatArray) -> tuple[int, ...]:
    return array.shape[:1]


def _call(function: Callable[..., Any], what: str, shape_for: ShapeFor, *arrays: FloatArray) -> FloatArray:
    """Return what a function gives for these arrays, once it is found to be what it must be."""
    shape, dtype = shape_for(arrays[0]), arrays[0].dtype
    given = function(*arrays)
    if not isinstance(given, np.ndarray):
        raise TypeError(
            f"{what} returned {shown(given)} ({type(given).__name__}); it must be an array of shape {shape}"
        )
    array = real_array(given, f"{what} returned an array that")
    if array.shape != shape:
        raise shape_error(f"{what} returned an array that", array.shape, f"{shape}")
    return as_core(array, dtype)


def _entry(name: str, *arguments: str) -> dict[str, Any]:
    """Return what the lists of the core say of a definition."""
    parameters = tuple({"name": argument, "default": None} for argument in arguments)
    return {"name": name, "parameters": parameters, "relations": (), "by_row": False, "targets": "real"}


class Activation(Custom):
    """An activation σ of your own, for wherever the name of one may stand. Slower than those, as it calls Python.

    Parameters
    ----------
    function : callable
        σ: from z to a, an array of z's shape, element by element.
    derivative : callable
        σ': from z to ∂a/∂z, an array of z's shape. It is not checked against `function`: see the example.
    name : str, optional
        How messages call it, and how a file refers to it; by default the function's own name.

    Raises
    ------
    TypeError
        `function` or `derivative` cannot be called, or `name` is not a str.
    ValueError
        `name` is empty or not printable.

    Notes
    -----
    Both are called with z of shape (n, fan_out) and the network's dtype, a copy that they may change and keep. n may be
    any number: a pass takes its samples in blocks. What they return is converted to that dtype. They are called in the
    thread that called the network, and must give the same for the same z, or a run cannot be repeated.

    What they raise ends the call and reaches the caller as it is; the network is as it was before that step. Likewise
    there is a ``TypeError`` or a ``ValueError`` that names the function, where it returns anything but an array of real
    numbers of the right shape. A function that uses the network that is being trained gets a ``RuntimeError``.

    A file holds the name alone: see `custom` of `Network.load`. Pickle takes them where it takes the functions.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> gaussian = bp.Activation(lambda z: np.exp(-z * z), lambda z: -2 * z * np.exp(-z * z), name="gaussian")
    >>> bp.Network([2, 3, 1], activation=gaussian, output_activation="identity", seed=0)
    Network(2 → 3 Activation('gaussian') → 1 identity, float32, 13 parameters)
    >>> z, h = np.linspace(-2, 2, 9), 1e-6
    >>> slope = (bp.activate(gaussian, z + h) - bp.activate(gaussian, z - h)) / (2 * h)
    >>> np.allclose(bp.activation_derivative(gaussian, z), slope, atol=1e-8)
    True
    """

    family = ACTIVATION
    arguments = ("function", "derivative")
    signature = "(z)"
    entry = _entry("Activation", *arguments)
    __slots__ = ()

    def __init__(self, function: OfOne, derivative: OfOne, name: str | None = None) -> None:
        super().__init__(function, derivative, name)

    def _choose(self) -> _core.Choice:
        return _core.custom_activation(self._called(0, _like_argument), self._called(1, _like_argument))

    @property
    def function(self) -> OfOne:
        """σ."""
        return self._functions[0]

    @property
    def derivative(self) -> OfOne:
        """σ'."""
        return self._functions[1]


class Loss(Custom):
    """A loss E of your own, for wherever the name of one may stand. Slower than those, as it calls Python.

    Parameters
    ----------
    function : callable
        From (a, t) to E of each sample, an array of shape (n,).
    gradient : callable
        From (a, t) to ∂E/∂a of each sample's own E, an array of shape (n, fan_out): not divided by n, not weighted.
    name : str, optional
        How messages call it, and how a file refers to it; by default the function's own name.

    Raises
    ------
    TypeError
        `function` or `gradient` cannot be called, or `name` is not a str.
    ValueError
        `name` is empty or not printable.

    Notes
    -----
    Both are called with a and t of shape (n, fan_out), as `Activation` says. Targets may be any finite numbers. After
    softmax, BP1 takes the whole Jacobian; there is no stable form from z, as the cross-entropies have one.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> def log_cosh(a, t):
    ...     return np.log(np.cosh(a - t)).sum(axis=1)
    >>> loss = bp.Loss(log_cosh, lambda a, t: np.tanh(a - t))
    >>> net = bp.Network([8, 3, 8], seed=0)
    >>> history = net.fit(np.eye(8), np.eye(8), loss=loss, optimizer=bp.Adam(0.05), epochs=500)
    >>> bool((net.predict(np.eye(8)).argmax(axis=1) == np.arange(8)).all())
    True
    """

    family = LOSS
    arguments = ("function", "gradient")
    signature = "(a, t)"
    entry = _entry("Loss", *arguments)
    __slots__ = ()

    def __init__(self, function: OfTwo, gradient: OfTwo, name: str | None = None) -> None:
        super().__init__(function, gradient, name)

    def _choose(self) -> _core.Choice:
        return _core.custom_loss(self._called(0, _one_of_row), self._called(1, _like_argument))

    @property
    def function(self) -> OfTwo:
        """E of each sample."""
        return self._functions[0]

    @property
    def gradient(self) -> OfTwo:
        """∂E/∂a of each sample."""
        return self._functions[1]


def customs_by_name(custom: object) -> dict[str, Custom]:
    """Return the argument `custom` of `load`: what the names of a file stand for."""
    must = "it must be a mapping from names to bp.Activation and bp.Loss objects"
    if custom is None:
        return {}
    if not isinstance(custom, Mapping):
        raise TypeError(f"custom is {shown(custom)}; {must}")
    for name, value in custom.items():
        if not isinstance(name, str) or not isinstance(value, Custom):
            raise TypeError(f"custom has {shown(name)}: {shown(value)}; {must}")
    return dict(custom)
