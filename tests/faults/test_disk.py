"""Where nothing can be written, or a signal comes meanwhile, the old file stands: see disk.py."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("disk.py")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mounts, or files without a name")


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_disk_of_its_own(size: str, case: str, folder: Path) -> None:
    """Run a case on a file system that the test alone sees."""
    apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode != 0:
        assert not os.environ.get("CI"), "this process may mount nothing"
        pytest.skip("this process may mount nothing")
    mount = shlex.join(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)])
    run([*apart, "sh", "-c", f"{mount} && exec {shlex.join([sys.executable, str(SCRIPT), case, str(folder)])}"])


def test_a_full_disk(tmp_path: Path) -> None:
    on_disk_of_its_own("256k", "full", tmp_path)


def test_a_disk_made_read_only(tmp_path: Path) -> None:
    on_disk_of_its_own("1m", "read_only", tmp_path)


@pytest.mark.parametrize("way", ["nameless", "named"])
def test_a_permission_lost_between_opening_and_naming(way: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # for pytest's own no other user may enter
        run([sys.executable, str(SCRIPT), "permission", folder, way])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signals_while_files_are_written(tmp_path: Path, name: str) -> None:
    assert run([sys.executable, str(SCRIPT), "signals", str(tmp_path), name, "40"]).startswith(f"40 of {name}")
