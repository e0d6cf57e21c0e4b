"""The files of the fuzzer's corpus, those it found among them, keep what its targets promise."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"
sys.path.append(str(FUZZ))

from targets import TARGETS  # noqa: E402

FILES = sorted(file for file in (FUZZ / "corpus").glob("*/*"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_what_was_found_stays_mended(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_takes_something(target: str) -> None:
    """A target that refuses everything would promise nothing."""
    assert any(TARGETS[target](file.read_bytes()) for file in FILES if file.parent.name == target)
