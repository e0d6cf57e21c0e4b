"""Every allocation of a call fails in turn, those of Python, NumPy and the core alike.

To be run with refusing_malloc.cpp loaded before Python and PYTHONMALLOC=malloc, by test_memory.py:

    python memory.py SCENE REFUSED     how many allocations fail one after the other

Each call must do without the memory or raise MemoryError; it leaves what it was given as it was, or between two whole
steps, and succeeds when it is made again. Prints how many calls failed; on standard error, what went wrong.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import backpropc as bp

X = np.random.default_rng(0).normal(size=(12, 6)).astype("float32")
T = np.random.default_rng(1).uniform(size=(12, 3)).astype("float32")
EPOCHS = 2


class Trial(NamedTuple):
    """A call whose allocations fail."""

    call: Callable[[], Any]
    holds: Callable[[], bool]  # whether all is well after it has failed
    ends: Callable[[], bool]  # whether it then does what it should


def make(**options: Any) -> bp.Trainer:
    net = bp.Network([6, 8, 3], "tanh", "logistic", seed=0)
    return bp.Trainer(net, optimizer=bp.Adam(0.01), batch_size=5, seed=3, **options)


def bits(thing: bp.Network | bp.Trainer) -> bytes:
    net = thing.network if isinstance(thing, bp.Trainer) else thing
    return net.parameters.tobytes()


# --- scenes -----------------------------------------------------------------------------------------------------------


def reading(call: Callable[[bp.Network], Any]) -> Callable[[], Trial]:
    """Of a call that changes nothing and returns arrays or a number."""

    def as_bytes(result: Any) -> bytes:
        if isinstance(result, tuple):
            return b"".join(map(as_bytes, result))
        return np.asarray(result).tobytes() if isinstance(result, (np.ndarray, float, np.floating)) else b""

    net = bp.Network([6, 8, 3], "tanh", "logistic", seed=0)
    before, want = bits(net), as_bytes(call(net))

    def trial() -> Trial:
        return Trial(lambda: call(net), lambda: bits(net) == before, lambda: as_bytes(call(net)) == want)

    return trial


def step() -> Callable[[], Trial]:
    twin = make()
    before = bits(twin)
    twin.step(X, T)
    want = bits(twin)

    def trial() -> Trial:
        trainer = make()

        def holds() -> bool:
            return (trainer.step_count, bits(trainer)) in ((0, before), (1, want))

        def ends() -> bool:
            if trainer.step_count == 0:
                trainer.step(X, T)
            return bits(trainer) == want

        return Trial(lambda: trainer.step(X, T), holds, ends)

    return trial


def update() -> Callable[[], Trial]:
    twin = make().network
    before = bits(twin)
    twin.update(X, T, 0.1)
    want = bits(twin)

    def trial() -> Trial:
        net = make().network

        def ends() -> bool:
            if bits(net) == before:
                net.update(X, T, 0.1)
            return bits(net) == want

        return Trial(lambda: net.update(X, T, 0.1), lambda: bits(net) in (before, want), ends)

    return trial


def fit(folder: Path | None = None, metrics: tuple[str, ...] = (), **options: Any) -> Callable[[], Trial]:
    """With all that looks on; where there is a folder, with a checkpoint in it."""
    after: dict[int, bytes] = {}

    def note(state: bp.State) -> None:
        after[state.step] = bits(state.network)

    note.every_steps = 1  # type: ignore[attr-defined]
    looks_on: dict[str, Any] = {"validation_data": (X[:4], T[:4]), "metrics": metrics, "callbacks": [lambda s: None]}
    whole = make(**options)
    after[0] = bits(whole)
    whole.fit(X, T, epochs=EPOCHS, **{**looks_on, "callbacks": [note]})
    losses = whole.history.loss
    path = None if folder is None else folder / "run"

    def trial() -> Trial:
        trainer = make(**options)
        for left in () if folder is None else folder.iterdir():
            left.unlink()

        def call() -> None:
            trainer.fit(X, T, until_epoch=EPOCHS, checkpoint=path, **looks_on)

        def holds() -> bool:
            files = [] if folder is None else list(folder.iterdir())
            in_file = [bp.Trainer.load(file) for file in files]
            return (
                bits(trainer) == after[trainer.step_count]
                and len(trainer.history.loss) == trainer.epoch
                and files in ([], [path])
                and all(bits(saved) == after[saved.step_count] for saved in in_file)
            )

        def ends() -> bool:
            call()
            return bits(trainer) == after[max(after)] and trainer.history.loss == losses

        return Trial(call, holds, ends)

    return trial


def save_and_load(folder: Path) -> Callable[[], Trial]:
    old, new, path = make(), make(), folder / "file"
    new.step(X, T)

    def trial() -> Trial:
        for left in folder.iterdir():
            left.unlink()
        old.save(path)

        def call() -> bp.Trainer:
            new.save(path)
            return bp.Trainer.load(path)

        def holds() -> bool:
            return list(folder.iterdir()) == [path] and bits(bp.Trainer.load(path)) in (bits(old), bits(new))

        return Trial(call, holds, lambda: bits(call()) == bits(new))

    return trial


def making() -> Callable[[], Trial]:
    want = bits(make())
    return lambda: Trial(make, lambda: True, lambda: bits(make()) == want)


def of_functions(net: bp.Network) -> tuple[Any, ...]:
    layer = net.layers[0]
    z, a = bp.dense_forward(X, layer.w, layer.b, "tanh")
    back = bp.dense_backward(a, X, layer.w, z, a, "tanh")
    targets = np.clip(a, 0, 1)
    loss = bp.loss_value("huber", a, targets), bp.loss_gradient("huber", a, targets)
    return z, a, tuple(back), *loss, bp.activate("gelu", z), bp.activation_derivative("gelu", z)


OWN = bp.Activation(np.tanh, lambda z: 1 - np.tanh(z) ** 2, "own")
SCENES: dict[str, Callable[[Path], Callable[[], Trial]]] = {
    "step": lambda folder: step(),
    "update": lambda folder: update(),
    "fit": lambda folder: fit(),
    "fit with dropout and bounds": lambda folder: fit(dropout=0.3, l2=0.01, clip_norm=0.5, max_norm=1.0),
    "making": lambda folder: making(),
    "predict": lambda folder: reading(lambda net: net.predict(X)),
    "loss, gradients, trace": lambda folder: reading(
        lambda net: (net.loss(X, T), net.gradients(X, T).layers[0].dw, *net.trace(X, T).delta)
    ),
    "copy": lambda folder: reading(lambda net: net.copy().parameters),
    "functions": lambda folder: reading(of_functions),
    "own functions": lambda folder: reading(lambda net: bp.Network([6, 3], OWN, seed=0).gradients(X, T).layers[0].dw),
    "fit with metrics": lambda folder: fit(metrics=("r2",)),
    "fit with a checkpoint": fit,
    "save and load": save_and_load,
}
# Much of what these do is done by NumPy and by Python's library, some of whose functions raise SystemError or TypeError
# where there is no memory. Nothing may be lost there either.
WORDED_BY_OTHERS = {"fit with metrics", "fit with a checkpoint", "save and load"}


# --- the loop ---------------------------------------------------------------------------------------------------------


def outcome_of(
    call: Callable[[], Any], allocator: ctypes.CDLL, granted: int, refused: int
) -> tuple[BaseException | None, bool]:
    """Return what the call raised, and whether more than so many allocations were made at all."""
    failure = None
    allocator.refuse(granted, refused)
    try:
        call()
    except BaseException as error:
        failure = error
    asked = 0
    while True:
        try:
            asked = asked or allocator.asked()
            allocator.refuse(0, 0)
            return failure, asked > granted
        except MemoryError:  # still refused
            continue


def main(name: str, refused: int) -> int:
    allocator = ctypes.CDLL(None)
    with tempfile.TemporaryDirectory() as folder:
        trial_of = SCENES[name](Path(folder))
        outcomes: Counter[str] = Counter()
        wrong: list[str] = []
        granted, reached = 0, True
        gc.disable()  # that a collection comes at the same place in each turn
        while reached:
            trial = trial_of()
            failure, reached = outcome_of(trial.call, allocator, granted, refused)
            outcomes[type(failure).__name__] += 1
            where = f"{name}: after {granted} allocations"
            expected = Exception if name in WORDED_BY_OTHERS else MemoryError
            if failure is not None and not isinstance(failure, expected):
                wrong.append(f"{where}: {failure!r}")
            if not trial.holds():
                wrong.append(f"{where}: something is lost")
            if not trial.ends():
                wrong.append(f"{where}: the next call does something else")
            failure = trial = None  # type: ignore[assignment]
            granted += 1
            if granted % 100 == 0:
                gc.collect()
    print(*(f"{count} {kind}" for kind, count in sorted(outcomes.items())))
    print(*wrong[:10], sep="\n", file=sys.stderr)
    return 1 if wrong or outcomes["MemoryError"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
