"""What the mutants' table says, and the page that holds it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .mutants import ROOT, Mutant

REPORT = ROOT / "docs" / "reference" / "mutants.md"


@dataclass
class Tally:
    """What became of the mutants of one folder."""

    possible: int
    killed: int = 0
    timed_out: int = 0
    explained: list[tuple[Mutant, str]] = field(default_factory=list)
    survivors: list[Mutant] = field(default_factory=list)
    left_out: list[Mutant] = field(default_factory=list)  # the compiler must know their value

    def add(self, mutant: Mutant, killer: str | None, reason: str | None) -> None:
        """Count one more."""
        if killer == "time":
            self.timed_out += 1
        elif killer is not None:
            self.killed += 1
        elif reason is not None:
            self.explained.append((mutant, reason))
        else:
            self.survivors.append(mutant)

    @property
    def tried(self) -> int:
        """How many were run."""
        return self.killed + self.timed_out + len(self.explained) + len(self.survivors)

    @property
    def score(self) -> float:
        """The share that was noticed, of all that were tried: an explanation does not make it better."""
        return (self.killed + self.timed_out) / self.tried if self.tried else 1.0

    @property
    def settled(self) -> float:
        """The share that was noticed or is explained."""
        return 1.0 - len(self.survivors) / self.tried if self.tried else 1.0


HEAD = """\
# Do the tests notice?

A *mutant* is the code with one small change: a sign, an operator, the bound of a loop, a number, a statement left
out. A test that fails on it has noticed. What no test notices is either a change of nothing, and then explained here,
or a hole in the tests. The mutants are drawn from all possible ones of each folder; those drawn but not tried are in
what the compiler must know, where this way of trying cannot change it. The score is of those noticed; a change of
nothing, which no test could notice, counts beside it. With `--again` what a former run noticed, in a file that is still
the same, is not tried anew: only what survived then.

"""


def table(tallies: dict[str, Tally], command: str) -> str:
    """Return the table, the command that made it, and the survivors, in Markdown."""
    lines = [
        "| folder | possible | drawn | tried | noticed | by time | survived | explained | score | or explained |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for folder, tally in tallies.items():
        survived = len(tally.explained) + len(tally.survivors)
        numbers = [tally.possible, tally.tried + len(tally.left_out), tally.tried, tally.killed + tally.timed_out]
        numbers += [tally.timed_out, survived, len(tally.explained)]
        shares = f"{100 * tally.score:.1f} % | {100 * tally.settled:.1f} %"
        lines.append(f"| {folder} | {' | '.join(map(str, numbers))} | {shares} |")
    lines += ["", f"`{command}`", ""]
    for heading, mutants in (
        ("Survivors that are not explained", [str(m) for tally in tallies.values() for m in tally.survivors]),
        ("Explained", [f"{m}: {reason}" for tally in tallies.values() for m, reason in tally.explained]),
    ):
        if mutants:
            lines += [f"{heading}:", "", *(f"- `{text}`" for text in mutants), ""]
    return "\n".join(lines)
