"""The members of a population in a run: their settings, where they stand, and how they are trained.

Members whose settings have one structure are trained side by side, a network to each lane of a vector, where that is
faster; the others one after another, each by a `Trainer`. The numbers are those of a Trainer either way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

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

T = TypeVar("T")

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

# What `States` has for each member, in lists and in arrays.
LISTS = ("optimizer", "losses", "val_losses", "metrics", "validated")
COLUMNS = ("least", "waited", "ended", "diverged")

UNIT_BYTES = 64  # of a number of all the networks that the core takes at a time
LEAST_SHARE = 1e-30  # of a sample in E, that no float32 rounds to 0
MOST_PARAMETERS = 20_000  # with more a network fills a core by itself


def each_of(value: Any, name: str, n: int) -> list[Any]:
    """Return the value of an argument for each of n members.

    Raises
    ------
    ValueError
        There is neither one value nor one for each.
    """
    if isinstance(value, Definition):
        if value.several is None:
            return [value] * n
        value = value.one_by_one()
    values = one_for_each(value, name)
    if values is None:
        return [value] * n
    if len(values) == n:
        return values
    if name in BY_LAYER:
        return [value] * n
    raise ValueError(f"{name} has {len(values)} values; it must be one for all, or {n}: one for each network")


@dataclass
class Member:
    """One member's arguments, and a trainer of the same ones but for the optimizer's numbers and the seed.

    Members with the same arguments may be one object.
    """

    arguments: dict[str, Any]
    optimizer: Definition
    like: Trainer

    @property
    def structure(self) -> tuple[Any, ...]:
        """What must be equal for two members to be trained side by side."""
        r, numbers = self.like._regularization, self.optimizer.parameters.values()
        return (
            self.like._loss,
            type(self.optimizer),
            tuple(v == 0.0 if isinstance(v, float) else v for v in numbers),
            self.like.batch_size,
            self.like.shuffle,
            bool(r.l1 or r.l2),
            bool(r.dropout),
            r.clip_value < math.inf,
            self.can_share_lanes,
        )

    @property
    def can_share_lanes(self) -> bool:
        """Whether lanes can do what it asks for."""
        r = self.like._regularization
        is_of_lists = self.like._method is None and not has_custom(self.like.network, self.like._loss)
        return r.clip_norm == r.max_norm == math.inf and is_of_lists


def make_members(shape: Network, n: int, arguments: dict[str, Any]) -> list[Member]:
    """Return every member's settings, checked as a Trainer checks them."""
    columns = {name: each_of(value, name, n) for name, value in arguments.items()}
    varied = [name for name, column in columns.items() if any(value is not column[0] for value in column)]
    made: dict[Any, Member] = {}
    members = []
    for i in range(n):
        given = columns["optimizer"][i]
        if given is None:
            raise TypeError("optimizer is missing; give one, as optimizer=bp.SGD(0.1)")
        key = (type(given), *(_key(columns[name][i]) for name in varied if name != "optimizer"))
        if key not in made:
            own = {name: column[i] for name, column in columns.items()}
            like = Trainer(shape, **own, seed=0)
            made[key] = Member(own, like.optimizer, like)
        first = made[key]
        if given is first.arguments["optimizer"]:
            members.append(first)
        else:
            optimizer = OPTIMIZER.resolve(given, "optimizer")
            check_numbers(optimizer, shape.dtype)
            members.append(Member(first.arguments, optimizer, first.like))
    return members


def _key(value: Any) -> Any:
    """Return what is equal for equal values; of what has no hash and is no list, only for the same one."""
    if isinstance(value, (np.ndarray, list)):
        return value.tobytes() if isinstance(value, np.ndarray) else repr(value)
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def distinct(items: Sequence[T]) -> dict[int, T]:
    """Return each object of a sequence once, by its id."""
    return {id(item): item for item in items}


@dataclass
class States:
    """Where every member stands: what a file holds of a run, beside the parameters."""

    standing: dict[str, FloatArray]  # each number of every member
    optimizer: list[FloatArray]  # the optimizer's numbers of every member
    losses: list[FloatArray]
    val_losses: list[FloatArray]
    metrics: list[Measured]
    validated: list[int]  # epochs completed when validation data were last looked at
    least: FloatArray  # of what early stopping looks at
    waited: FloatArray  # epochs since
    best: FloatArray | None  # (n, n_parameters), where they are to be restored
    ended: FloatArray  # whether a member is not to go on: it was stopped early, or diverged
    diverged: FloatArray

    @classmethod
    def fresh(cls, members: list[Member]) -> States:
        """Of members that have not begun."""
        n = len(members)
        fresh = members[0].like._core.snapshot()
        standing, no_state = fresh["standing"], fresh["optimizer_state"][:0]
        return cls(
            standing={name: np.full(n, float(number)) for name, number in standing.items()},
            optimizer=[no_state] * n,
            losses=[np.empty(0)] * n,
            val_losses=[np.empty(0)] * n,
            metrics=[Measured() for _ in members],
            validated=[0] * n,
            least=np.full(n, np.inf),
            waited=np.zeros(n, np.int64),
            best=None,
            ended=np.zeros(n, np.bool_),
            diverged=np.zeros(n, np.bool_),
        )

    def epoch(self, member: int) -> int:
        """Epochs that a member has completed."""
        return len(self.losses[member])

    def part(self, some: FloatArray) -> States:
        """Return a copy of some members'."""
        own: dict[str, Any] = {name: [getattr(self, name)[i] for i in some.tolist()] for name in LISTS}
        own.update({name: getattr(self, name)[some] for name in COLUMNS})
        own["metrics"] = [measured.copy() for measured in own["metrics"]]
        standing = {name: column[some] for name, column in self.standing.items()}
        return States(standing=standing, best=None if self.best is None else self.best[some], **own)

    def put(self, some: FloatArray, part: States, parameters: FloatArray) -> None:
        """Take in some members' that have gone on elsewhere, of a population with these parameters."""
        for name, column in part.standing.items():
            self.standing[name][some] = column
        for name in LISTS:
            for i, value in zip(some.tolist(), getattr(part, name), strict=True):
                getattr(self, name)[i] = value
        for name in COLUMNS:
            getattr(self, name)[some] = getattr(part, name)
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

    def standing_of(self, member: int) -> dict[str, float]:
        """Return where one member stands, counts as ints."""
        counts = ("step_count", "samples", "position")
        return {k: int(v[member]) if k in counts else float(v[member]) for k, v in self.standing.items()}


@dataclass
class Work:
    """What a fit is given, for all members."""

    x: Any
    t: Any
    until: list[int]  # the epoch up to which each member is trained
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
        members: list[Member],
        group: FloatArray,
        seeds: FloatArray,
        states: States,
        folds: Folds | None,
    ) -> None:
        self._members, self._group, self._states = [members[i] for i in group], group, states
        first = self._members[0]
        cls = _core.PopulationFloat32 if shape.dtype == FLOAT32 else _core.PopulationFloat64
        self._core: _core.Population = cls(
            shape._core,
            first.like._loss._choice,
            OPTIMIZER.index[first.optimizer.name],
            min(first.like.batch_size, 2**62),
            first.like.shuffle,
            seeds[group],
            np.array([m.optimizer.numbers() for m in self._members]),
            *self._regularization(len(shape.layers)),
            *((None,) * 3 if folds is None else folds.tables(group)),
        )
        self._restore()

    def _regularization(self, n_layers: int) -> Iterator[FloatArray | None]:
        """Yield l1, l2, dropout and clip_value as tables, None for what no member has."""
        of_likes = {key: like._regularization for key, like in distinct([m.like for m in self._members]).items()}
        first, keys = next(iter(of_likes.values())), [id(m.like) for m in self._members]
        penalized = bool(first.l1 or first.l2)
        for name, on in (("l1", penalized), ("l2", penalized), ("dropout", bool(first.dropout))):
            rows = {key: tuple(getattr(r, name)) or (0.0,) * n_layers for key, r in of_likes.items()} if on else {}
            yield np.array([rows[key] for key in keys]) if on else None
        clips = {key: r.clip_value for key, r in of_likes.items()}
        yield np.array([[clips[key]] for key in keys]) if first.clip_value < math.inf else None

    def _restore(self) -> None:
        states, slots = self._states, self._core.optimizer_state()
        begun = states.standing["step_count"][self._group] > 0
        for at, i in enumerate(self._group.tolist() if begun.any() else ()):
            if begun[at]:
                self._core.resume(at, states.standing_of(i), states.losses[i], states.val_losses[i])
                slots[at] = states.optimizer[i]

    def collect(self) -> None:
        """Bring the states up to date."""
        states, slots = self._states, self._core.optimizer_state()
        for name, column in self._core.standings().items():
            states.standing[name][self._group] = column
        for at, i in enumerate(self._group.tolist()):
            states.losses[i] = self._core.losses(at)
            states.val_losses[i] = self._core.validation_losses(at)
            states.optimizer[i] = slots[at].copy()

    def train(self, parameters: FloatArray, work: Work) -> FloatArray:
        """Train all that have not ended up to their epochs; return those of which a number was not finite.

        They are as they were before, or at the last pause: only a Trainer finds the step that goes wrong.
        """
        states, group = self._states, self._group
        own = parameters if len(group) == len(parameters) else parameters[group]  # whole, or a copy
        like = self._members[0].like
        training, validation = checked_data(like, work)
        watched = work.early_stopping is not None
        patience = Patience(work.early_stopping, validation is not None, states, parameters) if watched else None  # type: ignore[arg-type]
        until = np.array(work.until)[group]
        try:
            while True:
                epochs = self._core.epochs()
                goes_on = (epochs < until) & ~states.ended[group]
                goes_on[self._core.fallen] = False
                active = np.flatnonzero(goes_on)
                if not len(active):
                    break
                every_epoch = patience is not None or self._is_scheduled
                least = int(epochs[active].min())
                stop = least + 1 if every_epoch else work.pause(least)
                try:
                    for end in np.unique(until[active]).tolist():
                        self._run(own, active[until[active] == end], training, validation, min(end, stop))
                finally:
                    self._give_back(parameters, own)
                    self._look(patience, active, epochs)
                work.shown(int((self._core.epochs() - epochs).sum()))
                work.at_pause()
        finally:
            self._give_back(parameters, own)
            self.collect()
        fallen = group[self._core.fallen]
        if patience is not None:
            restore_best(states, parameters, np.setdiff1d(group, fallen))
        return fallen

    def _give_back(self, parameters: FloatArray, own: FloatArray) -> None:
        if own is not parameters:
            parameters[self._group] = own

    def _run(self, own: FloatArray, some: FloatArray, training: Any, validation: Any, until: int) -> None:
        if self._is_scheduled:
            self._set_rates(some)
        self._core.run(own, some.tolist(), training, validation, until, NEVER)

    def _look(self, patience: Patience | None, active: FloatArray, before: FloatArray) -> None:
        """See which members early stopping ends."""
        now = self._core.epochs()
        went_on = active[now[active] > before[active]]
        for epoch in np.unique(now[went_on]).tolist() if patience is not None else ():
            some = went_on[now[went_on] == epoch]
            values = self._core.losses_of_epoch(epoch - 1, patience.monitor == "val_loss")[some]  # type: ignore[union-attr]
            stopped = patience.after_epoch(self._group[some], values)  # type: ignore[union-attr]
            self._states.ended[self._group[some[stopped]]] = True

    @property
    def _is_scheduled(self) -> bool:
        return any(like._is_scheduled for like in distinct([m.like for m in self._members]).values())

    def _set_rates(self, some: FloatArray) -> None:
        """Give members the rate of the epoch under way."""
        for at in some.tolist():
            member = self._members[at]
            if member.like._is_scheduled:
                losses, validation = self._core.losses(at), self._core.validation_losses(at)
                self._core.set_learning_rate(at, rate_of_epoch(member, losses, validation))


def rate_of_epoch(member: Member, losses: FloatArray, val_losses: FloatArray) -> float:
    """Return the rate of a scheduled member's epoch after these losses, as `Trainer.learning_rate` finds it."""
    schedule, epoch = member.like._schedule, len(losses)
    if isinstance(schedule, Schedule):
        watched: list[float] = []
        if isinstance(schedule, reduce_on_plateau):
            watched = np.where(np.isnan(val_losses), losses, val_losses).tolist()
        rate = schedule.rate(epoch, cast(float, member.optimizer.parameters["learning_rate"]), watched)
    else:
        rate = schedule(epoch)
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
        trainer._core.resume(standing, states.losses[i], states.val_losses[i])
        trainer._core.optimizer_state()[:] = states.optimizer[i]
        trainer._metrics, trainer._validated = states.metrics[i], states.validated[i]
    rule = work.early_stopping
    if rule is not None and states.least[i] < np.inf:
        monitor = rule.monitor or ("loss" if work.validation_data is None else "val_loss")
        best = None if states.best is None or np.isnan(states.best[i]).any() else states.best[i].copy()
        trainer._seen = Seen(rule, monitor, float(states.least[i]), int(states.waited[i]), best)
    before = trainer.epoch
    try:
        trainer.fit(
            **work.data_of(i),
            until_epoch=work.until[i],
            metrics=work.metrics,
            early_stopping=rule,
            callbacks=work.callbacks,
        )
        states.ended[i] = trainer.epoch < work.until[i]
    except FloatingPointError:
        states.ended[i] = states.diverged[i] = True
    finally:
        now = trainer._core.snapshot()
        for name, number in now["standing"].items():
            states.standing[name][i] = number
        states.losses[i], states.val_losses[i] = now["losses"], now["validation_losses"]
        states.optimizer[i] = now["optimizer_state"]
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


def weighs_plainly(shape: Network, members: list[Member], work: Work) -> bool:
    """Return whether no sample counts nothing, or as good as nothing: those a Trainer leaves out."""
    if work.sample_weight is None and work.class_weight is None:
        return True
    if work.folds is not None and isinstance(work.class_weight, str):  # it depends on the fold what a class weighs
        return False
    _, _, targets = samples_for(shape, work.x, work.t, members[0].like._loss, one_allowed=False)
    weights = weights_of_samples(work.sample_weight, work.class_weight, targets, shape.sizes[-1])
    return weights is None or bool(weights.min() > LEAST_SHARE * weights.sum())


def in_groups(members: list[Member], shape: Network, work: Work) -> Iterator[tuple[bool, FloatArray]]:
    """Yield groups of members, and whether they are to share lanes."""
    looks_on = len(resolve_metrics(work.metrics)) + len(resolve_callbacks(work.callbacks)) > 0
    at_all = not looks_on and all(layer.mask is None for layer in shape.layers) and weighs_plainly(shape, members, work)
    lengths = [(0, 0)] * len(members) if work.folds is None else work.folds.lengths
    structures = {key: member.structure for key, member in distinct(members).items()}
    groups: dict[Any, list[int]] = {}
    for i, member in enumerate(members):
        groups.setdefault((structures[id(member)], lengths[i]), []).append(i)
    for group in groups.values():
        one = members[group[0]]
        plain = at_all and one.can_share_lanes
        pays = len(group) >= least_networks(shape) and shape.n_parameters <= MOST_PARAMETERS
        yield plain and pays, np.array(group)


def refuse_not_finite(parameters: FloatArray) -> None:
    """Raise a ValueError for a parameter that is no finite number."""
    bad = np.argwhere(~np.isfinite(parameters))
    if len(bad):
        i, p = bad[0].tolist()
        raise ValueError(
            f"network {i}: parameters[{p}] is {shown(float(parameters[i, p]))}; all parameters must be finite before "
            "learning"
        )
