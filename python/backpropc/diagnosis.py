"""Why learning is slow: what a run's activations and gradients say of it, by layer and epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._arguments import FLOAT32, FloatArray, whole_number
from ._samples import samples_for
from .definitions import LOSS, Definition
from .monitoring import State
from .sanity import LARGE, SPREAD, chance_of
from .tracing import rows_of_targets

if TYPE_CHECKING:
    from .network import Network
    from .training import Trainer

LEAST, MOST, SHARE = 48, 256, 100  # of the training data: the sample is a hundredth, within these bounds
LARGEST_SLOPE = {"logistic": 0.25, "tanh": 1.0}  # of σ where it is not saturated
SATURATED = 0.1  # of that, where it is
BUDGET = 0.03  # of the time of training that may go into looking, beside an
ALLOWANCE = 1e-3  # of so many seconds, for runs of a few milliseconds
FINE = hasattr(time, "thread_time") and time.get_clock_info("thread_time").resolution < 1e-5
INTERRUPTION = 1.2e-4  # seconds that a run loses by a call, beside what is done in it


def now() -> float:
    """Return this thread's time on a processor, which other programs do not lengthen; in seconds, from anywhere."""
    return time.thread_time() if FINE else time.perf_counter()


class LayerRecord(NamedTuple):
    """What `Diagnosis` saw of a layer at one time, on a fixed sample of the training data.

    Attributes
    ----------
    mean, deviation, size : float
        Of the activations a: mean, standard deviation, root mean square.
    a, delta_spread : tuple of float
        The 2nd, 25th, 50th, 75th and 98th percentile of a, and of δ of the samples' own errors.
    x : float
        Root mean square of the layer's input.
    saturated : float
        The share of the values of a logistic or tanh layer where σ′ is below a tenth of its largest value; nan for
        other layers.
    dead : float
        The share of units with σ′ = 0 for every sample, as a relu's that never fires.
    dsigma : float
        The mean of σ′; nan for softmax.
    delta : float
        Root mean square of δ, each sample's as if it were alone.
    dw, w : float
        Norms of ∂E/∂w and of w.
    update : float
        How far w has gone since the record before, relative to its norm, for each epoch; nan in the first record.
    """

    mean: float
    deviation: float
    size: float
    a: tuple[float, ...]
    delta_spread: tuple[float, ...]
    x: float
    saturated: float
    dead: float
    dsigma: float
    delta: float
    dw: float
    w: float
    update: float


class Record(NamedTuple):
    """What `Diagnosis` saw at one time: the epochs done, the training loss, the sample's loss, and each layer."""

    epoch: int
    loss: float
    sample_loss: float
    layers: tuple[LayerRecord, ...]


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong with a run.

    Attributes
    ----------
    name : str
        ``"zero weights"``, ``"inputs"``, ``"saturation"``, ``"dead units"``, ``"vanishing"``, ``"exploding"``,
        ``"low activations"``, ``"rate too large"`` or ``"rate too small"``.
    layer : int or None
        The layer it is about, from 0.
    text, advice : str
        What it is, with the numbers, and what to try.
    """

    name: str
    layer: int | None
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.text} Try {self.advice}."


class Diagnosis:
    """A callback that looks at activations and gradients while a network trains, and says what slows it down.

    Parameters
    ----------
    x, t : array_like or None
        The samples to look at. By default a fixed sample of the training data: a hundredth, but 48 to 256.
    every : int or None
        After how many epochs. By default after each, or where an epoch is so short that looking at each would take
        more than a few hundredths of the time, less often.

    Attributes
    ----------
    records : list of Record
        What was seen: first before training, then by epoch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, or samples do not fit the network (when the fit begins).

    Notes
    -----
    The distributions by layer are those of Glorot and Bengio 2010, Understanding the difficulty of training deep
    feedforward neural networks. Looking changes nothing: a run has the same bits with it and without.

    Examples
    --------
    Inputs that were not scaled, and logistic units:

    >>> import numpy as np, backpropc as bp
    >>> x = np.random.default_rng(0).uniform(0, 255, (200, 4))
    >>> t = (x[:, :1] > x[:, 1:2]).astype(float)
    >>> net, diagnosis = bp.Network([4, 10, 1], "logistic", seed=0), bp.Diagnosis()
    >>> history = net.fit(x, t, optimizer=bp.SGD(0.1), epochs=20, seed=0, callbacks=[diagnosis])
    >>> [complaint.name for complaint in diagnosis.complaints]
    ['inputs', 'saturation']
    """

    def __init__(self, x: ArrayLike | None = None, t: ArrayLike | None = None, *, every: int | None = None) -> None:
        if (x is None) != (t is None):
            raise TypeError("x and t belong together; give both, or neither")
        self._given = None if x is None or t is None else (x, t)
        self._every = None if every is None else whole_number(every, "every", 1)
        self.records: list[Record] = []
        self._looker: _Looker | None = None
        self._next = self._end = 0
        self._epoch, self._free = 0, 0.0  # when it was last called: after which epoch, and the time when it was done
        self._looked = self._trained = 0.0  # seconds

    def begin(self, trainer: Trainer, x: FloatArray | None, t: FloatArray | None, until_epoch: int) -> None:
        """Take the sample, and look at the network before the first step; `fit` calls it.

        Parameters
        ----------
        trainer : Trainer
            What is to run.
        x, t : ndarray or None
            Its training data.
        until_epoch : int
            When it is to end: there it looks in any case.
        """
        start = now()
        loss = LOSS.resolve(trainer.loss, "loss")
        if self._given is None and (x is None or t is None):
            raise TypeError("x and t are missing, and the training data come in batches; give bp.Diagnosis(x, t)")
        some_x, some_t = self._given or _some(x, t)
        _, rows, targets = samples_for(trainer.network, some_x, some_t, loss, one_allowed=False)
        if self._looker is None or self._looker.network is not trainer.network:
            self.records = []
        self._looker = _Looker(trainer.network, loss, rows, targets)
        self._trainer = trainer
        if not self.records or self.records[-1].epoch != trainer.epoch:
            self.records.append(self._looker.look(trainer.epoch, math.nan))
        self._end = until_epoch
        self._epoch, self._free = trainer.epoch, now()
        self._looked += self._free - start
        self._next = trainer.epoch + (self._every or 1)

    @property
    def epochs_to_wait(self) -> int:
        """After how many epochs it next wishes to be called."""
        return max(1, self._next - self._epoch)

    def __call__(self, state: State) -> None:
        """Look at the run, if it is time to; `fit` calls it."""
        if self._looker is None:
            raise RuntimeError("this Diagnosis was not begun; pass it to fit as callbacks=[diagnosis]")
        if state.epoch < min(self._next, self._end):
            return
        start = now()
        epochs, seconds = max(1, state.epoch - self._epoch), max(start - self._free - INTERRUPTION, 1e-9)
        self._trained += seconds
        self._looked += INTERRUPTION
        looks = self._every is not None or state.epoch == self._end or self._within_budget()
        if looks:
            self.records.append(self._looker.look(state.epoch, state.loss))
            self._looked += self._looker.cost
        self._epoch, self._free = state.epoch, now()
        # of training, in seconds, until this look and the next are within the budget
        missing = (self._looked + self._looker.cost + INTERRUPTION - ALLOWANCE) / BUDGET - self._trained
        fewest, most = (1 if looks else 2 * epochs), 16 * epochs  # what a first short epoch takes says little
        self._next = state.epoch + (self._every or math.ceil(min(max(missing * epochs / seconds, fewest), most)))

    def _within_budget(self) -> bool:
        """Whether another look may be taken now."""
        return self._looker is not None and self._looked + self._looker.cost <= ALLOWANCE + BUDGET * self._trained

    @property
    def complaints(self) -> tuple[Complaint, ...]:
        """What is wrong with the run, the likeliest cause first; nothing where it is healthy."""
        return () if self._looker is None else tuple(_complaints(_Run(self._trainer, self._looker, self.records)))

    def report(self) -> str:
        """Return in words what is wrong with the run, with the numbers, and what to try.

        Returns
        -------
        str
            A paragraph for each of `complaints`; empty where there are none.
        """
        return "\n".join(map(str, self.complaints))

    def __repr__(self) -> str:
        return f"Diagnosis({len(self.records)} records, {len(self.complaints)} complaints)"

    def __str__(self) -> str:
        """Return a table of the last record."""
        if not self.records:
            return "Diagnosis: no records"
        last = self.records[-1]
        head = f"{'layer':>5} {'activation':<12} {'mean a':>9} {'std a':>9} {'satur.':>7} {'dead':>6} "
        lines = [f"after {last.epoch} epochs", head + f"{'σ′':>8} {'rms δ':>9} {'|dw|':>9} {'|w|':>9} {'update':>9}"]
        for i, (layer, name) in enumerate(zip(last.layers, self._names(), strict=True)):
            lines.append(
                f"{i:>5} {name:<12.12} {layer.mean:9.3g} {layer.deviation:9.3g} {_share(layer.saturated):>7} "
                f"{_share(layer.dead):>6} {layer.dsigma:8.3g} {layer.delta:9.3g} {layer.dw:9.3g} {layer.w:9.3g} "
                f"{layer.update:9.3g}"
            )
        return "\n".join(lines)

    def _names(self) -> list[str]:
        return [] if self._looker is None else [str(layer.activation) for layer in self._looker.network.layers]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the records as dicts of floats.

        Returns
        -------
        list of dict
            By time: ``epoch``, ``loss``, ``sample_loss`` and ``layers``, each a dict by the names of `LayerRecord`.
        """
        return [record._asdict() | {"layers": [layer._asdict() for layer in record.layers]} for record in self.records]


def _some(x: Any, t: Any) -> tuple[FloatArray, FloatArray]:
    """Return a few rows, evenly spaced."""
    count = min(len(x), MOST, max(LEAST, len(x) // SHARE))
    some = np.linspace(0, len(x) - 1, count).astype(np.intp)
    return x[some], t[some]


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.0%}"


# --- looking ----------------------------------------------------------------------------------------------------------


def look(network: Network, x: FloatArray, t: FloatArray, loss: Definition, epoch: int) -> Record:
    """Return the record of a network as it is, on samples that `samples_for` has looked at."""
    return _Looker(network, loss, x, t).look(epoch, math.nan)


class _Looker:
    """What is looked at: a network, and a sample that stays the same."""

    def __init__(self, network: Network, loss: Definition, x: FloatArray, t: FloatArray) -> None:
        self.network, self.loss, self.x, self.t = network, loss, x, t
        slopes = [LARGEST_SLOPE.get(str(layer.activation), math.nan) for layer in network.layers]
        observer = _core.ObserverFloat32 if network.dtype == FLOAT32 else _core.ObserverFloat64
        self._observer = observer(network._core, x, t, loss._choice, [SATURATED * slope for slope in slopes])
        self._epoch = 0  # of the last look
        self.cost = 0.0  # of the last look, in seconds

    def look(self, epoch: int, loss: float) -> Record:
        """Return the record of the network as it is."""
        start = now()
        value, numbers = self._observer.look()
        epochs = max(1, epoch - self._epoch)
        layers = tuple(_layer_record(row, epochs) for row in numbers.tolist())
        self._epoch = epoch
        self.cost = now() - start
        return Record(epoch, value if math.isnan(loss) else loss, value, layers)


def _layer_record(row: list[float], epochs: int) -> LayerRecord:
    """Return a layer's numbers by name; the core knows of the steps between two looks, not of epochs."""
    mean, deviation, size = row[:3]
    x, saturated, dead, dsigma, delta, dw, w, moved = row[13:]
    percentiles = tuple(row[3:8]), tuple(row[8:13])
    return LayerRecord(mean, deviation, size, *percentiles, x, saturated, dead, dsigma, delta, dw, w, moved / epochs)


# --- judging ----------------------------------------------------------------------------------------------------------


class _Run:
    """A run as the rules below look at it."""

    def __init__(self, trainer: Trainer, looker: _Looker, records: list[Record]) -> None:
        self.records, self.first, self.last = records, records[0], records[-1]
        self.trainer, self.x = trainer, looker.x
        self.names = [str(layer.activation) for layer in looker.network.layers]
        self.t = rows_of_targets(looker.t, looker.network.sizes[-1], looker.network.dtype)
        self.chance = chance_of(self.t, looker.loss)
        self.depth = len(self.names)
        self.losses = trainer._core.losses_from(self.first.epoch)  # of every epoch
        self.learned, self.learned_well = self._is_below(0.5), self._is_below(0.2)
        self.ran = self.last.epoch > self.first.epoch

    def _is_below(self, share: float) -> bool:
        """Whether the loss is below that share of chance; or of the first, where a constant output would do."""
        first = self.first.sample_loss
        whole = self.chance if self.chance > 1e-6 * first else first
        return min(self.last.sample_loss, self.last.loss) < share * whole

    def rate_is(self, factor: float) -> str:
        """Return in words another learning rate."""
        rate = self.trainer.learning_rate
        return "another learning rate" if rate is None else f"a learning rate of {rate * factor:.2g}"

    def shrinking(self, record: Record) -> float:
        """Return the size of δ in the first hidden layer over that in the last."""
        hidden = record.layers[:-1]
        return hidden[0].delta / hidden[-1].delta if len(hidden) > 1 and hidden[-1].delta > 0.0 else 1.0


def _complaints(run: _Run) -> Iterator[Complaint]:
    found: list[Complaint] = []
    for rule in RULES:
        for complaint in rule(run):
            found.append(complaint)
            yield complaint
    if not found:
        yield from _rate_too_small(run)


def _not_finite(run: _Run) -> Iterator[Complaint]:
    gone = [i for i, loss in enumerate(run.losses) if not math.isfinite(loss)]
    if gone:
        text = f"The loss is no longer finite from epoch {run.first.epoch + gone[0] + 1} on: the run has exploded."
        advice = f"{run.rate_is(0.01)}, or clip_norm=1.0"
        yield Complaint("rate too large", None, text, advice)


def _zero_weights(run: _Run) -> Iterator[Complaint]:
    if run.depth > 1 and all(layer.w == 0.0 for layer in run.first.layers):
        text = (
            "All weights were 0 before training, so the units of a layer are all alike and BP2, which multiplies by w, "
            "passes nothing down."
        )
        yield Complaint("zero weights", None, text, 'initializer="glorot_uniform", or "he_normal" for relu')


def _inputs(run: _Run) -> Iterator[Complaint]:
    wide = run.x.astype(np.float64)
    size, deviations = float(np.sqrt(np.mean(wide**2))), wide.std(axis=0)
    varying = deviations[deviations > 0.0]
    middle = float(np.median(varying)) if varying.size else 0.0
    scaling = "scaling the inputs: subtract each column's mean and divide by its standard deviation"
    if size > LARGE:
        text = f"The inputs are large (root mean square {size:.3g}), so z of the first layer is, and by BP4 its ∂E/∂w."
        yield Complaint("inputs", 0, text, scaling)
    elif varying.size and varying.max() > SPREAD * middle and not run.learned:
        text = (
            f"The columns of the inputs have standard deviations up to {varying.max():.3g}, half of them below "
            f"{middle:.3g}: by BP4 so has ∂E/∂w of the first layer, and one rate cannot suit them all."
        )
        yield Complaint("inputs", 0, text, scaling)


def _saturation(run: _Run) -> Iterator[Complaint]:
    for i, name in enumerate(run.names):
        before, after = run.first.layers[i], run.last.layers[i]
        is_last = i == run.depth - 1
        if name not in LARGEST_SLOPE or (is_last and _is_matched(run, name)):
            continue
        in_peace = run.learned if is_last else run.learned_well
        from_start = before.saturated > (0.5 if run.learned else 0.3) and not in_peace
        if not from_start and not (after.saturated > 0.5 and not run.learned):
            continue
        seen, when = (before, "before training") if from_start else (after, f"after {run.last.epoch} epochs")
        largest = LARGEST_SLOPE[name]
        times = largest / max(seen.dsigma, 1e-30)
        equation = "BP1" if is_last else "BP2"
        text = (
            f"Layer {i + 1} is saturated: {when} σ′(z) is below a tenth of its largest value {largest:g} for "
            f"{seen.saturated:.0%} of the activations of its {name} units, and {seen.dsigma:.2g} in the mean, so "
            f"{equation} makes the gradient there {times:.3g} times as small as it could be."
        )
        yield Complaint("saturation", i, text, _against_saturation(run, i, is_last, seen.x))


def _is_matched(run: _Run, name: str) -> bool:
    """Whether the loss takes σ′ of the output away, as a cross-entropy does."""
    return name == "logistic" and run.trainer.loss == "binary_cross_entropy"


def _against_saturation(run: _Run, i: int, is_last: bool, x: float) -> str:
    if i == 0 and x > LARGE:
        return "scaling the inputs"
    low, high = (0.0, 1.0) if run.names[i] == "logistic" else (-1.0, 1.0)
    if is_last and not (low <= run.t.min() and run.t.max() <= high):
        return f'targets scaled to between {low:g} and {high:g}, or output_activation="identity"'
    if is_last and run.names[i] == "logistic":
        return 'the loss "binary_cross_entropy", with which δ is a - t whatever σ′ is, or smaller initial weights'
    if run.first.layers[i].saturated > 0.3:
        return 'smaller initial weights, as initializer="glorot_uniform"' + ("" if is_last else ', or "relu"')
    return f"{run.rate_is(0.1)}, which keeps the weights smaller" + ("" if is_last else ', or "relu"')


def _dead_units(run: _Run) -> Iterator[Complaint]:
    for i, name in enumerate(run.names[:-1]):
        dead, at_first = run.last.layers[i].dead, run.first.layers[i].dead
        spare = run.learned_well and at_first < 0.5 and dead < 0.9  # what a wide layer can do without
        if dead > 0.5 and name not in LARGEST_SLOPE and not spare and math.isfinite(run.last.sample_loss):
            died = run.ran and at_first < 0.5 * dead
            when = f"; before training {at_first:.0%} were" if died else ", and were before training"
            text = (
                f"Of the {name} units of layer {i + 1} {dead:.0%} are dead{when}: z is below 0 for every sample, so "
                "σ′(z) = 0, BP2 passes nothing through them, and they cannot learn any more."
            )
            advice = run.rate_is(0.1) if died else 'biases of 0 and initializer="he_normal"'
            yield Complaint("dead units", i, text, f'{advice}, or "leaky_relu", whose σ′ is never 0')


def _vanishing(run: _Run) -> Iterator[Complaint]:
    gaps = run.depth - 2
    start, end = run.shrinking(run.first), run.shrinking(run.last)
    if gaps < 1 or not start < 0.1 or not start ** (1 / gaps) < 0.45:
        return
    if not (start < 0.01 and end < 0.01) if run.learned else not (start < 0.01 or end < 0.1):
        return
    dsigma = [layer.dsigma for layer in run.first.layers[:-1]]
    first, last = run.first.layers[0], run.first.layers[-1]
    slower = (last.dw / max(last.w, 1e-30)) / max(first.dw / max(first.w, 1e-30), 1e-30)
    text = (
        f"The gradient vanishes: from layer {run.depth - 1} down to layer 1 δ shrinks {_times(1 / max(start, 1e-30))}, "
        f"by {1 / max(start, 1e-30) ** (1 / gaps):.2g} in each layer, as BP2 multiplies by w and by σ′(z), "
        f"here {np.nanmean(dsigma):.2g} in the mean"
        + (" and at most 1/4 for logistic units" if "logistic" in run.names[:-1] else "")
        + f". Layer 1 learns {_times(slower)} more slowly than layer {run.depth}, for its size."
    )
    if "logistic" in run.names[:-1]:
        advice = 'activation="relu" with initializer="he_normal", or "tanh" with "glorot_uniform"'
    else:
        advice = 'initializer="he_normal" for relu, "glorot_uniform" for tanh'
    yield Complaint("vanishing", 0, text, f"{advice}; or weights from pre-training, one layer after the other")


def _times(factor: float) -> str:
    return f"{factor:,.0f} times" if factor < 1e6 else f"{factor:.0e} times"


def _exploding(run: _Run) -> Iterator[Complaint]:
    gaps = run.depth - 2
    growth = run.shrinking(run.first)
    if gaps >= 1 and growth > 100.0 and growth ** (1 / gaps) > 2.0:
        text = (
            f"The gradient explodes: from layer {run.depth - 1} down to layer 1 δ grows {_times(growth)}, by "
            f"{growth ** (1 / gaps):.2g} in each layer, as BP2 multiplies by weights that are too large."
        )
        yield Complaint(
            "exploding", 0, text, 'initializer="he_normal" for relu, "glorot_uniform" for tanh, or clip_norm=1.0'
        )


def _low_activations(run: _Run) -> Iterator[Complaint]:
    for i in range(run.depth):
        x, now = run.first.layers[i].x, run.last.layers[i].x
        if x < 0.02 and now < 0.05 and not run.learned:
            what, advice = (
                ("The inputs are", "scaling the inputs to a standard deviation of 1")
                if i == 0
                else (
                    f"The activations of layer {i} are",
                    'larger initial weights: initializer="glorot_uniform" for tanh, "he_normal" for relu',
                )
            )
            text = (
                f"{what} low (root mean square {x:.2g}), and BP4 multiplies by them: ∂E/∂w of layer {i + 1} is small."
            )
            yield Complaint("low activations", i, text, advice)
            return


def _rate_too_large(run: _Run) -> Iterator[Complaint]:
    """Losses that rise again and again, or weights that are not the same from one epoch to the next."""
    if not run.ran and _first_step(run) > 1.0:
        text = f"No epoch was completed, and a step changes weights by {_first_step(run):.2g} times their size."
        yield Complaint("rate too large", None, text, run.rate_is(0.01))
    losses, before, now = run.losses, run.first.sample_loss, run.last.sample_loss
    if run.learned or not run.ran or not np.isfinite(losses).all():
        return
    rises = sum(after > 1.02 * former for former, after in pairwise(losses))
    moves = max((layer.update for record in run.records[1:] for layer in record.layers), default=0.0)
    unsettled = len(losses) > 4 and rises > 0.3 * (len(losses) - 1) and now > run.chance
    if now > 1.2 * before or unsettled:
        text = (
            f"The loss does not settle: it rose in {rises} of {len(losses) - 1} epochs and is {now:.3g}, after "
            f"{before:.3g} before training; weights move by up to {moves:.2g} of their size in an epoch."
        )
        yield Complaint("rate too large", None, text, run.rate_is(0.1))


def _first_step(run: _Run) -> float:
    """Return how far one step of gradient descent would move the weights, relative to their size."""
    rate = run.trainer.learning_rate
    if run.trainer.optimizer.name != "SGD" or rate is None:
        return 0.0
    return max(rate * layer.dw / max(layer.w, 1e-30) for layer in run.first.layers)


def _rate_too_small(run: _Run) -> Iterator[Complaint]:
    losses = [record.sample_loss for record in run.records]
    if run.learned or not run.ran or not np.isfinite(losses).all():
        return
    moves = max((layer.update for layer in run.last.layers if not math.isnan(layer.update)), default=1.0)
    epochs = run.last.epoch - run.first.epoch
    falls = losses[-1] < losses[0] and all(after <= before * 1.001 for before, after in pairwise(losses))
    if moves < 0.002 and moves * epochs < 0.2 and falls:
        text = (
            f"The weights hardly move: in an epoch by {moves:.2g} of their size, and the loss has fallen steadily, but "
            f"only from {losses[0]:.3g} to {losses[-1]:.3g}."
        )
        yield Complaint("rate too small", None, text, f"{run.rate_is(10.0)}, or bp.Adam()")


RULES: tuple[Callable[[_Run], Iterator[Complaint]], ...] = (
    _not_finite,
    _zero_weights,
    _inputs,
    _saturation,
    _dead_units,
    _vanishing,
    _exploding,
    _low_activations,
    _rate_too_large,
)
