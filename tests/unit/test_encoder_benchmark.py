"""The encoder benchmark: its counts are those of the algorithms in plain NumPy, and the page shows what it prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from examples import encoder_benchmark as benchmark

from oracle import activations, optimizers, philox, vector

PAGE = Path(__file__).resolve().parents[2] / "docs/guides/encoder-benchmarks.md"
# The methods as their papers have them, for an E that is the sum over the patterns.
ON_THE_SUM = {
    ("Backpropagation", "rate 1.7"): lambda: optimizers.Sgd(1.7),
    ("Backpropagation", "rate 1.7, σ′ + 0.1"): lambda: optimizers.Sgd(1.7),
    ("Quickprop", "ε 0.55, μ 1.75"): lambda: optimizers.Quickprop(0.55, 1.75, 1e-4),
    ("Quickprop", "ε 1.5, μ 1.75"): lambda: optimizers.Quickprop(1.5, 1.75, 1e-4),
    ("Quickprop", "ε 0.55, μ 1.75, σ′ + 0.1"): lambda: optimizers.Quickprop(0.55, 1.75, 1e-4),
    ("Rprop+", "Δ₀ 0.1, Δmax 50"): lambda: optimizers.Rprop(variant="rprop+"),
    ("Rprop+", "Δ₀ 0.1, Δmax 50, σ′ + 0.1"): lambda: optimizers.Rprop(variant="rprop+"),
    ("Rprop+", "Δ₀ 0.1, Δmax 2"): lambda: optimizers.Rprop(max_step=2.0, variant="rprop+"),
    ("Rprop+", "Δ₀ 1, Δmax 2"): lambda: optimizers.Rprop(1.0, max_step=2.0, variant="rprop+"),
    ("iRprop+", "Δ₀ 0.1, Δmax 2"): lambda: optimizers.Rprop(max_step=2.0),
    ("Adam", "rate 0.1"): lambda: optimizers.Adam(0.1),
}

RAISED = activations.elementwise(activations.logistic, lambda z: activations.logistic_derivative(z) + 0.1)


def initial_layer(seed: int, layer: int, fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Uniform in ±1: first the weights, then the biases."""
    bits = philox.raw(seed, philox.INITIAL_PARAMETERS, layer, (fan_in + 1) * fan_out)
    numbers = 2.0 * philox.uniforms(bits) - 1.0
    return numbers[: fan_in * fan_out].reshape(fan_in, fan_out), numbers[fan_in * fan_out :]


def epochs_in_numpy(optimizer: optimizers.Optimizer, activation: str, n: int, hidden: int, seed: int) -> int:
    layers = [initial_layer(seed, 0, n, hidden), initial_layer(seed, 1, hidden, n)]
    net = vector.Net([w for w, _ in layers], [b for _, b in layers], [activation] * 2)
    patterns = np.eye(n)
    for epoch in range(benchmark.LIMIT):
        done = vector.trace(net, patterns, patterns, "half_squared_error")
        if (np.abs(done.a[-1] - patterns) < 0.4).all():
            return epoch
        gradients = [n * g for g in (*done.dw, *done.db)]
        optimizer.step([*net.w, *net.b], gradients, n * done.loss)
    raise AssertionError(f"not learned in {benchmark.LIMIT} epochs")


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("method", benchmark.METHODS, ids=lambda method: f"{method.name}, {method.settings}")
def test_counts_are_those_of_the_papers_algorithms(
    method: benchmark.Method, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(activations.ACTIVATIONS, "raised", RAISED)
    activation = "raised" if method.settings.endswith("σ′ + 0.1") else "logistic"
    want = epochs_in_numpy(ON_THE_SUM[method.name, method.settings](), activation, 10, 5, seed)
    assert benchmark.epochs_to_learn(method, 10, 5, seed) == want


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Backpropagation", "rate 1.7"),
        ("Quickprop", "ε 0.55, μ 1.75"),
        ("Quickprop", "ε 1.5, μ 1.75"),
        ("Rprop+", "Δ₀ 1, Δmax 2"),
    ],
)
def test_means_are_those_of_the_literature(name: str, settings: str) -> None:
    """Within four standard errors, and the half epoch of the rounding of the published number."""
    (method,) = [each for each in benchmark.METHODS if (each.name, each.settings) == (name, settings)]
    counts = np.array(benchmark.all_epochs(method, 10, 5, 50), dtype=float)
    assert method.published
    assert abs(counts.mean() - method.published.mean) <= 4 * counts.std(ddof=1) / np.sqrt(50) + 0.5


@pytest.mark.slow
def test_the_page_shows_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = tmp_path / "figure.svg"
    benchmark.main(["--figure", str(figure)])
    page = PAGE.read_text(encoding="utf-8")
    tables = [part for part in capsys.readouterr().out.split("\n\n") if part.startswith("| method")]
    assert len(tables) == 2
    assert [table for table in tables if table not in page] == []
    assert figure.read_text(encoding="utf-8").startswith("<?xml")


def test_a_network_that_does_not_learn_is_in_no_mean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    method = benchmark.METHODS[0]
    assert benchmark.row(method, [10, None, 20], True).endswith("| 15.0 ± 7.1 | 15 | 10 to 20 | 1 |")
    assert benchmark.row(method, [None], False) == "| Backpropagation | rate 1.7 |  |  |  | 1 |"
    monkeypatch.setattr(benchmark, "LIMIT", 15)
    assert benchmark.epochs_to_learn(method, 10, 5, 0) is None
    benchmark.main(["--seeds", "1", "--figure", str(tmp_path / "figure.png")])


def test_a_number_of_seeds_below_1_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        benchmark.main(["--seeds", "0"])
    assert "--seeds is 0; it must be at least 1" in capsys.readouterr().err
