import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from sklearn_ser.metrics import score


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    truth, predicted = rng.choice(["a", "b", "c"], size=(2, 200))
    scores = score(truth, predicted)
    assert scores["accuracy"] == accuracy_score(truth, predicted)
    assert scores["uar"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert sum(row["support"] for row in scores["per_emotion"].values()) == 200


def test_an_emotion_that_is_only_predicted_does_not_dilute_the_recall():
    assert score(["a", "a"], ["a", "b"])["uar"] == 0.5
