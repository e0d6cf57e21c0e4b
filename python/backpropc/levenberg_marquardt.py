"""Levenberg–Marquardt: Gauss–Newton steps on a sum of squares, damped where they lead too far.

Hagan and Menhaj, Training feedforward networks with the Marquardt algorithm, 1994, as MATLAB's ``trainlm``. With the
residuals r of E = ½ Σ r² and their Jacobian J, a step d solves (JᵀJ + λI) d = −∇E.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._arguments import FloatArray
from ._descriptions import describe, number
from ._whole_batch import Method, Objective, Step, dot

if TYPE_CHECKING:
    pass

ENTRY = describe(
    "LevenbergMarquardt",
    "w += d,  (J^T J + lambda I) d = -g; lambda times decrease where that lowers E, else times increase and once more",
    "Levenberg 1944; Marquardt 1963; Hagan, Menhaj 1994, as in MATLAB's trainlm",
    [
        number("damping", 1e-3, 0.0, included=False),
        number("increase", 10.0, 1.0),
        number("decrease", 0.1, 0.0, 1.0, included=False),
        number("max_damping", 1e10, 0.0, included=False),
        number("min_gradient", 1e-7, 0.0),
    ],
    "For small networks with half_squared_error or mean_squared_error. J are the derivatives of the residuals, whose\n"
    "half sum of squares is E (the mean over the samples), by the parameters of the layers that learn. Each step\n"
    "takes all samples and is an epoch: batch_size and shuffle have no effect. The fit ends before its last epoch\n"
    "where the gradient is no longer than min_gradient, or where no lambda up to max_damping leads to a lower E.\n"
    "l2, weights of samples, masks and frozen layers are taken; l1, dropout and bounds are refused.\n\n"
    "J^T J is summed up in blocks of samples by the core, in float64 and to the same bits everywhere: memory grows\n"
    "with the square of the number of parameters, by 16 bytes, not with the samples, and a MemoryError tells where\n"
    "that is more than the machine has. The equations are solved by LAPACK through NumPy, whose last bits depend on\n"
    "the machine and on LAPACK's threads: on one machine, with as many of them, a run that is saved and resumed ends\n"
    "in the bits of one that was not.",
)
LEAST = 1e-100  # of the damping, which could not grow again from 0


class LevenbergMarquardt(Method):
    """The damping is the state."""

    entry = ENTRY
    losses = ("half_squared_error", "mean_squared_error")

    @staticmethod
    def shapes(parameters: Mapping[str, Any], n_parameters: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array of the state."""
        return {"damping": (1,)}

    @classmethod
    def first_state(cls, parameters: Mapping[str, Any], n_parameters: int) -> dict[str, FloatArray]:
        """Return the state before the first step."""
        return {"damping": np.array([parameters["damping"]])}

    def check_state(self) -> None:
        """Raise a ValueError for a state that no run has."""
        damping = float(self.state["damping"][0])
        if not LEAST <= damping < np.inf:
            raise ValueError(f"optimizer.damping is {damping}; it must be at least {LEAST} and finite")

    def find(self, objective: Objective) -> Step | None:
        """Return the next step, or None where there is none that lowers the objective."""
        x = objective.begin()
        loss = objective.loss_at(x)
        if not objective.is_start(loss):
            return None
        matrix, gradient = normal_equations(objective, x)
        options: dict[str, Any] = self.optimizer.parameters
        if dot(gradient, gradient) <= options["min_gradient"] ** 2:
            return None
        value, damping = objective.penalized(loss, x), float(self.state["damping"][0])
        tried = 0.0
        while tried < damping <= options["max_damping"]:  # an increase of 1 allows one attempt
            trial = x + damped_step(matrix, gradient, damping)
            if objective.value(trial) < value:
                return Step(trial, loss, {"damping": np.array([max(damping * options["decrease"], LEAST)])})
            tried, damping = damping, damping * options["increase"]
        return None


def normal_equations(objective: Objective, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return JᵀJ and Jᵀr, with the penalty's share in both."""
    n = int(np.count_nonzero(objective.in_layers))
    require_room(n)
    factor = 1.0 if objective.loss.name == "half_squared_error" else 2.0 / objective.network.sizes[-1]
    both = np.zeros((n + 1, n + 1))
    _core.add_normal_equations(objective.core, objective.samples, objective.loss._choice, factor, both)
    matrix, gradient = both[:n, :n], both[:n, n]
    if x.size < n:  # a mask leaves weights out
        there = np.flatnonzero(objective.learns[objective.in_layers])
        matrix, gradient = matrix[np.ix_(there, there)], gradient[there]
    gradient = gradient + objective.penalty * x
    np.einsum("ii->i", matrix)[...] += objective.penalty
    return matrix, gradient


def damped_step(matrix: FloatArray, gradient: FloatArray, damping: float) -> FloatArray:
    """Return the solution of (matrix + damping·I) d = −gradient; nan where there is none."""
    diagonal = np.einsum("ii->i", matrix)  # a view
    own = diagonal.copy()
    diagonal += damping
    try:
        return np.linalg.solve(matrix, -gradient)
    except np.linalg.LinAlgError:
        return np.full_like(gradient, np.nan)
    finally:
        diagonal[...] = own


def require_room(n_parameters: int) -> None:
    """Raise a MemoryError where the normal equations, and LAPACK's copy of them, do not fit in memory."""
    needed, there = 16 * (n_parameters + 1) ** 2, memory()
    if needed > there:
        raise MemoryError(
            f"LevenbergMarquardt needs {needed:,} bytes for the normal equations of {n_parameters:,} parameters; there "
            f"are {there:,}. Freeze layers, or take LBFGS, which needs a few numbers for each parameter"
        )


def memory() -> int:
    """Return how many bytes this process may use: the machine's memory, or its control group's where that is less."""
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                there = min(there, int(file.read()))
        except (OSError, ValueError):  # there is no such group, or no limit: "max"
            continue
    return there
