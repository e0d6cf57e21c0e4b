"""The files of populations: those of every format that was released are read, and whatever is not ours is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import backpropc as bp
from backpropc import io
from helpers import assert_same_bits
from safetensors_files import Change, configuration, header, metadata, replaced, tensor, value_of, whole, within

FILES = Path(__file__).resolve().parents[1] / "files"
X, T = np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.safetensors"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of a run with all that a population's file can have."""
    path = tmp_path_factory.mktemp("files") / "population"
    mask = np.array([[1, 0, 1, 1], [1, 1, 1, 0], [0, 1, 1, 1]])
    population = bp.Population([bp.Dense(3, 4, "tanh", mask=mask), bp.Dense(4, 2, "softmax")], 9, seed=3)
    population.fit(
        X,
        T,
        loss="softmax_cross_entropy",
        optimizer=bp.Adam(np.linspace(0.01, 0.09, 9)),
        batch_size=4,
        epochs=3,
        validation_data=(X, T),
        metrics=["accuracy"],
        early_stopping=bp.EarlyStopping(patience=2),
    )
    run = population._run
    assert run is not None
    run.states.best = population.parameters.copy()
    population.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("version", range(1, io.VERSION + 1))
def test_files_of_each_format_stay_readable(version: int) -> None:
    """See tests/files/README.md."""
    file = FILES / f"format-{version}-population.safetensors"
    tensors, population = load_file(file), bp.Population.load(file)
    assert (population.n, population.sizes) == (4, (3, 4, 2))
    assert_same_bits(population.parameters, tensors["parameters"])
    assert population.seeds.tolist() == [2**64 - 4 + i for i in range(4)]
    assert_same_bits(population.history.loss, tensors["history.loss"])
    assert list(population.history[0].history) == ["loss", "val_loss", "accuracy", "val_accuracy"]
    assert population.history[3].history["accuracy"] == tensors["metrics.0"][3].tolist()
    population.resume(X, T, until_epoch=4)
    assert population.history.loss.shape == (4, 4)


def of_run(**entries: Any) -> Change:
    return within("run", **entries)


def argument(**entries: Any) -> Change:
    return configuration(lambda c: c["run"]["arguments"].update(entries))


BAD: dict[str, tuple[Change, str]] = {
    "empty": (lambda c: b"", "it ends after 0 bytes"),
    "cut": (lambda c: c[:-1], "its tensors take .* bytes; .* follow its header"),
    "trailing": (lambda c: c + b"\0", "its tensors take .* bytes; .* follow its header"),
    "version of the future": (metadata(version="2"), "its version is 2; this backpropc reads up to 1"),
    "configuration has more": (configuration(lambda c: c.update(trainer=1)), "configuration have 'trainer'"),
    "no object": (configuration(lambda c: c.update(population=3)), "population is 3; it must be an object"),
    "no n": (configuration(lambda c: c.update(population={})), "the keys of population lack 'n'"),
    "n of none": (within("population", n=0), "population: n is 0; it must be at least 1"),
    "n no integer": (within("population", n=9.0), r"population: n is 9\.0; it must be an integer"),
    "n too large": (within("population", n=10), r"tensor .* has shape \[9.*\]; it must be \[10"),
    "n huge": (within("population", n=10**30), "must be"),
    "key twice": (replaced(rb"\"n\":9", rb"\"n\":9,\"n\":9"), "the key 'n' is repeated"),
    "dtype": (tensor("run.epochs", dtype="F32"), r"tensor run\.epochs has dtype 'F32'; it must be F64"),
    "rank": (tensor("run.epochs", shape=[9, 1]), r"tensor run\.epochs has shape \[9, 1\]; it must be \[9\]"),
    "missing": (header(lambda h: h.pop("run.least")), r"its tensors lack 'run\.least'"),
    "too many": (header(lambda h: h.update(more=h["run.least"])), "its tensors have 'more'"),
    "seed half": (value_of("seeds", 0.5), "seeds must hold whole numbers of at least 0"),
    "seed too large": (value_of("seeds", 2.0**32), r"seeds must hold numbers below 2\*\*32"),
    "seed of the run": (value_of("run.seeds", np.nan, 17), r"run\.seeds must hold whole numbers"),
    "mask left out": (
        configuration(lambda c: c["network"]["layers"][0].pop("masked")),
        r"its tensors have 'masks\.0'",
    ),
    "mask not true": (
        configuration(lambda c: c["network"]["layers"][0].update(masked=False)),
        r"layers\[0\]: masked is False; it must be true",
    ),
    "mask of twos": (value_of("masks.0", 2), "mask"),
    "run no object": (configuration(lambda c: c.update(run=[])), r"run is \[\]; it must be an object"),
    "run lacks": (configuration(lambda c: c["run"].pop("until")), "the keys of run lack 'until'"),
    "argument lacks": (
        configuration(lambda c: c["run"]["arguments"].pop("l1")),
        "the keys of run: arguments lack 'l1'",
    ),
    "argument bare": (argument(l1=0.5), r"run: l1 is 0\.5; it must be an object of 'all' or of 'each'"),
    "argument of both": (argument(l1={"all": 0, "each": [0] * 9}), "it must be an object of 'all' or of 'each'"),
    "each no list": (argument(l1={"each": 3}), "'each' must be a list"),
    "each too few": (argument(batch_size={"each": [1] * 8}), "batch_size has 8 values; it must be one for all, or 9"),
    "optimizer unknown": (argument(optimizer={"all": "os.system"}), r"optimizer is 'os\.system'"),
    "other optimizer": (argument(optimizer={"all": {"name": "SGD", "momentum": 0.9}}), "learning_rate|optimizer"),
    "loss": (argument(loss={"all": "none"}), "loss is 'none'"),
    "until": (of_run(until=-1), "run: until is -1; it must be at least 0"),
    "until no integer": (of_run(until="3"), "run: until is '3'; it must be an integer"),
    "epochs": (of_run(epochs=4), r"tensor .* has shape \[9, 3\]; it must be \[9, 4\]"),
    "epochs of none": (
        of_run(epochs=0),
        r"run: metrics is .*, but epochs is 0; it must be empty before the first epoch",
    ),
    "metrics": (of_run(metrics=3), "metrics is 3; it must be a list of names"),
    "metrics fewer": (of_run(metrics=["accuracy"]), r"its tensors have 'metrics\.1'"),
    "best": (of_run(has_best=False), r"its tensors have 'run\.best'"),
    "best no flag": (of_run(has_best=1), "run: has_best is 1; it must be True or False"),
    "epochs half": (value_of("run.epochs", 1.5), r"run\.epochs must hold whole numbers of at least 0"),
    "epochs of one": (value_of("run.epochs", 4.0), r"run\.epochs has numbers that are too large"),
    "fewer epochs": (value_of("run.epochs", 2.0), r"run\.validated has numbers that are too large"),
    "validated": (value_of("run.validated", 4.0), r"run\.validated has numbers that are too large"),
    "position": (value_of("run.position", 11.0), r"run\.position has numbers that are too large"),
    "steps": (value_of("run.step_count", -1.0), r"run\.step_count must hold whole numbers of at least 0"),
    "steps infinite": (value_of("run.step_count", np.inf), r"run\.step_count must hold whole numbers"),
    "ended": (value_of("run.ended", 2.0), r"run\.ended must hold nothing but 0 and 1"),
    "diverged": (value_of("run.diverged", np.nan), r"run\.diverged must hold nothing but 0 and 1"),
    "least": (value_of("run.least", np.nan), r"run\.least has values that are nan"),
    "waited": (value_of("run.waited", 0.5), r"run\.waited must hold whole numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_not_ours_is_refused(path: Path, content: bytes, name: str) -> None:
    """With the file's name, what was found and what must be there."""
    change, message = BAD[name]
    changed = change(content)
    assert changed != content
    path.write_bytes(changed)
    with pytest.raises(ValueError, match=f"(?s){path.name}' cannot be loaded: .*({message})"):
        bp.Population.load(path)


def test_the_file_they_are_made_of_is_good(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    population = bp.Population.load(path)
    population.save(path)
    assert path.read_bytes() == content


def test_only_networks_that_diverged_may_be_infinite(path: Path, content: bytes) -> None:
    infinite = value_of("parameters", np.inf)
    path.write_bytes(infinite(content))
    with pytest.raises(ValueError, match="network 0 has parameters that are not finite; they must be"):
        bp.Population.load(path)
    path.write_bytes(value_of("run.diverged", 1.0)(infinite(content)))
    population = bp.Population.load(path)
    population.save(path)
    population.parameters[2, 3] = np.nan
    with pytest.raises(ValueError, match="network 2 has parameters that are not finite; they must be"):
        population.save(path)
    with pytest.raises(ValueError, match="network 0 has parameters that are not finite; they must be"):
        population[:].save(path)


def test_numbers_behind_the_last_epoch_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(value_of("run.validated", 2.0)(value_of("run.epochs", 2.0)(content)))
    with pytest.raises(
        ValueError, match=r"history\.loss has numbers behind a network's last epoch, where it must be nan"
    ):
        bp.Population.load(path)


def test_a_state_of_no_whole_parameters_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(tensor("run.optimizer", shape=[9, 53])(content))
    with pytest.raises(
        ValueError, match=r"tensor run\.optimizer is .*; it must have a row of numbers for each network"
    ):
        bp.Population.load(path)


def test_every_cut_is_refused(path: Path, content: bytes) -> None:
    for length in range(0, len(content), 13):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="cannot be loaded"):
            bp.Population.load(path)
    path.write_bytes(whole(b"{}", b""))
    with pytest.raises(ValueError, match="its format is None; it must be 'backpropc'"):
        bp.Population.load(path)
