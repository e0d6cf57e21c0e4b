"""``backpropc export``: a network in a form that others read."""

from __future__ import annotations

import argparse
import os
import re

from . import _options

HELP = "write a network as C source or as ONNX"
DESCRIPTION = """\
Write the network of a file in a form that others read.

--to c: one self-contained C99 file, for a microcontroller: float32, no allocation. Of a file that train wrote it has
the columns' scales and categories and the class labels too.

--to onnx: a model for ONNX Runtime and others (needs the onnx package). Of a file that train wrote it takes a table's
rows, with a category given by its number, and gives labels and probabilities, or numbers in the units of the targets.
"""
EPILOG = """\
examples:
  backpropc export --to c iris.safetensors -o iris.c
  backpropc export --to onnx iris.safetensors -o iris.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("network", metavar="NETWORK", help="file that train wrote, Network.save or Trainer.save")
    parser.add_argument("--to", choices=("c", "onnx"), required=True, help="what to write")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--opset",
        type=_options.integer(1),
        metavar="N",
        help="onnx: version of the operators (default: the lowest that has them)",
    )
    parser.add_argument(
        "--bare", action="store_true", help="leave out what train learned of the table: the network alone"
    )
    parser.add_argument("--name", help="c: what the names in the file begin with (default: from the name of FILE)")


def run(options: argparse.Namespace) -> int:
    """Load the file and write the other."""
    from .. import io

    for name, of in (("name", "c"), ("opset", "onnx")):
        if getattr(options, name) is not None and options.to != of:
            raise _options.UsageError(f"--{name} is for --to {of}")
    _options.check_output(options.output, options.network)
    network, _, preprocessing = io.load_model(options.network)
    if options.bare:
        preprocessing = None
    if options.to == "c":
        from ..c_source import to_c

        to_c(network, options.output, name=options.name or _name_of(options.output), preprocessing=preprocessing)
    else:
        from ..onnx import to_onnx

        to_onnx(network, options.output, opset=options.opset, preprocessing=preprocessing)
    return 0


def _name_of(path: str) -> str:
    """Return a C identifier made of a file's name."""
    stem = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0], flags=re.ASCII)[:40]
    return stem if stem[:1].isalpha() else f"network_{stem}".rstrip("_")
