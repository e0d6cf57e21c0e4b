"""Hypothesis: whatever the shape, the settings and the number of networks, each is the one that Trainer gives alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import backpropc as bp
from helpers import assert_same_bits, targets

SIZES = st.lists(st.integers(1, 20), min_size=2, max_size=4)
OPTIMIZERS = st.sampled_from([bp.SGD(0.1), bp.SGD(0.1, 0.9), bp.SGD(0.1, 0.5, True), bp.Adam(0.01), bp.Rprop()])


@st.composite
def settings(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `fit` that are the same for all networks."""
    chosen: dict[str, Any] = {
        "loss": draw(st.sampled_from(bp.LOSSES)),
        "optimizer": draw(OPTIMIZERS),
        "batch_size": draw(st.sampled_from([1, 2, 5, 32])),
        "shuffle": draw(st.booleans()),
    }
    if draw(st.booleans()):
        chosen["l2"] = draw(st.floats(1e-4, 0.1))
    if draw(st.booleans()):
        chosen["l1"] = draw(st.floats(1e-4, 0.1))
    if draw(st.booleans()):
        chosen["clip_value"] = draw(st.floats(1e-3, 1.0))
    return chosen


@given(
    sizes=SIZES,
    n=st.sampled_from([1, 4, 7, 17, 70]),
    samples=st.integers(1, 12),
    activation=st.sampled_from(bp.ACTIVATIONS),
    output=st.sampled_from(["logistic", "softmax", "softplus"]),
    dtype=st.sampled_from(["float32", "float64"]),
    chosen=settings(),
    dropout=st.sampled_from([0.0, 0.4]),
    weighted=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_each_network_is_the_one_trained_alone(
    sizes: list[int],
    n: int,
    samples: int,
    activation: str,
    output: str,
    dtype: str,
    chosen: dict[str, Any],
    dropout: float,
    weighted: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(samples, sizes[0])), targets(chosen["loss"], rng, (samples, sizes[-1]))
    if len(sizes) > 2:
        chosen = {**chosen, "dropout": dropout}
    fit = {"epochs": 2, "validation_data": (x, t), "sample_weight": rng.random(samples) + 0.01 if weighted else None}
    population = bp.Population(sizes, n, activation, output, seed=seed, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        history = population.fit(x, t, **chosen, **fit)
    for i in {0, n // 2, n - 1}:
        network = bp.Network(sizes, activation, output, seed=seed + i, dtype=dtype)
        trainer = bp.Trainer(network, seed=seed + i, **chosen)
        try:
            trainer.fit(x, t, **fit)
        except FloatingPointError:
            assert population.diverged[i]
        assert_same_bits(population.parameters[i], network.parameters)
        np.testing.assert_equal(history[i].history, trainer.history.history)  # to which nan is nan
