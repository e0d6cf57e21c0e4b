"""What the core was built with, and what it runs on."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from . import _core
from ._arguments import shown, whole_number


def available_isas() -> tuple[str, ...]:
    """Return the instruction sets that the core was compiled for and this processor has, the slowest first."""
    return _core.available_isas()


def isa() -> str:
    """Return the instruction set in use: the fastest or the one that ``BACKPROPC_ISA`` names. The bits are the same."""
    return _core.isa()


def get_num_threads() -> int:
    """Return how many threads the core may use for one call, the caller's own included.

    At first it is ``BACKPROPC_NUM_THREADS``, where that is set: an integer from 1 to 1024; importing the package with
    any other value is an ``ImportError``. Otherwise it is the number of processors that this process may use: those
    that its affinity names, and no more than the CPU quota of its control group pays for, rounded up, or than
    ``OMP_NUM_THREADS`` says, as joblib sets it for its worker processes.
    """
    return _core.num_threads()


def set_num_threads(n: int) -> None:
    """Set how many threads the core may use for one call, the caller's own included.

    The number holds for the whole process: for every Python thread, and for children it forks. A call that is under way
    keeps its threads. Only one call at a time gets more than one thread; others, made meanwhile by other Python
    threads, compute in their own. Threads are started when first needed, and where the system refuses some, the core
    does with fewer. The results are the same bits for every n.

    Parameters
    ----------
    n : int
        From 1 to 1024; 1 starts no thread.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If it is out of range.
    """
    number = whole_number(n, "n", at_least=1)
    if number > _core.max_threads:
        raise ValueError(f"n is {shown(number)}; it must be at most {_core.max_threads}")
    _core.set_num_threads(number)


@contextmanager
def num_threads(n: int) -> Iterator[None]:
    """Use `n` threads within a ``with`` block, and afterwards, also after an exception, as many as before it.

    The number holds for the whole process, as that of `set_num_threads` does: blocks of several Python threads that
    overlap in time set it for each other, and the last to leave restores what it found.

    Parameters
    ----------
    n : int
        From 1 to 1024.

    Raises
    ------
    TypeError, ValueError
        As `set_num_threads` does.

    Examples
    --------
    >>> import backpropc as bp
    >>> with bp.num_threads(1):
    ...     bp.get_num_threads()
    1
    """
    before = get_num_threads()
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


def show_config() -> None:
    """Print the version, the compiler, the instruction sets and the threads: what a report of a problem should hold."""
    print(f"backpropc {_core.version}, compiled by {_core.compiler}")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.platform()}")
    print(f"instruction sets: {', '.join(available_isas())}; in use: {isa()}")
    print(f"threads: {get_num_threads()}")
