"""Grid search that extracts features once for each of their settings.

Parameters of loader and features decide what is extracted; those of scaler and classifier do not.
So candidates are gathered by the first kind: the features of each such setting are extracted once,
and scikit-learn's own searches go over the second kind on them.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import getsource
from math import ceil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    ParameterGrid,
    ParameterSampler,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline

from sklearn_ser.classifiers import fit_arguments
from sklearn_ser.classifiers._keras import tensorflow_version
from sklearn_ser.exceptions import CorpusError, SearchStopped
from sklearn_ser.features import GroupNormalizer
from sklearn_ser.model_selection._journal import Journal, name_candidate
from sklearn_ser.model_selection.splits import Subset, groups_of, mirrored_columns
from sklearn_ser.model_selection.training_rows import RowOptions, make_rows
from sklearn_ser.pipelines import find_name, set_pipeline_params

__all__ = ["STRATEGIES", "SearchOptions", "SearchResult", "grid_search", "make_folds"]

STRATEGIES = ("grid", "halving", "random")

_SECONDS_AT_ONCE = 5  # about how much work a search that is stopped may lose


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search, with the command line's names and defaults.

    Attributes
    ----------
    grid : mapping of str to sequence or None
        What to try, such as `{"clf__C": [1, 10], "features__mfcc__n_mfcc": [20, 40]}`; `None` is
        the grid of the recipe.
    n_folds : int
        Folds of the search; with `nested` of the run as well.
    strategy : {"grid", "halving", "random"}
        Every candidate on every clip; all on a few clips and each time the best third on three
        times as many; or `n_candidates` of them, drawn at random.
    n_candidates : int
        For the strategy `"random"`.
    nested : bool
        Whether every clip is tested once, by the result of a search without its fold.
    split : str
        What the folds of the search must not share, as for :func:`split_corpus`: speakers or texts
        as far as two of them are there.
    """

    grid: Mapping[str, Sequence[Any]] | None = None
    n_folds: int = 5
    strategy: str = "grid"
    n_candidates: int = 10
    nested: bool = False
    split: str = "random"

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategy", self.strategy.lower())


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes
    ----------
    best_params : dict
        The parameters of the best candidate.
    best_score : float
        Its UAR, averaged over the folds.
    cv_results : DataFrame
        A row per candidate, as `GridSearchCV` reports it, the best first.
    folds_by : str
        What the folds of the search do not share: "speaker", "text", or "random".
    journals : tuple of Journal
        What the same search would go on from, had it been stopped.
    """

    best_params: dict[str, Any]
    best_score: float
    cv_results: pd.DataFrame
    folds_by: str = "random"
    journals: tuple[Journal, ...] = ()

    def forget(self) -> None:
        """Drop what is kept to go on from: the same search is made anew."""
        for journal in self.journals:
            journal.drop()


def make_folds(
    y: ArrayLike, groups: np.ndarray | None, n_folds: int, seed: int
) -> StratifiedKFold | GroupKFold:
    """Return the splitter for the folds of a search.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        Emotions.
    groups : ndarray of shape (n_clips,) or None
        Speakers or texts that no two folds may share.
    n_folds : int
        How many folds to try; fewer where groups or the rarest emotion give fewer.
    seed : int
        Decides on the order of clips where there are no groups.
    """
    if groups is not None:
        return GroupKFold(min(n_folds, len(np.unique(groups))))
    rarest = int(np.unique(np.asarray(y), return_counts=True)[1].min())
    if rarest < 2:
        raise CorpusError(
            "An emotion has one clip in the training set, so no fold can be spared: add clips."
        )
    return StratifiedKFold(min(n_folds, rarest), shuffle=True, random_state=seed)


def grid_search(
    pipeline: Pipeline,
    clips: Subset,
    options: SearchOptions,
    *,
    rows: RowOptions | None = None,
    n_jobs: int | None = None,
    seed: int = 0,
    keep_in: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> SearchResult:
    """Find the parameters with the best unweighted average recall (UAR) over folds.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned.
    clips : Subset
        Training clips; their features are computed once for each setting of loader and features.
    options : SearchOptions
        With a grid.
    rows : RowOptions, default=None
        What is fitted on beside the clips, and how much each counts. Each fold fits on copies that
        are made of its own clips, and is scored on clips as recorded.
    n_jobs : int, default=None
        Candidates to fit at once.
    seed : int, default=0
    keep_in : Path, default=None
        Folder where finished candidates are kept until the search is through: one that was
        stopped, however rudely, goes on from there. Halving keeps none.
    on_progress : callable, default=None
        Called with the fits done, and their total, after each batch of candidates.

    Returns
    -------
    result : SearchResult

    Raises
    ------
    OptionError
        If the grid names a parameter that does not exist, or a value that makes no sense.
    SearchStopped
        If it was interrupted (Ctrl-C).

    Notes
    -----
    Candidates of `SVMClassifier` are compared without calibration, which costs five more fits
    each; whoever refits the best one calibrates it.
    """
    candidates = list_candidates(pipeline, options, seed)
    groups, by = _choose_groups(clips.table, options.split)
    folds = make_folds(clips.y, groups, options.n_folds, seed)
    progress = _Progress(folds.n_splits * len(candidates), on_progress)
    tables: list[pd.DataFrame] = []
    journals = []
    for head, tails in _by_head(candidates):
        candidate = set_pipeline_params(clone(pipeline), head)
        fits = _Fits.on(
            candidate,
            clips,
            list(folds.split(clips.y, clips.y, groups)),
            rows or RowOptions(),
            groups,
            n_jobs,
        )
        journals.append(fits.journal(keep_in))
        try:
            if options.strategy == "halving":
                results = fits.halve(tails, seed, progress)
            else:
                results = fits.fit_all(tails, journals[-1], progress)
        except KeyboardInterrupt:
            raise _stopped(tables, head, journals[-1], len(candidates)) from None
        results["params"] = [head | params for params in results["params"]]
        for name, value in head.items():
            results[f"param_{name}"] = [value] * len(results)
        tables.append(results)
    table = _rank(pd.concat(tables, ignore_index=True), options.strategy)
    score = float(table["mean_test_score"][0])
    return SearchResult(dict(table["params"][0]), score, table, by, tuple(journals))


def list_candidates(pipeline: Pipeline, options: SearchOptions, seed: int) -> list[dict[str, Any]]:
    """Return the candidates of a search, all of which the pipeline can take.

    Raises
    ------
    OptionError
        If the strategy or a parameter is not known, or a value makes no sense.
    """
    find_name(options.strategy, STRATEGIES, "strategy")
    grid = {name: list(values) for name, values in (options.grid or {}).items()}
    candidates = list(ParameterGrid(grid))
    if options.strategy == "random" and options.n_candidates < len(candidates):
        candidates = list(ParameterSampler(grid, options.n_candidates, random_state=seed))
    for candidate in candidates:  # a wrong name or value is said before hours of work
        set_pipeline_params(clone(pipeline), candidate)
    return candidates


def _choose_groups(table: pd.DataFrame, split: str) -> tuple[np.ndarray | None, str]:
    """Return what the folds of a search must not share, and its name."""
    for column in mirrored_columns(split):
        try:
            return groups_of(table, column), column
        except CorpusError:
            continue
    return None, "random"


def _rank(results: pd.DataFrame, strategy: str) -> pd.DataFrame:
    """Return candidates the best first; scores on few clips say less than those on all."""
    by = [name for name in ("n_resources", "mean_test_score") if name in results]
    table = results.sort_values(by, ascending=False, kind="stable", ignore_index=True)
    table["rank_test_score"] = np.arange(1, len(table) + 1)
    if strategy != "halving":
        ranks = table["mean_test_score"].rank(method="min", ascending=False)
        table["rank_test_score"] = ranks.astype(int)
    return table


def _by_head(
    candidates: Sequence[Mapping[str, Any]],
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Gather candidates of the same loader and features."""
    gathered: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for candidate in candidates:
        head = {k: v for k, v in candidate.items() if k.split("__")[0] in ("audio", "features")}
        tail = {k: v for k, v in candidate.items() if k not in head}
        gathered.setdefault(repr(sorted(head.items())), (head, []))[1].append(tail)
    return list(gathered.values())


def _stopped(
    tables: list[pd.DataFrame], head: dict[str, Any], journal: Journal, total: int
) -> SearchStopped:
    """Say which candidates a search that was stopped has finished, and what becomes of them."""
    finished = [
        (row["mean_test_score"], name_candidate(row["params"]))
        for table in tables
        for _, row in table.iterrows()
    ]
    finished += [
        (row["mean_test_score"], ", ".join(filter(None, [name_candidate(head), name])))
        for name, row in journal.rows.items()
    ]
    if not finished:
        return SearchStopped(f"Stopped before the first of {total} candidates was through.")
    score, best = max(finished)
    words = f"Stopped after {len(finished)} of {total} candidates; the best so far: "
    words += f"{best or 'as it is'} (UAR {score:.4f}). "
    if journal.file is None:
        return SearchStopped(f"{words}Nothing is kept with `cache=None`: leave that out.")
    return SearchStopped(f"{words}They are kept: the same search again goes on from there.")


class _Progress:
    """How many fits of how many are done."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None] | None):
        self.done, self.total, self.on_progress = 0, total, on_progress

    def add(self, n: int) -> None:
        self.done += n
        if n and self.on_progress is not None:
            self.on_progress(self.done, self.total)


@dataclass
class _Fits:
    """Fits of scaler and classifier on the folds of features in one setting.

    Attributes
    ----------
    tail : Pipeline
        Scaler and classifier.
    X : ndarray of shape (n_rows, ...)
        Clips, then their copies.
    y : ndarray of shape (n_rows,)
    folds : list of (ndarray, ndarray)
        The rows to fit on, and those to score: no copies among these.
    given : dict of str to ndarray of shape (n_rows,)
        What the classifier is given beside: weights, and groups that it must not part.
    n_jobs : int or None
    """

    tail: Pipeline
    X: np.ndarray
    y: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    given: dict[str, np.ndarray]
    n_jobs: int | None

    @classmethod
    def on(
        cls,
        pipeline: Pipeline,
        clips: Subset,
        folds: Sequence[tuple[np.ndarray, np.ndarray]],
        options: RowOptions,
        groups: np.ndarray | None,
        n_jobs: int | None,
    ) -> "_Fits":
        """Return the fits of a pipeline on folds of clips, each with copies of its own."""
        X, clip, trains = make_rows(pipeline, clips, [train for train, _ in folds], options)
        pairs = [(train, test) for train, (_, test) in zip(trains, folds, strict=True)]
        if groups is None and options.augment:
            groups = np.arange(len(clips))  # a clip and its copies stay together
        tail = pipeline[2:]
        if isinstance(tail["scale"], GroupNormalizer):  # once, over the clips of all folds
            of = clips.table[tail["scale"].by].to_numpy()[clip]
            X = clone(tail["scale"]).fit_transform(X, groups=of)
            tail.set_params(scale="passthrough")
        weights = options.weigh(clips)
        given = fit_arguments(
            pipeline.named_steps["clf"],
            sample_weight=None if weights is None else weights[clip],
            groups=None if groups is None else groups[clip],
        )
        return cls(tail, X, clips.y[clip], pairs, given, n_jobs)

    def journal(self, folder: Path | None) -> Journal:
        """Return what was kept of a search of the same clips, folds, classifier and code."""
        clf = self.tail.named_steps["clf"]
        code = getsource(type(clf)) if type(clf).__module__.startswith("sklearn_ser") else ""
        made_of = (self.X, self.y, self.given, self.folds, self.tail, code)
        versions = [sklearn.__version__, np.__version__, tensorflow_version()]
        return Journal(folder, joblib.hash((made_of, versions)) if folder else "none")

    def fit_all(
        self, candidates: Sequence[dict[str, Any]], journal: Journal, progress: _Progress
    ) -> pd.DataFrame:
        """Fit every candidate on every fold, a few seconds' worth at a time."""
        n_splits = len(self.folds)
        new = [params for params in candidates if journal.get(params) is None]
        progress.add(n_splits * (len(candidates) - len(new)))
        size = ceil(2 * joblib.effective_n_jobs(self.n_jobs) / n_splits)
        while new:
            some, new = new[:size], new[size:]
            started = time.perf_counter()
            results = self._fit(GridSearchCV, some)
            for params, (_, row) in zip(some, results.iterrows(), strict=True):
                figures = {
                    str(name): float(value)
                    for name, value in row.items()
                    if str(name).endswith(("_time", "_score")) and "rank" not in str(name)
                }
                journal.add(params, figures)
            progress.add(n_splits * len(some))
            if time.perf_counter() - started < _SECONDS_AT_ONCE / 2:
                size *= 2
        return pd.DataFrame(
            [
                (journal.get(params) or {})
                | {"params": params}
                | {f"param_{name}": value for name, value in params.items()}
                for params in candidates
            ]
        )

    def halve(
        self, candidates: Sequence[dict[str, Any]], seed: int, progress: _Progress
    ) -> pd.DataFrame:
        """Fit all on a few clips, and each time the best third on three times as many."""
        from sklearn.experimental import enable_halving_search_cv  # noqa: F401
        from sklearn.model_selection import HalvingGridSearchCV

        n_splits = len(self.folds)
        results = self._fit(HalvingGridSearchCV, candidates, random_state=seed)
        # Rounds after the first were not foreseen in the total.
        progress.total += n_splits * (len(results) - len(candidates))
        progress.add(n_splits * len(results))
        return results

    def _fit(self, kind: type, candidates: Sequence[dict[str, Any]], **how: Any) -> pd.DataFrame:
        grid = [{name: [value] for name, value in params.items()} for params in candidates]
        tail = clone(self.tail)
        if "clf__calibrate" in tail.get_params() and "clf__calibrate" not in grid[0]:
            tail.set_params(clf__calibrate=False)
        search = kind(
            tail,
            grid,
            scoring="balanced_accuracy",
            cv=self.folds,
            n_jobs=self.n_jobs,
            refit=False,
            error_score="raise",
            **how,
        )
        # Networks carve their validation set by groups; other classifiers know none.
        given = {f"clf__{name}": values for name, values in self.given.items()}
        try:
            with warnings.catch_warnings():
                # scikit-learn's MLP takes Ctrl-C as the end of its training and goes on.
                warnings.filterwarnings("error", "Training interrupted")
                search.fit(self.X, self.y, **given)
        except UserWarning as warning:
            raise KeyboardInterrupt from warning
        return pd.DataFrame(search.cv_results_)
