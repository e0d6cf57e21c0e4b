"""Is the gradient right? Every ∂E/∂w against a central difference, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import (
    FLOAT32,
    FLOAT64,
    FloatArray,
    real_array,
    real_number,
    seed_value,
    shape_error,
    shown,
    whole_number,
)
from .definitions import ACTIVATION, LOSS, Definition
from .functions import activation_derivative
from .network import Network

EPSILON = float(np.finfo(np.float64).eps)
ALL = 1000  # parameters that are all checked; of a larger network a sample of so many is
FIRST_STEP = 2.0**-7  # of a parameter of about 1
LEVELS = 10  # the last step is 4⁻⁹ of the first
ROUNDINGS = 8  # that E may be off by, in units of its last place
TOLERANCES = {FLOAT32: 1e-3, FLOAT64: 1e-6}


@dataclass(frozen=True)
class LayerCheck:
    """What `check_gradients` found in one layer.

    Attributes
    ----------
    n_checked, n_parameters : int
        How many of the layer's parameters were compared, and how many there are, without those masked out.
    error : float
        The largest relative error: how far a gradient and its difference quotient are apart, relative to the larger of
        the two, or to what the quotient's uncertainty is the tolerance's share of, where that is larger still.
    where : str
        The parameter that has it, as ``"layers[0].w[2, 1]"``.
    gradient, difference, uncertainty, step : float
        There: the gradient, the difference quotient, the estimate of its error, and the step h it was taken with.
    kinks : tuple of str
        Parameters at which E has a kink, as that of a relu, that explains the disagreement.
    undecided : int
        Gradients so small that the difference quotient does not know their second digit.
    ok : bool
        Whether the error is within the tolerance.
    """

    n_checked: int
    n_parameters: int
    error: float
    where: str
    gradient: float
    difference: float
    uncertainty: float
    step: float
    kinks: tuple[str, ...]
    undecided: int
    ok: bool


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """What `check_gradients` found. It is true where all gradients are right, and shows itself as a report by layer.

    Attributes
    ----------
    layers : tuple of LayerCheck
        By layer.
    tolerance : float
        The largest relative error that is taken for right.
    hint : str
        What the mistake looks like, where there is one and it looks like something.
    heading : str
        What was checked.
    """

    layers: tuple[LayerCheck, ...]
    tolerance: float
    hint: str
    heading: str

    @property
    def ok(self) -> bool:
        """Whether every gradient that was compared is right."""
        return all(layer.ok for layer in self.layers)

    @property
    def error(self) -> float:
        """The largest relative error of all layers."""
        return max(layer.error for layer in self.layers)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [self.heading]
        for i, layer in enumerate(self.layers):
            counted = f"{layer.n_checked} of {layer.n_parameters}"
            lines.append(f"layers[{i}]  {counted:>15}  largest relative error {layer.error:.2g} at {layer.where}")
            if not layer.ok:
                lines[-1] += "  WRONG"
                lines.append(
                    f"    gradient {layer.gradient:.10g}, difference quotient {layer.difference:.10g} "
                    f"± {layer.uncertainty:.1g} (h = {layer.step:.1g})"
                )
            if layer.undecided:
                lines.append(f"    {layer.undecided} are too small for a difference quotient to tell")
            lines += [f"    {kink}" for kink in layer.kinks[:3]]
            if len(layer.kinks) > 3:
                lines.append(f"    and {len(layer.kinks) - 3} more at a kink")
        verdict = "ok: no" if self.ok else "WRONG: a"
        lines.append(f"{verdict} relative error is above {self.tolerance:g}")
        return "\n".join([*lines, *([self.hint] if self.hint else [])])

    __repr__ = __str__


def check_gradients(
    net: Network,
    x: ArrayLike,
    t: ArrayLike,
    loss: str | Definition = "half_squared_error",
    *,
    gradients: Any = None,
    n_parameters: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
) -> GradientCheck:
    """Compare every ∂E/∂w and ∂E/∂b with a central difference, in float64.

    Parameters
    ----------
    net : Network
        Not changed. Of a float32 network a float64 copy is checked.
    x, t, loss
        As for `Network.loss`: samples, targets, and E. A few samples are enough.
    gradients : callable, Gradients, sequence of (dw, db), or array_like, shape (net.n_parameters,)
        Gradients of your own to be checked instead of `Network.gradients`: the values, or a function of
        ``(net, x, t)`` that returns them.
    n_parameters : int
        How many parameters to compare, spread over the layers and drawn by `seed`. By default all of them, up to 1000.
    seed : int
        Of that sample.
    tolerance : float
        The largest relative error that is taken for right; by default 1e-6, and 1e-3 for `gradients` in float32.

    Returns
    -------
    GradientCheck
        ``.ok`` (also its truth), ``.layers[l]`` with the largest relative error and where it is; print it.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        Shapes or values do not fit.

    Notes
    -----
    The difference quotients of steps that shrink by four are extrapolated to h = 0 (Richardson 1911; Ridders 1982): for
    each parameter until they agree, or rounding takes over. Where they disagree with the gradient, the one-sided
    derivatives and the sign of every z tell whether E has a kink there, as at a relu's 0, where a gradient may be
    anything between the two.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> net = bp.Network([2, 3, 1], "tanh", seed=0)
    >>> x, t = np.array([[0.5, -1.0], [1.5, 0.2]]), np.array([[0.3], [-0.4]])
    >>> print(bp.check_gradients(net, x, t))
    ∂E/∂w and ∂E/∂b of Network(2 → 3 tanh → 1 tanh, float64, 13 parameters) by half_squared_error, 2 samples
    layers[0]           9 of 9  largest relative error ... at layers[0]...
    layers[1]           4 of 4  largest relative error ... at layers[1]...
    ok: no relative error is above 1e-06

    Somebody's own gradients, with the sign turned:

    >>> mine = lambda net, x, t: [(-layer.dw, -layer.db) for layer in net.gradients(x, t).layers]
    >>> report = bp.check_gradients(net, x, t, gradients=mine)
    >>> report.ok, report.hint
    (False, 'every gradient is -1 times what it should be: the sign is turned')
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is {shown(net)} ({type(net).__name__}); it must be a backpropc.Network")
    definition = LOSS.resolve(loss, "loss")
    twin = in_float64(net)
    found, dtype = _given_gradients(twin, x, t, definition, gradients)
    limit = TOLERANCES[dtype] if tolerance is None else real_number(tolerance, "tolerance")
    if not 0.0 < limit < 1.0:
        raise ValueError(f"tolerance is {limit}; it must be above 0 and below 1")
    wanted = min(ALL, net.n_parameters) if n_parameters is None else whole_number(n_parameters, "n_parameters", 1)
    error = Error(twin, x, t, definition)
    layers, measured = [], []
    sizes = [w.size + b.size for w, b in _places(twin)]
    for i, indices in enumerate(_chosen(twin, wanted, seed_value(whole_number(seed, "seed", 0)))):
        quotients = [error.slope(index, found[index], limit) for index in indices]
        layers.append(_layer_check(error, sizes[i], indices, found, quotients, limit, float(np.finfo(dtype).eps)))
        measured += list(zip(indices, quotients, strict=True))
    n = 1 if np.ndim(x) == 1 else len(np.asarray(x))
    heading = f"∂E/∂w and ∂E/∂b of {twin!r} by {definition.short}, {n} sample{'s' if n > 1 else ''}" + (
        "" if gradients is None else ": the gradients given"
    )
    ok = all(layer.ok for layer in layers)
    return GradientCheck(tuple(layers), limit, "" if ok else _hint(twin, found, measured, layers, n), heading)


def in_float64(net: Network) -> Network:
    """Return a float64 copy of a network, of the same class."""
    if net.dtype == FLOAT64:
        return net.copy()
    twin = type(net)._of_zeros(net._plans, FLOAT64)
    for layer, like in zip(twin.layers, net.layers, strict=True):
        layer.mask = like.mask
    twin.parameters = net.parameters
    return twin


# --- what is checked --------------------------------------------------------------------------------------------------


def _given_gradients(
    twin: Network, x: ArrayLike, t: ArrayLike, loss: Definition, given: Any
) -> tuple[FloatArray, np.dtype[Any]]:
    """Return the gradients to check as one flat array of float64, and the dtype they were computed in."""
    if given is None:
        given = twin.gradients(x, t, loss)
    elif callable(given):
        given = given(twin, x, t)
    layers = getattr(given, "layers", given)
    if isinstance(layers, np.ndarray):
        arrays = [real_array(layers, "gradients")]
        if layers.shape != (twin.n_parameters,):
            raise shape_error("gradients", layers.shape, f"({twin.n_parameters},), as net.parameters")
    else:
        arrays = list(_by_layer(twin, layers))
    dtype = FLOAT32 if any(array.dtype.itemsize <= 4 and array.dtype.kind == "f" for array in arrays) else FLOAT64
    return np.concatenate([array.astype(np.float64).ravel() for array in arrays]), dtype


def _by_layer(twin: Network, layers: Any) -> Iterator[FloatArray]:
    must = "Gradients, a (dw, db) for each layer, or one array as net.parameters"
    try:
        pairs = [tuple(pair) for pair in layers]
    except (TypeError, NotImplementedError):  # the latter of a memoryview of several axes
        raise TypeError(f"gradients is {shown(layers)}; it must be {must}") from None
    if len(pairs) != len(twin.layers) or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"gradients is {shown(layers)}; it must be {must}: {len(twin.layers)} of them")
    for i, (pair, layer) in enumerate(zip(pairs, twin.layers, strict=True)):
        for name, value, like in zip(("dw", "db"), pair, (layer.w, layer.b), strict=True):
            array = real_array(value, f"gradients[{i}] {name}")
            if array.shape != like.shape:
                raise shape_error(f"gradients[{i}] {name}", array.shape, f"{like.shape}")
            yield array


def _chosen(net: Network, wanted: int, seed: int) -> Iterator[list[int]]:
    """Yield for each layer the places of the parameters to compare, about as many of w and of b, and of each layer."""
    blocks = [block for places in _places(net) for block in places]
    counts = [0] * len(blocks)
    left = wanted = min(max(wanted, len(blocks)), sum(block.size for block in blocks))
    while left > 0:  # what small blocks cannot use goes to the larger ones
        open_ = [i for i, block in enumerate(blocks) if counts[i] < block.size]
        for i in open_[:left]:
            counts[i] += min(max(1, left // len(open_)), blocks[i].size - counts[i])
        left = wanted - sum(counts)
    rng = np.random.Generator(np.random.Philox(key=seed))
    drawn = [
        block if count == block.size else np.sort(rng.choice(block, count, replace=False))
        for block, count in zip(blocks, counts, strict=True)
    ]
    for w, b in zip(drawn[::2], drawn[1::2], strict=True):
        yield [*w.tolist(), *b.tolist()]


def _places(net: Network) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield where the weights of each layer are among the parameters, but for those that are masked out, and biases."""
    start = 0
    for layer in net.layers:
        there = np.ones(layer.w.size, bool) if layer.mask is None else layer.mask.ravel()
        end = start + layer.w.size
        yield start + np.flatnonzero(there), np.arange(end, end + layer.fan_out)
        start = end + layer.fan_out


def name_of(net: Network, index: int) -> str:
    """Return a parameter's name in code, as ``layers[0].w[2, 1]``."""
    for i, layer in enumerate(net.layers):
        if index < layer.w.size:
            k, j = divmod(index, layer.fan_out)
            return f"layers[{i}].w[{k}, {j}]"
        index -= layer.w.size
        if index < layer.fan_out:
            return f"layers[{i}].b[{index}]"
        index -= layer.fan_out
    raise IndexError(index)


# --- difference quotients ---------------------------------------------------------------------------------------------


class Quotient(NamedTuple):
    """A difference quotient extrapolated to h = 0, the estimate of its error, and the last step."""

    value: float
    uncertainty: float
    step: float


class Error:
    """E of some samples as a function of one parameter at a time."""

    def __init__(self, net: Network, x: ArrayLike, t: ArrayLike, loss: Definition) -> None:
        self.net, self._x, self._t, self._loss = net, x, t, loss
        self._here = self._value()
        self._bends = [_bends_at_zero(layer.activation) for layer in net.layers]

    def _value(self) -> float:
        return self.net.loss(self._x, self._t, self._loss)

    def _at(self, index: int, h: float, measure: Callable[[], Any]) -> Any:
        """Return what `measure` finds with a parameter moved by h."""
        parameters = self.net.parameters
        before = parameters[index]
        parameters[index] = before + h
        try:
            return measure()
        finally:
            parameters[index] = before

    def _scale(self, index: int) -> float:
        """Return a power of two of about the parameter's size, so that adding a step of it loses nothing."""
        return float(2.0 ** math.ceil(math.log2(max(1.0, abs(float(self.net.parameters[index]))))))

    def slope(self, index: int, expected: float, tolerance: float) -> Quotient:
        """Return ∂E of a parameter, by Ridders' method: steps that shrink until the extrapolations agree."""
        h = FIRST_STEP * self._scale(index)
        best = Quotient(math.nan, math.inf, h)
        row: list[float] = []
        for _ in range(LEVELS):
            rounding = ROUNDINGS * EPSILON * abs(self._here) / h
            if rounding > best.uncertainty:
                break
            quotient = (self._at(index, h, self._value) - self._at(index, -h, self._value)) / (2.0 * h)
            new, factor = [quotient], 16.0
            for before in row if math.isfinite(quotient) else ():
                better = new[-1] + (new[-1] - before) / (factor - 1.0)
                uncertainty = max(abs(better - new[-1]), abs(better - before)) + rounding
                if uncertainty <= best.uncertainty:
                    best = Quotient(better, uncertainty, h)
                new.append(better)
                factor *= 16.0
            row = new if math.isfinite(quotient) else []
            if best.uncertainty <= 0.1 * tolerance * max(abs(best.value), abs(expected)):
                break
            h /= 4.0
        return best

    def kink(self, index: int, gradient: float, tolerance: float) -> str:
        """Return the kink that explains why E has no derivative here, or "" where there is none."""
        h = 2.0**-20 * self._scale(index)
        up, half_up, half_down, down = (self._at(index, step, self._value) for step in (h, h / 2, -h / 2, -h))
        right = (4.0 * half_up - up - 3.0 * self._here) / h
        left = (3.0 * self._here - 4.0 * half_down + down) / h
        slack = 8 * ROUNDINGS * EPSILON * abs(self._here) / h + tolerance * max(abs(left), abs(right))
        bends = abs(right - left) > 2.0 * slack
        between = min(left, right) - slack <= gradient <= max(left, right) + slack
        unit = self._crossing(index, h)
        if not unit and not (bends and between):
            return ""
        name = name_of(self.net, index)
        sides = f"to the left ∂E is {left:.6g}, to the right {right:.6g}, and the gradient {gradient:.6g}"
        return f"at {name} E has a kink, for {unit or 'the loss or an activation has one there'}: {sides}"

    def _crossing(self, index: int, h: float) -> str:
        """Return a unit whose activation bends at z = 0, and whose z changes its sign with this parameter."""
        up, down = (self._at(index, step, lambda: self.net.trace(self._x, self._t, self._loss).z) for step in (h, -h))
        for i, bends in enumerate(self._bends):
            crosses = np.atleast_2d((np.sign(up[i]) != np.sign(down[i])) & bends)
            if crosses.any():
                sample, unit = np.argwhere(crosses)[0]
                name = self.net.layers[i].activation
                return f"z of unit {unit} of layers[{i}] ({name}) passes 0 for sample {sample}"
        return ""


def _bends_at_zero(activation: str | Definition) -> bool:
    """Whether σ′ jumps at 0, as a relu's does."""
    if ACTIVATION.resolve(activation, "activation").entry["by_row"]:
        return False
    left, right = activation_derivative(activation, np.array([-1e-12, 1e-12]))
    return bool(abs(right - left) > 1e-6)


# --- the report -------------------------------------------------------------------------------------------------------


def _layer_check(
    error: Error,
    n_parameters: int,
    indices: list[int],
    found: FloatArray,
    quotients: list[Quotient],
    tolerance: float,
    epsilon: float,
) -> LayerCheck:
    largest = max((abs(quotient.value) for quotient in quotients if math.isfinite(quotient.value)), default=0.0)
    floor = 64.0 * epsilon * largest  # what adding up may leave where terms cancel
    kinks: list[str] = []
    undecided, worst, at = 0, -1.0, 0
    for i, (index, quotient) in enumerate(zip(indices, quotients, strict=True)):
        gradient = float(found[index])
        size = max(abs(gradient), abs(quotient.value))
        apart = _relative(gradient, quotient, floor, tolerance)
        if apart > tolerance or quotient.uncertainty > max(tolerance * size, floor):
            kink = error.kink(index, gradient, tolerance)
            if kink:
                kinks.append(kink)
                continue
            undecided += size > 0.0 and quotient.uncertainty > max(0.01 * size, floor)
        if apart > worst:
            worst, at = apart, i
    where, quotient = indices[at], quotients[at]
    return LayerCheck(
        n_checked=len(indices),
        n_parameters=n_parameters,
        error=max(worst, 0.0),
        where=name_of(error.net, where),
        gradient=float(found[where]),
        difference=quotient.value,
        uncertainty=quotient.uncertainty,
        step=quotient.step,
        kinks=tuple(kinks),
        undecided=undecided,
        ok=worst <= tolerance,
    )


def _relative(gradient: float, quotient: Quotient, floor: float, tolerance: float) -> float:
    """Return how far apart the two are, relative to the larger; what the quotient does not know is no error."""
    if not (math.isfinite(gradient) and math.isfinite(quotient.value)):
        return math.inf
    unknown = (quotient.uncertainty + floor) / tolerance
    size = max(abs(gradient), abs(quotient.value), unknown)
    return abs(gradient - quotient.value) / size if size > 0.0 else 0.0


def _hint(
    net: Network, found: FloatArray, measured: list[tuple[int, Quotient]], layers: list[LayerCheck], n: int
) -> str:
    """Return what the mistake looks like, or ""."""
    known = [(i, q.value) for i, q in measured if abs(q.value) > 100.0 * q.uncertainty]
    if not known:
        return ""
    ratios = np.array([found[i] / value for i, value in known])
    factor = float(np.median(ratios))
    if factor != 0.0 and np.abs(ratios - factor).max() <= min(1e-3 * abs(factor), 0.1 * abs(factor - 1.0)):
        why = "the sign is turned" if abs(factor + 1.0) < 1e-3 else ""
        if n > 1 and abs(factor - n) < 1e-3 * n:
            why = f"the mean over the {n} samples is missing"
        return f"every gradient is {factor:.4g} times what it should be" + (f": {why}" if why else "")
    if _is_transposed(net, found, dict(known)):
        return "∂E/∂w of a square layer is the transpose of what it should be: look at BP4"
    by_name = [(name_of(net, i).split(".")[1][0], abs(found[i] - value) <= 1e-3 * abs(value)) for i, value in known]
    biases_right = all(right for kind, right in by_name if kind == "b")
    if biases_right and not all(right for kind, right in by_name if kind == "w"):
        return "every ∂E/∂b is right and some ∂E/∂w are not, so δ is right: look at BP4"
    if len(layers) > 1 and layers[-1].ok:
        last = max(i for i, layer in enumerate(layers) if not layer.ok)
        return f"the gradients are right above layers[{last}] and wrong there: look at BP2 and σ′ of layers[{last}]"
    return ""


def _is_transposed(net: Network, found: FloatArray, known: dict[int, float]) -> bool:
    start, seen = 0, False
    for layer in net.layers:
        k, j = layer.w.shape
        inside = {i: known[i] for i in range(start, start + layer.w.size) if i in known}
        start += layer.w.size + layer.fan_out
        right = all(abs(found[i] - value) <= 1e-3 * abs(value) for i, value in inside.items())
        if right or k != j:
            if not right:
                return False
            continue
        first = start - layer.w.size - layer.fan_out
        swapped = {i: first + (i - first) % j * j + (i - first) // j for i in inside}
        if not all(abs(found[swapped[i]] - value) <= 1e-3 * abs(value) for i, value in inside.items()):
            return False
        seen = True
    return seen
