"""Methods that take all samples in each step, and what they work on: E as a function of the parameters that learn.

A method is given an `Objective` and answers with the next parameters, worked out on a copy of the network. The
trainer's own core then adopts them as one step and one epoch, so that a run can be interrupted at any moment and stands
at its last whole step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from . import _core
from ._arguments import FLOAT64, FloatArray

if TYPE_CHECKING:
    from .definitions import Definition
    from .network import Network

State = dict[str, FloatArray]  # float64 arrays by name: what a method knows beyond the parameters


class Evaluation(NamedTuple):
    """What an objective is at one place."""

    x: FloatArray  # the place, as the network's dtype rounds it
    loss: float  # E
    value: float  # E and the penalty
    gradient: FloatArray  # of that


class Objective:
    """E + ½·l2·Σw² of some samples, as a function of the parameters of the layers that learn.

    Everything is evaluated in the network's dtype, on a copy of the network, and handed out as float64.

    Parameters
    ----------
    network : Network
        Where each step begins; read, never changed.
    loss : Definition
        E.
    l2 : sequence of float
        The penalty of each layer, or nothing.
    samples : Samples
        As the core has checked them.
    """

    def __init__(self, network: Network, loss: Definition, l2: Sequence[float], samples: _core.Samples) -> None:
        self.network, self.loss, self.samples = network, loss, samples
        self.when = ""  # of the step that is sought, for messages
        self.must_be_finite = True
        self._l2 = l2
        self._last: tuple[tuple[bytes, bytes], Evaluation] | None = None
        self.begin()

    def begin(self) -> FloatArray:
        """Go to where the network is now; return the parameters that learn."""
        layers = self.network.layers
        self.core = self.network._core.copy()
        self.parameters = self.core.parameters()
        sizes = [(layer.w.size, layer.b.size) for layer in layers]
        self.in_layers = np.repeat([layer.trainable for layer in layers], [sum(size) for size in sizes])
        masks = [np.ones(layer.w.shape, bool) if layer.mask is None else layer.mask for layer in layers]
        pairs = zip(masks, layers, strict=True)
        there = np.concatenate([np.r_[mask.ravel(), np.ones(layer.b.size, bool)] for mask, layer in pairs])
        self.learns = self.in_layers & there
        of_layers = self._l2 or [0.0] * len(layers)
        penalty = [number for l2 in of_layers for number in (l2, 0.0)]
        self.penalty = np.repeat(penalty, [n for size in sizes for n in size])[self.learns]
        return self._place()

    def _place(self) -> FloatArray:
        return np.asarray(self.parameters[self.learns], FLOAT64)

    def go_to(self, x: FloatArray) -> FloatArray:
        """Set the copy's parameters to x; return them as its dtype rounds them."""
        with np.errstate(over="ignore"):
            self.parameters[self.learns] = x
        return self._place()

    def penalized(self, loss: float, x: FloatArray) -> float:
        """Return E at x, which is `loss`, with the penalty."""
        with np.errstate(over="ignore", invalid="ignore"):
            return loss + 0.5 * float(np.sum(self.penalty * (x * x)))

    def loss_at(self, x: FloatArray) -> float:
        """Return E at x."""
        self.go_to(x)
        loss = _core.whole_loss(self.core, self.samples, self.loss._choice)
        return loss

    def value(self, x: FloatArray) -> float:
        """Return E and the penalty at x."""
        x = self.go_to(x)
        return self.penalized(_core.whole_loss(self.core, self.samples, self.loss._choice), x)

    def is_start(self, value: float) -> bool:
        """Return whether a step can begin where the value is this; a FloatingPointError where it must be."""
        if self.must_be_finite and not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} in {self.when}; it must be finite. Most often x or t hold values far from 1, or "
                "the initial parameters are too large: scale the data"
            )
        return math.isfinite(value)

    def evaluate(self, x: FloatArray) -> Evaluation:
        """Return the objective and its gradient at x."""
        x = self.go_to(x)
        place = (self.parameters.tobytes(), self.learns.tobytes())
        if self._last is not None and self._last[0] == place:  # as a rule where the last step ended
            return self._last[1]
        loss, gradient = _core.whole_gradient(self.core, self.samples, self.loss._choice)
        of_learning = gradient[self.learns].astype(FLOAT64) + self.penalty * x
        found = Evaluation(x, loss, self.penalized(loss, x), of_learning)
        self._last = place, found
        return found


def dot(a: FloatArray, b: FloatArray) -> float:
    """Return Σ ab by NumPy's own sum: that of BLAS depends on its threads."""
    return float(np.sum(a * b))


class Step(NamedTuple):
    """What a method found: where to go, E before that, and what the method knows then."""

    x: FloatArray
    loss: float
    state: State


class Method:
    """A way of stepping, of which `entry` is the description and `state` what it has learned."""

    entry: ClassVar[dict[str, Any]]
    losses: ClassVar[tuple[str, ...]] = ()  # those it can lower; all where none is named

    def __init__(self, optimizer: Definition, n_parameters: int) -> None:
        self.optimizer = optimizer
        self.state = self.first_state(optimizer.parameters, n_parameters)

    @staticmethod
    def shapes(parameters: Mapping[str, Any], n_parameters: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array of the state."""
        raise NotImplementedError

    @classmethod
    def first_state(cls, parameters: Mapping[str, Any], n_parameters: int) -> State:
        """Return the state before the first step."""
        return {name: np.zeros(shape) for name, shape in cls.shapes(parameters, n_parameters).items()}

    def check_state(self) -> None:
        """Raise a ValueError for a state that no run has."""

    def find(self, objective: Objective) -> Step | None:
        """Return the next step, or None where there is none that lowers the objective."""
        raise NotImplementedError


class WholeBatch:
    """Training by a method: each step takes all samples and is an epoch.

    Parameters
    ----------
    core : _core.Trainer
        Counts the epochs and keeps the losses.
    method : Method
        Finds the steps.
    objective : Objective
        What is lowered.
    validation : Samples or None
        Whose loss is recorded after each step.
    """

    def __init__(
        self, core: _core.Trainer, method: Method, objective: Objective, validation: _core.Samples | None
    ) -> None:
        self._core, self._method, self._objective, self._validation = core, method, objective, validation
        self.done, self.validates = False, validation is not None

    def run(self, until_epoch: int, until_step: int, finite: bool) -> None:
        """Train until so many epochs are completed or steps done, or until no step lowers the objective."""
        self._objective.must_be_finite = finite
        while self._core.epoch < until_epoch and self._core.step_count < until_step and not self.done:
            found = self._next()
            if found is None:
                self.done = True
                return
            objective, loss = self._objective, math.nan
            if self._validation is not None:
                loss = _core.whole_loss(objective.core, self._validation, objective.loss._choice)
            self._core.adopt_epoch(objective.parameters, found.loss, loss)
            self._method.state = found.state

    def step(self, finite: bool) -> float:
        """Take one step that is not part of an epoch; return E before it."""
        self._objective.must_be_finite = finite
        found = self._next()
        if found is None:
            return self._objective.evaluate(self._objective.begin()).loss
        self._core.adopt(self._objective.parameters)
        self._method.state = found.state
        return found.loss

    def _next(self) -> Step | None:
        """Return the next step, with the objective's copy of the network where it leads."""
        self._objective.when = f"epoch {self._core.epoch + 1}, step {self._core.step_count + 1}"
        found = self._method.find(self._objective)
        if found is not None:
            self._objective.go_to(found.x)
        return found
