"""Who takes part: one module for each, all with `serving`'s interface."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A contestant's module, its name in the tables, and the packages that it needs (pinned in requirements.txt)."""

    module: str
    title: str
    packages: tuple[str, ...] = ()
    heavy: bool = False


KINDS = {
    "backpropc": Kind("ours", "backpropc"),
    "handwritten": Kind("handwritten", "hand-written C++"),
    "fann": Kind("with_fann", "FANN"),
    "numpy": Kind("with_numpy", "NumPy"),
    "torch": Kind("with_torch", "PyTorch", ("torch",), heavy=True),
    "jax": Kind("with_jax", "JAX", ("jax",), heavy=True),
    "sklearn": Kind("with_sklearn", "scikit-learn", ("scikit-learn",), heavy=True),
    "onnxruntime": Kind("with_onnxruntime", "ONNX Runtime", ("onnx", "onnxruntime"), heavy=True),
}
