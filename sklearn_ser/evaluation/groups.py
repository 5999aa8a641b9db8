"""Whether some people are served worse than others: the scores of each speaker and each sex."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklearn_ser.evaluation.scores import score

__all__ = ["GROUPS", "score_by_group"]

GROUPS = ("speaker", "sex")


def score_by_group(
    table: pd.DataFrame, truth: ArrayLike, predicted: ArrayLike
) -> dict[str, dict[str, Any] | None]:
    """Score the clips of each speaker and of each sex by themselves.

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
    >>> from sklearn_ser.evaluation import score_by_group
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
    names = table[column].astype(str).to_numpy()
    groups: list[dict[str, Any]] = []
    for name in np.unique(names):
        rows = names == name
        scores = score(truth[rows], predicted[rows])
        groups.append(
            {
                "name": str(name),
                "n_clips": int(rows.sum()),
                "accuracy": scores["accuracy"],
                "uar": scores["uar"],
            }
        )
    groups.sort(key=lambda group: (group["uar"], group["name"]))
    uars = [group["uar"] for group in groups]
    return {"groups": groups, "spread": max(uars) - min(uars), "sd": float(np.std(uars))}
