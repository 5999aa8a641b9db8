"""One run: extract, divide, fit, score, and write it all into one folder.

`fit_run` and `search_run` are what the commands `fit` and `grid-search` call, `evaluate_run` is
`evaluate`. The pipeline a run saves is the one its scores belong to.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from sklearn_ser.corpora import load_data
from sklearn_ser.evaluation import Parts, divide, score
from sklearn_ser.evaluation.figures import draw_confusion_matrix, draw_training_curves
from sklearn_ser.evaluation.report import write_report
from sklearn_ser.evaluation.splits import groups_of
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.networks import NetworkClassifier
from sklearn_ser.persistence import find_model, load_pipeline, read_card, save_pipeline
from sklearn_ser.pipelines import (
    RECIPES,
    check_on_error,
    drop_failures,
    extract_features,
    make_pipeline,
    set_pipeline_params,
    with_tail,
)
from sklearn_ser.run_folders import new_folder, writing
from sklearn_ser.search import SearchResult, divide_grid, grid_search

__all__ = ["RunOptions", "evaluate_run", "fit_run", "search_run"]

SEEN_CLIPS = "seen_clips.txt"  # in a run's folder: checksums of the clips it has trained with

Progress = Callable[[str, int, int, str], None]  # stage, steps done, their total, a detail


@dataclass(frozen=True)
class RunOptions:
    """What a run is told, with the command line's names and defaults."""

    data: str
    clf: str = "svm"
    features: str | None = None
    split: str = "random"
    test_size: float = 0.2
    validation_size: float = 0.1
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    out: Path | None = None
    n_jobs: int | None = None
    on_error: str = "stop"
    refit: bool = False
    cache: Path | None = None


@dataclass
class Corpus:
    """The clips of a run that could be read, and their features."""

    table: pd.DataFrame
    matrix: np.ndarray
    skipped: list[str]
    checksums: np.ndarray

    @property
    def fingerprint(self) -> str:
        """A checksum of what the clips hold and how they are labelled, in any order."""
        lines = sorted(map(" ".join, zip(self.checksums, self.emotions, strict=True)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def emotions(self) -> np.ndarray:
        """The emotion of each clip."""
        return self.table["emotion"].to_numpy().astype(str)


def fit_run(options: RunOptions, on_progress: Progress | None = None) -> dict[str, Any]:
    """Fit a pipeline, score it on clips it has not seen, and write the run's folder.

    Parameters
    ----------
    options : RunOptions
    on_progress : callable, default=None
        Called with the stage, the steps done, their total, and a detail.

    Returns
    -------
    metrics : dict
        What is in metrics.json.

    Raises
    ------
    SerError
        If options, data or audio are wrong; nothing is written then.
    OSError
        If the folder cannot be written.
    """
    started = time.perf_counter()
    progress = on_progress or _silent
    pipeline = _make_pipeline(options)
    table = load_data(options.data)
    _divide(table, options)  # what is wrong with the split is said before the work of extraction
    with new_folder(options.out, _run_name(options)) as (folder, out):
        corpus = _read(pipeline, table, options, progress)
        parts = _divide(corpus.table, options)
        return _fit_and_write(pipeline, corpus, parts, options, folder, out, progress, started)


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
    progress = on_progress or _silent
    pipeline = _make_pipeline(options)
    grid = grid or RECIPES[options.clf].grid
    table = load_data(options.data)
    _divide(table, options)  # what is wrong with the split is said before the work of extraction
    heads, _ = divide_grid(grid)
    with new_folder(options.out, _run_name(options)) as (folder, out):
        first = set_pipeline_params(clone(pipeline), heads[0])
        corpus = _read(first, table, options, progress)
        ready = {_setting(first): corpus.matrix}
        parts = _divide(corpus.table, options)

        def extract(candidate: Pipeline) -> np.ndarray:
            if (setting := _setting(candidate)) in ready:
                return ready.pop(setting)
            return _read(
                candidate, corpus.table, replace(options, on_error="stop"), progress
            ).matrix

        # The search never sees the test part.
        rows = np.sort(np.concatenate([parts.train, parts.validation]))
        groups, by = _fold_groups(corpus.table.iloc[rows], options.split)
        result = grid_search(
            pipeline,
            extract,
            corpus.emotions,
            grid,
            rows=rows,
            groups=groups,
            n_folds=n_folds,
            n_jobs=options.n_jobs,
            seed=options.seed,
            on_progress=lambda done, total: progress("candidates", done, total, ""),
        )
        corpus.matrix = result.matrix
        result.cv_results.to_csv(folder / "cv_results.csv", index=False)
        best = replace(options, params={**options.params, **result.best_params})
        told = {"search": _describe_search(result, by)}
        pipeline = _make_pipeline(best)
        return _fit_and_write(pipeline, corpus, parts, best, folder, out, progress, started, told)


def evaluate_run(
    model: Path,
    data: str,
    *,
    trust: bool = False,
    n_jobs: int | None = None,
    on_error: str = "stop",
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Score a saved pipeline on a corpus.

    Parameters
    ----------
    model : Path
        A run's folder or a model file.
    data : str
        As for `fit`.
    trust : bool, default=False
        Whether to load a joblib file that was not written here.
    n_jobs : int, default=None
    on_error : {"stop", "skip"}, default="stop"
    cache : Path, default=None
        Folder of the feature cache; `None` keeps no features.
    on_progress : callable, default=None

    Returns
    -------
    metrics : dict
        As in metrics.json; there is no training part.
    notes : list of str
        What the reader of the scores must know.
    """
    started = time.perf_counter()
    pipeline = load_pipeline(model, trust=trust)
    pipeline.named_steps["features"].set_params(n_jobs=n_jobs, cache_dir=cache)
    options = RunOptions(data, n_jobs=n_jobs, on_error=on_error)
    corpus = _read(pipeline, load_data(data), options, on_progress or _silent)
    known = np.isin(corpus.emotions, pipeline.classes_.astype(str))
    notes = []
    if not known.all():
        names = ", ".join(sorted(set(corpus.emotions[~known])))
        notes.append(
            f"{(~known).sum()} clips are left out: the model does not know {names}; it knows "
            f"{', '.join(map(str, pipeline.classes_))}."
        )
    if not known.any():
        raise CorpusError(f"No clip of {data} has an emotion that the model knows: {notes[0]}")
    split = "none"
    n_seen = int(np.isin(corpus.checksums[known], _seen_clips(model)).sum())
    if n_seen:
        split = "seen in training"
        notes.append(
            f"{n_seen} of these {known.sum()} clips were seen in training, so the scores say "
            "little about new clips. Those of the run itself do."
        )
    predicted = pipeline[2:].predict(corpus.matrix[known]).astype(str)
    metrics = score(corpus.emotions[known], predicted) | {
        "split": split,
        "n_train": 0,
        "n_validation": 0,
        "n_test": int(known.sum()),
        "train": None,
        "validation": None,
        "skipped": corpus.skipped,
        "seconds": time.perf_counter() - started,
        "run": str(model),
    }
    return metrics, notes


def _seen_clips(model: Path) -> list[str]:
    """Return the checksums of the clips a run has trained with, where they lie beside the model."""
    file = find_model(model).with_name(SEEN_CLIPS)
    return file.read_text(encoding="ascii").split() if file.exists() else []


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


def _divide(table: pd.DataFrame, options: RunOptions) -> Parts:
    return divide(
        table,
        options.split,
        test_size=options.test_size,
        validation_size=options.validation_size,
        seed=options.seed,
    )


def _read(
    pipeline: Pipeline, table: pd.DataFrame, options: RunOptions, progress: Progress
) -> Corpus:
    """Extract the features of a corpus, without its unreadable clips if that is asked for."""
    matrix, failures = extract_features(
        pipeline, table["path"].tolist(), lambda done, total: progress("features", done, total, "")
    )
    table, skipped = drop_failures(table, failures, options.on_error)
    return Corpus(table, matrix, skipped, clip_checksums(table))


def _setting(pipeline: Pipeline) -> str:
    """Return a checksum of all that decides what features are extracted."""
    return joblib.hash([pipeline.named_steps[name].get_params() for name in ("audio", "features")])


def clip_checksums(table: pd.DataFrame) -> np.ndarray:
    """Return a checksum of what each clip holds."""
    checksums = []
    for path in table["path"]:
        try:
            with open(path, "rb") as file:
                checksums.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:  # a URL, or a file that went away
            checksums.append(hashlib.sha256(str(path).encode()).hexdigest())
    return np.array(checksums)


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
    corpus: Corpus,
    parts: Parts,
    options: RunOptions,
    folder: Path,
    out: Path,
    progress: Progress,
    started: float,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    fit_started = time.perf_counter()
    fitted = _fit(pipeline, corpus, parts, progress)
    fit_seconds = time.perf_counter() - fit_started
    predictions = {
        name: fitted[2:].predict(corpus.matrix[rows]).astype(str)
        for name, rows in asdict(parts).items()
        if name in ("train", "validation", "test") and len(rows)
    }
    scores = {
        name: score(corpus.emotions[getattr(parts, name)], predicted)
        for name, predicted in predictions.items()
    }
    metrics: dict[str, Any] = scores["test"] | {
        "split": parts.split,
        "validation_by": parts.validation_by,
        "n_train": len(parts.train),
        "n_validation": len(parts.validation),
        "n_test": len(parts.test),
        "train": scores["train"],
        "validation": scores.get("validation"),
        "classifier": options.clf,
        "seed": options.seed,
        "skipped": corpus.skipped,
        "seconds_fit": fit_seconds,
        **(more or {}),
    }
    refitted = _refit(pipeline, corpus, parts, progress) if options.refit else fitted
    card = _describe_run(corpus, parts, options, metrics)
    with writing(out):
        _write_predictions(folder / "predictions.csv", fitted, corpus, parts, predictions["test"])
        _draw_figures(folder, fitted, corpus, parts, predictions["test"], options)
        seen = corpus.checksums[np.setdiff1d(np.arange(len(corpus.table)), parts.test)]
        if options.refit:
            seen = corpus.checksums
        (folder / SEEN_CLIPS).write_text("\n".join(sorted(seen)) + "\n", encoding="ascii")
        save_pipeline(refitted, folder / "pipeline.joblib", card)
        metrics["seconds"] = time.perf_counter() - started
        metrics["run"] = str(out)
        text = json.dumps(metrics, indent=2, ensure_ascii=False)
        (folder / "metrics.json").write_text(text, encoding="utf-8")
        title = f"{options.clf} on {data_name(options.data)}"
        write_report(folder / "report.html", title, metrics, read_card(folder), _notes(card))
    return metrics


def _draw_figures(
    folder: Path,
    fitted: Pipeline,
    corpus: Corpus,
    parts: Parts,
    predicted: np.ndarray,
    options: RunOptions,
) -> None:
    figures = folder / "figures"
    figures.mkdir()
    draw_confusion_matrix(
        corpus.emotions[parts.test],
        predicted,
        figures / "confusion_matrix.png",
        f"{options.clf}, {parts.split} split",
    )
    clf = fitted.named_steps["clf"]
    if isinstance(clf, NetworkClassifier):
        clf.history_.to_csv(folder / "history.csv", index=False)
        draw_training_curves(clf.history_, clf.best_epoch_, figures / "training_curves.png")


def _fit(pipeline: Pipeline, corpus: Corpus, parts: Parts, progress: Progress) -> Pipeline:
    """Fit scaler and classifier on the training part alone."""
    X, y = corpus.matrix, corpus.emotions
    scale, clf = clone(pipeline.named_steps["scale"]), clone(pipeline.named_steps["clf"])
    X_train = scale.fit_transform(X[parts.train])
    if isinstance(clf, NetworkClassifier):
        how: dict[str, Any] = {"on_epoch": lambda row: _tell_epoch(row, clf.epochs, progress)}
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
    return with_tail(pipeline, scale, clf)


def _refit(pipeline: Pipeline, corpus: Corpus, parts: Parts, progress: Progress) -> Pipeline:
    """Fit on every clip; a network still spares a validation part to choose its epoch."""
    everything = np.arange(len(corpus.table))
    if len(parts.validation) and isinstance(pipeline.named_steps["clf"], NetworkClassifier):
        train = np.setdiff1d(everything, parts.validation)
        return _fit(pipeline, corpus, replace(parts, train=train), progress)
    none = everything[:0]
    return _fit(pipeline, corpus, replace(parts, train=everything, validation=none), progress)


def _tell_epoch(row: dict, epochs: int, progress: Progress) -> None:
    detail = f"accuracy {row['accuracy']:.3f}"
    if "val_loss" in row:
        detail += f", validation {row['val_accuracy']:.3f}, loss {row['val_loss']:.3f}"
    progress("epochs", row["epoch"], epochs, detail)


def _write_predictions(
    path: Path, fitted: Pipeline, corpus: Corpus, parts: Parts, predicted: np.ndarray
) -> None:
    """Write a row per test clip: path, truth, prediction, and each emotion's probability."""
    table = pd.DataFrame(
        {
            "path": corpus.table["path"].to_numpy()[parts.test],
            "truth": corpus.emotions[parts.test],
            "prediction": predicted,
        }
    )
    probabilities = fitted[2:].predict_proba(corpus.matrix[parts.test])
    for i, emotion in enumerate(fitted.classes_):
        table[f"p_{emotion}"] = probabilities[:, i]
    table.to_csv(path, index=False)


def _describe_run(
    corpus: Corpus, parts: Parts, options: RunOptions, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the card says beyond the pipeline itself: data, split, scores."""
    table = corpus.table
    split: dict[str, Any] = {
        "kind": parts.split,
        "seed": options.seed,
        "test_size": options.test_size,
        "validation_size": options.validation_size,
        "validation_by": parts.validation_by,
        "n_train": len(parts.train),
        "n_validation": len(parts.validation),
        "n_test": len(parts.test),
    }
    for column in ("speaker", "text"):
        if column in parts.split:
            split[f"test_{column}s"] = sorted(set(table[column].iloc[parts.test].astype(str)))
    return {
        "recipe": options.clf,
        "parameters": {name: repr(value) for name, value in options.params.items()},
        "data": {
            "name": data_name(options.data),
            "n_clips": len(table),
            "emotions": {str(k): int(v) for k, v in table["emotion"].value_counts().items()},
            "fingerprint": corpus.fingerprint,
            "skipped": corpus.skipped,
        },
        "split": split,
        "scores": {name: metrics[name] for name in ("accuracy", "uar", "macro_f1")},
        "refit": options.refit,
    } | ({"search": metrics["search"]} if "search" in metrics else {})


def _describe_search(result: SearchResult, by: str) -> dict[str, Any]:
    return {
        "best_params": {name: repr(value) for name, value in result.best_params.items()},
        "best_uar": result.best_score,
        "n_candidates": len(result.cv_results),
        "folds_by": by,
    }


def _notes(card: Mapping[str, Any]) -> list[str]:
    notes = []
    if card["refit"]:
        notes.append(
            "The saved pipeline was fitted again on every clip after these scores were taken: "
            "they belong to its sibling, fitted on the training part alone."
        )
    if card["data"]["skipped"]:
        notes.append(f"{len(card['data']['skipped'])} clips could not be read and are left out.")
    return notes


def _run_name(options: RunOptions) -> str:
    return f"{options.clf}-{data_name(options.data)}"


def data_name(data: str) -> str:
    """Return what to call the data in names of runs: no path of this machine."""
    return "+".join(Path(part.strip()).stem or "data" for part in data.split(","))


def _silent(stage: str, done: int, total: int, detail: str) -> None:
    """Show no progress."""
