"""A good call of every public function, constructor, method and assignment: what the machine spoils."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import functools
import importlib
import inspect
import os
import shutil
import tempfile
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import backpropc as bp
from helpers import network

from .values import Make

KEPT = "kept"
FOLDER = tempfile.mkdtemp(prefix="backpropc-bad-input-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
MODULES = ("pretraining", "schedules", "sklearn", "onnx", "plot", "microscope", "c_source")
# What the library makes and the user reads. They are records: their constructors keep what they are given.
# What a fit calls, with what it has made itself; and what a page is made with.
OURS = ("begin", "__call__", "after", "embedded")
RECORDS = (
    "DenseBackward",
    "DenseForward",
    "Gradients",
    "History",
    "PopulationHistory",
    "SearchResult",
    "State",
    "Trace",
)


class Entry(NamedTuple):
    """A good call.

    `make` gives what is called, a method of a new object; `given` makes each argument. Of the arguments in `long` a
    large number is no error but a long wait. `errors` are documented beside the usual ones, `in_place` what is changed.
    """

    make: Callable[[], Callable[..., Any]]
    given: dict[str, Make]
    long: tuple[str, ...] = ()
    errors: tuple[type[Exception], ...] = ()
    in_place: tuple[str, ...] = ()


# --- good arguments, by their names -----------------------------------------------------------------------------------


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(0.05, 0.95, shape).astype(dtype)


DTYPE = contextvars.ContextVar("DTYPE", default="float32")


@contextlib.contextmanager
def objects_in(dtype: str) -> Iterator[None]:
    """Make networks, and what else has a dtype, in this one."""
    token = DTYPE.set(dtype)
    try:
        yield
    finally:
        DTYPE.reset(token)


def net() -> bp.Network:
    return network([3, 4, 2], "tanh", "logistic", DTYPE.get())


TRAINER = {"learning_rate": 0.1, "batch_size": 2, "seed": 0}


def trainer() -> bp.Trainer:
    optimizer = bp.SGD(TRAINER["learning_rate"])
    return bp.Trainer(net(), optimizer=optimizer, batch_size=TRAINER["batch_size"], seed=TRAINER["seed"])


def population() -> bp.Population:
    return bp.Population([3, 4, 2], n=3, seed=0, dtype=DTYPE.get())


def trained_population() -> bp.Population:
    found = population()
    found.fit(x(), t(), optimizer=bp.SGD(0.1), seed=0)
    return found


def history() -> bp.History:
    return bp.History([0, 1], {"loss": [2.0, 1.0], "accuracy": [0.5, 1.0]})


def rbm() -> Any:
    return bp.pretraining.RBM(3, 2, seed=0, dtype=DTYPE.get())


def autoencoder() -> Any:
    return bp.pretraining.DenoisingAutoencoder(3, 2, seed=0, dtype=DTYPE.get())


def x() -> np.ndarray:
    return numbers(6, 3)


def t() -> np.ndarray:
    """Rows of probabilities, which every loss takes."""
    rows = numbers(6, 2, seed=1)
    return rows / rows.sum(axis=1, keepdims=True)


def saved(thing: Callable[[], Any]) -> str:
    """The path of a file that good calls read: its name begins with KEPT."""
    path = os.path.join(FOLDER, f"{KEPT}-{thing.__name__}-{DTYPE.get()}")
    if not os.path.exists(path):
        thing().save(path)
    return path


def stop_early(state: bp.State) -> bool:
    return state.epoch >= 2


def path(name: str) -> Make:
    return lambda: os.path.join(FOLDER, name)


def one(value: Any) -> Make:
    return lambda: value


GOOD: dict[str, Make] = {
    "x": x,
    "t": t,
    "X": x,
    "y": one(np.array([0, 1, 2, 0, 1, 2])),
    "w": lambda: numbers(3, 2, seed=2),
    "dw": lambda: numbers(3, 2, seed=3),
    "b": lambda: numbers(2, seed=4),
    "da": lambda: numbers(6, 2, seed=5),
    "z": lambda: numbers(6, 2, seed=6),
    "a": lambda: numbers(6, 2, seed=7),
    "activation": one("tanh"),
    "loss": one("half_squared_error"),
    "learning_rate": one(0.1),
    "net": net,
    "network": net,
    "layers": lambda: [3, 4, 2],
    "seed": one(0),
    "n": one(2),
    "fan_in": one(3),
    "fan_out": one(2),
    "epochs": one(2),
    "optimizer": lambda: bp.SGD(0.1),
    "callbacks": lambda: [stop_early],
    "function": one(np.tanh),
    "derivative": one(lambda z, a: 1.0 - a * a),
    "gradient": one(lambda a, t: a - t),
    "name": one("a_name"),
    "losses": lambda: [2.0, 1.0],
    "history": history,
    "state": lambda: bp.State(1, 6, 0.5, None, {}, net()),
    "trainer": trainer,
    "n_visible": one(3),
    "n_hidden": one(2),
}


def space() -> dict[str, Any]:
    return {"l2": [0.0, 0.1]}


@functools.cache
def searched() -> Any:
    return bp.search([3, 4, 2], space(), x(), t(), cv=2, epochs=1, optimizer=bp.SGD(0.1))


def given(*names: str, **others: Make) -> dict[str, Make]:
    return {**{name: GOOD[name] for name in names}, **others}


def of(make: Callable[[], Any], method: str) -> Callable[[], Callable[..., Any]]:
    return lambda: getattr(make(), method)


def assignment(make: Callable[[], Any], name: str) -> Callable[[], Callable[..., Any]]:
    """What sets an attribute, with the argument of its name."""

    def bound() -> Callable[..., Any]:
        owner = make()

        def assign(**value: Any) -> None:
            setattr(owner, name, value[name])

        assign.__self__ = owner  # type: ignore[attr-defined]
        assign.__signature__ = inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)])  # type: ignore[attr-defined]
        return assign

    return bound


def first_layer() -> Any:
    """A layer that keeps its network alive and lets it be seen."""
    return net().layers[0]


def plot(name: str) -> Callable[[], Callable[..., Any]]:
    return lambda: getattr(importlib.import_module("backpropc.plot"), name)


def axes() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    return plt.figure(figsize=(2, 2), dpi=20).gca()


def fitted(kind: str) -> Callable[[], Any]:
    def make() -> Any:
        from backpropc import sklearn

        estimator = getattr(sklearn, kind)(hidden_layer_sizes=(3,), random_state=0, epochs=2)
        return estimator.fit(x().astype(DTYPE.get()), GOOD["y"]() if kind == "MLPClassifier" else t())

    return make


def fresh(kind: str) -> Callable[[], Any]:
    def make() -> Any:
        from backpropc import sklearn

        return getattr(sklearn, kind)(hidden_layer_sizes=(3,), random_state=0, epochs=2)

    return make


def fitting(kind: str) -> Callable[[], Callable[..., Any]]:
    """An estimator made of the arguments and fitted: only then it looks at them, as scikit-learn's convention is."""

    def make() -> Callable[..., Any]:
        from backpropc import sklearn

        made = getattr(sklearn, kind)

        def fit(**arguments: Any) -> Any:
            return made(**arguments).fit(x(), GOOD["y"]() if kind == "MLPClassifier" else t())

        fit.__signature__ = inspect.signature(made)  # type: ignore[attr-defined]
        return fit

    return make


def imported(module: str, name: str) -> Callable[[], Callable[..., Any]]:
    return lambda: getattr(importlib.import_module(f"backpropc.{module}"), name)


FLOATING = (FloatingPointError,)
FILES = (OSError,)
RUN = (FloatingPointError, OSError)
DIVERGED = (RuntimeWarning,)  # a population tells of networks that did

ENTRIES: dict[str, Entry] = {
    "activate": Entry(one(bp.activate), given("activation", "z")),
    "activation_derivative": Entry(one(bp.activation_derivative), given("activation", "z")),
    "available_isas": Entry(one(bp.available_isas), {}),
    "check_gradients": Entry(one(bp.check_gradients), given("net", "x", "t", "loss"), errors=FLOATING),
    "dense_backward": Entry(one(bp.dense_backward), given("da", "x", "w", "z", "a", "activation")),
    "dense_forward": Entry(one(bp.dense_forward), given("x", "w", "b", "activation")),
    "get_num_threads": Entry(one(bp.get_num_threads), {}),
    "isa": Entry(one(bp.isa), {}),
    "loss_gradient": Entry(one(bp.loss_gradient), given("loss", "a", "t")),
    "loss_value": Entry(one(bp.loss_value), given("loss", "a", "t")),
    "num_threads": Entry(lambda: _entered(bp.num_threads), given("n")),
    "sanity_check": Entry(one(bp.sanity_check), given("net", "x", "t"), errors=FLOATING),
    "log_uniform": Entry(one(bp.log_uniform), {"low": one(0.01), "high": one(1.0)}),
    "log_uniform.rvs": Entry(of(lambda: bp.log_uniform(0.01, 1.0), "rvs"), {"random_state": one(0)}),
    "search": Entry(
        one(bp.search),
        given("x", "t", sizes=GOOD["layers"], space=space, cv=one(2), epochs=one(1), optimizer=GOOD["optimizer"]),
        long=("n", "cv"),
        errors=(*RUN, *DIVERGED, RuntimeError),
    ),
    "SearchResult.to_dataframe": Entry(of(searched, "to_dataframe"), {}),
    "set_num_threads": Entry(one(bp.set_num_threads), given("n")),
    "sgd_update": Entry(one(bp.sgd_update), given("w", "dw", "learning_rate"), in_place=("w",)),
    "show_config": Entry(one(bp.show_config), {}),
    # classes
    "Activation": Entry(one(bp.Activation), given("function", "derivative", "name")),
    "Loss": Entry(one(bp.Loss), given("function", "gradient", "name")),
    "Dense": Entry(one(bp.Dense), given("fan_in", "fan_out", "activation")),
    "Diagnosis": Entry(one(bp.Diagnosis), given("x", "t")),
    "Diagnosis.report": Entry(of(bp.Diagnosis, "report"), {}),
    "Diagnosis.to_dict": Entry(of(bp.Diagnosis, "to_dict"), {}),
    "EarlyStopping": Entry(one(bp.EarlyStopping), {}),
    "History.plot": Entry(of(history, "plot"), {"ax": axes}),
    "PopulationHistory.__getitem__": Entry(of(lambda: trained_population().history, "__getitem__"), {"index": one(0)}),
    "PopulationHistory.last": Entry(of(lambda: trained_population().history, "last"), {"name": one("loss")}),
    "Trace.__getitem__": Entry(of(lambda: net().trace(x(), t()), "__getitem__"), {"i": one(0)}),
    "Trace.step": Entry(of(lambda: net().trace(x(), t()), "step"), {"i": one(0)}),
    "Trace.to_dict": Entry(of(lambda: net().trace(x(), t()), "to_dict"), {}),
    "Trace.to_json": Entry(of(lambda: net().trace(x(), t()), "to_json"), {"indent": one(1)}),
    # networks
    "Network": Entry(one(bp.Network), given("layers", "activation", "seed")),
    "Network.copy": Entry(of(net, "copy"), {}),
    "Network.fit": Entry(
        of(net, "fit"),
        given("x", "t", "loss", "epochs", "optimizer", "callbacks", "seed", batch_size=one(2)),
        errors=RUN,
        in_place=("self",),
    ),
    "Network.gradients": Entry(of(net, "gradients"), given("x", "t", "loss")),
    "Network.load": Entry(one(bp.Network.load), {"path": lambda: saved(net)}, errors=FILES),
    "Network.loss": Entry(of(net, "loss"), given("x", "t", "loss")),
    "Network.predict": Entry(of(net, "predict"), given("x")),
    "Network.save": Entry(of(net, "save"), {"path": path("saved")}, errors=FILES),
    "Network.summary": Entry(of(net, "summary"), {}),
    "Network.trace": Entry(of(net, "trace"), given("x", "t", "loss")),
    "Network.update": Entry(
        of(net, "update"), given("x", "t", "learning_rate", "loss"), errors=FLOATING, in_place=("self",)
    ),
    "Network.parameters=": Entry(
        assignment(net, "parameters"), {"parameters": lambda: numbers(26)}, in_place=("self",)
    ),
    "Layer.w=": Entry(assignment(first_layer, "w"), {"w": lambda: numbers(3, 4)}, in_place=("self",)),
    "Layer.b=": Entry(assignment(first_layer, "b"), {"b": lambda: numbers(4)}, in_place=("self",)),
    "Layer.mask=": Entry(assignment(first_layer, "mask"), {"mask": lambda: numbers(3, 4) > 0.5}, in_place=("self",)),
    "Layer.trainable=": Entry(assignment(first_layer, "trainable"), {"trainable": one(False)}, in_place=("self",)),
    "Trainer": Entry(one(bp.Trainer), given("network", "loss", "optimizer", "seed")),
    "Trainer.fit": Entry(of(trainer, "fit"), given("x", "t", "epochs", "callbacks"), errors=RUN, in_place=("self",)),
    "Trainer.load": Entry(one(bp.Trainer.load), {"path": lambda: saved(trainer)}, errors=FILES),
    "Trainer.save": Entry(of(trainer, "save"), {"path": path("saved")}, errors=FILES),
    "Trainer.step": Entry(of(trainer, "step"), given("x", "t"), errors=FLOATING, in_place=("self",)),
    "Population": Entry(one(bp.Population), given("layers", "n", "activation", "seed")),
    "Population.__getitem__": Entry(of(population, "__getitem__"), {"index": one(0)}),
    "Population.best": Entry(of(trained_population, "best"), {}),
    "Population.copy": Entry(of(population, "copy"), {}),
    "Population.fit": Entry(
        of(population, "fit"),
        given("x", "t", "loss", "epochs", "optimizer", "callbacks", "seed", batch_size=one(2)),
        long=("epochs",),
        errors=(*RUN, *DIVERGED),
        in_place=("self",),
    ),
    "Population.load": Entry(one(bp.Population.load), {"path": lambda: saved(population)}, errors=FILES),
    "Population.loss": Entry(of(population, "loss"), given("x", "t", "loss")),
    "Population.mean_predict": Entry(of(population, "mean_predict"), given("x")),
    "Population.predict": Entry(of(population, "predict"), given("x")),
    "Population.resume": Entry(
        of(trained_population, "resume"),
        given("x", "t", "callbacks", until_epoch=one(2)),
        long=("until_epoch",),
        errors=(*RUN, *DIVERGED, RuntimeError),
        in_place=("self",),
    ),
    "Population.save": Entry(of(population, "save"), {"path": path("saved")}, errors=FILES),
    "Population.parameters=": Entry(
        assignment(population, "parameters"), {"parameters": lambda: numbers(3, 26)}, in_place=("self",)
    ),
    # pre-training
    "pretraining.RBM": Entry(imported("pretraining", "RBM"), given("n_visible", "n_hidden", "seed")),
    "pretraining.RBM.fit": Entry(
        of(rbm, "fit"), given("x", "epochs"), long=("epochs", "k"), errors=FLOATING, in_place=("self",)
    ),
    **{
        f"pretraining.RBM.{name}": Entry(of(rbm, name), given("x"))
        for name in ("free_energy", "reconstruct", "transform")
    },
    "pretraining.RBM.w=": Entry(assignment(rbm, "w"), {"w": lambda: numbers(3, 2)}, in_place=("self",)),
    "pretraining.RBM.b=": Entry(assignment(rbm, "b"), {"b": lambda: numbers(2)}, in_place=("self",)),
    "pretraining.RBM.c=": Entry(assignment(rbm, "c"), {"c": lambda: numbers(3)}, in_place=("self",)),
    "pretraining.DenoisingAutoencoder": Entry(
        imported("pretraining", "DenoisingAutoencoder"), given("n_visible", "n_hidden", "seed")
    ),
    "pretraining.DenoisingAutoencoder.fit": Entry(
        of(autoencoder, "fit"), given("x", "epochs"), long=("epochs",), errors=FLOATING, in_place=("self",)
    ),
    **{
        f"pretraining.DenoisingAutoencoder.{name}": Entry(of(autoencoder, name), given("x"))
        for name in ("reconstruct", "transform")
    },
    "pretraining.pretrain": Entry(
        imported("pretraining", "pretrain"),
        given("net", "x", "epochs", "seed", method=one("denoising")),
        long=("epochs", "k"),
        errors=FLOATING,
        in_place=("net",),
    ),
    # the rest
    "onnx.from_onnx": Entry(imported("onnx", "from_onnx"), {"source": lambda: _onnx()}, errors=FILES),
    "onnx.to_onnx": Entry(imported("onnx", "to_onnx"), given("net"), errors=FILES),
    "c_source.to_c": Entry(imported("c_source", "to_c"), given("net"), errors=FILES),
    "microscope.Recorder": Entry(imported("microscope", "Recorder"), {}),
    "microscope.microscope": Entry(
        imported("microscope", "microscope"), given("net", "x", "t", path=path("page")), errors=FILES
    ),
    "plot.CodeTrail": Entry(plot("CodeTrail"), given("x")),
    "plot.activation_histograms": Entry(plot("activation_histograms"), given("net", "x", ax=axes)),
    "plot.confusion_matrix": Entry(plot("confusion_matrix"), given("t", "a", ax=axes)),
    "plot.decision_boundary": Entry(
        plot("decision_boundary"),
        {"net": lambda: network([2, 3, 1], "tanh"), "x": t, "ax": axes, "resolution": one(5)},
        long=("resolution",),
    ),
    "plot.hidden_codes": Entry(plot("hidden_codes"), {"net": lambda: network([3, 2, 1], "tanh"), "x": x, "ax": axes}),
    "plot.loss_curves": Entry(plot("loss_curves"), given("history", ax=axes)),
    "plot.network_diagram": Entry(plot("network_diagram"), given("net", ax=axes)),
    "plot.weight_histograms": Entry(plot("weight_histograms"), given("net", ax=axes)),
}


def _entered(context: Callable[..., Any]) -> Callable[..., Any]:
    """A context manager that is entered and left."""

    def call(n: object) -> None:
        with context(n):
            pass

    return call


def _onnx() -> bytes:
    from backpropc.onnx import to_onnx

    return bytes(to_onnx(net()).SerializeToString())


# What scikit-learn's own checks of data raise and warn of, which come first.
CHECKS = (*FLOATING, OverflowError, Warning)
ESTIMATORS = ("MLPClassifier", "MLPRegressor")
for _kind in ESTIMATORS:
    _data = {"X": x, "y": GOOD["y"] if _kind == "MLPClassifier" else t}
    _classes: dict[str, Make] = {"classes": one([0, 1, 2])} if _kind == "MLPClassifier" else {}
    _slow = ("max_iter", "epochs", "max_fun", "n_iter_no_change", "hidden_layer_sizes", "n_restarts")
    ENTRIES[f"sklearn.{_kind}"] = Entry(
        fitting(_kind), {"hidden_layer_sizes": one((3,)), "epochs": one(2)}, long=_slow, errors=CHECKS
    )
    ENTRIES[f"sklearn.{_kind}.fit"] = Entry(of(fresh(_kind), "fit"), _data, errors=CHECKS, in_place=("self",))
    ENTRIES[f"sklearn.{_kind}.partial_fit"] = Entry(
        of(fresh(_kind), "partial_fit"), {**_data, **_classes}, long=("epochs",), errors=CHECKS, in_place=("self",)
    )
    ENTRIES[f"sklearn.{_kind}.predict"] = Entry(of(fitted(_kind), "predict"), {"X": x})
for _name in ("predict_proba", "predict_log_proba"):
    ENTRIES[f"sklearn.MLPClassifier.{_name}"] = Entry(of(fitted("MLPClassifier"), _name), {"X": x})

# Definitions with parameters, and schedules: made of numbers.
PARAMETERS: dict[str, dict[str, Any]] = {
    "SGD": {"learning_rate": 0.1},
    "uniform": {"low": -1.0, "high": 1.0},
    "normal": {"std": 1.0},
    "schedules.cosine": {"epochs": 5},
    "schedules.exponential": {"factor": 0.9},
    "schedules.inverse_time": {"decay": 0.1},
    "schedules.one_cycle": {"epochs": 5},
    "schedules.step": {"every": 2},
}


def _definitions() -> Iterator[str]:
    for name in bp.__all__:
        found = getattr(bp, name)
        if (
            inspect.isclass(found)
            and issubclass(found, bp.definitions.Definition)
            and name not in ("Activation", "Loss")
        ):
            yield name
    yield from (f"schedules.{name}" for name in bp.schedules.__all__ if name != "Schedule")


def _resolved(name: str) -> Any:
    found: Any = bp
    for part in name.split("."):
        found = getattr(found, part)
    return found


for _name in _definitions():
    _arguments = {key: one(value) for key, value in PARAMETERS.get(_name, {}).items()}
    ENTRIES[_name] = Entry(one(_resolved(_name)), _arguments)
    if _name.startswith("schedules."):
        _made = _resolved(_name)(**PARAMETERS.get(_name, {}))
        ENTRIES[f"{_name}.rate"] = Entry(of(one(_made), "rate"), given("learning_rate", "losses", epoch=one(1)))


# --- all there is -----------------------------------------------------------------------------------------------------


def public() -> set[str]:
    """The names of everything that takes arguments: what is exported, and the methods of classes."""
    names: set[str] = set()
    for name in bp.__all__:
        names |= _callables(name, getattr(bp, name))
    for module in MODULES:
        found = importlib.import_module(f"backpropc.{module}")
        for name in getattr(found, "__all__", None) or _own(found):
            names |= _callables(f"{module}.{name}", getattr(found, name))
    names |= {f"Layer.{name}=" for name in _assignable(type(net().layers[0]))}
    return names


def _own(module: types.ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == module.__name__
    ]


def _callables(name: str, value: Any) -> set[str]:
    if not inspect.isclass(value):
        return {name} if callable(value) and name.split(".")[-1] not in OURS else set()
    names = set() if name in RECORDS or inspect.isabstract(value) or name == "schedules.Schedule" else {name}
    names |= {f"{name}.{attribute}=" for attribute in _assignable(value)}
    if name == "schedules.Schedule" or issubclass(value, bp.definitions.Definition):
        return names
    for attribute in dir(value):
        method = getattr(value, attribute, None)
        ours = str(getattr(method, "__module__", "")).startswith("backpropc")
        shown = (not attribute.startswith("_") or attribute == "__getitem__") and attribute not in OURS
        if shown and ours and inspect.isroutine(method):
            names.add(f"{name}.{attribute}")
    return names


def _assignable(kind: type) -> list[str]:
    members = inspect.getmembers_static(kind) if hasattr(inspect, "getmembers_static") else inspect.getmembers(kind)
    settable = (name for name, member in members if isinstance(member, property) and member.fset is not None)
    return [name for name in settable if not name.startswith("_")]
