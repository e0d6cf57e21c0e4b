"""scikit-learn's multi-layer perceptrons, trained in the core: one import to change, and what their users asked for.

>>> from sklearn.datasets import load_iris
>>> from backpropc.sklearn import MLPClassifier
>>> x, y = load_iris(return_X_y=True)
>>> classifier = MLPClassifier([16, 8], activation=["relu", "tanh"], epochs=200, random_state=0).fit(x, y)
>>> bool(classifier.score(x, y) > 0.9)
True
"""

from __future__ import annotations

try:
    import sklearn  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "backpropc.sklearn needs scikit-learn 1.9 or newer: pip install 'backpropc[sklearn]'", name=error.name
    ) from None

from ._estimators import MLPClassifier, MLPRegressor
from ._threads import register

register()

__all__ = ["MLPClassifier", "MLPRegressor"]
