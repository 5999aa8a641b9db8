"""What `fit` and `grid-search` do. The pipeline a run saves is the one its scores belong to."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from sklearn_ser.corpora import load_data
from sklearn_ser.evaluation import Parts, importance, pool_importance
from sklearn_ser.evaluation.splits import groups_of
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.networks import NetworkClassifier
from sklearn_ser.pipelines import (
    RECIPES,
    check_on_error,
    make_pipeline,
    set_pipeline_params,
    with_tail,
)
from sklearn_ser.runs.corpus import RunCorpus, feature_setting, read_corpus
from sklearn_ser.runs.folder import new_folder, writing
from sklearn_ser.runs.folds import (
    Fit,
    audit_run,
    divide_run,
    everything,
    fit_folds,
    score_answers,
)
from sklearn_ser.runs.options import Progress, RunOptions, data_name, silent
from sklearn_ser.runs.resume import forget_options, write_options
from sklearn_ser.runs.write import write_run
from sklearn_ser.search import SearchResult, divide_grid, grid_search
from sklearn_ser.temperature import TemperatureScaledClassifier

__all__ = ["fit_run", "search_run"]


def fit_run(
    options: RunOptions, on_progress: Progress | None = None, *, resume: bool = False
) -> dict[str, Any]:
    """Fit a pipeline, score it on clips it has not seen, and write the run's folder.

    Parameters
    ----------
    options : RunOptions
    on_progress : callable, default=None
        Called with the stage, the steps done, their total, and a detail.
    resume : bool, default=False
        Whether to go on with the run of that `out` which was broken off.

    Returns
    -------
    metrics : dict
        What is in metrics.json.

    Raises
    ------
    SerError
        If options, data or audio are wrong; nothing is written then.
    UnfinishedError
        If it is broken off while a network trains: it can go on from the last epoch.
    OSError
        If the folder cannot be written.
    """
    started = time.perf_counter()
    progress = on_progress or silent
    pipeline = _make_pipeline(options)
    table = load_data(options.data)
    divide_run(table, options)  # what is wrong with the split is said before the work of extraction
    with new_folder(options.out, _run_name(options), go_on=resume) as (folder, out):
        corpus = read_corpus(pipeline, table, options, progress)
        folds = divide_run(corpus.table, options)
        audit = audit_run(corpus, folds)
        return _fit_and_write(
            pipeline, corpus, folds, audit, options, folder, out, progress, started
        )


def search_run(
    options: RunOptions,
    grid: Mapping[str, Sequence[Any]] | None = None,
    *,
    n_folds: int = 5,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Search the training part for the best parameters, then do as `fit_run` with them.

    Parameters
    ----------
    options : RunOptions
        `split` is both how the test part is set aside and how the folds of the search are made.
    grid : mapping of str to sequence, default=None
        What to try; `None` takes the recipe's own grid.
    n_folds : int, default=5
    on_progress : callable, default=None

    Returns
    -------
    metrics : dict
        What is in metrics.json; its key `search` tells about the search.
    """
    started = time.perf_counter()
    progress = on_progress or silent
    pipeline = _make_pipeline(options)
    grid = grid or RECIPES[options.clf].grid
    table = load_data(options.data)
    divide_run(table, options)  # what is wrong with the split is said before the work of extraction
    heads, _ = divide_grid(grid)
    with new_folder(options.out, _run_name(options)) as (folder, out):
        first = set_pipeline_params(clone(pipeline), heads[0])
        corpus = read_corpus(first, table, options, progress)
        parts = divide_run(corpus.table, options)[0]
        audit = audit_run(corpus, [parts])
        # The search gets the training part alone: what it is not given, it cannot look at.
        rows = np.sort(np.concatenate([parts.train, parts.validation]))
        seen = corpus.table.iloc[rows].reset_index(drop=True)
        ready = {feature_setting(first): corpus.matrix[rows]}

        def extract(candidate: Pipeline) -> np.ndarray:
            if (setting := feature_setting(candidate)) in ready:
                return ready.pop(setting)
            return _extract(candidate, seen, options, progress)

        groups, by = _fold_groups(seen, options.split)
        result = grid_search(
            pipeline,
            extract,
            corpus.emotions[rows],
            grid,
            rows=np.arange(len(rows)),
            groups=groups,
            n_folds=n_folds,
            n_jobs=options.n_jobs,
            seed=options.seed,
            on_progress=lambda done, total: progress("candidates", done, total, ""),
        )
        result.cv_results.to_csv(folder / "cv_results.csv", index=False)
        best = replace(options, params={**options.params, **result.best_params})
        pipeline = _make_pipeline(best)
        if feature_setting(pipeline) != feature_setting(first):
            others = np.setdiff1d(np.arange(len(corpus.table)), rows)
            shape = (len(corpus.table), *result.matrix.shape[1:])
            corpus.matrix = np.empty(shape, dtype=np.float32)
            corpus.matrix[rows] = result.matrix
            corpus.matrix[others] = _extract(pipeline, corpus.table.iloc[others], options, progress)
        told = {"search": _describe_search(result, by)}
        return _fit_and_write(
            pipeline, corpus, [parts], audit, best, folder, out, progress, started, told
        )


def _extract(
    pipeline: Pipeline, table: pd.DataFrame, options: RunOptions, progress: Progress
) -> np.ndarray:
    return read_corpus(pipeline, table, replace(options, on_error="stop"), progress).matrix


def _make_pipeline(options: RunOptions) -> Pipeline:
    check_on_error(options.on_error)
    pipeline = make_pipeline(
        options.clf,
        options.features,
        n_jobs=options.n_jobs,
        random_state=options.seed,
        **options.params,
    )
    pipeline.named_steps["features"].set_params(cache_dir=options.cache)
    return pipeline


def _fold_groups(table: pd.DataFrame, split: str) -> tuple[np.ndarray | None, str]:
    """Return what the folds of a search must not share, and its name."""
    for column in ("speaker", "text"):
        if column in split or (column == "text" and split != "random"):
            try:
                return groups_of(table, column), column
            except CorpusError:
                continue  # one speaker is left to train on: texts are the next best
    return None, "random"


def _fit_and_write(
    pipeline: Pipeline,
    corpus: RunCorpus,
    folds: Sequence[Parts],
    audit: Mapping[str, Any],
    options: RunOptions,
    folder: Path,
    out: Path,
    progress: Progress,
    started: float,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    write_options(folder, options)
    numbers = itertools.count(1)
    kept: list[Pipeline] = []

    def fit(pipeline: Pipeline, corpus: RunCorpus, parts: Parts, progress: Progress) -> Pipeline:
        # Fits follow each other in the same order when a run goes on.
        checkpoint = folder / f"checkpoint-{next(numbers)}.npz"
        kept.append(_fit(pipeline, corpus, parts, progress, options.calibrate, checkpoint))
        return kept[-1]

    fitted, answers, learned = fit_folds(fit, pipeline, corpus, folds, progress)
    metrics: dict[str, Any] = score_answers(corpus, folds, answers, learned, options.seed) | {
        "classifier": options.clf,
        "seed": options.seed,
        "skipped": corpus.skipped,
        "audit": audit,
        "importance": pool_importance(
            importance(one, corpus.matrix[rows], corpus.emotions[rows], seed=options.seed)
            for one, rows in zip(kept, (parts.test for parts in folds), strict=True)
        ),
        "seconds_fit": answers.fit_seconds,
        **(more or {}),
    }
    parts = folds[0]
    if len(folds) > 1:  # no fold's pipeline stands for all of them: what is saved knows every clip
        options = replace(options, refit=True)
        parts = everything(corpus.table, folds, options)
    saved = _refit(fit, pipeline, corpus, parts, options, progress) if options.refit else fitted
    forget_options(folder)
    with writing(out):
        return write_run(
            folder,
            out,
            corpus=corpus,
            parts=parts,
            options=options,
            fitted=fitted if len(folds) == 1 else saved,
            saved=saved,
            metrics=metrics,
            answers=answers,
            started=started,
        )


def _fit(
    pipeline: Pipeline,
    corpus: RunCorpus,
    parts: Parts,
    progress: Progress,
    calibrate: bool = False,
    checkpoint: Path | None = None,
) -> Pipeline:
    """Fit scaler and classifier on the training part, a temperature on the validation part.

    A network goes on from its checkpoint, if there is one.
    """
    X, y = corpus.matrix, corpus.emotions
    scale, clf = clone(pipeline.named_steps["scale"]), clone(pipeline.named_steps["clf"])
    X_train = scale.fit_transform(X[parts.train])
    if isinstance(clf, NetworkClassifier):
        how: dict[str, Any] = {
            "on_epoch": lambda row: _tell_epoch(row, clf.epochs, progress),
            "checkpoint": checkpoint,
        }
        if len(parts.validation):
            X_validation = scale.transform(X[parts.validation])
            how["validation_data"] = (X_validation, y[parts.validation])
        else:
            clf.set_params(validation_fraction=0)
        clf.fit(X_train, y[parts.train], **how)
    else:
        progress("fit", 0, 1, "")
        # Two BLAS threads on two busy cores can take a minute for what one does in a second.
        with threadpool_limits(1, user_api="blas"):
            clf.fit(X_train, y[parts.train])
        progress("fit", 1, 1, "")
    if calibrate:
        rows = parts.validation
        scaled = TemperatureScaledClassifier(clone(clf))
        clf = scaled.calibrate(clf, scale.transform(X[rows]), y[rows])
    return with_tail(pipeline, scale, clf)


def _refit(
    fit: Fit,
    pipeline: Pipeline,
    corpus: RunCorpus,
    parts: Parts,
    options: RunOptions,
    progress: Progress,
) -> Pipeline:
    """Fit on every clip, but for a validation part that chooses an epoch or a temperature."""
    everything = np.arange(len(corpus.table))
    network = isinstance(pipeline.named_steps["clf"], NetworkClassifier)
    spared = parts.validation if network or options.calibrate else everything[:0]
    parts = replace(parts, train=np.setdiff1d(everything, spared), validation=spared)
    return fit(pipeline, corpus, parts, progress)


def _tell_epoch(row: dict, epochs: int, progress: Progress) -> None:
    detail = f"accuracy {row['accuracy']:.3f}"
    if "val_loss" in row:
        detail += f", validation {row['val_accuracy']:.3f}, loss {row['val_loss']:.3f}"
    progress("epochs", row["epoch"], epochs, detail)


def _describe_search(result: SearchResult, by: str) -> dict[str, Any]:
    return {
        "best_params": {name: repr(value) for name, value in result.best_params.items()},
        "best_uar": result.best_score,
        "n_candidates": len(result.cv_results),
        "folds_by": by,
    }


def _run_name(options: RunOptions) -> str:
    return f"{options.clf}-{data_name(options.data)}"
