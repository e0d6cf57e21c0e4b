"""Errors teach: Python's own exception types, and a message that names the argument, what it was and what it must be.

One case for each way to be wrong. `says` are the parts that the message must have, as regular expressions.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import backpropc as bp
from helpers import network


class Case(NamedTuple):
    call: Callable[[], object]
    error: type[Exception] | tuple[type[Exception], ...]
    says: tuple[str, ...]


def net(output: str = "logistic", dtype: str = "float32") -> bp.Network:
    return network([8, 3, 4], "tanh", output, dtype)


def trainer(loss: str = "half_squared_error", output: str = "logistic", **options: object) -> bp.Trainer:
    return bp.Trainer(net(output), loss=loss, optimizer=bp.SGD(0.1), **options)


def spoilt(value: float = np.nan, index: int = 0, name: str = "w") -> bp.Network:
    """A network with one parameter that is not finite."""
    result = net()
    getattr(result.layers[index], name)[..., 0] = value
    return result


X, T = np.ones((5, 8)), np.full((5, 4), 0.25)
W, B = np.ones((8, 4)), np.ones(4)
Z = np.ones((5, 4))
CE, BCE = "softmax_cross_entropy", "binary_cross_entropy"


def t_with(value: float) -> np.ndarray:
    t = T.copy()
    t[2, 1] = value
    return t


def every(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(rf"\b{name}\b" for name in names)


# --- rank and shape ---------------------------------------------------------------------------------------------------

SHAPES = {
    "forward_x_is_a_scalar": Case(lambda: bp.dense_forward(1.0, W, B), ValueError, (r"\bx\b", r"\(\)|scalar|0-d", "8")),
    "forward_x_width": Case(lambda: bp.dense_forward(np.ones((5, 7)), W, B), ValueError, (r"\bx\b", r"\(5, 7\)", "8")),
    "forward_w_rank": Case(lambda: bp.dense_forward(X, np.ones(8), B), ValueError, (r"\bw\b", r"\(8,\)", "fan_in|2")),
    "forward_w_rank_3": Case(
        lambda: bp.dense_forward(X, np.ones((1, 8, 4)), B), ValueError, (r"\bw\b", r"\(1, 8, 4\)", "fan_in|2")
    ),
    "forward_b_length": Case(lambda: bp.dense_forward(X, W, np.ones(3)), ValueError, (r"\bb\b", r"\(3,\)", r"\(4,\)")),
    "forward_b_rank": Case(
        lambda: bp.dense_forward(X, W, np.ones((1, 4))), ValueError, (r"\bb\b", r"\(1, 4\)", r"\(4,\)")
    ),
    "forward_b_is_a_scalar": Case(lambda: bp.dense_forward(X, W, 0.0), ValueError, (r"\bb\b", r"\(4,\)")),
    "backward_da_shape": Case(
        lambda: bp.dense_backward(np.ones((5, 3)), X, W, Z, Z), ValueError, (r"\bda\b", r"\(5, 3\)", r"\(5, 4\)")
    ),
    "backward_da_leading": Case(
        lambda: bp.dense_backward(np.ones((4, 4)), X, W, Z, Z), ValueError, (r"\bda\b", r"\(4, 4\)", r"\(5, 4\)")
    ),
    "backward_x_width": Case(
        lambda: bp.dense_backward(Z, np.ones((5, 7)), W, Z, Z), ValueError, (r"\bx\b", r"\(5, 7\)", "8")
    ),
    "backward_z_shape": Case(
        lambda: bp.dense_backward(Z, X, W, np.ones((5, 5)), Z), ValueError, (r"\bz\b", r"\(5, 5\)", r"\(5, 4\)")
    ),
    "backward_a_shape": Case(
        lambda: bp.dense_backward(Z, X, W, Z, np.ones(4)), ValueError, (r"\ba\b", r"\(4,\)", r"\(5, 4\)")
    ),
    "loss_t_shape": Case(
        lambda: bp.loss_value("half_squared_error", Z, np.ones((5, 3))),
        ValueError,
        (r"\bt\b", r"\(5, 3\)", r"\(5, 4\)"),
    ),
    "loss_gradient_t_shape": Case(
        lambda: bp.loss_gradient("half_squared_error", Z, np.ones(4)), ValueError, (r"\bt\b", r"\(4,\)", r"\(5, 4\)")
    ),
    "loss_a_is_a_scalar": Case(lambda: bp.loss_value("half_squared_error", 1.0, 1.0), ValueError, (r"\ba\b",)),
    "sgd_dw_shape": Case(
        lambda: bp.sgd_update(np.ones((8, 4)), np.ones((4, 8)), 0.1), ValueError, (r"\bdw\b", r"\(4, 8\)", r"\(8, 4\)")
    ),
    "predict_width": Case(lambda: net().predict(np.ones((5, 7))), ValueError, (r"\bx\b", r"\(5, 7\)", "8")),
    "predict_one_sample_width": Case(lambda: net().predict(np.ones(7)), ValueError, (r"\bx\b", r"\(7,\)", "8")),
    "predict_scalar": Case(lambda: net().predict(1.0), ValueError, (r"\bx\b", "8")),
    "loss_rows_of_t": Case(lambda: net().loss(X, T[:4]), ValueError, (r"\bt\b", r"\(4, 4\)", r"\(5, 4\)")),
    "gradients_width_of_t": Case(
        lambda: net().gradients(X, np.ones((5, 3))), ValueError, (r"\bt\b", r"\(5, 3\)", r"\(5, 4\)")
    ),
    "trace_rank_of_t": Case(lambda: net().trace(X, np.ones(5)), ValueError, (r"\bt\b", r"\(5,\)", r"\(5, 4\)")),
    "update_one_sample": Case(lambda: net().update(X[0], T, 0.1), ValueError, (r"\bt\b", r"\(5, 4\)", r"\(4,\)")),
    "fit_t": Case(lambda: trainer().fit(X, T[:2]), ValueError, (r"\bt\b", r"\(2, 4\)", r"\(5, 4\)")),
    "fit_x": Case(lambda: trainer().fit(X[:, 1:], T), ValueError, (r"\bx\b", r"\(5, 7\)", "8")),
    "step_t": Case(lambda: trainer().step(X, T.T), ValueError, (r"\bt", r"\(4, 5\)", r"\(5, 4\)")),
    "validation_t": Case(
        lambda: trainer().fit(X, T, validation_data=(X, T[:2])),
        ValueError,
        ("validation_data", r"\(2, 4\)", r"\(5, 4\)"),
    ),
    "validation_x": Case(
        lambda: trainer().fit(X, T, validation_data=(X[:, :3], T)), ValueError, ("validation_data", r"\(5, 3\)", "8")
    ),
    "fit_no_samples": Case(lambda: trainer().fit(X[:0], T[:0]), ValueError, (r"\bx\b", r"\(0, 8\)|no sample|at least")),
    "loss_no_samples": Case(lambda: net().loss(X[:0], T[:0]), ValueError, (r"\bx\b", r"\(0, 8\)|no sample|at least")),
    "update_no_samples": Case(
        lambda: net().update(X[:0], T[:0], 0.1), ValueError, (r"\bx\b", r"\(0, 8\)|no sample|at least")
    ),
    "set_w": Case(lambda: setattr(net().layers[0], "w", W), ValueError, (r"\bw\b", r"\(8, 4\)", r"\(8, 3\)")),
    "set_b": Case(lambda: setattr(net().layers[0], "b", B), ValueError, (r"\bb\b", r"\(4,\)", r"\(3,\)")),
    "ragged_list": Case(lambda: bp.dense_forward([[1.0], [1.0, 2.0]], W, B), ValueError, (r"\bx\b|inhomogeneous",)),
}

# --- dtype ------------------------------------------------------------------------------------------------------------

OBJECTS, COMPLEX, STRINGS = X.astype(object), X.astype(complex), X.astype(str)
DTYPES = {
    "forward_complex": Case(lambda: bp.dense_forward(COMPLEX, W, B), TypeError, (r"\bx\b", "complex128", "float|real")),
    "forward_object": Case(lambda: bp.dense_forward(OBJECTS, W, B), TypeError, (r"\bx\b", "object", "float|real")),
    "forward_string": Case(lambda: bp.dense_forward(STRINGS, W, B), TypeError, (r"\bx\b", "U|str", "float|real")),
    "forward_none": Case(lambda: bp.dense_forward(None, W, B), TypeError, (r"\bx\b",)),
    "forward_w_complex": Case(lambda: bp.dense_forward(X, W.astype(complex), B), TypeError, (r"\bw\b", "complex128")),
    "backward_da_complex": Case(
        lambda: bp.dense_backward(Z.astype(complex), X, W, Z, Z), TypeError, (r"\bda\b", "complex128")
    ),
    "activate_string": Case(lambda: bp.activate("tanh", "text"), TypeError, (r"\bz\b", "U|str")),
    "loss_t_object": Case(lambda: bp.loss_value("half_squared_error", Z, OBJECTS), TypeError, (r"\bt\b", "object")),
    "predict_complex": Case(lambda: net().predict(COMPLEX), TypeError, (r"\bx\b", "complex128")),
    "predict_object": Case(lambda: net().predict(OBJECTS), TypeError, (r"\bx\b", "object")),
    "update_t_string": Case(lambda: net().update(X, T.astype(str), 0.1), TypeError, (r"\bt\b", "U|str")),
    "fit_x_object": Case(lambda: trainer().fit(OBJECTS, T), TypeError, (r"\bx\b", "object")),
    "network_dtype": Case(
        lambda: bp.Network([2, 2], dtype="float16"), (TypeError, ValueError), ("dtype", "float16", "float32")
    ),
    "network_dtype_int": Case(
        lambda: bp.Network([2, 2], dtype=int), (TypeError, ValueError), ("dtype", "int", "float32")
    ),
    "sizes_not_integers": Case(lambda: bp.Network([2.5, 2]), TypeError, ("layers|sizes", r"2\.5|float")),
    "layers_a_number": Case(lambda: bp.Network(8), TypeError, ("layers|sizes", "8|int")),
    "layers_a_string": Case(lambda: bp.Network("883"), TypeError, ("layers|sizes", "str|'")),
    "layers_a_set": Case(lambda: bp.Network({8, 3}), TypeError, ("layers", "{8, 3}|{3, 8}", "sequence")),
    "layers_a_dict": Case(lambda: bp.Network({8: 3, 3: 8}), TypeError, ("layers", "sequence")),
    "layers_a_long_string": Case(lambda: bp.Network("8, 3, " * 1000), TypeError, ("layers", "'8, 3, 8, 3", "…")),
    "layers_mixed": Case(lambda: bp.Network([8, bp.Dense(8, 3)]), TypeError, ("layers|sizes", "Dense")),
    "activation_not_a_name": Case(lambda: bp.Network([2, 2], activation=3), TypeError, ("activation", "3|int")),
    "learning_rate_a_string": Case(lambda: bp.SGD("fast"), TypeError, ("learning_rate", "str|'fast'")),
    "learning_rate_complex": Case(lambda: bp.sgd_update(W.copy(), W, 1j), TypeError, ("learning_rate", "complex|1j")),
    "seed_a_string": Case(lambda: bp.Network([2, 2], seed="seven"), TypeError, ("seed", "str|'seven'")),
    "seed_a_float": Case(lambda: bp.Network([2, 2], seed=1.5), TypeError, ("seed", r"float|1\.5")),
    "seed_an_array": Case(
        lambda: bp.Network([2, 2], seed=np.array([3])), TypeError, ("seed", r"array of shape \(1,\)", "int")
    ),
    "seed_a_bool": Case(lambda: bp.Network([2, 2], rng=True), TypeError, ("rng", "True", "int")),
    "masked_x": Case(lambda: net().predict(np.ma.array(X)), TypeError, (r"\bx\b", "masked")),
    "masked_t": Case(lambda: net().update(X, np.ma.array(T), 0.1), TypeError, (r"\bt\b", "masked")),
    "masked_w": Case(lambda: bp.sgd_update(np.ma.array(W), W, 0.1), TypeError, (r"\bw\b", "masked")),
    "seed_and_rng": Case(lambda: bp.Network([2, 2], seed=1, rng=2), TypeError, ("seed", "rng")),
    "trainer_seed_and_rng": Case(lambda: trainer(seed=1, rng=2), TypeError, ("seed", "rng")),
    "batch_size_a_float": Case(lambda: trainer(batch_size=1.5), TypeError, ("batch_size", r"float|1\.5")),
    "epochs_a_float": Case(lambda: trainer().fit(X, T, epochs=1.5), TypeError, ("epochs", r"float|1\.5")),
    "trainer_of_what": Case(lambda: bp.Trainer("net", optimizer=bp.SGD(0.1)), TypeError, ("net", "str")),
    "activation_and_z_swapped": Case(
        lambda: bp.activate(Z, "tanh"), TypeError, ("activation", "array", *every(bp.ACTIVATIONS))
    ),
    "optimizer_a_class": Case(
        lambda: bp.Trainer(net(), optimizer=bp.SGD), TypeError, ("optimizer", r"write bp\.SGD\(learning_rate")
    ),
    "optimizer_of_what": Case(lambda: bp.Trainer(net(), optimizer=3), TypeError, ("optimizer", "3|int", "SGD")),
    "ce_classes_as_floats": Case(
        lambda: net("softmax").loss(X, np.zeros(5), loss=CE), (TypeError, ValueError), (r"\bt\b", "float|integer|int")
    ),
}

# --- parameters that are not finite -----------------------------------------------------------------------------------

NOT_FINITE = {
    "loss": Case(lambda: spoilt().loss(X, T), ValueError, (r"\bw\b", r"\b0\b", "nan|finite")),
    "gradients": Case(lambda: spoilt(np.inf, 1).gradients(X, T), ValueError, (r"\bw\b", r"\b1\b", "inf|finite")),
    "trace": Case(lambda: spoilt(np.nan, 1, "b").trace(X, T), ValueError, (r"\bb\b", r"\b1\b", "nan|finite")),
    "update": Case(lambda: spoilt(-np.inf, 0, "b").update(X, T, 0.1), ValueError, (r"\bb\b", r"\b0\b", "inf|finite")),
    "fit": Case(
        lambda: spoilt(index=1).fit(X, T, loss="half_squared_error", optimizer=bp.SGD(0.1)),
        ValueError,
        (r"\bw\b", r"\b1\b"),
    ),
    "step": Case(
        lambda: bp.Trainer(spoilt(), loss="half_squared_error", optimizer=bp.SGD(0.1)).step(X, T),
        ValueError,
        (r"\bw\b", r"\b0\b", "nan|finite"),
    ),
}

# --- sizes ------------------------------------------------------------------------------------------------------------

SIZES = {
    "no_layers": Case(lambda: bp.Network([]), ValueError, ("layers|sizes", r"\[\]|\(\)|empty|at least")),
    "one_size": Case(lambda: bp.Network([8]), ValueError, ("layers|sizes", "8|at least")),
    "zero": Case(lambda: bp.Network([8, 0, 8]), ValueError, ("layers|sizes", r"\b0\b", "at least 1|positive")),
    "negative": Case(lambda: bp.Network([8, -3, 8]), ValueError, ("layers|sizes", "-3", "at least 1|positive")),
    "dense_zero": Case(lambda: bp.Dense(0, 3), ValueError, ("fan_in", r"\b0\b", "at least 1|positive")),
    "dense_negative": Case(lambda: bp.Dense(3, -1), ValueError, ("fan_out", "-1", "at least 1|positive")),
    "dense_chain": Case(
        lambda: bp.Network([bp.Dense(8, 3), bp.Dense(4, 8)]), ValueError, (r"fan_in|layers", r"\b4\b", r"\b3\b")
    ),
    "product_overflows": Case(lambda: bp.Network([2**32, 2**32]), ValueError, ("layers|sizes", "4294967296")),
    "bytes_overflow": Case(
        lambda: bp.Network([2**31, 2**30, 2]), (ValueError, MemoryError), ("layers|sizes|parameters",)
    ),
    "size_overflows": Case(
        lambda: bp.Network([2**64, 2]), (ValueError, OverflowError), ("18446744073709551616|layers|sizes",)
    ),
    "huge_network": Case(
        lambda: bp.Network([2**22, 2**24], dtype="float64"), MemoryError, ("parameters|memory|bytes|alloc",)
    ),
}

# --- names ------------------------------------------------------------------------------------------------------------


NAMES = {
    "activate": Case(lambda: bp.activate("tanhh", Z), ValueError, ("activation", "tanhh", *every(bp.ACTIVATIONS))),
    "forward": Case(
        lambda: bp.dense_forward(X, W, B, "nope"), ValueError, ("activation", "nope", *every(bp.ACTIVATIONS))
    ),
    "backward": Case(
        lambda: bp.dense_backward(Z, X, W, Z, Z, ""), ValueError, ("activation", "''|\"\"", *every(bp.ACTIVATIONS))
    ),
    "network": Case(
        lambda: bp.Network([2, 2], activation="Logistic"),
        ValueError,
        ("activation", "Logistic", *every(bp.ACTIVATIONS)),
    ),
    "output": Case(
        lambda: bp.Network([2, 2], output_activation="max"),
        ValueError,
        ("output_activation", "max", *every(bp.ACTIVATIONS)),
    ),
    "dense": Case(lambda: bp.Dense(2, 2, "sigma"), ValueError, ("activation", "sigma", *every(bp.ACTIVATIONS))),
    "loss_value": Case(lambda: bp.loss_value("mse", Z, Z), ValueError, ("loss", "mse", *every(bp.LOSSES))),
    "loss_gradient": Case(lambda: bp.loss_gradient("l2", Z, Z), ValueError, ("loss", "l2", *every(bp.LOSSES))),
    "net_loss": Case(lambda: net().loss(X, T, loss="l2"), ValueError, ("loss", "l2", *every(bp.LOSSES))),
    "net_update": Case(lambda: net().update(X, T, 0.1, loss="l2"), ValueError, ("loss", "l2", *every(bp.LOSSES))),
    "trainer_loss": Case(lambda: trainer(loss="l2"), ValueError, ("loss", "l2", *every(bp.LOSSES))),
    "initializer": Case(
        lambda: bp.Network([2, 2], initializer="xavier"), ValueError, ("initializer", "xavier", *every(bp.INITIALIZERS))
    ),
    "bias_initializer": Case(
        lambda: bp.Network([2, 2], bias_initializer="one"),
        ValueError,
        ("bias_initializer", "one", *every(bp.INITIALIZERS)),
    ),
    "optimizer": Case(
        lambda: bp.Trainer(net(), optimizer="adamm"), (ValueError, TypeError), ("optimizer", "adamm", "SGD")
    ),
    "row_function": Case(lambda: bp.activation_derivative("softmax", Z), ValueError, ("softmax", "element|row")),
}

# --- numbers ----------------------------------------------------------------------------------------------------------

NUMBERS = {
    "sgd_negative": Case(
        lambda: bp.SGD(-0.1), ValueError, ("learning_rate", r"-0\.1", ">=|negative|at least|positive")
    ),
    "sgd_nan": Case(lambda: bp.SGD(np.nan), ValueError, ("learning_rate", "nan", "finite|number|>=")),
    "sgd_inf": Case(lambda: bp.SGD(np.inf), ValueError, ("learning_rate", "inf", "finite")),
    "sgd_beyond_float64": Case(lambda: bp.SGD(10**400), ValueError, ("learning_rate", "float64", "finite")),
    "sgd_beyond_float32": Case(
        lambda: bp.Trainer(net(), optimizer=bp.SGD(1e39)), ValueError, ("learning_rate", r"1e\+39", "float32", "finite")
    ),
    "update_beyond_float32": Case(
        lambda: net().update(X, T, 1e39), ValueError, ("learning_rate", r"1e\+39", "float32", "finite")
    ),
    "sgd_update_beyond_float32": Case(
        lambda: bp.sgd_update(W.astype("f4"), W, 1e39), ValueError, ("learning_rate", r"1e\+39", "float32", "finite")
    ),
    "momentum_negative": Case(lambda: bp.SGD(0.1, momentum=-1), ValueError, ("momentum", "-1")),
    "momentum_nan": Case(lambda: bp.SGD(0.1, momentum=np.nan), ValueError, ("momentum", "nan")),
    "nesterov_alone": Case(
        lambda: bp.SGD(0.1, nesterov=True), ValueError, ("SGD", "nesterov is True", r"momentum is 0\.0", "above 0")
    ),
    "beta_1": Case(lambda: bp.Adam(beta2=1.0), ValueError, ("Adam", "beta2", r"1\.0", r"\[0, 1\)")),
    "epsilon_negative": Case(
        lambda: bp.RMSprop(epsilon=-1e-8), ValueError, ("RMSprop", "epsilon", "-1e-08", "least 0")
    ),
    "decrease_1": Case(lambda: bp.Rprop(decrease=1), ValueError, ("Rprop", "decrease", r"1\.0", r"\(0, 1\)")),
    "increase_below_1": Case(lambda: bp.Rprop(increase=0.9), ValueError, ("Rprop", "increase", r"0\.9", "least 1")),
    "steps_crossed": Case(
        lambda: bp.Rprop(min_step=2.0, max_step=1.0), ValueError, ("min_step is 2", "at most max_step", r"1\.0")
    ),
    "variant_unknown": Case(
        lambda: bp.Rprop(variant="rprop"),
        ValueError,
        ("variant is 'rprop'", "one of", r"rprop\+, rprop-, irprop\+, irprop-"),
    ),
    "variant_no_name": Case(lambda: bp.Rprop(variant=2), TypeError, ("variant is 2", "one of", "irprop-")),
    "update_negative": Case(lambda: net().update(X, T, -1), ValueError, ("learning_rate", "-1")),
    "update_nan": Case(lambda: net().update(X, T, np.nan), ValueError, ("learning_rate", "nan")),
    "sgd_update_negative": Case(lambda: bp.sgd_update(W.copy(), W, -1), ValueError, ("learning_rate", "-1")),
    "sgd_update_nan": Case(lambda: bp.sgd_update(W.copy(), W, np.nan), ValueError, ("learning_rate", "nan")),
    "batch_size_0": Case(lambda: trainer(batch_size=0), ValueError, ("batch_size", r"\b0\b", "at least 1|positive")),
    "batch_size_negative": Case(
        lambda: trainer(batch_size=-4), ValueError, ("batch_size", "-4", "at least 1|positive")
    ),
    "epochs_negative": Case(lambda: trainer().fit(X, T, epochs=-1), ValueError, ("epochs", "-1")),
    "until_epoch_negative": Case(lambda: trainer().fit(X, T, until_epoch=-1), ValueError, ("until_epoch", "-1")),
    "seed_negative": Case(lambda: bp.Network([2, 2], seed=-1), ValueError, ("seed", "-1")),
    "uniform_nan": Case(
        lambda: bp.Network([2, 2], initializer=bp.uniform(0, np.nan)), ValueError, ("high|uniform", "nan")
    ),
    "uniform_upside_down": Case(
        lambda: bp.Network([2, 2], initializer=bp.uniform(1, 0)),
        ValueError,
        ("uniform", "low is 1", "at most high", "0"),
    ),
    "normal_negative": Case(lambda: bp.Network([2, 2], initializer=bp.normal(-1)), ValueError, ("std", "-1")),
}

# --- targets ----------------------------------------------------------------------------------------------------------

CLASSES = np.array([0, 1, 2, 3, 0])


def classes_with(value: int) -> np.ndarray:
    classes = CLASSES.copy()
    classes[3] = value
    return classes


TARGETS = {
    "class_too_large": Case(
        lambda: net("softmax").loss(X, classes_with(4), loss=CE), ValueError, (r"\bt\b", r"\b4\b", "0|3")
    ),
    "class_negative": Case(
        lambda: net("softmax").loss(X, classes_with(-1), loss=CE), ValueError, (r"\bt\b", "-1", "0|4")
    ),
    "class_in_fit": Case(lambda: trainer(CE, "softmax").fit(X, classes_with(9)), ValueError, (r"\bt\b", r"\b9\b")),
    "class_in_validation": Case(
        lambda: trainer(CE, "softmax").fit(X, CLASSES, validation_data=(X, classes_with(9))),
        ValueError,
        ("validation_data", r"\b9\b"),
    ),
    "class_in_step": Case(lambda: trainer(CE, "softmax").step(X, classes_with(9)), ValueError, (r"\bt", r"\b9\b")),
    "class_in_function": Case(lambda: bp.loss_value(CE, T, classes_with(9)), ValueError, (r"\bt\b", r"\b9\b")),
    "class_of_uint64": Case(
        lambda: net("softmax").loss(X, np.array([0, 0, 0, 2**64 - 1, 0], np.uint64), loss=CE),
        ValueError,
        (r"\bt\[3\]", str(2**64 - 1), "0 to 3"),
    ),
    "class_of_uint64_in_function": Case(
        lambda: bp.loss_value(CE, T, np.array([0, 0, 0, 2**63, 0], np.uint64)), ValueError, (r"\bt\[3\]", str(2**63))
    ),
    "too_few_classes": Case(
        lambda: net("softmax").loss(X, CLASSES[:4], loss=CE), ValueError, (r"\bt\b", r"\(4,\)", "5")
    ),
    "classes_for_another_loss": Case(lambda: net().loss(X, CLASSES), ValueError, (r"\bt\b", r"\(5,\)", r"\(5, 4\)")),
    "ce_above_1": Case(lambda: bp.loss_value(CE, T, t_with(1.5)), ValueError, (r"\bt\b", r"1\.5", r"\[0, 1\]|0 and 1")),
    "ce_below_0": Case(
        lambda: bp.loss_gradient(CE, T, t_with(-0.5)), ValueError, (r"\bt\b", r"-0\.5", r"\[0, 1\]|0 and 1")
    ),
    "ce_rows": Case(
        lambda: net("softmax").loss(X, t_with(0.75), loss=CE), ValueError, (r"\bt\b", r"\b2\b", r"1\.5", "sum")
    ),
    "ce_rows_in_function": Case(
        lambda: bp.loss_value(CE, T, t_with(0.75)), ValueError, (r"\bt\b", r"\b2\b", r"1\.5", "sum")
    ),
    "ce_rows_in_gradient": Case(
        lambda: bp.loss_gradient(CE, T, t_with(0.75)), ValueError, (r"\bt\b", r"\b2\b", r"1\.5", "sum")
    ),
    "poisson_in_function": Case(
        lambda: bp.loss_value("poisson", T, t_with(-0.5)), ValueError, (r"\bt\b", r"-0\.5", "at least 0")
    ),
    "ce_rows_in_fit": Case(lambda: trainer(CE, "softmax").fit(X, t_with(0.75)), ValueError, (r"\bt\b", r"1\.5", "sum")),
    "bce_above_1": Case(
        lambda: net().loss(X, t_with(1.5), loss=BCE), ValueError, (r"\bt\b", r"1\.5", r"\[0, 1\]|0 and 1")
    ),
    "bce_below_0": Case(lambda: net().update(X, t_with(-0.5), 0.1, loss=BCE), ValueError, (r"\bt\b", r"-0\.5")),
    "bce_nan": Case(
        lambda: net().loss(X, t_with(np.nan), loss=BCE), ValueError, (r"\bt\b", "nan", r"\[0, 1\]|0 and 1")
    ),
    "bce_in_fit": Case(lambda: trainer(BCE).fit(X, t_with(2.5)), ValueError, (r"\bt\b", r"2\.5")),
    "bce_in_function": Case(lambda: bp.loss_value(BCE, T, t_with(2.5)), ValueError, (r"\bt\b", r"2\.5")),
}

# --- in place ---------------------------------------------------------------------------------------------------------


def read_only() -> np.ndarray:
    w = np.ones((4, 3))
    w.flags.writeable = False
    return w


IN_PLACE = {
    "read_only": Case(
        lambda: bp.sgd_update(read_only(), np.ones((4, 3)), 0.1), ValueError, (r"\bw\b", "read-only|writ")
    ),
    "not_contiguous": Case(
        lambda: bp.sgd_update(np.ones((4, 6))[:, ::2], np.ones((4, 3)), 0.1), ValueError, (r"\bw\b", "contiguous")
    ),
    "wrong_dtype": Case(
        lambda: bp.sgd_update(np.ones((4, 3), int), np.ones((4, 3)), 0.1),
        TypeError,
        (r"\bw\b", "int64", "float32|float64"),
    ),
    "byte_order": Case(
        lambda: bp.sgd_update(np.ones(3, ">f8" if sys.byteorder == "little" else "<f8"), np.ones(3), 0.1),
        TypeError,
        (r"\bw\b", "byte|>f8|<f8|float64"),
    ),
    "not_an_array": Case(lambda: bp.sgd_update([1.0, 2.0], np.ones(2), 0.1), TypeError, (r"\bw\b", "list", "array")),
}

CASES = {
    f"{group}-{name}": case
    for group, cases in {
        "shape": SHAPES,
        "dtype": DTYPES,
        "not_finite": NOT_FINITE,
        "sizes": SIZES,
        "names": NAMES,
        "numbers": NUMBERS,
        "targets": TARGETS,
        "in_place": IN_PLACE,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_message_teaches(case: Case) -> None:
    with pytest.raises(case.error) as caught:
        case.call()
    message = str(caught.value)
    for part in case.says:
        assert re.search(part, message), f"{part!r} is not in {message!r}"
    assert "\n" not in message
    assert len(message) < 400
    assert not any(word in message for word in ("std::", "0x", "_core", "pybind")), message


def test_predict_passes_on_what_is_not_finite() -> None:
    """Looking is not training: nan in the parameters comes out as nan, so that one can see it."""
    assert np.isnan(spoilt().predict(X)).any()


def test_huge_results_raise_memory_error(dtype: str) -> None:
    """2⁴⁶ rows that are one row in memory: the result cannot be, and says so instead of dying."""
    x = np.broadcast_to(np.zeros((), dtype), (2**46, 8))
    for call in (
        lambda: bp.dense_forward(x, W.astype(dtype), B.astype(dtype)),
        lambda: bp.activate("tanh", x),
        lambda: bp.activation_derivative("tanh", x),
        lambda: bp.loss_gradient("half_squared_error", x, x),
        lambda: net(dtype=dtype).predict(x),
        lambda: net(dtype=dtype).update(x, np.broadcast_to(np.zeros((), dtype), (2**46, 4)), 0.1),
    ):
        with pytest.raises(MemoryError):
            call()


ALL_AT_ONCE = """
import sys
sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[2])
import test_errors
for case in test_errors.CASES.values():
    try:
        case.call()
    except Exception:
        pass
assert test_errors.net().predict(test_errors.X).shape == (5, 4)
print("alive")
"""


def test_nothing_aborts_the_interpreter() -> None:
    """Every wrong call in one process, which then still works, and wrote nothing to standard error."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", ALL_AT_ONCE, here, here.parent], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
