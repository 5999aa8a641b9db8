"""Grid search that computes the features of each clip once per setting of the features.

Parameters of loader and features decide what is extracted; those of scaler and classifier do not.
So the grid is divided: for each setting of the first kind the features are extracted once, and
scikit-learn's own searches go over the second kind on the ready matrix.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import getsource, signature
from math import ceil
from pathlib import Path
from threading import RLock
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    ParameterGrid,
    ParameterSampler,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline

from sklearn_ser._sklearn import FitCounter
from sklearn_ser.classifiers._keras import tensorflow_version
from sklearn_ser.exceptions import CorpusError, OptionError, SearchStopped
from sklearn_ser.model_selection._journal import Journal, name_candidate
from sklearn_ser.pipelines import set_pipeline_params

__all__ = ["STRATEGIES", "SearchResult", "divide_grid", "grid_search", "make_folds"]

STRATEGIES = ("grid", "halving", "random")

_SECONDS_AT_ONCE = 5  # about how much work a search that is stopped may lose


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    best_params : dict
        The parameters of the best candidate.
    best_score : float
        Its UAR, averaged over the folds.
    cv_results : DataFrame
        A row per candidate, as `GridSearchCV` reports it, the best first.
    matrix : ndarray of shape (n_clips, ...)
        The features of all clips in the best candidate's setting.
    journals : tuple of Journal
        What the same search would go on from, had it been stopped.
    """

    best_params: dict[str, Any]
    best_score: float
    cv_results: pd.DataFrame
    matrix: np.ndarray
    journals: tuple[Journal, ...] = ()

    def forget(self) -> None:
        """Drop what is kept to go on from: the same search is made anew."""
        for journal in self.journals:
            journal.drop()


def make_folds(
    y: Sequence, groups: np.ndarray | None, n_folds: int, seed: int
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
    extract: Callable[[Pipeline], np.ndarray],
    y: np.ndarray,
    grid: Mapping[str, Sequence[Any]],
    *,
    rows: np.ndarray,
    groups: np.ndarray | None = None,
    n_folds: int = 5,
    n_jobs: int | None = None,
    seed: int = 0,
    strategy: str = "grid",
    n_candidates: int = 10,
    keep_in: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> SearchResult:
    """Find the parameters with the best unweighted average recall (UAR) over folds.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned.
    extract : callable
        From a pipeline to the features of all clips, of shape (n_clips, ...); called once for each
        setting of loader and features.
    y : ndarray of shape (n_clips,)
        Emotions.
    grid : mapping of str to sequence
        What to try, such as `{"clf__C": [1, 10], "features__mfcc__n_mfcc": [20, 40]}`.
    rows : ndarray of int
        The clips the search may see; all else is as if it were not there.
    groups : ndarray of shape (len(rows),), default=None
        Speakers or texts of those clips, which no two folds may share.
    n_folds : int, default=5
    n_jobs : int, default=None
        Candidates to fit at once.
    seed : int, default=0
    strategy : {"grid", "halving", "random"}, default="grid"
        Every candidate on every clip; all on a few clips and each time the best third on three
        times as many; or `n_candidates` of them, drawn at random.
    n_candidates : int, default=10
        For the strategy `"random"`.
    keep_in : Path, default=None
        Folder where finished candidates are kept until the search is through: one that was
        stopped, however rudely, goes on from there. Halving keeps none.
    on_progress : callable, default=None
        Called with the fits done, and their total.

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
    if strategy not in STRATEGIES:
        raise OptionError(f"Unknown --strategy {strategy!r}: there are {', '.join(STRATEGIES)}.")
    candidates = list(ParameterGrid(dict(grid)))
    if strategy == "random" and n_candidates < len(candidates):
        candidates = list(ParameterSampler(dict(grid), n_candidates, random_state=seed))
    for candidate in candidates:  # a wrong name or value is said before hours of work
        set_pipeline_params(clone(pipeline), candidate)
    folds = make_folds(y[rows], groups, n_folds, seed)
    count = _Count(folds.n_splits * len(candidates), on_progress)
    best: tuple[tuple, np.ndarray] | None = None
    tables: list[pd.DataFrame] = []
    journals = []
    for head_params, tails in _by_head(candidates):
        candidate = set_pipeline_params(clone(pipeline), head_params)
        matrix = extract(candidate)
        search = _TailSearch(candidate[2:], matrix[rows], y[rows], folds, groups, n_jobs, count)
        journals.append(search.journal(keep_in))
        try:
            results = (
                search.halve(tails, seed)
                if strategy == "halving"
                else search.try_all(tails, journals[-1])
            )
        except KeyboardInterrupt:
            raise _stopped(tables, head_params, journals[-1], len(candidates)) from None
        results["params"] = [head_params | params for params in results["params"]]
        for name, value in head_params.items():
            results[f"param_{name}"] = [value] * len(results)
        tables.append(results)
        top = _order(results).iloc[0]
        standing = (top.get("n_resources", 0), top["mean_test_score"])
        if best is None or standing > best[0]:
            best = standing, matrix
    table = _order(pd.concat(tables, ignore_index=True))
    table["rank_test_score"] = np.arange(1, len(table) + 1)
    if strategy != "halving":
        ranks = table["mean_test_score"].rank(method="min", ascending=False)
        table["rank_test_score"] = ranks.astype(int)
    assert best is not None  # a ParameterGrid is never empty
    score = float(table["mean_test_score"][0])
    return SearchResult(dict(table["params"][0]), score, table, best[1], tuple(journals))


def _order(results: pd.DataFrame) -> pd.DataFrame:
    """Return candidates the best first; scores on few clips say less than those on all."""
    by = [name for name in ("n_resources", "mean_test_score") if name in results]
    return results.sort_values(by, ascending=False, kind="stable", ignore_index=True)


def _by_head(
    candidates: Sequence[Mapping[str, Any]],
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Gather candidates of the same loader and features."""
    gathered: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for candidate in candidates:
        head = {name: value for name, value in candidate.items() if _is_head(name)}
        tail = {name: value for name, value in candidate.items() if name not in head}
        gathered.setdefault(repr(sorted(head.items())), (head, []))[1].append(tail)
    return list(gathered.values())


def _is_head(name: str) -> bool:
    return name.split("__")[0] in ("audio", "features")


def _stopped(
    tables: list[pd.DataFrame], head: dict[str, Any], journal: Journal, total: int
) -> SearchStopped:
    """Say what a search that was stopped has found."""
    found = [
        (row["mean_test_score"], name_candidate(row["params"]))
        for table in tables
        for _, row in table.iterrows()
    ]
    found += [
        (row["mean_test_score"], ", ".join(filter(None, [name_candidate(head), name])))
        for name, row in journal.rows.items()
    ]
    if not found:
        return SearchStopped(f"Stopped before the first of {total} candidates was through.")
    score, best = max(found)
    words = f"Stopped after {len(found)} of {total} candidates; the best so far: "
    words += f"{best or 'as it is'} (UAR {score:.4f}). "
    if journal.file is None:
        return SearchStopped(f"{words}Nothing is kept without a cache: leave out --no-cache.")
    return SearchStopped(f"{words}They are kept: give the same command again to go on from there.")


class _Count:
    """How many fits of how many are done, told from whatever thread."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None] | None):
        self.done, self.total, self.on_progress = 0, total, on_progress
        self._lock = RLock()

    def add(self, n: int = 1) -> None:
        with self._lock:
            self.set(self.done + n)

    def set(self, done: int) -> None:
        with self._lock:
            if self.on_progress is not None and done != self.done:
                self.on_progress(done, self.total)
            self.done = done


@dataclass
class _TailSearch:
    """The search for scaler and classifier on the ready features."""

    tail: Pipeline
    X: np.ndarray
    y: np.ndarray
    folds: StratifiedKFold | GroupKFold
    groups: np.ndarray | None
    n_jobs: int | None
    count: _Count

    def journal(self, folder: Path | None) -> Journal:
        """Return what was kept of a search of the same clips, folds, classifier and code."""
        clf = self.tail.named_steps["clf"]
        code = getsource(type(clf)) if type(clf).__module__.startswith("sklearn_ser") else ""
        made_of = (self.X, self.y, self.groups, repr(self.folds), self.tail, code)
        versions = [sklearn.__version__, np.__version__, tensorflow_version()]
        return Journal(folder, joblib.hash((made_of, versions)) if folder else "none")

    def try_all(self, candidates: Sequence[dict[str, Any]], journal: Journal) -> pd.DataFrame:
        """Fit every candidate on every fold, a few seconds' worth at a time."""
        n_splits = self.folds.n_splits
        new = [params for params in candidates if journal.get(params) is None]
        self.count.add(n_splits * (len(candidates) - len(new)))
        n_workers = joblib.effective_n_jobs(self.n_jobs)
        size = ceil(2 * n_workers / n_splits)
        while new:
            some, new = new[:size], new[size:]
            before, started = self.count.done, time.perf_counter()
            results = self._fit(GridSearchCV, some)
            for params, (_, row) in zip(some, results.iterrows(), strict=True):
                figures = {
                    str(name): float(value)
                    for name, value in row.items()
                    if str(name).endswith(("_time", "_score")) and "rank" not in str(name)
                }
                journal.add(params, figures)
            self.count.set(before + n_splits * len(some))  # what far workers could not tell
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

    def halve(self, candidates: Sequence[dict[str, Any]], seed: int) -> pd.DataFrame:
        """Fit all on a few clips, and each time the best third on three times as many."""
        from sklearn.experimental import enable_halving_search_cv  # noqa: F401
        from sklearn.model_selection import HalvingGridSearchCV

        before, n_splits = self.count.done, self.folds.n_splits
        results = self._fit(HalvingGridSearchCV, candidates, random_state=seed)
        # Rounds after the first were not foreseen in the total.
        self.count.total += n_splits * (len(results) - len(candidates))
        self.count.set(before + n_splits * len(results))
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
        search.set_callbacks(counter := FitCounter(self.count.add))
        # Networks carve their validation set by the same groups; other classifiers know none.
        takes_groups = "groups" in signature(tail.named_steps["clf"].fit).parameters
        groups = self.groups
        more = {"clf__groups": groups} if takes_groups and groups is not None else {}
        try:
            with warnings.catch_warnings():
                # scikit-learn's MLP takes Ctrl-C as the end of its training and goes on.
                warnings.filterwarnings("error", "Training interrupted")
                search.fit(self.X, self.y, groups=groups, **more)
        except UserWarning as warning:
            raise KeyboardInterrupt from warning
        finally:
            counter.teardown(search, None)
        return pd.DataFrame(search.cv_results_)


def divide_grid(
    grid: Mapping[str, Sequence[Any]],
) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Divide a grid in the settings of loader and features, and the grid of all else.

    Examples
    --------
    >>> from sklearn_ser.model_selection.search import divide_grid
    >>> divide_grid({"features__mfcc__n_mfcc": [20, 40], "clf__C": [1, 10]})
    ([{'features__mfcc__n_mfcc': 20}, {'features__mfcc__n_mfcc': 40}], {'clf__C': [1, 10]})
    """
    head = {name: grid[name] for name in grid if _is_head(name)}
    tail = {name: list(values) for name, values in grid.items() if name not in head}
    return list(ParameterGrid(head)), tail
