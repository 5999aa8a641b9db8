"""Confidence intervals of scores: bootstrap over speakers or clips, exact at the ends.

Clips of one speaker resemble each other, so that resampling clips makes intervals that are too
narrow for new speakers. Where there are enough speakers, whole speakers are drawn instead. Where
all clips are right, or none, every resample scores the same: then the interval is exact.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import confusion_matrix

__all__ = ["ENOUGH_SPEAKERS", "bootstrap_scores", "interval_units"]

# Intervals over few groups are too narrow, the fewer the narrower: Cameron, Gelbach & Miller,
# "Bootstrap-based improvements for inference with clustered errors", Review of Economics and
# Statistics 90(3), 2008. Most corpora of acted speech have four, ten or twenty-four speakers.
ENOUGH_SPEAKERS = 8

N_RESAMPLES = 2000


def interval_units(speakers: ArrayLike | None, n_clips: int) -> tuple[str, np.ndarray]:
    """Return what is resampled, speakers or clips, and which of them each clip belongs to.

    Parameters
    ----------
    speakers : array-like of shape (n_clips,) or None
        Who speaks in each tested clip; `None` or a missing value where that is not known.
    n_clips : int

    Returns
    -------
    units : {"speakers", "clips"}
    codes : ndarray of shape (n_clips,), int
        From 0 on.
    """
    if speakers is not None:
        names = np.asarray(speakers, dtype=object)
        if all(isinstance(name, str) for name in names):
            unique, codes = np.unique(names.astype(str), return_inverse=True)
            if len(unique) >= ENOUGH_SPEAKERS:
                return "speakers", codes
    return "clips", np.arange(n_clips)


def bootstrap_scores(
    truth: ArrayLike,
    predicted: ArrayLike,
    speakers: ArrayLike | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Return percentile bootstrap intervals [1]_ [2]_ of accuracy, UAR and macro F1.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_clips,)
        Emotions.
    speakers : array-like of shape (n_clips,), default=None
        Who speaks. From `ENOUGH_SPEAKERS` on, whole speakers are drawn; else clips.
    level : float, default=0.95
        How much of the resamples' scores an interval holds.
    seed : int, default=0

    Returns
    -------
    intervals : dict
        accuracy_interval, uar_interval and macro_f1_interval, each a list [low, high], and
        interval, a dict of level, resampled ("speakers" or "clips"), n (how many there are),
        n_resamples, exact (the scores whose interval is not from resampling), and about, a
        sentence.

    Notes
    -----
    The classifier stays as it is: what another training set would change is not in them. UAR and
    macro F1 of a resample are averaged over the emotions that occur in it, as in :func:`score`.

    Where the clips of each emotion are all right or all wrong, every resample has the same score
    and a bootstrap says nothing. Such an interval is replaced by an exact one. With alpha = 1 -
    level: if all of n clips are right, the accuracy is at least (alpha / 2) ** (1 / n) [3]_. The
    same holds for n speakers without a mistake, since a mean between 0 and 1 is not 1 more often
    than its expectation says. For the UAR, n is the number of emotions times the clips of the
    rarest one (of speakers: the speakers of the rarest one): the product of the recalls, each to
    the power of its clips, is at least alpha / 2, and their mean is at least their geometric mean.
    Macro F1 takes the lower bound of the UAR (a test looks for classifiers below it, and finds
    none) and as the upper one 2 u / (1 + u), u being that of the UAR.

    References
    ----------
    .. [1] Efron, B. and Tibshirani, R. J. "An Introduction to the Bootstrap", 1993, chapter 13.
    .. [2] For speakers: Bisani, M. and Ney, H. "Bootstrap estimates for confidence intervals in
       ASR performance evaluation", ICASSP 2004.
    .. [3] Clopper, C. J. and Pearson, E. S. "The use of confidence or fiducial limits illustrated
       in the case of the binomial", Biometrika 26(4), 1934.

    Examples
    --------
    >>> from sklearn_ser.metrics import bootstrap_scores
    >>> found = bootstrap_scores(["sad", "happy"] * 50, ["sad", "happy"] * 40 + ["sad"] * 20)
    >>> [round(bound, 1) for bound in found["accuracy_interval"]], found["interval"]["resampled"]
    ([0.8, 0.9], 'clips')
    >>> perfect = bootstrap_scores(["sad", "happy"] * 50, ["sad", "happy"] * 50)
    >>> [round(bound, 3) for bound in perfect["accuracy_interval"]]  # and not from 1 to 1
    [0.964, 1.0]
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    emotions = np.union1d(truth, predicted)
    units, codes = interval_units(speakers, len(truth))
    n_units = int(codes.max()) + 1
    rng = np.random.default_rng(seed)
    k = len(emotions)
    if units == "speakers":
        tables = np.stack(
            [
                confusion_matrix(truth[codes == u], predicted[codes == u], labels=emotions)
                for u in range(n_units)
            ]
        )
        drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=N_RESAMPLES)
        counts = np.tensordot(drawn, tables, axes=1)
    else:  # drawing clips is drawing cells of their confusion matrix
        table = confusion_matrix(truth, predicted, labels=emotions)
        drawn = rng.multinomial(len(truth), table.ravel() / len(truth), size=N_RESAMPLES)
        counts = drawn.reshape(-1, k, k)
    outside = 100 * (1 - level) / 2
    intervals: dict[str, Any] = {
        f"{name}_interval": np.percentile(values, [outside, 100 - outside]).tolist()
        for name, values in _score_tables(counts).items()
    }
    exact = _exact_bounds(truth, predicted, codes, (1 - level) / 2)
    replaced = [name for name in sorted(exact) if np.ptp(intervals[f"{name}_interval"]) == 0]
    intervals |= {f"{name}_interval": exact[name] for name in replaced}
    return intervals | {
        "interval": {
            "level": level,
            "resampled": units,
            "n": n_units,
            "n_resamples": N_RESAMPLES,
            "exact": replaced,
            "about": _describe(level, units, n_units, replaced),
        }
    }


def _describe(level: float, units: str, n_units: int, exact: list[str]) -> str:
    about = f"{level:.0%} bootstrap intervals over {n_units} {units}"
    if units == "clips":
        about += (
            f" (fewer than {ENOUGH_SPEAKERS} speakers are tested, so they say nothing about unseen "
            "speakers)"
        )
    if exact:
        about += "; exact ones (Clopper and Pearson) where all clips are right or all are wrong"
    return about


def _exact_bounds(
    truth: np.ndarray, predicted: np.ndarray, codes: np.ndarray, tail: float
) -> dict[str, list[float]]:
    """Return bounds of scores, if the clips of each emotion are all right or all wrong."""
    right = truth == predicted
    recalls = {emotion: right[truth == emotion].mean() for emotion in np.unique(truth)}
    good = [emotion for emotion, recall in recalls.items() if recall == 1]
    bad = [emotion for emotion, recall in recalls.items() if recall == 0]
    if len(good) + len(bad) < len(recalls):
        return {}
    n_units = len(np.unique(codes))

    def least(emotions: list) -> float:
        """Return the least mean probability of all being as they are observed."""
        n = min(len(np.unique(codes[truth == emotion])) for emotion in emotions)
        return tail ** (1 / (n if n_units < len(codes) else n * len(emotions)))

    share = len(good) / len(recalls)
    low = share * least(good) if good else 0.0
    high = share + (1 - share) * (1 - least(bad)) if bad else 1.0
    bounds = {"uar": [low, high], "macro_f1": [low, 2 * high / (1 + high)]}
    if not (good and bad):
        of_all = tail ** (1 / n_units)
        bounds["accuracy"] = [of_all, 1.0] if good else [0.0, 1 - of_all]
    return bounds


def _score_tables(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of confusion matrices of shape (n_resamples, n_emotions, n_emotions)."""
    right = np.diagonal(counts, axis1=1, axis2=2)
    actual, claimed = counts.sum(axis=2), counts.sum(axis=1)
    occurs = actual > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(occurs, right / actual, np.nan)
        f1 = np.where(occurs, 2 * right / (actual + claimed), np.nan)
    return {
        "accuracy": right.sum(axis=1) / counts.sum(axis=(1, 2)),
        "uar": np.nanmean(recall, axis=1),
        "macro_f1": np.nanmean(f1, axis=1),
    }
