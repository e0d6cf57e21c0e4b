"""``backpropc microscope``: a page that steps through one update of a saved network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from .._arguments import FloatArray
from .._files import open_to_read
from ..definitions import LOSS
from . import _options

if TYPE_CHECKING:
    from ..network import Network
    from ..preprocessing import Preprocessing

HELP = "write a page that steps through one update, with every number"
DESCRIPTION = """\
Write an HTML page that steps through one update of a network, forward and backward, with every number.

For a network that train wrote, DATA is a table with the columns it was trained on, as for train. For another it is a
.npy array with a row for each sample: the inputs, then the targets; or the inputs, then the number of the class, for
softmax outputs; or the inputs alone, of a network that is to give them back. Or it is a .npz file with arrays x and t.
"""
EPILOG = """\
examples:
  backpropc microscope iris.safetensors iris.csv -o iris.html
  backpropc microscope net.safetensors data.npy -o page.html --learning-rate 0.3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("network", metavar="NETWORK", help="file that train wrote, Network.save or Trainer.save")
    parser.add_argument("data", metavar="DATA", help="samples: a table, or a .npy or .npz file")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE", help="HTML file to write")
    parser.add_argument(
        "--loss",
        choices=LOSS.names,
        metavar="NAME",
        help="E (default: the trainer's; else softmax_cross_entropy after softmax, half_squared_error after others)",
    )
    parser.add_argument(
        "--learning-rate",
        type=_options.rate,
        metavar="RATE",
        default=0.1,
        help="mu of the update that is shown (default: %(default)s)",
    )
    parser.add_argument("--title", help="of the page (default: the name of NETWORK)")
    _options.add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the page; return the exit status."""
    from .. import io
    from ..microscope import microscope

    _options.check_output(options.output, options.network, options.data)
    net, trainer, preprocessing = io.load_model(options.network)
    if preprocessing is None:
        names: dict[str, Any] = {}
        x, t = _samples(options.data, net)
    else:
        names = _names(preprocessing)
        x, t = _rows(options, net, preprocessing)
    by_output = "softmax_cross_entropy" if net.layers[-1].activation == "softmax" else "half_squared_error"
    microscope(
        net,
        x,
        t,
        options.output,
        loss=options.loss or (by_output if trainer is None else trainer.loss),
        learning_rate=options.learning_rate,
        title=options.network if options.title is None else options.title,
        **names,
    )
    print(f"{options.output}: {net!r}")
    return 0


def _rows(options: argparse.Namespace, net: Network, preprocessing: Preprocessing) -> tuple[FloatArray, FloatArray]:
    """Return the samples of a table, as train encodes them."""
    from .._tables import read_table
    from ..preprocessing import matching_table

    labels = [column.column for column in preprocessing.targets] if preprocessing.labels is not None else []
    as_text = [*preprocessing.category_names, *labels]
    table = read_table(options.data, options.header, options.delimiter, as_text)
    return matching_table(preprocessing, table, net, "zero"), preprocessing.encode_targets(table)


def _names(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return what the inputs and outputs are called: by their columns, and one for each category."""
    from ..preprocessing import NumberColumn

    inputs: list[str] = []
    for column in preprocessing.inputs:
        if isinstance(column, NumberColumn):
            inputs.append(column.column)
        else:
            inputs += [f"{column.column}: {category}" for category in column.categories]
    outputs = preprocessing.labels or [column.column for column in preprocessing.targets]
    return {"input_names": inputs, "output_names": list(outputs)}


def _samples(path: str, net: Network) -> tuple[FloatArray, FloatArray]:
    """Return x and t of a file of numbers."""
    fan_in, fan_out = net.sizes[0], net.sizes[-1]
    with open_to_read(path) as file:
        try:
            found = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, BadZipFile):
            raise ValueError(f"{path!r} is not a .npy or .npz file of numbers") from None
        if not isinstance(found, np.ndarray):
            if not {"x", "t"} <= set(found.files):
                raise ValueError(f"{path!r} has the arrays {', '.join(found.files)}; it must have x and t")
            return found["x"], found["t"]
    rows = np.atleast_2d(found)
    if rows.shape[1:] == (fan_in + fan_out,):
        return rows[:, :fan_in], rows[:, fan_in:]
    if rows.shape[1:] == (fan_in + 1,) and net.layers[-1].activation == "softmax":
        return rows[:, :fan_in], rows[:, fan_in].astype(np.int64)
    if rows.shape[1:] == (fan_in,) and fan_in == fan_out:
        return rows, rows
    raise ValueError(
        f"{path!r} has shape {found.shape}; it must be (n, {fan_in + fan_out}): {fan_in} inputs and {fan_out} targets"
    )
