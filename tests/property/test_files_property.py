"""Whatever is done to a model file, loading it gives what the reference library reads, or a ValueError; nothing else.

BACKPROPC_TEST_FUZZ=100000: as many examples as one has time for.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import backpropc as bp
from helpers import assert_same_bits
from safetensors_files import DTYPES, parts, reference, whole

TESTS = Path(__file__).resolve().parents[1]
FILES = sorted([*(TESTS / "files").glob("*.safetensors"), *(TESTS / "fuzz/corpus/model").glob("population*")])
CONTENTS = [file.read_bytes() for file in FILES]
NUMBERS = (0.0, 1.0, -1.0, 3.0, 0.5, 1e6, 2.0**53 - 1, 1e38, np.nan, np.inf, -np.inf)
SIZES = {name: np.dtype(dtype).itemsize for name, dtype in DTYPES.items()}
LOADS = (bp.Network.load, bp.Trainer.load, bp.Population.load)
EXAMPLES = int(os.environ.get("BACKPROPC_TEST_FUZZ", "1000"))

position = st.integers(0, 2**16)
numbers = st.integers(-(2**65), 2**65) | st.integers(-3, 70) | st.floats()
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8) | st.sampled_from(["F32", "F64", "relu", "Adam", "2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "mutant"


def check(path: Path, content: bytes) -> None:
    """A file that loads is one that the reference reads, with the same numbers; and what was loaded can be used."""
    path.write_bytes(content)
    for load in LOADS:
        try:
            loaded: Any = load(path)
        except ValueError:
            continue
        tensors = reference(content)
        assert tensors is not None, "the reference refuses it"
        if isinstance(loaded, bp.Population):
            assert_same_bits(loaded.parameters, tensors["parameters"])
        else:
            network = loaded.network if isinstance(loaded, bp.Trainer) else loaded
            for index, layer in enumerate(network.layers):
                assert_same_bits(layer.w, tensors[f"layers.{index}.w"])
                assert_same_bits(layer.b, tensors[f"layers.{index}.b"])
        if not isinstance(loaded, bp.Network):
            assert_same_bits(np.array(loaded.history.loss), tensors["history.loss"])
            check_that_it_goes_on(loaded, path.with_name("again"))


def check_that_it_goes_on(loaded: bp.Trainer | bp.Population, path: Path) -> None:
    """What a file holds of a run is written again, and learns from data that suit it, or refuses them."""
    loaded.save(path)
    again: Any = type(loaded).load(path)
    loaded.save(path.with_name("third"))
    assert path.read_bytes() == path.with_name("third").read_bytes()
    sizes = again.sizes if isinstance(again, bp.Population) else again.network.sizes
    if max(sizes) > 1000:
        return
    x, t = np.ones((6, sizes[0])), np.full((6, sizes[-1]), 1 / sizes[-1])
    go_on = again.resume if isinstance(again, bp.Population) else again.fit
    epoch = again.history.loss.shape[-1] if isinstance(again, bp.Population) else again.epoch
    with warnings.catch_warnings(), contextlib.suppress(ValueError, FloatingPointError):
        warnings.simplefilter("ignore", RuntimeWarning)  # networks that diverge
        go_on(x, t, until_epoch=epoch + 1)
    repr(again)
    again.save(path)


@st.composite
def changed_bytes(draw: st.DrawFn) -> bytes:
    """A few bytes changed, taken out or put in; or the end cut off."""
    content = bytearray(draw(st.sampled_from(CONTENTS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(position) % (len(content) + 1)
        length = draw(st.integers(0, 9))
        content[at : at + length] = draw(st.binary(max_size=9))
    return bytes(content[: len(content) - draw(st.sampled_from([0, 0, 0, 1, 100]))])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container within `value`, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def mutate(draw: st.DrawFn, value: Any) -> None:
    """Put another value, take away, rename or add, somewhere."""
    container, key = draw(st.sampled_from(list(places(value))))
    what = draw(st.sampled_from(["replace", "replace", "remove", "rename", "repeat"]))
    if what == "replace":
        container[key] = draw(values)
    elif what == "remove":
        del container[key]
    elif isinstance(container, list):
        container.insert(key, container[key])
    else:
        container[draw(st.text(max_size=8))] = container[key] if what == "repeat" else container.pop(key)


@st.composite
def changed_headers(draw: st.DrawFn) -> bytes:
    """The header's JSON changed, or that of the configuration in it, and written again."""
    header, data = parts(draw(st.sampled_from(CONTENTS)))
    if draw(st.booleans()):
        configuration = json.loads(header["__metadata__"]["configuration"])
        mutate(draw, configuration)
        header["__metadata__"]["configuration"] = json.dumps(configuration)
    else:
        mutate(draw, header)
    return whole(header, data + draw(st.sampled_from([b"", b"", b"\0"])))


@st.composite
def changed_numbers(draw: st.DrawFn) -> bytes:
    """Some numbers of one tensor or another, of which most say where a run stands."""
    header, data = parts(draw(st.sampled_from(CONTENTS)))
    names, changed = [name for name in header if name != "__metadata__"], bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        entry = header[draw(st.sampled_from(names))]
        begin, end = entry["data_offsets"]
        found = np.frombuffer(changed, DTYPES[entry["dtype"]], (end - begin) // SIZES[entry["dtype"]], begin)
        if len(found):
            found[draw(position) % len(found)] = draw(st.sampled_from(NUMBERS)) if found.dtype.kind == "f" else 2
    return whole(header, bytes(changed))


@given(changed_bytes())
@settings(max_examples=EXAMPLES)
@example(CONTENTS[0])
@example(CONTENTS[-1])
def test_changed_bytes(path: Path, content: bytes) -> None:
    check(path, content)


@given(changed_headers())
@settings(max_examples=EXAMPLES)
def test_changed_headers(path: Path, content: bytes) -> None:
    check(path, content)


@given(changed_numbers())
@settings(max_examples=EXAMPLES // 2)
def test_changed_numbers(path: Path, content: bytes) -> None:
    check(path, content)


@given(st.binary(max_size=200), st.integers(0, 250) | st.integers(0, 2**64 - 1))
def test_any_bytes(path: Path, content: bytes, length: int) -> None:
    check(path, content)
    check(path, length.to_bytes(8, "little") + content)


@given(st.data())
@settings(max_examples=EXAMPLES // 5)
def test_any_numbers(path: Path, data: st.DataObject) -> None:
    """The header is good: finite numbers are read, whatever their bits, and the others refused."""
    content = data.draw(st.sampled_from(CONTENTS))
    header, numbers = parts(content)
    seed = data.draw(st.integers(0, 2**32))
    scrambled = np.random.default_rng(seed).integers(0, 256, len(numbers), dtype=np.uint8)
    keep = data.draw(st.integers(0, len(numbers)))
    check(path, whole(header, numbers[:keep] + scrambled[keep:].tobytes()))
