"""FANN, by fann.cpp: incremental training on the installed library (Debian: libfann-dev)."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np

from ..workloads import Data, Workload
from .native import library
from .serving import CannotEnterError, Contestant, serve


class WithFann(Contestant):
    """`fann_train`, sample by sample, from C."""

    def __init__(self, workload: Workload, data: Data) -> None:
        logistic = workload.activation == workload.output_activation == "logistic"
        if not logistic or workload.batch != 1 or workload.predict or workload.dtype != "float32":
            raise CannotEnterError("written for online training of logistic networks in float32 alone")
        try:
            self.code = library("fann.cpp", libraries=["-lfloatfann"])
        except (subprocess.CalledProcessError, OSError):
            raise CannotEnterError("FANN is not installed (Debian, Ubuntu: apt install libfann-dev)") from None
        self.data = data
        self.sizes = (ctypes.c_uint * len(workload.sizes))(*workload.sizes)
        self.shapes = [array.shape for layer in data.parameters for array in layer]
        parameters = np.concatenate([array.ravel() for layer in data.parameters for array in layer])
        pointer, size = ctypes.c_void_p, ctypes.c_ssize_t
        self.code.make.restype = pointer
        self.code.make.argtypes = [pointer, ctypes.c_uint, ctypes.c_float, pointer]
        self.code.train.argtypes = [pointer, pointer, pointer, size, size]
        self.code.store.argtypes = [pointer, pointer, ctypes.c_uint, pointer]
        count = len(workload.sizes)
        self.net = self.code.make(self.sizes, count, workload.learning_rate, parameters.ctypes.data)

    @property
    def version(self) -> str:
        for libraries in Path("/usr/lib").glob("*/libfloatfann.so.*.*"):
            found = re.search(r"so\.(.+)$", libraries.name)
            if found:
                return found[1]
        return "?"

    def run(self, passes: int) -> None:
        x, t = self.data.x, self.data.t
        self.code.train(self.net, x.ctypes.data, t.ctypes.data, len(x), passes)

    def result(self) -> list[np.ndarray]:
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        parameters = np.empty(sum(sizes), np.float32)
        self.code.store(self.net, self.sizes, len(self.sizes), parameters.ctypes.data)
        return np.split(parameters, np.cumsum(sizes)[:-1])


if __name__ == "__main__":
    serve(WithFann)
