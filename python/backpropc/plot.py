"""Pictures of networks and of their training, by matplotlib (the extra ``plot``).

Each function takes an Axes to draw in, or makes a figure of its own, and returns the Axes. Colors are Okabe's and
Ito's, which those who see few colors can tell apart; what has a color has a label or a marker too.

>>> import backpropc as bp
>>> from backpropc.plot import network_diagram
>>> ax = network_diagram(bp.Network([8, 3, 8], seed=0))
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FLOAT64, FloatArray, as_core, items_of, real_array, shape_error, shown, whole_number
from .history import History
from .monitoring import State, confusion_counts
from .network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito 2008, Color universal design; last, for their black, the text's, which is white in a dark style.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C00", "ink")
POSITIVE, NEGATIVE, NEUTRAL = "#0072B2", "#D55E00", "#888888"
MARKERS = "osD^vP*X"
MOST_UNITS = 16
MOST_COUNTED = 20  # classes in a confusion matrix with numbers in it
MOST_TICKS = 40
MOST_IN_LEGEND = 20
WIDEST = 16.0  # inches
Place = Literal["upper right", "upper left", "center right", "center left", "lower right", "lower left"]
PLACES: dict[Place, tuple[float, float]] = {  # of a legend: where its lower left corner is, about
    "upper right": (0.55, 0.62),
    "upper left": (0.0, 0.62),
    "center right": (0.55, 0.31),
    "center left": (0.0, 0.31),
    "lower right": (0.55, 0.0),
    "lower left": (0.0, 0.0),
}


def _axes(ax: Axes | None, size: tuple[float, float] = (6.4, 4.8)) -> Axes:
    if ax is not None:
        from matplotlib.axes import Axes as kind

        if not isinstance(ax, kind) or ax.name == "3d":
            raise TypeError(f"ax is {shown(ax)}; it must be a matplotlib Axes, and a flat one")
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def _ink() -> str:
    """Return the color of text in the present style."""
    import matplotlib as mpl

    return str(mpl.rcParams["text.color"])


def _paper() -> str:
    """Return the color of the background in the present style."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    return to_hex(mpl.rcParams["axes.facecolor"])


def _color(index: int) -> str:
    color = COLORS[index % len(COLORS)]
    return _ink() if color == "ink" else color


def _marker(index: int) -> str:
    """Return a marker that goes with `_color`: together they repeat after 64."""
    return MARKERS[(index + index // len(COLORS)) % len(MARKERS)]


def _network(net: object) -> Network:
    if not isinstance(net, Network):
        raise TypeError(f"net is {shown(net)} ({type(net).__name__}); it must be a backpropc.Network")
    return net


def loss_curves(history: History, ax: Axes | None = None) -> Axes:
    """Draw the loss of each epoch, and the validation loss where there is one; the metrics on an axis at the right.

    Parameters
    ----------
    history : History
        What `fit` returns, or ``trainer.history``.
    ax : matplotlib Axes
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
        With a logarithmic axis of losses where they span more than a factor of 20.

    Raises
    ------
    ValueError
        The history has no epochs.
    """
    if not isinstance(history, History):
        raise TypeError(f"history is {shown(history)} ({type(history).__name__}); it must be a backpropc.History")
    if not history.epoch:
        raise ValueError("history has no epochs; there must be at least one")
    from matplotlib.ticker import MaxNLocator

    ax = _axes(ax)
    epochs = np.array(history.epoch) + 1
    marker = "o" if len(epochs) == 1 else ""
    losses = {name: values for name, values in history.history.items() if name in ("loss", "val_loss")}
    for name, values in losses.items():
        _curve(ax, epochs, values, name, NEGATIVE if name.startswith("val_") else POSITIVE, "-", marker)
    numbers = np.array([value for values in losses.values() for value in values])
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size and 0.0 < 20.0 * numbers.min() < numbers.max():
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="loss E")
    ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    ax.grid(alpha=0.3)
    metrics = {name: values for name, values in history.history.items() if name not in losses}
    curves = [(ax, line) for line in ax.get_lines()]
    if metrics:
        right = ax.twinx()
        right.spines["right"].set_visible(True)
        right.grid(False)
        for i, (name, values) in enumerate(metrics.items()):
            _curve(right, epochs, values, name, COLORS[2 + i % 5], "--" if name.startswith("val_") else ":", marker)
        right.set_ylabel(", ".join(name for name in metrics if not name.startswith("val_")))
        curves += [(right, line) for line in right.get_lines()]
    for on, _ in curves:
        on.autoscale_view()  # now, so that the places below are those of the picture
    points = [on.transAxes.inverted().transform(on.transData.transform(line.get_xydata())) for on, line in curves]
    handles = [line for _, line in curves]
    curves[-1][0].legend(handles, [str(line.get_label()) for line in handles], loc=_free_place(np.concatenate(points)))
    return ax


def _free_place(points: FloatArray) -> Place:
    """Return the place for a legend where the fewest points are, by their places from 0 to 1 along both sides.

    Matplotlib's own "best" looks at one of two Axes that share a place, and complains of being slow.
    """

    def crowd(place: Place) -> int:
        x, y = (points - PLACES[place]).T
        return int(np.count_nonzero((x >= 0.0) & (x <= 0.45) & (y >= 0.0) & (y <= 0.38)))

    return min(PLACES, key=crowd)


def _curve(ax: Axes, x: FloatArray, y: Sequence[float], name: str, color: str, style: str, marker: str) -> None:
    label = f"{name.removeprefix('val_')}, validation" if name.startswith("val_") else f"{name}, training"
    ax.plot(x, y, color=color, linestyle=style, marker=marker, label=label)


# --- the network ------------------------------------------------------------------------------------------------------


def network_diagram(net: Network, ax: Axes | None = None) -> Axes:
    """Draw a network: units as circles, weights as lines, the wider the larger; blue where positive, orange negative.

    A circle is filled by its bias in the same colors. Widths and fillings are relative to the largest of the network.
    Of a layer of more than 16 units only the first and the last are drawn.

    Parameters
    ----------
    net : Network
        The network.
    ax : matplotlib Axes
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        A weight or a bias is not finite.
    """
    net = _network(net)
    for i, layer in enumerate(net.layers):
        for name, values in (("w", layer.w), ("b", layer.b)):
            if not np.isfinite(values).all():
                raise ValueError(f"net.layers[{i}].{name} has values that are not finite; they cannot be drawn")
    ax = _axes(ax, (min(2.2 * len(net.sizes), WIDEST), 5.0))
    places = [_places(n) for n in net.sizes]
    largest = {
        name: max(float(np.abs(getattr(layer, name)).max()) for layer in net.layers) or 1.0 for name in ("w", "b")
    }
    for index, layer in enumerate(net.layers):
        _draw_weights(ax, index, layer.w / largest["w"], places[index], places[index + 1])
    for index, units in enumerate(places):
        bias = np.zeros(net.sizes[0]) if index == 0 else net.layers[index - 1].b / largest["b"]
        colors = [(*_rgb(POSITIVE if bias[i] > 0 else NEGATIVE), min(1.0, abs(float(bias[i])))) for i in units]
        heights = list(units.values())
        style: dict[str, Any] = {"s": 120, "edgecolors": _ink(), "linewidths": 1.2, "zorder": 3}
        ax.scatter([index] * len(units), heights, color=_paper(), **style)
        ax.scatter([index] * len(units), heights, color=colors, **style)
        if len(units) < net.sizes[index]:
            ax.text(index, 0.0, "⋮", ha="center", va="center", fontsize=16, zorder=4)
        name = "input" if index == 0 else net.layers[index - 1]._plan.activation.name
        ax.text(index, -1.22, f"{net.sizes[index]}\n{name}", ha="center", va="top", fontsize=9)
    for color, name in ((POSITIVE, "w > 0"), (NEGATIVE, "w < 0")):
        ax.plot([], [], color=color, linewidth=3, label=name)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=2, frameon=False)
    ax.set(xlim=(-0.4, len(places) - 0.6), ylim=(-1.6, 1.15))
    ax.set_axis_off()
    return ax


def _places(n: int) -> dict[int, float]:
    """Return the units of a layer that are drawn, and how high; a gap in the middle where some are left out."""
    if n <= MOST_UNITS:
        half = min(1.0, 0.25 * (n - 1))
        return dict(enumerate(np.linspace(half, -half, n).tolist()))
    heights = np.linspace(1.0, -1.0, MOST_UNITS + 1)
    drawn = MOST_UNITS // 2
    return {
        **dict(enumerate(heights[:drawn].tolist())),
        **{n - drawn + i: height for i, height in enumerate(heights[-drawn:].tolist())},
    }


def _draw_weights(ax: Axes, index: int, w: FloatArray, left: dict[int, float], right: dict[int, float]) -> None:
    from matplotlib.collections import LineCollection

    chosen = w[np.ix_(list(left), list(right))].ravel()
    lines = [((index, y), (index + 1, v)) for y, v in product(left.values(), right.values())]
    order = np.argsort(np.abs(chosen), kind="stable")  # the widest on top
    colors = [POSITIVE if value > 0 else NEGATIVE for value in chosen]
    widths, opacity = 4.0 * np.abs(chosen), 0.15 + 0.75 * np.abs(chosen)
    ax.add_collection(
        LineCollection(
            [lines[i] for i in order],
            linewidths=widths[order],
            colors=[(*_rgb(colors[i]), float(opacity[i])) for i in order],
        )
    )


def _rgb(color: str) -> tuple[float, float, float]:
    return (int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255)


def weight_histograms(net: Network, ax: Axes | None = None) -> Axes:
    """Draw the histogram of each layer's weights, one above the other, the first layer lowest.

    Weights that are not finite are counted, not drawn.

    Parameters
    ----------
    net : Network
        The network.
    ax : matplotlib Axes
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
    """
    net = _network(net)
    names = [f"layer {i}\n{layer.fan_in} → {layer.fan_out}" for i, layer in enumerate(net.layers)]
    return _ridges(ax, [layer.w.ravel() for layer in net.layers], names, "weight w")


def activation_histograms(net: Network, x: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the histogram of each layer's activations, one above the other, the first layer lowest.

    Parameters
    ----------
    net : Network
        The network.
    x : array_like, shape (n, fan_in)
        Samples.
    ax : matplotlib Axes
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        As for `Network.predict`.
    """
    outputs = _activations(_network(net), x)
    names = [f"layer {i}\n{layer.fan_out} {layer._plan.activation.name}" for i, layer in enumerate(net.layers)]
    return _ridges(ax, [a.ravel() for a in outputs], names, "activation a")


def _activations(net: Network, x: ArrayLike) -> list[FloatArray]:
    """Return the outputs of every layer for samples."""
    rows = np.atleast_2d(real_array(x, "x"))
    net.predict(rows)  # which says what is wrong with x
    return list(net.trace(rows, np.zeros((len(rows), net.sizes[-1]))).a[1:])


def _ridges(ax: Axes | None, data: Sequence[FloatArray], names: Sequence[str], label: str) -> Axes:
    ax = _axes(ax, (6.4, max(4.8, 0.6 * len(data))))
    finite = [values[np.isfinite(values)].astype(np.float64) for values in data]
    together = np.concatenate(finite)
    low, high = (together.min(), together.max()) if together.size else (0.0, 0.0)
    margin = 0.02 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, 61)
    for i, values in enumerate(finite):
        counts = np.histogram(values, edges)[0]
        heights = 0.85 * counts / max(counts.max(), 1)
        color = COLORS[i % (len(COLORS) - 1)]
        ax.stairs(heights + i, edges, baseline=i, fill=True, color=color, alpha=0.5)
        ax.stairs(heights + i, edges, baseline=i, color=color)
        text = f"n = {values.size:,}"
        if values.size:
            text += f"\nmean {values.mean():.3g}\ns.d. {values.std():.3g}"
        if values.size < data[i].size:
            text += f"\n{data[i].size - values.size:,} not finite"
        ax.text(1.02, i + 0.4, text, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.grid(False)
    ax.axvline(0.0, color=_ink(), linewidth=0.8, alpha=0.4)
    ax.set_yticks([i + 0.4 for i in range(len(data))], names)
    ax.set(xlim=(edges[0], edges[-1]), ylim=(-0.05, len(data)), xlabel=label)
    ax.tick_params(axis="y", length=0)
    return ax


# --- the hidden representation ----------------------------------------------------------------------------------------


class CodeTrail:
    """A callback that keeps what a hidden layer makes of some samples, as a run goes on: for `hidden_codes`.

    Parameters
    ----------
    x : array_like, shape (n, fan_in)
        The samples.
    layer : int
        Which layer's activations, from 0.
    every_steps : int or None
        After how many steps; None for after every epoch.

    Attributes
    ----------
    codes : list of ndarray, each of shape (n, fan_out)
        One after the other.
    """

    def __init__(self, x: ArrayLike, layer: int = 0, every_steps: int | None = None) -> None:
        self._x, self._layer = np.atleast_2d(real_array(x, "x")), whole_number(layer, "layer", 0)
        self.every_steps = every_steps
        self.codes: list[FloatArray] = []

    def __call__(self, state: State) -> None:
        """Keep the present codes."""
        self.codes.append(_codes(state.network, self._x, self._layer))

    def __repr__(self) -> str:
        return f"CodeTrail({len(self._x)} samples, layer {self._layer}: {len(self.codes)} times)"


def _codes(net: Network, x: ArrayLike, layer: int) -> FloatArray:
    index = whole_number(layer, "layer", 0)
    if index >= len(net.layers):
        raise ValueError(f"layer is {layer}; it must be below {len(net.layers)}, the number of layers")
    return _activations(net, x)[index]


def hidden_codes(
    net: Network,
    x: ArrayLike,
    ax: Axes | None = None,
    *,
    layer: int = 0,
    units: Sequence[int] | None = None,
    trail: CodeTrail | Sequence[ArrayLike] | None = None,
    labels: Sequence[object] | None = None,
) -> Axes:
    """Draw what a hidden layer makes of samples: points in the cube of three units, the square of two, the line of one.

    Parameters
    ----------
    net : Network
        The network.
    x : array_like, shape (n, fan_in)
        Samples, as the eight patterns of the autoencoder.
    ax : matplotlib Axes
        Where to draw, a flat one; by default a new figure.
    layer : int
        Which layer's activations, from 0.
    units : sequence of int
        Which one to three of its units; by default all.
    trail : CodeTrail, or sequence of array_like of shape (n, fan_out)
        Where the codes were during the training, drawn as a line to each point.
    labels : sequence
        A name for each sample; by default its number.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        An argument does not fit.
    """
    from matplotlib.patheffects import withStroke

    codes = _codes(_network(net), x, layer)
    chosen = _chosen_units(units, codes.shape[1])
    names = (
        [str(i) for i in range(len(codes))]
        if labels is None
        else [str(label) for label in items_of(labels, "labels", "names")]
    )
    if len(names) != len(codes):
        raise ValueError(f"labels has {len(names)} entries; it must have {len(codes)}, one for each sample")
    path = _path(trail, codes)[:, :, chosen]
    low, high = _box(path)
    ax = _axes(ax, (6.0, 5.4))
    _draw_box(ax, len(chosen), low, high)
    flat = _projected((path - low) / (high - low))
    for i, name in enumerate(names):
        color = _color(i)
        ax.plot(*flat[:, i].T, color=color, linewidth=1.2, alpha=0.6)
        ax.plot(*flat[0, i], marker=".", color=color, markersize=4)
        ax.plot(
            *flat[-1, i],
            marker=MARKERS[i // len(COLORS) % len(MARKERS)],
            color=color,
            markersize=9,
            markeredgecolor=_paper(),
        )
        inward = 10.0 * np.sign(_projected(np.full(len(chosen), 0.5)) - flat[-1, i])  # corners' names are outside
        ax.annotate(
            name,
            flat[-1, i],
            inward,
            textcoords="offset points",
            color=color,
            fontweight="bold",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=3, foreground=_paper())],
        )
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.margins(0.12)
    return ax


def _chosen_units(units: Sequence[int] | None, n: int) -> list[int]:
    if units is None:
        if n > 3:
            raise ValueError(f"layer has {n} units; at most three can be drawn: choose them, as units=(0, 1, 2)")
        return list(range(n))
    chosen = [whole_number(unit, f"units[{i}]", 0) for i, unit in enumerate(items_of(units, "units", "integers"))]
    if not 1 <= len(chosen) <= 3 or max(chosen) >= n or len(set(chosen)) < len(chosen):
        raise ValueError(f"units is {shown(units)}; it must be one to three different numbers below {n}")
    return chosen


def _path(trail: CodeTrail | Sequence[ArrayLike] | None, codes: FloatArray) -> FloatArray:
    """Return the codes of all times, the present ones last."""
    times = trail.codes if isinstance(trail, CodeTrail) else [] if trail is None else items_of(trail, "trail", "arrays")
    arrays = [real_array(each, f"trail[{i}]") for i, each in enumerate(times)]
    for i, each in enumerate(arrays):
        if each.shape != codes.shape:
            raise shape_error(f"trail[{i}]", each.shape, f"{codes.shape}")
    return np.array([*arrays, codes], np.float64)


def _box(path: FloatArray) -> tuple[float, float]:
    """Return the range of the cube: that of a logistic unit, of tanh, or of the values."""
    least, most = float(path.min()), float(path.max())
    if least >= 0.0 and most <= 1.0:
        return 0.0, 1.0
    return (-1.0, 1.0) if least >= -1.0 and most <= 1.0 else (least, most if most > least else least + 1.0)


# Where a unit of each of the three coordinates leads on paper.
OBLIQUE = np.array([[1.0, 0.0], [0.42, 0.36], [0.0, 1.0]])


def _projected(points: FloatArray) -> FloatArray:
    """Return points of one to three coordinates in [0, 1] on the plane."""
    n = points.shape[-1]
    axes = OBLIQUE if n == 3 else OBLIQUE[[0, 2]]
    return np.asarray(points @ axes[:n])


def _draw_box(ax: Axes, n: int, low: float, high: float) -> None:
    """Draw the edges of the cube, those behind dotted, and the corners' coordinates."""
    corners = list(product((0.0, 1.0), repeat=n))
    for one, other in product(corners, corners):
        if sum(other) - sum(one) == 1.0 and sum(map(abs, np.subtract(one, other))) == 1.0:
            behind = n == 3 and one[1] == 1.0 == other[1] and (0.0, 0.0) in ((one[0], one[2]), (other[0], other[2]))
            behind |= n == 3 and (one[0], one[2]) == (other[0], other[2]) == (0.0, 0.0)
            ends = _projected(np.array([one, other]))
            ax.plot(*ends.T, color=NEUTRAL, linewidth=1.0, linestyle=":" if behind else "-", zorder=0)
    is_unit = (low, high) == (0.0, 1.0)
    for corner in corners:
        values = ["01"[int(value)] if is_unit else f"{high if value else low:.3g}" for value in corner]
        outward = np.sign(_projected(np.array(corner)) - _projected(np.full(n, 0.5)))
        place = _projected(np.array(corner)) + outward * 0.045
        ax.text(
            place[0],
            place[1],
            ("" if is_unit else ", ").join(values),
            color=NEUTRAL,
            fontsize=8,
            ha="center",
            va="center",
        )


# --- classifiers ------------------------------------------------------------------------------------------------------


def confusion_matrix(
    t: ArrayLike, a: ArrayLike, labels: Sequence[object] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how many samples of each class were taken for each; shaded by the share of the true class.

    Parameters
    ----------
    t : array_like, shape (n,) or (n, n_classes)
        Integer classes, or rows.
    a : array_like, shape (n, n_classes), or (n, 1) for two classes
        Outputs.
    labels : sequence
        The classes' names; by default their numbers.
    ax : matplotlib Axes
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        An argument does not fit.
    """
    targets, outputs = real_array(t, "t"), real_array(a, "a")
    if outputs.ndim != 2 or not outputs.size:
        raise shape_error("a", outputs.shape, "(n, n_classes), with n at least 1")
    n = max(outputs.shape[1], 2)
    if targets.shape not in (outputs.shape, outputs.shape[:1]):
        raise shape_error("t", targets.shape, f"{outputs.shape}, or integer classes of shape {outputs.shape[:1]}")
    if targets.ndim == 1 and not (np.isin(targets, np.arange(n))).all():
        raise ValueError(f"t has classes that are no integers from 0 to {n - 1}")
    names = (
        [str(i) for i in range(n)] if labels is None else [str(label) for label in items_of(labels, "labels", "names")]
    )
    if len(names) != n:
        raise ValueError(f"labels has {len(names)} entries; it must have {n}, one for each class")
    return _draw_counts(_axes(ax), confusion_counts(targets, outputs), names)


def _draw_counts(ax: Axes, counts: FloatArray, names: Sequence[str]) -> Axes:
    n = len(names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.grid(False)
    image = ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    if n <= MOST_COUNTED:
        for i, j in product(range(n), range(n)):
            color = "white" if shares[i, j] > 0.6 else "black" if counts[i, j] else NEUTRAL
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", color=color, fontsize=10 if n <= 10 else 7)
    ticks = range(0, n, -(-n // MOST_TICKS))
    shown_names, size = [names[i] for i in ticks], 7 if n > MOST_COUNTED else None
    if n > MOST_COUNTED:
        ax.set_xticks(ticks, shown_names, rotation=90, fontsize=size)
    else:
        is_long = max(map(len, names)) * n > 50
        ax.set_xticks(ticks, shown_names, rotation=45 if is_long else 0, ha="right" if is_long else "center")
    ax.set_yticks(ticks, shown_names, fontsize=size)
    ax.set(xlabel="predicted class", ylabel="true class")
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=ax, label="share of the true class")
    return ax


def decision_boundary(
    net: Network, x: ArrayLike, t: ArrayLike | None = None, ax: Axes | None = None, *, resolution: int = 300
) -> Axes:
    """Draw what a network of two inputs says of the plane around samples.

    Of one output its value, with a line where it is ½; of several the class, that of the largest. The legend has the
    classes that are there, unless they are more than 20.

    Parameters
    ----------
    net : Network
        With two inputs.
    x : array_like, shape (n, 2)
        Samples, which say what part of the plane it is.
    t : array_like, shape (n,), (n, 1) or (n, n_classes)
        Their classes: integers or rows. Without them the samples are not drawn.
    ax : matplotlib Axes
        Where to draw; by default a new figure.
    resolution : int
        Points along each side.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        The network has not two inputs, or an argument does not fit.
    """
    net, rows = _network(net), as_core(real_array(x, "x"), FLOAT64)
    if net.sizes[0] != 2:
        raise ValueError(f"net has {net.sizes[0]} inputs; it must have 2")
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows):
        raise shape_error("x", rows.shape, "(n, 2), with n at least 1")
    if not np.isfinite(rows).all():
        raise ValueError("x has values that are not finite; they must be, as they are places in the plane")
    ax, n = _axes(ax), whole_number(resolution, "resolution", 2)
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = np.where(high > low, 0.12 * (high - low), 1.0)
    sides = [np.linspace(low[i] - margin[i], high[i] + margin[i], n) for i in (0, 1)]
    first, second = np.meshgrid(*sides)
    outputs = net.predict(np.stack([first.ravel(), second.ravel()], axis=1)).reshape(n, n, -1)
    handles: dict[int, Any] = {}  # by class; where there are samples, their markers
    ax.grid(False)
    if outputs.shape[2] == 1:
        _draw_value(ax, first, second, outputs[:, :, 0])
    else:
        handles |= _draw_classes(ax, sides, outputs.argmax(axis=2), outputs.shape[2])
    if t is not None:
        handles |= _draw_samples(ax, rows, _classes_of(t, len(rows)))
    if 0 < len(handles) <= MOST_IN_LEGEND:
        found = sorted(handles)
        columns = 1 if len(found) <= len(COLORS) else 2
        ax.legend(
            [handles[k] for k in found],
            [f"class {k}" for k in found],
            loc=_free_place((rows - low + margin) / (high - low + 2.0 * margin)),
            framealpha=0.9,
            ncols=columns,
        )
    ax.set(xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1]), xlabel="x[0]", ylabel="x[1]")
    return ax


def _draw_value(ax: Axes, first: FloatArray, second: FloatArray, value: FloatArray) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    cmap = LinearSegmentedColormap.from_list("backpropc", [POSITIVE, _paper(), NEGATIVE])
    reach = max(0.5, float(np.abs(value - 0.5).max()))
    mesh = ax.pcolormesh(
        first,
        second,
        value,
        cmap=cmap,
        vmin=0.5 - reach,
        vmax=0.5 + reach,
        alpha=0.6,
        shading="nearest",
        rasterized=True,
    )
    if value.min() < 0.5 < value.max():
        ax.contour(first, second, value, levels=[0.5], colors=_ink(), linewidths=1.2)
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(mesh, ax=ax, label="output a")


def _draw_classes(ax: Axes, sides: Sequence[FloatArray], classes: FloatArray, n: int) -> dict[int, Any]:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    cmap = ListedColormap([_color(k) for k in range(n)])
    ax.pcolormesh(*sides, classes, cmap=cmap, vmin=-0.5, vmax=n - 0.5, alpha=0.3, shading="nearest", rasterized=True)
    found = np.unique(classes).tolist()
    for k in found if len(found) > 1 else []:
        ax.contour(*sides, classes == k, levels=[0.5], colors=_ink(), linewidths=0.8)
    return {k: Patch(color=_color(k), alpha=0.3) for k in found}


def _classes_of(t: ArrayLike, n: int) -> FloatArray:
    targets = real_array(t, "t")
    if targets.shape[:1] != (n,) or targets.ndim > 2:
        raise shape_error("t", targets.shape, f"({n},), ({n}, 1) or ({n}, n_classes)")
    if targets.ndim == 2 and targets.shape[1] > 1:
        return np.asarray(targets.argmax(axis=1))
    flat = targets.reshape(n)
    return np.asarray(flat if flat.dtype.kind in "iu" else flat > 0.5).astype(np.int64)


def _draw_samples(ax: Axes, rows: FloatArray, classes: FloatArray) -> dict[int, Any]:
    handles = {}
    for k in np.unique(classes).tolist():
        chosen = rows[classes == k]
        handles[k] = ax.scatter(
            chosen[:, 0],
            chosen[:, 1],
            color=_color(k),
            marker=_marker(k),
            edgecolors="white",
            s=36,
            linewidths=0.8,
            label=f"class {k}",
            zorder=3,
        )
    return handles
