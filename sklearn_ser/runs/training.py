"""The one training path: every fold is fitted by a trainer, predicted, and scored.

Commands differ in the trainer they bring; what it is given is cut out here.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.audio.noise import Noise
from sklearn_ser.corpora import parse_map
from sklearn_ser.exceptions import CorpusError, LeakageWarning, OptionError
from sklearn_ser.metrics import bootstrap_scores, feature_importance, pool_importance, score
from sklearn_ser.model_selection import Fold, Subset, audit_split, split_corpus, split_folds
from sklearn_ser.model_selection.published_folds import assign_folds, read_folds
from sklearn_ser.model_selection.splits import TEST_GROUPS, split_validation
from sklearn_ser.runs.options import Progress, RunOptions, name_of_folds
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.trainers import Trained, Trainer, scale

__all__ = [
    "Outcome",
    "Predictions",
    "audit_run",
    "check_groups",
    "fit_all",
    "score_run",
    "split_run",
    "train_folds",
]


@dataclass(frozen=True)
class Predictions:
    """Predictions of test clips.

    Attributes
    ----------
    rows : ndarray of shape (n_clips,), int
        Which clips of the corpus.
    folds : ndarray of shape (n_clips,), int
        The fold each was predicted in.
    predicted : ndarray of shape (n_clips,), str
        Emotions.
    probabilities : ndarray of shape (n_clips, n_classes)
        0 for an emotion that the training set of a clip's fold did not hold.
    classes : ndarray of shape (n_classes,), str
    fit_seconds, predict_seconds : float
        What it took, of all folds together.
    uncalibrated : ndarray of shape (n_clips, n_classes) or None
        The probabilities before they were calibrated, where they were.
    temperature : float or None
        What they were calibrated with, over folds the geometric mean.
    """

    rows: np.ndarray
    folds: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    classes: np.ndarray
    fit_seconds: float
    predict_seconds: float
    uncalibrated: np.ndarray | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What training on every fold has come to.

    Attributes
    ----------
    folds : sequence of Fold
    trained : list of Trained
        By fold.
    predictions : Predictions
        Of the test sets of all folds.
    learned : dict
        The scores of training and validation set, pooled likewise; None for an empty set.
    """

    folds: Sequence[Fold]
    trained: list[Trained]
    predictions: Predictions
    learned: dict[str, Any]


def split_run(table: pd.DataFrame, options: RunOptions, trainer: Trainer) -> list[Fold]:
    """Split the corpus of a run: one test set, or several in turn.

    Over folds, trainers that choose nothing on a validation set get every training clip. A corpus
    split leaves each corpus out once, if nothing else is said.
    """
    check_groups(table, options.adapt)
    size = options.validation_size if trainer.validates else 0
    n_folds = "all" if options.folds is None and options.split == "corpus" else options.folds
    if options.folds_from is not None:
        folds = assign_folds(
            table,
            read_folds(options.folds_from),
            name_of_folds(options.folds_from),
            validation_size=size,
            seed=options.seed,
            on_error=options.on_error,
        )
    elif n_folds is None:
        how = {"test_size": options.test_size, "validation_size": options.validation_size}
        folds = [split_corpus(table, options.split, seed=options.seed, **how)]
    else:
        folds = split_folds(table, options.split, n_folds, validation_size=size, seed=options.seed)
    if options.calibrate and not all(len(fold.validation) for fold in folds):
        raise OptionError(
            "`calibrate` needs a validation set, which is empty: raise `validation_size`, or add "
            "clips."
        )
    return folds


def audit_run(
    store: FeatureStore, folds: Sequence[Fold], noise: Noise | None = None
) -> dict[str, Any]:
    """Return the leakage audit of a run, warning of copies across its split before it is fitted."""
    findings = audit_split(
        store.table,
        folds,
        store.checksums,
        store.inspections["samples_sha256"].to_numpy(),
        None if noise is None else noise.checksums,
    )
    if not findings["clean"]:
        warnings.warn(findings["sentences"][0], LeakageWarning, stacklevel=2)
    return findings


def train_folds(
    trainer: Trainer, store: FeatureStore, folds: Sequence[Fold], progress: Progress
) -> Outcome:
    """Fit on the training set of each fold, and predict every set of it.

    Parameters
    ----------
    trainer : Trainer
        Given a fold's training and validation set, and nothing else of the corpus.
    store : FeatureStore
    folds : sequence of Fold
    progress : callable

    Returns
    -------
    outcome : Outcome
    """
    trained, predicted = [], []
    learned: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"train": [], "validation": []}
    for i, fold in enumerate(folds):
        if len(folds) > 1:
            progress("folds", i, len(folds), "")
        sets = {name: store.subset(getattr(fold, name)) for name in learned}
        started = time.perf_counter()
        trained.append(trainer.fit(sets["train"], sets["validation"]))
        seconds = time.perf_counter() - started
        pipeline = trained[-1].pipeline
        predicted.append(_predict(pipeline, store.subset(fold.test), i, seconds))
        for name, clips in sets.items():
            if len(clips):
                guesses = pipeline.named_steps["clf"].predict(scale(pipeline, clips)).astype(str)
                learned[name].append((clips.y, guesses))
    if len(folds) > 1:
        progress("folds", len(folds), len(folds), "")
    scores = {
        name: score(*map(np.concatenate, zip(*pairs, strict=True))) if pairs else None
        for name, pairs in learned.items()
    }
    return Outcome(folds, trained, _pool(predicted), scores)


def fit_all(
    trainer: Trainer, store: FeatureStore, outcome: Outcome, options: RunOptions
) -> tuple[Fold, Trained]:
    """Fit the pipeline to save, and say what it was fitted on.

    That of a single fold stays as it is, unless it is to be fitted again on every clip but those of
    the validation set that chooses something. No fold's pipeline stands for several of them: what
    is saved is fitted on every clip then.
    """
    fold, trained = outcome.folds[0], outcome.trained[0]
    everything = np.arange(len(store))
    if len(outcome.folds) > 1:
        size = options.validation_size if trainer.validates else 0
        _, validation, by = split_validation(
            store.table, everything, options.split, size, options.seed
        )
        fold = Fold(everything, validation, outcome.predictions.rows, fold.split, by)
    elif options.refit:
        trainer = trained.recipe
    else:
        return fold, trained
    spared = fold.validation if trainer.validates else everything[:0]
    rest = np.setdiff1d(everything, spared)
    return fold, trainer.fit(store.subset(rest), store.subset(spared))


def _predict(pipeline: Any, clips: Subset, fold: int, fit_seconds: float) -> Predictions:
    clf = pipeline.named_steps["clf"]
    X = scale(pipeline, clips)
    started = time.perf_counter()
    predicted = clf.predict(X).astype(str)
    predict_seconds = time.perf_counter() - started
    calibrated = hasattr(clf, "temperature_")
    return Predictions(
        rows=clips.rows,
        folds=np.full(len(clips), fold),
        predicted=predicted,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        probabilities=clf.predict_proba(X),
        classes=clf.classes_.astype(str),
        uncalibrated=clf.estimator_.predict_proba(X) if calibrated else None,
        temperature=clf.temperature_ if calibrated else None,
    )


def _pool(predicted: list[Predictions]) -> Predictions:
    classes = np.unique(np.concatenate([fold.classes for fold in predicted]))
    rows = np.concatenate([fold.rows for fold in predicted])
    order = np.argsort(rows, kind="stable")

    def align(name: str) -> np.ndarray:
        pooled = []
        for fold in predicted:
            probabilities = np.zeros((len(fold.rows), len(classes)))
            probabilities[:, np.searchsorted(classes, fold.classes)] = getattr(fold, name)
            pooled.append(probabilities)
        return np.concatenate(pooled)[order]

    temperatures = [fold.temperature for fold in predicted if fold.temperature is not None]
    return Predictions(
        rows=rows[order],
        folds=np.concatenate([fold.folds for fold in predicted])[order],
        predicted=np.concatenate([fold.predicted for fold in predicted])[order],
        probabilities=align("probabilities"),
        classes=classes,
        fit_seconds=sum(fold.fit_seconds for fold in predicted),
        predict_seconds=sum(fold.predict_seconds for fold in predicted),
        uncalibrated=align("uncalibrated") if temperatures else None,
        temperature=float(np.exp(np.mean(np.log(temperatures)))) if temperatures else None,
    )


def score_run(outcome: Outcome, store: FeatureStore, options: RunOptions) -> dict[str, Any]:
    """Return what metrics.json says of the sets: scores of all folds pooled, and of each."""
    folds, predictions = outcome.folds, outcome.predictions
    truth = store.emotions[predictions.rows]
    speakers = None if store.speakers is None else store.speakers[predictions.rows]
    sizes = {
        f"n_{name}": round(np.mean([len(getattr(fold, name)) for fold in folds]))
        for name in ("train", "validation")
    }
    metrics = {
        **score(truth, predictions.predicted),
        **bootstrap_scores(truth, predictions.predicted, speakers, seed=options.seed),
        "split": folds[0].split,
        **({"map": parse_map(options.map)} if options.map else {}),
        "validation_by": folds[0].validation_by,
        **sizes,
        "n_test": len(predictions.rows),
        **outcome.learned,
        "adapt": options.adapt,
        "transductive": options.adapt != "none" and _tests_unseen(store, folds, options.adapt),
    }
    if folds[0].split == "corpus":
        uars = [
            score(truth[here], predictions.predicted[here])["uar"]
            for here in (predictions.folds == i for i in range(len(folds)))
        ]
        metrics["uar_mean_over_corpora"] = float(np.mean(uars))
    if len(folds) > 1:
        metrics["folds"] = [
            _describe_fold(store, fold, i, predictions) for i, fold in enumerate(folds)
        ]
    return metrics


def check_groups(table: pd.DataFrame, by: str) -> None:
    """Raise `CorpusError` unless the speaker (corpus, recording) of every clip is known."""
    unknown = int(table[by].isna().sum()) if by in table else len(table)
    if by != "none" and unknown:
        raise CorpusError(
            f"To z-score the clips of each {by} it must be known, and of {unknown} of "
            f"{len(table)} clips the data do not say it: give a corpus or a CSV with the column "
            f"{by}."
        )


def _tests_unseen(store: FeatureStore, folds: Sequence[Fold], by: str) -> bool:
    """Say whether a test set holds groups that its training set does not."""
    group = store.table[by].to_numpy()
    return any(set(group[fold.test]) - set(group[fold.train]) for fold in folds)


def _describe_fold(
    store: FeatureStore, fold: Fold, i: int, predictions: Predictions
) -> dict[str, Any]:
    here = predictions.folds == i
    scores = score(store.emotions[predictions.rows[here]], predictions.predicted[here])
    row: dict[str, Any] = {
        "fold": i + 1,
        **{f"n_{name}": len(getattr(fold, name)) for name in ("train", "validation", "test")},
        **{name: scores[name] for name in ("accuracy", "uar", "macro_f1")},
    }
    for column, name in TEST_GROUPS.items():
        if column in fold.split.split("+"):
            row[name] = sorted(set(store.table[column].iloc[fold.test].astype(str)))
    return row


def measure_importance(outcome: Outcome, store: FeatureStore, seed: int) -> dict[str, Any] | None:
    """Measure on the test set of each fold what its pipeline listens to, and pool that."""
    return pool_importance(
        feature_importance(
            trained.pipeline,
            scale(trained.pipeline, store.subset(fold.test)),
            store.emotions[fold.test],
            seed=seed,
        )
        for trained, fold in zip(outcome.trained, outcome.folds, strict=True)
    )
