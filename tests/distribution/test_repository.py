"""Habits of the repository that no other tool checks."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from building import ROOT


@pytest.fixture(scope="module")
def repository_files() -> list[Path]:
    """What git knows or would add."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git work tree")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts(files: list[Path]) -> list[tuple[Path, str]]:
    found = []
    for path in files:
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((path.relative_to(ROOT), content.decode("utf-8")))
    return found


def test_nothing_is_put_off(repository_files: list[Path]) -> None:
    marks = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
    assert not [str(path) for path, text in texts(repository_files) if marks.search(text)]


def test_files_are_small(repository_files: list[Path]) -> None:
    assert not [str(path) for path in repository_files if path.stat().st_size > 1 << 20]


def test_hooks_use_the_versions_of_the_lint_extra() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pins = re.findall(r"[a-z-]+==[0-9.]+", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert pins
    assert not [pin for pin in pins if f'"{pin}"' not in project]


def test_changelog_knows_the_version(version: str) -> None:
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
