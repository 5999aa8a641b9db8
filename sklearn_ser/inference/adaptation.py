"""Running adaptation: features scaled by what has been heard so far of a voice and its room."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import GroupNormalizer

__all__ = ["PRIOR_CLIPS", "RunningScaler"]

# How many clips the statistics of training weigh. Of 1, 2, 5 and 10, this was best on speakers of
# two corpora that the classifier had not seen, whichever two of three they were; the choice matters
# little from 2 to 10.
PRIOR_CLIPS = 5.0


class RunningScaler:
    """Scales clips one after the other by mean and variance of those that came before.

    It stands where a fitted pipeline has its scaler, and begins with what that learned in training.
    As clips come, their mean and variance take over: of n clips they weigh n, and those of training
    `prior` clips. Labels play no role, and a clip's own features none in how it is scaled.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, with a `StandardScaler` or `GroupNormalizer` as its step `scale`.
    prior : float, default=5.0
        How many clips the statistics of training weigh.

    Attributes
    ----------
    n : float
        The weight of what has been heard, in clips.

    Raises
    ------
    OptionError
        If the pipeline has another scaler.

    Notes
    -----
    With the mean :math:`m_0` and variance :math:`v_0` of training, and the mean :math:`m` and
    variance :math:`v` of n clips, features are scaled by :math:`(k m_0 + n m) / (k + n)` and
    :math:`(k v_0 + n v) / (k + n)`, where k is `prior`. The memory it takes does not grow.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import make_pipeline
    >>> from sklearn_ser.inference.adaptation import RunningScaler
    >>> noise = np.random.default_rng(0).normal(size=(4, 8000)) / 10
    >>> pipe = make_pipeline("logreg", "mfcc").fit(noise, ["sad", "happy"] * 2)
    >>> scaler = RunningScaler(pipe)
    >>> row = pipe[:2].transform(noise[:1])[0]
    >>> bool(np.allclose(scaler.scale(row), pipe[:3].transform(noise[:1])[0], atol=1e-5))
    True
    >>> scaler.add(row)
    >>> scaler.n
    1.0
    """

    def __init__(self, pipeline: Pipeline, prior: float = PRIOR_CLIPS):
        scaler = pipeline.named_steps["scale"]
        if not isinstance(scaler, StandardScaler | GroupNormalizer):
            raise OptionError(
                "`adapt` needs a model that scales a row of features for each clip by mean and "
                f"variance, and this one has {type(scaler).__name__}: leave it out, or fit one of "
                "svm, mlp, rf, logreg or ann."
            )
        self.prior = prior
        self._mean = np.asarray(scaler.mean_, dtype=np.float64)
        self._variance = np.asarray(scaler.scale_, dtype=np.float64) ** 2
        self.forget()

    def forget(self) -> None:
        """Begin anew with the statistics of training."""
        self.n = 0.0
        self._heard = np.zeros_like(self._mean)  # mean of what was heard
        self._squares = np.zeros_like(self._mean)  # sum of squared distances from it

    def scale(self, x: np.ndarray) -> np.ndarray:
        """Return the features of a clip, of shape (n_features,), as the classifier takes them."""
        total = self.prior + self.n
        mean = (self.prior * self._mean + self.n * self._heard) / total
        variance = (self.prior * self._variance + self._squares) / total
        return ((x - mean) / np.sqrt(variance)).astype(x.dtype)

    def add(self, x: np.ndarray, weight: float = 1.0) -> None:
        """Take the features of a clip into account from now on.

        Parameters
        ----------
        x : ndarray of shape (n_features,)
        weight : float, default=1.0
            Less than one for windows that overlap.
        """
        self.n += weight
        step = x - self._heard
        self._heard += step * (weight / self.n)
        self._squares += weight * step * (x - self._heard)
