"""What stands between a table and a network: scaled numbers, one-hot categories, and class labels.

All of it is learned from the training rows and kept in the model's file, so that new data are treated as those were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._arguments import FloatArray, real_number, shown
from ._safetensors import require_object
from ._tables import Table, find_columns, listed

if TYPE_CHECKING:
    from .network import Network

MOST_CATEGORIES = 100


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers v, for the network (v − mean) / scale.

    Attributes
    ----------
    column : str
        Its name.
    mean, scale : float
        Of the training rows the mean, and the standard deviation; 1 for a column that was constant.
    """

    column: str
    mean: float
    scale: float

    width = 1


@dataclass(frozen=True)
class CategoryColumn:
    """A column of texts, for the network a 1 in the place of the category and 0 elsewhere.

    Attributes
    ----------
    column : str
        Its name.
    categories : tuple of str
        Those of the training rows, sorted.
    """

    column: str
    categories: tuple[str, ...]

    @property
    def width(self) -> int:
        """Number of inputs or outputs of the network."""
        return len(self.categories)


ModelColumn = NumberColumn | CategoryColumn


@dataclass(frozen=True)
class Preprocessing:
    """How a table becomes a network's x and t, and its output a table again.

    Attributes
    ----------
    inputs : tuple of NumberColumn or CategoryColumn
        In the order of the network's inputs.
    targets : tuple of NumberColumn or CategoryColumn
        One category column, whose categories are the class labels; or columns of numbers.
    fill_missing : bool
        Whether a missing number counts as the mean, and a missing category as none of them; else it is refused.
    """

    inputs: tuple[ModelColumn, ...]
    targets: tuple[ModelColumn, ...]
    fill_missing: bool

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The class labels in the order of the outputs; None for a regression."""
        target = self.targets[0]
        return target.categories if isinstance(target, CategoryColumn) else None

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the input columns that are categories, whose values must be read as texts."""
        return tuple(column.column for column in self.inputs if isinstance(column, CategoryColumn))

    def encode(self, table: Table, unseen: str = "refuse", positions: bool = False) -> FloatArray:
        """Return a table as the network's input.

        Parameters
        ----------
        table : Table
            With the input columns, found by name; others are not looked at.
        unseen : {"refuse", "zero"}
            What a category that the training rows did not have is: an error, or none of the known ones.
        positions : bool
            Whether the columns are taken by their order instead.

        Returns
        -------
        ndarray, shape (n, number of inputs), float64

        Raises
        ------
        ValueError
            A column is not there, or a value is missing, no number, or unseen; the message says where.
        """
        names = list(table.columns)
        parts = []
        for i, column in enumerate(self.inputs):
            name = names[i] if positions else _present(table, column.column)
            if isinstance(column, NumberColumn):
                parts.append(self._scaled(table, name, column)[:, np.newaxis])
            else:
                parts.append(self._one_hot(table, name, column, unseen))
        return np.concatenate(parts, axis=1)

    def _scaled(self, table: Table, name: str, column: NumberColumn) -> FloatArray:
        numbers = table.numbers(name)
        self._refuse_missing(table, name)
        with np.errstate(over="ignore"):
            scaled = (numbers - column.mean) / column.scale
        infinite = np.flatnonzero(np.abs(scaled) > np.finfo(np.float32).max)
        if infinite.size:
            value = numbers[infinite[0]]
            raise ValueError(f"{table.place(int(infinite[0]), name)}: {value:g} is too large beside the training rows")
        return np.where(np.isnan(scaled), 0.0, scaled)

    def _one_hot(self, table: Table, name: str, column: CategoryColumn, unseen: str) -> FloatArray:
        self._refuse_missing(table, name)
        index: dict[str | None, int] = {category: i for i, category in enumerate(column.categories)}
        rows = np.zeros((len(table), column.width))
        for row, text in enumerate(table.column(name).texts):
            if text in index:
                rows[row, index[text]] = 1.0
            elif text is not None and unseen == "refuse":
                raise ValueError(
                    f"{table.place(row, name)}: {text!r} is no category that the training rows had; "
                    f"they had: {listed(column.categories)}"
                )
        return rows

    def _refuse_missing(self, table: Table, name: str) -> None:
        missing = np.flatnonzero(table.columns[name].missing)
        if missing.size and not self.fill_missing:
            raise ValueError(
                f"{table.place(int(missing[0]), name)}: the value is missing; a network takes such rows only where "
                "it was trained with --missing fill"
            )

    def encode_targets(self, table: Table) -> NDArray[Any]:
        """Return the targets: integer classes of shape (n,), or scaled numbers of shape (n, number of targets).

        Raises
        ------
        ValueError
            A column is not there, or a value is missing, no number, or none of the classes; the message says where.
        """
        scaled = []
        for column in self.targets:
            name = _present(table, column.column)
            missing = np.flatnonzero(table.columns[name].missing)
            if missing.size:
                raise ValueError(f"{table.place(int(missing[0]), name)}: the target is missing")
            if isinstance(column, CategoryColumn):
                return self._classes(table, name, column)
            scaled.append((table.numbers(name) - column.mean) / column.scale)
        return np.stack(scaled, axis=1)

    def _classes(self, table: Table, name: str, column: CategoryColumn) -> NDArray[np.int64]:
        index: dict[str | None, int] = {label: i for i, label in enumerate(column.categories)}
        texts = table.column(name).texts
        for row, text in enumerate(texts):
            if text not in index:
                raise ValueError(
                    f"{table.place(row, name)}: {text!r} is none of the classes: {listed(column.categories)}"
                )
        return np.array([index[text] for text in texts], np.int64)

    def decode(self, a: FloatArray) -> FloatArray:
        """Return a regression's outputs in the units of the targets, in float64."""
        numbers = [column for column in self.targets if isinstance(column, NumberColumn)]
        scale, mean = np.array([c.scale for c in numbers]), np.array([c.mean for c in numbers])
        return np.asarray(a.astype(np.float64) * scale + mean)


def _present(table: Table, name: str) -> str:
    if name not in table.columns:
        raise ValueError(f"{table.path} has no column {name!r}, which the model needs; it has: {listed(table.columns)}")
    return name


# --- learned from a table ---------------------------------------------------------------------------------------------


def learn_inputs(table: Table, names: Sequence[str], fill_missing: bool) -> tuple[ModelColumn, ...]:
    """Return what the columns of these names are, by the training rows.

    Raises
    ------
    ValueError
        A value is missing and may not be, or a column holds nothing, or too many texts to be categories.
    """
    found: list[ModelColumn] = []
    for name in names:
        column = table.column(name)
        missing = column.missing
        if missing.all():
            raise ValueError(f"{table.path}, column {name!r}: every value is missing; leave it out by --ignore")
        if missing.any() and not fill_missing:
            row = int(np.flatnonzero(missing)[0])
            raise ValueError(
                f"{table.place(row, name)}: the value is missing ({missing.sum()} in this column); "
                "give --missing fill or drop, or leave the column out by --ignore"
            )
        found.append(_learn_categories(table, name) if column.is_text else learn_scale(table, name))
    return tuple(found)


def _learn_categories(table: Table, name: str) -> CategoryColumn:
    categories = sorted({text for text in table.columns[name].texts if text is not None})
    if len(categories) > MOST_CATEGORIES:
        raise ValueError(
            f"{table.path}, column {name!r}: it has {len(categories)} different texts, as {categories[0]!r}; "
            f"categories may be at most {MOST_CATEGORIES}: leave the column out by --ignore"
        )
    return CategoryColumn(name, tuple(categories))


def learn_scale(table: Table, name: str) -> NumberColumn:
    """Return the mean and the standard deviation of a column, each summed from the first row to the last."""
    numbers = table.numbers(name)
    numbers = numbers[~np.isnan(numbers)]
    if numbers.min() == numbers.max():
        return NumberColumn(name, float(numbers[0]), 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.add.accumulate(numbers)[-1] / numbers.size)
        scale = math.sqrt(float(np.add.accumulate((numbers - mean) ** 2)[-1] / numbers.size))
    if not (math.isfinite(mean) and 0.0 < scale < math.inf):
        raise ValueError(
            f"{table.path}, column {name!r}: its values, from {numbers.min():g} to {numbers.max():g}, cannot be "
            "scaled; write them in another unit, or leave the column out by --ignore"
        )
    return NumberColumn(name, mean, scale)


def learn_labels(table: Table, name: str) -> CategoryColumn:
    """Return the class labels of a column: in the order of their numbers where all are numbers, else of their letters.

    Raises
    ------
    ValueError
        There are fewer than two.
    """
    labels = {text for text in table.columns[name].texts if text is not None}
    if len(labels) < 2:
        only = f"only one class, {next(iter(labels))!r}" if labels else "no value"
        raise ValueError(
            f"{table.path}, column {name!r}: there is {only} in {len(table)} rows; a classifier needs at least two"
        )
    try:
        return CategoryColumn(name, tuple(sorted(labels, key=lambda text: (float(text), text))))
    except ValueError:
        return CategoryColumn(name, tuple(sorted(labels)))


# --- in a file --------------------------------------------------------------------------------------------------------


def to_configuration(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {
        "inputs": [_column_configuration(column) for column in preprocessing.inputs],
        "targets": [_column_configuration(column) for column in preprocessing.targets],
        "fill_missing": preprocessing.fill_missing,
    }


def _column_configuration(column: ModelColumn) -> dict[str, Any]:
    if isinstance(column, CategoryColumn):
        return {"column": column.column, "categories": list(column.categories)}
    return {"column": column.column, "mean": column.mean, "scale": column.scale}


def from_configuration(value: Any, n_inputs: int, n_outputs: int) -> Preprocessing:
    """Return it from JSON, checked: for a network of so many inputs and outputs.

    Raises
    ------
    ValueError
        It is not what `to_configuration` makes.
    """
    require_object(value, ("inputs", "targets", "fill_missing"), "preprocessing")
    if not isinstance(value["fill_missing"], bool):
        raise ValueError(f"preprocessing: fill_missing is {shown(value['fill_missing'])}; it must be true or false")
    inputs, targets = (_columns(value[name], f"preprocessing: {name}") for name in ("inputs", "targets"))
    for name, columns, n in (("inputs", inputs, n_inputs), ("targets", targets, n_outputs)):
        width = sum(column.width for column in columns)
        if width != n:
            raise ValueError(f"preprocessing: {name} are of width {width}; the network's are {n}")
    of_classes = [isinstance(column, CategoryColumn) for column in targets]
    if any(of_classes) and (len(targets) > 1 or targets[0].width < 2):
        raise ValueError("preprocessing: targets must be columns of numbers, or one column of at least two classes")
    names = [column.column for column in (*inputs, *targets)]
    if len(set(names)) < len(names):
        raise ValueError("preprocessing: two columns have the same name")
    return Preprocessing(inputs, targets, value["fill_missing"])


def _columns(value: Any, name: str) -> tuple[ModelColumn, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{name} is {shown(value)}; it must be a list of at least one column")
    return tuple(_column(each, f"{name}[{i}]") for i, each in enumerate(value))


def _column(value: Any, name: str) -> ModelColumn:
    if isinstance(value, dict) and "categories" in value:
        require_object(value, ("column", "categories"), name)
        categories = value["categories"]
        if not isinstance(categories, list) or not categories:
            raise ValueError(f"{name}: categories is {shown(categories)}; it must be a list of at least one")
        texts = tuple(_text(text, f"{name}: a category") for text in categories)
        if len(set(texts)) < len(texts):
            raise ValueError(f"{name}: two categories are the same")
        return CategoryColumn(_text(value["column"], f"{name}: column"), texts)
    require_object(value, ("column", "mean", "scale"), name)
    mean, scale = (real_number(value[key], f"{name}: {key}") for key in ("mean", "scale"))
    if not (math.isfinite(mean) and 0.0 < scale < math.inf):
        raise ValueError(f"{name}: mean is {mean} and scale {scale}; they must be finite, and scale above 0")
    return NumberColumn(_text(value["column"], f"{name}: column"), mean, scale)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{name} is {shown(value)}; it must be a text that can be printed")
    return value


def matching_table(preprocessing: Preprocessing | None, table: Table, network: Network, unseen: str) -> FloatArray:
    """Return a table as a network's input: its columns by name, or by order where only that fits.

    By order where the table gives no names and has as many columns as the inputs are; and of a network without
    preprocessing, whose inputs are numbers as they are.
    """
    if preprocessing is not None:
        by_order = not table.named and len(table.columns) == len(preprocessing.inputs)
        return preprocessing.encode(table, unseen, positions=by_order)
    fan_in = network.sizes[0]
    if len(table.columns) != fan_in:
        raise ValueError(f"{table.path} has {len(table.columns)} columns; the network has {fan_in} inputs")
    identity = tuple(NumberColumn(name, 0.0, 1.0) for name in table.columns)
    return Preprocessing(identity, (), False).encode(table)


def names_at(table_names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the names of the columns meant by each of `wanted`, none of them twice."""
    return list(dict.fromkeys(name for each in wanted for name in find_columns(table_names, each)))
