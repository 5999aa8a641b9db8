"""What is measured on a test set beyond its scores."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from sklearn_ser.metrics.calibration import calibration, coverage
from sklearn_ser.metrics.groups import score_by_group
from sklearn_ser.metrics.importance import feature_groups, importance_by_group

__all__ = ["details", "importance"]


def details(
    table: pd.DataFrame, predicted: ArrayLike, probabilities: ArrayLike, classes: ArrayLike
) -> dict[str, Any]:
    """Measure what predictions show beyond their scores.

    Parameters
    ----------
    table : DataFrame of n_clips rows
        The clips, with the column emotion, and speaker and sex where they are known.
    predicted : array-like of shape (n_clips,)
        Emotions.
    probabilities : array-like of shape (n_clips, n_classes)
    classes : array-like of shape (n_classes,)
        The emotions of the columns.

    Returns
    -------
    details : dict
        confusion_matrix, a dict of labels and counts (rows are the truth); calibration and
        coverage; by_speaker and by_sex. All can be written as JSON.
    """
    truth = table["emotion"].to_numpy().astype(str)
    predicted, classes = np.asarray(predicted).astype(str), np.asarray(classes).astype(str)
    labels = np.union1d(truth, predicted)
    by_group = score_by_group(table, truth, predicted)
    return {
        "confusion_matrix": {
            "labels": labels.tolist(),
            "counts": confusion_matrix(truth, predicted, labels=labels).tolist(),
        },
        "calibration": calibration(truth, probabilities, classes),
        "coverage": coverage(truth, probabilities, classes),
        **{f"by_{column}": scores for column, scores in by_group.items()},
    }


def importance(
    pipeline: Pipeline, X: np.ndarray, truth: ArrayLike, *, seed: int = 0
) -> dict[str, Any]:
    """Measure what a fitted pipeline listens to, on features of clips it has not seen.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned, fitted.
    X : ndarray of shape (n_clips, ...)
        What its steps audio, features and scale give.
    truth : array-like of shape (n_clips,)
        Emotions.
    seed : int, default=0

    Returns
    -------
    importance : dict
        See :func:`importance_by_group`.
    """
    groups = feature_groups(pipeline)
    return importance_by_group(pipeline.named_steps["clf"], X, truth, groups, seed=seed)
