"""Activations, losses, optimizers and initializers as objects: whatever is registered behaves as a value does."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

import backpropc as bp
from backpropc.definitions import FAMILIES, Definition

CLASSES = {name: cls for family in FAMILIES.values() for name, cls in family.classes.items()}
WITH_PARAMETERS = [name for name, cls in CLASSES.items() if cls.entry["parameters"]]


def some(name: str) -> Definition:
    """One of them, with values that are allowed and, where it can be, not the defaults."""
    values: dict[str, Any] = {}
    for p in CLASSES[name].entry["parameters"]:
        number = min(max(p["low"], 0.25), p["high"])
        values[p["name"]] = True if p["is_flag"] else p["choices"][-1] if p["choices"] else number
    return CLASSES[name](**values)


@pytest.mark.parametrize("name", CLASSES)
def test_it_is_a_value(name: str) -> None:
    one = some(name)
    for twin in (some(name), copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin == one
        assert hash(twin) == hash(one)
        assert repr(twin) == repr(one)
    assert one not in [some(other) for other in CLASSES if other != name]
    with pytest.raises(AttributeError, match="cannot be changed"):
        one.learning_rate = 2.0


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_the_package_offers_what_takes_parameters(name: str) -> None:
    cls = getattr(bp, name)
    assert name in bp.__all__
    assert name in dir(bp)
    assert pickle.loads(pickle.dumps(cls)) is cls
    assert list(inspect.signature(cls).parameters) == list(some(name).parameters)
    assert eval(repr(some(name)), vars(bp) | {name: cls}) == some(name)
    for parameter, value in some(name).parameters.items():
        assert getattr(some(name), parameter) == value
        assert parameter in (cls.__doc__ or "")


def test_the_names_of_the_package_are_there_and_are_the_interface() -> None:
    offered: dict[str, Any] = {}
    exec("from backpropc import *", offered)
    assert {"Network", "Trainer", "SGD", "uniform"} <= set(offered)
    assert set(offered) - {"__builtins__"} == set(bp.__all__)
    assert set(dir(bp)) == {*bp.__all__, "__version__"}
    with pytest.raises(AttributeError, match="nonsense"):
        bp.nonsense  # noqa: B018
