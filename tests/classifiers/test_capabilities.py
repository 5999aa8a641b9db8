"""What classifiers say of themselves, without being asked for their type."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from sklearn_ser import SVMClassifier
from sklearn_ser.classifiers import (
    TemperatureScaledClassifier,
    fit_arguments,
    takes_sequences,
    uses_validation_set,
)
from sklearn_ser.pipelines import RECIPES

NETWORKS = {"ann", "cnn", "lstm", "cnn-lstm"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes(recipe):
    clf = RECIPES[recipe].classifier()
    assert uses_validation_set(clf) == takes_sequences(clf) == (recipe in NETWORKS)
    assert takes_sequences(TemperatureScaledClassifier(clf)) == (recipe in NETWORKS)


def test_arguments_of_another_packages_classifier():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    offered = {"X_val": X[40:], "y_val": y[40:], "groups": y[:40], "on_epoch": print}
    boosting = HistGradientBoostingClassifier(max_iter=3, early_stopping=True)
    how = fit_arguments(boosting, **offered)
    assert set(how) == {"X_val", "y_val"}
    assert len(boosting.fit(X[:40], y[:40], **how).validation_score_) == 4
    assert fit_arguments(RandomForestClassifier(), **offered) == {}
    assert set(fit_arguments(SVMClassifier(), **offered)) == {"groups"}
    assert fit_arguments(SVMClassifier(), groups=None) == {}
