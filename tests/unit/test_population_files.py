"""A population's file comes back whole, and is refused unless `save` could have written it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import backpropc as bp
from backpropc import io
from helpers import assert_same_bits
from safetensors_files import (
    Change,
    configuration,
    header,
    metadata,
    reference,
    replaced,
    tensor,
    value_of,
    within,
)

FILES = Path(__file__).resolve().parents[1] / "files"
X = np.random.default_rng(1).normal(size=(9, 3)).astype("float32")
T = np.random.default_rng(2).uniform(size=(9, 2)).astype("float32")
N = 9


def in_a_run() -> bp.Population:
    """Of networks side by side, trained with all that a file can have of those."""
    population = bp.Population([3, 2, 2], N, seed=0)
    rates = np.linspace(0.1, 0.3, N)
    stopping = bp.EarlyStopping(patience=2)
    population.fit(
        X, T, optimizer=bp.Adam(rates), batch_size=4, epochs=3, validation_data=(X, T), early_stopping=stopping
    )
    return population


def masked() -> bp.Population:
    """Of networks one after the other, with all that a file can have of those alone."""
    mask = np.array([[1, 0], [1, 1], [0, 1]])
    population = bp.Population([bp.Dense(3, 2, mask=mask), bp.Dense(2, 2, "logistic")], N, seed=0)
    population.fit(X, T, optimizer=bp.SGD(0.1), epochs=2, metrics=["r2"])
    return population


MADE = {"in a run": in_a_run, "masked": masked}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, found = tmp_path_factory.mktemp("files"), {}
    for name, make in MADE.items():
        make().save(folder / name)
        found[name] = (folder / name).read_bytes()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "population"


@pytest.mark.parametrize("name", MADE)
def test_what_was_written_is_read_and_written_again(path: Path, contents: dict[str, bytes], name: str) -> None:
    content = contents[name]
    path.write_bytes(content)
    loaded = bp.Population.load(path)
    loaded.save(path)
    assert path.read_bytes() == content
    tensors = reference(content)
    assert tensors is not None
    assert_same_bits(tensors["parameters"], loaded.parameters)
    assert_same_bits(tensors["history.loss"], loaded.history.loss)


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
    population.resume(np.ones((10, 3)), np.arange(10) % 2, until_epoch=4)
    assert population.history.loss.shape == (4, 4)


@pytest.mark.parametrize("n", [3, 40])
def test_a_run_without_a_step_comes_back(path: Path, n: int) -> None:
    """As Ctrl-C leaves it that comes before the first step: its optimizers have no numbers yet."""
    population, other = (bp.Population([3, 2], n, seed=0) for _ in range(2))
    population.fit(X, T, optimizer=bp.Adam(), epochs=0, checkpoint=path)
    loaded = bp.Population.load(path)
    loaded.resume(X, T, until_epoch=2)
    other.fit(X, T, optimizer=bp.Adam(), epochs=2)
    assert_same_bits(loaded.parameters, other.parameters)


def test_a_run_of_which_some_have_not_begun_comes_back(path: Path) -> None:
    """One is interrupted while the others wait for their turn."""
    population = bp.Population([3, 2], 3, seed=0)

    def stop(state: bp.State) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        population.fit(X, T, optimizer=bp.SGD(0.1, momentum=0.5), epochs=2, callbacks=[stop], checkpoint=path)
    loaded, other = bp.Population.load(path), bp.Population([3, 2], 3, seed=0)
    assert [len(each.epoch) for each in loaded.history] == [1, 0, 0]
    loaded.resume(X, T)
    other.fit(X, T, optimizer=bp.SGD(0.1, momentum=0.5), epochs=2)
    assert_same_bits(loaded.parameters, other.parameters)


def test_a_population_that_diverged_comes_back(path: Path) -> None:
    population = bp.Population([3, 2], 3, "identity", seed=0)
    with pytest.warns(RuntimeWarning, match="the loss of 1 of 3 networks was not finite"):
        population.fit(X, T, optimizer=bp.SGD([0.1, 1e15, 0.2]), epochs=9)
    assert np.isfinite(population.parameters).all(), "as before that step"
    population.save(path)
    assert bp.Population.load(path).diverged.tolist() == [False, True, False]


def test_a_network_is_no_population(path: Path) -> None:
    bp.Network([3, 2], seed=0).save(path)
    with pytest.raises(ValueError, match=r"it holds no population: load it by backpropc\.Network\.load or"):
        bp.Population.load(path)


def test_a_run_of_many_steps_comes_back(path: Path) -> None:
    population = bp.Population([3, 2], 6, seed=0)
    population.fit(X, T, optimizer=bp.SGD(0.1), batch_size=1, epochs=30)
    population.save(path)
    loaded, other = bp.Population.load(path), bp.Population([3, 2], 6, seed=0)
    loaded.resume(X, T, until_epoch=31)
    other.fit(X, T, optimizer=bp.SGD(0.1), batch_size=1, epochs=31)
    assert_same_bits(loaded.parameters, other.parameters)


def test_what_cannot_be_loaded_is_not_saved(path: Path) -> None:
    population = masked()
    population.parameters[1, 1] = 0.5
    with pytest.raises(ValueError, match=r"masks\.0 leaves out weights that are not 0"):
        population.save(path)
    population.parameters[1, 1] = np.inf
    with pytest.raises(ValueError, match="parameters of network 1 has values that are not finite"):
        population.save(path)
    assert not path.exists()


def run(**entries: Any) -> Change:
    return within("run", **entries)


def argument(name: str, entry: Any) -> Change:
    return configuration(lambda c: c["run"]["arguments"].update({name: entry}))


BAD: dict[str, tuple[Change, str]] = {
    "trailing bytes": (lambda c: c + b"\0", "its tensors take .* bytes; .* follow its header"),
    "version of the future": (metadata(version="2"), "its version is 2; this backpropc reads up to 1"),
    "no brace": (lambda c: c[:8] + b" " + c[9:], r"its header starts with b' '; it must start with b'\{'"),
    "key twice": (replaced(rb"\"n\":9", rb"\"n\":9,\"n\":9"), "the key 'n' is repeated"),
    "no object": (configuration(lambda c: c.update(population=3)), "population is 3; it must be an object"),
    "dtype": (tensor("run.epochs", dtype="F32"), r"tensor run\.epochs has dtype 'F32'; it must be F64"),
    "rank": (tensor("run.epochs", shape=[9, 1]), r"tensor run\.epochs has shape \[9, 1\]; it must be \[9\]"),
    "tensor missing": (header(lambda h: h.pop("run.least")), r"its tensors lack 'run\.least'"),
    "tensor too many": (header(lambda h: h.update(more=h["run.least"])), "its tensors have 'more'"),
    "no mask": (configuration(lambda c: c["network"]["layers"][0].pop("masked")), r"its tensors have 'masks\.0'"),
    "argument missing": (configuration(lambda c: c["run"]["arguments"].pop("l1")), "run: arguments lack 'l1'"),
    "bare argument": (argument("l1", 0.5), r"run: l1 is 0\.5; it must be an object of 'all' or of 'each'"),
    "metrics of no epoch": (run(epochs=0), r"run: metrics is .*, but epochs is 0; it must be empty before the first"),
    "fewer epochs": (
        lambda c: value_of("run.validated", 2.0)(value_of("run.epochs", 2.0)(c)),
        r"history\.loss has numbers behind a network's last epoch, where it must be nan",
    ),
    "nan": (value_of("parameters", np.nan), "parameters of network 0 has values that are not finite"),
    "infinite": (value_of("parameters", -np.inf, 14 * N - 1), "parameters of network 8 has values that are not finite"),
    "mask of 2": (value_of("masks.0", 2), r"masks\.0 has the value 2; it must be 0 or 1"),
    "other mask": (value_of("masks.0", 0), r"masks\.0 leaves out weights that are not 0"),
    "half a seed": (value_of("seeds", 0.5), "seeds must hold whole numbers of at least 0"),
    "large seed": (value_of("run.seeds", 2.0**32), r"run\.seeds must hold numbers below 2\*\*32"),
    "nan epochs": (value_of("run.epochs", np.nan), r"run\.epochs must hold whole numbers of at least 0"),
    "negative steps": (value_of("run.step_count", -1), r"run\.step_count must hold whole numbers of at least 0"),
    "many steps": (value_of("run.step_count", 2.0**53), r"run\.step_count must hold whole numbers of at least 0"),
    "many epochs": (value_of("run.epochs", 4), "epochs must be at most those of the history"),
    "many validated": (value_of("run.validated", 4), "validated must be at most epochs"),
    "far position": (value_of("run.position", 12), "position at most samples"),
    "odd position": (value_of("run.position", 3), "position must be a multiple of batch_size"),
    "half ended": (value_of("run.ended", 0.5), r"run\.ended must hold 0 or 1"),
    "nan diverged": (value_of("run.diverged", np.nan), r"run\.diverged must hold 0 or 1"),
    "nan least": (value_of("run.least", np.nan), r"run\.least has values that are nan"),
    "nan loss": (value_of("run.epoch_loss", np.nan), r"run\.epoch_loss has values that are nan"),
    "nan state": (value_of("run.optimizer", np.nan), r"run\.optimizer has values that are nan"),
    "some of the best": (value_of("run.best", 0.5), r"run\.best has values that are not finite"),
    "infinite best": (value_of("run.best", np.inf), r"run\.best has values that are not finite"),
    "no networks": (configuration(lambda c: c["population"].update(n=0)), "n is 0; it must be at least 1"),
    "more networks": (configuration(lambda c: c["population"].update(n=N + 1)), "parameters has shape"),
    "many networks": (configuration(lambda c: c["population"].update(n=2**62)), "parameters has shape"),
    "n is true": (configuration(lambda c: c["population"].update(n=True)), "n is True; it must be an integer"),
    "further keys": (configuration(lambda c: c["population"].update(m=1)), "the keys of population have 'm'"),
    "other": (configuration(lambda c: c.update(m=1)), "the keys of configuration have 'm'"),
    "until": (run(until=-1), "run: until is -1; it must be at least 0"),
    "epochs": (run(epochs=2**40), r"history\.loss has shape \[9, 3\]; it must be \[9, 1099511627776\]"),
    "best": (run(has_best=0), "run: has_best is 0; it must be True or False"),
    "no best": (run(has_best=False), r"its tensors have 'run\.best', which does not belong there"),
    "metrics": (run(metrics=["r2", "r2"]), "the names must differ"),
    "arguments": (run(arguments=[]), r"run: arguments is \[\]; it must be an object"),
    "all and each": (argument("l2", {"all": 0, "each": [0] * N}), "it must be an object of 'all' or of 'each'"),
    "each": (argument("l2", {"each": 3}), "'each' must be a list"),
    "of two": (argument("batch_size", {"each": [4, 4]}), "batch_size has 2 values; it must be one for all, or 9"),
    "own loss": (argument("loss", {"all": {"custom": "f"}}), "loss is 'f', the user's own; say what that is"),
    "unknown loss": (argument("loss", {"all": "os.system"}), r"loss is 'os\.system'; it must be one of"),
    "batch size": (argument("batch_size", {"all": -(2**70)}), "batch_size is -1180591620717411303424; it must be"),
    "state of none": (tensor("run.optimizer", shape=[N, 0]), r"tensor run\.optimizer has data_offsets"),
    "half a state": (tensor("run.optimizer", shape=[N, 15]), r"it must have a row of numbers for each network"),
    "small state": (
        argument("optimizer", {"all": {"name": "Adam", "amsgrad": True}}),
        r"run\.optimizer has 28 numbers for network 0; its optimizer has 42",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_is_refused(path: Path, contents: dict[str, bytes], name: str) -> None:
    change, message = BAD[name]
    path.write_bytes(change(contents["masked" if "mask" in name or "metrics" in name else "in a run"]))
    with pytest.raises(ValueError, match=f"^{str(path)!r} cannot be loaded: .*{message}"):
        bp.Population.load(path)


def test_a_file_cut_anywhere_is_refused(path: Path, contents: dict[str, bytes]) -> None:
    content = contents["masked"]
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match="cannot be loaded"):
            bp.Population.load(path)


def test_one_network_comes_back(path: Path) -> None:
    population = bp.Population([3, 2], 1, seed=0)
    population.fit(X, T, optimizer=bp.SGD(0.1), metrics=["r2"])
    population.save(path)
    loaded = bp.Population.load(path)
    assert_same_bits(loaded.parameters, population.parameters)
    assert loaded.history[0].history == population.history[0].history


def test_an_optimizer_of_one_step_must_have_all_its_numbers(path: Path) -> None:
    population = bp.Population([3, 2], 6, seed=0)
    population.fit(X, T, optimizer=bp.Adam(), batch_size=9)
    population.save(path)
    path.write_bytes(argument("optimizer", {"all": {"name": "Adam", "amsgrad": True}})(path.read_bytes()))
    with pytest.raises(ValueError, match=r"run\.optimizer has 16 numbers for network 0; its optimizer has 24"):
        bp.Population.load(path)
