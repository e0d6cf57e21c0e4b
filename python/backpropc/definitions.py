"""Activations, losses, optimizers and initializers by name, and as objects where they take parameters.

What exists is written down once, in the lists of ``csrc/math``, and in `_methods` the optimizers that Python adds; this
module reads those lists. A definition is given
by its name (``"logistic"``), or as an object where it takes parameters (``bp.SGD(0.3)``, ``bp.uniform(-0.1, 0.1)``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np

from . import _core, _methods
from ._arguments import real_number, shown, truth, whole_number

Value: TypeAlias = float | bool | str  # of a parameter; a tuple of them holds one for each of many networks


class Definition:
    """One activation, loss, optimizer or initializer, with values for its parameters. Immutable.

    Attributes
    ----------
    name : str
        The registered name.
    parameters : dict of str to float, bool or str
        The values of its parameters, in their order.
    """

    family: ClassVar[Family]
    name: str
    entry: ClassVar[dict[str, Any]]
    __slots__ = ("_choice", "parameters")
    parameters: dict[str, Value]
    _choice: _core.Choice

    def __init__(self, *args: object, **kwargs: object) -> None:
        try:
            given = inspect.signature(type(self)).bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}; write {_usage(self.entry)}") from None
        parameters = self.entry["parameters"]
        values = {p["name"]: _checked(self.name, p, given.get(p["name"], p["default"])) for p in parameters}
        for each in _one_by_one(self.name, values):
            for relation in self.entry["relations"]:
                _check_relation(self.name, each, *relation)
        self._adopt(values)

    def _adopt(self, values: dict[str, Any]) -> None:
        """Become the definition of these values, which have been checked."""
        object.__setattr__(self, "parameters", values)
        if self.several is None:
            choice = self.family.choose(self.family.index[self.name], self.numbers())
            object.__setattr__(self, "_choice", choice)

    def numbers(self) -> list[float]:
        """Return the numbers by which the core knows the values."""
        return [_number(p, v) for p, v in zip(self.entry["parameters"], self.parameters.values(), strict=True)]

    @property
    def several(self) -> int | None:
        """Of how many networks it has the parameters; None where they are the same for all."""
        values: Iterable[Any] = self.parameters.values()
        return next((len(value) for value in values if isinstance(value, tuple)), None)

    def one_by_one(self) -> list[Definition]:
        """Return the definition of each network, where it has those of several."""
        found = []
        for values in _one_by_one(self.name, self.parameters):
            definition = object.__new__(type(self))
            definition._adopt(values)
            found.append(definition)
        return found

    def __getattr__(self, name: str) -> Value:
        if not name.startswith("_") and name in self.parameters:
            return self.parameters[name]
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self.name} cannot be changed; make a new one: {_usage(self.entry)}")

    def __repr__(self) -> str:
        shown = (
            f"{p['name']}={self.parameters[p['name']]!r}"
            for p in self.entry["parameters"]
            if p["default"] is None or self.parameters[p["name"]] != p["default"]
        )
        return f"{self.name}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.parameters == self.parameters

    def __hash__(self) -> int:
        return hash((self.name, *self.parameters.values()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.family.kind, self.name, tuple(self.parameters.values())))

    @property
    def short(self) -> str | Definition:
        """The name alone, where that says all: no parameter differs from its default."""
        as_the_name = all(p["default"] == self.parameters[p["name"]] for p in self.entry["parameters"])
        return self.name if as_the_name else self


class Family:
    """All definitions of one kind, by name."""

    def __init__(
        self,
        kind: str,
        entries: tuple[dict[str, Any], ...],
        choose: Callable[..., Any],
        own: str | None = None,
    ) -> None:
        self.kind = kind
        self.choose = choose
        self.own = own  # how users write one of their own, where they can
        self.names = tuple(entry["name"] for entry in entries)
        self.index = {name: i for i, name in enumerate(self.names)}
        self.aliases = {entry["alias"]: entry["name"] for entry in entries if entry["alias"]}
        self.classes = {entry["name"]: self._make_class(entry) for entry in entries}
        self._by_name: dict[str, Definition] = {}

    def _make_class(self, entry: dict[str, Any]) -> type[Definition]:
        parameters = [
            inspect.Parameter(
                p["name"],
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if p["default"] is None else p["default"],
            )
            for p in entry["parameters"]
        ]
        doc = f"The {self.kind} ``{entry['name']}``: {entry['formula']}.\n\nSource: {entry['source'] or 'definition'}."
        if entry.get("notes"):
            doc += f"\n\n{entry['notes']}"
        if parameters:
            doc += "\n\nParameters\n----------\n" + "\n".join(
                f"{p['name']} : {_type(p)}\n    {_sentence(_allowed(p))}" for p in entry["parameters"]
            )
        members = {
            "__slots__": (),
            "__doc__": doc,
            "__module__": __package__,  # where users, and pickle, find those that take parameters
            "__signature__": inspect.Signature(parameters),
            "family": self,
            "name": entry["name"],
            "entry": entry,
        }
        return type(entry["name"], (Definition,), members)

    def resolve(self, value: object, argument: str, several_allowed: bool = False) -> Definition:
        """Return the definition that `value` names or is; one of several networks only where that is allowed.

        Raises
        ------
        TypeError
            `value` is neither a name nor a definition of this family.
        ValueError
            There is no such name, or it takes parameters that a name alone does not give.
        """
        if isinstance(value, Definition):
            if value.family is not self:
                raise TypeError(f"{argument} is {value!r}, {_a(value.family.kind)}; it must be {_a(self.kind)}")
            if value.several is not None and not several_allowed:
                raise ValueError(
                    f"{argument} has parameters of {value.several} networks; it must have one number for each "
                    "parameter (bp.Population takes one for each network)"
                )
            return value
        if not isinstance(value, str):
            must = f"it must be a name or {_a(self.kind)} object: {self._list()}"
            if isinstance(value, type) and issubclass(value, Definition):
                must += f" (write bp.{_usage(value.entry)})"
            elif callable(value) and self.own is not None:
                must += f", or one of your own: bp.{self.own}"
            raise TypeError(f"{argument} is {shown(value)}; {must}")
        known = self._by_name.get(value)
        return known if known is not None else self._resolve_name(value, argument)

    def _resolve_name(self, name: str, argument: str) -> Definition:
        found = self.classes.get(self.aliases.get(name, name))
        if found is None:
            raise ValueError(f"{argument} is {shown(name)}; it must be one of: {self._list()}")
        if any(p["default"] is None for p in found.entry["parameters"]):
            raise ValueError(f"{argument} is {name!r}, which takes parameters; write bp.{_usage(found.entry)}")
        return self._by_name.setdefault(name, found())

    def _list(self) -> str:
        return ", ".join(self.names)

    def objects(self) -> Iterator[tuple[str, type[Definition]]]:
        """Yield the definitions that users write as objects: those that take parameters."""
        for name, cls in self.classes.items():
            if cls.entry["parameters"]:
                yield name, cls


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _usage(entry: dict[str, Any]) -> str:
    arguments = (p["name"] if p["default"] is None else f"{p['name']}={p['default']!r}" for p in entry["parameters"])
    return f"{entry['name']}({', '.join(arguments)})"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _type(p: dict[str, Any]) -> str:
    return "bool" if p["is_flag"] else "str" if p["choices"] else "int" if p.get("is_whole") else "float"


def _allowed(p: dict[str, Any]) -> str:
    if p["is_flag"]:
        return "True or False"
    if p["choices"]:
        return f"one of: {', '.join(p['choices'])}"
    low, high = p["low"], p["high"]
    if p.get("is_whole"):
        return f"an integer at least {low:g}"
    if low == -float("inf") and high == float("inf"):
        return "a finite number"
    if high == float("inf"):
        return f"a finite number {'at least' if p['low_included'] else 'above'} {low:g}"
    left, right = "[" if p["low_included"] else "(", "]" if p["high_included"] else ")"
    return f"a number in {left}{low:g}, {high:g}{right}"


LARGEST_WHOLE = 2**53  # of which and below each is a float64, by which the core may know it


def _checked(owner: str, p: dict[str, Any], value: object) -> Any:
    name = f"{owner}: {p['name']}"
    if p["is_flag"]:
        return truth(value, name)
    if p["choices"]:
        return _one_of(p["choices"], value, name)
    if p.get("is_whole"):
        number = whole_number(value, name, p["low"])
        if number > LARGEST_WHOLE:
            raise ValueError(f"{name} is {shown(number)}; it must be at most 2**53")
        return number
    several = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1)
    if several and len(cast("list[Any]", value)) > 0:
        return tuple(_within(p, each, f"{name}[{i}]") for i, each in enumerate(cast("list[Any]", value)))
    return _within(p, value, name)


def _within(p: dict[str, Any], value: object, name: str) -> float:
    number = real_number(value, name)
    above = number >= p["low"] if p["low_included"] else number > p["low"]
    below = number <= p["high"] if p["high_included"] else number < p["high"]
    if not (above and below):
        raise ValueError(f"{name} is {number}; it must be {_allowed(p)}")
    return number


def _one_by_one(owner: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the values for each network: one dictionary where they are the same for all."""
    counts = {name: len(value) for name, value in values.items() if isinstance(value, tuple)}
    if not counts:
        return [values]
    if len(set(counts.values())) > 1:
        raise ValueError(f"{owner}: {counts} are the numbers of values; they must be equal, one for each network")
    count = next(iter(counts.values()))
    columns = {name: value if name in counts else (value,) * count for name, value in values.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _one_of(choices: tuple[str, ...], value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {shown(value)}; it must be one of: {', '.join(choices)}")
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of: {', '.join(choices)}")
    return value


def _check_relation(owner: str, values: dict[str, Any], kind: str, first: str, second: str) -> None:
    """Refuse values that do not go together: see `Relation` in csrc/core/definition.hpp."""
    if kind == "at_most" and values[first] > values[second]:
        raise ValueError(f"{owner}: {first} is {values[first]}; it must be at most {second}, which is {values[second]}")
    if kind == "needs" and values[first] and values[second] == 0.0:
        raise ValueError(f"{owner}: {first} is True and {second} is {values[second]}; {first} needs a {second} above 0")


def _number(p: dict[str, Any], value: Value) -> float:
    """Return the number by which the core knows a value: of a choice, its position."""
    return float(p["choices"].index(value) if p["choices"] else value)


def _choose_optimizer(index: int, numbers: list[float]) -> _core.Choice | None:
    """Return the core's choice, None for an optimizer that Python adds."""
    return _core.choose_optimizer(index, numbers) if index < len(_core.optimizers) else None


ACTIVATION = Family("activation", _core.activations, _core.choose_activation, "Activation(function, derivative)")
LOSS = Family("loss", _core.losses, _core.choose_loss, "Loss(function, gradient)")
OPTIMIZER = Family("optimizer", (*_core.optimizers, *_methods.ENTRIES), _choose_optimizer)
INITIALIZER = Family("initializer", _core.initializers, _core.choose_initializer)
FAMILIES = {family.kind: family for family in (ACTIVATION, LOSS, OPTIMIZER, INITIALIZER)}


def _rebuild(kind: str, name: str, values: tuple[Value, ...]) -> Definition:
    return FAMILIES[kind].classes[name](*values)


def objects() -> dict[str, type[Definition]]:
    """Return everything that takes parameters, by the name under which the package offers it."""
    return {name: cls for family in FAMILIES.values() for name, cls in family.objects()}
