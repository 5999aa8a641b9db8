"""Scalers: of sequences, and speaker by speaker where it is known who speaks."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ser._sklearn import one_of, sequences_stay_arrays, validate_params
from sklearn_ser.exceptions import OptionError

__all__ = ["SequenceScaler", "SpeakerNormalizer"]


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


class SpeakerNormalizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Give each feature zero mean and unit variance over the clips of each speaker.

    It takes the place of the pipeline's `scale` where speakers are known, and removes most of what
    makes a voice itself [1]_. It is fed by metadata routing: `fit` and `predict` of the pipeline
    take `speaker=`.

    Parameters
    ----------
    unknown : {"error", "own", "global"}, default="error"
        What becomes of clips whose speaker was not there in `fit`: an error; z-scores from that
        speaker's own clips in the same call; or mean and scale of all training clips, as
        `StandardScaler` takes them, which also serves where speakers are not known.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation over all training clips.
    speakers_ : dict of str to tuple of two ndarrays of shape (n_features,)
        The same of each training speaker.

    Notes
    -----
    With `unknown="own"` the scaling of a clip depends on the other clips it comes with: a score
    obtained so is **transductive**, and must be called so beside one that is not. A speaker with a
    single clip gets zeros, and one heard in a single emotion loses it.

    References
    ----------
    .. [1] Busso, C. et al. "Iterative feature normalization scheme for automatic emotion detection
       from speech", IEEE TAC 4(4), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import SpeakerNormalizer
    >>> X, speaker = np.array([[1.0], [3.0], [10.0], [30.0]]), ["A", "A", "B", "B"]
    >>> SpeakerNormalizer().fit_transform(X, speaker=speaker).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]

    In a pipeline:

    >>> import sklearn
    >>> from sklearn_ser import make_pipeline
    >>> pipe = make_pipeline("logreg", "functionals").set_params(scale=SpeakerNormalizer())
    >>> noise = np.random.default_rng(0).normal(size=(4, 8000)) / 10
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     pipe = pipe.fit(noise, ["sad", "angry"] * 2, speaker=["A", "A", "B", "B"])
    ...     pipe.predict(noise[:1], speaker=["A"]).tolist()
    ['sad']
    """

    _parameter_constraints: dict = {"unknown": [one_of("error", "own", "global")]}

    __metadata_request__fit = {"speaker": True}
    __metadata_request__transform = {"speaker": True}

    def __init__(self, unknown="error"):
        self.unknown = unknown

    def fit(self, X, y=None, speaker=None):
        """Learn mean and scale of each speaker.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : ignored
        speaker : array-like of shape (n_clips,), default=None
            Who speaks in each clip; needed unless `unknown="global"`.

        Returns
        -------
        self : SpeakerNormalizer

        Raises
        ------
        OptionError
            If speakers are needed and not given.
        """
        validate_params(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        names = self._names(speaker, len(X))
        self.mean_, self.scale_ = _moments(X)
        self.speakers_ = {str(name): _moments(X[names == name]) for name in set(names) - {None}}
        return self

    def transform(self, X, speaker=None):
        """Scale each clip by the mean and scale of its speaker.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        speaker : array-like of shape (n_clips,), default=None

        Returns
        -------
        X : ndarray of shape (n_clips, n_features)

        Raises
        ------
        OptionError
            For a speaker that was not there in `fit`, if `unknown="error"`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        names = self._names(speaker, len(X))
        unseen = sorted({name for name in names if name is not None} - set(self.speakers_))
        if unseen and self.unknown == "error":
            raise OptionError(
                f"SpeakerNormalizer was not fitted with the speakers {', '.join(unseen[:5])}: "
                "set unknown='own' to take their own clips' statistics (scores are transductive "
                "then), or unknown='global' for those of all training clips."
            )
        Z = np.empty_like(X)
        for name in set(names):
            own = names == name
            if name in self.speakers_:
                mean, scale = self.speakers_[name]
            elif name is not None and self.unknown == "own":
                mean, scale = _moments(X[own])
            else:
                mean, scale = self.mean_, self.scale_
            Z[own] = (X[own] - mean) / scale
        return Z

    def fit_transform(self, X, y=None, speaker=None):
        """Learn mean and scale of each speaker, and scale the clips by them.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : ignored
        speaker : array-like of shape (n_clips,), default=None

        Returns
        -------
        X : ndarray of shape (n_clips, n_features)
        """
        return self.fit(X, y, speaker=speaker).transform(X, speaker=speaker)

    def _names(self, speaker, n_clips: int) -> np.ndarray:
        if speaker is None:
            if self.unknown != "global":
                raise OptionError(
                    "SpeakerNormalizer needs to know who speaks: pass speaker= (a pipeline does "
                    "with sklearn.set_config(enable_metadata_routing=True)), or set "
                    "unknown='global'."
                )
            return np.full(n_clips, None, dtype=object)
        names = np.array([None if _missing(name) else str(name) for name in speaker], dtype=object)
        if len(names) != n_clips:
            raise OptionError(f"There are {n_clips} clips and {len(names)} speakers.")
        if self.unknown != "global" and None in names:
            raise OptionError(
                "SpeakerNormalizer needs to know who speaks in every clip: leave out those with no "
                "speaker, or set unknown='global'."
            )
        return names

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _missing(name) -> bool:
    return name is None or name != name


def _moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    still = spread <= 10 * np.finfo(X.dtype).eps * np.abs(mean)
    return mean, np.where(still, 1.0, spread)
