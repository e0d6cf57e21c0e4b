"""Networks as ONNX models: see `to_onnx`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import _core
from ._arguments import FLOAT32, FloatArray, shown, whole_number
from ._export import ExportedLayer, check_network, check_preprocessing, layers_of
from ._files import file_name, write_whole
from ._onnx_activations import DOMAIN, LEAST_OPSET, OPERATORS, PARAMETERS, attributes, function
from .preprocessing import CategoryColumn, NumberColumn

if TYPE_CHECKING:
    import os

    from .network import Network
    from .preprocessing import Preprocessing

LARGEST_MODEL = 2**31 - 2**20  # of protobuf's messages, with room for all but the parameters
IR_WITH_FUNCTIONS = 8


def to_onnx(
    net: Network,
    path: str | os.PathLike[str] | None = None,
    *,
    opset: int | None = None,
    labels: Sequence[int] | Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
) -> onnx.ModelProto:
    """Return a network as an ONNX model.

    Parameters
    ----------
    net : Network
        Its dtype is the model's.
    path : path-like
        A file to write it to, by custom with the ending ``.onnx``.
    opset : int
        The version of ONNX's operators; by default the lowest that has the network's: 13, in float32 with ``mish`` 18
        and with ``gelu`` 20. The version of the format (IR) is the lowest that goes with it.
    labels : sequence of int, or of str
        The classes of a classifier, whose last layer is a softmax, or a single logistic unit for two classes. The model
        then has the outputs ``label``, the likeliest class, and ``probabilities``, of all classes.
    preprocessing : Preprocessing
        How a table becomes the network's input, as ``backpropc train`` keeps it. The model's input is then
        ``columns``, a row of the table as numbers, with a category given by its number; its outputs are ``label`` and
        ``probabilities``, or for a regression ``a`` in the units of the targets.

    Returns
    -------
    onnx.ModelProto
        With the input ``x``, (batch, fan_in), and the output ``a``, (batch, fan_out), where nothing else is said; the
        batch is of any size.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        The opset is too low or unknown, the labels do not fit, a parameter is not finite, an activation is not one of
        `ACTIVATIONS`, or the model would be larger than 2 GiB.
    OSError
        The file cannot be written.
    """
    check_network(net)
    check_preprocessing(preprocessing)
    layers = list(layers_of(net, net.dtype))
    if net.parameters.nbytes > LARGEST_MODEL:
        raise ValueError(f"net has {net.parameters.nbytes} bytes of parameters; an ONNX model must be below 2 GiB")
    graph = _Graph(net.dtype, _opset(net, opset))
    if preprocessing is None:
        value = graph.input("x", net.sizes[0])
    else:
        value = _encode(graph, preprocessing)
        labels = preprocessing.labels
    for index, layer in enumerate(layers):
        value = _layer(graph, value, index, layer)
    if labels is not None:
        _classify(graph, value, layers[-1], labels)
    else:
        if preprocessing is not None:
            value = _decode(graph, value, preprocessing)
        graph.output(graph.node("Identity", value, name="a"), graph.type, net.sizes[-1])
    model = graph.model()
    onnx.checker.check_model(model)
    if path is not None:
        write_whole(file_name(path), [model.SerializeToString()])
    return model


def _opset(net: Network, given: int | None) -> int:
    """Return the version of the operators, if it has those of the network."""
    names = [layer._plan.activation.name for layer in net.layers]
    needs = {name: OPERATORS[name].opset for name in names if name in OPERATORS and net.dtype == FLOAT32}
    needy = max(needs, key=lambda name: needs[name], default="")
    least = max(LEAST_OPSET, needs.get(needy, 0))
    if given is None:
        return least
    opset, newest = whole_number(given, "opset", 1), onnx.defs.onnx_opset_version()
    if opset < least:
        why = f", for {needy}" if least > LEAST_OPSET else ""
        raise ValueError(f"opset is {shown(opset)}; it must be at least {least}{why}")
    if opset > newest:
        raise ValueError(f"opset is {shown(opset)}; onnx {onnx.__version__} knows them up to {newest}")
    return opset


class _Graph:
    """A graph under construction."""

    def __init__(self, dtype: np.dtype[Any], opset: int) -> None:
        self.dtype, self._opset = dtype, opset
        self.type = TensorProto.FLOAT if dtype == FLOAT32 else TensorProto.DOUBLE
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._functions: dict[str, onnx.FunctionProto] = {}

    def input(self, name: str, width: int) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, self.type, ["batch", width]))
        return name

    def output(self, name: str, kind: int, width: int | None) -> None:
        shape: list[str | int] = ["batch"] if width is None else ["batch", width]
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, name: str, values: Any, dtype: Any = None) -> str:
        array = np.ascontiguousarray(values, self.dtype if dtype is None else dtype)
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def node(self, operator: str, *inputs: str, name: str, domain: str = "", **given: Any) -> str:
        """Add a node and return the name of its output, which is the node's too."""
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **given))
        return name

    def call(self, activation: str, *inputs: str, name: str) -> str:
        """Add a call of a function of our own."""
        self._functions[activation] = function(activation, self._opset)
        return self.node(activation, *inputs, name=name, domain=DOMAIN)

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, "backpropc", self._inputs, self._outputs, initializer=list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", self._opset)]
        ir_version = helper.find_min_ir_version_for(opsets)
        if self._functions:
            opsets.append(helper.make_opsetid(DOMAIN, 1))
            ir_version = max(ir_version, IR_WITH_FUNCTIONS)
        model = helper.make_model(graph, opset_imports=opsets, functions=list(self._functions.values()))
        model.ir_version = ir_version
        model.producer_name, model.producer_version = "backpropc", _core.version
        return model


def _layer(graph: _Graph, x: str, index: int, layer: ExportedLayer) -> str:
    """Add z = x w + b and a = σ(z)."""
    w, b = graph.constant(f"w{index}", layer.w), graph.constant(f"b{index}", layer.b)
    z, a = graph.node("Gemm", x, w, b, name=f"z{index}"), f"a{index}"
    if layer.activation == "identity":
        return z
    if layer.activation == "silu":  # z times the operator Sigmoid would lose digits where that is small
        e = graph.node("Exp", graph.node("Neg", z, name=f"minus_z{index}"), name=f"e{index}")
        return graph.node("Div", z, graph.node("Add", e, graph.constant("one", 1.0), name=f"e1{index}"), name=a)
    operator = OPERATORS[layer.activation]
    if graph.dtype == FLOAT32 or operator.in_float64:
        return graph.node(operator.name, z, name=a, **attributes(layer.activation, layer.parameters))
    names = PARAMETERS.get(layer.activation, ())
    return graph.call(
        layer.activation, z, *(graph.constant(f"{name}{index}", layer.parameters[name]) for name in names), name=a
    )


# --- classes and tables -----------------------------------------------------------------------------------------------


def _classify(graph: _Graph, a: str, last: ExportedLayer, labels: Sequence[int] | Sequence[str]) -> None:
    """Add the likeliest class and the probabilities of all as the outputs."""
    n = last.b.size
    if not (last.activation == "softmax" or (last.activation == "logistic" and n == 1)):
        raise ValueError(
            f"labels are given, but the last layer has {n} units with {last.activation}; "
            "it must be a softmax, or one logistic unit for two classes"
        )
    names = _labels(labels, n if last.activation == "softmax" else 2)
    if last.activation == "softmax":
        probabilities = graph.node("Identity", a, name="probabilities")
    else:
        first = graph.node("Sub", graph.constant("one", 1.0), a, name="first_probability")
        probabilities = graph.node("Concat", first, a, name="probabilities", axis=1)
    index = graph.node("ArgMax", probabilities, name="index", axis=1, keepdims=0)
    classes = graph.constant("classes", names, names.dtype)
    graph.node("Gather", classes, index, name="label")
    graph.output("label", TensorProto.INT64 if names.dtype == np.int64 else TensorProto.STRING, None)
    graph.output("probabilities", graph.type, len(names))


def _labels(labels: Any, n: int) -> FloatArray:
    must = f"labels is {shown(labels)}; it must be a sequence of {n} different integers or texts"
    try:
        names = list(labels)
    except TypeError:
        raise TypeError(must) from None
    if isinstance(labels, (str, bytes)):
        raise TypeError(must)
    if len(names) != n or len(set(names)) < n:
        raise ValueError(must)
    if all(isinstance(name, str) for name in names):
        return np.array(names, object)
    if all(isinstance(name, (int, np.integer)) and not isinstance(name, bool) for name in names):
        return np.array(names, np.int64)
    raise TypeError(must)


def _encode(graph: _Graph, preprocessing: Preprocessing) -> str:
    """Add what `Preprocessing.encode` does, with each category given by its number; return x."""
    columns = graph.input("columns", len(preprocessing.inputs))
    parts = []
    for i, column in enumerate(preprocessing.inputs):
        index = graph.constant(f"index{i}", [i], np.int64)
        value = graph.node("Gather", columns, index, name=f"column{i}", axis=1)
        if isinstance(column, CategoryColumn):
            numbers = graph.constant(f"categories{i}", [np.arange(column.width)])
            known = graph.node("Equal", value, numbers, name=f"is_category{i}")
            parts.append(graph.node("Cast", known, name=f"category{i}", to=graph.type))
            continue
        centered = graph.node("Sub", value, graph.constant(f"mean{i}", column.mean), name=f"centered{i}")
        scaled = graph.node("Div", centered, graph.constant(f"scale{i}", column.scale), name=f"scaled{i}")
        if preprocessing.fill_missing:
            gap = graph.node("IsNaN", value, name=f"is_missing{i}")
            scaled = graph.node("Where", gap, graph.constant("zero", 0.0), scaled, name=f"filled{i}")
        parts.append(scaled)
    return graph.node("Concat", *parts, name="x", axis=1)


def _decode(graph: _Graph, a: str, preprocessing: Preprocessing) -> str:
    """Add the way from the network's outputs to the units of the targets."""
    targets = [column for column in preprocessing.targets if isinstance(column, NumberColumn)]
    scale = graph.constant("target_scale", [[column.scale for column in targets]])
    mean = graph.constant("target_mean", [[column.mean for column in targets]])
    return graph.node("Add", graph.node("Mul", a, scale, name="scaled"), mean, name="in_units")
