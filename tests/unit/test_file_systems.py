"""What file systems rarely do: lack files without a name, refuse to synchronize a folder, cut a file being read."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpropc as bp
from backpropc import _files
from backpropc._safetensors import File
from helpers import assert_same_bits

ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")


def network() -> bp.Network:
    return bp.Network([3, 2], seed=0)


def refusing(flag: int, error: int) -> Callable[..., int]:
    """Return an `os.open` that fails where this flag is asked for."""
    usual = os.open

    def open_(path: Any, flags: int, *args: Any, **keywords: Any) -> int:
        if flags & flag == flag:
            raise OSError(error, os.strerror(error), path)
        return usual(path, flags, *args, **keywords)

    return open_


@ONLY_LINUX
@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL])
def test_without_nameless_files_a_named_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    path = tmp_path / "net"
    monkeypatch.setattr(_files.os, "open", refusing(os.O_TMPFILE, error))
    network().save(path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["net"]
    assert_same_bits(bp.Network.load(path).parameters, network().parameters)


@ONLY_LINUX
@pytest.mark.parametrize("error", [errno.EACCES, errno.ENOSPC, errno.EMFILE])
def test_another_error_of_a_nameless_file_is_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setattr(_files.os, "open", refusing(os.O_TMPFILE, error))
    with pytest.raises(OSError, match=os.strerror(error)):
        network().save(tmp_path / "net")
    assert os.listdir(tmp_path) == []


@ONLY_LINUX
def test_without_proc_a_named_file_is_written_and_no_descriptor_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = os.path.exists
    monkeypatch.setattr(_files.os.path, "exists", lambda path: not str(path).startswith("/proc") and usual(path))
    before = os.listdir("/proc/self/fd")
    network().save(tmp_path / "net")
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert os.listdir(tmp_path) == ["net"]


@pytest.mark.skipif(os.name != "posix", reason="only there are folders synchronized")
@pytest.mark.parametrize(("error", "is_raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synchronized_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, is_raised: bool
) -> None:
    usual = os.fsync

    def fsync(file: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{file}"):
            raise OSError(error, os.strerror(error))
        usual(file)

    monkeypatch.setattr(_files.os, "fsync", fsync)
    if is_raised:
        with pytest.raises(OSError, match=f"{os.strerror(error)}.*net"):
            network().save(tmp_path / "net")
    else:
        network().save(tmp_path / "net")
    assert os.listdir(tmp_path) == ["net"]
    assert_same_bits(bp.Network.load(tmp_path / "net").parameters, network().parameters)


def test_a_file_cut_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path, net = tmp_path / "net", network()
    net.save(path)
    with path.open("rb", buffering=0) as file:
        reader = File(file)
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(ValueError, match="become shorter while it was read"):
            reader.read_into("layers.0.b", net.parameters[6:].copy())


@pytest.mark.skipif(os.name != "posix", reason="elsewhere no folder is synchronized, and modes differ")
@pytest.mark.parametrize("is_named", [False, True])
def test_a_new_file_is_whole_when_it_is_synchronized_and_has_the_usual_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    if is_named and sys.platform == "linux":
        monkeypatch.setattr(_files.os, "open", refusing(os.O_TMPFILE, errno.EOPNOTSUPP))
    sizes: list[int] = []
    usual = os.fsync

    def fsync(file: int) -> None:
        sizes.append(os.fstat(file).st_size)
        usual(file)

    monkeypatch.setattr(_files.os, "fsync", fsync)
    umask = os.umask(0o002)
    try:
        network().save(tmp_path / "net")
    finally:
        os.umask(umask)
    assert sizes[0] == (tmp_path / "net").stat().st_size
    assert (tmp_path / "net").stat().st_mode & 0o777 == 0o664


LEFT = ".backpropc-0123456789abcdef.tmp"


@ONLY_LINUX
def test_what_killed_processes_left_behind_is_removed(tmp_path: Path) -> None:
    """But not what another holds, nor what only has a name like that, nor a link of that name and what it leads to."""
    others = {".backpropc-0.tmp", f"{LEFT}.bak", "run.tmp", "target"}
    held, link = LEFT.replace("0", "1"), LEFT.replace("0", "2")
    for name in (LEFT, held, *others):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / link).symlink_to("target")
    with (tmp_path / held).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        network().save(tmp_path / "net")
        assert set(os.listdir(tmp_path)) == {"net", held, link, *others}
    network().save(tmp_path / "net")
    assert set(os.listdir(tmp_path)) == {"net", link, *others}


@ONLY_LINUX
@pytest.mark.parametrize("is_named", [False, True])
def test_what_is_being_written_is_not_taken_for_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    """By a save of another process to the same folder, at the moments when there is a file with such a name."""
    if is_named:
        monkeypatch.setattr(_files.os, "open", refusing(os.O_TMPFILE, errno.EOPNOTSUPP))
    seen: list[int] = []

    def meanwhile(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            _files._remove_left_behind(str(tmp_path))
            seen.append(len(list(tmp_path.glob(".backpropc-*.tmp"))))
            return function(*arguments)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(_files.os, name, meanwhile(getattr(os, name)))
    network().save(tmp_path / "net")
    assert seen == [int(is_named), 1, 0], "at the file's synchronizing, its renaming, and the folder's synchronizing"
    assert os.listdir(tmp_path) == ["net"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_a_save_and_a_load_leave_no_descriptor(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    network().save(tmp_path / "net")
    bp.Network.load(tmp_path / "net")
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("activation", ["tanh", "relu", "elu", "logistic", "softplus"])  # headers of several lengths
def test_the_numbers_of_a_file_begin_at_a_multiple_of_eight(tmp_path: Path, activation: str) -> None:
    bp.Network([3, 2], activation, seed=0).save(tmp_path / "net")
    length = int.from_bytes((tmp_path / "net").read_bytes()[:8], "little")
    assert length % 8 == 0


@ONLY_LINUX
@pytest.mark.parametrize("load", [bp.Network.load, bp.Trainer.load, bp.Population.load])
def test_an_error_while_reading_names_the_file(load: Callable[[str], object]) -> None:
    """As of a disk that has gone bad: the first page of memory, which nothing has."""
    with pytest.raises(OSError, match="Input/output error: '/proc/self/mem'") as caught:
        load("/proc/self/mem")
    assert caught.value.errno == errno.EIO
