"""What command-line options may be: types for argparse that say what they must be."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def integer(at_least: int, at_most: int | None = None) -> Callable[[str], int]:
    """Return the type of an option that is an integer of a range."""
    words = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = at_least - 1
        if value < at_least or (at_most is not None and value > at_most):
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer {words}")
        return value

    return parse


def rate(text: str) -> float:
    """Return an option as a learning rate."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number of at least 0")
    return value
