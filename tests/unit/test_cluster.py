"""Populations and searches over Dask's workers: the same bits as in one process, also where workers die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc.population import Run
from helpers import assert_same_bits

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own, of ports, of workers that die, of sockets still open

N = 50
RATES = list(np.geomspace(0.01, 1.0, N))
FIT: dict[str, Any] = {"optimizer": bp.SGD(RATES), "batch_size": 4, "epochs": 30}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers, each a process of one thread."""
    settings = {"dashboard_address": None, "silence_logs": 50}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def data() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(40, 8))
    return x, np.tanh(x[:, :3])


def assert_same_run(here: bp.Population, there: bp.Population) -> None:
    assert_same_bits(here.parameters, there.parameters)
    assert np.array_equal(here.diverged, there.diverged)
    for one, other in zip(here.history, there.history, strict=True):
        np.testing.assert_equal(one.history, other.history)  # to which nan is nan


CASES: list[dict[str, Any]] = [
    {},
    {"validation_data": data(), "early_stopping": bp.EarlyStopping(patience=3)},
    {"optimizer": [bp.SGD(0.1), bp.Adam(0.01)] * 25, "dropout": 0.2, "l2": [0.01] * N},
    {"metrics": ["r2"], "epochs": 3, "schedule": "cosine"},
    {"rows": [np.arange(i % 3, 40) for i in range(N)], "sample_weight": np.linspace(1, 2, 40)},
    {"optimizer": bp.SGD([1e30 if i == 20 else 0.1 for i in range(N)]), "loss": "mean_squared_error"},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case) or "plain")
def test_the_bits_are_those_of_one_process(client: Any, case: dict[str, Any]) -> None:
    x, t = data()
    case = {**FIT, **case}
    if case.get("schedule") == "cosine":
        case["schedule"] = bp.schedules.cosine(3)
    if "metrics" in case:
        case["optimizer"] = "Adam"
    here, there = (bp.Population([8, 5, 3], N, "tanh", "identity", seed=1) for _ in range(2))
    here.fit(x, t, **case)
    there.fit(x, t, client=client, **case)
    assert_same_run(here, there)


@pytest.mark.parametrize("n", [1, 7, 17])
def test_any_number_of_networks(client: Any, n: int) -> None:
    x, t = data()
    here, there = (bp.Population([8, 5, 3], n, seed=1, dtype="float64") for _ in range(2))
    for population, given in ((here, {}), (there, {"client": client})):
        population.fit(x, t, optimizer=bp.Adam(0.01), epochs=4, **given)
    assert_same_run(here, there)


def test_a_fit_goes_on_elsewhere(client: Any, tmp_path: Path) -> None:
    x, t = data()
    whole, parted = (bp.Population([8, 5, 3], N, seed=1) for _ in range(2))
    whole.fit(x, t, **FIT)
    parted.fit(x, t, **{**FIT, "epochs": 10}, client=client, checkpoint=tmp_path / "a.safetensors")
    parted = bp.Population.load(tmp_path / "a.safetensors")
    parted.resume(x, t, until_epoch=20)
    parted.resume(x, t, until_epoch=30, client=client)
    assert_same_run(whole, parted)


@pytest.mark.parametrize("n_killed", [1, 2])
def test_workers_may_be_killed(client: Any, n_killed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first of eight parts has come back; also both, with all copies of the data."""
    x, t = data()
    client.wait_for_workers(2, timeout=120)
    pids = list(client.run(os.getpid).values())
    here, there = (bp.Population([8, 5, 3], 128, seed=1) for _ in range(2))
    long = {"optimizer": bp.SGD(0.1), "batch_size": 4, "epochs": 200}
    here.fit(x, t, **long)
    take, left = Run.take, pids[:n_killed]

    def take_and_kill(run: Run, *part: Any) -> None:
        take(run, *part)
        while left:
            os.kill(left.pop(), signal.SIGKILL)

    monkeypatch.setattr(Run, "take", take_and_kill)
    there.fit(x, t, client=client, **long)
    client.wait_for_workers(2, timeout=120)
    assert not set(pids[:n_killed]) & set(client.run(os.getpid).values())
    assert_same_run(here, there)


@pytest.mark.parametrize("n_failures", [2, 3])
@pytest.mark.parametrize(
    "error", [OSError("Stream is closed"), ValueError("Can not use replicate to delete data")], ids=repr
)
def test_a_worker_may_die_while_the_data_are_sent(
    client: Any, error: Exception, n_failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Dask raises then, where another worker is left and where none is."""
    x, t = data()
    here, there = (bp.Population([8, 5, 3], N, seed=1) for _ in range(2))
    scatter, left = client.scatter, [error] * n_failures

    def fails(*args: Any, **kwargs: Any) -> Any:
        if left:
            raise left.pop()
        return scatter(*args, **kwargs)

    monkeypatch.setattr(client, "scatter", fails)
    if n_failures == 3:
        with pytest.raises(type(error), match=str(error)):
            there.fit(x, t, client=client, **FIT)
        assert_same_bits(here.parameters, there.parameters)
        return
    there.fit(x, t, client=client, **FIT)
    here.fit(x, t, **FIT)
    assert_same_run(here, there)


def test_a_search_gives_the_same_table(client: Any) -> None:
    x, t = data()
    space = {"learning_rate": bp.log_uniform(1e-3, 1.0), "hidden": [3, 5]}
    sent: list[Any] = []
    scatter = client.scatter
    client.scatter = lambda *args, **kwargs: (sent.append(args), scatter(*args, **kwargs))[1]
    try:
        there = bp.search([8, 5, 3], space, x, t, n=12, optimizer="SGD", epochs=5, client=client)
    finally:
        client.scatter = scatter
    here = bp.search([8, 5, 3], space, x, t, n=12, optimizer="SGD", epochs=5)
    assert len(sent) == 1  # once, for both populations
    for one, other in zip(here.table, there.table, strict=True):
        assert {k: v for k, v in one.items() if k != "seconds"} == {k: v for k, v in other.items() if k != "seconds"}
    assert_same_bits(here.best_.parameters, there.best_.parameters)  # type: ignore[union-attr]


def test_progress_and_refusals(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    x, t = data()
    population = bp.Population([8, 5, 3], N, seed=1)
    population.fit(x, t, **{**FIT, "epochs": 4}, client=client, progress=True)
    assert "200/200" in capsys.readouterr().err
    before = population.parameters.copy()
    with pytest.raises(ValueError, match="callbacks are given, but client trains in other processes"):
        population.fit(x, t, **FIT, client=client, callbacks=[print])
    with pytest.raises(ValueError, match=r"x has shape \(40, 8, 1\); it must be \(n, 8\)"):
        population.fit(x[:, :, None], t, **FIT, client=client)
    with pytest.raises(TypeError, match=r"client is 'scheduler'; it must be None or a dask\.distributed\.Client"):
        population.fit(x, t, **FIT, client="scheduler")
    assert_same_bits(population.parameters, before)


CTRL_C = """
import os, signal, sys, threading
import numpy as np, backpropc as bp
from distributed import Client, LocalCluster
if __name__ == "__main__":
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        x = np.random.default_rng(0).normal(size=(50, 8))
        population = bp.Population([8, 3, 8], 160, seed=0)
        part, take = threading.Event(), bp.population.Run.take
        def told(self, *args):
            take(self, *args)
            os.kill(os.getpid(), signal.SIGINT)
        bp.population.Run.take = told
        try:
            population.fit(x, x, optimizer=bp.SGD(0.1), epochs=300, client=client)
        except KeyboardInterrupt:
            print("interrupted")
        bp.population.Run.take = take
        done = [len(each.epoch) for each in population.history]
        assert 0 in done and 300 in done, done
        population.resume(x, x, client=client)
        plain = bp.Population([8, 3, 8], 160, seed=0)
        plain.fit(x, x, optimizer=bp.SGD(0.1), epochs=300)
        assert (plain.parameters == population.parameters).all()
        print("the same")
"""


def test_ctrl_c_leaves_the_population_whole() -> None:
    done = subprocess.run([sys.executable, "-c", CTRL_C], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["interrupted", "the same"]


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    x, t = data()
    with pytest.raises(ModuleNotFoundError, match=r"client needs Dask: pip install 'backpropc\[dask\]'"):
        bp.Population([8, 5, 3], 2, seed=1).fit(x, t, optimizer="Adam", client=object())
