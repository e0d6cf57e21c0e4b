"""How good a network is, in numbers and in words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from unicodedata import combining, east_asian_width

import numpy as np

from .._arguments import FloatArray
from ..monitoring import accuracy, confusion_counts, r2

if TYPE_CHECKING:
    from ..preprocessing import Preprocessing

MOST_CLASSES_SHOWN = 15
LONGEST_LABEL = 14
CONFUSIONS_SHOWN = 10


def as_json(value: Any) -> str:
    """Return a report as JSON, which knows no number that is not finite: null stands for it."""
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def in_14(value: float) -> str:
    """Return a number with five decimals, or of a size that leaves no room for them with an exponent, 14 wide."""
    return f"{value:>14.5f}" if not 1e7 <= abs(value) < math.inf else f"{value:>14.5e}"


def of_outputs(preprocessing: Preprocessing, t: FloatArray, a: FloatArray) -> dict[str, Any]:
    """Return the report of some rows as JSON has it: accuracy and confusion matrix, or R² and errors by target."""
    if preprocessing.labels is not None:
        matrix = confusion_counts(t, a)
        return {
            "rows": len(t),
            "accuracy": accuracy(t, a),
            "labels": preprocessing.labels,
            "confusion": matrix.tolist(),
        }
    error = preprocessing.decode(a) - preprocessing.decode(t)
    return {
        "rows": len(t),
        "r2": r2(t, a),
        "targets": [column.column for column in preprocessing.targets],
        "root_mean_squared_error": np.sqrt((error**2).mean(axis=0)).tolist(),
        "mean_absolute_error": np.abs(error).mean(axis=0).tolist(),
    }


def in_words(preprocessing: Preprocessing, reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the reports of the training rows and of those held out as text."""
    name, last = list(reports.items())[-1]
    if preprocessing.labels is None:
        return "\n".join(_of_regression(part, report) for part, report in reports.items())
    shares = ", ".join(
        f"{report['accuracy']:.4f} of {report['rows']} rows ({part})" for part, report in reports.items()
    )
    return f"accuracy  {shares}\n\n{_confusions(last, name)}"


def _of_regression(part: str, report: Mapping[str, Any]) -> str:
    errors = zip(report["targets"], report["root_mean_squared_error"], report["mean_absolute_error"], strict=True)
    lines = [f"R²  {report['r2']:.4f} of {report['rows']} rows ({part})"]
    return "\n".join(
        lines
        + [
            f"    {name}: root mean squared error {rms:.4g}, mean absolute error {mean:.4g}"
            for name, rms, mean in errors
        ]
    )


def _confusions(report: Mapping[str, Any], part: str) -> str:
    """Return the confusion matrix; of many classes only what was confused most often."""
    labels = [_shortened(label) for label in report["labels"]]
    matrix = report["confusion"]
    if len(labels) > MOST_CLASSES_SHOWN:
        pairs = [(n, labels[i], labels[j]) for i, row in enumerate(matrix) for j, n in enumerate(row) if n and i != j]
        pairs.sort(key=lambda pair: -pair[0])
        head = f"most frequent confusions ({part}): the true class, what was predicted"
        return "\n".join([head, *(f"{n:>6}  {true}, {wrong}" for n, true, wrong in pairs[:CONFUSIONS_SHOWN])])
    left = max(map(_columns, labels))
    widths = [max(_columns(label), *(len(str(row[j])) for row in matrix)) for j, label in enumerate(labels)]
    lines = [f"confusion matrix ({part}): rows are the true class, columns what was predicted", ""]
    lines.append(" " * left + "".join(f"  {_right(label, w)}" for label, w in zip(labels, widths, strict=True)))
    for label, row in zip(labels, matrix, strict=True):
        lines.append(_right(label, left) + "".join(f"  {n:>{w}}" for n, w in zip(row, widths, strict=True)))
    return "\n".join(lines)


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: letters of East Asia two each, combining marks none."""
    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)


def _right(text: str, width: int) -> str:
    return " " * (width - _columns(text)) + text


def _shortened(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _categories(n: int) -> str:
    return "1 category" if n == 1 else f"{n} categories"


def of_columns(preprocessing: Preprocessing) -> str:
    """Return in words what a model reads and what it predicts."""
    from .._tables import listed
    from ..preprocessing import NumberColumn

    numbers = [column.column for column in preprocessing.inputs if isinstance(column, NumberColumn)]
    lines = [f"inputs   {listed(numbers)}: {'numbers' if len(numbers) > 1 else 'a number'}"] if numbers else []
    for column in preprocessing.inputs:
        if not isinstance(column, NumberColumn):
            lines.append(
                f"         {column.column}: {_categories(len(column.categories))}: {listed(column.categories, 8)}"
            )
    if not numbers:
        lines[0] = lines[0].replace("       ", "inputs ", 1)
    names = ", ".join(column.column for column in preprocessing.targets)
    if preprocessing.labels is None:
        return "\n".join(
            [*lines, f"target   {names}: a number" if len(preprocessing.targets) == 1 else f"targets  {names}"]
        )
    return "\n".join([*lines, f"target   {names}: {len(preprocessing.labels)} classes: {listed(preprocessing.labels)}"])
