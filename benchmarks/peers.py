"""Installing the contestants: a virtual environment of their own, and a system library where that may be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path

from .contestants import KINDS
from .contestants.native import BUILD

VENV = BUILD.parent / "bench-venv"
PYTHON = VENV / "bin" / "python"
PINS = Path(__file__).with_name("requirements.txt")


def python_of(contestant: str) -> str:
    """Peers that are Python packages run in their own environment, the rest where the package was built."""
    return str(PYTHON) if KINDS[contestant].packages else sys.executable


def install(contestants: Iterable[str]) -> dict[str, str]:
    """Install what these need, and the plots' matplotlib; return why any of them cannot take part."""
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True)
    absent = {}
    for name, packages in {"plots": ("matplotlib",), **{name: KINDS[name].packages for name in contestants}}.items():
        failure = _install(packages)
        if failure:
            absent[name] = failure
    if "fann" in contestants:
        _install_fann()
    return absent


def _install(packages: tuple[str, ...]) -> str:
    if not packages:
        return ""
    pins = dict(line.split("==") for line in PINS.read_text().splitlines() if "==" in line)
    wanted = [f"{package}=={pins[package]}" for package in packages]
    probe = "import sys, importlib.metadata as m; print([f'{p}=={m.version(p)}' for p in sys.argv[1:]])"
    present = subprocess.run([str(PYTHON), "-c", probe, *packages], capture_output=True, text=True)
    if present.stdout.replace("+cpu", "").strip() == str(wanted):
        return ""
    print(f"bench: installing {' '.join(wanted)} ...", file=sys.stderr, flush=True)
    command = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(PINS), *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
    return f"{' '.join(wanted)} could not be installed ({errors[-1]})"


def _install_fann() -> None:
    """Debian's package, where we may install it; where not, the contestant says what is missing."""
    compiler = os.environ.get("CXX", "c++").split()
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as probe:
        probe.write("#include <floatfann.h>\n")
        probe.flush()
        if subprocess.run([*compiler, "-fsyntax-only", probe.name], capture_output=True).returncode == 0:
            return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("bench: installing libfann-dev ...", file=sys.stderr, flush=True)
        quiet = {"capture_output": True, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "libfann-dev"]):
            subprocess.run(["apt-get", *command], check=False, **quiet)
