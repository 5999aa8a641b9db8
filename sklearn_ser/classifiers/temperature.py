"""Temperature scaling: probabilities calibrated by one number, fitted on held-out clips."""

from numbers import Real
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ser._sklearn import DocumentedMixin, between, positive, validate_params
from sklearn_ser.classifiers._holdout import hold_out
from sklearn_ser.classifiers.probabilities import MostProbableMixin
from sklearn_ser.exceptions import ModelError

__all__ = ["TemperatureScaledClassifier", "unwrap_classifier"]


class TemperatureScaledClassifier(
    DocumentedMixin, MostProbableMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """A classifier with calibrated probabilities, by one temperature for all of them.

    The logarithms of its probabilities are divided by a temperature [1]_. That keeps their order:
    every prediction stays what it was, only its confidence changes. The temperature is the one that
    makes held-out clips likeliest, drawn towards 1 by a normal prior on its logarithm, so that a
    handful of clips which are all predicted right are no proof of certainty.

    `CalibratedClassifierCV(method="temperature")` does the same where every class occurs among the
    held-out clips; a speaker held out need not have spoken in every emotion.

    Parameters
    ----------
    estimator : classifier
        With `predict_proba`.
    validation_fraction : float, default=0.1
        Share of the clips (of the groups, where `fit` is given some) to hold out in `fit`.
    prior_sd : float, default=1.0
        Standard deviation of the prior; `inf` for none.
    random_state : int, RandomState or None, default=None
        Seed of what is held out.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    temperature_ : float
        Above 1 where the classifier was overconfident.
    classes_ : ndarray of shape (n_classes,)

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. "On calibration of modern neural
       networks", ICML, 2017, section 4.2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> clf = TemperatureScaledClassifier(forest, validation_fraction=0.3, random_state=0)
    >>> clf.fit(X, y).predict_proba(X[:1]).shape
    (1, 3)
    """

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "validation_fraction": [between(0, 1)],
        "prior_sd": [positive(Real)],
        "random_state": ["random_state"],
    }

    def __init__(self, estimator, *, validation_fraction=0.1, prior_sd=1.0, random_state=None):
        self.estimator = estimator
        self.validation_fraction = validation_fraction
        self.prior_sd = prior_sd
        self.random_state = random_state

    def fit(self, X, y, *, groups=None) -> "TemperatureScaledClassifier":
        """Hold clips out, fit the classifier on the others and the temperature on these.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : array-like of shape (n_clips,)
            Emotions.
        groups : array-like of shape (n_clips,), default=None
            Speakers or texts that must not be on both sides.

        Returns
        -------
        self : TemperatureScaledClassifier
        """
        validate_params(self)
        X, y = validate_data(self, X, y, allow_nd=True)
        check_classification_targets(y)
        kept, aside = hold_out(
            y, self.validation_fraction, groups=groups, random_state=self.random_state
        )
        return self.calibrate(clone(self.estimator).fit(X[kept], y[kept]), X[aside], y[aside])

    def calibrate(self, fitted: Any, X, y) -> "TemperatureScaledClassifier":
        """Take a classifier that is fitted already, and find the temperature alone.

        Parameters
        ----------
        fitted : classifier
            Becomes `estimator_`.
        X : array-like of shape (n_clips, n_features)
            Clips that it was not fitted on.
        y : array-like of shape (n_clips,)
            Their emotions; those that it does not know say nothing of it.

        Returns
        -------
        self : TemperatureScaledClassifier
        """
        self.estimator_ = fitted
        self.classes_ = fitted.classes_
        if hasattr(fitted, "n_features_in_"):
            self.n_features_in_ = fitted.n_features_in_
        self.temperature_ = 1.0
        known = np.isin(y, self.classes_)
        if known.any():
            logits = _logits(fitted.predict_proba(np.asarray(X)[known]))
            self.temperature_ = self._find(logits, np.searchsorted(self.classes_, y[known]))
        return self

    def _find(self, logits: np.ndarray, codes: np.ndarray) -> float:
        def loss(log_temperature: float) -> float:
            log_p = log_softmax(logits / np.exp(log_temperature), axis=1)
            surprise = -log_p[np.arange(len(codes)), codes].sum()
            return surprise + 0.5 * (log_temperature / self.prior_sd) ** 2

        result = minimize_scalar(loss, bounds=(-10, 10), options={"xatol": 1e-10})
        return float(np.exp(result.x))

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of each emotion.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
        """
        check_is_fitted(self)
        check_temperature(self)
        return softmax(_logits(self.estimator_.predict_proba(X)) / self.temperature_, axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if hasattr(self.estimator, "__sklearn_tags__"):
            inner = self.estimator.__sklearn_tags__()
            tags.input_tags.three_d_array = inner.input_tags.three_d_array
            tags.non_deterministic = inner.non_deterministic or self.random_state is None
        return tags


def unwrap_classifier(clf: Any) -> Any:
    """Return the fitted classifier under a temperature; any other is returned as it is."""
    return getattr(clf, "estimator_", clf) if isinstance(clf, TemperatureScaledClassifier) else clf


def _logits(probabilities: np.ndarray) -> np.ndarray:
    probabilities = np.asarray(probabilities, dtype=float)
    return np.log(probabilities + np.finfo(float).eps)  # forests give zeros


def check_temperature(clf: TemperatureScaledClassifier) -> None:
    """Raise `ModelError` unless the temperature is a positive number."""
    temperature = clf.temperature_
    if not (isinstance(temperature, Real) and 0 < temperature < np.inf):
        raise ModelError(
            f"The model's temperature is {temperature!r}, and must be a positive number: it is "
            "damaged or wrong; fit or export it again."
        )
