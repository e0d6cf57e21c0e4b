"""Searches for hyperparameters: grids and random draws, cross-validated, all networks trained side by side."""

from __future__ import annotations

import html
import inspect
import math
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ._arguments import FloatArray, items_of, seed_value, shown, truth, whole_number
from ._candidates import Candidate, candidates_of, generator, log_uniform
from ._display import _html_table, _text_table
from ._folds import checked_rows
from ._samples import samples_for
from ._weights import ClassWeight
from .definitions import LOSS
from .history import History
from .layers import Dense
from .monitoring import EarlyStopping, Metric, resolve_metrics
from .network import Network
from .population import Population, _cluster_of
from .training import Trainer

if TYPE_CHECKING:
    from .network import Seed

__all__ = ["SearchResult", "log_uniform", "search"]

MOST_ROWS_SHOWN = 10
DEFAULTS = {name: parameter.default for name, parameter in inspect.signature(Trainer).parameters.items()}

Pair = tuple[FloatArray, FloatArray]  # x and t, or the rows to learn from and those to be scored on


@dataclass
class SearchResult:
    """What a search found.

    Attributes
    ----------
    table : list of dict
        A row for each candidate, the best first: ``rank`` (1 is the best; the same for equal scores), its
        hyperparameters by name, ``score`` and ``score_std`` (mean and standard deviation over the folds),
        ``fold_scores``, ``val_loss`` and ``train_loss`` (means over the folds of the held-out loss and of the last
        epoch's), ``epochs_trained`` (their mean), ``diverged`` (in how many folds) and ``seconds``, its share of the
        time of the networks it was trained with.
    best_params_ : dict
        The best candidate's hyperparameters.
    best_score_ : float
        Its score.
    best_ : Network or None
        A network with them that has learned from all samples; None where ``refit=False``.
    best_history_ : History or None
        Of that training.
    best_folds_ : Population
        The best candidate's networks of the folds: their ``mean_predict`` is an ensemble.
    folds : list of (ndarray, ndarray)
        The rows that each fold learns from and those it is scored on.
    seed : int
        Network and training of fold f have the seed ``seed + f``, those of the refit `seed`.
    scoring : str
        What the scores are.
    maximizes : bool
        Whether more is better: not for a loss.
    seconds : float
        What the search took.
    """

    table: list[dict[str, Any]]
    best_params_: dict[str, Any]
    best_score_: float
    best_: Network | None
    best_history_: History | None
    best_folds_: Population
    folds: list[tuple[FloatArray, FloatArray]]
    seed: int
    scoring: str
    maximizes: bool
    seconds: float

    def to_dataframe(self) -> Any:
        """Return the table as a pandas.DataFrame, the score of each fold in a column.

        Raises
        ------
        ModuleNotFoundError
            There is no pandas.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_dataframe needs pandas: pip install pandas", name=error.name) from None
        rows = []
        for row in self.table:
            of_folds = {f"fold_{f}_score": score for f, score in enumerate(row["fold_scores"])}
            rows.append({name: value for name, value in row.items() if name != "fold_scores"} | of_folds)
        return pd.DataFrame(rows)

    def _lines(self) -> tuple[list[str], list[list[str]], str]:
        names = list(dict.fromkeys(name for row in self.table for name in row if name != "fold_scores"))
        shown_rows = self.table[:MOST_ROWS_SHOWN]
        cells = [[_cell(row[name]) if name in row else "" for name in names] for row in shown_rows]
        better = "more" if self.maximizes else "less"
        told = (
            f"{len(self.table)} candidates, {len(self.folds)} folds, {self.scoring} ({better} is better), "
            f"{self.seconds:.2g} s"
        )
        return names, cells, told + (f"; the {len(cells)} best:" if len(cells) < len(self.table) else "")

    def __repr__(self) -> str:
        names, cells, told = self._lines()
        return f"{told}\n{_text_table(names, cells)}"

    def _repr_html_(self) -> str:
        names, cells, told = self._lines()
        return f"<div>{html.escape(told)}</div>{_html_table(names, cells)}"


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def search(
    sizes: Sequence[int] | Sequence[Dense],
    space: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    x: ArrayLike,
    t: ArrayLike,
    *,
    n: int | None = None,
    cv: Any = 5,
    scoring: str | Metric | None = None,
    seed: Seed = 0,
    refit: bool = True,
    early_stopping: EarlyStopping | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    progress: bool = False,
    client: Any = None,
    **settings: Any,
) -> SearchResult:
    """Search for good hyperparameters by cross-validation, all candidates and folds trained as populations.

    Each candidate's network of each fold is, bit for bit, the one that a Trainer gives alone on the fold's rows with
    the candidate's settings: ``Network(..., seed=seed + f)`` by ``Trainer(..., seed=seed + f)``. All candidates
    begin with the same weights, as far as their shapes are the same, and see the same folds.

    Parameters
    ----------
    sizes : sequence of int or of Dense
        The network's, as for `Network`; those between the first and the last only where ``hidden`` is not given.
    space : dict, or sequence of dict
        Hyperparameters by name, each with a list of values or a distribution: an object with
        ``rvs(random_state=...)``, as those of ``scipy.stats``, or `log_uniform`. Names are those of the arguments of
        `Network` (``activation``, ``output_activation``, ``initializer``, ``bias_initializer``, ``dtype``), of
        `Trainer` (``loss``, ``optimizer``, ``batch_size``, ``shuffle``, ``l1``, ``l2``, ``dropout``,
        ``input_dropout``, ``clip_value``, ``clip_norm``, ``max_norm``, ``schedule``), of the optimizer's parameters
        (``learning_rate``, ``momentum``, …), ``epochs``, and ``hidden``: the sizes of the hidden layers, as
        ``[16, 8]``, or one size. Of several dicts each is a space of its own.
    x : array_like, shape (samples, fan_in)
        Samples.
    t : array_like
        Targets, as for `Trainer.fit`.
    n : int or None
        How many candidates to draw; None is the grid of all combinations, where there are only lists. Of lists alone
        no combination is drawn twice.
    cv : int, splitter or iterable of (training rows, scoring rows)
        Into how many folds to shuffle the samples, by `seed`, with as many of each class in each where t holds integer
        classes; or an object with ``split(x, t)``, as scikit-learn's; or the rows themselves.
    scoring : str, callable or None
        None is the held-out loss, of which less is better. A metric's name (``"accuracy"``, ``"r2"``) or a function of
        (t, a), of which more is better.
    seed : None, int or numpy.random.Generator
        Of all that is drawn.
    refit : bool
        Whether a network with the best hyperparameters is to learn from all samples.
    early_stopping : EarlyStopping or None
        Ends each network by itself; ``"val_loss"`` is that of its held-out rows, so that the scores are somewhat too
        good. The refit takes as many epochs as was best in the mean of the folds.
    sample_weight, class_weight
        As for `Trainer.fit`; scores weigh all samples alike.
    progress : bool
        Whether to show a bar for each population, by tqdm.
    client : dask.distributed.Client or None
        Trains on its workers, with the same result; see `Population.fit`.
    settings
        What is the same for all candidates, by the same names as in `space`. Without one the optimizer is Adam, and
        there are 100 epochs.

    Returns
    -------
    SearchResult

    Raises
    ------
    TypeError, ValueError
        A name is none of a hyperparameter's, or an argument does not fit; before anything is trained.
    RuntimeError
        Every candidate diverged.

    Examples
    --------
    >>> import numpy as np, backpropc as bp
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> t = (x[:, 0] * x[:, 1] > 0).astype(int)
    >>> space = {"learning_rate": bp.log_uniform(1e-3, 1e-1), "hidden": [4, 8]}
    >>> network = {"activation": "tanh", "output_activation": "softmax", "loss": "softmax_cross_entropy"}
    >>> found = bp.search([2, 8, 2], space, x, t, n=16, scoring="accuracy", epochs=60, **network)
    >>> len(found.table), bool(found.best_score_ > 0.8)
    (16, True)
    >>> found.best_
    Network(2 → 8 tanh → 2 softmax, float32, 42 parameters)
    """
    began = time.perf_counter()
    truth(refit, "refit")
    cluster = None if client is None else _cluster_of(client)  # one, that the data are sent once
    root = seed_value(seed)
    rng = generator(root)
    candidates = candidates_of(sizes, space, settings, n, rng)
    rows, targets = _check(candidates, x, t)
    study = Study(
        (rows, targets),
        folds_of(cv, rows, targets, rng),
        root,
        Score.of(scoring, candidates),
        early_stopping,
        {"sample_weight": sample_weight, "class_weight": class_weight},
        {"progress": progress, "client": cluster},
    )
    results = [result for group in _groups(candidates) for result in study.train(group)]
    ranked = _ranked(results, study.score.maximizes)
    best = ranked[0]
    if math.isnan(best.mean):
        raise RuntimeError(f"all {len(ranked)} candidates diverged or have no score; try smaller learning rates")
    network, history = study.refit(best) if refit else (None, None)
    return SearchResult(
        table=_table(ranked),
        best_params_=dict(best.candidate.chosen),
        best_score_=best.mean,
        best_=network,
        best_history_=history,
        best_folds_=best.networks,
        folds=study.folds,
        seed=root,
        scoring=study.score.name,
        maximizes=study.score.maximizes,
        seconds=time.perf_counter() - began,
    )


def _check(candidates: list[Candidate], x: ArrayLike, t: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return x and t as arrays, after every candidate's arguments have been tried."""
    first: Any = None
    for candidate in candidates:
        network = Network._of_zeros(candidate.plans, np.dtype(candidate.dtype))
        trainer = Trainer(network, **candidate.training, seed=0)
        _ = candidate.epochs
        key = (network.sizes[0], network.sizes[-1], network.dtype, trainer._loss)
        if key != first:
            samples_for(network, x, t, trainer._loss, one_allowed=False)
        first = key
    return np.asarray(x), np.asarray(t)


# --- folds ------------------------------------------------------------------------------------------------------------


def folds_of(cv: Any, x: FloatArray, t: FloatArray, rng: np.random.Generator) -> list[Pair]:
    """Return the rows of each fold: those it learns from, and those it is scored on."""
    if isinstance(cv, (str, bytes, bytearray)) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        return _shuffled_folds(whole_number(cv, "cv", 2), t, rng)
    if hasattr(cv, "split"):
        pairs = _split_by(cv, x, t)
    else:
        pairs = items_of(cv, "cv", "pairs: rows to learn from, and rows to score on")
    if not pairs:
        raise ValueError("cv has no folds; it must have at least one")
    return [_fold(pair, f"cv[{i}]", len(x)) for i, pair in enumerate(pairs)]


def _split_by(cv: Any, x: FloatArray, t: FloatArray) -> list[Any]:
    try:
        return list(cv.split(x, t))
    except TypeError as error:
        raise TypeError(f"cv is {shown(cv)}, whose split(x, t) fails: {error}") from error


def _shuffled_folds(k: int, t: FloatArray, rng: np.random.Generator) -> list[Pair]:
    """Deal the samples out, shuffled, class after class: so each fold has its share of each."""
    samples = len(t)
    if k > samples:
        raise ValueError(f"cv is {k}; with {samples} samples it must be at most {samples}")
    order = rng.permutation(samples)
    if t.ndim == 1:
        order = order[np.argsort(t[order], kind="stable")]
    fold = np.empty(samples, np.int64)
    fold[order] = np.arange(samples) % k
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(k)]


def _fold(pair: Any, name: str, samples: int) -> tuple[FloatArray, FloatArray]:
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise TypeError(f"{name} is {shown(pair)}; it must be a pair of the rows to learn from and those to score on")
    own = [np.asarray(rows) for rows in pair]
    own = [np.flatnonzero(rows) if rows.dtype == np.bool_ and rows.shape == (samples,) else rows for rows in own]
    return checked_rows(own[0], f"{name}[0]", samples), checked_rows(own[1], f"{name}[1]", samples)


# --- scores -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """What candidates are compared by."""

    name: str
    measure: Metric | None  # None is the loss

    @classmethod
    def of(cls, scoring: Any, candidates: list[Candidate]) -> Score:
        """Return what the argument says."""
        if scoring is not None:
            if not isinstance(scoring, str) and not callable(scoring):
                raise TypeError(
                    f"scoring is {shown(scoring)}; it must be None, a metric's name or a function of (t, a)"
                )
            try:
                ((name, measure),) = resolve_metrics([scoring]).items()
            except ValueError as error:
                raise ValueError(str(error).replace("metrics[0]", "scoring")) from None
            return cls(name, measure)
        losses = {LOSS.resolve(candidate.loss, "loss") for candidate in candidates}
        if len(losses) > 1:
            raise ValueError("scoring is None, the loss, but the candidates have several; give a metric, as 'accuracy'")
        return cls("val_loss", None)

    @property
    def maximizes(self) -> bool:
        """Whether more is better."""
        return self.measure is not None

    def of_network(self, network: Network, x: FloatArray, t: FloatArray, loss: float) -> float:
        """Return a network's score on samples of which it has this loss."""
        return loss if self.measure is None else float(self.measure(t, network.predict(x)))


# --- training ---------------------------------------------------------------------------------------------------------


@dataclass
class Result:
    """What one candidate came to, with a number for each fold."""

    index: int
    candidate: Candidate
    networks: Population
    scores: list[float]
    losses: list[float]
    val_losses: list[float]
    epochs: list[int]
    best_epochs: list[int]  # those whose parameters were kept
    diverged: int
    seconds: float

    @property
    def mean(self) -> float:
        """The mean score; nan where a fold has none."""
        return float(np.mean(self.scores))

    def row(self, rank: int) -> dict[str, Any]:
        """Return the row of the table."""
        return {
            "rank": rank,
            **self.candidate.chosen,
            "score": self.mean,
            "score_std": float(np.std(self.scores)),
            "fold_scores": tuple(self.scores),
            "val_loss": float(np.mean(self.val_losses)),
            "train_loss": float(np.mean(self.losses)),
            "epochs_trained": float(np.mean(self.epochs)),
            "diverged": self.diverged,
            "seconds": self.seconds,
        }


@dataclass
class Study:
    """What is the same for all candidates."""

    data: Pair
    folds: list[Pair]
    seed: int
    score: Score
    early_stopping: EarlyStopping | None
    weights: dict[str, Any]
    fit: dict[str, Any]  # the other arguments of `Population.fit`

    def train(self, group: list[tuple[int, Candidate]]) -> list[Result]:
        """Train candidates of one shape as a population: member c·k + f is candidate c's network of fold f."""
        k, first = len(self.folds), group[0][1]
        each = [candidate.training for _, candidate in group for _ in range(k)]
        population = Population(first.plans, len(each), seed=self._seeds() * len(group), dtype=first.dtype)
        names = dict.fromkeys(name for training in each for name in training)
        arguments: dict[str, Any] = {name: [training.get(name, DEFAULTS[name]) for training in each] for name in names}
        x, t = self.data
        began = time.perf_counter()
        with warnings.catch_warnings():  # the table says which diverged
            warnings.filterwarnings("ignore", "the loss of .* networks was not finite", RuntimeWarning)
            history = population.fit(
                x,
                t,
                epochs=first.epochs,
                validation_data=self.data,
                rows=[training for training, _ in self.folds] * len(group),
                validation_rows=[held_out for _, held_out in self.folds] * len(group),
                early_stopping=self.early_stopping,
                **arguments,
                **self.weights,
                **self.fit,
            )
        seconds = (time.perf_counter() - began) / max(1, sum(len(one.epoch) for one in history))
        results = []
        for c, (index, candidate) in enumerate(group):
            own = slice(c * k, (c + 1) * k)
            fell = population.diverged[own].tolist()
            results.append(self._result(index, candidate, population[own], history[own], fell, seconds))
        return results

    def _seeds(self) -> list[int]:
        return [(self.seed + f) % 2**64 for f in range(len(self.folds))]

    def _result(
        self,
        index: int,
        candidate: Candidate,
        networks: Population,
        histories: list[History],
        diverged: list[bool],
        seconds: float,
    ) -> Result:
        """Score a candidate's networks; an epoch took so many seconds."""
        val_losses, scores = [], []
        for network, fell, (_, held_out) in zip(networks, diverged, self.folds, strict=True):
            x, t = (each[held_out] for each in self.data)
            loss = math.nan if fell else network.loss(x, t, candidate.loss)
            val_losses.append(loss)
            scores.append(math.nan if fell else self.score.of_network(network, x, t, loss))
        epochs = [len(history.epoch) for history in histories]
        return Result(
            index=index,
            candidate=candidate,
            networks=networks,
            scores=scores,
            losses=[history.loss[-1] if history.loss else math.nan for history in histories],
            val_losses=val_losses,
            epochs=epochs,
            best_epochs=[self._best_epoch(history) for history in histories],
            diverged=sum(diverged),
            seconds=seconds * sum(epochs),
        )

    def _best_epoch(self, history: History) -> int:
        """Return how many epochs a network's parameters are of."""
        rule = self.early_stopping
        if rule is None or not rule.restore_best or not history.loss:
            return len(history.epoch)
        values = np.array(history.history[rule.monitor or "val_loss"])
        return int(values.argmax() if rule._maximizes(rule.monitor or "val_loss") else values.argmin()) + 1

    def refit(self, best: Result) -> tuple[Network, History]:
        """Return a network of the best candidate that has learned from all samples, and its history."""
        candidate = best.candidate
        network = Network(candidate.plans, seed=self.seed, dtype=candidate.dtype)
        epochs = max(1, round(float(np.mean(best.best_epochs))))
        trainer = Trainer(network, **candidate.training, seed=self.seed)
        return network, trainer.fit(*self.data, epochs, **self.weights)


def _groups(candidates: list[Candidate]) -> list[list[tuple[int, Candidate]]]:
    """Return the candidates whose networks have one shape, and learn for as many epochs, together."""
    groups: dict[Any, list[tuple[int, Candidate]]] = {}
    for index, candidate in enumerate(candidates):
        key = candidate.plans, np.dtype(candidate.dtype), candidate.epochs
        groups.setdefault(key, []).append((index, candidate))
    return list(groups.values())


def _ranked(results: list[Result], maximizes: bool) -> list[Result]:
    """Return the results, the best first, those without a score last."""
    sign = -1.0 if maximizes else 1.0
    return sorted(results, key=lambda r: (math.isnan(r.mean), sign * r.mean if r.mean == r.mean else 0.0, r.index))


def _table(ranked: list[Result]) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = []
    for place, result in enumerate(ranked):
        is_tie = place > 0 and result.mean == ranked[place - 1].mean
        table.append(result.row(table[-1]["rank"] if is_tie else place + 1))
    return table
