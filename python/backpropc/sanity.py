"""Before a long run: what can be seen to be wrong without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FloatArray, real_array, seed_value, shown, whole_number
from ._samples import samples_for
from .checking import check_gradients
from .definitions import ACTIVATION, LOSS, OPTIMIZER, Definition
from .functions import activate, dense_forward, loss_value
from .network import Network
from .tracing import rows_of_targets
from .training import Trainer

BY_HEART = 20  # samples
ROUNDS, EPOCHS = 10, 100  # of learning them
LARGE, SMALL = 10.0, 0.01  # root mean squares of inputs that are far from 1
SPREAD = 100.0  # of the largest standard deviation of a column over the middle one
FAR_FROM_CHANCE = 2.0
LEARNED = 0.05  # of the error of a constant output


@dataclass(frozen=True)
class Finding:
    """One line of a `SanityReport`.

    Attributes
    ----------
    name : str
        ``"inputs"``, ``"targets"``, ``"loss"``, ``"gradients"`` or ``"by heart"``.
    ok : bool
        Whether it is as it should be.
    text : str
        What was found.
    advice : str
        What to do, where it is not ok.
    """

    name: str
    ok: bool
    text: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'LOOK':<4}  {self.name:<9}  {self.text}" + (
            f": {self.advice}" if self.advice else ""
        )


@dataclass(frozen=True, repr=False)
class SanityReport:
    """What `sanity_check` found: a line each. It is true where all is as it should be.

    Attributes
    ----------
    findings : tuple of Finding
        Inputs, targets, loss, gradients, and whether a few samples can be learned by heart. Where a number of the
        data is not finite, they end there.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all is as it should be."""
        return all(finding.ok for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    __repr__ = __str__


def sanity_check(
    net: Network, x: ArrayLike, t: ArrayLike, loss: str | Definition = "half_squared_error", *, seed: int = 0
) -> SanityReport:
    """Look for what can be seen to be wrong before a long run.

    Parameters
    ----------
    net : Network
        As it is to be trained; it is not changed.
    x : array_like, shape (n, fan_in)
        The training data.
    t : array_like, shape (n, fan_out)
        Targets; for ``softmax_cross_entropy`` also integer classes, (n,).
    loss : str or loss object
        E, one of `LOSSES`.
    seed : int
        Of the sample of gradients that is compared with difference quotients.

    Returns
    -------
    SanityReport
        A line each, with what to do: the scale of the inputs; the targets, which the outputs must be able to reach;
        the loss before training against that of the best constant output (chance); the gradients; and whether a copy
        of the network learns twenty samples by heart. ``.ok``, also its truth, where all is well.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        Shapes or values do not fit.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> net = bp.Network([8, 3, 8], "logistic", seed=0)
    >>> print(bp.sanity_check(net, np.eye(8), np.eye(8)))
    ok    inputs     8 columns from 0 to 1, root mean square 0.35
    ok    targets    8 columns from 0 to 1; outputs of logistic can be so
    ok    loss       E is 0.91... before training, that of the best constant output 0.4375
    ok    gradients  59 of 59 agree with difference quotients in float64
    ok    by heart   8 samples are learned, to E = ...
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is {shown(net)} ({type(net).__name__}); it must be a backpropc.Network")
    definition = LOSS.resolve(loss, "loss")
    seed_value(whole_number(seed, "seed", 0))
    not_finite = list(_not_finite(x, t))
    if not_finite:
        return SanityReport(tuple(not_finite))
    _, rows, targets = samples_for(net, x, t, definition, one_allowed=False)
    t_rows = rows_of_targets(targets, net.sizes[-1], net.dtype)
    some = np.unique(np.linspace(0, len(rows) - 1, BY_HEART).round().astype(int))
    return SanityReport(
        (
            _inputs(rows),
            _targets(net, t_rows, targets.ndim == 1),
            _loss(net, rows, targets, t_rows, definition),
            _gradients(net, rows[some], targets[some], definition, seed),
            _by_heart(net, rows[some], targets[some], t_rows[some], definition),
        )
    )


def _not_finite(x: ArrayLike, t: ArrayLike) -> Iterator[Finding]:
    for name, array in (("inputs", real_array(x, "x")), ("targets", real_array(t, "t"))):
        wrong = int(np.count_nonzero(~np.isfinite(array)))
        if wrong:
            text = f"{wrong} of {array.size} numbers are not finite"
            yield Finding(name, False, text, "fill the gaps or leave those rows out")


def _range(array: FloatArray) -> str:
    columns = array.shape[1]
    return f"{columns} column{'s' if columns > 1 else ''} from {array.min():.4g} to {array.max():.4g}"


def _inputs(x: FloatArray) -> Finding:
    wide = x.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers too large to be squared it is infinite or nan
        size, deviations = float(np.sqrt(np.mean(wide**2))), wide.std(axis=0)
    text = f"{_range(x)}, root mean square {size:.2g}"
    standardize = "subtract each column's mean and divide by its standard deviation"
    varying = deviations[deviations > 1e-12 * max(size, 1e-300)]
    if len(x) > 1 and varying.size == 0:
        return Finding("inputs", False, f"{text}: all samples are the same", "look at how they are read")
    if size > LARGE:
        return Finding("inputs", False, f"{text}, large enough to saturate the first layer", standardize)
    if size < SMALL:
        return Finding("inputs", False, f"{text}, so small that BP4 makes ∂E/∂w small in the first layer", standardize)
    if varying.size and varying.max() > SPREAD * np.median(
        varying
    ):  # pixels at the rim may vary as little as they like
        text += f", standard deviations up to {varying.max():.2g}, half of them below {np.median(varying):.2g}"
        return Finding("inputs", False, f"{text}, so that one rate cannot suit them all", standardize)
    return Finding("inputs", True, text)


def _reach(activation: str | Definition) -> tuple[float, float]:
    """Return between what σ's values lie."""
    if ACTIVATION.resolve(activation, "activation").entry["by_row"]:
        return 0.0, 1.0
    sizes = np.geomspace(1e-3, 1e6, 200)
    a = activate(activation, np.concatenate([-sizes, [0.0], sizes]))
    low, high = float(a.min()), float(a.max())
    return (low if low > -1e3 else -np.inf), (high if high < 1e3 else np.inf)


def _targets(net: Network, t: FloatArray, are_classes: bool) -> Finding:
    activation = net.layers[-1].activation
    low, high = _reach(activation)
    text = f"{len(np.unique(t.argmax(axis=1)))} classes of {t.shape[1]} occur" if are_classes else _range(t)
    if len(t) > 1 and (t == t[0]).all():
        return Finding("targets", False, f"{text}: all are the same", "look at how they are read")
    if t.min() < low - 1e-6 or t.max() > high + 1e-6:
        text += f", but outputs of {activation} lie in [{low:.4g}, {high:.4g}]"
        return Finding("targets", False, text, 'scale the targets, or take output_activation="identity"')
    by_row = bool(ACTIVATION.resolve(activation, "activation").entry["by_row"])
    if by_row and not np.allclose(t.sum(axis=1), 1.0, atol=1e-3):
        return Finding("targets", False, f"{text}, but rows of {activation} add up to 1", "make those of t do so")
    if np.sqrt(np.mean((t - t.mean(axis=0)) ** 2)) > LARGE:
        return Finding(
            "targets", False, f"{text}, which makes every gradient large", "divide by the standard deviation"
        )
    return Finding("targets", True, f"{text}; outputs of {activation} can be so")


def chance_of(t: FloatArray, loss: Definition) -> float:
    """Return E of the best constant output: the mean of the targets, or their median."""
    constants = (t.mean(axis=0, dtype=np.float64).astype(t.dtype), np.median(t, axis=0))
    values = [float(loss_value(loss, np.broadcast_to(a, t.shape).astype(t.dtype), t)) for a in constants]
    return min((value for value in values if np.isfinite(value)), default=np.inf)


def _loss(net: Network, x: FloatArray, targets: FloatArray, t: FloatArray, loss: Definition) -> Finding:
    """Compare E with that of outputs σ(0), which is what small weights give, and with the best constant output's."""
    value, chance = net.loss(x, targets, loss), chance_of(t, loss)
    last = net.layers[-1]
    nothing = dense_forward(np.zeros((len(t), 1), t.dtype), np.zeros((1, last.fan_out)), last.b * 0, last.activation).a
    of_nothing = float(loss_value(loss, nothing, t))
    text = f"E is {value:.4g} before training, that of the best constant output {chance:.4g}"
    if not value <= FAR_FROM_CHANCE * max(chance, of_nothing):
        return Finding("loss", False, text, "take smaller initial weights, and scale inputs and targets")
    return Finding("loss", True, text)


def _gradients(net: Network, x: FloatArray, t: FloatArray, loss: Definition, seed: int) -> Finding:
    report = check_gradients(net, x, t, loss, n_parameters=200, seed=seed)
    checked, there = sum(layer.n_checked for layer in report.layers), net.n_parameters
    if not report.ok:
        worst = max(report.layers, key=lambda layer: layer.error)
        text = f"off by {worst.error:.2g} at {worst.where}"
        return Finding("gradients", False, text, "see bp.check_gradients; a derivative of yours may be wrong")
    silent = [i for i, layer in enumerate(net.gradients(x, t, loss).layers) if not layer.dw.any()]
    if silent:
        text = f"none arrives at layers[{silent[0]}]: its units, or those after it, are dead or saturated"
        return Finding("gradients", False, text, "scale the inputs, or take other initial weights")
    return Finding("gradients", True, f"{checked} of {there} agree with difference quotients in float64")


def _by_heart(net: Network, x: FloatArray, targets: FloatArray, t: FloatArray, loss: Definition) -> Finding:
    """Train a copy on a few samples until it knows them."""
    floor, chance = float(loss_value(loss, t, t)), chance_of(t, loss)
    enough = floor + LEARNED * (chance - floor) if np.isfinite(chance) else 0.05 * net.loss(x, targets, loss)
    count, reached = f"{len(x)} sample{'s' if len(x) > 1 else ''}", np.inf
    for optimizer in (OPTIMIZER.classes["Rprop"](), OPTIMIZER.classes["Adam"](0.01)):
        trainer = Trainer(net.copy(), loss, optimizer, batch_size=len(x), shuffle=False, seed=0)
        try:
            for _ in range(ROUNDS):
                trainer.fit(x, targets, epochs=EPOCHS)
                reached = min(reached, trainer.network.loss(x, targets, loss))
                if reached <= enough:
                    return Finding("by heart", True, f"{count} are learned, to E = {reached:.3g}")
        except FloatingPointError:
            continue
    text = f"{count} are not learned in {ROUNDS * EPOCHS} epochs: E is still {reached:.3g}, chance is {chance:.3g}"
    return Finding("by heart", False, text, _why_not(net, x, t))


def _why_not(net: Network, x: FloatArray, t: FloatArray) -> str:
    _, inverse = np.unique(x, axis=0, return_inverse=True)
    groups = inverse.ravel()
    for group in np.unique(groups):
        same = t[groups == group]
        if (same != same[0]).any():
            return "equal inputs have different targets; look at how they are read"
    learning = sum(layer.w.size + layer.b.size for layer in net.layers if layer.trainable)
    if learning < t.size:
        return f"{learning} parameters learn, for {t.size} numbers; take more hidden units"
    return "look at targets and scales, or take another initializer or activation"
