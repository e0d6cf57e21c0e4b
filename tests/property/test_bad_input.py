"""Every public function with arguments that nobody should give: see tests/badinput.

BACKPROPC_TEST_BAD_INPUT=100000: as many calls as one has time for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from badinput.entries import ENTRIES, public

TESTS = Path(__file__).resolve().parents[1]
CALLS = int(os.environ.get("BACKPROPC_TEST_BAD_INPUT", "6000"))


def test_every_public_function_has_a_good_call_to_spoil() -> None:
    assert public() == set(ENTRIES)


def test_bad_input(tmp_path: Path) -> None:
    """In a process of its own, so that a crash is told with the call that made it."""
    last = tmp_path / "last"
    command = [sys.executable, "-m", "badinput.machine", "--calls", str(CALLS), "--last", str(last)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, errors="replace", check=False)
    print(done.stdout)
    told = f"{done.stdout}\n{done.stderr}\nthe last call: {last.read_text(errors='replace').strip()}"
    assert done.returncode == 0, f"exit status {done.returncode}\n{told}"
    assert f"{CALLS} calls of " in done.stdout, told
