import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from sklearn_ser import SVMClassifier
from sklearn_ser._sklearn import one_vs_rest_values


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibrated_is_scikit_learns(n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    theirs = CalibratedClassifierCV(SVC(C=3, gamma=0.1), cv=folds, ensemble=False).fit(X, y)
    ours = SVMClassifier(C=3, gamma=0.1).fit(X, y)
    for clips in (X, X[:1], 100 * X):
        np.testing.assert_allclose(ours.predict_proba(clips), theirs.predict_proba(clips))
    assert ours.calibrated_


def test_where_no_emotion_is_likely_all_are_equally():
    X, y = load_iris(return_X_y=True)
    ours = SVMClassifier().fit(X, y)
    (calibrated,) = ours.estimator_.calibrated_classifiers_
    for sigmoid in calibrated.calibrators:
        sigmoid.b_ = 1e6
    expected = ours.estimator_.predict_proba(X[:2])
    np.testing.assert_array_equal(expected, 1 / 3)
    np.testing.assert_array_equal(ours.predict_proba(X[:2]), expected)


@pytest.mark.parametrize("n_classes", [3, 7, 10])
def test_decision_values_are_scikit_learns_to_the_last_bit(n_classes):
    X, y = load_digits(n_class=n_classes, return_X_y=True)
    svc = SVC(C=3).fit(X[::2], y[::2])
    for clips in (X[:1], X[1::2], X[1::2].astype(np.float32)):
        found = one_vs_rest_values(svc, clips)
        np.testing.assert_array_equal(found, svc.decision_function(clips))
    svc._n_support = svc._n_support + 1  # libsvm would read beyond its vectors
    with pytest.raises(ValueError, match="altered"):
        one_vs_rest_values(svc, X[:1])


def test_uncalibrated_predicts_as_svc():
    X, y = load_digits(return_X_y=True)
    theirs = SVC(C=10, break_ties=True).fit(X[::2], y[::2])
    ours = SVMClassifier(C=10, calibrate=False).fit(X[::2], y[::2])
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("calibrate", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_follow_probabilities(calibrate, n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], np.array(["sad", "happy", "angry"])[y[y < n_classes]]
    svm = SVMClassifier(calibrate=calibrate).fit(X, y)
    probabilities = svm.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(svm.predict(X), svm.classes_[probabilities.argmax(axis=1)])
    assert svm.score(X, y) > 0.9


def test_a_class_too_small_to_calibrate_falls_back_and_says_so():
    X, y = load_iris(return_X_y=True)
    X, y = np.vstack([X[:100], X[149:]]), np.append(y[:100], 2)
    with pytest.warns(UserWarning, match="class '2' has one clip, too few to calibrate"):
        svm = SVMClassifier().fit(X, y)
    assert not svm.calibrated_
    assert svm.predict_proba(X).shape == (101, 3)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="Only one class"):
        SVMClassifier().fit([[1.0], [2.0]], ["sad", "sad"])
