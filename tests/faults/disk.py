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
import pytest

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
    with pytest.raises(OSError, match=str(path.parent)) as caught:
        call()
    assert caught.value.errno == number, repr(caught.value)
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
    room = disk.f_bavail * disk.f_frsize
    assert room < 2**20, "this is not the small disk that was asked for"
    with open(folder / "rest", "wb") as rest:
        rest.write(bytes(room - disk.f_frsize))
        rest.flush()
        os.unlink(rest.name)  # it takes its room for as long as it is open
        refused(lambda: trainer.fit(X, T, until_epoch=3, checkpoint=path), errno.ENOSPC, path, before)
        refused(lambda: trainer.network.save(path), errno.ENOSPC, path, before)
    goes_on(trainer, path)


def read_only(folder: Path) -> None:
    """The file system is made read-only while the training is under way."""
    trainer, path, before = trainer_in(folder)

    def make_read_only(state: bp.State) -> None:
        read_only, remount = 0x1, 0x20
        done = ctypes.CDLL(None, use_errno=True).mount(None, bytes(folder), None, read_only | remount, None)
        assert done == 0, os.strerror(ctypes.get_errno())

    options: dict[str, Any] = {"until_epoch": 3, "checkpoint": path, "callbacks": [make_read_only]}
    refused(lambda: trainer.fit(X, T, **options), errno.EROFS, path, before)
    refused(lambda: trainer.save(path), errno.EROFS, path, before)
    goes_on(trainer, path)


def permission(folder: Path, way: str) -> None:
    """Lost before the file is opened, and lost between that and its name, whether or not it has a name till then."""
    if way == "named":
        _files._nameless_file = lambda folder: None  # type: ignore[assignment]
    trainer, path, before = trainer_in(folder)
    sync = os.fsync
    bp.Trainer.load(path)  # what it imports may be out of reach soon

    def fsync(file: int) -> None:
        sync(file)
        folder.chmod(0o500)

    os.fsync = fsync
    if os.getuid() == 0:  # whom no permission binds
        nobody = 65534
        for owned in (folder, path):
            os.chown(owned, nobody, nobody)
        os.setresuid(nobody, nobody, 0)
    with pytest.raises(PermissionError):
        trainer.fit(X, T, until_epoch=3, checkpoint=path)
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
        with pytest.raises(PermissionError):
            call()
        assert path.read_bytes() == before
    assert trainer.step_count == step, "no step before what cannot be saved is refused"


def save_until_interrupted(trainer: bp.Trainer, path: Path, number: signal.Signals) -> None:
    """In a child, which is born with that signal blocked; a second one may come while the first is heeded."""
    try:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
            while True:
                trainer.save(path)
        except KeyboardInterrupt:
            os._exit(7)
    except KeyboardInterrupt:
        os._exit(7)


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
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        child = os.fork()
        if child == 0:
            save_until_interrupted(trainer, path, number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        time.sleep(moments.uniform(0.0, 3 * per_save))
        ended = (0, 0)
        while ended[0] == 0:  # Python ignores an exception that comes while a generator is closed
            os.kill(child, number)
            time.sleep(per_save)
            ended = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(ended[1])
        assert status == (7 if name == "SIGINT" else -number), status
        assert path.read_bytes() in others
        for left in set(folder.iterdir()) - {path}:
            # Of a process that ended at once, between naming and renaming; the next save removes it.
            assert name != "SIGINT", left
            assert left.read_bytes() in others
            whole_under_another_name += 1
        trainer.save(path)
        assert os.listdir(folder) == [path.name], os.listdir(folder)
    print(f"{times} of {name}: {whole_under_another_name} whole files under a temporary name")


if __name__ == "__main__":
    CASES: dict[str, Callable[..., None]] = {
        "full": full, "read_only": read_only, "permission": permission, "signals": signals
    }  # fmt: skip
    CASES[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
