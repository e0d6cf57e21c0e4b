"""Saving where the disk is full, read-only, or the permission is taken away, and under signals: the old file stands.

    python disk.py CASE FOLDER [more]

To be run by test_disk.py, which prepares the folder; an error is an AssertionError.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import backpropc as bp
from backpropc import _files

X = np.random.default_rng(0).normal(size=(20, 40)).astype("float32")
T = np.random.default_rng(1).uniform(size=(20, 30)).astype("float32")


def trainer_in(folder: Path) -> tuple[bp.Trainer, Path, bytes]:
    """Return a trainer that has saved itself, and the file."""
    trainer = bp.Trainer(bp.Network([40, 100, 30], "tanh", seed=0), optimizer="Adam", batch_size=5, seed=1)
    path = folder / "run.safetensors"
    trainer.fit(X, T, checkpoint=path)
    return trainer, path, path.read_bytes()


def refused(call: Callable[[], Any], number: int, path: Path, before: bytes) -> None:
    """Demand that the call fails with this error and that nothing in the folder is another than before."""
    try:
        call()
    except OSError as error:
        assert error.errno == number, repr(error)
        assert str(path.parent) in str(error), f"the message names no file: {error}"
    else:
        raise AssertionError("it was saved")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name], os.listdir(path.parent)


def goes_on(trainer: bp.Trainer, path: Path) -> None:
    """Demand that the fit that failed goes on to the bits of one that did not, and that the file does too."""
    resumed = bp.Trainer.load(path)
    whole = bp.Trainer(bp.Network([40, 100, 30], "tanh", seed=0), optimizer="Adam", batch_size=5, seed=1)
    for each in (trainer, resumed, whole):
        each.fit(X, T, until_epoch=6)
        assert each.network.parameters.tobytes() == trainer.network.parameters.tobytes()


def full(folder: Path) -> None:
    """Room for one file and no second beside it."""
    trainer, path, before = trainer_in(folder)
    disk = os.statvfs(folder)
    assert disk.f_bavail * disk.f_frsize < len(before), "the disk is too large for this test"
    refused(lambda: trainer.fit(X, T, until_epoch=3, checkpoint=path), errno.ENOSPC, path, before)
    refused(lambda: trainer.network.save(path), errno.ENOSPC, path, before)
    goes_on(trainer, path)


def read_only(folder: Path) -> None:
    """The file system is made read-only while the training is under way."""
    trainer, path, before = trainer_in(folder)

    def remount(state: bp.State) -> None:
        remounted = ctypes.CDLL(None, use_errno=True).mount(None, bytes(folder), None, 0x21, None)  # MS_RDONLY, MS_REMOUNT
        assert remounted == 0, os.strerror(ctypes.get_errno())

    refused(lambda: trainer.fit(X, T, until_epoch=3, checkpoint=path, callbacks=[remount]), errno.EROFS, path, before)
    refused(lambda: trainer.save(path), errno.EACCES if os.access(path, os.W_OK) else errno.EACCES, path, before)
    goes_on(trainer, path)


def permission(folder: Path, way: str) -> None:
    """Lost before the file is opened, and lost between that and its name, whether or not it has a name till then."""
    if way == "named":
        _files._nameless_file = lambda folder: None  # type: ignore[assignment]
    trainer, path, before = trainer_in(folder)
    owner = os.getuid()
    sync = os.fsync

    def fsync(file: int) -> None:
        sync(file)
        folder.chmod(0o500)

    os.fsync = fsync
    if owner == 0:
        os.setegid(65534)
        os.chown(folder, 65534, 65534)
        os.chown(path, 65534, 65534)
        os.seteuid(65534)
    try:
        trainer.fit(X, T, until_epoch=3, checkpoint=path)
    except OSError as error:
        assert error.errno == errno.EACCES, repr(error)
    else:
        raise AssertionError("it was saved")
    finally:
        os.fsync = sync
    left = [name for name in os.listdir(folder) if name != path.name]
    # A file that has a name cannot be removed from a folder that may not be written to.
    assert len(left) == (way == "named"), left
    assert path.read_bytes() == before
    refused_at_once(trainer, path, before)
    folder.chmod(0o700)
    goes_on(trainer, path)


def refused_at_once(trainer: bp.Trainer, path: Path, before: bytes) -> None:
    step = trainer.step_count
    for call in (lambda: trainer.fit(X, T, checkpoint=path), lambda: trainer.save(path)):
        try:
            call()
        except PermissionError:
            assert path.read_bytes() == before
        else:
            raise AssertionError("it was saved")
    assert trainer.step_count == step, "no step before what cannot be saved is refused"


def signals(folder: Path, name: str, times: str) -> None:
    """At random moments of saves one after the other, in a child: SIGINT raises in it, SIGTERM ends it."""
    trainer, path, _ = trainer_in(folder)
    number, moments = signal.Signals[name], random.Random(0)
    started = time.monotonic()
    for _ in range(5):
        trainer.save(path)
    per_save = (time.monotonic() - started) / 5
    others = [path.read_bytes()]
    trainer.step(X, T)
    trainer.save(path)
    others.append(path.read_bytes())
    whole_under_another_name = 0
    for _ in range(int(times)):
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                while True:
                    trainer.save(path)
            except KeyboardInterrupt:
                os._exit(7)
        time.sleep(moments.uniform(0.0, 3 * per_save))
        os.kill(child, number)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == (7 if name == "SIGINT" else -number), status
        assert path.read_bytes() in others
        for left in set(folder.iterdir()) - {path}:
            # Between naming and renaming, which is microseconds, and only where the signal leaves no time for anything.
            assert name != "SIGINT", left
            assert left.read_bytes() in others
            left.unlink()
            whole_under_another_name += 1
    print(f"{times} of {name}: {whole_under_another_name} whole files under a temporary name")


if __name__ == "__main__":
    CASES: dict[str, Callable[..., None]] = {
        "full": full, "read_only": read_only, "permission": permission, "signals": signals
    }  # fmt: skip
    CASES[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
