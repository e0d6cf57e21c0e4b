"""Pre-training: each hidden layer first learns to describe its own inputs, without targets.

Hinton, Osindero, Teh 2006 and Bengio, Lamblin, Popovici, Larochelle 2006: layer after layer from the first, each on
what those below make of the data; then the whole is fine-tuned. A layer learns as a restricted Boltzmann machine
(`RBM`) or as the encoder of a denoising autoencoder (`DenoisingAutoencoder`); `pretrain` does it for the hidden layers
of a network.

Products, sums, exponentials and updates are the core's and random numbers are Philox words, so that results are the
same bits for any number of threads and any instruction set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ._arguments import (
    FloatArray,
    network_dtype,
    quick_array,
    rate_for,
    real_number,
    seed_value,
    shape_error,
    shown,
    truth,
    whole_number,
)
from .definitions import INITIALIZER, OPTIMIZER, Definition
from .functions import activate, dense_forward, loss_value, sgd_update
from .history import History
from .layers import Dense, Layer, write_into
from .network import Network
from .training import Trainer

if TYPE_CHECKING:
    from .network import Seed

VISIBLE = ("bernoulli", "gaussian")

# The second word of the Philox key, beside those of the core (csrc/core/philox.hpp). The substream is the epoch, and
# one of the purposes below.
STREAM = 3
ORDER, SAMPLES, CORRUPTION, SEEDS = range(4)


class _Words:
    """The numbers of one substream, in their order.

    Parameters
    ----------
    seed, substream, purpose : int
        Which.
    """

    def __init__(self, seed: int, substream: int, purpose: int) -> None:
        key = np.array([seed, STREAM], dtype=np.uint64)
        counter = np.array([0, substream, purpose, 0], dtype=np.uint64)
        self._philox = np.random.Philox(key=key, counter=counter)

    def raw(self, n: int) -> Any:
        """Return the next n words of 64 bits."""
        return self._philox.random_raw(n)

    def seed(self) -> int:
        """Return a seed of other streams."""
        return int(self.raw(1)[0])

    def below(self, p: FloatArray | float, shape: tuple[int, ...]) -> Any:
        """Return for each element whether a uniform number of 53 bits is below p."""
        uniform = (self.raw(math.prod(shape)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return uniform.reshape(shape) < p

    def bernoulli(self, p: FloatArray) -> FloatArray:
        """Return 1 with probability p, else 0."""
        return np.asarray(self.below(p, p.shape).astype(p.dtype))

    def normal(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
        """Return standard normal numbers: the core's initializer, with a word for its seed."""
        plan = Dense(*shape, "identity", initializer=INITIALIZER.classes["normal"](1.0))
        return Network([plan], seed=self.seed(), dtype=dtype).layers[0].w


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
        self._visible = _visible(visible)
        self._dtype = network_dtype(dtype)
        self._seed = seed_value(seed, rng)
        theta = np.zeros((shape[0] + 1, shape[1] + 1), self._dtype)
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
        rows = _samples(x, self.n_visible, self._visible, self._dtype)
        rule = _Rule(
            whole_number(batch_size, "batch_size", 1),
            _rate(learning_rate, self._dtype, 0.1 if self._visible == "bernoulli" else 0.001),
            whole_number(k, "k", 1),
            truth(persistent, "persistent"),
            _share(momentum, "momentum"),
            rate_for(self._dtype, l2, "l2"),
        )
        first = len(self._errors)
        for _ in range(whole_number(epochs, "epochs", 0)):
            self._errors.append(self._run_epoch(rows, rule))
        return History(list(range(first, len(self._errors))), {"loss": self._errors[first:]})

    def _run_epoch(self, rows: FloatArray, rule: _Rule) -> float:
        """Take the steps of one epoch; return its reconstruction error."""
        epoch = len(self._errors)
        order = np.argsort(_Words(self._seed, epoch, ORDER).raw(len(rows)), kind="stable")
        words = _Words(self._seed, epoch, SAMPLES)
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

    def _step(self, v: FloatArray, words: _Words, rule: _Rule) -> tuple[float, _State]:
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

    def _draw(self, mean: FloatArray, words: _Words) -> FloatArray:
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
            with np.errstate(over="ignore"):
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


class _Descent(NamedTuple):
    """How a denoising autoencoder takes a step."""

    batch_size: int
    learning_rate: float
    momentum: float
    l2: float


class DenoisingAutoencoder:
    """A network with one hidden layer that learns to undo the loss of some of its inputs.

    Parameters
    ----------
    n_visible, n_hidden : int
        Numbers of units, at least 1.
    activation : str or activation object
        σ of the hidden layer, the encoder.
    visible : {"bernoulli", "gaussian"}
        What the data are: numbers in [0, 1], for a logistic output and the cross-entropy; or real numbers, for an
        output without activation and half the squared error.
    seed, rng : None, int in [0, 2**64), or numpy.random.Generator
        Where all random numbers come from (two names of one argument).
    dtype : "float32" or "float64"
        Of the parameters and of all that is computed with them.

    Attributes
    ----------
    network : Network
        Encoder and decoder, whose weights are not tied.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A size is below 1, or a name is unknown.

    Notes
    -----
    In each epoch each input is set to 0 with probability `corruption`, and not rescaled otherwise: what
    `Trainer(input_dropout=...)` does not do. It is set to 0 where the upper 53 bits of its word, as a number in [0, 1),
    are below that; words are Philox's of key (seed, 3) and substream (epoch, 2), one for each input of each sample. The
    orders are those of a `Trainer`, whose seed is the first word of substream (its first epoch, 3).

    Vincent, Larochelle, Bengio, Manzagol 2008; with Lajoie 2010.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> autoencoder = bp.pretraining.DenoisingAutoencoder(8, 3, seed=0)
    >>> history = autoencoder.fit(np.eye(8), epochs=200, batch_size=1, corruption=0.0)
    >>> bool(history.loss[-1] < 0.5 * history.loss[0])
    True
    """

    def __init__(
        self,
        n_visible: int,
        n_hidden: int,
        activation: str | Definition = "logistic",
        visible: str = "bernoulli",
        *,
        seed: Seed = None,
        rng: Seed = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        shape = whole_number(n_visible, "n_visible", 1), whole_number(n_hidden, "n_hidden", 1)
        self._visible = _visible(visible)
        self._seed = seed_value(seed, rng)
        output = "logistic" if self._visible == "bernoulli" else "identity"
        layers = [Dense(*shape, activation), Dense(*shape[::-1], output)]
        self.network = Network(layers, seed=self._seed, dtype=network_dtype(dtype))
        self._losses: list[float] = []
        self._trainer: tuple[int, _Descent, Trainer] | None = None  # from which epoch on, by what rule

    @property
    def w(self) -> FloatArray:
        """Weights of the encoder, (n_visible, n_hidden): a view of the network's parameters."""
        return self.network.layers[0].w

    @property
    def b(self) -> FloatArray:
        """Biases of the encoder, (n_hidden,): a view likewise."""
        return self.network.layers[0].b

    @property
    def history(self) -> History:
        """All epochs completed, also those of a `fit` that was interrupted."""
        return History(list(range(len(self._losses))), {"loss": list(self._losses)})

    def __repr__(self) -> str:
        n_visible, n_hidden, _ = self.network.sizes
        return (
            f"DenoisingAutoencoder({n_visible}, {n_hidden}, {self.network.layers[0].activation!r}, {self._visible!r}, "
            f"seed={self._seed}, dtype={self.network.dtype.name!r}; {len(self._losses)} epochs done)"
        )

    def fit(
        self,
        x: ArrayLike,
        epochs: int = 10,
        batch_size: int = 10,
        learning_rate: float | None = None,
        *,
        corruption: float = 0.25,
        momentum: float = 0.0,
        l2: float = 0.0,
    ) -> History:
        """Learn to restore x from what corruption leaves of it, by gradient descent; another `fit` goes on.

        Parameters
        ----------
        x : array_like, shape (n, n_visible)
            Samples; of Bernoulli units in [0, 1].
        epochs : int
            How many more times to go through them, each time corrupted anew.
        batch_size : int
            Samples in a step, at least 1; the last batch of an epoch may be smaller.
        learning_rate : float or None
            None is 0.1, with Gaussian units 0.01.
        corruption : float
            The probability, in [0, 1), with which an input is set to 0.
        momentum : float
            In [0, 1).
        l2 : float
            Penalty ½·l2·Σw², not of the biases.

        Returns
        -------
        History
            Of the epochs of this call; ``loss`` is the mean over the corrupted samples.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As for `RBM.fit`.
        KeyboardInterrupt
            Ctrl-C, after a whole step. Another `fit` with the same arguments goes on with that epoch.
        """
        n_visible, dtype = self.network.sizes[0], self.network.dtype
        rows = _samples(x, n_visible, self._visible, dtype)
        rule = _Descent(
            whole_number(batch_size, "batch_size", 1),
            _rate(learning_rate, dtype, 0.1 if self._visible == "bernoulli" else 0.01),
            _share(momentum, "momentum"),
            rate_for(dtype, l2, "l2"),
        )
        lost = _share(corruption, "corruption")
        begin, trainer = self._trainer_for(rule)
        first = len(self._losses)
        for _ in range(whole_number(epochs, "epochs", 0)):
            kept = ~_Words(self._seed, begin + trainer.epoch, CORRUPTION).below(lost, rows.shape)
            self._losses += trainer.fit(np.where(kept, rows, np.zeros((), dtype)), rows).loss
        return History(list(range(first, len(self._losses))), {"loss": self._losses[first:]})

    def _trainer_for(self, rule: _Descent) -> tuple[int, Trainer]:
        """Return the trainer of the last `fit`, where that was by the same rule, or a new one; and its first epoch."""
        if self._trainer is not None and self._trainer[1] == rule:
            return self._trainer[0], self._trainer[2]
        begin = len(self._losses)
        trainer = Trainer(
            self.network,
            loss="binary_cross_entropy" if self._visible == "bernoulli" else "half_squared_error",
            optimizer=OPTIMIZER.classes["SGD"](rule.learning_rate, momentum=rule.momentum),
            batch_size=rule.batch_size,
            seed=_Words(self._seed, begin, SEEDS).seed(),
            l2=rule.l2,
        )
        self._trainer = begin, rule, trainer
        return begin, trainer

    def transform(self, x: ArrayLike) -> FloatArray:
        """Return the activations of the hidden layer.

        Parameters
        ----------
        x : array_like, shape (n, n_visible) or (n_visible,)
            Samples, or one; not corrupted.

        Returns
        -------
        ndarray, shape (n, n_hidden) or (n_hidden,)

        Raises
        ------
        TypeError, ValueError
            ``x`` does not hold real numbers, or has another shape.
        """
        return _forward(quick_array(x, "x", self.network.dtype), self.network.layers[0])

    def reconstruct(self, x: ArrayLike) -> FloatArray:
        """Return what the network makes of x.

        Parameters
        ----------
        x : array_like, shape (n, n_visible) or (n_visible,)
            Samples, or one; corrupted or not.

        Returns
        -------
        ndarray, of the shape of x

        Raises
        ------
        TypeError, ValueError
            ``x`` does not hold real numbers, or has another shape.
        """
        return self.network.predict(x)


METHODS = ("rbm", "denoising")
OPTIONS = {"k": "rbm", "persistent": "rbm", "corruption": "denoising"}  # which method alone has it


def pretrain(
    net: Network,
    x: ArrayLike,
    method: str = "rbm",
    *,
    visible: str = "bernoulli",
    epochs: int = 10,
    batch_size: int = 10,
    learning_rate: float | Sequence[float] | None = None,
    momentum: float | None = None,
    l2: float | None = None,
    k: int | None = None,
    persistent: bool | None = None,
    corruption: float | None = None,
    seed: Seed = None,
    rng: Seed = None,
) -> tuple[History, ...]:
    """Give the hidden layers of a network good weights to start from, in place; `fit` then fine-tunes them.

    Layer after layer from the first, each on the activations of those below. The output layer stays as it is, and so
    does a hidden layer that is frozen, which only passes the data on.

    Parameters
    ----------
    net : Network
        With at least one hidden layer; for ``"rbm"`` hidden layers that learn must be logistic and have no mask.
    x : array_like, shape (n, fan_in)
        Samples, without targets.
    method : {"rbm", "denoising"}
        What a layer learns as: an `RBM`, which begins with weights of its own; or the encoder of a
        `DenoisingAutoencoder`, which begins with the layer's and keeps its activation and mask.
    visible : {"bernoulli", "gaussian"}
        What x is, as for `RBM` and `DenoisingAutoencoder`. Above, outputs of logistic layers are ``"bernoulli"``, and
        others ``"gaussian"``.
    epochs, batch_size
        For each layer, as for `RBM.fit`.
    learning_rate : float, sequence of float, or None
        One number, or one for each hidden layer; None is the method's own.
    momentum, l2
        As for `RBM.fit` and `DenoisingAutoencoder.fit`; None is the method's own.
    k, persistent
        As for `RBM.fit`; only with ``"rbm"``.
    corruption
        As for `DenoisingAutoencoder.fit`; only with ``"denoising"``.
    seed, rng : None, int in [0, 2**64), or numpy.random.Generator
        Where all random numbers come from (two names of one argument): layer l's seed is word l of Philox's key
        (seed, 3) and substream (0, 3).

    Returns
    -------
    tuple of History
        One for each hidden layer, with no epochs for one that is frozen.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        As for `RBM.fit`; or the network has no hidden layer, or one that is not for this method. The network is as it
        was.
    FloatingPointError
        The numbers of a layer are no longer finite. It is as its last finite step left it, those above as they were.
    KeyboardInterrupt
        Ctrl-C, likewise after a whole step.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> net = bp.Network([8, 6, 4, 8], "logistic", "softmax", seed=0)
    >>> histories = bp.pretraining.pretrain(net, np.eye(8), epochs=50, batch_size=4, seed=0)
    >>> [len(history.loss) for history in histories]
    [50, 50]
    >>> history = net.fit(np.eye(8), np.arange(8), loss="softmax_cross_entropy", optimizer=bp.Adam(), seed=0)
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is {shown(net)} ({type(net).__name__}); it must be a backpropc.Network")
    _check_method(method)
    hidden = _hidden_layers(net, method)
    rates = _rates(learning_rate, net.dtype, len(hidden))
    given = {"momentum": momentum, "l2": l2, "k": k, "persistent": persistent, "corruption": corruption}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if OPTIONS.get(name, method) != method:
            raise ValueError(f"{name} is {shown(options[name])}, but method is {method!r}; {name} must be None")
    options |= {"epochs": epochs, "batch_size": batch_size}
    kind, words = _visible(visible), _Words(seed_value(seed, rng), 0, SEEDS)
    rows = _samples(x, net.sizes[0], kind, net.dtype)
    histories = []
    for index, (layer, rate) in enumerate(zip(hidden, rates, strict=True)):
        layer_seed = words.seed()
        if layer.trainable:
            histories.append(_pretrain_layer(index, layer, rows, method, kind, layer_seed, rate, options))
        else:
            histories.append(History([], {"loss": []}))
        rows, kind = _forward(rows, layer), "bernoulli" if layer.activation == "logistic" else "gaussian"
    return tuple(histories)


def _pretrain_layer(
    index: int,
    layer: Layer,
    rows: FloatArray,
    method: str,
    visible: str,
    seed: int,
    learning_rate: float | None,
    options: dict[str, Any],
) -> History:
    """Train one layer; what it has learned is its own also where the training ends early."""
    learner: RBM | DenoisingAutoencoder
    if method == "rbm":
        learner = RBM(layer.fan_in, layer.fan_out, visible, seed=seed, dtype=layer.w.dtype)
    else:
        learner = DenoisingAutoencoder(
            layer.fan_in, layer.fan_out, layer.activation, visible, seed=seed, dtype=layer.w.dtype
        )
        encoder = learner.network.layers[0]
        encoder.w, encoder.b, encoder.mask = layer.w, layer.b, layer.mask
    try:
        history = learner.fit(rows, learning_rate=learning_rate, **options)
    except (FloatingPointError, KeyboardInterrupt) as error:  # not a ValueError, before which nothing was learned
        layer.w, layer.b = learner.w, learner.b
        if isinstance(error, FloatingPointError):
            raise FloatingPointError(f"layers[{index}]: {error}") from None
        raise
    layer.w, layer.b = learner.w, learner.b
    return history


def _check_method(method: object) -> None:
    must = f"it must be one of: {', '.join(METHODS)}"
    if not isinstance(method, str):
        raise TypeError(f"method is {shown(method)}; {must}")
    if method not in METHODS:
        raise ValueError(f"method is {shown(method)}; {must}")


def _hidden_layers(net: Network, method: str) -> tuple[Layer, ...]:
    hidden = net.layers[:-1]
    if not hidden:
        raise ValueError("net has no hidden layer; pre-training needs at least one")
    for index, layer in enumerate(hidden):
        if method != "rbm" or not layer.trainable:
            continue
        if layer.activation != "logistic":
            raise ValueError(
                f"layers[{index}] has activation {layer.activation!r}; the hidden units of an RBM are 'logistic': take "
                "method='denoising' for others"
            )
        if layer.mask is not None:
            raise ValueError(f"layers[{index}] has a mask, which an RBM has not; take method='denoising'")
    return hidden


def _rates(value: object, dtype: np.dtype[Any], n_hidden: int) -> list[float | None]:
    """Return one rate for each hidden layer."""
    if value is None:
        return [None] * n_hidden
    if not isinstance(value, (Sequence, np.ndarray)) or isinstance(value, (str, bytes)) or np.ndim(value) == 0:
        return [rate_for(dtype, value)] * n_hidden
    if len(value) != n_hidden:
        raise ValueError(
            f"learning_rate has {len(value)} numbers; it must be one number, or {n_hidden}: one for each hidden layer"
        )
    return [rate_for(dtype, each, f"learning_rate[{i}]") for i, each in enumerate(value)]


def _forward(rows: FloatArray, layer: Layer) -> FloatArray:
    return dense_forward(rows, layer.w, layer.b, layer.activation).a


def _visible(value: object) -> str:
    must = f"it must be one of: {', '.join(VISIBLE)}"
    if not isinstance(value, str):
        raise TypeError(f"visible is {shown(value)}; {must}")
    if value not in VISIBLE:
        raise ValueError(f"visible is {shown(value)}; {must}")
    return value


def _samples(x: ArrayLike, n_visible: int, visible: str, dtype: np.dtype[Any]) -> FloatArray:
    """Return x as rows that a layer can learn from."""
    rows = quick_array(x, "x", dtype)
    if rows.ndim != 2 or rows.shape[1] != n_visible:
        raise shape_error("x", rows.shape, f"(n, {n_visible})")
    if len(rows) == 0:
        raise ValueError("x has no samples; there must be at least one")
    must, fits = f"it must be finite in {dtype}", np.isfinite(rows)
    if visible == "bernoulli" and fits.all():
        must, fits = (
            "with visible='bernoulli' it must be in [0, 1]; scale x, or take visible='gaussian'",
            ((rows >= 0.0) & (rows <= 1.0)),
        )
    if not fits.all():
        i, j = np.argwhere(~fits)[0]
        raise ValueError(f"x[{i}, {j}] is {rows[i, j]}; {must}")
    return rows


def _rate(value: object, dtype: np.dtype[Any], default: float) -> float:
    return default if value is None else rate_for(dtype, value)


def _share(value: object, name: str) -> float:
    number = real_number(value, name)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{name} is {number}; it must be at least 0 and below 1")
    return number


def _read_only(array: FloatArray) -> FloatArray:
    view = array.view()
    view.flags.writeable = False
    return view
