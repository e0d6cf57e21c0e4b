"""What one forward and backward pass computes, by the lecture's letters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._arguments import FloatArray, shown, whole_number
from .definitions import ACTIVATION, Definition
from .functions import activation_derivative, dense_backward, dense_forward, loss_gradient

if TYPE_CHECKING:
    from .network import Network

MOST_SPACES = 100  # of the indentation of JSON


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


@dataclass(frozen=True, eq=False, repr=False)
class LayerTrace:
    """Every number of one layer in one pass, by the lecture's letters.

    Attributes
    ----------
    activation : str or activation object
        σ.
    w, b : ndarray, shape (fan_in, fan_out) and (fan_out,)
        The parameters, as they were in this pass.
    x : ndarray, shape (fan_in,) or (n, fan_in)
        The layer's input, aˡ⁻¹.
    z, a : ndarray, shape (fan_out,) or (n, fan_out)
        Weighted input and activation, from the forward pass.
    da, delta : ndarray, shape as `z`
        ∂E/∂a and δ = ∂E/∂z (BP1 or BP2), from the backward pass.
    dw, db : ndarray, shape as `w` and `b`
        ∂E/∂w (BP4) and ∂E/∂b (BP3), summed over the samples.
    """

    activation: str | Definition
    w: FloatArray
    b: FloatArray
    x: FloatArray
    z: FloatArray
    a: FloatArray
    da: FloatArray
    delta: FloatArray
    dw: FloatArray
    db: FloatArray

    @cached_property
    def dsigma(self) -> FloatArray:
        """σ′(z), of z's shape; for softmax, whose outputs depend on all of z, ∂aₖ/∂zⱼ by sample: (..., k, j)."""
        definition = ACTIVATION.resolve(self.activation, "activation")
        if not definition.entry["by_row"]:
            return np.asarray(activation_derivative(definition, self.z))
        fan_out = self.z.shape[-1]
        eye = np.eye(fan_out, dtype=self.z.dtype)
        x, w = np.zeros((fan_out, 1), self.z.dtype), np.ones((1, fan_out), self.z.dtype)
        # What δ would be, were ∂E/∂a 1 for one unit k and 0 for the others: a row of the matrix.
        matrices = [
            dense_backward(eye, x, w, np.tile(z, (fan_out, 1)), np.tile(a, (fan_out, 1)), definition).delta
            for z, a in zip(self.z.reshape(-1, fan_out), self.a.reshape(-1, fan_out), strict=True)
        ]
        return np.array(matrices).reshape(*self.z.shape, fan_out)

    def _asdict(self) -> dict[str, FloatArray]:
        """Return what the pass computed, by letter."""
        return {name: getattr(self, name) for name in ("x", "z", "a", "da", "delta", "dw", "db")}

    def __repr__(self) -> str:
        return f"LayerTrace({_described(self._asdict())})"


@dataclass(frozen=True, eq=False)
class TraceStep:
    """One step of a pass.

    Attributes
    ----------
    index : int
        Its place in the trace, from 0.
    part : str
        ``"forward"``, ``"backward"`` or ``"gradient"``.
    layer : int
        The layer it belongs to, from 1.
    symbol : str
        What it gives, as ``"z¹"`` or ``"∂E/∂w²"``.
    equation : str
        Where it comes from: ``"feedforward"``, ``"E"``, ``"∇ₐE"``, ``"chain rule"``, or ``"BP1"`` to ``"BP4"``.
    formula, title : str
        The equation in index form, and in words.
    value : ndarray or float
        What it gives, as the trace has it.
    lines : tuple of str
        The formula with the numbers filled in, a line for each number.
    """

    index: int
    part: str
    layer: int
    symbol: str
    equation: str
    formula: str
    title: str
    value: FloatArray | float
    lines: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.index + 1:>2}  {self.formula:<30} {self.title}"
        return "\n".join([head, *(f"    {line}" for line in self.lines)])


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """Every number of one forward and backward pass, and the way through them, step by step.

    It has a length and is walked through step by step in the lecture's order: forward, z and a of each layer; the
    error; backward, ∂E/∂a and δ from the last layer to the first; then ∂E/∂b and ∂E/∂w of each layer. Printing it
    prints them all.

    Attributes
    ----------
    loss : float
        E.
    loss_function : str or loss object
        What E is.
    t : ndarray, shape as the last `a`
        Targets; integer classes as rows of 0 and 1.
    layers : tuple of LayerTrace
        The numbers of each layer.

    Examples
    --------
    >>> import backpropc as bp
    >>> net = bp.Network([2, 2, 1], dtype="float64")
    >>> net.layers[0].w, net.layers[0].b = [[0.5, -0.5], [1.0, 0.25]], [0.0, 0.5]
    >>> net.layers[1].w, net.layers[1].b = [[1.0], [-2.0]], [0.5]
    >>> trace = net.trace([1.0, 0.0], [1.0])
    >>> len(trace), trace.step(2).symbol, trace.step(-1).equation
    (13, 'z²', 'BP4')
    >>> print(trace.step(2))
     3  z²ⱼ = Σₖ a¹ₖ·w²ₖⱼ + b²ⱼ        the weighted input of layer 2
        z²₁ = 0.622459·1 + 0.5·(-2) + 0.5 = 0.122459
    """

    loss: float
    loss_function: str | Definition
    t: FloatArray
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
    def dsigma(self) -> tuple[FloatArray, ...]:
        """σ′(z) of each layer; for softmax the matrices ∂aₖ/∂zⱼ."""
        return tuple(layer.dsigma for layer in self.layers)

    @property
    def da(self) -> tuple[FloatArray, ...]:
        """∂E/∂a of each layer; the last is ∇ₐE, the loss's gradient."""
        return tuple(layer.da for layer in self.layers)

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

    def step(self, i: int) -> TraceStep:
        """Return one step of the way through the pass.

        Parameters
        ----------
        i : int
            Counted from 0; a negative one from the end.

        Returns
        -------
        TraceStep
            Its name and formula, the array it gives, and the formula with the numbers filled in.

        Raises
        ------
        IndexError
            There is no such step.
        TypeError
            `i` is not an integer.
        """
        from ._account import step_of

        index = whole_number(i, "i", -len(self)) if not isinstance(i, int) else i
        if not -len(self) <= index < len(self):
            raise IndexError(f"i is {shown(index)}; this trace has {len(self)} steps")
        return step_of(self, index % len(self))

    def __getitem__(self, i: Any) -> Any:
        return [self.step(j) for j in range(len(self))[i]] if isinstance(i, slice) else self.step(i)

    def __len__(self) -> int:
        return 6 * len(self.layers) + 1

    def __iter__(self) -> Iterator[TraceStep]:
        return (self.step(i) for i in range(len(self)))

    def __str__(self) -> str:
        from ._account import account

        return account(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as dicts, lists, strings and floats.

        Returns
        -------
        dict
            ``loss`` and ``loss_function``, ``t``, ``layers`` with every array by its letter, and ``steps``.
        """
        letters = ("w", "b", "x", "z", "a", "dsigma", "da", "delta", "dw", "db")
        return {
            "loss": self.loss,
            "loss_function": str(self.loss_function),
            "t": self.t.tolist(),
            "layers": [
                {"activation": str(layer.activation)} | {name: getattr(layer, name).tolist() for name in letters}
                for layer in self.layers
            ],
            "steps": [
                {
                    "equation": step.equation,
                    "symbol": step.symbol,
                    "layer": step.layer,
                    "title": step.title,
                    "formula": step.formula,
                    "lines": list(step.lines),
                }
                for step in self
            ],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return what `to_dict` returns, as JSON.

        Parameters
        ----------
        indent : int or None
            Spaces of each level; None for all in one line.

        Returns
        -------
        str
            JSON by RFC 8259, which knows neither nan nor infinity: where a number is one, ``null`` stands.
        """
        import json

        spaces = None if indent is None else whole_number(indent, "indent", 0)
        if spaces is not None and spaces > MOST_SPACES:
            raise ValueError(f"indent is {shown(spaces)}; it must be at most {MOST_SPACES}")
        return json.dumps(finite_or_null(self.to_dict()), indent=spaces, allow_nan=False, ensure_ascii=False)


def finite_or_null(value: Any) -> Any:
    """Return `value` with None for each number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: finite_or_null(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_or_null(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def trace_of(network: Network, one: bool, rows: FloatArray, targets: FloatArray, loss: Definition) -> Trace:
    """Return the trace of a pass of samples that `samples_for` has looked at."""
    w = [layer.w.copy() for layer in network.layers]
    b = [layer.b.copy() for layer in network.layers]
    value, numbers = network._core.trace(rows, targets, loss._choice)
    t = rows_of_targets(targets, network.sizes[-1], network.dtype)
    da = loss_gradient(loss, numbers[-1][1], t)
    layers: list[LayerTrace] = []
    for i in reversed(range(len(numbers))):
        z, a, delta, dw, db = numbers[i]
        x = numbers[i - 1][1] if i > 0 else rows.copy()
        x_, z_, a_, da_, delta_ = (each[0] if one else each for each in (x, z, a, da, delta))
        layers.append(LayerTrace(network.layers[i].activation, w[i], b[i], x_, z_, a_, da_, delta_, dw, db))
        # by the core, as a product of NumPy's has other bits on another machine
        da = dense_forward(delta, w[i].T, np.zeros(len(w[i]), w[i].dtype), "identity").z if i > 0 else da
    return Trace(value, loss.short, t[0] if one else t, tuple(reversed(layers)))


def rows_of_targets(targets: FloatArray, fan_out: int, dtype: np.dtype[Any]) -> FloatArray:
    """Return targets as rows, (n, fan_out), also where they are integer classes."""
    if targets.ndim == 2:
        return targets.copy()
    return np.equal(targets[:, np.newaxis], np.arange(fan_out)).astype(dtype)
