"""Networks as C source: one self-contained C99 file, for a microcontroller.

>>> import backpropc as bp
>>> from backpropc.c_source import to_c
>>> source = to_c(bp.Network([2, 1], activation="relu", seed=0), name="gate")
>>> "void gate_predict(const float *x, float *a);" in source
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import _core
from ._arguments import FLOAT32, LARGEST, FloatArray, shown
from ._export import ExportedLayer, check_network, check_preprocessing, layers_of
from ._files import file_name, write_whole
from .preprocessing import CategoryColumn, NumberColumn

if TYPE_CHECKING:
    import os

    from .network import Network
    from .preprocessing import ModelColumn, Preprocessing

WIDTH = 120
LONGEST_NAME = 63 - len("_predict")  # of a C99 identifier 63 characters count

# a[j] in terms of z, for activations of one number; {0} is the first parameter. As in csrc/math/activations.hpp they do
# not overflow on the way to a finite result, an infinite z gives the limit, and a NaN stays one.
ELEMENTWISE = {
    "logistic": "a[j] = z >= 0.0f ? 1.0f / (1.0f + expf(-z)) : expf(z) / (1.0f + expf(z));",
    "exp": "a[j] = expf(z);",
    "tanh": "a[j] = tanhf(z);",
    "relu": "a[j] = z <= 0.0f ? 0.0f : z;",
    "leaky_relu": "a[j] = z > 0.0f ? z : {0} * z;",
    "elu": "a[j] = z > 0.0f ? z : {0} * expm1f(z);",
    "selu": "a[j] = z > 0.0f ? 1.050701f * z : 1.7580993f * expm1f(z);",
    "gelu": "a[j] = z < -15.0f ? -0.0f : 0.5f * z * erfcf(-0.70710677f * z);",
    "silu": """\
const float e = expf(-fabsf(z)), size = z / (1.0f + e);
    a[j] = z >= 0.0f ? size : z < -110.0f ? -0.0f : e * size;""",
    "softplus": "a[j] = fmaxf(z, 0.0f) + log1pf(expf(-fabsf(z)));",
    "softsign": "a[j] = fabsf(z) > 1e10f ? copysignf(1.0f, z) : z / (1.0f + fabsf(z));",
    "mish": """\
const float e = expf(-fabsf(z)), n = z >= 0.0f ? 1.0f + 2.0f * e : e * (e + 2.0f);
    a[j] = z < -110.0f ? -0.0f : z * (n / (z >= 0.0f ? n + 2.0f * e * e : n + 2.0f));""",
}
SOFTMAX = """\
  float largest = a[0], total = 0.0f;
  for (size_t j = 1; j < {n}; j++) {{
    largest = fmaxf(largest, a[j]);
  }}
  for (size_t j = 0; j < {n}; j++) {{
    a[j] = expf(a[j] - largest);
    total += a[j];
  }}
  for (size_t j = 0; j < {n}; j++) {{
    a[j] /= total;
  }}"""
# Each a[j] is one chain in ascending k from the bias, as in predict: where fmaf is fast, the same bits.
LAYER = """\
static void {name}_layer{index}(const float *x, float *a) {{
  for (size_t j = 0; j < {n}; j++) {{
    a[j] = {name}_b{index}[j];
  }}
  for (size_t k = 0; k < {m}; k++) {{
    for (size_t j = 0; j < {n}; j++) {{
      a[j] = {NAME}_FMA(x[k], {name}_w{index}[k * {n} + j], a[j]);
    }}
  }}
{activation}}}"""
ENCODE = """\
void {name}_encode(const float *columns, float *x) {{
  for (size_t i = 0; i < {NAME}_COLUMNS; i++) {{
    if ({name}_categories[i] == 0) {{
      *x++ = {number};
    }}
    for (size_t k = 0; k < {name}_categories[i]; k++) {{
      *x++ = columns[i] == (float)k ? 1.0f : 0.0f;
    }}
  }}
}}"""
SCALED = "(columns[i] - {name}_mean[i]) / {name}_scale[i]"
DECODE = """\
void {name}_decode(float *a) {{
  for (size_t j = 0; j < {NAME}_OUTPUTS; j++) {{
    a[j] = a[j] * {name}_target_scale[j] + {name}_target_mean[j];
  }}
}}"""
CLASS = """\
size_t {name}_class(const float *a) {{
  size_t found = 0;
  for (size_t j = 1; j < {NAME}_OUTPUTS; j++) {{
    found = a[j] > a[found] ? j : found;
  }}
  return found;
}}"""


def to_c(
    net: Network,
    path: str | os.PathLike[str] | None = None,
    *,
    name: str = "network",
    preprocessing: Preprocessing | None = None,
) -> str:
    """Return a network as one self-contained C99 file: float32, no allocation, nothing but <math.h> and <stddef.h>.

    Parameters
    ----------
    net : Network
        Its parameters are rounded to float32.
    path : path-like
        A file to write it to.
    name : str
        What the names in the file begin with: letters, digits and underscores.
    preprocessing : Preprocessing
        How a table becomes the network's input, as ``backpropc train`` keeps it; it adds ``NAME_encode``, and
        ``NAME_class`` and ``NAME_labels`` or ``NAME_decode``.

    Returns
    -------
    str
        The source. ``void NAME_predict(const float *x, float *a)`` computes the output; it needs the stack for two
        arrays as long as the largest hidden layer.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A parameter is not finite in float32, an activation is not one of `ACTIVATIONS`, or `name` is no C identifier.
    OSError
        The file cannot be written.

    Notes
    -----
    Products are summed as in `Network.predict`, and with fmaf where the compiler says that it is fast
    (``FP_FAST_FMAF``). Elementary functions are the C library's: with glibc's, an output of a layer is within 4 units
    in the last place of float32 of the larger of itself and 1, where the layer's inputs are the same.
    """
    check_network(net)
    check_preprocessing(preprocessing)
    _check_name(name)
    layers = list(layers_of(net, FLOAT32))
    parts = [_head(net, name, preprocessing)]
    for index, layer in enumerate(layers):
        parts.append(_array(f"{name}_w{index}", layer.w) + "\n" + _array(f"{name}_b{index}", layer.b))
        parts.append(_layer(name, index, layer))
    parts.append(_predict(name, [layer.b.size for layer in layers]))
    if preprocessing is not None:
        parts += _table_parts(name, preprocessing)
    source = "\n\n".join(parts) + "\n"
    if path is not None:
        write_whole(file_name(path), [source.encode("ascii")])
    return source


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name is {shown(name)}; it must be a str")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) or len(name) > LONGEST_NAME:
        raise ValueError(
            f"name is {shown(name)}; it must be a letter and then letters, digits and underscores, "
            f"at most {LONGEST_NAME} in all"
        )


def _head(net: Network, name: str, preprocessing: Preprocessing | None) -> str:
    upper = name.upper()
    sizes = {f"{upper}_INPUTS": net.sizes[0], f"{upper}_OUTPUTS": net.sizes[-1]}
    declared = [(f"void {name}_predict(const float *x, float *a);", "x: INPUTS numbers; a: OUTPUTS, elsewhere")]
    if preprocessing is not None:
        sizes[f"{upper}_COLUMNS"] = len(preprocessing.inputs)
        declared.append((f"void {name}_encode(const float *columns, float *x);", "COLUMNS of a table's row to x"))
        if preprocessing.labels is None:
            declared.append((f"void {name}_decode(float *a);", "in place: outputs to the units of the targets"))
        else:
            declared.append((f"size_t {name}_class(const float *a);", "the number of the likeliest class"))
            declared.append((f"extern const char *const {name}_labels[{upper}_OUTPUTS];", "the classes' labels, UTF-8"))
    units = " -> ".join(
        [str(net.sizes[0]), *(f"{layer.fan_out} {layer._plan.activation.name}" for layer in net.layers)]
    )
    return "\n".join(
        [
            f"/* A dense network, {units}: written by backpropc {_core.version}, to be compiled as C99. */",
            "#include <math.h>\n#include <stddef.h>\n",
            *(f"#define {macro} {value}" for macro, value in sizes.items()),
            "",
            *(f"{declaration} /* {what} */" for declaration, what in declared),
            f"\n#ifdef FP_FAST_FMAF\n#define {upper}_FMA(x, w, z) fmaf(x, w, z)",
            f"#else\n#define {upper}_FMA(x, w, z) ((x) * (w) + (z))\n#endif",
        ]
    )


def _layer(name: str, index: int, layer: ExportedLayer) -> str:
    m, n = layer.w.shape
    activation = _activation(layer, n)
    return LAYER.format(name=name, NAME=name.upper(), index=index, m=m, n=n, activation=activation)


def _activation(layer: ExportedLayer, n: int) -> str:
    if layer.activation == "identity":
        return ""
    if layer.activation == "softmax":
        return SOFTMAX.format(n=n) + "\n"
    numbers = [_literal(np.float32(value)) for value in layer.parameters.values()]
    body = ELEMENTWISE[layer.activation].format(*numbers)
    return f"  for (size_t j = 0; j < {n}; j++) {{\n    const float z = a[j];\n    {body}\n  }}\n"


def _predict(name: str, sizes: Sequence[int]) -> str:
    """Return the function that runs the layers; what is between two of them is in one of two arrays."""
    hidden = sizes[:-1]
    lines = [f"void {name}_predict(const float *x, float *a) {{"]
    lines += [f"  float {array}[{max(hidden[i::2])}];" for i, array in enumerate("uv") if hidden[i::2]]
    for index in range(len(sizes)):
        source = "x" if index == 0 else "uv"[(index - 1) % 2]
        target = "a" if index == len(sizes) - 1 else "uv"[index % 2]
        lines.append(f"  {name}_layer{index}({source}, {target});")
    return "\n".join([*lines, "}"])


# --- the table --------------------------------------------------------------------------------------------------------


def _table_parts(name: str, preprocessing: Preprocessing) -> list[str]:
    names = {"name": name, "NAME": name.upper()}
    inputs, labels = preprocessing.inputs, preprocessing.labels
    categories = [column.width if isinstance(column, CategoryColumn) else 0 for column in inputs]
    scaled = SCALED.format(**names)
    number = f"columns[i] != columns[i] ? 0.0f : {scaled}" if preprocessing.fill_missing else scaled
    parts = [
        _columns_comment(preprocessing),
        "\n".join(_scale_arrays(name, "", inputs)),
        _list(f"static const size_t {name}_categories", map(str, categories)),
        ENCODE.format(number=number, **names),
    ]
    if labels is None:
        return [*parts, "\n".join(_scale_arrays(name, "target_", preprocessing.targets)), DECODE.format(**names)]
    return [*parts, _list(f"const char *const {name}_labels", map(_string, labels)), CLASS.format(**names)]


def _columns_comment(preprocessing: Preprocessing) -> str:
    head = "The columns. A category is given by its number, and by another number if it is none of them."
    if preprocessing.fill_missing:
        head += " NaN is a missing value."
    lines = [f"   {i} {_described(column)}" for i, column in enumerate(preprocessing.inputs)]
    return "\n".join([f"/* {head}", *lines, "*/"])


def _described(column: ModelColumn) -> str:
    text = _in_comment(column.column)
    if isinstance(column, CategoryColumn):
        text += ": " + ", ".join(f"{i} {_in_comment(each)}" for i, each in enumerate(column.categories))
    return text


def _scale_arrays(name: str, of: str, columns: Iterable[ModelColumn]) -> list[str]:
    numbers = [(c.mean, c.scale) if isinstance(c, NumberColumn) else (0.0, 1.0) for c in columns]
    with np.errstate(over="ignore", under="ignore"):
        mean, scale = np.array(numbers).astype(np.float32).T
    if not ((np.abs(mean) <= LARGEST[FLOAT32]) & (scale > 0.0) & (scale <= LARGEST[FLOAT32])).all():
        raise ValueError("preprocessing has a mean or a scale that is not finite, or a scale that is 0, in float32")
    return [_array(f"{name}_{of}mean", mean), _array(f"{name}_{of}scale", scale)]


# --- the words of C ---------------------------------------------------------------------------------------------------


def _literal(value: np.floating) -> str:
    """Return the shortest decimal that gives this float32 again."""
    return f"{value!s}f"


def _array(name: str, values: FloatArray) -> str:
    return _list(f"static const float {name}", map(_literal, values.ravel()))


def _list(declaration: str, values: Iterable[str]) -> str:
    """Return an array with its values, in lines of at most `WIDTH`."""
    given = list(values)
    lines, line = [], "  "
    for value in given:
        if len(line) + len(value) + 2 > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = "  "
        line += f"{value}, "
    lines.append(line.rstrip(", "))
    return f"{declaration}[{len(given)}] = {{\n" + "\n".join(lines) + "\n};"


def _ascii(text: str, but: str) -> str:
    """Return a text in ASCII: what is not, and the characters `but`, in C's octal numbers."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in but else f"\\{byte:03o}" for byte in text.encode()
    )


def _string(text: str) -> str:
    return '"' + _ascii(text, '"\\?') + '"'  # with no question mark there is no trigraph


def _in_comment(text: str) -> str:
    return _ascii(text, "\\").replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
