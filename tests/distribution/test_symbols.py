"""The objects of the build: what one instruction set brings must never stand in for what another needs.

The linker keeps one of several weak symbols of the same name. If it kept the AVX-512 copy of, say, a function of the
standard library, the portable code would call it and die on a processor without AVX-512.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from building import Built, run

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("nm") or not shutil.which("objdump"), reason="needs Linux and binutils"
)

MERGEABLE = frozenset("WVuC")  # weak function, weak object, unique, common
KERNELS = "backpropc_kernels_"


def symbols(path: Path, *options: str) -> list[tuple[str, str]]:
    """The defined symbols: name, letter of nm."""
    lines = run("nm", "--defined-only", "--format=posix", *options, path).splitlines()
    return [(line.split()[0], line.split()[1]) for line in lines if len(line.split()) > 1]


@pytest.fixture(scope="module")
def kernel_objects(built: Built) -> dict[str, Path]:
    """The object of kernels.cpp for each instruction set."""
    found = {
        next(part for part in path.parts if part.startswith(KERNELS))[len(KERNELS) :].removesuffix(".dir"): path
        for path in built.objects.rglob("kernels.cpp.o")
    }
    expected = {"x86_64": {"portable", "avx2", "avx512"}, "aarch64": {"portable", "neon"}}
    assert set(found) == expected.get(platform.machine(), {"portable"})
    return found


def test_extension_exports_its_entry_and_the_size_of_its_pool(built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".so"))
        library = Path(wheel.extract(name, tmp_path))
    of_the_pool = {f"backpropc_{name}" for name in ("get_num_threads", "set_num_threads", "get_version")}
    assert {name for name, _ in symbols(library, "--dynamic")} == {"PyInit__core"} | of_the_pool


def test_kernels_share_no_symbol(kernel_objects: dict[str, Path]) -> None:
    seen: dict[str, str] = {}
    for isa, path in kernel_objects.items():
        for name, letter in symbols(path, "--extern-only"):
            assert name not in seen, f"{name} ({letter}) is in the objects of {seen[name]} and of {isa}"
            seen[name] = isa


def test_mergeable_symbols_stay_in_their_namespace(kernel_objects: dict[str, Path]) -> None:
    for isa, path in kernel_objects.items():
        own = f"9backpropc{len(isa)}{isa}"  # as the name stands in a mangled symbol
        strangers = [name for name, letter in symbols(path) if letter in MERGEABLE and own not in name]
        assert not strangers, f"the {isa} object could be merged with others at: {', '.join(strangers)}"


def test_kernels_run_nothing_at_start_up(kernel_objects: dict[str, Path]) -> None:
    for isa, path in kernel_objects.items():
        assert not [name for name, _ in symbols(path) if name.startswith("_GLOBAL__")], isa


@pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX is of x86-64")
def test_no_wide_instruction_outside_the_kernels(built: Built, kernel_objects: dict[str, Path]) -> None:
    wide = {kernel_objects["avx2"], kernel_objects["avx512"]}
    checked = [path for path in built.objects.rglob("*.cpp.o") if path not in wide]
    assert len(checked) > 5
    for path in checked:
        # Every AVX instruction's name begins with v; verr and verw are old and of the system.
        found = re.search(r"\tv(?!err|erw)[a-z0-9]+ .*", run("objdump", "-d", "--no-show-raw-insn", path))
        assert not found, f"{path.name}: {found and found.group().strip()}"
