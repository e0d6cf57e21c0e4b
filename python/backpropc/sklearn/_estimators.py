"""The classifier and the regressor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from .._arguments import FloatArray
from ..definitions import Definition
from ._base import BaseMLP


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A classifier: dense layers, softmax outputs for classes, logistic ones for two classes or several labels.

    Everything of scikit-learn's class of this name, trained in the core, and the parameters after `max_fun`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer.
    activation : str, activation object, or a sequence of them
        σ of the hidden layers, as `backpropc.Network` has it: of all of them, or one for each.
    solver : {"adam", "sgd", "lbfgs"}
        How E is minimized.
    alpha : float
        The penalty ½·alpha·Σw² / Σ weights of the batch, over the weights, not the biases.
    batch_size : int or "auto"
        Samples in a step; "auto" is 200, or all where there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}
        How the rate of "sgd" changes: not; as ``learning_rate_init / (t_ + 1)**power_t`` after every epoch; divided by
        5 whenever it is enough, until it is below 1e-6.
    learning_rate_init : float
        The rate of "sgd" and "adam".
    power_t : float
        The exponent of "invscaling".
    max_iter : int
        Epochs (iterations of "lbfgs") at most.
    shuffle : bool
        Whether each epoch takes the samples in a new order.
    random_state : int, RandomState or None
        Where initial parameters, orders and the held-out share come from. The same int gives the same run on every
        machine, and the run that it gives in scikit-learn, up to rounding.
    tol : float
        By how much the loss, or the validation score, must improve; the gradient's bound for "lbfgs".
    verbose : bool or int
        Whether to print each epoch's loss.
    warm_start : bool
        Whether `fit` goes on from the parameters of the last one.
    momentum, nesterovs_momentum : float, bool
        Of "sgd".
    early_stopping : bool
        Whether to watch the score of a part of the samples that is held out, and to end with the best parameters.
    validation_fraction : float
        How large that part is; `fit`'s `validation_data` takes its place.
    beta_1, beta_2, epsilon : float
        Of "adam".
    n_iter_no_change : int or inf
        After how many epochs in a row without improvement it is enough.
    max_fun : int
        Evaluations of E by "lbfgs" at most.
    class_weight : dict of label to float, "balanced" or None
        How much the samples of a class count, beside `sample_weight`. "balanced" gives each class the same sum.
    dropout : float or sequence of float
        The rate with which hidden units are left out in training: of all hidden layers, or one for each. Not by
        "lbfgs".
    optimizer : None, str or optimizer object
        One of `backpropc.OPTIMIZERS`, as ``bp.RMSprop(1e-3)``, in place of `solver` and its parameters.
    epochs : int or None
        A fixed number of epochs (iterations of "lbfgs") in place of `max_iter`, without a ConvergenceWarning.
    keep_optimizer : bool
        Whether a warm start also keeps the optimizer's averages and rate, so that fits go on as if they were one.
    n_threads : int or None
        Of the core while this estimator computes; None leaves it as it is.
    progress : bool
        Whether to show a bar, by tqdm, that counts the epochs of all restarts.
    n_restarts : int
        How many networks `fit` trains, each from a seed of its own, to keep the best: the one of the highest validation
        score where samples are held out or given (of equal ones, of the lowest validation loss), or else of the lowest
        `loss_`. The first is the one of ``n_restarts=1``; restart i has ``random_state + i`` where that is an int,
        and the held-out samples of the first.
        Where the core can train them side by side (see the guide), it does, to the
        same bits. Not with `warm_start`, initial weights or `partial_fit`.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights (fan_in, fan_out) and biases (fan_out,) of each layer; writing to them changes what it predicts.
    network_ : backpropc.Network
        What has them; can be saved, exported, or trained by other means.
    loss_, loss_curve_, best_loss_ : float, list of float, float or None
        E with the penalty: of the last epoch, of every one, the least; the last is None with `early_stopping`.
    validation_scores_, best_validation_score_ : list of float, float; or None
        The accuracy of what was held out after every epoch, and the largest.
    validation_loss_curve_ : list of float
        E of it, without the penalty. Only where samples were held out.
    n_iter_, t_ : int
        Epochs of the last fit; samples seen since the first.
    best_restart_ : int
        Which restart was kept: all other attributes are that one's.
    restart_losses_ : ndarray, shape (n_restarts,)
        Each restart's `loss_`; nan where it was not finite, or the restart was not begun.
    restart_scores_ : ndarray, shape (n_restarts,), or None
        Each restart's validation score, with `early_stopping` the largest; None where no samples were held out.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        Layers, the input counted; outputs; their activation.
    n_features_in_, feature_names_in_ : int, ndarray
        Of X.
    classes_ : ndarray
        The labels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from backpropc.sklearn import MLPClassifier
    >>> x, y = load_iris(return_X_y=True)
    >>> classifier = MLPClassifier([16], solver="lbfgs", random_state=0, max_iter=500).fit(x, y)
    >>> classifier.predict(x[:3])
    array([0, 0, 0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [None, StrOptions({"balanced"}), dict, list],
    }
    _score_function: ClassVar[Callable[..., Any]] = staticmethod(accuracy_score)
    loss = "log_loss"

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Mapping[Any, float] | str | None = None,
        dropout: float | Sequence[float] = 0.0,
        optimizer: str | Definition | None = None,
        epochs: int | None = None,
        keep_optimizer: bool = False,
        n_threads: int | None = None,
        progress: bool = False,
        n_restarts: int = 1,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.optimizer = optimizer
        self.epochs = epochs
        self.keep_optimizer = keep_optimizer
        self.n_threads = n_threads
        self.progress = progress
        self.n_restarts = n_restarts
        self.class_weight = class_weight

    def _validate_input(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, FloatArray, Any]:
        """Return X, y as rows of booleans, and y as labels."""
        x, y = validate_data(
            self, x, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=(np.float64, np.float32), reset=reset
        )
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._compare_classes(unique_labels(y))
        return x, self._label_binarizer.transform(y).astype(bool), y

    def _compare_classes(self, classes: FloatArray) -> None:
        """Refuse labels that the fit before did not have."""
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _output_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _class_weights(self, labels: Any, incremental: bool) -> FloatArray | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight is 'balanced', but partial_fit sees a part of the samples only; it must be a dict of "
                "label to weight, as sklearn.utils.class_weight.compute_class_weight makes them"
            )
        weights: FloatArray = compute_sample_weight(self.class_weight, labels)
        return weights

    def _encoded(self, y: Any) -> tuple[FloatArray, Any]:
        """Return a validation set's labels as rows of booleans, and as they are."""
        y = check_array(y, ensure_2d=False, dtype=None, accept_sparse="csr")
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        unknown = np.setdiff1d(unique_labels(y), self.classes_)
        if unknown.size:
            raise ValueError(f"validation_data has the classes {unknown}; they must be among {self.classes_}")
        encoded = self._label_binarizer.transform(y).astype(bool)
        return encoded, y

    def _decoded(self, y: FloatArray) -> Any:
        return self._label_binarizer.inverse_transform(y)

    def _predict(self, x: Any, check_input: bool = True) -> Any:
        outputs = self._outputs(x, check_input)
        return self._label_binarizer.inverse_transform(outputs.ravel() if self.n_outputs_ == 1 else outputs)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: Any = None,
        coefs_init: Sequence[ArrayLike] | None = None,
        intercepts_init: Sequence[ArrayLike] | None = None,
    ) -> MLPClassifier:
        """Learn from samples.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Samples. float32 is computed in float32, everything else in float64; "lbfgs" always in float64.
        y : array_like, shape (n,) or (n, n_labels)
            Labels; of several labels a matrix of 0 and 1.
        sample_weight : array_like, shape (n,)
            How much each sample counts: E of a batch is Σ weight·E / Σ weight.
        validation_data : tuple of (X, y) or (X, y, sample_weight)
            Samples whose loss and score are recorded after every epoch, and which early stopping watches.
        coefs_init, intercepts_init : sequence of array_like
            What weights (fan_in, fan_out) and biases (fan_out,) of each layer start as, in place of random numbers.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            Shapes or values do not fit, a parameter is out of its range, or E did not stay finite.
        KeyboardInterrupt
            Ctrl-C, after a whole step. The estimator has what it learned, and can predict and go on.

        Warns
        -----
        ConvergenceWarning
            `max_iter` was reached before it was enough.
        """
        return self._fit(  # type: ignore[no-any-return]
            X,
            y,
            sample_weight,
            incremental=False,
            validation_data=validation_data,
            coefs_init=coefs_init,
            intercepts_init=intercepts_init,
        )

    @available_if(lambda mlp: mlp._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        *,
        epochs: int = 1,
    ) -> MLPClassifier:
        """Go on learning, with these samples.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array_like
            All labels there will be; needed at the first call.
        epochs : int
            How often to take the samples.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            As for `fit`, or `y` has a label that is not among `classes`.
        """
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if several else classes)
        return self._fit(X, y, sample_weight, incremental=True, epochs=epochs)  # type: ignore[no-any-return]

    def predict(self, X: Any) -> Any:
        """Return the labels of samples.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n,) or (n, n_labels)
        """
        check_is_fitted(self)
        return self._predict(X)

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probability of each class of samples.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n, n_classes)
        """
        check_is_fitted(self)
        outputs = self._outputs(X)
        return np.column_stack([1 - outputs, outputs]) if self.n_outputs_ == 1 else outputs

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n, n_classes)
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):  # of what is as good as impossible the logarithm is -inf
            return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, BaseMLP):
    """A regressor: dense layers, identity outputs for the squared error, exp for the Poisson deviance.

    Everything of scikit-learn's class of this name, trained in the core, and the parameters after `max_fun`.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        What is minimized: half the squared error, or half the Poisson deviance of y ≥ 0, whose outputs are exp(z).
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer.
    activation : str, activation object, or a sequence of them
        σ of the hidden layers, as `backpropc.Network` has it: of all of them, or one for each.
    solver : {"adam", "sgd", "lbfgs"}
        How E is minimized.
    alpha : float
        The penalty ½·alpha·Σw² / Σ weights of the batch, over the weights, not the biases.
    batch_size : int or "auto"
        Samples in a step; "auto" is 200, or all where there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}
        How the rate of "sgd" changes: not; as ``learning_rate_init / (t_ + 1)**power_t`` after every epoch; divided by
        5 whenever it is enough, until it is below 1e-6.
    learning_rate_init : float
        The rate of "sgd" and "adam".
    power_t : float
        The exponent of "invscaling".
    max_iter : int
        Epochs (iterations of "lbfgs") at most.
    shuffle : bool
        Whether each epoch takes the samples in a new order.
    random_state : int, RandomState or None
        Where initial parameters, orders and the held-out share come from. The same int gives the same run on every
        machine, and the run that it gives in scikit-learn, up to rounding.
    tol : float
        By how much the loss, or the validation score, must improve; the gradient's bound for "lbfgs".
    verbose : bool or int
        Whether to print each epoch's loss.
    warm_start : bool
        Whether `fit` goes on from the parameters of the last one.
    momentum, nesterovs_momentum : float, bool
        Of "sgd".
    early_stopping : bool
        Whether to watch the score of a part of the samples that is held out, and to end with the best parameters.
    validation_fraction : float
        How large that part is; `fit`'s `validation_data` takes its place.
    beta_1, beta_2, epsilon : float
        Of "adam".
    n_iter_no_change : int or inf
        After how many epochs in a row without improvement it is enough.
    max_fun : int
        Evaluations of E by "lbfgs" at most.
    dropout : float or sequence of float
        The rate with which hidden units are left out in training: of all hidden layers, or one for each. Not by
        "lbfgs".
    optimizer : None, str or optimizer object
        One of `backpropc.OPTIMIZERS`, as ``bp.RMSprop(1e-3)``, in place of `solver` and its parameters.
    epochs : int or None
        A fixed number of epochs (iterations of "lbfgs") in place of `max_iter`, without a ConvergenceWarning.
    keep_optimizer : bool
        Whether a warm start also keeps the optimizer's averages and rate, so that fits go on as if they were one.
    n_threads : int or None
        Of the core while this estimator computes; None leaves it as it is.
    progress : bool
        Whether to show a bar, by tqdm, that counts the epochs of all restarts.
    n_restarts : int
        How many networks `fit` trains, each from a seed of its own, to keep the best: the one of the highest validation
        score where samples are held out or given (of equal ones, of the lowest validation loss), or else of the lowest
        `loss_`. The first is the one of ``n_restarts=1``; restart i has ``random_state + i`` where that is an int,
        and the held-out samples of the first.
        Where the core can train them side by side (see the guide), it does, to the
        same bits. Not with `warm_start`, initial weights or `partial_fit`.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights (fan_in, fan_out) and biases (fan_out,) of each layer; writing to them changes what it predicts.
    network_ : backpropc.Network
        What has them; can be saved, exported, or trained by other means.
    loss_, loss_curve_, best_loss_ : float, list of float, float or None
        E with the penalty: of the last epoch, of every one, the least; the last is None with `early_stopping`.
    validation_scores_, best_validation_score_ : list of float, float; or None
        R² of what was held out after every epoch, and the largest.
    validation_loss_curve_ : list of float
        E of it, without the penalty. Only where samples were held out.
    n_iter_, t_ : int
        Epochs of the last fit; samples seen since the first.
    best_restart_ : int
        Which restart was kept: all other attributes are that one's.
    restart_losses_ : ndarray, shape (n_restarts,)
        Each restart's `loss_`; nan where it was not finite, or the restart was not begun.
    restart_scores_ : ndarray, shape (n_restarts,), or None
        Each restart's validation score, with `early_stopping` the largest; None where no samples were held out.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        Layers, the input counted; outputs; their activation.
    n_features_in_, feature_names_in_ : int, ndarray
        Of X.

    Examples
    --------
    >>> import numpy as np
    >>> from backpropc.sklearn import MLPRegressor
    >>> x = np.linspace(-3, 3, 100)[:, None]
    >>> regressor = MLPRegressor(activation="tanh", solver="lbfgs", random_state=0, max_iter=1000)
    >>> bool(regressor.fit(x, np.sin(x[:, 0])).score(x, np.sin(x[:, 0])) > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }
    _score_function: ClassVar[Callable[..., Any]] = staticmethod(r2_score)

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] = 0.0,
        optimizer: str | Definition | None = None,
        epochs: int | None = None,
        keep_optimizer: bool = False,
        n_threads: int | None = None,
        progress: bool = False,
        n_restarts: int = 1,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.optimizer = optimizer
        self.epochs = epochs
        self.keep_optimizer = keep_optimizer
        self.n_threads = n_threads
        self.progress = progress
        self.n_restarts = n_restarts

    def _validate_input(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, FloatArray, Any]:
        """Return X, y as numbers, and no labels."""
        x, y = validate_data(
            self,
            x,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        self._check_values(y, "y")
        return x, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y, None

    def _check_values(self, y: FloatArray, name: str) -> None:
        if self.loss == "poisson" and np.issubdtype(y.dtype, np.number) and (y < 0).any():
            raise ValueError(f"{name} has the value {y.min():.6g}; with loss='poisson' all must be at least 0")

    def _output_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _encoded(self, y: Any) -> tuple[FloatArray, Any]:
        """Return a validation set's values as rows, and as they are."""
        y = check_array(y, ensure_2d=False, dtype="numeric")
        self._check_values(y, "validation_data's y")
        return y.reshape(len(y), -1), y

    def _decoded(self, y: FloatArray) -> Any:
        return y

    def _predict(self, x: Any, check_input: bool = True) -> FloatArray:
        outputs = self._outputs(x, check_input)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: Any = None,
        coefs_init: Sequence[ArrayLike] | None = None,
        intercepts_init: Sequence[ArrayLike] | None = None,
    ) -> MLPRegressor:
        """Learn from samples.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Samples. float32 is computed in float32, everything else in float64; "lbfgs" always in float64.
        y : array_like, shape (n,) or (n, n_outputs)
            Values.
        sample_weight : array_like, shape (n,)
            How much each sample counts: E of a batch is Σ weight·E / Σ weight.
        validation_data : tuple of (X, y) or (X, y, sample_weight)
            Samples whose loss and score are recorded after every epoch, and which early stopping watches.
        coefs_init, intercepts_init : sequence of array_like
            What weights (fan_in, fan_out) and biases (fan_out,) of each layer start as, in place of random numbers.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError
            Shapes or values do not fit, a parameter is out of its range, or E did not stay finite.
        KeyboardInterrupt
            Ctrl-C, after a whole step. The estimator has what it learned, and can predict and go on.

        Warns
        -----
        ConvergenceWarning
            `max_iter` was reached before it was enough.
        """
        return self._fit(  # type: ignore[no-any-return]
            X,
            y,
            sample_weight,
            incremental=False,
            validation_data=validation_data,
            coefs_init=coefs_init,
            intercepts_init=intercepts_init,
        )

    @available_if(lambda mlp: mlp._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None, *, epochs: int = 1) -> MLPRegressor:
        """Go on learning, with these samples.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        epochs : int
            How often to take the samples.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError
            As for `fit`.
        """
        return self._fit(X, y, sample_weight, incremental=True, epochs=epochs)  # type: ignore[no-any-return]

    def predict(self, X: Any) -> FloatArray:
        """Return the values of samples.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, n_features)
            Samples.

        Returns
        -------
        ndarray, shape (n,) or (n, n_outputs)
        """
        check_is_fitted(self)
        return self._predict(X)
