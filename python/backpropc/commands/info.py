"""``backpropc info``: what is in a file."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from . import _report

if TYPE_CHECKING:
    from ..io import Model
    from ..training import Trainer

HELP = "show what is in a network's file: layers, columns, how it was trained"
DESCRIPTION = "Show what is in a file of a network or of a trainer: its layers, the table's columns, and its training."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("network", metavar="NETWORK", help="file that train wrote, Network.save or Trainer.save")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(options: argparse.Namespace) -> int:
    """Load the file and print."""
    from .. import io

    model = io.load_model(options.network)
    if options.json:
        print(_report.as_json(_as_json(model)))
        return 0
    print(model.network.summary())
    if model.preprocessing is not None:
        print(f"\n{_report.of_columns(model.preprocessing)}")
    if model.trainer is not None:
        print(f"\n{_of_training(model.trainer)}")
    return 0


def _of_training(trainer: Trainer) -> str:
    from .. import io

    settings = ", ".join(f"{name} {_shown(value)}" for name, value in _given(io.settings_of(trainer)).items())
    lines = [
        f"trained  {trainer.epoch} epochs, {trainer.step_count} steps{_on_samples(trainer)}",
        f"by       {settings}",
    ]
    history = trainer.history.history
    last = {name: values[-1] for name, values in history.items() if values and not math.isnan(values[-1])}
    if last:
        lines.append("last     " + ", ".join(f"{name} {value:.5g}" for name, value in last.items()))
    return "\n".join(lines)


def _samples(trainer: Trainer) -> int | None:
    """Return how many samples an epoch has; None before the first, and where they come batch by batch."""
    from ..io import UNKNOWN

    n = int(trainer._core.snapshot()["standing"]["samples"])
    return n if 0 < n < UNKNOWN else None


def _on_samples(trainer: Trainer) -> str:
    n = _samples(trainer)
    return "" if n is None else f", on {n} samples"


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that say something: what is left out of the run stays unsaid."""
    return {
        name: value for name, value in settings.items() if value is not None and (value or name in ("seed", "shuffle"))
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        parameters = ", ".join(f"{name}={each}" for name, each in value.items() if name != "name")
        return f"{value['name']}({parameters})"
    return str(value)


def _as_json(model: Model) -> dict[str, Any]:
    from .. import io
    from ..preprocessing import to_configuration

    network, trainer, preprocessing = model
    found: dict[str, Any] = {
        "sizes": network.sizes,
        "activations": [layer._plan.activation.name for layer in network.layers],
        "dtype": network.dtype.name,
        "n_parameters": network.n_parameters,
    }
    if preprocessing is not None:
        found["preprocessing"] = to_configuration(preprocessing)
    if trainer is not None:
        found["trainer"] = io.settings_of(trainer)
        found |= {"epochs": trainer.epoch, "steps": trainer.step_count, "samples": _samples(trainer)}
        found["history"] = trainer.history.history
    return found
