"""``backpropc train``, ``predict`` and ``info``: tables of every kind, what is learned, what is refused."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import cli, io
from backpropc._tables import Column, Table, disguised_number, read_table
from backpropc.commands.train import _split
from backpropc.preprocessing import CategoryColumn, NumberColumn
from safetensors_files import with_configuration

COMMAND = [sys.executable, "-m", "backpropc"]
CLASSES = ("low", "middle", "high")


def rows_of_flowers(n: int = 60) -> list[list[str]]:
    """Two numbers and a category that say which class it is."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(n):
        k = i % 3
        rows.append([f"{k + rng.normal(0, 0.1):.3f}", f"{100 * k + rng.normal(0, 9):.2f}", "abc"[k], CLASSES[k]])
    return rows


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    path = tmp_path / "flowers.csv"
    lines = [["size", "weight, g", "kind", "class"], *rows_of_flowers()]
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return path


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints, if it succeeds and complains of nothing."""
    status = cli.main([*map(str, arguments)])
    captured = capsys.readouterr()
    assert (status, captured.err) == (0, "")
    return captured.out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a command fails."""
    assert cli.main([*map(str, arguments)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("backpropc: ")


def report(capsys: pytest.CaptureFixture[str], data: Path, net: Path, *options: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(capsys, "train", data, "-o", net, "--json", *options))
    return found


def columns_of(path: Path) -> list[Column]:
    """Every column of a table, each of which must be of numbers or of texts."""
    table = read_table(str(path))
    return [table.column(name) for name in table.columns]


# --- training ---------------------------------------------------------------------------------------------------------


def test_a_classifier(capsys: pytest.CaptureFixture[str], flowers: Path, net: Path) -> None:
    text = run(capsys, "train", flowers, "--target", "class", "--hidden", "8,4", "-o", net, "--learning-rate", 0.02)
    assert "inputs   size, weight, g: numbers" in text
    assert "kind: 3 categories: a, b, c" in text
    assert "target   class: 3 classes: high, low, middle" in text
    assert "48 rows to train on, 12 held out" in text
    assert "accuracy  1.0000 of 48 rows (training), 1.0000 of 12 rows (held out)" in text
    rows = [line.split() for line in text.splitlines() if line.split()[:1] in (["high"], ["low"], ["middle"])]
    assert rows[1:] == [["high", "4", "0", "0"], ["low", "0", "4", "0"], ["middle", "0", "0", "4"]]
    network = bp.Network.load(net)
    assert network.sizes == (5, 8, 4, 3)
    assert [layer.activation for layer in network.layers] == ["relu", "relu", "softmax"]


def test_what_is_learned_is_of_the_training_rows(capsys: pytest.CaptureFixture[str], flowers: Path, net: Path) -> None:
    """Means and standard deviations by NumPy, the split by the same function, the network's outputs by hand."""
    report(capsys, flowers, net, "--target", "class", "--seed", 7, "--dtype", "float64")
    model = io.load_model(net)
    table = read_table(str(flowers))
    training, held_out = _split(table, "class", 0.2, 7)
    assert model.preprocessing is not None
    size, _, kind = model.preprocessing.inputs
    assert isinstance(size, NumberColumn)
    numbers = np.asarray(table.columns["size"].values)[training].astype(float)
    np.testing.assert_allclose([size.mean, size.scale], [numbers.mean(), numbers.std()], rtol=1e-12)
    assert kind == CategoryColumn("kind", ("a", "b", "c"))
    x = model.preprocessing.encode(table)
    assert x.shape == (60, 5)
    np.testing.assert_array_equal(x[:4, 2:], np.eye(3)[[0, 1, 2, 0]])
    np.testing.assert_allclose(x[training, 0].std(), 1.0, rtol=1e-12)
    lines = run(capsys, "predict", net, flowers, "--probabilities").splitlines()
    assert lines[0] == "class,probability high,probability low,probability middle"
    found = np.array([line.split(",")[1:] for line in lines[1:]], dtype=float)
    np.testing.assert_array_equal(found, model.network.predict(x))
    assert model.trainer is not None
    assert model.trainer.history.val_loss[-1] == model.network.loss(
        x[held_out], model.preprocessing.encode_targets(table)[held_out], "softmax_cross_entropy"
    )


def test_a_regression_in_the_units_of_the_target(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    x = np.random.default_rng(0).normal(size=(200, 2))
    t = 1000.0 + 50.0 * x[:, 0] - 20.0 * x[:, 1]
    data = tmp_path / "data.npz"
    np.savez(data, x=x, t=t)
    found = report(capsys, data, net, "--target", "t", "--hidden", "none", "--learning-rate", 0.01)
    assert found["parts"]["held out"]["r2"] > 0.999
    assert found["parts"]["held out"]["root_mean_squared_error"][0] < 2.0
    lines = run(capsys, "predict", net, data).splitlines()
    assert lines[0] == "t"
    np.testing.assert_allclose(np.array(lines[1:], dtype=float), t, atol=10.0)


def test_several_targets_and_an_array_of_them(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    np.savez(tmp_path / "data.npz", x=x, t=x[:, :2] * [1.0, 100.0])
    found = report(capsys, tmp_path / "data.npz", net, "--target", "t", "--epochs", 5)
    assert found["parts"]["training"]["targets"] == ["t.1", "t.2"]
    assert bp.Network.load(net).sizes == (3, 32, 2)


@pytest.mark.parametrize(("values", "task"), [("0 1 2", "classes"), ("0.5 1 2", "a number"), (None, "a number")])
def test_what_a_target_is(
    values: str | None, task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    """Whole numbers of at most 20 values are classes."""
    t = values.split() * 7 if values else [str(i) for i in range(21)]
    (tmp_path / "d.csv").write_text("x,t\n" + "".join(f"{i},{v}\n" for i, v in enumerate(t)))
    assert task in run(capsys, "train", tmp_path / "d.csv", "--target", "t", "-o", net, "--epochs", 1)
    assert "classes" in run(
        capsys, "train", tmp_path / "d.csv", "--target", "t", "-o", net, "--epochs", 1, "--task", "classification"
    )
    assert "a number" in run(
        capsys, "train", tmp_path / "d.csv", "--target", "t", "-o", net, "--epochs", 1, "--task", "regression"
    )


def test_labels_of_numbers_are_in_their_order(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    (tmp_path / "d.csv").write_text("x,t\n" + "".join(f"{i},{i % 3 * 5 + 2}\n" for i in range(12)))
    found = report(capsys, tmp_path / "d.csv", net, "--target", "-1", "--epochs", 1)
    assert found["parts"]["training"]["labels"] == ["2", "7", "12"]


def test_the_same_seed_gives_the_same_file(capsys: pytest.CaptureFixture[str], flowers: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for file, seed in zip(files, (5, 5, 6), strict=True):
        report(capsys, flowers, file, "--target", "class", "--seed", seed, "--dropout", 0.1)
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_every_class_is_trained_on(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    """A class of one row is never held out; of the others the share is."""
    (tmp_path / "d.csv").write_text("x,t\n" + "".join(f"{i},{'rare' if i == 4 else 'ab'[i % 2]}\n" for i in range(20)))
    found = report(capsys, tmp_path / "d.csv", net, "--target", "t", "--held-out", 0.5, "--epochs", 1)
    assert np.sum(found["parts"]["held out"]["confusion"], axis=1).tolist() == [5, 5, 0]
    found = report(capsys, tmp_path / "d.csv", net, "--target", "t", "--held-out", 0, "--epochs", 1)
    assert list(found["parts"]) == ["training"]


def test_patience_keeps_the_best(capsys: pytest.CaptureFixture[str], flowers: Path, net: Path) -> None:
    found = report(capsys, flowers, net, "--target", "size", "--epochs", 5000, "--patience", 3, "--learning-rate", 0.05)
    assert found["epochs"] < 5000
    trainer = bp.Trainer.load(net)
    assert trainer.epoch == found["epochs"]
    assert min(trainer.history.val_loss) < trainer.history.val_loss[-1]


def test_a_file_goes_on_to_be_trained(capsys: pytest.CaptureFixture[str], flowers: Path, net: Path) -> None:
    report(capsys, flowers, net, "--target", "class", "--epochs", 3)
    trainer = bp.Trainer.load(net)
    trainer.fit(np.zeros((48, 5)), np.zeros(48, int), epochs=1)
    assert trainer.epoch == 4


# --- tables -----------------------------------------------------------------------------------------------------------


def write_text(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a,b,t\n1,x,2.5\n2,y,3.5\n",
        "\ufeffa,b,t\r\n1,x,2.5\r\n2,y,3.5\r\n",
        "a;b;t\n1;x;2.5\n2;y;3.5",
        "a\tb\tt\n1\tx\t2.5\n2\ty\t3.5\n",
        '\n"a","b","t"\n"1","x","2.5"\n\n 2 , y ,"3.5"\n',
        '"a", "b", "t"\n1, "x", "2.5"\n2,   "y", 3.5\n',
        "a,b,t\n+1,x,25e-1\n2.,y,3.50\n",
    ],
    ids=[
        "plain",
        "BOM and CRLF",
        "semicolons",
        "tabs",
        "quotes and blanks",
        "quotes after blanks",
        "ways to write a number",
    ],
)
def test_ways_to_write_a_csv(text: str, tmp_path: Path) -> None:
    table = read_table(str(write_text(tmp_path / "d.csv", text)))
    assert (list(table.columns), table.named) == (["a", "b", "t"], True)
    assert np.asarray(table.columns["a"].values).tolist() == [1.0, 2.0]
    assert table.columns["b"].values == ["x", "y"]
    assert np.asarray(table.columns["t"].values).tolist() == [2.5, 3.5]


def test_a_quoted_field_may_have_all_in_it(tmp_path: Path) -> None:
    table = read_table(str(write_text(tmp_path / "d.csv", '"a, ""b""",t\n"x,y",1\n"z;;;;",2\n')))
    assert table.columns['a, "b"'].values == ["x,y", "z;;;;"]


def test_no_header(tmp_path: Path) -> None:
    path = str(write_text(tmp_path / "d.csv", "1,x\n2,y\n"))
    assert (list(read_table(path).columns), read_table(path).named) == (["1", "2"], False)
    assert list(read_table(path, header="yes").columns) == ["1", "x"]
    assert len(read_table(str(write_text(tmp_path / "e.csv", "a,b\nc,d\n")), header="no")) == 2


def test_missing_values_are_known_by_their_names(tmp_path: Path) -> None:
    table = read_table(str(write_text(tmp_path / "d.csv", "a,b,c\n1,x,1\n,NA,1\nnan,?,1\nN/A,,1\n")))
    assert table.columns["a"].missing.tolist() == [False, True, True, True]
    assert table.columns["b"].values == ["x", None, None, None]


def test_long_tables(tmp_path: Path) -> None:
    """Longer than what is read at a time, with a gap, and with what is wrong in the last line."""
    rows = [f"{i},{'' if i == 1500 else i / 8},k{i % 7}" for i in range(5000)]
    table = read_table(str(write_text(tmp_path / "d.csv", "i,x,k\n" + "\n".join(rows) + "\n")))
    assert np.array_equal(table.columns["i"].values, np.arange(5000.0))
    x = np.where(np.arange(5000) == 1500, np.nan, np.arange(5000) / 8)
    np.testing.assert_array_equal(np.asarray(table.columns["x"].values), x)
    assert table.columns["k"].values == [f"k{i % 7}" for i in range(5000)]
    for last, says in (("1_0,1,k", "'1_0' is not a number"), ("1,inf,k", "'inf' is not a finite"), ("1,1", "2 fields")):
        path = write_text(tmp_path / "d.csv", "i,x,k\n" + "\n".join([*rows, last]) + "\n")
        with pytest.raises(ValueError, match=f"line 5002.*{says}"):
            columns_of(path)


def test_large_whole_numbers_are_numbers(tmp_path: Path) -> None:
    table = read_table(str(write_text(tmp_path / "d.csv", f"a\n{10**30}\n-{10**300}\n")))
    assert np.asarray(table.columns["a"].values).tolist() == [1e30, -1e300]


def test_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6, dtype=np.int16).reshape(3, 2))
    table = read_table(str(tmp_path / "a.npy"))
    assert (list(table.columns), table.named, len(table)) == (["1", "2"], False, 3)
    np.save(tmp_path / "s.npy", np.array([(1.5, "u"), (2.5, "v")], dtype=[("x", "f4"), ("t", "U3")]))
    table = read_table(str(tmp_path / "s.npy"))
    assert table.columns["t"].values == ["u", "v"]
    np.savez(tmp_path / "z.npz", x=np.zeros((4, 2)), t=np.array([b"p", b"q", b"", b"p"]))
    table = read_table(str(tmp_path / "z.npz"))
    assert (list(table.columns), table.named) == (["x.1", "x.2", "t"], True)
    assert table.columns["t"].values == ["p", "q", None, "p"]


def test_parquet(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    n = 30
    columns = {
        "i": pa.array([None if k == 3 else k for k in range(n)], pa.int64()),
        "f": pa.array([k / 2 for k in range(n)], pa.float32()),
        "flag": pa.array([k % 2 == 0 for k in range(n)]),
        "kind": pa.array(["ab"[k % 2] for k in range(n)]).dictionary_encode(),
        "t": pa.array([f"class {k % 2}" for k in range(n)]),
    }
    path = tmp_path / "d.parquet"
    parquet.write_table(pa.table(columns), path)
    table = read_table(str(path))
    assert table.columns["i"].missing.tolist() == [k == 3 for k in range(n)]
    assert np.asarray(table.columns["flag"].values)[:2].tolist() == [1.0, 0.0]
    run(capsys, "train", path, "--target", "t", "-o", net, "--missing", "fill", "--epochs", 100)
    assert len(run(capsys, "predict", net, path).splitlines()) == n + 1
    parquet.write_table(pa.table({"d": pa.array([0], pa.date32())}), path)
    assert "column 'd': it is of type date32[day]" in complaint(capsys, "train", path, "--target", "d", "-o", net)


def test_parquet_without_pyarrow(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = complaint(capsys, "train", tmp_path / "d.parquet", "--target", "t", "-o", net)
    assert said.endswith("is a Parquet file: to read it, install pyarrow")


REFUSED: dict[str, tuple[str, list[str], str]] = {
    "empty": ("", [], "d.csv is empty"),
    "blank": ("\n\n", [], "d.csv is empty"),
    "header only": ("a,t\n", [], "d.csv has no rows of data"),
    "ragged": ("a,t\n1,2\n\n3\n", [], "d.csv, line 4: it has 1 fields; the first line has 2"),
    "open quote": ('a,t\n1,2\n3,"4\n5,6\n', [], "d.csv, line 3: unexpected end of data"),
    "line after a long field": ('a,t\n"x\ny",2\n', [], "d.csv, line 2, column 'a': 'x\\ny' has characters"),
    "text among numbers": ("a,t\n1,2\n5.l,2\n", [], "line 3, column 'a': '5.l' is not a number, as the values above"),
    "number among texts": ("a,t\nx,2\n5,2\n", [], "line 3, column 'a': '5' is a number, but the values above it are"),
    "infinite": ("a,t\n1,2\ninf,2\n", [], "line 3, column 'a': 'inf' is not a finite number"),
    "too large": (f"a,t\n1,2\n{10**400},2\n", [], "is not a finite number"),
    "underscores": ("a,t\n1,2\n1_000,2\n", [], "'1_000' is not a number"),
    "missing": ("a,t\n1,2\n,3\n", [], "line 3, column 'a': the value is missing (1 in this column); give --missing"),
    "missing target": ("a,t\n1,2\n2,\n", ["--missing", "fill"], "line 3, column 't': the target is missing"),
    "all missing": ("a,t\n,2\n,3\n", ["--missing", "fill"], "column 'a': every value is missing; leave it out"),
    "none without a gap": ("a,t\n,2\n,3\n", ["--missing", "drop"], "has no row without a missing value"),
    "one class": ("a,t\n1,x\n2,x\n", [], "column 't': there is only one class, 'x' in 2 rows"),
    "constant target": ("a,t\n1,2.5\n2,2.5\n", [], "column 't': it is 2.5 in every row to train on"),
    "no inputs": ("a,t\n1,x\n2,y\n", ["--ignore", "a"], "has no column but the target and those ignored"),
    "no such column": ("a,t\n1,x\n2,y\n", ["--ignore", "q"], "there is no column 'q'; there are: a, t"),
    "same name": ("a,a,t\n1,2,3\n", [], "two columns are named 'a'"),
    "many texts": (
        "a,t\n" + "".join(f"name {i},{i}.5\n" for i in range(200)),
        [],
        "different texts, as 'name 0'; categories may be at most 100: leave the column out by --ignore",
    ),
    "target ignored": ("a,t\n1,x\n2,y\n", ["--ignore", "-1"], "column 't' is the target, and given by --ignore"),
    "decimal comma": ("a;t\n0,5;1\n1,25;2\n", [], "line 2, column 'a': '0,5' looks like a number, but numbers must be"),
    "thousands": ('a,t\n1,2\n3,"1,000"\n', [], "line 3, column 't': '1,000' looks like a number"),
    "German thousands": ("a;t\n1.234,5;1\n2,5;2\n", [], "line 2, column 'a': '1.234,5' looks like a number"),
    "another minus": ("a,t\n\u22125,1\n\u22126,2\n", [], "'\u22125' looks like a number"),
    "percent": ("a,t\n5%,1\n10 %,2\n", [], "give --categorical 'a'"),
    "text for a regression": ("a,t\n1,2\n2,x\n", ["--task", "regression"], "line 3, column 't': 'x' is not a number"),
    "beyond scaling": ("a,t\n1e308,1.5\n-1e308,2.5\n", [], "cannot be scaled; write them in another unit"),
}


@pytest.mark.parametrize(("text", "options", "says"), REFUSED.values(), ids=REFUSED)
def test_tables_that_are_refused(
    text: str, options: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    data = write_text(tmp_path / "d.csv", text)
    assert says in complaint(capsys, "train", data, "--target", "t", "-o", net, *options)
    assert not net.exists()


def test_a_first_line_taken_for_data(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    data = write_text(tmp_path / "d.csv", "2019,2020\nx,2\n1,2\n")
    assert "give --header yes" in complaint(capsys, "train", data, "--target", "2", "-o", net)
    assert "give --header" not in complaint(capsys, "train", data, "--target", "2", "-o", net, "--header", "no")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfea\x00,\x00t\x00", "is not UTF-8 text: it is UTF-16"),
        (
            b"a,t\n" + b"x,1\n" * 9000 + b"\xe4,1\n",
            "is not UTF-8 text: line 9002: invalid continuation byte; convert it",
        ),
        ("PK_ID,größe\n1,2\n".encode("latin-1"), "is not UTF-8 text: line 1: invalid"),
        ("a,t\n1,2\n".encode("utf-16"), "it is UTF-16; convert it, as by iconv -f utf-16 -t utf-8"),
        (b"PK\x03\x04\xff,\n", "it is a spreadsheet, or compressed; save the table as CSV"),
        (b"a,t\n\x00x,1\n", "has characters that cannot be printed"),
    ],
)
def test_bytes_that_are_refused(
    content: bytes, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    (tmp_path / "d.csv").write_bytes(content)
    assert says in complaint(capsys, "train", tmp_path / "d.csv", "--target", "t", "-o", net)


def test_arrays_that_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    def said(**arrays: Any) -> str:
        np.savez(tmp_path / "d.npz", **arrays)
        return complaint(capsys, "train", tmp_path / "d.npz", "--target", "t", "-o", net)

    assert "'t' has 2 rows and 'x.1' has 3" in said(x=np.zeros((3, 1)), t=np.zeros(2))
    assert "has shape (1, 1, 1)" in said(x=np.zeros((1, 1, 1)), t=np.zeros(1))
    assert "it has dtype complex128" in said(x=np.zeros(2, complex), t=np.zeros(2))
    assert "row 2, column 'x': inf is not a finite number" in said(x=[0, np.inf], t=np.zeros(2))
    assert "not a file of arrays" in said(x=np.array([{}, {}]), t=np.zeros(2))  # pickled objects are not read
    write_text(tmp_path / "d.npz", "no zip")
    assert "is not a file of arrays" in complaint(capsys, "train", tmp_path / "d.npz", "--target", "t", "-o", net)


MIXED = [[f"A{i}" if i % 2 else str(i), f"{i / 8}", "uv"[i % 2]] for i in range(20)]


def test_columns_that_are_not_used_may_hold_anything(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    """Texts among numbers and the other way round, or characters that cannot be printed: in training and afterwards."""
    rows = [["id", "x", "t"], *MIXED]
    data = write_text(tmp_path / "d.csv", "\n".join(map(",".join, rows)))
    assert "column 'id': 'A1' is not a number" in complaint(capsys, "train", data, "--target", "t", "-o", net)
    report(capsys, data, net, "--target", "t", "--ignore", "id", "--epochs", 1)
    assert len(run(capsys, "predict", net, data).splitlines()) == 21
    new = write_text(tmp_path / "new.csv", "note,x\n\x07,1\n7,2\nz,3\n")
    assert len(run(capsys, "predict", net, new).splitlines()) == 4
    late = write_text(tmp_path / "new.csv", "x\nz\n3\n")
    assert "line 2, column 'x': 'z' is not a number" in complaint(capsys, "predict", net, late)


def test_arrays_and_parquet_may_have_columns_of_no_use(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    x, t = np.arange(20) / 8, np.arange(20) % 2
    np.savez(tmp_path / "d.npz", x=x, t=t, when=np.zeros(20, "M8[D]"), z=x * 1j, far=np.full(20, np.inf))
    columns = {"x": x, "t": t, "when": pa.array([0] * 20, pa.date32()), "z": [[1]] * 20, "far": np.full(20, np.inf)}
    parquet.write_table(pa.table(columns), tmp_path / "d.parquet")
    for name in ("d.npz", "d.parquet"):
        data = tmp_path / name
        assert "column 'when'" in complaint(capsys, "train", data, "--target", "t", "-o", net)
        ignored = [f"--ignore={column}" for column in ("when", "z", "far")]
        report(capsys, data, net, "--target", "t", "--epochs", 1, *ignored)
        assert len(run(capsys, "predict", net, data).splitlines()) == 21


def test_whole_numbers_as_categories_keep_all_their_digits(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    """Also those that float64 cannot tell apart; and decimals of Parquet are numbers."""
    from decimal import Decimal

    import pyarrow as pa
    import pyarrow.parquet as parquet

    keys = 2**53 + np.arange(20) % 2
    np.savez(tmp_path / "d.npz", k=keys, x=np.arange(20) / 8, t=keys)
    price = pa.array([Decimal(f"{i}.25") for i in range(20)])
    parquet.write_table(pa.table({"k": keys, "x": price, "t": keys}), tmp_path / "d.parquet")
    for name in ("d.npz", "d.parquet"):
        report(capsys, tmp_path / name, net, "--target", "t", "--categorical", "k", "--epochs", 1)
        preprocessing = io.load_model(net).preprocessing
        assert preprocessing is not None
        assert preprocessing.inputs[0] == CategoryColumn("k", ("9007199254740992", "9007199254740993"))
        assert isinstance(preprocessing.inputs[1], NumberColumn)
        assert preprocessing.labels == ("9007199254740992", "9007199254740993")
        assert set(run(capsys, "predict", net, tmp_path / name).split()) <= {"t", *preprocessing.labels}


def test_a_target_that_is_categorical_is_classes(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    data = write_text(tmp_path / "d.csv", "a,t\n" + "".join(f"{i},{i % 3}.5\n" for i in range(30)))
    assert "accuracy" in report(capsys, data, net, "--target", "t", "--categorical", "t")["parts"]["held out"]
    assert "r2" in report(capsys, data, net, "--target", "t")["parts"]["held out"]


def test_classes_may_look_like_numbers_where_they_are_said_to_be_classes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    data = write_text(tmp_path / "d.csv", "a,t\n" + "".join(f"{i},{i % 3} %\n" for i in range(30)))
    assert "give --categorical 't'" in complaint(capsys, "train", data, "--target", "t", "-o", net)
    report(capsys, data, net, "--target", "t", "--task", "classification", "--epochs", 1)


def test_small_classes_are_held_out_too(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    """A fifth of two rows is none, but a fifth of forty is eight; and no class is held out whole."""
    data = write_text(tmp_path / "d.csv", "a,t\n" + "".join(f"{i},k{i // 2}\n" for i in range(40)))
    parts = report(capsys, data, net, "--target", "t", "--epochs", 1)["parts"]
    assert (parts["training"]["rows"], parts["held out"]["rows"]) == (32, 8)
    alone = write_text(tmp_path / "d.csv", "a,t\n" + "".join(f"{i},k{i}\n" for i in range(9)))
    assert list(report(capsys, alone, net, "--target", "t", "--epochs", 1)["parts"]) == ["training"]


def test_wide_letters_keep_the_confusion_matrix_in_columns(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path
) -> None:
    labels = ("日本", "e\u0301te\u0301", "hiver")
    data = write_text(tmp_path / "d.csv", "a,t\n" + "".join(f"{i},{labels[i % 3]}\n" for i in range(30)))
    lines = run(capsys, "train", data, "--target", "t", "--epochs", 1, "-o", net).splitlines()
    shown = [line.replace("\u0301", "").replace("日本", "xxxx") for line in lines]
    at = next(i for i, line in enumerate(shown) if line.startswith("confusion matrix"))
    assert len({len(line) for line in shown[at + 2 : at + 6]}) == 1


def test_a_number_too_long_for_its_column(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    data = write_text(tmp_path / "d.csv", "a,t\n" + "".join(f"{i},{i * i}.5\n" for i in range(30)))
    options = ("--optimizer", "SGD", "--learning-rate", 1e3, "--epochs", 2, "--batch-size", 30, "--dtype", "float64")
    text = run(capsys, "train", data, "--target", "t", "-o", net, *options)
    numbers = [line.split() for line in text.splitlines() if line.split()[:1] == ["2"]]
    assert [len(line) for line in numbers if "e+" in line[1]] == [5]


def test_a_constant_column_is_harmless(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    data = write_text(tmp_path / "d.csv", "a,c,t\n" + "".join(f"{i},0.1,{i % 2}\n" for i in range(20)))
    report(capsys, data, net, "--target", "t", "--epochs", 1)
    preprocessing = io.load_model(net).preprocessing
    assert preprocessing is not None
    assert preprocessing.inputs[1] == NumberColumn("c", 0.1, 1.0)


def test_numbers_as_categories(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    """And a postcode keeps its zero."""
    data = write_text(tmp_path / "d.csv", "zip,t\n" + "".join(f"0{i % 3},{i}.5\n" for i in range(30)))
    report(capsys, data, net, "--target", "t", "--categorical", "zip", "--epochs", 1)
    preprocessing = io.load_model(net).preprocessing
    assert preprocessing is not None
    assert preprocessing.inputs == (CategoryColumn("zip", ("00", "01", "02")),)
    new = write_text(tmp_path / "new.csv", "zip\n00\n02\n")
    assert len(run(capsys, "predict", net, new).splitlines()) == 3
    assert "'03' is no category" in complaint(capsys, "predict", net, write_text(tmp_path / "new.csv", "zip\n00\n03\n"))


# --- predicting -------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(capsys: pytest.CaptureFixture[str], flowers: Path, net: Path) -> Path:
    report(capsys, flowers, net, "--target", "class", "--learning-rate", 0.02)
    return net


def test_columns_are_found_by_name(capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path) -> None:
    new = write_text(tmp_path / "new.csv", 'more,kind,"weight, g",size\n0,a,3,0.1\n0,c,201,2\n')
    assert run(capsys, "predict", trained, new) == "class\nlow\nhigh\n"
    nameless = write_text(tmp_path / "new.csv", "0.1,3,a\n2,201,c\n")
    assert run(capsys, "predict", trained, nameless) == "class\nlow\nhigh\n"
    out = tmp_path / "out.csv"
    assert run(capsys, "predict", trained, new, "-o", out) == ""
    assert out.read_text() == "class\nlow\nhigh\n"


PREDICT_REFUSED: dict[str, tuple[str, str]] = {
    "unseen": ('size,"weight, g",kind\n0,1,a\n0,1,d\n', "line 3, column 'kind': 'd' is no category that the training"),
    "missing": ('size,"weight, g",kind\n0,,a\n', "line 2, column 'weight, g': the value is missing"),
    "no number": ('size,"weight, g",kind\nx,1,a\n', "line 2, column 'size': 'x' is not a number"),
    "no column": ("size,kind\n1,a\n", "has no column 'weight, g', which the model needs; it has: size, kind"),
    "too large": ('size,"weight, g",kind\n1e300,1,a\n', "1e+300 is too large beside the training rows"),
    "too few columns": ("1,2\n", "has no column 'size'"),
}


@pytest.mark.parametrize(("text", "says"), PREDICT_REFUSED.values(), ids=PREDICT_REFUSED)
def test_new_data_that_are_refused(
    text: str, says: str, capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path
) -> None:
    assert says in complaint(capsys, "predict", trained, write_text(tmp_path / "new.csv", text))


def test_an_unseen_category_may_be_none_of_the_known(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path
) -> None:
    new = write_text(tmp_path / "new.csv", 'size,"weight, g",kind\n0,1,d\n')
    run(capsys, "predict", trained, new, "--unseen", "zero")


def test_filled_values_count_as_the_mean(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    data = write_text(tmp_path / "d.csv", "a,t\n1,0.5\n,1.5\n3,2.5\n2,3.5\n")
    report(capsys, data, net, "--target", "t", "--missing", "fill", "--held-out", 0, "--epochs", 3)
    gap = write_text(tmp_path / "new.csv", "a\nNA\n2\n")
    _, filled, mean = run(capsys, "predict", net, gap).splitlines()
    assert filled == mean


def test_a_row_without_a_value_is_a_row(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    """What is predicted stays beside what it was predicted of; only lines with nothing on them are left out."""
    data = write_text(tmp_path / "d.csv", "a,c,t\n" + "".join(f"{i},{'uv'[i % 2]},{i}.5\n" for i in range(30)))
    report(capsys, data, net, "--target", "t", "--missing", "fill", "--epochs", 3)
    gap = write_text(tmp_path / "new.csv", "a,c\n1,u\n,\n\n3,v\n")
    assert len(run(capsys, "predict", net, gap).splitlines()) == 4
    report(capsys, data, net, "--target", "t", "--epochs", 3)
    assert "line 3, column 'a': the value is missing" in complaint(capsys, "predict", net, gap)


def test_a_network_without_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path, net: Path) -> None:
    network = bp.Network([2, 3], seed=0)
    network.save(net)
    x = np.array([[0.5, 1.0], [2.0, -1.0]], np.float32)
    np.save(tmp_path / "x.npy", x)
    lines = run(capsys, "predict", net, tmp_path / "x.npy").splitlines()
    assert lines[0] == "output 1,output 2,output 3"
    found = np.array([line.split(",") for line in lines[1:]], dtype=np.float32)
    np.testing.assert_array_equal(found, network.predict(x))
    np.save(tmp_path / "x.npy", x[:, :1])
    assert "has 1 columns; the network has 2 inputs" in complaint(capsys, "predict", net, tmp_path / "x.npy")
    assert "has no classes" in complaint(capsys, "predict", net, tmp_path / "x.npy", "--probabilities")


# --- info -------------------------------------------------------------------------------------------------------------


def test_info(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    text = run(capsys, "info", trained)
    for words in (
        "0      relu        5       32       (5, 32)  (32,)  192         yes",
        "291 parameters in float32: 1.137 KiB",
        "kind: 3 categories: a, b, c",
        "target   class: 3 classes: high, low, middle",
        "trained  200 epochs, 400 steps, on 48 samples",
        "optimizer Adam(learning_rate=0.02",
        "val_accuracy 1",
    ):
        assert words in text
    found = json.loads(run(capsys, "info", trained, "--json"))
    assert (found["sizes"], found["epochs"], found["samples"]) == ([5, 32, 3], 200, 48)
    assert found["trainer"]["loss"] == "softmax_cross_entropy"
    assert len(found["history"]["val_loss"]) == 200
    assert found["preprocessing"]["targets"] == [{"column": "class", "categories": ["high", "low", "middle"]}]


def test_info_of_a_trainer(capsys: pytest.CaptureFixture[str], net: Path) -> None:
    trainer = bp.Trainer(bp.Network([2, 3], seed=0), optimizer=bp.SGD(0.1), seed=0)
    trainer.save(net)
    assert "trained  0 epochs, 0 steps\n" in run(capsys, "info", net)
    trainer.fit(np.ones((4, 2)), np.ones((4, 3)), epochs=2)
    trainer.save(net)
    assert "trained  2 epochs, 2 steps, on 4 samples\n" in run(capsys, "info", net)


def test_info_of_a_network(capsys: pytest.CaptureFixture[str], net: Path) -> None:
    bp.Network([2, 3], seed=0).save(net)
    assert run(capsys, "info", net).splitlines()[-1] == "all trainable"
    assert json.loads(run(capsys, "info", net, "--json"))["n_parameters"] == 9


def test_json_knows_no_number_that_is_not_finite(capsys: pytest.CaptureFixture[str], net: Path) -> None:
    """A metric that some epochs lack, as the last one before Ctrl-C, is null; text passes over it."""

    class Stop:
        def __call__(self, state: Any) -> bool:
            return True

    trainer = bp.Trainer(bp.Network([2, 3], seed=0), optimizer=bp.SGD(0.1), seed=0)
    x, t = np.ones((4, 2)), np.ones((4, 3))
    trainer.fit(x, t, epochs=1, metrics=["r2"], callbacks=[Stop()])
    trainer.fit(x, t, epochs=1)
    trainer.save(net)
    found = json.loads(run(capsys, "info", net, "--json"), parse_constant=pytest.fail)
    assert found["history"]["r2"][1] is None
    assert "r2" not in run(capsys, "info", net).splitlines()[-1]


# --- the file ---------------------------------------------------------------------------------------------------------


def set_at(value: Any, *keys: Any) -> Any:
    def change(found: Any) -> None:
        for key in keys[:-1]:
            found = found[key]
        found[keys[-1]] = value

    return change


CHANGED: dict[str, tuple[Any, str]] = {
    "another key": (set_at(1, "code"), "the keys of preprocessing have 'code'"),
    "fill": (set_at("yes", "fill_missing"), "fill_missing is 'yes'; it must be true or false"),
    "no inputs": (set_at([], "inputs"), "inputs is [];"),
    "inputs not a list": (set_at({}, "inputs"), "inputs is {};"),
    "column not an object": (set_at(7, "inputs", 0), "inputs[0] is 7; it must be an object"),
    "key of a column": (set_at(1, "inputs", 0, "eval"), "the keys of preprocessing: inputs[0] have 'eval'"),
    "mean a text": (set_at("0", "inputs", 0, "mean"), "mean is '0'; it must be a real number"),
    "scale 0": (set_at(0.0, "inputs", 0, "scale"), "and scale 0.0; they must be finite, and scale above 0"),
    "scale infinite": (set_at(1e999, "inputs", 0, "scale"), "Infinity"),
    "too few": (set_at(["a", "b"], "inputs", 2, "categories"), "inputs are of width 4; the network's are 5"),
    "twice": (set_at(["a", "b", "a"], "inputs", 2, "categories"), "two categories are the same"),
    "escape": (set_at("\x1b[2J", "inputs", 0, "column"), "it must be a text that can be printed"),
    "label not a text": (set_at(["a", "b", 3], "targets", 0, "categories"), "a category is 3; it must be a text"),
    "same names": (set_at("size", "inputs", 1, "column"), "two columns have the same name"),
    "no target": (set_at([], "targets"), "targets is []"),
}


@pytest.mark.parametrize(("change", "says"), CHANGED.values(), ids=CHANGED)
def test_a_file_that_train_would_not_write(
    change: Any, says: str, capsys: pytest.CaptureFixture[str], trained: Path
) -> None:
    trained.write_bytes(with_configuration(trained.read_bytes(), lambda found: change(found["preprocessing"])))
    assert says in complaint(capsys, "info", trained)
    with pytest.raises(ValueError, match="cannot be loaded"):
        bp.Network.load(trained)


def test_a_network_alone_has_no_preprocessing(trained: Path, tmp_path: Path) -> None:
    bp.Network.load(trained).save(tmp_path / "alone.safetensors")
    assert io.load_model(tmp_path / "alone.safetensors").preprocessing is None


# --- how it ends ------------------------------------------------------------------------------------------------------

TRAIN = ["train", "d.csv", "--target", "t", "-o", "x"]
WRONG: dict[str, tuple[list[str], str]] = {
    "no target": (["train", "d.csv", "-o", "x"], "--target"),
    "no output": (["train", "d.csv", "--target", "t"], "-o/--output"),
    "hidden": ([*TRAIN, "--hidden", "3,0"], "'3,0' is not a list of sizes"),
    "activation": (
        [*TRAIN, "--activation", "step"],
        "one of: identity, logistic",
    ),
    "optimizer": ([*TRAIN, "--optimizer", "sdg"], "'sdg' is not one of: SGD"),
    "no rate": ([*TRAIN, "--optimizer", "sgd"], "SGD needs --learning-rate"),
    "rate": (
        [*TRAIN, "--optimizer", "Rprop", "--learning-rate", "1"],
        "Rprop has no --learning-rate",
    ),
    "held out": (
        [*TRAIN, "--held-out", "1"],
        "'1' is not a number of at least 0",
    ),
    "delimiter": ([*TRAIN, "--delimiter", "ab"], "'ab' is not one character"),
    "unseen": (["predict", "n", "d.csv", "--unseen", "one"], "--unseen: invalid choice"),
}


@pytest.mark.parametrize(("arguments", "says"), WRONG.values(), ids=WRONG)
def test_wrong_usage_ends_in_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert says in captured.err.splitlines()[-1]


def test_nothing_is_trained_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], flowers: Path, tmp_path: Path
) -> None:
    said = complaint(capsys, "train", flowers, "--target", "class", "-o", tmp_path / "no" / "net.safetensors")
    assert "No such folder" in said


def test_nothing_that_is_read_is_written_over(capsys: pytest.CaptureFixture[str], flowers: Path, trained: Path) -> None:
    before = flowers.read_bytes(), trained.read_bytes()
    for arguments in (
        ["train", flowers, "--target", "class", "-o", flowers],
        ["predict", trained, flowers, "-o", flowers],
        ["predict", trained, flowers, "-o", trained],
        ["export", "--to", "c", trained, "-o", trained],
    ):
        assert "the file that is read; it must be another" in complaint(capsys, *arguments)
    assert (flowers.read_bytes(), trained.read_bytes()) == before


def test_a_loss_that_is_not_finite(capsys: pytest.CaptureFixture[str], flowers: Path, net: Path) -> None:
    options = ("--target", "size", "--optimizer", "SGD", "--learning-rate", 1e30, "--json")
    assert "it must be finite" in complaint(capsys, "train", flowers, "-o", net, *options)
    assert not net.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to others there")
def test_ctrl_c_keeps_what_was_learned(flowers: Path, net: Path) -> None:
    arguments = ["train", str(flowers), "--target", "class", "-o", str(net), "--epochs", str(10**9)]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while "epoch" not in process.stdout.readline():
                pass
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            out, complaint = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert complaint.strip() == "backpropc: interrupted"
    assert f"what was learned until then is in {net}" in out
    assert bp.Trainer.load(net).epoch > 0


def test_output_that_cannot_say_it_all(flowers: Path, net: Path) -> None:
    """A terminal without arrows gets question marks, not a failure."""
    done = subprocess.run(
        [*COMMAND, "train", str(flowers), "--target", "class", "-o", str(net), "--epochs", "1"],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Network(5 ? 32 relu" in done.stdout


def test_rows_know_their_lines(tmp_path: Path) -> None:
    table = read_table(str(write_text(tmp_path / "d.csv", "a\n1\n\n2\n3\n")))
    assert isinstance(table, Table)
    assert table.take(np.array([2])).place(0, "a").endswith("d.csv, line 5, column 'a'")


def test_blanks_between_fields_may_be_missing_values(tmp_path: Path) -> None:
    table = read_table(write_text(tmp_path / "d.csv", "a b c\n1  3\n4 5 6\n"), delimiter=" ")
    assert np.isnan(table.numbers("b")).tolist() == [True, False]


@pytest.mark.parametrize("text", ["3,14", "1,000", "1 000,000.5", "1'000", "5 %", "−5", "€3", "1.234,5"])
def test_a_number_written_in_another_way(text: str) -> None:
    assert disguised_number(["7", text, None]) == text


@pytest.mark.parametrize("text", ["555 1234", "+49 30 1234", "10 20", "1-2", "12:30", "2024-01-02", "1,2,3"])
def test_texts_of_digits_that_are_no_numbers(text: str) -> None:
    assert disguised_number(["7", text, None]) is None
