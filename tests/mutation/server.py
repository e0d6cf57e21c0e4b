"""A pytest plugin that collects the tests once, and then runs what it is asked to in children that are forked.

It reads questions, lines of JSON, and answers in such lines, on the two file descriptors in BACKPROPC_SERVER.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mutation.planting import State

_MEMORY = 8 << 30


class _Core:
    """The numbers that planted.hpp keeps in the extension module, where that has mutants."""

    def __init__(self) -> None:
        import backpropc

        library = ctypes.CDLL(backpropc._core.__file__)
        has_mutants = hasattr(library, "backpropc_mutant")
        self.mutant = ctypes.c_int.in_dll(library, "backpropc_mutant") if has_mutants else ctypes.c_int()
        array = ctypes.c_int * 20000
        self.reached = array.in_dll(library, "backpropc_mutants_reached") if has_mutants else array()

    def choose(self, mutant: int) -> None:
        self.mutant.value = State.mutant = mutant
        os.environ["BACKPROPC_MUTANT"] = str(mutant)  # for the programs that a test runs

    def take_reached(self) -> set[int]:
        found = {number for number, is_reached in enumerate(self.reached) if is_reached} | State.reached
        ctypes.memset(self.reached, 0, ctypes.sizeof(self.reached))
        State.reached.clear()
        path = os.environ["BACKPROPC_MUTANTS_REACHED"]
        if os.path.exists(path):
            with open(path) as file:
                found.update(map(int, file))
            os.unlink(path)
        return found


class Server:
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self) -> None:
        asked, answering = map(int, os.environ["BACKPROPC_SERVER"].split())
        self.questions, self.answers = os.fdopen(asked), os.fdopen(answering, "w")
        self.has_failed = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        core = _Core()
        self.answer(tests=[item.nodeid for item in session.items])
        for line in self.questions:
            request = json.loads(line)
            if "measure" in request:
                self.measure(core, session.items, request["measure"])
            else:
                self.try_out(core, session.items, **request)
        os._exit(0)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.has_failed = self.has_failed or report.failed

    def answer(self, **values: Any) -> None:
        self.answers.write(json.dumps(values) + "\n")
        self.answers.flush()

    def run(self, items: list[pytest.Item], seconds: list[float]) -> Iterator[tuple[int, bool, float]]:
        """Run tests, each with a bound that ends the process."""
        for i, item in enumerate(items):
            self.has_failed = False
            signal.setitimer(signal.ITIMER_REAL, seconds[i])
            start = time.perf_counter()
            item.ihook.pytest_runtest_protocol(item=item, nextitem=items[i + 1] if i + 1 < len(items) else None)
            yield i, self.has_failed, time.perf_counter() - start
        signal.setitimer(signal.ITIMER_REAL, 0)

    def measure(self, core: _Core, items: list[pytest.Item], wanted: list[int]) -> None:
        """Tell of each test how long it takes, and which mutants it reaches."""
        if os.fork() == 0:
            core.choose(-1)
            for i, failed, seconds in self.run([items[at] for at in wanted], [120] * len(wanted)):
                self.answer(test=wanted[i], failed=failed, seconds=seconds, reached=sorted(core.take_reached()))
            os._exit(0)
        os.wait()
        self.answer(done=True)

    def try_out(
        self, core: _Core, items: list[pytest.Item], mutant: int, tests: list[int], seconds: list[float]
    ) -> None:
        """Tell which of the tests, if any, notices the mutant; by failing, by crashing or by not coming to an end."""
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            core.choose(mutant)
            for i, failed, _ in self.run([items[at] for at in tests], seconds):
                if failed:
                    self.answer(killer=tests[i])
                    os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what a test has left behind
        self.answer(status=status)


def pytest_configure(config: pytest.Config) -> None:
    """Take over."""
    config.pluginmanager.register(Server())
