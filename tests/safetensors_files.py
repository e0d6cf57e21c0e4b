"""Model files taken apart, changed and put together again, and what the reference library makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

DTYPES = {"F32": np.float32, "F64": np.float64, "BOOL": np.uint8}


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header, and what follows it."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def whole(header: Any, data: bytes) -> bytes:
    """A file of a header, given as an object or as its text."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def with_header(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    header, data = parts(content)
    change(header)
    return whole(header, data)


def with_configuration(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    header, data = parts(content)
    configuration = json.loads(header["__metadata__"]["configuration"])
    change(configuration)
    header["__metadata__"]["configuration"] = json.dumps(configuration)
    return whole(header, data)


def reference(content: bytes) -> dict[str, np.ndarray] | None:
    """The tensors that the reference reads; None where it refuses."""
    try:
        entries = deserialize(content)
    except SafetensorError:
        return None
    return {name: np.frombuffer(e["data"], DTYPES[e["dtype"]]).reshape(e["shape"]) for name, e in entries}


# --- changes, of what they are given ----------------------------------------------------------------------------------

Change = Callable[[bytes], bytes]


def text_of(content: bytes) -> bytes:
    return content[8 : 8 + int.from_bytes(content[:8], "little")]


def replaced(old: bytes, new: bytes) -> Change:
    """In the header's text."""

    def change(content: bytes) -> bytes:
        text = text_of(content)
        assert old in text
        return whole(text.replace(old, new, 1), content[8 + len(text) :])

    return change


def header(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda content: with_header(content, change)


def configuration(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda content: with_configuration(content, change)


def tensor(name: str, **entries: Any) -> Change:
    return header(lambda h: h[name].update(entries))


def metadata(**entries: Any) -> Change:
    return header(lambda h: h["__metadata__"].update(entries))


def within(section: str, **entries: Any) -> Change:
    return configuration(lambda c: c[section].update(entries))


def value_of(name: str, value: float, index: int = 0) -> Change:
    """One number of a tensor."""

    def change(content: bytes) -> bytes:
        entries, data = parts(content)
        dtype = np.dtype(DTYPES[entries[name]["dtype"]])
        begin = entries[name]["data_offsets"][0] + index * dtype.itemsize
        return whole(entries, data[:begin] + dtype.type(value).tobytes() + data[begin + dtype.itemsize :])

    return change
