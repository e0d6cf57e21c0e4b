"""What nobody should give for an argument: values of any kind, and the right array spoilt in one way.

Each is a function that makes it anew, by the name with which a failure is told.
"""

from __future__ import annotations

import array
import datetime
import decimal
import enum
import fractions
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers import LAYOUTS

Make = Callable[[], Any]


class Boom(Exception):
    """What the argument itself raises; it may come through."""


def boom(*_: Any, **__: Any) -> Any:
    raise Boom("raised by the argument")


def having(**methods: Any) -> Make:
    """An object of a new class with these special methods: what they are called with is not looked at."""
    return lambda: type("Odd", (), {f"__{name}__": method for name, method in methods.items()})()


def giving(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


class Subclass(np.ndarray):
    """Its own words about itself are not to be believed."""

    shape = property(giving((1, 2, 3)))  # type: ignore[assignment]
    size = property(giving(-1))  # type: ignore[assignment]

    def __getitem__(self, index: object) -> Any:
        return boom()

    def __array_wrap__(self, *_: object) -> Any:
        return None


class Number(int):
    def __index__(self) -> int:
        return 10**6


class Color(enum.IntEnum):
    RED = 1


class Lines(str):
    __slots__ = ()


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(2000):
        value = [value]
    return value


SCALARS: dict[str, Any] = {
    "None": None,
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    **{str(value): value for value in (True, False, 0, 1, -1, 2, 3, 100)},
    "2**31": 2**31,
    "2**32": 2**32,
    "2**63": 2**63,
    "-2**63": -(2**63),
    "2**64": 2**64,
    "10**400": 10**400,
    "10**5000": 10**5000,
    **{repr(value): value for value in (-0.0, 0.5, 1.0, 1.5, -1.0, 1e-320, 1e39, 1e308, np.inf, -np.inf, np.nan, 1j)},
    **{repr(value): value for value in ("", "relu", "x", "auto", "\0", "\ud800", b"", b"relu", "1")},
    "a long str": "a" * 10_000,
    "a subclass of str": Lines("relu"),
    "bytearray": bytearray(b"x"),
    **{
        repr(value): value
        for value in (
            np.float32(0.5),
            np.float64(np.nan),
            np.int8(-1),
            np.uint64(2**64 - 1),
            np.bool_(True),
            np.str_("relu"),
            np.longdouble("1e400") if np.finfo(np.longdouble).max > 1e308 else 2.0,
            np.complex64(1),
            np.datetime64("2000-01-01"),
            np.timedelta64(1, "s"),
            np.void(b"x"),
            fractions.Fraction(1, 3),
            decimal.Decimal("0.5"),
            decimal.Decimal("NaN"),
            datetime.date(2000, 1, 1),
            Color.RED,
        )
    },
    "int": int,
    "np.ndarray": np.ndarray,
    "len": len,
    "a module": np,
    "a lambda": lambda *_, **__: None,
    "a callable that raises": boom,
}

VALUES: dict[str, Make] = {
    **{name: giving(value) for name, value in SCALARS.items()},
    "an int that lies": lambda: Number(3),
    "[]": list,
    "()": tuple,
    "{}": dict,
    "set()": set,
    "[1]": lambda: [1],
    "(1, 2)": lambda: (1, 2),
    "[None]": lambda: [None],
    "['relu']": lambda: ["relu"],
    "[nan, inf]": lambda: [np.nan, np.inf],
    "uneven": lambda: [[1.0], [2.0, 3.0]],
    "uneven arrays": lambda: [np.zeros(2), np.zeros((2, 2))],
    "a list in itself": itself,
    "a deep list": deep,
    "{'a': 1}": lambda: {"a": 1},
    "{0: nan}": lambda: {0: np.nan},
    "range(3)": lambda: range(3),
    "range(10**5)": lambda: range(10**5),
    "a generator": lambda: (i for i in range(3)),
    "a generator that raises": lambda: (boom() for _ in range(3)),
    "object()": object,
    "0-d": lambda: np.array(1.0),
    "0-d object": lambda: np.array({"a": 1}, dtype=object),
    "empty": lambda: np.empty(0),
    "empty (0, 3)": lambda: np.empty((0, 3)),
    "empty (3, 0)": lambda: np.empty((3, 0)),
    "empty (2**40, 0)": lambda: np.empty((2**40, 0), np.float32),
    "empty (0, 2**40)": lambda: np.empty((0, 2**40)),
    "32 axes": lambda: np.empty((1,) * 32),
    "objects": lambda: np.array([1, "a", None], dtype=object),
    "objects that are numbers": lambda: np.array([[1, 2], [3, 4]], dtype=object),
    "texts": lambda: np.array(["a", "b"]),
    "records": lambda: np.zeros(3, dtype=[("a", "f4"), ("b", "i8")]),
    "masked": lambda: np.ma.masked_array(np.ones((6, 3)), mask=np.eye(6, 3)),
    "np.ma.masked": lambda: np.ma.masked,
    "array.array": lambda: array.array("d", [1.0, 2.0]),
    "memoryview": lambda: memoryview(np.ones((6, 3), np.float32)),
    "__array__ raises": having(array=boom),
    "__array__ gives a list": having(array=giving([1.0])),
    "__array__ gives None": having(array=giving(None)),
    "__array__ gives objects": having(array=giving(np.array([None, 1]))),
    "__array_interface__": having(array_interface={"shape": (2,), "typestr": "nonsense", "version": 3}),
    "__array_struct__": having(array_struct=1),
    "__float__ raises": having(float=boom),
    "__float__ gives nan": having(float=giving(np.nan)),
    "__float__ gives str": having(float=giving("1.0")),
    "__index__ raises": having(index=boom),
    "__index__ gives 10**30": having(index=giving(10**30)),
    "__index__ gives -1": having(index=giving(-1)),
    "__index__ gives str": having(index=giving("1")),
    "__len__ raises": having(len=boom, getitem=giving(1.0)),
    "__len__ gives -1": having(len=giving(-1), getitem=giving(1.0)),
    "__len__ gives 10**30": having(len=giving(10**30), getitem=giving(1.0)),
    "__len__ is too large": having(len=giving(3), getitem=boom),
    "__iter__ raises": having(iter=boom),
    "__iter__ gives None": having(iter=giving(None)),
    "__eq__ raises": having(eq=boom, hash=giving(0)),
    "__bool__ raises": having(bool=boom),
    "__hash__ raises": having(hash=boom),
    "__fspath__ raises": having(fspath=boom),
    "__fspath__ gives None": having(fspath=giving(None)),
    "__getattr__ raises": having(getattribute=boom),
    "__getattr__ gives None": having(getattr=giving(None)),
    "__repr__ raises": having(repr=boom, str=boom),
}


# --- the right array, spoilt ------------------------------------------------------------------------------------------

Spoil = Callable[[np.ndarray], Any]


def as_type(code: str) -> Spoil:
    return lambda value: value.astype(code)


def with_value(number: float) -> Spoil:
    def spoil(value: np.ndarray) -> Any:
        value = value.copy()
        if value.size and value.dtype.kind == "f":
            value.flat[value.size // 2] = number
        return value

    return spoil


def subclass(value: np.ndarray) -> Any:
    return value.view(Subclass)


def matrix(value: np.ndarray) -> Any:
    return np.asmatrix(value) if value.ndim == 2 else value


def behind_array(value: np.ndarray) -> Any:
    return having(array=giving(value))()


def huge(value: np.ndarray) -> Any:
    return np.broadcast_to(value[:1], (2**40, *value.shape[1:])) if value.ndim else value


def overlapping_rows(value: np.ndarray) -> Any:
    """Rows one number apart, in one memory."""
    if value.ndim != 2 or not value.size:
        return value
    memory = np.arange(sum(value.shape), dtype=value.dtype) / 8
    return np.lib.stride_tricks.as_strided(memory, value.shape, (value.itemsize, value.itemsize))


SPOILT: dict[str, Spoil] = {
    # of the same numbers: these are no errors
    **LAYOUTS,
    "subclass": subclass,
    "matrix": matrix,
    "memoryview": memoryview,
    "list": np.ndarray.tolist,
    "tuple of rows": tuple,
    "__array__": behind_array,
    "masked nowhere": np.ma.masked_array,
    "overlapping rows": overlapping_rows,
    # of other shapes
    "no rows": lambda v: v[:0],
    "one row": lambda v: v[:1],
    "a row": lambda v: v[0],
    "a row less": lambda v: v[:-1],
    "transposed": np.transpose,
    "an axis before": lambda v: v[np.newaxis],
    "an axis behind": lambda v: v[..., np.newaxis],
    "flat": np.ravel,
    "no columns": lambda v: v[..., :0],
    "a column less": lambda v: v[..., :-1],
    "a column": lambda v: v[..., 0],
    "0-d": lambda v: v.flat[0],
    "twice": lambda v: np.concatenate([v, v]),
    "huge": huge,
    # of other types
    **{f"dtype {code}": as_type(code) for code in "?bhilqBHILQefdgFDGSUO"},
    **{f"dtype {code}": as_type(code) for code in (">f4", ">f8", "M8[s]", "m8[s]")},
    # of other numbers
    **{f"with {number}": with_value(number) for number in (np.nan, np.inf, -np.inf, 1e308, -1e30, 1e-45, -0.0, 0.5)},
    "all 0": np.zeros_like,
    "all nan": lambda v: np.full_like(v, np.nan) if v.dtype.kind == "f" else v,
}


def spoilt(value: np.ndarray, name: str) -> Any:
    if type(value) is not np.ndarray or value.size > 10**6:  # spoilt already
        return value
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SPOILT[name](value)
    except (LookupError, ValueError, TypeError, MemoryError):  # no such part of a scalar or an empty array
        return value
