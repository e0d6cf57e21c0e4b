"""Sparse connectivity: weights that a mask leaves out are 0 and remain so, whatever else is asked of a step."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from helpers import assert_same_bits, network, oracle_net, targets
from oracle import control, optimizers, philox
from oracle.tolerance import assert_within

SIZES = [5, 4, 3]
HALF = "half_squared_error"
MASKS = [np.random.default_rng(2).random((5, 4)) < 0.6, np.random.default_rng(3).random((4, 3)) < 0.5]


def data(n: int = 23) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, SIZES[0])), targets(HALF, rng, (n, SIZES[-1]))


def sparse(dtype: str = "float64", masks: Any = MASKS) -> bp.Network:
    layers = [bp.Dense(5, 4, "tanh", mask=masks[0]), bp.Dense(4, 3, "logistic", mask=masks[1])]
    return bp.Network(layers, seed=7, dtype=dtype)


def left_out(net: bp.Network) -> np.ndarray:
    """All weights that should be 0."""
    return np.concatenate([layer.w[~layer.mask] for layer in net.layers if layer.mask is not None])


def is_zero(array: np.ndarray) -> bool:
    """Whether all are +0, to the bit."""
    return not array.view(np.uint8).any()


OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "rmsprop": ("RMSprop", {}),
    "adagrad": ("Adagrad", {}),
    "adam": ("Adam", {"amsgrad": True}),
    "adamw": ("AdamW", {}),
    **{variant: ("Rprop", {"variant": variant}) for variant in ("rprop+", "rprop-", "irprop+", "irprop-")},
    "quickprop": ("Quickprop", {"learning_rate": 0.05}),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "alone": {},
    "penalties": {"l1": 0.01, "l2": 0.02},
    "bounds": {"clip_value": 0.05, "max_norm": 0.6},
    "norm": {"clip_norm": 0.01},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("batch_size", [1, 5, 23])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_the_oracles(name: str, batch_size: int, options: str) -> None:
    kind, arguments = OPTIMIZERS[name]
    net, (x, t) = sparse(), data()
    mirror, optimizer = oracle_net(net), optimizers.OPTIMIZERS[kind](**arguments)
    given = OPTIONS[options]
    bp.Trainer(net, optimizer=getattr(bp, kind)(**arguments), batch_size=batch_size, seed=3, **given).fit(
        x, t, epochs=3
    )
    more: Any = {key: [value] * 2 if key in ("l1", "l2") else value for key, value in given.items()}
    for epoch in range(3):
        order = philox.order(3, epoch, 23)
        for at in range(0, 23, batch_size):
            batch = order[at : at + batch_size]
            control.step(mirror, x[batch], t[batch], HALF, optimizer, connected=MASKS, **more)
    want = mirror.parameters()
    assert_within(net.parameters, want, 1e-10 * np.abs(want).max())
    assert is_zero(left_out(net))


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_mask_that_is_set_in_the_middle_of_a_run_holds(name: str, batch_size: int, dtype: str) -> None:
    """Whatever the optimizer remembers of the weights that it takes away. Without it they learn again."""
    kind, arguments = OPTIMIZERS[name]
    net, (x, t) = network(SIZES, "tanh", "logistic", dtype), data()
    trainer = bp.Trainer(net, optimizer=getattr(bp, kind)(**arguments), batch_size=batch_size, seed=3)
    trainer.fit(x, t)
    before = net.parameters.copy()
    for layer, mask in zip(net.layers, MASKS, strict=True):
        layer.mask = mask
    assert is_zero(left_out(net))
    kept = np.concatenate([np.concatenate([mask.ravel(), np.ones(mask.shape[1], bool)]) for mask in MASKS])
    assert_same_bits(net.parameters, np.where(kept, before, 0))
    trainer.fit(x, t, epochs=2)
    trainer.step(x, t)
    assert is_zero(left_out(net))
    net.layers[0].mask = None
    assert net.layers[0].mask is None
    trainer.fit(x, t)
    assert net.layers[0].w.all()


def test_a_mask_of_ones_changes_no_bit(dtype: str) -> None:
    (x, t), ones = data(), [np.ones((5, 4)), np.ones((4, 3), int)]
    for batch_size in (1, 5):
        for optimizer in (bp.SGD(0.1), bp.Adam()):
            nets = [sparse(dtype, masks) for masks in (ones, [None, None])]
            for net in nets:
                net.fit(x, t, optimizer=optimizer, batch_size=batch_size, epochs=2, seed=1)
            assert_same_bits(nets[0].parameters, nets[1].parameters)


def test_initial_weights_are_those_of_a_whole_network_and_zeros(dtype: str) -> None:
    whole, net = sparse(dtype, [None, None]), sparse(dtype)
    for layer, all_of, mask in zip(net.layers, whole.layers, MASKS, strict=True):
        assert_same_bits(layer.w, np.where(mask, all_of.w, 0).astype(dtype))
        assert_same_bits(layer.mask, mask)


def test_gradients_and_traces_are_0_where_there_is_no_weight(dtype: str) -> None:
    net, (x, t) = sparse(dtype), data()
    whole = sparse(dtype, [None, None])
    whole.parameters = net.parameters
    found, want, trace = net.gradients(x, t), whole.gradients(x, t), net.trace(x, t)
    for mask, of_found, of_want, dw in zip(MASKS, found.layers, want.layers, trace.dw, strict=True):
        assert_same_bits(of_found.dw, np.where(mask, of_want.dw, 0).astype(dtype))
        assert_same_bits(of_found.db, of_want.db)
        assert_same_bits(dw, of_found.dw)


def test_what_is_assigned_is_masked_and_what_is_written_into_a_view_is_with_the_next_step(dtype: str) -> None:
    net, (x, t) = sparse(dtype), data()
    net.layers[0].w = np.ones((5, 4))
    assert_same_bits(net.layers[0].w, MASKS[0].astype(dtype))
    net.layers[1].w += 1
    assert is_zero(left_out(net))
    net.parameters = np.ones(net.n_parameters)
    assert is_zero(left_out(net))
    assert net.parameters.sum() == sum(mask.sum() for mask in MASKS) + 7
    for optimizer in (bp.SGD(0.1), bp.Adam()):
        net.layers[0].w[...] = 1
        assert not is_zero(left_out(net))
        bp.Trainer(net, optimizer=optimizer).step(x, t)
        assert is_zero(left_out(net))


def test_updates_and_frozen_layers(dtype: str) -> None:
    net, (x, t) = sparse(dtype), data()
    net.layers[0].trainable = False
    before = net.layers[0].w.copy()
    for i in range(3):
        net.update(x[i], t[i], 0.5)
    net.fit(x, t, optimizer=bp.SGD(0.5), batch_size=1)
    assert_same_bits(net.layers[0].w, before)
    assert is_zero(left_out(net))


@pytest.mark.parametrize("optimizer", [bp.SGD(0.1), bp.Adam()], ids=str)
def test_the_bits_do_not_depend_on_threads(optimizer: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, t, mask = rng.normal(size=(200, 90)), rng.uniform(size=(200, 37)), rng.random((90, 300)) < 0.3
    results = []
    for n in (1, 2, 5):
        with bp.num_threads(n):
            net = bp.Network([bp.Dense(90, 300, "tanh", mask=mask), bp.Dense(300, 37)], seed=0, dtype=dtype)
            net.fit(x, t, optimizer=optimizer, batch_size=64, epochs=2, seed=1)
            results.append(net.parameters.copy())
            assert is_zero(left_out(net))
    for result in results[1:]:
        assert_same_bits(result, results[0])


# --- what a mask is ---------------------------------------------------------------------------------------------------


def test_a_mask_is_read_only_and_its_own() -> None:
    given = MASKS[0].copy()
    dense = bp.Dense(5, 4, mask=given)
    net = bp.Network([dense], seed=0)
    given[...] = False
    for mask in (dense.mask, net.layers[0].mask):
        assert mask is not None
        assert mask.dtype == bool
        assert_same_bits(mask, MASKS[0])
        with pytest.raises(ValueError, match="read-only"):
            mask[0, 0] = True
    assert bp.Dense(5, 4).mask is None
    assert bp.Network([5, 4], seed=0).layers[0].mask is None


def test_plans_compare_and_show_their_masks() -> None:
    plan = bp.Dense(5, 4, mask=MASKS[0])
    assert plan == bp.Dense(5, 4, mask=MASKS[0].astype(int).tolist())
    assert hash(plan) == hash(bp.Dense(5, 4, mask=MASKS[0]))
    assert plan != bp.Dense(5, 4)
    assert plan != bp.Dense(5, 4, mask=~MASKS[0])
    n = MASKS[0].sum()
    assert repr(plan) == f"Dense(5, 4, 'logistic', mask=<{n} of 20 weights>)"
    assert repr(bp.Network([plan]).layers[0]) == f"Layer(5, 4, 'logistic', mask=<{n} of 20 weights>)"


WRONG = [
    (np.ones((4, 5)), ValueError, r"mask has shape \(4, 5\); it must be \(5, 4\), as w"),
    (1, ValueError, r"mask has shape \(\); it must be \(5, 4\)"),
    (np.full((5, 4), 0.5), ValueError, r"mask\[0, 0\] is 0.5; it must be 0 or 1"),
    (np.where(np.arange(20).reshape(5, 4) == 6, np.nan, 1), ValueError, r"mask\[1, 2\] is nan; it must be 0 or 1"),
    (np.full((5, 4), "x"), TypeError, r"mask has dtype .*; it must hold real numbers"),
    ([[1, 0], [1]], ValueError, "mask is not an array"),
]


@pytest.mark.parametrize(("mask", "error", "message"), WRONG)
def test_what_is_refused(mask: Any, error: type[Exception], message: str) -> None:
    net = sparse()
    with pytest.raises(error, match=message):
        bp.Dense(5, 4, mask=mask)
    with pytest.raises(error, match=message):
        net.layers[0].mask = mask
    assert_same_bits(net.layers[0].mask, MASKS[0])


# --- copies and files -------------------------------------------------------------------------------------------------


def test_copies_have_the_mask(tmp_path: Path, dtype: str) -> None:
    net, (x, t) = sparse(dtype), data()
    net.layers[1].mask = None
    net.layers[1].mask = ~MASKS[1]
    net.save(tmp_path / "net")
    trainer = bp.Trainer(net, optimizer=bp.Adam(), batch_size=5, seed=0)
    trainer.save(tmp_path / "run")
    twins = [net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net)), bp.Network.load(tmp_path / "net")]
    twins.append(bp.Trainer.load(tmp_path / "run").network)
    trainer.fit(x, t)
    assert is_zero(left_out(net))
    for twin in twins:
        assert_same_bits(twin.layers[0].mask, MASKS[0])
        assert_same_bits(twin.layers[1].mask, ~MASKS[1])
        twin.fit(x, t, optimizer=bp.Adam(), batch_size=5, seed=0)
        assert_same_bits(twin.parameters, net.parameters)
    twins[0].layers[0].mask = None
    assert_same_bits(net.layers[0].mask, MASKS[0])


def test_a_network_without_a_mask_is_saved_as_before(tmp_path: Path) -> None:
    bp.Network([3, 2], seed=0).save(tmp_path / "net")
    assert b"mask" not in (tmp_path / "net").read_bytes()


def test_files_with_wrong_masks_are_refused(tmp_path: Path) -> None:
    net = bp.Network([bp.Dense(2, 2, mask=[[1, 0], [0, 1]])], seed=0)
    net.save(tmp_path / "net")
    good = (tmp_path / "net").read_bytes()
    mask_at = len(good) - 4
    assert good[mask_at:] == bytes([1, 0, 0, 1])
    for change, message in (
        (lambda b: b[:mask_at] + bytes([1, 0, 0, 2]), r"layers\.0\.mask has the value 2; it must be 0 or 1"),
        (lambda b: b[:mask_at] + bytes([0, 0, 0, 1]), r"layers\.0\.mask leaves out weights that are not 0"),
        (lambda b: b.replace(b'"BOOL"', b'"U8"  '), "dtype 'U8'; it must be BOOL"),
        (lambda b: b.replace(b"masked", b"maskee"), "have 'maskee'"),
        (lambda b: b.replace(b'masked\\":true', b'masked\\":   0'), r"layers\[0\]: masked is 0; it must be true"),
        (lambda b: b.replace(b"layers.0.mask", b"layers.1.mask"), r"its tensors lack 'layers\.0\.mask'"),
    ):
        assert change(good) != good
        (tmp_path / "bad").write_bytes(change(good))
        with pytest.raises(ValueError, match=message):
            bp.Network.load(tmp_path / "bad")
    net.layers[0].w[...] = 1
    with pytest.raises(ValueError, match=r"layers\.0\.mask leaves out weights that are not 0"):
        net.save(tmp_path / "net")
