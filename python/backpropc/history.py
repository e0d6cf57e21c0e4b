"""What a run of epochs recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


class Measured:
    """The metrics of a run: a row of numbers for each, up to the last epoch that had it; nan for one that had none.

    The rows are of one table, so that a stranger's file of many metrics takes little more memory than its size.
    """

    __slots__ = ("_lengths", "_rows", "_table")

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._table = np.empty((0, 0))  # what stands behind a row's length has no meaning
        self._lengths = np.empty(0, np.int64)

    @classmethod
    def of_members(cls, names: Sequence[str], tables: FloatArray, epochs: NDArray[np.int64]) -> list[Measured]:
        """Return those of n runs, from tables of shape (metrics, n, epochs) that hold the first so many of each.

        The tables are theirs from now on.
        """
        rows, lengths = {name: row for row, name in enumerate(names)}, np.zeros(tables.shape[:2], np.int64)
        numbers = np.arange(1, tables.shape[2] + 1)
        for length, table in zip(lengths, tables, strict=True):
            has_one = ~np.isnan(table) & (numbers <= epochs[:, np.newaxis])
            length[:] = np.max(has_one * numbers, axis=1, initial=0)
        result = []
        for member in range(tables.shape[1]):
            measured = cls.__new__(cls)
            measured._rows, measured._table, measured._lengths = rows, tables[:, member], lengths[:, member]
            result.append(measured)
        return result

    @property
    def names(self) -> list[str]:
        """The metrics' names, those measured first before the others."""
        return list(self._rows)

    def copy(self) -> Measured:
        """Return one to go on with, that leaves this one as it is."""
        other = Measured()
        other._rows, other._table, other._lengths = self._rows, self._table.copy(), self._lengths.copy()
        return other

    def record(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the numbers of an epoch; of it and of later ones there are no others."""
        self._make_room(values, epoch + 1)
        for name, value in values.items():
            row = self._rows[name]
            self._table[row, self._lengths[row] : epoch] = np.nan
            self._table[row, epoch] = value
            self._lengths[row] = epoch + 1

    def _make_room(self, names: Iterable[str], epochs: int) -> None:
        new = [name for name in names if name not in self._rows]
        rows, columns = self._table.shape
        if new or columns < epochs:
            table = np.empty((rows + len(new), columns if epochs <= columns else max(epochs, 2 * columns)))
            table[:rows, :columns] = self._table
            lengths = np.append(self._lengths, np.zeros(len(new), np.int64))
            # The names may be shared with others of the same file. All is made before any of it is kept.
            names_to_rows = {**self._rows, **{name: rows + i for i, name in enumerate(new)}}
            self._rows, self._table, self._lengths = names_to_rows, table, lengths

    def of_epoch(self, epoch: int) -> dict[str, float]:
        """Return the numbers of one epoch."""
        return {
            name: float(self._table[row, epoch]) for name, row in self._rows.items() if 0 <= epoch < self._lengths[row]
        }

    def column(self, name: str, epochs: int) -> FloatArray:
        """Return a metric's numbers of the first so many epochs."""
        values = np.full(epochs, np.nan)
        if name in self._rows:
            row = self._rows[name]
            known = min(epochs, int(self._lengths[row]))
            values[:known] = self._table[row, :known]
        return values

    def since(self, first: int, epochs: int) -> dict[str, FloatArray]:
        """Return the numbers from an epoch on, of the metrics that were measured since."""
        measured = [name for name, row in self._rows.items() if self._lengths[row] > first]
        return {name: self.column(name, epochs)[first:] for name in measured}


class History:
    """What a run of epochs recorded.

    Attributes
    ----------
    history : dict of str to list of float
        ``"loss"``, ``"val_loss"`` where there were validation data, and the metrics by their names: one number for each
        epoch, as in Keras; nan for a metric of an epoch that had none.
    loss, val_loss : list of float
        The same lists; ``val_loss`` is empty where there were no validation data.
    epoch : list of int
        The epochs' numbers since the trainer's birth, from 0.

    Notes
    -----
    The loss of an epoch is the (weighted) mean over its samples, each with the parameters it was trained with; the
    validation loss is that of the parameters at the epoch's end.
    """

    def __init__(self, epoch: list[int], history: dict[str, list[float]]) -> None:
        self.epoch = epoch
        self.history = history

    @property
    def loss(self) -> list[float]:
        """Training loss of each epoch."""
        return self.history["loss"]

    @property
    def val_loss(self) -> list[float]:
        """Validation loss of each epoch."""
        return self.history.get("val_loss", [])

    def __repr__(self) -> str:
        if not self.epoch:
            return "History(no epochs)"
        last = ", ".join(f"{name}={values[-1]:.6g}" for name, values in self.history.items())
        return f"History({len(self.epoch)} epochs, last: {last})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curves; see `backpropc.plot.loss_curves`.

        Parameters
        ----------
        ax : matplotlib Axes
            Where to draw; by default a new figure.

        Returns
        -------
        Axes

        Raises
        ------
        ModuleNotFoundError
            matplotlib is not there.
        """
        from .plot import loss_curves

        return loss_curves(self, ax)

    def _repr_html_(self) -> str:
        from . import _display

        return _display.html_of_history(self)
