"""``backpropc predict``: what a network in a file says to a table."""

from __future__ import annotations

import argparse
import csv
import io as text_io
import sys
from typing import TYPE_CHECKING

import numpy as np

from .._arguments import FloatArray
from . import _options

if TYPE_CHECKING:
    from ..preprocessing import Preprocessing

HELP = "predict from a trained network and new data"
DESCRIPTION = """\
Predict for every row of a table, and print a CSV file: the class or the number, under the name of the target.

The table needs the columns that the network was trained on, by their names, in any order; others are not looked at. One
without names (.npy, or CSV without a header) needs them in the same order.
"""
EPILOG = """\
examples:
  backpropc predict iris.safetensors flowers.csv
  backpropc predict iris.safetensors flowers.csv --probabilities -o predicted.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("network", metavar="NETWORK", help="file that train wrote, or Network.save")
    parser.add_argument("data", metavar="DATA", help="the table: .csv, .tsv, .parquet, .npy or .npz")
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write (default: print)")
    parser.add_argument(
        "--probabilities", action="store_true", help="also the probability of each class, in a column of its own"
    )
    parser.add_argument(
        "--unseen",
        choices=("refuse", "zero"),
        default="refuse",
        help="a category that the training rows did not have: an error, or none of the known ones "
        "(default: %(default)s)",
    )
    _options.add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Predict and print, or write the file."""
    from .. import io
    from .._files import write_whole
    from .._tables import read_table
    from ..preprocessing import matching_table

    if options.output is not None:
        _options.check_output(options.output, options.network, options.data)
    network, _, preprocessing = io.load_model(options.network)
    if options.probabilities and (preprocessing is None or preprocessing.labels is None):
        raise ValueError(f"--probabilities: {options.network} has no classes")
    as_text = preprocessing.category_names if preprocessing is not None else ()
    table = read_table(options.data, options.header, options.delimiter, as_text)
    a = network.predict(matching_table(preprocessing, table, network, options.unseen))
    names, columns = predictions(preprocessing, a, options.probabilities)
    text = text_io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *zip(*columns, strict=True)])
    if options.output is None:
        sys.stdout.write(text.getvalue())
    else:
        write_whole(options.output, [text.getvalue().encode()])
    return 0


def predictions(
    preprocessing: Preprocessing | None, a: FloatArray, probabilities: bool
) -> tuple[list[str], list[list[str]]]:
    """Return the columns to print, their names and their texts."""
    if preprocessing is None:
        return [f"output {i + 1}" for i in range(a.shape[1])], _texts(a, a.dtype)
    names = [column.column for column in preprocessing.targets]
    labels = preprocessing.labels
    if labels is None:
        return names, _texts(preprocessing.decode(a), a.dtype)
    columns = [[labels[i] for i in a.argmax(axis=1).tolist()]]
    if not probabilities:
        return names, columns
    return names + [f"probability {label}" for label in labels], columns + _texts(a, a.dtype)


def _texts(a: FloatArray, dtype: np.dtype[np.floating]) -> list[list[str]]:
    """Return each column as the shortest texts that give its numbers again, in the network's precision."""
    return [[str(value) for value in column] for column in a.T.astype(dtype)]
