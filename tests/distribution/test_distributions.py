"""What a stranger gets by pip: small, whole, and nothing of ours that he does not need."""

from __future__ import annotations

import re
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest
from building import MEGABYTE, ROOT, Built, Environment, run


@pytest.fixture(scope="module")
def wheel_names(built: Built) -> list[str]:
    """The files of the wheel."""
    return zipfile.ZipFile(built.wheel).namelist()


def wheel_metadata(built: Built) -> Message:
    """What pip and a package index read of it."""
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(wheel.read(name).decode("utf-8"))


def test_wheel_is_small(built: Built) -> None:
    assert built.wheel.stat().st_size <= 2 * MEGABYTE


def test_wheel_holds_the_package_and_its_types(wheel_names: list[str]) -> None:
    assert {"backpropc/__init__.py", "backpropc/py.typed", "backpropc/_core.pyi"} <= set(wheel_names)
    assert {f"backpropc/page/page.{kind}" for kind in ("html", "css")} | {"backpropc/page/controls.js"} <= set(
        wheel_names
    )
    assert len([name for name in wheel_names if name.startswith("backpropc/_core.") and name.endswith(".so")]) == 1
    for text in ("LICENSE", "licenses/pybind11.txt"):  # pybind11 is compiled in
        assert any(name.endswith(f"/licenses/{text}") for name in wheel_names), text


def test_wheel_holds_nothing_else(wheel_names: list[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"backpropc"}
    kinds = {Path(name).suffix for name in wheel_names if name.startswith("backpropc/")}
    assert kinds <= {".py", ".pyi", ".so", ".typed", ".html", ".css", ".js"}


def test_wheel_requires_what_it_imports(built: Built) -> None:
    """Whoever installs it gets nothing that the package has no use for."""
    metadata = wheel_metadata(built)
    required = [value for value in metadata.get_all("Requires-Dist", []) if "extra ==" not in value]
    names = {re.split(r"[^\w-]", value)[0] for value in required}
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "python/backpropc").glob("*.py"))
    assert "numpy" in names
    assert not [name for name in names if not re.search(rf"^\s*(import|from) {name}\b", sources, re.M)]


def test_wheel_shows_the_readme(built: Built) -> None:
    metadata = wheel_metadata(built)
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "## Ten lines" in metadata.get_payload()


def test_wheel_is_for_this_python_only(built: Built) -> None:
    assert "-none-any" not in built.wheel.name


def test_sdist_is_whole(sdist_names: set[str]) -> None:
    assert {"pyproject.toml", "CMakeLists.txt", "LICENSE", "README.md", "CHANGELOG.md", "dev"} <= sdist_names
    assert {"csrc/kernels/kernels.cpp", "csrc/bindings/module.cpp", "tests/conftest.py"} <= sdist_names


def test_sdist_holds_no_clutter(sdist: Path, sdist_names: set[str]) -> None:
    assert sdist.stat().st_size <= MEGABYTE
    assert not [name for name in sdist_names if name.endswith((".so", ".o", ".a", ".pyc", ".whl", ".egg-info"))]
    assert not [name for name in sdist_names if name.startswith((".", "build/", "dist/"))]


def test_installed_version_is_the_one_of_pyproject(installed: Environment, version: str, tmp_path: Path) -> None:
    program = "import backpropc, importlib.metadata as m; print(backpropc.__version__, m.version('backpropc'))"
    assert run(installed.python, "-c", program, cwd=tmp_path).split() == [version, version]


def test_installed_package_computes(installed: Environment, tmp_path: Path) -> None:
    program = (
        "import numpy as np, backpropc as bp; "
        "net = bp.Network([8, 3, 8], activation='logistic', seed=0); "
        "print(net.predict(np.eye(8)).shape)"
    )
    assert run(installed.python, "-c", program, cwd=tmp_path).strip() == "(8, 8)"


def test_installed_command_runs(installed: Environment, tmp_path: Path) -> None:
    assert "--epochs" in run(installed.bin / "backpropc", "autoencoder", "--help", cwd=tmp_path)
