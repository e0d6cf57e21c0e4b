"""Pre-training: each hidden layer first learns to describe its own inputs, without targets.

Hinton, Osindero, Teh 2006 and Bengio, Lamblin, Popovici, Larochelle 2006: layer after layer from the first, each on
what those below make of the data; then the whole is fine-tuned. A layer learns as a restricted Boltzmann machine
(`RBM`) or as the encoder of a denoising autoencoder (`DenoisingAutoencoder`); `pretrain` does it for the hidden layers
of a network.

Products, sums, exponentials and updates are the core's and random numbers are Philox words, so that results are the
same bits for any number of threads and any instruction set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FloatArray, one_for_each, rate_for, seed_value, shown
from ._pretraining import SEEDS, VISIBLE, Words, samples, visible_kind
from .boltzmann import RBM
from .denoising import DenoisingAutoencoder
from .functions import dense_forward
from .history import History
from .layers import Layer
from .network import Network

if TYPE_CHECKING:
    from .network import Seed


__all__ = ["METHODS", "RBM", "VISIBLE", "DenoisingAutoencoder", "pretrain"]

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
    kind, words = visible_kind(visible), Words(seed_value(seed, rng), 0, SEEDS)
    rows = samples(x, net.sizes[0], kind, net.dtype)
    histories = []
    for index, (layer, rate) in enumerate(zip(hidden, rates, strict=True)):
        layer_seed = words.seed()
        if layer.trainable:
            histories.append(_pretrain_layer(index, layer, rows, method, kind, layer_seed, rate, options))
        else:
            histories.append(History([], {"loss": []}))
        rows = dense_forward(rows, layer.w, layer.b, layer.activation).a
        kind = "bernoulli" if layer.activation == "logistic" else "gaussian"
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
    values = one_for_each(value, "learning_rate")
    if values is None:
        return [rate_for(dtype, value)] * n_hidden
    if len(values) != n_hidden:
        raise ValueError(
            f"learning_rate has {len(values)} numbers; it must be one number, or {n_hidden}: one for each hidden layer"
        )
    return [rate_for(dtype, each, f"learning_rate[{i}]") for i, each in enumerate(values)]
