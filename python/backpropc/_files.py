"""Files that are written whole or not at all, and that opening never waits for."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from ._arguments import shown

if sys.platform != "win32":
    import fcntl

TEMPORARY = re.compile(r"\.backpropc-[0-9a-f]{16}\.tmp")


def file_name(path: object, name: str = "path") -> str:
    """Return `path` as a str, if it is a path."""
    try:
        found = os.fsdecode(os.fspath(path))  # type: ignore[call-overload]
    except TypeError:
        raise TypeError(f"{name} is {shown(path)}; it must be a str or an os.PathLike") from None
    try:
        no_name = b"\0" in os.fsencode(found)
    except UnicodeEncodeError:
        no_name = True
    if no_name:
        raise ValueError(f"{name} is {shown(path)}, which is the name of no file")
    return found


def check_writable(path: str) -> None:
    """Raise the OSError that `write_whole` would meet after its work: a folder missing, a file that is not ours."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "No such folder", folder)
    if any(os.path.exists(each) and not os.path.isfile(each) for each in (path, target)):  # /dev/stdout, to a pipe
        raise FileExistsError(errno.EEXIST, "What is there is not a regular file", path)
    with contextlib.suppress(FileNotFoundError):
        os.stat(target)  # a name too long, for one
    for there in (folder, target):
        if os.path.exists(there) and not os.access(there, os.W_OK):
            if hasattr(os, "statvfs") and os.statvfs(there).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), there)
            raise PermissionError(errno.EACCES, "No permission to write", there)


def write_whole(path: str, parts: Iterable[Any]) -> None:
    """Write a file, replacing one that is there in the end, at once: whoever looks sees the old one or the new.

    The new one is on the disk before it takes the name. A link goes on to lead to the file, and a file that is there
    hands on its permissions; one without the permission to write is not replaced.

    Raises
    ------
    OSError
        The disk is full, the folder may not be written to, and so on. What was there stands; nothing else is left. Only
        where the disk fails after the new file has taken the name, while the folder is synchronized, the new one is
        there, whole, and a loss of power could bring back the old one.
    """
    check_writable(path)
    path = os.path.realpath(path)
    with _named(path):
        with _new_file(path) as file:
            if os.path.exists(path) and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), stat.S_IMODE(os.stat(path).st_mode))
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(os.path.dirname(path))


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Let an error of the system say in which file it came."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise


@contextlib.contextmanager
def _new_file(path: str) -> Iterator[BinaryIO]:
    """Yield a file in the folder of `path` that takes its name afterwards, unless something is raised."""
    folder = os.path.dirname(path)
    _remove_left_behind(folder)
    temporary = os.path.join(folder, f".backpropc-{os.urandom(8).hex()}.tmp")
    nameless = _nameless_file(folder)
    try:
        with open(_named_file(temporary) if nameless is None else nameless, "wb") as file:
            if nameless is not None:
                _hold(nameless)
            yield file
            if nameless is not None:
                _give_name(nameless, temporary)
            if sys.platform != "win32":  # held till it has its name; Windows renames no open file
                os.replace(temporary, path)
        if sys.platform == "win32":
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _nameless_file(folder: str) -> int | None:
    """Return a file that a process killed while it writes does not leave behind; None where the system has none."""
    if sys.platform != "linux":
        return None
    try:
        file = os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            return None
        raise
    if os.path.exists(f"/proc/self/fd/{file}"):
        return file
    os.close(file)
    return None


def _named_file(path: str) -> int:
    """Return a new file of that name, held."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        file = os.open(path, flags, 0o666)
        _hold(file)
        if os.path.exists(path):
            return file
        os.close(file)  # someone took it for left behind, before it was held


def _hold(file: int) -> None:
    """Lock a file until it is closed, if only by the end of the process, so that nobody takes it for left behind."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(file, fcntl.LOCK_EX)


def _remove_left_behind(folder: str) -> None:
    """Remove the temporary files of processes that were killed between naming and renaming."""
    if sys.platform == "win32":
        return
    for name in filter(TEMPORARY.fullmatch, os.listdir(folder)):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):  # gone meanwhile, held, or not ours
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(file)


def _give_name(file: int, path: str) -> None:
    """Give a nameless file its name; a folder's descriptor makes Python ask for the link to be followed."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.link(f"/proc/self/fd/{file}", os.path.basename(path), src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _sync_folder(folder: str) -> None:
    """Put the new name on the disk, where the system lets a folder be synchronized."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def open_to_read(path: str) -> Iterator[BinaryIO]:
    """Yield a regular file; a pipe is refused, not waited for.

    Raises
    ------
    OSError
        It is not there, or may not be read.
    ValueError
        It is not a regular file.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path!r} is not a regular file")
        with _named(path):
            yield file
