"""The optimizers, from their papers: how the parameters move by their gradients. One class per name.

A class works on one array of parameters at a time: `update(p, g, state)` changes p in place, and `state` is a dictionary
that it finds again at the next step. What all arrays share is in `self`: the step's number and the losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray


class Optimizer:
    def __init__(self) -> None:
        self.count = 0
        self.states: list[dict[str, Any]] = []

    def step(self, parameters: Sequence[Array], gradients: Sequence[Array | None]) -> None:
        """One step of all parameters, in place; None for a gradient leaves its parameters as they are."""
        self.count += 1
        if not self.states:
            self.states = [{} for _ in parameters]
        for p, g, state in zip(parameters, gradients, self.states, strict=True):
            if g is not None:
                self.update(p, g, state)

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        raise NotImplementedError


class Sgd(Optimizer):
    """w ← w − μ g with PyTorch's momentum: v ← m v + g, step μ v, or μ (g + m v) in Nesterov's form."""

    def __init__(self, learning_rate: float, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__()
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        v = state["v"] = self.momentum * state.get("v", 0.0) + g
        p -= self.learning_rate * (g + self.momentum * v if self.nesterov else v)


class Adam(Optimizer):
    """Kingma and Ba 2015, Algorithm 1, with ε outside the root; Reddi, Kale and Kumar 2018 for the largest v."""

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
    ) -> None:
        super().__init__()
        self.learning_rate, self.beta1, self.beta2, self.epsilon = learning_rate, beta1, beta2, epsilon
        self.amsgrad = amsgrad

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        m = state["m"] = self.beta1 * state.get("m", 0.0) + (1 - self.beta1) * g
        v = state["v"] = self.beta2 * state.get("v", 0.0) + (1 - self.beta2) * g**2
        if self.amsgrad:
            v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
        m_hat, v_hat = m / (1 - self.beta1**self.count), v / (1 - self.beta2**self.count)
        p -= self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


OPTIMIZERS: dict[str, type[Optimizer]] = {"SGD": Sgd, "Adam": Adam}
# Arguments by which each is tested, beyond those it cannot do without.
CASES: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"learning_rate": 0.1},
        {"learning_rate": 0.1, "momentum": 0.9},
        {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    ],
    "Adam": [{}, {"learning_rate": 0.05, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}, {"amsgrad": True, "beta2": 0.5}],
}
