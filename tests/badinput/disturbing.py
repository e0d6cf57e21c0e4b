"""Results that are a little wrong, to see that each judge can say no."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

import backpropc as bp
from backpropc.layers import Layer

BY = 0.01


def disturbed(value: Any) -> Any:
    """A result with all its numbers changed; arrays, networks and what holds them are changed in place."""
    if isinstance(value, np.ndarray):
        value[...] = (value + 1) % 3 if value.dtype.kind in "iu" else value + BY
    elif isinstance(value, (float, np.floating)):
        return type(value)(value + BY)
    elif isinstance(value, str):
        return json.dumps(disturbed(json.loads(value))) if value.startswith("{") else value
    elif isinstance(value, (bp.Network, bp.Population)):
        disturbed(value.parameters)
    elif isinstance(value, bp.Trainer):
        disturbed(value.network)
    elif isinstance(value, Layer):
        disturbed(value.w)
        disturbed(value.b)
    elif isinstance(value, bp.pretraining.RBM):
        value.w, value.b, value.c = value.w + BY, value.b + BY, value.c + BY
    elif isinstance(value, bp.History):
        value.history.update(disturbed(value.history))
    elif isinstance(value, (bp.PopulationHistory, bp.pretraining.DenoisingAutoencoder)):
        disturbed(vars(value))
    elif hasattr(value, "graph"):
        _disturb_graph(value.graph)
    else:
        return _with_each_disturbed(value)
    return value


def _with_each_disturbed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: disturbed(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [disturbed(each) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{field.name: disturbed(getattr(value, field.name)) for field in dataclasses.fields(value)}
        )
    return value


def _disturb_graph(graph: Any) -> None:
    from onnx import numpy_helper

    for each in graph.initializer:
        each.CopyFrom(numpy_helper.from_array(disturbed(numpy_helper.to_array(each).copy()), each.name))
