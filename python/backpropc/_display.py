"""How networks, trainers and histories show themselves: as tables of text, and in notebooks as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .history import History
    from .network import Network
    from .training import Trainer

Row = Sequence[object]
HEAD = ("layer", "activation", "inputs", "outputs", "w", "b", "parameters", "trainable")
MOST_EPOCHS_SHOWN = 10


class Summary:
    """A table of a network's layers; printed, or shown by a notebook."""

    def __init__(self, network: Network) -> None:
        self._rows = [_row(network, index) for index in range(len(network.layers))]
        n_trained = sum(layer.w.size + layer.b.size for layer in network.layers if layer.trainable)
        n_frozen = network.n_parameters - n_trained
        self._totals = [
            f"{network.n_parameters:,} parameters in {network.dtype}: {_size(network.parameters.nbytes)}",
            f"{n_trained:,} trainable, {n_frozen:,} frozen" if n_frozen else "all trainable",
        ]

    def __repr__(self) -> str:
        return "\n".join([_text_table(HEAD, self._rows), "", *self._totals])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return _html_table(HEAD, self._rows) + "".join(f"<div>{html.escape(line)}</div>" for line in self._totals)


def _row(network: Network, index: int) -> Row:
    layer = network.layers[index]
    n = f"{layer.w.size + layer.b.size:,}"
    sizes = (layer.fan_in, layer.fan_out, f"{layer.w.shape}", f"{layer.b.shape}")
    return (index, layer.activation, *sizes, n, "yes" if layer.trainable else "no")


def _size(n_bytes: int) -> str:
    size = float(n_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"


def _text_table(head: Row, rows: Iterable[Row]) -> str:
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = ["  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([texts[0], "─" * (sum(widths) + 2 * len(widths) - 2), *texts[1:]])


def _html_table(head: Row, rows: Iterable[Row]) -> str:
    def line(cells: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"


def html_of_network(network: Network) -> str:
    """Return a network as a notebook shows it."""
    return f"<div><b>{html.escape(repr(network))}</b></div>{Summary(network)._repr_html_()}"


def html_of_trainer(trainer: Trainer) -> str:
    """Return a trainer as a notebook shows it: what it trains, how, and how far it has come."""
    settings: tuple[str, ...] = (
        "loss",
        "optimizer",
        "learning_rate",
        "batch_size",
        "shuffle",
        "seed",
        "l1",
        "l2",
        "dropout",
    )
    settings += ("input_dropout", "clip_value", "clip_norm", "max_norm", "schedule")
    rows = [(name, getattr(trainer, name)) for name in settings]
    given = [(name, value) for name, value in rows if name == "seed" or not (value is None or value == 0.0)]
    done = [("epochs", trainer.epoch), ("steps", trainer.step_count)]
    return html_of_network(trainer.network) + _html_table(("trainer", ""), [*given, *done]) + (
        html_of_history(trainer.history) if trainer.epoch else ""
    )  # fmt: skip


def html_of_history(history: History) -> str:
    """Return a history as a notebook shows it: some of its epochs, the first and the last among them."""
    n = len(history.epoch)
    if not n:
        return f"<div>{html.escape(repr(history))}</div>"
    steps = min(n, MOST_EPOCHS_SHOWN)
    shown = sorted({i * (n - 1) // max(steps - 1, 1) for i in range(steps)})
    head = ("epoch", *history.history)
    return _html_table(
        head, [(history.epoch[i], *(f"{values[i]:.6g}" for values in history.history.values())) for i in shown]
    )
