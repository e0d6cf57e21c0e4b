"""The account of a trace: a pass step by step in the lecture's order, with the numbers put into the formulas.

Layers and units are counted from 1, as on paper. Long sums, many units and many samples are abridged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ._arguments import FloatArray
from .definitions import ACTIVATION, LOSS
from .functions import loss_value
from .tracing import LayerTrace, Trace, TraceStep

TERMS = 16  # of a sum, before it is abridged
LINES = 32  # of a step
SAMPLES = 4  # of a batch

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def account(trace: Trace) -> str:
    """Return the whole pass in words and numbers."""
    titles = {"forward": "Forward", "backward": "Backward", "gradient": "The gradient, layer by layer"}
    samples = "one sample" if trace.t.ndim == 1 else f"{_n(trace)} samples"
    units = " → ".join(str(a.shape[-1]) for a in trace.a)
    lines, part = [f"A pass through {units} units, {samples}, E = {number(trace.loss)}, in {len(trace)} steps"], ""
    for step in trace:
        if step.part != part:
            part = step.part
            lines += ["", titles[part]]
        lines += ["", str(step)]
    return "\n".join(lines)


def step_of(trace: Trace, index: int) -> TraceStep:
    """Return one step: 2L forward, the error, 2L backward, 2L for the gradient."""
    depth = len(trace.layers)
    if index < 2 * depth:
        make = (_weighted_input, _activation)[index % 2]
        return _step(trace, index, "forward", index // 2, make)
    if index == 2 * depth:
        return _step(trace, index, "forward", depth - 1, _error)
    back = index - 2 * depth - 1
    if back < 2 * depth:
        layer = depth - 1 - back // 2
        into_a = _loss_gradient if layer == depth - 1 else _through_weights
        return _step(trace, index, "backward", layer, (into_a, _through_activation)[back % 2])
    return _step(trace, index, "gradient", back // 2 - depth, (_biases, _weights)[back % 2])


@dataclass(frozen=True)
class _Told:
    """What is particular to a kind of step."""

    symbol: str
    equation: str
    formula: str
    title: str
    value: FloatArray | float
    lines: Iterable[str]


def _step(trace: Trace, index: int, part: str, layer: int, make: Callable[[Trace, int], _Told]) -> TraceStep:
    told = make(trace, layer)
    return TraceStep(
        index, part, layer + 1, told.symbol, told.equation, told.formula, told.title, told.value, _abridged(told.lines)
    )


def _abridged(lines: Iterable[str]) -> tuple[str, ...]:
    shown: list[str] = []
    for i, line in enumerate(lines):
        if i == LINES:
            return (*shown, "…")
        shown.append(line)
    return tuple(shown)


# --- how numbers, sums and names are written --------------------------------------------------------------------------


def number(value: Any) -> str:
    """Return six digits of a number."""
    return f"{float(value) + 0.0:.6g}"  # + 0.0 makes 0 of −0


def factor(value: Any) -> str:
    """Return a number as it stands behind a sign."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def total(terms: Sequence[tuple[Any, ...]]) -> str:
    """Return a sum of products; a long one without its middle."""
    shown = list(terms) if len(terms) <= TERMS else [*terms[: TERMS // 2], *terms[-2:]]
    text = ""
    for i, (first, *others) in enumerate(shown):
        if len(terms) > TERMS and i == TERMS // 2:
            text += " + …"
        product = "·".join([number(abs(first)), *map(factor, others)])
        negative = number(first).startswith("-")
        text += (" - " if negative else " + ") + product if text else ("-" if negative else "") + product
    return text


def up(layer: int) -> str:
    """Return a layer's number as a superscript."""
    return str(layer).translate(SUPERSCRIPTS)


def down(*units: int) -> str:
    """Return units, counted from 0, as a subscript counted from 1: ₁₂, or [10,2] where digits would run together."""
    if len(units) == 1 or all(unit < 9 for unit in units):
        return "".join(str(unit + 1) for unit in units).translate(SUBSCRIPTS)
    return f"[{','.join(str(unit + 1) for unit in units)}]"


def _samples(layer: LayerTrace, *arrays: FloatArray) -> Iterator[tuple[str, tuple[FloatArray, ...]]]:
    """Yield for each sample shown what stands before its lines, and its rows of the arrays."""
    if layer.z.ndim == 1:
        yield "", arrays
        return
    for i in range(min(SAMPLES, len(layer.z))):
        yield f"sample {i + 1}: ", tuple(array[i] for array in arrays)


def _n(trace: Trace) -> int:
    return 1 if trace.t.ndim == 1 else len(trace.t)


def _shared(text: str, n: int) -> str:
    """Return one sample's term as its share of the mean over n."""
    return text if n == 1 else f"({text})/{n}"


# --- forward ----------------------------------------------------------------------------------------------------------


def _weighted_input(trace: Trace, i: int) -> _Told:
    layer, here, below = trace.layers[i], up(i + 1), up(i)

    def lines() -> Iterator[str]:
        for who, (x, z) in _samples(layer, layer.x, layer.z):
            for j, b in enumerate(layer.b):
                terms = [*zip(x, layer.w[:, j], strict=True), (b,)]
                yield f"{who}z{here}{down(j)} = {total(terms)} = {number(z[j])}"

    formula = f"z{here}ⱼ = Σₖ a{below}ₖ·w{here}ₖⱼ + b{here}ⱼ"
    title = f"the weighted input of layer {i + 1}" + (", where a⁰ = x" if i == 0 else "")
    return _Told(f"z{here}", "feedforward", formula, title, layer.z, lines())


# σ(z), and σ′(z) by a or z, with numbers put in
VALUES: dict[str, Callable[[Any], str]] = {
    "identity": number,
    "logistic": lambda z: f"1/(1 + exp({number(-z)}))",
    "tanh": lambda z: f"tanh({number(z)})",
    "relu": lambda z: f"max({number(z)}, 0)",
}
DERIVATIVES: dict[str, Callable[[Any], str]] = {
    "logistic": lambda a: f"{number(a)}·(1 - {number(a)})",
    "tanh": lambda a: f"1 - {factor(a)}²",
}


def _is_row_function(layer: LayerTrace) -> bool:
    return bool(ACTIVATION.resolve(layer.activation, "activation").entry["by_row"])


def _activation(trace: Trace, i: int) -> _Told:
    layer, here = trace.layers[i], up(i + 1)
    name = str(layer.activation)
    by_row = _is_row_function(layer)

    def lines() -> Iterator[str]:
        for who, (z, a) in _samples(layer, layer.z, layer.a):
            for j in range(len(z)):
                if name == "softmax":
                    parts = [f"exp({number(each)})" for each in (z if len(z) <= TERMS else z[: TERMS // 2])]
                    sigma = f"exp({number(z[j])})/({' + '.join(parts)}{' + …' if len(z) > TERMS else ''})"
                else:
                    sigma = VALUES.get(name, lambda z: f"σ({number(z)})")(z[j])
                yield f"{who}a{here}{down(j)} = {sigma} = {number(a[j])}"

    formula = f"a{here} = σ(z{here})" if by_row else f"a{here}ⱼ = σ(z{here}ⱼ)"
    definition = ACTIVATION.resolve(layer.activation, "activation").entry.get("formula")
    title = f"the activation of layer {i + 1}; σ is {name}" + (f": {definition}" if definition else "")
    return _Told(f"a{here}", "feedforward", formula, title, layer.a, lines())


def _squares(a: FloatArray, t: FloatArray) -> str:
    shown = min(len(a), TERMS)
    text = " + ".join(f"({number(a[j])} - {factor(t[j])})²" for j in range(shown))
    return text if len(a) == 1 else f"({text}{' + …' if shown < len(a) else ''})"


def _logarithms(a: FloatArray, t: FloatArray) -> str:
    terms = [f"{number(t[j])}·ln({number(a[j])})" for j in range(len(a)) if t[j] != 0.0][:TERMS]
    return f"-({' + '.join(terms) or '0'})"


def _both_logarithms(a: FloatArray, t: FloatArray) -> str:
    terms = [(t[j], a[j]) for j in range(len(a)) if t[j] != 0.0] + [
        (1.0 - t[j], 1.0 - a[j]) for j in range(len(a)) if t[j] != 1.0
    ]
    return f"-({' + '.join(f'{number(p)}·ln({number(q)})' for p, q in terms[:TERMS])})"


ERRORS: dict[str, Callable[[FloatArray, FloatArray], str]] = {
    "half_squared_error": lambda a, t: f"1/2·{_squares(a, t)}",
    "mean_squared_error": lambda a, t: f"1/{len(a)}·{_squares(a, t)}",
    "softmax_cross_entropy": _logarithms,
    "binary_cross_entropy": _both_logarithms,
}


def _error(trace: Trace, i: int) -> _Told:
    layer, name = trace.layers[i], str(trace.loss_function)
    n, definition = _n(trace), LOSS.resolve(trace.loss_function, "loss_function").entry.get("formula")

    def lines() -> Iterator[str]:
        for who, (a, t) in _samples(layer, layer.a, trace.t):
            value = float(loss_value(trace.loss_function, a, t)) if n > 1 else trace.loss
            if np.isfinite(value) and name in ERRORS and (len(a) <= TERMS or n == 1):
                yield f"{who}E = {ERRORS[name](a, t)} = {number(value)}"
            elif n > 1:
                yield f"{who}E = {number(value)}"
        if n > 1:
            yield f"E = mean of the {n} samples = {number(trace.loss)}"
        elif name not in ERRORS:
            yield f"E = {number(trace.loss)}"

    formula = "E = mean of the samples' errors" if n > 1 else "E"
    title = f"the error; {name}" + (f": {definition}" if definition else "")
    return _Told("E", "E", formula, title, trace.loss, lines())


# --- backward ---------------------------------------------------------------------------------------------------------

# ∂E/∂a of one output by (a, t, number of outputs), before the division by the number of samples
SLOPES: dict[str, tuple[str, Callable[[Any, Any, int], str]]] = {
    "half_squared_error": ("aⱼ - tⱼ", lambda a, t, m: f"{number(a)} - {factor(t)}"),
    "mean_squared_error": (
        "2(aⱼ - tⱼ)/m",
        lambda a, t, m: f"2·({number(a)} - {factor(t)})/{m}",
    ),
    "softmax_cross_entropy": ("-tⱼ/aⱼ", lambda a, t, m: f"-{number(t)}/{number(a)}"),
    "binary_cross_entropy": (
        "(1 - tⱼ)/(1 - aⱼ) - tⱼ/aⱼ",
        lambda a, t, m: f"{number(1.0 - t)}/(1 - {number(a)}) - {number(t)}/{number(a)}",
    ),
}


def _loss_gradient(trace: Trace, i: int) -> _Told:
    layer, here, n = trace.layers[i], up(i + 1), _n(trace)
    slope, filled = SLOPES.get(str(trace.loss_function), ("", None))

    def lines() -> Iterator[str]:
        for who, (a, t, da) in _samples(layer, layer.a, trace.t, layer.da):
            for j in range(len(a)):
                worked = f" = {_shared(filled(a[j], t[j], len(a)), n)}" if filled and np.isfinite(da[j]) else ""
                yield f"{who}∂E/∂a{here}{down(j)}{worked} = {number(da[j])}"

    formula = f"∂E/∂a{here}ⱼ" + (f" = {slope if n == 1 else f'({slope})/n'}" if slope else "")
    title = "∇ₐE: first, the derivative of the error with respect to the last activations"
    return _Told(f"∂E/∂a{here}", "∇ₐE", formula, title, layer.da, lines())


def _through_weights(trace: Trace, i: int) -> _Told:
    layer, above = trace.layers[i], trace.layers[i + 1]
    here, behind = up(i + 1), up(i + 2)

    def lines() -> Iterator[str]:
        for who, (delta, da) in _samples(layer, above.delta, layer.da):
            for k in range(len(da)):
                terms = list(zip(delta, above.w[k], strict=True))
                yield f"{who}∂E/∂a{here}{down(k)} = {total(terms)} = {number(da[k])}"

    formula = f"∂E/∂a{here}ₖ = Σⱼ δ{behind}ⱼ·w{behind}ₖⱼ"
    title = f"then back through the weights of layer {i + 2}, summed over all units that read aₖ"
    return _Told(f"∂E/∂a{here}", "chain rule", formula, title, layer.da, lines())


def _through_activation(trace: Trace, i: int) -> _Told:
    layer, here = trace.layers[i], up(i + 1)
    last = i == len(trace.layers) - 1
    lines: Iterable[str] = _by_matrix(layer, here) if _is_row_function(layer) else _by_element(layer, here)
    if last and (str(layer.activation), str(trace.loss_function)) in SHORT_WAYS:
        lines = chain(lines, _short_way(trace, layer, here))
    formula = f"δ{here}ⱼ = ∂E/∂a{here}ⱼ·σ′(z{here}ⱼ)"
    if _is_row_function(layer):
        formula = f"δ{here}ⱼ = Σₖ ∂E/∂a{here}ₖ·∂a{here}ₖ/∂z{here}ⱼ"
    from_above = "∇ₐE" if last else f"(δ{up(i + 2)}·w{up(i + 2)}ᵀ)"
    vectors = f"δ{here} = {from_above} {'·' if _is_row_function(layer) else '⊙'} σ′(z{here})"
    equation = "BP1" if last else "BP2"
    title = f"{equation}: {vectors}, back through the activation of layer {i + 1}"
    return _Told(f"δ{here}", equation, formula, title, layer.delta, lines)


def _by_element(layer: LayerTrace, here: str) -> Iterator[str]:
    rule = DERIVATIVES.get(str(layer.activation))
    for who, (z, a, dsigma, da, delta) in _samples(layer, layer.z, layer.a, layer.dsigma, layer.da, layer.delta):
        for j in range(len(z)):
            by_rule = f" = {rule(a[j])}" if rule else ""
            yield f"{who}σ′(z{here}{down(j)}) = σ′({number(z[j])}){by_rule} = {number(dsigma[j])}"
        for j in range(len(z)):
            if np.isfinite(da[j]):
                yield f"{who}δ{here}{down(j)} = {number(da[j])}·{factor(dsigma[j])} = {number(delta[j])}"


def _by_matrix(layer: LayerTrace, here: str) -> Iterator[str]:
    for who, (dsigma, da, delta) in _samples(layer, layer.dsigma, layer.da, layer.delta):
        if np.isfinite(da).all():
            for j in range(len(delta)):
                terms = list(zip(da, dsigma[:, j], strict=True))
                yield f"{who}δ{here}{down(j)} = {total(terms)} = {number(delta[j])}"


# A cross-entropy after its own activation: ∂E/∂a·σ′(z) = a − t, of which the core computes the right-hand side.
SHORT_WAYS = {("logistic", "binary_cross_entropy"), ("softmax", "softmax_cross_entropy")}


def _short_way(trace: Trace, layer: LayerTrace, here: str) -> Iterator[str]:
    n = _n(trace)
    for who, (a, t, delta) in _samples(layer, layer.a, trace.t, layer.delta):
        mass = 1.0 if str(layer.activation) == "logistic" else float(t.sum())
        times = "" if number(mass) == "1" else f"·{number(mass)}"
        for j in range(len(a)):
            worked = _shared(f"{number(a[j])}{times} - {number(t[j])}", n)
            yield f"{who}δ{here}{down(j)} = a - t for this pair = {worked} = {number(delta[j])}"


# --- the gradient -----------------------------------------------------------------------------------------------------


def _biases(trace: Trace, i: int) -> _Told:
    layer, here, n = trace.layers[i], up(i + 1), _n(trace)

    def lines() -> Iterator[str]:
        for j, db in enumerate(layer.db):
            terms = [(delta,) for delta in layer.delta.reshape(n, -1)[:, j]]
            yield f"∂E/∂b{here}{down(j)} = " + (f"{total(terms)} = {number(db)}" if n > 1 else number(db))

    formula = f"∂E/∂b{here}ⱼ = {'Σ ' if n > 1 else ''}δ{here}ⱼ"
    title = f"BP3: the biases of layer {i + 1}" + (", summed over the samples" if n > 1 else "")
    return _Told(f"∂E/∂b{here}", "BP3", formula, title, layer.db, lines())


def _weights(trace: Trace, i: int) -> _Told:
    layer, here, n = trace.layers[i], up(i + 1), _n(trace)

    def lines() -> Iterator[str]:
        x, delta = layer.x.reshape(n, -1), layer.delta.reshape(n, -1)
        for k, j in np.ndindex(*layer.dw.shape):
            terms = list(zip(x[:, k], delta[:, j], strict=True))
            yield f"∂E/∂w{here}{down(k, j)} = {total(terms)} = {number(layer.dw[k, j])}"

    formula = f"∂E/∂w{here}ₖⱼ = {'Σ ' if n > 1 else ''}a{up(i)}ₖ·δ{here}ⱼ"
    title = f"BP4: the weights of layer {i + 1}" + (", summed over the samples" if n > 1 else "")
    return _Told(f"∂E/∂w{here}", "BP4", formula, title, layer.dw, lines())
