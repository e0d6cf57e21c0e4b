"""The command line: ``backpropc`` and ``python -m backpropc``.

Exit status: 0 on success, 2 on wrong usage, 1 on failure with one line on standard error, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from . import __version__
from .commands import COMMANDS
from .commands._options import UsageError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backpropc", description="Backpropagation on dense networks.")
    parser.add_argument("--version", action="version", version=f"backpropc {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        of_command = commands.add_parser(
            name,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=getattr(command, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(of_command)
        of_command.set_defaults(run=command.run, parser=of_command)
    return parser


def _fail(message: str) -> int:
    print(f"backpropc: {' '.join(message.split())}", file=sys.stderr)  # in one line, whoever wrote it
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an arrow that a terminal's encoding lacks must not end a command
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        print(end="", flush=True)  # fails here, if at all; does nothing where standard output is closed
        return status
    except UsageError as error:
        parser: argparse.ArgumentParser = options.parser
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\nbackpropc: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError as error:
        return _fail(f"out of memory: {error}")
    except (ArithmeticError, ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        return _fail(str(error))
