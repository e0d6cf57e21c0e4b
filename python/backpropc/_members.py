"""The members of a population in a run: their settings, where they stand, and how they are trained.

Members whose settings have one structure are trained side by side, a network to each lane of a vector, where that is
faster; the others one after another, each by a `Trainer`. The numbers are those of a Trainer either way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from . import _core
from ._arguments import FLOAT32, FloatArray, one_for_each, rate_for, shown
from ._checkpoints import NEVER
from ._folds import Folds
from ._samples import samples_for
from ._weights import weights_of_samples
from .custom import Custom
from .definitions import OPTIMIZER, Definition
from .history import Measured
from .monitoring import EarlyStopping, Seen, resolve_callbacks, resolve_metrics
from .schedules import Schedule, reduce_on_plateau
from .training import Trainer, check_numbers

if TYPE_CHECKING:
    from .network import Network

# The arguments of a Trainer that may differ from member to member, beside the seed; those of them that may also be a
# sequence for one member, with one number for each layer.
ARGUMENTS = (
    "loss",
    "optimizer",
    "batch_size",
    "shuffle",
    "l1",
    "l2",
    "dropout",
    "input_dropout",
    "clip_value",
    "clip_norm",
    "max_norm",
    "schedule",
)
BY_LAYER = ("l1", "l2", "dropout")

# What `States` has for each member: a number, and a row of numbers that ends in these where it is shorter than others.
COLUMNS = ("validated", "least", "waited", "ended", "diverged")
TABLES = {"optimizer": 0.0, "losses": np.nan, "val_losses": np.nan}

UNIT_BYTES = 64  # of a number of all the networks that the core takes at a time
LEAST_SHARE = 1e-30  # of a sample in E, that no float32 rounds to 0
MOST_PARAMETERS = 20_000  # with more a network fills a core by itself


def each_of(value: Any, name: str, n: int) -> list[Any] | None:
    """Return the value of an argument for each of n members; None where it is one for all.

    Raises
    ------
    ValueError
        There is neither one value nor one for each.
    """
    if isinstance(value, Definition):
        if value.several is None:
            return None
        value = value.one_by_one()
    values = one_for_each(value, name)
    if values is None or len(values) == n:
        return values
    if name in BY_LAYER:
        return None
    raise ValueError(f"{name} has {len(values)} values; it must be one for all, or {n}: one for each network")


@dataclass
class Member:
    """A member's arguments, and a trainer of the same ones but for the optimizer's numbers and the seed."""

    arguments: dict[str, Any]
    optimizer: Definition
    like: Trainer

    @property
    def steps(self) -> tuple[Any, ...]:
        """What must be equal of two members' optimizers for them to be trained side by side."""
        numbers = self.optimizer.parameters.values()
        return type(self.optimizer), *(v == 0.0 if isinstance(v, float) else v for v in numbers)

    @property
    def structure(self) -> tuple[Any, ...]:
        """What else must be equal: the same for those with the same `like`."""
        r = self.like._regularization
        return (
            self.like._loss,
            self.like.batch_size,
            self.like.shuffle,
            bool(r.l1 or r.l2),
            bool(r.dropout),
            r.clip_value < math.inf,
            self.can_share_lanes,
        )

    @property
    def shares_rates(self) -> bool:
        """Whether a schedule's rate of an epoch is that of all members like this one."""
        schedule = self.like._schedule
        return isinstance(schedule, Schedule) and not isinstance(schedule, reduce_on_plateau)

    @property
    def can_share_lanes(self) -> bool:
        """Whether lanes can do what it asks for."""
        r = self.like._regularization
        is_of_lists = self.like._method is None and not has_custom(self.like.network, self.like._loss)
        return r.clip_norm == r.max_norm == math.inf and is_of_lists


@dataclass(frozen=True)
class Members:
    """The members of a population by what they are given: each kind once, and every member's kind."""

    kinds: list[Member]
    of: FloatArray

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, member: int) -> Member:
        return self.kinds[int(self.of[member])]

    def __iter__(self) -> Iterator[Member]:
        return (self.kinds[kind] for kind in self.of.tolist())

    def some(self, members: FloatArray) -> Members:
        """Return some of them, without the kinds of the others."""
        kinds, of = np.unique(self.of[members], return_inverse=True)
        return Members([self.kinds[kind] for kind in kinds.tolist()], of)


def make_members(shape: Network, n: int, arguments: dict[str, Any]) -> Members:
    """Return every member's settings, checked as a Trainer checks them."""
    each = {name: each_of(value, name, n) for name, value in arguments.items()}
    varied = {name: values for name, values in each.items() if values is not None}
    of_key: dict[Any, Member] = {}  # the first of those that differ in nothing but the optimizer's numbers
    kinds: list[Member] = []
    number_of: dict[tuple[int, int], int] = {}
    of = np.zeros(n, np.intp)
    for i in range(n if varied else 1):
        optimizer = varied["optimizer"][i] if "optimizer" in varied else arguments["optimizer"]
        if optimizer is None:
            raise TypeError("optimizer is missing; give one, as optimizer=bp.SGD(0.1)")
        key = (type(optimizer), *(_key(values[i]) for name, values in varied.items() if name != "optimizer"))
        first = of_key.get(key)
        if first is None:
            own = {name: varied[name][i] if name in varied else value for name, value in arguments.items()}
            like = Trainer(shape, **own, seed=0)
            first = of_key[key] = Member(own, like.optimizer, like)
        number = of[i] = number_of.setdefault((id(first), id(optimizer)), len(kinds))
        if number == len(kinds):
            kinds.append(first if optimizer is first.arguments["optimizer"] else _with_optimizer(first, optimizer))
    return Members(kinds, of)


def _with_optimizer(member: Member, optimizer: Any) -> Member:
    """Return one that differs in the optimizer's numbers."""
    resolved = OPTIMIZER.resolve(optimizer, "optimizer")
    check_numbers(resolved, member.like.network.dtype)
    return Member(member.arguments, resolved, member.like)


def _key(value: Any) -> Any:
    """Return what is equal for equal values; of what has no hash and is no list, only for the same one."""
    if isinstance(value, (np.ndarray, list)):
        return value.tobytes() if isinstance(value, np.ndarray) else repr(value)
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


@dataclass
class States:
    """Where every member stands: what a file holds of a run, beside the parameters."""

    standing: dict[str, FloatArray]  # each number of every member
    optimizer: FloatArray  # (n, …) the optimizer's numbers of every member
    epochs: FloatArray  # that a member has completed
    losses: FloatArray  # (n, …) of each epoch
    val_losses: FloatArray  # (n, …) likewise, with fewer columns where there were no validation data
    metrics: list[Measured]  # one object may be several members', so copies go on
    validated: FloatArray  # epochs completed when validation data were last looked at
    least: FloatArray  # of what early stopping looks at
    waited: FloatArray  # epochs since
    best: FloatArray | None  # (n, n_parameters), where they are to be restored
    ended: FloatArray  # whether a member is not to go on: it was stopped early, or diverged
    diverged: FloatArray

    @classmethod
    def fresh(cls, members: Members) -> States:
        """Of members that have not begun."""
        n = len(members)
        fresh = members.kinds[0].like._core.snapshot()
        return cls(
            standing={name: np.full(n, float(number)) for name, number in fresh["standing"].items()},
            optimizer=np.empty((n, 0), fresh["optimizer_state"].dtype),
            epochs=np.zeros(n, np.int64),
            losses=np.empty((n, 0)),
            val_losses=np.empty((n, 0)),
            metrics=[Measured()] * n,
            validated=np.zeros(n, np.int64),
            least=np.full(n, np.inf),
            waited=np.zeros(n, np.int64),
            best=None,
            ended=np.zeros(n, np.bool_),
            diverged=np.zeros(n, np.bool_),
        )

    def part(self, some: FloatArray) -> States:
        """Return a copy of some members'."""
        own: dict[str, Any] = {name: getattr(self, name)[some] for name in ("epochs", *COLUMNS, *TABLES)}
        own["metrics"] = [self.metrics[i].copy() for i in some.tolist()]
        standing = {name: column[some] for name, column in self.standing.items()}
        return States(standing=standing, best=None if self.best is None else self.best[some], **own)

    def put(self, some: FloatArray, part: States, parameters: FloatArray) -> None:
        """Take in some members' that have gone on elsewhere, of a population with these parameters."""
        for i, metrics in zip(some.tolist(), part.metrics, strict=True):
            self.metrics[i] = metrics
        for name in COLUMNS:
            getattr(self, name)[some] = getattr(part, name)
        self.take(some, part.epochs, part.standing, **{name: getattr(part, name) for name in TABLES})
        if part.best is not None:
            if self.best is None:
                self.best = np.full_like(parameters, np.nan)
            self.best[some] = part.best

    def see(self, member: int, seen: Seen | None, like: FloatArray) -> None:
        """Take in what a member's early stopping has seen of a fit that goes on; parameters are like these."""
        self.least[member], self.waited[member] = (np.inf, 0) if seen is None else (seen.least, seen.waited)
        best = None if seen is None else seen.best
        if self.best is None and best is not None:
            self.best = np.full((len(self.least), len(like)), np.nan, like.dtype)
        if self.best is not None:
            self.best[member] = np.nan if best is None else best

    def forget(self, some: FloatArray) -> None:
        """Leave early stopping to begin anew for some members, as it does after a fit that came to its end."""
        self.least[some], self.waited[some] = np.inf, 0
        if self.best is not None:
            self.best[some] = np.nan

    def take(self, some: FloatArray, epochs: Any, standing: Mapping[str, Any], **tables: FloatArray) -> None:
        """Take in where some members stand, in their order, and their rows of `TABLES`, which are no one else's."""
        if len(some) < len(self.epochs):
            wide = {name: as_wide(getattr(self, name), rows.shape[1], TABLES[name]) for name, rows in tables.items()}
            for name, rows in tables.items():
                wide[name][some, : rows.shape[1]] = rows
                wide[name][some, rows.shape[1] :] = TABLES[name]
            tables = wide
        for name, table in tables.items():
            setattr(self, name, table)
        for name, column in standing.items():
            self.standing[name][some] = column
        self.epochs[some] = epochs

    def losses_of(self, member: int) -> tuple[FloatArray, FloatArray]:
        """Return the losses and the validation losses of one member's epochs."""
        epochs, validation = int(self.epochs[member]), self.val_losses[member : member + 1]
        return self.losses[member, :epochs], as_wide(validation, epochs, np.nan)[0, :epochs]

    def standing_of(self, member: int) -> dict[str, float]:
        """Return where one member stands, counts as ints."""
        counts = ("step_count", "samples", "position")
        return {k: int(v[member]) if k in counts else float(v[member]) for k, v in self.standing.items()}


def as_wide(table: FloatArray, width: int, filling: float) -> FloatArray:
    """Return a table if it has so many columns, or else one that has them, filled up."""
    if table.shape[1] >= width:
        return table
    wider = np.full((len(table), width), filling, table.dtype)
    wider[:, : table.shape[1]] = table
    return wider


@dataclass
class Work:
    """What a fit is given, for all members."""

    x: Any
    t: Any
    until: int  # the epoch up to which members are trained
    folds: Folds | None = None  # the samples of each member
    validation_data: Any = None
    sample_weight: Any = None
    class_weight: Any = None
    metrics: Any = ()
    early_stopping: EarlyStopping | None = None
    callbacks: Any = ()
    shown: Callable[[int], None] = lambda epochs: None  # told how many epochs of members have been completed
    pause: Callable[[int], int] = lambda epoch: NEVER  # the epoch after which there must be a pause
    at_pause: Callable[[], None] = lambda: None

    def data_of(self, member: int) -> dict[str, Any]:
        """Return the data as one member's Trainer takes them."""
        data = {name: getattr(self, name) for name in ("x", "t", "validation_data", "sample_weight", "class_weight")}
        return data if self.folds is None else self.folds.cut(member, data)


class Patience:
    """Early stopping of many members at once, as `monitoring.Stopper` does it for one."""

    def __init__(self, rule: EarlyStopping, has_validation: bool, states: States, parameters: FloatArray) -> None:
        names = ["loss", "val_loss"] if has_validation else ["loss"]
        self.monitor = rule.monitor or names[-1]
        if self.monitor not in names:
            raise ValueError(f"early_stopping: monitor is {self.monitor!r}; it must be one of: {', '.join(names)}")
        self._rule, self._states, self._parameters = rule, states, parameters
        self._sign = -1.0 if rule._maximizes(self.monitor) else 1.0
        self._end = math.inf if rule.time_limit is None else time.monotonic() + rule.time_limit
        if rule.restore_best and states.best is None:
            states.best = np.full_like(parameters, np.nan)

    def after_epoch(self, members: FloatArray, values: FloatArray) -> FloatArray:
        """Look at the members' numbers of an epoch; return which of them are to stop."""
        rule, states = self._rule, self._states
        value, least = self._sign * values, states.least[members]
        improved = value < least - np.where(least < np.inf, rule.min_delta, 0.0)
        states.least[members] = least = np.where(improved, value, least)
        states.waited[members] = waited = np.where(improved, 0, states.waited[members] + 1)
        if states.best is not None:
            states.best[members[improved]] = self._parameters[members[improved]]
        stop = np.zeros(len(members), np.bool_) if rule.patience is None else waited >= rule.patience
        if rule.generalization_loss is not None:
            with np.errstate(invalid="ignore"):
                stop |= 100.0 * (value - least) > rule.generalization_loss * least
        return stop | (time.monotonic() >= self._end)


def restore_best(states: States, parameters: FloatArray, members: FloatArray) -> None:
    """Give members that have come to their end the parameters of their best epoch."""
    if states.best is not None:
        seen = members[np.isfinite(states.best[members]).all(axis=1)]
        parameters[seen] = states.best[seen]


class Lanes:
    """A group of members of one structure, side by side in the core."""

    def __init__(
        self,
        shape: Network,
        members: Members,
        group: FloatArray,
        seeds: FloatArray,
        states: States,
        folds: Folds | None,
    ) -> None:
        self._members, self._group, self._states = members.some(group), group, states
        self._like = self._members.kinds[0].like
        self._is_scheduled = any(kind.like._is_scheduled for kind in self._members.kinds)
        cls = _core.PopulationFloat32 if shape.dtype == FLOAT32 else _core.PopulationFloat64
        self._core: _core.Population = cls(
            shape._core,
            self._like._loss._choice,
            OPTIMIZER.index[self._members.kinds[0].optimizer.name],
            min(self._like.batch_size, 2**62),
            self._like.shuffle,
            seeds[group],
            np.array([kind.optimizer.numbers() for kind in self._members.kinds])[self._members.of],
            *self._regularization(len(shape.layers)),
            *((None,) * 3 if folds is None else folds.tables(group)),
        )
        self._restore()

    def _regularization(self, n_layers: int) -> Iterator[FloatArray | None]:
        """Yield l1, l2, dropout and clip_value as tables, None for what no member has."""
        of_kinds, of = [kind.like._regularization for kind in self._members.kinds], self._members.of
        first = of_kinds[0]
        penalized = bool(first.l1 or first.l2)
        for name, on in (("l1", penalized), ("l2", penalized), ("dropout", bool(first.dropout))):
            rows = [tuple(getattr(r, name)) or (0.0,) * n_layers for r in of_kinds] if on else []
            yield np.array(rows)[of] if on else None
        yield np.array([[r.clip_value] for r in of_kinds])[of] if first.clip_value < math.inf else None

    def _restore(self) -> None:
        states, group = self._states, self._group
        begun = np.flatnonzero(states.standing["step_count"][group] > 0)
        if len(begun):
            some = group[begun]
            standing = {name: column[some] for name, column in states.standing.items()}
            self._core.resume(begun, standing, states.epochs[some], states.losses[some], states.val_losses[some])
            slots = self._core.optimizer_state()
            slots[begun] = states.optimizer[some, : slots.shape[1]]

    def collect(self) -> None:
        """Bring the states up to date."""
        self._states.take(
            self._group,
            self._core.epochs(),
            self._core.standings(),
            optimizer=self._core.optimizer_state().copy(),
            losses=self._core.losses(),
            val_losses=self._core.validation_losses(),
        )

    def train(self, parameters: FloatArray, work: Work) -> FloatArray:
        """Train all that have not ended up to their epochs; return those of which a number was not finite.

        They are as they were before, or at the last pause: only a Trainer finds the step that goes wrong.
        """
        states, group = self._states, self._group
        own = parameters if len(group) == len(parameters) else parameters[group]  # whole, or a copy
        training, validation = checked_data(self._like, work)
        watched = work.early_stopping is not None
        patience = Patience(work.early_stopping, validation is not None, states, parameters) if watched else None  # type: ignore[arg-type]
        try:
            while True:
                epochs = self._core.epochs()
                goes_on = (epochs < work.until) & ~states.ended[group]
                goes_on[self._core.fallen] = False
                active = np.flatnonzero(goes_on)
                if not len(active):
                    break
                every_epoch = patience is not None or self._is_scheduled
                least = int(epochs[active].min())
                stop = least + 1 if every_epoch else work.pause(least)
                try:
                    self._run(own, active, training, validation, min(work.until, stop))
                finally:
                    self._give_back(parameters, own)
                    if patience is not None:
                        self._look(patience, active, epochs)
                work.shown(int((self._core.epochs() - epochs).sum()))
                work.at_pause()
        finally:
            self._give_back(parameters, own)
            self.collect()
        fallen = group[self._core.fallen]
        if patience is not None:
            restore_best(states, parameters, np.setdiff1d(group, fallen))
        states.forget(group if patience is None else group[self._core.epochs() >= work.until])
        return fallen

    def _give_back(self, parameters: FloatArray, own: FloatArray) -> None:
        if own is not parameters:
            parameters[self._group] = own

    def _run(self, own: FloatArray, some: FloatArray, training: Any, validation: Any, until: int) -> None:
        if self._is_scheduled:
            self._set_rates(some)
        self._core.run(own, some.tolist(), training, validation, until, NEVER)

    def _look(self, patience: Patience, active: FloatArray, before: FloatArray) -> None:
        """See which members early stopping ends."""
        now = self._core.epochs()
        went_on = active[now[active] > before[active]]
        for epoch in np.unique(now[went_on]).tolist():
            some = went_on[now[went_on] == epoch]
            values = self._core.losses_of_epoch(epoch - 1, patience.monitor == "val_loss")[some]
            stopped = patience.after_epoch(self._group[some], values)
            self._states.ended[self._group[some[stopped]]] = True

    def _set_rates(self, some: FloatArray) -> None:
        """Give members the rate of the epoch under way."""
        watches = any(isinstance(kind.like._schedule, reduce_on_plateau) for kind in self._members.kinds)
        losses = self._watched_losses() if watches else np.empty((len(self._group), 0))
        same: dict[tuple[int, int], float] = {}  # rates of kinds in an epoch, where nothing else counts
        epochs = self._core.epochs()[some].tolist()
        for at, number, epoch in zip(some.tolist(), self._members.of[some].tolist(), epochs, strict=True):
            rate = same.get((number, epoch))
            if rate is None:
                kind = self._members.kinds[number]
                rate = rate_of_epoch(kind, epoch, losses[at])
                if kind.shares_rates:
                    same[number, epoch] = rate
            self._core.set_learning_rate(at, rate)

    def _watched_losses(self) -> FloatArray:
        """Return what `reduce_on_plateau` looks at: of each epoch the validation loss, or else the training loss."""
        losses = self._core.losses()
        validation = as_wide(self._core.validation_losses(), losses.shape[1], np.nan)
        return np.where(np.isnan(validation), losses, validation)


def rate_of_epoch(member: Member, epoch: int, losses: FloatArray) -> float:
    """Return the rate of a scheduled member's epoch after these losses, as `Trainer.learning_rate` finds it."""
    schedule = member.like._schedule
    rate = (
        schedule.rate(epoch, cast(float, member.optimizer.parameters["learning_rate"]), losses[:epoch].tolist())
        if isinstance(schedule, Schedule)
        else schedule(epoch)
    )
    return rate_for(member.like.network.dtype, rate, f"schedule: the rate of epoch {epoch}")


def checked_data(like: Trainer, work: Work) -> tuple[_core.Samples, _core.Samples | None]:
    """Return the training data and the validation data as the core has checked them."""
    _, rows, targets = samples_for(like.network, work.x, work.t, like._loss, one_allowed=False)
    weights = weights_of_samples(work.sample_weight, work.class_weight, targets, like.network.sizes[-1])
    held_out = None if work.validation_data is None else like._held_out(work.validation_data).samples
    return like._core.check(rows, targets, weights), held_out


def train_alone(network: Network, member: Member, i: int, seed: int, states: States, work: Work) -> None:
    """Train one member by a Trainer of its own, from where it stands; the network is its, to be changed."""
    trainer = Trainer(network, **{**member.arguments, "optimizer": member.optimizer}, seed=seed)
    standing = states.standing_of(i)
    if standing["step_count"]:
        if trainer._method is not None:
            raise ValueError(f"network {i} has begun with {member.optimizer.name}, whose runs cannot be resumed")
        trainer._core.resume(standing, *states.losses_of(i))
        slots = trainer._core.optimizer_state()
        slots[:] = states.optimizer[i, : len(slots)]
        trainer._metrics, trainer._validated = states.metrics[i].copy(), int(states.validated[i])
    rule = work.early_stopping
    if rule is not None and states.least[i] < np.inf:
        monitor = rule.monitor or ("loss" if work.validation_data is None else "val_loss")
        best = None if states.best is None or np.isnan(states.best[i]).any() else states.best[i].copy()
        trainer._seen = Seen(rule, monitor, float(states.least[i]), int(states.waited[i]), best)
    before = trainer.epoch
    try:
        trainer.fit(
            **work.data_of(i),
            until_epoch=work.until,
            metrics=work.metrics,
            early_stopping=rule,
            callbacks=work.callbacks,
        )
        states.ended[i] = trainer.epoch < work.until
    except FloatingPointError:
        states.ended[i] = states.diverged[i] = True
    finally:
        now = trainer._core.snapshot()
        names = {"optimizer": "optimizer_state", "losses": "losses", "val_losses": "validation_losses"}
        rows = {name: now[key][np.newaxis] for name, key in names.items()}
        states.take(np.array([i]), trainer.epoch, now["standing"], **rows)
        states.metrics[i], states.validated[i] = trainer._metrics, trainer._validated
        states.see(i, trainer._seen, like=network.parameters)
        work.shown(trainer.epoch - before)


def has_custom(shape: Network, loss: Definition | None = None) -> bool:
    """Return whether an activation, or the loss, is the user's own, which no thread of the core's may call."""
    return isinstance(loss, Custom) or any(isinstance(plan.activation, Custom) for plan in shape._plans)


def least_networks(shape: Network) -> int:
    """Return from how many networks on lanes are faster: a unit takes as long however few of its lanes are used."""
    unit = UNIT_BYTES // shape.dtype.itemsize
    return unit // 3 if shape.n_parameters < 128 else unit // 2


def weighs_plainly(shape: Network, members: Members, work: Work) -> bool:
    """Return whether no sample counts nothing, or as good as nothing: those a Trainer leaves out."""
    if work.sample_weight is None and work.class_weight is None:
        return True
    if work.folds is not None and isinstance(work.class_weight, str):  # it depends on the fold what a class weighs
        return False
    _, _, targets = samples_for(shape, work.x, work.t, members[0].like._loss, one_allowed=False)
    weights = weights_of_samples(work.sample_weight, work.class_weight, targets, shape.sizes[-1])
    return weights is None or bool(weights.min() > LEAST_SHARE * weights.sum())


def in_groups(members: Members, shape: Network, work: Work) -> Iterator[tuple[bool, FloatArray]]:
    """Yield groups of members, in the order of their first ones, and whether they are to share lanes."""
    looks_on = len(resolve_metrics(work.metrics)) + len(resolve_callbacks(work.callbacks)) > 0
    at_all = not looks_on and all(layer.mask is None for layer in shape.layers) and weighs_plainly(shape, members, work)
    structures = {key: kind.structure for key, kind in {id(kind.like): kind for kind in members.kinds}.items()}
    labels = numbered((structures[id(kind.like)], kind.steps) for kind in members.kinds)[members.of]
    if work.folds is not None:
        of_lengths = numbered(work.folds.lengths)[work.folds.of]
        labels = labels * (of_lengths.max() + 1) + of_lengths
    by_label = np.argsort(labels, kind="stable")
    groups = np.split(by_label, np.flatnonzero(np.diff(labels[by_label])) + 1)
    for group in sorted(groups, key=lambda group: int(group[0])):
        plain = at_all and members[group[0]].can_share_lanes
        pays = len(group) >= least_networks(shape) and shape.n_parameters <= MOST_PARAMETERS
        yield plain and pays, group


def numbered(items: Iterable[Hashable]) -> FloatArray:
    """Return numbers from 0, the same for equal items."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(item, len(numbers)) for item in items])


def refuse_not_finite(parameters: FloatArray) -> None:
    """Raise a ValueError for a parameter that is no finite number."""
    is_finite = np.isfinite(parameters)
    if not is_finite.all():
        i, p = np.argwhere(~is_finite)[0].tolist()
        raise ValueError(
            f"network {i}: parameters[{p}] is {shown(float(parameters[i, p]))}; all parameters must be finite before "
            "learning"
        )
