"""What a judge needs: the arguments as they were, as the oracle takes them, and when the oracle has no word."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import backpropc as bp
from backpropc.definitions import Definition
from helpers import oracle_net
from oracle import activations, losses, pretraining, tolerance, vector
from oracle.losses import one_hot
from oracle.tolerance import assert_within

MODERATE = 2.0  # the bounds are for numbers of about 1


class NoWord(Exception):
    """The oracle says nothing about this call."""


def only_if(condition: object) -> None:
    """Have no word unless."""
    if not condition:
        raise NoWord


# --- what is as it was before the call --------------------------------------------------------------------------------


class NetworkBefore(NamedTuple):
    net: vector.Net
    dtype: np.dtype[Any]
    flat: np.ndarray

    @property
    def sizes(self) -> list[int]:
        return sizes_of(self.net)


class PopulationBefore(NamedTuple):
    nets: list[vector.Net]
    seeds: list[int]
    dtype: np.dtype[Any]
    flat: np.ndarray

    @property
    def sizes(self) -> list[int]:
        return sizes_of(self.nets[0])


class LayerBefore(NamedTuple):
    w: np.ndarray
    b: np.ndarray


class MachineBefore(NamedTuple):
    """A Boltzmann machine."""

    machine: pretraining.Rbm
    dtype: np.dtype[Any]

    @property
    def sizes(self) -> list[int]:
        return [*self.machine.w.shape, self.machine.w.shape[0]]


def sizes_of(net: vector.Net) -> list[int]:
    return [len(net.w[0]), *(len(b) for b in net.b)]


def as_it_was(value: Any) -> Any:
    """A copy of what a call may change, for the judge; anything else as it is."""
    if issubclass(type(value), np.ndarray):
        return np.array(value) if value.size < 10**6 else value
    if issubclass(type(value), bp.Network):
        return NetworkBefore(oracle_net(value), value.dtype, value.parameters.copy())
    if issubclass(type(value), bp.Trainer):
        return as_it_was(value.network)
    if issubclass(type(value), bp.Population):
        nets = [oracle_net(value[i]) for i in range(value.n)]
        return PopulationBefore(nets, value.seeds.tolist(), value.dtype, value.parameters.copy())
    if type(value).__name__ == "Layer":
        return LayerBefore(value.w.copy(), value.b.copy())
    if type(value).__name__ == "RBM":
        arrays = (np.array(array, np.float64) for array in (value.w, value.b, value.c))
        return MachineBefore(pretraining.Rbm(*arrays, value.visible), value.dtype)
    if type(value).__name__ == "DenoisingAutoencoder":
        return as_it_was(value.network)
    return value


# --- arguments --------------------------------------------------------------------------------------------------------


def wide(value: Any) -> np.ndarray:
    """The numbers in float64, if they are real and moderate."""
    try:
        array = np.asarray(value)
    except Exception:
        raise NoWord from None
    only_if(array.dtype.kind in "fiub" and array.size <= 10**5)
    array = array.astype(np.float64)
    only_if(np.all(np.abs(array) <= MODERATE))
    return array


def is_numpys(value: Any, kind: type) -> bool:
    return issubclass(type(value), kind) and type(value) is not np.timedelta64  # which counts as an integer


def count(value: Any) -> int:
    only_if(type(value) is int or is_numpys(value, np.integer))
    return operator.index(value)


def number(value: Any) -> float:
    only_if(type(value) in (int, float) or is_numpys(value, np.integer) or is_numpys(value, np.floating))
    only_if(abs(value) <= MODERATE)
    return float(value)


def known_activation(value: Any) -> activations.Activation:
    """The oracle's entry of a name, or of an object with parameters."""
    if issubclass(type(value), Definition) and value.name in activations.WITH_PARAMETERS:
        return activations.WITH_PARAMETERS[value.name][0](**value.parameters)
    only_if(issubclass(type(value), str) and value in activations.ACTIVATIONS)
    return activations.ACTIVATIONS[value]


def known_loss(value: Any) -> losses.Loss:
    if issubclass(type(value), Definition) and value.name in losses.WITH_PARAMETERS:
        return losses.WITH_PARAMETERS[value.name][0](**value.parameters)
    only_if(issubclass(type(value), str) and value in losses.LOSSES)
    return losses.LOSSES[value]


def rows_of_targets(t: np.ndarray, shape: tuple[int, ...], loss: losses.Loss) -> np.ndarray:
    """Targets of the outputs' shape, also where they were classes."""
    if loss.targets == "probabilities" and t.shape == shape[:-1] and t.shape != shape:
        return one_hot(t.astype(int), shape[-1])
    only_if(t.shape == shape)
    return t


# --- judges -----------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A call that gave a result: its arguments as they were, what became of them, and the result."""

    before: dict[str, Any]
    after: dict[str, Any]
    result: Any

    def array(self, name: str) -> np.ndarray:
        only_if(name in self.before)
        return wide(self.before[name])

    def loss_name(self) -> str:
        loss = self.before.get("loss", "half_squared_error")
        known_loss(loss)
        only_if(issubclass(type(loss), str))
        return str(loss)

    def read(self, name: str, before: NetworkBefore | PopulationBefore | MachineBefore) -> np.ndarray:
        """An array as a network reads it: in its dtype."""
        return self.array(name).astype(before.dtype).astype(np.float64)

    def samples(self, before: NetworkBefore | PopulationBefore) -> tuple[np.ndarray, np.ndarray]:
        x, t = (self.read(name, before) for name in ("x", "t"))
        return x, rows_of_targets(t, (*x.shape[:-1], before.sizes[-1]), losses.LOSSES[self.loss_name()])


Word = Callable[[Case], None]


class Judge(NamedTuple):
    says: Word
    takes: tuple[str, ...]


JUDGES: dict[str, Judge] = {}


def judge(*names: str, takes: tuple[str, ...] = ()) -> Callable[[Word], Word]:
    """Let a function judge these calls, where no other arguments are given than those it knows of."""

    def enter(says: Word) -> Word:
        JUDGES.update((name, Judge(says, takes)) for name in names)
        return says

    return enter


def check(name: str, before: dict[str, Any], after: dict[str, Any], result: Any) -> bool:
    """Compare with the oracle; return whether it has a word on it. Raises an AssertionError where they differ."""
    found = JUDGES.get(name)
    if found is None or {*before} - {*found.takes, "self"}:
        return False
    try:
        with np.errstate(all="ignore"):
            found.says(Case(before, after, result))
    except NoWord:
        return False
    return True


# --- a pass through a network -----------------------------------------------------------------------------------------


class Bounds(NamedTuple):
    """How far the numbers of one pass may be from the oracle's, named as those."""

    loss: np.ndarray
    z: list[np.ndarray]
    a: list[np.ndarray]
    da: list[np.ndarray]
    delta: list[np.ndarray]
    dw: list[np.ndarray]
    db: list[np.ndarray]


def traced(net: vector.Net, x: np.ndarray, t: np.ndarray, loss: str, dtype: Any) -> tuple[vector.Pass, Bounds]:
    """A pass, if all of it is finite, and its bounds."""
    done = vector.trace(net, x, t, loss)
    samples = len(x) if x.ndim == 2 else 1
    only_if(samples > 0 and np.isfinite(done.loss))
    sizes = tolerance.pass_terms(net.w, net.b, done.a, t, losses.LOSSES[loss].targets)
    only_if(np.all(np.isfinite(sizes["da"][-1])))

    def bound(terms: np.ndarray) -> np.ndarray:
        return tolerance.network(sizes_of(net), samples, terms, dtype)

    of_arrays = {name: [bound(each) for each in terms] for name, terms in sizes.items() if name != "loss"}
    return done, Bounds(bound(sizes["loss"]), **of_arrays)


def assert_predicted(net: vector.Net, x: np.ndarray, got: Any, dtype: Any) -> None:
    assert isinstance(got, np.ndarray)
    want = vector.forward(net, x)[1][-1]
    assert_within(got, want, tolerance.network(sizes_of(net), len(x) if x.ndim == 2 else 1, want, dtype), "a")
