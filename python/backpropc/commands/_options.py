"""What command-line options may be: types for argparse that say what they must be."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable

from .._files import check_writable


class UsageError(Exception):
    """Options that do not go together: wrong usage, as argparse finds it for one of them."""


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


seed = integer(0, 2**64 - 1)


def number(below: float = math.inf) -> Callable[[str], float]:
    """Return the type of an option that is a number of at least 0, and below another or finite."""
    words = "a finite number of at least 0" if below == math.inf else f"a number of at least 0 and below {below:g}"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 <= value < below:
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
        return value

    return parse


rate = number()


def sizes(text: str) -> list[int]:
    """Return the sizes of the hidden layers: integers with commas between them, or none."""
    if text == "none":
        return []
    count = integer(1)
    try:
        return [count(each.strip()) for each in text.split(",")]
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of sizes of at least 1, as 32,16, nor none") from None


def delimiter(text: str) -> str:
    """Return the character between two fields of a CSV file."""
    character = {"tab": "\t", r"\t": "\t"}.get(text, text)
    if len(character) != 1 or character in '"\r\n':
        raise argparse.ArgumentTypeError(f"{text!r} is not one character, nor tab")
    return character


def check_output(path: str, *inputs: str) -> None:
    """Raise an error now, if the output cannot be written in the end, or would replace what is read."""
    check_writable(path)
    for each in inputs:
        if os.path.exists(path) and os.path.exists(each) and os.path.samefile(path, each):
            raise ValueError(f"--output is {path!r}, the file that is read; it must be another")


def add_table_options(parser: argparse._ActionsContainer) -> None:
    """Declare how a table is read."""
    parser.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether the first line of a CSV file has the columns' names (default: auto: where none of its fields is "
        "a number)",
    )
    parser.add_argument(
        "--delimiter",
        type=delimiter,
        metavar="CHARACTER",
        help="what stands between two fields of a CSV file, as ';' or tab (default: found in the first line)",
    )
