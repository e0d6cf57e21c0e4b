"""A row's prediction does not depend on the rows around it: not on how many there are, nor on where a batch is cut."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backpropc as bp
from helpers import assert_same_bits

# Narrow layers mostly; now and then one that is wider than a register tile, or a panel.
width = st.integers(1, 20) | st.integers(1, 300)
sizes = st.lists(width, min_size=2, max_size=4)
rows = st.integers(1, 20) | st.integers(1, 600)
threads = st.sampled_from([1, 2, 3, 7])


@st.composite
def networks(draw: st.DrawFn) -> bp.Network:
    activation, output = (draw(st.sampled_from(bp.ACTIVATIONS)) for _ in range(2))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    return bp.Network(draw(sizes), activation, output, seed=draw(st.integers(0, 2**32)), dtype=dtype)


def samples(net: bp.Network, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, net.sizes[0])).astype(net.dtype)


@given(st.data(), networks(), rows, st.integers(0, 2**32), threads, threads)
@settings(max_examples=200)
def test_any_split_is_the_same_bits(
    data: st.DataObject, net: bp.Network, n: int, seed: int, of_whole: int, of_parts: int
) -> None:
    x = samples(net, n, seed)
    with bp.num_threads(of_whole):
        whole = net.predict(x)
    cuts = sorted(data.draw(st.sets(st.integers(0, n), max_size=6), label="cuts") | {0, n})
    with bp.num_threads(of_parts):
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


@given(networks(), rows, st.integers(0, 2**32), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_the_order_of_rows_is_that_of_the_results(net: bp.Network, n: int, seed: int, random: Random) -> None:
    x, order = samples(net, n, seed), list(range(n))
    random.shuffle(order)
    assert_same_bits(net.predict(x[order]), net.predict(x)[order])
    assert_same_bits(net.predict(np.repeat(x, 2, axis=0)), np.repeat(net.predict(x), 2, axis=0))


def digest_of_predictions() -> str:
    """Of the predictions of random networks, the same ones each time; and what any other instruction set must give."""
    digest, rng = hashlib.sha256(), np.random.default_rng(0)
    for index in range(150):
        sizes = [int(size) for size in rng.integers(1, rng.choice([20, 300]), size=rng.integers(2, 5))]
        activations = rng.choice(bp.ACTIVATIONS, size=2)
        net = bp.Network(
            sizes, str(activations[0]), str(activations[1]), seed=index, dtype=["float32", "float64"][index % 2]
        )
        x = rng.normal(size=(int(rng.integers(1, 200)), sizes[0])).astype(net.dtype)
        with bp.num_threads(int(rng.choice([1, 3]))):
            digest.update(net.predict(x).tobytes() + net.predict(x[0]).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("isa", bp.available_isas())
def test_every_instruction_set_predicts_the_same(isa: str) -> None:
    script = f"from {Path(__file__).stem} import digest_of_predictions; print(digest_of_predictions())"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "BACKPROPC_ISA": isa, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == digest_of_predictions(), done.stderr
