"""Scalers: of sequences, and group by group where it is known who speaks, or where."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ser._sklearn import DocumentedMixin, one_of, sequences_stay_arrays, validate_params
from sklearn_ser.exceptions import OptionError

__all__ = ["GROUPS", "GroupNormalizer", "SequenceScaler", "as_standard_scaler", "regroup"]

GROUPS = ("speaker", "corpus", "recording")


@sequences_stay_arrays
class SequenceScaler(DocumentedMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
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


class GroupNormalizer(DocumentedMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Give each feature zero mean and unit variance over the clips of each group.

    It takes the place of the pipeline's `scale`. Where groups are speakers, it removes most of what
    makes a voice itself [1]_; where they are corpora or recordings, what makes a room, a microphone
    or a language. It is fed by metadata routing: `fit` and `predict` of the pipeline take
    `groups=`.

    Parameters
    ----------
    by : {"speaker", "corpus", "recording"}, default="speaker"
        What a group is: the column of a corpus that commands take groups from.
    unknown : {"error", "own", "global"}, default="error"
        What becomes of clips whose group was not there in `fit`: an error; z-scores from that
        group's own clips in the same call; or mean and scale of all training clips, as
        `StandardScaler` takes them. Where no groups are given, `"own"` and `"global"` take those of
        all training clips, too.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation over all training clips.
    groups_ : dict of str to tuple of two ndarrays of shape (n_features,)
        The same of each training group.

    Notes
    -----
    With `unknown="own"` and groups given, the scaling of a clip depends on the other clips it comes
    with: a score obtained so is **transductive**, and must be called so beside one that is not. A
    group with a single clip gets zeros, and a speaker recorded in a single emotion loses it.

    References
    ----------
    .. [1] Busso, C. et al. "Iterative feature normalization scheme for automatic emotion detection
       from speech", IEEE TAC 4(4), 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import GroupNormalizer
    >>> X, speaker = np.array([[1.0], [3.0], [10.0], [30.0]]), ["A", "A", "B", "B"]
    >>> GroupNormalizer().fit_transform(X, groups=speaker).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]

    In a pipeline:

    >>> import sklearn
    >>> from sklearn_ser import make_pipeline
    >>> pipe = make_pipeline("logreg", "functionals").set_params(scale=GroupNormalizer())
    >>> noise = np.random.default_rng(0).normal(size=(4, 8000)) / 10
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     pipe = pipe.fit(noise, ["sad", "angry"] * 2, groups=["A", "A", "B", "B"])
    ...     pipe.predict(noise[:1], groups=["A"]).tolist()
    ['sad']
    """

    _parameter_constraints: dict = {
        "by": [one_of(*GROUPS)],
        "unknown": [one_of("error", "own", "global")],
    }

    __metadata_request__fit = {"groups": True}
    __metadata_request__transform = {"groups": True}

    def __init__(self, by="speaker", unknown="error"):
        self.by = by
        self.unknown = unknown

    def fit(self, X, y=None, groups=None):
        """Learn mean and scale of each group.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : ignored
        groups : array-like of shape (n_clips,), default=None
            The group of each clip, such as who speaks; needed unless `unknown="global"`.

        Returns
        -------
        self : GroupNormalizer

        Raises
        ------
        OptionError
            If groups are needed and not given.
        """
        validate_params(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        names = self._names(groups, len(X), needed=self.unknown != "global")
        self.mean_, self.scale_ = _moments(X)
        self.groups_ = {str(name): _moments(X[names == name]) for name in set(names) - {None}}
        return self

    def transform(self, X, groups=None):
        """Scale each clip by the mean and scale of its group.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        groups : array-like of shape (n_clips,), default=None

        Returns
        -------
        X : ndarray of shape (n_clips, n_features)

        Raises
        ------
        OptionError
            For a group that was not there in `fit`, or none, if `unknown="error"`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        names = self._names(groups, len(X), needed=self.unknown == "error")
        unseen = sorted({name for name in names if name is not None} - set(self.groups_))
        if unseen and self.unknown == "error":
            raise OptionError(
                f"GroupNormalizer was not fitted with {self.by} {', '.join(unseen[:5])}: "
                "set unknown='own' to take their own clips' statistics (scores are transductive "
                "then), or unknown='global' for those of all training clips."
            )
        Z = np.empty_like(X)
        for name in set(names):
            own = names == name
            if name in self.groups_:
                mean, scale = self.groups_[name]
            elif name is not None and self.unknown == "own":
                mean, scale = _moments(X[own])
            else:
                mean, scale = self.mean_, self.scale_
            Z[own] = (X[own] - mean) / scale
        return Z

    def fit_transform(self, X, y=None, groups=None):
        """Learn mean and scale of each group, and scale the clips by them.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
        y : ignored
        groups : array-like of shape (n_clips,), default=None

        Returns
        -------
        X : ndarray of shape (n_clips, n_features)
        """
        return self.fit(X, y, groups=groups).transform(X, groups=groups)

    def _names(self, groups, n_clips: int, *, needed: bool) -> np.ndarray:
        if groups is None:
            if needed:
                raise OptionError(
                    f"GroupNormalizer needs to know the {self.by} of each clip: pass groups= (a "
                    "pipeline does with sklearn.set_config(enable_metadata_routing=True)), or set "
                    "unknown='global'."
                )
            return np.full(n_clips, None, dtype=object)
        names = np.array([None if _missing(name) else str(name) for name in groups], dtype=object)
        if len(names) != n_clips:
            raise OptionError(f"There are {n_clips} clips and {len(names)} groups.")
        if self.unknown != "global" and None in names:
            raise OptionError(
                f"GroupNormalizer needs to know the {self.by} of every clip: leave out those with "
                "none, or set unknown='global'."
            )
        return names

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def regroup(scaler: StandardScaler | GroupNormalizer, by: str) -> GroupNormalizer:
    """Return a normalizer for groups that a fitted scaler has not seen, by their own clips."""
    normalizer = GroupNormalizer(by, unknown="own")
    normalizer.mean_, normalizer.scale_ = scaler.mean_, scaler.scale_
    normalizer.n_features_in_, normalizer.groups_ = scaler.n_features_in_, {}
    return normalizer


def as_standard_scaler(normalizer: GroupNormalizer) -> StandardScaler:
    """Return a scaler by the statistics of all training clips, for where groups are not known."""
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = normalizer.mean_, normalizer.scale_
    scaler.var_, scaler.n_features_in_ = normalizer.scale_**2, normalizer.n_features_in_
    scaler.n_samples_seen_ = 1
    return scaler


def _missing(name) -> bool:
    return name is None or name != name


def _moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    still = spread <= 10 * np.finfo(X.dtype).eps * np.abs(mean)
    return mean, np.where(still, 1.0, spread)
