"""What `fit` does. The pipeline a run saves is the one its scores belong to."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from sklearn_ser.classifiers import NetworkClassifier
from sklearn_ser.classifiers.svm import SVMClassifier
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import SequenceScaler, SpeakerNormalizer
from sklearn_ser.features.augmentation import augmented_features, parse_augment
from sklearn_ser.metrics import feature_importance, pool_importance
from sklearn_ser.model_selection import Fold
from sklearn_ser.pipelines import (
    check_on_error,
    make_pipeline,
    with_tail,
)
from sklearn_ser.runs.corpus import RunCorpus, read_corpus
from sklearn_ser.runs.folder import new_folder, writing
from sklearn_ser.runs.folds import (
    Fit,
    Tried,
    audit_run,
    divide_run,
    everything,
    fit_folds,
    score_answers,
)
from sklearn_ser.runs.options import Progress, RunOptions, data_name, silent
from sklearn_ser.runs.resume import forget_options, write_options
from sklearn_ser.runs.scaling import (
    check_speakers,
    scaled,
    speakers_for,
    tests_unseen_speakers,
)
from sklearn_ser.runs.write import write_run

__all__ = ["fit_and_write", "fit_parts", "fit_run", "pipeline_of", "run_name"]


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
    pipeline = pipeline_of(options)
    table = load_data(options.data)
    if options.normalize_speakers:
        check_speakers(table)
    divide_run(table, options)  # what is wrong with the split is said before the work of extraction
    with new_folder(options.out, run_name(options), go_on=resume) as (folder, out):
        corpus = read_corpus(pipeline, table, options, progress)
        folds = divide_run(corpus.table, options)
        audit = audit_run(corpus, folds)
        return fit_and_write(
            pipeline, corpus, folds, audit, options, folder, out, progress, started
        )


def pipeline_of(options: RunOptions) -> Pipeline:
    """Return the pipeline that a run's options describe, not yet fitted."""
    check_on_error(options.on_error)
    parse_augment(options.augment)
    pipeline = make_pipeline(
        options.clf,
        options.features,
        n_jobs=options.n_jobs,
        random_state=options.seed,
        **options.params,
    )
    if options.normalize_speakers:
        if isinstance(pipeline.named_steps["scale"], SequenceScaler):
            raise OptionError(
                f"--normalize-speakers takes a row of numbers for each clip, and {options.clf} "
                "looks at sequences: choose another classifier or other features."
            )
        pipeline.set_params(scale=SpeakerNormalizer(unknown="own"))
    pipeline.named_steps["features"].set_params(cache_dir=options.cache)
    return pipeline


def fit_and_write(
    pipeline: Pipeline,
    corpus: RunCorpus,
    folds: Sequence[Fold],
    audit: Mapping[str, Any],
    options: RunOptions,
    folder: Path,
    out: Path,
    progress: Progress,
    started: float,
    tried: Tried | None = None,
) -> dict[str, Any]:
    """Fit and score fold by fold, and write the run; `tried` is what a search has to say."""
    if tried is None:
        write_options(folder, options)
    numbers = itertools.count(1)
    kept: list[Pipeline] = []
    choose = None if tried is None else tried.choose

    def fit(pipeline: Pipeline, corpus: RunCorpus, parts: Fold, progress: Progress) -> Pipeline:
        # Fits follow each other in the same order when a run goes on. A search that is stopped goes
        # on from its candidates: only it knows what it has looked at to choose them.
        checkpoint = None if tried else folder / f"checkpoint-{next(numbers)}.npz"
        return fit_parts(pipeline, corpus, parts, progress, options, checkpoint)

    def fit_fold(
        pipeline: Pipeline, corpus: RunCorpus, parts: Fold, progress: Progress
    ) -> Pipeline:
        if choose is not None:
            pipeline, corpus = choose(corpus, parts)
        kept.append(fit(pipeline, corpus, parts, progress))
        return kept[-1]

    def matrix_of(fitted: Pipeline) -> np.ndarray:
        return corpus.matrix if tried is None else tried.matrix_of(fitted)

    fitted, answers, learned = fit_folds(pipeline, corpus, folds, progress, fit_fold, matrix_of)
    metrics: dict[str, Any] = score_answers(corpus, folds, answers, learned, options.seed) | {
        "classifier": options.clf,
        "seed": options.seed,
        "skipped": corpus.skipped,
        "audit": audit,
        "transductive": options.normalize_speakers and tests_unseen_speakers(corpus.table, folds),
        "importance": pool_importance(
            feature_importance(
                one,
                scaled(one, matrix_of(one), corpus.table, rows),
                corpus.emotions[rows],
                seed=options.seed,
            )
            for one, rows in zip(kept, (parts.test for parts in folds), strict=True)
        ),
        "seconds_fit": answers.fit_seconds,
        **({"search": tried.told} if tried else {}),
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


def fit_parts(
    pipeline: Pipeline,
    corpus: RunCorpus,
    parts: Fold,
    progress: Progress,
    options: RunOptions,
    checkpoint: Path | None = None,
) -> Pipeline:
    """Fit scaler and classifier on the training set, a temperature on the validation set.

    A network goes on from its checkpoint, if there is one.
    """
    X, y = corpus.matrix, corpus.emotions
    scale, clf = clone(pipeline.named_steps["scale"]), clone(pipeline.named_steps["clf"])
    X_train, y_train = _training_rows(pipeline, corpus, parts, options, progress)
    n_copies = len(y_train) // len(parts.train)
    X_train = scale.fit_transform(
        X_train, **speakers_for(scale, corpus.table, np.tile(parts.train, n_copies))
    )
    rows = parts.validation
    told = speakers_for(scale, corpus.table, rows)
    X_validation = scale.transform(X[rows], **told) if len(rows) else X[rows]
    if isinstance(clf, NetworkClassifier):
        how: dict[str, Any] = {
            "on_epoch": lambda row: _tell_epoch(row, clf.epochs, progress),
            "checkpoint": checkpoint,
        }
        if len(parts.validation):
            how["validation_data"] = (X_validation, y[parts.validation])
        else:
            clf.set_params(validation_fraction=0)
        clf.fit(X_train, y_train, **how)
    else:
        progress("fit", 0, 1, "")
        # Two BLAS threads on two busy cores can take a minute for what one does in a second.
        with threadpool_limits(1, user_api="blas"):
            together = np.tile(np.arange(len(parts.train)), n_copies)
            groups = {"groups": together} if isinstance(clf, SVMClassifier) else {}
            clf.fit(X_train, y_train, **groups)
        progress("fit", 1, 1, "")
    if options.calibrate:
        clf = TemperatureScaledClassifier(clone(clf)).calibrate(clf, X_validation, y[rows])
    return with_tail(pipeline, scale, clf)


def _training_rows(
    pipeline: Pipeline, corpus: RunCorpus, parts: Fold, options: RunOptions, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and emotions of the training clips, and of changed copies if asked for."""
    X, y = corpus.matrix[parts.train], corpus.emotions[parts.train]
    names = parse_augment(options.augment)
    if not names:
        return X, y
    progress("features", 0, 1, "of changed copies")
    paths = corpus.table["path"].iloc[parts.train].tolist()
    copies = augmented_features(pipeline, paths, names, options.seed)
    progress("features", 1, 1, "of changed copies")
    return np.concatenate([X, copies]), np.tile(y, 1 + len(names))


def _refit(
    fit: Fit,
    pipeline: Pipeline,
    corpus: RunCorpus,
    parts: Fold,
    options: RunOptions,
    progress: Progress,
) -> Pipeline:
    """Fit on every clip, but for a validation set that chooses an epoch or a temperature."""
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


def run_name(options: RunOptions) -> str:
    """Return what to call a run, before the time."""
    return f"{options.clf}-{data_name(options.data)}"
