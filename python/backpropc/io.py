"""Networks and trainers in files: the numbers as safetensors, the configuration as JSON in their metadata.

A file holds numbers and names. The names are looked up in the lists of this version of backpropc, those of activations
and losses of the user's own in what `load` is told they stand for; none is imported, evaluated or used as a path. What
this module would not have written for any network is refused.

The metadata are ``format`` ("backpropc"), ``version`` (of the format: a newer one than its own is refused) and
``configuration``. Its ``network`` says how the tensors ``layers.0.w``, ``layers.0.b``, … belong together; a layer that
is ``masked`` has also ``layers.0.mask``. That of a trainer has also ``trainer``, its arguments; ``standing``, where it
is in its data; and ``metrics``, their names. Its tensors are also ``optimizer.0``, …, each a number of the optimizer's
state for every parameter (of one that Python adds: ``optimizer.`` and a name), and ``history.loss``,
``history.val_loss``, ``metrics.0``, …, each a number for every epoch.
If it was saved in the middle of a fit with early stopping, ``early_stopping`` and the tensor ``early_stopping.best``
are what that has seen.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar

import numpy as np

from . import _core
from ._arguments import FLOAT32, FLOAT64, FloatArray, real_number, shown, truth, whole_number
from ._files import file_name, open_to_read, write_whole
from ._methods import METHODS
from ._safetensors import Expected, File, encode, parse, require_object, same_names
from .custom import Custom, customs_by_name
from .definitions import FAMILIES, Definition
from .history import Measured
from .layers import Dense, Layer
from .monitoring import EarlyStopping, Seen
from .network import Network
from .preprocessing import Preprocessing, from_configuration, to_configuration
from .schedules import BY_NAME as SCHEDULES
from .training import Trainer, trainer_class

FORMAT = "backpropc"
VERSION = 1

AnyNetwork = TypeVar("AnyNetwork", bound=Network)
AnyTrainer = TypeVar("AnyTrainer", bound=Trainer)
Tensors = dict[str, FloatArray]
Customs = Mapping[str, Custom]  # of the user's own, by the names that a file has for them
NONE: Customs = {}

# The arguments of a trainer that its file must have. Others came later: without them they are what they are by default.
REQUIRED = ("loss", "optimizer", "batch_size", "shuffle", "seed")
SETTINGS = tuple(name for name in inspect.signature(Trainer).parameters if name not in ("network", "rng"))
# What definitions and schedules an object of the configuration may be, by the argument's name.
NAMED: dict[str, Mapping[str, Any]] = {
    **{kind: family.classes for kind, family in FAMILIES.items()},
    "schedule": SCHEDULES,
}
UNKNOWN = 2**63 - 1  # how many samples an epoch has that comes batch by batch
NOT_IN_JSON = {"inf": math.inf, "-inf": -math.inf}  # written as these words


class Model(NamedTuple):
    """All that a file may hold."""

    network: Network
    trainer: Trainer | None
    preprocessing: Preprocessing | None


def save_network(network: Network, path: object) -> None:
    """Write a network to a file; see `Network.save`."""
    parameters = network._core.copy().parameters()  # of one moment between two steps
    tensors = {**_layer_tensors(network, parameters), **_mask_tensors(network)}
    _write(path, {"network": _network_configuration(network)}, tensors)


def save_trainer(trainer: Trainer, path: object, preprocessing: Preprocessing | None = None) -> None:
    """Write a trainer and its network to a file; see `Trainer.save`."""
    now = trainer._core.snapshot()
    metrics, epochs = trainer._metrics.names, len(now["losses"])
    standing = {"epoch": epochs, "validated": trainer._validated, **now["standing"]}
    configuration = {
        "network": _network_configuration(trainer.network),
        "trainer": settings_of(trainer),
        "standing": {name: _in_json(number) for name, number in standing.items()},
        "metrics": metrics,
    }
    tensors = {**_layer_tensors(trainer.network, now["parameters"]), **_mask_tensors(trainer.network)}
    tensors.update(_slot_tensors(trainer.optimizer, now["optimizer_state"]))
    tensors.update(_method_tensors(trainer))
    tensors["history.loss"] = now["losses"]
    tensors["history.val_loss"] = now["validation_losses"]
    for index, name in enumerate(metrics):
        tensors[f"metrics.{index}"] = trainer._metrics.column(name, epochs)
    if trainer._seen is not None:
        configuration["early_stopping"] = _seen_configuration(trainer._seen)
        if trainer._seen.best is not None:
            tensors["early_stopping.best"] = trainer._seen.best
    if preprocessing is not None:
        configuration["preprocessing"] = to_configuration(preprocessing)
    _write(path, configuration, tensors)


def settings_of(trainer: Trainer) -> dict[str, Any]:
    """Return a trainer's arguments as JSON has them; an error tells of one that no file can hold."""
    _refuse_one_name_for_two([*(layer.activation for layer in trainer.network.layers), trainer.loss])
    return {name: _encoded(getattr(trainer, name), name) for name in SETTINGS}


def load_network(cls: type[AnyNetwork], path: object, custom: object = None) -> AnyNetwork:
    """Return the network of a file, also of a trainer's; see `Network.load`."""
    customs = customs_by_name(custom)
    with _opened(path) as file:
        return _load(file, cls, Trainer, customs)[0]


def load_model(path: object) -> Model:
    """Return all that a file holds."""
    with _opened(path) as file:
        return Model(*_load(file, Network, Trainer))


def load_trainer(cls: type[AnyTrainer], path: object, custom: object = None) -> AnyTrainer:
    """Return the trainer of a file; see `Trainer.load`."""
    customs = customs_by_name(custom)
    with _opened(path) as file:
        trainer = _load(file, Network, cls, customs)[1]
        if trainer is None:
            raise ValueError("it holds a network and no trainer: load it by backpropc.Network.load")
        return trainer


@contextlib.contextmanager
def _opened(path: object) -> Iterator[File]:
    """Yield a file to load from; whatever is found wrong with it becomes a ValueError that names it."""
    name = file_name(path)
    with open_to_read(name) as file:
        try:
            yield File(file)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{name!r} cannot be loaded: {error}") from error


def _write(path: object, configuration: dict[str, Any], tensors: Tensors) -> None:
    for name, array in tensors.items():
        _check_numbers(name, array)
        if name.endswith(".mask"):
            _check_masked(name, array, tensors[name.replace(".mask", ".w")])
    text = json.dumps(configuration, separators=(",", ":"), allow_nan=False)
    metadata = {"format": FORMAT, "version": str(VERSION), "configuration": text}
    write_whole(file_name(path), encode(metadata, tensors))


def _load(
    file: File, network_cls: type[AnyNetwork], trainer_cls: type[AnyTrainer], customs: Customs = NONE
) -> tuple[AnyNetwork, AnyTrainer | None, Preprocessing | None]:
    """Check everything that the header says, then make what it describes and read the numbers into it."""
    configuration = _configuration(file.metadata)
    plans, dtype = _plans(configuration["network"], customs)
    masked = [index for index, layer in enumerate(configuration["network"]["layers"]) if "masked" in layer]
    expected = _expected_layers(plans, dtype, masked)
    if "trainer" not in configuration:
        file.expect(expected)
        return _read_network(file, network_cls, plans, dtype, masked), None, None
    preprocessing = None
    if "preprocessing" in configuration:
        preprocessing = from_configuration(configuration["preprocessing"], plans[0].fan_in, plans[-1].fan_out)
    settings, standing = _settings(configuration["trainer"], customs), _standing(configuration["standing"])
    metrics = _metrics(configuration["metrics"])
    seen = _seen(configuration["early_stopping"]) if "early_stopping" in configuration else None
    of_all = Expected(dtype, (sum((plan.fan_in + 1) * plan.fan_out for plan in plans),))
    expected.update({f"optimizer.{slot}": of_all for slot in range(_slots(settings["optimizer"]))})
    expected.update(_expected_of_method(settings["optimizer"], of_all.shape[0]))
    if seen is not None and seen.best is not None:
        expected["early_stopping.best"] = of_all
    of_epochs = Expected(FLOAT64, (standing["epoch"],))
    expected["history.loss"] = expected["history.val_loss"] = of_epochs
    expected.update({f"metrics.{index}": of_epochs for index in range(len(metrics))})
    file.expect(expected)
    network = _read_network(file, network_cls, plans, dtype, masked)
    trainer = trainer_cls(network, **settings)
    by_batches = standing["samples"] == UNKNOWN
    if standing["position"] % trainer.batch_size and standing["position"] != standing["samples"] and not by_batches:
        raise ValueError(f"standing: position is {standing['position']}; it must be a multiple of batch_size")
    _read_state(file, trainer, standing, metrics, seen)
    return network, trainer, preprocessing


# --- the configuration ------------------------------------------------------------------------------------------------


def _parse_configuration(metadata: dict[str, str]) -> dict[str, Any]:
    """Return the configuration of a file whose format this version knows."""
    if metadata.get("format") != FORMAT:
        raise ValueError(f"its format is {shown(metadata.get('format'))}; it must be {FORMAT!r}: it is not one of ours")
    version = metadata.get("version", "")
    if not (version.isascii() and version.isdecimal() and version == version.lstrip("0") and len(version) < 10):
        raise ValueError(f"its version is {shown(version)}; it must be a number from 1 to {VERSION}")
    if int(version) > VERSION:
        raise ValueError(f"its version is {version}; this backpropc reads up to {VERSION}: a newer one wrote the file")
    same_names(metadata, dict.fromkeys(("format", "version", "configuration")), "its metadata")
    return parse(metadata["configuration"], "configuration")


def _configuration(metadata: dict[str, str]) -> dict[str, Any]:
    """Return the configuration of a network or a trainer."""
    configuration = _parse_configuration(metadata)
    if "population" in configuration:
        raise ValueError("it holds a population: load it by backpropc.Population.load")
    if "trainer" in configuration:
        names, optional = ("network", "trainer", "standing", "metrics"), ("early_stopping", "preprocessing")
        require_object(configuration, names, "configuration", optional)
    else:
        require_object(configuration, ("network",), "configuration")
    return configuration


def _network_configuration(network: Network) -> dict[str, Any]:
    _refuse_one_name_for_two(layer.activation for layer in network.layers)
    layers = [
        {
            "fan_in": layer.fan_in,
            "fan_out": layer.fan_out,
            "activation": _encoded(layer.activation, "activation"),
            "trainable": layer.trainable,
            **({} if layer.mask is None else {"masked": True}),
        }
        for layer in network.layers
    ]
    return {"dtype": network.dtype.name, "layers": layers}


def _plans(value: Any, customs: Customs) -> tuple[tuple[Dense, ...], np.dtype[Any]]:
    """Return the layers of a network that fit together, and its dtype."""
    require_object(value, ("dtype", "layers"), "network")
    dtypes: dict[str, np.dtype[Any]] = {"float32": FLOAT32, "float64": FLOAT64}
    if not isinstance(value["dtype"], str) or value["dtype"] not in dtypes:
        raise ValueError(f"network: dtype is {shown(value['dtype'])}; it must be one of: {', '.join(dtypes)}")
    if not isinstance(value["layers"], list) or not value["layers"]:
        raise ValueError(f"network: layers is {shown(value['layers'])}; it must be a list of at least one")
    plans: list[Dense] = []
    for index, layer in enumerate(value["layers"]):
        name = f"layers[{index}]"
        names = ("fan_in", "fan_out", "activation", "trainable")
        require_object(layer, names, name, optional=("masked",))
        if layer.get("masked", True) is not True:
            raise ValueError(f"{name}: masked is {shown(layer['masked'])}; it must be true where it is given")
        of_plan = {key: layer[key] for key in names}
        plan = Dense(**{**of_plan, "activation": _decoded(layer["activation"], "activation", customs)})
        if plans and plans[-1].fan_out != plan.fan_in:
            raise ValueError(f"{name}: fan_in is {plan.fan_in}; it must be {plans[-1].fan_out}, as many as go in")
        plans.append(plan)
    return tuple(plans), dtypes[value["dtype"]]


def _settings(value: Any, customs: Customs) -> dict[str, Any]:
    """Return the arguments of a trainer."""
    require_object(value, REQUIRED, "trainer", optional=SETTINGS)
    if type(value["seed"]) is not int:
        raise ValueError(f"trainer: seed is {shown(value['seed'])}; it must be an integer")
    settings = {name: _decoded(setting, name, customs) for name, setting in value.items()}
    settings["optimizer"] = FAMILIES["optimizer"].resolve(settings["optimizer"], "optimizer")
    return settings


def _standing(value: Any) -> dict[str, Any]:
    """Return where a trainer stands: the numbers that a new one has too, of the same types."""
    fresh = {
        "epoch": 0,
        "validated": 0,
        **_smallest_trainer(FAMILIES["optimizer"].resolve("Adam", "")).snapshot()["standing"],
    }
    require_object(value, tuple(fresh), "standing")
    standing: dict[str, Any] = {}
    for name, example in fresh.items():
        if isinstance(example, int):
            standing[name] = whole_number(value[name], f"standing: {name}", 0)
            if standing[name] >= 2**63:
                raise ValueError(f"standing: {name} is {standing[name]}; it must be below 2**63")
        else:
            standing[name] = _from_json(value[name], f"standing: {name}")
    for name, most in (("position", "samples"), ("validated", "epoch")):
        if standing[name] > standing[most]:
            raise ValueError(f"standing: {name} is {standing[name]}; it must be at most {standing[most]}")
    return standing


def _metrics(value: Any) -> list[str]:
    """Return the names under which metrics stand in the history; nothing is looked up by them."""
    if not isinstance(value, list) or not all(isinstance(name, str) and name.isprintable() for name in value):
        raise ValueError(f"metrics is {shown(value)}; it must be a list of names")
    if len({*value, "loss", "val_loss"}) < len(value) + 2:
        raise ValueError(f"metrics is {shown(value)}; the names must differ from each other and from the losses'")
    return value


def _seen_configuration(seen: Seen) -> dict[str, Any]:
    rule = {field.name: _encoded(getattr(seen.rule, field.name), field.name) for field in fields(EarlyStopping)}
    numbers = {"least": _in_json(seen.least), "waited": seen.waited}
    return {"rule": rule, "monitor": seen.monitor, **numbers, "has_best": seen.best is not None}


def _seen(value: Any) -> Seen:
    """Return what early stopping has seen; the best parameters, where there are any, are still to be read."""
    require_object(value, ("rule", "monitor", "least", "waited", "has_best"), "early_stopping")
    require_object(value["rule"], tuple(field.name for field in fields(EarlyStopping)), "early_stopping: rule")
    if not isinstance(value["monitor"], str) or not value["monitor"].isprintable():
        raise ValueError(f"early_stopping: monitor is {shown(value['monitor'])}; it must be a name")
    least, waited = _from_json(value["least"], "least"), whole_number(value["waited"], "early_stopping: waited", 0)
    best = np.empty(0) if truth(value["has_best"], "early_stopping: has_best") else None
    return Seen(EarlyStopping(**value["rule"]), value["monitor"], least, waited, best)


def _in_json(value: float) -> float | str:
    """Return a number as JSON has it, which knows no infinity: the loss before the first step, for one."""
    return next((word for word, number in NOT_IN_JSON.items() if number == value), value)


def _from_json(value: Any, name: str) -> float:
    number = NOT_IN_JSON[value] if isinstance(value, str) and value in NOT_IN_JSON else real_number(value, name)
    if math.isinf(number) and not isinstance(value, str):
        raise ValueError(f"{name} is {shown(value)}, which no float64 is")
    return number


def _encoded(value: Any, name: str) -> Any:
    """Return a setting as JSON: a definition or a schedule becomes its name, or its name and parameters."""
    if isinstance(value, Custom):
        return {"custom": value.name}
    if isinstance(value, Definition):
        return {"name": value.name, **value.parameters} if value.parameters else value.name
    if type(value) in SCHEDULES.values():
        return {"name": type(value).__name__, **vars(value)}
    if isinstance(value, (tuple, list)):
        return [_encoded(item, name) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{name} is {shown(value)}, which no file can hold; only numbers and registered names can be saved")


def _decoded(value: Any, name: str, customs: Customs) -> Any:
    """Return a setting from JSON; an object is something of that name's list with its parameters, or the user's own."""
    if not isinstance(value, dict):
        return value
    if "custom" in value and name in ("activation", "loss"):
        return _custom(value, name, customs)
    if name not in NAMED:
        raise ValueError(f"{name} is {shown(value)}; it must not be an object")
    parameters = dict(value)
    found = parameters.pop("name", None)
    if not isinstance(found, str) or found not in NAMED[name]:
        raise ValueError(f"{name} has the name {shown(found)}; it must be one of: {', '.join(NAMED[name])}")
    return NAMED[name][found](**parameters)


def _custom(value: Any, name: str, customs: Customs) -> Definition:
    require_object(value, ("custom",), name)
    found = value["custom"]
    if not isinstance(found, str) or found not in customs:
        raise ValueError(
            f"{name} is {shown(found)}, the user's own; say what that is: load(path, custom={{{shown(found)}: ...}})"
        )
    return FAMILIES[name].resolve(customs[found], f"custom[{shown(found)}]")


def _refuse_one_name_for_two(definitions: Iterable[object]) -> None:
    by_name: dict[str, Custom] = {}
    for each in definitions:
        if isinstance(each, Custom) and by_name.setdefault(each.name, each) != each:
            raise ValueError(
                f"{each!r} and {by_name[each.name]!r} are two with one name, which no file can tell apart; "
                "give each a name of its own: name=..."
            )


# --- the numbers ------------------------------------------------------------------------------------------------------


def _layer_tensors(network: Network, parameters: FloatArray) -> Tensors:
    tensors: Tensors = {}
    for index, (w, b) in enumerate(network._split(parameters)):
        tensors[f"layers.{index}.w"], tensors[f"layers.{index}.b"] = w, b
    return tensors


def _mask_tensors(network: Network) -> Tensors:
    masks = ((index, layer.mask) for index, layer in enumerate(network.layers))
    return {f"layers.{index}.mask": mask for index, mask in masks if mask is not None}


def _expected_layers(plans: tuple[Dense, ...], dtype: np.dtype[Any], masked: list[int]) -> dict[str, Expected]:
    expected = {
        f"layers.{index}.mask": Expected(np.dtype(np.bool_), (plans[index].fan_in, plans[index].fan_out))
        for index in masked
    }
    for index, plan in enumerate(plans):
        expected[f"layers.{index}.w"] = Expected(dtype, (plan.fan_in, plan.fan_out))
        expected[f"layers.{index}.b"] = Expected(dtype, (plan.fan_out,))
    return expected


def _read_network(
    file: File, cls: type[AnyNetwork], plans: tuple[Dense, ...], dtype: np.dtype[Any], masked: list[int]
) -> AnyNetwork:
    network = cls._of_zeros(plans, dtype)
    for name, array in _layer_tensors(network, network.parameters).items():
        _read_numbers(file, name, array)
    for index in masked:
        _read_mask(file, f"layers.{index}", network.layers[index])
    return network


def _read_mask(file: File, name: str, layer: Layer) -> None:
    mask = np.empty(layer.w.shape, np.uint8)
    file.read_into(f"{name}.mask", mask)
    if mask.max() > 1:
        raise ValueError(f"{name}.mask has the value {mask.max()}; it must be 0 or 1")
    _check_masked(f"{name}.mask", mask != 0, layer.w)
    layer.mask = mask


def _check_masked(name: str, mask: FloatArray, w: FloatArray) -> None:
    if w[~mask].any():
        raise ValueError(f"{name} leaves out weights that are not 0")


def _slot_tensors(optimizer: Definition, state: FloatArray) -> Tensors:
    slots = _slots(optimizer)
    return {f"optimizer.{slot}": array for slot, array in enumerate(state.reshape(slots, -1) if slots else ())}


def _method_tensors(trainer: Trainer) -> Tensors:
    """Return the state of an optimizer that Python adds."""
    state = {} if trainer._method is None else trainer._method.state
    return {f"optimizer.{name}": array for name, array in state.items()}


def _expected_of_method(optimizer: Definition, n_parameters: int) -> dict[str, Expected]:
    if optimizer.name not in METHODS:
        return {}
    shapes = METHODS[optimizer.name].shapes(optimizer.parameters, n_parameters)
    return {f"optimizer.{name}": Expected(FLOAT64, shape) for name, shape in shapes.items()}


def _read_state(file: File, trainer: Trainer, standing: dict[str, Any], metrics: list[str], seen: Seen | None) -> None:
    """Bring a new trainer to where another stood."""
    for name, array in _slot_tensors(trainer.optimizer, trainer._core.optimizer_state()).items():
        _read_numbers(file, name, array)
    for name, array in _method_tensors(trainer).items():
        _read_numbers(file, name, array)
    if trainer._method is not None:
        trainer._method.check_state()
    trainer._core.resume(standing, *(_of_epochs(file, f"history.{name}", standing) for name in ("loss", "val_loss")))
    trainer._validated = standing["validated"]
    tables = np.empty((len(metrics), 1, standing["epoch"]))
    for index, (row,) in enumerate(tables):
        file.read_into(f"metrics.{index}", row)
    (trainer._metrics,) = Measured.of_members(metrics, tables, np.array([standing["epoch"]]))
    if seen is not None and seen.best is not None:
        seen.best = np.empty_like(trainer.network.parameters)
        _read_numbers(file, "early_stopping.best", seen.best)
    trainer._seen = seen


def _of_epochs(file: File, name: str, standing: dict[str, Any]) -> FloatArray:
    values = np.empty(standing["epoch"])
    file.read_into(name, values)
    return values


def _read_numbers(file: File, name: str, array: FloatArray) -> None:
    file.read_into(name, array)
    _check_numbers(name, array)


def _check_numbers(name: str, array: FloatArray) -> None:
    """Refuse parameters that are not finite, and a state that is not a number; an average may have become infinite."""
    if name.startswith(("layers.", "early_stopping.")) and not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are not finite; parameters must be")
    if name.startswith("optimizer.") and np.isnan(array).any():
        raise ValueError(f"{name} has values that are nan; an optimizer's state must not")


def _slots(optimizer: Definition) -> int:
    """Return how many numbers an optimizer keeps for each parameter."""
    return 0 if optimizer.name in METHODS else len(_smallest_trainer(optimizer).optimizer_state()) // 2


def _smallest_trainer(optimizer: Definition) -> _core.Trainer:
    """Return a trainer of a network of two parameters, which can be asked what is the same for all sizes."""
    identity, loss = FAMILIES["activation"].resolve("identity", ""), FAMILIES["loss"].resolve("half_squared_error", "")
    network = _core.NetworkFloat64([(1, 1, identity._choice, True)])
    return trainer_class(FLOAT64)(network, loss._choice, optimizer._choice, 1, False, 0)
