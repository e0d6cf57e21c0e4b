"""``backpropc microscope`` and ``backpropc autoencoder --microscope``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc.cli import main


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    data: dict[str, Any] = json.loads(found)
    return data


@pytest.fixture
def saved(tmp_path: Path) -> tuple[bp.Network, str]:
    net = bp.Network([3, 4, 2], "tanh", "softmax", seed=0)
    net.save(tmp_path / "net.safetensors")
    return net, str(tmp_path / "net.safetensors")


X = np.arange(12.0).reshape(4, 3) / 12
CLASSES = np.array([0, 1, 1, 0])


@pytest.mark.parametrize("kind", ["targets", "classes", "npz"])
def test_the_page_of_a_file(
    saved: tuple[bp.Network, str], tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    net, file = saved
    data, page = tmp_path / ("data.npz" if kind == "npz" else "data.npy"), tmp_path / "page.html"
    if kind == "npz":
        np.savez(data, x=X, t=CLASSES)
    else:
        np.save(data, np.column_stack([X, np.eye(2)[CLASSES] if kind == "targets" else CLASSES]))
    assert main(["microscope", file, str(data), "-o", str(page), "--learning-rate", "0.5"]) == 0
    assert capsys.readouterr().out == f"{page}: {net!r}\n"
    found = data_of(page)
    assert found["loss"]["name"] == "softmax_cross_entropy"
    assert found["learningRate"] == 0.5
    assert found["title"] == file
    assert [sample["t"] for sample in found["samples"]] == np.eye(2)[CLASSES].tolist()
    want = net.trace(X[2], CLASSES[2], "softmax_cross_entropy")
    assert np.float32(found["frames"][0]["passes"][2]["layers"][0]["delta"]).tolist() == want.delta[0].tolist()


def test_a_network_that_gives_its_input_back(tmp_path: Path) -> None:
    bp.Network([3, 2, 3], seed=0).save(tmp_path / "net.safetensors")
    np.save(tmp_path / "data.npy", X)
    page = tmp_path / "page.html"
    arguments = ["microscope", str(tmp_path / "net.safetensors"), str(tmp_path / "data.npy"), "-o", str(page)]
    assert main([*arguments, "--title", "<b>"]) == 0
    found = data_of(page)
    assert found["title"] == "<b>"
    assert found["loss"]["name"] == "half_squared_error"
    assert all(sample["x"] == sample["t"] for sample in found["samples"])


def test_what_is_wrong_with_the_data(
    saved: tuple[bp.Network, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, page = tmp_path / "data.npy", tmp_path / "page.html"
    for content, message in (
        (np.ones((4, 9)), r"has shape \(4, 9\); it must be \(n, 5\): 3 inputs and 2 targets"),
        (b"hello", "is not a .npy or .npz file of numbers"),
        (b"PK\x03\x04 no zip", "is not a .npy or .npz file of numbers"),
        (np.array([{}], dtype=object), "is not a .npy or .npz file of numbers"),
        (None, "No such file"),
    ):
        if isinstance(content, bytes):
            data.write_bytes(content)
        elif content is None:
            data.unlink()
        else:
            np.save(data, content)
        assert main(["microscope", saved[1], str(data), "-o", str(page)]) == 1
        assert re.search(message, capsys.readouterr().err)
        assert not page.exists()
    np.savez(tmp_path / "data.npz", x=X)
    assert main(["microscope", saved[1], str(tmp_path / "data.npz"), "-o", str(page)]) == 1
    assert "it must have x and t" in capsys.readouterr().err


def table(path: Path, n: int = 90) -> Path:
    rng = np.random.default_rng(0)
    kinds, sizes = rng.integers(0, 3, n), rng.normal(size=(n, 2))
    pairs = enumerate(zip(sizes, kinds, strict=True))
    rows = [f"{10 + a:.3f},{b + kind:.3f},{'abc'[i % 3]},kind{kind}" for i, ((a, b), kind) in pairs]
    path.write_text("\n".join(["length,width,<b>,species", *rows]) + "\n")
    return path


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_page_of_a_network_that_train_wrote(tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]) -> None:
    data, net, page = table(tmp_path / "data.csv"), tmp_path / "net.safetensors", tmp_path / "page.html"
    target = "species" if task == "classification" else "width"
    common = ["--hidden", "4", "--epochs", "3", "-o", str(net)]
    assert main(["train", str(data), "--target", target, *common]) == 0
    assert main(["microscope", str(net), str(data), "-o", str(page)]) == 0
    capsys.readouterr()
    found = data_of(page)
    if task == "classification":
        assert found["inputs"] == ["length", "width", "<b>: a", "<b>: b", "<b>: c"]
        assert found["outputs"] == ["kind0", "kind1", "kind2"]
        assert found["loss"]["name"] == "softmax_cross_entropy"
        assert np.sum(found["samples"][0]["t"]) == 1.0
    else:
        assert found["outputs"] == ["width"]
        assert found["loss"]["name"] == "mean_squared_error"
    assert abs(np.mean([sample["x"][0] for sample in found["samples"]])) < 0.5, "scaled as in training"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("length,width,<b>\n1,2,a\n", "has no column 'species', which the model needs"),
        ("length,width,<b>,species\n1,2,a,kind0\n1,2,a,?\n", "line 3, column 'species': the target is missing"),
        ("length,width,<b>,species\n1,2,a,kind7\n", "'kind7' is none of the classes: kind0, kind1, kind2"),
    ],
)
def test_a_table_without_its_targets(tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    data, net, new = table(tmp_path / "data.csv"), tmp_path / "net.safetensors", tmp_path / "new.csv"
    assert main(["train", str(data), "--target", "species", "--epochs", "3", "-o", str(net)]) == 0
    capsys.readouterr()
    new.write_text(text)
    assert main(["microscope", str(net), str(new), "-o", str(tmp_path / "page.html")]) == 1
    assert says in capsys.readouterr().err


def test_train_says_what_makes_learning_slow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = table(tmp_path / "data.csv")
    common = ["train", str(data), "--target", "species", "-o", str(tmp_path / "net"), "--diagnose"]
    slow = ["--optimizer", "SGD", "--learning-rate", "1e-6", "--epochs", "20"]
    assert main([*common, *slow]) == 0
    assert "The weights hardly move" in capsys.readouterr().out
    assert main([*common, *slow, "--json"]) == 0
    (complaint,) = json.loads(capsys.readouterr().out)["diagnosis"]
    assert complaint["name"] == "rate too small"
    assert set(complaint) == {"name", "layer", "text", "advice"}
    assert main([*common, "--epochs", "40"]) == 0
    assert "The diagnosis has found nothing that makes learning slow." in capsys.readouterr().out


def test_the_demo_writes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["autoencoder", "--epochs", "300", "--json", "--microscope", str(page)]) == 0
    with_page = json.loads(capsys.readouterr().out)
    assert main(["autoencoder", "--epochs", "300", "--json"]) == 0
    without = json.loads(capsys.readouterr().out)
    assert with_page["hidden"] == without["hidden"]
    found = data_of(page)
    assert found["code"] == 0
    assert found["learningRate"] == 0.3
    epochs = [frame["epoch"] for frame in found["frames"]]
    assert (epochs[0], epochs[-1]) == (0, 300)
    assert [sample["name"] for sample in found["samples"]][:2] == ["10000000", "01000000"]
    hidden = [each["layers"][0]["a"] for each in found["frames"][-1]["passes"]]
    assert np.float32(hidden).tolist() == np.float32(with_page["hidden"]).tolist()


def test_the_demo_does_not_train_for_a_page_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["autoencoder", "--epochs", "100000000", "--json", "--microscope", str(tmp_path / "no" / "page")]) == 1
    assert "No such folder" in capsys.readouterr().err
