"""The console sessions of the pages: each command runs in a shell, and prints what the page says."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.M | re.S)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = ("command-line", "export")


def shell(command: str) -> str:
    """What a command prints; the page's `backpropc` is the one that is tested."""
    environment = {**os.environ, "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout


def run_session(session: str, folder: Path) -> None:
    """Compare what each command prints with the lines below it; what `cat` shows of a new file is written instead."""
    for each in re.split(r"^\$ ", session, flags=re.M)[1:]:
        command, _, wanted = each.partition("\n")
        name = command.removeprefix("cat ")
        if name != command and not (folder / name).exists():
            (folder / name).write_text(wanted)
            continue
        found = shell(command)
        assert doctest.OutputChecker().check_output(wanted, found, FLAGS), f"$ {command}\n{found}"


@pytest.mark.parametrize("name", PAGES)
def test_console(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(DOCS / "data" / "iris.csv", tmp_path)
    globs: dict[str, object] = {}
    n_sessions = 0
    for language, code in BLOCK.findall((DOCS / "guides" / f"{name}.md").read_text(encoding="utf-8")):
        if language == "console":
            run_session(code, tmp_path)
            n_sessions += 1
        else:  # its files are read by the commands that follow
            test = doctest.DocTestParser().get_doctest(code, globs, name, name, 0)
            assert doctest.DocTestRunner(optionflags=FLAGS).run(test, clear_globs=False).failed == 0
            globs = test.globs
    assert n_sessions
