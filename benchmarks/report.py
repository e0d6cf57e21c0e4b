"""From results to the Markdown of docs/benchmarks.md. Results are plain records, as in build/bench/results.json."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .contestants import KINDS
from .workloads import OURS, Race, Target

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

Results = dict[str, Any]


class Scores:
    """One race with its outcomes, and the machine that they are held against."""

    def __init__(self, race: Race, outcomes: Sequence[dict[str, Any]], machine: dict[str, Any]) -> None:
        self.race, self.machine = race, machine
        self.outcomes = {outcome["label"]: outcome for outcome in outcomes}
        self.rates = {label: found["rows_per_second"] for label, found in self.outcomes.items()}
        self.ours = self.rates.get(race.entries[0].label, 0.0)

    def best(self, labels: Sequence[str]) -> str:
        """The fastest of these that has a result, or an empty string."""
        timed = [label for label in labels if self.rates.get(label)]
        return max(timed, key=lambda label: self.rates[label], default="")

    def best_rival(self) -> str:
        """The fastest peer; where only ours run, the fastest other entry."""
        others = self.race.entries[1:]
        return self.best([e.label for e in others if e.contestant != OURS]) or self.best([e.label for e in others])

    def ratio(self, label: str) -> float:
        """Ours over that entry's."""
        return self.ours / self.rates[label]

    def gflops(self, label: str) -> float:
        """What the products of the entry's rows come to."""
        return self.rates[label] * self.race.workload.flops_per_row * 1e-9

    @property
    def isa(self) -> str:
        """The instruction set that ours ran on, if the limits know it."""
        found = re.search(r"\((\w+)\)", self.outcomes[self.race.entries[0].label]["version"])
        return found[1] if found and found[1] in self.machine["fma"] else ""

    def share_of_peak(self) -> float | None:
        """Ours over the FMA peak of the instruction set in use, on as many threads."""
        if not self.isa or not self.ours:
            return None
        work = self.race.workload
        peak = self.machine["fma"][self.isa][work.dtype] * work.threads
        return self.gflops(self.race.entries[0].label) / peak

    def share_of_bandwidth(self) -> tuple[float, str]:
        """The parameters' bytes read in a second, over what their level of cache gives; and that level."""
        work = self.race.workload
        level = cache_of(work.parameter_bytes, self.machine)
        calls = self.ours / work.batch
        return work.parameter_bytes * calls * 1e-9 / self.machine["read"][level], level

    def verdict(self, target: Target) -> tuple[str, bool | None]:
        """What is asked and found, in words; and whether it is met, None where it cannot be said."""
        words, met = [], []
        if target.ratio:
            rival = self.best(target.of)
            names = title_of(target.of[0]) if len(target.of) == 1 else "best peer"
            found = ""
            if rival and self.ours:
                met.append(self.ratio(rival) >= target.ratio)
                found = f" ({times(self.ratio(rival))})"
            words.append(f"≥ {times(target.ratio)} × {names}{found}")
        share, wanted = self.share_of_peak(), target.share_of_peak
        if isinstance(wanted, dict):
            wanted = wanted.get(self.isa)
        if wanted and share:
            met.append(share >= wanted)
            words.append(f"≥ {wanted:.0%} of the peak ({share:.1%})")
        if target.share_of_bandwidth and self.ours:
            part, level = self.share_of_bandwidth()
            met.append(part >= target.share_of_bandwidth)
            words.append(f"≥ {target.share_of_bandwidth:.0%} of {level}'s bandwidth ({part:.1%})")
        return " or ".join(words) or "–", any(met) if met else None


def cache_of(size: int, machine: dict[str, Any]) -> str:
    """The first level that holds so many bytes."""
    for level in ("L1", "L2", "L3"):
        if size <= machine["caches"][level]:
            return level
    return "DRAM"


def title_of(label: str) -> str:
    """An entry's name in the tables."""
    return KINDS[label].title if label in KINDS else label


def number(value: float) -> str:
    """Three digits that count, in words a reader can compare: 1.23 M, 456 k, 7.89."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * size:
            value, suffix = value / size, unit
            break
    else:
        suffix = ""
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f}{suffix}"


def times(ratio: float) -> str:
    """A ratio, never in powers of ten."""
    return f"{ratio:.3g}" if ratio < 999.5 else f"{ratio:.0f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def amount(scores: Scores, label: str) -> str:
    """An entry's result in the race's unit."""
    if not scores.rates.get(label):
        return "–"
    return number(scores.gflops(label) if scores.race.unit == "GFLOP/s" else scores.rates[label])


def summary(section: Sequence[Scores]) -> list[str]:
    """Ratios first: ours against the best other, the targets, and whether they are met."""
    rows = []
    for scores in section:
        rival = scores.best_rival()
        ratio = f"**{times(scores.ratio(rival))}** × {title_of(rival)}" if rival and scores.ours else "–"
        verdicts = [scores.verdict(target) for target in scores.race.targets]
        share = scores.share_of_peak()
        rows.append(
            [
                f"{scores.race.name}: {scores.race.title}",
                ratio,
                f"{share:.0%}" if share else "–",
                "<br>".join(words for words, _ in verdicts) or "–",
                "<br>".join({True: "yes", False: "**no**", None: "–"}[met] for _, met in verdicts) or "–",
            ]
        )
    return table(["work", "ours to the best other", "of the FMA peak", "target (found)", "met"], rows)


def details(section: Sequence[Scores]) -> list[str]:
    """Every entry's own number."""
    labels = list(dict.fromkeys(label for scores in section for label in scores.outcomes))
    rows = [[scores.race.name, scores.race.unit, *(amount(scores, label) for label in labels)] for scores in section]
    return table(["work", "unit", *map(title_of, labels)], rows)


def notes(section: Sequence[Scores], cpu_clock: bool) -> list[str]:
    """Why a result is missing, means something else, or is not to be trusted."""
    found: dict[str, list[str]] = {}
    for scores in section:
        for entry in scores.race.entries:
            outcome = scores.outcomes.get(entry.label, {"note": "", "cores": 0.0})
            threads, cores = entry.workload.threads, outcome["cores"]
            said = [outcome["note"]] if outcome["note"] else []
            if cores > 1.1 * threads:
                said.append(f"its threads took {cores:.1f} cores")
            elif 0 < cores < 0.9 and threads == 1 and not cpu_clock:
                said.append("even its best round had to share its core: the machine was busy")
            for words in said:
                found.setdefault(f"{title_of(entry.label)}: {words}", []).append(scores.race.name)
    return [f"- {', '.join(names)}: {words}." for words, names in found.items()]


def machine_lines(results: Results) -> list[str]:
    """The processor and its limits."""
    machine = results["machine"]
    header = ["limit of one core", "", "float32", "float64"]
    rows = [[f"FMA, {isa}", "GFLOP/s", number(p["float32"]), number(p["float64"])] for isa, p in machine["fma"].items()]
    for level, rate in machine["read"].items():
        size = machine["caches"].get(level)
        source = f"{level}, {size >> 10} KiB" if size else level
        rows.append([f"read from {source}", "GB/s", number(rate), ""])
    versions = "; ".join(f"{title_of(name)} {version}" for name, version in results["versions"].items())
    clock = "the processor's time (`--busy`)" if results["cpu_clock"] else "wall time"
    place = f"{machine['cpu']}, {machine['cores']} cores"
    return [
        f"`{results['command']}` on {place}; {clock}, best of {results['rounds']} rounds.",
        "",
        f"{versions}.",
        "",
        *table(header, rows),
    ]


def curve_lines(curves: Sequence[dict[str, Any]]) -> list[str]:
    """Where ours is below NumPy, and each family's worst ratio."""
    rows = []
    for curve in curves:
        timed = [p for p in curve["points"] if p["ours"] and p["numpy"]]
        below = [f"{p['at']} ({p['ours'] / p['numpy']:.2f})" for p in timed if p["ours"] < p["numpy"]]
        worst = min((p["ours"] / p["numpy"] for p in timed), default=0.0)
        cells = [curve["title"], curve["axis"], str(len(timed)), f"{worst:.2f}", ", ".join(below) or "nowhere"]
        rows.append(cells)
    return table(["network", "over", "points", "worst ratio to NumPy", "below NumPy at (ratio)"], rows)


def markdown(results: Results, sections: dict[str, list[Scores]], figures: str) -> str:
    """All that is measured; `figures` is the folder of the plots, as the page sees it."""
    lines = ["### Machine and versions", "", *machine_lines(results)]
    for title, section in sections.items():
        lines += ["", f"### {title}", "", *summary(section), "", *details(section)]
        said = notes(section, results["cpu_clock"])
        lines += ["", *said] if said else []
        if title == "One thread, float32":
            lines += ["", f"![Each workload's contestants]({figures}/benchmarks-races.svg)"]
    if results["curves"]:
        lines += ["", "### Over sizes", "", f"![GFLOP/s of a training step over sizes]({figures}/benchmarks-sizes.svg)"]
        lines += ["", *curve_lines(results["curves"])]
    return "\n".join(lines) + "\n"


def write_between_markers(page: Path, measured: str) -> None:
    """Put what was measured in its place in the page, and keep the prose around it."""
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}, between which the measured part belongs")
    page.write_text(f"{head}{BEGIN}\n\n{measured}\n{END}{tail}", encoding="utf-8")
