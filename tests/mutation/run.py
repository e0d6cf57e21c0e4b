"""Which tests reach which mutants, and which notice them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import build
from .mutants import HERE, ROOT, Mutant

_PLAN, _REACHED = build.RUN / "plan.json", build.RUN / "reached"
_NOTICED = build.PLACE / "noticed.json"
SLACK = 5.0, 10.0  # a test may take so many seconds, and so many times as long as without a mutant


class Tests:
    """The Python tests of some files, in a process that has collected them and forks for every mutant."""

    def __init__(self, files: Iterable[str], plan: dict[str, dict[int, int]], cases: int, whole: Iterable[str]) -> None:
        _PLAN.write_text(json.dumps(plan))
        self._environment = environment()
        asked, asking = os.pipe()
        answered, answering = os.pipe()
        command = [sys.executable, "-m", "pytest", "-q", "-p", "mutation.server", "-p", "no:cacheprovider"]
        self._process = subprocess.Popen(
            [*command, "-W", "ignore", "--capture=fd", *files],
            stdin=subprocess.DEVNULL,
            stdout=(build.RUN / "pytest.log").open("w"),
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**self._environment, "BACKPROPC_SERVER": f"{asked} {answering}"},
            pass_fds=[asked, answering],
        )
        os.close(asked)
        os.close(answering)
        self._questions, self._answers = os.fdopen(asking, "w"), os.fdopen(answered)
        self.names: list[str] = self._answer()["tests"]
        self._asked = _some_of_each(self.names, cases, tuple(whole))
        self.seconds: dict[int, float] = {}
        self.reached: dict[int, list[int]] = {}  # by mutant, the tests that reach it

    def measure(self) -> None:
        """Run each test without a mutant. What fails then has no say."""
        left = self._asked
        while left:
            self._ask(measure=left)
            while "done" not in (answer := self._answer()):
                left = left[left.index(answer["test"]) + 1 :]
                if answer["failed"]:
                    print(f"fails without a mutant, and has no say: {self.names[answer['test']]}", flush=True)
                    continue
                self.seconds[answer["test"]] = answer["seconds"]
                for mutant in answer["reached"]:
                    self.reached.setdefault(mutant, []).append(answer["test"])
            if left:  # the process has ended within a test
                left = left[1:]

    def chosen(self, tests: Iterable[int], budget: float) -> list[int]:
        """Return as many of these tests as fit in so many seconds: of each function one, then another of each."""
        rounds: dict[str, int] = {}
        ranked = []
        for test in sorted(tests, key=self.seconds.__getitem__):
            function = self.names[test].partition("[")[0]
            rounds[function] = rounds.get(function, -1) + 1
            ranked.append((rounds[function], self.seconds[test], test))
        result = []
        for _, seconds, test in sorted(ranked):
            budget -= seconds
            if budget < 0:
                break
            result.append(test)
        return result

    def notice(self, mutant: int, tests: list[int], at_import: bool) -> str | None:
        """Return what notices the mutant: the name of a test, or the end that the process came to."""
        if not tests:
            return None
        if at_import:
            return self._notice_anew(mutant, tests)
        self._ask(mutant=mutant, tests=tests, seconds=[SLACK[0] + SLACK[1] * self.seconds[test] for test in tests])
        answer, killer = self._answer(), None
        while "status" not in answer:
            killer = self.names[answer["killer"]]
            answer = self._answer()
        if answer["status"] == -signal.SIGALRM:
            return "time"
        return killer or (None if answer["status"] == 0 else f"status {answer['status']}")

    def _notice_anew(self, mutant: int, tests: list[int]) -> str | None:
        """The same by a process of its own, for a mutant that has done its work when the tests are collected."""
        names = dict.fromkeys(self.names[test].partition("[")[0] for test in tests)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *names]
        seconds = 60 + SLACK[1] * sum(map(self.seconds.__getitem__, tests))
        variables = {**self._environment, "BACKPROPC_MUTANT": str(mutant)}
        try:
            result = subprocess.run(
                command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return "time"
        found = re.search(r"^(?:FAILED|ERROR) (\S+)", result.stdout, re.MULTILINE)
        return None if result.returncode == 0 else found[1] if found else f"status {result.returncode}"

    def close(self) -> None:
        """End the process."""
        self._questions.close()
        self._process.wait()

    def _ask(self, **request: Any) -> None:
        self._questions.write(json.dumps(request) + "\n")
        self._questions.flush()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the process of the tests has ended: {self._process.wait()}")
        return dict(json.loads(line))


def _some_of_each(names: list[str], n: int, whole: tuple[str, ...]) -> list[int]:
    """Return the tests without those that are more than n cases of one function: a draw, the same each time.

    Of the files that are named as `whole` all cases are returned.
    """
    drawn = sorted(range(len(names)), key=lambda test: hashlib.sha256(names[test].encode()).digest())
    seen: Counter[str] = Counter()
    result = []
    for test in drawn:
        function = names[test].partition("[")[0]
        seen[function] += 1
        if seen[function] <= n or function.startswith(whole):
            result.append(test)
    return sorted(result)


class Programs:
    """The C++ tests."""

    def __init__(self) -> None:
        self._commands = build.programs()
        self.seconds: dict[str, float] = {}
        self.reached: dict[int, list[str]] = {}

    def measure(self) -> None:
        """Run each without a mutant."""
        for name in self._commands:
            _REACHED.unlink(missing_ok=True)
            start = time.perf_counter()
            status = self._status(name, -1, 600.0)
            if status != 0:
                print(f"fails without a mutant, and has no say: {name}, {status}", flush=True)
                continue
            self.seconds[name] = time.perf_counter() - start
            for mutant in map(int, _REACHED.read_text().split() if _REACHED.exists() else ()):
                self.reached.setdefault(mutant, []).append(name)

    def notice(self, mutant: int, names: Iterable[str] | None = None) -> str | None:
        """Return which program notices the mutant, the quick ones first."""
        for name in sorted(self.reached.get(mutant, []) if names is None else names, key=self.seconds.__getitem__):
            status = self._status(name, mutant, SLACK[0] + SLACK[1] * self.seconds[name])
            if status is None:
                return "time"
            if status != 0:
                return name
        return None

    def _status(self, name: str, mutant: int, seconds: float) -> int | None:
        variables = {**os.environ, "BACKPROPC_MUTANT": str(mutant), "BACKPROPC_MUTANTS_REACHED": str(_REACHED)}
        with subprocess.Popen(
            self._commands[name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=variables,
            start_new_session=True,
        ) as process:
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return None


def environment() -> dict[str, str]:
    """Return what a process needs to import the package with the mutants."""
    places = [str(HERE / "hook"), str(Path(HERE).parent), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "CI": "1",  # Hypothesis then draws the same examples each time
        "BACKPROPC_MUTATION": str(build.PACKAGE),
        "BACKPROPC_MUTATION_PLAN": str(_PLAN),
        "BACKPROPC_MUTANTS_REACHED": str(_REACHED),
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Noticed:
    """Who noticed which mutant, kept from run to run."""

    def __init__(self, stays: bool) -> None:
        self._killers: dict[str, str] = json.loads(_NOTICED.read_text()) if stays and _NOTICED.exists() else {}

    def before(self, mutant: Mutant) -> str | None:
        """Return who noticed the mutant in a former run, where its file was as it is now."""
        return self._killers.get(self._key(mutant))

    def add(self, mutant: Mutant, killer: str | None) -> None:
        """Write down who noticed it."""
        if killer is not None:
            self._killers[self._key(mutant)] = killer
            _NOTICED.parent.mkdir(parents=True, exist_ok=True)
            _NOTICED.write_text(json.dumps(self._killers))

    @staticmethod
    def _key(mutant: Mutant) -> str:
        content = hashlib.sha256((ROOT / mutant.file).read_bytes()).hexdigest()
        return f"{content} {mutant.place} {mutant.number}"
