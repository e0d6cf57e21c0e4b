"""Every public function with arguments that nobody should give: see tests/badinput.

BACKPROPC_TEST_BAD_INPUT=100000: as many calls as one has time for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from badinput.disturbing import disturbed
from badinput.entries import ENTRIES, objects_in, public
from badinput.judges import JUDGES, WITHOUT, as_it_was, check
from badinput.machine import Choices, choose_call, quietly

TESTS = Path(__file__).resolve().parents[1]
CALLS = int(os.environ.get("BACKPROPC_TEST_BAD_INPUT", "3500"))


def test_every_public_function_has_a_good_call_to_spoil() -> None:
    assert public() == set(ENTRIES)


def test_what_the_oracle_has_no_word_on_is_told() -> None:
    without = [name for names in WITHOUT.values() for name in names]
    assert sorted([*JUDGES, *without]) == sorted(ENTRIES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(JUDGES))
def test_a_judge_takes_the_result_and_refuses_one_that_is_a_little_wrong(name: str, dtype: str) -> None:
    """Of the call as it should be; where nothing is returned, what was changed or written is a little wrong."""
    with objects_in(dtype):
        call = choose_call(name, Choices(lambda n: int(n == 2 and dtype == "float64")))
        owner = getattr(call.function, "__self__", None)
        values = {**call.arguments, "self": owner}
        before = {key: as_it_was(value) for key, value in values.items()}
        result = quietly(name, call.function, call.arguments)
        assert check(name, before, values, result)
        if result is not None:
            result = disturbed(result)
        else:
            disturbed(owner)
            if name.endswith("save"):
                call.function(**call.arguments)
        with pytest.raises(AssertionError):
            check(name, before, values, result)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What came of many calls, in a process of its own, so that a crash is told with the call that made it."""
    folder = tmp_path_factory.mktemp("bad-input")
    last, told = folder / "last", folder / "report"
    command = [sys.executable, "-m", "badinput.machine", "--calls", str(CALLS)]
    command += ["--last", str(last), "--report", str(told)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, errors="replace", check=False)
    print(done.stdout)
    if done.returncode != 0:
        pytest.fail(
            f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}\n"
            f"the last call: {last.read_text(errors='replace').strip()}"
        )
    return json.loads(told.read_text())


def test_bad_input(report: Any) -> None:
    assert report["calls"] > 0.95 * CALLS  # of what takes no arguments there are only two
    assert set(report["outcomes"]) == set(ENTRIES)


def test_the_oracle_had_its_word_on_every_function_that_it_can_judge(report: Any) -> None:
    """Of the call as it should be, which is among them, and of others: a judge that never speaks lets anything pass."""
    assert len(JUDGES) == 68
    assert set(report["oracle"]) == set(JUDGES)
    assert sum(report["oracle"].values()) > 5 * len(JUDGES)
