"""What all feature transformers share: fit that learns nothing, transform over the common loop."""

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_ser._sklearn import at_least, between, keep_index, one_of, positive, validate_params
from sklearn_ser.audio.loader import Clips, check_clips
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import _activity, _filters
from sklearn_ser.features._extraction import extract
from sklearn_ser.features._spectrum import STFT, Mel, Spectra
from sklearn_ser.features._statistics import PLAIN_MEAN, check_statistics, deltas, summarize

STFT_CONSTRAINTS: dict = {
    "sr": [positive(Integral)],
    "n_fft": [at_least(16)],
    "hop_length": [positive(Integral)],
    "win_length": [positive(Integral), None],
    "window": [str, tuple, positive()],
    "center": ["boolean"],
    "pad_mode": [one_of("constant", "edge", "reflect", "symmetric")],
}

STATISTICS_CONSTRAINTS: dict = {
    "statistics": [tuple, list],
    "deltas": [between(0, 3, closed="both", kind=Integral)],
    "over": [one_of("all", "speech", "voiced")],
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

    def content(self) -> bytes:
        """Return what decides the numbers beside parameters and code, such as a file's checksum."""
        return b""

    def feature_shape(self) -> tuple[int, ...]:
        """Return the shape of the features of one clip: (n_features,)."""
        return (len(self.get_feature_names_out()),)

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
            self.check_bands("n_mels")
            mel = self._mel()
            if not _filters.mel(self.sr, stft.n_fft, *mel[:-1]).nnz:
                raise OptionError(
                    f"{type(self).__name__}: no FFT bin lies between `fmin={self.fmin:g}` and "
                    f"`fmax={self.fmax}` Hz: raise `n_fft`, or widen them."
                )

    def check_bands(self, name: str) -> None:
        """Raise `OptionError` where a parameter asks for more bands than the spectrum has bins."""
        n_bands, n_bins = getattr(self, name), 1 + self._stft().n_fft // 2
        if n_bands > n_bins:
            raise OptionError(
                f"{type(self).__name__}: `{name}={n_bands}` is more than the {n_bins} frequencies "
                f"of a spectrum of `n_fft={self._stft().n_fft}`: lower `{name}`, or raise `n_fft`."
            )

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


class FrameTransformer(ClipTransformer):
    """Base of the transformers whose features are statistics of something over a clip's frames."""

    statistics: tuple[str, ...]
    deltas: int
    over: str

    @abstractmethod
    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the numbers of all frames of some clips, of shape (n_frames, n_channels)."""

    @abstractmethod
    def channels(self) -> list[str]:
        """Return the names of the channels."""

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the statistics of each clip, of shape (n_clips, n_features), float32."""
        frames, stft = self.frames(spectra), self._stft()
        if self.over == "all" and not self.deltas and tuple(self.statistics) == PLAIN_MEAN:
            return spectra.mean(frames, stft)
        rows = []
        masks = _activity.masks(spectra, stft, self.over)
        for part, mask in zip(spectra.split(frames, stft), masks, strict=True):
            values = [summarize(part[mask], self.statistics)]
            for _ in range(self.deltas):
                part = deltas(part)
                values.append(summarize(part[mask], self.statistics))
            rows.append(np.concatenate(values))
        return np.stack(rows)

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        check_statistics(self.statistics, type(self).__name__)
        if self.over == "voiced" and not self._stft().center:
            raise OptionError(f"{type(self).__name__}: over='voiced' needs center=True.")

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return a name for each feature: its channel, which frames, its statistic.

        Such as mfcc_0_mean, mfcc_0_delta_p95 or mfcc_0_voiced_std.
        """
        where = "" if self.over == "all" else f"_{self.over}"
        order = ["", "_delta", *(f"_delta{n}" for n in range(2, self.deltas + 1))]
        return np.array(
            [
                f"{channel}{where}{delta}_{statistic}"
                for delta in order[: self.deltas + 1]
                for statistic in self.statistics
                for channel in self.channels()
            ],
            dtype=object,
        )


def numbered(prefix: str, n: int) -> list[str]:
    """Return the names prefix_0, prefix_1, and so on."""
    return [f"{prefix}_{i}" for i in range(n)]
