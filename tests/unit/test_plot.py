"""Plots: what is drawn is what is there. How it looks, a person has looked at."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import backpropc as bp
from backpropc import cli, plot

EYE = np.eye(8)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def net_8_3_8(**options: Any) -> bp.Network:
    return bp.Network([8, 3, 8], seed=0, **options)


def rendered(ax: Axes) -> Axes:
    """Draw it indeed: much of what can go wrong does so then."""
    figure = ax.get_figure()
    assert figure is not None
    figure.canvas.draw()
    return ax


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


EVERY: dict[str, Callable[[Any], Axes]] = {
    "loss_curves": lambda ax: plot.loss_curves(bp.History([0, 1], {"loss": [2.0, 1.0]}), ax),
    "network_diagram": lambda ax: plot.network_diagram(net_8_3_8(), ax),
    "hidden_codes": lambda ax: plot.hidden_codes(net_8_3_8(), EYE, ax),
    "weight_histograms": lambda ax: plot.weight_histograms(net_8_3_8(), ax),
    "activation_histograms": lambda ax: plot.activation_histograms(net_8_3_8(), EYE, ax),
    "confusion_matrix": lambda ax: plot.confusion_matrix([0, 1], np.eye(2), ax=ax),
    "decision_boundary": lambda ax: plot.decision_boundary(bp.Network([2, 3], seed=0), np.eye(2), [0, 1], ax),
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_each_draws_in_the_axes_given_and_returns_it(draw: Callable[[Any], Axes]) -> None:
    _, (left, right) = plt.subplots(1, 2)
    assert rendered(draw(right)) is right
    assert not left.has_data()


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_each_makes_a_figure_of_its_own(draw: Callable[[Any], Axes]) -> None:
    assert plt.get_fignums() == []
    assert isinstance(rendered(draw(None)), Axes)
    assert len(plt.get_fignums()) == 1


def test_an_axes_that_is_not_flat() -> None:
    ax = plt.figure().add_subplot(projection="3d")
    with pytest.raises(TypeError, match="it must be a matplotlib Axes, and a flat one"):
        plot.hidden_codes(net_8_3_8(), EYE, ax)


def test_matplotlib_is_imported_when_something_is_drawn() -> None:
    script = "import sys, backpropc.plot, backpropc.commands; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


# --- the loss ---------------------------------------------------------------------------------------------------------


def test_the_loss_of_each_epoch() -> None:
    history = net_8_3_8().fit(EYE, EYE, optimizer=bp.SGD(0.1), epochs=5, validation_data=(EYE, EYE), metrics=["r2"])
    ax = rendered(history.plot())
    training, validation = ax.get_lines()
    assert np.asarray(training.get_xdata()).tolist() == [1, 2, 3, 4, 5]
    assert np.asarray(training.get_ydata()).tolist() == history.loss
    assert np.asarray(validation.get_ydata()).tolist() == history.val_loss
    figure = ax.get_figure()
    assert figure is not None
    (right,) = [other for other in figure.axes if other is not ax]
    assert [line.get_label() for line in right.get_lines()] == ["r2, training", "r2, validation"]
    legend = right.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 4


@pytest.mark.parametrize(
    ("losses", "scale"), [([1.0, 0.9], "linear"), ([1.0, 0.01], "log"), ([1.0, 0.0], "linear"), ([2.0], "linear")]
)
def test_a_logarithmic_axis_where_it_helps(losses: list[float], scale: str) -> None:
    ax = plot.loss_curves(bp.History(list(range(len(losses))), {"loss": losses}))
    assert rendered(ax).get_yscale() == scale


def test_no_epochs() -> None:
    with pytest.raises(ValueError, match="history has no epochs"):
        bp.History([], {"loss": []}).plot()


def test_epochs_are_whole_numbers() -> None:
    ax = rendered(plot.loss_curves(bp.History([0], {"loss": [2.0]})))
    assert [tick for tick in ax.get_xticks() if 0.5 < tick < 1.5] == [1.0]


@pytest.mark.parametrize("metric", [None, [0.5] * 50, np.linspace(0, 9, 50).tolist()], ids=["none", "flat", "rising"])
@pytest.mark.parametrize(
    "losses",
    [np.linspace(1, 0.9, 50), np.linspace(4, 5, 50), np.geomspace(9, 0.01, 50)],
    ids=["falling", "rising", "log"],
)
def test_the_legend_is_where_no_curve_is(losses: Any, metric: list[float] | None) -> None:
    """Of both axes: a metric that ends at the right in the middle pushes it elsewhere."""
    history = bp.History(list(range(50)), {"loss": losses.tolist(), **({} if metric is None else {"accuracy": metric})})
    ax = rendered(plot.loss_curves(history))
    figure = ax.get_figure()
    assert figure is not None
    box = next(legend for each in figure.axes if (legend := each.get_legend()) is not None).get_window_extent()
    for on in figure.axes:
        for line in on.get_lines():
            assert not any(box.contains(*point) for point in on.transData.transform(line.get_xydata()))


def test_a_dark_style() -> None:
    """Ink is the style's: nothing is black on black."""
    with plt.style.context("dark_background"):
        net = bp.Network([2, 3], activation="softmax", seed=0, initializer=bp.normal(2.0))
        x = np.array([[-1.0, -2.0], [1.0, 2.0]])
        drawn = [
            plot.network_diagram(net_8_3_8()),
            plot.weight_histograms(net_8_3_8()),
            plot.hidden_codes(net_8_3_8(), EYE),
            plot.decision_boundary(net, x, [0, 1]),
        ]
        for ax in drawn:
            rendered(ax)
            lines = [to_rgb(line.get_color()) for line in ax.get_lines()]
            edges = [tuple(edge[:3]) for each in ax.collections for edge in np.atleast_2d(each.get_edgecolor())]
            assert (0.0, 0.0, 0.0) not in {*lines, *edges}
    assert to_rgb(rendered(plot.hidden_codes(net_8_3_8(), EYE)).get_lines()[-1].get_color()) == (0.0, 0.0, 0.0)


# --- the network ------------------------------------------------------------------------------------------------------


def test_widths_and_colors_are_the_weights() -> None:
    net = bp.Network([2, 1], seed=0)
    net.layers[0].w = [[2.0], [-0.5]]
    ax = rendered(plot.network_diagram(net))
    (lines,) = [each for each in ax.collections if isinstance(each, LineCollection)]
    assert np.asarray(lines.get_linewidths()).tolist() == [1.0, 4.0]  # the wider on top
    assert [tuple(color[:3]) for color in np.asarray(lines.get_colors())] == [to_rgb("#D55E00"), to_rgb("#0072B2")]
    assert texts(ax) == ["2\ninput", "1\nlogistic"]


def test_of_a_large_layer_the_ends_are_drawn() -> None:
    ax = rendered(plot.network_diagram(bp.Network([784, 128, 10], seed=0)))
    counts = [len(each.get_offsets()) for each in ax.collections if isinstance(each, PathCollection)]
    assert counts == [16, 16, 16, 16, 10, 10]
    assert texts(ax).count("⋮") == 2
    assert "784\ninput" in texts(ax)


@pytest.mark.parametrize("sizes", [[1, 1], [1, 17, 1], [3, 1, 1, 1, 3]], ids=str)
def test_networks_of_any_shape(sizes: list[int]) -> None:
    net = bp.Network(sizes, seed=0)
    rendered(plot.network_diagram(net))
    net.parameters = np.zeros(net.n_parameters)
    rendered(plot.network_diagram(net))
    rendered(plot.weight_histograms(net))
    rendered(plot.activation_histograms(net, np.ones((1, sizes[0]))))


def test_histograms_count_every_value() -> None:
    net = net_8_3_8()
    ax = rendered(plot.weight_histograms(net))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["layer 0\n8 → 3", "layer 1\n3 → 8"]
    assert [text.split("\n")[0] for text in texts(ax)] == ["n = 24", "n = 24"]
    assert f"mean {net.layers[0].w.astype(float).mean():.3g}" in texts(ax)[0]
    ax = rendered(plot.activation_histograms(net, EYE[:5]))
    assert [text.split("\n")[0] for text in texts(ax)] == ["n = 15", "n = 40"]
    values = net.trace(EYE[:5], EYE[:5]).a[1].astype(float)
    assert f"mean {values.mean():.3g}" in texts(ax)[0]


def test_deep_networks_have_room() -> None:
    """What is written beside the histograms of one layer does not reach into the next; a figure fits on a screen."""
    deep = bp.Network([4, *[8] * 12, 2], seed=0)
    ax = rendered(plot.weight_histograms(deep))
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(below.y1 <= above.y0 + 0.5 for below, above in pairwise(boxes))
    figure = plot.network_diagram(deep).figure
    assert isinstance(figure, Figure)
    assert figure.get_size_inches()[0] <= 16.0


def test_numbers_that_are_not_finite() -> None:
    """Of a network that has gone wrong: histograms count them, a diagram cannot show them."""
    net = net_8_3_8()
    net.layers[0].w[:] = np.nan
    net.layers[1].w[0, :2] = np.inf
    notes = texts(rendered(plot.weight_histograms(net)))
    assert notes[0] == "n = 0\n24 not finite"
    assert notes[1].startswith("n = 22\n")
    assert notes[1].endswith("\n2 not finite")
    net.layers[1].w[:] = np.nan
    rendered(plot.weight_histograms(net))
    with pytest.raises(ValueError, match=r"net\.layers\[0\]\.w has values that are not finite"):
        plot.network_diagram(net)


def test_what_is_no_network() -> None:
    for draw in (plot.network_diagram, plot.weight_histograms):
        with pytest.raises(TypeError, match="net is 3"):
            draw(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x has shape"):
        plot.activation_histograms(net_8_3_8(), np.ones((2, 7)))


# --- the hidden representation ----------------------------------------------------------------------------------------


def points(ax: Axes) -> np.ndarray:
    """Where the samples' last markers are."""
    return np.array([np.ravel(line.get_xydata()) for line in ax.get_lines() if line.get_markersize() == 9.0])


def test_codes_are_at_their_places_in_the_cube() -> None:
    net = net_8_3_8(initializer=bp.normal(3.0))
    codes = net.trace(EYE, EYE).a[1]
    ax = rendered(plot.hidden_codes(net, EYE, labels="abcdefgh"))
    np.testing.assert_allclose(points(ax), codes @ plot.OBLIQUE, rtol=1e-6)
    assert [text for text in texts(ax) if text.isalpha()] == list("abcdefgh")
    assert {"000", "111", "010"} < set(texts(ax))


def test_the_way_through_the_training() -> None:
    net, trail = net_8_3_8(), plot.CodeTrail(EYE)
    net.fit(EYE, EYE, optimizer=bp.SGD(0.3), batch_size=1, epochs=7, callbacks=[trail])
    assert repr(trail) == "CodeTrail(8 samples, layer 0: 7 times)"
    assert [codes.shape for codes in trail.codes] == [(8, 3)] * 7
    np.testing.assert_array_equal(trail.codes[-1], net.trace(EYE, EYE).a[1])
    ax = rendered(plot.hidden_codes(net, EYE, trail=trail))
    ways = [line for line in ax.get_lines() if len(np.asarray(line.get_xdata())) == 8]
    assert len(ways) == 8
    np.testing.assert_allclose(np.asarray(ways[2].get_xydata())[0], trail.codes[0][2] @ plot.OBLIQUE, rtol=1e-6)
    by_steps = plot.CodeTrail(EYE, every_steps=4)
    net.fit(EYE, EYE, optimizer=bp.SGD(0.3), batch_size=1, epochs=2, callbacks=[by_steps])
    assert len(by_steps.codes) == 4


@pytest.mark.parametrize(("hidden", "activation"), [(1, "logistic"), (2, "tanh"), (3, "relu"), (2, "identity")])
def test_codes_of_fewer_units_and_other_ranges(hidden: int, activation: str) -> None:
    net = bp.Network([8, hidden, 8], activation=activation, seed=1)
    assert points(rendered(plot.hidden_codes(net, EYE))).shape == (8, 2)
    net.parameters = np.zeros(net.n_parameters)
    rendered(plot.hidden_codes(net, EYE))


def test_units_are_chosen() -> None:
    net = bp.Network([8, 5, 4, 8], seed=0)
    with pytest.raises(ValueError, match=r"layer has 5 units; at most three can be drawn: choose them"):
        plot.hidden_codes(net, EYE)
    ax = plot.hidden_codes(net, EYE, layer=1, units=(3, 0))
    np.testing.assert_allclose(points(ax), net.trace(EYE, EYE).a[2][:, [3, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"units": (0, 3)}, "units is .*; it must be one to three different numbers below 3"),
        ({"units": (1, 1)}, "one to three different"),
        ({"units": ()}, "one to three different"),
        ({"layer": 2}, "layer is 2; it must be below 2"),
        ({"labels": "ab"}, "labels has 2 entries; it must have 8"),
        ({"trail": [np.ones((8, 2))]}, r"trail\[0\] has shape \(8, 2\); it must be \(8, 3\)"),
    ],
)
def test_codes_that_cannot_be_drawn(options: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        plot.hidden_codes(net_8_3_8(), EYE, **options)
    assert plt.get_fignums() == []


# --- classifiers ------------------------------------------------------------------------------------------------------


def test_counts_in_a_confusion_matrix() -> None:
    a = np.eye(3)[[0, 0, 1, 2, 2, 2, 1]]
    t = np.array([0, 1, 1, 2, 2, 0, 2])
    ax = rendered(plot.confusion_matrix(t, a, ["p", "q", "r"]))
    assert [int(text) for text in texts(ax)] == [1, 0, 1, 1, 1, 0, 0, 1, 2]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["p", "q", "r"]
    rows = plot.confusion_matrix(np.eye(3)[t], a)
    assert texts(rows) == texts(ax)
    assert len(texts(plot.confusion_matrix(np.arange(30), np.eye(30)))) == 0  # too many for numbers


@pytest.mark.parametrize("n", [30, 200])
def test_names_of_many_classes_do_not_meet(n: int) -> None:
    ax = rendered(plot.confusion_matrix(np.arange(n), np.eye(n)))
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: (box.x0, box.y0))
        assert len(boxes) >= 20
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_two_classes_from_one_unit() -> None:
    ax = rendered(plot.confusion_matrix(np.array([[0.0], [1.0], [1.0]]), np.array([[0.2], [0.4], [0.9]])))
    assert [int(text) for text in texts(ax)] == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("t", "a", "labels", "says"),
    [
        ([0, 1], np.ones((3, 2)), None, r"t has shape \(2,\); it must be \(3, 2\), or integer classes of shape \(3,\)"),
        ([0, 2, 1], np.ones((3, 2)), None, "t has classes that are no integers from 0 to 1"),
        ([0, 0.5], np.ones((2, 2)), None, "t has classes that are no integers"),
        ([0, 1], np.ones(2), None, r"a has shape \(2,\); it must be \(n, n_classes\)"),
        ([0, 1], np.eye(2), ["a"], "labels has 1 entries; it must have 2"),
    ],
)
def test_no_confusion_matrix(t: Any, a: Any, labels: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        plot.confusion_matrix(t, a, labels)


def test_the_plane_is_what_predict_says_of_it() -> None:
    net = bp.Network([2, 3], activation="softmax", seed=0, initializer=bp.normal(2.0))
    x = np.array([[-1.0, -2.0], [1.0, 2.0], [0.5, 0.0]])
    ax = rendered(plot.decision_boundary(net, x, [0, 1, 1], resolution=21))
    (mesh,) = [each for each in ax.collections if isinstance(each, QuadMesh)]
    first, second = np.linspace(-1.24, 1.24, 21), np.linspace(-2.48, 2.48, 21)
    wanted = [[int(net.predict([u, v]).argmax()) for u in first] for v in second]
    assert np.asarray(mesh.get_array()).reshape(21, 21).tolist() == wanted
    legend = ax.get_legend()
    assert legend is not None
    found = sorted({0, 1, *np.ravel(wanted).tolist()})
    assert [text.get_text() for text in legend.get_texts()] == [f"class {k}" for k in found]


def test_the_classes_of_the_plane_have_names_without_samples() -> None:
    """And ten classes can be told apart: color and marker together are of one only."""
    net = bp.Network([2, 10], activation="softmax", seed=0, initializer=bp.normal(2.0))
    x = np.random.default_rng(0).normal(size=(100, 2))
    legend = rendered(plot.decision_boundary(net, x, resolution=50)).get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == len(np.unique(net.predict(x).argmax(axis=1)))
    ax = rendered(plot.decision_boundary(net, x, np.arange(100) % 10, resolution=50))
    looks = {
        (tuple(each.get_facecolor()[0]), each.get_paths()[0].vertices.shape, float(each.get_paths()[0].vertices.sum()))
        for each in ax.collections
        if isinstance(each, PathCollection)
    }
    assert len(looks) == 10
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [f"class {k}" for k in range(10)]


@pytest.mark.parametrize("t", [None, [0, 1], [[0.0], [1.0]], [[1, 0], [0, 1]]], ids=str)
def test_targets_of_every_shape(t: Any) -> None:
    for n_outputs in (1, 2):
        net = bp.Network([2, n_outputs], seed=0)
        rendered(plot.decision_boundary(net, [[0.0, 1.0], [0.0, 3.0]], t, resolution=5))


def test_no_plane() -> None:
    with pytest.raises(ValueError, match="net has 8 inputs; it must have 2"):
        plot.decision_boundary(net_8_3_8(), EYE)
    net = bp.Network([2, 1], seed=0)
    with pytest.raises(ValueError, match=r"x has shape \(2,\); it must be \(n, 2\)"):
        plot.decision_boundary(net, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"t has shape \(3,\); it must be \(1,\), \(1, 1\)"):
        plot.decision_boundary(net, [[1.0, 2.0]], [1, 2, 3])
    with pytest.raises(ValueError, match="resolution is 1; it must be at least 2"):
        plot.decision_boundary(net, [[1.0, 2.0]], resolution=1)


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "begin"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
@pytest.mark.parametrize("hidden", [1, 3, 5])
def test_the_demo_draws(
    ending: str, begin: bytes, hidden: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"codes{ending}"
    assert cli.main(["autoencoder", "--epochs", "20", "--hidden", str(hidden), "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(begin)
    assert capsys.readouterr().err == ""
    assert plt.get_fignums() == []


def test_the_demo_learns_the_same_where_it_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def table(*options: str) -> list[str]:
        assert cli.main(["autoencoder", "--epochs", "30", *options]) == 0
        return [line for line in capsys.readouterr().out.splitlines() if not line.startswith("time")]

    assert table() == table("--plot", str(tmp_path / "p.svg"))


def test_what_the_demo_cannot_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoencoder", "--plot", str(tmp_path / "codes.doc")]) == 1
    assert "its ending must be one of" in capsys.readouterr().err
    assert cli.main(["autoencoder", "--plot", str(tmp_path / "no" / "codes.png")]) == 1
    assert "No such folder" in capsys.readouterr().err
