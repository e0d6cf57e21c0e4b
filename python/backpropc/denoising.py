"""Denoising autoencoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numpy.typing import ArrayLike, DTypeLike

from ._arguments import FloatArray, network_dtype, quick_array, rate_for, seed_value, whole_number
from ._pretraining import CORRUPTION, SEEDS, Words, rate, samples, share, visible_kind
from .definitions import OPTIMIZER, Definition
from .functions import dense_forward
from .history import History
from .layers import Dense
from .network import Network
from .training import Trainer

if TYPE_CHECKING:
    from .network import Seed


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
        self._visible = visible_kind(visible)
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
        rows = samples(x, n_visible, self._visible, dtype)
        rule = _Descent(
            whole_number(batch_size, "batch_size", 1),
            rate(learning_rate, dtype, 0.1 if self._visible == "bernoulli" else 0.01),
            share(momentum, "momentum"),
            rate_for(dtype, l2, "l2"),
        )
        lost, more = share(corruption, "corruption"), whole_number(epochs, "epochs", 0)
        begin, trainer = self._trainer_for(rule)
        first = len(self._losses)
        for _ in range(more):
            words = Words(self._seed, begin + trainer.epoch, CORRUPTION)
            self._losses += trainer.fit(_corrupted(rows, lost, words), rows).loss
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
            seed=Words(self._seed, begin, SEEDS).seed(),
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
        encoder = self.network.layers[0]
        return dense_forward(quick_array(x, "x", self.network.dtype), encoder.w, encoder.b, encoder.activation).a

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


def _corrupted(rows: FloatArray, lost: float, words: Words) -> FloatArray:
    """Return a copy with some elements 0: drawn a part at a time, to bound the memory and what Ctrl-C waits for."""
    copy = rows.copy()
    count = max(1, 2**18 // rows.shape[1])
    for start in range(0, len(rows), count):
        part = copy[start : start + count]
        part[words.below(lost, part.shape)] = 0.0
    return copy
