"""Many networks of one shape, trained side by side: seeds, learning rates, folds, ensembles."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from . import _core
from ._arguments import (
    FloatArray,
    network_dtype,
    one_for_each,
    quick_array,
    real_array,
    seed_value,
    shape_error,
    shown,
    truth,
    whole_number,
)
from ._checkpoints import NEVER
from ._files import check_writable, file_name
from ._folds import folds_for
from ._members import (
    ARGUMENTS,
    Lanes,
    States,
    Work,
    as_wide,
    has_custom,
    in_groups,
    make_members,
    refuse_not_finite,
    train_alone,
)
from ._samples import samples_for
from ._weights import ClassWeight
from .definitions import LOSS, Definition
from .history import History
from .layers import Dense, plan_layers
from .monitoring import Callback, EarlyStopping, Metric, Progress, resolve_early_stopping
from .network import Network
from .schedules import Schedules
from .training import Trainer

if TYPE_CHECKING:
    import os

    from typing_extensions import Self

    from ._cluster import Cluster, Part

    Seeds = int | np.random.Generator | ArrayLike | None


# What `fit` and `resume` do not keep.
PASSED_ON = (
    "x",
    "t",
    "checkpoint",
    "checkpoint_every",
    "progress",
    "rows",
    "validation_rows",
    "client",
    "validation_data",
    "sample_weight",
    "class_weight",
    "metrics",
    "early_stopping",
    "callbacks",
)


class Column(NamedTuple):
    """The numbers of one name in a history."""

    values: FloatArray  # (n, epochs)
    has: FloatArray  # which networks have such numbers at all


class PopulationHistory:
    """What a population's run recorded: a `History` for each network, and all of them as arrays.

    Attributes
    ----------
    history : dict of str to ndarray, shape (n, epochs)
        ``"loss"``, ``"val_loss"`` where there were validation data, and the metrics; nan after a network's last epoch.
    loss, val_loss : ndarray, shape (n, epochs)
        The same arrays; ``val_loss`` has no columns where there were no validation data.
    """

    def __init__(self, first: FloatArray, lengths: FloatArray, columns: dict[str, Column]) -> None:
        self._first, self._lengths, self._columns = first, lengths, columns
        self.history = {name: column.values for name, column in columns.items()}

    @overload
    def __getitem__(self, index: int) -> History: ...
    @overload
    def __getitem__(self, index: slice) -> list[History]: ...
    def __getitem__(self, index: int | slice) -> History | list[History]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = whole_number(index, "index", -NEVER)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index is {shown(index)}; it must be at least {-len(self)} and below {len(self)}")
        first, length = int(self._first[index]), int(self._lengths[index])
        own = {name: column.values[index, :length] for name, column in self._columns.items() if column.has[index]}
        return History(list(range(first, first + length)), {name: values.tolist() for name, values in own.items()})

    def __len__(self) -> int:
        return len(self._first)

    def __iter__(self) -> Iterator[History]:
        return (self[i] for i in range(len(self)))

    @property
    def loss(self) -> FloatArray:
        """Training loss of each network and epoch."""
        return self.history["loss"]

    @property
    def val_loss(self) -> FloatArray:
        """Validation loss of each network and epoch."""
        return self.history.get("val_loss", np.empty((len(self), 0)))

    def last(self, name: str) -> FloatArray:
        """Return each network's last number.

        Parameters
        ----------
        name : str
            A name of the history.

        Returns
        -------
        ndarray, shape (n,)
            nan where a network has no such number.
        """
        if not isinstance(name, str):
            raise TypeError(f"name is {shown(name)}; it must be a str")
        last = np.full(len(self), np.nan)
        if name in self._columns:
            column = self._columns[name]
            some = np.flatnonzero(column.has & (self._lengths > 0))
            last[some] = column.values[some, self._lengths[some] - 1]
        return last

    def __repr__(self) -> str:
        epochs = self.loss.shape[1] if self.history else 0
        return f"PopulationHistory({len(self)} networks, {epochs} epochs)"


class Population:
    """Networks of one shape, trained side by side: a network to each lane of the processor's vectors.

    Network i is bit for bit the one that `Network` makes with seed + i, and after `fit` the one that `Trainer` makes
    of it with the same arguments and seed + i: for any n, on any machine, with any number of threads. Together they
    learn several times as fast as one after the other; networks so large that one keeps a core busy are trained one
    after the other.

    Parameters
    ----------
    layers, activation, output_activation, initializer, bias_initializer, dtype
        As for `Network`.
    n : int
        How many networks, at least 1.
    seed, rng : None, int, numpy.random.Generator, or array_like of int, shape (n,)
        Network i begins as ``Network(..., seed=seed + i)``, or with seed[i].

    Attributes
    ----------
    parameters : ndarray, shape (n, n_parameters)
        The parameters of each network in a row, as in `Network.parameters`; writing to it changes the networks.
    seeds : ndarray of uint64, shape (n,)
        The networks' seeds.
    diverged : ndarray of bool, shape (n,)
        Whether a network's loss became infinite or nan in the last run: it is as it was before that step.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        As for `Network`, or seeds are not one for each network.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> pop = bp.Population([8, 3, 8], n=100, seed=0)
    >>> rates = np.geomspace(0.01, 3, 100)
    >>> history = pop.fit(np.eye(8), np.eye(8), optimizer=bp.SGD(rates), batch_size=1, epochs=500)
    >>> history.loss.shape, pop.predict(np.eye(8)).shape
    ((100, 500), (100, 8, 8))
    >>> pop.best()
    Network(8 → 3 logistic → 8 logistic, float32, 59 parameters)
    """

    def __init__(
        self,
        layers: Sequence[int] | Sequence[Dense],
        n: int,
        activation: str | Definition | None = None,
        output_activation: str | Definition | None = None,
        *,
        seed: Seeds = None,
        rng: Seeds = None,
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
        count = whole_number(n, "n", 1)
        self._adopt(Network._of_zeros(plans, network_dtype(dtype)), _seeds(seed, rng, count))
        for index, plan in enumerate(plans):
            _core.initialize_rows(
                self._shape._core,
                self._parameters,
                index,
                self.seeds,
                plan.initializer._choice,
                plan.bias_initializer._choice,
            )
        kept = np.ones(self.n_parameters, np.bool_)
        for layer, (w, _) in zip(self._shape.layers, self._shape._split(kept), strict=True):
            if layer.mask is not None:
                w[...] = layer.mask
        self._parameters[:, ~kept] = 0

    def _adopt(self, shape: Network, seeds: FloatArray) -> None:
        """Become a population of zeros."""
        self._shape, self.seeds = shape, seeds
        size = len(seeds) * shape.n_parameters * shape.dtype.itemsize
        try:
            self._parameters = np.zeros((len(seeds), shape.n_parameters), shape.dtype)
        except (MemoryError, ValueError):
            raise MemoryError(f"cannot allocate {size} bytes for {len(seeds)} networks") from None
        self._run: Run | None = None

    @property
    def parameters(self) -> FloatArray:
        """Each network's parameters in a row: the population's own memory."""
        return self._parameters

    @parameters.setter
    def parameters(self, value: ArrayLike) -> None:
        from .layers import write_into

        write_into(self._parameters, value, "parameters")

    @property
    def n(self) -> int:
        """Number of networks."""
        return len(self.seeds)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of units, from the input to the output."""
        return self._shape.sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._shape.dtype

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of one network."""
        return self._shape.n_parameters

    @property
    def diverged(self) -> FloatArray:
        """Which networks ended the last run with a loss that is not finite."""
        return np.zeros(self.n, np.bool_) if self._run is None else self._run.states.diverged.copy()

    @property
    def history(self) -> PopulationHistory:
        """All epochs of the last run, also those of a `fit` that was interrupted."""
        first = np.zeros(self.n, np.int64)
        if self._run is None:
            return PopulationHistory(first, first, {"loss": Column(np.empty((self.n, 0)), np.ones(self.n, np.bool_))})
        return self._run.history(first)

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | FloatArray) -> Population: ...
    def __getitem__(self, index: Any) -> Network | Population:
        """Return one network, or a population of some; either of its own memory."""
        if isinstance(index, (int, np.integer)) and not isinstance(index, (bool, np.bool_, np.timedelta64)):
            if not -self.n <= index < self.n:
                raise IndexError(f"index is {shown(index)}; it must be at least {-self.n} and below {self.n}")
            network = self._shape.copy()
            network.parameters[:] = self._parameters[index]
            return network
        try:
            chosen = np.arange(self.n)[index if isinstance(index, slice) else np.asarray(index)]
        except (IndexError, TypeError, ValueError) as error:
            raise type(error)(f"index is {shown(index)}: {error}") from None
        if chosen.ndim != 1 or len(chosen) == 0:
            raise IndexError(f"index is {shown(index)}; it must choose at least one of {self.n} networks")
        some = type(self).__new__(type(self))
        some._adopt(self._shape.copy(), self.seeds[chosen])
        some._parameters[:] = self._parameters[chosen]
        return some

    def __iter__(self) -> Iterator[Network]:
        return (self[i] for i in range(self.n))

    def __repr__(self) -> str:
        return f"Population({self.n} of {self._shape!r})"

    def copy(self) -> Population:
        """Return a population of its own memory with the same networks, which has not been in a run."""
        return self[:]

    def __copy__(self) -> Population:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Population:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._shape, self.seeds, self._parameters)

    def predict(self, x: ArrayLike) -> FloatArray:
        """Return every network's output.

        Parameters
        ----------
        x : array_like, shape (samples, fan_in) or (fan_in,)
            Samples, or one.

        Returns
        -------
        ndarray, shape (n, samples, fan_out) or (n, fan_out)
            ``predict(x)[i]`` is bit for bit ``population[i].predict(x)``.

        Raises
        ------
        TypeError, ValueError
            As for `Network.predict`.
        """
        rows = quick_array(x, "x", self.dtype)
        fan_in = self.sizes[0]
        if not 0 < rows.ndim <= 2 or rows.shape[-1] != fan_in:
            raise shape_error("x", rows.shape, f"(n, {fan_in}), or ({fan_in},) for one sample")
        if has_custom(self._shape):
            return np.stack([network.predict(rows) for network in self])
        out = _core.predict_all(self._shape._core, self._parameters, rows if rows.ndim == 2 else rows[np.newaxis])
        return out if rows.ndim == 2 else out[:, 0]

    def mean_predict(self, x: ArrayLike) -> FloatArray:
        """Return the mean of the networks' outputs: the prediction of an ensemble.

        Parameters
        ----------
        x : array_like, shape (samples, fan_in) or (fan_in,)
            Samples, or one.

        Returns
        -------
        ndarray, shape (samples, fan_out) or (fan_out,)
            Added up in float64, in the networks' order.

        Raises
        ------
        TypeError, ValueError
            As for `Network.predict`.
        """
        at_a_time = max(1, 2**22 // (real_array(x, "x").size + self.sizes[-1]))
        total = 0.0
        for first in range(0, self.n, at_a_time):
            for one in self[first : first + at_a_time].predict(x):
                total = total + one.astype(np.float64)
        return np.asarray(total / self.n).astype(self.dtype)

    def loss(self, x: ArrayLike, t: ArrayLike, loss: str | Definition = "half_squared_error") -> FloatArray:
        """Return every network's loss E.

        Parameters
        ----------
        x, t, loss
            As for `Network.loss`.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        TypeError, ValueError
            As for `Network.loss`.
        """
        definition = LOSS.resolve(loss, "loss")
        _, rows, targets = samples_for(self._shape, x, t, definition)
        refuse_not_finite(self._parameters)
        if has_custom(self._shape, definition):
            return np.array([network.loss(x, t, definition) for network in self])
        like = Trainer(self._shape, definition, "Adam", seed=0)
        samples = like._core.check(rows, targets)
        return _core.losses_of_all(self._shape._core, self._parameters, samples, definition._choice)

    @overload
    def best(self, k: None = None, *, by: str | ArrayLike | None = None) -> Network: ...
    @overload
    def best(self, k: int, *, by: str | ArrayLike | None = None) -> Population: ...
    def best(self, k: int | None = None, *, by: str | ArrayLike | None = None) -> Network | Population:
        """Return the network of the least loss, or a population of the k best, the best first.

        Parameters
        ----------
        k : int or None
            How many, at least 1 and at most n; None for the best alone.
        by : str, array_like of shape (n,), or None
            A name of the history, whose last number counts, or a number for each network: the least is the best, nan
            the worst. None is ``"val_loss"`` where the last run had validation data, or else ``"loss"``.

        Returns
        -------
        Network or Population
            Of its own memory.

        Raises
        ------
        ValueError
            There was no run and no numbers are given, or an argument is out of its range.
        """
        count = 1 if k is None else whole_number(k, "k", 1)
        if count > self.n:
            raise ValueError(f"k is {shown(count)}; it must be at most {self.n}, as many as there are networks")
        order = np.argsort(self._scores(by), kind="stable")[:count]
        return self[int(order[0])] if k is None else self[order]

    def _scores(self, by: str | ArrayLike | None) -> FloatArray:
        if by is None or isinstance(by, str):
            history = self.history
            if not any(history.last("loss") == history.last("loss")):
                raise ValueError("by is a name of the history, but there was no run; fit first, or give numbers")
            name = by if by is not None else "val_loss" if history.val_loss.size else "loss"
            if name not in history.history:
                raise ValueError(f"by is {name!r}; it must be one of: {', '.join(history.history)}, or numbers")
            return history.last(name)
        with np.errstate(over="ignore"):  # what is too large for float64 is infinite
            scores = real_array(by, "by").astype(np.float64)
        if scores.shape != (self.n,):
            raise shape_error("by", scores.shape, f"({self.n},): a number for each network")
        return scores

    def fit(
        self,
        x: ArrayLike,
        t: ArrayLike | None = None,
        loss: Any = "half_squared_error",
        optimizer: Any = None,
        epochs: int | None = None,
        batch_size: Any = 32,
        shuffle: Any = True,
        seed: Seeds = None,
        rng: Seeds = None,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        rows: Sequence[ArrayLike] | FloatArray | None = None,
        validation_rows: Sequence[ArrayLike] | FloatArray | None = None,
        l1: Any = 0.0,
        l2: Any = 0.0,
        dropout: Any = 0.0,
        input_dropout: Any = 0.0,
        clip_value: Any = None,
        clip_norm: Any = None,
        max_norm: Any = None,
        schedule: str | Schedules | Sequence[Schedules] | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        metrics: Sequence[str | Metric] = (),
        early_stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 1,
        client: Any = None,
        *,
        until_epoch: int | None = None,
    ) -> PopulationHistory:
        """Train every network, as a `Trainer` of its own with these arguments and its seed would.

        Parameters
        ----------
        x, t, validation_data, sample_weight, class_weight, metrics, early_stopping, callbacks
            As for `Trainer.fit`, the same for all; x and t are arrays, not batches. Early stopping ends each network by
            itself. With metrics or callbacks the networks are trained one after another.
        epochs, until_epoch : int
            How many epochs to train, 1 unless one of these is given. They are the same here, since each `fit` begins a
            new run; `resume` goes on with one.
        rows : sequence of n array_like of int, or None
            Which samples each network learns from: network i from x[rows[i]] and t[rows[i]], as the folds of a
            cross-validation or bootstrap samples are. None is all samples.
        validation_rows : sequence of n array_like of int, or None
            Which of the validation data each network is validated on; None is all.
        loss, optimizer, batch_size, shuffle, clip_value, clip_norm, max_norm, schedule, input_dropout
            As for `Trainer`; or a sequence of n, one for each network. An optimizer may have arrays of n for its
            numbers, as ``bp.SGD(rates)``. With clip_norm or max_norm they are trained one after another.
        l1, l2, dropout
            Likewise: n numbers are one for each network, n rows of numbers for its layers. Any other sequence is one
            of numbers for the layers, the same for all.
        seed, rng : None, int, numpy.random.Generator, or array_like of int, shape (n,)
            Of the orders of samples and of dropout: network i's is seed + i, or seed[i]; None is the networks' own.
        progress : bool
            Whether to show a bar that counts all networks' epochs, by tqdm.
        checkpoint : path-like
            A file to which population and run are saved, after every `checkpoint_every` epochs, at the end and when
            Ctrl-C stops the training: ``Population.load(checkpoint).resume(x, t)`` goes on to the same bits.
        checkpoint_every : int
            After how many epochs.
        client : dask.distributed.Client or None
            Trains parts of the population on its workers, which must have this version of backpropc: to the same bits,
            however many there are, and also where some die. Their epochs are shown and saved as parts come back, and
            after Ctrl-C `resume` goes on with those that did not. Callbacks are refused.

        Returns
        -------
        PopulationHistory
            Of the epochs of this call.

        Raises
        ------
        TypeError, ValueError, OSError, ModuleNotFoundError
            As for `Trainer.fit`, or an argument is neither one value nor n; TypeError also where x is an iterable of
            batches, or there is no t.
        RuntimeError
            Another thread is training the population.
        KeyboardInterrupt
            Ctrl-C, after whole steps. `resume` goes on.

        Warns
        -----
        RuntimeWarning
            A loss, gradient or parameter of some networks was not finite: `diverged` tells which. They are as they were
            before that step, and the others have gone on.

        Notes
        -----
        A network of which a number is not finite has ended there, as by ``on_nonfinite="raise"`` of `Trainer`: with the
        parameters before that step, to the bit. Only does it not end the call, which warns once for all such networks.
        `Trainer`'s other policies, ``"warn"`` and ``"ignore"``, go on with numbers that mean nothing, and there is no
        argument for them here.
        """
        given = locals()
        _require_arrays(x, t)
        if epochs is not None and until_epoch is not None:
            raise TypeError("epochs and until_epoch are both given; give one of them")
        arguments = {name: given[name] for name in ARGUMENTS}
        seeds = self.seeds if seed is None and rng is None else _seeds(seed, rng, self.n)
        until = (
            whole_number(1 if epochs is None else epochs, "epochs", 0)
            if until_epoch is None
            else whole_number(until_epoch, "until_epoch", 0)
        )
        run = Run(self, arguments, seeds, until)
        return self._go(run, **{name: given[name] for name in PASSED_ON})

    def resume(
        self,
        x: ArrayLike,
        t: ArrayLike | None = None,
        *,
        until_epoch: int | None = None,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        rows: Sequence[ArrayLike] | FloatArray | None = None,
        validation_rows: Sequence[ArrayLike] | FloatArray | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        metrics: Sequence[str | Metric] = (),
        early_stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 1,
        client: Any = None,
    ) -> PopulationHistory:
        """Go on with the last `fit`, that was interrupted or loaded, with its settings, to the same bits.

        Parameters
        ----------
        x, t, validation_data, rows, validation_rows, sample_weight, class_weight, metrics, early_stopping, callbacks, \
        progress
            As for `fit`, and the same as then.
        until_epoch : int or None
            The epoch since the run's birth up to whose end to train; None is the one that `fit` was to reach.
        checkpoint, checkpoint_every, client
            As for `fit`.

        Returns
        -------
        PopulationHistory
            Of the epochs of this call.

        Raises
        ------
        ValueError
            There is no run to go on with.
        TypeError, ValueError, OSError, ModuleNotFoundError, RuntimeError, KeyboardInterrupt
            As for `fit`.
        """
        given = locals()
        if self._run is None:
            raise ValueError("there is no run to go on with; fit first, or load a checkpoint")
        _require_arrays(x, t)
        if until_epoch is not None:
            self._run.until = whole_number(until_epoch, "until_epoch", 0)
        return self._go(self._run, **{name: given[name] for name in PASSED_ON})

    def _go(
        self,
        run: Run,
        x: Any,
        t: Any,
        checkpoint: Any,
        checkpoint_every: int,
        progress: bool,
        rows: Any,
        validation_rows: Any,
        client: Any,
        **data: Any,
    ) -> PopulationHistory:
        training = [threading.get_ident()]
        if vars(self).setdefault("_training", training) is not training:  # asked and set at once
            raise RuntimeError("population: another thread is training it already; train a copy (population.copy())")
        try:
            resolve_early_stopping(data["early_stopping"])
            cluster = None if client is None else _cluster_of(client)
            if run is not self._run:  # those that diverged in a run do not keep the others from going on
                refuse_not_finite(self._parameters)
            folds = folds_for(x, data["validation_data"], rows, validation_rows, self.n)
            work = Work(x, t, min(run.until, NEVER), folds, **data)
            first = run.states.epochs.copy()
            saves = Saves(self, run, checkpoint, whole_number(checkpoint_every, "checkpoint_every", 1))
            done = int(first.sum())
            bar = Progress(truth(progress, "progress"), done, work.until * self.n)
            pace = Pace(bar, done, saves)
            work.shown, work.pause, work.at_pause = pace.show, pace.pause, saves.save_where_due
            self._run = run
            try:
                if cluster is None:
                    run.train(work, saves)
                else:
                    cluster.train(run, work, saves)
            finally:
                bar.close()
        finally:
            del vars(self)["_training"]
        run.warn()
        return run.history(first)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the population, and its last run, to a file in the safetensors format.

        Parameters
        ----------
        path : path-like
            By custom with the ending ``.safetensors``. The file appears whole or not at all.

        Raises
        ------
        TypeError
            `path` is not a path, or an argument of the run is something that no file can hold.
        ValueError
            There are too many different arguments for a file's header; parameters are not finite, or not 0 where a mask
            leaves a weight out.
        OSError
            The folder is missing or read-only, the disk is full, and so on.
        RuntimeError
            Another thread is training the networks.
        """
        from . import _population_files

        if vars(self).get("_training", [threading.get_ident()]) != [threading.get_ident()]:
            raise RuntimeError("population: another thread is training it; save it afterwards, or by checkpoint=...")
        _population_files.save_population(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], custom: Mapping[str, Definition] | None = None) -> Self:
        """Return the population of a file, with its run, that `resume` goes on with to the same bits.

        Parameters
        ----------
        path : path-like
            A file that `save` or a checkpoint of `fit` wrote; one from a stranger is safe to load.
        custom : mapping of str to Activation or Loss, optional
            What the names stand for that activations and losses of your own have in the file.

        Returns
        -------
        Population

        Raises
        ------
        TypeError
            `path` is not a path.
        ValueError
            The file is not one that `save` writes: the message says what was found and what must be there.
        OSError
            It cannot be read.
        """
        from . import _population_files

        return _population_files.load_population(cls, path, custom)


class Run:
    """The settings of a population's last `fit`, and where its members stand."""

    def __init__(self, population: Population, arguments: dict[str, Any], seeds: FloatArray, until: int) -> None:
        self._population = population
        self.arguments, self.seeds, self.until = arguments, seeds, until
        self.members = make_members(population._shape, population.n, arguments)
        self.states = States.fresh(self.members)
        self.lanes: Lanes | None = None  # of the group that is being trained

    @property
    def shape(self) -> Network:
        """A network as those of the population are, but for its parameters."""
        return self._population._shape

    def train(self, work: Work, saves: Saves) -> None:
        """Train all members."""
        try:
            self.train_here(work)
            saves.save()
        except KeyboardInterrupt:
            saves.save()
            raise

    def train_here(self, work: Work) -> None:
        """Train all members in this process, group by group."""
        population = self._population
        try:
            for shares_lanes, group in in_groups(self.members, population._shape, work):
                if shares_lanes:
                    self._train_in_lanes(group, work)
                else:
                    self._train_one_by_one(group, work)
        finally:
            if work.validation_data is not None:
                self.states.validated = self.states.epochs.copy()

    def part(self, some: FloatArray, work: Work) -> Part:
        """Return some members, to be trained elsewhere."""
        from ._cluster import Part

        own = list(self.members.some(some))
        arguments: dict[str, Any] = {name: [member.arguments[name] for member in own] for name in own[0].arguments}
        return Part(
            shape=self.shape,
            parameters=self._population._parameters[some],
            seeds=self.seeds[some],
            arguments={**arguments, "optimizer": [member.optimizer for member in own]},
            until=work.until,
            states=self.states.part(some),
            folds=None if work.folds is None else work.folds.part(some),
        )

    def take(self, some: FloatArray, parameters: FloatArray, states: States) -> None:
        """Take in members that were trained elsewhere."""
        self._population._parameters[some] = parameters
        self.states.put(some, states, self._population._parameters)

    def _train_in_lanes(self, group: FloatArray, work: Work) -> None:
        population = self._population
        self.lanes = Lanes(population._shape, self.members, group, self.seeds, self.states, work.folds)
        try:
            fallen = self.lanes.train(population._parameters, work)
        finally:
            self.lanes = None
        self._train_one_by_one(fallen, work)

    def _train_one_by_one(self, group: FloatArray, work: Work) -> None:
        population = self._population
        for i in group.tolist():
            if self.states.ended[i] or self.states.epochs[i] >= work.until:
                continue
            network = population[i]
            try:
                train_alone(network, self.members[i], i, int(self.seeds[i]), self.states, work)
            finally:
                population._parameters[i] = network.parameters
            work.at_pause()

    def history(self, first: FloatArray) -> PopulationHistory:
        """Return what was recorded from those epochs on."""
        states, n = self.states, len(first)
        lengths = np.maximum(states.epochs - first, 0)
        columns = {"loss": Column(_rows_from(states.losses, first, lengths), np.ones(n, np.bool_))}
        validated = states.validated > first
        if validated.any():
            table = as_wide(states.val_losses, states.losses.shape[1], np.nan)
            columns["val_loss"] = Column(_rows_from(table, first, lengths), validated)
        any_measured = any(measured.names for measured in set(states.metrics))
        for i, measured in enumerate(states.metrics if any_measured else ()):
            for name, values in measured.since(int(first[i]), int(states.epochs[i])).items():
                if name not in columns:
                    columns[name] = Column(np.full((n, lengths.max()), np.nan), np.zeros(n, np.bool_))
                columns[name].values[i, : len(values)] = values
                columns[name].has[i] = True
        return PopulationHistory(first, lengths, columns)

    def warn(self) -> None:
        """Tell of members that diverged."""
        bad = np.flatnonzero(self.states.diverged)
        if len(bad):
            some = ", ".join(map(str, bad[:5].tolist())) + (", …" if len(bad) > 5 else "")
            warnings.warn(
                f"the loss of {len(bad)} of {self._population.n} networks was not finite ({some}; see diverged): they "
                "are as they were before that step. Most often the learning rate is too large",
                RuntimeWarning,
                stacklevel=4,
            )


class Saves:
    """The checkpoints of a run."""

    def __init__(self, population: Population, run: Run, path: object, every: int) -> None:
        self._population, self._run, self.every = population, run, every
        self._path = None if path is None else file_name(path, "checkpoint")
        self._saved = 0
        if self._path is not None:  # what cannot be saved is refused now
            from . import _population_files

            _population_files.settings_of(run)
            check_writable(self._path)

    @property
    def is_on(self) -> bool:
        """Whether the run is to be saved at all."""
        return self._path is not None

    def save_where_due(self) -> None:
        """Save, if members have come to as many epochs as it takes."""
        if self.is_on:
            if self._run.lanes is not None:
                self._run.lanes.collect()
            epochs = int(self._run.states.epochs.sum())
            if epochs >= self._saved + self.every * self._population.n:
                self.save()
                self._saved = epochs

    def save(self) -> None:
        """Save, where the run is to be saved."""
        if self._path is not None:
            self._population.save(self._path)


class Pace:
    """How often a run pauses: for a bar some twenty times a second, for checkpoints where one is due."""

    def __init__(self, bar: Progress, done: int, saves: Saves) -> None:
        self._bar, self._done, self._saves = bar, done, saves
        self._at_a_time, self._paused = 1, time.monotonic()

    def show(self, epochs: int) -> None:
        """Count epochs that have been completed."""
        self._done += epochs
        self._bar.show(self._done, {})

    def pause(self, epoch: int) -> int:
        """Return the epoch after which to pause, being at this one."""
        now = time.monotonic()
        self._at_a_time = self._at_a_time * 2 if now < self._paused + 0.05 else 1
        self._paused = now
        every = self._saves.every
        due = (epoch // every + 1) * every if self._saves.is_on else NEVER
        return min(due, epoch + self._at_a_time if self._bar.wanted else NEVER)


def _require_arrays(x: object, t: object) -> None:
    """Refuse data that come in batches, which only a `Trainer` goes through."""
    is_array_like = isinstance(x, (np.ndarray, Sequence)) or hasattr(x, "__array__") or not isinstance(x, Iterable)
    if t is None or not is_array_like:
        found = f"x is {shown(x)}" + (", and there is no t" if t is None else "")
        raise TypeError(
            f"{found}; a population learns from two arrays, x and t (a numpy.memmap is read in place): put the batches "
            "together, or train each network by bp.Trainer, which takes an iterable of batches"
        )


def _cluster_of(client: Any) -> Cluster:
    from ._cluster import Cluster

    return Cluster.of(client)


def _seeds(seed: Seeds, rng: Seeds, n: int) -> FloatArray:
    """Return a seed for each of n networks."""
    given = seed if rng is None else rng
    several = one_for_each(given, "seed" if rng is None else "rng")
    if several is not None:
        shape = given.shape if isinstance(given, np.ndarray) else (len(several),)
        if shape != (n,):
            raise ValueError(f"seed has shape {shape}; it must be one integer, or {n}: one for each network")
        return np.array([seed_value(each) for each in several], np.uint64)
    first = seed_value(seed, rng)
    if given is not None and first + n > 2**64:
        raise ValueError(f"seed is {first}; the last network's, {shown(first + n - 1)}, must be below 2**64")
    try:
        offsets = np.arange(n, dtype=np.uint64)
    except (MemoryError, ValueError):
        raise MemoryError(f"cannot allocate {8 * n} bytes for the seeds of {shown(n)} networks") from None
    return np.uint64(first) + offsets  # modulo 2**64


def _rows_from(table: FloatArray, first: FloatArray, lengths: FloatArray) -> FloatArray:
    """Return of every row so many numbers from its first on, and nan after them, as it is in the table."""
    numbers = np.arange(lengths.max())
    if (first == first[0]).all():  # as after any run that was not interrupted
        return table[:, first[0] : first[0] + len(numbers)].copy()
    rows = np.take_along_axis(table, np.minimum(first[:, np.newaxis] + numbers, table.shape[1] - 1), axis=1)
    rows[numbers >= lengths[:, np.newaxis]] = np.nan
    return rows


def _rebuild(cls: type[Population], shape: Network, seeds: FloatArray, parameters: FloatArray) -> Population:
    population = cls.__new__(cls)
    population._adopt(shape, seeds)
    population._parameters[:] = parameters
    return population
