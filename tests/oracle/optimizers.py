"""The optimizers, from their papers: how the parameters move by their gradients. One class per name.

A class works on one array of parameters at a time: `update(p, g, state)` changes p in place, and `state` is a
dictionary that it finds again at the next step. What all arrays share is in `self`: the step's number, the losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray


class Optimizer:
    def __init__(self) -> None:
        self.count = 0
        self.loss = self.former_loss = np.inf
        self.states: list[dict[str, Any]] = []

    def step(self, parameters: Sequence[Array], gradients: Sequence[Array | None], loss: float = np.nan) -> None:
        """One step of all parameters, in place, E being what it was before; without a gradient none is made."""
        self.count += 1
        self.former_loss, self.loss = self.loss, loss
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
    """Kingma and Ba 2015, Algorithm 1, with ε outside the root; Reddi, Kale and Kumar 2018 for the largest v.

    With `epsilon_hat` it is the order of computation at the end of their section 2, whose ε̂ is beside the plain √v.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
        epsilon_hat: bool = False,
    ) -> None:
        super().__init__()
        self.learning_rate, self.beta1, self.beta2, self.epsilon = learning_rate, beta1, beta2, epsilon
        self.amsgrad, self.epsilon_hat = amsgrad, epsilon_hat

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        m = state["m"] = self.beta1 * state.get("m", 0.0) + (1 - self.beta1) * g
        v = state["v"] = self.beta2 * state.get("v", 0.0) + (1 - self.beta2) * g**2
        if self.amsgrad:
            v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
        if self.epsilon_hat:
            rate = self.learning_rate * np.sqrt(1 - self.beta2**self.count) / (1 - self.beta1**self.count)
            p -= rate * m / (np.sqrt(v) + self.epsilon)
            return
        m_hat, v_hat = m / (1 - self.beta1**self.count), v / (1 - self.beta2**self.count)
        p -= self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


class AdamW(Adam):
    """Loshchilov and Hutter 2019, Algorithm 2: the decay is beside the gradient, not in it. On w and b alike."""

    def __init__(self, *args: Any, weight_decay: float = 1e-2, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.weight_decay = weight_decay

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        p -= self.learning_rate * self.weight_decay * p
        super().update(p, g, state)


class RMSprop(Optimizer):
    """Tieleman and Hinton 2012, with PyTorch's ε outside the root and its momentum on the scaled gradient."""

    def __init__(
        self, learning_rate: float = 1e-3, rho: float = 0.9, epsilon: float = 1e-8, momentum: float = 0.0
    ) -> None:
        super().__init__()
        self.learning_rate, self.rho, self.epsilon, self.momentum = learning_rate, rho, epsilon, momentum

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        v = state["v"] = self.rho * state.get("v", 0.0) + (1 - self.rho) * g**2
        u = state["u"] = self.momentum * state.get("u", 0.0) + g / (np.sqrt(v) + self.epsilon)
        p -= self.learning_rate * u


class Adagrad(Optimizer):
    """Duchi, Hazan and Singer 2011, diagonal: each rate falls with the squares so far."""

    def __init__(self, learning_rate: float = 1e-2, epsilon: float = 1e-10) -> None:
        super().__init__()
        self.learning_rate, self.epsilon = learning_rate, epsilon

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        v = state["v"] = state.get("v", 0.0) + g**2
        p -= self.learning_rate * g / (np.sqrt(v) + self.epsilon)


class Rprop(Optimizer):
    """Riedmiller and Braun 1993 and its three relatives as Igel and Hüsken 2000 list them, one parameter at a time."""

    def __init__(
        self,
        initial_step: float = 0.1,
        increase: float = 1.2,
        decrease: float = 0.5,
        min_step: float = 1e-6,
        max_step: float = 50.0,
        variant: str = "irprop+",
    ) -> None:
        super().__init__()
        self.initial_step, self.increase, self.decrease = initial_step, increase, decrease
        self.min_step, self.max_step, self.variant = min_step, max_step, variant

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        if not state:
            state["size"], state["g"] = np.full_like(p, self.initial_step), np.zeros_like(p)
            state["change"] = np.zeros_like(p)
        for i in np.ndindex(*p.shape):
            p[i] += self.change(float(g[i]), i, state)

    def change(self, g: float, i: tuple[int, ...], state: dict[str, Any]) -> float:
        last_change, product = float(state["change"][i]), g * float(state["g"][i])
        if product > 0:
            state["size"][i] = min(state["size"][i] * self.increase, self.max_step)
        elif product < 0:
            state["size"][i] = max(state["size"][i] * self.decrease, self.min_step)
        change = -float(np.sign(g)) * float(state["size"][i])
        if product < 0 and self.variant != "rprop-":
            g, change = 0.0, 0.0
            if self.variant == "rprop+" or (self.variant == "irprop+" and self.loss > self.former_loss):
                change = -last_change
        state["g"][i], state["change"][i] = g, change
        return change


class Quickprop(Optimizer):
    """Fahlman 1988, section 3.4: a jump to the minimum of a parabola, with gradient descent where it cannot lead."""

    def __init__(self, learning_rate: float = 0.55, mu: float = 1.75, weight_decay: float = 1e-4) -> None:
        super().__init__()
        self.learning_rate, self.mu, self.weight_decay = learning_rate, mu, weight_decay

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        if not state:
            state["slope"], state["step"] = np.zeros_like(p), np.zeros_like(p)
        for i in np.ndindex(*p.shape):
            slope, last = float(g[i] + self.weight_decay * p[i]), float(state["slope"][i])
            state["step"][i] = self.next_step(slope, last, float(state["step"][i]))
            state["slope"][i] = slope
            p[i] += state["step"][i]

    def next_step(self, slope: float, last: float, step: float) -> float:
        if step == 0.0:
            return -self.learning_rate * slope
        downhill = slope * step < 0
        descent = -self.learning_rate * slope if downhill else 0.0
        if last == slope:
            return self.mu * step + descent
        jump = slope / (last - slope)
        too_large = jump > self.mu or (jump < 0 and downhill)
        return (self.mu if too_large else jump) * step + descent


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "SGD": Sgd,
    "RMSprop": RMSprop,
    "Adagrad": Adagrad,
    "Adam": Adam,
    "AdamW": AdamW,
    "Rprop": Rprop,
    "Quickprop": Quickprop,
}
# The arguments by which each is tested.
CASES: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"learning_rate": 0.1},
        {"learning_rate": 0.1, "momentum": 0.9},
        {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    ],
    "RMSprop": [{}, {"learning_rate": 0.01, "rho": 0.5, "epsilon": 1e-3, "momentum": 0.8}],
    "Adagrad": [{}, {"learning_rate": 0.1, "epsilon": 1e-3}],
    "Adam": [
        {},
        {"learning_rate": 0.05, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
        {"amsgrad": True, "beta2": 0.5},
        {"epsilon_hat": True, "epsilon": 1e-3},
    ],
    "AdamW": [{}, {"learning_rate": 0.05, "amsgrad": True, "weight_decay": 0.5}],
    "Rprop": [{"variant": variant} for variant in ("rprop+", "rprop-", "irprop+", "irprop-")]
    + [{"initial_step": 0.01, "increase": 1.5, "decrease": 0.25, "min_step": 0.005, "max_step": 0.02}],
    "Quickprop": [{}, {"learning_rate": 0.1, "mu": 1.2, "weight_decay": 0.0}],
}
