import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from sklearn_ser.metrics import (
    chance_levels,
    constant_prediction,
    describe_predictions,
    is_better_than_chance,
    score,
)


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    truth, predicted = rng.choice(["a", "b", "c"], size=(2, 200))
    scores = score(truth, predicted)
    assert scores["accuracy"] == accuracy_score(truth, predicted)
    assert scores["uar"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert sum(row["support"] for row in scores["per_emotion"].values()) == 200


def test_uar_ignores_emotions_that_are_only_predicted():
    assert score(["a", "a"], ["a", "b"])["uar"] == 0.5


def test_chance_levels():
    truth = ["a"] * 6 + ["b"] * 2 + ["c"] * 2
    chance = chance_levels(truth)
    assert chance == score(truth, ["a"] * 10)["chance"]
    # Nothing that ignores the audio does better than the best constant prediction.
    constant = [score(truth, [emotion] * 10) for emotion in "abc"]
    assert chance["accuracy"] == max(s["accuracy"] for s in constant)
    assert chance["uar"] == max(s["uar"] for s in constant)


@pytest.mark.parametrize(("interval", "better"), [([0.3, 0.6], False), ([0.34, 0.6], True)])
def test_better_than_chance(interval, better):
    assert is_better_than_chance({"uar_interval": interval, "chance": {"uar": 1 / 3}}) is better
    older = {"uar_interval": interval, "per_emotion": {"a": {}, "b": {}, "c": {}}}
    assert is_better_than_chance(older) is better


def test_constant_prediction():
    def confusion(predicted):
        table = pd.DataFrame({"emotion": ["a", "b", "b"]})
        found = describe_predictions(table, predicted, np.eye(3)[[0, 1, 1]], ["a", "b", "c"])
        return found["confusion_matrix"]

    assert constant_prediction(confusion(["b", "b", "b"])) == ("b", 3)
    assert constant_prediction(confusion(["c", "c", "c"])) == ("c", 3)
    nearly = {"labels": ["a", "b"], "counts": [[698, 2], [700, 0]]}
    assert constant_prediction(nearly) == ("a", 1398)
    assert constant_prediction(nearly | {"counts": [[690, 10], [695, 5]]}) is None
    assert constant_prediction(confusion(["a", "b", "b"])) is None
    assert constant_prediction(None) is None
