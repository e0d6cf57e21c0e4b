"""Print the oldest versions that pyproject.toml allows, of what builds the package and what it uses."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LINES = re.compile(r"^(requires|dependencies|test-requires|dask|onnx|parquet|plot|scipy|sklearn) = \[(.*)\]$", re.M)
# Of what only tests need, those with which the package is used.
BESIDE = re.compile(r'^  ("(?:onnxruntime|pandas|skl2onnx)>=.*"),$', re.M)
BOUND = re.compile(r'"([\w-]+)>=([\d.]+)[^";]*(;[^"]*)?"')


def oldest(text: str) -> list[str]:
    """As arguments for pip, without repetitions."""
    lines = [line[2] for line in LINES.finditer(text)] + BESIDE.findall(text)
    found = (bound for line in lines for bound in BOUND.findall(line))
    return list(dict.fromkeys(f"{name}=={version}{marker}" for name, version, marker in found))


if __name__ == "__main__":
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    sys.stdout.write("\n".join(oldest(project.read_text("utf-8"))) + "\n")
