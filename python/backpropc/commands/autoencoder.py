"""The demo: the lecture's simple autoencoder, 8-3-8, which must find a code of three values for eight inputs."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import __version__, definitions, isa
from .._files import check_writable, write_whole
from ..network import Network
from ..training import Trainer
from . import _options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..monitoring import Callback

HELP = "the demo: the lecture's 8-3-8 autoencoder learns a binary code"
DESCRIPTION = "Train the lecture's 8-3-8 autoencoder online and show the code it has learned."

PATTERNS = 8
DEFAULT_EPOCHS = 5000
DEFAULT_RATE = 0.3
DEFAULT_SEED = 0
INITIAL_RANGE = 0.1
RECORDS = 10


class Options(Protocol):
    """What the command line of the demo was asked for."""

    epochs: int
    learning_rate: float
    seed: int
    hidden: int
    dtype: str
    json: bool
    microscope: str | None
    plot: str | None


@dataclass
class Result:
    """What the demo found, as ``--json`` prints it."""

    version: str
    isa: str
    sizes: list[int]
    n_parameters: int
    dtype: str
    seed: int
    learning_rate: float
    epochs: int
    loss: float
    largest_error: float
    seconds: float
    updates_per_second: float
    reconstructed: int
    distinct_codes: int
    binary_code: bool
    hidden: list[list[float]]
    output: list[list[float]]


def train(options: Options, report: Any = None) -> Result:
    """Train the autoencoder online, calling ``report(epoch, loss, network)`` now and then; draw it where wanted."""
    initial = definitions.INITIALIZER.classes["uniform"](-INITIAL_RANGE, INITIAL_RANGE)
    network = Network(
        [PATTERNS, options.hidden, PATTERNS],
        activation="logistic",
        seed=options.seed,
        dtype=options.dtype,
        initializer=initial,
        bias_initializer=initial,
    )
    sgd = definitions.OPTIMIZER.classes["SGD"](options.learning_rate)
    trainer = Trainer(network, loss="half_squared_error", optimizer=sgd, batch_size=1, shuffle=False, seed=options.seed)
    patterns = np.eye(PATTERNS, dtype=network.dtype)
    picture = None if options.plot is None else _Picture(options.plot, patterns)
    page = None if options.microscope is None else _Page(options.microscope, options)
    watchers: list[Callback] = [
        *([] if picture is None else [picture.trail]),
        *([] if page is None else [page.recorder]),
    ]
    seconds = 0.0
    for epoch in sorted({-(-options.epochs * record // RECORDS) for record in range(1, RECORDS + 1)}):
        start = time.perf_counter()
        trainer.fit(patterns, patterns, until_epoch=epoch, callbacks=watchers)
        seconds += time.perf_counter() - start
        if report is not None:
            report(trainer.epoch, network.loss(patterns, patterns), network)
    if picture is not None:
        picture.draw(trainer)
    if page is not None:
        page.write(network, patterns)
    return _result(options, network, patterns, seconds)


class _Picture:
    """The codes and their way through the training, the network, and its loss, for a file."""

    def __init__(self, path: str, patterns: NDArray[Any]) -> None:
        from matplotlib.figure import Figure

        from .. import plot

        check_writable(path)
        self._format = os.path.splitext(path)[1][1:].lower() or "png"
        known = Figure().canvas.get_supported_filetypes()
        if self._format not in known:
            raise ValueError(f"--plot is {path!r}; its ending must be one of: {', '.join(sorted(known))}")
        self._path, self._patterns, self.trail = path, patterns, plot.CodeTrail(patterns)

    def draw(self, trainer: Trainer) -> None:
        """Write the file; its ending says what it is."""
        from matplotlib.figure import Figure

        from .. import plot

        figure, network = Figure(figsize=(15, 5), layout="constrained"), trainer.network
        codes, diagram, loss = figure.subplots(1, 3)
        units = range(min(network.sizes[1], 3))
        plot.hidden_codes(network, self._patterns, codes, units=units, trail=self.trail)
        codes.set_title(f"codes of the {PATTERNS} inputs, and their way there")
        plot.network_diagram(network, diagram)
        plot.loss_curves(trainer.history, loss)
        content = BytesIO()
        figure.savefig(content, format=self._format, dpi=120)
        write_whole(self._path, [content.getvalue()])


class _Page:
    """The page of the training and of each update, step by step, for a file."""

    def __init__(self, path: str, options: Options) -> None:
        from ..microscope import Recorder

        check_writable(path)
        self._path, self._options, self.recorder = path, options, Recorder()

    def write(self, network: Network, patterns: NDArray[Any]) -> None:
        """Write the file."""
        from ..microscope import microscope

        microscope(
            network,
            patterns,
            patterns,
            self._path,
            learning_rate=self._options.learning_rate,
            recorder=self.recorder,
            title=f"The lecture's autoencoder {PATTERNS}-{self._options.hidden}-{PATTERNS}",
            sample_names=["".join(str(int(value)) for value in row) for row in patterns],
        )


def _result(options: Options, network: Network, patterns: NDArray[Any], seconds: float) -> Result:
    output = network.predict(patterns)
    hidden = network.trace(patterns, patterns).a[1]
    codes = len({tuple(row) for row in hidden.round().astype(int).tolist()})
    updates = options.epochs * PATTERNS
    return Result(
        version=__version__,
        isa=isa(),
        sizes=list(network.sizes),
        n_parameters=network.n_parameters,
        dtype=network.dtype.name,
        seed=options.seed,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        loss=network.loss(patterns, patterns),
        largest_error=float(np.abs(output - patterns).max()),
        seconds=seconds,
        updates_per_second=updates / seconds if seconds > 0 else 0.0,
        reconstructed=_reconstructed(network, patterns),
        distinct_codes=codes,
        binary_code=codes == PATTERNS,
        hidden=hidden.tolist(),
        output=output.tolist(),
    )


def _reconstructed(network: Network, patterns: NDArray[Any]) -> int:
    """How many inputs come out again, every output rounded."""
    return int((network.predict(patterns).round() == patterns).all(axis=1).sum())


def _progress(epoch: int, loss: float, network: Network) -> None:
    right = _reconstructed(network, np.eye(PATTERNS, dtype=network.dtype))
    print(f"{epoch:>8}   {loss:9.6f}   {right} of {PATTERNS}", flush=True)


def _two_places(value: float) -> str:
    return f"{value:.2f}".removeprefix("0").rjust(4)


def table(result: Result) -> str:
    """Return the lecture's table "Learned representation"."""
    values = [" ".join(_two_places(v) for v in row) for row in result.hidden]
    width = max(len("hidden values"), len(values[0]))
    lines = [f"{'input':<8}   {'hidden values':<{width}}   output"]
    for i, row in enumerate(result.output):
        pattern = "".join("1" if j == i else "0" for j in range(PATTERNS))
        rounded = "".join(str(round(v)) for v in row)
        lines.append(f"{pattern}   {values[i]:<{width}}   {rounded}")
    return "\n".join(lines)


def verdict(result: Result) -> str:
    """Return in words what the network has learned, and what it has not."""
    if result.reconstructed < PATTERNS:
        return (
            f"Not learned yet: {result.reconstructed} of {PATTERNS} inputs come out again. "
            "Train for more epochs (--epochs), or try another rate or seed."
        )
    learned = f"All {PATTERNS} inputs come out again."
    if result.binary_code:
        return (
            f"{learned} Rounded to 0 and 1, the hidden values are {PATTERNS} different codes: "
            "a binary code, found by itself."
        )
    not_binary = (
        f"{learned} But the code is not binary for this seed: rounded to 0 and 1, the hidden values are only "
        f"{result.distinct_codes} different codes.\nThe network tells the inputs apart by values in between. "
    )
    hidden = result.sizes[1]
    if 2**hidden < PATTERNS:
        return f"{not_binary}With --hidden {hidden} it cannot be otherwise: there are no more than {2**hidden} codes."
    return f"{not_binary}With three hidden units about one seed in four ends so; try another --seed."


def run(options: Options) -> int:
    """Run the demo and print what it found; return the exit status."""
    if options.json:
        print(json.dumps(asdict(train(options))))
        return 0
    print(f"The lecture's autoencoder {PATTERNS}-{options.hidden}-{PATTERNS}: logistic units, E = 1/2 sum (a - t)^2,")
    print(f"online updates with rate {options.learning_rate:g}, {options.dtype}, seed {options.seed}\n")
    print("   epoch           E   reconstructed", flush=True)
    result = train(options, _progress)
    print(f"\nLearned representation\n\n{table(result)}\n")
    print(f"{verdict(result)}\n")
    print(
        f"error E         {result.loss:.6f}, mean of the {PATTERNS} inputs; largest |a - t| {result.largest_error:.3f}"
    )
    print(
        f"time            {result.seconds:.3f} s for {result.epochs * PATTERNS} updates of {result.n_parameters} "
        f"parameters: {result.updates_per_second:,.0f} updates/s ({result.isa})"
    )
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the demo's options."""
    count, seed = _options.integer(1), _options.integer(0, 2**64 - 1)
    parser.add_argument(
        "--epochs",
        type=count,
        metavar="N",
        default=DEFAULT_EPOCHS,
        help="times each input is seen (default: %(default)s)",
    )
    parser.add_argument(
        "--learning-rate",
        type=_options.rate,
        metavar="RATE",
        default=DEFAULT_RATE,
        help="size of the steps, the lecture's mu (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=seed, metavar="N", default=DEFAULT_SEED, help="of the initial weights (default: %(default)s)"
    )
    parser.add_argument("--hidden", type=count, metavar="N", default=3, help="hidden units (default: %(default)s)")
    parser.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="of all numbers (default: %(default)s)"
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="draw the codes, the network and its loss: .png, .svg or .pdf (needs matplotlib)"
    )
    parser.add_argument(
        "--microscope", metavar="PAGE", help="also write an HTML page of the training and of each update, step by step"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object instead")
