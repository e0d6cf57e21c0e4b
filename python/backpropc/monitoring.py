"""What looks at a run while it goes on: metrics, callbacks, early stopping, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ._arguments import FloatArray, items_of, real_number, shown, truth, whole_number

if TYPE_CHECKING:
    from ._ways import Data
    from .network import Network
    from .training import Trainer

Metric = Callable[[FloatArray, FloatArray], float]


def accuracy(t: FloatArray, a: FloatArray) -> float:
    """Return the share of samples whose class is right.

    Parameters
    ----------
    t : ndarray, shape (n, fan_out) or (n,)
        Targets, as rows or as integer classes.
    a : ndarray, shape (n, fan_out)
        Outputs. The class of a row is its largest element; of a single output, whether it is above ½.

    Returns
    -------
    float
    """
    return float(np.mean(_classes(t) == _classes(a)))


def _classes(rows: FloatArray) -> FloatArray:
    if rows.ndim == 1:
        return rows
    return np.asarray(rows[:, 0] > 0.5 if rows.shape[1] == 1 else rows.argmax(axis=1))


def confusion_counts(t: FloatArray, a: FloatArray) -> FloatArray:
    """Return how many samples of each class were taken for each.

    Parameters
    ----------
    t, a : ndarray
        As for `accuracy`.

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        Rows are the true class, columns what was predicted.
    """
    n = max(a.shape[1], 2)
    pairs = _classes(t).astype(np.int64) * n + _classes(a)
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


def r2(t: FloatArray, a: FloatArray) -> float:
    """Return the coefficient of determination 1 − Σ(t − a)² / Σ(t − t̄)², the mean of all outputs'.

    Parameters
    ----------
    t, a : ndarray, shape (n, fan_out)
        Targets and outputs.

    Returns
    -------
    float
        As scikit-learn's ``r2_score``: of an output whose targets are all the same 1 if a is they, else 0.
    """
    t, a = t.astype(np.float64), a.astype(np.float64)
    residual, total = ((t - a) ** 2).sum(axis=0), ((t - t.mean(axis=0)) ** 2).sum(axis=0)
    flat = total == 0.0
    return float(np.mean(np.where(flat, residual == 0.0, 1.0 - residual / np.where(flat, 1.0, total))))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "r2": r2}


def resolve_metrics(metrics: object) -> dict[str, Metric]:
    """Return the metrics by their names, from names and callables of (t, a)."""
    known = f"a callable of (t, a), or one of: {', '.join(METRICS)}"
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise TypeError(f"metrics is {shown(metrics)}; it must be a sequence, each {known}")
    found: dict[str, Metric] = {}
    for i, metric in enumerate(items_of(metrics, "metrics", known)):
        if isinstance(metric, str):
            if metric not in METRICS:
                raise ValueError(f"metrics[{i}] is {shown(metric)}; it must be {known}")
            name, function = metric, METRICS[metric]
        elif callable(metric):
            name, function = getattr(metric, "__name__", type(metric).__name__), metric
        else:
            raise TypeError(f"metrics[{i}] is {shown(metric)}; it must be {known}")
        if name in found or name == "loss":
            raise ValueError(f"metrics[{i}] is named {name!r}, as another number of the history is; rename it")
        found[name] = function
    return found


@dataclass(frozen=True)
class State:
    """What a callback is given: where a run stands. It cannot be changed.

    Attributes
    ----------
    epoch, step : int
        Epochs completed and steps done since the trainer's birth.
    loss : float
        Mean loss of the samples that the latest epoch has seen, each before its step.
    val_loss : float or None
        Of the last epoch completed, where it had validation data.
    metrics : mapping of str to float
        Likewise: of the training data by the metric's name, of the validation data with ``val_`` before it.
    network : Network
        The network as it is now.
    """

    epoch: int
    step: int
    loss: float
    val_loss: float | None
    metrics: Mapping[str, float]
    network: Network

    def __repr__(self) -> str:
        losses = {"loss": self.loss} if self.val_loss is None else {"loss": self.loss, "val_loss": self.val_loss}
        values = ", ".join(f"{name}={value:.6g}" for name, value in {**losses, **self.metrics}.items())
        return f"State(epoch={self.epoch}, step={self.step}, {values}, {self.network!r})"


# It may have `begin(trainer, x, t, until_epoch)`, which is called before the first step (x and t are None for data in
# batches), `every_steps`, and `epochs_to_wait`: after how many epochs it next wishes to be called, which may change.
Callback = Callable[[State], object]


def resolve_early_stopping(rule: object) -> EarlyStopping | None:
    """Return `rule`, once it is one."""
    if rule is not None and not isinstance(rule, EarlyStopping):
        raise TypeError(f"early_stopping is {shown(rule)}; it must be None or a bp.EarlyStopping")
    return rule


def resolve_callbacks(callbacks: object) -> list[tuple[Callback, int | None]]:
    """Return each callback with the number of steps between its calls, None for the end of every epoch."""
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks is {shown(callbacks)}; it must be a sequence of callables of the state")
    found = []
    for i, callback in enumerate(items_of(callbacks, "callbacks", "callables of the state")):
        if not callable(callback):
            raise TypeError(f"callbacks[{i}] is {shown(callback)}; it must be a callable of the state")
        every = getattr(callback, "every_steps", None)
        found.append((callback, None if every is None else whole_number(every, f"callbacks[{i}].every_steps", 1)))
    return found


@dataclass(frozen=True)
class EarlyStopping:
    """When a fit is to end before its last epoch.

    What it has seen begins anew with every fit, but for one that goes on where another was interrupted or saved a
    checkpoint, by an equal rule. The time begins anew all the same.

    Parameters
    ----------
    monitor : str or None
        A name of the history. None is ``"val_loss"`` where there are validation data, or else ``"loss"``.
    patience : int or None
        After how many epochs in a row without improvement; None for any number.
    min_delta : float
        By how much more an improvement must be.
    restore_best : bool
        Whether the fit, however early it ended, leaves the parameters of the epoch with the best value.
    maximize : bool or None
        Whether more is better; None: for ``accuracy`` and ``r2``.
    generalization_loss : float or None
        Stops where 100·(value / least value − 1) exceeds it: Prechelt 1998, Early stopping – but when?, the class GL.
    time_limit : float or None
        Seconds; the fit ends with the first epoch that ends later.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A number is out of its range, or `generalization_loss` is given for what is maximized.
    """

    monitor: str | None = None
    patience: int | None = 10
    min_delta: float = 0.0
    restore_best: bool = True
    maximize: bool | None = None
    generalization_loss: float | None = None
    time_limit: float | None = None

    def __post_init__(self) -> None:
        if self.monitor is not None and not isinstance(self.monitor, str):
            raise TypeError(f"monitor is {shown(self.monitor)}; it must be None or a name of the history")
        if self.patience is not None:
            whole_number(self.patience, "patience", 1)
        truth(self.restore_best, "restore_best")
        if self.maximize is not None:
            truth(self.maximize, "maximize")
        real_number(self.min_delta, "min_delta")
        for name in ("min_delta", "generalization_loss", "time_limit"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= real_number(value, name) < math.inf:
                raise ValueError(f"{name} is {value}; it must be at least 0 and finite")
        if self.generalization_loss is not None and self._maximizes(self.monitor or ""):
            raise ValueError(f"generalization_loss is given, but {self.monitor} is maximized; it must be None")

    def _maximizes(self, monitor: str) -> bool:
        """Return whether more is better of what has this name."""
        if self.maximize is not None:
            return truth(self.maximize, "maximize")
        return monitor.removeprefix("val_") in METRICS


@dataclass
class Seen:
    """What an `EarlyStopping` has seen of a run: all that it needs to go on, but for the time."""

    rule: EarlyStopping
    monitor: str
    least: float = math.inf  # of what is monitored, its sign turned where more is better
    waited: int = 0
    best: FloatArray | None = None  # the parameters that gave the least
    is_over: bool = False  # whether the fit was to end, which what raised after that epoch may have kept it from


class Stopper:
    """An `EarlyStopping` at work in one fit, which may go on with what it has `seen` in another."""

    def __init__(self, rule: EarlyStopping, names: Sequence[str], network: Network, seen: Seen | None) -> None:
        self._rule, self._network = rule, network
        monitor = rule.monitor or ("val_loss" if "val_loss" in names else "loss")
        if monitor not in names:
            raise ValueError(f"early_stopping: monitor is {monitor!r}; it must be one of: {', '.join(names)}")
        self._sign = -1.0 if rule._maximizes(monitor) else 1.0
        goes_on = seen is not None and (seen.rule, seen.monitor) == (rule, monitor)
        self.seen = cast(Seen, seen) if goes_on else Seen(rule, monitor)
        self.seen.is_over |= self._is_out_of_patience()  # of a file it is not known
        self._end = math.inf if rule.time_limit is None else time.monotonic() + rule.time_limit

    def after_epoch(self, values: Mapping[str, float]) -> bool:
        """Look at an epoch's numbers; return whether the fit is to end."""
        rule, seen = self._rule, self.seen
        if seen.monitor not in values:  # a metric that has just raised
            return False
        value = self._sign * values[seen.monitor]
        if value < seen.least - (rule.min_delta if seen.least < math.inf else 0.0):
            seen.least, seen.waited = value, 0
            if rule.restore_best:
                seen.best = self._network.parameters.copy()
        else:
            seen.waited += 1
        seen.is_over = self._is_out_of_patience() or self._generalizes_worse(value)
        return seen.is_over or time.monotonic() >= self._end

    def _is_out_of_patience(self) -> bool:
        return self._rule.patience is not None and self.seen.waited >= self._rule.patience

    def _generalizes_worse(self, value: float) -> bool:
        threshold = self._rule.generalization_loss
        return threshold is not None and 100.0 * (value - self.seen.least) > threshold * self.seen.least

    def restore(self) -> None:
        """Give the network the parameters of its best epoch."""
        if self.seen.best is not None:
            self._network.parameters = self.seen.best


class Progress:
    """A bar by tqdm that counts epochs, with the latest losses; nothing where it is not wanted."""

    def __init__(self, wanted: bool, first: int, end: int) -> None:
        self.wanted, self._shown = wanted, first
        self._bar: Any = None
        if wanted:
            from tqdm.auto import tqdm  # imported when first used

            self._bar = tqdm(total=end - first, unit="epoch")

    def show(self, epoch: int, values: Mapping[str, float]) -> None:
        """Bring the bar to where the run is."""
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
            self._bar.update(epoch - self._shown)
            self._shown = epoch

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


class Watch:
    """All that looks at one fit: where it must pause for them, and what they do there.

    Parameters
    ----------
    callbacks : list of (callback, int or None)
        As `resolve_callbacks` makes them.
    stopper : Stopper or None
        Early stopping.
    progress : Progress
        The bar.
    every_epoch : bool
        Whether something else needs a pause after every epoch.
    """

    def __init__(
        self,
        callbacks: list[tuple[Callback, int | None]],
        stopper: Stopper | None,
        progress: Progress,
        every_epoch: bool,
    ) -> None:
        self._callbacks, self._stopper, self._progress = callbacks, stopper, progress
        by_epoch = [callback for callback, steps in callbacks if steps is None]
        self._paced: list[Any] = [callback for callback in by_epoch if hasattr(callback, "epochs_to_wait")]
        self._every_epoch = every_epoch or stopper is not None or len(by_epoch) > len(self._paced)
        self._at_a_time, self._paused = 1, time.monotonic()  # epochs between pauses for the bar
        self.stopped = stopper is not None and stopper.seen.is_over

    def begin(self, trainer: Trainer, data: Data | None, until_epoch: int) -> None:
        """Tell the callbacks that wish to know it what is to be trained, before the first step."""
        for callback, _ in self._callbacks:
            begin = getattr(callback, "begin", None)
            if begin is not None:
                begin(trainer, *((None, None) if data is None else (data.x, data.t)), until_epoch)

    def next_pause(self, epoch: int, step: int, end: int) -> tuple[int, int | None]:
        """Return the epoch and the step at which the run is to pause: for a bar alone some ten times a second."""
        steps = [(step // every + 1) * every for _, every in self._callbacks if every is not None]
        some = 1 if self._every_epoch else self._for_the_bar() if self._progress.wanted else end - epoch
        some = min([some, *(callback.epochs_to_wait for callback in self._paced)])
        return min(end, epoch + some), min(steps, default=None)

    def _for_the_bar(self) -> int:
        """Return how many epochs take a tenth of a second, as the last did, but at most four times as many as these."""
        now, former = time.monotonic(), self._paused
        self._at_a_time = max(1, int(self._at_a_time * min(4.0, 0.1 / max(now - former, 1e-9))))
        self._paused = now
        return self._at_a_time

    def heed(self, values: Mapping[str, float]) -> None:
        """Let early stopping look at an epoch that has ended."""
        if self._stopper is not None:
            self.stopped |= self._stopper.after_epoch(values)

    def look(self, state: State, values: Mapping[str, float], epoch_ended: bool) -> None:
        """Show the run to all others whose turn it is; `values` are the latest epoch's."""
        if epoch_ended:
            self._progress.show(state.epoch, values)
        for callback, every in self._callbacks:
            if epoch_ended if every is None else state.step % every == 0:
                answer = callback(state)
                self.stopped |= isinstance(answer, (bool, np.bool_)) and bool(answer)

    def finish(self) -> None:
        """After a run that ended by itself or was stopped: the best parameters, where they are wanted."""
        if self._stopper is not None:
            self._stopper.restore()

    def close(self) -> None:
        """However the run ended."""
        self._progress.close()
