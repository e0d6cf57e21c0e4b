"""Numbers that go wrong: what is named, what is left, and what a user may choose instead."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, divide_penalties_by_batch

# Each adds about a seventh of `height` to a bias whose gradient is always −1.
OPTIMIZERS: dict[str, Callable[[float], Any]] = {
    "sgd": lambda height: bp.SGD(height / 7.5),
    "momentum": lambda height: bp.SGD(height / 30, momentum=0.5),
    "nesterov": lambda height: bp.SGD(height / 30, momentum=0.5, nesterov=True),
    "rmsprop": lambda height: bp.RMSprop(height / 60),
    "adagrad": lambda height: bp.Adagrad(height / 4),
    "adam": lambda height: bp.Adam(height / 7.5 / 11),
    "amsgrad": lambda height: bp.Adam(height / 7.5 / 11, amsgrad=True),
    "adamw": lambda height: bp.AdamW(height / 7.5 / 11, weight_decay=0.0),
    "rprop": lambda height: bp.Rprop(initial_step=height / 20, max_step=height),
    "quickprop": lambda height: bp.Quickprop(height / 40, weight_decay=0.0),
}


def largest(dtype: str) -> float:
    return float(np.finfo(dtype).max)


def height(dtype: str) -> float:
    """How far a climber is below what no number can reach."""
    return largest(dtype) / 4


def climber(dtype: str, frozen: int) -> bp.Network:
    """Two identity layers, of which one is frozen and the other adds a bias, three quarters of the largest number."""
    net = bp.Network([1, 1, 1], "identity", seed=0, dtype=dtype, initializer="zeros")
    net.layers[1].w[...] = 1
    net.layers[frozen].trainable = False
    net.layers[1 - frozen].b[...] = 3 * height(dtype)
    return net


def climb(dtype: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets out of reach: the gradient of the mean absolute error stays −1."""
    return np.zeros((n, 1), dtype), np.full((n, 1), largest(dtype), dtype)


def last_finite(trainer: bp.Trainer, batches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[int, bytes, str]:
    """Take steps on these batches, over and over, until a parameter is not finite.

    Return that step's number, the parameters before it and the parameter's name.
    """
    net = trainer.network
    for step in range(1, 100_000):
        before = net.parameters.copy()
        trainer.step(*batches[(step - 1) % len(batches)])
        for name, array in (
            (f"layers[{i}].{n}", getattr(layer, n)) for i, layer in enumerate(net.layers) for n in "wb"
        ):
            if not np.isfinite(array).all():
                return step, before.tobytes(), name
    raise AssertionError("nothing overflowed")


@pytest.mark.parametrize("frozen", [0, 1])
@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_that_overflows_ends_the_run_at_the_step_before(
    name: str, batch_size: int, frozen: int, dtype: str
) -> None:
    optimizer, (x, t) = OPTIMIZERS[name](height(dtype)), climb(dtype, 6)
    options: Any = {"loss": "mean_absolute_error", "optimizer": optimizer, "batch_size": batch_size, "shuffle": False}
    reference = bp.Trainer(climber(dtype, frozen), on_nonfinite="ignore", **options)
    batches = [(x[at : at + batch_size], t[at : at + batch_size]) for at in range(0, 6, batch_size)]
    step, before, parameter = last_finite(reference, batches)
    per_epoch = len(batches)
    net = climber(dtype, frozen)
    trainer = bp.Trainer(net, **options)
    epoch = (step - 1) // per_epoch + 1
    message = (
        re.escape(parameter) + rf"\[[0, ]+\] is inf in epoch {epoch}, step {step}; it must be finite\. Most often .*"
    )
    with pytest.raises(FloatingPointError, match=message + r"The network is as it was before that step"):
        trainer.fit(x, t, epochs=100)
    assert net.parameters.tobytes() == before
    assert (trainer.step_count, trainer.epoch, len(trainer.history.loss)) == (step - 1, epoch - 1, epoch - 1)
    with pytest.raises(FloatingPointError, match=rf"is inf in epoch {epoch}, step {step};"):
        trainer.fit(x, t)
    assert net.parameters.tobytes() == before


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("batch_size", "steps"), [(1, 10_000), (3, 4000)])
def test_the_step_is_found_far_into_a_run(batch_size: int, steps: int, shuffle: bool, dtype: str) -> None:
    """Beyond several stretches, which end within epochs and go over their ends."""
    x, t = climb(dtype, 8)
    options: Any = {"loss": "mean_absolute_error", "optimizer": bp.SGD(height(dtype) / (steps + 0.5))}
    options.update(batch_size=batch_size, shuffle=shuffle, seed=1)
    per_epoch = -(-8 // batch_size)
    net, twin = climber(dtype, 0), climber(dtype, 0)
    trainer = bp.Trainer(net, **options)
    with pytest.raises(FloatingPointError, match=r"layers\[1\]\.b\[0\] is inf") as caught:
        trainer.fit(x, t, epochs=steps, validation_data=(x, t))
    found = re.search(r"epoch (\d+), step (\d+)", str(caught.value))
    assert found is not None
    epoch, step = map(int, found.groups())
    assert abs(step - steps) < steps / 100
    assert epoch == (step - 1) // per_epoch + 1
    other = bp.Trainer(twin, **options, on_nonfinite="ignore")
    other.fit(x, t, epochs=epoch - 1, validation_data=(x, t))
    assert trainer.history.history == other.history.history
    order = np.random.default_rng(0).permutation(8)  # the samples are all the same
    for at in range((step - 1) % per_epoch):
        other.step(x[order[at * batch_size :][:batch_size]], t[:batch_size])
    assert_same_bits(net.parameters, twin.parameters)
    other.step(x[:1], t[:1])
    assert np.isinf(twin.layers[1].b).all()


def wide(dtype: str, **options: Any) -> bp.Trainer:
    """A trainer of a network whose parameters outnumber by far what its layers read in a few steps."""
    net = bp.Network([1, 400, 400, 1], "identity", seed=3, dtype=dtype)
    if bias := options.pop("bias"):  # then it alone learns, for inputs of 0
        net.layers[2].w[...] = 0
        net.layers[2].b[...] = bias
    return bp.Trainer(net, batch_size=1, shuffle=False, **options)


@pytest.mark.parametrize(
    ("what", "loss", "rate", "bias"),
    [
        ("nothing", "mean_squared_error", 1e-3, 0.0),
        ("the loss", "mean_squared_error", 50.0, 0.0),
        ("layers[2]", "mean_absolute_error", 0.15, 0.2),  # of the largest number: certain at first, then not
        ("layers[2]", "mean_absolute_error", 0.15, 0.75),
    ],
)
def test_a_short_run_of_a_wide_network_ends_where_single_steps_do(
    what: str, loss: str, rate: float, bias: float, dtype: str
) -> None:
    scale = largest(dtype) if loss == "mean_absolute_error" else 1.0
    x, t = np.full((3, 1), 0.5, dtype), np.full((3, 1), scale, dtype)
    if bias:
        x[...] = 0
    options: Any = {"loss": loss, "optimizer": bp.SGD(rate * scale), "bias": bias * scale}
    alone, run = wide(dtype, **options), wide(dtype, **options)
    message = ""
    for _ in range(30):
        try:
            alone.step(x[:1], t[:1])
        except FloatingPointError as error:
            message = str(error)
            break
    assert alone.step_count > 0
    assert message.startswith(what) or (what, message) == ("nothing", "")
    if message:
        with pytest.raises(FloatingPointError) as raised:
            run.fit(x, t, epochs=10)
        told = re.sub(r"epoch \d+", "epoch 1", str(raised.value))
        assert told == message
    else:
        run.fit(x, t, epochs=10)
    assert run.step_count == alone.step_count
    assert_same_bits(run.network.parameters, alone.network.parameters)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_run_goes_on_where_it_was_stopped_with_a_lower_rate(name: str, dtype: str) -> None:
    """To the bits of one that took that rate from the last finite step on: the optimizer's state was taken back too."""
    x, t = climb(dtype, 3)
    high, low = height(dtype) / (7.5 if name == "sgd" else 82.5), height(dtype) / 1e4
    rates = [high]
    optimizer = bp.SGD(1.0) if name == "sgd" else bp.Adam()
    options: Any = {"loss": "mean_absolute_error", "optimizer": optimizer, "batch_size": 1, "seed": 0}
    trainer = bp.Trainer(climber(dtype, 0), schedule=lambda epoch: rates[0], **options)
    with pytest.raises(FloatingPointError, match="is inf in epoch"):
        trainer.fit(x, t, epochs=100)
    steps = trainer.step_count
    assert steps > 3
    rates[0] = low
    trainer.fit(x, t, until_epoch=trainer.epoch + 3)
    twin = bp.Trainer(climber(dtype, 0), schedule=lambda epoch: high, **options)
    stop = lambda state: True  # noqa: E731
    stop.every_steps = steps  # type: ignore[attr-defined]
    twin.fit(x, t, epochs=100, callbacks=[stop])
    assert twin.step_count == steps
    twin._schedule = lambda epoch: low
    twin.fit(x, t, until_epoch=trainer.epoch)
    assert_same_bits(trainer.network.parameters, twin.network.parameters)
    assert trainer.history.history == twin.history.history
    mine, others = trainer._core.snapshot(), twin._core.snapshot()
    assert mine["standing"] == others["standing"]
    assert_same_bits(mine["optimizer_state"], others["optimizer_state"])


# --- gradients --------------------------------------------------------------------------------------------------------


def steep(dtype: str) -> tuple[bp.Network, np.ndarray, np.ndarray]:
    """A network, and a sample of a finite loss whose ∂E/∂w overflows."""
    net = bp.Network([1, 1], "identity", seed=0, dtype=dtype, initializer="zeros")
    return net, np.full((1, 1), largest(dtype) / 16, dtype), np.full((1, 1), 1024, dtype)


def dead(dtype: str) -> tuple[bp.Network, np.ndarray, np.ndarray]:
    """Likewise, where BP2 overflows before a slope of 0: ∞·0 is not a number."""
    net = bp.Network([1, 1, 1], "relu", "identity", seed=0, dtype=dtype, initializer="zeros")
    net.layers[0].b[...] = -1
    net.layers[1].w[...] = largest(dtype) / 16
    return net, np.zeros((1, 1), dtype), np.full((1, 1), 1024, dtype)


GRADIENT_OPTIMIZERS: dict[str, Any] = {
    "sgd": bp.SGD(1.0),
    "momentum": bp.SGD(1e-4, momentum=0.9),
    "rmsprop": bp.RMSprop(),
    "adagrad": bp.Adagrad(),
    "adam": bp.Adam(),
    "adamw": bp.AdamW(),
    "rprop": bp.Rprop(),
    "rprop-": bp.Rprop(variant="rprop-"),
    "quickprop": bp.Quickprop(weight_decay=0.0),
}
BOUNDS: dict[str, dict[str, Any]] = {"none": {}, "value": {"clip_value": 1.0}, "norm": {"clip_norm": 1.0}}


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize(("make", "value"), [(steep, "-inf"), (dead, "nan")], ids=["inf", "nan"])
@pytest.mark.parametrize("name", GRADIENT_OPTIMIZERS)
def test_a_gradient_that_is_not_finite_ends_the_run_before_its_step(
    name: str, make: Callable[..., Any], value: str, bound: str, dtype: str
) -> None:
    """Also where the optimizer or a bound would hide it. Good steps come before, which are kept."""
    net, bad, t = make(dtype)
    zero, one = np.zeros_like(bad), np.ones_like(bad)
    options: Any = {"optimizer": GRADIENT_OPTIMIZERS[name], "batch_size": 1, "shuffle": False, **BOUNDS[bound]}
    trainer, twin = bp.Trainer(net, **options), bp.Trainer(net.copy(), **options)
    for _ in range(2):
        twin.step(zero, one)
    message = rf"^the gradient of layers\[0\]\.w\[0, 0\] is {value} in epoch 1, step 3; it must be finite\. Most often"
    with pytest.raises(FloatingPointError, match=message):
        trainer.fit(np.concatenate([zero, zero, bad, zero]), np.concatenate([one, one, t, one]))
    assert_same_bits(net.parameters, twin.network.parameters)
    assert trainer.step_count == 2
    with pytest.raises(FloatingPointError, match=message):
        trainer.step(bad, t)
    assert_same_bits(trainer._core.snapshot()["optimizer_state"], twin._core.snapshot()["optimizer_state"])
    trainer.step(zero, one)
    twin.step(zero, one)
    assert_same_bits(net.parameters, twin.network.parameters)


def test_the_share_of_l1_in_a_gradient_is_named(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither E's part nor l1's overflows alone; for a batch that weighs ½, scikit-learn's l1 counts twice."""
    divide_penalties_by_batch(monkeypatch)
    net = bp.Network([1, 1], "identity", seed=0, dtype=dtype)
    net.layers[0].w[...] = 2.0**-10
    x, t = np.full((1, 1), largest(dtype) / 2, dtype), np.zeros((1, 1), dtype)
    trainer = bp.Trainer(net, "mean_absolute_error", bp.SGD(1.0), batch_size=1, l1=0.375 * largest(dtype))
    with pytest.raises(FloatingPointError, match=r"^the gradient of layers\[0\]\.w\[0, 0\] is inf in epoch 1, step 1"):
        trainer.fit(x, t, sample_weight=[0.5])


def test_the_layer_of_a_gradient_is_named(dtype: str) -> None:
    """Of several, the first that a step comes to, which is the highest."""
    net = bp.Network([1, 2, 1], "identity", seed=0, dtype=dtype, initializer="zeros", bias_initializer="zeros")
    net.layers[0].b[...] = 0, largest(dtype) / 16
    with pytest.raises(FloatingPointError, match=r"the gradient of layers\[1\]\.w\[1, 0\] is -inf in epoch 1, step 1"):
        net.update(np.ones(1), np.full(1, 1024), 1.0)
    net.layers[1].trainable = False
    net.layers[1].w[...] = 0
    net.layers[1].w[0] = 1
    net.layers[0].w[...] = 0
    with pytest.raises(FloatingPointError, match=r"the gradient of layers\[0\]\.w\[0, 0\] is -inf in epoch 1, step 1"):
        net.update(*steep(dtype)[1:], 1.0)


# --- losses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_way_to_a_loss_is_named(batch_size: int, dtype: str) -> None:
    net = bp.Network([1, 1, 1], "identity", seed=0, dtype=dtype, initializer="zeros")
    net.layers[0].w[...] = 32
    net.layers[1].w[...] = 1
    x, t = np.zeros((4, 1)), np.zeros((4, 1))
    for spoilt, words in (
        (largest(dtype), r"On the way to it, layers\[0\]\.a is the first that is not\."),
        (largest(dtype) / 64, r"The outputs, layers\[1\]\.a, are finite\."),
    ):
        x[3] = spoilt
        trainer = bp.Trainer(net, optimizer=bp.SGD(0.1), batch_size=batch_size, shuffle=False)
        step = 3 // batch_size + 1
        with pytest.raises(FloatingPointError, match=rf"^the loss is inf in epoch 1, step {step}; it must .* {words}"):
            trainer.fit(x, t)
        assert trainer.step_count == step - 1


# --- the user's choice ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_warning_is_given_once_and_the_run_goes_on(name: str, batch_size: int, dtype: str) -> None:
    """To the bits of a run that does not look, whatever pauses it."""
    x, t = climb(dtype, 6)
    options: Any = {"loss": "mean_absolute_error", "optimizer": OPTIMIZERS[name](height(dtype)), "seed": 0}
    options.update(batch_size=batch_size, epochs=40)
    net, twin = climber(dtype, 0), climber(dtype, 0)
    with pytest.warns(
        RuntimeWarning, match=r"layers\[1\]\.b\[0\] is inf in epoch .*\. The step is taken all the"
    ) as caught:
        history = net.fit(x, t, callbacks=[lambda state: None], on_nonfinite="warn", **options)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert len(history.loss) == 40
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        want = twin.fit(x, t, on_nonfinite="ignore", **options)
        twin.update(x[0], t[0], 0.1, on_nonfinite="ignore")
        twin.parameters = net.parameters
    assert_same_bits(net.parameters, twin.parameters)
    assert_same_bits(np.array(history.loss), np.array(want.loss))
    assert not np.isfinite(net.parameters).all()
    with pytest.warns(RuntimeWarning, match="the loss is") as caught:
        net.fit(x, t, on_nonfinite="warn", **options)
    assert len(caught) == 1
    with pytest.raises(ValueError, match=r"layers\[1\]\.b\[0\] is (inf|nan); all parameters must be finite"):
        net.fit(x, t, **options)


def test_steps_and_updates_heed_the_choice(dtype: str) -> None:
    _, x, t = steep(dtype)
    for run in (
        lambda net, choice: net.update(x, t, 1.0, on_nonfinite=choice),
        lambda net, choice: bp.Trainer(net, optimizer=bp.SGD(1.0), on_nonfinite=choice).step(x, t),
    ):
        nets = [steep(dtype)[0] for _ in range(4)]
        with pytest.raises(FloatingPointError, match=r"the gradient of layers\[0\]\.w\[0, 0\] is -inf"):
            run(nets[0], "raise")
        assert (nets[0].parameters == 0).all()
        with pytest.warns(RuntimeWarning, match=r"the gradient of layers\[0\]\.w\[0, 0\] is -inf") as caught:
            assert run(nets[1], "warn") == 1024**2 / 2
        assert [Path(warning.filename) for warning in caught] == [Path(__file__)]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert run(nets[2], "ignore") == 1024**2 / 2
            with pytest.raises(RuntimeWarning):
                run(nets[3], "warn")
        assert_same_bits(nets[1].parameters, nets[2].parameters)
        assert np.isinf(nets[1].layers[0].w).all()
        assert (nets[3].parameters == 0).all()


def test_the_choice_is_kept_in_the_file(tmp_path: Path) -> None:
    for choice in ("raise", "warn", "ignore"):
        trainer = bp.Trainer(bp.Network([2, 1], seed=0), optimizer=bp.SGD(0.1), on_nonfinite=choice)
        trainer.save(tmp_path / "run")
        assert bp.Trainer.load(tmp_path / "run").on_nonfinite == trainer.on_nonfinite == choice


def test_a_choice_that_is_none_is_refused() -> None:
    net = bp.Network([2, 1], seed=0)
    for call in (
        lambda choice: bp.Trainer(net, optimizer=bp.SGD(0.1), on_nonfinite=choice),
        lambda choice: net.update(np.zeros(2), np.zeros(1), 0.1, on_nonfinite=choice),
        lambda choice: net.fit(np.zeros((1, 2)), np.zeros((1, 1)), optimizer=bp.SGD(0.1), on_nonfinite=choice),
    ):
        with pytest.raises(ValueError, match="on_nonfinite is 'stop'; it must be one of: raise, warn, ignore"):
            call("stop")
        with pytest.raises(TypeError, match="on_nonfinite is None; it must be one of: raise, warn, ignore"):
            call(None)
