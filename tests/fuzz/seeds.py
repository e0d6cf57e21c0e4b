"""Writes the first files of the corpus, by which a target knows what good ones look like: python tests/fuzz/seeds.py"""

# ruff: noqa: E402  (the path comes first)

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import backpropc as bp
from backpropc.io import save_trainer
from backpropc.onnx import to_onnx
from backpropc.preprocessing import CategoryColumn, NumberColumn, Preprocessing

CORPUS = HERE / "corpus"


def models(folder: Path) -> None:
    for file in (HERE.parent / "files").glob("*.safetensors"):
        (folder / file.stem).write_bytes(file.read_bytes())
    masked = bp.Dense(2, 3, "tanh", mask=np.array([[1, 0, 1], [0, 1, 1]]))
    bp.Network([masked, bp.Dense(3, 1)], seed=0, dtype="float64").save(folder / "masked")
    x, t = np.eye(4)[:, :3], np.arange(4) % 2
    for optimizer in ("SGD", "LBFGS", "LevenbergMarquardt", "Rprop", "Quickprop"):
        kind = bp.SGD(0.1) if optimizer == "SGD" else optimizer
        loss = "half_squared_error" if optimizer == "LevenbergMarquardt" else "softmax_cross_entropy"
        output, targets = ("identity", np.eye(2)[t]) if loss == "half_squared_error" else ("softmax", t)
        trainer = bp.Trainer(bp.Network([3, 2, 2], "tanh", output, seed=0), loss, kind, batch_size=2, seed=0)
        trainer.fit(x, targets, epochs=2, metrics=["accuracy"])
        trainer.save(folder / optimizer)
    together = bp.Population([3, 2, 2], 6, seed=0)
    rates, stopping = np.linspace(0.1, 0.3, 6), bp.EarlyStopping(patience=2)
    together.fit(x, np.eye(2)[t], optimizer=bp.Adam(rates), validation_data=(x, np.eye(2)[t]), early_stopping=stopping)
    together.save(folder / "population")
    alone = bp.Population([masked, bp.Dense(3, 1)], 2, seed=0)
    alone.fit(np.eye(2), np.eye(2)[:, :1], optimizer=bp.SGD(0.1), epochs=2, metrics=["r2"])
    alone.save(folder / "population-masked")
    colors = CategoryColumn("color", ("blue", "red"))
    inputs = (NumberColumn("length", 1.5, 0.5), colors)
    table = Preprocessing(inputs, (CategoryColumn("class", ("no", "yes")),), True)
    save_trainer(trainer, folder / "table", table)


def onnx_models(folder: Path) -> None:
    for activation in bp.ACTIVATIONS:
        for dtype in ("float32", "float64"):
            model = to_onnx(bp.Network([2, 2, 1], activation, "logistic", seed=0, dtype=dtype))
            (folder / f"{activation}-{dtype}").write_bytes(model.SerializeToString())
    labelled = to_onnx(bp.Network([2, 3], "softmax", seed=0), labels=["a", "b", "c"])
    (folder / "labelled").write_bytes(labelled.SerializeToString())


def tables(folder: Path) -> None:
    (folder / "csv").write_bytes(b'clength,color,class\n1.5,"red",yes\n2,blue,no\n')
    (folder / "tsv").write_bytes(b"t1\t2\n3\t4\n")
    for name, values in (("matrix", np.eye(2)), ("vector", np.arange(3)), ("texts", np.array(["a", "b"]))):
        buffer = io.BytesIO()
        np.save(buffer, values)
        (folder / f"npy-{name}").write_bytes(b"n" + buffer.getvalue())
        (folder / f"npz-{name}").write_bytes(b"m" + buffer.getvalue())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.eye(2), t=np.arange(2))
    (folder / "npz").write_bytes(b"z" + buffer.getvalue())


def main() -> None:
    for name, write in (("model", models), ("onnx", onnx_models), ("table", tables)):
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        write(CORPUS / name)


if __name__ == "__main__":
    main()
