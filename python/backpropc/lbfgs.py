"""L-BFGS: quasi-Newton steps from the last few changes of the parameters and of the gradient.

Nocedal and Wright, Numerical Optimization (2006), Algorithm 7.4 (the two loops), with H⁰ = γI of equation 7.20 and the
first step of length 1. SciPy's L-BFGS-B searches along p, as a problem of one variable: one iteration of it is the line
search of Moré and Thuente, 1994. The pairs are kept here, not in SciPy, which does not take them back: so they can be
saved, and a run goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from ._arguments import FloatArray
from ._descriptions import describe, number
from ._whole_batch import Evaluation, Method, Objective, Step, dot

ENTRY = describe(
    "LBFGS",
    "w += step p,  p = -H g with H from the last history_size changes of w and g, the step by SciPy's line search",
    "Liu, Nocedal 1989; Nocedal, Wright 2006, Algorithms 7.4 and 7.5; as SciPy's L-BFGS-B without bounds",
    [
        number("history_size", 10, 1, whole=True),
        number("tolerance", 1e-7, 0.0),
        number("max_evaluations", 20, 1, whole=True),
    ],
    "Each step takes all samples and is an epoch: batch_size and shuffle have no effect. The fit ends before its last\n"
    "epoch where no element of the gradient is above tolerance, or where a line search of max_evaluations finds\n"
    "nothing lower. Losses and gradients are evaluated in the network's dtype, the rest in float64: with a float32\n"
    "network it ends at float32's precision. l2, weights of samples, masks and frozen layers are taken; l1, dropout\n"
    "and bounds are refused.\n\n"
    "It needs SciPy: ``pip install 'backpropc[scipy]'``. The state is the pairs of changes, so a run that is saved\n"
    "and resumed ends in the bits of one that was not; with another version of SciPy or NumPy the last bits may "
    "differ.",
)


class LBFGS(Method):
    """The pairs of changes are the state: `s` of the parameters, `y` of the gradient, the newest last, 0 where none."""

    entry = ENTRY

    @staticmethod
    def shapes(parameters: Mapping[str, Any], n_parameters: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array of the state."""
        shape = (parameters["history_size"], n_parameters)
        return {"s": shape, "y": shape}

    def find(self, objective: Objective) -> Step | None:
        """Return the next step, or None where there is none that lowers the objective."""
        now = objective.evaluate(objective.begin())
        if (
            not objective.is_start(now.value)
            or np.max(np.abs(now.gradient), initial=0.0) <= self.optimizer.parameters["tolerance"]
        ):
            return None
        s, y = (self.state[name][:, objective.learns] for name in ("s", "y"))
        for count in (len(s), 0):  # where the pairs lead nowhere, along the gradient
            p = direction(now.gradient, s[len(s) - count :], y[len(y) - count :])
            found = search(objective, now, p, int(self.optimizer.parameters["max_evaluations"]))
            if found is not None:
                return Step(found.x, now.loss, self._with_pair(objective, now, found))
        return None

    def _with_pair(self, objective: Objective, now: Evaluation, found: Evaluation) -> dict[str, FloatArray]:
        """Return the state after a step: the oldest pair gives way to the new one, if that curves upward."""
        s, y = found.x - now.x, found.gradient - now.gradient
        if dot(s, y) <= np.finfo(float).eps * -dot(now.gradient, s):
            return self.state
        state = {}
        for name, change in (("s", s), ("y", y)):
            state[name] = np.roll(self.state[name], -1, axis=0)
            state[name][-1] = 0.0
            state[name][-1, objective.learns] = change
        return state


def direction(gradient: FloatArray, s: FloatArray, y: FloatArray) -> FloatArray:
    """Return p = −H g by the two loops; without a pair −g of length 1."""
    pairs = [(s_i, y_i, dot(s_i, y_i)) for s_i, y_i in zip(s, y, strict=True)]
    pairs = [pair for pair in pairs if pair[2] > 0.0]  # not empty rows, nor what is left of one where layers are frozen
    if not pairs:
        return -gradient / max(math.sqrt(dot(gradient, gradient)), np.finfo(float).tiny)
    q, shares = gradient, []
    for s_i, y_i, curvature in reversed(pairs):
        share = dot(s_i, q) / curvature
        q = q - share * y_i
        shares.append(share)
    _, newest, curvature = pairs[-1]
    r = curvature / dot(newest, newest) * q
    for (s_i, y_i, curvature), share in zip(pairs, reversed(shares), strict=True):
        r = r + s_i * (share - dot(y_i, r) / curvature)
    return -r


def search(objective: Objective, now: Evaluation, p: FloatArray, max_evaluations: int) -> Evaluation | None:
    """Return a place along p that satisfies the strong Wolfe conditions, or None where none is found."""
    minimize = scipy_minimize()
    places = {0.0: now}

    def along(position: FloatArray) -> tuple[float, list[float]]:
        step = float(position[0])
        if step not in places:
            places[step] = objective.evaluate(now.x + step * p)
        if not math.isfinite(places[step].value):
            raise OverflowError
        return places[step].value, [dot(places[step].gradient, p)]

    options = {"maxiter": 1, "maxls": max_evaluations, "ftol": 0.0, "gtol": 0.0}
    while dot(now.gradient, p) < 0.0:
        try:
            result = minimize(along, [0.0], jac=True, method="L-BFGS-B", options=options)
        except OverflowError:  # from so far there is no way back: begin nearer
            p, places = 0.1 * p, {0.0: now}
            continue
        found = places.get(float(result.x[0]))
        return found if found is not None and found.value < now.value else None
    return None


def scipy_minimize() -> Any:
    """Return `scipy.optimize.minimize`, which is imported when first used."""
    try:
        from scipy.optimize import minimize
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "scipy":
            raise
        raise ModuleNotFoundError(
            "LBFGS needs SciPy, which is not installed; run: pip install 'backpropc[scipy]'", name=error.name
        ) from None
    return cast(Any, minimize)
