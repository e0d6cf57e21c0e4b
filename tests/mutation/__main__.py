"""Mutation testing: plants changes in the code and tells which of them no test notices.

./dev mutants                                  a sample of every folder, and docs/reference/mutants.md anew
./dev mutants csrc/math --sample 20 --seed 1   of one folder or file, printed
./dev mutants --again                          the same after new tests: only what survived before is tried
"""

from __future__ import annotations

import argparse
import itertools
import math
import shlex
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from . import build, cpp, planting
from .mutants import ROOT, Mutant, explanations, numbered, sample
from .report import HEAD, REPORT, Tally, table
from .run import Noticed, Programs, Tests

LOADER = "_checkpoints _descriptions _files _population_files _safetensors io"
FOLDERS = {
    **{f"csrc/{room}": [f"csrc/{room}/"] for room in ("math", "kernels", "network", "training")},
    "the loader": [f"python/backpropc/{name}.py" for name in LOADER.split()],
    "python/backpropc": ["python/backpropc/"],
}
# What draws pictures and pages, and what others hold: not mutated, or not asked.
_NOT_MUTATED = ("sklearn/", "plot", "microscope", "commands/", "cli", "__main__", "_display")
_NOT_ASKED = (
    "bad_input benchmarks chromium cli cluster console_pages convergence display documentation encoder_benchmark"
    " examples import microscope microscope_command oracle plot sklearn sklearn_beyond sklearn_own_tests"
)

# Their cases are the ways in which a file can be wrong: all are asked.
_OF_THE_LOADER = tuple(
    f"tests/{name}.py"
    for name in [
        "unit/test_files",
        "unit/test_population_files",
        "unit/test_file_systems",
        "unit/test_custom",
        "unit/test_batches",
        "unit/test_mask",
        "unit/test_tables",
        "unit/test_whole_batch",
        "property/test_files_property",
    ]
)


def main() -> int:
    """Run the command line; return 1 where a mutant survives that is not explained."""
    options = _options()
    mutants = {folder: found for folder in FOLDERS if (found := _mutants(folder, options.path))}
    if not mutants:
        raise SystemExit(f"{options.path} has no mutants: {', '.join(FOLDERS)} have")
    try:
        tallies = _try_out(mutants, options)
    finally:
        shutil.rmtree(build.RUN, ignore_errors=True)
    text = table(tallies, shlex.join(["./dev", "mutants", *sys.argv[1:]]))
    print(text)
    if options.path is None and not options.quick:
        REPORT.write_text(HEAD + text)
    return 1 if any(tally.survivors for tally in tallies.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", nargs="?", help="a folder, a file or 'the loader'; all folders without")
    parser.add_argument("--sample", type=int, default=60, metavar="N", help="mutants of each folder (60); 0 is all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the Python tests of one mutant (60)")
    parser.add_argument("--cases", type=int, default=40, help="at most so many of each test function (40)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="to stop after, with what is tried by then")
    parser.add_argument(
        "--again", action="store_true", help="what was noticed before, in a file that is as it was, stays so"
    )
    parser.add_argument("--quick", action="store_true", help="ask the C++ programs and the loader's tests only")
    options = parser.parse_args()
    if options.path and options.path not in FOLDERS:
        options.path = Path(options.path).resolve().relative_to(ROOT).as_posix()
    return options


# --- which mutants there are ------------------------------------------------------------------------------------------


def _mutants(folder: str, path: str | None) -> list[Mutant]:
    def is_wanted(file: str) -> bool:
        return path in (None, file, folder) or file.startswith(f"{path}/")

    files = [file for file in _files(folder) if is_wanted(file)]
    return [mutant for file in files for mutant in _find(file)]


def _files(folder: str) -> list[str]:
    if folder.startswith("csrc"):
        return build.sources(folder)
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "python" / "backpropc").rglob("*.py"))
    if folder == "the loader":
        return [file for file in files if file in FOLDERS[folder]]
    rest = [file for file in files if file not in FOLDERS["the loader"]]
    return [file for file in rest if not file.removeprefix("python/backpropc/").startswith(_NOT_MUTATED)]


def _find(file: str) -> list[Mutant]:
    text = (ROOT / file).read_text()
    if not file.endswith(".py"):
        return cpp.find(file, text)
    lines = text.splitlines()
    return numbered(
        Mutant(file, lines[at - 1].strip(), change, 0, at, 0, at_import=at_import)
        for at, change, at_import in planting.find(text)
    )


# --- what becomes of them ---------------------------------------------------------------------------------------------


def _try_out(folders: dict[str, list[Mutant]], options: argparse.Namespace) -> dict[str, Tally]:
    """Build, measure, and try a sample of each folder."""
    numbers = itertools.count(1)
    pairs = {folder: [(next(numbers), mutant) for mutant in mutants] for folder, mutants in folders.items()}
    core = [pair for folder, some in pairs.items() if folder.startswith("csrc") for pair in some]
    if core:
        build.configure()
    compiled = build.compiled(core) if core else set()
    tallies, drawn = {}, {}
    for folder, some in pairs.items():
        possible = [pair for pair in some if pair[0] in compiled or not folder.startswith("csrc")]
        number_of = {mutant: number for number, mutant in possible}
        chosen = sample(number_of, options.sample or None, options.seed)
        drawn[folder] = [(number_of[mutant], mutant) for mutant in chosen]
        tallies[folder] = Tally(len(possible))
    planted = _build(drawn) if core else set()
    programs, tests = _tests(drawn, options)
    known, end = explanations(), time.monotonic() + 60 * options.minutes
    noticed = Noticed(options.again)
    # The folders in turn: whoever ends it early has a sample of each.
    in_turn = itertools.zip_longest(*([(folder, *pair) for pair in some] for folder, some in drawn.items()))
    for folder, number, mutant in filter(None, itertools.chain(*in_turn)):
        if not mutant.file.endswith(".py") and number not in planted:
            tallies[folder].left_out.append(mutant)
            continue
        if time.monotonic() > end:
            break
        killer = noticed.before(mutant) or _killer(number, mutant, programs, tests, options)
        noticed.add(mutant, killer)
        tallies[folder].add(mutant, killer, known.get(mutant.place))
        print(f"{killer or 'SURVIVES'}: {mutant}", flush=True)
    tests.close()
    return tallies


def _build(drawn: dict[str, build.Numbered]) -> set[int]:
    return {number for number, _ in build.plant([pair for pair in itertools.chain(*drawn.values()) if pair[1].planted])}


def _tests(drawn: dict[str, build.Numbered], options: argparse.Namespace) -> tuple[Programs, Tests]:
    plan: dict[str, dict[int, int]] = defaultdict(dict)
    for number, mutant in itertools.chain(*drawn.values()):
        if mutant.file.endswith(".py"):
            plan[mutant.file][mutant.ordinal] = number
    programs = Programs()
    if any(folder.startswith("csrc") for folder in drawn):
        programs.measure()
    else:
        build.make_package(build.USUAL)
    is_for_loader = options.quick or set(drawn) == {"the loader"}
    tests = Tests(_test_files(is_for_loader), plan, options.cases, _OF_THE_LOADER)
    tests.measure()
    return programs, tests


def _test_files(is_for_loader: bool) -> list[str]:
    if is_for_loader:
        return list(_OF_THE_LOADER)
    names = sorted((ROOT / "tests").glob("unit/test_*.py")) + sorted((ROOT / "tests").glob("property/test_*.py"))
    return [str(path) for path in names if path.stem.removeprefix("test_") not in _NOT_ASKED.split()]


def _killer(number: int, mutant: Mutant, programs: Programs, tests: Tests, options: argparse.Namespace) -> str | None:
    """Return who notices a mutant: some quick Python tests are asked first, then the programs, then more tests."""
    reaching = tests.reached.get(number, [])
    if mutant.at_import:
        reaching = list(tests.seconds)
    first = tests.chosen(reaching, 3.0)
    for ask in (
        lambda: tests.notice(number, first, mutant.at_import),
        lambda: programs.notice(number),
        lambda: tests.notice(number, _without(tests.chosen(reaching, options.seconds), first), mutant.at_import),
    ):
        killer = ask()
        if killer is not None:
            return killer
    return None


def _without(tests: Iterable[int], others: Iterable[int]) -> list[int]:
    done = set(others)
    return [test for test in tests if test not in done]


if __name__ == "__main__":
    sys.exit(main())
