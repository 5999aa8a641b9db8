"""Labels from probabilities, and the check that numbers are probabilities."""

import numpy as np
from numpy.typing import ArrayLike

from sklearn_ser.exceptions import ModelError

__all__ = ["MostProbableMixin", "are_probabilities", "most_probable"]


def most_probable(probabilities: ArrayLike, classes: ArrayLike) -> np.ndarray:
    """Return the most probable class of each row; of equals the first.

    Parameters
    ----------
    probabilities : array-like of shape (n_clips, n_classes)
    classes : array-like of shape (n_classes,)

    Returns
    -------
    labels : ndarray of shape (n_clips,)

    Examples
    --------
    >>> from sklearn_ser.classifiers.probabilities import most_probable
    >>> most_probable([[0.2, 0.8], [0.5, 0.5]], ["happy", "sad"]).tolist()
    ['sad', 'happy']
    """
    return np.asarray(classes)[np.asarray(probabilities).argmax(axis=1)]


def are_probabilities(probabilities: ArrayLike) -> np.ndarray:
    """Say of each row whether it is finite, within [0, 1], and sums to 1.

    Parameters
    ----------
    probabilities : array-like of shape (n_clips, n_classes)

    Returns
    -------
    good : ndarray of shape (n_clips,), bool

    Examples
    --------
    >>> from sklearn_ser.classifiers.probabilities import are_probabilities
    >>> are_probabilities([[0.2, 0.8], [-0.2, 1.2], [float("nan"), 1.0], [1.0, 1.0]]).tolist()
    [True, False, False, False]
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    within = ((rows >= -1e-6) & (rows <= 1 + 1e-6)).all(axis=1)  # NaN compares as False
    return within & (np.abs(rows.sum(axis=1) - 1) < 1e-3)


class MostProbableMixin:
    """A classifier whose `predict` is the most probable class of `predict_proba`."""

    def predict(self, X) -> np.ndarray:
        """Return the most probable emotion of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, ...)
            As for `predict_proba`.

        Returns
        -------
        emotions : ndarray of shape (n_clips,)

        Raises
        ------
        ModelError
            If the numbers of `predict_proba` are no probabilities, as a damaged or wrong model
            gives them.
        """
        probabilities = self.predict_proba(X)  # type: ignore[attr-defined]
        if not are_probabilities(probabilities).all():
            raise ModelError(
                f"{type(self).__name__} gives numbers that are no probabilities (from 0 to 1, with "
                "a sum of 1): its model is damaged or wrong; fit or export it again."
            )
        return most_probable(probabilities, self.classes_)  # type: ignore[attr-defined]
