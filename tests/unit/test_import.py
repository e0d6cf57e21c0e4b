"""`import backpropc` brings in NumPy and the standard library, and nothing else: an extra waits until it is used."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import numpy
before = set(sys.modules)
import backpropc
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported() -> set[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_nothing_heavy_is_imported() -> None:
    top_level = {name.split(".")[0] for name in imported()}
    for extra in ("sklearn", "scipy", "matplotlib", "tqdm", "safetensors", "onnx", "dask", "pandas", "torch"):
        assert extra not in top_level


def test_only_the_standard_library_and_ourselves() -> None:
    """What an editable installation's own import hook loads is ours too."""
    others = {name for name in imported() if name.split(".")[0] not in sys.stdlib_module_names | {"numpy", "backpropc"}}
    assert {name for name in others if not name.startswith(("_backpropc", "__editable__"))} == set()


def test_costly_parts_of_the_standard_library_wait_too() -> None:
    """Each costs a good part of the 20 ms that importing us may cost, or is there to start threads and processes."""
    costly = {"argparse", "asyncio", "multiprocessing", "concurrent.futures", "email", "unittest"}
    costly |= {"importlib.metadata", "numpy.random"}
    assert costly & imported() == set()


def test_an_int_for_a_seed_does_not_import_numpy_random() -> None:
    """It would cost the first network as much time as the rest of the package."""
    script = (
        "import sys, numpy; before = 'numpy.random' in sys.modules; "  # older versions of NumPy do it themselves
        "import backpropc as bp; bp.Network([2, 2], seed=0); print(('numpy.random' in sys.modules) == before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"


def test_what_is_used_now_and_then_waits_too() -> None:
    waiting = {"checking", "diagnosis", "microscope", "plot", "pretraining", "sanity"}
    assert {f"backpropc.{name}" for name in waiting} & imported() == set()
