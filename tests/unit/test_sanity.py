"""sanity_check: a line for each thing that can be seen before a long run, and advice that helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc.sanity import Finding, SanityReport
from helpers import assert_same_bits

NAMES = ["inputs", "targets", "loss", "gradients", "by heart"]


def classes(n: int = 200, scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 3, n)
    return scale * (rng.normal(size=(n, 6)) + t[:, None] * np.linspace(-1, 1, 6)), t


def regression(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 4))
    return x, np.sin(x[:, :1]) + x[:, 1:2]


def finding(report: SanityReport, name: str) -> Finding:
    (found,) = [found for found in report.findings if found.name == name]
    return found


def healthy() -> list[tuple[Any, ...]]:
    x, t = classes()
    u, v = regression()
    xor = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    odd = xor.sum(axis=1, keepdims=True) % 2
    return [
        (bp.Network([8, 3, 8], "logistic", seed=0), np.eye(8), np.eye(8), "half_squared_error"),
        (bp.Network([6, 20, 3], "relu", "softmax", seed=0), x, t, "softmax_cross_entropy"),
        (bp.Network([6, 20, 3], "tanh", "logistic", seed=0), x, np.eye(3)[t], "binary_cross_entropy"),
        (bp.Network([4, 20, 1], "tanh", "identity", seed=0), u, v, "half_squared_error"),
        (bp.Network([4, 20, 1], "relu", "identity", seed=0, dtype="float64"), u, v, "huber"),
        (
            bp.Network([2, 8, 1], "tanh", "logistic", seed=0),
            xor,
            odd,
            "mean_squared_error",
        ),
        (bp.Network([4, 20, 1], "tanh", "softplus", seed=0), u, np.exp(v / 3), "poisson"),
    ]


@pytest.mark.parametrize(("net", "x", "t", "loss"), healthy(), ids=lambda value: str(value)[:40])
def test_nothing_is_said_against_what_is_well(net: bp.Network, x: Any, t: Any, loss: str) -> None:
    before = net.parameters.copy()
    report = bp.sanity_check(net, x, t, loss)
    assert report.ok, report
    assert report
    assert [found.name for found in report.findings] == NAMES
    assert not any(found.advice for found in report.findings)
    assert len(str(report).splitlines()) == 5
    assert_same_bits(net.parameters, before)


def test_a_network_with_layers_that_are_frozen() -> None:
    net = bp.Network([bp.Dense(6, 30, "tanh", trainable=False), bp.Dense(30, 3, "softmax")], seed=0)
    assert bp.sanity_check(net, *classes(), "softmax_cross_entropy").ok
    assert not net.layers[0].trainable


# --- what is found, and that following the advice mends it ------------------------------------------------------------


def standardized(x: np.ndarray) -> np.ndarray:
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


def mended(net: bp.Network, x: Any, t: Any, loss: str, name: str, words: str, repair: Any) -> None:
    """The line of that name says it and advises; after the repair it is well."""
    found = finding(bp.sanity_check(net, x, t, loss), name)
    assert not found.ok
    assert words in str(found)
    assert found.advice
    assert finding(bp.sanity_check(*repair, loss), name).ok


def test_inputs_that_saturate() -> None:
    x, t = classes(scale=100.0)
    net = bp.Network([6, 20, 3], "logistic", "softmax", seed=0)
    mended(net, x, t, "softmax_cross_entropy", "inputs", "large enough to saturate", (net, standardized(x), t))


def test_inputs_that_are_tiny_or_of_unlike_scales() -> None:
    x, t = classes()
    net = bp.Network([6, 20, 3], "tanh", "softmax", seed=0)
    mended(
        net, 1e-4 * x, t, "softmax_cross_entropy", "inputs", "BP4 makes ∂E/∂w small", (net, standardized(1e-4 * x), t)
    )
    unlike = x * [0.01, 0.02, 0.01, 0.01, 0.01, 5.0]
    mended(net, unlike, t, "softmax_cross_entropy", "inputs", "one rate cannot suit", (net, standardized(unlike), t))
    assert "all samples are the same" in str(bp.sanity_check(net, np.ones((9, 6)), t[:9], "softmax_cross_entropy"))


def test_targets_out_of_reach() -> None:
    x, t = regression()
    loss = "half_squared_error"
    linear = bp.Network([4, 20, 1], "tanh", "identity", seed=0)
    for output, words in (
        ("logistic", "outputs of logistic lie in [0, 1]"),
        ("tanh", "outputs of tanh lie in [-1, 1]"),
        ("relu", "outputs of relu lie in [0, inf]"),
    ):
        net = bp.Network([4, 20, 1], "tanh", output, seed=0)
        mended(net, x, t, loss, "targets", words, (linear, x, t))
        assert not finding(bp.sanity_check(net, x, t, loss), "by heart").ok
    mended(linear, x, 100.0 * t, loss, "targets", "makes every gradient large", (linear, x, t))
    assert "all are the same" in str(bp.sanity_check(linear, x, np.ones_like(t), loss))
    soft = bp.Network([4, 20, 2], "tanh", "softmax", seed=0)
    halves = np.full((200, 2), 0.5) + 0.3 * np.sign(t) * [1, -1]
    mended(soft, x, 0.5 * halves, loss, "targets", "rows of softmax add up to 1", (soft, x, halves))


def test_a_loss_far_from_chance() -> None:
    x, t = classes()
    net = bp.Network([6, 20, 3], "relu", "softmax", seed=0, initializer=bp.normal(10.0))
    small = bp.Network([6, 20, 3], "relu", "softmax", seed=0, initializer="he_normal")
    mended(net, x, t, "softmax_cross_entropy", "loss", "that of the best constant output 1.088", (small, x, t))


def test_gradients_that_do_not_arrive() -> None:
    x, t = classes()
    dead = bp.Network([6, 5, 3], "relu", "softmax", seed=0)
    dead.layers[0].b[:] = -1e3
    report = bp.sanity_check(dead, x, t, "softmax_cross_entropy")
    assert "none arrives at layers[0]" in str(finding(report, "gradients"))
    assert not finding(report, "by heart").ok


def test_gradients_that_are_wrong() -> None:
    class Wrong(bp.Network):
        def gradients(self, x: Any, t: Any, loss: Any = "half_squared_error") -> Any:
            found = super().gradients(x, t, loss)
            return found._replace(layers=tuple(layer._replace(dw=2.0 * layer.dw) for layer in found.layers))

    found = finding(bp.sanity_check(Wrong([4, 5, 1], "tanh", "identity", seed=0), *regression()), "gradients")
    assert not found.ok
    assert "check_gradients" in found.advice


def test_why_samples_are_not_learned_by_heart() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 1))
    t = rng.normal(size=(20, 3))
    assert "take more hidden units" in str(bp.sanity_check(bp.Network([1, 1, 3], "tanh", "identity", seed=0), x, t))
    twice = np.concatenate([x[:10], x[:10]])
    wide = bp.Network([1, 50, 3], "tanh", "identity", seed=0)
    assert "equal inputs have different targets" in str(bp.sanity_check(wide, twice, t))


def test_numbers_that_are_not_finite_end_it() -> None:
    x, t = regression()
    x[3, 1], t[5, 0], t[6, 0] = np.nan, np.inf, np.nan
    report = bp.sanity_check(bp.Network([4, 5, 1], "tanh", "identity", seed=0), x, t)
    assert [str(found) for found in report.findings] == [
        "LOOK  inputs     1 of 800 numbers are not finite: fill the gaps or leave those rows out",
        "LOOK  targets    2 of 200 numbers are not finite: fill the gaps or leave those rows out",
    ]


def test_one_sample() -> None:
    assert bp.sanity_check(bp.Network([2, 3, 1], "tanh", seed=0), [[0.5, -0.5]], [[0.3]]).findings


def test_what_is_refused() -> None:
    net = bp.Network([2, 3, 1], seed=0)
    for call, error, message in (
        (lambda: bp.sanity_check(3, [[0, 1]], [[1]]), TypeError, r"net is 3 \(int\); it must be a backpropc.Network"),  # type: ignore[arg-type]
        (lambda: bp.sanity_check(net, [[0.0]], [[1.0]]), ValueError, r"x has shape \(1, 1\); it must be \(n, 2\)"),
        (lambda: bp.sanity_check(net, [[0, 1]], [[1]], "no"), ValueError, r"loss is 'no'"),
        (lambda: bp.sanity_check(net, [[0, 1]], [[1]], seed=-1), ValueError, r"seed is -1; it must be at least 0"),
        (lambda: bp.sanity_check(net, [["a", "b"]], [[1]]), TypeError, r"x has dtype"),
    ):
        with pytest.raises(error, match=message):
            call()
