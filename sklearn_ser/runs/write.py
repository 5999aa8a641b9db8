"""Writing of the folder of a run: pipeline and card, scores, predictions, figures, report."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser._files import as_text, to_json
from sklearn_ser.audio.augmentation import parse_augment
from sklearn_ser.audio.noise import Noise
from sklearn_ser.classifiers import unwrap_classifier
from sklearn_ser.features.quality import describe_training
from sklearn_ser.metrics import Metrics, describe_predictions, score_calibration
from sklearn_ser.model_selection import TRANSDUCTIVE, Fold
from sklearn_ser.model_selection.splits import TEST_GROUPS
from sklearn_ser.persistence import read_card, save_pipeline
from sklearn_ser.report.figures import draw_confusion_matrix, draw_training_curves
from sklearn_ser.report.run_page import Evidence, write_report
from sklearn_ser.report.verdict import describe_map, name_split
from sklearn_ser.runs.options import RunOptions, data_name
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.training import Outcome, Predictions

__all__ = ["SEEN_CLIPS", "RunResult", "write_run"]

SEEN_CLIPS = "seen_clips.txt"  # checksums of the clips a run has trained with


@dataclass(frozen=True)
class RunResult:
    """All that a run has come to.

    Attributes
    ----------
    store : FeatureStore
    fold : Fold
        What the saved pipeline was fitted on and what was tested, of all folds together.
    options : RunOptions
        With the parameters that a search has found.
    outcome : Outcome
    saved : Pipeline
        That of the scores, or one fitted again on every clip.
    metrics : dict
        The scores.
    noise : Noise or None
        Recordings that training took noise from.
    command : str
        What makes the run on the command line.
    cv_results : DataFrame or None
        The candidates of its search.
    """

    store: FeatureStore
    fold: Fold
    options: RunOptions
    outcome: Outcome
    saved: Pipeline
    metrics: dict[str, Any]
    noise: Noise | None = None
    command: str = ""
    cv_results: pd.DataFrame | None = None

    @property
    def refit(self) -> bool:
        """Whether the saved pipeline was fitted on the test clips too, after they were scored."""
        return self.options.refit or len(self.outcome.folds) > 1


def write_run(folder: Path, out: Path, result: RunResult, started: float) -> Metrics:
    """Write all that a run leaves.

    Parameters
    ----------
    folder, out : Path
        Where to write, and where the folder will be in the end.
    result : RunResult
    started : float
        When the run began, by `time.perf_counter`.

    Returns
    -------
    metrics : Metrics
        The scores with the run's `seconds` and its folder, as in metrics.json.
    """
    store, fold, predictions = result.store, result.fold, result.outcome.predictions
    card = _describe_run(result)
    tested = store.table.iloc[predictions.rows]
    table = _tabulate(tested, predictions, "folds" in result.metrics)
    write_predictions(table, folder)
    metrics = {**result.metrics, **_details(tested, predictions, result.metrics)}
    # The curves of a network are those of the pipeline that was scored, if there is just one.
    fitted = result.saved if "folds" in metrics else result.outcome.trained[0].pipeline
    _draw_figures(folder, fitted, result)
    seen = np.arange(len(store))
    if not result.refit:
        seen = np.setdiff1d(seen, fold.test)
    card["training"] = describe_training(
        result.saved, store.inspections.iloc[seen], store.features(result.saved)[seen]
    )
    heard = () if result.noise is None else result.noise.checksums
    checksums = "\n".join(sorted([*store.checksums[seen], *heard]))
    (folder / SEEN_CLIPS).write_text(checksums + "\n", encoding="ascii")
    save_pipeline(result.saved, folder / "pipeline.joblib", card)
    _save_network(result.saved, folder / "best_model.keras")
    metrics |= {"seconds": time.perf_counter() - started, "run": str(out)}
    (folder / "metrics.json").write_text(to_json(metrics), encoding="utf-8")
    title = f"{result.options.clf} on {data_name(result.options.data)}"
    evidence = Evidence(
        store.table, store.inspections["seconds"].to_numpy(), fold, table, fitted,
        result.command, result.options.report_audio, result.cv_results,
    )  # fmt: skip
    charts = write_report(
        folder / "report.html", title, metrics, read_card(folder), _notes(card), evidence
    )
    for chart in charts:
        (folder / "figures" / f"{chart.name}.svg").write_text(as_text(chart.svg), encoding="utf-8")
    return cast(Metrics, metrics)


def write_predictions(table: pd.DataFrame, folder: Path) -> None:
    """Write the predictions of test clips as predictions.csv."""
    table = table.assign(path=table["path"].map(as_text))
    table.to_csv(folder / "predictions.csv", index=False)


def _details(
    tested: pd.DataFrame, predictions: Predictions, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the test set shows beyond the scores, and what calibration has changed."""
    found = describe_predictions(
        tested, predictions.predicted, predictions.probabilities, predictions.classes
    )
    if predictions.uncalibrated is not None:
        before = score_calibration(tested["emotion"], predictions.uncalibrated, predictions.classes)
        found["calibration"] |= {
            "ece_before": before["ece"],
            "temperature": predictions.temperature,
            "n_clips": metrics["n_validation"],
            "by": metrics["validation_by"],
        }
    return found


def _save_network(saved: Pipeline, path: Path) -> None:
    """Write a network as Keras does, for those who go on with it there."""
    clf = unwrap_classifier(saved.named_steps["clf"])
    if hasattr(clf, "save_keras"):
        clf.save_keras(path)


def _draw_figures(folder: Path, fitted: Pipeline, result: RunResult) -> None:
    figures = folder / "figures"
    figures.mkdir()
    predictions = result.outcome.predictions
    draw_confusion_matrix(
        result.store.emotions[predictions.rows],
        predictions.predicted,
        figures / "confusion_matrix.png",
        f"{result.options.clf}, {name_split(result.fold.split)}",
    )
    clf = unwrap_classifier(fitted.named_steps["clf"])
    if hasattr(clf, "history_"):
        clf.history_.to_csv(folder / "history.csv", index=False)
        draw_training_curves(clf.history_, clf.best_epoch_, figures / "training_curves.png")


def _tabulate(tested: pd.DataFrame, predictions: Predictions, folded: bool) -> pd.DataFrame:
    """Return a row per test clip: path, truth, prediction, and each emotion's probability."""
    table = pd.DataFrame(
        {
            "path": tested["path"].reset_index(drop=True),
            "truth": tested["emotion"].to_numpy().astype(str),
            "prediction": predictions.predicted,
        }
    )
    for i, emotion in enumerate(predictions.classes):
        table[f"p_{emotion}"] = predictions.probabilities[:, i]
    if folded:
        table["fold"] = predictions.folds + 1
    return table


def _describe_run(result: RunResult) -> dict[str, Any]:
    """Return what the card says beyond the pipeline itself: data, split, scores."""
    store, fold, options, metrics = result.store, result.fold, result.options, result.metrics
    table = store.table
    split: dict[str, Any] = {
        "kind": fold.split,
        "seed": options.seed,
        "test_size": options.test_size,
        "validation_size": options.validation_size,
        "validation_by": fold.validation_by,
        "adapt": metrics["adapt"],
        "transductive": metrics["transductive"],
        **{name: metrics[name] for name in ("n_train", "n_validation", "n_test")},
    }
    if "folds" in metrics:
        split |= {"n_folds": len(metrics["folds"]), "test_size": None}
    for column, name in TEST_GROUPS.items():
        if column in fold.split.split("+"):
            split[name] = sorted(set(table[column].iloc[fold.test].astype(str)))
    return {
        "recipe": options.clf,
        "parameters": {name: repr(value) for name, value in options.params.items()},
        "data": {
            "name": data_name(options.data),
            "corpora": sorted(set(table["corpus"].dropna().astype(str))),
            "n_clips": len(table),
            "emotions": {str(k): int(v) for k, v in table["emotion"].value_counts().items()},
            **({"map": metrics["map"]} if "map" in metrics else {}),
            "fingerprint": store.fingerprint,
            "skipped": store.skipped,
        },
        "split": split,
        "scores": {
            name: metrics[name]
            for score in ("accuracy", "uar", "macro_f1")
            for name in (score, f"{score}_interval")
        }
        | {name: metrics[name] for name in ("interval", "chance")},
        "audit": _shorten(metrics["audit"]),
        "refit": result.refit,
        "calibrated": options.calibrate,
        "augmented": parse_augment(options.augment),
        "noise_recordings": 0 if result.noise is None else len(result.noise.paths),
    } | ({"search": metrics["search"]} if "search" in metrics else {})


def _shorten(audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the audit without its lists, which metrics.json has."""
    return {
        name: {key: n for key, n in found.items() if key not in ("shared", "groups")}
        if isinstance(found, Mapping)
        else found
        for name, found in audit.items()
    }


def _notes(card: Mapping[str, Any]) -> list[str]:
    notes = [TRANSDUCTIVE] if card["split"]["transductive"] else []
    if "n_folds" in card["split"]:
        notes.append(
            "The saved pipeline was fitted again on every clip after these scores were taken: "
            f"they are those of the {card['split']['n_folds']} pipelines of the folds, each of the "
            "clips that it was not fitted on."
        )
    elif card["refit"]:
        notes.append(
            "The saved pipeline was fitted again on every clip after these scores were taken: "
            "they belong to its sibling, fitted on the training set alone."
        )
    if mapping := card["data"].get("map"):
        notes.append(describe_map(mapping))
    if card["data"]["skipped"]:
        notes.append(f"{len(card['data']['skipped'])} clips could not be read and are left out.")
    return notes
