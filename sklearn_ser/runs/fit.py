"""The commands `fit` and `grid-search`: train, score, and write the folder of a run."""

import time
from dataclasses import replace
from typing import Any

from sklearn_ser.corpora import load_data
from sklearn_ser.metrics import Metrics
from sklearn_ser.model_selection.search import SearchOptions, SearchResult
from sklearn_ser.report.figures import draw_search
from sklearn_ser.runs.options import Progress, RunOptions, command_of, data_name, silent
from sklearn_ser.runs.run_folder import forget_options, new_folder, write_options, writing
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.stress import check_stress, stress_folds
from sklearn_ser.runs.trainers import RecipeTrainer, SearchTrainer
from sklearn_ser.runs.training import (
    audit_run,
    fit_all,
    measure_importance,
    score_run,
    split_run,
    train_folds,
)
from sklearn_ser.runs.write import RunResult, write_run

__all__ = ["fit_run", "search_run"]


def fit_run(
    options: RunOptions, on_progress: Progress | None = None, *, resume: bool = False
) -> Metrics:
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
    metrics : Metrics
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
    progress = on_progress or silent
    trainer = RecipeTrainer.from_options(options, progress)
    return _train(trainer, options, progress, command_of("fit", options), resume)


def search_run(
    options: RunOptions,
    how: SearchOptions | None = None,
    on_progress: Progress | None = None,
) -> Metrics:
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
    metrics : Metrics
        What is in metrics.json; its key `search` tells about the search.

    Raises
    ------
    SearchStopped
        If it was interrupted; what it had finished is in the cache, and used next time.
    SerError
        If options, data or audio are wrong; nothing is written then.
    """
    how = how or SearchOptions()
    if how.nested:
        options = replace(options, folds=how.n_folds)
    progress = on_progress or silent
    trainer = SearchTrainer.from_options(options, how, progress)
    return _train(trainer, options, progress, _command_of(options, how))


def _train(
    trainer: RecipeTrainer | SearchTrainer,
    options: RunOptions,
    progress: Progress,
    command: str,
    resume: bool = False,
) -> Metrics:
    """Take the one training path: table, features, folds, trainer, predictions, scores, folder."""
    started, name = time.perf_counter(), f"{options.clf}-{data_name(options.data)}"
    if options.stress:
        check_stress(options)
    table = load_data(
        options.data, emotions=options.emotions, map=options.map, on_error=options.on_error
    )
    split_run(table, options, trainer)  # what is wrong with it is said before the work
    with new_folder(options.out, name, go_on=resume) as (folder, out):
        if isinstance(trainer, RecipeTrainer):
            # A search that is stopped goes on from its candidates: only it knows them all.
            trainer = replace(trainer, checkpoints=folder)
            write_options(folder, options)
        noise = trainer.noise
        store = FeatureStore(table, [trainer.pipeline], options, progress)
        folds = split_run(store.table, options, trainer)
        audit = audit_run(store, folds, noise)
        outcome = train_folds(trainer, store, folds, progress)
        fold, final = fit_all(trainer, store, outcome, options)
        metrics = score_run(outcome, store, options) | {
            "classifier": options.clf,
            "seed": options.seed,
            "skipped": store.skipped,
            "audit": audit,
            "importance": measure_importance(outcome, store, options.seed),
            "seconds_fit": outcome.predictions.fit_seconds,
        }
        if options.stress:
            metrics["stress"] = stress_folds(outcome.trained, folds, store, options, progress)
        searches = [one.search for one in [*outcome.trained, final] if one.search is not None]
        if isinstance(trainer, SearchTrainer):
            best = searches[-1]
            metrics["search"] = _describe_search(best, trainer.options, searches[:-1])
            options = replace(options, params={**options.params, **best.best_params})
            with writing(out):
                best.cv_results.to_csv(folder / "cv_results.csv", index=False)
                title = f"{name}, folds by {best.folds_by}"
                draw_search(best.cv_results, folder / "search.png", title)
        tried = searches[-1].cv_results if searches else None
        result = RunResult(
            store, fold, options, outcome, final.pipeline, metrics, noise, command, tried
        )
        forget_options(folder)
        with writing(out):
            written = write_run(folder, out, result, started)
    for search in searches:  # the run is written: the same search would be made anew
        search.forget()
    return written


def _command_of(options: RunOptions, how: SearchOptions) -> str:
    """Return the command line of a search."""
    params = [f"{name}={','.join(map(str, values))}" for name, values in (how.grid or {}).items()]
    default = SearchOptions()
    return command_of(
        "grid-search",
        options,
        param=params,
        folds=how.n_folds if how.n_folds != default.n_folds else None,
        strategy=how.strategy if how.strategy != default.strategy else None,
        candidates=how.n_candidates if how.strategy == "random" else None,
        nested=how.nested or None,
    )


def _describe_search(
    result: SearchResult, how: SearchOptions, of_folds: list[SearchResult]
) -> dict[str, Any]:
    """Return what metrics.json says of a search, and of those of the folds where it is nested."""
    about = {
        "best_params": _readable(result),
        "best_uar": result.best_score,
        "n_candidates": len({str(params) for params in result.cv_results["params"]}),
        "folds_by": result.folds_by,
        "strategy": how.strategy,
    }
    if how.nested:
        about["nested"] = [
            {"best_params": _readable(one), "best_uar": one.best_score} for one in of_folds
        ]
    return about


def _readable(result: SearchResult) -> dict[str, str]:
    return {name: repr(value) for name, value in result.best_params.items()}
