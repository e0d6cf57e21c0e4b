"""The lecture's equations on NumPy arrays.

float32 in gives float32 out, float64 gives float64; mixed or other real types follow `numpy.result_type` and end in
float64 at most. Inputs of any memory layout are accepted and never modified, except where a function says *in place*.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._arguments import (
    FLOAT32,
    FLOAT64,
    FloatArray,
    as_core,
    check_classes,
    core_dtype,
    rate_for,
    real_array,
    refuse_masked,
    shape_error,
)
from .definitions import ACTIVATION, LOSS, Definition


class DenseForward(NamedTuple):
    """What `dense_forward` returns: the weighted input and the activation, both (..., fan_out)."""

    z: FloatArray
    a: FloatArray


class DenseBackward(NamedTuple):
    """What `dense_backward` returns.

    ``delta`` (..., fan_out), ``dx`` (..., fan_in), ``dw`` (fan_in, fan_out) and ``db`` (fan_out,): ∂E/∂z, ∂E/∂x, ∂E/∂w
    and ∂E/∂b.
    """

    delta: FloatArray
    dx: FloatArray
    dw: FloatArray
    db: FloatArray


def _rows(array: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Fold the leading axes into one: (..., k) to (n, k)."""
    return as_core(array, dtype).reshape(math.prod(array.shape[:-1]), array.shape[-1])


def _weights(w: ArrayLike) -> FloatArray:
    array = real_array(w, "w")
    if array.ndim != 2:
        raise shape_error("w", array.shape, "2-D: (fan_in, fan_out)")
    return array


def _layer_input(x: ArrayLike, w: FloatArray) -> FloatArray:
    array = real_array(x, "x")
    if array.ndim == 0 or array.shape[-1] != w.shape[0]:
        raise shape_error("x", array.shape, f"(..., {w.shape[0]}), as w has shape {w.shape}")
    return array


def dense_forward(x: ArrayLike, w: ArrayLike, b: ArrayLike, activation: str | Definition = "logistic") -> DenseForward:
    """Forward pass of one dense layer: z = x·w + b, a = σ(z).

    Parameters
    ----------
    x : array_like, shape (..., fan_in)
        One sample, or any leading axes of samples.
    w : array_like, shape (fan_in, fan_out)
        Weights.
    b : array_like, shape (fan_out,)
        Biases.
    activation : str or activation object
        σ, one of `ACTIVATIONS`.

    Returns
    -------
    DenseForward
        ``z`` and ``a``, shape (..., fan_out). Each z is one chain of fused multiply-adds that starts at b.

    Raises
    ------
    TypeError
        An array does not hold real numbers.
    ValueError
        Shapes do not fit, or there is no such activation.

    Notes
    -----
    The lecture, "The function computed by the net" and "The backpropagation algorithm", feedforward.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> bp.dense_forward(np.ones(2), np.eye(2), np.array([0.0, 1.0]), "identity").z
    array([1., 2.])
    """
    weights = _weights(w)
    inputs = _layer_input(x, weights)
    biases = real_array(b, "b")
    if biases.shape != weights.shape[1:]:
        raise shape_error("b", biases.shape, f"{weights.shape[1:]}, as w has shape {weights.shape}")
    choice = ACTIVATION.resolve(activation, "activation")._choice
    dtype = core_dtype(inputs, weights, biases)
    z, a = _core.dense_forward(_rows(inputs, dtype), as_core(weights, dtype), as_core(biases, dtype), choice)
    shape = inputs.shape[:-1] + biases.shape
    return DenseForward(z.reshape(shape), a.reshape(shape))


def dense_backward(
    da: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    z: ArrayLike,
    a: ArrayLike,
    activation: str | Definition = "logistic",
) -> DenseBackward:
    """Backward pass of one dense layer: from ∂E/∂a to ∂E/∂z, ∂E/∂x, ∂E/∂w and ∂E/∂b.

    Parameters
    ----------
    da : array_like, shape (..., fan_out)
        ∂E/∂a: at the last layer the loss's gradient, elsewhere the ``dx`` of the layer above.
    x : array_like, shape (..., fan_in)
        The layer's input.
    w : array_like, shape (fan_in, fan_out)
        Weights.
    z, a : array_like, shape (..., fan_out)
        What `dense_forward` returned.
    activation : str or activation object
        σ, the one that made ``a`` of ``z``.

    Returns
    -------
    DenseBackward
        ``delta`` = ∂E/∂z, ``dx`` = ∂E/∂x, ``dw`` = ∂E/∂w and ``db`` = ∂E/∂b; the latter two are sums over the samples.

    Raises
    ------
    TypeError
        An array does not hold real numbers.
    ValueError
        Shapes do not fit, or there is no such activation.

    Notes
    -----
    The lecture's BP1 and BP2 (δ = da ⊙ σ'(z), or the whole Jacobian of softmax; dx = δ·wᵀ), BP3 (db) and BP4 (dw).
    """
    weights = _weights(w)
    inputs = _layer_input(x, weights)
    expected = inputs.shape[:-1] + weights.shape[1:]
    outputs = {name: real_array(value, name) for name, value in (("da", da), ("z", z), ("a", a))}
    for name, array in outputs.items():
        if array.shape != expected:
            raise shape_error(
                name, array.shape, f"{expected}, as x has shape {inputs.shape} and w has shape {weights.shape}"
            )
    choice = ACTIVATION.resolve(activation, "activation")._choice
    dtype = core_dtype(inputs, weights, *outputs.values())
    da_rows, z_rows, a_rows = (_rows(array, dtype) for array in outputs.values())
    delta, dx, dw, db = _core.dense_backward(
        da_rows, _rows(inputs, dtype), as_core(weights, dtype), z_rows, a_rows, choice
    )
    return DenseBackward(delta.reshape(expected), dx.reshape(inputs.shape), dw, db)


def sgd_update(w: FloatArray, dw: ArrayLike, learning_rate: float) -> FloatArray:
    """Gradient descent, in place: w -= learning_rate·dw.

    Parameters
    ----------
    w : ndarray of float32 or float64
        Parameters of any shape, C-contiguous and writable; changed in place.
    dw : array_like
        ∂E/∂w, of w's shape.
    learning_rate : float
        μ, at least 0.

    Returns
    -------
    ndarray
        ``w`` itself.

    Raises
    ------
    TypeError
        ``w`` is not an array of float32 or float64, or ``dw`` does not hold real numbers.
    ValueError
        ``w`` is read-only or not contiguous, the shapes differ, or the rate is negative or not finite in w's dtype.

    Notes
    -----
    The lecture, "updating". Each element is one fused multiply-add.
    """
    if not isinstance(w, np.ndarray):
        raise TypeError(f"w is {type(w).__name__}; it must be a NumPy array, as it is updated in place")
    refuse_masked(w, "w")
    if w.dtype not in (FLOAT32, FLOAT64) or not w.dtype.isnative:
        raise TypeError(f"w has dtype {w.dtype}; it must be float32 or float64, as it is updated in place")
    if not w.flags.writeable:
        raise ValueError("w is read-only; it must be writable, as it is updated in place")
    if not (w.flags.c_contiguous and w.flags.aligned):
        raise ValueError("w is not contiguous; it must be in C order, as it is updated in place")
    gradient = real_array(dw, "dw")
    if gradient.shape != w.shape:
        raise shape_error("dw", gradient.shape, f"{w.shape}, as w")
    rate = rate_for(w.dtype, learning_rate)
    source = as_core(gradient, w.dtype)
    if source is not w and np.may_share_memory(source, w):
        source = source.copy()  # a shifted view of w would be read after it was written
    _core.sgd_update(w.view(np.ndarray), source, rate)
    return w


def activate(activation: str | Definition, z: ArrayLike) -> FloatArray:
    """Activation a = σ(z).

    Parameters
    ----------
    activation : str or activation object
        σ, one of `ACTIVATIONS`.
    z : array_like
        Weighted inputs of any shape; a function of the row (softmax) takes the last axis for a row.

    Returns
    -------
    ndarray
        a, of z's shape.

    Raises
    ------
    TypeError
        ``z`` does not hold real numbers.
    ValueError
        There is no such activation, or ``z`` has no axis for a row.
    """
    definition = ACTIVATION.resolve(activation, "activation")
    array = real_array(z, "z")
    if definition.entry["by_row"] and array.ndim == 0:
        raise shape_error("z", array.shape, f"at least 1-D, as {definition.name} is a function of the row")
    a = _core.activate(as_core(array, core_dtype(z if np.isscalar(z) else array)), definition._choice)
    return a.reshape(array.shape)[()]


def activation_derivative(activation: str | Definition, z: ArrayLike) -> FloatArray:
    """Compute the derivative σ'(z) of an element-wise activation.

    Parameters
    ----------
    activation : str or activation object
        σ, an element-wise one of `ACTIVATIONS`.
    z : array_like
        Weighted inputs of any shape.

    Returns
    -------
    ndarray
        σ'(z), of z's shape.

    Raises
    ------
    TypeError
        ``z`` does not hold real numbers.
    ValueError
        There is no such activation, or it is a function of the whole row, whose derivative is a matrix.

    Notes
    -----
    The lecture, "Derivatives of common activation functions". relu's at 0 is 0.
    """
    definition = ACTIVATION.resolve(activation, "activation")
    if definition.entry["by_row"]:
        raise ValueError(
            f"activation is {definition.name!r}, whose outputs depend on the whole row: its derivative is a matrix, "
            "not an element-wise function; it must be an element-wise activation (dense_backward handles both)"
        )
    array = real_array(z, "z")
    d = _core.activation_derivative(as_core(array, core_dtype(z if np.isscalar(z) else array)), definition._choice)
    return d.reshape(array.shape)[()]


def _pair(a: ArrayLike, t: ArrayLike, loss: str | Definition) -> tuple[Definition, FloatArray, FloatArray]:
    """Return the loss, and a and t as rows of one dtype."""
    definition = LOSS.resolve(loss, "loss")
    outputs, targets = real_array(a, "a"), real_array(t, "t")
    if outputs.ndim == 0:
        raise shape_error("a", outputs.shape, "at least 1-D: (..., outputs)")
    kind = definition.entry["targets"]
    if kind == "distribution" and targets.dtype.kind in "iu" and targets.shape == outputs.shape[:-1]:
        dtype = core_dtype(outputs)
        return definition, _rows(outputs, dtype), _one_hot(targets, outputs.shape[-1], dtype)
    if targets.shape != outputs.shape:
        classes = f", or integer classes of shape {outputs.shape[:-1]}" if kind == "distribution" else ""
        raise shape_error("t", targets.shape, f"{outputs.shape}, as a{classes}")
    dtype = core_dtype(outputs, targets)
    return definition, _rows(outputs, dtype), _rows(targets, dtype)


def _one_hot(classes: FloatArray, outputs: int, dtype: np.dtype[Any]) -> FloatArray:
    flat = classes.reshape(-1)
    check_classes(flat, outputs)
    rows = np.zeros((flat.size, outputs), dtype)
    rows[np.arange(flat.size), flat] = 1.0
    return rows


def loss_value(loss: str | Definition, a: ArrayLike, t: ArrayLike) -> Any:
    """Loss E: the mean over the samples of the per-sample loss.

    Parameters
    ----------
    loss : str or loss object
        One of `LOSSES`.
    a : array_like, shape (..., outputs)
        Activations of the last layer.
    t : array_like
        Targets, of a's shape; for ``softmax_cross_entropy`` also integer classes of shape (...).

    Returns
    -------
    numpy.floating
        E, of the arrays' dtype; nan where there are no samples.

    Raises
    ------
    TypeError
        An array does not hold real numbers.
    ValueError
        The shapes differ, a target is none that the loss knows, or there is no such loss.

    Notes
    -----
    The lecture, "Overall structure": E = ½ Σⱼ (aⱼ − tⱼ)² of one sample is ``half_squared_error`` here.
    """
    definition, outputs, targets = _pair(a, t, loss)
    return outputs.dtype.type(_core.loss_value(outputs, targets, definition._choice))


def loss_gradient(loss: str | Definition, a: ArrayLike, t: ArrayLike) -> FloatArray:
    """Gradient ∇ₐE of the mean loss over the samples.

    Parameters
    ----------
    loss : str or loss object
        One of `LOSSES`.
    a : array_like, shape (..., outputs)
        Activations of the last layer.
    t : array_like
        Targets, of a's shape; for ``softmax_cross_entropy`` also integer classes of shape (...).

    Returns
    -------
    ndarray, shape (..., outputs)
        ∂E/∂a, of E as `loss_value` gives it: it includes the division by the number of samples.

    Raises
    ------
    TypeError
        An array does not hold real numbers.
    ValueError
        The shapes differ, a target is none that the loss knows, or there is no such loss.

    Notes
    -----
    The lecture, BP1; the true gradient, a − t for ``half_squared_error`` and one sample.
    """
    definition, outputs, targets = _pair(a, t, loss)
    return _core.loss_gradient(outputs, targets, definition._choice).reshape(real_array(a, "a").shape)
