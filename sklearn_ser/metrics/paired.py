"""Paired tests: whether one classifier is better than another, or the difference is noise."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklearn_ser.metrics.intervals import interval_units

__all__ = ["compare_pairs", "holm", "paired_test"]

LEVEL = 0.05  # a difference that chance makes more often is called noise

N_RESAMPLES = 9999
_AT_ONCE = 500


def paired_test(
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    speakers: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Test the difference of two classifiers' UAR on the same clips.

    If both were equally good, it would not matter which of them made which of the two predictions
    of a clip. So the predictions are exchanged at random (of all clips of a speaker together where
    there are enough speakers), and the p-value is how often the UARs then differ as much.

    Parameters
    ----------
    truth : array-like of shape (n_clips,)
        Emotions.
    first, second : array-like of shape (n_clips,)
        What the classifiers predicted.
    speakers : array-like of shape (n_clips,), default=None
        Who speaks; see :func:`interval_units`.
    seed : int, default=0

    Returns
    -------
    result : dict
        difference (UAR of the first less that of the second), p (two-sided), resampled ("speakers"
        or "clips") and n, how many of them there are.

    Notes
    -----
    The approximate randomisation test [1]_ [2]_, exact where there are no more than 13 speakers.
    It says whether the two fitted classifiers differ, not what another training set would change.

    References
    ----------
    .. [1] Noreen, E. W. "Computer-Intensive Methods for Testing Hypotheses", 1989.
    .. [2] Yeh, A. "More accurate tests for the statistical significance of result differences",
       COLING 2000.

    Examples
    --------
    >>> from sklearn_ser.metrics.paired import paired_test
    >>> truth = ["sad", "happy"] * 20
    >>> paired_test(truth, truth, ["sad"] * 40)["p"] < 0.01
    True
    """
    from scipy.stats import permutation_test

    truth, first, second = (np.asarray(values) for values in (truth, first, second))
    units, codes = interval_units(speakers, len(truth))
    emotions, which, counts = np.unique(truth, return_inverse=True, return_counts=True)
    # UAR is the sum over clips of 1 / (n_emotions * clips of that emotion) for each right answer.
    weights = 1 / (len(emotions) * counts[which])
    gains = weights * ((first == truth).astype(float) - (second == truth))
    gains_by_unit = np.bincount(codes, weights=gains)
    differing = gains_by_unit[np.abs(gains_by_unit) > 1e-12]  # the others exchange without effect
    p = 1.0
    if len(differing) > 1:
        p = permutation_test(
            (differing,),
            lambda x, axis: x.sum(axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=N_RESAMPLES,
            batch=_AT_ONCE,
            rng=np.random.default_rng(seed),
        ).pvalue
    return {
        "difference": float(gains.sum()),
        "p": float(p),
        "resampled": units,
        "n": int(codes.max()) + 1,
    }


def compare_pairs(
    truth: ArrayLike,
    predicted: Mapping[str, ArrayLike],
    speakers: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Test every pair of classifiers.

    Parameters
    ----------
    truth : array-like of shape (n_clips,)
    predicted : mapping of str to array-like of shape (n_clips,)
        What each classifier predicted of the same clips.
    speakers : array-like of shape (n_clips,), default=None
    seed : int, default=0

    Returns
    -------
    pairs : list of dict
        What `paired_test` returns with better and worse (names), a difference of 0 or more,
        p_adjusted (Holm, over these pairs), within_noise and a sentence.
    """
    pairs = []
    for a, b in combinations(predicted, 2):
        result = paired_test(truth, predicted[a], predicted[b], speakers, seed=seed)
        better, worse = (a, b) if result["difference"] >= 0 else (b, a)
        result["difference"] = abs(result["difference"])
        pairs.append({"better": better, "worse": worse} | result)
    for pair, p in zip(pairs, holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_adjusted"] = p
        pair["within_noise"] = p >= LEVEL
        pair["sentence"] = _say(pair)
    return pairs


def _say(pair: Mapping[str, Any]) -> str:
    better, worse, p = pair["better"], pair["worse"], pair["p_adjusted"]
    shown = "p < 0.001" if p < 0.001 else f"p {p:.3f}" if p < 0.1 else f"p {p:.2f}"
    if pair["within_noise"]:
        return (
            f"{better} and {worse} differ by {pair['difference']:.3f} UAR: within noise ({shown})."
        )
    return f"{better} beats {worse} by {pair['difference']:.3f} UAR ({shown})."


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for having tested several times, as Holm (1979) does.

    Examples
    --------
    >>> from sklearn_ser.metrics.paired import holm
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = np.empty(len(p_values))
    highest = 0.0
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted.tolist()
