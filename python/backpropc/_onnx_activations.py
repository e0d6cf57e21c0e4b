"""Activations as ONNX has them: its operators, and functions of our own where a runtime has no float64 kernel of one.

ONNX Runtime computes Elu, Gelu, LeakyRelu, Selu, Softplus and Softsign in float32 only. In float64 they are written as
functions of the model (domain "backpropc"), made of operators that it has: the graph still has one node for each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.parser

DOMAIN = "backpropc"
LEAST_OPSET = 13
SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


class Operator(NamedTuple):
    """An operator of ONNX, and the first version of the operators in which it is what it is here."""

    name: str
    opset: int = LEAST_OPSET
    in_float64: bool = False  # whether ONNX Runtime has it


OPERATORS = {
    "logistic": Operator("Sigmoid", in_float64=True),
    "exp": Operator("Exp", in_float64=True),
    "tanh": Operator("Tanh", in_float64=True),
    "relu": Operator("Relu", in_float64=True),
    "leaky_relu": Operator("LeakyRelu"),
    "elu": Operator("Elu"),
    "selu": Operator("Selu"),
    "gelu": Operator("Gelu", 20),
    "softplus": Operator("Softplus"),
    "softsign": Operator("Softsign"),
    "mish": Operator("Mish", 18),
    "softmax": Operator("Softmax", in_float64=True),
}
# In terms of `zero`, `one`, and of the parameters as further inputs: an attribute would round them to float32.
BODIES = {
    "leaky_relu": "up = Max(z, zero) down = Min(z, zero) scaled = Mul(slope, down) a = Add(up, scaled)",
    "elu": """up = Max(z, zero) down = Min(z, zero) e = Exp(down) e1 = Sub(e, one)
              scaled = Mul(alpha, e1) a = Add(up, scaled)""",
    "selu": f"""up = Max(z, zero) down = Min(z, zero) e = Exp(down) e1 = Sub(e, one)
                alpha = Constant <value = double {{{SELU["alpha"]!r}}}> ()
                gamma = Constant <value = double {{{SELU["gamma"]!r}}}> ()
                scaled = Mul(alpha, e1) sum = Add(up, scaled) a = Mul(gamma, sum)""",
    "softplus": """up = Max(z, zero) size = Abs(z) minus = Neg(size) e = Exp(minus) e1 = Add(one, e) log = Log(e1)
                   a = Add(up, log)""",
    "softsign": "size = Abs(z) down = Add(one, size) a = Div(z, down)",
    # z n / d with n = 1 + 2e, d = n + 2e² where z > 0, else n = e (e + 2), d = n + 2; e = exp(−|z|).
    "mish": """size = Abs(z) minus = Neg(size) e = Exp(minus) two = Add(one, one) positive = Greater(z, zero)
               e2 = Mul(two, e) n_up = Add(one, e2) ee = Mul(e, e2) d_up = Add(n_up, ee)
               e_2 = Add(e, two) n_down = Mul(e, e_2) d_down = Add(n_down, two)
               n = Where(positive, n_up, n_down) d = Where(positive, d_up, d_down) q = Div(n, d) a = Mul(z, q)""",
}
PARAMETERS = {"leaky_relu": ("slope",), "elu": ("alpha",)}


def function(name: str, opset: int) -> onnx.FunctionProto:
    """Return an activation in float64 as a function of the model."""
    inputs = ", ".join(("z", *PARAMETERS.get(name, ())))
    body = _gelu_body() if name == "gelu" else BODIES[name]
    return onnx.parser.parse_function(
        f"""<opset_import: ["" : {opset}], domain: "{DOMAIN}">
            {name} ({inputs}) => (a) {{
              zero = Constant <value = double {{0.0}}> () one = Constant <value = double {{1.0}}> ()
              {body}
            }}"""
    )


TAIL_END = 26.0  # where Φ(−t) is 1e-149
TAIL_DEGREE = 26


@cache
def _tail_coefficients() -> tuple[float, ...]:
    """Return the polynomial in y = (t − 4) / (t + 4) that is (t + 4) Φ(−t) e^(t²/2) for t from 0 to `TAIL_END`.

    Interpolated at Chebyshev's points; the highest power comes first.
    """
    end = (TAIL_END - 4.0) / (TAIL_END + 4.0)

    def tail(y: Any) -> Any:
        t = 4.0 * (1.0 + y) / (1.0 - y)
        return np.array([(u + 4.0) * 0.5 * math.erfc(u / math.sqrt(2.0)) * math.exp(u * u / 2.0) for u in t])

    fit = np.polynomial.Chebyshev.interpolate(tail, TAIL_DEGREE, [-1.0, end])
    return tuple(fit.convert(domain=[-1, 1], kind=np.polynomial.Polynomial).coef[::-1].tolist())


def _gelu_body() -> str:
    """Return z Φ(z) = max(z, 0) − t Φ(−t) with t = |z|, as the operators at hand have no erf in float64."""
    coefficients = _tail_coefficients()
    lines = [f"c{i} = Constant <value = double {{{value!r}}}> ()" for i, value in enumerate(coefficients)]
    lines += [
        f"four = Constant <value = double {{4.0}}> () end = Constant <value = double {{{TAIL_END!r}}}> ()",
        "half = Constant <value = double {-0.5}> () size = Abs(z) t = Min(size, end)",
        "t_minus = Sub(t, four) t_plus = Add(t, four) y = Div(t_minus, t_plus) p0 = Identity(c0)",
    ]
    for i in range(1, len(coefficients)):
        lines.append(f"m{i} = Mul(p{i - 1}, y) p{i} = Add(m{i}, c{i})")
    lines.append(
        f"ratio = Div(p{len(coefficients) - 1}, t_plus) tt = Mul(t, t) exponent = Mul(half, tt) decay = Exp(exponent)"
        " tail = Mul(ratio, decay) weighed = Mul(t, tail) up = Max(z, zero) a = Sub(up, weighed)"
    )
    return "\n".join(lines)


def attributes(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an activation's operator."""
    of: dict[str, dict[str, Any]] = {
        "leaky_relu": {"alpha": parameters.get("slope")},
        "elu": {"alpha": parameters.get("alpha")},
    }
    return {**of, "selu": dict(SELU), "softmax": {"axis": 1}}.get(name, {})
