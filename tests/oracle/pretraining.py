"""Restricted Boltzmann machines in float64: contrastive divergence as Hinton (2010) tells it, and sums over all states.

The random numbers are an argument of nothing: they are the words that a seed stands for.
"""

from __future__ import annotations

import itertools

import numpy as np

from . import initializers, philox
from .activations import ACTIVATIONS

ORDER, SAMPLES, CORRUPTION, SEEDS = range(4)  # what substreams of the epoch are for


class Rbm:
    """Energy −c·v − b·h − v·w·h, with Gaussian units ½‖v − c‖² − b·h − v·w·h."""

    def __init__(self, w: np.ndarray, b: np.ndarray, c: np.ndarray, visible: str) -> None:
        self.w, self.b, self.c, self.visible = w.copy(), b.copy(), c.copy(), visible
        self.velocity = [np.zeros_like(p) for p in (w, b, c)]
        self.chain: np.ndarray | None = None
        self.margin = np.inf  # by how much the closest comparison of a word with a probability was decided

    def hidden_mean(self, v: np.ndarray) -> np.ndarray:
        return ACTIVATIONS["logistic"].value(v @ self.w + self.b)

    def visible_mean(self, h: np.ndarray) -> np.ndarray:
        z = h @ self.w.T + self.c
        return ACTIVATIONS["logistic"].value(z) if self.visible == "bernoulli" else z

    def energy(self, v: np.ndarray, h: np.ndarray) -> float:
        own = -self.c @ v if self.visible == "bernoulli" else 0.5 * np.sum((v - self.c) ** 2)
        return float(own - self.b @ h - v @ self.w @ h)

    # --- sums over all states ---

    def free_energy(self, v: np.ndarray) -> float:
        return -float(np.log(sum(np.exp(-self.energy(v, h)) for h in states(len(self.b)))))

    def log_likelihood(self, x: np.ndarray) -> float:
        """The mean of ln p(x), for Bernoulli units."""
        normalizer = np.log(sum(np.exp(-self.free_energy(v)) for v in states(len(self.c))))
        return float(np.mean([-self.free_energy(v) - normalizer for v in x]))

    def gradient(self, x: np.ndarray) -> list[np.ndarray]:
        """∂/∂w, ∂/∂b and ∂/∂c of that."""
        every = states(len(self.c))
        p = np.exp([-self.free_energy(v) for v in every])
        of_data = moments(x, self.hidden_mean(x), np.full(len(x), 1 / len(x)))
        of_model = moments(every, self.hidden_mean(every), p / p.sum())
        return [a - b for a, b in zip(of_data, of_model, strict=True)]

    # --- contrastive divergence ---

    def bernoulli(self, p: np.ndarray, words: Words) -> np.ndarray:
        u = philox.uniforms(words.take(p.size)).reshape(p.shape)
        self.margin = min(self.margin, float(np.min(np.abs(u - p))))
        return (u < p).astype(float)

    def draw(self, mean: np.ndarray, words: Words) -> np.ndarray:
        if self.visible == "bernoulli":
            return self.bernoulli(mean, words)
        seed = int(words.take(1)[0])
        return mean + initializers.layer(seed, 0, *mean.shape, initializers.normal(1.0))[0]

    def step(
        self, v: np.ndarray, words: Words, rate: float, k: int, persistent: bool, momentum: float, l2: float
    ) -> float:
        """One step in place; returns the reconstruction error before it."""
        h = self.hidden_mean(v)
        first = model = self.visible_mean(self.bernoulli(h, words))
        if persistent:
            self.chain = v if self.chain is None else self.chain
            for _ in range(k):
                states_of_h = self.bernoulli(self.hidden_mean(self.chain), words)
                self.chain = self.draw(self.visible_mean(states_of_h), words)
            model = self.chain
        else:
            for _ in range(k - 1):
                model = self.visible_mean(self.bernoulli(self.hidden_mean(self.draw(model, words)), words))
        positive = moments(v, h, np.full(len(v), 1 / len(v)))
        negative = moments(model, self.hidden_mean(model), np.full(len(model), 1 / len(model)))
        for i, (parameter, penalty) in enumerate([(self.w, l2), (self.b, 0.0), (self.c, 0.0)]):
            gradient = positive[i] - negative[i] - penalty * parameter
            self.velocity[i] = momentum * self.velocity[i] + gradient
            parameter += rate * self.velocity[i]
        return float(np.mean((first - v) ** 2))

    def fit(self, x: np.ndarray, seed: int, epochs: int, batch_size: int, **rule: float) -> list[float]:
        errors = []
        for epoch in range(epochs):
            keys = philox.raw(seed, philox.PRETRAINING, epoch, len(x), ORDER)
            order = sorted(range(len(x)), key=lambda i: int(keys[i]))
            words, total = Words(seed, epoch, SAMPLES), 0.0
            for start in range(0, len(x), batch_size):
                batch = x[order[start : start + batch_size]]
                total += len(batch) * self.step(batch, words, **rule)
            errors.append(total / len(x))
        return errors


class Words:
    """The words of one substream in their order."""

    def __init__(self, seed: int, sub: int, second: int) -> None:
        self.bits, self.at = philox.raw(seed, philox.PRETRAINING, sub, 100_000, second), 0

    def take(self, n: int) -> np.ndarray:
        self.at += n
        assert self.at <= len(self.bits)
        return self.bits[self.at - n : self.at]


def states(n: int) -> np.ndarray:
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def moments(v: np.ndarray, h: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Σ v hᵀ, Σ h and Σ v, weighted."""
    return [np.einsum("n,ni,nj->ij", weight, v, h), weight @ h, weight @ v]


def initial(seed: int, n_visible: int, n_hidden: int, visible: str) -> Rbm:
    w, b = initializers.layer(seed, 0, n_visible, n_hidden, initializers.normal(0.01))
    return Rbm(w, b, np.zeros(n_visible), visible)


def corrupted(x: np.ndarray, seed: int, epoch: int, rate: float) -> np.ndarray:
    """x with some of its elements 0."""
    u = philox.uniforms(philox.raw(seed, philox.PRETRAINING, epoch, x.size, CORRUPTION)).reshape(x.shape)
    return np.where(u < rate, 0.0, x)


def seeds(seed: int, first: int, n: int) -> list[int]:
    return [int(word) for word in philox.raw(seed, philox.PRETRAINING, first, n, SEEDS)]
