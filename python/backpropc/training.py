"""Training: a loss, an optimizer and everything that a run carries from one epoch to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from . import _core, _nonfinite, schedules
from ._arguments import (
    FLOAT32,
    LARGEST,
    rate_for,
    seed_value,
    shown,
    truth,
    whole_number,
)
from ._batches import Batches, ByBatches, are_batches, batches_for
from ._checkpoints import NEVER, Checkpoints
from ._methods import method_for
from ._nonfinite import NonFinite
from ._regularization import none_if_infinite, regularization_for
from ._samples import samples_for
from ._ways import Data, Way, way_through_arrays, whole_batch
from ._weights import ClassWeight, weights_of_samples
from .definitions import LOSS, OPTIMIZER, Definition
from .history import History, Measured
from .monitoring import (
    Callback,
    EarlyStopping,
    Metric,
    Progress,
    Seen,
    State,
    Stopper,
    Watch,
    resolve_callbacks,
    resolve_early_stopping,
    resolve_metrics,
)
from .schedules import Schedules

if TYPE_CHECKING:
    import os

    from typing_extensions import Self

    from .network import Network, Seed


def trainer_class(dtype: np.dtype[Any]) -> type[_core.Trainer]:
    """Return the core's trainer for networks of this dtype."""
    return cast("type[_core.Trainer]", _core.TrainerFloat32 if dtype == FLOAT32 else _core.TrainerFloat64)


def check_numbers(optimizer: Definition, dtype: np.dtype[Any]) -> None:
    """Raise a ValueError for a number of an optimizer that is not finite in the network's dtype."""
    for name, value in optimizer.parameters.items():
        if isinstance(value, float) and abs(value) > LARGEST[dtype]:
            raise ValueError(f"optimizer: {name} is {value}; it must be finite in {dtype}, the network's dtype")


def _stopper(given: object, names: list[str], network: Network, seen: Seen | None) -> Stopper | None:
    rule = resolve_early_stopping(given)
    return None if rule is None else Stopper(rule, names, network, seen)


class Trainer:
    """Minibatch gradient descent on a network.

    Parameters
    ----------
    network : Network
        Trained in place.
    loss : str or loss object
        E, one of `LOSSES`.
    optimizer : optimizer object
        How a step is taken, one of `OPTIMIZERS`, as ``bp.SGD(0.1)``.
    batch_size : int
        Samples in a step, at least 1; the last batch of an epoch may be smaller. With 1, ``shuffle=False`` and plain
        ``bp.SGD`` it is the lecture's online training. `LBFGS` and `LevenbergMarquardt` take all samples in each step.
    shuffle : bool
        Whether each epoch takes the samples in a new random order.
    seed, rng : None, int in [0, 2**64), or numpy.random.Generator
        Where the orders come from (two names of one argument). The same int gives the same run on every machine.
    l1, l2 : float or sequence of float
        Penalties: a step descends E + l1·Σ|w| + ½·l2·Σw², over the weights, not the biases, whatever the batch size.
        One number, or one for each layer. Losses are reported without them.
    dropout, input_dropout : float or sequence of float, and float
        The probability, in [0, 1), with which a step leaves out a hidden unit (one number, or one for each hidden
        layer) or an input; what stays is divided by 1 − rate. Only steps do so: validation, `predict` and `loss`
        do not.
    clip_value, clip_norm : float or None
        Bounds of the gradient, which has the penalties' in it: of each element; then of the norm of it all, over the
        layers that learn (Pascanu, Mikolov, Bengio 2013). A gradient that is longer is shrunk to that norm.
    max_norm : float or None
        Bound of the norm of the weights that lead to a unit, held after every step (Srivastava et al. 2014).
    schedule : None, str, schedule object, or callable
        The learning rate of each epoch, from its first step to its last: one of `backpropc.schedules`, or a callable
        from the epoch, counted from 0 since the trainer's birth, to a rate. None is the optimizer's own.
    on_nonfinite : {"raise", "warn", "ignore"}
        What follows on the first loss of a step, gradient or parameter that is not finite. ``"raise"``: a
        FloatingPointError that names the epoch and the step, counted from 1, the layer and the quantity; the network
        and the trainer are as they were before that step, and can go on. ``"warn"``: a RuntimeWarning of these words,
        once in a call, and the step is taken all the same, as those that follow. ``"ignore"``: nothing is looked at.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A name is unknown or a number out of its range, or there is a schedule for an optimizer without a learning rate.

    Notes
    -----
    The order of epoch e is a Fisher–Yates shuffle by Philox4x64-10 with key (seed, 1) and e for a substream, so it
    depends on nothing that came before. Which of layer l's inputs are left out in step s comes from key (seed, 2) and
    substream (s, l): 32 bits for each, a multiple of eight for each sample. Dropout is inverted, after Srivastava et
    al. 2014.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> net = bp.Network([8, 3, 8], seed=0)
    >>> trainer = bp.Trainer(net, loss="half_squared_error", optimizer=bp.SGD(0.3), batch_size=1, seed=0)
    >>> trainer.fit(np.eye(8), np.eye(8), epochs=100).epoch[-1], trainer.step_count
    (99, 800)
    """

    def __init__(
        self,
        network: Network,
        loss: str | Definition = "half_squared_error",
        optimizer: str | Definition | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: Seed = None,
        rng: Seed = None,
        l1: float | Sequence[float] = 0.0,
        l2: float | Sequence[float] = 0.0,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        max_norm: float | None = None,
        schedule: str | Schedules | None = None,
        on_nonfinite: str = "raise",
    ) -> None:
        from .network import Network

        if not isinstance(network, Network):
            raise TypeError(f"network is {shown(network)} ({type(network).__name__}); it must be a backpropc.Network")
        if optimizer is None:
            raise TypeError("optimizer is missing; give one, as optimizer=bp.SGD(0.1)")
        self._network = network
        self._loss = LOSS.resolve(loss, "loss")
        self._optimizer = OPTIMIZER.resolve(optimizer, "optimizer")
        check_numbers(self._optimizer, network.dtype)
        if schedule is not None and "learning_rate" not in self._optimizer.parameters:
            raise ValueError(
                f"schedule is {shown(schedule)}, but {self._optimizer.name} has no learning rate; it must be None"
            )
        self._schedule = schedules.resolve(schedule)
        self._is_scheduled = schedule is not None
        self._batch_size = whole_number(batch_size, "batch_size", 1)
        self._shuffle = truth(shuffle, "shuffle")
        self._seed = seed_value(seed, rng)
        self._regularization = regularization_for(
            network, l1, l2, dropout, input_dropout, clip_value, clip_norm, max_norm
        )
        self._method = method_for(self._optimizer, self._loss, network, self._regularization)
        self._on_nonfinite = _nonfinite.policy(on_nonfinite)
        self._validated = 0  # epochs completed when validation data were last looked at
        self._metrics = Measured()
        self._plateau: schedules.Plateau | None = None  # where `reduce_on_plateau` is, once it has been asked
        self._seen: Seen | None = None  # by the early stopping of the last fit, unless that has come to its end
        self._core: _core.Trainer = trainer_class(network.dtype)(
            network._core,
            self._loss._choice,
            self._optimizer._choice if self._method is None else OPTIMIZER.classes["SGD"](0.0)._choice,
            min(self._batch_size, 2**62),
            self._shuffle,
            self._seed,
            self._regularization,
        )

    @property
    def network(self) -> Network:
        """The network being trained."""
        return self._network

    @property
    def loss(self) -> str | Definition:
        """The loss E."""
        return self._loss.short

    @property
    def optimizer(self) -> Definition:
        """How a step is taken."""
        return self._optimizer

    @property
    def batch_size(self) -> int:
        """Samples in a step."""
        return self._batch_size

    @property
    def shuffle(self) -> bool:
        """Whether each epoch takes the samples in a new order."""
        return self._shuffle

    @property
    def seed(self) -> int:
        """The seed of the orders, also where it was drawn."""
        return self._seed

    @property
    def l1(self) -> float | tuple[float, ...]:
        """The penalty of Σ|w|: 0, or a number for each layer."""
        return tuple(self._regularization.l1) or 0.0

    @property
    def l2(self) -> float | tuple[float, ...]:
        """The penalty of ½Σw²: 0, or a number for each layer."""
        return tuple(self._regularization.l2) or 0.0

    @property
    def dropout(self) -> float | tuple[float, ...]:
        """How often a hidden unit is left out: 0, or a number for each hidden layer."""
        return tuple(self._regularization.dropout[1:]) or 0.0

    @property
    def input_dropout(self) -> float:
        """How often an input is left out."""
        return self._regularization.dropout[0] if self._regularization.dropout else 0.0

    @property
    def clip_value(self) -> float | None:
        """The bound of each element of the gradient."""
        return none_if_infinite(self._regularization.clip_value)

    @property
    def clip_norm(self) -> float | None:
        """The bound of the gradient's norm."""
        return none_if_infinite(self._regularization.clip_norm)

    @property
    def max_norm(self) -> float | None:
        """The bound of the norm of the weights that lead to a unit."""
        return none_if_infinite(self._regularization.max_norm)

    @property
    def schedule(self) -> Schedules | None:
        """What the learning rate of an epoch is; None for the optimizer's own."""
        return self._schedule if self._is_scheduled else None

    @property
    def on_nonfinite(self) -> str:
        """What follows on a number that is not finite: "raise", "warn" or "ignore"."""
        return self._on_nonfinite

    @property
    def epoch(self) -> int:
        """Number of epochs completed since the trainer's birth."""
        return self._core.epoch

    @property
    def learning_rate(self) -> float | None:
        """The rate of the epoch that is under way or to come; None for an optimizer without one."""
        if not self._is_scheduled:
            return cast("float | None", self._optimizer.parameters.get("learning_rate"))
        own = cast(float, self._optimizer.parameters["learning_rate"])
        if isinstance(self._schedule, schedules.reduce_on_plateau):
            so_far = self._plateau
            if so_far is None or so_far.epochs > self.epoch:  # asked during a fit that then took epochs back
                so_far = schedules.Plateau(own)
            self._plateau = self._schedule.after(so_far, self._watched_losses(so_far.epochs))
            rate = self._plateau.rate
        elif isinstance(self._schedule, schedules.Schedule):
            rate = self._schedule.rate(self.epoch, own)
        else:
            rate = self._schedule(self.epoch)
        return rate_for(self._network.dtype, rate, f"schedule: the rate of epoch {self.epoch}")

    def _watched_losses(self, first: int) -> list[float]:
        """Return what `reduce_on_plateau` looks at: of each epoch the validation loss, or else the training loss."""
        pairs = zip(self._core.losses_from(first), self._core.validation_losses_from(first), strict=False)
        return [training if math.isnan(validation) else validation for training, validation in pairs]

    @property
    def step_count(self) -> int:
        """Number of steps done since the trainer's birth."""
        return self._core.step_count

    @property
    def history(self) -> History:
        """All epochs since the trainer's birth, also those of a `fit` that was interrupted."""
        return self._history_since(0)

    def __repr__(self) -> str:
        names = ("l1", "l2", "dropout", "input_dropout", "clip_value", "clip_norm", "max_norm", "schedule")
        given = "".join(f", {name}={getattr(self, name)!r}" for name in names if getattr(self, name) not in (None, 0.0))
        return (
            f"Trainer({self._network!r}, loss={self.loss!r}, optimizer={self.optimizer!r}, "
            f"batch_size={self._batch_size}, shuffle={self._shuffle}, seed={self._seed}{given}; "
            f"{self.epoch} epochs, {self.step_count} steps done)"
        )

    def _repr_html_(self) -> str:
        from . import _display

        return _display.html_of_trainer(self)

    def fit(
        self,
        x: ArrayLike | Batches,
        t: ArrayLike | None = None,
        epochs: int | None = None,
        *,
        until_epoch: int | None = None,
        validation_data: tuple[ArrayLike, ArrayLike] | Batches | None = None,
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
        """Train for a number of epochs, in the core and without the GIL.

        Parameters
        ----------
        x : array_like, shape (n, fan_in), or iterable of (xb, tb) or (xb, tb, weight)
            Samples; read in place where they are contiguous and of the network's dtype, also from a ``numpy.memmap``.
            Without `t` the data come in batches, from an iterable that is gone through once in each epoch, so that no
            more than a few of them are in memory: a list, or an object whose ``__iter__`` begins anew; for one epoch
            also an iterator. Each batch is a step, of whatever size; `batch_size` and `shuffle` say nothing then: the
            order is the iterable's. The result is the same bits as from an array cut into the same batches, without
            shuffling. An epoch that was interrupted goes on behind the samples it has had, which the iterable must
            give again.
        t : array_like, shape (n, fan_out)
            Targets; for ``softmax_cross_entropy`` also integer classes, (n,), in place where they are int64.
        epochs : int, default 1
            How many more epochs to train; an epoch that was interrupted counts as the first of them.
        until_epoch : int
            Instead of `epochs`: up to the end of this epoch since the trainer's birth.
        validation_data : tuple of (x, t)
            Samples whose loss is recorded at the end of every epoch, each counting 1. Where the data come in batches,
            also an iterable of batches.
        sample_weight : array_like, shape (n,)
            How much each sample counts, at least 0 and finite: the loss of a batch is Σ wᵢEᵢ / Σ wᵢ. So a weight says
            something only beside the others of its batch. A batch that weighs 0 is a step with a gradient of 0.
        class_weight : dict of int to float, or "balanced"
            How much the samples of a class count, where t holds integer classes; 1 for a class it does not name.
            ``"balanced"`` gives each class that occurs the same sum, n in all. Multiplied with `sample_weight`. A dict
            does for batches too.
        metrics : sequence of str or callable
            ``"accuracy"``, ``"r2"``, or functions of (t, a), known by their ``__name__``: what the history records at
            the end of every epoch, of the training data and, with ``val_`` before the name, of the validation data. It
            takes a prediction of all of them. Of data in batches there are none.
        early_stopping : EarlyStopping or None
            When to end before the last epoch.
        callbacks : sequence of callable
            Each is called with a `State` at the end of every epoch, or after every ``every_steps`` steps where it has
            that attribute; True ends the run. What one raises ends the run too, and reaches the caller. A method
            ``begin(trainer, x, t, until_epoch)``, where it has one, is called before the first step; x and t are None
            for data in batches.
        progress : bool
            Whether to show a bar, by tqdm.
        checkpoint : path-like
            A file to which the trainer is saved again and again, at the end, and when Ctrl-C stops the training. After
            that, or a crash, ``Trainer.load(checkpoint).fit(x, t, until_epoch=...)`` goes on to the same bits.
        checkpoint_every, checkpoint_every_steps : int or None
            After how many epochs and after how many steps, counted from the trainer's birth.

        Returns
        -------
        History
            Of the epochs of this call: fewer than asked for where it was stopped, or where an optimizer that takes all
            samples in each step (`LBFGS`, `LevenbergMarquardt`) finds nothing lower.

        Raises
        ------
        TypeError
            An array does not hold real numbers, or an argument is of the wrong type; more than one epoch is to come
            from an iterator.
        ValueError
            Shapes or values do not fit, a number is not finite, or there are no samples. Of a batch the message begins
            with its number, as ``batch 17: x``; the steps before it are done.
        MemoryError
            The normal equations of `LevenbergMarquardt` do not fit in memory.
        FloatingPointError
            A step's loss, gradient or parameters are not finite, and `on_nonfinite` is ``"raise"``. The network and the
            trainer are as they were before that step.
        RuntimeError
            Another thread is training or reading the network.
        OSError
            The checkpoint cannot be written. The former one stands; the network and the trainer can go on.
        ModuleNotFoundError
            `progress` is True and tqdm is not there; or the optimizer is `LBFGS` and SciPy is not.
        KeyboardInterrupt
            Ctrl-C, after a whole step. The network and the trainer can go on: another `fit` with the same samples
            finishes the epoch.
        """
        if epochs is not None and until_epoch is not None:
            raise TypeError("epochs and until_epoch are both given; give one of them")
        first = self.epoch
        if until_epoch is None:
            end = first + whole_number(1 if epochs is None else epochs, "epochs", 0)
        else:
            end = whole_number(until_epoch, "until_epoch", 0)
        end, measures = min(end, NEVER), resolve_metrics(metrics)
        if t is None:
            way, data = self._through_batches(x, validation_data, sample_weight, class_weight, measures, end - first)
        else:
            way, data = self._through_arrays(x, t, validation_data, sample_weight, class_weight)
        names = ["loss", "val_loss"] if way.validates else ["loss"]
        names += [prefix + name for prefix in data for name in measures]
        checkpoints = Checkpoints(self, checkpoint, checkpoint_every, checkpoint_every_steps)
        stopper = _stopper(early_stopping, names, self._network, self._seen)
        policy = NonFinite(self._on_nonfinite)
        watch = Watch(
            resolve_callbacks(callbacks),
            stopper,
            Progress(truth(progress, "progress"), first, end),
            every_epoch=bool(measures) or self._is_scheduled,
        )
        watch.begin(self, data.get(""), end)
        self._seen = None if stopper is None else stopper.seen
        try:
            while self.epoch < end and not watch.stopped and not way.done:
                checkpoints.save_where_due()
                self._run(way, data, measures, watch, checkpoints, policy, end)
            watch.finish()
            self._seen = None
            checkpoints.save()
        finally:
            watch.close()
        return self._history_since(first)

    def _run(
        self,
        way: Way,
        data: dict[str, Data],
        measures: dict[str, Metric],
        watch: Watch,
        checkpoints: Checkpoints,
        policy: NonFinite,
        end: int,
    ) -> None:
        """Train up to the next pause, at most an epoch where something changes or looks on after every epoch."""
        before = self.epoch
        stop = checkpoints.next_stop(*watch.next_pause(before, self.step_count, end))
        if self._is_scheduled:
            self._core.set_learning_rate(cast(float, self.learning_rate))
        try:
            try:
                policy.run(lambda finite: way.run(*stop, finite))
            except KeyboardInterrupt:  # not where one comes later, to an epoch whose metrics are yet to be taken
                checkpoints.save()
                raise
            finally:
                if self.epoch > before and way.validates:
                    self._validated = self.epoch
            if self.epoch > before and measures:
                self._metrics.record(self.epoch - 1, self._measured(data, measures))
        finally:  # before anything of the user's may raise again: a fit that goes on must not miss an epoch
            if self.epoch > before:
                watch.heed(self._latest())
        if not way.done or self.epoch > before:
            watch.look(self._state(), self._latest(), self.epoch > before)

    def _measured(self, data: dict[str, Data], measures: dict[str, Metric]) -> dict[str, float]:
        outputs = {prefix: (each.t, self._network.predict(each.x)) for prefix, each in data.items()}
        return {prefix + name: float(of(*outputs[prefix])) for prefix in data for name, of in measures.items()}

    def _through_arrays(
        self,
        x: ArrayLike | Batches,
        t: ArrayLike,
        validation_data: Any,
        sample_weight: ArrayLike | None,
        class_weight: ClassWeight | None,
    ) -> tuple[Way, dict[str, Data]]:
        """Return the way through arrays, and the data that metrics are of by the prefix of their names."""
        _, rows, targets = samples_for(self._network, cast(ArrayLike, x), t, self._loss, one_allowed=False)
        weights = weights_of_samples(sample_weight, class_weight, targets, self._network.sizes[-1])
        finite = self._on_nonfinite == "raise"
        data = {"": Data(rows, targets, self._core.check(rows, targets, weights, "", finite))}
        if validation_data is not None:
            data["val_"] = self._held_out(validation_data)
        return way_through_arrays(self, data[""], data.get("val_")), data

    def _through_batches(
        self,
        batches: object,
        validation_data: Any,
        sample_weight: ArrayLike | None,
        class_weight: ClassWeight | None,
        measures: dict[str, Metric],
        epochs: int,
    ) -> tuple[Way, dict[str, Data]]:
        """Return the way through an iterable of batches, and what metrics can be of: validation data in arrays."""
        found = batches_for(batches, "x", epochs)
        if self._method is not None:
            raise ValueError(
                f"optimizer is {self._optimizer!r}, each step of which takes all samples; it needs x and t as arrays "
                "(a numpy.memmap is read in place)"
            )
        if sample_weight is not None:
            raise ValueError("sample_weight is given, but the data come in batches; give each as (x, t, weight)")
        if isinstance(class_weight, str) and class_weight == "balanced":
            raise ValueError("class_weight is 'balanced', but the data come in batches; it must be a dict, or None")
        data: dict[str, Data] = {}
        held_out: _core.Samples | Batches | None = None
        if validation_data is not None and are_batches(validation_data):
            held_out = batches_for(validation_data, "validation_data", epochs)
        elif validation_data is not None:
            data["val_"] = self._held_out(validation_data)
            held_out = data["val_"].samples
        if measures and not data:
            raise ValueError(
                f"metrics is {shown(list(measures))}, but the data come in batches; metrics are of arrays: give "
                "validation_data as a pair (x, t), or leave them out"
            )
        return ByBatches(self, found, held_out, class_weight), data

    def _latest(self) -> dict[str, float]:
        """Return the numbers of the last epoch completed."""
        return {
            name: values[-1] for name, values in self._history_since(max(self.epoch - 1, 0)).history.items() if values
        }

    def _state(self) -> State:
        latest = self._latest()
        metrics = MappingProxyType(self._metrics.of_epoch(self.epoch - 1))
        return State(self.epoch, self.step_count, self._core.epoch_loss, latest.get("val_loss"), metrics, self._network)

    def _held_out(self, validation_data: Any) -> Data:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise TypeError("validation_data must be a pair of arrays, (x, t)")
        x, t = validation_data
        names = ("validation_data x", "validation_data t")
        _, rows, targets = samples_for(self._network, x, t, self._loss, names=names, one_allowed=False)
        finite = self._on_nonfinite == "raise"
        return Data(rows, targets, self._core.check(rows, targets, None, "validation_data ", finite))

    def step(self, x: ArrayLike, t: ArrayLike) -> float:
        """Take one step on one minibatch.

        Parameters
        ----------
        x : array_like, shape (n, fan_in) or (fan_in,)
            Samples, or one.
        t : array_like, shape (n, fan_out) or (fan_out,)
            Targets; for ``softmax_cross_entropy`` also integer classes, (n,) or a scalar.

        Returns
        -------
        float
            E of these samples before the step.

        Raises
        ------
        TypeError, ValueError, FloatingPointError, RuntimeError
            As for `fit`; the network is then as it was.
        """
        _, rows, targets = samples_for(self._network, x, t, self._loss)
        if self._is_scheduled:
            self._core.set_learning_rate(cast(float, self.learning_rate))
        policy = NonFinite(self._on_nonfinite)
        if self._method is not None:
            finite = self._on_nonfinite == "raise"
            steps = whole_batch(self, self._method, self._core.check(rows, targets, None, "", finite))
            return policy.run(steps.step)
        return policy.run(lambda finite: self._core.step(rows, targets, None, finite))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trainer and its network to a file, in the safetensors format: all that a resumed run needs.

        The file appears whole or not at all: what was there stands until the new one is on the disk.

        Parameters
        ----------
        path : path-like
            By custom with the ending ``.safetensors``.

        Raises
        ------
        TypeError
            `path` is not a path, or an argument of the trainer is something that no file can hold.
        ValueError
            A parameter is not finite, there are thousands of layers, or two functions of your own have one name.
        OSError
            The folder is missing or read-only, the disk is full, and so on.
        RuntimeError
            Another thread is training the network.
        """
        from . import io

        io.save_trainer(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], custom: Mapping[str, Definition] | None = None) -> Self:
        """Return the trainer of a file, with a network of its own.

        With the same samples it goes on to the same bits as the one that was saved, also from within an epoch, on
        another machine and with another number of threads.

        Parameters
        ----------
        path : path-like
            A file that `save` or a checkpoint of `fit` wrote; one from a stranger is safe to load.
        custom : mapping of str to Activation or Loss, optional
            What the names stand for that activations and losses of your own have in the file.

        Returns
        -------
        Trainer

        Raises
        ------
        TypeError
            `path` is not a path, or `custom` not such a mapping.
        ValueError
            The file is not one that `save` writes, or `custom` lacks a name of it: the message says what was found and
            what must be there.
        OSError
            It cannot be read.

        Examples
        --------
        >>> import os, tempfile, numpy as np, backpropc as bp
        >>> trainer = bp.Trainer(bp.Network([8, 3, 8], seed=0), optimizer=bp.Adam(), batch_size=3, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "run.safetensors")
        ...     history = trainer.fit(np.eye(8), np.eye(8), epochs=5, checkpoint=path)
        ...     resumed = bp.Trainer.load(path)
        >>> resumed.fit(np.eye(8), np.eye(8), until_epoch=20).epoch[0], resumed.epoch
        (5, 20)
        """
        from . import io

        return io.load_trainer(cls, path, custom)

    def _history_since(self, first: int) -> History:
        history = {"loss": self._core.losses_from(first)}
        if self._validated > first:
            history["val_loss"] = self._core.validation_losses_from(first)
        for name, values in self._metrics.since(first, self.epoch).items():
            history[name] = values.tolist()
        return History(list(range(first, self.epoch)), history)
