"""The lecture read index by index: every sum a loop, every equation one function, one sample at a time.

Slow and plain on purpose. `vector` says the same in matrices; tests/unit/test_oracle.py holds the one to the other.
"""

from __future__ import annotations

import numpy as np

from .activations import ACTIVATIONS, Array
from .losses import LOSSES


def forward(x: Array, w: list[Array], b: list[Array], activations: list[str]) -> tuple[list[Array], list[Array]]:
    """z[l] and a[l] of every layer, with a[0] = x: zˡ_j = bˡ_j + Σ_k a_k wˡ_kj."""
    z, a = [], [np.asarray(x, dtype=float)]
    for wl, bl, name in zip(w, b, activations, strict=True):
        zl = np.zeros(len(bl))
        for j in range(len(bl)):
            zl[j] = bl[j]
            for k in range(len(a[-1])):
                zl[j] += a[-1][k] * wl[k, j]
        z.append(zl)
        a.append(np.asarray(ACTIVATIONS[name].value(zl)))
    return z, a


def through_activation(da: Array, z: Array, name: str) -> Array:
    """∂E/∂z_j = Σ_i ∂E/∂a_i · ∂a_i/∂z_j; for an element-wise σ only i = j is left."""
    jacobian = ACTIVATIONS[name].jacobian(z)
    delta = np.zeros(len(z))
    for j in range(len(z)):
        for i in range(len(z)):
            delta[j] += da[i] * jacobian[i, j]
    return delta


def bp1(a: Array, t: Array, z: Array, activation: str, loss: str) -> Array:
    """δᴸ = ∇ₐE ⊙ σ'(zᴸ)."""
    return through_activation(LOSSES[loss].gradient(np.asarray(a), np.asarray(t)), z, activation)


def bp2(w_next: Array, delta_next: Array, z: Array, activation: str) -> Array:
    """δˡ = (wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ σ'(zˡ): ∂E/∂a_i = Σ_j wˡ⁺¹_ij δˡ⁺¹_j first."""
    da = np.zeros(len(z))
    for i in range(len(z)):
        for j in range(len(delta_next)):
            da[i] += w_next[i, j] * delta_next[j]
    return through_activation(da, z, activation)


def bp3(delta: Array) -> Array:
    """∂E/∂b_j = δ_j."""
    return np.array([delta[j] for j in range(len(delta))])


def bp4(a_before: Array, delta: Array) -> Array:
    """∂E/∂w_kj = a_k δ_j."""
    dw = np.zeros((len(a_before), len(delta)))
    for k in range(len(a_before)):
        for j in range(len(delta)):
            dw[k, j] = a_before[k] * delta[j]
    return dw


def gradients(
    x: Array, t: Array, w: list[Array], b: list[Array], activations: list[str], loss: str
) -> tuple[float, list[Array], list[Array]]:
    """E, ∂E/∂w and ∂E/∂b of one sample."""
    z, a = forward(x, w, b, activations)
    last = len(w) - 1
    delta = [np.zeros(0)] * len(w)
    delta[last] = bp1(a[-1], t, z[last], activations[last], loss)
    for layer in range(last - 1, -1, -1):
        delta[layer] = bp2(w[layer + 1], delta[layer + 1], z[layer], activations[layer])
    value = float(LOSSES[loss].value(a[-1], np.asarray(t)))
    return value, [bp4(a[i], delta[i]) for i in range(len(w))], [bp3(d) for d in delta]


def update(
    x: Array, t: Array, w: list[Array], b: list[Array], activations: list[str], loss: str, learning_rate: float
) -> float:
    """One step in place, w ← w − μ ∂E/∂w; returns E before it."""
    value, dw, db = gradients(x, t, w, b, activations, loss)
    for wl, bl, dwl, dbl in zip(w, b, dw, db, strict=True):
        for j in range(len(bl)):
            for k in range(wl.shape[0]):
                wl[k, j] = wl[k, j] - learning_rate * dwl[k, j]
            bl[j] = bl[j] - learning_rate * dbl[j]
    return value


def activate(x: float) -> float:
    return 1.0 / (1.0 + np.exp(-x))


def actderiv(a: float) -> float:
    return a * (1.0 - a)


class Lecture:
    """The lecture's "python code" with the errata in it and nothing else changed: logistic units, ½Σ(a − t)².

    `d` here is the slides' δ, the *negative* gradient, which the code adds: the same step as subtracting the true one.
    """

    def __init__(self, dim: list[int], w: list[Array], b: list[Array], mu: float) -> None:
        self.dim, self.w, self.b, self.mu = dim, [m.copy() for m in w], [v.copy() for v in b], mu
        self.l = len(dim)
        self.a: list[Array] = [np.zeros(n) for n in dim]
        self.z: list[Array] = [np.zeros(n) for n in dim[1:]]
        self.d: list[Array] = [np.zeros(n) for n in dim[1:]]

    def update(self, x: Array, y: Array) -> None:
        l, dim, mu, w, b, a, z, d = self.l, self.dim, self.mu, self.w, self.b, self.a, self.z, self.d  # noqa: E741
        # input
        a[0] = x
        # feed forward
        for i in range(0, l - 1):
            z[i] = np.dot(a[i], w[i]) + b[i]
            a[i + 1] = np.vectorize(activate)(z[i])
        # output error
        d[l - 2] = (y - a[l - 1]) * np.vectorize(actderiv)(a[l - 1])
        # back propagation
        for i in range(l - 3, -1, -1):
            d[i] = np.dot(w[i + 1], d[i + 1]) * np.vectorize(actderiv)(a[i + 1])
        # updating
        for i in range(0, l - 1):
            for k in range(0, dim[i + 1]):
                for j in range(0, dim[i]):
                    w[i][j, k] = w[i][j, k] + mu * a[i][j] * d[i][k]
                b[i][k] = b[i][k] + mu * d[i][k]

    def parameters(self) -> Array:
        """All of them in one flat array: layer by layer, w then b."""
        return np.concatenate([p for w, b in zip(self.w, self.b, strict=True) for p in (w.ravel(), b)])
