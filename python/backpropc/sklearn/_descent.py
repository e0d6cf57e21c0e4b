"""What scikit-learn's losses and solvers are in the core, and the steps of one, which go on from call to call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .._arguments import FloatArray
from ..definitions import LOSS, OPTIMIZER, Definition
from ..network import Network
from ..training import trainer_class


@dataclass(frozen=True)
class Objective:
    """What is minimized: scikit-learn's E as multiples of the core's.

    Attributes
    ----------
    loss : loss object
        The core's.
    value, gradient : float
        By how much scikit-learn's E, and the gradient it descends by, are larger. They differ where there are several
        outputs: its squared error is reported as a mean over the outputs, but descended as a sum.
    """

    loss: Definition
    value: float
    gradient: float


def objective_of(loss: str, n_outputs: int, out_activation: str) -> Objective:
    """Return what scikit-learn calls this loss."""
    if loss == "squared_error":
        return Objective(LOSS.resolve("half_squared_error", "loss"), 1.0 / n_outputs, 1.0)
    if loss == "poisson":
        return Objective(LOSS.resolve("poisson", "loss"), float(n_outputs), float(n_outputs))
    name = "softmax_cross_entropy" if out_activation == "softmax" else "binary_cross_entropy"
    return Objective(LOSS.resolve(name, "loss"), 1.0, 1.0)


def sgd(learning_rate: float, momentum: float, nesterov: bool) -> Definition:
    """Return scikit-learn's solver "sgd", whose momentum may be 1 and may be Nesterov's also where it is 0."""
    momentum = min(momentum, math.nextafter(1.0, 0.0))
    return OPTIMIZER.classes["SGD"](learning_rate, momentum, nesterov and momentum > 0.0)


def adam(learning_rate: float, beta_1: float, beta_2: float, epsilon: float) -> Definition:
    """Return scikit-learn's solver "adam", whose epsilon is beside the root of the uncorrected average."""
    return OPTIMIZER.classes["Adam"](learning_rate, beta_1, beta_2, epsilon, epsilon_hat=True)


class Descent:
    """The steps of one optimizer: its state, which outlives the core's trainer, and can be pickled.

    Parameters
    ----------
    optimizer : optimizer object
        As the core has it.
    unit : float
        By how much the core's learning rate is larger than that of scikit-learn's words.

    Attributes
    ----------
    learning_rate : float or None
        In scikit-learn's words; may be assigned.
    """

    def __init__(self, optimizer: Definition, unit: float = 1.0) -> None:
        self.optimizer, self._unit = optimizer, unit
        self._rate = optimizer.parameters.get("learning_rate")
        self._core: _core.Trainer | None = None
        self._made_for: tuple[Any, ...] = ()
        self._step_count, self._former_loss, self._state = 0, math.inf, np.empty(0)

    @property
    def learning_rate(self) -> Any:
        """The rate of the steps to come."""
        return None if self._rate is None else float(self._rate) / self._unit

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        before, self._rate = self._rate, rate * self._unit
        # scikit-learn's velocity has the rates of the past in it, the core's is multiplied by that of the present.
        state = self._state if self._core is None else self._core.optimizer_state()
        if self.optimizer.name == "SGD" and self._rate != before:
            state *= float(before or 0.0) / self._rate
        if self._core is not None:
            self._core.set_learning_rate(self._rate)

    @property
    def core_rate(self) -> float | None:
        """The rate in the core's words."""
        return None if self._rate is None else float(self._rate)

    def trainer_for(
        self,
        network: Network,
        loss: Definition,
        batch_size: int,
        shuffle: bool,
        seed: int,
        regularization: _core.Regularization,
    ) -> _core.Trainer:
        """Return a trainer in the core that goes on from the last step: the same where nothing else has changed."""
        r = regularization
        made_for = (network, loss, batch_size, shuffle, seed, tuple(r.l2), tuple(r.dropout))
        if self._core is None or made_for[0] is not self._made_for[0] or made_for[1:] != self._made_for[1:]:
            self._put_aside()
            self._core = trainer_class(network.dtype)(
                network._core,
                loss._choice,
                self.optimizer._choice,
                batch_size,
                shuffle,
                seed,
                regularization,
            )
            self._made_for = made_for
            self._take_up()
        return self._core

    def keep_state_in(self, state: FloatArray) -> None:
        """Have the optimizer's numbers there, where something else than a trainer takes the steps."""
        self._put_aside()
        self._state = state

    def take_state_back(self, step_count: int, former_loss: float) -> None:
        """Go on from there, after so many steps and this loss of the last one."""
        self._step_count, self._former_loss, self._state = step_count, former_loss, self._state.copy()

    def _put_aside(self) -> None:
        vars(self).update(self.__getstate__())

    def _take_up(self) -> None:
        trainer = self._core
        assert trainer is not None
        state = trainer.optimizer_state()
        if self._step_count > 0 and state.size == self._state.size:
            state[...] = self._state
            stands = {"step_count": self._step_count, "former_loss": self._former_loss}
            none = np.empty(0)
            trainer.resume({**trainer.snapshot()["standing"], **stands}, none, none)
        if self._rate is not None:
            trainer.set_learning_rate(float(self._rate))

    def __getstate__(self) -> dict[str, Any]:
        kept = {**vars(self), "_core": None, "_made_for": ()}
        if self._core is not None:
            now = self._core.snapshot()
            kept.update({f"_{name}": now["standing"][name] for name in ("step_count", "former_loss")})
            kept["_state"] = now["optimizer_state"]
        return kept


def regularization_of(network: Network, alpha: float, dropout: tuple[float, ...]) -> _core.Regularization:
    """Return scikit-learn's penalty, ½·alpha·Σw² divided by what a batch weighs, and the rates of dropout."""
    found = _core.Regularization()
    found.l2 = [alpha] * len(network.layers) if alpha > 0.0 else []
    found.by_batch = True
    found.dropout = list(dropout)
    return found


def squares_of_weights(network: Network) -> float:
    """Return Σw² over the weights, not the biases."""
    return float(sum(np.vdot(layer.w, layer.w) for layer in network.layers))


def shares_of(weight: FloatArray | None, dtype: np.dtype[Any]) -> FloatArray | None:
    """Return what part of E each sample has."""
    return None if weight is None else (weight / weight.sum()).astype(dtype)
