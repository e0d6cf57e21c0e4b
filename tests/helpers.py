"""What several test files need: memory layouts, data that fits a loss, the oracle's view of a network, comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import training
from oracle import activations, losses, vector

# --- comparison -------------------------------------------------------------------------------------------------------


def assert_same_bits(got: object, want: object, what: str = "result") -> None:
    """Equality of every bit: signs of zeros and nan payloads too."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype}, expected {want.dtype}"
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    bits = np.dtype(f"u{got.dtype.itemsize}")
    differ = np.ascontiguousarray(got).view(bits) != np.ascontiguousarray(want).view(bits)
    assert not differ.any(), f"{what}: {differ.sum()} of {differ.size} elements differ in their bits"


# --- memory layouts: each gives an array equal to its argument (broadcast: to its first row everywhere) ---------------


def negative_strides(array: np.ndarray) -> np.ndarray:
    backwards = tuple(slice(None, None, -1) for _ in array.shape)
    return array[backwards].copy()[backwards]


def strided(array: np.ndarray) -> np.ndarray:
    wide = np.full(tuple(2 * n for n in array.shape), np.nan, dtype=array.dtype)
    every_other = tuple(slice(None, None, 2) for _ in array.shape)
    wide[every_other] = array
    return wide[every_other]


def broadcast(array: np.ndarray) -> np.ndarray:
    return np.broadcast_to(array[:1], array.shape)


def byte_swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


def unaligned(array: np.ndarray) -> np.ndarray:
    memory = np.empty(array.nbytes + 1, dtype=np.uint8)
    moved = memory[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": lambda array: np.asfortranarray(array).copy(order="F"),
    "negative_strides": negative_strides,
    "strided": strided,
    "broadcast": broadcast,
    "byte_swapped": byte_swapped,
    "unaligned": unaligned,
    "read_only": read_only,
}


# --- data -------------------------------------------------------------------------------------------------------------


def probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    p = rng.uniform(0.1, 1.0, shape)
    return p / p.sum(axis=-1, keepdims=True)


def targets(loss: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Targets that fit the loss; rows of probabilities for one the oracle does not know, for they fit them all."""
    kind = losses.LOSSES[loss].targets if loss in losses.LOSSES else "probabilities"
    if kind == "real":
        return rng.normal(size=shape)
    if kind == "not_negative":
        return np.where(rng.random(shape) < 0.2, 0.0, rng.exponential(size=shape))
    if kind == "unit":
        return rng.uniform(0.0, 1.0, shape)
    return probabilities(rng, shape)


def is_row_function(activation: str) -> bool:
    """Whether an output depends on the whole row of z: asked of the oracle, or else of the core."""
    if activation in activations.ACTIVATIONS:
        return activations.ACTIVATIONS[activation].derivative is None
    eye, zero = np.eye(2), np.zeros(2)
    one = bp.dense_forward(np.array([0.3, 0.4]), eye, zero, activation).a[0]
    other = bp.dense_forward(np.array([0.3, 0.9]), eye, zero, activation).a[0]
    return bool(one != other)


# --- networks ---------------------------------------------------------------------------------------------------------


def network(
    sizes: list[int], activation: str, output_activation: str | None = None, dtype: str = "float64", seed: int = 0
) -> bp.Network:
    """A network whose outputs are in (0, 1) whatever its activations, so that every loss is defined on them.

    Weights of about 1/√fan_in, smaller ones and a bias of about ¼ in the last layer, for softplus makes ½ of 0; of
    about −¼ for exp, which makes 1 of it.
    """
    net = bp.Network(sizes, activation, output_activation, seed=0, dtype=dtype)
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        layer.w[...] = rng.normal(size=layer.w.shape) / np.sqrt(layer.w.shape[0])
        layer.b[...] = rng.normal(size=layer.b.shape) * 0.3
    last = net.layers[-1]
    last.w[...] = rng.uniform(-0.03, 0.03, last.w.shape)
    last.b[...] = rng.uniform(0.2, 0.3, last.b.shape) * (-1.0 if last.activation == "exp" else 1.0)
    return net


def oracle_net(net: bp.Network) -> vector.Net:
    """The same parameters, exactly, in the oracle's hands."""
    return vector.Net(
        [np.array(layer.w, dtype=np.float64) for layer in net.layers],
        [np.array(layer.b, dtype=np.float64) for layer in net.layers],
        [layer.activation for layer in net.layers],
    )


def in_oracle(net: bp.Network, loss: str) -> bool:
    """Whether the oracle has an entry for everything this network and loss need."""
    return loss in losses.LOSSES and all(layer.activation in activations.ACTIVATIONS for layer in net.layers)


# --- trainers ---------------------------------------------------------------------------------------------------------


def divide_penalties_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have trainers divide l1 and l2 by what a batch weighs, as the core does for scikit-learn's estimators."""
    plain = training.regularization_for

    def by_batch(*arguments: Any) -> Any:
        regularization = plain(*arguments)
        regularization.by_batch = True
        return regularization

    monkeypatch.setattr(training, "regularization_for", by_batch)
