"""Promise 1: every definition gives the same bits on every instruction set of this machine."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import textwrap

import pytest

import backpropc as bp
from oracle.optimizers import CASES

# Prints a digest of what every definition of the lists computes, by its name; the first argument holds the optimizers'
# arguments. 37 columns are whole vectors and a rest, on every instruction set.
DIGESTS = """
    import hashlib, json, sys
    import numpy as np
    import backpropc as bp

    digests = {}

    def record(name, *arrays):
        digest = hashlib.sha256()
        for array in arrays:
            assert not np.isnan(array).any(), name
            digest.update(np.ascontiguousarray(array).tobytes())
        digests[name] = digest.hexdigest()

    for dtype in ("float32", "float64"):
        rng = np.random.default_rng(0)
        scale = np.exp2(rng.uniform(-12, 10, (50, 37)))
        x, w, b = (scale * rng.normal(size=(50, 37))).astype(dtype), np.eye(37, dtype=dtype), np.zeros(37, dtype)
        da = rng.normal(size=(50, 37)).astype(dtype)
        for activation in bp.ACTIVATIONS:
            z, a = bp.dense_forward(x, w, b, activation)
            record(f"{dtype} {activation}", a, bp.dense_backward(da, x, w, z, a, activation).delta)

        t = rng.dirichlet(np.ones(37), 50).astype(dtype)
        a = rng.uniform(0.01, 0.99, (50, 37)).astype(dtype)
        small = (rng.normal(size=(50, 37)) * 3).astype(dtype)
        for loss in bp.LOSSES:
            record(f"{dtype} {loss}", np.float64(bp.loss_value(loss, a, t)), bp.loss_gradient(loss, a, t))
            for output in ("logistic", "softmax"):
                net = bp.Network([37, 37], output, seed=0, dtype=dtype)
                trace = net.trace(small, t, loss=loss)
                record(f"{dtype} {loss} after {output}", np.float64(trace.loss), *trace.delta, *trace.dw, *trace.db)

        for optimizer, cases in json.loads(sys.argv[1]).items():
            for index, arguments in enumerate(cases):
                net = bp.Network([37, 5, 37], "tanh", "logistic", seed=0, dtype=dtype)
                net.fit(small, t, optimizer=getattr(bp, optimizer)(**arguments), epochs=3, batch_size=10, seed=0)
                record(f"{dtype} {optimizer} {index}", net.parameters)

        for batch_size in (1, 10):
            net = bp.Network([37, 29, 37], "tanh", "logistic", seed=0, dtype=dtype)
            bounds = {"clip_value": 0.01, "clip_norm": 0.05, "max_norm": 0.8}
            rates = {"l1": 0.001, "l2": 0.01, "dropout": 0.3, "input_dropout": 0.1, "sample_weight": np.arange(50)}
            run = {"optimizer": bp.Adam(), "epochs": 3, "batch_size": batch_size, "schedule": bp.schedules.cosine(4)}
            net.fit(small, t, seed=0, **run, **rates, **bounds)
            record(f"{dtype} everything {batch_size}", net.parameters)
    print(json.dumps(digests))
"""


@functools.cache
def digests(isa: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DIGESTS), json.dumps(CASES)],
        env={**os.environ, "BACKPROPC_ISA": isa},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("isa", bp.available_isas())
def test_every_definition_has_the_same_bits(isa: str) -> None:
    want = digests("portable")
    names = {name.split()[1] for name in want}
    assert names == {*bp.ACTIVATIONS, *bp.LOSSES, *CASES, "everything"}
    assert [name for name, digest in digests(isa).items() if digest != want[name]] == []
