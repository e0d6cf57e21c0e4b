"""Changes to a file that know its format, so that most mutants get past the first check: of the numbers in a header,
the fields of a protobuf message, the lengths before a part. The generator is a `random.Random`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from safetensors_files import parts, whole

INTERESTING: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        4,
        8,
        2**31 - 1,
        2**31,
        2**32,
        2**62,
        2**63 - 1,
        2**63,
        2**64 - 1,
        2**64,
        10**30,
    ),
    *(0.0, -0.0, 0.5, 1.0, 8.0, 1e3, 1e39, 1e308, float("nan"), float("inf"), -float("inf")),
    *(
        "",
        "F32",
        "F64",
        "BOOL",
        "relu",
        "softmax",
        "Adam",
        "LBFGS",
        "constant",
        "inf",
        "-inf",
        "\ud800",
        "\0",
        "1",
        "2",
    ),
    *([], {}, [0], [1, 1], {"name": "elu", "alpha": 2}, {"name": "os.system"}, {"custom": "f"}, [[]], {"a": {"a": {}}}),
]


def model(content: bytes, random: Random) -> bytes:
    """Change the JSON of the header, that of the configuration in it, or the numbers behind it."""
    header, data = parts(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        which = random.choice(("header", "configuration", "configuration", "numbers", "length", "text"))
        if which == "header":
            _change(header, random)
        elif which == "configuration":
            configuration = json.loads(header["__metadata__"]["configuration"])
            _change(configuration, random)
            header["__metadata__"]["configuration"] = json.dumps(configuration)
        elif which == "numbers" and data:
            start = random.randrange(len(data))
            value = random.choice((b"\xff", b"\0", b"\x7f\x80", b"\x7f\xf8", random.randbytes(8)))
            data = data[:start] + value + data[start + len(value) :]
        elif which == "length":
            data = data[: random.randrange(len(data) + 1)] if random.random() < 0.5 else data + random.randbytes(8)
        else:
            return _text_changed(whole(header, data), random)
    return whole(header, data)


def _text_changed(content: bytes, random: Random) -> bytes:
    """Change what no JSON writer would write: a key that repeats, another space, a number in another form."""
    size = 8 + int.from_bytes(content[:8], "little")
    text, data = content[8:size], content[size:]
    old, new = random.choice(
        (
            (b'"shape"', b'"dtype"'),
            (b":[0,", b":[-0,"),
            (b":[0,", b":[0.0,"),
            (b":[0,", b":[0e0,"),
            (b"{", b" {"),
            (b"}", b"} "),
            (b"}", b"},"),
            (b",", b",,"),
            (b'"', b'"\\u0000'),
            (b"a", b"\xff"),
            (b"[", b"[" * 2000),
        )
    )
    return whole(text.replace(old, new, random.choice((1, 2, -1))), data)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _change(value: Any, random: Random) -> None:
    """Replace, take away, rename or repeat something within."""
    places = list(_places(value))
    if not places:
        return
    container, key = random.choice(places)
    what = random.choice(("replace", "replace", "nudge", "borrow", "remove", "rename"))
    if what == "replace":
        container[key] = random.choice(INTERESTING)
    elif what == "nudge" and isinstance(container[key], (int, float)):
        container[key] += random.choice((-4, -1, 1, 4))
    elif what == "borrow":
        other, there = random.choice(places)
        container[key] = other[there]
    elif what == "remove":
        del container[key]
    elif isinstance(container, dict):
        container[random.choice([str(key) + "x", *map(str, container)])] = container.pop(key)
    else:
        container.append(container[key])


def onnx(content: bytes, random: Random) -> bytes:
    """Change fields of the message."""
    from onnx import ModelProto

    message = ModelProto()
    message.ParseFromString(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        _change_message(message, random)
    return bytes(message.SerializeToString())


def _change_message(message: Any, random: Random) -> None:
    """Walk down to some field and change it there."""
    while True:
        fields = message.ListFields()
        if not fields or random.random() < 0.1:
            _set_field(message, random.choice(message.DESCRIPTOR.fields), random)
            return
        field, value = random.choice(fields)
        repeated = hasattr(value, "append")
        if repeated and len(value) and random.random() < 0.4:
            _change_list(value, random)
            return
        if field.message_type is None:
            _set_field(message, field, random)
            return
        message = random.choice(value) if repeated else value


def _change_list(values: Any, random: Random) -> None:
    index = random.randrange(len(values))
    if random.random() < 0.5:
        del values[index]
    elif hasattr(values, "add"):
        values.add().CopyFrom(values[index])
    else:
        values.append(values[index])


def _set_field(message: Any, field: Any, random: Random) -> None:
    if random.random() < 0.2:
        message.ClearField(field.name)
        return
    found = getattr(message, field.name)
    if field.message_type is not None:
        found.add() if hasattr(found, "add") else found.SetInParent()
        return
    values = _scalars(field)
    try:
        if hasattr(found, "append"):
            found.append(random.choice(values))
        else:
            setattr(message, field.name, random.choice(values))
    except (ValueError, TypeError):  # out of the field's range
        message.ClearField(field.name)


WORDS = ("", "Gemm", "MatMul", "Add", "Relu", "Constant", "Identity", "Transpose", "Reshape", "Cast", "Concat", "Elu")
NAMES = (*WORDS, "x", "ai.onnx.ml", "alpha", "axis", "perm", "transB", "value", "value_ints", "../../etc/passwd")


def _scalars(field: Any) -> tuple[Any, ...]:
    if field.cpp_type == field.CPPTYPE_STRING:
        return NAMES if field.type == field.TYPE_STRING else tuple(map(str.encode, NAMES)) + (b"\xff" * 8,)
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return (0.0, 1.0, -1.0, 0.01, 1e38, float("nan"), float("inf"))
    return (0, 1, 2, 3, 7, 11, 13, 20, -1, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63))


def table(content: bytes, random: Random) -> bytes:
    """Change the length or the text of an array's header, or a part of a line."""
    if content[:1] in b"nm" and len(content) > 11:
        (length,) = struct.unpack("<H", content[9:11])
        head, data = content[11 : 11 + length], content[11 + length :]
        old, new = random.choice(
            (
                (
                    b"<f8",
                    random.choice((b"|O8", b"<f2", b">f8", b"<U4", b"<c8", b"<M8", b"<f16", b"|V8", b"<f99", b"<i8")),
                ),
                (b"(", random.choice((b"(2, ", b"(-1, ", b"(1099511627776, ", b"(0, ", b"((", b"(None, "))),
                (b"True", b"False"),
                (b"}", random.choice((b"", b"}}", b", 'x': 1}"))),
                (b"'", random.choice((b"", b'"', b"\\", b"\n"))),
            )
        )
        head = head.replace(old, new, 1)
        return content[:9] + struct.pack("<H", len(head) % 2**16) + head + data
    lines = content.split(b"\n")
    line = random.randrange(len(lines))
    inserts = (b"", b'"', b",", b";", b"\r", b"\0", b"\xff", b"nan", b"1e999", b"1_0", "٣".encode(), b"x" * 200_000)
    place = random.randrange(len(lines[line]) + 1)
    lines[line] = lines[line][:place] + random.choice(inserts) + lines[line][place + random.randrange(3) :]
    return b"\n".join(lines)


MUTATORS: dict[str, Callable[[bytes, Random], bytes]] = {"model": model, "onnx": onnx, "table": table}
