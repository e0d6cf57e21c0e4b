"""What is promised for the bytes of a stranger: each target takes any, and raises where a promise is not kept.

A target returns whether the bytes were taken. Every other exception than the documented ones is a finding.
"""

# ruff: noqa: PT017  (outside pytest)

from __future__ import annotations

import atexit
import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

import backpropc as bp
from backpropc._tables import read_table
from backpropc.io import load_model
from backpropc.onnx import from_onnx
from helpers import assert_same_bits
from safetensors_files import reference

FOLDER = tempfile.TemporaryDirectory(prefix="backpropc-fuzz-")
atexit.register(FOLDER.cleanup)


def at(name: str, content: bytes) -> str:
    path = os.path.join(FOLDER.name, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def model(content: bytes) -> bool:
    """A model file is refused with a ValueError that names it, or is what the reference reads, and is written again."""
    path = at("model", content)
    taken = False
    for load in (bp.Network.load, bp.Trainer.load, bp.Population.load, load_model):
        try:
            loaded: Any = load(path)
        except ValueError as error:
            assert f"{path!r} cannot be loaded: " in str(error), error
            continue
        taken = True
        tensors = reference(content)
        assert tensors is not None, "the reference refuses it"
        if isinstance(loaded, bp.Population):
            population(loaded, tensors, path + "-again")
            continue
        if isinstance(loaded, bp.Trainer):
            assert_same_bits(np.array(loaded.history.loss), tensors["history.loss"])
            again = path + "-again"
            loaded.save(again)
            bp.Trainer.load(again)
            repr(loaded)
        network = loaded if isinstance(loaded, bp.Network) else loaded.network
        for index, layer in enumerate(network.layers):
            assert_same_bits(layer.w, tensors[f"layers.{index}.w"])
            assert_same_bits(layer.b, tensors[f"layers.{index}.b"])
        assert np.isfinite(network.parameters).all()
        str(network.summary())
    return taken


def population(loaded: bp.Population, tensors: dict[str, np.ndarray], again: str) -> None:
    """It is what the reference reads, of finite numbers, and is written and read again."""
    assert_same_bits(loaded.parameters, tensors["parameters"])
    assert np.isfinite(loaded.parameters).all()
    for i, layer in enumerate(loaded[0].layers):
        assert layer.mask is None or not layer.w[~layer.mask].any(), i
    loaded.save(again)
    assert_same_bits(bp.Population.load(again).parameters, loaded.parameters)
    repr(loaded.history)


def onnx(content: bytes) -> bool:
    """An ONNX model is refused with a ValueError, or becomes a network no larger than the model."""
    try:
        network = from_onnx(content)
    except ValueError as error:
        assert "source" in str(error), error
        return False
    assert np.isfinite(network.parameters).all()
    biases = sum(network.sizes[1:])
    assert (network.n_parameters - biases) * network.dtype.itemsize <= len(content)
    return True


def table(content: bytes) -> bool:
    """A table is refused with a ValueError that names it, or has columns of one length."""
    kind, content = content[:1], content[1:]
    endings = {b"c": ".csv", b"t": ".tsv", b"n": ".npy", b"z": ".npz", b"m": ".npz"}
    path = at("table" + endings.get(kind, ".csv"), _zipped(content) if kind == b"m" else content)
    try:
        found = read_table(path)
    except MemoryError:  # of an array that the header promises; nothing has been set aside for it
        return False
    except ValueError as error:
        assert path in str(error), error
        return False
    for column in found.columns.values():
        assert column.name.isprintable()
        if column.wrong is not None:
            assert path in column.wrong
            continue
        assert len(column.values) == len(found)
        assert all(text is None or text.isprintable() for text in column.texts)
    return True


def _zipped(content: bytes) -> bytes:
    """An archive in order, whose one array is not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    return buffer.getvalue()


TARGETS: dict[str, Callable[[bytes], bool]] = {"model": model, "onnx": onnx, "table": table}
