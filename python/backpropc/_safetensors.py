"""The safetensors format: a length in 8 bytes, a header of that length in JSON, and the numbers, little-endian.

What is written here the library of that name reads. What is read here is less than it would accept: nothing that the
format's own text forbids, and only what the reader expects (docs/decisions/0007-model-files.md).

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ._arguments import FLOAT32, FLOAT64, FloatArray, shown

HEADER_LIMIT = 2**20
LENGTH_BYTES = 8
MOST_DIGITS = 40
CODES = {FLOAT64: "F64", FLOAT32: "F32", np.dtype(np.bool_): "BOOL"}
METADATA = "__metadata__"


class Expected(NamedTuple):
    """What a tensor must be."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def encode(metadata: Mapping[str, str], tensors: Mapping[str, FloatArray]) -> list[Any]:
    """Return the parts of a file, one after the other: those of the largest numbers first, so that all are aligned."""
    header: dict[str, Any] = {METADATA: dict(metadata)}
    data, at = [], 0
    for name, array in sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize):
        end = at + array.nbytes
        header[name] = {"dtype": CODES[array.dtype], "shape": list(array.shape), "data_offsets": [at, end]}
        data.append(_bytes_of(array if sys.byteorder == "little" else array.byteswap()))
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    if len(text) > HEADER_LIMIT:
        raise ValueError(
            f"the file's header would have {len(text)} bytes, for so many layers or columns; at most {HEADER_LIMIT}"
        )
    return [len(text).to_bytes(LENGTH_BYTES, "little"), text, *data]


class File:
    """An open file whose header has been read: its metadata, and its tensors once they are what is expected.

    Raises
    ------
    ValueError
        The header is not what the format demands; so do the methods.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(_exactly(file, LENGTH_BYTES), "little")
        if length > HEADER_LIMIT:
            raise ValueError(
                f"its header is said to have {length} bytes; at most {HEADER_LIMIT} are read: is it a safetensors file?"
            )
        self._start = LENGTH_BYTES + length
        if self._start > size:
            raise ValueError(
                f"its header is said to have {length} bytes, but the file has {size} in all: is it cut off?"
            )
        self._data_size = size - self._start
        text = _exactly(file, length)
        if not text.startswith(b"{"):
            raise ValueError(f"its header starts with {text[:1]!r}; it must start with b'{{'")
        self._tensors = parse(text, "its header")
        self.metadata = self._tensors.pop(METADATA, {})
        if not isinstance(self.metadata, dict) or any(type(value) is not str for value in self.metadata.values()):
            raise ValueError(f"{METADATA} is {shown(self.metadata)}; it must be an object of strings")

    def expect(self, expected: Mapping[str, Expected]) -> None:
        """Raise a ValueError unless the file has these tensors, and they are all that follows the header."""
        same_names(self._tensors, expected, "its tensors")
        places = sorted(_place(name, self._tensors[name], tensor) for name, tensor in expected.items())
        at = 0
        for begin, end, name in places:
            if begin != at:
                raise ValueError(
                    f"tensor {name} begins at {begin}; it must begin at {at}, where the one before it ends"
                )
            at = end
        if at != self._data_size:
            raise ValueError(f"its tensors take {at} bytes; {self._data_size} follow its header")

    def read_into(self, name: str, array: FloatArray) -> None:
        """Read an expected tensor into an array of its dtype and size, in C order."""
        self._file.seek(self._start + self._tensors[name]["data_offsets"][0])
        into = _bytes_of(array)
        if self._file.readinto(into) != into.size:  # type: ignore[attr-defined]
            raise ValueError("it has become shorter while it was read")
        if sys.byteorder == "big":
            array.byteswap(inplace=True)


def parse(text: bytes | str, what: str) -> dict[str, Any]:
    """Return a JSON object. Keys may not repeat, and numbers are those of JSON, which has no NaN.

    Raises
    ------
    ValueError
        `text` is not such an object.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        value = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_number, parse_int=_integer)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not UTF-8: {error}") from None
    except ValueError as error:
        raise ValueError(f"{what} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {shown(value)}; it must be an object")
    return value


def same_names(found: Mapping[str, Any], expected: Mapping[str, Any], what: str) -> None:
    """Raise a ValueError unless the names are those expected."""
    missing, unknown = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing:
        raise ValueError(f"{what} lack {shown(min(missing))}")
    if unknown:
        raise ValueError(f"{what} have {shown(min(unknown))}, which does not belong there")


def require_object(value: Any, names: tuple[str, ...], what: str, optional: tuple[str, ...] = ()) -> None:
    """Raise a ValueError unless `value` is an object of these keys."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {shown(value)}; it must be an object")
    present = (name for name in optional if name in value)
    same_names(value, dict.fromkeys((*names, *present)), f"the keys of {what}")


def _place(name: str, entry: Any, expected: Expected) -> tuple[int, int, str]:
    """Return where a tensor begins and ends, if its entry in the header is as expected."""
    keys = {"dtype", "shape", "data_offsets"}
    if not isinstance(entry, dict) or entry.keys() != keys:
        raise ValueError(f"tensor {name} is {shown(entry)}; it must have dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if code != CODES[expected.dtype]:
        raise ValueError(f"tensor {name} has dtype {shown(code)}; it must be {CODES[expected.dtype]}")
    if not _is_list_of_sizes(shape) or tuple(shape) != expected.shape:
        raise ValueError(f"tensor {name} has shape {shown(shape)}; it must be {list(expected.shape)}")
    size = math.prod(expected.shape) * expected.dtype.itemsize
    if not _is_list_of_sizes(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise ValueError(f"tensor {name} has data_offsets {shown(offsets)}; they must be {size} bytes apart")
    return offsets[0], offsets[1], name


def _is_list_of_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


def _exactly(file: BinaryIO, n: int) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise ValueError(f"it ends after {file.tell()} bytes, within its header")
    return data


def _bytes_of(array: FloatArray) -> Any:
    return array.reshape(-1).view(np.uint8)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {shown(max(names, key=names.count))} is repeated")
    return result


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number of JSON")


def _integer(text: str) -> int:
    if text == "-0":
        raise ValueError("-0 is not an integer")
    if len(text) > MOST_DIGITS:  # to read those of a whole header would take Python minutes
        raise ValueError(f"an integer of {len(text)} digits; at most {MOST_DIGITS} are read")
    return int(text)
