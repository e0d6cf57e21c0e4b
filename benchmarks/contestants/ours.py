"""backpropc, by its public interface alone."""

from __future__ import annotations

import contextlib
import inspect
import os
from importlib.metadata import version
from typing import Any

import numpy as np

import backpropc as bp

from ..workloads import Data, Workload
from .serving import CannotEnterError, Contestant, serve


class Ours(Contestant):
    """`Trainer.fit` or `Population.fit` without shuffling, and `Network.predict`."""

    def __init__(self, workload: Workload, data: Data) -> None:
        activations = {"activation": workload.activation, "output_activation": workload.output_activation}
        self.net = bp.Network(list(workload.sizes), seed=0, dtype=workload.dtype, **activations)
        for layer, (w, b) in zip(self.net.layers, data.parameters, strict=True):
            layer.w[...], layer.b[...] = w, b
        if workload.threads > 1 and not hasattr(bp, "set_num_threads"):
            raise CannotEnterError("this backpropc has one thread")
        self.predicts = workload.predict
        self.x = data.x[0] if workload.predict and workload.rows == 1 else data.x
        if not workload.predict:
            self.t = data.classes if workload.loss == "softmax_cross_entropy" else data.t
            self.trainer = self._trainer(workload)
            self.screen = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            self.watched_by: dict[str, Any] = {"progress": True} if workload.progress else {}
            if workload.callback:
                self.watched_by["callbacks"] = [lambda state: None]
        self.population = self._population(workload) if workload.members > 1 else None

    def _population(self, workload: Workload) -> Any:
        if not hasattr(bp, "Population"):
            raise CannotEnterError("this backpropc has no populations")
        activations = {"activation": workload.activation, "output_activation": workload.output_activation}
        population = bp.Population(list(workload.sizes), workload.members, seed=0, dtype=workload.dtype, **activations)
        population.parameters[:] = self.net.parameters
        return population

    def _trainer(self, workload: Workload) -> bp.Trainer:
        options: dict[str, Any] = {"dropout": workload.dropout} if workload.dropout else {}
        for option in options:
            if option not in inspect.signature(bp.Trainer).parameters:
                raise CannotEnterError(f"this backpropc has no {option}")
        name = {"sgd": "SGD", "adam": "Adam"}[workload.optimizer]
        if not hasattr(bp, name):
            raise CannotEnterError(f"this backpropc has no {name}")
        optimizer = getattr(bp, name)(workload.learning_rate)
        return bp.Trainer(
            self.net, workload.loss, optimizer, batch_size=workload.batch, shuffle=False, seed=0, **options
        )

    @property
    def version(self) -> str:
        return f"{version('backpropc')} ({bp.isa()})"

    def run(self, passes: int) -> None:
        if self.predicts:
            for _ in range(passes):
                self.output = self.net.predict(self.x)
        elif self.population is not None:
            made = self.trainer
            self.population.fit(
                self.x, self.t, made.loss, made.optimizer, passes, made.batch_size, shuffle=False, dropout=made.dropout
            )
        else:
            with contextlib.redirect_stderr(self.screen):  # a bar would fill the pipe that nobody reads
                self.trainer.fit(self.x, self.t, epochs=passes, **self.watched_by)

    def result(self) -> list[np.ndarray]:
        if self.predicts:
            return [self.output]
        net = self.net if self.population is None else self.population[-1]
        return [array for layer in net.layers for array in (layer.w, layer.b)]


if __name__ == "__main__":
    serve(Ours)
