"""What all feature transformers share: fit that learns nothing, transform over the common loop."""

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_ser._sklearn import at_least, keep_index, one_of, positive, validate_params
from sklearn_ser.audio import Clips, check_clips
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import _filters
from sklearn_ser.features._extraction import extract
from sklearn_ser.features._spectrum import STFT, Mel, Spectra

STFT_CONSTRAINTS: dict = {
    "sr": [positive(Integral)],
    "n_fft": [at_least(16)],
    "hop_length": [positive(Integral)],
    "win_length": [positive(Integral), None],
    "window": [str, tuple, positive()],
    "center": ["boolean"],
    "pad_mode": [one_of("constant", "edge", "reflect", "symmetric")],
}

MEL_CONSTRAINTS: dict = {
    "n_mels": [positive(Integral)],
    "fmin": [at_least(0, Real)],
    "fmax": [positive(), None],
    "htk": ["boolean"],
}

_SOUND_SETTINGS: set[tuple] = set()


class ClipTransformer(TransformerMixin, BaseEstimator):
    """Base of the transformers that turn each clip, by itself, into numbers.

    A subclass has librosa's parameters, `compute`, and `get_feature_names_out`. Nothing is learned
    in `fit`, so an instance transforms without it.
    """

    sr: int

    @abstractmethod
    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the features of some clips, of shape (n_clips, ...), from what all share."""

    def fit(self, X, y=None):
        """Check the parameters and X; nothing is learned and nothing is decoded.

        Parameters
        ----------
        X : Clips, array of shape (n_clips, n_times), or list of arrays of shape (n_times,)
            Waveforms at the rate `sr`.
        y : ignored

        Returns
        -------
        self : object
        """
        self._check(X)
        return self

    def transform(self, X):
        """Compute the features of each clip.

        Parameters
        ----------
        X : Clips, array of shape (n_clips, n_times), or list of arrays of shape (n_times,)
            Waveforms at the rate `sr`.

        Returns
        -------
        features : ndarray of shape (n_clips, n_features), float32

        Raises
        ------
        AudioError
            If clips cannot be read; it lists them all.
        """
        clips = self._check(X)
        return keep_index(self, extract([(self, None)], clips), clips.index)

    def _check(self, X) -> Clips:
        self.check_settings_once()
        clips = check_clips(X)
        if clips.sr is not None and clips.sr != self.sr:
            raise OptionError(
                f"The clips come at {clips.sr} Hz, but {type(self).__name__} has sr={self.sr}: "
                "set both alike, as make_pipeline(..., sr=...) does."
            )
        return clips

    def check_settings_once(self) -> None:
        """Do as `check_settings`, unless these very settings were found sound before.

        The checks take longer than some features of a short clip.
        """
        own = ((k, type(v), v) for k, v in vars(self).items() if not k.startswith("_"))
        setting = (type(self), *own)
        try:
            known = setting in _SOUND_SETTINGS
        except TypeError:  # a list or an array among them
            self.check_settings()
            return
        if not known:
            self.check_settings()
            if len(_SOUND_SETTINGS) >= 1000:
                _SOUND_SETTINGS.clear()
            _SOUND_SETTINGS.add(setting)

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        validate_params(self)
        stft = self._stft()
        try:
            _filters.window(stft.window, stft.win_length, stft.n_fft)
        except (ValueError, TypeError) as error:
            raise OptionError(f"{type(self).__name__}: window={self.window!r}: {error}") from error
        if hasattr(self, "n_mels"):
            self._mel()

    def _stft(self) -> STFT:
        win_length = self.n_fft if self.win_length is None else self.win_length
        if win_length > self.n_fft:
            raise OptionError(
                f"{type(self).__name__}: win_length={win_length} is longer than n_fft={self.n_fft}."
            )
        return STFT(
            self.n_fft, self.hop_length, win_length, self.window, self.center, self.pad_mode
        )

    def _mel(self, norm: str | None = "slaney", power: float = 2.0) -> Mel:
        highest = self.sr / 2 if self.fmax is None else self.fmax
        if not self.fmin < highest <= self.sr / 2:
            raise OptionError(
                f"{type(self).__name__}: fmin={self.fmin:g} Hz and fmax={highest:g} Hz must ascend "
                f"and stay within half the sampling rate of {self.sr} Hz."
            )
        return Mel(self.n_mels, self.fmin, self.fmax, self.htk, norm, power)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return True


class MeanTransformer(ClipTransformer):
    """Base of the transformers whose features are the mean of something over a clip's frames."""

    @abstractmethod
    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the numbers of all frames of some clips, of shape (n_frames, n_features)."""

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the mean over each clip's frames, of shape (n_clips, n_features), float32."""
        return spectra.mean(self.frames(spectra), self._stft())


def numbered(prefix: str, n: int) -> np.ndarray:
    """Return the names prefix_0_mean, prefix_1_mean, and so on."""
    return np.array([f"{prefix}_{i}_mean" for i in range(n)], dtype=object)
