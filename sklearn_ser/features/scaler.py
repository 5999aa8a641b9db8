"""The standard scaler of sequences."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ser._sklearn import sequences_stay_arrays

__all__ = ["SequenceScaler"]


@sequences_stay_arrays
class SequenceScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Give each channel zero mean and unit variance over all frames of all training clips.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of each channel; constant channels have a scale of 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import SequenceScaler
    >>> X = np.arange(12.0).reshape(2, 3, 2)
    >>> bool(np.allclose(SequenceScaler().fit_transform(X).mean(axis=(0, 1)), 0))
    True
    """

    _parameter_constraints: dict = {}

    def fit(self, X, y=None):
        """Learn mean and scale of each channel.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_channels) or (n_clips, n_features)
        y : ignored

        Returns
        -------
        self : SequenceScaler
        """
        X = validate_data(self, X, dtype=(np.float64, np.float32), allow_nd=True)
        axes = tuple(range(X.ndim - 1))
        self.mean_ = X.mean(axis=axes, dtype=np.float64)
        spread = X.std(axis=axes, dtype=np.float64)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        return self

    def transform(self, X):
        """Scale each channel.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_channels) or (n_clips, n_features)

        Returns
        -------
        X : ndarray of the same shape
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), allow_nd=True, reset=False)
        return ((X - self.mean_) / self.scale_).astype(X.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
