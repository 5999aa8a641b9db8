"""Calibration of the confidence, and the accuracy left when unsure predictions are dropped."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklearn_ser.classifiers.probabilities import most_probable

__all__ = ["N_BINS", "THRESHOLDS", "score_calibration", "score_coverage"]

N_BINS = 15
THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def score_calibration(
    truth: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, n_bins: int = N_BINS
) -> dict[str, Any]:
    """Compare the confidence of predictions with their accuracy.

    Parameters
    ----------
    truth : array-like of shape (n_clips,)
        Emotions.
    probabilities : array-like of shape (n_clips, n_classes)
        What `predict_proba` gives. The prediction is the most probable class, its probability is
        the confidence.
    classes : array-like of shape (n_classes,)
        The emotions of the columns.
    n_bins : int, default=15
        Bins of equal width between 0 and 1, each open at its lower end.

    Returns
    -------
    calibration : dict
        ece, the expected calibration error [1]_: the mean over clips of the distance between the
        accuracy and the mean confidence of their bin; n_bins; confidence, the mean of all clips;
        and bins, a list of dicts of low, high, n, confidence and accuracy for each bin that holds
        clips. Few clips in a bin make the error larger than it is.

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. "On calibration of modern neural
       networks", ICML, 2017, equation 3, with its 15 bins.

    Examples
    --------
    >>> from sklearn_ser.metrics import score_calibration
    >>> probabilities = [[0.1, 0.9], [0.4, 0.6]]
    >>> round(score_calibration(["sad", "happy"], probabilities, ["happy", "sad"])["ece"], 2)
    0.35
    """
    confidence, right = _confidence(truth, probabilities, classes)
    edges = np.linspace(0, 1, n_bins + 1)
    bin_of = np.clip(np.searchsorted(edges, confidence) - 1, 0, n_bins - 1)
    bins = [
        {
            "low": float(edges[i]),
            "high": float(edges[i + 1]),
            "n": int(inside.sum()),
            "confidence": float(confidence[inside].mean()),
            "accuracy": float(right[inside].mean()),
        }
        for i in range(n_bins)
        if (inside := bin_of == i).any()
    ]
    distances = [row["n"] * abs(row["accuracy"] - row["confidence"]) for row in bins]
    return {
        "ece": float(sum(distances) / len(confidence)),
        "n_bins": n_bins,
        "confidence": float(confidence.mean()),
        "bins": bins,
    }


def score_coverage(
    truth: ArrayLike,
    probabilities: ArrayLike,
    classes: ArrayLike,
    thresholds: ArrayLike = THRESHOLDS,
) -> list[dict[str, Any]]:
    """Return the accuracy of the predictions that are kept when the unsure ones are dropped.

    Parameters
    ----------
    truth, probabilities, classes
        As for :func:`score_calibration`.
    thresholds : array-like of float
        Confidences; a prediction below one is dropped.

    Returns
    -------
    rows : list of dict
        abstain_below, the threshold; n_answered, the predictions kept; coverage, their share of all
        clips; and accuracy, the share of them that are right, None where none is kept.

    Examples
    --------
    >>> from sklearn_ser.metrics import score_coverage
    >>> proba = [[0.1, 0.9], [0.4, 0.6]]
    >>> score_coverage(["sad", "happy"], proba, ["happy", "sad"], [0.7])
    [{'abstain_below': 0.7, 'n_answered': 1, 'coverage': 0.5, 'accuracy': 1.0}]
    """
    confidence, right = _confidence(truth, probabilities, classes)
    rows = []
    for threshold in np.asarray(thresholds, dtype=float):
        kept = confidence >= threshold
        rows.append(
            {
                "abstain_below": float(threshold),
                "n_answered": int(kept.sum()),
                "coverage": float(kept.mean()),
                "accuracy": float(right[kept].mean()) if kept.any() else None,
            }
        )
    return rows


def _confidence(
    truth: ArrayLike, probabilities: ArrayLike, classes: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each prediction, and whether it is right."""
    probabilities = np.asarray(probabilities, dtype=float)
    right = most_probable(probabilities, classes) == np.asarray(truth)
    return probabilities.max(axis=1), right
