"""A page that shows every number of one update, step by step, and how they change in training.

One HTML file with all that it needs in it: it opens from a mail attachment, without a network. It holds a fixed
program (the files of ``page/``), whose hash is the only one its policy lets run, and data, which that program shows
as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ._account import SHORT_WAYS
from ._arguments import FLOAT64, FloatArray, items_of, real_number, shown, whole_number
from ._files import file_name, write_whole
from ._samples import samples_for
from .definitions import ACTIVATION, LOSS, Definition
from .diagnosis import Diagnosis, Record, look
from .monitoring import State
from .network import Network
from .tracing import Trace, finite_or_null

if TYPE_CHECKING:
    import os

    from .training import Trainer

LARGEST_GRAPH = 16  # units of a layer; a network with more is shown as heat maps
MOST_LAYERS = 6  # of a graph
MOST_SAMPLES, MOST_OF_MAPS = 64, 8  # that the page has the passes of, as a graph and as heat maps
MOST_FRAMES_OF_MAPS = 12
CELLS = 64  # rows and columns of a heat map, of a larger matrix evenly spaced ones
SCRIPTS = ("numbers.js", "equations.js", "drawing.js", "charts.js", "controls.js")


class Recorder:
    """A callback that keeps the parameters of a run, for `microscope` to show how they change.

    Parameters
    ----------
    frames : int
        How many to keep at most, at least 2. When there are more, every other is dropped and from then on half as many
        taken, so that those kept are evenly spaced from the first epoch to the last.

    Attributes
    ----------
    epochs : list of int
        The epochs that were kept, from before the first step on.
    losses : list of float
        The training loss of each; before the first step, of the training data then.
    parameters : list of ndarray
        ``Network.parameters`` of each.

    Raises
    ------
    TypeError, ValueError
        `frames` is not an integer, or below 2.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> from backpropc.microscope import Recorder
    >>> net, recorder = bp.Network([8, 3, 8], seed=0), Recorder(frames=20)
    >>> history = net.fit(
    ...     np.eye(8), np.eye(8), optimizer=bp.SGD(0.3), batch_size=1, epochs=1000, callbacks=[recorder]
    ... )
    >>> recorder.epochs[:3], recorder.epochs[-1], len(recorder.epochs) <= 21
    ([0, 64, 128], 1000, True)
    """

    def __init__(self, frames: int = 60) -> None:
        self._most = whole_number(frames, "frames", 2)
        self._wait, self._end = 1, 0
        self.epochs: list[int] = []
        self.losses: list[float] = []
        self.parameters: list[FloatArray] = []

    def begin(self, trainer: Trainer, x: FloatArray | None, t: FloatArray | None, until_epoch: int) -> None:
        """Keep the parameters before the first step; `fit` calls it.

        Parameters
        ----------
        trainer : Trainer
            What is to run.
        x, t : ndarray or None
            Its training data.
        until_epoch : int
            When it is to end: that epoch is kept in any case.
        """
        self._end = until_epoch
        if not self.epochs or self.epochs[-1] != trainer.epoch:
            known = x is not None and t is not None
            loss = trainer.network.loss(x, t, trainer.loss) if known else float("nan")  # type: ignore[arg-type]
            self._keep(trainer.epoch, loss, trainer.network)

    @property
    def epochs_to_wait(self) -> int:
        """After how many epochs it next wishes to be called."""
        last = self.epochs[-1] if self.epochs else 0
        return max(1, self._wait - last % self._wait)

    def __call__(self, state: State) -> None:
        """Keep the parameters of an epoch; `fit` calls it."""
        if state.epoch % self._wait == 0 or state.epoch == self._end:
            self._keep(state.epoch, state.loss, state.network)

    def _keep(self, epoch: int, loss: float, network: Network) -> None:
        self.epochs.append(epoch)
        self.losses.append(loss)
        self.parameters.append(network.parameters.copy())
        while len(self.epochs) > self._most:
            self._wait *= 2
            kept = [i for i, each in enumerate(self.epochs) if each % self._wait == 0 or each == self._end]
            if len(kept) == len(self.epochs):
                return
            self.epochs = [self.epochs[i] for i in kept]
            self.losses = [self.losses[i] for i in kept]
            self.parameters = [self.parameters[i] for i in kept]

    def __repr__(self) -> str:
        return f"Recorder({len(self.epochs)} frames)"


def microscope(
    net: Network,
    x: ArrayLike,
    t: ArrayLike,
    path: str | os.PathLike[str],
    *,
    loss: str | Definition = "half_squared_error",
    learning_rate: float = 0.1,
    recorder: Recorder | None = None,
    diagnosis: Diagnosis | None = None,
    title: str | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    sample_names: Sequence[str] | None = None,
) -> None:
    """Write a page that steps through one update of a network, forward and backward, with every number.

    It is one HTML file that needs no network: the passes of the samples, one at a time, drawn as a graph (of a large
    network as heat maps), the equation at hand with the numbers put in, and with a `recorder` what changes over the
    epochs: weights, the hidden code, the loss, and the distributions of activations and gradients by layer.

    Parameters
    ----------
    net : Network
        Not changed.
    x, t, loss
        As for `Network.loss`. Each sample is shown as an update of its own; of many the first 64 (8 as heat maps).
    path : path-like
        The file, by custom with the ending ``.html``; written whole or not at all.
    learning_rate : float
        μ of the update that is shown.
    recorder : Recorder
        What a fit of this network recorded.
    diagnosis : Diagnosis
        Whose distributions to show, instead of those of x in the epochs recorded.
    title : str
        Of the page.
    input_names, output_names, sample_names : sequence of str
        What inputs, outputs and samples are called; any text.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        Shapes, numbers of names or values do not fit, or the recorder is of another network.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import os, tempfile, numpy as np, backpropc as bp
    >>> from backpropc.microscope import microscope
    >>> net = bp.Network([2, 2, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     microscope(net, [1.0, 0.0], [1.0], os.path.join(folder, "page.html"))
    ...     os.listdir(folder)
    ['page.html']
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is {shown(net)} ({type(net).__name__}); it must be a backpropc.Network")
    name = file_name(path)
    definition = LOSS.resolve(loss, "loss")
    _, rows, targets = samples_for(net, x, t, definition)
    _check_kinds(recorder, diagnosis)
    names = {
        "inputs": _names(input_names, "input_names", net.sizes[0]),
        "outputs": _names(output_names, "output_names", net.sizes[-1]),
        "samples": _names(sample_names, "sample_names", len(rows)),
    }
    frames = _Frames(net, recorder, MOST_FRAMES_OF_MAPS if not _is_small(net) else None)
    data = _data(net, rows, targets, definition, real_number(learning_rate, "learning_rate"), frames, names)
    if diagnosis is not None:
        data["distributions"] = [_distribution(record) for record in diagnosis.records]
    data["title"] = "One update under the microscope" if title is None else _text(title, "title")
    write_whole(name, [_page(data).encode("utf-8")])


def _check_kinds(recorder: object, diagnosis: object) -> None:
    if not (recorder is None or isinstance(recorder, Recorder)):
        raise TypeError(f"recorder is {shown(recorder)}; it must be None or a backpropc.microscope.Recorder")
    if not (diagnosis is None or isinstance(diagnosis, Diagnosis)):
        raise TypeError(f"diagnosis is {shown(diagnosis)}; it must be None or a bp.Diagnosis")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {shown(value)}; it must be a str")
    return value.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is in no file


def _names(given: Sequence[str] | None, name: str, count: int) -> list[str] | None:
    if given is None:
        return None
    if isinstance(given, (str, bytes)) or not hasattr(given, "__len__"):
        raise TypeError(f"{name} is {shown(given)}; it must be a sequence of {count} str")
    names = items_of(given, name, f"{count} str")
    if len(names) != count:
        raise ValueError(f"{name} has {len(names)} names; it must have {count}")
    return [_text(each, f"{name}[{i}]") for i, each in enumerate(names)]


# --- the data of the page ---------------------------------------------------------------------------------------------


def _is_small(net: Network) -> bool:
    return max(net.sizes) <= LARGEST_GRAPH and len(net.layers) <= MOST_LAYERS


class _Frames:
    """The states of a network that the page shows: those recorded, or the one there is."""

    def __init__(self, net: Network, recorder: Recorder | None, most: int | None) -> None:
        self._twin = net.copy()
        self._parameters = [net.parameters.copy()]
        self.epochs: list[int | None] = [None]
        self.losses: list[float | None] = [None]
        if recorder is None or not recorder.epochs:
            return
        if any(each.shape != net.parameters.shape for each in recorder.parameters):
            raise ValueError(
                f"recorder is of a network of {recorder.parameters[0].size} parameters; net has {net.n_parameters}"
            )
        finite = np.flatnonzero([np.isfinite(each).all() for each in recorder.parameters])
        count = min(len(finite), most or len(finite))
        kept = finite[np.unique(np.linspace(0, len(finite) - 1, count).round().astype(int))]
        if count == 0:
            return
        self._parameters = [recorder.parameters[i] for i in kept]
        self.epochs, self.losses = [recorder.epochs[i] for i in kept], [recorder.losses[i] for i in kept]

    def __len__(self) -> int:
        return len(self.epochs)

    def network(self, i: int) -> Network:
        """Return the network as it was; until the next call."""
        self._twin.parameters = self._parameters[i]
        return self._twin


def _data(
    net: Network,
    x: FloatArray,
    t: FloatArray,
    loss: Definition,
    rate: float,
    frames: _Frames,
    names: dict[str, list[str] | None],
) -> dict[str, Any]:
    small = _is_small(net)
    shown_samples = min(len(x), MOST_SAMPLES if small else MOST_OF_MAPS)
    cells = [(_cells(layer.fan_in, small), _cells(layer.fan_out, small)) for layer in net.layers]
    sample_names = names["samples"] or [f"sample {i + 1}" for i in range(len(x))]
    traces = [_traces(frames.network(f), x[:shown_samples], t[:shown_samples], loss) for f in range(len(frames))]
    code = _code_layer(net) if shown_samples > 1 or len(frames) > 1 else None
    return {
        "view": "graph" if small else "maps",
        "network": repr(net),
        "sizes": list(net.sizes),
        "layers": [_layer(net, i, *cells[i]) for i in range(len(net.layers))],
        "loss": {"name": str(loss.short), "formula": loss.entry.get("formula") or "a function of a and t"},
        "shortWay": (str(net.layers[-1].activation), str(loss.short)) in SHORT_WAYS,
        "learningRate": rate,
        "inputs": names["inputs"],
        "outputs": names["outputs"],
        "samples": [
            {"name": sample_names[i], "x": _plain(traces[0][i].a[0], small), "t": _plain(traces[0][i].t, small)}
            for i in range(shown_samples)
        ],
        "frames": [_frame(frames, f, traces[f], x, t, loss, rate, cells, small) for f in range(len(frames))],
        "distributions": [
            _distribution(look(frames.network(f), x, t, loss, frames.epochs[f] or 0)) for f in range(len(frames))
        ],
        "code": code,
        "code2d": code is not None and net.layers[code].fan_out == 2,
        "codeRange": _code_range(traces, code),
    }


def _cells(size: int, small: bool) -> list[int]:
    """Return which rows or columns of a matrix are shown."""
    if small or size <= CELLS:
        return list(range(size))
    return [int(i) for i in np.linspace(0, size - 1, CELLS).round()]


def _layer(net: Network, i: int, rows: list[int], columns: list[int]) -> dict[str, Any]:
    entry = ACTIVATION.resolve(net.layers[i].activation, "activation").entry
    return {
        "activation": str(net.layers[i].activation),
        "formula": entry.get("formula") or "a function of z",
        "byRow": bool(entry["by_row"]),
        "rows": rows,
        "columns": columns,
    }


def _traces(net: Network, x: FloatArray, t: FloatArray, loss: Definition) -> list[Trace]:
    return [net.trace(x[i], t[i], loss) for i in range(len(x))]


def _frame(
    frames: _Frames,
    f: int,
    traces: list[Trace],
    x: FloatArray,
    t: FloatArray,
    loss: Definition,
    rate: float,
    cells: list[tuple[list[int], list[int]]],
    small: bool,
) -> dict[str, Any]:
    net = frames.network(f)
    recorded = frames.losses[f]
    return {
        "epoch": frames.epochs[f],
        "loss": recorded if recorded is not None and np.isfinite(recorded) else net.loss(x, t, loss),
        "w": [_plain(layer.w[np.ix_(*cells[i])], small) for i, layer in enumerate(net.layers)],
        "b": [_plain(layer.b, small) for layer in net.layers],
        "passes": [_pass(net, trace, x[i], t[i], loss, rate, small) for i, trace in enumerate(traces)],
    }


def _pass(
    net: Network, trace: Trace, x: FloatArray, t: FloatArray, loss: Definition, rate: float, small: bool
) -> dict[str, Any]:
    updated = net.copy()
    try:
        updated.update(x, t, rate, loss)
        after: float | None = updated.loss(x, t, loss)
    except (ArithmeticError, ValueError):  # a rate that takes E out of the range of numbers
        after = None
    layers = []
    for layer in trace.layers:
        numbers = {name: _plain(getattr(layer, name), small) for name in ("z", "a", "da", "delta")}
        matrix = layer.dsigma.ndim > layer.z.ndim
        layers.append(numbers | {"dsigma": None if matrix and not small else _plain(layer.dsigma, small)})
    return {"E": trace.loss, "after": after, "layers": layers}


def _plain(array: FloatArray, exact: bool) -> Any:
    """Return nested lists; nine digits are a float32 exactly, and six, for large networks, make a smaller file."""
    if exact and array.dtype == FLOAT64:
        return array.tolist()
    short = "{:.9g}" if exact else "{:.6g}"
    return np.reshape([float(short.format(value)) for value in array.ravel().tolist()], array.shape).tolist()


def _code_layer(net: Network) -> int | None:
    """Return the smallest hidden layer of two or three units."""
    widths = [(layer.fan_out, i) for i, layer in enumerate(net.layers[:-1]) if layer.fan_out in (2, 3)]
    return min(widths)[1] if widths else None


def _code_range(traces: list[list[Trace]], code: int | None) -> list[float]:
    """Return between what the edges of the cube lie: what σ reaches, or the activations there are."""
    if code is None:
        return [0.0, 1.0]
    a = np.array([trace.layers[code].a for each in traces for trace in each], dtype=np.float64)
    low, high = float(np.nanmin(a)), float(np.nanmax(a))
    for reach in ((0.0, 1.0), (-1.0, 1.0)):
        if reach[0] <= low and high <= reach[1]:
            return list(reach)
    return [low, high]


def _distribution(record: Record) -> dict[str, Any]:
    layers = [{"a": list(layer.a), "delta": layer.delta, "spread": list(layer.delta_spread)} for layer in record.layers]
    return {"epoch": record.epoch, "layers": layers}


# --- the page ---------------------------------------------------------------------------------------------------------


def _page(data: dict[str, Any]) -> str:
    """Return the page: the template with style, program and data put in, in one pass, so that no data is a template."""
    files = resources.files(__package__) / "page"
    style = (files / "page.css").read_text(encoding="utf-8")
    script = "\n".join((files / name).read_text(encoding="utf-8") for name in SCRIPTS)
    parts = {
        "POLICY": _policy(style, script),
        "TITLE": html.escape(data["title"]),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": embedded(data),
    }
    pieces = (files / "page.html").read_text(encoding="utf-8").split("@")
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _policy(style: str, script: str) -> str:
    """Return a policy under which this style and this program work and nothing else does, whatever the data hold."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def embedded(data: Any) -> str:
    """Return data as JSON that can stand in an HTML script element: no character in it means something to HTML."""
    text = json.dumps(finite_or_null(data), allow_nan=False, separators=(",", ":"))  # ASCII: U+2028 is escaped too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
