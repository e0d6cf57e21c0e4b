"""What a mutant is, how a sample of them is drawn, and which survivors are explained."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Edit:
    """Text between two places of a file, and what is put there instead."""

    begin: int
    end: int
    text: str


@dataclass(frozen=True)
class Mutant:
    """One change of one place, known by what it changes and not by where that stands."""

    file: str
    line: str  # the text of the line, without its indentation
    change: str
    number: int  # of those before it in the file that are alike in all the rest
    line_number: int
    ordinal: int  # of all in its file
    alone: tuple[Edit, ...] = ()  # the change itself
    planted: tuple[Edit, ...] = ()  # the change that waits to be chosen at run time; none where that cannot be
    at_import: bool = False

    @property
    def place(self) -> tuple[str, str, str]:
        """What an explanation names."""
        return self.file, self.line, self.change

    def __str__(self) -> str:
        return f"{self.file}:{self.line_number}: {self.change}: {self.line}"


def numbered(mutants: Iterable[Mutant]) -> list[Mutant]:
    """Tell those apart that are alike."""
    seen: Counter[tuple[str, str, str]] = Counter()
    result = []
    for ordinal, mutant in enumerate(mutants):
        result.append(replace(mutant, number=seen[mutant.place], ordinal=ordinal))
        seen[mutant.place] += 1
    return result


def sample(mutants: Iterable[Mutant], n: int | None, seed: int) -> list[Mutant]:
    """Draw n of them, each by itself: a change of the code changes little of the draw."""

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(repr((seed, mutant.place, mutant.number)).encode()).hexdigest()

    return sorted(mutants, key=rank)[:n]


def explanations(path: Path = HERE / "explained.txt") -> dict[tuple[str, str, str], str]:
    """Read the survivors that no test can kill: file, line, change, and from the fourth line on the reason."""
    result = {}
    for block in path.read_text().split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        if len(lines) < 4:
            raise ValueError(f"{path.name}: an entry has a file, a line, a change and a reason, not only {lines}")
        result[lines[0], lines[1], lines[2]] = " ".join(lines[3:])
    return result
