"""Permutation importance of groups of features."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_ser import make_pipeline
from sklearn_ser.metrics import feature_groups, importance_by_group, pool_importance


def test_informative_features_are_important():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    y = np.where(X[:, 1] + X[:, 2] > 0, "a", "b")
    clf = LogisticRegression().fit(X, y)
    groups = {"noise": np.array([0, 3]), "signal": np.array([1, 2]), "more": np.array([4, 5])}
    found = importance_by_group(clf, X, y, groups)
    assert next(group["name"] for group in found["groups"]) == "signal"
    assert found["groups"][0]["mean"] > 0.4
    assert all(abs(group["mean"]) < 0.05 for group in found["groups"][1:])
    assert found["n_clips"] == 300
    assert found == importance_by_group(clf, X, y, groups)


def test_folds_are_averaged_by_their_clips():
    def fold(n, uar, **means):
        groups = [{"name": k, "n_features": 1, "mean": v, "sd": 0.1} for k, v in means.items()]
        return {"n_clips": n, "n_repeats": 5, "uar": uar, "groups": groups}

    pooled = pool_importance([fold(30, 0.5, a=0.1, b=0.3), fold(10, 0.9, b=0.3, a=0.5)])
    assert [group["name"] for group in pooled["groups"]] == ["b", "a"]
    assert pooled["groups"][1]["mean"] == pytest.approx(0.2)
    assert pooled["groups"][1]["sd"] == pytest.approx(0.2)
    assert (pooled["n_clips"], pooled["n_folds"]) == (40, 2)
    assert pooled["uar"] == pytest.approx(0.6)
    assert pool_importance([fold(30, 0.5, a=0.1)])["groups"][0]["sd"] == 0.1


def test_columns_of_a_group_are_shuffled_together():
    """Two columns that are equal in every clip stay equal when they are shuffled."""
    seen = []

    class Watcher:
        def predict(self, X):
            seen.append(bool((X[:, 0] == X[:, 1]).all()))
            return np.array(["a", "b"] * (len(X) // 2))

    X = np.repeat(np.random.default_rng(0).normal(size=(20, 1)), 2, axis=1)
    importance_by_group(Watcher(), X, ["a", "b"] * 10, {"both": np.array([0, 1])})
    assert all(seen)


@pytest.mark.parametrize(
    ("features", "groups"),
    [
        ("mfcc,chroma,mel,contrast", {"mfcc": 40, "chroma": 12, "mel": 128, "contrast": 7}),
        ("frames", {"mfcc": 40, "chroma": 12, "contrast": 7}),
        ("logmel", 6),
        ("contrast", 6),
        ("correlations", 6),
        ("loudness", 4),
    ],
)
def test_feature_groups(features, groups):
    clf = "cnn" if features in ("frames", "logmel") else "svm"
    found = feature_groups(make_pipeline(clf, features))
    columns = np.sort(np.concatenate(list(found.values())))
    assert columns.tolist() == list(range(len(columns)))
    if isinstance(groups, dict):
        assert {name: len(columns) for name, columns in found.items()} == groups
    else:
        assert len(found) == groups
