"""Networks as ONNX models, and ONNX models of dense layers as networks (needs the extra ``onnx``).

>>> import backpropc as bp
>>> from backpropc.onnx import from_onnx, to_onnx
>>> model = to_onnx(bp.Network([4, 3, 2], activation="relu", output_activation="softmax", seed=0))
>>> from_onnx(model)
Network(4 → 3 relu → 2 softmax, float32, 23 parameters)
"""

from __future__ import annotations

try:
    import onnx as _onnx
except ModuleNotFoundError:
    raise ModuleNotFoundError("backpropc.onnx needs the package onnx: pip install onnx", name="onnx") from None

from ._onnx_export import to_onnx
from ._onnx_import import from_onnx

del _onnx

__all__ = ["from_onnx", "to_onnx"]
