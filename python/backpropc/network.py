"""Dense networks: layers over one flat array of parameters, and the passes through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from . import _core
from ._arguments import (
    FLOAT32,
    FloatArray,
    network_dtype,
    quick_array,
    rate_for,
    seed_value,
    shape_error,
    shown,
)
from ._batches import Batches
from ._nonfinite import NonFinite, policy
from ._samples import samples_for
from ._weights import ClassWeight
from .definitions import LOSS, OPTIMIZER, Definition
from .history import History
from .layers import Dense, Layer, plan_layers, write_into
from .monitoring import Callback, EarlyStopping, Metric
from .schedules import Schedules
from .tracing import Gradients, LayerGradients, Trace, trace_of
from .training import Trainer, trainer_class

if TYPE_CHECKING:  # numpy.random is not imported before it is used
    import os

    from typing_extensions import Self

    from ._display import Summary

    Seed = int | np.random.Generator | None


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
        plans = plan_layers(
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
        write_into(self._parameters, value, "parameters")
        for layer in self._layers:
            layer.apply_mask()

    def __repr__(self) -> str:
        layers = " → ".join(f"{plan.fan_out} {plan.activation.short}" for plan in self._plans)
        return f"Network({self.sizes[0]} → {layers}, {self._dtype}, {self.n_parameters} parameters)"

    def _repr_html_(self) -> str:
        from . import _display

        return _display.html_of_network(self)

    def summary(self) -> Summary:
        """Return a table of the layers, to be printed: their activations, sizes, parameters, and whether they learn.

        Returns
        -------
        Summary
            Its ``str`` and its ``repr`` are the table; a notebook shows it as one.

        Examples
        --------
        >>> import backpropc as bp
        >>> bp.Network([8, 3, 8], seed=0).summary()
        layer  activation  inputs  outputs  w       b     parameters  trainable
        ───────────────────────────────────────────────────────────────────────
        0      logistic    8       3        (8, 3)  (3,)  27          yes
        1      logistic    3       8        (3, 8)  (8,)  32          yes
        <BLANKLINE>
        59 parameters in float32: 236 bytes
        all trainable
        """
        from . import _display

        return _display.Summary(self)

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
        _, rows, targets = samples_for(self, x, t, definition)
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
        _, rows, targets = samples_for(self, x, t, definition)
        value, flat = self._core.gradients(rows, targets, definition._choice)
        return Gradients(value, tuple(LayerGradients(w, b) for w, b in self._split(flat)))

    def trace(self, x: ArrayLike, t: ArrayLike, loss: str | Definition = "half_squared_error") -> Trace:
        """Return every number of one forward and backward pass: a, z, σ′(z), δ, ∂E/∂w, ∂E/∂b; print it to read it.

        Parameters
        ----------
        x, t, loss
            As for `loss`. For one sample the arrays of the trace have no axis for samples.

        Returns
        -------
        Trace
            ``.loss``, ``.layers[l]``, and ``.a``, ``.z``, ``.dsigma``, ``.da``, ``.delta``, ``.dw``, ``.db`` with an
            entry for each layer; ``.a[0]`` is x. As a sequence: the steps of the pass, in the lecture's order.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for `loss`.
        """
        definition = LOSS.resolve(loss, "loss")
        one, rows, targets = samples_for(self, x, t, definition)
        return trace_of(self, one, rows, targets, definition)

    def update(
        self,
        x: ArrayLike,
        t: ArrayLike,
        learning_rate: float,
        loss: str | Definition = "half_squared_error",
        on_nonfinite: str = "raise",
    ) -> float:
        """Take one step of gradient descent, in place: the lecture's ``update(x, y)``.

        Parameters
        ----------
        x, t, loss
            As for `loss`.
        learning_rate : float
            μ, at least 0 and finite in the network's dtype.
        on_nonfinite
            As for `Trainer`.

        Returns
        -------
        float
            E before the step.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for `loss`; the network is then as it was.
        FloatingPointError
            E, the gradient or a parameter is not finite, and `on_nonfinite` is ``"raise"``; the network is as it was.
        """
        definition = LOSS.resolve(loss, "loss")
        rate = rate_for(self._dtype, learning_rate)
        _, rows, targets = samples_for(self, x, t, definition)
        step = self._updater_for(definition).step
        if isinstance(on_nonfinite, str) and on_nonfinite == "raise":  # at once, as this may be called for every sample
            return step(rows, targets, rate)
        return NonFinite(policy(on_nonfinite)).run(lambda finite: step(rows, targets, rate, finite))

    def _updater_for(self, loss: Definition) -> _core.Trainer:
        """Return the core's trainer of the last `update`, where that had the same loss, or a new one."""
        last = self._updater  # looked at once, as another thread may replace it
        if last is not None and last[0] == loss:
            return last[1]
        sgd = OPTIMIZER.classes["SGD"](1.0)
        updater = trainer_class(self._dtype)(self._core, loss._choice, sgd._choice, 1, False, 0)
        self._updater = loss, updater
        return updater

    def fit(
        self,
        x: ArrayLike | Batches,
        t: ArrayLike | None = None,
        loss: str | Definition = "half_squared_error",
        optimizer: str | Definition | None = None,
        epochs: int = 1,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: Seed = None,
        rng: Seed = None,
        validation_data: tuple[ArrayLike, ArrayLike] | Batches | None = None,
        l1: float | Sequence[float] = 0.0,
        l2: float | Sequence[float] = 0.0,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        max_norm: float | None = None,
        schedule: str | Schedules | None = None,
        on_nonfinite: str = "raise",
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
        l1, l2, dropout, input_dropout, clip_value, clip_norm, max_norm, schedule, on_nonfinite
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
            on_nonfinite=on_nonfinite,
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

        Of an `Activation` of your own the file holds the name; `load` is told what that stands for.

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
            A parameter is not finite, there are thousands of layers, or two functions of your own have one name.
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
    def load(cls, path: str | os.PathLike[str], custom: Mapping[str, Definition] | None = None) -> Self:
        """Return the network of a file, one of `Network.save` or one of `Trainer.save`.

        A file from a stranger is safe to load: it holds numbers and registered names, nothing of it is run, and
        loading takes no more memory than the file's size and a constant.

        Parameters
        ----------
        path : path-like
            The file.
        custom : mapping of str to Activation or Loss, optional
            What the names stand for that activations and losses of your own have in the file.

        Returns
        -------
        Network

        Raises
        ------
        TypeError
            `path` is not a path, or `custom` not such a mapping.
        ValueError
            The file is not one that `save` writes, or `custom` lacks a name of it: the message says what was found and
            what must be there.
        OSError
            It cannot be read.
        """
        from . import io

        return io.load_network(cls, path, custom)

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
        plans = tuple(replace(plan, trainable=layer.trainable, mask=layer.mask) for plan, layer in pairs)
        return _rebuild, (type(self), plans, self._dtype.name, self._parameters.copy())


def _make_core(plans: tuple[Dense, ...], dtype: np.dtype[Any]) -> _core.Network:
    n = sum((plan.fan_in + 1) * plan.fan_out for plan in plans)
    if n * dtype.itemsize > np.iinfo(np.intp).max:
        sizes = (plans[0].fan_in, *(plan.fan_out for plan in plans))
        raise ValueError(
            f"layers are of sizes {shown(sizes)}, which makes {shown(n)} parameters; a network must fit in memory"
        )
    core = _core.NetworkFloat32 if dtype == FLOAT32 else _core.NetworkFloat64
    try:
        network = core([(plan.fan_in, plan.fan_out, plan.activation._choice, plan.trainable) for plan in plans])
    except MemoryError:
        raise MemoryError(f"cannot allocate {n * dtype.itemsize} bytes for a network of {n} parameters") from None
    for index, plan in enumerate(plans):
        if plan.mask is not None:
            network.set_mask(index, plan.mask.view(np.uint8))
    return network


def _rebuild(cls: type[Network], plans: tuple[Dense, ...], dtype: str, parameters: FloatArray) -> Network:
    network = cls._of_zeros(plans, network_dtype(dtype))
    network.parameters = parameters
    return network
