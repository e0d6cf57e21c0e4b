"""A call for which there is no memory raises MemoryError and loses nothing: memory.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import memory
import pytest

FOLDER = Path(__file__).parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs an allocator that can be replaced from outside")


@pytest.fixture(scope="session")
def allocator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("allocator") / "refusing_malloc.so"
    compiler = os.environ.get("CXX", "c++").split()
    source = FOLDER / "refusing_malloc.cpp"
    subprocess.run([*compiler, "-std=c++17", "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
    return library


@pytest.mark.parametrize("scene", memory.SCENES)
def test_every_allocation_fails_in_turn(allocator: Path, scene: str) -> None:
    fail(allocator, scene, 1)


@pytest.mark.parametrize("scene", [name for name in memory.SCENES if name not in memory.WORDED_BY_OTHERS])
def test_four_in_a_row_fail(allocator: Path, scene: str) -> None:
    """So that what is done about the first fails too."""
    fail(allocator, scene, 4)


def fail(allocator: Path, scene: str, refused: int) -> None:
    environment = {
        **os.environ,
        "LD_PRELOAD": str(allocator),
        "PYTHONMALLOC": "malloc",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    if os.path.isdir("/dev/shm"):  # thousands of files are saved, each of which waits for the disk
        environment["TMPDIR"] = "/dev/shm"
    done = subprocess.run(
        [sys.executable, FOLDER / "memory.py", scene, str(refused)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
