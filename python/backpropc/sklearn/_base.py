"""What classifier and regressor have in common: scikit-learn's parameters, and the network behind ``coefs_``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice, pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import _core
from .._arguments import FloatArray, whole_number
from ..definitions import ACTIVATION, OPTIMIZER, Definition
from ..layers import Dense
from ..machine import num_threads
from ..network import Network
from ._descent import Objective, objective_of
from ._epochs import batch_size_of
from ._lbfgs import loss_and_gradient
from ._restarts import fit_best, seeds_of_others
from ._runs import BLOCK, HeldOut, NotFinite, Run, Samples

RECORDS = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_", "validation_loss_curve_")


class BaseMLP(CallbackSupportMixin, BaseEstimator):
    """The parameters, the way of a fit, and the network behind ``coefs_`` and ``intercepts_``."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({*ACTIVATION.names, *ACTIVATION.aliases}), "array-like", Definition, callable],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "optimizer": [None, StrOptions({*OPTIMIZER.names}), Definition],
        "epochs": [None, Interval(Integral, 1, None, closed="left")],
        "keep_optimizer": ["boolean"],
        "n_threads": [None, Interval(Integral, 1, _core.max_threads, closed="both")],
        "progress": ["boolean"],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
    }
    loss: str

    # --- the network --------------------------------------------------------------------------------------------------

    def _hidden_layer_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if np.any(np.array(sizes) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return sizes

    def _activations(self) -> list[Any]:
        """Return the activation of each hidden layer."""
        given, n = self.activation, len(self._hidden_layer_sizes())
        if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)):
            return [given] * n
        if len(given) != n:
            raise ValueError(f"activation has {len(given)} entries; it must be one, or {n}: one for each hidden layer")
        return list(given)

    def _plans(self, sizes: Sequence[int]) -> tuple[Dense, ...]:
        activations = [*self._activations(), self.out_activation_]
        if len(activations) != len(sizes) - 1:
            raise ValueError(f"coefs_ are {len(sizes) - 1}, but hidden_layer_sizes ask for {len(activations)} layers")
        return tuple(
            Dense(fan_in, fan_out, activation)
            for (fan_in, fan_out), activation in zip(pairwise(sizes), activations, strict=True)
        )

    def _adopt(self, network: Network) -> None:
        """Make `coefs_` and `intercepts_` the network's own: they change as it learns, and it with them."""
        self._network = network
        self.coefs_ = [layer.w for layer in network.layers]
        self.intercepts_ = [layer.b for layer in network.layers]

    def _current_network(self) -> Network:
        """Return a network that holds `coefs_` and `intercepts_`, also where a user has replaced them."""
        arrays = [*self.coefs_, *self.intercepts_]
        plans = self._plans([np.shape(self.coefs_[0])[0], *(np.shape(w)[1] for w in self.coefs_)])
        network: Network | None = getattr(self, "_network", None)
        if network is not None and network._plans == plans:
            views = [*(layer.w for layer in network.layers), *(layer.b for layer in network.layers)]
            if all(view is array for view, array in zip(views, arrays, strict=True)):
                return network
        is_float32 = np.result_type(*arrays) == np.float32
        network = Network._of_zeros(plans, np.dtype(np.float32 if is_float32 else np.float64))
        for layer, w, b in zip(network.layers, self.coefs_, self.intercepts_, strict=True):
            layer.w, layer.b = w, b
        return network

    @property
    def network_(self) -> Network:
        """The network, as `backpropc.Network`: to be saved, exported or trained by other means.

        Writing to its parameters changes the estimator.
        """
        check_is_fitted(self)
        return self._current_network()

    def __getstate__(self) -> dict[str, Any]:
        # What the network holds is in coefs_ and intercepts_.
        return {name: value for name, value in super().__getstate__().items() if name != "_network"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "coefs_") and hasattr(self, "out_activation_"):
            self._adopt(self._current_network())

    def _outputs(self, x: Any, check_input: bool = True) -> FloatArray:
        """Return what the network makes of the rows of X."""
        if check_input:
            x = validate_data(self, x, accept_sparse=["csr", "csc"], reset=False)
        network = self._current_network()
        with self._threads():
            if not scipy.sparse.issparse(x):
                return network.predict(x)
            x, rows = x.tocsr(), max(1, BLOCK // x.shape[1])
            return np.concatenate([network.predict(x[at : at + rows].toarray()) for at in range(0, x.shape[0], rows)])

    def _threads(self) -> AbstractContextManager[None]:
        return nullcontext() if self.n_threads is None else num_threads(self.n_threads)

    # --- a fit --------------------------------------------------------------------------------------------------------

    def _fit(
        self,
        x: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        *,
        incremental: bool,
        epochs: int | None = None,
        validation_data: Any = None,
        coefs_init: Sequence[ArrayLike] | None = None,
        intercepts_init: Sequence[ArrayLike] | None = None,
    ) -> Any:
        given = x, y, sample_weight
        self._refuse_to_restart(
            partial_fit=incremental,
            warm_start=self.warm_start,
            coefs_init=coefs_init is not None,
            intercepts_init=intercepts_init is not None,
        )
        hidden = self._hidden_layer_sizes()
        first_pass = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        x, y, labels = self._validate_input(x, y, incremental, reset=first_pass)
        x = x.tocsr() if scipy.sparse.issparse(x) else x
        weight = self._weights(x, labels, sample_weight, incremental)
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        self.n_outputs_ = y.shape[1]
        self._random_state = check_random_state(self.random_state)
        seeds = seeds_of_others(self.random_state, self.n_restarts)
        self._begin([x.shape[1], *hidden, self.n_outputs_], x.dtype, first_pass)
        self._begin_with(coefs_init, "coefs_init", self.coefs_)
        self._begin_with(intercepts_init, "intercepts_init", self.intercepts_)
        held_out = None if validation_data is None else self._validated(validation_data)
        limit = int(self.epochs or self.max_iter) if epochs is None else whole_number(epochs, "epochs", 1)
        with self._threads(), Run(self, given, limit, incremental) as run:
            if self._uses_lbfgs():
                training = Samples(x, self._targets(y), weight)
            else:
                training, held_out = self._divide(x, y, weight, held_out, incremental)
                self._check_batch_size(training.n)
            warn = fit_best(self, seeds, training, held_out, run)
        if not np.isfinite(self._network.parameters).all():
            raise NotFinite
        warn()
        return self

    def _refuse_to_restart(self, **asked: bool) -> None:
        """Refuse what goes on with one network, where there are to be several."""
        for name, is_asked in asked.items():
            if is_asked and self.n_restarts > 1:
                raise ValueError(
                    f"n_restarts is {self.n_restarts}, but {name} begins with the parameters of one network; with it "
                    "n_restarts must be 1"
                )

    def _check_batch_size(self, n: int) -> None:
        if batch_size_of(self) > n and self.batch_size != "auto":
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
            )

    def _uses_lbfgs(self) -> bool:
        return bool(self.solver == "lbfgs" and self.optimizer is None)

    def _weights(self, x: Any, labels: Any, sample_weight: ArrayLike | None, incremental: bool) -> FloatArray | None:
        """Return how much each sample counts; None where all count the same."""
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        of_classes = self._class_weights(labels, incremental)
        if of_classes is not None:
            weight = of_classes if weight is None else weight * of_classes
        return None if weight is None else np.ascontiguousarray(weight, np.float64)

    def _class_weights(self, labels: Any, incremental: bool) -> FloatArray | None:
        return None

    def _begin(self, sizes: list[int], dtype: np.dtype[Any], first_pass: bool) -> None:
        """Begin anew, or where the last fit ended."""
        if first_pass:
            self._initialize(sizes, np.dtype(np.float64) if self._uses_lbfgs() else dtype)
        shapes = [np.shape(w) for w in self.coefs_]
        if shapes != list(pairwise(sizes)):
            raise ValueError(
                f"coefs_ have the shapes {shapes}; to go on with them, hidden_layer_sizes, X and y must ask for the "
                f"same, not for {list(pairwise(sizes))}"
            )
        self._adopt(self._current_network())

    def _initialize(self, sizes: list[int], dtype: np.dtype[Any]) -> None:
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._output_activation()
        self._draw_parameters(sizes, dtype)
        self._dropout_seed = int(self._random_state.randint(2**31)) if np.any(np.asarray(self.dropout) != 0) else 0
        for name in RECORDS:
            if hasattr(self, name):
                delattr(self, name)

    def _draw_parameters(self, sizes: list[int], dtype: np.dtype[Any]) -> None:
        """Draw weights and biases as scikit-learn does, from the same random numbers (Glorot, Bengio 2010)."""
        network = Network._of_zeros(self._plans(sizes), dtype)
        own = [plan.activation.name for plan in network._plans[:-1]]
        # The output layer's bound is that of the last hidden activation, or of the one that there would be.
        names = [*own, own[-1] if own else self.activation]
        for layer, name in zip(network.layers, names, strict=True):
            bound = np.sqrt((2.0 if name in ("logistic", "sigmoid") else 6.0) / (layer.fan_in + layer.fan_out))
            layer.w = self._random_state.uniform(-bound, bound, (layer.fan_in, layer.fan_out))
            layer.b = self._random_state.uniform(-bound, bound, layer.fan_out)
        self._adopt(network)

    def _begin_with(self, given: Sequence[ArrayLike] | None, name: str, views: list[FloatArray]) -> None:
        """Write what a user wants to begin with into the network."""
        if given is None:
            return
        if isinstance(given, memoryview):
            raise TypeError(f"{name} is a memoryview; it must be a sequence of arrays, one for each layer")
        arrays = [np.asarray(array, dtype=np.float64) for array in islice(given, len(views) + 1)]  # of any number given
        shapes, expected = [array.shape for array in arrays], [view.shape for view in views]
        if shapes != expected:
            raise ValueError(f"{name} has arrays of the shapes {shapes}; they must be {expected}")
        for view, array in zip(views, arrays, strict=True):
            view[...] = array

    def _objective(self) -> Objective:
        return objective_of(self.loss, self.n_outputs_, self.out_activation_)

    def _targets(self, y: FloatArray) -> FloatArray:
        """Return y as the core has it: rows of numbers, or classes where one of several is right."""
        if self.out_activation_ == "softmax":
            return np.asarray(y.argmax(axis=1), np.int64)
        return np.ascontiguousarray(y, self._network.dtype)

    def _divide(
        self, x: Any, y: FloatArray, weight: FloatArray | None, held_out: HeldOut | None, incremental: bool
    ) -> tuple[Samples, HeldOut | None]:
        """Return what is trained with, and what early stopping looks at: a part of it, unless that was given."""
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        if not self.early_stopping or held_out is not None:
            return Samples(x, self._targets(y), weight), held_out
        parts = train_test_split(
            *([x, y] if weight is None else [x, y, weight]),
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=y if is_classifier(self) and self.n_outputs_ == 1 else None,  # as scikit-learn: two classes only
        )
        x, x_val, y, y_val, weight, weight_val = parts if weight is not None else (*parts, None, None)
        if x_val.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        kept = HeldOut(Samples(x_val, self._targets(y_val), weight_val), self._decoded(y_val))
        return Samples(x, self._targets(y), weight), kept

    def _validated(self, validation_data: Any) -> HeldOut:
        """Return a user's own validation set."""
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise TypeError("validation_data must be (X, y) or (X, y, sample_weight)")
        x, y, *rest = validation_data
        x = validate_data(self, x, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
        x = x.tocsr() if scipy.sparse.issparse(x) else x
        weight = np.asarray(_check_sample_weight(rest[0], x), np.float64) if rest and rest[0] is not None else None
        encoded, y = self._encoded(y)
        if len(encoded) != x.shape[0]:
            raise ValueError(f"validation_data has {x.shape[0]} rows of X and {len(encoded)} of y; they must match")
        return HeldOut(Samples(x, self._targets(encoded), weight), y)

    def _score_on(self, held_out: HeldOut) -> float:
        """Return the score of what is held out; nan where a prediction is not finite."""
        predicted = self._predict(held_out.samples.x, check_input=False)
        if np.issubdtype(predicted.dtype, np.floating) and not np.isfinite(predicted).all():
            return float("nan")
        return float(self._score_function(held_out.y, predicted, sample_weight=held_out.samples.weight))

    def _loss_grad_lbfgs(
        self, packed: FloatArray, x: Any, y: FloatArray, sample_weight: FloatArray | None, *scratch: object
    ) -> tuple[float, FloatArray]:
        """Return E and its gradient as scikit-learn's private method of this name does, which its own tests call."""
        return loss_and_gradient(self, packed, Samples(x, self._targets(y), sample_weight))

    def _check_solver(self) -> bool:
        if self._uses_lbfgs():
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
