"""What the core was built with, and what it runs on."""

from __future__ import annotations

import platform

import numpy as np

from . import _core


def available_isas() -> tuple[str, ...]:
    """Return the instruction sets that the core was compiled for and this processor has, the slowest first."""
    return _core.available_isas()


def isa() -> str:
    """Return the instruction set in use: the fastest or the one that ``BACKPROPC_ISA`` names. The bits are the same."""
    return _core.isa()


def show_config() -> None:
    """Print the version, the compiler and the instruction sets: what a report of a problem should hold."""
    print(f"backpropc {_core.version}, compiled by {_core.compiler}")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.platform()}")
    print(f"instruction sets: {', '.join(available_isas())}; in use: {isa()}")
