"""ONNX: every activation through ONNX Runtime, and graphs of dense layers, whoever wrote them, as networks."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import backpropc as bp
from backpropc import cli, io
from backpropc._tables import read_table
from backpropc.onnx import from_onnx, to_onnx

ULPS = 4  # of the larger of |a| and 1: two libraries' elementary functions, and the roundings around them


def run(model: onnx.ModelProto, **inputs: Any) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether these differ by a few units in the last place; shapes and dtypes must be the same."""
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    return bool((np.abs(found - wanted) <= ULPS * np.finfo(found.dtype).eps * np.maximum(np.abs(wanted), 1)).all())


def activations() -> list[Any]:
    return [*bp.ACTIVATIONS, bp.leaky_relu(0.3), bp.elu(0.1)]


# --- to ONNX ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", activations(), ids=str)
def test_every_activation(activation: Any, dtype: str) -> None:
    """Near 0, far away on both sides and in between, through weights that are the identity; and back, bit for bit."""
    net = bp.Network([bp.Dense(5, 5, activation)], seed=0, dtype=dtype)
    net.layers[0].w = np.eye(5)
    z = np.concatenate([np.linspace(-30, 30, 2000), np.geomspace(1e-8, 80, 100), -np.geomspace(1e-8, 300, 100)])
    z = np.random.default_rng(0).permutation(z).reshape(-1, 5).astype(dtype)
    model = to_onnx(net)
    (found,) = run(model, x=z)
    assert close(found, net.predict(z))
    back = from_onnx(model)
    assert back.layers[0].activation == net.layers[0].activation
    np.testing.assert_array_equal(back.predict(z), net.predict(z))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_any_number_of_samples(n: int, dtype: str) -> None:
    """Sums of at most 30 terms, each below 1, in two orders, through functions no steeper than 1."""
    net = bp.Network([9, 30, 20, 3], activation="tanh", output_activation="softmax", seed=1, dtype=dtype)
    x = np.random.default_rng(0).uniform(-1, 1, (n, 9)).astype(dtype)
    (found,) = run(to_onnx(net), x=x)
    assert found.shape == (n, 3)
    np.testing.assert_allclose(found, net.predict(x), rtol=0, atol=3 * 30**2 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("activation", "dtype", "opset", "ir_version"),
    [
        ("relu", "float32", 13, 7),
        ("softmax", "float64", 13, 7),
        ("mish", "float32", 18, 8),
        ("gelu", "float32", 20, 9),
        ("mish", "float64", 13, 8),  # functions of the model came with IR version 8
        ("gelu", "float64", 13, 8),
    ],
)
def test_the_lowest_versions(activation: str, dtype: str, opset: int, ir_version: int) -> None:
    net = bp.Network([2, 3, 1], activation=activation, seed=0, dtype=dtype)
    model = to_onnx(net)
    assert ({o.domain: o.version for o in model.opset_import}[""], model.ir_version) == (opset, ir_version)
    newer = to_onnx(net, opset=22)
    assert {o.domain: o.version for o in newer.opset_import}[""] == 22
    x = np.ones((1, 2), dtype)
    assert close(run(model, x=x)[0], net.predict(x))
    assert close(run(newer, x=x)[0], net.predict(x))
    assert repr(from_onnx(newer)) == repr(net)


@pytest.mark.parametrize(
    ("activation", "opset", "says"),
    [
        ("relu", 12, "opset is 12; it must be at least 13"),
        ("gelu", 19, "opset is 19; it must be at least 20, for gelu"),
        ("mish", 17, "at least 18, for mish"),
        ("relu", 10**6, "opset is 1000000; onnx .* knows them up to"),
    ],
)
def test_versions_that_do_not_fit(activation: str, opset: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        to_onnx(bp.Network([2, 1], activation=activation, seed=0), opset=opset)
    with pytest.raises(TypeError, match="opset is 'new'; it must be an integer"):
        to_onnx(bp.Network([2, 1], seed=0), opset="new")  # type: ignore[arg-type]


def test_a_file(tmp_path: Path) -> None:
    net = bp.Network([3, 2], seed=0)
    model = to_onnx(net, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == model.SerializeToString()
    assert (model.producer_name, model.producer_version) == ("backpropc", bp.__version__)
    np.testing.assert_array_equal(from_onnx(tmp_path / "net.onnx").parameters, net.parameters)


@pytest.mark.parametrize("labels", [[3, 1, 2], ["a", "ä", "c"]], ids=["integers", "texts"])
def test_a_classifier(labels: Any) -> None:
    net = bp.Network([2, 3], activation="softmax", seed=0)
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    label, probabilities = run(to_onnx(net, labels=labels), x=x)
    assert close(probabilities, net.predict(x))
    assert label.tolist() == [labels[i] for i in net.predict(x).argmax(axis=1)]
    assert from_onnx(to_onnx(net, labels=labels)).layers[-1].activation == "softmax"


def test_two_classes_from_one_unit() -> None:
    net = bp.Network([2, 1], activation="logistic", seed=0)
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    label, probabilities = run(to_onnx(net, labels=["no", "yes"]), x=x)
    a = net.predict(x)
    assert close(probabilities, np.concatenate([1 - a, a], axis=1))
    assert label.tolist() == np.where(a[:, 0] > 0.5, "yes", "no").tolist()
    back = from_onnx(to_onnx(net, labels=[0, 1]))
    np.testing.assert_array_equal(back.predict(x), a)


@pytest.mark.parametrize("labels", [[1, 2], [1, 1, 2], ["a", "b", "c", "d"]])
def test_labels_that_do_not_fit(labels: Any) -> None:
    with pytest.raises(ValueError, match=r"labels is .*; it must be a sequence of 3 different integers or texts"):
        to_onnx(bp.Network([2, 3], activation="softmax", seed=0), labels=labels)


def test_labels_of_no_kind() -> None:
    for labels in ("abc", 3, [1, "a", 2], [1.5, 2, 3], [True, 2, 3]):
        with pytest.raises(TypeError, match="labels is"):
            to_onnx(bp.Network([2, 3], activation="softmax", seed=0), labels=labels)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="last layer has 3 units with tanh; it must be a softmax"):
        to_onnx(bp.Network([2, 3], activation="tanh", seed=0), labels=[1, 2, 3])


def test_what_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match=r"net is 'net' \(str\); it must be a backpropc.Network"):
        to_onnx("net")  # type: ignore[arg-type]
    net = bp.Network([1, 1], seed=0)
    net.parameters[0] = np.nan
    with pytest.raises(ValueError, match=r"layers\[0\]\.w has values that are not finite"):
        to_onnx(net)
    monkeypatch.setitem(vars(net._layers[0]._plan), "activation", type("mine", (), {"name": "mine"})())
    with pytest.raises(ValueError, match=r"layers\[0\] has the activation .*, which cannot be exported"):
        to_onnx(net)


# --- from the command line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "dtype"), [("t", "float32"), ("t", "float64"), ("n", "float32")])
def test_a_table_through_onnx_runtime(
    target: str, dtype: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What predict says of the rows, ONNX Runtime says of them as numbers, a category by its place in the list."""
    data, net, model = tmp_path / "d.csv", tmp_path / "n.safetensors", tmp_path / "n.onnx"
    lines = [f"{'' if i == 4 else i / 3},{'vwu'[i % 3]},{['no', 'yes'][i % 2]},{i * 1.5 + 100}" for i in range(40)]
    data.write_text("a,kind,t,n\n" + "\n".join(lines) + "\n")
    ignored = "n" if target == "t" else "t"
    train = ["train", str(data), "--target", target, "--ignore", ignored, "-o", str(net), "--dtype", dtype]
    assert cli.main([*train, "--missing", "fill", "--hidden", "7", "--activation", "tanh", "--epochs", "50"]) == 0
    assert cli.main(["export", "--to", "onnx", str(net), "-o", str(model)]) == 0
    capsys.readouterr()
    assert cli.main(["predict", str(net), str(data)]) == 0
    wanted = capsys.readouterr().out.split()[1:]
    table = read_table(str(data))
    a = np.asarray(table.columns["a"].values)
    columns = np.stack([a, ["uvw".index(str(kind)) for kind in table.columns["kind"].texts]], axis=1).astype(dtype)
    loaded = onnx.load(model)
    outputs = run(loaded, columns=columns)
    if target == "n":
        np.testing.assert_allclose(outputs[0][:, 0], np.array(wanted, float), rtol=1e-5)
    else:
        assert outputs[0].tolist() == wanted
        assert outputs[1].shape == (40, 2)
    assert cli.main(["export", "--to", "onnx", str(net), "-o", str(model), "--bare", "--opset", "15"]) == 0
    np.testing.assert_array_equal(from_onnx(model).parameters, io.load_model(net).network.parameters)


def test_how_export_ends(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bp.Network([2, 1], activation="gelu", seed=0).save(tmp_path / "n.safetensors")
    arguments = ["export", str(tmp_path / "n.safetensors"), "-o", str(tmp_path / "n.onnx"), "--to", "onnx"]
    assert cli.main([*arguments, "--opset", "13"]) == 1
    assert capsys.readouterr().err == "backpropc: opset is 13; it must be at least 20, for gelu\n"
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--name", "net"])
    assert ended.value.code == 2
    assert "--name is for --to c" in capsys.readouterr().err


def test_without_onnx(tmp_path: Path) -> None:
    """One line that says what to install."""
    bp.Network([2, 1], seed=0).save(tmp_path / "n.safetensors")
    script = "import sys; sys.modules['onnx'] = None; from backpropc.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["export", "--to", "onnx", str(tmp_path / "n.safetensors"), "-o", str(tmp_path / "n.onnx")]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "backpropc: backpropc.onnx needs the package onnx: pip install onnx\n"


# --- from ONNX: scikit-learn and PyTorch ------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize(
    "kind", ["classes", "two classes", "zipmap", "several labels", "regression", "several numbers"]
)
def test_scikit_learn(activation: str, kind: str) -> None:
    from skl2onnx import to_onnx as from_sklearn
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 3, 60)
    given = {"hidden_layer_sizes": (6, 5), "activation": activation, "max_iter": 3, "random_state": 0}
    targets = {"two classes": t > 0, "several labels": np.eye(3, dtype=int)[t], "several numbers": x[:, :2]}
    is_regression = kind in ("regression", "several numbers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = (MLPRegressor if is_regression else MLPClassifier)(**given)
        theirs.fit(x, targets.get(kind, x[:, 0] if is_regression else t))
        options = None if is_regression else {"zipmap": kind == "zipmap"}
        model = from_sklearn(theirs, x[:1], options=options)
    net = from_onnx(model)
    assert net.sizes == (4, 6, 5, theirs.coefs_[-1].shape[1])
    np.testing.assert_array_equal(net.layers[0].w, theirs.coefs_[0].astype(np.float32))
    wanted = theirs.predict(x) if is_regression else theirs.predict_proba(x)
    found = net.predict(x)
    if kind == "two classes":
        wanted = wanted[:, 1]
    np.testing.assert_allclose(found[:, 0] if wanted.ndim == 1 else found, wanted, rtol=2e-5, atol=2e-6)
    net.fit(x, np.zeros((60, net.sizes[-1])), optimizer=bp.SGD(0.01), loss="half_squared_error")


def parsed(text: str, opset: int = 18, **weights: np.ndarray) -> onnx.ModelProto:
    """A model of the text of a graph, with its weights."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}, "ai.onnx.ml" : 3]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return model


RNG = np.random.default_rng(5)
W, W2, B, B2 = (RNG.normal(size=s).astype(np.float32) for s in ((3, 4), (4, 2), (4,), (2,)))
X = RNG.normal(size=(9, 3)).astype(np.float32)
IO = "(float[n,3] x) => (float[n,2] y)"

SAME: dict[str, tuple[str, dict[str, np.ndarray]]] = {
    "PyTorch, Gemm with transB": (
        "h = Gemm <transB = 1> (x, w, b) r = Relu(h) y = Gemm <alpha = 1.0, beta = 1.0, transB = 1> (r, v, c)",
        {"w": W.T.copy(), "v": W2.T.copy()},
    ),
    "PyTorch, Transpose of constants": (
        "wt = Transpose <perm = [1, 0]> (w) m = MatMul(x, wt) h = Add(b, m) r = Relu(h) "
        "vt = Transpose(v) k = MatMul(r, vt) y = Add(k, c)",
        {"w": W.T.copy(), "v": W2.T.copy()},
    ),
    "alpha and beta": (
        "h = Gemm <alpha = 0.5, beta = 2.0> (x, w, b) r = Relu(h) y = Gemm(r, v, c)",
        {"w": 2 * W, "b": B / 2},
    ),
    "harmless": (
        "i = Identity(x) f = Flatten(i) d = Dropout(f) m = MatMul(d, w) h = Add(m, b) r = Relu(h) "
        "e = Cast <to = 1> (r) y = Gemm(e, v, c)",
        {},
    ),
    "Gemm without a bias, and Add": ("g = Gemm(x, w) h = Add(b, g) r = Relu(h) m = Gemm(r, v) y = Add(m, c)", {}),
    "Dropout of a graph that was in training": (
        "h = Gemm(x, w, b) r = Relu(h) d, mask = Dropout(r, rate, training) y = Gemm(d, v, c)",
        {"rate": np.array(0.5, np.float32), "training": np.array(False)},
    ),
    "Reshape as Flatten": (
        "s = Constant <value = int64[2] {0, -1}> () f = Reshape(x, s) h = Gemm(f, w, b) r = Relu(h) y = Gemm(r, v, c)",
        {},
    ),
    "biases as rows": ("h = Gemm(x, w, b) r = Relu(h) m = MatMul(r, v) y = Add(m, c)", {"b": B[None], "c": B2[None]}),
}


@pytest.mark.parametrize(("nodes", "weights"), SAME.values(), ids=SAME)
def test_ways_to_write_two_layers(nodes: str, weights: dict[str, np.ndarray]) -> None:
    net = from_onnx(parsed(f"{IO} {{ {nodes} }}", **{"w": W, "b": B, "v": W2, "c": B2, **weights}))
    wanted = bp.Network([3, 4, 2], activation="relu", output_activation="identity", seed=0)
    for layer, w, b in zip(wanted.layers, (W, W2), (B, B2), strict=True):
        layer.w, layer.b = w, b
    assert [layer.activation for layer in net.layers] == ["relu", "identity"]
    np.testing.assert_array_equal(net.parameters, wanted.parameters)


WRITTEN: dict[str, tuple[str, Any]] = {
    "silu": ("s = Sigmoid(z) y = Mul(z, s)", "silu"),
    "mish": ("s = Softplus(z) q = Tanh(s) y = Mul(z, q)", "mish"),
    "gelu": ("d = Div(z, root) e = Erf(d) e1 = Add(e, one) m = Mul(z, e1) y = Mul(m, half)", "gelu"),
    "gelu, another": ("h = Mul(half, z) d = Div(z, root) e = Erf(d) e1 = Add(one, e) y = Mul(h, e1)", "gelu"),
    "gelu, a third": ("d = Div(z, root) e = Erf(d) e1 = Add(e, one) h = Mul(e1, half) y = Mul(z, h)", "gelu"),
    "softsign": ("s = Abs(z) d = Add(one, s) y = Div(z, d)", "softsign"),
    "softplus": ("s = Softplus(z) g = Greater(z, twenty) y = Where(g, z, s)", "softplus"),
    "leaky relu": ("y = LeakyRelu <alpha = 0.2> (z)", bp.leaky_relu(0.2)),
    "leaky relu's default": ("y = LeakyRelu(z)", "leaky_relu"),
    "PRelu": ("y = PRelu(z, half)", bp.leaky_relu(0.5)),
    "elu": ("y = Elu <alpha = 0.3> (z)", bp.elu(0.3)),
    "softmax": ("y = Softmax <axis = -1> (z)", "softmax"),
}
NUMBERS = """root = Constant <value_float = 1.41421354> () one = Constant <value_float = 1.0> ()
             twenty = Constant <value_float = 20.0> () half = Constant <value = float {0.5}> ()"""


@pytest.mark.parametrize(("nodes", "activation"), WRITTEN.values(), ids=WRITTEN)
def test_ways_to_write_an_activation(nodes: str, activation: Any) -> None:
    model = parsed(f"(float[n,3] x) => (float[n,4] y) {{ {NUMBERS} z = Gemm(x, w, b) {nodes} }}", w=W, b=B)
    net = from_onnx(model)
    assert net.layers[0].activation == activation
    assert close(net.predict(X), run(model, x=X)[0])


# --- from ONNX: what is refused ---------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[str, str]] = {
    "an operator": ("m = MatMul(x, w) y = LogSoftmax(m)", "has the operator LogSoftmax, which a network of dense"),
    "a convolution": ("m = MatMul(x, w) y = Cos(m)", "the operator Cos"),
    "another domain": ("m = MatMul(x, w) y = ai.onnx.ml.Normalizer(m)", "the operator ai.onnx.ml.Normalizer"),
    "a skip connection": ("m = MatMul(x, w) r = Relu(m) n = MatMul(r, q) y = Add(n, r)", "Add joins two layers"),
    "branches": ("m = MatMul(x, w) n = MatMul(x, u) y = Add(m, n)", "MatMul reads a layer below the latest"),
    "weights first": ("t = Transpose(w) y = MatMul(t, k) m = MatMul(x, w)", "Transpose|MatMul"),
    "scaled before": ("s = Relu(x) y = MatMul(s, w)", r"Relu\(x\) stands before the first layer"),
    "two activations": ("m = MatMul(x, w) r = Relu(m) y = Tanh(r)", r"the output reads Tanh\(Relu\(z\)\), which is no"),
    "two biases": ("m = Gemm(x, w, b) y = Add(m, b)", "Add has an operand that is neither a number nor"),
    "a number too many": ("m = Gemm(x, w, b) y = Add(m, one)", r"reads Add\(z,c\) with 1, which is no activation"),
    "approximate": ('m = MatMul(x, w) y = Gelu <approximate = "tanh"> (m)', "Gelu is approximate"),
    "another selu": ("m = MatMul(x, w) y = Selu <alpha = 1.0> (m)", r"reads Selu\(z\) with 1, 1.0507"),
    "a Dropout in training": ("m = MatMul(x, w) y = Dropout(m, half, on)", "has the operator Dropout"),
    "the mask of a Dropout": ("m = MatMul(x, w) d, mask = Dropout(m) y = Mul(m, mask)", "Mul reads 'mask', which"),
    "weights that are no numbers": ("y = MatMul(x, truths)", "weights of bool; all must be of one dtype"),
    "transA": ("y = Gemm <transA = 1> (x, w)", "transA 0"),
    "shared weights": ("m = MatMul(x, w) r = Relu(m) n = MatMul(r, q) y = MatMul(n, q)", "'q' is the weights of two"),
    "a bias of rows": ("m = MatMul(x, w) y = Add(m, column)", "a bias has shape"),
    "no layers": ("y = Identity(x)", "are not those of dense layers"),
    "growing": (
        "m = MatMul(x, w) "
        + " ".join(f"m{i} = Mul(m{i - 1 if i else ''}, m{i - 1 if i else ''})" for i in range(40))
        + " y = Identity(m39)",
        "has the expression",
    ),
    "before the bias": ("m = MatMul(x, w) r = Relu(m) h = Add(m, b) y = Add(r, h)", "joins two layers"),
    "stale": ("m = MatMul(x, w) y = Relu(m) h = Add(m, b)", "the output reads a layer below the latest"),
    "another threshold": (
        "m = MatMul(x, w) s = Softplus(m) g = Greater(m, one) y = Where(g, m, s)",
        r"reads Where\(Greater\(z,c\),z,Softplus\(z\)\) with 1, which is no activation",
    ),
}


@pytest.mark.parametrize(("nodes", "says"), REFUSED.values(), ids=REFUSED)
def test_graphs_that_are_no_dense_layers(nodes: str, says: str) -> None:
    weights = {"w": W, "u": W, "b": B, "q": np.eye(4, dtype=np.float32), "k": W, "column": B[:, None]}
    weights |= {"on": np.array(True), "truths": W > 0}
    model = parsed(f"(float[n,3] x) => (float[n,4] y) {{ {NUMBERS} {nodes} }}", 20, **weights)
    with pytest.raises(ValueError, match=says):
        from_onnx(model)


def changed(change: Any) -> onnx.ModelProto:
    model = to_onnx(bp.Network([3, 4, 2], activation="relu", seed=0))
    change(model)
    return model


def external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def external_in_a_constant(model: onnx.ModelProto) -> None:
    tensor = TensorProto(name="hidden", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["k"], value=tensor))


def external_in_a_branch(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    inner.initializer.append(TensorProto(name="deep", data_location=TensorProto.EXTERNAL))
    model.graph.node.insert(0, helper.make_node("If", ["x"], ["k"], then_branch=inner, else_branch=inner))


def with_dims(*dims: int) -> Any:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[:] = dims

    return change


def nan(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.full((3, 4), np.nan, np.float32), "w0")
    model.graph.initializer[0].CopyFrom(tensor)


def half(model: onnx.ModelProto) -> None:
    for i, tensor in enumerate(model.graph.initializer):
        model.graph.initializer[i].CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
        )


def double(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[1]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


SEVERAL = "(float[n,1] a, float[n,1] b, float[n,1] c) => (float[n,4] y)"
JOINED: dict[str, tuple[str, list[int]]] = {
    "at once": ("x = Concat <axis = 1> (a, b, c) y = MatMul(x, w)", [0, 1, 2]),
    "in another order": ("x = Concat <axis = -1> (c, a, b) y = MatMul(x, w)", [2, 0, 1]),
    "step by step": ("s = Concat <axis = 1> (c, a) x = Concat <axis = 1> (b, s) y = MatMul(x, w)", [1, 2, 0]),
    "after Casts": (
        "d = Cast <to = 1> (b) o = Concat <axis = 1> (a) x = Concat <axis = 1> (d, o, c) e = Cast <to = 1> (x) "
        "y = Gemm(e, w)",
        [1, 0, 2],
    ),
}


@pytest.mark.parametrize(("nodes", "order"), JOINED.values(), ids=JOINED)
def test_several_inputs_in_the_order_of_concat(nodes: str, order: list[int]) -> None:
    model = parsed(f"{SEVERAL} {{ {nodes} }}", w=W)
    net = from_onnx(model)
    assert net.sizes == (3, 4)
    columns = dict(zip("abc", X.T[:, :, None], strict=True))
    assert close(net.predict(X[:, order]), run(model, **columns)[0])


NOT_JOINED: dict[str, tuple[str, str]] = {
    "one left out": (
        "x = Concat <axis = 1> (a, c) y = MatMul(x, w)",
        r"MatMul reads of the inputs \['a', 'b', 'c'\] only",
    ),
    "alone": ("y = MatMul(a, w)", r"only \['a'\]; all must be joined by Concat before the first layer, each once"),
    "twice": ("x = Concat <axis = 1> (a, b, b) y = MatMul(x, w)", "Concat joins an input with itself"),
    "too many": ("x = Concat <axis = 1> (a, b, c, a) y = MatMul(x, w)", "Concat joins an input with itself"),
    "one below the other": ("x = Concat <axis = 0> (a, b, c) y = MatMul(x, w)", "Concat has axis 0; it must be 1"),
    "with a constant": ("x = Concat <axis = 1> (a, b, w) y = MatMul(x, w)", "Concat reads of the inputs"),
    "reshaped": (
        "s = Constant <value = int64[2] {-1, 1}> () r = Reshape(a, s) x = Concat <axis = 1> (r, b, c) y = MatMul(x, w)",
        r"Reshape reads of the inputs .* only \['a'\]",
    ),
    "scaled": ("r = Mul(a, b) x = Concat <axis = 1> (r, b, c) y = MatMul(x, w)", "Mul reads of the inputs"),
    "joined late": (
        "x = Concat <axis = 1> (a, b, c) m = MatMul(x, w) y = Concat <axis = 1> (m, a)",
        r"Concat reads of the inputs .* only \['a'\]",
    ),
    "doubled": (
        "t = Concat <axis = 1> (a, a)"
        + " ".join(f" t{i} = Concat <axis = 1> (t{i - 1 if i else ''}, t{i - 1 if i else ''})" for i in range(60))
        + " y = MatMul(t59, w)",
        "Concat joins an input with itself",
    ),
}


@pytest.mark.parametrize(("nodes", "says"), NOT_JOINED.values(), ids=NOT_JOINED)
def test_several_inputs_that_are_not_joined(nodes: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_onnx(parsed(f"{SEVERAL} {{ {nodes} }}", w=W))


def test_an_input_among_the_outputs() -> None:
    text = SEVERAL.replace("(float[n,4] y)", "(float[n,4] y, float[n,1] p)")
    model = parsed(f"{text} {{ x = Concat <axis = 1> (a, b, c) y = MatMul(x, w) p = Identity(a) }}", w=W)
    with pytest.raises(ValueError, match="its outputs, y, p, are not those of dense layers"):
        from_onnx(model)


def test_inputs_of_several_columns() -> None:
    model = parsed(
        "(float[n,2] p, float[n,1] q) => (float[n,4] y) { x = Concat <axis = 1> (q, p) y = MatMul(x, w) }", w=W
    )
    assert close(from_onnx(model).predict(X[:, [2, 0, 1]]), run(model, p=X[:, :2], q=X[:, 2:])[0])


def test_inputs_that_are_no_matrices() -> None:
    model = parsed(
        "(float[n,1] p, float[2] q) => (float[n,4] y) { x = Concat <axis = -1> (p, q) y = MatMul(x, w) }", w=W
    )
    with pytest.raises(ValueError, match="'q', one of 2 inputs, has 1 axes; it must have 2"):
        from_onnx(model)


def test_columns_of_a_table_by_scikit_learn() -> None:
    """A pipeline that was fitted to a DataFrame has an input for each column."""
    pandas = pytest.importorskip("pandas")
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    x, t = RNG.normal(size=(60, 3)).astype(np.float32), RNG.integers(0, 3, 60)
    table = pandas.DataFrame(x, columns=list("abc"))
    columns = ColumnTransformer([("first", "passthrough", ["c", "a"]), ("second", "passthrough", ["b"])])
    theirs = make_pipeline(columns, MLPClassifier([5], max_iter=3, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit(table, t)
        inputs = [(name, FloatTensorType([None, 1])) for name in table]
        net = from_onnx(convert_sklearn(theirs, initial_types=inputs, options={"zipmap": False}))
    np.testing.assert_allclose(net.predict(x[:, [2, 0, 1]]), theirs.predict_proba(table), rtol=2e-5, atol=2e-6)


def newer(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = onnx.defs.onnx_opset_version() + 1


def second_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


HOSTILE: dict[str, tuple[Any, str]] = {
    "external data": (external, "the numbers of 'w0' are in another file, which is not read"),
    "external data of a constant": (external_in_a_constant, "'hidden' are in another file"),
    "external data in a branch": (external_in_a_branch, "'deep' are in another file"),
    "huge": (with_dims(2**40, 2**20), "no valid ONNX model|does not have its shape"),
    "negative": (with_dims(-3, -4), "no valid ONNX model|does not have its shape"),
    "empty": (with_dims(0, 4), "no valid ONNX model|does not have its shape"),
    "nan": (nan, "has weights that are not finite"),
    "float16": (half, "is of type FLOAT16; weights must be FLOAT or DOUBLE"),
    "two dtypes": (double, "has weights of float32, float64; all must be of one dtype"),
    "newer": (newer, "has operators of version|no valid ONNX model"),
    "two inputs": (second_input, "'more', one of 2 inputs, has 1 axes; it must have 2"),
}


@pytest.mark.parametrize(("change", "says"), HOSTILE.values(), ids=HOSTILE)
def test_models_that_are_refused(change: Any, says: str, tmp_path: Path) -> None:
    model = changed(change)
    with pytest.raises(ValueError, match=says):
        from_onnx(model)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=says):
        from_onnx(tmp_path / "m.onnx")


def test_a_function_that_only_has_our_name() -> None:
    model = to_onnx(bp.Network([3, 2], activation="softsign", seed=0, dtype="float64"))
    model.functions[0].node[0].op_type = "Neg"
    with pytest.raises(ValueError, match=r"softsign is a function of the model's own|no valid ONNX model"):
        from_onnx(model)


@pytest.mark.parametrize("content", [b"", b"\x00", b"no model", b"\xff" * 100])
def test_bytes_that_are_no_model(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no ONNX model"):
        from_onnx(content)
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="is no ONNX model"):
        from_onnx(tmp_path / "m.onnx")


def test_a_model_changed_at_random() -> None:
    """Whatever the bytes, a ValueError or a network: no other error, no crash."""
    content = to_onnx(bp.Network([3, 4, 2], activation="relu", seed=0)).SerializeToString()
    rng = np.random.default_rng(1)
    n_read = 0
    for _ in range(500):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 4)):
            damaged[at] = rng.integers(0, 256)
        try:
            n_read += isinstance(from_onnx(bytes(damaged)), bp.Network)
        except ValueError:
            continue
    assert 0 < n_read < 500


def test_sources_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"source is 3; it must be a path, bytes or an onnx.ModelProto"):
        from_onnx(3)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "no.onnx")


def test_the_same_network_gives_the_same_bytes() -> None:
    net = bp.Network([3, 2], activation="gelu", seed=0, dtype="float64")
    assert to_onnx(net).SerializeToString() == to_onnx(net.copy()).SerializeToString()
