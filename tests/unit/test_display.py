"""What networks, trainers, histories and traces look like: as text, as tables, and in notebooks as HTML."""

from __future__ import annotations

import html
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

import backpropc as bp

X = np.eye(8)


def trainer(**options: Any) -> bp.Trainer:
    return bp.Trainer(bp.Network([8, 3, 8], seed=0), optimizer=bp.Adam(), seed=0, **options)


def cells(text: str) -> list[list[str]]:
    """The rows of the tables in a piece of HTML, which must be well-formed."""
    tree = ElementTree.fromstring(f"<div>{text}</div>")
    return [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]


def test_summary() -> None:
    net = bp.Network([bp.Dense(4, 1000, bp.leaky_relu(0.2)), bp.Dense(1000, 2, "softmax", trainable=False)], seed=0)
    lines = str(net.summary()).splitlines()
    assert [line.split() for line in lines if line[:1].isdigit()] == [
        ["0", "leaky_relu(slope=0.2)", "4", "1000", "(4,", "1000)", "(1000,)", "5,000", "yes"],
        ["1", "softmax", "1000", "2", "(1000,", "2)", "(2,)", "2,002", "no"],
        ["7,002", "parameters", "in", "float32:", "27.35", "KiB"],
        ["5,000", "trainable,", "2,002", "frozen"],
    ]
    assert repr(net.summary()) == str(net.summary())
    net.layers[1].trainable = True
    assert str(net.summary()).endswith("all trainable")


@pytest.mark.parametrize(
    ("sizes", "dtype", "size"),
    [([1, 1], "float64", "16 bytes"), ([1000, 1000], "float32", "3.819 MiB"), ([127, 2], "float32", "1 KiB")],
)
def test_sizes_in_words(sizes: list[int], dtype: str, size: str) -> None:
    assert f"parameters in {dtype}: {size}\n" in str(bp.Network(sizes, seed=0, dtype=dtype).summary())


def test_a_network_in_a_notebook() -> None:
    net = bp.Network([8, 3, 8], seed=0)
    head, first, second = cells(net._repr_html_())
    assert head == ["layer", "activation", "inputs", "outputs", "w", "b", "parameters", "trainable"]
    assert first == ["0", "logistic", "8", "3", "(8, 3)", "(3,)", "27", "yes"]
    assert second[:2] == ["1", "logistic"]
    assert html.escape(repr(net)) in net._repr_html_()
    assert cells(net.summary()._repr_html_()) == cells(net._repr_html_())


def test_a_trainer_in_a_notebook() -> None:
    run = trainer(l2=0.5, dropout=0.25)
    rows = {row[0]: row[1:] for row in cells(run._repr_html_())}
    assert rows["loss"] == ["half_squared_error"]
    assert (rows["l2"], rows["seed"], rows["epochs"]) == (["(0.5, 0.5)"], ["0"], ["0"])
    assert "l1" not in rows
    run.fit(X, X, epochs=3)
    assert {row[0]: row[1:] for row in cells(run._repr_html_())}["2"] == [f"{run.history.loss[2]:.6g}"]


def test_a_history_in_a_notebook() -> None:
    """Of many epochs some, the first and the last among them; a metric's name is not taken for a tag."""
    history = trainer().fit(X, X, epochs=100, metrics=[lambda t, a: 0.5], validation_data=(X, X))
    assert "<lambda>" not in history._repr_html_()
    head, *rows = cells(history._repr_html_())
    assert head == ["epoch", "loss", "val_loss", "<lambda>", "val_<lambda>"]
    assert [row[0] for row in rows][::9] == ["0", "99"]
    assert len(rows) == 10
    assert cells(bp.History([], {"loss": []})._repr_html_()) == []
    assert cells(bp.History([3], {"loss": [0.25]})._repr_html_()) == [["epoch", "loss"], ["3", "0.25"]]


def test_a_trainer_tells_what_is_not_as_by_default() -> None:
    assert "l1" not in repr(trainer())
    text = repr(trainer(l1=0.1, clip_norm=2.0, schedule=bp.schedules.step(5)))
    assert "seed=0, l1=(0.1, 0.1), clip_norm=2.0, schedule=step(" in text


def test_a_trace_at_a_glance() -> None:
    """Shapes, not pages of numbers; of the gradients the norm."""
    net = bp.Network([8, 3, 8], seed=0)
    trace, gradients = net.trace(X, X), net.gradients(X, X)
    assert repr(trace).splitlines()[0] == f"Trace(loss={trace.loss:.6g}, 2 layers)"
    assert "layers[0]: x (8, 8), z (8, 3), a (8, 3), da (8, 3) of norm" in repr(trace)
    norm = np.linalg.norm(gradients.layers[1].dw.astype(float))
    assert f"layers[1]: dw (3, 8) of norm {norm:.4g}, db (8,) of norm" in repr(gradients)
    assert repr(gradients.layers[1]).startswith(f"LayerGradients(dw (3, 8) of norm {norm:.4g}")
    assert repr(net.trace(X[0], X[0]).layers[0]).startswith("LayerTrace(x (8,), z (3,), a (3,), da (3,) of norm")


def test_a_state_at_a_glance() -> None:
    states: list[bp.State] = []
    run = trainer()
    run.fit(X, X, epochs=1, callbacks=[states.append], metrics=["r2"], validation_data=(X, X))
    text = repr(states[0])
    assert text.startswith(f"State(epoch=1, step=1, loss={states[0].loss:.6g}, val_loss=")
    assert "val_r2=" in text
    assert text.endswith(f"{run.network!r})")


def test_reports_show_themselves() -> None:
    """As the last line of a notebook's cell, too."""
    net = bp.Network([8, 3, 8], seed=0)
    for report in (bp.check_gradients(net, X, X), bp.sanity_check(net, X, X)):
        assert repr(report) == str(report)
        assert len(repr(report).splitlines()) > 3
