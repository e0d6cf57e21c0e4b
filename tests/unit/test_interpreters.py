"""What the core declares of interpreters: it keeps state of the process, so it is for one of them, under the GIL."""

from __future__ import annotations

import os
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
close()
"""

# Closed before the end: a Python 3.11 that ends with another interpreter still there may wait for ever, and does so
# after `import numpy` alone.
MAKE = """
import {module} as interpreters
interpreter = interpreters.create({options})
run = lambda program: interpreters.run_string(interpreter, program)
close = lambda: interpreters.destroy(interpreter)
"""

MAKE_OBJECT = """
from concurrent import interpreters
interpreter = interpreters.create()
run, close = interpreter.exec, interpreter.close
"""


def second_interpreter() -> str:
    """How this Python makes an interpreter, with a GIL of its own where it can, calls `run` in it and closes it."""
    if sys.version_info >= (3, 14):
        return MAKE_OBJECT
    if sys.version_info >= (3, 13):
        return MAKE.format(module="_interpreters", options="")
    if sys.version_info >= (3, 12):
        return MAKE.format(module="_xxsubinterpreters", options="isolated=True")
    return MAKE.format(module="_xxsubinterpreters", options="")


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    """Run it as most shells would: where output is not buffered, an exit may end that otherwise hangs."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_second_interpreter_gets_an_import_error_and_no_crash() -> None:
    program = "import backpropc._core\n" + IN_A_SECOND_INTERPRETER.format(make=second_interpreter())
    done = run_python(program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused:"), done.stdout
    assert "interpreter" in done.stdout


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL in any case")
def test_free_threaded_python_switches_its_gil_on() -> None:
    program = "import sys, backpropc._core; print(sys._is_gil_enabled())"
    assert run_python(program).stdout.strip() == "True"
