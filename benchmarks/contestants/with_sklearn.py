"""scikit-learn: MLPClassifier and MLPRegressor with everything switched off that would cost time."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..workloads import Data, Workload
from .serving import CannotEnterError, Contestant, serve


class WithSklearn(Contestant):
    """`fit` for so many epochs, warm, in order; `predict` or `predict_proba`."""

    def __init__(self, workload: Workload, data: Data) -> None:
        if workload.dropout:
            raise CannotEnterError("scikit-learn has no dropout")
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.workload, self.x = workload, data.x
        classifies = workload.loss == "softmax_cross_entropy"
        self.t = data.classes if classifies else data.t
        if workload.output_activation == "logistic":
            self.deviation = "identity output: scikit-learn has no logistic output with a squared error"
        self.model = (MLPClassifier if classifies else MLPRegressor)(**self._options(workload))
        # Every class must occur once for the model to have that many outputs.
        rows = np.resize(data.x, (workload.sizes[-1], workload.sizes[0]))
        targets = np.arange(workload.sizes[-1]) if classifies else np.resize(data.t, (len(rows), workload.sizes[-1]))
        self.model.fit(rows, targets)
        self.model.coefs_ = [w.copy() for w, _ in data.parameters]
        self.model.intercepts_ = [b.copy() for _, b in data.parameters]

    def _options(self, workload: Workload) -> dict[str, Any]:
        # Its squared error is half the sum over the outputs.
        factor = 2 / workload.sizes[-1] if workload.loss == "mean_squared_error" else 1
        return {
            "hidden_layer_sizes": workload.sizes[1:-1],
            "activation": workload.activation,
            "solver": workload.optimizer,
            "learning_rate_init": workload.learning_rate * factor,
            "alpha": 0,
            "batch_size": workload.batch,
            "shuffle": False,
            "momentum": 0,
            "nesterovs_momentum": False,
            "tol": 0,
            "n_iter_no_change": np.inf,
            "max_iter": 1,
            "warm_start": True,
            "random_state": 0,
        }

    @property
    def version(self) -> str:
        return str(sklearn.__version__)

    def run(self, passes: int) -> None:
        if self.workload.predict:
            predict = getattr(self.model, "predict_proba", self.model.predict)
            for _ in range(passes):
                self.output = predict(self.x)
        else:
            self.model.max_iter = passes
            self.model.fit(self.x, self.t)

    def result(self) -> list[np.ndarray]:
        if self.workload.predict:
            return [self.output]
        layers = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [array for layer in layers for array in layer]


if __name__ == "__main__":
    serve(WithSklearn)
