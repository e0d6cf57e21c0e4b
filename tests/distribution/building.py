"""How the tests here run other programs, and what they pass to each other."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1 << 20


def section(name: str) -> str:
    """The text of a table of pyproject.toml (Python 3.10 has no reader of TOML)."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return text.partition(f"[{name}]\n")[2].partition("\n[")[0]


def wheel_tests() -> tuple[list[str], list[str]]:
    """What cibuildwheel installs to test a wheel, and the arguments it gives to Python."""
    text = section("tool.cibuildwheel")
    requires = re.search(r"^test-requires = \[(.*)\]$", text, re.M)
    command = re.search(r'^test-command = """(.*?)"""', text, re.M | re.S)
    assert requires
    assert command
    program, *arguments = command[1].replace("\\\n", " ").replace("{project}", str(ROOT)).split()
    assert program == "python"
    return re.findall(r'"([^"]+)"', requires[1]), arguments


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Its standard output; where it fails, what it said is the failure."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BACKPROPC_"))}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}", pytrace=False)
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has pip and nothing else at first."""

    bin: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"

    def pip(self, *words: str | Path) -> None:
        """Run its pip."""
        run(self.python, "-m", "pip", "--disable-pip-version-check", *words)


@dataclass(frozen=True)
class Built:
    """A wheel, and the folder in which it was compiled."""

    wheel: Path
    objects: Path
