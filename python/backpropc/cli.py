"""The command line: ``backpropc`` and ``python -m backpropc``.

Exit status: 0 on success, 2 on wrong usage, 1 on failure with one line on standard error, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__, autoencoder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backpropc", description="Backpropagation on dense networks.")
    parser.add_argument("--version", action="version", version=f"backpropc {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "autoencoder",
        help="the demo: the lecture's 8-3-8 autoencoder learns a binary code",
        description="Train the lecture's 8-3-8 autoencoder online and show the code it has learned.",
    )
    autoencoder.add_arguments(demo)
    demo.set_defaults(run=autoencoder.run)
    return parser


def _fail(message: str) -> int:
    print(f"backpropc: {message}", file=sys.stderr)
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        print(end="", flush=True)  # fails here, if at all; does nothing where standard output is closed
        return status
    except KeyboardInterrupt:
        print("\nbackpropc: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError as error:
        return _fail(f"out of memory: {error}")
    except (ArithmeticError, OSError, RuntimeError, TypeError, ValueError) as error:
        return _fail(str(error))
