"""The oracle is worth believing: its loops equal its matrices, its gradients the differences, and it is not ours."""

from __future__ import annotations

import ast
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from oracle import differences, initializers, per_element, philox, tolerance, vector
from oracle.activations import ACTIVATIONS
from oracle.losses import LOSSES, one_hot
from oracle.tolerance import assert_within

ORACLE = Path(__file__).parents[1] / "oracle"
SIZES = [4, 3, 5, 2]


def net(hidden: str, output: str, seed: int = 1) -> vector.Net:
    """Outputs in (0, 1) whatever the activation, so that every loss is defined."""
    rng = np.random.default_rng(seed)
    w = [rng.normal(size=shape) / np.sqrt(shape[0]) for shape in itertools.pairwise(SIZES)]
    b = [rng.normal(size=n) * 0.3 for n in SIZES[1:]]
    w[-1], b[-1] = rng.uniform(-0.03, 0.03, w[-1].shape), rng.uniform(0.2, 0.3, b[-1].shape)
    if output == "exp":
        b[-1] = -b[-1]
    return vector.Net(w, b, [hidden, hidden, output])


def batch(n: int = 7, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = rng.uniform(0.1, 1.0, (n, SIZES[-1]))
    return rng.normal(size=(n, SIZES[0])), t / t.sum(axis=1, keepdims=True)


def pairs() -> list[tuple[str, str, str]]:
    """Every activation as the hidden and as the output one, with every loss."""
    return [("tanh", output, loss) for output in ACTIVATIONS for loss in LOSSES] + [
        (hidden, "logistic", "half_squared_error") for hidden in ACTIVATIONS
    ]


@pytest.mark.parametrize("path", sorted(ORACLE.glob("*.py")), ids=lambda path: path.name)
def test_it_imports_nothing_of_ours(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"numpy"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in allowed
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1
        elif isinstance(node, ast.Call):
            assert getattr(node.func, "id", getattr(node.func, "attr", "")) not in {"__import__", "import_module"}


@pytest.mark.parametrize(("hidden", "output", "loss"), pairs())
def test_loops_equal_matrices(hidden: str, output: str, loss: str) -> None:
    n, (x, t) = net(hidden, output), batch()
    done = vector.trace(n, x, t, loss)
    each = [per_element.gradients(x[i], t[i], *n, loss) for i in range(len(x))]
    assert_within(
        done.loss, np.mean([e[0] for e in each]), tolerance.network(SIZES, len(x), np.array(done.loss), float)
    )
    for layer in range(len(n.w)):
        for mine, theirs in ((done.dw, 1), (done.db, 2)):
            want = np.mean([e[theirs][layer] for e in each], axis=0)
            assert_within(mine[layer], want, tolerance.network(SIZES, len(x), want, float), f"layer {layer}")


@pytest.mark.parametrize(("hidden", "output", "loss"), pairs())
def test_gradients_equal_central_differences(hidden: str, output: str, loss: str) -> None:
    n, (x, t) = net(hidden, output), batch()
    done = vector.trace(n, x, t, loss)
    for layer in range(len(n.w)):
        for parameters, gradient in ((n.w, done.dw), (n.b, done.db)):

            def error(value: np.ndarray, parameters: list = parameters, layer: int = layer) -> float:
                kept, parameters[layer] = parameters[layer], value
                result = vector.trace(n, x, t, loss).loss
                parameters[layer] = kept
                return result

            want = differences.gradient(error, parameters[layer])
            assert_within(gradient[layer], want, tolerance.difference(want, done.loss), f"layer {layer}")


@pytest.mark.parametrize("name", [name for name, activation in ACTIVATIONS.items() if activation.derivative])
def test_derivatives_equal_central_differences(name: str) -> None:
    z = np.concatenate([np.linspace(-6, 6, 48), [0.0, 1e-3, -1e-3, 30.0, -30.0]])
    lower, upper, smooth = differences.derivative(ACTIVATIONS[name].value, z)
    got = ACTIVATIONS[name].derivative(z)
    slack = tolerance.difference(upper, np.maximum(np.maximum(1.0, np.abs(z)), np.abs(ACTIVATIONS[name].value(z))))
    assert smooth.sum() >= len(z) - 1
    assert np.all(got >= lower - slack)
    assert np.all(got <= upper + slack)
    if name == "relu":
        assert got[z == 0].tolist() == [0.0]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_the_jacobian_transposed(name: str) -> None:
    rng = np.random.default_rng(3)
    z, da = rng.normal(size=5), rng.normal(size=5)
    want = per_element.through_activation(da, z, name)
    assert_within(ACTIVATIONS[name].backward(da, z), want, tolerance.bound(16, np.abs(da).sum(), float))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_gradients_equal_central_differences(name: str) -> None:
    rng = np.random.default_rng(4)
    a, t = rng.uniform(0.1, 0.9, (3, 4)), batch()[1][:3, :1] * np.full((3, 4), 0.5)
    want = differences.gradient(lambda v: vector.loss_value(name, v, t), a)
    assert_within(vector.loss_gradient(name, a, t), want, tolerance.difference(want, 10.0))


@pytest.mark.parametrize(("loss", "activation"), [(n, a) for n, loss in LOSSES.items() for a in loss.from_z])
def test_forms_from_z_equal_the_definitions(loss: str, activation: str) -> None:
    """Where nothing is near 0 or 1 the stable form and the definition are the same number."""
    rng = np.random.default_rng(5)
    z, t = rng.normal(size=(4, 3)), batch()[1][:4, :1] * np.full((4, 3), 0.9)
    a = ACTIVATIONS[activation].value(z)
    from_z = LOSSES[loss].from_z[activation]
    assert_within(from_z.value(z, t), LOSSES[loss].value(a, t), tolerance.bound(64, 10.0, float))
    want = ACTIVATIONS[activation].backward(LOSSES[loss].gradient(a, t), z)
    assert_within(from_z.delta(z, t), want, tolerance.bound(64, 10.0, float))


def test_forms_from_z_survive_certainty() -> None:
    bce, ce = LOSSES["binary_cross_entropy"].from_z["logistic"], LOSSES["softmax_cross_entropy"].from_z["softmax"]
    z = np.array([[1000.0, -1000.0]])
    assert bce.value(z, np.array([[1.0, 0.0]])).tolist() == [0.0]
    assert bce.value(z, np.array([[0.0, 1.0]])).tolist() == [2000.0]
    assert ce.value(z, np.array([[0.0, 1.0]])).tolist() == [2000.0]
    assert ce.delta(z, np.array([[0.0, 1.0]])).tolist() == [[1.0, -1.0]]


def test_a_certain_and_right_answer_costs_nothing() -> None:
    sure = np.array([[0.0, 1.0]])
    for loss in ("binary_cross_entropy", "softmax_cross_entropy"):
        assert LOSSES[loss].value(sure, sure).tolist() == [0.0]
        assert np.all(np.isfinite(LOSSES[loss].gradient(sure, sure)))
        assert LOSSES[loss].value(sure, 1.0 - sure).tolist() == [np.inf]


def test_the_lectures_triple_loop_is_the_step() -> None:
    """The slides add the negative gradient; subtracting the true one is the same, rounding included, but for BLAS."""
    rng = np.random.default_rng(6)
    dim = [8, 3, 8]
    w, b = [rng.normal(size=(8, 3)), rng.normal(size=(3, 8))], [rng.normal(size=3), rng.normal(size=8)]
    lecture = per_element.Lecture(dim, w, b, 0.3)
    ours = vector.Net([m.copy() for m in w], [v.copy() for v in b], ["logistic"] * 2)
    for x in np.eye(8):
        lecture.update(x, x)
        per_element.update(x, x, w, b, ["logistic"] * 2, "half_squared_error", 0.3)
        vector.train_step(ours, x, x, "half_squared_error", vector.Sgd(0.3))
    loops = vector.Net(w, b, ["logistic"] * 2).parameters()
    assert len(loops) == 59
    slack = tolerance.network(dim, 8, loops, float)
    assert_within(lecture.parameters(), loops, slack)
    assert_within(ours.parameters(), loops, slack)


def test_momentum_is_the_written_out_sum() -> None:
    """v after three steps is g3 + m g2 + m² g1, and Nesterov's step looks one m ahead."""
    for nesterov in (False, True):
        n = vector.Net([np.zeros((1, 1))], [np.zeros(1)], ["identity"])
        sgd = vector.Sgd(0.5, 0.9, nesterov)
        position, gradients = 0.0, [1.0, -2.0, 4.0]
        for k, g in enumerate(gradients):
            v = sum(h * 0.9 ** (k - i) for i, h in enumerate(gradients[: k + 1]))
            position -= 0.5 * (g + 0.9 * v if nesterov else v)
            sgd.step([*n.w, *n.b], [np.array([[g]]), np.array([g])])
        assert_within(n.w[0], [[position]], tolerance.bound(16, 10.0, float))
        assert_within(n.b[0], [position], tolerance.bound(16, 10.0, float))


def test_an_order_is_a_permutation_and_every_order_is_as_likely() -> None:
    assert philox.order(7, 0, 0).tolist() == []
    assert philox.order(7, 0, 1).tolist() == [0]
    counts: dict[tuple, int] = {}
    for epoch in range(1200):
        order = tuple(philox.order(7, epoch, 3).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert sorted(counts) == sorted({(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)})
    expected, sigma = 200, np.sqrt(1200 * (1 / 6) * (5 / 6))
    assert max(abs(c - expected) for c in counts.values()) < 4 * sigma


def test_initial_parameters_have_their_moments() -> None:
    want = {
        "glorot_uniform": np.sqrt(2 / 150),
        "glorot_normal": np.sqrt(2 / 150),
        "he_uniform": np.sqrt(2 / 100),
        "he_normal": np.sqrt(2 / 100),
        "lecun_normal": np.sqrt(1 / 100),
        "zeros": 0.0,
    }
    assert sorted(want) == sorted(initializers.INITIALIZERS)
    for name, std in want.items():
        w, b = initializers.layer(3, 0, 100, 50, initializers.INITIALIZERS[name](100, 50))
        assert b.tolist() == [0.0] * 50
        assert abs(w.mean()) <= 4 * std / np.sqrt(w.size)
        assert abs(w.std() - std) <= 4 * std / np.sqrt(w.size)


def test_one_hot() -> None:
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
