"""Every corpus against every other: fitted on one alone, tested on another."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_ser.metrics import score
from sklearn_ser.model_selection.splits import split_validation
from sklearn_ser.runs.options import RunOptions
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.trainers import RecipeTrainer, scale

__all__ = ["cross_corpora"]


def cross_corpora(
    options: RunOptions,
    trainers: Mapping[str, RecipeTrainer],
    store: FeatureStore,
    show: Callable[[str, int, int], None],
) -> list[dict[str, Any]]:
    """Return the UAR of each classifier, fitted on each corpus alone, on each other corpus.

    Parameters
    ----------
    options : RunOptions
        Their seed and validation size count.
    trainers : mapping of str to RecipeTrainer
        By classifier. Each emotion of the training corpus counts alike.
    store : FeatureStore
        With two corpora or more.
    show : callable
        Called before each fit with what is fitted, how many are done, and their total.

    Returns
    -------
    rows : list of dict
        clf, train, test (corpora), uar and n_test. Emotions of the test corpus that the training
        corpus lacks are left out, as in `evaluate`; where it has none of them, uar is None.
    """
    corpus = store.table["corpus"].to_numpy().astype(str)
    corpora = list(dict.fromkeys(corpus.tolist()))
    rows = []
    for i, (clf, name) in enumerate((clf, name) for clf in trainers for name in corpora):
        show(f"{clf}, fitted on {name}", i, len(trainers) * len(corpora))
        trainer = replace(trainers[clf], balance=True)
        pipeline = _fit(trainer, store, np.flatnonzero(corpus == name), options)
        for other in corpora:
            if other != name:
                found = _test(pipeline, store, np.flatnonzero(corpus == other))
                rows.append({"clf": clf, "train": name, "test": other, **found})
    return rows


def _fit(
    trainer: RecipeTrainer, store: FeatureStore, rows: np.ndarray, options: RunOptions
) -> Pipeline | None:
    """Return a pipeline fitted on some clips; None where they have one emotion only."""
    size = options.validation_size if trainer.validates else 0
    train, validation, _ = split_validation(store.table, rows, "corpus", size, options.seed)
    if len(set(store.emotions[train])) < 2:
        return None
    return trainer.fit(store.subset(train), store.subset(validation)).pipeline


def _test(pipeline: Pipeline | None, store: FeatureStore, rows: np.ndarray) -> dict[str, Any]:
    """Return the UAR on the clips whose emotions a pipeline knows, and how many they are."""
    if pipeline is not None:
        clf = pipeline.named_steps["clf"]
        rows = rows[np.isin(store.emotions[rows], clf.classes_.astype(str))]
        if len(rows):
            clips = store.subset(rows)
            predicted = clf.predict(scale(pipeline, clips)).astype(str)
            return {"uar": score(clips.y, predicted)["uar"], "n_test": len(rows)}
    return {"uar": None, "n_test": 0}
