"""Scores of each speaker and of each sex: whether the classifier serves some people worse."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = ["GROUPS", "score_by_group"]

GROUPS = ("speaker", "sex")


def score_by_group(
    table: pd.DataFrame, truth: ArrayLike, predicted: ArrayLike
) -> dict[str, dict[str, Any] | None]:
    """Score the clips of each speaker, and of each sex, separately.

    Parameters
    ----------
    table : DataFrame of n_clips rows
        A corpus, with the columns speaker and sex where they are known.
    truth, predicted : array-like of shape (n_clips,)
        Emotions.

    Returns
    -------
    scores : dict
        For speaker and sex each, `None` where they are not known, else a dict of groups, a list of
        name, n_clips, accuracy and uar of each, the worst first; spread, the difference between
        the best and the worst UAR; and sd, the standard deviation of the UARs (0 of one group).
        The UAR of a group is averaged over the emotions that occur in it.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.metrics import score_by_group
    >>> table = pd.DataFrame({"speaker": ["a", "a", "b"]})
    >>> score_by_group(table, ["sad", "happy", "sad"], ["sad", "sad", "sad"])["speaker"]["spread"]
    0.5
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    return {column: _score_by(table, column, truth, predicted) for column in GROUPS}


def _score_by(
    table: pd.DataFrame, column: str, truth: np.ndarray, predicted: np.ndarray
) -> dict[str, Any] | None:
    if column not in table or table[column].isna().any():
        return None
    clips = pd.DataFrame(
        {"name": table[column].to_numpy().astype(str), "truth": truth, "right": truth == predicted}
    )
    by_name = clips.groupby("name")["right"].agg(["size", "mean"])
    recalls = clips.groupby(["name", "truth"])["right"].mean()
    by_name["uar"] = recalls.groupby("name").mean()
    by_name = by_name.reset_index().sort_values(["uar", "name"])
    groups = [
        {"name": name, "n_clips": int(n), "accuracy": float(accuracy), "uar": float(uar)}
        for name, n, accuracy, uar in by_name.itertuples(index=False)
    ]
    uars = by_name["uar"]
    return {
        "groups": groups,
        "spread": float(uars.max() - uars.min()),
        "sd": float(uars.std(ddof=0)),
    }
