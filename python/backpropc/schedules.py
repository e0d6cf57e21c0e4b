"""How the learning rate changes from epoch to epoch.

A schedule holds for a whole epoch: the rate of epoch e, counted from 0 since the trainer's birth, is a function of e,
of the optimizer's own rate and, for `reduce_on_plateau`, of the losses so far. Any callable from e to a rate is one.

>>> import backpropc as bp
>>> schedule = bp.schedules.step(every=10, factor=0.5)
>>> [schedule.rate(epoch, 0.8) for epoch in (0, 9, 10, 20)]
[0.8, 0.8, 0.4, 0.2]
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import NamedTuple

from ._arguments import real_number, shown, whole_number

__all__ = ["Schedule", "constant", "cosine", "exponential", "inverse_time", "one_cycle", "reduce_on_plateau", "step"]


class Schedule:
    """The rate of each epoch."""

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return the rate of an epoch.

        Parameters
        ----------
        epoch : int
            Counted from 0.
        learning_rate : float
            The optimizer's own.
        losses : sequence of float
            Of the epochs before; read by `reduce_on_plateau` alone.

        Returns
        -------
        float
        """
        raise NotImplementedError


@dataclass(frozen=True)
class constant(Schedule):
    """The optimizer's own rate."""

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return `learning_rate`."""
        return learning_rate


@dataclass(frozen=True)
class step(Schedule):
    """The rate times `factor` after every so many epochs: μ·factor^⌊epoch/every⌋."""

    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        whole_number(self.every, "step: every", 1)
        _between(self.factor, "step: factor", 0.0, 1.0)

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return μ·factor^⌊epoch/every⌋."""
        return learning_rate * _power(self.factor, epoch // self.every)


@dataclass(frozen=True)
class exponential(Schedule):
    """The rate times `factor` after every epoch: μ·factor^epoch."""

    factor: float

    def __post_init__(self) -> None:
        _between(self.factor, "exponential: factor", 0.0, 1.0)

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return μ·factor^epoch."""
        return learning_rate * _power(self.factor, epoch)


@dataclass(frozen=True)
class inverse_time(Schedule):
    """μ / (1 + decay·epoch), which falls as Robbins and Monro (1951) ask of a rate."""

    decay: float

    def __post_init__(self) -> None:
        _between(self.decay, "inverse_time: decay", 0.0, float("inf"))

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return μ / (1 + decay·epoch)."""
        return learning_rate / (1.0 + self.decay * epoch)


@dataclass(frozen=True)
class cosine(Schedule):
    """From μ to `final`·μ in so many epochs along half a cosine, and there from then on.

    Loshchilov, Hutter 2017 (SGDR), one period of equation 5.
    """

    epochs: int
    final: float = 0.0

    def __post_init__(self) -> None:
        whole_number(self.epochs, "cosine: epochs", 1)
        _between(self.final, "cosine: final", 0.0, 1.0)

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return μ·(final + (1 − final)·½(1 + cos(π·epoch/epochs)))."""
        return _along_cosine(learning_rate, learning_rate * self.final, epoch / self.epochs)


@dataclass(frozen=True)
class one_cycle(Schedule):
    """Up from μ/`start` to μ in the first `rise` of so many epochs, down to μ/`end` in the others, along cosines.

    Smith 2018, A disciplined approach to neural network hyper-parameters, with PyTorch's defaults. μ is the highest.
    """

    epochs: int
    rise: float = 0.3
    start: float = 25.0
    end: float = 25e4

    def __post_init__(self) -> None:
        whole_number(self.epochs, "one_cycle: epochs", 1)
        _between(self.rise, "one_cycle: rise", 0.0, 1.0)
        _between(self.start, "one_cycle: start", 1.0, float("inf"))
        _between(self.end, "one_cycle: end", 1.0, float("inf"))

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return the rate, which is μ at epoch rise·(epochs − 1)."""
        last = max(self.epochs - 1, 1)
        top = self.rise * last
        if epoch < top:
            return _along_cosine(learning_rate / self.start, learning_rate, epoch / top)
        return _along_cosine(
            learning_rate, learning_rate / self.end, (epoch - top) / (last - top) if last > top else 1.0
        )


class Plateau(NamedTuple):
    """What `reduce_on_plateau` has made of the losses of so many epochs."""

    rate: float
    epochs: int = 0
    least: float = float("inf")
    waited: int = 0


@dataclass(frozen=True)
class reduce_on_plateau(Schedule):
    """The rate times `factor` when the loss has not fallen for more than `patience` epochs.

    It has fallen where it is below the least so far by more than `min_delta` of that. The loss is that of the
    validation data, where there are any, or else that of training. After PyTorch's
    ReduceLROnPlateau, without its cooldown.
    """

    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    min_rate: float = 0.0

    def __post_init__(self) -> None:
        _between(self.factor, "reduce_on_plateau: factor", 0.0, 1.0)
        whole_number(self.patience, "reduce_on_plateau: patience", 0)
        _between(self.min_delta, "reduce_on_plateau: min_delta", 0.0, 1.0)
        _between(self.min_rate, "reduce_on_plateau: min_rate", 0.0, float("inf"))

    def rate(self, epoch: int, learning_rate: float, losses: Sequence[float] = ()) -> float:
        """Return the rate after these losses: nothing is kept from call to call."""
        return self.after(Plateau(learning_rate), losses[:epoch]).rate

    def after(self, plateau: Plateau, losses: Iterable[float]) -> Plateau:
        """Return where the losses of more epochs lead."""
        rate, epochs, least, waited = plateau
        for loss in losses:
            epochs += 1
            if loss < least - self.min_delta * abs(least) or least == float("inf"):
                least, waited = min(least, loss), 0
            else:
                waited += 1
            if waited > self.patience:
                rate, waited = max(rate * self.factor, min(self.min_rate, rate)), 0
        return Plateau(rate, epochs, least, waited)


Schedules = Schedule | Callable[[int], float]
BY_NAME = {
    cls.__name__: cls for cls in (constant, step, exponential, cosine, one_cycle, inverse_time, reduce_on_plateau)
}


def resolve(schedule: object) -> Schedules:
    """Return the schedule that `schedule` names or is.

    Raises
    ------
    TypeError
        It is neither a name, a schedule nor callable.
    ValueError
        There is no such name, or it takes parameters that a name alone does not give.
    """
    names = ", ".join(BY_NAME)
    if schedule is None:
        return constant()
    if isinstance(schedule, str):
        found = BY_NAME.get(schedule)
        if found is None:
            raise ValueError(f"schedule is {shown(schedule)}; it must be a callable of the epoch, or one of: {names}")
        needed = [field.name for field in fields(found) if field.default is MISSING]
        if needed:
            usage = f"bp.schedules.{schedule}({', '.join(needed)})"
            raise ValueError(f"schedule is {schedule!r}, which takes parameters; write {usage}")
        return found()  # type: ignore[call-arg]
    if isinstance(schedule, Schedule) or (callable(schedule) and not isinstance(schedule, type)):
        return schedule
    raise TypeError(f"schedule is {shown(schedule)}; it must be a callable of the epoch, or one of: {names}")


def _between(value: object, name: str, low: float, high: float) -> None:
    number = real_number(value, name)
    if not (low <= number <= high and abs(number) < float("inf")):
        must = f"at least {low:g} and finite" if high == float("inf") else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{name} is {number}; it must be {must}")


def _power(base: float, n: int) -> float:
    """Return base^n by squaring, as the core does: libm's pow differs from one system to the next."""
    n, result = operator.index(n), 1.0
    while n > 0:
        if n % 2 == 1:
            result *= base
        base *= base
        n //= 2
    return result


def _along_cosine(first: float, last: float, part: float) -> float:
    """Return last + (first − last)·½(1 + cos(π·part)), for a part in [0, 1]; beyond it, last.

    ½(1 + cos y) = cos²(y/2), by its series: exactly rounded operations only, for the same rate on every system.
    """
    if part >= 1.0:
        return last
    half = 0.5 * 3.141592653589793 * part
    term = cosine_of_half = 1.0
    for k in range(1, 14):
        term *= -half * half / ((2 * k - 1) * (2 * k))
        cosine_of_half += term
    return last + (first - last) * (cosine_of_half * cosine_of_half)
