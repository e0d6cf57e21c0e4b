"""Populations over the workers of a Dask cluster: parts of them as pure tasks, put together as they come back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arguments import FloatArray, shown
from ._folds import Folds
from ._members import UNIT_BYTES, States, Work, in_groups

if TYPE_CHECKING:
    from .network import Network
    from .population import Run, Saves

PARTS_PER_THREAD = 4  # so that the last to end is not long alone, and little is done again where a worker dies
MOST_ATTEMPTS = 3  # to send the data, where all workers that had them died


@dataclass(frozen=True)
class Part:
    """Some members of a population: all that a worker needs but the data."""

    shape: Network
    parameters: FloatArray
    seeds: FloatArray
    arguments: dict[str, list[Any]]
    until: int
    states: States
    folds: Folds | None


@dataclass(frozen=True)
class Data:
    """What is the same for all parts, and goes to every worker once."""

    x: Any
    t: Any
    validation_data: Any
    sample_weight: Any
    class_weight: Any
    metrics: Any
    early_stopping: Any

    @classmethod
    def of(cls, work: Work) -> Data:
        """Return those of a fit."""
        return cls(**{name: getattr(work, name) for name in cls.__dataclass_fields__})


def train_part(part: Part, data: Data) -> tuple[FloatArray, States]:
    """Train some members; return their parameters and where they stand. It depends on its arguments alone."""
    from .population import Population, Run

    population = Population.__new__(Population)
    population._adopt(part.shape, part.seeds)
    population._parameters[:] = part.parameters
    run = Run(population, part.arguments, part.seeds, part.until)
    run.states = part.states.part(np.arange(population.n))  # Dask's copy is not to be changed: it may be needed again
    work = Work(until=part.until, folds=part.folds, **vars(data))
    run.train_here(work)
    return population._parameters, run.states


class Cluster:
    """The workers of a client, and the data they have been sent."""

    def __init__(self, client: Any) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("client needs Dask: pip install 'backpropc[dask]'", name=error.name) from None
        if not isinstance(client, Client):
            raise TypeError(f"client is {shown(client)}; it must be None or a dask.distributed.Client")
        if client.asynchronous:
            raise ValueError("client is asynchronous; it must be one whose calls wait: Client(asynchronous=False)")
        self._client: Any = client
        self._sent: tuple[Data, Any] | None = None

    @classmethod
    def of(cls, client: Any) -> Cluster:
        """Return the cluster of a client; one that has been made of it stays what it is."""
        return client if isinstance(client, cls) else cls(client)

    def train(self, run: Run, work: Work, saves: Saves) -> None:
        """Train all members on the workers, as `Run.train` does it here.

        Parts that have come back are the population's, whatever happens to the others: a worker that dies costs the
        parts it was at, which another takes, and Ctrl-C those that are not back.
        """
        if tuple(work.callbacks):
            raise ValueError("callbacks are given, but client trains in other processes; they must be none")
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                data = self._send(Data.of(work), again=attempt > 1)
            except (OSError, ValueError):  # a worker died on the way; a ValueError is Dask's where it was the last
                if attempt == MOST_ATTEMPTS:
                    raise
                continue
            if not self._train_what_is_left(run, work, saves, data):
                break
        else:
            raise RuntimeError(f"the workers lost the data {MOST_ATTEMPTS} times; resume goes on once they are stable")
        saves.save()

    def _send(self, data: Data, again: bool) -> Any:
        """Return the data as every worker has them."""
        sent = self._sent
        if again or sent is None or any(vars(sent[0])[name] is not value for name, value in vars(data).items()):
            (future,) = self._client.scatter([data], broadcast=True, hash=False)
            self._sent = data, future
        assert self._sent is not None
        return self._sent[1]

    def _train_what_is_left(self, run: Run, work: Work, saves: Saves, data: Any) -> bool:
        """Train all parts; return whether some were lost with the data."""
        as_completed: Any = import_module("distributed").as_completed
        parts = list(self._parts(run, work))
        futures = {self._client.submit(train_part, run.part(some, work), data, pure=False): some for some in parts}
        lost = False
        try:
            for future in as_completed(futures):
                some = futures[future]
                try:
                    trained = future.result()
                except CancelledError:  # so Dask ends a task whose data, or result, died with their last worker
                    lost = True
                    continue
                before = run.states.epochs[some].sum()
                run.take(some, *trained)
                future.release()
                work.shown(int(run.states.epochs[some].sum() - before))
                saves.save_where_due()
        except BaseException:
            self._client.cancel(list(futures))
            if saves.is_on:
                saves.save()
            raise
        return lost

    def _parts(self, run: Run, work: Work) -> Iterator[FloatArray]:
        """Yield the members that have to go on, in parts of one structure that fill lanes."""
        threads = max(1, sum(self._client.nthreads().values()))
        share = -(-len(run.members) // (PARTS_PER_THREAD * threads))
        unit = UNIT_BYTES // run.shape.dtype.itemsize
        for in_lanes, group in in_groups(run.members, run.shape, work):
            left = group[~run.states.ended[group] & (run.states.epochs[group] < work.until)]
            size = -(-share // unit) * unit if in_lanes else share
            for first in range(0, len(left), size):
                yield left[first : first + size]
