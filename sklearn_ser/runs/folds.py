"""Fits part by part: what was answered of the clips of each part, all folds pooled."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_ser.classifiers import NetworkClassifier
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
from sklearn_ser.exceptions import LeakageError, LeakageWarning, OptionError
from sklearn_ser.metrics import bootstrap_scores, score
from sklearn_ser.model_selection import Fold, audit_split, hide_test_part, split_corpus, split_folds
from sklearn_ser.model_selection.audit import HIDDEN, PEEKED
from sklearn_ser.model_selection.splits import split_validation
from sklearn_ser.pipelines import RECIPES
from sklearn_ser.runs.corpus import RunCorpus
from sklearn_ser.runs.options import Progress, RunOptions
from sklearn_ser.runs.scaling import scaled

__all__ = ["Answers", "Tried", "audit_run", "divide_run", "fit_folds", "score_answers"]

Fit = Callable[[Pipeline, RunCorpus, Fold, Progress], Pipeline]


@dataclass(frozen=True)
class Tried:
    """What a search has to say to the run it is part of.

    Attributes
    ----------
    told : dict
        What metrics.json says of it.
    matrix_of : callable
        From a pipeline to the features of all clips in its setting.
    choose : callable or None
        For a nested search: from a corpus without its test set, and parts, to the pipeline that a
        search of the training set finds best, and the corpus with its features.
    """

    told: dict[str, Any]
    matrix_of: Callable[[Pipeline], np.ndarray]
    choose: Callable[[RunCorpus, Fold], tuple[Pipeline, RunCorpus]] | None = None


@dataclass(frozen=True)
class Answers:
    """What was predicted of test clips.

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


def divide_run(table: Any, options: RunOptions) -> list[Fold]:
    """Divide the corpus of a run: one test set, or several in turn.

    Over folds, classifiers that choose neither epoch nor temperature get every training clip.
    """
    if options.folds is None:
        how = {"test_size": options.test_size, "validation_size": options.validation_size}
        folds = [split_corpus(table, options.split, seed=options.seed, **how)]
    else:
        size = options.validation_size if _validates(options) else 0
        folds = split_folds(
            table, options.split, options.folds, validation_size=size, seed=options.seed
        )
    if options.calibrate and not all(len(parts.validation) for parts in folds):
        raise OptionError(
            "--calibrate needs a validation set, which is empty: raise --validation-size, or add "
            "clips."
        )
    return folds


def everything(table: Any, folds: Sequence[Fold], options: RunOptions) -> Fold:
    """Return the parts of a pipeline fitted on every clip, whose scores are those of the folds."""
    rows = np.arange(len(table))
    size = options.validation_size if _validates(options) else 0
    _, validation, by = split_validation(table, rows, options.split, size, options.seed)
    test = np.sort(np.concatenate([parts.test for parts in folds]))
    return Fold(rows, validation, test, folds[0].split, by)


def _validates(options: RunOptions) -> bool:
    """Say whether something is chosen on the validation set: an epoch, or a temperature."""
    return options.calibrate or isinstance(RECIPES[options.clf].classifier(), NetworkClassifier)


def audit_run(corpus: RunCorpus, folds: Sequence[Fold]) -> dict[str, Any]:
    """Return the leakage audit of a run, warning of copies across its split before it is fitted."""
    findings = audit_split(corpus.table, folds, corpus.checksums, corpus.audio)
    if not findings["clean"]:
        warnings.warn(findings["sentences"][0], LeakageWarning, stacklevel=2)
    return findings


def fit_folds(
    pipeline: Pipeline,
    corpus: RunCorpus,
    folds: Sequence[Fold],
    progress: Progress,
    fit: Fit,
    matrix_of: Callable[[Pipeline], np.ndarray] | None = None,
) -> tuple[Pipeline, Answers, dict[str, Any]]:
    """Fit on each fold's training set, its test set out of sight, and ask about every part.

    Parameters
    ----------
    pipeline : Pipeline
    corpus : RunCorpus
    folds : sequence of Fold
    progress : callable
    fit : callable
        From pipeline, corpus without the test set, parts and progress to a fitted pipeline.
    matrix_of : callable, default=None
        From a fitted pipeline to the features of all clips in its setting, where the fit may have
        chosen another than that of the corpus.

    Returns
    -------
    fitted : Pipeline
        That of the last fold.
    answers : Answers
        Of the test sets of all folds.
    learned : dict
        The scores of training and validation set, pooled likewise; None for a part without clips.
    """
    asked: list[Answers] = []
    learned: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"train": [], "validation": []}
    for i, parts in enumerate(folds):
        if len(folds) > 1:
            progress("folds", i, len(folds), "")
        started = time.perf_counter()
        fitted = _fit_blind(fit, pipeline, corpus, parts, progress)
        seconds = time.perf_counter() - started
        matrix = corpus.matrix if matrix_of is None else matrix_of(fitted)
        clf = fitted.named_steps["clf"]
        X = scaled(fitted, matrix, corpus.table, parts.test)
        asked.append(_ask(clf, X, parts.test, i, seconds))
        for name, pairs in learned.items():
            if len(rows := getattr(parts, name)):
                predicted = clf.predict(scaled(fitted, matrix, corpus.table, rows)).astype(str)
                pairs.append((corpus.emotions[rows], predicted))
    if len(folds) > 1:
        progress("folds", len(folds), len(folds), "")
    scores = {
        name: score(*map(np.concatenate, zip(*pairs, strict=True))) if pairs else None
        for name, pairs in learned.items()
    }
    return fitted, _pool(asked), scores


def _fit_blind(
    fit: Fit, pipeline: Pipeline, corpus: RunCorpus, parts: Fold, progress: Progress
) -> Pipeline:
    with hide_test_part(corpus.matrix, corpus.emotions, parts) as (matrix, emotions):
        table = corpus.table.assign(emotion=emotions)
        fitted = fit(pipeline, replace(corpus, table=table, matrix=matrix), parts, progress)
    if HIDDEN in fitted.classes_:
        raise LeakageError(PEEKED)
    return fitted


def _ask(clf: Any, X: np.ndarray, rows: np.ndarray, fold: int, fit_seconds: float) -> Answers:
    started = time.perf_counter()
    predicted = clf.predict(X).astype(str)
    predict_seconds = time.perf_counter() - started
    calibrated = isinstance(clf, TemperatureScaledClassifier)
    return Answers(
        rows=rows,
        folds=np.full(len(rows), fold),
        predicted=predicted,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        probabilities=clf.predict_proba(X),
        classes=clf.classes_.astype(str),
        uncalibrated=clf.estimator_.predict_proba(X) if calibrated else None,
        temperature=clf.temperature_ if calibrated else None,
    )


def _pool(asked: list[Answers]) -> Answers:
    classes = np.unique(np.concatenate([answers.classes for answers in asked]))
    rows = np.concatenate([answers.rows for answers in asked])
    order = np.argsort(rows, kind="stable")

    def align(name: str) -> np.ndarray:
        pooled = []
        for answers in asked:
            probabilities = np.zeros((len(answers.rows), len(classes)))
            probabilities[:, np.searchsorted(classes, answers.classes)] = getattr(answers, name)
            pooled.append(probabilities)
        return np.concatenate(pooled)[order]

    temperatures = [a.temperature for a in asked if a.temperature is not None]
    return Answers(
        rows=rows[order],
        folds=np.concatenate([answers.folds for answers in asked])[order],
        predicted=np.concatenate([answers.predicted for answers in asked])[order],
        probabilities=align("probabilities"),
        classes=classes,
        fit_seconds=sum(answers.fit_seconds for answers in asked),
        predict_seconds=sum(answers.predict_seconds for answers in asked),
        uncalibrated=align("uncalibrated") if temperatures else None,
        temperature=float(np.exp(np.mean(np.log(temperatures)))) if temperatures else None,
    )


def score_answers(
    corpus: RunCorpus,
    folds: Sequence[Fold],
    answers: Answers,
    learned: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Return what metrics.json says of the parts: scores of all folds pooled, and of each."""
    truth = corpus.emotions[answers.rows]
    speakers = None
    if "speaker" in corpus.table:
        speakers = corpus.table["speaker"].to_numpy()[answers.rows]
    sizes = {
        f"n_{name}": round(np.mean([len(getattr(parts, name)) for parts in folds]))
        for name in ("train", "validation")
    }
    metrics = {
        **score(truth, answers.predicted),
        **bootstrap_scores(truth, answers.predicted, speakers, seed=seed),
        "split": folds[0].split,
        "validation_by": folds[0].validation_by,
        **sizes,
        "n_test": len(answers.rows),
        **learned,
    }
    if len(folds) > 1:
        metrics["folds"] = [
            _describe_fold(corpus, parts, i, truth, answers) for i, parts in enumerate(folds)
        ]
    return metrics


def _describe_fold(
    corpus: RunCorpus, parts: Fold, i: int, truth: np.ndarray, answers: Answers
) -> dict[str, Any]:
    here = answers.folds == i
    scores = score(truth[here], answers.predicted[here])
    row: dict[str, Any] = {
        "fold": i + 1,
        **{f"n_{name}": len(getattr(parts, name)) for name in ("train", "validation", "test")},
        **{name: scores[name] for name in ("accuracy", "uar", "macro_f1")},
    }
    for column in ("speaker", "text"):
        if column in parts.split:
            names = corpus.table[column].iloc[parts.test].astype(str)
            row[f"test_{column}s"] = sorted(set(names))
    return row
