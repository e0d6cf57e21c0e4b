"""What becomes of a command whose package cannot be imported, as with a wrong ``BACKPROPC_ISA``."""

from __future__ import annotations

import os
import sys


def is_the_command() -> bool:
    """Return whether this process is ``backpropc …`` or ``python -m backpropc …``, which has yet to begin."""
    arguments, of_process = getattr(sys, "argv", []), sys.orig_argv
    if not 0 < len(arguments) < len(of_process):
        return False
    program = of_process[-len(arguments)]  # a script's path, or what stands after -m, or with it in one word
    return os.path.basename(program if arguments[0] != "-m" else program.removeprefix("-m")) == __package__


def end_the_command(error: ImportError) -> None:
    """Exit as the command line does on failure, where this process is that: 1, with one line on standard error."""
    if is_the_command():
        print(f"backpropc: {error}", file=sys.stderr)
        sys.exit(1)
