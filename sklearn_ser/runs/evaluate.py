"""The command `evaluate`: the scores of a saved pipeline on a corpus."""

import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser._files import as_text, read_regular, to_json
from sklearn_ser.audio.conditions import list_conditions
from sklearn_ser.audio.noise import Noise
from sklearn_ser.corpora import load_data, map_emotions, parse_map, take_emotions
from sklearn_ser.exceptions import CorpusError, ModelError, OptionError
from sklearn_ser.features import GroupNormalizer
from sklearn_ser.features.scalers import GROUPS, regroup
from sklearn_ser.metrics import (
    Metrics,
    bootstrap_scores,
    describe_predictions,
    score,
    score_robustness,
)
from sklearn_ser.metrics.schema import Stress
from sklearn_ser.model_selection import TRANSDUCTIVE, Fold, Subset
from sklearn_ser.persistence import find_model, load_pipeline, read_card
from sklearn_ser.pipelines import find_name
from sklearn_ser.report.run_page import Evidence, write_report
from sklearn_ser.report.verdict import describe_map
from sklearn_ser.runs.background import stress_noise
from sklearn_ser.runs.options import Progress, RunOptions, command_of, data_name, silent
from sklearn_ser.runs.run_folder import new_folder, writing
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.stress import SINGLE_CLIPS, count_noise
from sklearn_ser.runs.trainers import adapts, scale
from sklearn_ser.runs.training import check_groups
from sklearn_ser.runs.write import SEEN_CLIPS, write_predictions

__all__ = ["evaluate_run"]

_MAX_BYTES = 1_000_000_000  # of checksums, 65 a clip


def evaluate_run(
    model: str | os.PathLike,
    options: RunOptions,
    *,
    adapt: str | None = None,
    trust: bool = False,
    on_progress: Progress | None = None,
) -> tuple[Metrics, list[str]]:
    """Score a saved pipeline on a corpus.

    Parameters
    ----------
    model : str or Path
        A run's folder, a model file or `"demo"`.
    options : RunOptions
        Its data, emotions, map, n_jobs, on_error, cache, stress and noise count; and out, a
        new folder for scores, predictions and a report, which `None` leaves unwritten.
    adapt : {"none", "speaker", "corpus", "recording"}, default=None
        What clips are z-scored by; `None` means what they were in training.
    trust : bool, default=False
        Whether to load a joblib file that was not written here.
    on_progress : callable, default=None

    Returns
    -------
    metrics : Metrics
        As in metrics.json; there is no training set.
    notes : list of str
        What the reader of the scores must know.
    """
    if options.out is None:
        return _evaluate(model, options, adapt, trust, on_progress or silent)[:2]
    with new_folder(options.out, "evaluation") as (folder, out):
        metrics, notes, tested = _evaluate(model, options, adapt, trust, on_progress or silent)
        with writing(out):
            command = command_of("evaluate", options, clf=None, adapt=adapt)
            command = command.replace("evaluate", f"evaluate {shlex.quote(Path(model).name)}", 1)
            _write(folder, metrics, notes, tested, command)
    return metrics, notes


@dataclass(frozen=True)
class _Tested:
    """What was scored, for the folder of an evaluation."""

    pipeline: Pipeline
    store: FeatureStore
    predicted: np.ndarray
    probabilities: np.ndarray
    card: Mapping[str, Any]
    options: RunOptions


def _evaluate(
    model: str | os.PathLike,
    options: RunOptions,
    adapt: str | None,
    trust: bool,
    progress: Progress,
) -> tuple[Metrics, list[str], _Tested]:
    started = time.perf_counter()
    pipeline = load_pipeline(model, trust=trust)
    pipeline.named_steps["features"].set_params(n_jobs=options.n_jobs, cache_dir=options.cache)
    by = _set_adaptation(pipeline, adapt)
    card = read_card(model)
    table, mapping = _read_mapped(options, card)
    check_groups(table, by)
    if by != "none" and options.stress:
        raise OptionError(SINGLE_CLIPS)
    if options.noise is not None and not options.stress:
        raise OptionError(f"`noise={options.noise}` is for `stress` here: add `stress`.")
    noise = stress_noise(options, checksums := _seen_clips(model))
    table, left_out, notes = _known_clips(table, pipeline.classes_, options.data)
    store = FeatureStore(table, [pipeline], options, progress)
    seen = np.isin(store.checksums, checksums)
    relation, more = _relate(store.table, card, seen)
    clips = store.subset(np.arange(len(store)))
    clf, X = pipeline.named_steps["clf"], scale(pipeline, clips)
    predicted, probabilities = clf.predict(X).astype(str), clf.predict_proba(X)
    notes += more
    if mapping:
        notes.append(describe_map(mapping))
    known = getattr(pipeline.named_steps["scale"], "groups_", {})
    transductive = by != "none" and bool(set(clips.table[by].astype(str)) - set(known))
    if transductive:
        notes.append(TRANSDUCTIVE)
    metrics: Any = score(clips.y, predicted) | {
        **bootstrap_scores(clips.y, predicted, clips.speaker),
        **describe_predictions(clips.table, predicted, probabilities, pipeline.classes_),
        "stress": None,
        **relation,
        "left_out": left_out,
        **({"map": mapping} if mapping else {}),
        "adapt": by,
        "transductive": transductive,
        "n_train": 0,
        "n_validation": 0,
        "n_test": len(store),
        "train": None,
        "validation": None,
        "skipped": store.skipped,
        "seconds": time.perf_counter() - started,
        "run": str(model),
    }
    if options.stress:
        stress = _stress(pipeline, clips, seen, noise, progress)
        metrics["stress"] = {**stress, "noise": count_noise(options, noise, store.checksums)}
    return metrics, notes, _Tested(pipeline, store, predicted, probabilities, card, options)


def _write(folder: Path, metrics: Metrics, notes: list[str], tested: _Tested, command: str) -> None:
    """Write the scores, the predictions and the page of an evaluation."""
    store, options = tested.store, tested.options
    (folder / "evaluation.json").write_text(to_json(metrics), encoding="utf-8")
    paths = store.table["path"].reset_index(drop=True)
    table = pd.DataFrame({"path": paths, "truth": store.emotions, "prediction": tested.predicted})
    for i, emotion in enumerate(tested.pipeline.classes_):
        table[f"p_{emotion}"] = tested.probabilities[:, i]
    write_predictions(table, folder)
    none = np.arange(0)
    fold = Fold(none, none, np.arange(len(store)), metrics["split"], None)
    evidence = Evidence(
        store.table, store.inspections["seconds"].to_numpy(), fold, table, tested.pipeline,
        command, options.report_audio,
    )  # fmt: skip
    title = f"{Path(metrics['run']).name} on {data_name(options.data)}"
    charts = write_report(folder / "report.html", title, metrics, tested.card, notes, evidence)
    (folder / "figures").mkdir()
    for chart in charts:
        (folder / "figures" / f"{chart.name}.svg").write_text(as_text(chart.svg), encoding="utf-8")


def _read_mapped(
    options: RunOptions, card: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the data with the labels mapped as the options say, else as for the training.

    The second is the mapping, as far as the data have its labels.
    """
    table = load_data(options.data, on_error=options.on_error)
    if options.map is not None:
        mapping = parse_map(options.map)
        mapped = map_emotions(table, mapping)
    else:
        mapping = card.get("data", {}).get("map", {})
        mapped = map_emotions(table, mapping, absent="ignore")
        if mapped["emotion"].equals(table["emotion"]):
            mapping = {}
    return mapped if options.emotions is None else take_emotions(mapped, options.emotions), mapping


def _set_adaptation(pipeline: Pipeline, adapt: str | None) -> str:
    """Make a pipeline z-score clips by a group, if one is asked for, and return which."""
    scaler = pipeline.named_steps["scale"]
    if adapt is None:
        return scaler.by if adapts(pipeline) else "none"
    by = find_name(adapt, ("none", *GROUPS), "`adapt`")
    if by == "none":
        if isinstance(scaler, GroupNormalizer):
            scaler.set_params(unknown="global")
    elif not isinstance(scaler, StandardScaler | GroupNormalizer):
        raise OptionError(
            f"`adapt={by}` takes the place of a StandardScaler, and this model has "
            f"{type(scaler).__name__}: leave it out, or fit another model."
        )
    elif not (adapts(pipeline) and scaler.by == by):
        pipeline.set_params(scale=regroup(scaler, by))
    return by


def _known_clips(
    table: pd.DataFrame, classes: np.ndarray, data: str
) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """Return the clips whose emotion a model knows, what is left out, and sentences about that.

    Raises
    ------
    CorpusError
        If there is none.
    """
    classes, emotions = np.asarray(classes).astype(str), table["emotion"].astype(str)
    known = emotions.isin(classes)
    unknown, counts = np.unique(emotions[~known], return_counts=True)
    absent = sorted(set(classes) - set(emotions))
    notes = []
    if len(unknown):
        notes.append(
            f"{counts.sum()} clips are left out: the model does not know {', '.join(unknown)}; it "
            f"knows {', '.join(classes)}."
        )
    if not known.any():
        raise CorpusError(f"No clip of {data} has an emotion that the model knows: {notes[0]}")
    if absent:
        notes.append(
            f"No clip is {' or '.join(absent)}, which the model knows too: they have no recall and "
            "do not count in UAR, but the model may predict them, wrongly."
        )
    left_out = {
        "data": {str(name): int(n) for name, n in zip(unknown, counts, strict=True)},
        "model": absent,
    }
    return table[known.to_numpy()].reset_index(drop=True), left_out, notes


def _relate(
    table: pd.DataFrame, card: Mapping[str, Any], seen: np.ndarray
) -> tuple[dict[str, Any], list[str]]:
    """Say what the clips are to the model: seen in training, of its corpus, or of another.

    Returns
    -------
    relation : dict
        split: "seen in training", "cross-corpus" where no corpus is on both sides, or "none";
        n_seen, the clips fitted on; and corpora, a dict of the lists model and data.
    notes : list of str
        What the reader of the scores must know.
    """
    ours = sorted(set(table["corpus"].dropna().astype(str)))
    theirs = list(card.get("data", {}).get("corpora", []))
    n_seen = int(seen.sum())
    split, notes = "none", []
    if n_seen:
        split = "seen in training"
        notes.append(
            f"{n_seen} of these {len(table)} clips were seen in training, so the scores say "
            "little about new clips. Those of the run itself do."
        )
    elif ours and theirs and not set(ours) & set(theirs):
        split = "cross-corpus"
        notes.append(
            f"A cross-corpus score: the model learned from {', '.join(theirs)} and is tested on "
            f"{', '.join(ours)}: other speakers, rooms, texts and ideas of each emotion. It is not "
            "to be compared with scores within one corpus."
        )
    return {"split": split, "n_seen": n_seen, "corpora": {"model": theirs, "data": ours}}, notes


def _stress(
    pipeline: Pipeline, clips: Subset, seen: np.ndarray, noise: Noise | None, progress: Progress
) -> Stress:
    """Degrade the clips that were not seen in training, or all where there are no others."""
    chosen = slice(None) if seen.all() else ~seen
    table = clips.table[chosen]
    n_conditions = len(list_conditions(noise))
    stress = score_robustness(
        pipeline,
        table["path"].tolist(),
        table["emotion"],
        speakers=None if clips.speaker is None else clips.speaker[chosen],
        noise=noise,
        on_batch=lambda done, total: progress("stress", done, total, f"{n_conditions} ways"),
    )
    stress["seen_in_training"] = bool(seen.all())
    return stress


def _seen_clips(model: str | os.PathLike) -> list[str]:
    """Return the checksums of the clips a run has trained with, where they lie beside the model."""
    file = find_model(model).with_name(SEEN_CLIPS)
    try:
        return read_regular(file, _MAX_BYTES).decode("ascii").split()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{file} is no list of checksums: remove it, and no clip counts as seen in training."
        ) from error
