"""What a run of epochs recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
