"""scikit-learn's solver "lbfgs": SciPy's L-BFGS-B on the core's E and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import scipy.special
from sklearn.utils.optimize import _check_optimize_result

from .._arguments import FloatArray
from ..layers import Dense
from ..network import Network
from ._descent import shares_of, squares_of_weights
from ._runs import HeldOut, NotFinite, Run, Samples

CERTAIN = 8.0  # up to here the cross-entropy of a sample is scikit-learn's to 1e-12


def fit_by_lbfgs(mlp: Any, training: Samples, held_out: HeldOut | None, run: Run) -> Callable[[], object]:
    """Minimize E over all samples at once; return what warns where that did not succeed."""
    watch = Watch(mlp, held_out, run)
    mlp.n_iter_ = 0
    run.begin_iteration()
    try:
        found = scipy.optimize.minimize(
            lambda packed: loss_and_gradient(mlp, packed, training),
            pack(mlp._network, mlp._network.parameters),
            method="L-BFGS-B",
            jac=True,
            callback=watch,
            options={"maxfun": mlp.max_fun, "maxiter": run.limit, "gtol": mlp.tol},
        )
    except BaseException:  # Ctrl-C, or a loss that is not finite, amid a line search
        mlp._network.parameters = watch.reached
        raise
    mlp._network.parameters = unpack(mlp._network, found.x)
    mlp.loss_ = float(found.fun)
    mlp.n_iter_ = min(int(found.nit), run.limit)
    if mlp.epochs is not None or watch.stopped:
        return lambda: None
    return lambda: _check_optimize_result("lbfgs", found, run.limit)


class Watch:
    """What looks on after every iteration of L-BFGS."""

    def __init__(self, mlp: Any, held_out: HeldOut | None, run: Run) -> None:
        self._mlp, self._held_out, self._run = mlp, held_out, run
        self.stopped = False
        self.reached = mlp._network.parameters.copy()  # by the last whole iteration
        if held_out is not None:
            mlp.validation_loss_curve_, mlp.validation_scores_ = [], []

    def __call__(self, intermediate_result: Any) -> None:
        """Look at the parameters of an iteration that has ended; raise StopIteration where a callback wants no more."""
        mlp, losses = self._mlp, {"loss": float(intermediate_result.fun)}
        self.reached = unpack(mlp._network, intermediate_result.x)
        mlp._network.parameters = self.reached
        mlp.n_iter_ += 1
        mlp.loss_ = losses["loss"]
        if mlp.verbose:
            print(f"Iteration {mlp.n_iter_}, loss = {losses['loss']:.8f}")
        if self._held_out is not None:
            mlp.validation_loss_curve_.append(mean_loss(mlp, self._held_out.samples))
            mlp.validation_scores_.append(mlp._score_on(self._held_out))
            losses["val_loss"] = mlp.validation_loss_curve_[-1]
        if self._run.end_iteration(mlp, losses):
            self.stopped = True
            raise StopIteration
        if mlp.n_iter_ < self._run.limit:
            self._run.begin_iteration()


def loss_and_gradient(mlp: Any, packed: FloatArray, samples: Samples) -> tuple[float, FloatArray]:
    """Return E with the penalty and its gradient, at parameters that are packed as scikit-learn packs them."""
    network: Network = mlp._network
    if not np.isfinite(packed).all():
        raise NotFinite
    network.parameters = unpack(network, packed)
    objective = mlp._objective()
    total = samples.n if samples.weight is None else float(samples.weight.sum())
    loss, flat = _weighted(network, objective.loss, samples)
    if mlp.loss == "log_loss":
        loss = _clipped_cross_entropy(network, samples, loss)
    penalty = 0.5 * mlp.alpha * squares_of_weights(network) / total
    flat *= objective.gradient
    for layer, (dw, _) in zip(network.layers, network._split(flat), strict=True):
        dw += mlp.alpha / total * layer.w
    return loss * objective.value + penalty, pack(network, flat)


def mean_loss(mlp: Any, samples: Samples) -> float:
    """Return E of these samples without the penalty, as scikit-learn reports it."""
    network, objective = mlp._network, mlp._objective()
    if samples.weight is not None:
        return float(_weighted(network, objective.loss, samples)[0] * objective.value)
    total = 0.0
    for block in samples.blocks(network.dtype):
        total += network._core.loss(block.x, block.t, objective.loss._choice) * block.n
    return float(total / samples.n * objective.value)


def _clipped_cross_entropy(network: Network, samples: Samples, exact: float) -> float:
    """Return the cross-entropy as scikit-learn computes it, so that the line search takes the same steps.

    It is of probabilities clipped at eps: a sample adds at most −ln eps, and shortly before that 1 − a has few digits
    left. Where the mean shows that no sample comes near it is `exact`, the cross-entropy of z; otherwise, in most
    evaluations unless samples are few, the outputs are computed once more.
    """
    share = np.full(samples.n, 1.0 / samples.n) if samples.weight is None else samples.weight / samples.weight.sum()
    if exact <= CERTAIN * share[share != 0.0].min(initial=np.inf):  # one sample alone cannot be above
        return exact
    eps, value, at = np.finfo(network.dtype).eps, 0.0, 0
    for block in samples.blocks(network.dtype):
        a = np.clip(_probabilities(network, block.x), eps, 1.0 - eps)
        if block.t.ndim == 1:
            each = -np.log(a[np.arange(block.n), block.t])
        else:
            each = -np.log(np.where(block.t != 0.0, a, 1.0 - a)).sum(axis=1)
        value, at = value + float(share[at : at + block.n] @ each), at + block.n
    return value


def _probabilities(network: Network, x: FloatArray) -> FloatArray:
    """Return the outputs; of logistic ones 1 − a has scikit-learn's digits only if they are SciPy's function of z."""
    *below, last = network._plans
    if last.activation.name != "logistic":
        return network._core.predict(x)
    linear = Network._of_zeros((*below, Dense(last.fan_in, last.fan_out, "identity")), network.dtype)
    linear.parameters = network.parameters
    probabilities: FloatArray = scipy.special.expit(linear._core.predict(x))
    return probabilities


def _weighted(network: Network, loss: Any, samples: Samples) -> tuple[float, FloatArray]:
    """Return Σ share·E over the samples and its gradient, laid out as the parameters are."""
    share = shares_of(samples.weight, network.dtype)
    value, flat, at = 0.0, np.zeros(network.n_parameters, network.dtype), 0
    for block in samples.blocks(network.dtype):
        part = None if share is None else share[at : at + block.n]
        factor = block.n / samples.n if share is None else 1.0
        found, gradient = network._core.gradients(block.x, block.t, loss._choice, part)
        value, at = value + factor * found, at + block.n
        flat += factor * gradient
    return value, flat


def pack(network: Network, flat: FloatArray) -> FloatArray:
    """Return numbers laid out as the core's parameters are in scikit-learn's order: all weights, then all biases."""
    split = network._split(flat)
    return np.concatenate([*(w.ravel() for w, _ in split), *(b for _, b in split)]).astype(np.float64)


def unpack(network: Network, packed: FloatArray) -> FloatArray:
    """Return the reverse of `pack`."""
    flat = np.empty(network.n_parameters, network.dtype)
    split, at = network._split(flat), 0
    for view in [*(w for w, _ in split), *(b for _, b in split)]:
        view[...] = packed[at : at + view.size].reshape(view.shape)
        at += view.size
    return flat
