"""Backpropagation on dense networks: the lecture's BP1 to BP4 in C++, on NumPy arrays.

>>> import numpy as np, backpropc as bp
>>> net = bp.Network([8, 3, 8], activation="logistic", seed=0)
>>> history = net.fit(np.eye(8), np.eye(8), optimizer=bp.SGD(0.3), batch_size=1, epochs=5000)
>>> bool((net.predict(np.eye(8)).argmax(axis=1) == np.arange(8)).all())
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._startup import end_the_command

try:
    from . import _core
except ImportError as error:
    end_the_command(error)
    raise

from . import definitions, schedules
from .custom import Activation, Loss
from .definitions import ACTIVATION, INITIALIZER, LOSS, OPTIMIZER
from .functions import (
    DenseBackward,
    DenseForward,
    activate,
    activation_derivative,
    dense_backward,
    dense_forward,
    loss_gradient,
    loss_value,
    sgd_update,
)
from .history import History
from .layers import Dense
from .machine import available_isas, get_num_threads, isa, num_threads, set_num_threads, show_config
from .monitoring import EarlyStopping, State
from .network import Network
from .tracing import Gradients, Trace
from .training import Trainer

if TYPE_CHECKING:
    from . import pretraining
    from .checking import check_gradients
    from .diagnosis import Diagnosis
    from .population import Population, PopulationHistory
    from .sanity import sanity_check
    from .searching import SearchResult, log_uniform, search

__version__: str = _core.version

ACTIVATIONS = ACTIVATION.names
LOSSES = LOSS.names
OPTIMIZERS = OPTIMIZER.names
INITIALIZERS = INITIALIZER.names

_definitions = definitions.objects()


_WHEN_USED = {  # where they live
    "check_gradients": "checking",
    "Diagnosis": "diagnosis",
    "Population": "population",
    "PopulationHistory": "population",
    "SearchResult": "searching",
    "log_uniform": "searching",
    "sanity_check": "sanity",
    "search": "searching",
}


def __getattr__(name: str) -> Any:
    """Offer what waits until it is used, and every definition that takes parameters: ``bp.SGD``, ``bp.uniform``."""
    if name == "pretraining":
        return import_module(".pretraining", __name__)
    if name in _WHEN_USED:
        return getattr(import_module(f".{_WHEN_USED[name]}", __name__), name)
    try:
        return _definitions[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LOSSES",
    "OPTIMIZERS",
    "Activation",
    "Dense",
    "DenseBackward",
    "DenseForward",
    "Diagnosis",
    "EarlyStopping",
    "Gradients",
    "History",
    "Loss",
    "Network",
    "Population",
    "PopulationHistory",
    "SearchResult",
    "State",
    "Trace",
    "Trainer",
    "activate",
    "activation_derivative",
    "available_isas",
    "check_gradients",
    "dense_backward",
    "dense_forward",
    "get_num_threads",
    "isa",
    "log_uniform",
    "loss_gradient",
    "loss_value",
    "num_threads",
    "pretraining",
    "sanity_check",
    "schedules",
    "search",
    "set_num_threads",
    "sgd_update",
    "show_config",
]
__all__ += [*_definitions]
