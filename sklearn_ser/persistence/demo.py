"""`demo`, the small model that comes with the package: where it is, and how it is loaded.

`tools/build_demo.py` has fitted it and measured what its card says.
"""

import warnings
from pathlib import Path

from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from sklearn_ser.classifiers import unwrap_classifier

__all__ = ["DEMO", "DEMO_FOLDER", "ignore_versions", "renew"]

DEMO = "demo"  # the model's name wherever a model is asked for
DEMO_FOLDER = Path(__file__).with_name("demo_model")

_LEARNED = ("classes_", "coef_", "intercept_", "n_features_in_", "n_iter_")


def ignore_versions() -> warnings.catch_warnings:
    """Return a context without warnings of a file that another scikit-learn has made."""
    return warnings.catch_warnings(action="ignore", category=InconsistentVersionWarning)


def renew(pipeline: Pipeline) -> Pipeline:
    """Put what the logistic regression has learned into one of the scikit-learn that is here.

    The package's model must work with every scikit-learn that the package does, whose minor
    versions differ in the attributes that they expect beside these.

    Parameters
    ----------
    pipeline : Pipeline
        As it was loaded; it is changed.

    Returns
    -------
    pipeline : Pipeline
    """
    clf = pipeline.named_steps["clf"]
    old = unwrap_classifier(clf)
    new = LogisticRegression(C=old.C, max_iter=old.max_iter)
    for name in _LEARNED:
        setattr(new, name, getattr(old, name))
    if old is clf:
        pipeline.steps[-1] = ("clf", new)
        return pipeline
    clf.estimator_ = new
    clf.estimator = LogisticRegression(C=old.C, max_iter=old.max_iter)
    return pipeline
