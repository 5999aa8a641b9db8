"""What `evaluate` does: score a saved pipeline on a corpus."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import SpeakerNormalizer
from sklearn_ser.metrics import bootstrap_scores, describe_predictions, score, score_robustness
from sklearn_ser.model_selection import TRANSDUCTIVE
from sklearn_ser.persistence import load_pipeline
from sklearn_ser.persistence.card import find_model, read_card
from sklearn_ser.runs.corpus import read_corpus
from sklearn_ser.runs.options import Progress, RunOptions, silent
from sklearn_ser.runs.relation import relate
from sklearn_ser.runs.scaling import check_speakers, scaled
from sklearn_ser.runs.write import SEEN_CLIPS

__all__ = ["evaluate_run"]


def evaluate_run(
    model: Path,
    data: str,
    *,
    trust: bool = False,
    n_jobs: int | None = None,
    on_error: str = "stop",
    cache: Path | None = None,
    stress_too: bool = False,
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
    stress_too : bool, default=False
        Whether to score degraded clips too.
    on_progress : callable, default=None

    Returns
    -------
    metrics : dict
        As in metrics.json; there is no training set.
    notes : list of str
        What the reader of the scores must know.
    """
    started = time.perf_counter()
    pipeline = load_pipeline(model, trust=trust)
    pipeline.named_steps["features"].set_params(n_jobs=n_jobs, cache_dir=cache)
    scale = pipeline.named_steps["scale"]
    by_speaker = isinstance(scale, SpeakerNormalizer) and scale.unknown != "global"
    table = load_data(data)
    if by_speaker:
        check_speakers(table)
        if stress_too:
            raise OptionError(
                "--stress asks about single clips, and this model needs all of a "
                "speaker's: fit one without --normalize-speakers."
            )
    options = RunOptions(data, n_jobs=n_jobs, on_error=on_error)
    corpus = read_corpus(pipeline, table, options, on_progress or silent)
    known, relation, notes = relate(
        corpus, pipeline.classes_, read_card(model), _seen_clips(model), data
    )
    tested = corpus.table[known]
    clf = pipeline.named_steps["clf"]
    X = scaled(pipeline, corpus.matrix, corpus.table, known)
    predicted, probabilities = clf.predict(X).astype(str), clf.predict_proba(X)
    transductive = by_speaker and bool(set(tested["speaker"]) - set(scale.speakers_))
    if transductive:
        notes.append(TRANSDUCTIVE)
    seen = np.isin(corpus.checksums[known], _seen_clips(model))
    speakers = corpus.table["speaker"].to_numpy()[known] if "speaker" in corpus.table else None
    metrics = score(corpus.emotions[known], predicted) | {
        **bootstrap_scores(corpus.emotions[known], predicted, speakers),
        **describe_predictions(tested, predicted, probabilities, pipeline.classes_),
        "stress": _stress(pipeline, tested, seen, on_progress or silent) if stress_too else None,
        **relation,
        "transductive": transductive,
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


def _stress(
    pipeline: Pipeline, tested: pd.DataFrame, seen: np.ndarray, progress: Progress
) -> dict[str, Any]:
    """Degrade the clips that were not seen in training, or all where there are no others."""
    chosen = tested if seen.all() else tested[~seen]
    found = score_robustness(
        pipeline,
        chosen["path"].tolist(),
        chosen["emotion"],
        on_batch=lambda done, total: progress("stress", done, total, ""),
    )
    return {"seen_in_training": bool(seen.all()), **found}


def _seen_clips(model: Path) -> list[str]:
    """Return the checksums of the clips a run has trained with, where they lie beside the model."""
    file = find_model(model).with_name(SEEN_CLIPS)
    return file.read_text(encoding="ascii").split() if file.exists() else []
