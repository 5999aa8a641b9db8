"""The report of a run: one HTML file that needs nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser._files import as_text, to_json
from sklearn_ser.classifiers.temperature import unwrap_classifier
from sklearn_ser.features import count_features, name_features
from sklearn_ser.metrics import Metrics, chance_level, is_better_than_chance
from sklearn_ser.metrics.groups import GROUPS
from sklearn_ser.model_selection.splits import SPLITS, Fold
from sklearn_ser.report.cell_clips import (
    cells_of,
    clip_name,
    embed_sounds,
    licences_of,
    matrix_of,
    may_be_heard,
    name_cell,
)
from sklearn_ser.report.charts import (
    Chart,
    draw_clip,
    draw_coverage,
    draw_durations,
    draw_history,
    draw_reliability,
)
from sklearn_ser.report.example_clips import (
    MOST_SECONDS,
    ExampleClip,
    choose_examples,
    clip_reader,
    confident_mistakes,
)
from sklearn_ser.report.first_screen import first_screen
from sklearn_ser.report.pages import render_page
from sklearn_ser.report.search_page import search_section
from sklearn_ser.report.stress_charts import draw_stress
from sklearn_ser.report.verdict import (
    describe_calibration,
    describe_relation,
    describe_stress,
    name_split,
    verdict,
)

__all__ = ["Evidence", "write_report"]


@dataclass(frozen=True)
class Evidence:
    """What a report shows in addition to the scores.

    Attributes
    ----------
    table : DataFrame of n_clips rows
        The corpus.
    seconds : ndarray of shape (n_clips,)
        How long its clips are.
    fold : Fold
        Its training, validation and test set.
    predictions : DataFrame of n_test rows
        As in predictions.csv.
    pipeline : Pipeline
        The fitted pipeline.
    command : str, default=""
        What was typed for it.
    audio : bool, default=None
        Whether clips can be heard on the page; `None` leaves it to the licences of the corpora.
    cv_results : DataFrame, default=None
        The candidates of a search, the best first.
    """

    table: pd.DataFrame
    seconds: np.ndarray
    fold: Fold
    predictions: pd.DataFrame
    pipeline: Pipeline
    command: str = ""
    audio: bool | None = None
    cv_results: pd.DataFrame | None = None


def write_report(
    path: Path,
    title: str,
    metrics: Metrics | Mapping[str, Any],
    card: Mapping[str, Any],
    notes: list[str],
    evidence: Evidence | None = None,
) -> list[Chart]:
    """Write the page of a run.

    Parameters
    ----------
    path : Path
        The HTML file.
    title : str
    metrics : mapping
        What is in metrics.json; all numbers on the page are from there.
    card : mapping
        What is in card.json.
    notes : list of str
        Sentences to show under the verdict.
    evidence : Evidence, default=None
        What to draw and to play. With `None` there are no charts and sounds.

    Returns
    -------
    charts : list of Chart
        The charts on the page, without those of single clips.
    """
    content = _scores(title, metrics, card, notes)
    charts: list[Chart] = []
    if evidence is not None:
        content |= _evidence(evidence, metrics)
        charts = [*content["training"], *content["reliability"]]
        charts.append(content["data"]["durations"])
        if content["search"]:
            charts += content["search"]["charts"]
    if content["stress"]:
        charts += content["stress"]["charts"]
    content["sections"] = _sections(content)
    path.write_text(as_text(render_page("report.html", content)), encoding="utf-8")
    return charts


def _scores(
    title: str, metrics: Metrics | Mapping[str, Any], card: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """Return what the page shows of the scores and the card."""
    return {
        "title": title,
        "verdict": verdict(metrics),
        "first": first_screen(metrics),
        "about": _about(card, "n_seen" in metrics),
        "notes": notes,
        "metrics": metrics,
        **_about_split(metrics),
        "sets": [
            (name, n_clips, scores)
            for name, n_clips, scores in [
                ("test", metrics["n_test"], metrics),
                ("validation", metrics["n_validation"], metrics["validation"]),
                ("training", metrics["n_train"], metrics["train"]),
            ]
            if scores
        ],
        "chance": chance_level(metrics),
        "above_chance": is_better_than_chance(metrics),
        "calibrated": describe_calibration(metrics.get("calibration") or {}),
        "confusion": matrix_of(metrics.get("confusion_matrix")),
        "by_group": _by_group(metrics),
        "largest_loss": _largest_loss(metrics),
        "audit": _audit(metrics.get("audit")),
        "run": clip_name(metrics["run"]) if "run" in metrics else "run",
        "card": to_json(card),
        "card_facts": _card_facts(card),
        "mistakes": None,
        "stress": _stress(metrics),
    }


def _about_split(metrics: Metrics | Mapping[str, Any]) -> dict[str, str]:
    """Return what the clips of the test set are called, and what that means."""
    if "n_seen" in metrics:
        return {"split_name": "an evaluation", "split_meaning": describe_relation(metrics)}
    meaning = SPLITS.get(metrics["split"], "as they are published")
    return {"split_name": name_split(metrics["split"]), "split_meaning": meaning}


def _about(card: Mapping[str, Any], evaluation: bool) -> str:
    """Return the line under the title: emotions, clips, features, version, day."""
    facts = [f"{len(card['classes'])} emotions"]
    if "data" in card:
        trained = f"trained on {card['data']['name']}, " if evaluation else ""
        facts.append(f"{trained}{card['data']['n_clips']} clips")
    facts.append(f"features: {name_features(card['features'])}")
    version = card["versions"].get("sklearn-ser", "")
    return f"{', '.join(facts)}; sklearn-ser {version}; {card['created'][:10]}"


def _evidence(evidence: Evidence, metrics: Metrics | Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows beyond the scores: charts and clips."""
    read = clip_reader(evidence.pipeline)
    labels = metrics["confusion_matrix"]["labels"]
    cells = cells_of(evidence.predictions, labels)
    licences = licences_of(evidence.table.iloc[evidence.fold.test])
    heard = may_be_heard(licences, evidence.audio)
    most = max(cells, key=lambda cell: (cell["truth"] != cell["prediction"], cell["n"]))
    return {
        "command": evidence.command,
        "search": None
        if evidence.cv_results is None
        else search_section(metrics, evidence.cv_results),
        "cells": cells,
        "cell_ids": {cell["id"] for cell in cells},
        "first_cell": most["id"],
        "n_silent": embed_sounds([cell["clips"] for cell in cells], read) if heard else 0,
        "heard": heard,
        "refused": evidence.audio is False,
        "licences": licences,
        "training": _training(evidence.pipeline),
        "reliability": _reliability(metrics, evidence.predictions),
        "mistakes": _mistakes(evidence.predictions, labels),
        "data": _data(evidence),
        "examples": _examples(evidence, read, heard),
        "sr": evidence.pipeline.named_steps["audio"].sr,
    }


def _sections(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the id and heading of each section that is there, in the order of the page."""
    metrics = content["metrics"]
    return [
        (name, heading)
        for name, heading, there in [
            ("search", "The search", content.get("search")),
            ("confusion", "Confusion matrix", content["confusion"]),
            ("scores", "Scores", True),
            ("emotions", "Each emotion", True),
            *[(f"by-{g['column']}", f"Each {g['column']}", True) for g in content["by_group"]],
            ("mistakes", "The most confident mistakes", content["mistakes"] is not None),
            ("calibration", "Confidence and accuracy", metrics.get("calibration")),
            ("robustness", "Robustness", content["stress"]),
            ("importance", "Importance of the features", metrics.get("importance")),
            ("training", "Training", content.get("training")),
            ("data", "The data", content.get("data")),
            ("examples", "An example of each emotion", content.get("examples")),
            ("audit", "Leakage audit", content["audit"]),
            ("use", "Use it", True),
            ("card", "Card", True),
        ]
        if there
    ]


def _stress(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return sentences and charts of degraded clips, where there are some."""
    stress = metrics.get("stress")
    if not stress:
        return None
    sentences = [s for s in describe_stress(stress) if "`" not in s]  # the page has no options
    return {"sentences": sentences, "charts": draw_stress(stress)}


def _by_group(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    plural = {"speaker": "speakers", "sex": "sexes"}
    return [
        {"column": column, "plural": plural[column], **scores}
        for column in GROUPS
        if (scores := metrics.get(f"by_{column}")) and len(scores["groups"]) > 1
    ]


def _largest_loss(metrics: Mapping[str, Any]) -> float:
    groups = (metrics.get("importance") or {}).get("groups", [])
    return max([group["mean"] for group in groups if group["mean"] > 0], default=1.0)


def _audit(audit: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the sentences of an audit, and its counts in rows."""
    if not audit:
        return None
    rows = [
        (about, found["n_groups"], None, found["n_test"])
        for about, kind in [("identical files", "bytes"), ("identical sounds", "audio")]
        if (found := audit.get(kind))
    ]
    rows += [
        (f"{column}s", found["n"], found["n_shared"], found["n_test_clips"])
        for column in ("speaker", "text")
        if (found := audit.get(column))
    ]
    return {"sentences": audit.get("sentences", []), "rows": rows}


def _card_facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("Classifier", card["classifier"]),
        ("Emotions", ", ".join(card["classes"])),
        ("Features", name_features(card["features"])),
        ("Features per clip", count_features(card["n_features"], card.get("n_frames"))),
        ("Audio", f"mono, {card['sampling_rate']} Hz, resampled by {card['resampler']}"),
    ]
    if "data" in card:
        facts.append(("Data", f"{card['data']['name']}, {card['data']['n_clips']} clips"))
    if "split" in card:
        facts.append(("Split", f"{card['split']['kind']}, seed {card['split']['seed']}"))
    versions = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
    return [*facts, ("Made", f"{card['created']} with {versions}"), ("SHA-256", card["sha256"])]


def _training(pipeline: Pipeline) -> list[Chart]:
    clf = unwrap_classifier(pipeline.named_steps["clf"])
    return draw_history(clf.history_, clf.best_epoch_) if hasattr(clf, "history_") else []


def _reliability(metrics: Mapping[str, Any], predictions: pd.DataFrame) -> list[Chart]:
    if not metrics.get("calibration"):
        return []
    confidence = predictions.filter(regex="^p_").max(axis=1)
    right = predictions["truth"] == predictions["prediction"]
    return [draw_reliability(metrics["calibration"]), draw_coverage(confidence, right)]


def _mistakes(predictions: pd.DataFrame, labels: Sequence[str]) -> list[dict]:
    """Return the most confident mistakes, each with the cell that has its clip."""
    return [
        {**row, "name": clip_name(row["path"]), "cell": name_cell(
            labels.index(row["truth"]), labels.index(row["prediction"])
        )}
        for row in confident_mistakes(predictions).to_dict("records")
    ]  # fmt: skip


def _data(evidence: Evidence) -> dict[str, Any]:
    table, fold = evidence.table, evidence.fold
    counts = [_counts(table, fold, "emotion", "Clips of each emotion")]
    if table.get("speaker", pd.Series(dtype=object)).notna().any():
        counts.append(_counts(table, fold, "speaker", "Clips of each speaker"))
    return {"counts": counts, "durations": draw_durations(evidence.seconds)}


def _counts(table: pd.DataFrame, fold: Fold, column: str, heading: str) -> dict[str, Any]:
    values = table[column].fillna("not known").astype(str)
    # Over several folds every clip is in the training set and in the test set in turn.
    alone = len(fold.train) + len(fold.test) <= len(table)
    sets = {
        name: values.iloc[rows].value_counts()
        for name, rows in [
            ("training", fold.train), ("validation", fold.validation), ("test", fold.test)
        ]
        if alone and len(rows)
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "counts": [int(counts.get(name, 0)) for counts in sets.values()],
            "total": int(total),
        }
        for name, total in values.value_counts().sort_index().items()
    ]
    most = max(row["total"] for row in rows)
    return {
        "heading": heading, "column": column, "sets": list(sets), "rows": rows, "most": most
    }  # fmt: skip


def _examples(
    evidence: Evidence, read: Callable[[str], ExampleClip | None], heard: bool
) -> list[dict]:
    tested = evidence.table.iloc[evidence.fold.test].reset_index(drop=True)
    chosen = choose_examples(tested)
    clips = {emotion: read(tested["path"].iloc[row]) for emotion, row in chosen.items()}
    longest = max((len(clip.y) / clip.sr for clip in clips.values() if clip), default=0.0)
    shown = []
    for i, (emotion, row) in enumerate(chosen.items()):
        name, clip = clip_name(tested["path"].iloc[row]), clips[emotion]
        speaker = tested["speaker"].iloc[row] if "speaker" in tested else None
        about = f"{name}, speaker {speaker}" if pd.notna(speaker) else name
        if clip and clip.cut:
            about += f", the first {MOST_SECONDS:g} s"
        shown.append(
            {
                "emotion": emotion,
                "about": about,
                "sound": clip.as_data_uri() if clip and heard else None,
                "label": f"{emotion}: {name}",
                "chart": draw_clip(clip, f"example_{i}", emotion, longest) if clip else None,
            }
        )
    return shown
