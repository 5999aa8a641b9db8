"""Several test parts in turn, so that every clip is tested once by a classifier new to it."""

from itertools import product

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold

from sklearn_ser.exceptions import CorpusError, OptionError
from sklearn_ser.model_selection.splits import (
    SPLITS,
    Parts,
    check_emotions,
    groups_of,
    spare_validation,
)

__all__ = ["divide_in_folds"]

ALL = "all"


def divide_in_folds(
    table: pd.DataFrame,
    split: str = "random",
    n_folds: int | str = 5,
    *,
    validation_size: float = 0.1,
    seed: int = 0,
) -> list[Parts]:
    """Divide a corpus in folds, each of which is the test part once.

    Parameters
    ----------
    table : DataFrame
        A corpus with the column emotion, and speaker or text where the split asks for them.
    split : {"random", "speaker", "text", "speaker+text"}, default="random"
        What training and test part of a fold must not share. Folds by speaker and text cross: each
        fold of speakers is tested on each fold of texts, by a classifier that knows neither, which
        takes the product of their numbers in fits.
    n_folds : int or "all", default=5
        How many folds, fewer where there are fewer speakers or texts; `"all"` leaves each speaker
        or text out once.
    validation_size : float, default=0.1
        Share of each training part in its validation part, as for :func:`divide`.
    seed : int, default=0

    Returns
    -------
    folds : list of Parts
        Their test parts hold each clip once.

    Raises
    ------
    CorpusError
        If the corpus lacks the column, or has too few clips of an emotion for any folds.
    OptionError
        If `split` or `n_folds` make no sense.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import divide_in_folds
    >>> table = pd.DataFrame({"emotion": list("abab"), "speaker": list("xxyy")})
    >>> [parts.test.tolist() for parts in divide_in_folds(table, "speaker", "all")]
    [[0, 1], [2, 3]]
    """
    if split not in SPLITS:
        raise OptionError(f"Unknown split {split!r}: there are {', '.join(SPLITS)}.")
    if not (n_folds == ALL or (isinstance(n_folds, int) and n_folds >= 2)):
        raise OptionError(
            f"--folds {n_folds}: give a number from 2 on, or all, which leaves each speaker or "
            "text out once."
        )
    check_emotions(table)
    everything = np.arange(len(table))
    tests = [_test_parts(table, column, n_folds, seed) for column in split.split("+")]
    folds = []
    for crossed in product(*tests):
        test = everything
        rest = everything
        for part in crossed:
            test, rest = np.intersect1d(test, part), np.setdiff1d(rest, part)
        if not len(test):  # nobody of these speakers says any of these texts
            continue
        if not len(rest):
            raise CorpusError(
                f"A fold of a {split} split leaves nothing to train on: choose more folds."
            )
        train, validation, by = spare_validation(table, rest, split, validation_size, seed)
        folds.append(Parts(train, validation, test, split, by))
    return folds


def _test_parts(
    table: pd.DataFrame, column: str, n_folds: int | str, seed: int
) -> list[np.ndarray]:
    """Return the clips of each fold of speakers, of texts, or of no one in particular."""
    emotion = table["emotion"].to_numpy()
    if column == "random":
        if n_folds == ALL:
            raise OptionError(
                "--folds all leaves one speaker or text out at a time: give a number of folds for "
                "a random split."
            )
        n_folds = min(int(n_folds), int(table["emotion"].value_counts().min()))
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        return [test for _, test in splitter.split(emotion, emotion)]
    groups = groups_of(table, column)
    if n_folds == ALL:
        return [test for _, test in LeaveOneGroupOut().split(emotion, emotion, groups)]
    n_folds = min(int(n_folds), len(np.unique(groups)))
    by_group = GroupKFold(n_folds, shuffle=True, random_state=seed)
    return [np.sort(test) for _, test in by_group.split(emotion, emotion, groups)]
