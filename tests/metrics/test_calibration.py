"""Calibration against scikit-learn's calibration_curve, and coverage."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from sklearn_ser.metrics import score, score_calibration, score_coverage


def some_predictions(n=400, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.4, 0.4, 0.4], size=n)
    truth = np.array([rng.choice(3, p=row**0.6 / (row**0.6).sum()) for row in probabilities])
    return np.array(list("abc"))[truth], probabilities


def test_bins_agree_with_calibration_curve():
    truth, probabilities = some_predictions()
    scores = score_calibration(truth, probabilities, list("abc"), n_bins=10)
    confidence = probabilities.max(axis=1)
    right = np.array(list("abc"))[probabilities.argmax(axis=1)] == truth
    share, mean = calibration_curve(right, confidence, n_bins=10)
    np.testing.assert_allclose([row["accuracy"] for row in scores["bins"]], share)
    np.testing.assert_allclose([row["confidence"] for row in scores["bins"]], mean)
    counts = np.histogram(confidence, 10, (0, 1))[0]
    by_hand = np.sum(counts[counts > 0] * np.abs(share - mean)) / len(truth)
    assert scores["ece"] == pytest.approx(by_hand)
    assert scores["ece"] > 0.05  # these predictions are overconfident


def test_error_at_its_extremes():
    assert score_calibration(["a", "b"], np.eye(2), ["a", "b"])["ece"] == 0
    assert score_calibration(["b", "a"], np.eye(2), ["a", "b"])["ece"] == 1


def test_coverage_counts_the_predictions_kept():
    truth, probabilities = some_predictions()
    rows = score_coverage(truth, probabilities, list("abc"))
    assert rows[0] == {
        "abstain_below": 0.0,
        "n_answered": 400,
        "coverage": 1.0,
        "accuracy": score(truth, np.array(list("abc"))[probabilities.argmax(axis=1)])["accuracy"],
    }
    for row in rows:
        answered = probabilities.max(axis=1) >= row["abstain_below"]
        assert row["n_answered"] == answered.sum()
    assert score_coverage(["a"], [[0.6, 0.4]], ["a", "b"], [0.7])[0]["accuracy"] is None
