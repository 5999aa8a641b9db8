"""From sources of audio to a table of emotions, one bad file at a time."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.corpora.base import AUDIO_SUFFIXES
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.pipelines import extract_features

__all__ = ["find_sources", "predict_table"]


def find_sources(names: Iterable[str]) -> list[str]:
    """Return the sources that names mean: a folder means the audio files in it, at any depth.

    Parameters
    ----------
    names : iterable of str
        Files, folders or URLs; a file need not exist, so that its error has its row.

    Returns
    -------
    sources : list of str

    Raises
    ------
    CorpusError
        If a folder holds no audio file.
    """
    sources: list[str] = []
    for name in names:
        if not os.path.isdir(name):
            sources.append(name)
            continue
        found = sorted(
            str(file)
            for file in Path(name).rglob("*")
            if file.suffix.lower() in AUDIO_SUFFIXES
            and not file.name.startswith(".")  # litter of file managers
            and not file.is_dir()
        )
        if not found:
            raise CorpusError(f"{name} holds no audio file: give another folder, or files.")
        sources.extend(found)
    return sources


def predict_table(
    pipeline: Pipeline,
    sources: Sequence,
    on_batch: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Predict the emotion of each source; a source that cannot be read gets a row that says why.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    sources : sequence of n_clips sources
    on_batch : callable, default=None
        Called after each batch with the number of clips done and their total.

    Returns
    -------
    table : DataFrame of n_clips rows
        The columns path, emotion, confidence (the probability of that emotion), error (missing
        where all went well), and p_EMOTION for each emotion.
    """
    matrix, failures = extract_features(pipeline, sources, on_batch)
    emotions = [str(name) for name in pipeline.classes_]
    probabilities = np.full((len(sources), len(emotions)), np.nan)
    good = np.setdiff1d(np.arange(len(sources)), list(failures))
    if len(good):
        probabilities[good] = pipeline[2:].predict_proba(matrix)
    best = np.where(np.isnan(probabilities), -1, probabilities).argmax(axis=1)
    table = pd.DataFrame(
        {
            "path": [str(source) for source in sources],
            "emotion": [None if i in failures else emotions[best[i]] for i in range(len(sources))],
            "confidence": probabilities[np.arange(len(sources)), best],
            "error": [failures.get(i) for i in range(len(sources))],
        }
    )
    for column, emotion in enumerate(emotions):
        table[f"p_{emotion}"] = probabilities[:, column]
    return table
