"""`SVMClassifier`: a support vector machine with calibrated probabilities."""

import warnings
from numbers import Real

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.svm import SVC
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ser._sklearn import (
    DocumentedMixin,
    at_least,
    check_sample_weight,
    one_of,
    one_vs_rest_values,
    positive,
    validate_params,
)
from sklearn_ser.classifiers.probabilities import MostProbableMixin

__all__ = ["SVMClassifier"]


class SVMClassifier(DocumentedMixin, MostProbableMixin, ClassifierMixin, BaseEstimator):
    """A support vector machine whose scores are probabilities.

    scikit-learn's `SVC`, and a sigmoid per class fitted to its cross-validated decision values
    (`CalibratedClassifierCV(SVC(), ensemble=False)`) [1]_. Unlike `SVC`, the predicted class is
    always the one of the greatest probability.

    Parameters
    ----------
    C : float, default=10.0
        Inverse strength of regularisation.
    gamma : {"scale", "auto"} or float, default="scale"
        Coefficient of the kernels `"rbf"`, `"poly"` and `"sigmoid"`.
    kernel : {"linear", "poly", "rbf", "sigmoid"}, default="rbf"
        The kernel.
    calibrate : bool, default=True
        Whether to fit probabilities, which takes five more fits; otherwise they are the softmax of
        the decision values, good for ranking only. A search sets this to `False` for its
        candidates and calibrates the best.
    class_weight : dict or "balanced", default=None
        Weights of the classes, as in `SVC`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The emotions.
    calibrated_ : bool
        Whether the probabilities are calibrated; a class of fewer than two clips prevents it.

    References
    ----------
    .. [1] Platt, J. "Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods", Advances in Large Margin Classifiers, 1999.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ser import SVMClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> SVMClassifier().fit(X, y).predict_proba(X[:1]).round(1)
    array([[0.9, 0.1, 0. ]])
    """

    _parameter_constraints: dict = {
        "C": [positive()],
        "gamma": [one_of("scale", "auto"), at_least(0.0, Real)],
        "kernel": [one_of("linear", "poly", "rbf", "sigmoid")],
        "calibrate": ["boolean"],
        "class_weight": [dict, one_of("balanced"), None],
    }

    def __init__(self, C=10.0, gamma="scale", kernel="rbf", calibrate=True, class_weight=None):
        self.C = C
        self.gamma = gamma
        self.kernel = kernel
        self.calibrate = calibrate
        self.class_weight = class_weight

    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit the machine, then its probabilities.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : array-like of shape (n_clips,)
            Emotions.
        sample_weight : array-like of shape (n_clips,), default=None
        groups : array-like of shape (n_clips,), default=None
            Which clips belong together, such as a clip and its changed copies: the folds that
            probabilities are fitted on never part them.

        Returns
        -------
        self : SVMClassifier
        """
        validate_params(self)
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        # Class weights go in as weights of clips, so that the calibration follows them too.
        weights = check_sample_weight(sample_weight, X) * compute_sample_weight(
            self.class_weight, y
        )
        kept = weights != 0
        groups = np.arange(len(y)) if groups is None else np.asarray(groups)
        X, y, weights, groups = X[kept], y[kept], weights[kept], groups[kept]
        self.classes_, counts = np.unique(y, return_counts=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Only one class is in the training data, '{self.classes_[0]}': two are needed."
            )
        svc = SVC(C=self.C, gamma=self.gamma, kernel=self.kernel)
        alone = len(np.unique(groups)) == len(groups)
        n_folds = min(5, *(len(np.unique(groups[y == emotion])) for emotion in self.classes_))
        self.calibrated_ = bool(self.calibrate and n_folds >= 2)
        if self.calibrate and not self.calibrated_:
            warnings.warn(
                f"The class '{self.classes_[counts.argmin()]}' has one clip, too few to calibrate: "
                "probabilities are the softmax of the decision values, good for ranking only.",
                UserWarning,
                stacklevel=2,
            )
        if self.calibrated_:
            # Corpora are sorted by speaker: unshuffled folds would each hold out some speakers.
            kind = StratifiedKFold if alone else StratifiedGroupKFold
            folds = kind(n_folds, shuffle=True, random_state=0)
            cv = folds if alone else list(folds.split(X, y, groups))
            self.estimator_ = CalibratedClassifierCV(svc, cv=cv, ensemble=False)
        else:
            self.estimator_ = svc
        self.estimator_.fit(X, y, sample_weight=weights)
        return self

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
        X = validate_data(self, X, reset=False)
        if self.calibrated_:
            return self._calibrated_proba(X)
        decision = self.estimator_.decision_function(X)
        if decision.ndim == 1:
            positive_class = expit(decision)
            return np.column_stack([1 - positive_class, positive_class])
        return softmax(decision, axis=1)

    def _calibrated_proba(self, X: np.ndarray) -> np.ndarray:
        # What `estimator_.predict_proba` computes, without computing the decision values once
        # for each class: for one clip that took longer than its features.
        (calibrated,) = self.estimator_.calibrated_classifiers_
        if len(self.classes_) == 2:
            decision = calibrated.estimator.decision_function(X).reshape(len(X), -1)
        else:
            decision = one_vs_rest_values(calibrated.estimator, X)
        slopes, offsets = zip(*((of.a_, of.b_) for of in calibrated.calibrators), strict=True)
        each = expit(-(decision * slopes + offsets))
        if len(self.classes_) == 2:
            return np.hstack([1 - each, each])
        total = each.sum(axis=1, keepdims=True)
        each[total[:, 0] == 0], total[total == 0] = 1, len(self.classes_)
        return each / total
