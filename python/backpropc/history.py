"""What a run of epochs recorded."""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ._arguments import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Measured:
    """The metrics of a run: a column of numbers for each, up to the last epoch that had it; nan for one that had none.

    It takes no more memory than in a file, so that loading a stranger's takes no more than its size.
    """

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        self._columns: dict[str, array[float]] = {}

    @property
    def names(self) -> list[str]:
        """The metrics' names, those measured first before the others."""
        return list(self._columns)

    def copy(self) -> Measured:
        """Return one to go on with, that leaves this one as it is."""
        other = Measured()
        other._columns = {name: column[:] for name, column in self._columns.items()}
        return other

    def record(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the numbers of an epoch; of it and of later ones there are no others."""
        for name, value in values.items():
            column = self._columns.setdefault(name, array("d"))
            del column[epoch:]
            column.extend(itertools.repeat(math.nan, epoch - len(column)))
            column.append(value)

    def adopt(self, name: str, values: FloatArray) -> None:
        """Take a column from a file, where it goes up to the last epoch of all."""
        behind = np.argmax(np.append(~np.isnan(values[::-1]), True))
        self._columns[name] = array("d")
        self._columns[name].frombytes(values[: len(values) - behind].view(np.uint8).data)

    def of_epoch(self, epoch: int) -> dict[str, float]:
        """Return the numbers of one epoch."""
        return {name: column[epoch] for name, column in self._columns.items() if 0 <= epoch < len(column)}

    def column(self, name: str, epochs: int) -> FloatArray:
        """Return a metric's numbers of the first so many epochs."""
        values = np.full(epochs, np.nan)
        column = self._columns.get(name, array("d"))[:epochs]
        values[: len(column)] = column
        return values

    def since(self, first: int, epochs: int) -> dict[str, FloatArray]:
        """Return the numbers from an epoch on, of the metrics that were measured since."""
        measured = [name for name, column in self._columns.items() if len(column) > first]
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
