"""`./dev bench`: run the races, print the tables; a whole run also renews docs/benchmarks.md and its figures."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from . import driver, limits, peers, report
from .contestants import KINDS
from .contestants.native import BUILD
from .workloads import OURS, Race, all_races, curves

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within two minutes: few rounds, no heavy peers")
    parser.add_argument("--only", metavar="W1,W3", help="races whose names begin so; 'curves' for those over sizes")
    parser.add_argument(
        "--peers", metavar="numpy,torch", help=f"of {', '.join(name for name in KINDS if name != OURS)}"
    )
    parser.add_argument("--busy", action="store_true", help="count the processor's time, where others use the machine")
    options = parser.parse_args(argv)
    options.partial = bool(options.quick or options.only or options.peers or options.busy)
    options.only = options.only.split(",") if options.only else []
    names = [name for name in KINDS if name != OURS and not (options.quick and KINDS[name].heavy)]
    options.peers = options.peers.split(",") if options.peers else names
    unknown = set(options.peers) - set(KINDS)
    if unknown:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    return options


def chosen_races(options: argparse.Namespace, absent: dict[str, str]) -> list[Race]:
    """Those asked for, among the contestants at hand."""
    missing = (set(KINDS) - {OURS, *options.peers}) | set(absent)
    asked = [race for race in all_races() if not options.only or race.name.startswith(tuple(options.only))]
    return [race.without(missing) for race in asked]


def say(*words: str) -> None:
    print("bench:", *words, file=sys.stderr, flush=True)


def run_races(races: list[Race], method: driver.Method) -> list[dict]:
    records = []
    for race in races:
        say(race.name)
        outcomes = [asdict(outcome) for outcome in driver.run(race, method)]
        record = {"name": race.name, "title": race.title, "unit": race.unit, "section": race.section}
        records.append({**record, "workload": race.workload.record(), "outcomes": outcomes})
    return records


def run_curves(quick: bool, method: driver.Method) -> list[dict]:
    method = replace(method, rounds=max(3, method.rounds // 3))
    families = []
    for curve in curves(quick):
        say(f"over sizes: {curve.title}")
        points = []
        for at, workload in curve.points:
            flops = workload.flops_per_row * 1e-9
            found = {o.label: o.rows_per_second * flops for o in driver.run(curve.race(workload), method)}
            points.append({"at": at, "workload": workload.record(), "ours": found[OURS], "numpy": found["numpy"]})
        families.append({"name": curve.name, "title": curve.title, "axis": curve.axis, "points": points})
    return families


def measure(options: argparse.Namespace, argv: list[str], absent: dict[str, str]) -> tuple[report.Results, list[Race]]:
    method = driver.Method(10 if options.quick else 25, 0.03, options.busy, peers.python_of)
    say("the machine's limits")
    machine = limits.measured()
    races = chosen_races(options, absent)
    records = run_races(races, method)
    over_sizes = "numpy" in options.peers and "numpy" not in absent and (not options.only or "curves" in options.only)
    versions = {
        entry.contestant: outcome["version"]
        for race, record in zip(races, records, strict=True)
        for entry, outcome in zip(race.entries, record["outcomes"], strict=True)
        if outcome["version"]
    }
    results = {
        "command": " ".join(["./dev bench", *argv]),
        "cpu_clock": options.busy,
        "rounds": method.rounds,
        "machine": machine,
        "versions": versions,
        "races": records,
        "curves": run_curves(options.quick, method) if over_sizes else [],
    }
    return results, races


def publish(results: report.Results, races: list[Race], whole: bool, absent: dict[str, str]) -> None:
    """Everything into build/bench; a whole run's measured part and figures also into docs/."""
    source = BUILD / "results.json"
    source.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    sections: dict[str, list[report.Scores]] = {}
    for race, record in zip(races, results["races"], strict=True):
        scores = report.Scores(race, record["outcomes"], results["machine"])
        sections.setdefault(race.section, []).append(scores)
    measured = report.markdown(results, sections, "figures")
    (BUILD / "report.md").write_text(measured, encoding="utf-8")
    print(measured)
    figures = PAGE.parent / "figures" if whole else BUILD / "figures"
    if "plots" not in absent:
        command = [str(peers.PYTHON), "-m", "benchmarks.plots", str(source), str(figures)]
        subprocess.run(command, cwd=ROOT, check=True)
    if whole:
        report.write_between_markers(PAGE, measured)
    say(f"written: {source}, {BUILD / 'report.md'}, {figures}" + (f", {PAGE}" if whole else ""))


def main(argv: list[str]) -> int:
    options = arguments(argv)
    start = time.monotonic()
    BUILD.mkdir(parents=True, exist_ok=True)
    absent = peers.install(options.peers)
    for name, reason in absent.items():
        say(f"without {name}: {reason}")
    results, races = measure(options, argv, absent)
    publish(results, races, not options.partial, absent)
    say(f"{time.monotonic() - start:.0f} s")
    refused = [o["note"] for record in results["races"] for o in record["outcomes"] if o["refused"]]
    for note in refused:
        say(note)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
