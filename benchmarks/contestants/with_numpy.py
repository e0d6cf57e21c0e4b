"""NumPy as one writes it for speed: every array set aside before, every operation in place."""

from __future__ import annotations

import numpy as np

from ..workloads import Data, Workload
from .serving import CannotEnterError, Contestant, serve


class WithNumPy(Contestant):
    """Plain gradient descent or Adam, and predictions."""

    def __init__(self, workload: Workload, data: Data) -> None:
        if workload.dropout:
            raise CannotEnterError("not written for dropout")
        self.workload, self.x, self.t = workload, data.x, data.t
        self.w = [w.copy() for w, _ in data.parameters]
        self.b = [b.copy() for _, b in data.parameters]
        dtype = workload.dtype
        batch = workload.batch
        self.a = [np.empty((batch, n), dtype) for n in workload.sizes[1:]]
        self.delta = [np.empty((batch, n), dtype) for n in workload.sizes[1:]]
        self.slope = [np.empty((batch, n), dtype) for n in workload.sizes[1:]]
        self.row = np.empty((batch, 1), dtype)
        self.dw, self.db = [np.empty_like(w) for w in self.w], [np.empty_like(b) for b in self.b]
        self.steps = 0
        self.moments = {id(p): (np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p in (*self.w, *self.b)}

    @property
    def version(self) -> str:
        return np.__version__

    def run(self, passes: int) -> None:
        batch, rows = self.workload.batch, len(self.x)
        for _ in range(passes):
            for i in range(0, rows, batch):
                self.forward(self.x[i : i + batch])
                if not self.workload.predict:
                    self.backward(self.x[i : i + batch], self.t[i : i + batch])

    def forward(self, x: np.ndarray) -> None:
        last = len(self.w) - 1
        for i, (w, b, a) in enumerate(zip(self.w, self.b, self.a, strict=True)):
            np.matmul(x, w, out=a)
            a += b
            self.activate(self.workload.output_activation if i == last else self.workload.activation, a)
            x = a

    def activate(self, name: str, z: np.ndarray) -> None:
        if name == "relu":
            np.maximum(z, 0, out=z)
        elif name == "logistic":
            np.negative(z, out=z)
            np.exp(z, out=z)
            z += 1
            np.reciprocal(z, out=z)
        elif name == "softmax":
            np.max(z, axis=1, keepdims=True, out=self.row)
            z -= self.row
            np.exp(z, out=z)
            np.sum(z, axis=1, keepdims=True, out=self.row)
            z /= self.row

    def times_derivative(self, delta: np.ndarray, a: np.ndarray, slope: np.ndarray) -> None:
        if self.workload.activation == "relu":
            np.greater(a, 0, out=slope, casting="unsafe")
        else:
            np.subtract(1, a, out=slope)
            slope *= a
        delta *= slope

    def backward(self, x: np.ndarray, t: np.ndarray) -> None:
        work, last = self.workload, len(self.w) - 1
        delta = self.delta[last]
        np.subtract(self.a[last], t, out=delta)
        if work.loss == "half_squared_error":
            self.times_derivative(delta, self.a[last], self.slope[last])
        scale = 1 / len(x)
        if work.loss == "mean_squared_error":
            scale *= 2 / delta.shape[1]
        # Every δ and gradient is linear in the last δ: plain SGD scales that one by −μ and adds what comes of it.
        delta *= scale * (-work.learning_rate if work.optimizer == "sgd" else 1)
        for i in range(last, -1, -1):
            below = self.a[i - 1] if i else x
            np.matmul(below.T, self.delta[i], out=self.dw[i])
            np.add.reduce(self.delta[i], axis=0, out=self.db[i])
            if i:
                np.matmul(self.delta[i], self.w[i].T, out=self.delta[i - 1])
                self.times_derivative(self.delta[i - 1], below, self.slope[i - 1])
        self.step()

    def step(self) -> None:
        self.steps += 1
        for p, dp in zip((*self.w, *self.b), (*self.dw, *self.db), strict=True):
            if self.workload.optimizer == "sgd":
                p += dp
            else:
                self.adam(p, dp)

    def adam(self, p: np.ndarray, dp: np.ndarray, beta1: float = 0.9, beta2: float = 0.999) -> None:
        m, v, scratch = self.moments[id(p)]
        m *= beta1
        np.multiply(dp, 1 - beta1, out=scratch)
        m += scratch
        v *= beta2
        np.multiply(dp, dp, out=scratch)
        scratch *= 1 - beta2
        v += scratch
        np.sqrt(v, out=scratch)
        scratch /= np.sqrt(1 - beta2**self.steps)
        scratch += 1e-8
        np.divide(m, scratch, out=scratch)
        scratch *= self.workload.learning_rate / (1 - beta1**self.steps)
        p -= scratch

    def result(self) -> list[np.ndarray]:
        if self.workload.predict:
            return [self.a[-1]]
        return [array for layer in zip(self.w, self.b, strict=True) for array in layer]


if __name__ == "__main__":
    serve(WithNumPy)
