"""Networks as C: compiled with every warning an error, their outputs compared with those of `predict`."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import cli, io
from backpropc._tables import read_table
from backpropc.c_source import to_c
from backpropc.preprocessing import CategoryColumn, NumberColumn, Preprocessing

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wmissing-prototypes", "-Wconversion"]
FLAGS += ["-Wdouble-promotion", "-O2"]
EXACT = ("identity", "relu", "leaky_relu", "softsign")  # no elementary function of the C library's
EPS = float(np.finfo(np.float32).eps)
# Of eps, and of the larger of |a| and 1: one of the C library's functions, two roundings of ours there, one in predict.
ULPS = 4


def compiler() -> str:
    found = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    return next(path for path in map(shutil.which, filter(None, found)) if path)


def compiled(source: str, folder: Path, *flags: str) -> ctypes.CDLL:
    (folder / "net.c").write_text(source, encoding="ascii")
    library = folder / f"net{len(list(folder.iterdir()))}.so"
    arguments = [compiler(), *FLAGS, *flags, "-shared", "-fPIC", str(folder / "net.c"), "-o", str(library), "-lm"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def call(function: Any, x: Any, n_outputs: int) -> np.ndarray:
    """What the function writes for each row, which is held within a margin that it must leave alone."""
    rows = []
    for row in np.atleast_2d(np.asarray(x, np.float32)):
        out = np.full(n_outputs + 2, 7.0, np.float32)
        given = np.ascontiguousarray(row)
        function(ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(out.ctypes.data + 4))
        assert out[0] == out[-1] == 7.0
        rows.append(out[1:-1])
    return np.array(rows)


def activations() -> list[Any]:
    return [*bp.ACTIVATIONS, bp.leaky_relu(0.3), bp.elu(0.1)]


@pytest.mark.parametrize("activation", activations(), ids=str)
def test_every_activation(activation: Any, tmp_path: Path) -> None:
    """Near 0, far away on both sides and in between, through weights that are the identity."""
    net = bp.Network([bp.Dense(5, 5, activation)], seed=0)
    net.layers[0].w = np.eye(5)
    z = np.concatenate([np.linspace(-30, 30, 2000), np.geomspace(1e-8, 80, 100), -np.geomspace(1e-8, 300, 100)])
    z = np.random.default_rng(0).permutation(z).reshape(-1, 5).astype(np.float32)
    wanted = net.predict(z)
    found = call(compiled(to_c(net), tmp_path).network_predict, z, 5)
    assert np.isfinite(found).all()
    assert (np.abs(found - wanted) <= ULPS * EPS * np.maximum(np.abs(wanted), 1.0)).all()


@pytest.mark.parametrize("activation", activations(), ids=str)
def test_far_away(activation: Any, tmp_path: Path) -> None:
    """Where z is infinite or as good as that, or the value subnormal; what is not a number stays so."""
    net = bp.Network([bp.Dense(1, 1, activation)], seed=0)
    net.layers[0].w, net.layers[0].b = [[1.0]], [0.0]
    z = np.array([1e8, 1e10, 1e11, 3.4028235e38, np.inf, 14.0, 60.0, 87.0, 95.0, 103.0, 109.9, 110.1], np.float32)
    z = np.concatenate([z, -z, [np.nan]])[:, None]
    with np.errstate(over="ignore"):
        wanted, found = net.predict(z), call(compiled(to_c(net), tmp_path).network_predict, z, 1)
    same = (wanted == found) | (np.isnan(wanted) & np.isnan(found))
    with np.errstate(invalid="ignore"):
        assert (same | (np.abs(found - wanted) <= ULPS * EPS * np.maximum(np.abs(wanted), 1e-30))).all()


@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_a_cpp_compiler_takes_it_too(tmp_path: Path) -> None:
    """As sketches for microcontrollers are C++."""
    net = bp.Network([bp.Dense(2, 2, activation) for activation in activations()], seed=0)
    (tmp_path / "net.cpp").write_text(to_c(net), encoding="ascii")
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wdouble-promotion"]
    command = ["c++", *flags, "-c", str(tmp_path / "net.cpp"), "-o", str(tmp_path / "net.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("activation", EXACT)
def test_the_same_bits_where_fmaf_is_fast(activation: str, tmp_path: Path) -> None:
    net = bp.Network([7, 13, 5, 17, 3], activation=activation, seed=1, initializer=bp.normal(0.5))
    net.layers[1].b = np.linspace(-1, 1, 5)
    x = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    library = compiled(to_c(net), tmp_path, "-DFP_FAST_FMAF", "-ffp-contract=off")
    np.testing.assert_array_equal(call(library.network_predict, x, 3), net.predict(x))


@pytest.mark.parametrize("sizes", [[1, 1], [3, 2], [4, 1, 3], [2, 3, 4, 5, 6, 7], [200, 300, 10]], ids=str)
def test_every_number_of_layers(sizes: list[int], tmp_path: Path) -> None:
    """Each output is a sum of n terms: the two sums differ by at most n·eps·Σ|x·w|, which is at most that of these."""
    net = bp.Network(sizes, activation="tanh", output_activation="identity", seed=2)
    x = np.random.default_rng(0).uniform(-1, 1, (20, sizes[0])).astype(np.float32)
    absolute, error = np.abs(x.astype(np.float64)), np.zeros((20, sizes[0]))
    for layer in net.layers:  # how far the two can drift apart: tanh changes no more than its argument
        w = np.abs(layer.w.astype(np.float64))
        error = error @ w + (layer.fan_in + 1) * EPS * (absolute @ w + np.abs(layer.b)) + ULPS * EPS
        absolute = np.ones((20, layer.fan_out))
    found = call(compiled(to_c(net), tmp_path).network_predict, x, sizes[-1])
    assert (np.abs(found - net.predict(x)) <= error).all()


def test_numbers_are_exact(tmp_path: Path) -> None:
    """The least subnormal, the largest, both zeros, and what has no short decimal."""
    special = np.array([2.0**-149, 1.1754942e-38, 3.4028235e38, -0.0, 0.0, 0.1, 1 / 3, 16777216.0], np.float32)
    net = bp.Network([1, 8], activation="identity", seed=0)
    net.layers[0].w = np.zeros((1, 8))
    net.layers[0].b = special
    found = call(compiled(to_c(net), tmp_path, "-ffp-contract=off").network_predict, [[-0.0]], 8)
    np.testing.assert_array_equal(found[0], special)


def test_float64_is_rounded(tmp_path: Path) -> None:
    net = bp.Network([3, 2], activation="identity", seed=0, dtype="float64")
    single = bp.Network([3, 2], activation="identity", seed=0)
    assert to_c(net) == to_c(single)
    net.layers[0].w = np.full((3, 2), 1e39)
    with pytest.raises(ValueError, match=r"layers\[0\]\.w has values that are not finite in float32"):
        to_c(net)


def test_what_a_mask_leaves_out_is_0(tmp_path: Path) -> None:
    net = bp.Network([2, 2], activation="identity", seed=0)
    net.layers[0].mask = [[1, 0], [0, 1]]
    found = call(compiled(to_c(net), tmp_path).network_predict, [[3.0, 5.0]], 2)
    np.testing.assert_array_equal(found, net.predict([[3.0, 5.0]]))


def test_a_file(tmp_path: Path) -> None:
    net = bp.Network([3, 2], seed=0)
    assert to_c(net, tmp_path / "net.c") == (tmp_path / "net.c").read_text()
    assert max(map(len, to_c(bp.Network([100, 100], seed=0)).splitlines())) <= 120
    for word in ("malloc", "double", "static float", "#include <stdlib.h>"):
        assert word not in to_c(net)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "_a", "ä", "a;", "x" * 60, "int\n"])
def test_names_that_are_no_identifiers(name: str) -> None:
    with pytest.raises(ValueError, match=r"name is .*; it must be a letter and then letters, digits"):
        to_c(bp.Network([1, 1], seed=0), name=name)


def test_what_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="name is 3; it must be a str"):
        to_c(bp.Network([1, 1], seed=0), name=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"net is 'net' \(str\); it must be a backpropc.Network"):
        to_c("net")  # type: ignore[arg-type]
    net = bp.Network([1, 1], seed=0)
    foreign = type("mine", (), {"name": "mine"})()
    monkeypatch.setitem(vars(net._layers[0]._plan), "activation", foreign)
    with pytest.raises(ValueError, match=r"layers\[0\] has the activation .*mine.*, which cannot be exported"):
        to_c(net)


@pytest.mark.parametrize("name", ["int", "Net_1", "network"])
def test_two_networks_in_one_program(name: str, tmp_path: Path) -> None:
    """Names begin with the network's, so that keywords do no harm and two files can be linked."""
    net = bp.Network([2, 3, 1], seed=0)
    library = compiled(to_c(net, name=name) + to_c(net, name="other"), tmp_path)
    assert hasattr(library, f"{name}_predict")
    assert hasattr(library, "other_predict")


# --- with a table -----------------------------------------------------------------------------------------------------

NASTY = 'a "b" */ \\ ??/ /* ä 水'


def preprocessing(targets: tuple[Any, ...], fill: bool = False) -> Preprocessing:
    inputs = (NumberColumn(NASTY, 10.0, 4.0), CategoryColumn("kind", ("x", NASTY, "z")), NumberColumn("n", -1.0, 0.5))
    return Preprocessing(inputs, targets, fill)


@pytest.mark.parametrize("fill", [False, True])
def test_columns_and_labels(fill: bool, tmp_path: Path) -> None:
    net = bp.Network([5, 3], activation="softmax", seed=0)
    target = CategoryColumn("t", ("p", NASTY, "r"))
    library = compiled(to_c(net, preprocessing=preprocessing((target,), fill)), tmp_path)
    rows = [[12.0, 1.0, 0.0], [10.0, 7.0, -1.0], [np.nan, np.nan, np.nan]]
    number = 0.0 if fill else np.nan
    wanted = [[0.5, 0.0, 1.0, 0.0, 2.0], [0.0] * 5, [number, 0.0, 0.0, 0.0, number]]
    np.testing.assert_array_equal(call(library.network_encode, rows, 5), np.array(wanted, np.float32))
    labels = (ctypes.c_char_p * 3).in_dll(library, "network_labels")
    assert [label.decode() for label in labels if label is not None] == ["p", NASTY, "r"]
    for a in ([0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8]):
        given = np.array(a, np.float32)
        assert library.network_class(ctypes.c_void_p(given.ctypes.data)) == int(given.argmax())


def test_targets_in_their_units(tmp_path: Path) -> None:
    net = bp.Network([5, 2], activation="identity", seed=0)
    targets = (NumberColumn("p", 100.0, 8.0), NumberColumn("q", -1.0, 0.25))
    library = compiled(to_c(net, preprocessing=preprocessing(targets)), tmp_path)
    a = np.array([1.5, -2.0], np.float32)
    library.network_decode(ctypes.c_void_p(a.ctypes.data))
    assert a.tolist() == [112.0, -1.5]


def test_from_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A table's rows through the C code: the classes that predict gives."""
    data, net, source = tmp_path / "d.csv", tmp_path / "my net.safetensors", tmp_path / "my net.c"
    data.write_text("a,kind,t\n" + "".join(f"{i / 3},{'uvw'[i % 3]},{['no', 'yes'][i % 2]}\n" for i in range(30)))
    assert cli.main(["train", str(data), "--target", "t", "-o", str(net), "--hidden", "5", "--epochs", "50"]) == 0
    assert cli.main(["export", "--to", "c", str(net), "-o", str(source)]) == 0
    library = compiled(source.read_text(), tmp_path)
    capsys.readouterr()
    assert cli.main(["predict", str(net), str(data)]) == 0
    wanted = capsys.readouterr().out.split()[1:]
    model = io.load_model(net)
    assert model.preprocessing is not None
    table = read_table(str(data))
    columns = np.array([[float(a), "uvw".index(str(kind))] for a, kind in zip(
        np.asarray(table.columns["a"].values), table.columns["kind"].texts, strict=True)])  # fmt: skip
    a = call(library.my_net_predict, call(library.my_net_encode, columns, 4), 2)
    np.testing.assert_allclose(a, model.network.predict(model.preprocessing.encode(table)), atol=1e-5)
    assert [("no", "yes")[i] for i in a.argmax(axis=1)] == wanted
    assert cli.main(["export", "--to", "c", str(net), "-o", str(source), "--name", "a b"]) == 1
    assert "name is 'a b'; it must be a letter" in capsys.readouterr().err
