"""The core with mutants planted in it: a copy of the sources, compiled once with little optimisation."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from . import cpp
from .mutants import HERE, ROOT, Mutant

PLACE = ROOT / "build" / "mutants"
TREE = PLACE / "tree"
OBJECTS = PLACE / "objects"
RUN = PLACE / f"run-{os.getpid()}"  # of this run alone
PACKAGE = RUN / "package"
_REFUSED = PLACE / "refused.json"
USUAL = ROOT / "build" / "dev"

Numbered = list[tuple[int, Mutant]]


def configure() -> None:
    """Copy what CMake reads, and make its build of it ready."""
    for name in ("CMakeLists.txt", "pyproject.toml", "tests/golden/runs.txt"):
        _write(TREE / name, (ROOT / name).read_text())
    for folder in ("csrc", "tests/cpp", "tests/guard"):
        for path in sources(folder):
            _write(TREE / path, (ROOT / path).read_text())
    _write(TREE / "tests/cpp/elementary_digests.txt", (ROOT / "tests/cpp/elementary_digests.txt").read_text())
    pybind11 = subprocess.check_output([sys.executable, "-m", "pybind11", "--cmakedir"], text=True).strip()
    flags = f"-O1 -w -Wno-narrowing -include {HERE / 'planted.hpp'}"
    settings = {
        "CMAKE_MAKE_PROGRAM": _cached("CMAKE_MAKE_PROGRAM"),
        "CMAKE_BUILD_TYPE": "Debug",
        "CMAKE_CXX_FLAGS_DEBUG": flags,
        "BACKPROPC_BUILD_TESTS": "ON",
        "BACKPROPC_TEST_STRIDE": "400009",
        "BACKPROPC_TEST_SHAPES": "20",
        "Python_EXECUTABLE": sys.executable,
        "pybind11_DIR": pybind11,
        "SKBUILD_PROJECT_VERSION": "0",
    }
    defined = [f"-D{name}={value}" for name, value in settings.items()]
    _run([_cached("CMAKE_COMMAND"), "-S", str(TREE), "-B", str(OBJECTS), "-G", "Ninja", *defined])


def sources(folder: str) -> list[str]:
    """Return the C++ files of a folder of the repository."""
    found = (p for p in (ROOT / folder).rglob("*") if p.suffix in (".cpp", ".hpp"))
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def put(mutants: Numbered) -> None:
    """Write the sources of the core with these changes planted."""
    for file in sources("csrc"):
        text = (ROOT / file).read_text()
        _write(TREE / file, cpp.plant(text, [pair for pair in mutants if pair[1].file == file]))


def compiled(mutants: Numbered) -> set[int]:
    """Return the numbers of those in text that reaches the compiler: the others are of other processors' code."""
    before = {path: (path.read_text(), path.stat()) for path in (TREE / file for file in sources("csrc"))}
    put([(number, _marked(mutant, number)) for number, mutant in mutants])
    numbers: set[int] = set()
    for text in _over_each(_commands(), ["-E", "-P"]):
        numbers.update(int(found) for found in re.findall(r"\bmutation_(\d+)_here\b", text.stdout))
    for path, (content, status) in before.items():  # as it was, so that it is not compiled anew
        path.write_text(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return numbers


def _marked(mutant: Mutant, number: int) -> Mutant:
    at = mutant.alone[0].begin
    return replace(mutant, planted=(cpp.Edit(at, at, f" mutation_{number}_here "),))


def plant(mutants: Numbered) -> Numbered:
    """Plant the mutants, build, and return those of them that could be planted."""
    refused = _refused_before()
    left = [pair for pair in mutants if pair[1].planted and [*pair[1].place, pair[1].number] not in refused]
    doubtful = _commands()
    while doubtful:
        put(left)
        doubtful, errors = _failing(doubtful)
        if not doubtful:
            break
        blamed = _blamed(left, errors)
        if not blamed:
            raise RuntimeError("the sources do not compile, and no mutant is to blame:\n" + "\n".join(errors)[:4000])
        refused += [[*mutant.place, mutant.number] for number, mutant in left if number in blamed]
        left = [pair for pair in left if pair[0] not in blamed]
    _run([_cached("CMAKE_COMMAND"), "--build", str(OBJECTS)])
    _REFUSED.write_text(json.dumps(refused))
    make_package()
    return left


def _refused_before() -> list[list[str | int]]:
    """Return the mutants that the compiler has refused in a build before this one: it will again."""
    return list(json.loads(_REFUSED.read_text())) if _REFUSED.exists() else []


def _failing(commands: list[list[str]]) -> tuple[list[list[str]], list[str]]:
    """Return which of these compilations fail, and the lines of what the compiler says of them."""
    results = zip(commands, _over_each(commands, ["-fsyntax-only", "-fmax-errors=0"]), strict=True)
    failed = [(command, result.stderr.splitlines()) for command, result in results if result.returncode != 0]
    return [command for command, _ in failed], [line for _, lines in failed for line in lines]


def _blamed(mutants: Numbered, lines: list[str]) -> set[int]:
    """Return the mutants that the compiler's errors name; or else those on the lines that they name, or lead to."""
    errors = [line for line in lines if ": error: " in line]
    named = {int(number) for line in errors for number in re.findall(r"(?:\bid = |mutation::\w+<)(\d+)", line)}
    if named & {number for number, _ in mutants}:
        return named
    place = re.compile(rf"{re.escape(str(TREE))}/(csrc/[\w/]+\.[ch]pp):(\d+)")
    for some in (errors, lines):
        places = {(match[1], int(match[2])) for line in some for match in place.finditer(line)}
        blamed = {number for number, mutant in mutants if any((mutant.file, at) in places for at in _lines(mutant))}
        if blamed:
            return blamed
    return set()


def _lines(mutant: Mutant) -> range:
    text = (ROOT / mutant.file).read_text()
    first, last = min(edit.begin for edit in mutant.planted), max(edit.end for edit in mutant.planted)
    return range(text.count("\n", 0, first) + 1, text.count("\n", 0, last) + 2)


def programs() -> dict[str, list[str]]:
    """Return the C++ tests by name: their commands. The exhaustive ones have their samples made small."""
    names = [Path(path).stem for path in sources("tests/cpp") if path.count("/") == 2 and path.endswith(".cpp")]
    arguments = {
        "elementary_exhaustive": ["400009"],
        "elementary_digest": [str(ROOT / "tests/cpp/elementary_digests.txt")],
        "elementary_float64": ["4000"],
        "products": ["4"],
        "golden": [str(ROOT / "tests/golden/runs.txt")],
    }
    found = {name: [str(OBJECTS / name), *arguments.get(name, [])] for name in names}
    return {name: command for name, command in found.items() if os.path.exists(command[0]) and name != "pool_latency"}


def make_package(objects: Path = OBJECTS) -> None:
    """Put the Python files as they are beside an extension module."""
    place = PACKAGE / "backpropc"
    shutil.rmtree(PACKAGE, ignore_errors=True)
    shutil.copytree(ROOT / "python" / "backpropc", place, ignore=shutil.ignore_patterns("__pycache__"))
    for path in objects.glob("_core*.so"):
        shutil.copy2(path, place)


def _commands() -> list[list[str]]:
    """Return how each source is compiled, without where to."""
    result = []
    for entry in json.loads((OBJECTS / "compile_commands.json").read_text()):
        if "/csrc/" not in entry["file"] or "/bindings/" in entry["file"]:
            continue  # it holds nothing of the core that the others do not
        words = shlex.split(entry["command"])
        if words[0].endswith("ccache"):
            del words[0]
        at = words.index("-o")
        result.append(words[:at] + words[at + 2 :])
    return result


def _over_each(commands: Iterable[list[str]], options: list[str]) -> Iterator[subprocess.CompletedProcess[str]]:
    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        command = [word for word in command if word != "-c"]
        return subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=OBJECTS)

    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        yield from pool.map(run, commands)


def _cached(name: str) -> str:
    cache = (USUAL / "CMakeCache.txt").read_text()
    found = re.search(rf"^{name}:\w+=(.*)$", cache, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"build/dev/CMakeCache.txt has no {name}")
    return found[1]


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{(result.stdout + result.stderr)[-4000:]}")


def _write(path: Path, text: str) -> None:
    """Write what differs only, so that the rest is not compiled anew."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
