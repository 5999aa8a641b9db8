"""What `grid-search` does: find parameters without a look at the test set, then run with them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import CorpusError, SearchStopped
from sklearn_ser.model_selection import Fold
from sklearn_ser.model_selection.search import SearchResult, grid_search
from sklearn_ser.model_selection.splits import groups_of
from sklearn_ser.pipelines import RECIPES, extract_features, set_pipeline_params
from sklearn_ser.report.search_figure import draw_search
from sklearn_ser.runs.corpus import RunCorpus, feature_setting, read_corpus
from sklearn_ser.runs.fit import fit_and_write, pipeline_of, run_name
from sklearn_ser.runs.folder import new_folder
from sklearn_ser.runs.folds import Tried, audit_run, divide_run
from sklearn_ser.runs.options import Progress, RunOptions, silent

__all__ = ["SearchOptions", "search_run"]


_KEPT = 3  # feature settings in memory at once; others come from the cache


@dataclass(frozen=True)
class SearchOptions:
    """How a search goes, with the command line's names and defaults."""

    grid: Mapping[str, Sequence[Any]] | None = None  # None is the recipe's own
    n_folds: int = 5
    strategy: str = "grid"
    n_candidates: int = 10
    nested: bool = False


def search_run(
    options: RunOptions,
    how: SearchOptions | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Search the training set for the best parameters, then do as `fit_run` with them.

    Parameters
    ----------
    options : RunOptions
        `split` is both how the test set is set aside and how the folds of the search are made.
    how : SearchOptions, default=None
        With `nested`, every clip is tested once: the whole search is made anew in each fold's
        training set, and the pipeline that is saved comes from one more search of all clips.
    on_progress : callable, default=None

    Returns
    -------
    metrics : dict
        What is in metrics.json; its key `search` tells about the search.

    Raises
    ------
    SearchStopped
        If it was interrupted; what it had finished is in the cache, and used next time.
    SerError
        If options, data or audio are wrong; nothing is written then.
    """
    started = time.perf_counter()
    progress = on_progress or silent
    how = how or SearchOptions()
    if how.nested:
        options = replace(options, folds=how.n_folds)
    table = load_data(options.data)
    divide_run(table, options)  # what is wrong with the split is said before the work of extraction
    search = _Search(options, how, progress)
    with new_folder(options.out, run_name(options)) as (folder, out):
        corpus = search.read(table)
        folds = divide_run(corpus.table, options)
        audit = audit_run(corpus, folds)
        rows = np.sort(np.concatenate([folds[0].train, folds[0].validation]))
        if how.nested:
            rows = np.arange(len(corpus.table))
        result, by = search.search(corpus.table, corpus.emotions, rows)
        result.cv_results.to_csv(folder / "cv_results.csv", index=False)
        draw_search(result.cv_results, folder / "search.png", f"{run_name(options)}, folds by {by}")
        best = replace(options, params={**options.params, **result.best_params})
        pipeline = pipeline_of(best)
        corpus.matrix = search.matrix_of(pipeline)
        told = _describe(result, by, how)
        tried = Tried(told, search.matrix_of)
        if how.nested:
            tried = Tried(told | {"nested": search.nested}, search.matrix_of, search.choose)
        try:
            metrics = fit_and_write(
                pipeline, corpus, folds, audit, best, folder, out, progress, started, tried
            )
        except KeyboardInterrupt:
            raise search.stopped() from None
    search.forget()
    return metrics


class _Search:
    """A search over one corpus, which extracts the features of each setting once."""

    def __init__(self, options: RunOptions, how: SearchOptions, progress: Progress):
        self.options, self.how, self.progress = options, how, progress
        self.pipeline = pipeline_of(options)
        self.grid = how.grid or RECIPES[options.clf].grid
        self.nested: list[dict[str, Any]] = []
        self._results: list[SearchResult] = []
        self._matrices: dict[str, np.ndarray] = {}

    def read(self, table: pd.DataFrame) -> RunCorpus:
        """Read the corpus in the first setting of the grid."""
        first = {name: values[0] for name, values in self.grid.items()}
        pipeline = set_pipeline_params(clone(self.pipeline), first)
        corpus = read_corpus(pipeline, table, self.options, self.progress)
        self.paths = corpus.table["path"].tolist()
        self._matrices[feature_setting(pipeline)] = corpus.matrix
        return corpus

    def matrix_of(self, pipeline: Pipeline) -> np.ndarray:
        """Return the features of all clips in the setting of a pipeline."""
        setting = feature_setting(pipeline)
        if setting not in self._matrices:
            matrix, _, failures = extract_features(
                pipeline, self.paths, lambda done, n: self.progress("features", done, n, "")
            )
            if failures:
                raise CorpusError(
                    f"In the setting {setting} clips fail that others allow: "
                    + "; ".join(failures.values())
                )
            self._matrices[setting] = matrix
            if len(self._matrices) > _KEPT:
                del self._matrices[next(iter(self._matrices))]
            return matrix
        return self._matrices[setting]

    def search(
        self, table: pd.DataFrame, emotions: np.ndarray, rows: np.ndarray
    ) -> tuple[SearchResult, str]:
        """Search some clips, given nothing of all others: what is not there, nobody can look at."""
        groups, by = _fold_groups(table.iloc[rows], self.options.split)
        cache = self.options.cache
        result = grid_search(
            self.pipeline,
            lambda candidate: self.matrix_of(candidate)[rows],
            emotions[rows],
            self.grid,
            rows=np.arange(len(rows)),
            groups=groups,
            n_folds=self.how.n_folds,
            n_jobs=self.options.n_jobs,
            seed=self.options.seed,
            strategy=self.how.strategy,
            n_candidates=self.how.n_candidates,
            keep_in=None if cache is None else cache / "searches",
            on_progress=lambda done, total: self.progress("candidates", done, total, ""),
        )
        self._results.append(result)
        return result, by

    def stopped(self) -> SearchStopped:
        """Say what is left of a search that is stopped after it has chosen."""
        words = "Stopped while the best candidate was fitted. "
        if self.options.cache is None or self.how.strategy == "halving":
            return SearchStopped(words + "Of the search nothing is kept.")
        return SearchStopped(
            words + "The candidates are kept: give the same command again to go on from there."
        )

    def forget(self) -> None:
        """Drop what the searches have kept to go on from: the run is written."""
        for result in self._results:
            result.forget()

    def choose(self, corpus: RunCorpus, parts: Fold) -> tuple[Pipeline, RunCorpus]:
        """Search a fold's training set; return the best, and the corpus as it sees it."""
        rows = np.sort(np.concatenate([parts.train, parts.validation]))
        result, _ = self.search(corpus.table, corpus.emotions, rows)
        self.nested.append({"best_params": _shown(result), "best_uar": result.best_score})
        best = set_pipeline_params(clone(self.pipeline), result.best_params)
        matrix = self.matrix_of(best)
        blind = np.full_like(matrix, np.inf)
        blind[rows] = matrix[rows]
        return best, replace(corpus, matrix=blind)


def _fold_groups(table: pd.DataFrame, split: str) -> tuple[np.ndarray | None, str]:
    """Return what the folds of a search must not share, and its name."""
    for column in ("speaker", "text"):
        if column in split or (column == "text" and split != "random"):
            try:
                return groups_of(table, column), column
            except CorpusError:
                continue  # one speaker is left to train on: texts are the next best
    return None, "random"


def _shown(result: SearchResult) -> dict[str, str]:
    return {name: repr(value) for name, value in result.best_params.items()}


def _describe(result: SearchResult, by: str, how: SearchOptions) -> dict[str, Any]:
    return {
        "best_params": _shown(result),
        "best_uar": result.best_score,
        "n_candidates": len({str(params) for params in result.cv_results["params"]}),
        "folds_by": by,
        "strategy": how.strategy,
    }
