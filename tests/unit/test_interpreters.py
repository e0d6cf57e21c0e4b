"""What the core declares of interpreters: it keeps state of the process, so it is for one of them, under the GIL."""

from __future__ import annotations

import subprocess
import sys
import sysconfig

import pytest

IN_A_SECOND_INTERPRETER = """
{make}
run('''
try:
    import backpropc._core
except ImportError as error:
    print("refused:", error)
else:
    print("imported")
''')
"""

MAKE = """
import {module} as interpreters
interpreter = interpreters.create({options})
run = lambda program: interpreters.run_string(interpreter, program)
"""


def second_interpreter() -> str:
    """How this Python makes an interpreter with a GIL of its own and calls `run` in it."""
    if sys.version_info >= (3, 14):
        return "from concurrent import interpreters\nrun = interpreters.create().exec"
    if sys.version_info >= (3, 13):
        return MAKE.format(module="_interpreters", options="")
    if sys.version_info >= (3, 12):
        return MAKE.format(module="_xxsubinterpreters", options="isolated=True")
    return MAKE.format(module="_xxsubinterpreters", options="")


def test_second_interpreter_gets_an_import_error_and_no_crash() -> None:
    program = "import backpropc._core\n" + IN_A_SECOND_INTERPRETER.format(make=second_interpreter())
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused:"), done.stdout
    assert "interpreter" in done.stdout


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL in any case")
def test_free_threaded_python_switches_its_gil_on() -> None:
    program = "import sys, backpropc._core; print(sys._is_gil_enabled())"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "True", done.stderr
