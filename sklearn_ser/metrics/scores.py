"""Accuracy, UAR and F1, all computed by scikit-learn, and the level that guessing reaches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from sklearn_ser.metrics.calibration import score_calibration, score_coverage
from sklearn_ser.metrics.groups import score_by_group
from sklearn_ser.metrics.schema import Chance, Scores

__all__ = [
    "chance_level",
    "chance_levels",
    "constant_prediction",
    "describe_predictions",
    "is_better_than_chance",
    "score",
]


NEARLY_ALL = 0.99  # of the predictions


def score(truth: ArrayLike, predicted: ArrayLike) -> Scores:
    """Compare predictions with the truth.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_clips,)
        Emotions.

    Returns
    -------
    scores : dict
        accuracy; uar, the unweighted average recall: recall averaged over the emotions that occur
        in `truth`; macro_f1, averaged over the same emotions; chance, see :func:`chance_levels`;
        and per_emotion, a dict of precision, recall, f1 and support for each.

    Examples
    --------
    >>> from sklearn_ser.metrics import score
    >>> score(["sad", "sad", "happy"], ["sad", "happy", "happy"])["uar"]
    0.75
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    emotions = np.unique(truth)
    rows = precision_recall_fscore_support(truth, predicted, labels=emotions, zero_division=0)
    precision, recall, f1, support = rows
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "uar": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "chance": chance_levels(truth),
        "per_emotion": {
            str(emotion): {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, emotion in enumerate(emotions)
        },
    }


def chance_levels(truth: ArrayLike) -> Chance:
    """Return the scores of one prediction for every clip, the best that ignores the audio.

    Parameters
    ----------
    truth : array-like of shape (n_clips,)
        Emotions.

    Returns
    -------
    chance : dict
        accuracy, the share of the most frequent emotion; and uar, 1 / n_emotions.

    Examples
    --------
    >>> from sklearn_ser.metrics import chance_levels
    >>> chance_levels(["sad", "sad", "sad", "happy"])
    {'accuracy': 0.75, 'uar': 0.5}
    """
    _, counts = np.unique(np.asarray(truth), return_counts=True)
    return {"accuracy": float(counts.max() / counts.sum()), "uar": 1 / len(counts)}


def is_better_than_chance(scores: Mapping[str, Any]) -> bool:
    """Say whether the whole interval of the UAR lies above the chance level.

    Parameters
    ----------
    scores : mapping
        With uar_interval, and chance or (as runs of an older version) per_emotion. Without an
        interval the UAR itself is compared.

    Examples
    --------
    >>> from sklearn_ser.metrics import is_better_than_chance
    >>> is_better_than_chance({"uar_interval": [0.45, 0.7], "chance": {"uar": 0.5}})
    False
    """
    low, _ = scores.get("uar_interval") or (scores["uar"], None)
    return bool(low > chance_level(scores))


def chance_level(scores: Mapping[str, Any]) -> float:
    """Return the UAR of guessing, also for scores of an older version, which lack it."""
    chance = scores.get("chance")
    return chance["uar"] if chance else 1 / len(scores["per_emotion"])


def constant_prediction(confusion: Mapping[str, Any] | None) -> tuple[str, int] | None:
    """Return the emotion that was predicted for (nearly) every clip, and for how many.

    Parameters
    ----------
    confusion : mapping or None
        labels and counts, as under confusion_matrix in metrics.json.

    Returns
    -------
    emotion, n_clips : str, int
        None where no emotion has at least 99 % of the predictions, or all clips are of one emotion.

    Examples
    --------
    >>> from sklearn_ser.metrics import constant_prediction
    >>> constant_prediction({"labels": ["happy", "sad"], "counts": [[0, 3], [0, 4]]})
    ('sad', 7)
    """
    if not confusion or len(confusion["labels"]) < 2:
        return None
    predicted = np.sum(confusion["counts"], axis=0)
    most = int(predicted.argmax())
    if predicted[most] < NEARLY_ALL * predicted.sum():
        return None
    return str(confusion["labels"][most]), int(predicted[most])


def describe_predictions(
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
        "calibration": score_calibration(truth, probabilities, classes),
        "coverage": score_coverage(truth, probabilities, classes),
        **{f"by_{column}": scores for column, scores in by_group.items()},
    }
