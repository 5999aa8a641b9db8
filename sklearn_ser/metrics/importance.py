"""Permutation importance of groups of features: the loss of UAR when one is shuffled."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from sklearn_ser._sklearn import active_transformers

__all__ = ["feature_groups", "feature_importance", "importance_by_group", "pool_importance"]

MOST_CLIPS = {2: 300, 3: 100}  # by the dimensions of X: networks over sequences take their time
N_REPEATS = 5
N_BLOCKS = 6  # a single feature is divided into so many groups of columns,
MOST_KINDS = 10  # or by the names of its columns, where there are so few


def feature_importance(
    pipeline: Pipeline, X: np.ndarray, truth: ArrayLike, *, seed: int = 0
) -> dict[str, Any]:
    """Measure the importance of a fitted pipeline's features, on clips it has not seen.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned, fitted.
    X : ndarray of shape (n_clips, n_features) or (n_clips, n_frames, n_channels)
        The output of its steps audio, features and scale.
    truth : array-like of shape (n_clips,)
        Emotions.
    seed : int, default=0

    Returns
    -------
    importance : dict
        See :func:`importance_by_group`.
    """
    groups = feature_groups(pipeline)
    return importance_by_group(pipeline.named_steps["clf"], X, truth, groups, seed=seed)


def feature_groups(pipeline: Pipeline) -> dict[str, np.ndarray]:
    """Return the columns (of sequences: the channels) of each feature of a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned.

    Returns
    -------
    groups : dict of str to ndarray of int
        Columns by the name of their feature. A single feature is divided by the names of its
        columns where these are few (frames: MFCC, chroma and contrast), else into blocks of
        neighbouring columns, named by the first and the last.

    Examples
    --------
    >>> from sklearn_ser import make_pipeline
    >>> from sklearn_ser.metrics import feature_groups
    >>> {name: len(g) for name, g in feature_groups(make_pipeline("svm", "mfcc,chroma")).items()}
    {'mfcc': 40, 'chroma': 12}
    >>> list(feature_groups(make_pipeline("svm", "chroma")))
    ['chroma 0–1', 'chroma 2–3', 'chroma 4–5', 'chroma 6–7', 'chroma 8–9', 'chroma 10–11']
    """
    union = pipeline.named_steps["features"]
    names = [
        (kind, re.sub(r"_\d.*", "", str(name)))
        for kind, transformer, _ in active_transformers(union)
        for name in transformer.get_feature_names_out()
    ]
    by_feature, by_content = zip(*names, strict=True)
    for labels, most in [(by_feature, len(names)), (by_content, MOST_KINDS)]:
        if 1 < len(set(labels)) <= most:
            return {
                name: np.flatnonzero(np.array(labels) == name) for name in dict.fromkeys(labels)
            }
    blocks = np.array_split(np.arange(len(names)), min(N_BLOCKS, len(names)))
    return {f"{names[0][0]} {_span(block)}": block for block in blocks}


def _span(block: np.ndarray) -> str:
    return f"{block[0]}" if len(block) == 1 else f"{block[0]}–{block[-1]}"


def importance_by_group(
    classifier: BaseEstimator,
    X: np.ndarray,
    y: ArrayLike,
    groups: Mapping[str, np.ndarray],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure how much UAR a fitted classifier loses without each group of features.

    The values of one group are shuffled between clips, all its columns together, and the UAR is
    measured again [1]_. Of groups that carry the same information each looks less important than it
    is, because the others replace it.

    Parameters
    ----------
    classifier : classifier
        Fitted on features such as X.
    X : ndarray of shape (n_clips, n_features) or (n_clips, n_frames, n_channels)
        Features of clips that the classifier has not seen. At most 300 clips (of sequences: 100)
        are used, drawn at random.
    y : array-like of shape (n_clips,)
        Emotions.
    groups : mapping of str to ndarray of int
        Positions along the last axis of X, by name.
    seed : int, default=0

    Returns
    -------
    importance : dict
        n_clips, the number used; n_repeats; uar, of these clips; and groups, a list of dicts of
        name, n_features, mean and sd of the loss in UAR over the repeats, the greatest first.

    References
    ----------
    .. [1] Breiman, L. "Random forests", Machine Learning 45, 2001, section 10.
    """
    X, y = np.asarray(X), np.asarray(y)
    most = MOST_CLIPS[X.ndim]
    if len(y) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(y), most, replace=False))
        X, y = X[chosen], y[chosen]
    grouped = _Grouped(classifier, X, list(groups.values()))
    rows = np.repeat(np.arange(len(y))[:, None], len(groups), axis=1)
    # The classes that occur: an emotion without a clip has no recall.
    result = permutation_importance(
        grouped, rows, y, scoring=_uar, n_repeats=N_REPEATS, random_state=seed
    )
    table: list[dict[str, Any]] = [
        {
            "name": name,
            "n_features": len(columns),
            "mean": float(result.importances_mean[i]),
            "sd": float(result.importances_std[i]),
        }
        for i, (name, columns) in enumerate(groups.items())
    ]
    table.sort(key=lambda row: -row["mean"])
    return {
        "n_clips": len(y),
        "n_repeats": N_REPEATS,
        "uar": _uar(grouped, rows, y),
        "groups": table,
    }


def pool_importance(of_folds: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Average the importance of features over the folds of an evaluation.

    Parameters
    ----------
    of_folds : iterable of dict
        What :func:`importance_by_group` returned of each fold.

    Returns
    -------
    importance : dict
        As of one fold, with n_folds; uar and the means are averaged over the folds, weighted by
        their clips, and sd is the standard deviation between folds. One fold stays as it is.
    """
    folds = list(of_folds)
    if len(folds) == 1:
        return {**folds[0], "n_folds": 1}
    weights = [fold["n_clips"] for fold in folds]
    table: list[dict[str, Any]] = []
    # A nested search may choose other features in each fold: a group counts where it is.
    groups = {group["name"]: group for fold in reversed(folds) for group in fold["groups"]}
    for name, group in groups.items():
        means, sizes = zip(
            *(
                (one["mean"], fold["n_clips"])
                for fold in folds
                for one in fold["groups"]
                if one["name"] == name
            ),
            strict=True,
        )
        mean = float(np.average(means, weights=sizes))
        table.append({**group, "mean": mean, "sd": float(np.std(means))})
    table.sort(key=lambda row: -row["mean"])
    return {
        "n_clips": sum(weights),
        "n_repeats": folds[0]["n_repeats"],
        "n_folds": len(folds),
        "uar": float(np.average([fold["uar"] for fold in folds], weights=weights)),
        "groups": table,
    }


class _Grouped(ClassifierMixin, BaseEstimator):
    """A classifier whose X holds, for each group, the row of the clip to take its features from.

    So scikit-learn, which shuffles one column, shuffles all columns of a group together.
    """

    def __init__(self, classifier, X, groups):
        self.classifier = classifier
        self.X = X
        self.groups = groups

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, rows: np.ndarray) -> np.ndarray:
        mixed = self.X.copy()
        for i, columns in enumerate(self.groups):
            mixed[..., columns] = self.X[rows[:, i]][..., columns]
        return self.classifier.predict(mixed).astype(str)


def _uar(classifier: _Grouped, rows: np.ndarray, y: np.ndarray) -> float:
    right = classifier.predict(rows) == y
    return float(np.mean([right[y == emotion].mean() for emotion in np.unique(y)]))
