"""The command line: ``backpropc`` and ``python -m backpropc``.

Exit status: 0 on success, 2 on wrong usage, 1 on failure with one line on standard error, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from . import __version__
from .commands import COMMANDS
from .commands._options import UsageError

DESCRIPTION = """\
Backpropagation on dense networks: from a table to a trained network in a file, to what it predicts, and to a form that
other programs read.
"""


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help whose examples stand as they are written, with room for the names of options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)


def _filled(text: str, hanging: int = 0) -> str:
    """Return paragraphs in lines as long as the terminal's, as argparse makes the rest of the help."""
    width = max(shutil.get_terminal_size().columns - 2, hanging + 20)
    return "\n\n".join(textwrap.fill(each, width, subsequent_indent=" " * hanging) for each in text.split("\n\n"))


def _listed() -> str:
    """Return the commands, a paragraph each beside its name, and how to learn more."""
    column = max(map(len, COMMANDS)) + 4
    lines = [_filled(f"  {name}".ljust(column) + command.HELP, column) for name, command in COMMANDS.items()]
    return "\n".join(["commands:", *lines, "", "backpropc COMMAND --help tells all of a command"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backpropc",
        description=_filled(DESCRIPTION),
        epilog=_listed(),
        formatter_class=_HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"backpropc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, help="one of the commands below")
    for name, command in COMMANDS.items():
        of_command = commands.add_parser(
            name,
            description=_filled(command.DESCRIPTION),
            epilog=getattr(command, "EPILOG", None),
            formatter_class=_HelpFormatter,
        )
        command.add_arguments(of_command)
        of_command.set_defaults(run=command.run, parser=of_command)
    return parser


def _fail(message: str) -> int:
    print(f"backpropc: {' '.join(message.split())}", file=sys.stderr)  # in one line, whoever wrote it
    return 1


def _let_go_of_output() -> None:
    """See to it that the interpreter does not fail once more, and in its own words, when it flushes at exit."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
        return 1  # whoever read our output has gone, and knows
    except MemoryError as error:
        return _fail(f"out of memory: {error}")
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        return _fail(f"{where}{error.strerror or error}")
    except (ArithmeticError, ImportError, RuntimeError, TypeError, ValueError) as error:
        return _fail(str(error))
    finally:
        _let_go_of_output()
