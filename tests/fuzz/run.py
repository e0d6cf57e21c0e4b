"""Run a target under atheris: python tests/fuzz/run.py TARGET SECONDS [options of libFuzzer]

The corpus of the repository is read; what covers more is written to build/fuzz/TARGET, and a finding beside it. A
finding is tried again by `python tests/fuzz/run.py TARGET FILE`, and belongs into tests/fuzz/corpus once it is mended.
"""

# ruff: noqa: E402  (the path comes first)

from __future__ import annotations

import gc
import os
import random
import sys
import types
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from mutators import MUTATORS
from targets import TARGETS


def instrument() -> None:
    """Let atheris see which way each function of ours goes; its hook on imports does not know an editable install's."""
    for found in gc.get_objects():
        if isinstance(found, types.FunctionType) and str(found.__module__).startswith("backpropc."):
            atheris.instrument_func(found)


def main() -> None:
    name, given, *options = sys.argv[1:]
    instrument()
    found = HERE.parents[1] / "build" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    if os.path.isfile(given):
        where = [given]
    else:
        limits = ["-max_len=65536", "-timeout=60", "-rss_limit_mb=3000", f"-artifact_prefix={found}-"]
        where = [f"-max_total_time={given}", *limits, str(found), str(HERE / "corpus" / name)]

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        """Half of the time as the format has it, or else as bytes."""
        generator = random.Random(seed)
        if generator.random() < 0.6:
            try:
                changed = MUTATORS[name](data, generator)
            except Exception:  # what the last change left is no such file any more
                return bytes(atheris.Mutate(data, max_size))
            if len(changed) <= max_size:
                return changed
        return bytes(atheris.Mutate(data, max_size))

    def target(content: bytes) -> None:  # what a target returns would tell libFuzzer to forget the input
        TARGETS[name](content)

    atheris.Setup([sys.argv[0], *where, *options], target, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
