"""Restricted Boltzmann machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ._arguments import (
    FloatArray,
    network_dtype,
    quick_array,
    rate_for,
    seed_value,
    shape_error,
    shown,
    truth,
    whole_number,
)
from ._pretraining import ORDER, SAMPLES, Words, rate, samples, share, visible_kind
from .definitions import INITIALIZER
from .functions import activate, dense_forward, loss_value, sgd_update
from .history import History
from .layers import Dense, write_into
from .network import Network

if TYPE_CHECKING:
    from .network import Seed


class _State(NamedTuple):
    """What a step of an RBM replaces, all at once: so that an interrupt finds a whole step.

    ``theta`` (n_visible + 1, n_hidden + 1) is w with c to its right and b below it; the corner is 0. ``velocity`` is
    likewise. ``chain`` (m, n_visible) is where persistent chains stand, or None.
    """

    theta: FloatArray
    velocity: FloatArray
    chain: FloatArray | None


class _Rule(NamedTuple):
    """How an RBM takes a step."""

    batch_size: int
    learning_rate: float
    k: int
    persistent: bool
    momentum: float
    l2: float


class RBM:
    """A restricted Boltzmann machine: visible units v, hidden units h of 0 and 1, and no connections within either.

    Parameters
    ----------
    n_visible, n_hidden : int
        Numbers of units, at least 1.
    visible : {"bernoulli", "gaussian"}
        What the data are: probabilities, in [0, 1], or real numbers that are normal given h, with variance 1. For
        those scale each column to mean 0 and variance 1.
    seed, rng : None, int in [0, 2**64), or numpy.random.Generator
        Where all random numbers come from (two names of one argument).
    dtype : "float32" or "float64"
        Of the parameters and of all that is computed with them.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A size is below 1, or a name is unknown.

    Notes
    -----
    With w (n_visible, n_hidden), the hidden biases b and the visible biases c, the energy of a state is
    −c·v − b·h − v·w·h, or ½‖v − c‖² − b·h − v·w·h for Gaussian units. So p(h = 1 | v) = logistic(v·w + b), a dense
    layer; E[v | h] = σ(h·wᵀ + c) with σ the logistic or the identity.

    The weights start as normal numbers of standard deviation 0.01 (Hinton 2010, section 8), in the way of `Network`,
    and the biases as 0. Philox's key of the rest is (seed, 3). The order of epoch e comes from substream (e, 0): the
    samples sorted by one word each. The states come from substream (e, 1), one word for each unit, which is 1 where the
    word's upper 53 bits, as a number in [0, 1), are below its probability. What is added to Gaussian units is what
    `Network` would start from with the next word for its seed and the initializer ``bp.normal(1)``.

    Smolensky 1986; Hinton, "Training products of experts by minimizing contrastive divergence", 2002; Hinton, "A
    practical guide to training restricted Boltzmann machines", 2010.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> rbm = bp.pretraining.RBM(8, 3, seed=0)
    >>> history = rbm.fit(np.eye(8), epochs=2000, batch_size=8)
    >>> rbm.transform(np.eye(8)).shape, history.loss[-1] < 0.5 * history.loss[0]
    ((8, 3), True)
    """

    def __init__(
        self,
        n_visible: int,
        n_hidden: int,
        visible: str = "bernoulli",
        *,
        seed: Seed = None,
        rng: Seed = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        shape = whole_number(n_visible, "n_visible", 1), whole_number(n_hidden, "n_hidden", 1)
        self._visible = visible_kind(visible)
        self._dtype = network_dtype(dtype)
        self._seed = seed_value(seed, rng)
        try:
            theta = np.zeros((shape[0] + 1, shape[1] + 1), self._dtype)
        except ValueError:
            raise ValueError(f"n_visible and n_hidden are {shown(shape)}; the weights must fit in memory") from None
        plan = Dense(*shape, initializer=INITIALIZER.classes["normal"](0.01))
        theta[:-1, :-1] = Network([plan], seed=self._seed, dtype=self._dtype).layers[0].w
        self._state = _State(theta, np.zeros_like(theta), None)
        self._errors: list[float] = []

    @property
    def n_visible(self) -> int:
        """Number of visible units."""
        return int(self._state.theta.shape[0]) - 1

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return int(self._state.theta.shape[1]) - 1

    @property
    def visible(self) -> str:
        """What the visible units are: "bernoulli" or "gaussian"."""
        return self._visible

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._dtype

    @property
    def w(self) -> FloatArray:
        """Weights, (n_visible, n_hidden), read-only. Assigning copies the values in."""
        return _read_only(self._state.theta[:-1, :-1])

    @w.setter
    def w(self, value: ArrayLike) -> None:
        self._assign(np.s_[:-1, :-1], value, "w")

    @property
    def b(self) -> FloatArray:
        """Biases of the hidden units, (n_hidden,), read-only. Assigning copies the values in."""
        return _read_only(self._state.theta[-1, :-1])

    @b.setter
    def b(self, value: ArrayLike) -> None:
        self._assign(np.s_[-1, :-1], value, "b")

    @property
    def c(self) -> FloatArray:
        """Biases of the visible units, (n_visible,), read-only. Assigning copies the values in."""
        return _read_only(self._state.theta[:-1, -1])

    @c.setter
    def c(self, value: ArrayLike) -> None:
        self._assign(np.s_[:-1, -1], value, "c")

    def _assign(self, where: Any, value: ArrayLike, name: str) -> None:
        theta = self._state.theta.copy()
        write_into(theta[where], value, name)
        self._state = self._state._replace(theta=theta)

    @property
    def history(self) -> History:
        """All epochs completed, also those of a `fit` that was interrupted."""
        return History(list(range(len(self._errors))), {"loss": list(self._errors)})

    def __repr__(self) -> str:
        return (
            f"RBM({self.n_visible}, {self.n_hidden}, {self._visible!r}, seed={self._seed}, dtype={self._dtype.name!r}; "
            f"{len(self._errors)} epochs done)"
        )

    def fit(
        self,
        x: ArrayLike,
        epochs: int = 10,
        batch_size: int = 10,
        learning_rate: float | None = None,
        *,
        k: int = 1,
        persistent: bool = False,
        momentum: float = 0.5,
        l2: float = 1e-4,
    ) -> History:
        """Learn by contrastive divergence; another `fit` goes on.

        Parameters
        ----------
        x : array_like, shape (n, n_visible)
            Samples; of Bernoulli units in [0, 1].
        epochs : int
            How many more times to go through them.
        batch_size : int
            Samples in a step, at least 1; the last batch of an epoch may be smaller.
        learning_rate : float or None
            Of a gradient that is the mean over a batch; None is 0.1, with Gaussian units 0.001.
        k : int
            How often h and v are sampled in turn before the statistics of the model are taken, at least 1.
        persistent : bool
            Whether the chains of samples go on from one step to the next, as many as there are samples in the first
            batch; else each step's start at its samples.
        momentum : float
            In [0, 1). 0.9, once the error has settled, learns faster still.
        l2 : float
            Penalty ½·l2·Σw², not of the biases.

        Returns
        -------
        History
            Of the epochs of this call. ``loss`` is the reconstruction error: the mean squared difference between x and
            E[v | h] for a sample of h, each batch with the parameters before its step. It falls while an RBM learns,
            but is not what it minimizes.

        Raises
        ------
        TypeError
            An argument is of the wrong type, or x does not hold real numbers.
        ValueError
            x has another shape or no samples, a number in it is not finite or not in [0, 1] for Bernoulli units, or an
            argument is out of its range.
        FloatingPointError
            The parameters are no longer finite; they are as they were before that step.
        KeyboardInterrupt
            Ctrl-C, after a whole step. Another `fit` begins that epoch again.

        Notes
        -----
        A step descends ⟨−∂E/∂θ⟩ of the model minus that of the data, with the probabilities of h in place of samples,
        and those of the last v, unless the chains are persistent (Hinton 2010, section 3). The defaults are from its
        sections 4, 7, 9, 10 and 13. Persistent chains: Tieleman 2008.
        """
        rows = samples(x, self.n_visible, self._visible, self._dtype)
        rule = _Rule(
            whole_number(batch_size, "batch_size", 1),
            rate(learning_rate, self._dtype, 0.1 if self._visible == "bernoulli" else 0.001),
            whole_number(k, "k", 1),
            truth(persistent, "persistent"),
            share(momentum, "momentum"),
            rate_for(self._dtype, l2, "l2"),
        )
        first = len(self._errors)
        for _ in range(whole_number(epochs, "epochs", 0)):
            self._errors.append(self._run_epoch(rows, rule))
        return History(list(range(first, len(self._errors))), {"loss": self._errors[first:]})

    def _run_epoch(self, rows: FloatArray, rule: _Rule) -> float:
        """Take the steps of one epoch; return its reconstruction error."""
        epoch = len(self._errors)
        order = np.argsort(Words(self._seed, epoch, ORDER).raw(len(rows)), kind="stable")
        words = Words(self._seed, epoch, SAMPLES)
        total = 0.0
        for step, start in enumerate(range(0, len(rows), rule.batch_size), 1):
            batch = rows[order[start : start + rule.batch_size]]
            error, state = self._step(batch, words, rule)
            if not (math.isfinite(error) and np.isfinite(state.theta).all()):
                raise FloatingPointError(
                    f"epoch {epoch + 1}, step {step}: the parameters are no longer finite; most often "
                    f"learning_rate ({rule.learning_rate}) is too large. They are as they were before that step"
                )
            self._state = state
            total += error * len(batch)
        return total / len(rows)

    def _step(self, v: FloatArray, words: Words, rule: _Rule) -> tuple[float, _State]:
        """Return the reconstruction error of v, and the state after a step on it."""
        state = self._state
        h = self._hidden_mean(v)
        reconstruction = self._visible_mean(words.bernoulli(h))
        chain = None
        if rule.persistent:
            chain = v if state.chain is None or self._starts_anew(state.chain, v, rule) else state.chain
            for _ in range(rule.k):
                chain = self._draw(self._visible_mean(words.bernoulli(self._hidden_mean(chain))), words)
        model = reconstruction if chain is None else chain
        for _ in range(0 if rule.persistent else rule.k - 1):
            model = self._visible_mean(words.bernoulli(self._hidden_mean(self._draw(model, words))))
        descent = np.zeros_like(state.theta)
        sgd_update(descent, _statistics(v, h), 1.0 / len(v))
        sgd_update(descent, -_statistics(model, self._hidden_mean(model)), 1.0 / len(model))
        weights = np.zeros_like(state.theta)
        weights[:-1, :-1] = state.theta[:-1, :-1]
        sgd_update(descent, -weights, rule.l2)
        sgd_update(descent, -state.velocity, rule.momentum)
        theta = sgd_update(state.theta.copy(), descent, rule.learning_rate)
        return float(loss_value("mean_squared_error", reconstruction, v)), _State(theta, descent, chain)

    @staticmethod
    def _starts_anew(chain: FloatArray, v: FloatArray, rule: _Rule) -> bool:
        """Return whether chains of another batch size were left from before; an epoch's last batch may be smaller."""
        return len(chain) < len(v) or len(chain) > rule.batch_size

    def _hidden_mean(self, v: FloatArray) -> FloatArray:
        return dense_forward(v, self.w, self.b, "logistic").a

    def _visible_mean(self, h: FloatArray) -> FloatArray:
        return dense_forward(h, self.w.T, self.c, "logistic" if self._visible == "bernoulli" else "identity").a

    def _draw(self, mean: FloatArray, words: Words) -> FloatArray:
        """Return a sample of the visible units."""
        if self._visible == "bernoulli":
            return words.bernoulli(mean)
        return np.asarray(mean + words.normal((len(mean), self.n_visible), self._dtype))

    def transform(self, x: ArrayLike) -> FloatArray:
        """Return p(h = 1 | v = x), what the layer of a network with the same w and b computes.

        Parameters
        ----------
        x : array_like, shape (n, n_visible) or (n_visible,)
            Samples, or one.

        Returns
        -------
        ndarray, shape (n, n_hidden) or (n_hidden,)

        Raises
        ------
        TypeError, ValueError
            ``x`` does not hold real numbers, or has another shape.
        """
        return self._hidden_mean(self._rows(x))

    def reconstruct(self, x: ArrayLike) -> FloatArray:
        """Return E[v | h] for h = p(h = 1 | v = x): no random numbers are drawn.

        Parameters
        ----------
        x : array_like, shape (n, n_visible) or (n_visible,)
            Samples, or one.

        Returns
        -------
        ndarray, of the shape of x

        Raises
        ------
        TypeError, ValueError
            ``x`` does not hold real numbers, or has another shape.
        """
        return self._visible_mean(self._hidden_mean(self._rows(x)))

    def free_energy(self, x: ArrayLike) -> FloatArray:
        """Return F(x) = −ln Σₕ exp(−E(x, h)): −ln p(x) but for a constant.

        Parameters
        ----------
        x : array_like, shape (n, n_visible) or (n_visible,)
            Samples, or one.

        Returns
        -------
        ndarray, shape (n,) or ()
            −c·x − Σⱼ softplus(zⱼ) with z = x·w + b; with Gaussian units ½‖x − c‖² in place of −c·x.

        Raises
        ------
        TypeError, ValueError
            ``x`` does not hold real numbers, or has another shape.
        """
        rows, c = self._rows(x), self.c
        of_hidden = activate("softplus", dense_forward(rows, self.w, self.b, "identity").z)
        if self._visible == "bernoulli":
            of_visible, factors = rows, -c
        else:
            with np.errstate(all="ignore"):
                of_visible, factors = (rows - c) ** 2, np.full_like(c, 0.5)
        terms = np.concatenate([of_visible, of_hidden], axis=-1)
        weights = np.concatenate([factors, np.full(self.n_hidden, -1.0, self._dtype)])
        return dense_forward(terms, weights[:, np.newaxis], np.zeros(1, self._dtype), "identity").z[..., 0]

    def _rows(self, x: ArrayLike) -> FloatArray:
        rows = quick_array(x, "x", self._dtype)
        if not 0 < rows.ndim <= 2 or rows.shape[-1] != self.n_visible:
            raise shape_error("x", rows.shape, f"(n, {self.n_visible}), or ({self.n_visible},) for one sample")
        return rows


def _statistics(v: FloatArray, h: FloatArray) -> FloatArray:
    """Return −∂E/∂θ summed over the samples: Σ v hᵀ, to its right Σ v, below it Σ h; in one product of the core's."""
    ones = np.ones((len(v), 1), v.dtype)
    left, right = np.concatenate([v, ones], axis=1), np.concatenate([h, ones], axis=1)
    sums = dense_forward(left.T, right, np.zeros(right.shape[1], v.dtype), "identity").z
    sums[-1, -1] = 0.0
    return sums


def _read_only(array: FloatArray) -> FloatArray:
    view = array.view()
    view.flags.writeable = False
    return view
