"""Writes the files of this version's format; run it once, when a new format gets its number, and keep what it wrote."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

import backpropc as bp
from backpropc import io

HERE = Path(__file__).parent


class Stopped(Exception):
    pass


class Stopping(bp.Trainer):
    """Ends its fit in the seventh step."""

    def save(self, path: object) -> None:
        super().save(path)
        if self.step_count == 7:
            raise Stopped


def main() -> None:
    layers = [bp.Dense(3, 4, bp.leaky_relu(0.2)), bp.Dense(4, 2, "softmax")]
    x, t = np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2
    net = bp.Network(layers, seed=0)
    net.save(HERE / f"format-{io.VERSION}-network.safetensors")
    trainer = Stopping(
        net,
        loss="softmax_cross_entropy",
        optimizer=bp.Adam(0.01),
        batch_size=4,
        seed=2**64 - 1,
        l2=1e-3,
        dropout=0.25,
        clip_norm=10.0,
        schedule=bp.schedules.cosine(20),
    )
    with contextlib.suppress(Stopped):
        trainer.fit(
            x,
            t,
            epochs=9,
            validation_data=(x, t),
            metrics=["accuracy"],
            early_stopping=bp.EarlyStopping(patience=5),
            checkpoint=HERE / f"format-{io.VERSION}-trainer.safetensors",
            checkpoint_every_steps=7,
        )
    population = bp.Population(layers, 4, seed=2**64 - 4)
    population.fit(
        x,
        t,
        loss="softmax_cross_entropy",
        optimizer=bp.Adam([0.01, 0.02, 0.03, 0.04]),
        batch_size=4,
        l2=[0.0, 1e-3, 0.0, 1e-4],
        schedule=bp.schedules.cosine(20),
        epochs=3,
        validation_data=(x, t),
        metrics=["accuracy"],
        early_stopping=bp.EarlyStopping(patience=1),
        checkpoint=HERE / f"format-{io.VERSION}-population.safetensors",
    )


if __name__ == "__main__":
    main()
