"""The candidates of a search: spaces of hyperparameters, what is drawn from them, and what their names mean."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ._arguments import items_of, real_number, seed_value, shown, whole_number
from ._members import ARGUMENTS
from .definitions import OPTIMIZER, Definition
from .layers import Dense, plan_layers

NETWORK = ("activation", "output_activation", "initializer", "bias_initializer", "dtype")
SHAPE = ("hidden", *NETWORK)
NUMBERS = tuple(
    dict.fromkeys(p["name"] for cls in OPTIMIZER.classes.values() for p in cls.entry["parameters"])
)  # of optimizers
NAMES = tuple(dict.fromkeys((*SHAPE, "epochs", *ARGUMENTS, *NUMBERS)))

Space = Mapping[str, Any]


class log_uniform:
    """A distribution for `search`: numbers whose logarithm is uniform, rounded to six significant digits.

    Parameters
    ----------
    low, high : float
        The least and the largest, above 0.

    Raises
    ------
    TypeError, ValueError
        They are no numbers, or not in this order.

    Examples
    --------
    >>> import backpropc as bp
    >>> [float(rate) for rate in bp.log_uniform(1e-3, 1.0).rvs(size=3, random_state=0)]
    [0.0814489, 0.00644704, 0.00132715]
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = real_number(low, "low"), real_number(high, "high")
        if not 0.0 < self.low < self.high < math.inf:
            raise ValueError(f"low is {low} and high is {high}; they must be above 0, finite, and low below high")

    def rvs(self, size: int | None = None, random_state: Any = None) -> Any:
        """Draw one number, or several.

        Parameters
        ----------
        size : int or None
            How many; None for one, not in an array.
        random_state : None, int or numpy.random.Generator
            Whence.

        Returns
        -------
        float or ndarray, shape (size,)
        """
        made = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, np.random.SeedSequence)
        if random_state is not None and not isinstance(random_state, made):
            random_state = whole_number(random_state, "random_state", 0)  # NumPy's own check follows a list in itself
        share = np.random.default_rng(random_state).random(size)
        drawn = np.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        # Six digits: whatever a machine's exp does in the last bit, the number is the same.
        rounded = [float(f"{value:.6g}") for value in np.atleast_1d(drawn)]
        return rounded[0] if size is None else np.array(rounded)

    def __repr__(self) -> str:
        return f"log_uniform({self.low:g}, {self.high:g})"


@dataclass(frozen=True)
class Candidate:
    """One choice of hyperparameters, with all else that a network and its training need.

    Attributes
    ----------
    chosen : dict
        What was drawn, or stands in the grid.
    settings : dict
        That, and the arguments that are the same for all candidates.
    """

    sizes: Any
    chosen: dict[str, Any]
    settings: dict[str, Any]

    @cached_property
    def plans(self) -> tuple[Dense, ...]:
        """The layers."""
        layers = self.sizes
        if "hidden" in self.settings:
            if any(isinstance(layer, Dense) for layer in layers):
                raise TypeError("hidden is given, but sizes are Dense layers; give sizes as numbers")
            hidden = self.settings["hidden"]
            layers = [layers[0], *([hidden] if np.ndim(hidden) == 0 else hidden), layers[-1]]
        return plan_layers(layers, **{name: self.settings.get(name) for name in NETWORK if name != "dtype"})

    @property
    def dtype(self) -> Any:
        """The networks' dtype."""
        return self.settings.get("dtype", "float32")

    @property
    def loss(self) -> Any:
        """The loss the networks learn by."""
        return self.settings.get("loss", "half_squared_error")

    @property
    def epochs(self) -> int:
        """How many epochs each network learns."""
        return whole_number(self.settings["epochs"], "epochs", 1)

    @cached_property
    def training(self) -> dict[str, Any]:
        """The arguments of a Trainer."""
        given = {name: self.settings[name] for name in ARGUMENTS if name in self.settings}
        return {**given, "optimizer": self._optimizer()}

    def _optimizer(self) -> Definition:
        given = self.settings["optimizer"]
        numbers = {name: self.settings[name] for name in NUMBERS if name in self.settings}
        if not numbers:
            return OPTIMIZER.resolve(given, "optimizer")
        is_name = isinstance(given, str) and given in OPTIMIZER.classes
        cls = OPTIMIZER.classes[given] if is_name else type(OPTIMIZER.resolve(given, "optimizer"))
        known = [p["name"] for p in cls.entry["parameters"]]
        for name in numbers:
            if name not in known:
                raise ValueError(f"{name} is no parameter of {cls.name}, whose are: {', '.join(known)}")
        return cls(**{**({} if is_name else given.parameters), **numbers})


def check_names(given: Space, where: str) -> None:
    """Raise a TypeError for a name that is no hyperparameter."""
    for name in given:
        if name in NAMES:
            continue
        close = difflib.get_close_matches(str(name), NAMES, 3, 0.6)
        hint = f"did you mean {' or '.join(close)}?" if close else f"the hyperparameters are: {', '.join(NAMES)}"
        raise TypeError(f"{where} names {shown(name)}, which is no hyperparameter; {hint}")


def candidates_of(
    sizes: Any, space: Any, settings: dict[str, Any], n: int | None, rng: np.random.Generator
) -> list[Candidate]:
    """Return the candidates of a grid, or n drawn from a space.

    Raises
    ------
    TypeError, ValueError
        A name is none of a hyperparameter's, what stands for one is neither a list nor a distribution, or there are
        not so many combinations.
    """
    spaces = [_checked(each) for each in ([space] if isinstance(space, Mapping) else _list(space))]
    fixed = {"optimizer": "Adam", "epochs": 100, **settings}
    check_names(settings, "search")
    for each in spaces:
        for name in each:
            if name in settings:
                raise TypeError(f"{name} is an argument and in space; give it once")
    drawn = _grid(spaces) if n is None else _drawn(spaces, whole_number(n, "n", 1), rng)
    return [Candidate(sizes, chosen, {**fixed, **chosen}) for chosen in drawn]


def _list(space: Any) -> list[Any]:
    if not isinstance(space, Sequence) or isinstance(space, str) or not space:
        raise TypeError(f"space is {shown(space)}; it must be a dict of hyperparameters, or a list of such dicts")
    return items_of(space, "space", "dicts")


def _checked(space: Any) -> dict[str, Any]:
    """Return a space whose lists are lists."""
    if not isinstance(space, Mapping):
        raise TypeError(f"space is {shown(space)}; it must be a dict of hyperparameters, or a list of such dicts")
    check_names(space, "space")
    return {name: _choices(value, name) for name, value in space.items()}


def _choices(value: Any, name: str) -> Any:
    where = f"space: {name}"
    if callable(getattr(value, "rvs", None)) and not isinstance(value, type):
        return value
    must = "it must be a list of values, or a distribution such as bp.log_uniform(1e-4, 1.0) or scipy.stats.uniform()"
    if isinstance(value, Definition) and value.family.kind == "initializer":
        raise TypeError(f"{where} is {value!r}, an initializer of weights; {must}")
    is_array = isinstance(value, np.ndarray) and value.ndim > 0
    if not is_array and (not isinstance(value, Sequence) or isinstance(value, (str, bytes))):
        raise TypeError(f"{where} is {shown(value)}; {must}. What is the same for all is an argument of search")
    if not len(value):
        raise ValueError(f"{where} is empty; it must have at least one value")
    return value.tolist() if isinstance(value, np.ndarray) else list(value)


def _grid(spaces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for space in spaces:
        for name, value in space.items():
            if not isinstance(value, list):
                raise ValueError(
                    f"space: {name} is a distribution, so n must say how many candidates to draw, as n=50; n is None"
                )
    return [dict(zip(space, values, strict=True)) for space in spaces for values in itertools.product(*space.values())]


def _drawn(spaces: list[dict[str, Any]], n: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Draw from a space at a time; from lists alone no combination twice."""
    if all(isinstance(value, list) for space in spaces for value in space.values()):
        totals = [math.prod(len(value) for value in space.values()) for space in spaces]
        if n > sum(totals):
            raise ValueError(f"n is {n}, but the lists have {sum(totals)} combinations; n=None tries them all")
        return [_combination(spaces, totals, int(at)) for at in rng.choice(sum(totals), n, replace=False)]
    of_draws = [spaces[int(rng.integers(len(spaces)))] for _ in range(n)]
    return [{name: _draw(value, name, rng) for name, value in space.items()} for space in of_draws]


def _combination(spaces: list[dict[str, Any]], totals: list[int], at: int) -> dict[str, Any]:
    which = 0
    while at >= totals[which]:
        at, which = at - totals[which], which + 1
    space, chosen = spaces[which], {}
    for name, value in reversed(space.items()):
        at, i = divmod(at, len(value))
        chosen[name] = value[i]
    return {name: chosen[name] for name in space}


def _draw(value: Any, name: str, rng: np.random.Generator) -> Any:
    if isinstance(value, list):
        return value[int(rng.integers(len(value)))]
    drawn = value.rvs(random_state=rng)
    if np.size(drawn) != 1:
        raise ValueError(f"space: {name} drew {shown(drawn)}; rvs(random_state=...) must return one number")
    return np.asarray(drawn).reshape(-1)[0].item()


def generator(seed: int) -> np.random.Generator:
    """Return what candidates and folds are drawn from."""
    return np.random.Generator(np.random.Philox(key=seed_value(seed)))
