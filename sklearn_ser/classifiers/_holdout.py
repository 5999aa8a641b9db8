"""Holding clips out: a test set of a corpus, and a validation set of its training set."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

__all__ = ["hold_out"]


def hold_out(
    y: ArrayLike, fraction: float, *, groups: ArrayLike | None = None, random_state=None
) -> tuple[np.ndarray, np.ndarray]:
    """Split clips into those kept and those set aside.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        Emotions; without groups each keeps its share on both sides, as far as there are clips.
    fraction : float
        Share of the clips, or of the groups, to set aside; 0 sets none aside.
    groups : array-like of shape (n_clips,), default=None
        Speakers or texts that must not be on both sides; with fewer than two it counts as `None`.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    kept, aside : ndarray of int
        Positions, ascending. `aside` is empty where too few clips are there to spare one.

    Examples
    --------
    >>> from sklearn_ser.classifiers._holdout import hold_out
    >>> kept, aside = hold_out(list("aabb"), 0.5, groups=[1, 2, 1, 2], random_state=0)
    >>> aside.tolist()
    [1, 3]
    """
    y = np.asarray(y)
    n_clips = len(y)
    if not fraction:
        return np.arange(n_clips), np.arange(0)
    if groups is not None and len(np.unique(groups)) >= 2:
        splitter = GroupShuffleSplit(1, test_size=fraction, random_state=random_state)
        try:
            split = next(splitter.split(y, y, groups))
        except ValueError:  # so large a share of so few groups leaves none
            return np.arange(0), np.arange(n_clips)
    else:
        classes, counts = np.unique(y, return_counts=True)
        n_aside = max(int(np.ceil(fraction * n_clips)), len(classes))
        if n_clips - n_aside < len(classes):
            return np.arange(n_clips), np.arange(0)
        # A class of one clip cannot be on both sides.
        kind = StratifiedShuffleSplit if counts.min() >= 2 else ShuffleSplit
        splitter = kind(1, test_size=n_aside, random_state=random_state)
        split = next(splitter.split(y, y))
    kept, aside = (np.sort(rows) for rows in split)
    return kept, aside
