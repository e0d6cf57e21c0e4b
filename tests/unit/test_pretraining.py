"""Pre-training: Boltzmann machines and denoising autoencoders against the oracle, and the networks made of them."""

from __future__ import annotations

import copy
import functools
import json
import os
import pickle
import re
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

import backpropc as bp
from backpropc import _pretraining, boltzmann, denoising, pretraining
from backpropc.pretraining import RBM, DenoisingAutoencoder, pretrain
from helpers import LAYOUTS, assert_same_bits, oracle_net
from oracle import philox, tolerance, vector
from oracle import pretraining as oracle
from oracle.tolerance import assert_within

N_VISIBLE, N_HIDDEN, N = 6, 4, 11


def data(visible: str = "bernoulli", n: int = N, dtype: str = "float64") -> np.ndarray:
    """Rows that are one of two patterns, and a little of neither; the same numbers in both dtypes."""
    rng = np.random.default_rng(0)
    patterns = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 1]], dtype=float)
    x = 0.9 * patterns[rng.integers(0, 2, n)] + 0.1 * rng.random((n, N_VISIBLE))
    return (x if visible == "bernoulli" else 2 * x - 1).astype(np.float32).astype(dtype)


def parameters(rbm: Any) -> np.ndarray:
    return np.concatenate([rbm.w.ravel(), rbm.b, rbm.c])


def random_rbm(visible: str = "bernoulli", dtype: str = "float64") -> RBM:
    rbm, rng = RBM(N_VISIBLE, N_HIDDEN, visible, seed=0, dtype=dtype), np.random.default_rng(1)
    rbm.w, rbm.b, rbm.c = rng.normal(size=(N_VISIBLE, N_HIDDEN)), rng.normal(size=N_HIDDEN), rng.normal(size=N_VISIBLE)
    return rbm


def mirror(rbm: RBM) -> oracle.Rbm:
    return oracle.Rbm(*(np.array(p, dtype=np.float64) for p in (rbm.w, rbm.b, rbm.c)), rbm.visible)


# --- restricted Boltzmann machines against the oracle -----------------------------------------------------------------

RULES: list[dict[str, Any]] = [
    {"k": 1, "persistent": False, "momentum": 0.0, "l2": 0.0},
    {"k": 1, "persistent": False, "momentum": 0.5, "l2": 0.01},
    {"k": 3, "persistent": False, "momentum": 0.0, "l2": 0.0},
    {"k": 1, "persistent": True, "momentum": 0.9, "l2": 0.0},
    {"k": 2, "persistent": True, "momentum": 0.0, "l2": 0.1},
]


def assert_oracles(got: RBM, want: oracle.Rbm, errors: list[float], wanted: list[float], steps: int) -> None:
    """A word decides as in the oracle where its probability, whose slope in z is ¼ at most, is near enough."""
    slack = tolerance.trained([N_VISIBLE, N_HIDDEN, N_VISIBLE], N, steps, parameters(want), got.dtype).max()
    assert want.margin > (N_VISIBLE + 1) / 4 * slack
    assert_within(parameters(got), parameters(want), slack)
    assert_within(errors, wanted, slack)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("visible", pretraining.VISIBLE)
def test_runs_are_the_oracles(visible: str, rule: dict[str, Any], batch_size: int) -> None:
    """11 samples in batches of 4: the last one has 3."""
    x, epochs = data(visible), 3
    rbm = RBM(N_VISIBLE, N_HIDDEN, visible, seed=3, dtype="float64")
    want = oracle.initial(3, N_VISIBLE, N_HIDDEN, visible)
    history = rbm.fit(x, epochs, batch_size, 0.05, **rule)
    errors = want.fit(x, 3, epochs, batch_size, rate=0.05, **rule)
    assert_oracles(rbm, want, history.loss, errors, epochs * -(-N // batch_size))
    assert history.epoch == [0, 1, 2]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("visible", pretraining.VISIBLE)
def test_a_step_is_the_oracles(visible: str, rule: dict[str, Any], dtype: str) -> None:
    """In float32 only one: of many words one would come nearer to its probability than float32 tells."""
    rbm, x = random_rbm(visible, dtype), data(visible, dtype=dtype)
    want = mirror(rbm)
    history = rbm.fit(x, 1, N, 0.1, **rule)
    errors = want.fit(x.astype(float), 0, 1, N, rate=0.1, **rule)
    assert_oracles(rbm, want, history.loss, errors, 1)
    assert rbm.w.dtype == dtype


@pytest.mark.parametrize("visible", pretraining.VISIBLE)
def test_free_energy_is_the_sum_over_hidden_states(visible: str, dtype: str) -> None:
    rbm, x = random_rbm(visible, dtype), data(visible, dtype=dtype)
    exact = mirror(rbm)
    sizes = np.abs(x) @ (np.abs(rbm.c) + np.abs(rbm.w).sum(1)) + np.abs(rbm.b).sum() + N_HIDDEN
    if visible == "gaussian":
        sizes = sizes + np.sum((np.abs(x) + np.abs(rbm.c)) ** 2, axis=1)
    want = [exact.free_energy(row) for row in x.astype(float)]
    roundings = 2 * (N_VISIBLE + N_HIDDEN + tolerance.ELEMENTARY)
    assert_within(rbm.free_energy(x), want, tolerance.bound(roundings, sizes, dtype))
    assert rbm.free_energy(x).dtype == dtype
    assert_same_bits(rbm.free_energy(x[2]), rbm.free_energy(x)[2])


@pytest.mark.parametrize("visible", pretraining.VISIBLE)
def test_transform_and_reconstruct(visible: str, dtype: str) -> None:
    rbm, x = random_rbm(visible, dtype), data(visible, dtype=dtype)
    exact = mirror(rbm)
    h = exact.hidden_mean(x.astype(float))
    for got, want in ((rbm.transform(x), h), (rbm.reconstruct(x), exact.visible_mean(h))):
        assert_within(got, want, tolerance.network([N_VISIBLE, N_HIDDEN, N_VISIBLE], 1, want, dtype))
    net = bp.Network([N_VISIBLE, N_HIDDEN], "logistic", dtype=dtype)
    net.layers[0].w, net.layers[0].b = rbm.w, rbm.b
    assert_same_bits(rbm.transform(x), net.predict(x))
    assert_same_bits(rbm.transform(x[3]), rbm.transform(x)[3])
    assert_same_bits(rbm.reconstruct(x[3]), rbm.reconstruct(x)[3])


def test_persistent_chains_give_the_gradient_of_the_likelihood() -> None:
    """Of 20,000 samples within six standard deviations: each of the model's moments is a mean of numbers in [0, 1]."""
    rbm, n = random_rbm(), 20_000
    rbm.w = 0.3 * rbm.w
    before, x = parameters(rbm), np.tile(data(), (n // N + 1, 1))[:n]
    want = mirror(rbm).gradient(x)
    rbm.fit(x, 1, n, 1.0, k=50, persistent=True, momentum=0.0, l2=0.0)
    got = parameters(rbm) - before
    assert_within(got, np.concatenate([p.ravel() for p in want]), 6 * 0.5 / np.sqrt(n))


@pytest.mark.parametrize(
    "rule", [{}, {"k": 5}, {"momentum": 0.9}, {"persistent": True, "learning_rate": 0.03}], ids=str
)
def test_the_likelihood_rises(rule: dict[str, Any]) -> None:
    """From where all states are almost as likely, towards that of two patterns, ln ½."""
    x = np.round(data(n=40))
    rbm = RBM(N_VISIBLE, N_HIDDEN, seed=0, dtype="float64")
    found = [mirror(rbm).log_likelihood(x)]
    for _ in range(3):
        errors = rbm.fit(x, 200, **rule).loss
        found.append(mirror(rbm).log_likelihood(x))
    assert found[0] == pytest.approx(-N_VISIBLE * np.log(2), abs=0.01)
    assert min(found[1:]) > found[0] + 1.5
    assert errors[-1] < 0.1


def test_the_same_seed_gives_the_same_machine() -> None:
    def trained(seed: int) -> np.ndarray:
        rbm = RBM(N_VISIBLE, N_HIDDEN, seed=seed)
        rbm.fit(data(), 2)
        return parameters(rbm)

    assert_same_bits(trained(5), trained(5))
    assert not np.array_equal(trained(5), trained(6))
    assert not np.array_equal(trained(None), trained(None))


@pytest.mark.parametrize("persistent", [False, True])
def test_another_fit_goes_on(persistent: bool, dtype: str) -> None:
    at_once, in_parts = (RBM(N_VISIBLE, N_HIDDEN, seed=2, dtype=dtype) for _ in range(2))
    at_once.fit(data(), 5, 4, persistent=persistent)
    assert in_parts.fit(data(), 0, 4).epoch == []
    in_parts.fit(data(), 3, 4, persistent=persistent)
    in_parts = pickle.loads(pickle.dumps(in_parts))
    assert copy.deepcopy(in_parts).fit(data(), 2, 4, persistent=persistent).epoch == [3, 4]
    in_parts.fit(data(), 2, 4, persistent=persistent)
    assert_same_bits(parameters(in_parts), parameters(at_once))
    assert in_parts.history.loss == at_once.history.loss
    assert in_parts.history.epoch == [0, 1, 2, 3, 4]


def test_chains_of_another_batch_size_start_anew() -> None:
    rbm = RBM(N_VISIBLE, N_HIDDEN, seed=2)
    for batch_size in (4, 100, 2):
        rbm.fit(data(), 1, batch_size, persistent=True)
    assert np.isfinite(parameters(rbm)).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    x = np.tile(data()[:1], (4, 1)) if layout == "broadcast" else data()
    plain, other = (RBM(N_VISIBLE, N_HIDDEN, seed=2, dtype="float64") for _ in range(2))
    plain.fit(x, 2)
    given = LAYOUTS[layout](x)
    other.fit(given, 2)
    assert_same_bits(parameters(other), parameters(plain))
    assert np.array_equal(given, x)


def test_one_unit_and_one_sample(dtype: str) -> None:
    rbm = RBM(1, 1, seed=0, dtype=dtype)
    rbm.fit([[1]], 200)
    assert rbm.reconstruct([[1]])[0, 0] > 0.8
    assert rbm.transform([1]).shape == (1,)


def test_parameters_are_read_only_and_can_be_assigned() -> None:
    rbm = RBM(N_VISIBLE, N_HIDDEN, seed=0)
    for name in ("w", "b", "c"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(rbm, name)[...] = 0
    rbm.c = np.arange(6)
    assert rbm.c.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"b has shape \(3,\); it must be \(4,\)"):
        rbm.b = np.zeros(3)
    assert repr(rbm) == "RBM(6, 4, 'bernoulli', seed=0, dtype='float32'; 0 epochs done)"


# --- denoising autoencoders -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("visible", pretraining.VISIBLE)
def test_denoising_is_the_oracles(visible: str, batch_size: int, dtype: str) -> None:
    """Inputs are set to 0 and the others left as they are; the targets are whole."""
    autoencoder = DenoisingAutoencoder(N_VISIBLE, N_HIDDEN, "tanh", visible, seed=3, dtype=dtype)
    x, want = data(visible, dtype=dtype), oracle_net(autoencoder.network)
    history = autoencoder.fit(x, 3, batch_size, 0.05, corruption=0.4)
    loss = "binary_cross_entropy" if visible == "bernoulli" else "half_squared_error"
    (seed,) = oracle.seeds(3, 0, 1)
    losses, steps, whole = [], 0, x.astype(float)
    for epoch in range(3):
        rows, order = oracle.corrupted(whole, 3, epoch, 0.4), philox.order(seed, epoch, N)
        found = vector.fit(want, rows[order], whole[order], loss, vector.Sgd(0.05), batch_size, [np.arange(N)])
        losses, steps = losses + found[0], steps + found[1]
    for numbers, wanted in ((autoencoder.network.parameters, want.parameters()), (history.loss, losses)):
        slack = tolerance.trained([N_VISIBLE, N_HIDDEN, N_VISIBLE], N, steps, np.array(wanted), dtype)
        assert_within(numbers, wanted, slack)


def test_large_data_are_corrupted_in_parts() -> None:
    x = np.random.default_rng(0).random((50_000, N_VISIBLE))
    got = denoising._corrupted(x, 0.3, _pretraining.Words(5, 2, oracle.CORRUPTION))
    assert_same_bits(got, oracle.corrupted(x, 5, 2, 0.3))


def test_without_corruption_it_is_a_trainer() -> None:
    autoencoder = DenoisingAutoencoder(N_VISIBLE, N_HIDDEN, seed=1)
    net, x = autoencoder.network.copy(), data()
    autoencoder.fit(x, 4, 3, 0.2, corruption=0.0, momentum=0.5, l2=0.01)
    sgd, (seed,) = bp.SGD(0.2, momentum=0.5), oracle.seeds(1, 0, 1)
    net.fit(x, x, "binary_cross_entropy", sgd, epochs=4, batch_size=3, l2=0.01, seed=seed)
    assert_same_bits(autoencoder.network.parameters, net.parameters)
    assert_same_bits(autoencoder.reconstruct(x), net.predict(x))
    assert_same_bits(autoencoder.transform(x.astype("f4")), net.trace(x, x).a[1])


def test_another_denoising_fit_goes_on() -> None:
    at_once, in_parts = (DenoisingAutoencoder(N_VISIBLE, N_HIDDEN, seed=2) for _ in range(2))
    at_once.fit(data(), 5, 4, momentum=0.5)
    in_parts.fit(data(), 3, 4, momentum=0.5)
    assert in_parts.fit(data(), 2, 4, momentum=0.5).epoch == [3, 4]
    assert_same_bits(in_parts.network.parameters, at_once.network.parameters)
    assert in_parts.history.loss == at_once.history.loss
    in_parts.fit(data(), 1, 5)  # by another rule
    assert in_parts.history.epoch[-1] == 5
    assert repr(in_parts).startswith("DenoisingAutoencoder(6, 4, 'logistic', 'bernoulli', seed=2, dtype='float32'; 6")


def test_it_learns_to_denoise() -> None:
    x = np.round(data(n=200))
    autoencoder = DenoisingAutoencoder(N_VISIBLE, N_HIDDEN, seed=0)
    autoencoder.fit(x, 100)
    noisy = oracle.corrupted(x, 99, 0, 0.25)
    assert np.mean((autoencoder.reconstruct(noisy) - x) ** 2) < 0.3 * np.mean((noisy - x) ** 2)


# --- networks ---------------------------------------------------------------------------------------------------------


def deep(activation: str = "logistic", dtype: str = "float64", **kwargs: Any) -> bp.Network:
    return bp.Network([N_VISIBLE, 5, N_HIDDEN, 3, 2], activation, "softmax", seed=4, dtype=dtype, **kwargs)


@pytest.mark.parametrize("visible", pretraining.VISIBLE)
def test_a_network_is_a_stack_of_machines(visible: str, dtype: str) -> None:
    net, x = deep(dtype=dtype), data(visible, dtype=dtype)
    untouched = net.layers[-1].w.copy()
    options = {"batch_size": 4, "k": 2, "persistent": True, "momentum": 0.3, "l2": 0.01}
    histories = pretrain(net, x, visible=visible, epochs=3, learning_rate=[0.05, 0.1, 0.2], seed=7, **options)
    rows, kinds = x, [visible, "bernoulli", "bernoulli"]
    for layer, kind, seed, rate, history in zip(
        net.layers, kinds, oracle.seeds(7, 0, 3), [0.05, 0.1, 0.2], histories, strict=False
    ):
        rbm = RBM(layer.fan_in, layer.fan_out, kind, seed=seed, dtype=dtype)
        assert rbm.fit(rows, 3, learning_rate=rate, **options).loss == history.loss
        assert_same_bits(layer.w, rbm.w)
        assert_same_bits(layer.b, rbm.b)
        rows = rbm.transform(rows)
    assert len(histories) == 3
    assert_same_bits(net.layers[-1].w, untouched)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
def test_a_network_is_a_stack_of_denoising_autoencoders(activation: str, dtype: str) -> None:
    net, x = deep(activation, dtype), data(dtype=dtype)
    start = net.copy()
    histories = pretrain(net, x, "denoising", epochs=3, batch_size=4, corruption=0.5, seed=7)
    rows, kind = x, "bernoulli"
    for layer, before, seed, history in zip(net.layers, start.layers, oracle.seeds(7, 0, 3), histories, strict=False):
        one = DenoisingAutoencoder(layer.fan_in, layer.fan_out, activation, kind, seed=seed, dtype=dtype)
        one.w[...], one.b[...] = before.w, before.b
        assert one.fit(rows, 3, 4, corruption=0.5).loss == history.loss
        assert_same_bits(layer.w, one.w)
        rows, kind = one.transform(rows), "bernoulli" if activation == "logistic" else "gaussian"


@pytest.mark.parametrize("method", pretraining.METHODS)
def test_frozen_layers_only_pass_on(method: str) -> None:
    net = deep()
    net.layers[0].trainable = net.layers[2].trainable = False
    before = net.copy()
    histories = pretrain(net, data(), method, epochs=2, seed=0)
    assert [len(history.loss) for history in histories] == [0, 2, 0]
    changed = [not np.array_equal(now.w, was.w) for now, was in zip(net.layers, before.layers, strict=True)]
    assert changed == [False, True, False, False]


def test_denoising_keeps_masks() -> None:
    mask = np.random.default_rng(0).random((N_VISIBLE, 5)) < 0.5
    net = bp.Network([bp.Dense(N_VISIBLE, 5, mask=mask), bp.Dense(5, 2)], seed=0)
    before = net.layers[0].w.copy()
    pretrain(net, data(), "denoising", epochs=2, seed=0)
    assert ((net.layers[0].w != 0) == mask).all()
    assert not np.array_equal(net.layers[0].w, before)
    with pytest.raises(ValueError, match=r"layers\[0\] has a mask, which an RBM has not; take method='denoising'"):
        pretrain(net, data())


@pytest.mark.parametrize("method", pretraining.METHODS)
def test_it_makes_a_deep_logistic_network_learn(method: str) -> None:
    """The task that plain gradient descent does not begin to learn in these steps."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 400)
    x = np.abs(np.eye(16)[4 * classes[:, None] + np.arange(4)].sum(1) - (rng.random((400, 16)) < 0.05))
    losses = []
    for prepare in (False, True):
        net = bp.Network([16, *[20] * 5, 4], "logistic", "softmax", seed=0)
        if prepare:
            pretrain(net, x, method, epochs=20, seed=0)
        losses += net.fit(x, classes, "softmax_cross_entropy", bp.SGD(0.1), epochs=10, seed=0).loss[-1:]
    assert losses[0] > 1.3  # ln 4 is 1.39
    assert losses[1] < 0.7


# --- the same bits ----------------------------------------------------------------------------------------------------

GOLDEN = """
    import hashlib, json
    import numpy as np
    import backpropc as bp

    bits = np.random.Philox(key=np.array([0, 1000], np.uint64)).random_raw(203 * 37)
    unit = (bits >> np.uint64(11)).astype(float).reshape(203, 37) * 2.0**-53
    digests = {}

    def record(name, *arrays):
        parts = b"".join(np.ascontiguousarray(a, np.dtype(a.dtype).newbyteorder("<")).tobytes() for a in arrays)
        digests.setdefault(name, set()).add(hashlib.sha256(parts).hexdigest()[:16])

    for threads in (1, 3):
        bp.set_num_threads(threads)
        for dtype in ("float32", "float64"):
            for visible, x in (("bernoulli", unit), ("gaussian", 2 * unit - 1)):
                for persistent in (False, True):
                    rbm = bp.pretraining.RBM(37, 29, visible, seed=1, dtype=dtype)
                    rbm.fit(x, 3, 16, k=2, persistent=persistent)
                    record(f"RBM {visible} {persistent} {dtype}", rbm.w, rbm.b, rbm.c, rbm.free_energy(x))
                wide = bp.pretraining.RBM(37, 700, visible, seed=1, dtype=dtype)
                wide.fit(x, 1, 203)
                record(f"wide {visible} {dtype}", wide.w, wide.b, wide.c)
                net = bp.Network([37, 29, 19, 3], "tanh", "softmax", seed=1, dtype=dtype)
                bp.pretraining.pretrain(net, x, "denoising", visible=visible, epochs=3, seed=1)
                record(f"denoising {visible} {dtype}", net.parameters)
    print(json.dumps({name: sorted(found) for name, found in digests.items()}))
"""
RECORDED = {
    "RBM bernoulli False float32": "2befa482bc235efb",
    "RBM bernoulli True float32": "a213a6bbccf71f15",
    "wide bernoulli float32": "30c7e8ea15f765d8",
    "denoising bernoulli float32": "304e4b13e116ce7e",
    "RBM gaussian False float32": "adb3a2c9f6fb9573",
    "RBM gaussian True float32": "d2dc538c5f2117bd",
    "wide gaussian float32": "39456beef0ee8a6b",
    "denoising gaussian float32": "7263fc03b51a8ded",
    "RBM bernoulli False float64": "3840a3a26e2b0ab1",
    "RBM bernoulli True float64": "54673117ce4c91e6",
    "wide bernoulli float64": "e894a0c2111ca178",
    "denoising bernoulli float64": "1ef9174b73cfc1b9",
    "RBM gaussian False float64": "5852518dd9ca4b55",
    "RBM gaussian True float64": "449f6195126a4dd0",
    "wide gaussian float64": "05cb69c2aa507e29",
    "denoising gaussian float64": "22843d393c454711",
}


@functools.cache
def golden(isa: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(GOLDEN)],
        env={**os.environ, "BACKPROPC_ISA": isa},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("isa", bp.available_isas())
def test_the_recorded_bits_for_any_threads_and_instructions(isa: str) -> None:
    assert golden(isa) == {name: [digest] for name, digest in RECORDED.items()}


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 4), ValueError, "n_visible is 0; it must be at least 1"),
        ((6, 2.5), TypeError, "n_hidden is 2.5; it must be an integer"),
        ((6, 4, "binary"), ValueError, "visible is 'binary'; it must be one of: bernoulli, gaussian"),
        ((6, 4, 1), TypeError, "visible is 1; it must be one of: bernoulli, gaussian"),
    ],
)
def test_machines_that_cannot_be(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RBM(*arguments)


def with_(i: int, j: int, value: float) -> np.ndarray:
    x = data()
    x[i, j] = value
    return x


WRONG_DATA = [
    (with_(3, 5, 1.5), "x[3, 5] is 1.5; with visible='bernoulli' it must be in [0, 1]; scale x, or take"),
    (with_(0, 0, -0.1), "x[0, 0] is -0.10000000149011612; with visible='bernoulli' it must be in [0, 1]"),
    (with_(10, 2, np.nan), "x[10, 2] is nan; it must be finite in float32"),
    (with_(1, 2, 1e300), "x[1, 2] is inf; it must be finite in float32"),
    (data()[:, :5], "x has shape (11, 5); it must be (n, 6)"),
    (data()[0], "x has shape (6,); it must be (n, 6)"),
    (data()[:0], "x has no samples; there must be at least one"),
]


@pytest.mark.parametrize(("x", "message"), WRONG_DATA, ids=range(len(WRONG_DATA)))
def test_data_that_do_not_fit(x: np.ndarray, message: str) -> None:
    rbm, autoencoder, net = RBM(6, 4, seed=0), DenoisingAutoencoder(6, 4, seed=0), deep(dtype="float32")
    before = parameters(rbm), autoencoder.network.parameters.copy(), net.parameters.copy()
    for fit in (rbm.fit, autoencoder.fit, lambda x: pretrain(net, x)):
        with pytest.raises(ValueError, match=re.escape(message).replace(r"0\.10000000149011612", r"0\.1\d*")):
            fit(x)
    for got, want in zip((parameters(rbm), autoencoder.network.parameters, net.parameters), before, strict=True):
        assert_same_bits(got, want)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": -1}, ValueError, "epochs is -1; it must be at least 0"),
        ({"batch_size": 0}, ValueError, "batch_size is 0; it must be at least 1"),
        ({"learning_rate": -0.1}, ValueError, "learning_rate is -0.1; it must be at least 0 and finite in float32"),
        ({"k": 0}, ValueError, "k is 0; it must be at least 1"),
        ({"persistent": 1}, TypeError, "persistent is 1; it must be True or False"),
        ({"momentum": 1.0}, ValueError, "momentum is 1.0; it must be at least 0 and below 1"),
        ({"l2": "much"}, TypeError, "l2 is 'much'; it must be a real number"),
    ],
)
def test_rules_that_cannot_be(options: dict[str, Any], error: type[Exception], message: str) -> None:
    net = deep(dtype="float32")
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        RBM(6, 4, seed=0).fit(data(), **options)
    with pytest.raises(error, match=message):
        pretrain(net, data(), **options)
    assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("corruption", [-0.1, 1.0])
def test_corruption_out_of_range(corruption: float) -> None:
    with pytest.raises(ValueError, match=f"corruption is {corruption}; it must be at least 0 and below 1"):
        DenoisingAutoencoder(6, 4).fit(data(), corruption=corruption)


@pytest.mark.parametrize(
    ("make", "arguments", "error", "message"),
    [
        (lambda: "net", {}, TypeError, r"net is 'net' \(str\); it must be a backpropc.Network"),
        (lambda: bp.Network([6, 2]), {}, ValueError, "net has no hidden layer; pre-training needs at least one"),
        (deep, {"method": "pca"}, ValueError, "method is 'pca'; it must be one of: rbm, denoising"),
        (deep, {"method": None}, TypeError, "method is None; it must be one of: rbm, denoising"),
        (lambda: deep("relu"), {}, ValueError, r"layers\[0\] has activation 'relu'; the hidden units of an RBM are"),
        (deep, {"corruption": 0.1}, ValueError, "corruption is 0.1, but method is 'rbm'; corruption must be None"),
        (deep, {"method": "denoising", "k": 1}, ValueError, "k is 1, but method is 'denoising'; k must be None"),
        (deep, {"learning_rate": [0.1]}, ValueError, "learning_rate has 1 numbers; it must be one number, or 3: one"),
        (deep, {"learning_rate": [0.1, 0.1, -1]}, ValueError, r"learning_rate\[2\] is -1.0; it must be at least 0"),
        (deep, {"seed": 1, "rng": 2}, TypeError, "seed and rng are two names of one argument"),
        (deep, {"seed": -1}, ValueError, "seed is -1; it must be at least 0"),
        (deep, {"visible": "x"}, ValueError, "visible is 'x'; it must be one of: bernoulli, gaussian"),
    ],
)
def test_pretraining_that_cannot_be(make: Any, arguments: Any, error: type[Exception], message: str) -> None:
    net = make()
    before = net.parameters.copy() if isinstance(net, bp.Network) else None
    with pytest.raises(error, match=message):
        pretrain(net, data(), **arguments)
    if before is not None:
        assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("method", pretraining.METHODS)
def test_numbers_that_are_no_longer_finite(method: str) -> None:
    """The layer is as its last finite step left it; the error says which, and where."""
    net, x = deep(dtype="float32"), 1e3 * data("gaussian")
    before = net.copy()
    with pytest.raises(FloatingPointError, match=r"layers\[0\]: .*epoch 1, step \d+.*as (they were|it was) before"):
        pretrain(net, x, method, visible="gaussian", learning_rate=1e30, batch_size=2, seed=0)
    assert np.isfinite(net.parameters).all()
    for now, was in zip(net.layers[1:], before.layers[1:], strict=True):
        assert_same_bits(now.w, was.w)


def test_an_interrupt_leaves_whole_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes after the new parameters are there, but before the step is taken; another fit does the epoch again."""
    quiet, rbm, x = RBM(6, 4, seed=0), RBM(6, 4, seed=0), data()
    quiet.fit(x, 1, 4)
    rbm.fit(x, 1, 4)
    calls = 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise KeyboardInterrupt
        return bp.loss_value(*arguments)

    monkeypatch.setattr(boltzmann, "loss_value", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rbm.fit(x, 5, 4)
    monkeypatch.undo()
    assert rbm.history.epoch == [0]
    order = np.argsort(philox.raw(0, philox.PRETRAINING, 1, N, oracle.ORDER))
    words = _pretraining.Words(0, 1, oracle.SAMPLES)
    rule = boltzmann._Rule(4, 0.1, 1, False, 0.5, 1e-4)
    for start in (0, 4):
        _, quiet._state = quiet._step(x.astype("f4")[order[start : start + 4]], words, rule)
    assert_same_bits(parameters(rbm), parameters(quiet))
    assert rbm.fit(x, 2, 4).epoch == [1, 2]


@pytest.mark.parametrize("method", pretraining.METHODS)
def test_an_interrupted_pretraining_keeps_what_it_has(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers below are done, that one is as its last whole step left it, those above are as they were."""
    net, done, x = deep(), deep(), data()
    before = net.copy()
    pretrain(done, x, method, epochs=3, seed=0)
    learner = RBM if method == "rbm" else DenoisingAutoencoder
    fit, calls = learner.fit, 0

    def interrupted(self: Any, x: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        history = fit(self, x, **options | ({"epochs": 2} if calls == 2 else {}))
        if calls == 2:
            raise KeyboardInterrupt
        return history

    monkeypatch.setattr(learner, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pretrain(net, x, method, epochs=3, seed=0)
    assert_same_bits(net.layers[0].w, done.layers[0].w)
    assert not np.array_equal(net.layers[1].w, before.layers[1].w)
    assert not np.array_equal(net.layers[1].w, done.layers[1].w)
    assert_same_bits(net.layers[2].w, before.layers[2].w)


def test_a_refused_fit_keeps_the_momentum() -> None:
    """The trainer of the last fit holds the velocity: it is not replaced before all arguments are known to be good."""
    x = np.random.default_rng(0).uniform(size=(8, 3))
    one, other = (bp.pretraining.DenoisingAutoencoder(3, 2, seed=0) for _ in range(2))
    for each in (one, other):
        each.fit(x, epochs=2, momentum=0.9)
    with pytest.raises(ValueError, match="epochs is -1; it must be at least 0"):
        one.fit(x, epochs=-1, momentum=0.5)
    for each in (one, other):
        each.fit(x, epochs=2, momentum=0.9)
    assert one.w.tobytes() == other.w.tobytes()
