"""Figures of merit, all of scikit-learn's making, under the names speech science uses."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

__all__ = ["score"]


def score(truth: ArrayLike, predicted: ArrayLike) -> dict[str, Any]:
    """Compare predictions with the truth.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_clips,)
        Emotions.

    Returns
    -------
    scores : dict
        accuracy; uar, the unweighted average recall: recall averaged over the emotions that occur
        in `truth`; macro_f1, averaged over the same emotions; and per_emotion, a dict of
        precision, recall, f1 and support for each.

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
