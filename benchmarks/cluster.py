"""`python -m benchmarks.cluster`: what it costs to train a population over Dask's workers, also where some are killed.

Two workers of one thread each on this machine beside one process of two threads, and the bits compared.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from typing import Any

import numpy as np

import backpropc as bp

NETWORKS = 200
CASES = ((400, 0), (20_000, 1), (20_000, 2))  # epochs, and how many workers are killed


def fit(epochs: int, client: Any = None) -> tuple[float, bp.Population]:
    """Train 200 networks 8-3-8 on 40 samples, in batches of 4; return the seconds and the population."""
    x = np.random.default_rng(0).normal(size=(40, 8))
    population = bp.Population([8, 3, 8], NETWORKS, seed=0)
    began = time.perf_counter()
    population.fit(x, x, optimizer=bp.SGD(0.1), batch_size=4, epochs=epochs, client=client)
    return time.perf_counter() - began, population


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def main(arguments: list[str] | None = None) -> None:
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the epochs")
    share = parser.parse_args(arguments).share
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    print("| epochs | one process | two workers | killed after half a second |\n| --- | --- | --- | --- |")
    with bp.num_threads(2), LocalCluster(**settings) as cluster, Client(cluster) as client:
        for epochs, killed in ((max(1, round(epochs * share)), killed) for epochs, killed in CASES):
            here, one = fit(epochs)
            client.wait_for_workers(2)
            timer = threading.Timer(0.5, kill, [list(client.run(os.getpid).values())[:killed]])
            timer.start()
            there, other = fit(epochs, client)
            timer.join()
            assert (one.parameters == other.parameters).all()
            print(f"| {epochs:,} | {here:.1f} s | {there:.1f} s | {killed or ''} |")


if __name__ == "__main__":
    main()
