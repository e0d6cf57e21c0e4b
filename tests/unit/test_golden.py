"""Promise 1: a network trained here has the bits that stand in tests/golden/runs.txt, as on every other machine.

tests/cpp/golden.cpp demands the same of the core without Python.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import backpropc as bp
from golden import training


@pytest.mark.parametrize("isa", bp.available_isas())
def test_trained_parameters_are_the_recorded_bits(isa: str) -> None:
    done = subprocess.run(
        [sys.executable, training.__file__],
        env={**os.environ, "BACKPROPC_ISA": isa},
        check=True,
        capture_output=True,
        text=True,
    )
    recorded = {(run.name, run.dtype): run.digest for run in training.runs()}
    got = [line.split() for line in done.stdout.splitlines()]
    assert {(name, dtype) for name, dtype, *_ in got} == set(recorded)
    wrong = [line for line in got if line[-1] != recorded[line[0], line[1]]]
    assert not wrong, f"name, dtype, threads, mode, digest: {wrong}"
