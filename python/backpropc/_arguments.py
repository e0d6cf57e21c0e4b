"""Arguments as the core needs them, and the words of what is wrong with them.

The core reads contiguous arrays of one dtype. Whatever a caller gives is turned into that here, or refused with
Python's own exception: a ``TypeError`` where it is not real numbers, a ``ValueError`` where the shape or a value does
not fit.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[Any]

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in (FLOAT32, FLOAT64)}


def refuse_masked(value: object, name: str) -> None:
    """Raise a TypeError for an array with gaps: the core would take what lies under the mask for numbers."""
    if type(value) is not np.ndarray and isinstance(value, np.ndarray) and hasattr(value, "mask"):
        raise TypeError(f"{name} is a masked array; it must be a plain one: fill the gaps or leave those rows out")


def real_array(value: ArrayLike, name: str) -> FloatArray:
    """Return `value` as an array of real numbers, of whatever dtype it has."""
    refuse_masked(value, name)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}; it must be a rectangular array of real numbers") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; it must hold real numbers (float32 or float64)")
    return array


def core_dtype(*values: object) -> np.dtype[Any]:
    """Return the dtype the core computes in for these: numpy.result_type's, within float32 and float64."""
    dtype = np.result_type(*(v if isinstance(v, (int, float)) else np.asarray(v) for v in values))
    if dtype.kind == "f" and dtype.itemsize <= FLOAT32.itemsize:
        return FLOAT32
    return FLOAT64


def as_core(array: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return `array` itself if the core can read it where it is, or else a copy it can read."""
    if array.dtype == dtype:
        return np.require(array, dtype, ("C", "A"))
    with np.errstate(all="ignore"):  # a number too large for float32 becomes infinite without a warning of NumPy's
        return np.require(array, dtype, ("C", "A"))


def quick_array(value: ArrayLike, name: str, dtype: np.dtype[Any]) -> FloatArray:
    """Return `value` as a contiguous array of `dtype`, at no cost where it is one."""
    if type(value) is np.ndarray and value.dtype == dtype:
        flags = value.flags
        if flags.c_contiguous and flags.aligned:
            return value
    return as_core(real_array(value, name), dtype)


def real_number(value: object, name: str) -> float:
    """Return `value` as a float, if it is a real number."""
    if type(value) is float:
        return value
    refuse_masked(value, name)
    no_number = (bool, np.bool_, str, bytes, bytearray, complex, np.complexfloating, np.datetime64, np.timedelta64)
    if isinstance(value, no_number) or (isinstance(value, np.ndarray) and value.ndim > 0):
        raise TypeError(f"{name} is {shown(value)}; it must be a real number")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {shown(value)}; it must be a real number") from None
    except OverflowError:
        raise ValueError(f"{name} is larger than any float64; it must be finite") from None


def rate_for(dtype: np.dtype[Any], value: object, name: str = "learning_rate") -> float:
    """Return `value` as a float, if it is at least 0 and finite in `dtype`, where infinity times 0 would be nan."""
    number = real_number(value, name)
    if not 0.0 <= number <= LARGEST[dtype]:
        raise ValueError(f"{name} is {number}; it must be at least 0 and finite in {dtype}")
    return number


def numbers_for(value: object, name: str, count: int, of: str, low: float, high: float, must: str) -> tuple[float, ...]:
    """Return `value`, a number or a sequence of `count` numbers, as so many floats; none where all are 0.

    Each must be at least `low` and below `high`, in the words `must`.
    """
    one_for_all = not isinstance(value, (list, tuple)) and np.ndim(cast(Any, value)) == 0
    given = [value] * count if one_for_all else items_of(value, name, f"{count} numbers")
    if len(given) != count:
        raise ValueError(f"{name} has {len(given)} numbers; it must be one number, or {count}: one for {of}")
    numbers = []
    for i, each in enumerate(given):
        found = name if one_for_all else f"{name}[{i}]"
        number = real_number(each, found)
        if not low <= number < high:
            raise ValueError(f"{found} is {number}; it must be {must}")
        numbers.append(number)
    return tuple(numbers) if any(numbers) else ()


def whole_number(value: object, name: str, at_least: int) -> int:
    """Return `value` as an int, if it is one and no smaller than `at_least`."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {shown(value)}; it must be an integer")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} is {shown(value)}; it must be an integer") from None
    if number < at_least:
        raise ValueError(f"{name} is {shown(number)}; it must be at least {at_least}")
    return number


def one_for_each(value: object, name: str) -> list[Any] | None:
    """Return the values of a sequence or an array that has axes; None where `value` is one for all."""
    if isinstance(value, np.ndarray):
        return list(value) if value.ndim > 0 else None
    return (
        items_of(value, name, "values") if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else None
    )


def items_of(value: object, name: str, of: str) -> list[Any]:
    """Return what a sequence or another iterable has, as a list."""
    try:
        return list(cast(Any, value))
    except (TypeError, ValueError, OverflowError, NotImplementedError):  # the last of a memoryview of several axes
        raise TypeError(f"{name} is {shown(value)}; it must be a sequence of {of}") from None


def truth(value: object, name: str) -> bool:
    """Return `value` as a bool, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {shown(value)}; it must be True or False")
    return bool(value)


def network_dtype(dtype: object) -> np.dtype[Any]:
    """Return the dtype of a network's parameters: float32 or float64."""
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]
    except (TypeError, ValueError, RecursionError):
        raise TypeError(f"dtype is {shown(dtype)}; it must be 'float32' or 'float64'") from None
    if dtype is None or found not in (FLOAT32, FLOAT64):
        raise ValueError(f"dtype is {shown(dtype)}; it must be 'float32' or 'float64'")
    return FLOAT32 if found == FLOAT32 else FLOAT64


def seed_value(seed: object, rng: object = None) -> int:
    """Return a seed in [0, 2**64) from NumPy's habit: None, an int, or a numpy.random.Generator."""
    if seed is not None and rng is not None:
        raise TypeError("seed and rng are two names of one argument; give one of them")
    given, name = (seed, "seed") if rng is None else (rng, "rng")
    if given is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    try:  # first, as an int need not import numpy.random
        number = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None and isinstance(given, (np.random.Generator, np.random.BitGenerator, np.random.SeedSequence)):
        return int(np.random.default_rng(given).integers(0, 2**64, dtype=np.uint64))
    if number is None or isinstance(given, (bool, np.bool_)):
        raise TypeError(f"{name} is {shown(given)}; it must be None, an integer or a numpy.random.Generator")
    if not 0 <= number < 2**64:
        raise ValueError(f"{name} is {shown(number)}; it must be at least 0 and below 2**64")
    return number


def check_classes(classes: FloatArray, outputs: int, name: str = "t") -> None:
    """Raise a ValueError unless each of these integers is a class, of which there are as many as outputs."""
    wrong = np.flatnonzero((classes < 0) | (classes >= outputs))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(
            f"{name}[{i}] is class {classes[i]}; with {outputs} outputs the classes must be 0 to {outputs - 1}"
        )


def shape_error(name: str, found: tuple[int, ...], expected: str) -> ValueError:
    """Return the error for an array of a shape that does not fit."""
    return ValueError(f"{name} has shape {found}; it must be {expected}")


def shown(value: object) -> str:
    """Return `value` as a message shows it: in one line, however large it is."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"an array of shape {value.shape}"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # of a repr of the user's own, of more digits or brackets than Python writes
        return f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:80]} …"
