"""Programs in C++ of our own, compiled here and called once for a round."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parents[1]
BUILD = HERE.parent / "build" / "bench"


def compiler() -> list[str]:
    """The C++ compiler, as the build of the package finds it."""
    return os.environ.get("CXX", "c++").split()


def compiler_version() -> str:
    """Its first line about itself, shortened to name and number."""
    told = subprocess.run([*compiler(), "--version"], check=True, capture_output=True, text=True).stdout
    number = re.search(r"\d+\.\d+\.\d+", told)
    return f"{'Clang' if 'clang' in told else 'GCC'} {number[0] if number else '?'}"


def compiled(source: str, name: str, flags: Sequence[str], libraries: Sequence[str] = ()) -> Path:
    """The program or shared library `name` made of `source`; compiled where it is older than that."""
    path, origin = BUILD / name, HERE / source
    if not path.exists() or path.stat().st_mtime < origin.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        command = [*compiler(), "-std=c++17", "-O3", *flags, str(origin), "-o", str(path), *libraries]
        subprocess.run(command, check=True, capture_output=True, text=True)
    return path


def library(source: str, flags: Sequence[str] = (), libraries: Sequence[str] = ()) -> ctypes.CDLL:
    """`source` as a shared library, loaded."""
    name = f"{Path(source).stem}.so"
    return ctypes.CDLL(str(compiled(source, name, ["-shared", "-fPIC", *flags], libraries)))
