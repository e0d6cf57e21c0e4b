"""A row's prediction does not depend on the rows around it: not on how many there are, nor on where a batch is cut."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import backpropc as bp
from helpers import assert_same_bits

# Narrow layers mostly; now and then one that is wider than a register tile, or a panel.
width = st.integers(1, 20) | st.integers(1, 300)
sizes = st.lists(width, min_size=2, max_size=4)
rows = st.integers(1, 20) | st.integers(1, 600)


@st.composite
def networks(draw: st.DrawFn) -> bp.Network:
    activation, output = (draw(st.sampled_from(bp.ACTIVATIONS)) for _ in range(2))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    return bp.Network(draw(sizes), activation, output, seed=draw(st.integers(0, 2**32)), dtype=dtype)


def samples(net: bp.Network, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, net.sizes[0])).astype(net.dtype)


@given(st.data(), networks(), rows, st.integers(0, 2**32))
@settings(max_examples=200)
def test_any_split_is_the_same_bits(data: st.DataObject, net: bp.Network, n: int, seed: int) -> None:
    x = samples(net, n, seed)
    whole = net.predict(x)
    cuts = sorted(data.draw(st.sets(st.integers(0, n), max_size=6), label="cuts") | {0, n})
    parts = [net.predict(x[i:j]) for i, j in itertools.pairwise(cuts)]
    assert_same_bits(np.concatenate(parts), whole)


@given(st.data(), networks(), rows, st.integers(0, 2**32))
@settings(max_examples=200)
def test_one_row_is_the_same_bits(data: st.DataObject, net: bp.Network, n: int, seed: int) -> None:
    x = samples(net, n, seed)
    i = data.draw(st.integers(0, n - 1), label="row")
    whole = net.predict(x)
    assert_same_bits(net.predict(x[i]), whole[i])
    assert_same_bits(net.predict(x[i : i + 1]), whole[i : i + 1])
