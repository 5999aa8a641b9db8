import functools

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold

from sklearn_ser import ANNClassifier, make_pipeline
from sklearn_ser.exceptions import CorpusError, OptionError
from sklearn_ser.model_selection import Subset
from sklearn_ser.model_selection.search import SearchOptions, grid_search, make_folds

X, Y = load_iris(return_X_y=True)
Y = np.array(["angry", "happy", "sad"])[Y]
EVEN = np.arange(0, 150, 2)


def clips_of(X, y, extract=None, **columns):
    """A subset whose features are ready."""
    table = pd.DataFrame({"path": np.arange(len(y)).astype(str), "emotion": y, **columns})
    return Subset(np.arange(len(y)), table, extract or (lambda pipeline: X))


def search(pipeline, grid, n_folds=5, columns=None, split="random", **how):
    calls = []

    def extract(candidate):
        calls.append(candidate["features"].get_params()["mfcc__n_mfcc"])
        return X[EVEN, : calls[-1]]

    clips = clips_of(None, Y[EVEN], extract, **(columns or {}))
    return grid_search(pipeline, clips, SearchOptions(grid, n_folds, split=split), **how), calls


def test_scores_equal_grid_search_cv():
    grid = {"clf__C": [0.1, 1, 10], "clf__gamma": [0.1, "scale"]}
    result, calls = search(make_pipeline("svm", "mfcc", features__mfcc__n_mfcc=4), grid, seed=3)
    assert calls == [4]
    tail = make_pipeline("svm", clf__calibrate=False)[2:]
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    plain = GridSearchCV(tail, grid, scoring="balanced_accuracy", cv=folds).fit(X[EVEN], Y[EVEN])
    assert result.best_params == plain.best_params_
    assert result.best_score == pytest.approx(plain.best_score_)
    np.testing.assert_allclose(
        np.sort(result.cv_results["mean_test_score"]),
        np.sort(plain.cv_results_["mean_test_score"]),
    )
    assert result.cv_results["rank_test_score"].is_monotonic_increasing


def test_features_are_extracted_once_per_setting():
    grid = {"features__mfcc__n_mfcc": [2, 4], "clf__C": [1, 10], "features__mfcc__fmin": [0.0]}
    result, calls = search(make_pipeline("svm", "mfcc"), grid)
    assert calls == [2, 4]
    assert len(result.cv_results) == 4
    assert set(result.best_params) == set(grid)
    assert set(result.cv_results["param_features__mfcc__n_mfcc"]) == {2, 4}


def test_candidates_are_not_calibrated(monkeypatch):
    fits = []
    fit = CalibratedClassifierCV.fit
    monkeypatch.setattr(
        CalibratedClassifierCV, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k)
    )
    search(make_pipeline("svm", "mfcc", features__mfcc__n_mfcc=4), {"clf__C": [1, 10]})
    assert not fits
    search(make_pipeline("svm", "mfcc", features__mfcc__n_mfcc=4), {"clf__calibrate": [True]})
    assert len(fits) == 5


def test_groups_reach_folds_and_networks(monkeypatch):
    groups = (np.arange(len(EVEN)) % 4).astype(str)
    seen = []
    fit = ANNClassifier.fit

    @functools.wraps(fit)
    def spy(self, X, y, **how):
        seen.append(how["groups"])
        return fit(self, X, y, **how)

    monkeypatch.setattr(ANNClassifier, "fit", spy)
    pipe = make_pipeline("ann", clf__epochs=1, random_state=0, features__mfcc__n_mfcc=4)
    how = {"columns": {"speaker": groups}, "split": "speaker"}
    result, _ = search(pipe, {"clf__dropout": [0.1]}, 3, **how)
    assert result.folds_by == "speaker"
    folds = GroupKFold(3).split(EVEN, Y[EVEN], groups)
    for found, (train, _) in zip(seen, folds, strict=True):
        np.testing.assert_array_equal(found, groups[train])


def test_fewer_folds_where_there_are_fewer_groups_or_clips():
    assert make_folds(list("aabb"), None, 5, 0).n_splits == 2
    assert make_folds(list("aabb"), np.array([1, 2, 3, 3]), 5, 0).n_splits == 3
    with pytest.raises(CorpusError, match="one clip"):
        make_folds(list("aab"), None, 5, 0)


@pytest.mark.parametrize("grid", [{"clf__D": [1]}, {"clf__C": [1, -1]}, {"features__mel__sr": [1]}])
def test_invalid_grid_is_refused_before_extraction(grid):
    pipe = make_pipeline("svm", "mfcc")
    with pytest.raises(OptionError):
        grid_search(clone(pipe), clips_of(None, Y, pytest.fail), SearchOptions(grid))
