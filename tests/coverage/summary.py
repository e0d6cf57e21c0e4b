"""Prints what coverage.py and gcovr have found as one table by folder, and the files with most lines not run."""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

build = Path(sys.argv[1])
folders: dict[str, Counter[str]] = defaultdict(Counter)
files: list[tuple[int, str]] = []


def add(file: str, lines: int, run: int, branches: int, taken: int) -> None:
    """Count one file in its folder."""
    folder = file.rpartition("/")[0]
    folders[folder].update({"lines": lines, "run": run, "branches": branches, "taken": taken})
    files.append((lines - run, file))


for entry in json.loads((build / "core.json").read_text())["files"]:
    numbers = (entry[f"{what}_{how}"] for what in ("line", "branch") for how in ("total", "covered"))
    add(entry["filename"], *numbers)
for path, entry in json.loads((build / "python.json").read_text())["files"].items():
    found, name = entry["summary"], "python/backpropc" + path.rpartition("/package/backpropc")[2]
    add(name, found["num_statements"], found["covered_lines"], found["num_branches"], found["covered_branches"])

print("| folder | lines | run | branches | taken |\n| --- | ---: | ---: | ---: | ---: |")
for folder, n in sorted(folders.items()):
    shares = [
        100 * n[part] / n[whole] if n[whole] else 100 for part, whole in (("run", "lines"), ("taken", "branches"))
    ]
    print(f"| {folder} | {n['lines']} | {shares[0]:.1f} % | {n['branches']} | {shares[1]:.1f} % |")
print("\nMost lines not run: " + ", ".join(f"{file} ({n})" for n, file in sorted(files, reverse=True)[:12] if n) + ".")
