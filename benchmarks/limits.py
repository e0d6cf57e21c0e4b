"""The machine's limits, by limits.cpp: the roof that a race's results are held against."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from .contestants.native import compiled

FLAGS = {"avx2": ("-mavx2", "-mfma"), "avx512": ("-mavx512f",)}


def cpu_model() -> str:
    """The processor's name for itself."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return found[1] if found else platform.machine()


def instruction_sets() -> list[str]:
    """Those of the processor that limits.cpp is compiled for; one without a name where it is no x86-64."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        told = ""
    words = set(told.split())
    found = [name for name, needed in (("avx2", {"avx2", "fma"}), ("avx512", {"avx512f"})) if needed <= words]
    return found or ["baseline"]


def cache_sizes() -> dict[str, int]:
    """Bytes of each level of data cache, from the kernel where it tells them."""
    sizes = {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction" and size.endswith("K"):
            sizes[f"L{level}"] = int(size[:-1]) << 10
    return sizes


def measured() -> dict[str, Any]:
    """``{"cpu", "cores", "caches", "fma": {isa: {dtype: GFLOP/s}}, "read": {level: GB/s}}``, on one core."""
    sizes = cache_sizes()
    limits: dict[str, Any] = {"cpu": cpu_model(), "cores": os.cpu_count(), "caches": sizes, "fma": {}, "read": {}}
    for isa in instruction_sets():
        program = compiled("limits.cpp", f"limits-{isa}", FLAGS.get(isa, ()))
        arguments = [str(sizes[level]) for level in ("L1", "L2", "L3")]
        told = json.loads(subprocess.run([str(program), *arguments], check=True, capture_output=True).stdout)
        limits["fma"][isa] = told["fma"]
        for level, rate in told["read"].items():
            limits["read"][level] = max(rate, limits["read"].get(level, 0.0))
    return limits
