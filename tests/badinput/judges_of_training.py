"""The oracle's word on training by gradient descent: of networks, trainers, populations, and layers before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import backpropc as bp
from helpers import assert_same_bits, oracle_net
from oracle import philox, pretraining, tolerance, vector
from oracle.tolerance import assert_within

from . import entries
from .judges_of_networks import assert_saved, initial, sizes_given
from .judging import (
    Case,
    MachineBefore,
    NetworkBefore,
    PopulationBefore,
    assert_predicted,
    count,
    judge,
    number,
    only_if,
    sizes_of,
    traced,
)

STOPPED = 2  # epochs, after which the callback of the good calls ends a run


# --- networks ---------------------------------------------------------------------------------------------------------


@judge("Network.update", takes=("x", "t", "learning_rate", "loss"))
def updated(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    (x, t), loss = case.samples(before), case.loss_name()
    rate = float(np.asarray(number(case.before["learning_rate"])).astype(before.dtype))
    want, bounds = traced(before.net, x, t, loss, before.dtype)
    assert_within(case.result, want.loss, bounds.loss, "E")
    for i, layer in enumerate(case.after["self"].layers):
        for name, got, old in (("w", layer.w, before.net.w[i]), ("b", layer.b, before.net.b[i])):
            step, slack = rate * getattr(want, f"d{name}")[i], rate * getattr(bounds, f"d{name}")[i]
            slack = slack + tolerance.bound(3, np.abs(old) + np.abs(step), before.dtype)
            assert_within(got, old - step, slack, f"{name}[{i}]")


def optimizer_of(value: Any) -> vector.Sgd:
    only_if(type(value) is bp.SGD)
    return vector.Sgd(**value.parameters)


def epochs_of(case: Case) -> int:
    """How many a run takes: the good calls' callback ends it."""
    epochs, callbacks = count(case.before.get("epochs", 1)), case.before.get("callbacks", ())
    only_if(type(callbacks) in (list, tuple))
    if callbacks:
        only_if(len(callbacks) == 1 and callbacks[0] is entries.stop_early)
        return min(epochs, STOPPED)
    only_if(epochs <= 10)
    return epochs


def orders(seed: int | None, epochs: int, n: int) -> list[np.ndarray]:
    """Of each epoch; None is without shuffling."""
    return [np.arange(n) if seed is None else philox.order(seed, epoch, n) for epoch in range(epochs)]


class Run:
    """What the oracle makes of a fit, and how far another may be from it."""

    def __init__(
        self, net: vector.Net, x: np.ndarray, t: np.ndarray, loss: str, sgd: Any, batch: int, orders: list[np.ndarray]
    ) -> None:
        only_if(x.ndim == 2 and batch >= 1)
        self.net, self.samples = net.copy(), len(x)
        self.losses, self.steps = vector.fit(self.net, x, t, loss, sgd, batch, orders)
        only_if(np.all(np.isfinite([*self.losses, *self.net.parameters()])))
        only_if(np.max(np.abs(self.net.parameters())) <= 10.0)  # no longer about 1

    def holds(self, parameters: np.ndarray, losses: Any, dtype: Any) -> None:
        pairs = ((parameters, self.net.parameters(), "parameters"), (losses, self.losses, "losses"))
        for got, want, what in pairs:
            slack = tolerance.trained(sizes_of(self.net), self.samples, self.steps, np.array(want), dtype)
            assert_within(got, want, slack, what)


@judge("Network.fit", takes=("x", "t", "loss", "optimizer", "epochs", "batch_size", "shuffle", "seed", "callbacks"))
def fitted(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    shuffle = case.before.get("shuffle", True)
    only_if(type(shuffle) is bool)
    seed = count(case.before["seed"]) if shuffle else None
    (x, t), batch = case.samples(before), count(case.before.get("batch_size", 32))
    order = orders(seed, epochs_of(case), len(x))
    run = Run(before.net, x, t, case.loss_name(), optimizer_of(case.before["optimizer"]), batch, order)
    run.holds(case.after["self"].parameters, case.result.loss, before.dtype)
    assert case.result.epoch == list(range(len(order)))


@judge("Trainer.fit", takes=("x", "t", "epochs", "until_epoch", "callbacks"))
def trained(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    only_if(case.before.get("until_epoch") is None)
    x, t = case.samples(before)
    order, rule = orders(entries.TRAINER["seed"], epochs_of(case), len(x)), entries.TRAINER
    run = Run(before.net, x, t, case.loss_name(), vector.Sgd(rule["learning_rate"]), rule["batch_size"], order)
    run.holds(case.after["self"].network.parameters, case.result.loss, before.dtype)
    assert case.after["self"].step_count == run.steps


@judge("Trainer.step", takes=("x", "t"))
def stepped(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    x, t = (np.atleast_2d(each) for each in case.samples(before))
    sgd, order = vector.Sgd(entries.TRAINER["learning_rate"]), orders(None, 1, len(x))
    run = Run(before.net, x, t, case.loss_name(), sgd, len(x), order)
    run.holds(case.after["self"].network.parameters, [case.result], before.dtype)


# --- populations ------------------------------------------------------------------------------------------------------


@judge("Population", takes=("layers", "n", "activation", "output_activation", "seed"))
def population_made(case: Case) -> None:
    sizes, seed, n = sizes_given(case), count(case.before["seed"]), count(case.before["n"])
    only_if(seed + n < 2**64 and n <= 100)
    assert case.result.n == n
    for i, got in enumerate(case.result.parameters):
        assert_same_bits(got, initial(seed + i, sizes, "glorot_uniform").astype(np.float32))


@judge("Population.copy")
def population_copied(case: Case) -> None:
    assert_same_bits(case.result.parameters, case.before["self"].flat)


@judge("Population.__getitem__", takes=("index",))
def members(case: Case) -> None:
    index = case.before["index"]
    only_if(type(index) is int or type(index) is list or type(index) is range)
    want = case.before["self"].flat[index if type(index) is int else np.array(index)]
    assert_same_bits(case.result.parameters, want)


@judge("Population.parameters=", takes=("parameters",))
def population_assigned(case: Case) -> None:
    got = case.after["self"].parameters
    assert_same_bits(got, case.array("parameters").astype(got.dtype))


@judge("Population.predict", takes=("x",))
def population_predicts(case: Case) -> None:
    before: PopulationBefore = case.before["self"]
    x = case.read("x", before)
    for net, got in zip(before.nets, case.result, strict=True):
        assert_predicted(net, x, got, before.dtype)


@judge("Population.mean_predict", takes=("x",))
def population_predicts_its_mean(case: Case) -> None:
    before: PopulationBefore = case.before["self"]
    x = case.read("x", before)
    want = np.mean([vector.forward(net, x)[1][-1] for net in before.nets], axis=0)
    samples = len(x) if x.ndim == 2 else 1
    assert_within(case.result, want, tolerance.network(before.sizes, samples, want, before.dtype), "mean")


@judge("Population.loss", takes=("x", "t", "loss"))
def population_lost(case: Case) -> None:
    before: PopulationBefore = case.before["self"]
    for net, got in zip(before.nets, case.result, strict=True):
        want, bounds = traced(net, *case.samples(before), case.loss_name(), before.dtype)
        assert_within(got, want.loss, bounds.loss, "E")


@judge("Population.fit", takes=("x", "t", "loss", "optimizer", "epochs", "batch_size", "shuffle", "seed", "callbacks"))
def population_fitted(case: Case) -> None:
    before: PopulationBefore = case.before["self"]
    shuffle, seed = case.before.get("shuffle", True), count(case.before["seed"])
    only_if(type(shuffle) is bool and seed < 2**63)
    (x, t), epochs, batch = case.samples(before), epochs_of(case), count(case.before.get("batch_size", 32))
    for i, net in enumerate(before.nets):
        sgd, order = optimizer_of(case.before["optimizer"]), orders(seed + i if shuffle else None, epochs, len(x))
        run = Run(net, x, t, case.loss_name(), sgd, batch, order)
        run.holds(case.after["self"].parameters[i], case.result[i].loss, before.dtype)


def runs_of_the_good_population(epochs: int) -> Iterator[Run]:
    """Of the networks of the population that the good calls find trained."""
    x, t = (each.astype(entries.DTYPE.get()).astype(np.float64) for each in (entries.x(), entries.t()))
    for i, member in enumerate(entries.population()):
        yield Run(oracle_net(member), x, t, "half_squared_error", vector.Sgd(0.1), 32, orders(i, epochs, len(x)))


@judge("Population.resume", takes=("x", "t", "callbacks", "until_epoch"))
def population_resumed(case: Case) -> None:
    """With the samples of the fit before; others may be refused, or be the user's own mistake."""
    before: PopulationBefore = case.before["self"]
    for name, good in (("x", entries.x()), ("t", entries.t())):
        only_if(np.array_equal(case.array(name).astype(before.dtype), good.astype(before.dtype)))
    callbacks, until = case.before.get("callbacks", ()), case.before.get("until_epoch", 1)
    only_if(type(callbacks) in (list, tuple))
    until = min(count(until), STOPPED) if callbacks else count(until)
    only_if(1 <= until <= 10)
    for i, run in enumerate(runs_of_the_good_population(until)):
        run.holds(case.after["self"].parameters[i], run.losses, before.dtype)
        slack = tolerance.trained(before.sizes, run.samples, run.steps, np.array(run.losses), before.dtype)
        assert_within(case.result[i].loss, run.losses[1:], slack[1:])


@judge("PopulationHistory.__getitem__", takes=("index",))
def history_of_one(case: Case) -> None:
    index = case.before["index"]
    only_if(type(index) is int)
    run = list(runs_of_the_good_population(1))[index]
    run.holds(run.net.parameters(), case.result.loss, entries.DTYPE.get())


@judge("PopulationHistory.last", takes=("name",))
def last_of_a_history(case: Case) -> None:
    only_if(case.before["name"] == "loss")
    for run, got in zip(runs_of_the_good_population(1), case.result, strict=True):
        run.holds(run.net.parameters(), [got], entries.DTYPE.get())


@judge("Population.best")
def best_of_all(case: Case) -> None:
    """The one whose loss is the least in the oracle too."""
    runs = list(runs_of_the_good_population(1))
    best = min(runs, key=lambda run: run.losses[-1])
    best.holds(case.result.parameters, best.losses, entries.DTYPE.get())


@judge("Population.save", takes=("path",))
def population_saved(case: Case) -> None:
    before: PopulationBefore = case.before["self"]
    assert_saved(case.before["path"], {"parameters": before.flat})


@judge("Population.load", takes=("path", "custom"))
def population_loaded(case: Case) -> None:
    assert_same_bits(case.result.parameters, entries.population().parameters)


# --- before training --------------------------------------------------------------------------------------------------


@judge("pretraining.RBM", takes=("n_visible", "n_hidden", "visible", "seed"))
def machine_made(case: Case) -> None:
    seed, *shape = (count(case.before[name]) for name in ("seed", "n_visible", "n_hidden"))
    only_if(0 <= seed < 2**64)
    want = pretraining.initial(seed, *shape, case.result.visible)
    slack = tolerance.bound(tolerance.ELEMENTARY, want.w, np.float64) + tolerance.bound(1, want.w, np.float32)
    assert_within(case.result.w, want.w, slack, "w")
    assert not case.result.b.any()
    assert not case.result.c.any()


@judge("pretraining.RBM.w=", takes=("w",))
@judge("pretraining.RBM.b=", takes=("b",))
@judge("pretraining.RBM.c=", takes=("c",))
def machine_assigned(case: Case) -> None:
    before: MachineBefore = case.before["self"]
    for name in ("w", "b", "c"):
        want = case.array(name) if name in case.before else getattr(before.machine, name)
        assert_same_bits(np.array(getattr(case.after["self"], name)), want.astype(before.dtype), name)


@judge("pretraining.RBM.transform", takes=("x",))
def transformed(case: Case) -> None:
    before: MachineBefore = case.before["self"]
    want = before.machine.hidden_mean(case.read("x", before))
    assert_within(case.result, want, tolerance.network(before.sizes[:2], 1, want, before.dtype), "h")


@judge("pretraining.RBM.reconstruct", takes=("x",))
def reconstructed(case: Case) -> None:
    before: MachineBefore = case.before["self"]
    x = case.read("x", before)
    want = before.machine.visible_mean(before.machine.hidden_mean(x))
    assert_within(case.result, want, tolerance.network(before.sizes, 1, want, before.dtype), "v")


@judge("pretraining.RBM.free_energy", takes=("x",))
def free_energy(case: Case) -> None:
    before: MachineBefore = case.before["self"]
    x = case.read("x", before)
    want = np.array([before.machine.free_energy(row) for row in np.atleast_2d(x)]).reshape(x.shape[:-1])
    machine = before.machine
    sizes = np.abs(x) @ (np.abs(machine.c) + np.abs(machine.w).sum(axis=1)) + np.abs(machine.b).sum() + len(machine.b)
    roundings = 2 * (sum(machine.w.shape) + tolerance.ELEMENTARY)
    assert_within(case.result, want, tolerance.bound(roundings, sizes, before.dtype), "free energy")


@judge("pretraining.RBM.fit", takes=("x", "epochs", "batch_size", "learning_rate", "k", "momentum", "l2"))
def machine_fitted(case: Case) -> None:
    """By contrastive divergence; where no drawn state hangs on the rounding."""
    before: MachineBefore = case.before["self"]
    x, epochs = case.read("x", before), count(case.before["epochs"])
    rate = case.before.get("learning_rate")
    batch, k = count(case.before.get("batch_size", 10)), count(case.before.get("k", 1))
    only_if(epochs <= 10 and k <= 10 and len(x) <= 100)
    rule = {name: number(case.before.get(name, default)) for name, default in (("momentum", 0.5), ("l2", 1e-4))}
    rule.update(rate=0.1 if rate is None else number(rate), k=k, persistent=False)
    want = before.machine
    errors = want.fit(x, 0, epochs, batch, **rule)
    steps = epochs * -(-len(x) // batch)
    parameters = np.concatenate([want.w.ravel(), want.b, want.c])
    slack = tolerance.trained(before.sizes, len(x), steps, parameters, before.dtype)
    only_if(want.margin > (len(want.c) + 1) / 4 * slack.max())
    got = case.after["self"]
    assert_within(np.concatenate([got.w.ravel(), got.b, got.c]), parameters, slack, "parameters")
    assert_within(case.result.loss, errors, np.full(epochs, slack.max()), "errors")


@judge("pretraining.DenoisingAutoencoder", takes=("n_visible", "n_hidden", "seed", "visible"))
def autoencoder_made(case: Case) -> None:
    seed, visible, hidden = (count(case.before[name]) for name in ("seed", "n_visible", "n_hidden"))
    want = initial(seed, [visible, hidden, visible], "glorot_uniform").astype(np.float32)
    assert_same_bits(case.result.network.parameters, want)


@judge("pretraining.DenoisingAutoencoder.transform", "pretraining.DenoisingAutoencoder.reconstruct", takes=("x",))
def autoencoded(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    x = case.read("x", before)
    _, (_, hidden, output) = vector.forward(before.net, x)
    want = hidden if case.result.shape[-1] == before.sizes[1] else output
    samples = len(x) if x.ndim == 2 else 1
    assert_within(case.result, want, tolerance.network(before.sizes, samples, want, before.dtype), "a")


@judge("pretraining.DenoisingAutoencoder.fit", takes=("x", "epochs", "batch_size", "learning_rate", "corruption"))
def autoencoder_fitted(case: Case) -> None:
    before: NetworkBefore = case.before["self"]
    x, epochs = case.read("x", before), count(case.before["epochs"])
    rate, batch = case.before.get("learning_rate"), count(case.before.get("batch_size", 10))
    only_if(epochs <= 10)
    lost, (seed,) = number(case.before.get("corruption", 0.25)), pretraining.seeds(0, 0, 1)
    sgd, net, losses, steps = vector.Sgd(0.1 if rate is None else number(rate)), before.net.copy(), [], 0
    for epoch, order in enumerate(orders(seed, epochs, len(x))):
        rows = pretraining.corrupted(x, 0, epoch, lost)
        found = vector.fit(net, rows[order], x[order], "binary_cross_entropy", sgd, batch, [np.arange(len(x))])
        losses, steps = losses + found[0], steps + found[1]
    for got, want in ((case.after["self"].network.parameters, net.parameters()), (case.result.loss, losses)):
        assert_within(got, want, tolerance.trained(before.sizes, len(x), steps, np.array(want), before.dtype))
