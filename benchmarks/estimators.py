"""`python -m benchmarks.estimators`: fits by backpropc.sklearn beside those of scikit-learn, of the same work."""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import sklearn.neural_network as theirs
import threadpoolctl

from backpropc import sklearn as ours

PLAIN: dict[str, Any] = {"solver": "sgd", "momentum": 0, "alpha": 0, "batch_size": 1}
CASES: dict[str, tuple[str, int, int, dict[str, Any]]] = {
    "Iris's size, adam": ("MLPClassifier", 150, 4, {"hidden_layer_sizes": (10,)}),
    "digits' size, adam": ("MLPClassifier", 1797, 64, {}),
    "MNIST's shape, sgd": ("MLPClassifier", 6000, 784, {"solver": "sgd"}),
    "regression, two layers, adam": ("MLPRegressor", 5000, 20, {"hidden_layer_sizes": (64, 64)}),
    "one sample at a time, sgd": ("MLPRegressor", 1000, 8, PLAIN),
    "lbfgs": ("MLPRegressor", 2000, 20, {"solver": "lbfgs"}),
}
EPOCHS = 10


def seconds(module: Any, case: str, dtype: str) -> float:
    """The processor's time of a fit, which others who use the machine do not change much."""
    name, n, features, kwargs = CASES[case]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, features)).astype(dtype)
    y = rng.integers(0, 10, n) if name == "MLPClassifier" else x[:, 0] * x[:, 1]
    model = getattr(module, name)(max_iter=EPOCHS, n_iter_no_change=np.inf, random_state=0, **kwargs)
    begin = time.process_time()
    model.fit(x, y)
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimators", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of which the fastest counts")
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    print(f"{f'{EPOCHS} epochs, one thread':32} {'dtype':8} {'scikit-learn':>12} {'ours':>9} {'ratio':>6}")
    with threadpoolctl.threadpool_limits(1):
        for case in CASES:
            for dtype in ("float64", "float32"):
                pairs = [(seconds(theirs, case, dtype), seconds(ours, case, dtype)) for _ in range(rounds)]
                their, our = (min(values) for values in zip(*pairs, strict=True))
                print(f"{case:32} {dtype:8} {their * 1e3:9.1f} ms {our * 1e3:6.1f} ms {their / our:6.1f}")


if __name__ == "__main__":
    main()
