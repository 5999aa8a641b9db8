"""Grid search that computes the features of each clip once per setting of the features.

Parameters of loader and features decide what is extracted; those of scaler and classifier do not.
So the grid is divided: for each setting of the first kind the features are extracted once, and
scikit-learn's `GridSearchCV` searches the second kind on the ready matrix.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    ParameterGrid,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.pipelines import set_pipeline_params

__all__ = ["SearchResult", "divide_grid", "grid_search", "make_folds"]


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    best_params : dict
        The parameters of the best candidate.
    best_score : float
        Its UAR, averaged over the folds.
    cv_results : DataFrame
        A row per candidate, as `GridSearchCV` reports it, the best first.
    matrix : ndarray of shape (n_clips, ...)
        The features of all clips in the best candidate's setting.
    """

    best_params: dict[str, Any]
    best_score: float
    cv_results: pd.DataFrame
    matrix: np.ndarray


def make_folds(
    y: Sequence, groups: np.ndarray | None, n_folds: int, seed: int
) -> StratifiedKFold | GroupKFold:
    """Return the splitter for the folds of a search.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        Emotions.
    groups : ndarray of shape (n_clips,) or None
        Speakers or texts that no two folds may share.
    n_folds : int
        How many folds to try; fewer where groups or the rarest emotion give fewer.
    seed : int
        Decides on the order of clips where there are no groups.
    """
    if groups is not None:
        return GroupKFold(min(n_folds, len(np.unique(groups))))
    rarest = int(np.unique(np.asarray(y), return_counts=True)[1].min())
    if rarest < 2:
        raise CorpusError(
            "An emotion has one clip in the training part, so no fold can be spared: add clips."
        )
    return StratifiedKFold(min(n_folds, rarest), shuffle=True, random_state=seed)


def grid_search(
    pipeline: Pipeline,
    extract: Callable[[Pipeline], np.ndarray],
    y: np.ndarray,
    grid: Mapping[str, Sequence[Any]],
    *,
    rows: np.ndarray,
    groups: np.ndarray | None = None,
    n_folds: int = 5,
    n_jobs: int | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> SearchResult:
    """Find the parameters with the best unweighted average recall (UAR) over folds.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned.
    extract : callable
        From a pipeline to the features of all clips, of shape (n_clips, ...); called once for each
        setting of loader and features.
    y : ndarray of shape (n_clips,)
        Emotions.
    grid : mapping of str to sequence
        What to try, such as `{"clf__C": [1, 10], "features__mfcc__n_mfcc": [20, 40]}`.
    rows : ndarray of int
        The clips the search may see; all else is as if it were not there.
    groups : ndarray of shape (len(rows),), default=None
        Speakers or texts of those clips, which no two folds may share.
    n_folds : int, default=5
    n_jobs : int, default=None
        Candidates to fit at once.
    seed : int, default=0
    on_progress : callable, default=None
        Called with the candidates done, and their total.

    Returns
    -------
    result : SearchResult

    Raises
    ------
    OptionError
        If the grid names a parameter that does not exist, or a value that makes no sense.

    Notes
    -----
    Candidates of `SVMClassifier` are compared without calibration, which costs five more fits
    each; whoever refits the best one calibrates it.
    """
    candidates = list(ParameterGrid(dict(grid)))
    for candidate in candidates:  # a wrong name or value is said before hours of work
        set_pipeline_params(clone(pipeline), candidate)
    heads, tail_grid = divide_grid(grid)
    folds = make_folds(y[rows], groups, n_folds, seed)
    best: tuple[float, np.ndarray] | None = None
    tables = []
    for done, head_params in enumerate(heads):
        candidate = set_pipeline_params(clone(pipeline), head_params)
        matrix = extract(candidate)
        results = _search_tail(
            candidate[2:], matrix[rows], y[rows], tail_grid, folds, groups, n_jobs
        )
        results["params"] = [head_params | params for params in results["params"]]
        for name, value in head_params.items():
            results[f"param_{name}"] = [value] * len(results)
        tables.append(results)
        top = results["mean_test_score"].max()
        if best is None or top > best[0]:
            best = top, matrix
        if on_progress is not None:
            on_progress((done + 1) * len(results), len(candidates))
    table = pd.concat(tables, ignore_index=True)
    table = table.sort_values("mean_test_score", ascending=False, kind="stable", ignore_index=True)
    ranks = table["mean_test_score"].rank(method="min", ascending=False)
    table["rank_test_score"] = ranks.astype(int)
    assert best is not None  # a ParameterGrid is never empty
    return SearchResult(dict(table["params"][0]), float(best[0]), table, best[1])


def divide_grid(
    grid: Mapping[str, Sequence[Any]],
) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Divide a grid in the settings of loader and features, and the grid of all else.

    Examples
    --------
    >>> from sklearn_ser.search import divide_grid
    >>> divide_grid({"features__mfcc__n_mfcc": [20, 40], "clf__C": [1, 10]})
    ([{'features__mfcc__n_mfcc': 20}, {'features__mfcc__n_mfcc': 40}], {'clf__C': [1, 10]})
    """
    head = {name: grid[name] for name in grid if name.split("__")[0] in ("audio", "features")}
    tail = {name: list(values) for name, values in grid.items() if name not in head}
    return list(ParameterGrid(head)), tail


def _search_tail(
    tail: Pipeline,
    matrix: np.ndarray,
    y: np.ndarray,
    grid: dict[str, list[Any]],
    folds: StratifiedKFold | GroupKFold,
    groups: np.ndarray | None,
    n_jobs: int | None,
) -> pd.DataFrame:
    """Search scaler and classifier on the ready features."""
    tail = clone(tail)
    if "clf__calibrate" in tail.get_params() and "clf__calibrate" not in grid:
        tail.set_params(clf__calibrate=False)
    search = GridSearchCV(
        tail,
        grid,
        scoring="balanced_accuracy",
        cv=folds,
        n_jobs=n_jobs,
        refit=False,
        error_score="raise",
    )
    # Networks carve their validation part by the same groups; other classifiers know none.
    takes_groups = "groups" in signature(tail.named_steps["clf"].fit).parameters
    more = {"clf__groups": groups} if takes_groups and groups is not None else {}
    search.fit(matrix, y, groups=groups, **more)
    return pd.DataFrame(search.cv_results_)
