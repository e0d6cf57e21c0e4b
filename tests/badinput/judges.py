"""The oracle's word on what came of a call, where it has one: of real numbers of moderate size in fitting shapes.

`JUDGES` has the functions that the oracle can judge, `WITHOUT` all others, and why.
"""

from __future__ import annotations

from . import judges_of_functions, judges_of_networks, judges_of_training
from .entries import ENTRIES
from .judging import JUDGES, as_it_was, check

__all__ = ["JUDGES", "WITHOUT", "as_it_was", "check"]
# Imported for what they enter into JUDGES.
_ = judges_of_functions, judges_of_networks, judges_of_training


def starting_with(*names: str) -> tuple[str, ...]:
    return tuple(name for name in ENTRIES if name.startswith(names) and name not in JUDGES)


WITHOUT: dict[str, tuple[str, ...]] = {
    "keeps what it is given, for others to compute with": (
        *("Activation", "Dense", "EarlyStopping", "Layer.trainable=", "Loss", "Trainer", "log_uniform"),
        *("Adagrad", "Adam", "AdamW", "LBFGS", "LevenbergMarquardt", "Quickprop", "RMSprop", "Rprop", "SGD"),
        *("elu", "huber", "leaky_relu", "normal", "uniform"),
        *(name for name in starting_with("schedules.") if not name.endswith(".rate")),
    ),
    "gives a drawing, a page, a program or a text": (
        *starting_with("plot.", "microscope.", "Diagnosis"),
        *("History.plot", "Network.summary", "SearchResult.to_dataframe", "c_source.to_c"),
    ),
    "is about the machine": (
        *("available_isas", "get_num_threads", "isa", "num_threads", "set_num_threads", "show_config"),
    ),
    "takes random draws of others, or the steps of Adam and of a search, which magnify what is rounded": (
        *starting_with("sklearn."),
        "log_uniform.rvs",
        *("pretraining.pretrain", "sanity_check", "schedules.reduce_on_plateau.rate", "search"),
    ),
}
