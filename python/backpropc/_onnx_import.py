"""ONNX models of dense layers as networks: see `from_onnx`.

The graph is read node by node, from its input on. Each tensor that comes of it has an expression in z, the weighted
input of the latest layer: "Mul(Sigmoid(z),z)". Where the next layer begins, and at the end, it must be an activation.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from ._arguments import FLOAT32, FLOAT64, FloatArray, shown
from ._files import file_name, open_to_read
from ._onnx_activations import DOMAIN, SELU, function
from .definitions import ACTIVATION, Definition
from .layers import Dense
from .network import Network

OLDEST_OPSET = 7
LARGEST_FILE = 2**31  # of protobuf's messages
LONGEST_EXPRESSION = 200
READ = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL)  # types of constants
LABEL = "label"  # in the place of an expression: a class, of whose making the network knows nothing


def from_onnx(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> Network:
    """Return the network that an ONNX model is, to be trained on here.

    The graph must be dense layers one after the other: Gemm, or MatMul and Add, with constant weights, and activations
    that are among `ACTIVATIONS`, as scikit-learn's (by skl2onnx) and PyTorch's exporters write them. What a classifier
    adds at its end, labels and the probabilities of two classes, is left out: a binary one has one logistic unit here.
    Of several inputs, which Concat joins before the first layer, the network's input has the columns in Concat's order.

    Parameters
    ----------
    source : path-like, bytes or onnx.ModelProto
        A file, its content, or a model. Nothing but it is read: a model whose numbers are in other files is refused.

    Returns
    -------
    Network
        Of the dtype of the model's weights.

    Raises
    ------
    TypeError
        `source` is none of these.
    ValueError
        It is no ONNX model, or something in it is no dense layer; the message names the operator.
    OSError
        The file cannot be read.
    """
    try:
        return _read(_model(source))
    except (UnicodeDecodeError, onnx.checker.ValidationError) as error:
        raise ValueError(f"source is no valid ONNX model: {' '.join(str(error).split())}") from None


def _read(model: onnx.ModelProto) -> Network:
    _refuse_external(model)
    onnx.checker.check_model(model)
    opset = max([entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")], default=0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ValueError(f"source has operators of version {opset}; {OLDEST_OPSET} to {newest} are read")
    return _Reader(model, opset).network()


def _model(source: Any) -> onnx.ModelProto:
    if isinstance(source, onnx.ModelProto):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _parsed(bytes(source), "source")
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"source is {shown(source)}; it must be a path, bytes or an onnx.ModelProto")
    name = file_name(source, "source")
    with open_to_read(name) as file:
        size = os.fstat(file.fileno()).st_size
        if size >= LARGEST_FILE:
            raise ValueError(f"{name!r} has {size} bytes; an ONNX model is below {LARGEST_FILE}")
        return _parsed(file.read(), repr(name))


def _parsed(content: bytes, name: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's own, a class of which differs between its versions
        raise ValueError(f"{name} is no ONNX model: {' '.join(str(error).split())}") from None
    if not model.graph.node:
        raise ValueError(f"{name} is no ONNX model with a graph")
    return model


def _refuse_external(model: onnx.ModelProto) -> None:
    functions = (node for each in model.functions for node in each.node)
    for tensor in (*_tensors(model.graph), *_tensors_of_nodes(functions)):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ValueError(
                f"source: the numbers of {shown(tensor.name)} are in another file, which is not read; "
                "save the model with all its numbers in one file"
            )


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                if graph.ByteSize():
                    yield from _tensors(graph)


def _array(tensor: onnx.TensorProto) -> FloatArray:
    """Return a constant's numbers, which must fit the shape that it says."""
    if tensor.data_type not in READ:
        known = tensor.data_type in TensorProto.DataType.values()
        kind = TensorProto.DataType.Name(tensor.data_type) if known else tensor.data_type
        raise ValueError(f"source: {shown(tensor.name)} is of type {kind}; weights must be FLOAT or DOUBLE")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except ValueError as error:
        raise ValueError(f"source: {shown(tensor.name)} does not have its shape: {error}") from None


# --- activations by their expressions ---------------------------------------------------------------------------------


class Expression(NamedTuple):
    """What a tensor is: an expression in the z of a tensor's name, with the constants ("c") and attributes in it."""

    text: str
    numbers: tuple[float, ...]
    z: str


def _named(name: str, *numbers: float) -> Callable[[tuple[float, ...]], Definition | None]:
    """Return a rule: this activation, if the numbers of the expression are these."""

    def rule(found: tuple[float, ...]) -> Definition | None:
        fits = len(found) == len(numbers) and np.allclose(found, numbers, rtol=1e-6, atol=0.0)
        return ACTIVATION.classes[name]() if fits else None

    return rule


def _with_number(name: str) -> Callable[[tuple[float, ...]], Definition | None]:
    return lambda numbers: ACTIVATION.classes[name](numbers[0])


ROOT = math.sqrt(2.0)
RULES: dict[str, Callable[[tuple[float, ...]], Definition | None]] = {
    "z": _named("identity"),
    "Sigmoid(z)": _named("logistic"),
    "Exp(z)": _named("exp"),
    "Tanh(z)": _named("tanh"),
    "Relu(z)": _named("relu"),
    "LeakyRelu(z)": _with_number("leaky_relu"),
    "PRelu(z,c)": _with_number("leaky_relu"),
    "Elu(z)": _with_number("elu"),
    "Selu(z)": _named("selu", SELU["alpha"], SELU["gamma"]),
    "Gelu(z)": _named("gelu"),
    "Softplus(z)": _named("softplus"),
    "Softsign(z)": _named("softsign"),
    "Mish(z)": _named("mish"),
    "Swish(z)": _named("silu", 1.0),
    "Softmax(z)": _named("softmax"),
    # as written before there were operators for them
    "Mul(Sigmoid(z),z)": _named("silu"),
    "Div(z,Add(Exp(Neg(z)),c))": _named("silu", 1.0),
    "Mul(Tanh(Softplus(z)),z)": _named("mish"),
    "Mul(Mul(Add(Erf(Div(z,c)),c),z),c)": _named("gelu", ROOT, 1.0, 0.5),
    "Mul(Mul(Add(Erf(Div(z,c)),c),c),z)": _named("gelu", ROOT, 1.0, 0.5),
    "Mul(Add(Erf(Div(z,c)),c),Mul(z,c))": _named("gelu", ROOT, 1.0, 0.5),
    "Mul(Add(Erf(Mul(z,c)),c),Mul(z,c))": _named("gelu", 1.0 / ROOT, 1.0, 0.5),
    "Div(z,Add(Abs(z),c))": _named("softsign", 1.0),
    "Where(Greater(z,c),z,Softplus(z))": _named("softplus", 20.0),  # PyTorch's: above 20, in float32, it is z
    # the probabilities of two classes, of which one is enough
    "Concat(Sub(c,Sigmoid(z)),Sigmoid(z))": _named("logistic", 1.0),
    # functions of our own, in float64
    f"{DOMAIN}.leaky_relu(z,c)": _with_number("leaky_relu"),
    f"{DOMAIN}.elu(z,c)": _with_number("elu"),
    **{f"{DOMAIN}.{name}(z)": _named(name) for name in ("selu", "gelu", "softplus", "softsign", "mish")},
}
# What may stand in an expression, with the attributes that count and their defaults.
PARTS: dict[str, dict[str, float]] = {
    **{name: {} for name in ("Sigmoid", "Tanh", "Relu", "PRelu", "Gelu", "Softplus", "Softsign", "Mish", "Softmax")},
    **{name: {} for name in ("Abs", "Add", "Concat", "Div", "Erf", "Exp", "Greater", "Mul", "Neg", "Sub", "Where")},
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
    "Selu": SELU,
    "Swish": {"alpha": 1.0},
    **{f"{DOMAIN}.{name}": {} for name in ("leaky_relu", "elu", "selu", "gelu", "softplus", "softsign", "mish")},
}
COMMUTATIVE = ("Add", "Mul")
TO_LABELS = ("ArgMax", "ai.onnx.ml.Binarizer")
OF_LABELS = ("ai.onnx.ml.ArrayFeatureExtractor", "Gather", "Reshape", "Cast", "Identity", "Squeeze")


class Columns(NamedTuple):
    """What a tensor is: some of the model's inputs side by side, by name or as they were joined before."""

    parts: tuple[Columns | str, ...]
    n_inputs: int

    def names(self) -> list[str]:
        """Return the inputs in their order."""
        found: list[str] = []
        waiting: list[Columns | str] = [self]
        while waiting:
            part = waiting.pop()
            if isinstance(part, str):
                found.append(part)
            else:
                waiting += reversed(part.parts)
        return found


@dataclass
class _Layer:
    """A dense layer as far as it has been read; `z` is the tensor that holds its weighted input."""

    w: FloatArray
    b: FloatArray | None
    z: str
    activation: Definition | None = None


class _Constant(NamedTuple):
    """A constant, and the tensor of the file that it came from."""

    array: FloatArray
    origin: str


class _Reader:
    """A walk along the graph."""

    def __init__(self, model: onnx.ModelProto, opset: int) -> None:
        self._graph = model.graph
        self._outputs = [value.name for value in model.graph.output]
        self._check_functions(model, opset)
        if self._graph.sparse_initializer:
            raise ValueError("source has sparse constants; they must be dense")
        self._stored = {tensor.name: tensor for tensor in self._graph.initializer}
        inputs = [value for value in self._graph.input if value.name not in self._stored]
        self._inputs = [value.name for value in inputs]
        _check_inputs(inputs)
        self._constants: dict[str, _Constant] = {}
        self._values: dict[str, Expression | Columns | str] = {
            name: self._joined([Columns((name,), 1)]) for name in self._inputs
        }
        self._layers: list[_Layer] = []
        self._used: set[str] = set()  # constants that are a layer's weights

    def _check_functions(self, model: onnx.ModelProto, opset: int) -> None:
        for each in model.functions:
            known = f"{each.domain}.{each.name}" in PARTS
            if not known or each.SerializeToString() != function(each.name, opset).SerializeToString():
                raise ValueError(f"source: {each.domain}.{each.name} is a function of the model's own; none is read")

    def network(self) -> Network:
        """Return the network of the graph."""
        for node in self._graph.node:
            self._read(node)
        values = [self._values.get(name) for name in self._outputs]
        ends = [value for value in values if isinstance(value, Expression)]
        if not ends or not self._layers or not all(value == LABEL or isinstance(value, Expression) for value in values):
            found = ", ".join(map(str, self._outputs))  # a name that is not UTF-8 is bytes to an older protobuf
            raise ValueError(f"source: its outputs, {found}, are not those of dense layers")
        for end in ends:
            self._end_layer(end, "the output")
        dtypes = {array.dtype for layer in self._layers for array in (layer.w, layer.b) if array is not None}
        if len(dtypes) > 1 or not dtypes <= {FLOAT32, FLOAT64}:
            raise ValueError(f"source has weights of {', '.join(sorted(map(str, dtypes)))}; all must be of one dtype")
        return _network(self._layers, dtypes.pop())

    def _read(self, node: onnx.NodeProto) -> None:
        """Look at one node: what it makes of constants, of labels, or of the layers so far."""
        name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        if not node.output:
            raise ValueError(f"source: {name} is a node without outputs; it must have one")
        constants = [self._constant(each) for each in node.input]
        if all(constant is not None for constant in constants):
            self._read_constant(node, name, constants)
            return
        values = [self._values.get(each) for each in node.input]
        for each, value, constant in zip(node.input, values, constants, strict=True):
            if each and value is None and constant is None and name not in OF_LABELS:
                raise ValueError(f"source: {name} reads {shown(each)}, which is no chain of dense layers")
        if any(isinstance(value, Columns) for value in values):
            self._read_columns(node, name, values, constants)
        elif (LABEL in values and name in OF_LABELS) or (name in TO_LABELS and isinstance(values[0], Expression)):
            self._set(node, LABEL)
        elif name == "MatMul":
            self._matmul(node, values, constants)
        elif name == "Gemm":
            self._gemm(node, values, constants)
        elif name == "Add" and self._is_bias(values):
            self._add_bias(node, values, constants)
        elif isinstance(values[0], Expression) and self._is_harmless(node, name, constants):
            self._set(node, values[0])
        elif name in PARTS:
            self._set(node, self._expression(node, name, values, constants))
        else:
            raise ValueError(f"source has the operator {name}, which a network of dense layers does not have")

    def _set(self, node: onnx.NodeProto, value: Expression | Columns | str) -> None:
        self._values[node.output[0]] = value

    # inputs

    def _joined(self, parts: Sequence[Columns]) -> Expression | Columns:
        """Return what these are side by side: x itself where that is all inputs."""
        n_inputs = sum(part.n_inputs for part in parts)
        whole = parts[0] if len(parts) == 1 else Columns(tuple(parts), n_inputs)
        if n_inputs < len(self._inputs):
            return whole
        if n_inputs > len(self._inputs) or sorted(whole.names()) != sorted(self._inputs):
            raise ValueError("source: Concat joins an input with itself; each must be joined once")
        return Expression("x", (), "")

    def _read_columns(
        self, node: onnx.NodeProto, name: str, values: Sequence[Any], constants: Sequence[_Constant | None]
    ) -> None:
        """Join inputs, or pass on what leaves them as they are."""
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        parts = [value for value in values if isinstance(value, Columns)]
        if name == "Concat" and len(parts) == len(values):
            self._check_axis(name, given)
            self._set(node, self._joined(parts))
        elif name != "Reshape" and self._is_harmless(node, name, constants):
            self._set(node, parts[0])
        else:
            raise ValueError(
                f"source: {name} reads of the inputs {shown(self._inputs)} only {shown(parts[0].names())}; all must be "
                "joined by Concat before the first layer, each once (leave out those that the network does not use)"
            )

    # constants

    def _constant(self, name: str) -> _Constant | None:
        if name in self._stored and name not in self._constants and self._stored[name].data_type in READ:
            self._constants[name] = _Constant(_array(self._stored[name]), name)
        if name in self._stored and name not in self._constants:
            return _Constant(np.empty(0), name)  # of another type, as the texts of labels
        return self._constants.get(name)

    def _read_constant(self, node: onnx.NodeProto, name: str, constants: Sequence[_Constant | None]) -> None:
        given = {attribute.name: attribute for attribute in node.attribute}
        if name == "Constant" and "value" in given:
            found = _Constant(_array(given["value"].t), node.output[0])
        elif name == "Constant" and given.keys() <= {"value_float", "value_int", "value_floats", "value_ints"}:
            found = _Constant(np.asarray(onnx.helper.get_attribute_value(node.attribute[0])), node.output[0])
        elif name == "Identity" and constants[0] is not None:
            found = constants[0]
        elif name == "Transpose" and constants[0] is not None and constants[0].array.ndim == 2:
            transposed = list(given["perm"].ints) in ([1, 0], []) if "perm" in given else True
            found = _Constant(constants[0].array.T if transposed else constants[0].array, constants[0].origin)
        else:
            raise ValueError(
                f"source has the operator {name} of constants, which a network of dense layers does not have"
            )
        self._constants[node.output[0]] = found

    # dense layers

    def _matmul(self, node: onnx.NodeProto, values: Sequence[Any], constants: Sequence[_Constant | None]) -> None:
        if not isinstance(values[0], Expression) or constants[1] is None:
            raise ValueError("source: MatMul must be of the layer below and constant weights, in this order")
        self._begin_layer(node, values[0], constants[1], constants[1].array, None)

    def _gemm(self, node: onnx.NodeProto, values: Sequence[Any], constants: Sequence[_Constant | None]) -> None:
        """α x w + β b, with w as it is or transposed."""
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        has_bias = len(node.input) > 2 and node.input[2] != ""
        if (
            not isinstance(values[0], Expression)
            or constants[1] is None
            or (has_bias and constants[2] is None)
            or given.get("transA", 0)
        ):
            raise ValueError("source: Gemm must be of the layer below, constant weights and constant biases, transA 0")
        w = constants[1].array.T if given.get("transB", 0) else constants[1].array
        b = constants[2].array if has_bias and constants[2] is not None else None
        with np.errstate(all="ignore"):  # what is not finite is refused in the end
            alpha, beta = (w.dtype.type(given.get(name, 1.0)) for name in ("alpha", "beta"))
            self._begin_layer(node, values[0], constants[1], w * alpha, None if b is None else b * beta)

    def _begin_layer(
        self, node: onnx.NodeProto, below: Expression, constant: _Constant, w: FloatArray, b: FloatArray | None
    ) -> None:
        if constant.origin in self._stored:
            _array(self._stored[constant.origin])  # raises for a type that is none of weights
        if w.ndim != 2 or 0 in w.shape:
            raise ValueError(f"source: {node.op_type} has weights of shape {w.shape}; they must be (fan_in, fan_out)")
        if constant.origin in self._used:
            raise ValueError(f"source: {shown(constant.origin)} is the weights of two layers; each must have its own")
        if self._layers:
            self._end_layer(below, node.op_type)
            if self._layers[-1].w.shape[1] != w.shape[0]:
                raise ValueError(
                    f"source: {node.op_type} has weights of shape {w.shape} after a layer of "
                    f"{self._layers[-1].w.shape[1]} units"
                )
        elif below.text != "x":
            raise ValueError(f"source: {below.text} stands before the first layer; nothing must")
        self._used.add(constant.origin)
        self._layers.append(_Layer(w, None if b is None else self._bias(b, w), node.output[0]))
        self._set(node, Expression("z", (), node.output[0]))

    def _bias(self, b: FloatArray, w: FloatArray) -> FloatArray:
        if b.size != 1 and b.shape not in ((w.shape[1],), (1, w.shape[1])):
            raise ValueError(f"source: a bias has shape {b.shape}; it must be ({w.shape[1]},)")
        return np.broadcast_to(b.reshape(-1), (w.shape[1],))

    def _is_bias(self, values: Sequence[Any]) -> bool:
        """Whether this is the z of a MatMul, to which nothing has been added yet."""
        ours = [value for value in values if value is not None]
        if len(ours) != 1 or not isinstance(ours[0], Expression) or ours[0].text != "z":
            return False
        return self._layers[-1].b is None and ours[0].z == self._layers[-1].z

    def _add_bias(self, node: onnx.NodeProto, values: Sequence[Any], constants: Sequence[_Constant | None]) -> None:
        layer = self._layers[-1]
        (b,) = [constant.array for constant in constants if constant is not None]
        layer.b, layer.z = self._bias(b, layer.w), node.output[0]  # no longer what other expressions know as z
        self._set(node, Expression("z", (), node.output[0]))

    # what stands between them

    def _expression(
        self, node: onnx.NodeProto, name: str, values: Sequence[Any], constants: Sequence[_Constant | None]
    ) -> Expression:
        texts: list[tuple[str, tuple[float, ...]]] = []
        zs = set()
        for value, constant in zip(values, constants, strict=True):
            if isinstance(value, Expression):
                texts.append((value.text, value.numbers))
                zs.add(value.z)
            elif constant is not None and constant.array.size == 1:
                texts.append(("c", (float(constant.array.reshape(())),)))
            else:
                raise ValueError(f"source: {name} has an operand that is neither a number nor of the layer below")
        if len(zs) != 1:
            raise ValueError(f"source: {name} joins two layers; they must stand one after the other")
        if name in COMMUTATIVE:
            texts.sort(key=lambda part: (part[0] == "c", part[0]))
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        self._check_axis(name, given)
        numbers = [number for _, found in texts for number in found]
        # an attribute is a float32: the shortest decimal that gives it is what it was
        numbers += [float(str(np.float32(given.get(key, default)))) for key, default in PARTS[name].items()]
        text = f"{name}({','.join(text for text, _ in texts)})"
        if len(text) > LONGEST_EXPRESSION:
            raise ValueError(f"source has the expression {text[:80]} …, which is no activation")
        return Expression(text, tuple(numbers), zs.pop())

    def _check_axis(self, name: str, given: dict[str, Any]) -> None:
        if name in ("Softmax", "Concat") and given.get("axis", -1) not in (1, -1):
            raise ValueError(f"source: {name} has axis {given['axis']}; it must be 1")
        if name == "Gelu" and given.get("approximate", b"none") != b"none":
            raise ValueError("source: Gelu is approximate; it must be exact, with approximate none")

    def _is_harmless(self, node: onnx.NodeProto, name: str, constants: Sequence[_Constant | None]) -> bool:
        """Whether a node leaves the rows of a matrix as they are."""
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        if name == "Reshape" and constants[1] is not None and constants[1].array.size == 2:
            rows, width = constants[1].array.tolist()
            if (rows, width) == (0, -1):  # what Flatten does
                return True
            if width == 1 and node.output[0] in self._outputs:  # skl2onnx's, of several numbers too
                return bool(rows == -1)
            return rows in (-1, 0) and width > 0 and (not self._layers or width == self._layers[-1].w.shape[1])
        if name == "Cast":
            return given["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE)
        if name == "Flatten":
            return bool(given.get("axis", 1) == 1)
        if name == "Dropout":
            in_training = constants[2] if len(constants) > 2 and node.input[2] else None
            return len(node.input) < 3 or not node.input[2] or (in_training is not None and not in_training.array.any())
        return name in ("Identity", "ai.onnx.ml.ZipMap")

    def _end_layer(self, value: Expression, at: str) -> None:
        """Find the activation of the latest layer from what follows it."""
        layer = self._layers[-1]
        if value.z != layer.z:
            raise ValueError(f"source: {at} reads a layer below the latest; layers must stand one after the other")
        rule = RULES.get(value.text)
        activation = None if rule is None else rule(value.numbers)
        if activation is None:
            numbers = ", ".join(f"{number:.6g}" for number in value.numbers)
            raise ValueError(f"source: {at} reads {value.text}{numbers and f' with {numbers}'}, which is no activation")
        if layer.activation is not None and layer.activation != activation:
            raise ValueError(f"source: its outputs have the activations {layer.activation!r} and {activation!r}")
        layer.activation = activation


def _check_inputs(inputs: Sequence[onnx.ValueInfoProto]) -> None:
    """Refuse what is no matrix where there are several, to be joined along their second axis."""
    if not inputs:
        raise ValueError("source has 0 inputs; it must have one, or several that Concat joins")
    for each in inputs if len(inputs) > 1 else ():
        n_axes = len(each.type.tensor_type.shape.dim)
        if n_axes != 2:
            raise ValueError(
                f"source: {shown(each.name)}, one of {len(inputs)} inputs, has {n_axes} axes; it must have 2"
            )


def _network(layers: Sequence[_Layer], dtype: np.dtype[Any]) -> Network:
    for layer in layers:
        for array in (layer.w, layer.b):
            if array is not None and not np.isfinite(array).all():
                raise ValueError("source has weights that are not finite; they must be")
    plans = tuple(Dense(layer.w.shape[0], layer.w.shape[1], layer.activation or "identity") for layer in layers)
    network = Network._of_zeros(plans, dtype)
    for made, read in zip(network.layers, layers, strict=True):
        made.w = read.w
        if read.b is not None:
            made.b = read.b
    return network
