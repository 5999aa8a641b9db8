"""Features as a fitted classifier takes them: scaled, by a scaler that is told who speaks."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.features import SpeakerNormalizer
from sklearn_ser.model_selection import Fold

__all__ = ["check_speakers", "scaled", "speakers_for", "tests_unseen_speakers"]


def check_speakers(table: pd.DataFrame) -> None:
    """Raise `CorpusError` unless the speaker of every clip is known."""
    unknown = int(table["speaker"].isna().sum()) if "speaker" in table else len(table)
    if unknown:
        raise CorpusError(
            f"To z-score each speaker's clips one must know who speaks, and of {unknown} of "
            f"{len(table)} clips the data do not say: give a corpus or a CSV with the column "
            "speaker."
        )


def speakers_for(scale: Any, table: pd.DataFrame, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a scaler is to be told of some clips beside their features.

    Parameters
    ----------
    scale : transformer
        A pipeline's step of that name.
    table : DataFrame
        The corpus.
    rows : ndarray of int or bool
        Which of its clips.

    Returns
    -------
    told : dict
        `speaker` for a `SpeakerNormalizer`, nothing for others.
    """
    if not isinstance(scale, SpeakerNormalizer) or "speaker" not in table:
        return {}
    return {"speaker": table["speaker"].to_numpy()[rows]}


def scaled(pipeline: Pipeline, matrix: np.ndarray, table: pd.DataFrame, rows: Any) -> np.ndarray:
    """Return the features of some clips as the classifier of a fitted pipeline takes them."""
    scale = pipeline.named_steps["scale"]
    return scale.transform(matrix[rows], **speakers_for(scale, table, rows))


def tests_unseen_speakers(table: pd.DataFrame, folds: Iterable[Fold]) -> bool:
    """Say whether a test set holds speakers that its training set does not."""
    speaker = table["speaker"].to_numpy()
    return any(set(speaker[parts.test]) - set(speaker[parts.train]) for parts in folds)
