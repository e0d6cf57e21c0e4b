"""api.md, Trainer.fit: data larger than memory, as a numpy.memmap or batch by batch; the same bits as from an array."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits

SIZES = [5, 4, 3]
CROSS = "softmax_cross_entropy"


def data(n: int = 23) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 5)), rng.uniform(size=(n, 3))


X, T = data()
CLASSES = np.arange(23) % 3
WEIGHT = np.linspace(0, 2, 23)


class InBatches:
    """What a user writes: every `iter` begins a new pass. It counts its passes and the batches that it gave."""

    def __init__(self, *arrays: np.ndarray, size: int = 4) -> None:
        self.arrays, self.size, self.passes, self.given = arrays, size, 0, 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        self.passes += 1
        for at in range(0, len(self.arrays[0]), self.size):
            self.given += 1
            yield tuple(array[at : at + self.size] for array in self.arrays)


def make_trainer(optimizer: Any = "Adam", dtype: str = "float32", **arguments: Any) -> bp.Trainer:
    output = "softmax" if arguments.get("loss") == CROSS else "logistic"
    net = bp.Network(SIZES, "tanh", output, seed=0, dtype=dtype)
    return bp.Trainer(net, optimizer=optimizer, **{"batch_size": 4, "shuffle": False, "seed": 7, **arguments})


def assert_same_run(got: bp.Trainer, want: bp.Trainer) -> None:
    assert_same_bits(got.network.parameters, want.network.parameters)
    assert_same_bits(got._core.optimizer_state(), want._core.optimizer_state())
    assert (got.epoch, got.step_count) == (want.epoch, want.step_count)
    assert got.history.history == want.history.history


# --- the same bits as from an array -----------------------------------------------------------------------------------

RUNS: list[tuple[Any, dict[str, Any]]] = [
    (bp.SGD(0.1), {}),
    (bp.SGD(0.1, momentum=0.9, nesterov=True), {"l1": 1e-3, "l2": [0.01, 0.0]}),
    (bp.Adam(), {"dropout": 0.5, "input_dropout": 0.1}),
    (bp.Rprop(), {"clip_norm": 0.1, "max_norm": 1.0}),
    (bp.Quickprop(), {}),
    (bp.SGD(0.1), {"schedule": bp.schedules.step(1, 0.5)}),
    (bp.SGD(0.1), {"schedule": bp.schedules.reduce_on_plateau(patience=0, min_delta=0.5)}),
]


@pytest.mark.parametrize(("optimizer", "arguments"), RUNS, ids=repr)
@pytest.mark.parametrize("size", [1, 4, 23])
def test_batches_are_an_array_in_its_order(optimizer: Any, arguments: dict[str, Any], size: int, dtype: str) -> None:
    trainers = [make_trainer(optimizer, dtype, batch_size=size, **arguments) for _ in range(3)]
    validation = (X[:9], T[:9])
    trainers[0].fit(X, T, epochs=4, validation_data=validation)
    batches = InBatches(X, T, size=size)
    history = trainers[1].fit(batches, epochs=4, validation_data=validation)
    assert (batches.passes, history.epoch) == (4, [0, 1, 2, 3])
    for _ in range(4):
        trainers[2].fit(list(InBatches(X, T, size=size)), validation_data=validation)
    for trainer in trainers[1:]:
        assert_same_run(trainer, trainers[0])


def test_classes_and_weights(dtype: str) -> None:
    by_class = {0: 0.5, 2: 3.0}
    for options in ({}, {"class_weight": by_class}):
        trainers = [make_trainer(bp.SGD(0.5), dtype, loss=CROSS) for _ in range(2)]
        trainers[0].fit(X, CLASSES, epochs=3, sample_weight=WEIGHT, **options)
        trainers[1].fit(InBatches(X, CLASSES, WEIGHT), epochs=3, **options)
        assert_same_run(trainers[1], trainers[0])
    trainers = [make_trainer(bp.SGD(0.5), dtype, loss=CROSS) for _ in range(2)]
    trainers[0].fit(X, CLASSES, epochs=3, class_weight=by_class)
    trainers[1].fit(InBatches(X, CLASSES), epochs=3, class_weight=by_class)
    assert_same_run(trainers[1], trainers[0])


def test_a_batch_may_weigh_nothing() -> None:
    weight = WEIGHT.copy()
    weight[4:8] = 0
    trainers = [make_trainer(bp.SGD(0.5, momentum=0.5)) for _ in range(2)]
    trainers[0].fit(X, T, epochs=2, sample_weight=weight)
    trainers[1].fit(InBatches(X, T, weight), epochs=2)
    assert_same_run(trainers[1], trainers[0])
    with pytest.raises(ValueError, match="the weights of all batches sum to 0; they must sum to more"):
        make_trainer().fit(InBatches(X, T, 0 * weight), epochs=2)


def test_batches_of_any_sizes_and_types() -> None:
    """Lists, float64 for float32, Fortran order; a batch of one; the trainer's batch_size says nothing."""
    sizes = [1, 7, 2, 13]
    ends = np.cumsum(sizes)
    batches = [(X[end - n : end], T[end - n : end]) for n, end in zip(sizes, ends, strict=True)]
    trainer, twin = make_trainer(), make_trainer()
    trainer.fit([(np.asfortranarray(x), t.tolist()) for x, t in batches], epochs=2)
    for x, t in 2 * batches:
        twin.step(x, t)
    assert_same_bits(trainer.network.parameters, twin.network.parameters)
    assert trainer.step_count == 8


def test_network_fit_takes_batches() -> None:
    nets = [bp.Network(SIZES, "tanh", seed=0) for _ in range(2)]
    nets[0].fit(InBatches(X, T), optimizer="Adam", epochs=3)
    nets[1].fit(X, T, optimizer="Adam", epochs=3, batch_size=4, shuffle=False)
    assert_same_bits(nets[0].parameters, nets[1].parameters)


# --- what looks on ----------------------------------------------------------------------------------------------------


def every(steps: int, states: list[Any]) -> Callable[[bp.State], object]:
    def callback(state: bp.State) -> None:
        states.append((state.epoch, state.step, state.loss, state.val_loss))

    if steps:
        callback.every_steps = steps  # type: ignore[attr-defined]
    return callback


@pytest.mark.parametrize("steps", [0, 1, 4, 6, 7])
def test_callbacks_see_what_they_see_with_arrays(steps: int) -> None:
    """Also where the step is an epoch's last, and the epoch is complete."""
    seen: list[list[Any]] = [[], []]
    for x, t, states in ((X, T, seen[0]), (InBatches(X, T), None, seen[1])):
        make_trainer().fit(x, t, epochs=3, validation_data=(X, T), callbacks=[every(steps, states)])
    assert seen[0] == seen[1]
    assert len(seen[0]) == (18 // steps if steps else 3)


def test_a_stop_in_an_epoch_and_going_on() -> None:
    trainer, twin = make_trainer(), make_trainer()

    def stop(state: bp.State) -> bool:
        return state.step == 8

    stop.every_steps = 4  # type: ignore[attr-defined]
    trainer.fit(InBatches(X, T), epochs=3, callbacks=[stop])
    assert (trainer.epoch, trainer.step_count) == (1, 8)
    trainer.fit(InBatches(X, T), epochs=2)
    twin.fit(X, T, epochs=3)
    assert_same_run(trainer, twin)


def test_early_stopping(dtype: str) -> None:
    rule = bp.EarlyStopping(patience=2, min_delta=0.01)
    trainers = [make_trainer(bp.SGD(0.3), dtype) for _ in range(2)]
    trainers[0].fit(X, T, epochs=50, validation_data=(X[:9], T[:9]), early_stopping=rule)
    trainers[1].fit(InBatches(X, T), epochs=50, validation_data=(X[:9], T[:9]), early_stopping=rule)
    assert trainers[0].epoch < 50
    assert_same_run(trainers[1], trainers[0])


def test_validation_data_may_come_in_batches() -> None:
    """Of two batches too, which is not the pair (x, t). Its sum is grouped otherwise, hence the last digits."""
    want = make_trainer().fit(X, T, epochs=3, validation_data=(X[:8], T[:8])).val_loss
    for held_out in (InBatches(X[:8], T[:8], size=3), list(InBatches(X[:8], T[:8])), tuple(InBatches(X[:8], T[:8]))):
        history = make_trainer().fit(InBatches(X, T), epochs=3, validation_data=held_out)
        np.testing.assert_allclose(history.val_loss, want, rtol=16 * np.finfo(float).eps)
    one_pass = make_trainer().fit(InBatches(X, T), validation_data=iter(InBatches(X[:8], T[:8])))
    assert one_pass.val_loss == history.val_loss[:1]


def test_metrics_are_of_validation_data_in_arrays() -> None:
    trainers = [make_trainer() for _ in range(2)]
    want = trainers[0].fit(X, T, epochs=2, validation_data=(X[:9], T[:9]), metrics=["r2"]).history
    got = trainers[1].fit(InBatches(X, T), epochs=2, validation_data=(X[:9], T[:9]), metrics=["r2"]).history
    assert got == {name: want[name] for name in ("loss", "val_loss", "val_r2")}
    for held_out in (None, InBatches(X, T)):
        with pytest.raises(ValueError, match=r"metrics is \['r2'\], but the data come in batches"):
            make_trainer().fit(InBatches(X, T), validation_data=held_out, metrics=["r2"])


# --- resuming ---------------------------------------------------------------------------------------------------------


class Stopped(Exception):
    pass


class Stopping(bp.Trainer):
    """Ends its fit at the first checkpoint from a step on."""

    stop = 0

    def save(self, path: Any) -> None:
        super().save(path)
        if self.step_count >= self.stop:
            raise Stopped


@pytest.mark.parametrize("optimizer", [bp.SGD(0.1), bp.Adam(), bp.Rprop()], ids=repr)
@pytest.mark.parametrize("size", [3, 4])
def test_a_resumed_run_ends_in_the_same_bits(optimizer: Any, size: int, dtype: str, tmp_path: Path) -> None:
    """At any step of an epoch, with dropout; the trainer's batch_size says nothing of the batches."""
    path, options = tmp_path / "run.safetensors", {"validation_data": (X, T)}
    undisturbed = make_trainer(optimizer, dtype, dropout=0.25)
    undisturbed.fit(InBatches(X, T, size=size), epochs=3, **options)
    undisturbed.save(path)
    want = path.read_bytes()
    for step in (1, 5, 6, 8, 13):
        trainer = Stopping(make_trainer(dtype=dtype).network, dropout=0.25, **settings_of(undisturbed))
        trainer.stop = step
        with pytest.raises(Stopped):
            trainer.fit(InBatches(X, T, size=size), epochs=3, checkpoint=path, checkpoint_every_steps=step, **options)
        resumed, batches = bp.Trainer.load(path), InBatches(X, T, size=size)
        assert resumed.step_count == step
        resumed.fit(batches, until_epoch=3, **options)
        assert batches.passes == 3 - step // -(-23 // size)
        resumed.save(path)
        assert path.read_bytes() == want


def settings_of(trainer: bp.Trainer) -> dict[str, Any]:
    return {name: getattr(trainer, name) for name in ("optimizer", "batch_size", "shuffle", "seed")}


def interrupted() -> bp.Trainer:
    """A trainer that has done two of six steps of its epoch, eight samples."""
    trainer = make_trainer()
    broken = [*list(InBatches(X, T))[:2], (X[:4] * np.nan, T[:4])]
    with pytest.raises(ValueError, match=r"batch 2: x\[0, 0\] is nan; inputs must be finite numbers"):
        trainer.fit(broken)
    assert (trainer.epoch, trainer.step_count) == (0, 2)
    return trainer


def test_an_error_in_a_batch_leaves_the_last_whole_step() -> None:
    trainer, twin = interrupted(), make_trainer()
    trainer.fit(InBatches(X, T))
    twin.fit(X, T)
    assert_same_run(trainer, twin)


def test_other_batches_after_an_interruption() -> None:
    with pytest.raises(ValueError, match="batch 1 is of samples 5 to 9, but the epoch was interrupted after 8; the"):
        interrupted().fit(InBatches(X, T, size=5))
    with pytest.raises(ValueError, match="the batches have 4 samples, but the epoch was interrupted after 8; they"):
        interrupted().fit(InBatches(X[:4], T[:4]))
    array = interrupted()
    array.fit(X, T)
    assert (array.epoch, array.step_count) == (1, 8), "an array begins the epoch anew"


def test_an_epoch_begun_on_an_array_ends_where_batches_begin() -> None:
    trainer, twin = make_trainer(), make_trainer()

    def stop(state: bp.State) -> bool:
        return True

    stop.every_steps = 2  # type: ignore[attr-defined]
    for each in (trainer, twin):
        each.fit(X, T, callbacks=[stop])
    trainer.fit(InBatches(X, T))
    for x, t in InBatches(X, T):
        twin.step(x, t)
    assert_same_bits(trainer.network.parameters, twin.network.parameters)
    assert (trainer.epoch, trainer.step_count) == (1, 8)


INTERRUPTED = """
    import time
    import numpy as np, backpropc as bp
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(5000, 20)).astype("float32"), rng.uniform(size=(5000, 3)).astype("float32")
    batches = [(x[i:i + 50], t[i:i + 50]) for i in range(0, 5000, 50)]
    net = bp.Network([20, 20, 3], "tanh", seed=0)
    trainer = bp.Trainer(net, optimizer=bp.SGD(0.01))
    print("ready", flush=True)
    try:
        trainer.fit(batches, epochs=10**6)
    except KeyboardInterrupt:
        trainer.fit(batches)
        twin = bp.Network([20, 20, 3], "tanh", seed=0)
        twin.fit(x, t, optimizer=bp.SGD(0.01), batch_size=50, shuffle=False, epochs=trainer.epoch)
        print((net.parameters == twin.parameters).all() and trainer.step_count == 100 * trainer.epoch, flush=True)
"""


def test_ctrl_c_and_going_on_are_the_same_bits() -> None:
    for delay in (0.05, 0.2, 0.5):
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(INTERRUPTED)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            threading.Event().wait(delay)
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == b"True\n"
            assert process.wait(60) == 0


# --- refusals ---------------------------------------------------------------------------------------------------------


def once() -> Iterator[tuple[np.ndarray, ...]]:
    return iter(InBatches(X, T))


WRONG: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (
        once,
        {"epochs": 2},
        TypeError,
        "x is <generator .*>, an iterator, which can be gone through only once; each of",
    ),
    (lambda: zip(X, T, strict=True), {"epochs": 3}, TypeError, "x is <zip .*>, an iterator"),
    (
        lambda: X,
        {},
        TypeError,
        r"x is an array of shape \(23, 5\), and there is no t: it must be an iterable",
    ),
    (lambda: 3, {}, TypeError, "x is 3, and there is no t"),
    (lambda: None, {}, TypeError, "x is None, and there is no t"),
    (lambda: "abc", {}, TypeError, "x is 'abc', and there is no t"),
    (list, {}, ValueError, "there is no batch 0; every pass must give at least one batch"),
    (
        lambda: [X],
        {},
        TypeError,
        r"batch 0 is an array of shape \(23, 5\); it must be a tuple \(x, t\) or \(x",
    ),
    (lambda: [(X, T), (X,)], {}, TypeError, r"batch 1 is \(array.*; it must be a tuple"),
    (lambda: [(X, T), (X[:, :3], T)], {}, ValueError, r"batch 1: x has shape \(23, 3\); it must be \(n, 5\)"),
    (lambda: [(X[0], T[0])], {}, ValueError, r"batch 0: x has shape \(5,\); it must be \(n, 5\)$"),
    (lambda: [(X, T), (X[:0], T[:0])], {}, ValueError, "batch 1: x has no samples"),
    (lambda: [(X, T[:5])], {}, ValueError, r"batch 0: t has shape \(5, 3\); it must be \(23, 3\)"),
    (lambda: [(X + 0j, T)], {}, TypeError, "batch 0: x has dtype complex128; it must hold real numbers"),
    (lambda: [(X, T * np.inf)], {}, ValueError, r"batch 0: t\[0, 0\] is inf; targets must be finite numbers"),
    (lambda: [(X, T, -WEIGHT)], {}, ValueError, r"batch 0: weight\[1\] is -.*; weights must be at least 0 and finite"),
    (lambda: [(X, T, WEIGHT[:3])], {}, ValueError, r"batch 0: weight has shape \(3,\); it must be \(23,\)"),
    (
        lambda: [(X, T)],
        {"sample_weight": WEIGHT},
        ValueError,
        r"sample_weight is given, .*; give each as \(x",
    ),
    (
        lambda: [(X, T)],
        {"class_weight": "balanced"},
        ValueError,
        "class_weight is 'balanced', but the data come",
    ),
    (lambda: [(X, T)], {"validation_data": 3}, TypeError, r"validation_data must be a pair of arrays, \(x, t\)"),
    (
        lambda: [(X, T)],
        {"validation_data": once(), "epochs": 2},
        TypeError,
        "validation_data is <generator .*>, an",
    ),
    (
        lambda: [(X, T)],
        {"validation_data": [(X, T), (X[:, :2], T)]},
        ValueError,
        "validation_data: batch 1: x has",
    ),
]


@pytest.mark.parametrize(("make", "options", "error", "message"), WRONG)
def test_what_does_not_fit_is_refused(make: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_trainer().fit(make(), **options)


def test_one_epoch_may_come_from_a_generator() -> None:
    trainer, twin = make_trainer(), make_trainer()
    trainer.fit(once())
    twin.fit(X, T)
    assert_same_run(trainer, twin)


@pytest.mark.parametrize("name", ["LBFGS", "LevenbergMarquardt"])
def test_methods_that_take_all_samples_need_arrays(name: str) -> None:
    with pytest.raises(ValueError, match=rf"optimizer is {name}\(\), each step of which takes all samples; it needs x"):
        make_trainer(name).fit(InBatches(X, T))


def test_an_error_of_the_iterable_reaches_the_caller() -> None:
    def broken() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield X, T
        raise OSError("the disk is gone")

    trainer = make_trainer()
    with pytest.raises(OSError, match="the disk is gone"):
        trainer.fit(broken())
    assert trainer.step_count == 1


# --- memory -----------------------------------------------------------------------------------------------------------

MEMORY = """
    import sys
    import numpy as np, backpropc as bp

    def peak():
        # Of the address space, in bytes: a file that is mapped counts in full, before as well as after.
        with open("/proc/self/status") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmPeak"))

    kind, folder = sys.argv[1:]
    bp.set_num_threads(1)
    rows, columns, size = 64 * 1024, 512, 1024
    net = bp.Network([columns, 8, 4], "tanh", "softmax", seed=0)
    options = dict(loss="softmax_cross_entropy", optimizer=bp.Adam())

    class Batches:
        def __iter__(self):
            rng = np.random.default_rng(0)
            return ((rng.random((size, columns), "float32"), np.zeros(size, int)) for _ in range(rows // size))

    net.fit(*next(iter(Batches())), **options)
    net.fit([next(iter(Batches()))], validation_data=[next(iter(Batches()))], **options)
    x = np.memmap(folder + "/x", "float32", "w+", shape=(rows, columns))
    t = np.memmap(folder + "/t", "int64", "w+", shape=(rows,))
    before = peak()
    if kind == "batches":
        net.fit(Batches(), epochs=2, validation_data=Batches(), **options)
    elif kind == "copy":
        net.fit(x.astype("float32"), t, **options)
    else:
        net.fit(x, t, epochs=2, shuffle=kind == "shuffled", seed=0, validation_data=(x, t), **options)
    print(peak() - before)
"""


def memory(kind: str, folder: Path) -> int:
    """How much a fit of 128 MiB of float32 adds to the address space, in bytes."""
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), kind, str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="it is measured by Linux's /proc")
def test_memory_beyond_the_data_is_a_few_batches(tmp_path: Path) -> None:
    """Of 64 batches; with what the allocator keeps of those it has freed. A copy of all would be seen."""
    batch, order = 1024 * 512 * 4, 64 * 1024 * 8
    grown = {kind: memory(kind, tmp_path) for kind in ("memmap", "shuffled", "batches", "copy")}
    assert grown["memmap"] <= 4 * batch
    assert grown["shuffled"] <= 4 * batch + order
    assert grown["batches"] <= 8 * batch
    assert grown["copy"] >= 64 * batch


# --- numbers that go wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["raise", "warn", "ignore"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_numbers_that_go_wrong(policy: str, shuffle: bool) -> None:
    """The third step's loss is infinite: not taken, or taken all the same, as with an array."""
    t = T.copy()
    t[9] = 1e30
    trainers = [make_trainer(bp.SGD(0.1), on_nonfinite=policy, shuffle=shuffle and i == 1) for i in range(2)]
    for trainer, x, targets in ((trainers[0], X, t), (trainers[1], InBatches(X, t), None)):
        if policy == "raise":
            with pytest.raises(FloatingPointError, match="the loss is inf in epoch 1, step 3"):
                trainer.fit(x, targets)
            assert (trainer.epoch, trainer.step_count) == (0, 2)
        elif policy == "warn":
            with pytest.warns(RuntimeWarning, match="the loss is inf in epoch 1, step 3"):
                trainer.fit(x, targets)
        else:
            trainer.fit(x, targets)
    assert_same_bits(trainers[1].network.parameters, trainers[0].network.parameters)
    assert trainers[1].step_count == trainers[0].step_count
    if policy == "raise":
        trainers[1].fit(InBatches(X, T))
        trainers[0].fit(X, T)
        assert_same_bits(trainers[1].network.parameters, trainers[0].network.parameters)
