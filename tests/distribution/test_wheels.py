"""The wheel as a package index gets it, tested as cibuildwheel tests it."""

from __future__ import annotations

import platform
import re
import sys
import zipfile
from pathlib import Path

import pytest
from building import MEGABYTE, Environment, run, wheel_tests

SYSTEM_LIBRARIES = re.compile(r"(ld-linux-.*|lib(stdc\+\+|gcc_s|c|m|pthread)\.so\.\d+)")


@pytest.mark.skipif(sys.platform != "linux", reason="auditwheel is for Linux")
def test_repaired_wheel_is_manylinux_with_nothing_bundled(repaired: Path, tmp_path: Path) -> None:
    """So its licence is the package's own, and only the system's libraries are needed."""
    tag = re.search(rf"manylinux_2_(\d+)_{platform.machine()}\.", repaired.name)
    assert tag, repaired.name
    assert int(tag[1]) <= int(platform.libc_ver()[1].split(".")[1])
    with zipfile.ZipFile(repaired) as wheel:
        names = wheel.namelist()
        (library,) = (wheel.extract(name, tmp_path) for name in names if ".so" in name)
    assert not [name for name in names if name.startswith("backpropc.libs")]
    needed = re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", library))
    assert needed
    assert not [name for name in needed if not SYSTEM_LIBRARIES.fullmatch(name)]
    assert repaired.stat().st_size <= 2 * MEGABYTE


def test_installed_wheel_passes_its_tests(installed: Environment, tmp_path: Path) -> None:
    requires, arguments = wheel_tests()
    installed.pip("install", *requires)
    where = run(installed.python, "-c", "import backpropc; print(backpropc.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(installed.bin.parent)
    assert " passed" in run(installed.python, *arguments, cwd=tmp_path)
