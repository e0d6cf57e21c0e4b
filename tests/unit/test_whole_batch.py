"""api.md, LBFGS and LevenbergMarquardt: the iterates of SciPy's and of the book's, saved and resumed to the bit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import backpropc as bp
from backpropc import _core, levenberg_marquardt
from backpropc._methods import METHODS
from helpers import assert_same_bits, network, oracle_net
from oracle import whole_batch
from oracle.tolerance import assert_within

SIZES = [5, 4, 3]
HALF, MEAN = "half_squared_error", "mean_squared_error"
OPTIMIZERS = [
    bp.LBFGS(),
    bp.LBFGS(history_size=2, max_evaluations=5),
    bp.LevenbergMarquardt(),
    bp.LevenbergMarquardt(10.0, increase=3.0, decrease=0.5),
]


def data(n: int = 23, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, SIZES[0])), rng.uniform(size=(n, SIZES[-1]))


def weights(n: int = 23) -> np.ndarray:
    weight = np.random.default_rng(5).exponential(size=n)
    weight[3:6] = 0
    return weight


X, T = data()


def assert_close(net: bp.Network, want: np.ndarray) -> None:
    """Within 1e-10 of the largest parameter: tens of steps of float64, in another order of summation."""
    assert_within(net.parameters, want, 1e-10 * np.abs(want).max())


# --- against the oracle -----------------------------------------------------------------------------------------------


def test_they_are_registered() -> None:
    assert set(METHODS) <= set(bp.OPTIMIZERS)
    assert bp.LBFGS().history_size == 10
    assert bp.LevenbergMarquardt().parameters == {
        "damping": 1e-3,
        "increase": 10.0,
        "decrease": 0.1,
        "max_damping": 1e10,
        "min_gradient": 1e-7,
    }


@pytest.mark.parametrize("loss", bp.LOSSES)
@pytest.mark.parametrize("history_size", [1, 3, 10])
def test_lbfgs_takes_the_steps_of_scipys(loss: str, history_size: int) -> None:
    """Each of the first twenty iterates, on the oracle's loss."""
    net = network(SIZES, "tanh", "softmax" if loss == "softmax_cross_entropy" else "logistic")
    x, t = data()
    t = t / t.sum(axis=1, keepdims=True)
    places: list[np.ndarray] = []
    mirror = oracle_net(net)
    minimize(
        whole_batch.objective(mirror, x, t, loss),
        mirror.parameters(),
        jac=True,
        method="L-BFGS-B",
        callback=lambda place: places.append(place.copy()),
        options={"maxiter": 20, "maxcor": history_size, "ftol": 0.0, "gtol": 0.0},
    )
    trainer = bp.Trainer(net, loss, bp.LBFGS(history_size, tolerance=0.0))
    for place in places:
        trainer.fit(x, t)
        assert_close(net, place)


@pytest.mark.parametrize("weight", [None, weights()], ids=["plain", "weighted"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_lbfgs_lowers_the_penalized_loss_of_weighted_samples(l2: float, weight: np.ndarray | None) -> None:
    net = network(SIZES, "tanh", "logistic")
    mirror = oracle_net(net)
    evaluate = whole_batch.objective(mirror, X, T, HALF, l2, weight)
    options = {"maxiter": 15, "ftol": 0.0, "gtol": 0.0}
    want = minimize(evaluate, mirror.parameters(), jac=True, method="L-BFGS-B", options=options).x
    net.fit(X, T, optimizer=bp.LBFGS(tolerance=0.0), epochs=15, l2=l2, sample_weight=weight)
    assert_close(net, want)


LM_OPTIONS: list[dict[str, Any]] = [
    {},
    {"damping": 1.0, "increase": 4.0, "decrease": 0.25},
    {"damping": 1e-5, "increase": 2.0},
]


@pytest.mark.parametrize("loss", [HALF, MEAN])
@pytest.mark.parametrize("options", LM_OPTIONS, ids=repr)
@pytest.mark.parametrize("weight", [None, weights()], ids=["plain", "weighted"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_levenberg_marquardt_is_the_oracles(
    loss: str, options: dict[str, Any], weight: np.ndarray | None, l2: float
) -> None:
    net = network(SIZES, "tanh", "logistic")
    want, losses, damping = whole_batch.levenberg_marquardt(
        oracle_net(net), X, T, loss, 8, l2=l2, weight=weight, **options
    )
    trainer = bp.Trainer(net, loss, bp.LevenbergMarquardt(**options, min_gradient=0.0), l2=l2)
    history = trainer.fit(X, T, epochs=8, sample_weight=weight)
    assert_close(net, want)
    assert_within(
        history.loss, losses, 1e-10 * np.array(losses), "losses, each before its step and without the penalty"
    )
    np.testing.assert_allclose(trainer._method.state["damping"], damping, rtol=1e-12)


@pytest.mark.parametrize("output", bp.ACTIVATIONS)
@pytest.mark.parametrize("hidden", bp.ACTIVATIONS)
def test_the_jacobian_is_the_oracles(hidden: str, output: str, dtype: str) -> None:
    """Also of a function of the whole row, in which every output depends on every z."""
    net = network(SIZES, hidden, output, dtype)
    x, t = X.astype(dtype), T.astype(dtype)
    r, j = whole_batch.residuals(oracle_net(net), x, t, HALF, weights())
    rows = np.column_stack([j, r])
    got = np.zeros((40, 40))
    samples = bp.Trainer(net, optimizer=bp.LevenbergMarquardt())._core.check(x, t, weights())
    _core.add_normal_equations(net._core, samples, bp.Trainer(net, HALF, "Adam")._loss._choice, 1.0, got)
    eps = float(np.finfo(dtype).eps)
    assert_within(got, rows.T @ rows, 1e3 * eps * (np.abs(rows).T @ np.abs(rows)) + 1e3 * eps * np.abs(got).max())
    assert_same_bits(got, got.T.copy())


@pytest.mark.parametrize("columns", [95, 96, 97, 191, 192, 193])
def test_normal_equations_of_every_width(columns: int) -> None:
    """The square is made in panels of 96 columns: of the parameters, and one of the residuals."""
    net, rng = network([columns - 2, 1], "tanh", "logistic"), np.random.default_rng(0)
    x, t = rng.normal(size=(7, columns - 2)), rng.uniform(size=(7, 1))
    r, j = whole_batch.residuals(oracle_net(net), x, t, HALF)
    rows, got = np.column_stack([j, r]), np.zeros((columns, columns))
    samples = bp.Trainer(net, optimizer=bp.LevenbergMarquardt())._core.check(x, t)
    _core.add_normal_equations(net._core, samples, bp.Trainer(net, HALF, "Adam")._loss._choice, 1.0, got)
    eps = float(np.finfo(float).eps)
    assert_within(got, rows.T @ rows, 1e3 * eps * (np.abs(rows).T @ np.abs(rows)) + 1e3 * eps * np.abs(got).max())


def test_levenberg_marquardt_solves_a_linear_problem_at_once(dtype: str) -> None:
    """One step with next to no damping is the solution by least squares."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    t = x @ rng.normal(size=(3, 2)) + rng.normal(size=(40, 2))
    net = bp.Network([3, 2], "identity", seed=0, dtype=dtype)
    net.fit(x, t, optimizer=bp.LevenbergMarquardt(damping=1e-16))
    want = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), t, rcond=None)[0]
    got = np.vstack([net.layers[0].w, net.layers[0].b])
    assert_within(got, want, 200 * np.finfo(dtype).eps)


def test_both_reach_what_adam_does_not() -> None:
    """The curve of docs/guides/second-order.md."""
    x = np.linspace(-1, 1, 100)[:, None]
    t = np.sin(3 * x) * np.exp(-x)
    loss = {}
    for optimizer in (bp.Adam(0.01), bp.LBFGS(), bp.LevenbergMarquardt()):
        net = bp.Network([1, 8, 1], "tanh", "identity", seed=0, dtype="float64")
        net.fit(x, t, optimizer=optimizer, epochs=300, batch_size=100, seed=0)
        loss[optimizer.name] = net.loss(x, t)
    assert loss["LBFGS"] < loss["Adam"] / 10
    assert loss["LevenbergMarquardt"] < loss["Adam"] / 1000


# --- as every optimizer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("frozen", [(0,), (1,), (0, 1)], ids=str)
def test_frozen_layers_stay(optimizer: Any, frozen: tuple[int, ...], dtype: str) -> None:
    net = network(SIZES, "tanh", "logistic", dtype)
    for layer in frozen:
        net.layers[layer].trainable = False
    before, loss = net.parameters.copy(), net.loss(X, T)
    net.fit(X, T, optimizer=optimizer, epochs=3, l2=1e-6)
    for layer, (w, b) in enumerate(net._split(before)):
        same = net.layers[layer].w == w
        assert same.all() if layer in frozen else not same.any()
        assert np.array_equal(net.layers[layer].b, b) == (layer in frozen)
    assert net.loss(X, T) < loss or len(frozen) == 2


def test_frozen_layers_are_no_part_of_the_problem() -> None:
    net = network(SIZES, "tanh", "logistic")
    net.layers[0].trainable = False
    want, _, _ = whole_batch.levenberg_marquardt(oracle_net(net), X, T, HALF, 5, l2=0.01, learns=[False, True])
    net.fit(X, T, optimizer=bp.LevenbergMarquardt(), epochs=5, l2=0.01)
    assert_close(net, want)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_layers_may_be_frozen_and_thawed_between_fits(optimizer: Any) -> None:
    net = network(SIZES, "tanh", "logistic")
    trainer, losses = bp.Trainer(net, optimizer=optimizer), [net.loss(X, T)]
    for trainable in (False, True, False):
        net.layers[0].trainable = trainable
        trainer.fit(X, T, epochs=4)
        losses.append(net.loss(X, T))
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_history_callbacks_and_counts(optimizer: Any, dtype: str) -> None:
    net = network(SIZES, "tanh", "logistic", dtype)
    states: list[bp.State] = []
    trainer = bp.Trainer(net, optimizer=optimizer)
    history = trainer.fit(X, T, epochs=5, validation_data=(X[:7], T[:7]), metrics=["r2"], callbacks=[states.append])
    assert [(state.epoch, state.step) for state in states] == [(e, e) for e in range(1, 6)]
    assert history.loss == [state.loss for state in states] == sorted(history.loss, reverse=True)
    assert history.val_loss == [state.val_loss for state in states]
    assert history.val_loss[-1] == net.loss(X[:7], T[:7])
    assert list(history.history) == ["loss", "val_loss", "r2", "val_r2"]
    assert (trainer.epoch, trainer.step_count, trainer.learning_rate) == (5, 5, None)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_pauses_change_no_bit(optimizer: Any, dtype: str) -> None:
    nets = [network(SIZES, "tanh", "logistic", dtype) for _ in range(3)]
    whole = nets[0].fit(X, T, optimizer=optimizer, epochs=9)
    parts = bp.Trainer(nets[1], optimizer=optimizer)
    for epochs in (1, 3, 5):
        parts.fit(X, T, epochs=epochs)
    watched = nets[2].fit(X, T, optimizer=optimizer, epochs=9, callbacks=[lambda state: None])
    assert whole.history == parts.history.history == watched.history
    for net in nets[1:]:
        assert_same_bits(net.parameters, nets[0].parameters)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_step_takes_one(optimizer: Any, dtype: str) -> None:
    net, twin = (network(SIZES, "tanh", "logistic", dtype) for _ in range(2))
    trainer, before = bp.Trainer(net, optimizer=optimizer), net.loss(X, T)
    assert trainer.step(X, T) == before
    assert (trainer.epoch, trainer.step_count) == (0, 1)
    twin.fit(X, T, optimizer=optimizer)
    assert_same_bits(net.parameters, twin.parameters)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_early_stopping_and_stopping_by_a_callback(optimizer: Any) -> None:
    net = network(SIZES, "tanh", "logistic")
    best: list[np.ndarray] = []
    rule = bp.EarlyStopping(patience=2, min_delta=1e9)
    history = net.fit(
        X,
        T,
        optimizer=optimizer,
        epochs=9,
        early_stopping=rule,
        callbacks=[lambda s: best.append(net.parameters.copy())],
    )
    assert len(history.epoch) == 3
    assert_same_bits(net.parameters, best[0])
    history = net.fit(X, T, optimizer=optimizer, epochs=9, callbacks=[lambda state: state.epoch == 4])
    assert len(history.epoch) == 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_it_ends_where_nothing_is_left_to_lower(optimizer: Any, dtype: str) -> None:
    """Fewer epochs than asked for; and another fit has none, until the data change."""
    net = bp.Network([2, 1], "identity", seed=0, dtype=dtype)
    x = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]])
    t = x @ [[1.0], [2.0]] + 3.0
    trainer = bp.Trainer(net, optimizer=optimizer)
    calls: list[int] = []
    history = trainer.fit(x, t, epochs=500, callbacks=[lambda state: calls.append(state.epoch)])
    assert 0 < len(history.epoch) < 200
    assert calls == [epoch + 1 for epoch in history.epoch]
    assert net.loss(x, t) < 1e-9
    before = net.parameters.copy()
    assert trainer.fit(x, t, epochs=3, progress=False).epoch == []
    assert trainer.step(x, t) == net.loss(x, t)
    assert_same_bits(net.parameters, before)
    assert len(trainer.fit(x, t + 1, epochs=3).epoch) > 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("sizes", [[1, 1], [5, 1, 3], [1, 200, 1]], ids=str)
@pytest.mark.parametrize("n", [1, 2, 700])
def test_any_size(optimizer: Any, sizes: list[int], n: int, dtype: str) -> None:
    """One sample, one unit; more parameters than samples; more samples than one block of rows."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(n, sizes[0])), rng.uniform(size=(n, sizes[-1]))
    net = bp.Network(sizes, "tanh", "logistic", seed=0, dtype=dtype)
    before = net.loss(x, t)
    net.fit(x, t, optimizer=optimizer, epochs=5)
    assert net.loss(x, t) < before


@pytest.mark.parametrize("rows", [1, 100, 132, 133, 134, 400])
def test_normal_equations_do_not_depend_on_blocks(rows: int) -> None:
    """Each element is one chain over the samples: sums of the first and of the others go on where they were."""
    x, t = data(400)
    net = network(SIZES, "tanh", "logistic")
    core = bp.Trainer(net, optimizer=bp.LevenbergMarquardt())._core
    choice = bp.Trainer(net, HALF, "Adam")._loss._choice
    weight = np.full(400, 0.5)
    at_once, in_parts = np.zeros((40, 40)), np.zeros((40, 40))
    _core.add_normal_equations(net._core, core.check(x, t, weight), choice, 200.0, at_once)
    for part in (slice(0, rows), slice(rows, 400)):
        if len(x[part]):
            factor = 0.5 * len(x[part])  # so that each residual counts the same
            _core.add_normal_equations(net._core, core.check(x[part], t[part], weight[part]), choice, factor, in_parts)
    assert_within(in_parts, at_once, 1e-13 * np.abs(at_once).max())


BITS = """
    import sys
    import numpy as np, backpropc as bp
    from backpropc import _core
    bp.set_num_threads(int(sys.argv[1]))
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        x, t = rng.normal(size=(300, 9)).astype(dtype), rng.uniform(size=(300, 2)).astype(dtype)
        net = bp.Network([9, 40, 2], "tanh", "logistic", seed=0, dtype=dtype)
        trainer = bp.Trainer(net, optimizer=bp.LevenbergMarquardt())
        matrix = np.zeros((net.n_parameters + 1, ) * 2)
        _core.add_normal_equations(net._core, trainer._core.check(x, t), trainer._loss._choice, 1.0, matrix)
        sys.stdout.buffer.write(matrix.tobytes())
        bp.Trainer(net, optimizer=bp.LBFGS()).fit(x, t, epochs=12)
        sys.stdout.buffer.write(net.parameters.tobytes())
"""


def test_neither_threads_nor_instructions_change_a_bit() -> None:
    """Of the normal equations, and of L-BFGS; LAPACK's solution of the first is its own."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(BITS), threads],
            env={**os.environ, "BACKPROPC_ISA": isa},
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        ).stdout
        for isa in bp.available_isas()
        for threads in ("1", "3")
    }
    assert len(outputs) == 1


# --- resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_resumed_run_ends_in_the_same_bits(optimizer: Any, dtype: str, tmp_path: Path) -> None:
    """Also one that pauses nowhere else: the whole file is compared."""
    path, options = tmp_path / "run.safetensors", {"validation_data": (X[:9], T[:9]), "metrics": ["r2"]}
    undisturbed = bp.Trainer(network(SIZES, "tanh", "logistic", dtype), optimizer=optimizer, l2=1e-4, seed=0)
    undisturbed.fit(X, T, epochs=14, **options)
    undisturbed.save(path)
    want = path.read_bytes()
    for epoch in (0, 1, 5, 13):
        trainer = bp.Trainer(network(SIZES, "tanh", "logistic", dtype), optimizer=optimizer, l2=1e-4, seed=0)
        trainer.fit(X, T, epochs=epoch, checkpoint=path, **options)
        resumed = bp.Trainer.load(path)
        assert (resumed.epoch, resumed.step_count, resumed.optimizer) == (epoch, epoch, optimizer)
        resumed.fit(X, T, until_epoch=14, checkpoint=path, **options)
        assert path.read_bytes() == want


def test_a_resumed_run_goes_on_in_another_process(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X, t=T)
    script = """
        import sys, numpy as np, backpropc as bp
        data = np.load(sys.argv[1] + "/data.npz")
        bp.set_num_threads(3)
        for path in sys.argv[2:]:
            trainer = bp.Trainer.load(path)
            trainer.fit(data["x"], data["t"], until_epoch=20)
            trainer.save(path)
    """
    want = {}
    for index, optimizer in enumerate(OPTIMIZERS):
        trainer = bp.Trainer(network(SIZES, "tanh", "logistic"), optimizer=optimizer, seed=0)
        trainer.fit(X, T, epochs=7)
        trainer.save(tmp_path / f"{index}")
        trainer.fit(X, T, until_epoch=20)
        trainer.save(tmp_path / "want")
        want[tmp_path / f"{index}"] = (tmp_path / "want").read_bytes()
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), tmp_path, *want], check=True, timeout=300)
    assert [path.name for path in want if path.read_bytes() != want[path]] == []


@pytest.mark.parametrize("damping", [0.0, -1.0, np.inf])
def test_a_damping_that_no_run_has_is_refused(damping: float, tmp_path: Path) -> None:
    trainer = bp.Trainer(network(SIZES, "tanh", "logistic"), optimizer=bp.LevenbergMarquardt())
    trainer._method.state["damping"][0] = damping
    trainer.save(tmp_path / "run")
    with pytest.raises(ValueError, match=r"optimizer\.damping is .*; it must be at least 1e-100 and finite"):
        bp.Trainer.load(tmp_path / "run")


INTERRUPTED = """
    import sys, time
    import numpy as np, backpropc as bp
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20000, 20)), rng.uniform(size=(20000, 3))
    net = bp.Network([20, 20, 3], "tanh", seed=0, dtype="float64")
    trainer = bp.Trainer(net, optimizer=bp.{optimizer})
    trainer.fit(x, t)
    twin = bp.Trainer(net.copy(), optimizer=bp.{optimizer})
    twin.fit(x, t)
    before = []
    print("ready", flush=True)
    try:
        trainer.fit(x, t, epochs=10**6, callbacks=[lambda state: before.append(net.parameters.copy())])
    except KeyboardInterrupt:
        assert len(before) == trainer.epoch - 1 == trainer.step_count - 1, (len(before), trainer.epoch)
        assert not before or (before[-1] == net.parameters).all()
        assert len(trainer.history.loss) == trainer.epoch
        trainer.fit(x, t)
        print("went on", flush=True)
"""


@pytest.mark.parametrize("optimizer", ["LBFGS()", "LevenbergMarquardt()"])
def test_ctrl_c_leaves_the_last_whole_step(optimizer: str) -> None:
    script = textwrap.dedent(INTERRUPTED).replace("{optimizer}", optimizer)
    for delay in (0.01, 0.3):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            threading.Event().wait(delay)
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "went on\n"
            assert process.wait(60) == 0


# --- refusals ---------------------------------------------------------------------------------------------------------

WRONG: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("LBFGS", {"history_size": 0}, ValueError, "LBFGS: history_size is 0; it must be at least 1"),
    ("LBFGS", {"history_size": 2.5}, TypeError, r"LBFGS: history_size is 2\.5; it must be an integer"),
    ("LBFGS", {"tolerance": -1.0}, ValueError, r"LBFGS: tolerance is -1\.0; it must be a finite number at least 0"),
    ("LevenbergMarquardt", {"damping": 0.0}, ValueError, r"damping is 0\.0; it must be a finite number above 0"),
    ("LevenbergMarquardt", {"increase": 0.5}, ValueError, r"increase is 0\.5; it must be a finite number at least 1"),
    ("LevenbergMarquardt", {"decrease": 1.0}, ValueError, r"decrease is 1\.0; it must be a number in \(0, 1\)"),
    (
        "LevenbergMarquardt",
        {"lambda": 1.0},
        TypeError,
        "unexpected keyword argument 'lambda'; write LevenbergMarquardt",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "error", "message"), WRONG)
def test_parameters_are_checked(name: str, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(bp, name)(**arguments)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"l1": 0.1}, "l1, which has no derivative at 0, is not for {}"),
        ({"dropout": 0.5}, "dropout, which changes E from step to step, is not for {}"),
        ({"input_dropout": 0.5}, "dropout, which changes E from step to step, is not for {}"),
        ({"clip_value": 1.0}, "clip_value is not for {}, whose steps follow E itself"),
        ({"clip_norm": 1.0}, "clip_norm is not for {}"),
        ({"max_norm": 1.0}, "max_norm is not for {}"),
        ({"schedule": "constant"}, "schedule is 'constant', but {} has no learning rate"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.format(name)):
        bp.Trainer(network(SIZES, "tanh"), optimizer=name, **arguments)


@pytest.mark.parametrize("loss", sorted(set(bp.LOSSES) - {HALF, MEAN}))
def test_other_losses_are_no_sums_of_squares(loss: str) -> None:
    message = f"loss is '{loss}'; with LevenbergMarquardt it must be a sum of squares: {HALF}, {MEAN}"
    with pytest.raises(ValueError, match=message):
        bp.Trainer(network(SIZES, "tanh"), loss, "LevenbergMarquardt")


def test_a_jacobian_that_does_not_fit_is_refused_at_once() -> None:
    net = bp.Network([3000, 3000], seed=0)
    before = net.parameters.copy()
    needed = 16 * (net.n_parameters + 1) ** 2
    with pytest.raises(MemoryError, match=f"needs {needed:,} bytes for the normal equations of 9,003,000 parameters"):
        net.fit(np.zeros((1, 3000)), np.zeros((1, 3000)), optimizer="LevenbergMarquardt")
    assert_same_bits(net.parameters, before)


def test_what_fits_is_measured_by_the_memory_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """39 parameters take 16 · 40² bytes; with frozen layers there are fewer."""
    assert 0 < levenberg_marquardt.memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(levenberg_marquardt, "memory", lambda: 25_599)
    net = network(SIZES, "tanh", "logistic")
    with pytest.raises(
        MemoryError, match="needs 25,600 bytes for the normal equations of 39 parameters; there are 25,599"
    ):
        net.fit(X, T, optimizer="LevenbergMarquardt")
    net.layers[0].trainable = False
    assert len(net.fit(X, T, optimizer="LevenbergMarquardt").epoch) == 1


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_that_is_not_finite_ends_the_run(name: str) -> None:
    net = bp.Network([1, 1], "identity", seed=0)
    before = net.parameters.copy()
    with pytest.raises(FloatingPointError, match=r"the loss is inf in epoch 1, step 1; it must be finite"):
        net.fit([[1.0]], [[1e30]], optimizer=name)
    assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_step_that_overflows_is_not_taken(optimizer: Any) -> None:
    """The first length 1 is far too much for exp-like growth: the search comes back from where E is infinite."""
    net = bp.Network([1, 1, 1], "identity", seed=0, dtype="float32", initializer="zeros")
    net.parameters[:] = [1e15, 0, 1e-3, 0]
    x, t = np.array([[1.0], [2.0]]), np.array([[1.0], [-1.0]])
    before = net.loss(x, t)
    net.fit(x, t, optimizer=optimizer, epochs=5)
    assert np.isfinite(net.parameters).all()
    assert net.loss(x, t) <= before


def test_without_scipy_the_error_says_what_to_install() -> None:
    script = """
        import sys
        sys.modules["scipy"] = None
        import numpy as np, backpropc as bp
        net = bp.Network([2, 2], seed=0)
        net.fit(np.eye(2), np.eye(2), optimizer=bp.LevenbergMarquardt())
        try:
            net.fit(np.eye(2), np.eye(2), optimizer=bp.LBFGS())
        except ModuleNotFoundError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert re.search(r"LBFGS needs SciPy.*pip install 'backpropc\[scipy\]'", done.stdout)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_another_thread_that_trains_is_an_error(optimizer: Any) -> None:
    net = bp.Network([20, 300, 1], "tanh", seed=0)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(3000, 20)), rng.uniform(size=(3000, 1))
    trainer, stop = bp.Trainer(net, optimizer=bp.SGD(1e-6)), threading.Event()
    started = threading.Event()

    def busy(state: bp.State) -> bool:
        started.set()
        return stop.is_set()

    thread = threading.Thread(target=trainer.fit, args=(x, t, 10**6), kwargs={"callbacks": [busy]})
    thread.start()
    started.wait(60)
    try:
        with pytest.raises(RuntimeError, match="another thread"):
            net.fit(x[:10], t[:10], optimizer=optimizer, epochs=10**6)
    finally:
        stop.set()
        thread.join()


# --- masks, and numbers that go wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_masked_weights_stay_zero(optimizer: Any, dtype: str) -> None:
    net = network(SIZES, "tanh", "logistic", dtype)
    mask = np.random.default_rng(0).random((5, 4)) < 0.5
    net.layers[0].mask = mask
    before = net.loss(X, T)
    net.fit(X, T, optimizer=optimizer, epochs=5, l2=1e-4)
    assert (net.layers[0].w[~mask] == 0).all()
    assert (net.layers[0].w[mask] != 0).all()
    assert net.loss(X, T) < before


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_mask_that_separates_is_a_smaller_network(optimizer: Any) -> None:
    """Without the weights of two inputs the others learn as in a network that never had these."""
    small, large = network([3, 4, 3], "tanh", "logistic"), network(SIZES, "tanh", "logistic")
    mask = np.ones((5, 4), bool)
    mask[3:] = False
    large.layers[0].mask = mask
    large.layers[0].w[:3], large.layers[0].b[:] = small.layers[0].w, small.layers[0].b
    large.layers[1].w, large.layers[1].b = small.layers[1].w, small.layers[1].b
    small.fit(X[:, :3], T, optimizer=optimizer, epochs=6, l2=1e-3)
    large.fit(X, T, optimizer=optimizer, epochs=6, l2=1e-3)
    assert_within(large.layers[0].w[:3], small.layers[0].w, 1e-10)
    assert_within(large.layers[1].w, small.layers[1].w, 1e-10)


@pytest.mark.parametrize("policy", ["warn", "ignore"])
@pytest.mark.parametrize("name", METHODS)
def test_without_a_finite_loss_there_is_no_step(name: str, policy: str) -> None:
    net = bp.Network([1, 1], "identity", seed=0)
    before = net.parameters.copy()
    trainer = bp.Trainer(net, optimizer=name, on_nonfinite=policy)
    if policy == "warn":
        with pytest.warns(RuntimeWarning, match="the loss is inf in epoch 1, step 1"):
            history = trainer.fit([[1.0]], [[1e30]], epochs=3)
    else:
        history = trainer.fit([[1.0]], [[1e30]], epochs=3)
    assert history.epoch == []
    assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_sample_that_weighs_nothing_may_overflow(optimizer: Any) -> None:
    x, t, weight = np.append(X, X[:1], axis=0), np.append(T, T[:1], axis=0), np.append(np.ones(23), 0.0)
    t[-1] = 1e200  # its square is infinite
    nets = [network(SIZES, "tanh", "identity") for _ in range(2)]
    nets[0].fit(x, t, optimizer=optimizer, epochs=4, sample_weight=weight)
    nets[1].fit(X, T, optimizer=optimizer, epochs=4)
    assert_within(nets[0].parameters, nets[1].parameters, 1e-10)


@pytest.mark.parametrize("name", ["history_size", "max_evaluations"])
def test_counts_of_lbfgs_are_whole(name: str) -> None:
    with pytest.raises(TypeError, match=f"LBFGS: {name} is 2.5; it must be an integer"):
        bp.LBFGS(**{name: 2.5})
    with pytest.raises(ValueError, match=f"LBFGS: {name} is 0; it must be at least 1"):
        bp.LBFGS(**{name: 0})
