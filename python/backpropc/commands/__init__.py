"""The commands of the command line, a module for each.

Such a module has ``HELP``, its line in the list of commands; ``DESCRIPTION``, what ``--help`` begins with, and perhaps
``EPILOG``, with which it ends; ``add_arguments(parser)``, which declares its options; and ``run(options)``, which gives
back the exit status. It imports what is heavy in ``run`` only, as all of them are imported for any of them.
"""

from __future__ import annotations

import argparse
from typing import Protocol, cast

from . import autoencoder, export, info, microscope, predict, train


class Command(Protocol):
    """What a module of this package is."""

    HELP: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the options."""

    def run(self, options: argparse.Namespace, /) -> int:
        """Run the command and return its exit status."""


COMMANDS = cast(
    "dict[str, Command]",  # in the order in which help lists them
    {
        "autoencoder": autoencoder,
        "train": train,
        "predict": predict,
        "info": info,
        "export": export,
        "microscope": microscope,
    },
)
