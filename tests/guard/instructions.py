"""A guard against lost speed that no clock disturbs: the instructions of a training step, counted by callgrind.

    python tests/guard/instructions.py PROGRAM             compare with instructions.txt; 1 where one is off by over 3 %
    python tests/guard/instructions.py PROGRAM --record    write the counts of this compiler into instructions.txt

PROGRAM is the compiled steps.cpp (./dev test leaves it in build/dev). A step's count is the difference between a run of
many steps and a run of few, so that setting up does not count. It depends on the compiler, so a line holds for one
compiler's one version: where there is none for this one, the counts are shown and nothing fails. Fewer instructions are
off too: record them. The instruction set is AVX2 or NEON; valgrind's processor has no AVX-512.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

RECORD = Path(__file__).with_name("instructions.txt")
TOLERANCE = 0.03
ISA = "neon" if platform.machine() == "aarch64" else "avx2"
STEPS = {"online": (100, 1100), "digits": (2, 6), "population": (100, 1100)}  # few and many

Counts = dict[str, int]  # workload to instructions a step


def instructions(program: Path, workload: str, steps: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), workload, str(steps)]
    environment = {**os.environ, "BACKPROPC_ISA": ISA, "BACKPROPC_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    (collected,) = re.findall(r"Collected : (\d+)", done.stderr)
    return int(collected)


def counted(program: Path) -> Counts:
    return {
        workload: round((instructions(program, workload, many) - instructions(program, workload, few)) / (many - few))
        for workload, (few, many) in STEPS.items()
    }


def compiler(program: Path) -> str:
    """Which one compiled the program, as it wrote itself down in it: "GCC: (Debian 12.2.0-14) 12.2.0"."""
    text = subprocess.run(["readelf", "-p", ".comment", program], capture_output=True, text=True, check=True).stdout
    return " ".join(sorted(set(re.findall(r"\]\s+(.*\S)", text))))


def recorded() -> dict[str, Counts]:
    """The counts by compiler. A line is: workload, instruction set, instructions a step, compiler."""
    counts: dict[str, Counts] = {}
    for line in RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else ():
        workload, isa, count, by = line.split(maxsplit=3)
        counts.setdefault(f"{isa} {by}", {})[workload] = int(count)
    return counts


def record(counts: Counts, by: str) -> None:
    lines = []
    for name, of in sorted({**recorded(), by: counts}.items()):
        isa, compiled_by = name.split(maxsplit=1)
        lines += [f"{workload} {isa} {count} {compiled_by}\n" for workload, count in of.items()]
    RECORD.write_text("".join(lines), encoding="utf-8")


def is_near(workload: str, count: int, expected: Counts) -> bool:
    """Show the count beside the recorded one, where there is one."""
    found = f"{workload}: {count} instructions a step"
    if workload not in expected:
        print(f"{found}, none recorded")
        return True
    change = count / expected[workload] - 1
    near = abs(change) <= TOLERANCE
    print(f"{found}, recorded {expected[workload]}: {change:+.1%}{'' if near else ', TOO FAR OFF'}")
    return near


def main() -> int:
    parser = argparse.ArgumentParser(description="Count the instructions of a training step.")
    parser.add_argument("program", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    counts, by = counted(arguments.program), f"{ISA} {compiler(arguments.program)}"
    if arguments.record:
        record(counts, by)
    print(by)
    near = [is_near(workload, count, recorded().get(by, {})) for workload, count in counts.items()]
    return 0 if all(near) else 1


if __name__ == "__main__":
    sys.exit(main())
