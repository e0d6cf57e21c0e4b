"""ONNX Runtime: predictions alone, from a model of Gemm nodes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..workloads import Data, Workload
from .serving import CannotEnterError, Contestant, serve

OPERATORS = {"relu": "Relu", "logistic": "Sigmoid", "softmax": "Softmax", "identity": "Identity"}
OPSET = 13
IR_VERSION = 8


def model_of(workload: Workload, data: Data) -> onnx.ModelProto:
    element = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[workload.dtype]
    nodes, numbers, below = [], [], "x"
    last = len(data.parameters) - 1
    for i, (w, b) in enumerate(data.parameters):
        numbers += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [below, f"w{i}", f"b{i}"], [f"z{i}"]))
        below = "a" if i == last else f"a{i}"
        name = workload.output_activation if i == last else workload.activation
        nodes.append(helper.make_node(OPERATORS[name], [f"z{i}"], [below]))
    inputs = [helper.make_tensor_value_info("x", element, ["n", workload.sizes[0]])]
    outputs = [helper.make_tensor_value_info("a", element, ["n", workload.sizes[-1]])]
    graph = helper.make_graph(nodes, "network", inputs, outputs, numbers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


class WithOnnxRuntime(Contestant):
    """`InferenceSession.run` on one thread."""

    def __init__(self, workload: Workload, data: Data) -> None:
        if not workload.predict:
            raise CannotEnterError("ONNX Runtime predicts only")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = workload.threads
        options.inter_op_num_threads = 1
        content = model_of(workload, data).SerializeToString()
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.feed = {"x": data.x}

    @property
    def version(self) -> str:
        return str(onnxruntime.__version__)

    def run(self, passes: int) -> None:
        for _ in range(passes):
            self.output = self.session.run(["a"], self.feed)[0]

    def result(self) -> list[np.ndarray]:
        return [self.output]


if __name__ == "__main__":
    serve(WithOnnxRuntime)
