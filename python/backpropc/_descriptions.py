"""How a definition that Python adds describes itself: the form in which the core's lists come too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def number(
    name: str, default: float, low: float, high: float = math.inf, included: bool = True, whole: bool = False
) -> dict[str, Any]:
    """Describe a parameter: a number from `low`, itself included or not, to below `high`."""
    return {
        "name": name,
        "is_flag": False,
        "is_whole": whole,
        "choices": (),
        "default": default,
        "low": low,
        "high": high,
        "low_included": included,
        "high_included": False,
    }


def describe(
    name: str, formula: str, source: str, parameters: Sequence[dict[str, Any]], notes: str = ""
) -> dict[str, Any]:
    """Describe a definition; see `describe` in csrc/core/definition.hpp."""
    return {
        "name": name,
        "alias": None,
        "formula": formula,
        "source": source,
        "parameters": tuple(parameters),
        "relations": (),
        "notes": notes,
    }
