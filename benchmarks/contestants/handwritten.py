"""C++ written for one network, with its sizes at compile time: handwritten.cpp."""

from __future__ import annotations

import ctypes

import numpy as np

from ..workloads import Data, Workload
from .native import compiler_version, library
from .serving import CannotEnterError, Contestant, serve


class Handwritten(Contestant):
    """Online training of 8-3-8."""

    def __init__(self, workload: Workload, data: Data) -> None:
        if workload.sizes != (8, 3, 8) or workload.batch != 1 or workload.predict:
            raise CannotEnterError("written for online training of 8-3-8 alone")
        self.data = data
        self.shapes = [array.shape for layer in data.parameters for array in layer]
        self.parameters = np.concatenate([array.ravel() for layer in data.parameters for array in layer])
        code = library("handwritten.cpp", ["-march=native", "-ffast-math"])
        real = {"float32": ctypes.c_float, "float64": ctypes.c_double}[workload.dtype]
        self.train = getattr(code, f"train_{workload.dtype}")
        self.train.restype = real
        pointer, size = ctypes.c_void_p, ctypes.c_ssize_t
        self.train.argtypes = [pointer, pointer, size, size, real, pointer]
        self.learning_rate = workload.learning_rate

    @property
    def version(self) -> str:
        return compiler_version()

    def run(self, passes: int) -> None:
        x, t = self.data.x, self.data.t
        addresses = (x.ctypes.data, t.ctypes.data)
        self.train(*addresses, len(x), passes, self.learning_rate, self.parameters.ctypes.data)

    def result(self) -> list[np.ndarray]:
        ends = np.cumsum([np.prod(shape) for shape in self.shapes])[:-1]
        return np.split(self.parameters, ends)


if __name__ == "__main__":
    serve(Handwritten)
