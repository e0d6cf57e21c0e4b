"""Populations in files: as networks and trainers are (see `io`), with a row for each network in every tensor.

The configuration's ``network`` is the networks' shape, ``population`` their number. That of a population which has been
in a run has also ``run``: the arguments, each ``{"all": value}`` or ``{"each": [values]}``, the epoch it is to reach,
how many epochs the longest history has, the metrics' names. The tensors are ``parameters`` and ``seeds``; ``masks.0``,
… of layers that have one; and of a run ``run.seeds``, the numbers of `States` by their names, ``run.optimizer``,
``history.loss``, ``history.val_loss`` and ``metrics.0``, ….
A seed is two numbers of 32 bits, the higher first, since the format here holds floating-point numbers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ._arguments import FLOAT64, FloatArray, shown, truth, whole_number
from ._members import ARGUMENTS, States, as_wide
from ._safetensors import Expected, File, require_object
from .custom import customs_by_name
from .history import Measured
from .io import (
    Customs,
    _decoded,
    _encoded,
    _metrics,
    _network_configuration,
    _opened,
    _plans,
    _write,
)
from .network import Network
from .population import Population, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

AnyPopulation = TypeVar("AnyPopulation", bound=Population)

COLUMNS = ("epochs", "validated", "ended", "diverged", "least", "waited")
COUNTS = ("step_count", "samples", "position")


def save_population(population: Population, path: object) -> None:
    """Write a population to a file; see `Population.save`."""
    configuration: dict[str, Any] = {
        "network": _network_configuration(population._shape),
        "population": {"n": population.n},
    }
    tensors: dict[str, FloatArray] = {"parameters": population.parameters, "seeds": _halves(population.seeds)}
    _require_finite(population.parameters)
    for i, layer in enumerate(population._shape.layers):
        if layer.mask is not None:
            _check_masked(population, i, layer.mask)
            tensors[f"masks.{i}"] = layer.mask
    run = population._run
    if run is not None:
        names = list(dict.fromkeys(name for each in run.states.metrics for name in each.names))
        longest = int(run.states.epochs.max())
        configuration["run"] = {
            "arguments": settings_of(run),
            "until": run.until,
            "epochs": longest,
            "metrics": names,
            "has_best": run.states.best is not None,
        }
        tensors["run.seeds"] = _halves(run.seeds)
        tensors.update(_state_tensors(run.states, longest, names))
    _write(path, configuration, tensors)


def settings_of(run: Run) -> dict[str, Any]:
    """Return a run's arguments as JSON has them; a TypeError tells of one that is a function of the user's."""
    settings = {}
    for member in run.members:
        if member.like._method is not None:
            raise ValueError(f"optimizer is {member.optimizer!r}, whose runs cannot be resumed; it must be another")
    for name in ARGUMENTS:
        own = [m.optimizer if name == "optimizer" else m.arguments[name] for m in run.members]
        encoded = [_encoded(_plain(value), name) for value in own]
        same = all(value == encoded[0] for value in encoded)
        settings[name] = {"all": encoded[0]} if same else {"each": encoded}
    return settings


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def load_population(cls: type[AnyPopulation], path: object, custom: object = None) -> AnyPopulation:
    """Return the population of a file; see `Population.load`."""
    customs = customs_by_name(custom)
    with _opened(path) as file:
        configuration = _configuration(file)
        plans, dtype = _plans(configuration["network"], customs)
        require_object(configuration["population"], ("n",), "population")
        n = whole_number(configuration["population"]["n"], "population: n", 1)
        size = sum((plan.fan_in + 1) * plan.fan_out for plan in plans)
        expected = {"parameters": Expected(dtype, (n, size)), "seeds": Expected(FLOAT64, (n, 2))}
        layers = configuration["network"]["layers"]
        of_mask = {i: (p.fan_in, p.fan_out) for i, p in enumerate(plans) if "masked" in layers[i]}
        expected.update({f"masks.{i}": Expected(np.dtype(np.bool_), shape) for i, shape in of_mask.items()})
        settings = _run_settings(configuration["run"], customs) if "run" in configuration else None
        if settings is None:
            file.expect(expected)
        else:
            slots = _slots_in(file, n, size)
            expected.update(_expected_states(settings, dtype, n, size, slots))
            file.expect(expected)
        population = cls.__new__(cls)
        population._adopt(Network._of_zeros(plans, dtype), _seeds(file, "seeds", n))
        file.read_into("parameters", population.parameters)
        _require_finite(population.parameters)
        for i in of_mask:
            _read_mask(file, population, i)
        if settings is not None:
            population._run = _read_run(file, population, settings, slots)
        return population


def _configuration(file: File) -> dict[str, Any]:
    from .io import FORMAT, _parse_configuration

    configuration = _parse_configuration(file.metadata)
    if "population" not in configuration:
        raise ValueError(f"it holds no population: load it by backpropc.Network.load or Trainer.load (format {FORMAT})")
    require_object(configuration, ("network", "population"), "configuration", optional=("run",))
    return configuration


def _run_settings(value: Any, customs: Customs) -> dict[str, Any]:
    """Return what the header says of a run."""
    require_object(value, ("arguments", "until", "epochs", "metrics", "has_best"), "run")
    require_object(value["arguments"], ARGUMENTS, "run: arguments")
    arguments = {}
    for name, argument in value["arguments"].items():
        if not isinstance(argument, dict) or len(argument) != 1 or not argument.keys() <= {"all", "each"}:
            raise ValueError(f"run: {name} is {shown(argument)}; it must be an object of 'all' or of 'each'")
        if "each" in argument and not isinstance(argument["each"], list):
            raise ValueError(f"run: {name} is {shown(argument)}; 'each' must be a list")
        arguments[name] = (
            [_decoded(each, name, customs) for each in argument["each"]]
            if "each" in argument
            else _decoded(argument["all"], name, customs)
        )
    epochs, metrics = whole_number(value["epochs"], "run: epochs", 0), _metrics(value["metrics"])
    if metrics and epochs == 0:  # the networks' tables of nothing would take what memory there is
        raise ValueError(f"run: metrics is {shown(metrics)}, but epochs is 0; it must be empty before the first epoch")
    return {
        "arguments": arguments,
        "until": whole_number(value["until"], "run: until", 0),
        "epochs": epochs,
        "metrics": metrics,
        "has_best": truth(value["has_best"], "run: has_best"),
    }


# --- the numbers ------------------------------------------------------------------------------------------------------


def _state_tensors(states: States, longest: int, metrics: list[str]) -> dict[str, FloatArray]:
    columns = {name: getattr(states, name) for name in COLUMNS} | states.standing
    tensors = {f"run.{name}": np.array(column, np.float64) for name, column in columns.items()}
    tensors["run.optimizer"] = states.optimizer
    if states.best is not None:
        tensors["run.best"] = states.best
    tensors["history.loss"] = states.losses[:, :longest]
    tensors["history.val_loss"] = as_wide(states.val_losses, longest, np.nan)[:, :longest]
    for index, name in enumerate(metrics):
        tensors[f"metrics.{index}"] = _rows([each.column(name, longest) for each in states.metrics], longest)
    return tensors


def _rows(lists: Sequence[ArrayLike], longest: int) -> FloatArray:
    rows = np.full((len(lists), longest), np.nan)
    for row, own in zip(rows, lists, strict=True):
        row[: np.size(own)] = own
    return rows


def _slots_in(file: File, n: int, size: int) -> int:
    """Return how many numbers of the optimizers' state the file has for each parameter."""
    entry = file._tensors.get("run.optimizer")
    shape = entry.get("shape") if isinstance(entry, dict) else None
    if isinstance(shape, list) and len(shape) == 2 and all(type(s) is int for s in shape) and shape[1] % size == 0:
        return int(shape[1]) // size
    raise ValueError(f"tensor run.optimizer is {shown(entry)}; it must have a row of numbers for each network")


def _expected_states(
    settings: dict[str, Any], dtype: np.dtype[Any], n: int, size: int, slots: int
) -> dict[str, Expected]:
    column, history = Expected(FLOAT64, (n,)), Expected(FLOAT64, (n, settings["epochs"]))
    expected = {f"run.{name}": column for name in (*COLUMNS, *_standing_names())}
    expected["run.seeds"] = Expected(FLOAT64, (n, 2))
    expected["run.optimizer"] = Expected(dtype, (n, slots * size))
    if settings["has_best"]:
        expected["run.best"] = Expected(dtype, (n, size))
    for name in ("history.loss", "history.val_loss", *(f"metrics.{i}" for i in range(len(settings["metrics"])))):
        expected[name] = history
    return expected


def _standing_names() -> tuple[str, ...]:
    return (*COUNTS, "epoch_loss", "epoch_weight", "former_loss")


def _read_mask(file: File, population: Population, i: int) -> None:
    layer, name = population._shape.layers[i], f"masks.{i}"
    mask = np.empty(layer.w.shape, np.uint8)
    file.read_into(name, mask)
    if mask.max() > 1:
        raise ValueError(f"{name} has the value {mask.max()}; it must be 0 or 1")
    _check_masked(population, i, mask != 0)
    layer.mask = mask


def _check_masked(population: Population, i: int, mask: FloatArray) -> None:
    """Refuse weights where the mask of a layer says that there are none."""
    left_out = np.zeros(population.n_parameters, np.bool_)
    population._shape._split(left_out)[i][0][...] = ~mask
    if population.parameters[:, left_out].any():
        raise ValueError(f"masks.{i} leaves out weights that are not 0")


def _require_finite(parameters: FloatArray) -> None:
    """Refuse networks that are none; those that diverged are as they were before that step, and finite too."""
    bad = np.flatnonzero(~np.isfinite(parameters).all(axis=1))
    if len(bad):
        raise ValueError(f"parameters of network {bad[0]} has values that are not finite; parameters must be")


def _read_run(file: File, population: Population, settings: dict[str, Any], slots: int) -> Run:
    n, longest = population.n, settings["epochs"]
    run = Run(population, settings["arguments"], _seeds(file, "run.seeds", n), settings["until"])
    states = run.states
    columns = {name: np.empty(n) for name in (*COLUMNS, *_standing_names())}
    for name, column in columns.items():
        file.read_into(f"run.{name}", column)
    _check_columns(columns, run, longest)
    states.standing = {name: columns[name] for name in _standing_names()}
    states.epochs, states.validated, states.waited = (
        columns[name].astype(np.int64) for name in ("epochs", "validated", "waited")
    )
    states.ended, states.diverged, states.least = columns["ended"] != 0, columns["diverged"] != 0, columns["least"]
    state = np.empty((n, slots * population.n_parameters), population.dtype)
    file.read_into("run.optimizer", state)
    if np.isnan(state).any():
        raise ValueError("run.optimizer has values that are nan; an optimizer's state must not")
    if settings["has_best"]:
        states.best = _read_best(file, population)
    names = [f"metrics.{i}" for i in range(len(settings["metrics"]))]
    states.metrics = Measured.of_members(
        settings["metrics"], _read_tables(file, names, states.epochs, longest), states.epochs
    )
    histories = _read_tables(file, ["history.loss", "history.val_loss"], states.epochs, longest)
    states.optimizer, (states.losses, states.val_losses) = state, histories
    _require_optimizers(run, state.shape[1])
    return run


def _check_columns(columns: dict[str, FloatArray], run: Run, longest: int) -> None:
    """Refuse numbers with which no run stands anywhere."""
    for name in ("epochs", "validated", "waited", *COUNTS):
        _require_whole(columns[name], f"run.{name}")
    for name in ("ended", "diverged"):
        if not np.isin(columns[name], (0.0, 1.0)).all():
            raise ValueError(f"run.{name} must hold 0 or 1")
    for name, column in columns.items():
        if np.isnan(column).any():
            raise ValueError(f"run.{name} has values that are nan; it must have none")
    if (columns["epochs"] > longest).any() or (columns["position"] > columns["samples"]).any():
        raise ValueError("run: epochs must be at most those of the history, and position at most samples")
    if (columns["validated"] > columns["epochs"]).any():
        raise ValueError("run: validated must be at most epochs")
    batch_sizes = np.array([float(min(member.like.batch_size, 2**53)) for member in run.members])
    within = columns["position"] != columns["samples"]
    if (columns["position"] % batch_sizes)[within].any():
        raise ValueError("run: position must be a multiple of batch_size")


def _read_best(file: File, population: Population) -> FloatArray:
    """Return each network's best parameters, nan for one that has none yet."""
    best = np.empty_like(population.parameters)
    file.read_into("run.best", best)
    if not (np.isfinite(best).all(axis=1) | np.isnan(best).all(axis=1)).all():
        raise ValueError("run.best has values that are not finite; parameters must be")
    return best


def _read_tables(file: File, names: Sequence[str], epochs: NDArray[np.int64], longest: int) -> FloatArray:
    """Return tables of a row for each network, with numbers up to its own last epoch and nan behind."""
    tables = np.empty((len(names), len(epochs), longest))
    is_behind = np.arange(longest) >= epochs[:, np.newaxis]
    for name, table in zip(names, tables, strict=True):
        file.read_into(name, table)
        if not np.isnan(table[is_behind]).all():
            raise ValueError(f"{name} has numbers behind a network's last epoch, where it must be nan")
    return tables


def _require_optimizers(run: Run, width: int) -> None:
    """Refuse states of optimizers that are narrower than an optimizer's own, which has begun."""
    widths = np.array([len(kind.like._core.optimizer_state()) for kind in run.members.kinds])[run.members.of]
    wrong = np.flatnonzero((widths > width) & (run.states.standing["step_count"] > 0))
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(f"run.optimizer has {width} numbers for network {i}; its optimizer has {widths[i]}")


def _require_whole(column: FloatArray, name: str) -> None:
    if not ((column >= 0.0) & (column < 2.0**53) & (column == np.floor(column))).all():
        raise ValueError(f"{name} must hold whole numbers of at least 0")


def _halves(seeds: NDArray[np.uint64]) -> FloatArray:
    return np.stack([seeds >> np.uint64(32), seeds & np.uint64(2**32 - 1)], axis=1).astype(np.float64)


def _seeds(file: File, name: str, n: int) -> FloatArray:
    halves = np.empty((n, 2))
    file.read_into(name, halves)
    _require_whole(halves, name)
    if (halves >= 2.0**32).any():
        raise ValueError(f"{name} must hold numbers below 2**32")
    high, low = halves.astype(np.uint64).T
    return np.asarray(high << np.uint64(32) | low)
