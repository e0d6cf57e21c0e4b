"""Dense networks: layers over one flat array of parameters, and the passes through them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from . import _core
from ._arguments import (
    FLOAT32,
    FloatArray,
    network_dtype,
    quick_array,
    rate_for,
    real_array,
    seed_value,
    shape_error,
    shown,
    truth,
    whole_number,
)
from ._weights import ClassWeight
from .definitions import ACTIVATION, INITIALIZER, LOSS, OPTIMIZER, Definition
from .monitoring import Callback, EarlyStopping, Metric
from .schedules import Schedules
from .training import History, Trainer, trainer_class

if TYPE_CHECKING:  # numpy.random is not imported before it is used
    import os

    from typing_extensions import Self

    Seed = int | np.random.Generator | None


@dataclass(frozen=True, init=False, repr=False)
class Dense:
    """The plan of one dense layer, for `Network`. Immutable, so that one may be given to several networks.

    Parameters
    ----------
    fan_in, fan_out : int
        Numbers of inputs and outputs, at least 1.
    activation : str or activation object
        σ, one of `ACTIVATIONS`.
    trainable : bool
        Whether updates change the layer.
    initializer, bias_initializer : str or initializer object
        What the weights and the biases start as, one of `INITIALIZERS`.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A size is below 1, or a name is unknown.
    """

    fan_in: int
    fan_out: int
    activation: Definition
    trainable: bool
    initializer: Definition
    bias_initializer: Definition

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        activation: str | Definition = "logistic",
        trainable: bool = True,
        initializer: str | Definition = "glorot_uniform",
        bias_initializer: str | Definition = "zeros",
    ) -> None:
        vars(self).update(  # what is frozen cannot be assigned
            fan_in=whole_number(fan_in, "fan_in", 1),
            fan_out=whole_number(fan_out, "fan_out", 1),
            activation=ACTIVATION.resolve(activation, "activation"),
            trainable=truth(trainable, "trainable"),
            initializer=INITIALIZER.resolve(initializer, "initializer"),
            bias_initializer=INITIALIZER.resolve(bias_initializer, "bias_initializer"),
        )

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", trainable=False"
        return f"Dense({self.fan_in}, {self.fan_out}, {self.activation.short!r}{frozen})"


class Layer:
    """One layer of a network: views of its parameters, so that writing to them changes the network.

    Attributes
    ----------
    fan_in, fan_out : int
        Numbers of inputs and outputs.
    w : ndarray, shape (fan_in, fan_out)
        Weights, a view of the network's parameters.
    b : ndarray, shape (fan_out,)
        Biases, likewise.
    activation : str or activation object
        σ.
    trainable : bool
        Whether updates change the layer; may be set.
    """

    __slots__ = ("_b", "_core", "_index", "_plan", "_w")

    def __init__(self, core: _core.Network, index: int, plan: Dense, w: FloatArray, b: FloatArray) -> None:
        self._core, self._index, self._plan, self._w, self._b = core, index, plan, w, b

    @property
    def fan_in(self) -> int:
        """Number of inputs."""
        return self._plan.fan_in

    @property
    def fan_out(self) -> int:
        """Number of outputs."""
        return self._plan.fan_out

    @property
    def activation(self) -> str | Definition:
        """The activation σ."""
        return self._plan.activation.short

    @property
    def w(self) -> FloatArray:
        """Weights, (fan_in, fan_out): a view. Assigning copies the values in."""
        return self._w

    @w.setter
    def w(self, value: ArrayLike) -> None:
        _write(self._w, value, "w")

    @property
    def b(self) -> FloatArray:
        """Biases, (fan_out,): a view. Assigning copies the values in."""
        return self._b

    @b.setter
    def b(self, value: ArrayLike) -> None:
        _write(self._b, value, "b")

    @property
    def trainable(self) -> bool:
        """Whether updates change the layer."""
        return self._core.trainable(self._index)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._core.set_trainable(self._index, truth(value, "trainable"))

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", trainable=False"
        return f"Layer({self.fan_in}, {self.fan_out}, {self.activation!r}{frozen})"


def _write(view: FloatArray, value: ArrayLike, name: str) -> None:
    """Copy `value` into `view`; what `layer.w -= dw` ends in, where it is the view itself."""
    if value is view:
        return
    array = real_array(value, name)
    if array.shape != view.shape:
        raise shape_error(name, array.shape, f"{view.shape}")
    with np.errstate(all="ignore"):
        view[...] = array


class LayerGradients(NamedTuple):
    """∂E/∂w (fan_in, fan_out) and ∂E/∂b (fan_out,) of one layer: the lecture's BP4 and BP3."""

    dw: FloatArray
    db: FloatArray


class Gradients(NamedTuple):
    """E, and its gradient by layer."""

    loss: float
    layers: tuple[LayerGradients, ...]


class LayerTrace(NamedTuple):
    """Every number of one layer in one pass, by the lecture's letters.

    ``x`` is the layer's input, ``z`` and ``a`` come from the forward pass, ``delta`` (∂E/∂z, BP1 or BP2), ``dw`` (BP4)
    and ``db`` (BP3) from the backward pass.
    """

    x: FloatArray
    z: FloatArray
    a: FloatArray
    delta: FloatArray
    dw: FloatArray
    db: FloatArray


class Trace(NamedTuple):
    """Every number of one forward and backward pass."""

    loss: float
    layers: tuple[LayerTrace, ...]

    @property
    def a(self) -> tuple[FloatArray, ...]:
        """a⁰ = x, a¹, …, aᴸ: one more than there are layers."""
        return (self.layers[0].x, *(layer.a for layer in self.layers))

    @property
    def z(self) -> tuple[FloatArray, ...]:
        """z¹, …, zᴸ; ``z[l]`` belongs to ``layers[l]``."""
        return tuple(layer.z for layer in self.layers)

    @property
    def delta(self) -> tuple[FloatArray, ...]:
        """δ¹, …, δᴸ; ``delta[l]`` belongs to ``layers[l]``."""
        return tuple(layer.delta for layer in self.layers)

    @property
    def dw(self) -> tuple[FloatArray, ...]:
        """∂E/∂w of each layer."""
        return tuple(layer.dw for layer in self.layers)

    @property
    def db(self) -> tuple[FloatArray, ...]:
        """∂E/∂b of each layer."""
        return tuple(layer.db for layer in self.layers)


class Network:
    """A network of dense layers: a⁰ = x, zˡ = aˡ⁻¹·wˡ + bˡ, aˡ = σ(zˡ).

    Parameters
    ----------
    layers : sequence of int, or of Dense
        Sizes from the input to the output, at least two; or one `Dense` for each layer.
    activation : str or activation object, default "logistic"
        σ of every layer; not with `Dense`, which has its own.
    output_activation : str or activation object, default as `activation`
        σ of the last layer; not with `Dense`.
    seed, rng : None, int in [0, 2**64), or numpy.random.Generator
        Where the initial parameters come from (two names of one argument). The same int gives the same network on every
        machine; None a different one each time.
    dtype : "float32" or "float64"
        Of the parameters and of all that is computed with them.
    initializer, bias_initializer : str or initializer object
        What weights and biases start as, one of `INITIALIZERS`; not with `Dense`.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        There are no layers, a size is below 1, layers do not fit together, or a name is unknown.
    MemoryError
        The parameters do not fit in memory.

    Notes
    -----
    The random numbers are Philox4x64-10 with key (seed, 0) and the layer's index for a substream: first the weights in
    C order, then the biases. A float32 network starts as the float64 one, rounded.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> net = bp.Network([8, 3, 8], activation="logistic", seed=0)
    >>> net
    Network(8 → 3 logistic → 8 logistic, float32, 59 parameters)
    >>> net.predict(np.eye(8)).shape
    (8, 8)
    """

    def __init__(
        self,
        layers: Sequence[int] | Sequence[Dense],
        activation: str | Definition | None = None,
        output_activation: str | Definition | None = None,
        *,
        seed: Seed = None,
        rng: Seed = None,
        dtype: DTypeLike = "float32",
        initializer: str | Definition | None = None,
        bias_initializer: str | Definition | None = None,
    ) -> None:
        plans = _plan(
            layers,
            activation=activation,
            output_activation=output_activation,
            initializer=initializer,
            bias_initializer=bias_initializer,
        )
        found = network_dtype(dtype)
        value = seed_value(seed, rng)
        self._adopt(_make_core(plans, found), plans, found)
        for index, plan in enumerate(plans):
            self._core.initialize_layer(index, value, plan.initializer._choice, plan.bias_initializer._choice)

    def _adopt(self, core: _core.Network, plans: tuple[Dense, ...], dtype: np.dtype[Any]) -> None:
        """Become the network whose numbers `core` holds."""
        self._core, self._plans, self._dtype = core, plans, dtype
        self._updater: tuple[Definition, _core.Trainer] | None = None
        self._parameters = core.parameters()
        views = zip(plans, self._split(self._parameters), strict=True)
        self._layers = tuple(Layer(core, index, plan, w, b) for index, (plan, (w, b)) in enumerate(views))

    @classmethod
    def _of_zeros(cls, plans: tuple[Dense, ...], dtype: np.dtype[Any]) -> Self:
        network = cls.__new__(cls)
        network._adopt(_make_core(plans, dtype), plans, dtype)
        return network

    def _split(self, flat: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return w and b of each layer as views of an array laid out as the parameters are."""
        views, at = [], 0
        for plan in self._plans:
            end = at + plan.fan_in * plan.fan_out
            views.append((flat[at:end].reshape(plan.fan_in, plan.fan_out), flat[end : end + plan.fan_out]))
            at = end + plan.fan_out
        return views

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of units, from the input to the output."""
        return (self._plans[0].fan_in, *(plan.fan_out for plan in self._plans))

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._dtype

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return int(self._parameters.size)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, from the first."""
        return self._layers

    @property
    def parameters(self) -> FloatArray:
        """All parameters in one flat array, layer by layer, w and then b: a view. Assigning copies the values in."""
        return self._parameters

    @parameters.setter
    def parameters(self, value: ArrayLike) -> None:
        _write(self._parameters, value, "parameters")

    def __repr__(self) -> str:
        layers = " → ".join(f"{plan.fan_out} {plan.activation.short}" for plan in self._plans)
        return f"Network({self.sizes[0]} → {layers}, {self._dtype}, {self.n_parameters} parameters)"

    def predict(self, x: ArrayLike) -> FloatArray:
        """Return the network's output aᴸ.

        Parameters
        ----------
        x : array_like, shape (n, fan_in) or (fan_in,)
            Samples, or one.

        Returns
        -------
        ndarray, shape (n, fan_out) or (fan_out,)
            ``predict(x[i])`` is bit for bit ``predict(x)[i]``.

        Raises
        ------
        TypeError
            ``x`` does not hold real numbers.
        ValueError
            ``x`` has another shape.
        RuntimeError
            Another thread is training the network.
        """
        rows = quick_array(x, "x", self._dtype)
        fan_in = self._plans[0].fan_in
        if not 0 < rows.ndim <= 2 or rows.shape[-1] != fan_in:
            raise shape_error("x", rows.shape, f"(n, {fan_in}), or ({fan_in},) for one sample")
        return self._core.predict(rows)

    def loss(self, x: ArrayLike, t: ArrayLike, loss: str | Definition = "half_squared_error") -> float:
        """Return the loss E: the mean over the samples.

        Parameters
        ----------
        x : array_like, shape (n, fan_in) or (fan_in,)
            Samples, or one.
        t : array_like, shape (n, fan_out) or (fan_out,)
            Targets; for ``softmax_cross_entropy`` also integer classes, (n,) or a scalar.
        loss : str or loss object
            One of `LOSSES`.

        Returns
        -------
        float

        Raises
        ------
        TypeError
            An array does not hold real numbers.
        ValueError
            Shapes or values do not fit, or a parameter is not finite.
        RuntimeError
            Another thread is training the network.
        """
        definition = LOSS.resolve(loss, "loss")
        _, rows, targets = self._samples(x, t, definition)
        return self._core.loss(rows, targets, definition._choice)

    def gradients(self, x: ArrayLike, t: ArrayLike, loss: str | Definition = "half_squared_error") -> Gradients:
        """Return E and ∂E/∂w, ∂E/∂b of every layer, frozen ones too, by the lecture's BP1 to BP4.

        Parameters
        ----------
        x, t, loss
            As for `loss`.

        Returns
        -------
        Gradients
            ``.loss``, and for each layer ``.layers[l].dw`` and ``.layers[l].db``.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for `loss`.
        """
        definition = LOSS.resolve(loss, "loss")
        _, rows, targets = self._samples(x, t, definition)
        value, flat = self._core.gradients(rows, targets, definition._choice)
        return Gradients(value, tuple(LayerGradients(w, b) for w, b in self._split(flat)))

    def trace(self, x: ArrayLike, t: ArrayLike, loss: str | Definition = "half_squared_error") -> Trace:
        """Return every a, z, δ, ∂E/∂w and ∂E/∂b of one forward and backward pass.

        Parameters
        ----------
        x, t, loss
            As for `loss`. For one sample the arrays of the trace have no axis for samples.

        Returns
        -------
        Trace
            ``.loss``, ``.layers[l]``, and ``.a``, ``.z``, ``.delta``, ``.dw``, ``.db`` with an entry for each layer;
            ``.a[0]`` is x.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for `loss`.
        """
        definition = LOSS.resolve(loss, "loss")
        one, rows, targets = self._samples(x, t, definition)
        value, numbers = self._core.trace(rows, targets, definition._choice)
        layers: list[LayerTrace] = []
        below = rows.copy()
        for z, a, delta, dw, db in numbers:
            layer = LayerTrace(below, z, a, delta, dw, db)
            layers.append(layer._replace(x=below[0], z=z[0], a=a[0], delta=delta[0]) if one else layer)
            below = a
        return Trace(value, tuple(layers))

    def update(
        self, x: ArrayLike, t: ArrayLike, learning_rate: float, loss: str | Definition = "half_squared_error"
    ) -> float:
        """Take one step of gradient descent, in place: the lecture's ``update(x, y)``.

        Parameters
        ----------
        x, t, loss
            As for `loss`.
        learning_rate : float
            μ, at least 0 and finite in the network's dtype.

        Returns
        -------
        float
            E before the step.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for `loss`; the network is then as it was.
        FloatingPointError
            E is not finite; the network is as it was.
        """
        definition = LOSS.resolve(loss, "loss")
        rate = rate_for(self._dtype, learning_rate)
        _, rows, targets = self._samples(x, t, definition)
        return self._updater_for(definition).step(rows, targets, rate)

    def _updater_for(self, loss: Definition) -> _core.Trainer:
        """Return the core's trainer of the last `update`, where that had the same loss, or a new one."""
        last = self._updater  # looked at once, as another thread may replace it
        if last is not None and last[0] == loss:
            return last[1]
        sgd = OPTIMIZER.classes["SGD"](1.0)
        updater = trainer_class(self._dtype)(self._core, loss._choice, sgd._choice, batch_size=1, shuffle=False, seed=0)
        self._updater = loss, updater
        return updater

    def fit(
        self,
        x: ArrayLike,
        t: ArrayLike,
        loss: str | Definition = "half_squared_error",
        optimizer: str | Definition | None = None,
        epochs: int = 1,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: Seed = None,
        rng: Seed = None,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        l1: float | Sequence[float] = 0.0,
        l2: float | Sequence[float] = 0.0,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        max_norm: float | None = None,
        schedule: str | Schedules | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        metrics: Sequence[str | Metric] = (),
        early_stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = 1,
        checkpoint_every_steps: int | None = None,
    ) -> History:
        """Train: make a `Trainer` of these arguments and run it.

        Parameters
        ----------
        x, t, epochs, validation_data, sample_weight, class_weight, metrics, early_stopping, callbacks, progress
            As for `Trainer.fit`.
        checkpoint, checkpoint_every, checkpoint_every_steps
            As for `Trainer.fit`.
        loss, optimizer, batch_size, shuffle, seed, rng
            As for `Trainer`.
        l1, l2, dropout, input_dropout, clip_value, clip_norm, max_norm, schedule
            As for `Trainer`.

        Returns
        -------
        History

        Raises
        ------
        TypeError, ValueError, RuntimeError, FloatingPointError, OSError, KeyboardInterrupt
            As for `Trainer.fit`.

        Examples
        --------
        The lecture's autoencoder:

        >>> import numpy as np, backpropc as bp
        >>> net = bp.Network([8, 3, 8], activation="logistic", seed=0)
        >>> history = net.fit(np.eye(8), np.eye(8), optimizer=bp.SGD(0.3), batch_size=1, epochs=5000)
        >>> bool((net.predict(np.eye(8)).argmax(axis=1) == np.arange(8)).all())
        True
        """
        trainer = Trainer(
            self,
            loss=loss,
            optimizer=optimizer,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            rng=rng,
            l1=l1,
            l2=l2,
            dropout=dropout,
            input_dropout=input_dropout,
            clip_value=clip_value,
            clip_norm=clip_norm,
            max_norm=max_norm,
            schedule=schedule,
        )
        return trainer.fit(
            x,
            t,
            epochs=epochs,
            validation_data=validation_data,
            sample_weight=sample_weight,
            class_weight=class_weight,
            metrics=metrics,
            early_stopping=early_stopping,
            callbacks=callbacks,
            progress=progress,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            checkpoint_every_steps=checkpoint_every_steps,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file, in the safetensors format: its layers, dtype and parameters.

        The file appears whole or not at all: what was there stands until the new one is on the disk. A file that is
        replaced hands on its permissions.

        Parameters
        ----------
        path : path-like
            By custom with the ending ``.safetensors``.

        Raises
        ------
        TypeError
            `path` is not a path.
        ValueError
            A parameter is not finite, or there are thousands of layers.
        OSError
            The folder is missing or read-only, the disk is full, and so on.
        RuntimeError
            Another thread is training the network.

        Examples
        --------
        >>> import os, tempfile, backpropc as bp
        >>> net = bp.Network([8, 3, 8], seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(os.path.join(folder, "net.safetensors"))
        ...     bp.Network.load(os.path.join(folder, "net.safetensors"))
        Network(8 → 3 logistic → 8 logistic, float32, 59 parameters)
        """
        from . import io

        io.save_network(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the network of a file, one of `Network.save` or one of `Trainer.save`.

        A file from a stranger is safe to load: it holds numbers and registered names, nothing of it is run, and
        loading takes no more memory than the file's size and a constant.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        Network

        Raises
        ------
        TypeError
            `path` is not a path.
        ValueError
            The file is not one that `save` writes: the message says what was found and what must be there.
        OSError
            It cannot be read.
        """
        from . import io

        return io.load_network(cls, path)

    def copy(self) -> Network:
        """Return a network of its own memory with the same layers and parameters."""
        twin = type(self).__new__(type(self))
        twin._adopt(self._core.copy(), self._plans, self._dtype)
        return twin

    def __copy__(self) -> Network:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        pairs = zip(self._plans, self._layers, strict=True)
        plans = tuple(replace(plan, trainable=layer.trainable) for plan, layer in pairs)
        return _rebuild, (type(self), plans, self._dtype.name, self._parameters.copy())

    def _samples(
        self,
        x: ArrayLike,
        t: ArrayLike,
        loss: Definition,
        names: tuple[str, str] = ("x", "t"),
        one_allowed: bool = True,
    ) -> tuple[bool, FloatArray, FloatArray]:
        """Return whether x is one sample, x as rows, and t as rows or as integer classes."""
        fan_in = self._plans[0].fan_in
        rows = quick_array(x, names[0], self._dtype)
        one = one_allowed and rows.ndim == 1
        if not (one or rows.ndim == 2) or rows.shape[-1] != fan_in:
            alone = f", or ({fan_in},) for one sample" if one_allowed else ""
            raise shape_error(names[0], rows.shape, f"(n, {fan_in}){alone}")
        if rows.shape[0] == 0:
            raise ValueError(f"{names[0]} has no samples; there must be at least one")
        targets = self._targets(t, rows.shape[:-1], loss, names)
        return one, (rows[np.newaxis] if one else rows), (targets[np.newaxis] if one else targets)

    def _targets(self, t: ArrayLike, lead: tuple[int, ...], loss: Definition, names: tuple[str, str]) -> FloatArray:
        """Return t as an array of shape `lead` + (fan_out,), or of integer classes of shape `lead`."""
        fan_out = self._plans[-1].fan_out
        array = t if type(t) is np.ndarray and t.dtype == self._dtype else real_array(t, names[1])
        expected = (*lead, fan_out)
        if array.shape == expected:
            return quick_array(array, names[1], self._dtype)
        takes_classes = loss.entry["targets"] == "distribution"
        if takes_classes and array.shape == lead and array.dtype.kind in "iu":
            return np.require(array, np.int64, ("C", "A"))
        hint = ""
        if takes_classes:
            hint = f", or integer classes of shape {lead} (found {array.dtype})"
        elif fan_out == 1 and array.shape == lead:
            hint = f"; write {names[1]}[..., None] for one output"
        raise shape_error(names[1], array.shape, f"{expected}{hint}")


def _make_core(plans: tuple[Dense, ...], dtype: np.dtype[Any]) -> _core.Network:
    n = sum((plan.fan_in + 1) * plan.fan_out for plan in plans)
    if n * dtype.itemsize > np.iinfo(np.intp).max:
        sizes = (plans[0].fan_in, *(plan.fan_out for plan in plans))
        raise ValueError(f"layers are of sizes {sizes}, which makes {n} parameters; a network must fit in memory")
    core = _core.NetworkFloat32 if dtype == FLOAT32 else _core.NetworkFloat64
    try:
        return core([(plan.fan_in, plan.fan_out, plan.activation._choice, plan.trainable) for plan in plans])
    except MemoryError:
        raise MemoryError(f"cannot allocate {n * dtype.itemsize} bytes for a network of {n} parameters") from None


def _rebuild(cls: type[Network], plans: tuple[Dense, ...], dtype: str, parameters: FloatArray) -> Network:
    network = cls._of_zeros(plans, network_dtype(dtype))
    network.parameters = parameters
    return network


def _plan(layers: Sequence[int] | Sequence[Dense], **of_all: str | Definition | None) -> tuple[Dense, ...]:
    """Return one `Dense` for each layer, from sizes or from layers."""
    if isinstance(layers, (str, bytes, Set, Mapping)) or not isinstance(layers, Iterable):
        raise TypeError(f"layers is {shown(layers)}; it must be a sequence of sizes, as [8, 3, 8], or of Dense layers")
    given = list(layers)
    if not given:
        raise ValueError("layers is empty; it must have at least two sizes, or one Dense layer")
    n_dense = sum(isinstance(layer, Dense) for layer in given)
    if n_dense == 0:
        return _plan_of_sizes(given, **of_all)
    if n_dense < len(given):
        raise TypeError("layers mixes sizes and Dense layers; it must be all of one kind")
    for name, value in of_all.items():
        if value is not None:
            raise TypeError(f"{name} is {shown(value)}, but layers are Dense, which have their own; give one of them")
    return _plan_of_layers(cast("list[Dense]", given))


def _plan_of_sizes(
    given: list[Any],
    activation: str | Definition | None,
    output_activation: str | Definition | None,
    initializer: str | Definition | None,
    bias_initializer: str | Definition | None,
) -> tuple[Dense, ...]:
    sizes = [whole_number(size, f"layers[{i}]", 1) for i, size in enumerate(given)]
    if len(sizes) < 2:
        raise ValueError(f"layers is {sizes}; it must have at least two sizes, those of the input and the output")
    hidden = ACTIVATION.resolve("logistic" if activation is None else activation, "activation")
    last = hidden if output_activation is None else ACTIVATION.resolve(output_activation, "output_activation")
    weights = INITIALIZER.resolve("glorot_uniform" if initializer is None else initializer, "initializer")
    biases = INITIALIZER.resolve("zeros" if bias_initializer is None else bias_initializer, "bias_initializer")
    return tuple(
        Dense(fan_in, fan_out, last if i == len(sizes) - 2 else hidden, True, weights, biases)
        for i, (fan_in, fan_out) in enumerate(pairwise(sizes))
    )


def _plan_of_layers(given: list[Dense]) -> tuple[Dense, ...]:
    for i, (below, above) in enumerate(pairwise(given)):
        if below.fan_out != above.fan_in:
            raise ValueError(
                f"layers[{i + 1}] has fan_in {above.fan_in}; it must be {below.fan_out}, the fan_out of layers[{i}]"
            )
    return tuple(given)
