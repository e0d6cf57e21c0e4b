"""api.md, save and load: a file holds it all, is written whole or not at all, and is refused unless it is ours."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import backpropc as bp
from backpropc import _files, _safetensors, io
from backpropc.history import Measured
from helpers import assert_same_bits
from oracle.optimizers import CASES
from safetensors_files import (
    configuration,
    header,
    metadata,
    parts,
    reference,
    replaced,
    tensor,
    text_of,
    value_of,
    whole,
    with_configuration,
    with_header,
    within,
)

FILES = Path(__file__).resolve().parents[1] / "files"
X, T = np.random.default_rng(1).normal(size=(23, 5)), np.random.default_rng(2).uniform(size=(23, 3))
OPTIMIZERS = [getattr(bp, name)(**arguments) for name in CASES for arguments in CASES[name]]


def make_network(dtype: str = "float32") -> bp.Network:
    first = bp.Dense(5, 4, bp.leaky_relu(0.2), trainable=False)
    return bp.Network([first, bp.Dense(4, 3, "logistic")], seed=0, dtype=dtype)


def make_trainer(optimizer: Any = "Adam", dtype: str = "float32", **arguments: Any) -> bp.Trainer:
    net = bp.Network([5, 4, 3], "tanh", "logistic", seed=0, dtype=dtype)
    return bp.Trainer(net, optimizer=optimizer, **{"batch_size": 4, "seed": 7, **arguments})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.safetensors"


def saved(thing: bp.Network | bp.Trainer, path: Path) -> bytes:
    thing.save(path)
    return path.read_bytes()


# --- what a file holds ------------------------------------------------------------------------------------------------


def test_a_network_comes_back(path: Path, dtype: str) -> None:
    net = make_network(dtype)
    net.save(path)
    got = bp.Network.load(path)
    assert_same_bits(got.parameters, net.parameters)
    assert repr(got) == repr(net)
    assert [layer.activation for layer in got.layers] == [bp.leaky_relu(0.2), "logistic"]
    assert [layer.trainable for layer in got.layers] == [False, True]
    assert_same_bits(got.predict(X), net.predict(X))
    assert saved(got, path.with_name("again")) == path.read_bytes()


@pytest.mark.parametrize("activation", bp.ACTIVATIONS)
def test_every_activation_comes_back(path: Path, activation: str) -> None:
    bp.Network([2, 2], activation, seed=0).save(path)
    assert bp.Network.load(path).layers[0].activation == activation


def test_a_subclass_loads_as_itself(path: Path) -> None:
    class Net(bp.Network):
        pass

    make_network().save(path)
    assert type(Net.load(path)) is Net


def test_the_library_of_that_name_reads_it(path: Path, dtype: str) -> None:
    trainer = make_trainer(dtype=dtype)
    history = trainer.fit(X, T, epochs=3, validation_data=(X, T))
    trainer.fit(X, T, epochs=2)
    trainer.save(path)
    tensors = load_file(path)
    for index, layer in enumerate(trainer.network.layers):
        assert_same_bits(tensors.pop(f"layers.{index}.w"), layer.w)
        assert_same_bits(tensors.pop(f"layers.{index}.b"), layer.b)
    assert tensors.pop("history.loss").tolist() == trainer.history.loss
    assert tensors.pop("history.val_loss")[:3].tolist() == history.val_loss
    assert {(array.dtype.name, array.shape) for array in tensors.values()} == {(dtype, (39,))}
    assert set(tensors) == {"optimizer.0", "optimizer.1"}


def test_a_trainer_comes_back(path: Path, dtype: str) -> None:
    trainer = make_trainer(bp.Adam(0.01, amsgrad=True), dtype, loss=bp.huber(0.5), shuffle=False)
    trainer.fit(X, T, epochs=2, validation_data=(X, T))
    trainer.fit(X, T, epochs=1)
    trainer.save(path)
    got = bp.Trainer.load(path)
    assert repr(got) == repr(trainer)
    assert (got.loss, got.optimizer) == (bp.huber(0.5), bp.Adam(0.01, amsgrad=True))
    assert repr(got.history.history) == repr(trainer.history.history), "nan where there was no validation"
    assert bp.Network.load(path).parameters.tobytes() == trainer.network.parameters.tobytes()


def test_a_trainer_without_a_step_comes_back(path: Path) -> None:
    for optimizer in OPTIMIZERS:
        trainer = make_trainer(optimizer)
        content = saved(trainer, path)
        assert saved(bp.Trainer.load(path), path) == content


@pytest.mark.parametrize(
    "name", sorted(file.name for file in FILES.glob("*.safetensors") if "population" not in file.name)
)
def test_files_of_each_format_stay_readable(name: str) -> None:
    """Those of the formats before, too: see tests/files/README.md."""
    tensors = load_file(FILES / name)
    net = bp.Network.load(FILES / name)
    assert net.sizes == (3, 4, 2)
    assert [layer.activation for layer in net.layers] == [bp.leaky_relu(0.2), "softmax"]
    assert [layer.trainable for layer in net.layers] == [True, True]
    for index, layer in enumerate(net.layers):
        assert_same_bits(layer.w, tensors[f"layers.{index}.w"])
        assert_same_bits(layer.b, tensors[f"layers.{index}.b"])
    if "trainer" not in name:
        return
    trainer = bp.Trainer.load(FILES / name)
    assert (trainer.loss, trainer.optimizer) == ("softmax_cross_entropy", bp.Adam(0.01))
    assert (trainer.batch_size, trainer.shuffle, trainer.seed) == (4, True, 2**64 - 1)
    assert (trainer.l1, trainer.l2, trainer.dropout, trainer.input_dropout) == (0.0, (1e-3, 1e-3), (0.25,), 0.0)
    assert (trainer.clip_value, trainer.clip_norm, trainer.max_norm) == (None, 10.0, None)
    assert trainer.schedule == bp.schedules.cosine(20)
    assert (trainer.epoch, trainer.step_count) == (2, 7), "inside the third epoch"
    assert list(trainer.history.history) == ["loss", "val_loss", "accuracy", "val_accuracy"]
    assert trainer.history.loss == tensors["history.loss"].tolist()
    trainer.fit(np.ones((10, 3)), np.arange(10) % 2, until_epoch=3)
    assert trainer.step_count == 9


def test_every_format_has_its_files() -> None:
    for version in range(1, io.VERSION + 1):
        for kind in ("network", "trainer", "population"):
            assert (FILES / f"format-{version}-{kind}.safetensors").is_file()


# --- resuming ---------------------------------------------------------------------------------------------------------

EPOCHS = 4


class Stopped(Exception):
    pass


class Stopping(bp.Trainer):
    """Ends its fit at the first checkpoint from a step on."""

    stop = 0

    def save(self, path: Any) -> None:
        super().save(path)
        if self.step_count >= self.stop:
            raise Stopped


def stopped_at(
    step: int, path: Path, optimizer: Any, dtype: str, options: dict[str, Any] | None = None, **arguments: Any
) -> None:
    """Leave a file of a trainer that did so many steps of a fit with these options."""
    net = bp.Network([5, 4, 3], "tanh", "logistic", seed=0, dtype=dtype)
    trainer = Stopping(net, optimizer=optimizer, **{"batch_size": 4, "seed": 7, **arguments})
    trainer.stop = step
    with pytest.raises(Stopped):
        trainer.fit(
            X, T, epochs=EPOCHS, validation_data=(X, T), checkpoint=path, checkpoint_every_steps=step, **options or {}
        )
    assert trainer.step_count == step


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_resumed_run_ends_in_the_same_bits(path: Path, optimizer: Any, dtype: str) -> None:
    """6 steps to an epoch: at its begin, inside, at its end. The whole file is compared: parameters, state, history."""
    undisturbed = make_trainer(optimizer, dtype)
    undisturbed.fit(X, T, epochs=EPOCHS, validation_data=(X, T))
    want = saved(undisturbed, path)
    for step in (1, 5, 6, 10):
        stopped_at(step, path, optimizer, dtype)
        resumed = bp.Trainer.load(path)
        assert (resumed.epoch, resumed.step_count) == (step // 6, step)
        resumed.fit(X, T, until_epoch=EPOCHS, validation_data=(X, T))
        assert saved(resumed, path) == want


@pytest.mark.parametrize("arguments", [{"shuffle": False}, {"batch_size": 1}, {"batch_size": 100}], ids=repr)
def test_plain_sgd_resumes_too(path: Path, arguments: dict[str, Any], dtype: str) -> None:
    """With a batch size of 1 in the loop for small networks."""
    undisturbed = make_trainer(bp.SGD(0.1), dtype, **arguments)
    undisturbed.fit(X, T, epochs=EPOCHS, validation_data=(X, T))
    want = saved(undisturbed, path)
    for step in (1, undisturbed.step_count // 2, undisturbed.step_count - 1):
        stopped_at(step, path, bp.SGD(0.1), dtype, **arguments)
        resumed = bp.Trainer.load(path)
        resumed.fit(X, T, until_epoch=EPOCHS, validation_data=(X, T))
        assert saved(resumed, path) == want


def rising(t: np.ndarray, a: np.ndarray) -> float:
    """A metric that is worst at the end of every run."""
    return float(np.abs(a - a.mean(axis=0)).sum())


CONTROLS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"l1": 0.001, "l2": [0.01, 0.0]}, {}),
    ({"dropout": 0.5, "input_dropout": 0.2}, {"sample_weight": np.linspace(0, 2, 23)}),
    ({"clip_value": 0.01, "clip_norm": 0.02, "max_norm": 0.5}, {}),
    ({"schedule": bp.schedules.one_cycle(EPOCHS)}, {"metrics": ["r2", rising]}),
    ({"schedule": bp.schedules.reduce_on_plateau(patience=0, min_delta=0.5)}, {"metrics": ["accuracy"]}),
    ({"schedule": "constant"}, {"early_stopping": bp.EarlyStopping("rising", 2, maximize=False), "metrics": [rising]}),
    ({}, {"early_stopping": bp.EarlyStopping(patience=None, restore_best=False, generalization_loss=50.0)}),
]


@pytest.mark.parametrize(("arguments", "options"), CONTROLS, ids=repr)
def test_a_run_resumes_with_all_that_controls_it(
    path: Path, arguments: dict[str, Any], options: dict[str, Any], dtype: str
) -> None:
    undisturbed = make_trainer(bp.SGD(0.05, momentum=0.9), dtype, **arguments)
    undisturbed.fit(X, T, epochs=EPOCHS, validation_data=(X, T), **options)
    want = saved(undisturbed, path)
    for step in (5, 6, 10, 13):
        stopped_at(step, path, bp.SGD(0.05, momentum=0.9), dtype, options, **arguments)
        resumed = bp.Trainer.load(path)
        assert all(getattr(resumed, name) == getattr(undisturbed, name) for name in arguments)
        resumed.fit(X, T, until_epoch=EPOCHS, validation_data=(X, T), **options)
        assert saved(resumed, path) == want


def test_early_stopping_goes_on_where_it_was(path: Path) -> None:
    """The metric is least after the second epoch: with a patience of 3 the fifth is the last, wherever it stopped."""
    values = [3.0, 1.0, 2.0, 2.0, 2.0, 0.0, 0.0]

    def value_from(epoch: int) -> Callable[..., float]:
        left = iter(values[epoch:])

        def value(t: np.ndarray, a: np.ndarray) -> float:
            return next(left)

        return value

    rule = bp.EarlyStopping("value", patience=3, maximize=False)
    undisturbed = make_trainer()
    undisturbed.fit(X, T, epochs=7, metrics=[value_from(0)], early_stopping=rule)
    assert undisturbed.epoch == 5
    for epoch in (1, 2, 3, 4):
        trainer = Stopping(make_trainer().network, optimizer="Adam", batch_size=4, seed=7)
        trainer.stop = 6 * epoch
        with pytest.raises(Stopped):
            trainer.fit(X, T, epochs=7, metrics=[value_from(0)], early_stopping=rule, checkpoint=path)
        trainer.stop = 10**9
        for resumed in (bp.Trainer.load(path), trainer):
            resumed.fit(X, T, until_epoch=7, metrics=[value_from(epoch)], early_stopping=rule)
            assert resumed.epoch == 5
            assert_same_bits(resumed.network.parameters, undisturbed.network.parameters)
            assert resumed.history.history == undisturbed.history.history
    other = bp.Trainer.load(path)
    other.fit(X, T, until_epoch=7, metrics=[value_from(4)], early_stopping=bp.EarlyStopping("value", patience=2))
    assert other.epoch == 7, "another rule begins anew"
    undisturbed.fit(X, T, until_epoch=7, metrics=[value_from(4)], early_stopping=rule)
    assert undisturbed.epoch == 7, "and so does any after a fit that has come to its end"


RESUME = """
    import sys
    from pathlib import Path
    import numpy as np
    import backpropc as bp

    threads, until_epoch = int(sys.argv[2]), int(sys.argv[3])
    bp.set_num_threads(threads)
    data = np.load(Path(sys.argv[1]) / "data.npz")
    for path in Path(sys.argv[1]).glob("*.safetensors"):
        trainer = bp.Trainer.load(path)
        trainer.fit(data["x"], data["t"], until_epoch=until_epoch)
        trainer.save(path)
"""


@pytest.mark.parametrize("isa", bp.available_isas())
@pytest.mark.parametrize("threads", [1, 3])
def test_another_process_resumes_with_other_threads_and_instructions(tmp_path: Path, isa: str, threads: int) -> None:
    """A batch of 128 at layers of 300 is enough for three threads."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(300, 20)).astype("float32"), rng.uniform(size=(300, 4)).astype("float32")
    np.savez(tmp_path / "data.npz", x=x, t=t)
    want = {}
    for index, optimizer in enumerate(OPTIMIZERS):
        net = bp.Network([20, 300, 4], "tanh", "logistic", seed=0)
        trainer = Stopping(net, optimizer=optimizer, batch_size=128, seed=1)
        trainer.stop, path = 4, tmp_path / f"{index}.safetensors"
        with pytest.raises(Stopped):
            trainer.fit(x, t, epochs=2, checkpoint=path, checkpoint_every_steps=4)
        trainer.stop = 10**9
        trainer.fit(x, t, until_epoch=3)
        want[path] = saved(trainer, tmp_path / "undisturbed")
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RESUME), tmp_path, str(threads), "3"],
        env={**os.environ, "BACKPROPC_ISA": isa},
        check=True,
        timeout=300,
    )
    assert [path.name for path in want if path.read_bytes() != want[path]] == []


def test_other_data_begin_a_new_epoch(path: Path) -> None:
    """As with the trainer that was saved."""
    stopped_at(8, path, "Adam", "float32")
    resumed = bp.Trainer.load(path)
    resumed.fit(X[:9], T[:9], epochs=1)
    assert (resumed.epoch, resumed.step_count) == (2, 11)


# --- checkpoints ------------------------------------------------------------------------------------------------------


class Recording(bp.Trainer):
    """Notes at which epochs and steps it was saved."""

    def save(self, path: Any) -> None:
        super().save(path)
        vars(self).setdefault("stops", []).append((self.epoch, self.step_count))


@pytest.mark.parametrize(
    ("every", "every_steps", "want"),
    [
        (1, None, [(1, 6), (2, 12), (3, 18), (4, 24), (5, 30)]),
        (2, None, [(2, 12), (4, 24), (5, 30)]),
        (None, 8, [(1, 8), (2, 16), (4, 24), (5, 30)]),
        (3, 7, [(1, 7), (2, 14), (3, 18), (3, 21), (4, 28), (5, 30)]),
        (None, None, [(5, 30)]),
        (10**30, 10**30, [(5, 30)]),
    ],
)
def test_when_a_fit_saves(path: Path, every: int | None, every_steps: int | None, want: list[tuple[int, int]]) -> None:
    """At the multiples of both counts since the trainer's birth, and at the end."""
    options: Any = {"checkpoint": path, "checkpoint_every": every, "checkpoint_every_steps": every_steps}
    trainer = Recording(make_trainer().network, optimizer="Adam", batch_size=4, seed=0)
    trainer.fit(X, T, epochs=5, **options)
    assert vars(trainer)["stops"] == want
    twin = make_trainer(seed=0)
    assert twin.fit(X, T, epochs=5).loss == trainer.history.loss
    assert_same_bits(trainer.network.parameters, twin.network.parameters)


def test_a_network_fit_saves_too(path: Path) -> None:
    net = make_network()
    net.fit(X, T, optimizer="Adam", epochs=3, checkpoint=path, checkpoint_every=2)
    assert_same_bits(bp.Trainer.load(path).network.parameters, net.parameters)


def test_ctrl_c_saves(path: Path) -> None:
    trainer = make_trainer(bp.SGD(1e-4, 0.5))
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(X, T, epochs=10**9, checkpoint=path, checkpoint_every=None)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert trainer.step_count > 0
    got = bp.Trainer.load(path)
    assert (got.epoch, got.step_count) == (trainer.epoch, trainer.step_count)
    assert_same_bits(got.network.parameters, trainer.network.parameters)


def test_what_a_checkpoint_must_be(tmp_path: Path) -> None:
    for options, error, match in (
        ({"checkpoint": 3}, TypeError, "checkpoint is 3; it must be a str or an os.PathLike"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every is 0; it must be at least 1"),
        ({"checkpoint_every_steps": 1.5}, TypeError, "checkpoint_every_steps is 1.5; it must be an integer"),
        ({"checkpoint": tmp_path / "none" / "file"}, FileNotFoundError, "none"),
        ({"checkpoint": tmp_path}, FileExistsError, "not a regular file"),
        (
            {"checkpoint": tmp_path / "file"},
            TypeError,
            "schedule is <function .*, which no file can hold; only numbers",
        ),
    ):
        trainer = make_trainer(schedule=(lambda epoch: 0.1) if "schedule" in match else None)
        with pytest.raises(error, match=match):
            trainer.fit(X, T, **options)
        assert trainer.step_count == 0, "before the training, not after it"


def test_kill_9_at_any_moment_leaves_a_file_that_resumes(path: Path) -> None:
    """A share of the 500 that `tests/faults/kills.py 500` does."""
    script = Path(__file__).resolve().parents[1] / "faults" / "kills.py"
    done = subprocess.run(
        [sys.executable, script, "40", path.parent], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("40 kills"), done.stdout


# --- faults while writing ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the new file is made: without a name, or where the system cannot do that, with one."""
    if request.param == "named":
        monkeypatch.setattr(_files, "_nameless_file", lambda folder: None)
    return str(request.param)


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    return fail


@contextlib.contextmanager
def files_of_at_most(n: int) -> Iterator[None]:
    """For the disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("function", "error", "old"),
    [
        ("fsync", errno.ENOSPC, b"old"),
        ("fsync", errno.ENOSPC, None),
        ("fsync", None, b"old"),
        ("fsync", None, None),
        ("replace", errno.EIO, b"old"),
        ("replace", errno.EIO, None),
        ("replace", None, b"old"),
        ("fchmod", errno.EPERM, b"old"),
    ],
)
def test_a_failed_write_leaves_what_was_there(
    path: Path, way: str, monkeypatch: pytest.MonkeyPatch, function: str, error: int | None, old: bytes | None
) -> None:
    """An error of the system, or Ctrl-C in the middle of it."""
    if old is not None:
        path.write_bytes(old)
    raised = KeyboardInterrupt() if error is None else OSError(error, os.strerror(error))
    monkeypatch.setattr(_files.os, function, raising(raised))
    with pytest.raises(type(raised)) as caught:
        make_network().save(path)
    monkeypatch.undo()
    assert [file.read_bytes() for file in path.parent.iterdir()] == ([] if old is None else [old])
    if isinstance(caught.value, OSError):
        assert str(path) in str(caught.value)


def test_a_file_is_on_the_disk_before_it_takes_the_name(path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the name is on the disk before `save` returns."""
    calls: list[tuple[str, bool]] = []

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            is_folder = isinstance(args[0], int) and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            calls.append((function.__name__, is_folder))
            return function(*args)

        return call

    for function in (os.fsync, os.replace):
        monkeypatch.setattr(_files.os, function.__name__, noting(function))
    make_network().save(path)
    assert calls == [("fsync", False), ("replace", False), ("fsync", True)]


def test_a_full_disk_leaves_the_checkpoint_before(path: Path, way: str) -> None:
    trainer = make_trainer()
    trainer.fit(X, T, checkpoint=path)
    before = path.read_bytes()
    with files_of_at_most(len(before) - 1), pytest.raises(OSError, match=path.name):
        trainer.fit(X, T, epochs=9, checkpoint=path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    trainer.fit(X, T, until_epoch=2)
    twin = make_trainer()
    twin.fit(X, T, epochs=2)
    assert_same_bits(trainer.network.parameters, twin.network.parameters)


KILLED = """
    import os, signal, sys
    import backpropc as bp

    os.fsync = lambda file: os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    bp.Network([3, 2], seed=0).save(sys.argv[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_process_killed_in_a_write_leaves_no_temporary_file(path: Path, name: str) -> None:
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), path, name], check=False, timeout=60)
    assert done.returncode == -getattr(signal, name)
    assert [file.read_bytes() for file in path.parent.iterdir()] == [b"old"]


def test_a_file_hands_on_its_permissions(path: Path, way: str) -> None:
    net, mask = make_network(), os.umask(0o027)
    try:
        net.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640, "as the umask says"
        path.chmod(0o604)
        net.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(mask)


def test_what_may_not_be_written_is_not_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser may write anything, hence the pretence."""
    make_network().save(path)
    before = path.read_bytes()
    for denied in (path, path.parent):
        monkeypatch.setattr(_files.os, "access", lambda there, mode, denied=denied: there != str(denied))
        with pytest.raises(PermissionError, match="No permission to write"):
            make_trainer().save(path)
    assert path.read_bytes() == before


def test_a_link_goes_on_to_lead_to_the_file(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path.name)
    make_network().save(link)
    assert link.is_symlink()
    assert not path.is_symlink()
    bp.Network.load(link)


def test_only_regular_files_are_replaced_and_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError, match="not a regular file"):
        make_network().save(pipe)
    with pytest.raises(FileExistsError, match="not a regular file"):
        make_network().save(tmp_path)
    with pytest.raises(FileNotFoundError):
        make_network().save(tmp_path / "none" / "file")
    with pytest.raises(ValueError, match="not a regular file"):
        bp.Network.load(pipe)
    with pytest.raises(IsADirectoryError):
        bp.Network.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        bp.Network.load(tmp_path / "none")


@pytest.mark.parametrize("load", [bp.Network.load, bp.Trainer.load, make_network().save, make_trainer().save])
def test_a_path_is_a_path(load: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"path is 3\.5; it must be a str or an os\.PathLike"):
        load(3.5)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
@pytest.mark.parametrize("load", [bp.Network.load, bp.Trainer.load, make_network().save, make_trainer().save])
def test_a_path_can_be_the_name_of_a_file(load: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(ValueError, match=r"^path is '.*', which is the name of no file$"):
        load(name)


def test_what_cannot_be_loaded_is_not_saved(path: Path) -> None:
    trainer = make_trainer()
    trainer.network.layers[1].w[0, 0] = np.nan
    for thing in (trainer, trainer.network):
        with pytest.raises(ValueError, match=r"layers\.1\.w has values that are not finite; parameters must be"):
            thing.save(path)
    with pytest.raises(ValueError, match=r"header would have .* bytes, for so many layers or columns; at most 1048576"):
        bp.Network([1] * 5000, seed=0).save(path)
    assert not path.exists()


def test_a_network_in_training_is_not_saved(path: Path) -> None:
    """What another thread would see is neither the step before nor the one after."""
    trainer, refused = make_trainer(bp.SGD(1e-6)), []

    def look(*_: object) -> None:
        for thing in (trainer, trainer.network):
            try:
                thing.save(path)
            except RuntimeError as error:
                refused.append(str(error))
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, look)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(X, T, epochs=10**9)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert len(refused) == 2
    assert "thread" in refused[0]
    assert not path.exists()


# --- files that are refused -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of a trainer inside its third epoch, with all that a file can have."""
    path = tmp_path_factory.mktemp("files") / "trainer"
    options = {"metrics": ["r2"], "early_stopping": bp.EarlyStopping()}
    stopped_at(14, path, "Adam", "float32", options, schedule=bp.schedules.cosine(20))
    return path.read_bytes()


def layer(**entries: Any) -> Callable[[bytes], bytes]:
    return configuration(lambda c: c["network"]["layers"][1].update(entries))


def gap(content: bytes) -> bytes:
    entries, data = parts(content)
    (last,) = (e for n, e in entries.items() if n != "__metadata__" and e["data_offsets"][1] == len(data))
    last["data_offsets"] = [last["data_offsets"][0] + 1, len(data) + 1]
    return whole(entries, data[:-2] + b"\0" + data[-2:])


def overlap(content: bytes) -> bytes:
    """Two tensors in one place, and no other sign of it: what follows has moved up."""
    entries, data = parts(content)
    begin, end = entries["optimizer.1"]["data_offsets"]
    assert entries["optimizer.0"]["data_offsets"][1] == begin
    for name, entry in entries.items():
        if name != "__metadata__" and entry["data_offsets"][0] >= begin:
            entry["data_offsets"] = [offset - (end - begin) for offset in entry["data_offsets"]]
    return whole(entries, data[:begin] + data[end:])


DEEP = 50_000
BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda c: b"", "it ends after 0 bytes, within its header"),
    "short length": (lambda c: c[:7], "it ends after 7 bytes, within its header"),
    "cut in the header": (lambda c: c[:100], "its header is said to have .* bytes, but the file has 100 in all"),
    "cut in the data": (lambda c: c[:-1], "its tensors take .* bytes; .* follow its header"),
    "trailing bytes": (lambda c: c + b"x", "its tensors take .* bytes; .* follow its header"),
    "huge header": (
        lambda c: b"\xff" * 8 + c[8:],
        "its header is said to have 18446744073709551615 bytes; at most 1048576",
    ),
    "large header": (
        lambda c: whole(text_of(c) + b" " * 2**20, parts(c)[1]),
        "its header is said to have .* bytes; at most 1048576 are read",
    ),
    "no brace": (
        lambda c: whole(b" " + text_of(c), parts(c)[1]),
        r"its header starts with b' '; it must start with b'\{'",
    ),
    "not UTF-8": (replaced(b"history.loss", b"history\xffloss"), "its header is not UTF-8"),
    "not JSON": (replaced(b'"shape"', b"'shape'"), "its header is not valid JSON"),
    "NaN": (replaced(b'"shape":[3', b'"shape":[NaN'), "NaN is not a number of JSON"),
    "minus zero": (replaced(b'"data_offsets":[0,', b'"data_offsets":[-0,'), "-0 is not an integer"),
    "nested": (lambda c: whole(b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", b""), "its header is nested too deeply"),
    "key twice": (replaced(b'"history.val_loss"', b'"history.loss"'), "the key 'history.loss' is repeated"),
    "key twice in an entry": (replaced(b'"shape"', b'"dtype"'), "the key 'dtype' is repeated"),
    "metadata": (header(lambda h: h.update(__metadata__=3)), "__metadata__ is 3; it must be an object of strings"),
    "metadata of numbers": (metadata(version=1), "it must be an object of strings"),
    "further metadata": (metadata(more=""), "its metadata have 'more', which does not belong there"),
    "no metadata": (header(lambda h: h.pop("__metadata__")), "its format is None; it must be 'backpropc'"),
    "other format": (metadata(format="pt"), "its format is 'pt'; it must be 'backpropc'"),
    "version of the future": (metadata(version="2"), "its version is 2; this backpropc reads up to 1: a newer one"),
    "version of nine digits": (metadata(version="9" * 9), "its version is 999999999; this backpropc reads up to 1"),
    "version of ten digits": (
        metadata(version="9" * 10),
        "its version is '9999999999'; it must be a number from 1 to 1",
    ),
    "version 0": (metadata(version="0"), "its version is '0'; it must be a number from 1 to 1"),
    "version 01": (metadata(version="01"), "its version is '01'"),
    "tensor missing": (header(lambda h: h.pop("layers.1.b")), "its tensors lack 'layers.1.b'"),
    "tensor too many": (header(lambda h: h.update(more=h["layers.1.b"])), "its tensors have 'more', which does not"),
    "tensor no object": (
        header(lambda h: h.update({"layers.0.b": []})),
        r"tensor layers\.0\.b is \[\]; it must have dtype",
    ),
    "tensor with more": (
        tensor("layers.0.b", more=1),
        r"tensor layers\.0\.b is .*; it must have dtype, shape and data_off",
    ),
    "dtype": (tensor("layers.0.b", dtype="F64"), r"tensor layers\.0\.b has dtype 'F64'; it must be F32"),
    "dtype unknown": (tensor("layers.0.b", dtype=["F32"]), r"tensor layers\.0\.b has dtype \['F32'\]; it must be F32"),
    "rank": (tensor("layers.0.b", shape=[4, 1]), r"tensor layers\.0\.b has shape \[4, 1\]; it must be \[4\]"),
    "shape": (tensor("layers.0.w", shape=[4, 5]), r"tensor layers\.0\.w has shape \[4, 5\]; it must be \[5, 4\]"),
    "shape of booleans": (tensor("layers.0.w", shape=[True, True]), "has shape"),
    "shape too large": (tensor("layers.0.w", shape=[2**62, 2**62]), "has shape"),
    "offsets": (
        tensor("layers.0.b", data_offsets=[0, 17]),
        r"tensor layers\.0\.b has data_offsets \[0, 17\]; they must be 16",
    ),
    "negative offsets": (tensor("layers.0.b", data_offsets=[-16, 0]), "has data_offsets"),
    "huge offsets": (tensor("layers.0.b", data_offsets=[2**64, 2**64 + 16]), "it must begin at"),
    "three offsets": (tensor("layers.0.b", data_offsets=[0, 16, 32]), "has data_offsets"),
    "gap": (gap, "it must begin at .*, where the one before it ends"),
    "overlap": (overlap, "it must begin at .*, where the one before it ends"),
    "parameter nan": (value_of("layers.0.w", np.nan), r"layers\.0\.w has values that are not finite"),
    "parameter infinite": (value_of("layers.1.b", -np.inf), r"layers\.1\.b has values that are not finite"),
    "state nan": (value_of("optimizer.0", np.nan), r"optimizer\.0 has values that are nan"),
    "validated": (within("standing", validated=3), "standing: validated is 3; it must be at most 2"),
    "configuration no JSON": (metadata(configuration="{"), "configuration is not valid JSON"),
    "configuration no object": (metadata(configuration="[1]"), r"configuration is \[1\]; it must be an object"),
    "configuration nested": (metadata(configuration="[" * DEEP), "configuration is nested too deeply"),
    "configuration lacks": (configuration(lambda c: c.pop("standing")), "configuration lack 'standing'"),
    "configuration has more": (configuration(lambda c: c.update(more=1)), "configuration have 'more'"),
    "no network": (configuration(lambda c: c.update(network=1)), "network is 1; it must be an object"),
    "network dtype": (within("network", dtype="f4"), "network: dtype is 'f4'; it must be one of: float32, float64"),
    "network of lists": (within("network", dtype=[]), "network: dtype is"),
    "no layers": (within("network", layers=[]), r"network: layers is \[\]; it must be a list of at least one"),
    "layers do not fit": (layer(fan_in=3), r"layers\[1\]: fan_in is 3; it must be 4"),
    "layer size": (layer(fan_out=0), "fan_out is 0; it must be at least 1"),
    "layer size no integer": (layer(fan_out=3.0), "fan_out is 3.0; it must be an integer"),
    "layer size huge": (layer(fan_out=10**30), r"tensor layers\.1\.w has shape"),
    "layer trainable": (layer(trainable=1), "trainable is 1; it must be True or False"),
    "layer with more": (layer(more=1), r"the keys of layers\[1\] have 'more'"),
    "activation unknown": (
        layer(activation="os.system"),
        "activation 'os.system' is unknown|activation is 'os.system'",
    ),
    "activation object": (layer(activation={"name": "os"}), "activation has the name 'os'; it must be one of"),
    "activation parameter": (layer(activation={"name": "elu", "command": 1}), "elu: .*command"),
    "activation number": (layer(activation=3), "activation is 3"),
    "loss": (within("trainer", loss="none"), "loss"),
    "optimizer null": (within("trainer", optimizer=None), "optimizer is None"),
    "optimizer range": (within("trainer", optimizer={"name": "Adam", "beta1": 2}), r"Adam: beta1 is 2\.0; it must be"),
    "optimizer too large": (within("trainer", optimizer={"name": "Adam", "learning_rate": 1e39}), "finite in float32"),
    "other optimizer": (within("trainer", optimizer="Adagrad"), r"its tensors have 'optimizer\.1'"),
    "seed null": (within("trainer", seed=None), "trainer: seed is None; it must be an integer"),
    "seed": (within("trainer", seed=2**64), "seed is 18446744073709551616; it must be at least 0 and below"),
    "batch size an object": (within("trainer", batch_size={}), r"batch_size is \{\}; it must not be an object"),
    "trainer lacks": (configuration(lambda c: c["trainer"].pop("seed")), "the keys of trainer lack 'seed'"),
    "trainer has more": (within("trainer", network="x"), "the keys of trainer have 'network'"),
    "epoch": (within("standing", epoch=3), r"tensor history\..* has shape \[2\]; it must be \[3\]"),
    "epoch huge": (within("standing", epoch=2**63), "standing: epoch is 9223372036854775808; it must be below"),
    "step count": (within("standing", step_count=-1), "standing: step_count is -1; it must be at least 0"),
    "digits": (within("standing", step_count=10**40), "an integer of 41 digits; at most 40 are read"),
    "most digits": (within("standing", step_count=10**39), "standing: step_count is 10000.*; it must be below 2"),
    "position": (within("standing", position=24), "standing: position is 24; it must be at most 23"),
    "position between steps": (within("standing", position=9), "position is 9; it must be a multiple of batch_size"),
    "epoch loss": (within("standing", epoch_loss="x"), "standing: epoch_loss is 'x'; it must be a real number"),
    "epoch loss infinite": (
        lambda c: replaced(b"12345.5", b"1e999")(within("standing", epoch_loss=12345.5)(c)),
        "standing: epoch_loss is inf, which no float64 is",
    ),
    "epoch loss of words": (within("standing", epoch_loss="-Inf"), "standing: epoch_loss is '-Inf'; it must be a real"),
    "schedule unknown": (
        within("trainer", schedule={"name": "Schedule"}),
        "schedule has the name 'Schedule'; it must be",
    ),
    "schedule parameter": (within("trainer", schedule={"name": "step", "every": 0}), "step: every is 0; it must be"),
    "schedule call": (within("trainer", schedule={"name": "step", "rate": 1}), "rate"),
    "schedule list": (within("trainer", schedule=[1]), r"schedule is \[1\]; it must be a callable"),
    "metrics": (configuration(lambda c: c.update(metrics={})), r"metrics is \{\}; it must be a list of names"),
    "metric twice": (configuration(lambda c: c.update(metrics=["a", "a"])), "the names must differ from each other"),
    "metric named loss": (configuration(lambda c: c.update(metrics=["val_loss", "r2"])), "the names must differ"),
    "metric unprintable": (configuration(lambda c: c.update(metrics=["\ud800", "r2"])), "it must be a list of names"),
    "metric missing": (configuration(lambda c: c["metrics"].pop()), r"its tensors have 'metrics\.1'"),
    "best missing": (within("early_stopping", has_best=False), r"its tensors have 'early_stopping\.best'"),
    "no best": (header(lambda h: h.pop("early_stopping.best")), r"its tensors lack 'early_stopping\.best'"),
    "best nan": (value_of("early_stopping.best", np.nan), r"early_stopping\.best has values that are not finite"),
    "early stopping gone": (configuration(lambda c: c.pop("early_stopping")), "its tensors have 'early_stopping"),
    "early stopping": (
        configuration(lambda c: c.update(early_stopping=1)),
        "early_stopping is 1; it must be an object",
    ),
    "monitor": (within("early_stopping", monitor=1), "early_stopping: monitor is 1; it must be a name"),
    "waited": (within("early_stopping", waited=-1), "early_stopping: waited is -1; it must be at least 0"),
    "least": (within("early_stopping", least=None), "least is None; it must be a real number"),
    "rule": (within("early_stopping", rule={}), "the keys of early_stopping: rule lack 'generalization_loss'"),
    "patience": (configuration(lambda c: c["early_stopping"]["rule"].update(patience=0)), "patience is 0; it must be"),
    "min_delta": (configuration(lambda c: c["early_stopping"]["rule"].update(min_delta=None)), "min_delta is None"),
    "maximize": (configuration(lambda c: c["early_stopping"]["rule"].update(maximize=1)), "maximize is 1; it must be"),
    "standing lacks": (configuration(lambda c: c["standing"].pop("position")), "the keys of standing lack 'position'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_not_ours_is_refused(path: Path, content: bytes, name: str) -> None:
    """With the file's name, what was found and what must be there. What the reference refuses is refused."""
    change, message = BAD[name]
    path.write_bytes(change(content))
    for load in (bp.Trainer.load, bp.Network.load):
        with pytest.raises(ValueError, match=f"(?s){path.name}' cannot be loaded: .*({message})"):
            load(path)


def test_the_file_they_are_made_of_is_good(path: Path, content: bytes) -> None:
    """And so is one whose header another program has written anew, or whose tensors stand in another order."""
    path.write_bytes(content)
    want = bp.Trainer.load(path)
    for change in (lambda h: None, lambda h: h.update(sorted(h.items()))):
        path.write_bytes(with_header(content, change))
        assert saved(bp.Trainer.load(path), path) == content
    assert want.step_count == 14


def test_a_network_is_no_trainer(path: Path) -> None:
    make_network().save(path)
    with pytest.raises(ValueError, match=r"it holds a network and no trainer: load it by backpropc\.Network\.load"):
        bp.Trainer.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (configuration(lambda c: c.update(more=1)), "the keys of configuration have 'more', which does not belong"),
        (configuration(lambda c: c.pop("network")), "the keys of configuration lack 'network'"),
    ],
)
def test_a_networks_file_has_a_network_and_no_more(path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    path.write_bytes(change(saved(make_network(), path)))
    with pytest.raises(ValueError, match=message):
        bp.Network.load(path)


@pytest.mark.parametrize("word", ["inf", "-inf"])
def test_an_infinite_number_keeps_its_sign(path: Path, content: bytes, word: str) -> None:
    path.write_bytes(within("standing", former_loss=word)(content))
    again = saved(bp.Trainer.load(path), path)
    assert f'former_loss\\":\\"{word}\\"'.encode() in again


def test_a_file_of_before_an_argument_of_the_trainer_gets_its_default(path: Path, content: bytes) -> None:
    def forget(c: dict[str, Any]) -> None:
        c["trainer"] = {name: c["trainer"][name] for name in (*io.REQUIRED, "schedule")}

    path.write_bytes(with_configuration(content, forget))
    assert saved(bp.Trainer.load(path), path) == content


MEMORY = """
    import sys
    import backpropc as bp

    def resident(most):
        name = "VmHWM" if most else "VmRSS"
        return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

    load = getattr(bp, sys.argv[2]).load
    bp.Network([1, 1], seed=0).save(sys.argv[1] + ".small")
    bp.Network.load(sys.argv[1] + ".small")
    open("/proc/self/clear_refs", "w").write("5")
    before = resident(False)
    try:
        thing = load(sys.argv[1])
    except ValueError as error:
        print(str(error)[:300], file=sys.stderr)
    print(resident(True) - before)
"""


def memory_to_load(path: Path, kind: str = "Network") -> int:
    """In bytes, beyond what a small network takes."""
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), str(path), kind]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def listed(item: bytes) -> bytes:
    """A header as long as is read, of a list of nothing else."""
    n = (_safetensors.HEADER_LIMIT - 10) // (len(item) + 1)
    return whole(b'{"a":[' + b",".join([item] * n) + b"]}", b"")


def named(item: bytes) -> bytes:
    """The same of an object under names of its own."""
    n = (_safetensors.HEADER_LIMIT - 10) // (len(item) + 9)
    return whole(b"{" + b",".join(b'"%05x":%b' % (i, item) for i in range(n)) + b"}", b"")


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "sizes that it does not have": layer(fan_out=10**6),
    "objects": lambda c: listed(b"{}"),
    "objects in objects": lambda c: listed(b'{"":{"":{}}}'),
    "lists in lists": lambda c: listed(b"[" * 900 + b"]" * 900),
    "names": lambda c: named(b"{}"),
    "tensors of nothing": lambda c: named(b'{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'),
    "layers": configuration(lambda c: c["network"].update(layers=c["network"]["layers"] * 5000)),
    "objects for layers": metadata(configuration='{"network":{"dtype":"float32","layers":[' + 300_000 * "{}," + "1]}}"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such account of a process's memory")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_takes_no_more_memory_than_is_said(path: Path, content: bytes, name: str) -> None:
    """The worst that one of its size can do, and those that promise what the file does not have."""
    path.write_bytes(HOSTILE[name](content))
    assert memory_to_load(path) <= OF_A_HEADER


OF_A_HEADER = 100 * 2**20
ALLOWANCE = 20 * 2**20  # for a header of many names, and for what the system gives in pages


def history_of(epochs: int, metrics: int) -> Callable[[bytes], bytes]:
    """Of a trainer's file, one that has come so far."""

    def change(content: bytes) -> bytes:
        header, data = parts(content)
        found = json.loads(header["__metadata__"]["configuration"])
        found["standing"].update(epoch=epochs, validated=epochs)
        found["metrics"] = [f"metric {i}" for i in range(metrics)]
        header["__metadata__"]["configuration"] = json.dumps(found)
        begin = min(entry["data_offsets"][0] for name, entry in header.items() if name.startswith(("layers", "opt")))
        kept = {name: entry for name, entry in header.items() if not name.startswith(("history", "metrics"))}
        columns = ["history.loss", "history.val_loss", *(f"metrics.{i}" for i in range(metrics))]
        end = 8 * epochs * len(columns)
        for name, entry in kept.items():
            if name != "__metadata__":
                entry["data_offsets"] = [offset - begin + end for offset in entry["data_offsets"]]
        for i, name in enumerate(columns):
            kept[name] = {"dtype": "F64", "shape": [epochs], "data_offsets": [8 * epochs * i, 8 * epochs * (i + 1)]}
        return whole(kept, np.ones(epochs * len(columns)).tobytes() + data[begin:])

    return change


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such account of a process's memory")
@pytest.mark.parametrize(("epochs", "metrics"), [(3_000_000, 0), (2_000_000, 1), (60_000, 100), (1000, 5000)])
def test_a_history_takes_at_most_twice_its_size(path: Path, content: bytes, epochs: int, metrics: int) -> None:
    path.write_bytes(history_of(epochs, metrics)(content))
    assert path.stat().st_size > 40_000_000
    assert memory_to_load(path, "Trainer") <= 2 * path.stat().st_size + ALLOWANCE
    trainer = bp.Trainer.load(path)
    assert trainer.history.loss == [1.0] * epochs
    assert len(trainer.history.history) == 2 + metrics


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such account of a process's memory")
def test_networks_of_a_population_take_little_more_each(path: Path) -> None:
    """The smallest there are, which have been in a run: what stands beside the numbers counts most."""
    population = bp.Population([1, 1], n=200_000, seed=0)
    population.fit(np.ones((1, 1)), np.ones((1, 1)), optimizer=bp.SGD(0.1))
    population.save(path)
    assert memory_to_load(path, "Population") <= 4 * path.stat().st_size + ALLOWANCE


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such account of a process's memory")
@pytest.mark.parametrize(
    ("n", "epochs", "metrics"), [(50_000, 1, 100), (100_000, 1, 1), (1000, 100, 50), (2, 500_000, 5)]
)
def test_a_populations_metrics_take_little_more_than_their_size(path: Path, n: int, epochs: int, metrics: int) -> None:
    population = bp.Population([1, 1], n=n, seed=0)
    population.fit(np.ones((1, 1)), np.ones((1, 1)), optimizer=bp.SGD(0.1))
    run = population._run
    assert run is not None
    states, names, tables = run.states, [f"metric {i}" for i in range(metrics)], np.ones((metrics, n, epochs))
    states.losses = states.val_losses = np.ones((n, epochs))
    states.epochs = np.full(n, epochs)
    states.metrics = Measured.of_members(names, tables, states.epochs)
    population.save(path)
    assert memory_to_load(path, "Population") <= 4 * path.stat().st_size + ALLOWANCE


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such account of a process's memory")
def test_parameters_take_their_size(path: Path) -> None:
    bp.Network([2000, 5000], seed=0).save(path)
    assert memory_to_load(path) <= path.stat().st_size + ALLOWANCE


def test_reading_is_the_references(content: bytes) -> None:
    """The reference can tell: it reads the good file, and refuses some of the others."""
    assert reference(content) is not None
    refused = [name for name, (change, _) in BAD.items() if reference(change(content)) is None]
    assert len(refused) >= 15


def test_a_header_as_long_as_is_read_is_written_and_none_longer(path: Path) -> None:
    """A file that could be written but not read again would be lost work."""
    empty = len(_safetensors.encode({"k": ""}, {})[1])
    fits = {"k": "v" * (_safetensors.HEADER_LIMIT - empty)}
    path.write_bytes(b"".join(_safetensors.encode(fits, {})))
    assert path.stat().st_size == 8 + _safetensors.HEADER_LIMIT
    with path.open("rb") as file:
        assert _safetensors.File(file).metadata == fits
    with pytest.raises(ValueError, match=rf"^the file's header would have {2**20 + 8} bytes.*; at most {2**20}$"):
        _safetensors.encode({"k": fits["k"] + 8 * "v"}, {})
