"""What a classifier accepts (validation set, groups, sequences), by its `fit` and tags.

Nothing asks a classifier for its type. One that chooses something on a validation set (the epoch of
a network, say) takes `X_val` and `y_val` in `fit`, as scikit-learn's gradient boosting does; one
that must keep clips together takes `groups`; one that takes sequences says so in its tags. Another
package's classifier is treated alike.
"""

from typing import Any

from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

__all__ = ["fit_arguments", "takes_sequences", "uses_validation_set"]


def fit_arguments(clf: Any, **offered: Any) -> dict[str, Any]:
    """Return those of some arguments that are not None and that `clf.fit` takes.

    Parameters
    ----------
    clf : classifier
    **offered
        Such as `X_val`, `y_val`, `groups`, `on_epoch` and `checkpoint`.

    Returns
    -------
    arguments : dict of str to object

    Examples
    --------
    >>> from sklearn_ser import ANNClassifier, SVMClassifier
    >>> from sklearn_ser.classifiers import fit_arguments
    >>> fit_arguments(SVMClassifier(), groups=["a", "b"], X_val=[[1.0]], y_val=["sad"])
    {'groups': ['a', 'b']}
    >>> sorted(fit_arguments(ANNClassifier(), groups=None, X_val=[[1.0]], y_val=["sad"]))
    ['X_val', 'y_val']
    """
    return {
        name: value
        for name, value in offered.items()
        if value is not None and has_fit_parameter(clf, name)
    }


def uses_validation_set(clf: Any) -> bool:
    """Say whether `fit` of a classifier chooses something on a validation set."""
    return has_fit_parameter(clf, "X_val")


def takes_sequences(clf: Any) -> bool:
    """Say whether a classifier takes clips of shape (n_frames, n_channels)."""
    return get_tags(clf).input_tags.three_d_array
