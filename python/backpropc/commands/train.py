"""``backpropc train``: from a table to a network in a file."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments import FloatArray
from ..definitions import ACTIVATION, OPTIMIZER
from . import _options, _report

if TYPE_CHECKING:
    from .._tables import Table
    from ..diagnosis import Diagnosis
    from ..monitoring import State
    from ..preprocessing import Preprocessing
    from ..training import Trainer

HELP = "train a network on a table, as a CSV file"
DESCRIPTION = """\
Train a network to predict one column of a table from the others, and write it to a file.

The table is a CSV file, a Parquet file (with pyarrow), a .npy array or a .npz file of arrays. Columns of numbers are
scaled to mean 0 and standard deviation 1; columns of texts are categories, one input of the network for each. What the
scales and the categories are is learned from the training rows and kept in the file. Where the target is a text, or
whole numbers of at most 20 values, the network is a classifier (softmax); else it is a regression.

A share of the rows is held out: not trained on, but judged at the end.
"""
EPILOG = """\
examples:
  backpropc train iris.csv --target species -o iris.safetensors
  backpropc train houses.csv --target price --ignore id --hidden 64,32 \\
      --epochs 500 --patience 20 -o houses.safetensors
  backpropc train digits.npz --target y -o digits.safetensors
"""

MOST_GUESSED_CLASSES = 20
SPLIT_STREAM = 3  # of the seed's Philox streams: 0 are the initial weights, 1 the orders, 2 dropout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "%(prog)s DATA --target COLUMN -o FILE [options]"
    parser.add_argument("data", metavar="DATA", help="the table: .csv, .tsv, .parquet, .npy or .npz")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="file to write, by custom .safetensors")
    _add_table(parser.add_argument_group("the table"))
    _add_network(parser.add_argument_group("the network"))
    _add_training(parser.add_argument_group("the training"))
    parser.add_argument(
        "--diagnose",
        action="store_true",
        help="look at activations and gradients, and say what makes learning slow",
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object instead")


def _add_table(data: argparse._ArgumentGroup) -> None:
    data.add_argument(
        "--target",
        action="append",
        required=True,
        metavar="COLUMN",
        help="what to predict: a column's name, or its position from 1, or from the end, -1; "
        "several times for a regression of several numbers",
    )
    data.add_argument("--ignore", action="append", default=[], metavar="COLUMN", help="leave a column out")
    data.add_argument(
        "--categorical", action="append", default=[], metavar="COLUMN", help="take numbers for categories, as postcodes"
    )
    data.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="what the target is: classes or numbers (default: auto, as said above)",
    )
    data.add_argument(
        "--missing",
        choices=("refuse", "drop", "fill"),
        default="refuse",
        help="rows with a missing value: an error, left out, or filled: by the mean, or by no category (default: "
        "%(default)s)",
    )
    _options.add_table_options(data)


def _add_network(network: argparse._ArgumentGroup) -> None:
    network.add_argument(
        "--hidden",
        type=_options.sizes,
        default="32",
        metavar="SIZES",
        help="sizes of the hidden layers, as 64,32, or none (default: %(default)s)",
    )
    network.add_argument(
        "--activation",
        default="relu",
        metavar="NAME",
        help=f"of the hidden layers, one of: {', '.join(ACTIVATION.names)} (default: %(default)s)",
    )
    network.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="of all numbers (default: %(default)s)"
    )


def _add_training(training: argparse._ArgumentGroup) -> None:
    count = _options.integer(1)
    training.add_argument(
        "--epochs", type=count, metavar="N", default=200, help="times each row is seen (default: %(default)s)"
    )
    training.add_argument(
        "--batch-size", type=count, metavar="N", default=32, help="rows in a step (default: %(default)s)"
    )
    training.add_argument(
        "--optimizer",
        default="Adam",
        metavar="NAME",
        help=f"what makes steps of gradients, one of: {', '.join(OPTIMIZER.names)} (default: %(default)s)",
    )
    training.add_argument(
        "--learning-rate",
        type=_options.rate,
        metavar="RATE",
        help="size of the steps (default: the optimizer's own; SGD has none and needs one)",
    )
    training.add_argument(
        "--l2", type=_options.number(), metavar="NUMBER", default=0.0, help="penalty of large weights (default: 0)"
    )
    training.add_argument(
        "--dropout",
        type=_options.number(below=1.0),
        metavar="SHARE",
        default=0.0,
        help="share of hidden units left out of each step (default: 0)",
    )
    training.add_argument(
        "--held-out",
        type=_options.number(below=1.0),
        default=0.2,
        metavar="SHARE",
        help="share of the rows not trained on, but judged at the end (default: %(default)s)",
    )
    training.add_argument(
        "--patience",
        type=count,
        metavar="EPOCHS",
        help="stop after so many epochs in a row without a lower loss on the rows held out (of the training, where "
        "none are), and keep the best network (default: never)",
    )
    training.add_argument(
        "--seed",
        type=_options.seed,
        metavar="N",
        default=0,
        help="of all that is random: which rows are held out, initial weights, order (default: %(default)s)",
    )


@dataclass
class _Part:
    """Rows of the table as the network sees them."""

    x: FloatArray
    t: FloatArray


def run(options: argparse.Namespace) -> int:
    """Train, write the file, and report."""
    from .. import io

    optimizer, activation = _optimizer(options), _activation(options)
    _options.check_output(options.output, options.data)
    preprocessing, training, held_out = _read(options)
    trainer = _trainer(options, preprocessing, training, optimizer, activation)
    if not options.json:
        print(_report.of_columns(preprocessing))
        print(
            f"\n{trainer.network}\n{len(training.x)} rows to train on, {len(held_out.x) if held_out else 0} held out\n"
        )
    diagnosis = _diagnosis() if options.diagnose else None
    start = time.perf_counter()
    try:
        _fit(options, trainer, training, held_out, [] if diagnosis is None else [diagnosis])
    except KeyboardInterrupt:
        io.save_trainer(trainer, options.output, preprocessing)
        print(f"\nStopped in epoch {trainer.epoch + 1}; what was learned until then is in {options.output}", flush=True)
        raise
    seconds = time.perf_counter() - start
    io.save_trainer(trainer, options.output, preprocessing)
    judged = {"training": training} if held_out is None else {"training": training, "held out": held_out}
    reports = {
        name: _report.of_outputs(preprocessing, part.t, trainer.network.predict(part.x))
        for name, part in judged.items()
    }
    if options.json:
        found = {} if diagnosis is None else {"diagnosis": [asdict(each) for each in diagnosis.complaints]}
        print(
            _report.as_json(
                {"file": options.output, "epochs": trainer.epoch, "seconds": seconds, "parts": reports} | found
            )
        )
    else:
        print(f"\n{_report.in_words(preprocessing, reports)}\n")
        if diagnosis is not None:
            print(f"{diagnosis.report() or 'The diagnosis has found nothing that makes learning slow.'}\n")
        print(f"{trainer.step_count} steps in {seconds:.2f} s; written to {options.output}")
    return 0


def _diagnosis() -> Diagnosis:
    from ..diagnosis import Diagnosis

    return Diagnosis()


# --- the table --------------------------------------------------------------------------------------------------------


def _read(options: argparse.Namespace) -> tuple[Preprocessing, _Part, _Part | None]:
    """Read the table, learn its preprocessing from the training rows, and encode both parts."""
    from .._tables import read_table
    from ..preprocessing import Preprocessing, learn_inputs, names_at

    table = read_table(options.data, options.header, options.delimiter, [*options.target, *options.categorical])
    targets, ignored, categorical = (
        names_at(list(table.columns), given) for given in (options.target, options.ignore, options.categorical)
    )
    for name in targets:
        if name in ignored:
            raise ValueError(f"column {name!r} is the target, and given by --ignore; it must be one of them")
    inputs = [name for name in table.columns if name not in {*targets, *ignored}]
    are_classes = targets if options.task == "classification" else []
    _check_columns(table, [*inputs, *targets], [*categorical, *are_classes])
    if not inputs:
        raise ValueError(
            f"{options.data} has no column but the target and those ignored; there is nothing to learn from"
        )
    table = _as_categories(_without_missing(table, inputs, targets, options.missing), categorical)
    is_classifier = _is_classifier(table, targets, options.task, categorical)
    rows, rows_held_out = _split(table, targets[0] if is_classifier else None, options.held_out, options.seed)
    training = table.take(rows)
    preprocessing = Preprocessing(
        learn_inputs(training, inputs, options.missing == "fill"),
        _learn_targets(training, targets, is_classifier),
        options.missing == "fill",
    )
    held_out = _part(preprocessing, table.take(rows_held_out)) if rows_held_out.size else None
    return preprocessing, _part(preprocessing, training), held_out


def _check_columns(table: Table, names: list[str], categorical: list[str]) -> None:
    """Refuse columns of both kinds or of none, and texts that are numbers written in another way."""
    from .._tables import disguised_number

    for name in names:
        column = table.column(name)
        text = disguised_number(column.texts) if column.is_text and name not in categorical else None
        if text is not None:
            row = column.texts.index(text)
            raise ValueError(
                f"{table.place(row, name)}: {text!r} looks like a number, but numbers must be written as 1234.5, "
                f"without commas, blanks and units; if it is the name of a category, give --categorical {name!r}"
            )


def _part(preprocessing: Preprocessing, table: Table) -> _Part:
    """Encode rows; a category that only rows held out have is there none of the known ones."""
    return _Part(preprocessing.encode(table, unseen="zero"), preprocessing.encode_targets(table))


def _as_categories(table: Table, names: list[str]) -> Table:
    from .._tables import Column

    columns = {name: Column(name, column.texts) if name in names else column for name, column in table.columns.items()}
    return type(table)(table.path, columns, table.named, table.lines, table.line)


def _without_missing(table: Table, inputs: list[str], targets: list[str], missing: str) -> Table:
    """Return the rows that have what they must have: all inputs too, where rows that lack one are dropped."""
    gaps = np.any([table.columns[name].missing for name in targets], axis=0)
    if gaps.any() and missing != "drop":
        row = int(np.flatnonzero(gaps)[0])
        name = next(name for name in targets if table.columns[name].missing[row])
        raise ValueError(f"{table.place(row, name)}: the target is missing; leave such rows out by --missing drop")
    if missing == "drop":
        gaps |= np.any([table.columns[name].missing for name in inputs], axis=0)
    if gaps.all():
        raise ValueError(f"{table.path} has no row without a missing value")
    return table.take(np.flatnonzero(~gaps)) if gaps.any() else table


def _is_classifier(table: Table, targets: list[str], task: str, categorical: list[str]) -> bool:
    if task == "auto":
        are_classes = targets[0] in categorical or not _are_numbers(table, targets[0])
        task = "classification" if are_classes and len(targets) == 1 else "regression"
    if task == "classification" and len(targets) > 1:
        raise ValueError(f"there are {len(targets)} targets, {', '.join(targets)}; a classifier has one")
    return task == "classification"


def _are_numbers(table: Table, name: str) -> bool:
    """Whether a target is not classes: its values are numbers, with fractions or many of them."""
    try:
        values = table.numbers(name)
    except ValueError:
        return False
    return bool((values % 1 != 0).any()) or np.unique(values).size > MOST_GUESSED_CLASSES


def _learn_targets(table: Table, names: list[str], is_classifier: bool) -> tuple[Any, ...]:
    from ..preprocessing import learn_labels, learn_scale

    if is_classifier:
        return (learn_labels(table, names[0]),)
    found = tuple(learn_scale(table, name) for name in names)
    for column in found:
        if np.ptp(table.numbers(column.column)) == 0.0:
            raise ValueError(
                f"{table.path}, column {column.column!r}: it is {column.mean:g} in every row to train on; "
                "there is nothing to learn"
            )
    return found


def _split(table: Table, label: str | None, share: float, seed: int) -> tuple[Any, Any]:
    """Return the rows to train on and those held out: of each class the same share, but never all.

    It is rounded so that small classes add up to the share too.
    """
    order = np.random.Philox(key=(SPLIT_STREAM << 64) + seed).random_raw(len(table))
    texts = [""] * len(table) if label is None else table.columns[label].texts
    groups: dict[Any, list[int]] = {}
    for row in np.argsort(order, kind="stable").tolist():
        groups.setdefault(texts[row], []).append(row)
    held_out: list[int] = []
    rest = 0.0  # of a row, from the classes before
    for rows in groups.values():
        wanted = share * len(rows) + rest
        n = min(int(wanted + 0.5), len(rows) - 1)
        held_out += rows[:n]
        rest = min(wanted - n, 0.5)
    is_held_out = np.zeros(len(table), np.bool_)
    is_held_out[held_out] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


# --- the training -----------------------------------------------------------------------------------------------------


def _optimizer(options: argparse.Namespace) -> Any:
    found = {name.lower(): cls for name, cls in OPTIMIZER.classes.items()}.get(options.optimizer.lower())
    if found is None:
        raise _options.UsageError(f"--optimizer: {options.optimizer!r} is not one of: {', '.join(OPTIMIZER.names)}")
    names = {p["name"]: p["default"] for p in found.entry["parameters"]}
    if options.learning_rate is None:
        if any(default is None for default in names.values()):
            raise _options.UsageError(f"--optimizer {found.name} needs --learning-rate")
        return found()
    if "learning_rate" not in names:
        raise _options.UsageError(f"--optimizer {found.name} has no --learning-rate")
    return found(learning_rate=options.learning_rate)


def _activation(options: argparse.Namespace) -> Any:
    try:
        return ACTIVATION.resolve(options.activation, "--activation")
    except ValueError as error:
        raise _options.UsageError(str(error)) from None


def _trainer(
    options: argparse.Namespace, preprocessing: Preprocessing, training: _Part, optimizer: Any, activation: Any
) -> Trainer:
    from ..network import Network
    from ..training import Trainer

    n_outputs = sum(column.width for column in preprocessing.targets)
    network = Network(
        [training.x.shape[1], *options.hidden, n_outputs],
        activation=activation,
        output_activation="identity" if preprocessing.labels is None else "softmax",
        seed=options.seed,
        dtype=options.dtype,
    )
    return Trainer(
        network,
        loss="mean_squared_error" if preprocessing.labels is None else "softmax_cross_entropy",
        optimizer=optimizer,
        batch_size=options.batch_size,
        seed=options.seed,
        l2=options.l2,
        dropout=options.dropout if options.hidden else 0.0,
    )


def _fit(
    options: argparse.Namespace, trainer: Trainer, training: _Part, held_out: _Part | None, watchers: list[Diagnosis]
) -> None:
    from ..monitoring import EarlyStopping

    trainer.fit(
        training.x,
        training.t,
        epochs=options.epochs,
        validation_data=None if held_out is None else (held_out.x, held_out.t),
        metrics=["r2" if trainer.loss == "mean_squared_error" else "accuracy"],
        early_stopping=EarlyStopping(patience=options.patience) if options.patience else None,
        callbacks=[*watchers, *([] if options.json else [_progress(options.epochs)])],
    )


def _progress(epochs: int) -> Any:
    """Return a callback that prints a line for the first epoch, every tenth of all, and every ten seconds."""
    shown_at, is_first = time.monotonic(), True

    def show(state: State) -> None:
        nonlocal shown_at, is_first
        values = {"loss": state.loss, "val_loss": state.val_loss, **state.metrics}
        if is_first:
            print("   epoch" + "".join(f"{name:>14}" for name, value in values.items() if value is not None))
        is_due = state.epoch * 10 // epochs > (state.epoch - 1) * 10 // epochs or time.monotonic() > shown_at + 10
        if is_first or is_due:
            print(f"{state.epoch:>8}" + "".join(_report.in_14(v) for v in values.values() if v is not None), flush=True)
            shown_at = time.monotonic()
        is_first = False

    return show
