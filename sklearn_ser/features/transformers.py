"""Base classes of feature transformers, for this package's and for your own.

What all share: a fit that learns nothing, and a transform over the common loop.
"""

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_ser._sklearn import (
    DocumentedMixin,
    at_least,
    between,
    check_once,
    keep_index,
    one_of,
    positive,
    validate_params,
)
from sklearn_ser.audio.loader import Clips, check_clips
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import _activity, _filters
from sklearn_ser.features._extraction import extract
from sklearn_ser.features._spectrum import STFT, Mel, Spectra
from sklearn_ser.features._statistics import PLAIN_MEAN, check_statistics, deltas, summarize

__all__ = ["ClipTransformer", "FrameTransformer", "SequenceTransformer"]

STFT_CONSTRAINTS: dict = {
    "sr": [positive(Integral)],
    "n_fft": [at_least(16)],
    "hop_length": [positive(Integral)],
    "win_length": [positive(Integral), None],
    "window": [str, tuple, positive()],
    "center": ["boolean"],
    "pad_mode": [one_of("constant", "edge", "reflect", "symmetric")],
}

_STFT_DEFAULTS: dict = {
    "n_fft": 2048,
    "hop_length": 512,
    "win_length": None,
    "window": "hann",
    "center": True,
    "pad_mode": "constant",
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


class ClipTransformer(DocumentedMixin, TransformerMixin, BaseEstimator):
    """Base class of transformers that turn each clip, by itself, into features.

    Write a subclass to have features of your own in a pipeline: they share the one decoding and the
    one spectrum of a clip with all others, are cached, and fail clip by clip. A subclass has

    - a parameter `sr`, the sampling rate of its clips in Hz, and whatever others it likes, as
      scikit-learn wants them: `__init__` assigns and does nothing else;
    - `compute`, which takes some clips at once as `Spectra` and returns an array of shape
      (n_clips, n_features);
    - `get_feature_names_out`, with a name for each feature.

    It may have `stft`, where the spectrum it uses is not that of its parameters `n_fft`,
    `hop_length`, `win_length`, `window`, `center` and `pad_mode` (those that it lacks have
    librosa's defaults); `check_settings`, which raises a ValueError for parameters that do not fit
    together;
    and `content`, where something beside parameters and code decides the features, such as a file.

    Nothing is learned in `fit`, so an instance transforms without it.

    See Also
    --------
    FrameTransformer : For statistics over time of something there is in every frame.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import ClipTransformer, make_pipeline
    >>> class Extremes(ClipTransformer):
    ...     def __init__(self, sr=22050):
    ...         self.sr = sr
    ...
    ...     def compute(self, spectra):
    ...         return np.array([(y.min(), y.max()) for y in spectra.clips])
    ...
    ...     def get_feature_names_out(self, input_features=None):
    ...         return np.array(["lowest", "highest"], dtype=object)
    >>> pipe = make_pipeline("svm", features=["mfcc", Extremes()])
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> pipe[:2].fit_transform(noise).shape
    (3, 42)
    """

    sr: int

    @abstractmethod
    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the features of some clips.

        Parameters
        ----------
        spectra : Spectra
            `spectra.clips` are the waveforms, each of shape (n_times,); `spectra.power(stft)` their
            power spectra frame after frame, which `spectra.split` parts by clip.

        Returns
        -------
        features : ndarray of shape (n_clips, n_features)
        """

    def content(self) -> bytes:
        """Return what decides the features beside parameters and code: a file's checksum, say."""
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
        check_once(self, self.check_settings)

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        validate_params(self)
        if not hasattr(self, "sr"):
            raise OptionError(
                f"{type(self).__name__} has no parameter `sr`, which every ClipTransformer needs."
            )
        stft = self.stft()
        try:
            _filters.window(stft.window, stft.win_length, stft.n_fft)
        except (ValueError, TypeError) as error:
            raise OptionError(f"{type(self).__name__}: window={stft.window!r}: {error}") from error
        if all(hasattr(self, name) for name in MEL_CONSTRAINTS):
            self.check_bands("n_mels")
            mel = self._mel()
            if not _filters.mel(self.sr, stft.n_fft, *mel[:-1]).nnz:
                raise OptionError(
                    f"{type(self).__name__}: no FFT bin lies between `fmin={self.fmin:g}` and "
                    f"`fmax={self.fmax}` Hz: raise `n_fft`, or widen them."
                )

    def check_bands(self, name: str) -> None:
        """Raise `OptionError` where a parameter asks for more bands than the spectrum has bins."""
        n_bands, n_bins = getattr(self, name), 1 + self.stft().n_fft // 2
        if n_bands > n_bins:
            raise OptionError(
                f"{type(self).__name__}: `{name}={n_bands}` is more than the {n_bins} frequencies "
                f"of a spectrum of `n_fft={self.stft().n_fft}`: lower `{name}`, or raise `n_fft`."
            )

    def stft(self) -> STFT:
        """Return the setting of the spectrum that the features are computed from."""
        setting = {name: getattr(self, name, default) for name, default in _STFT_DEFAULTS.items()}
        if setting["win_length"] is None:
            setting["win_length"] = setting["n_fft"]
        if setting["win_length"] > setting["n_fft"]:
            raise OptionError(
                f"{type(self).__name__}: win_length={setting['win_length']} is longer than "
                f"n_fft={setting['n_fft']}."
            )
        return STFT(**setting)

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
    """Base class of transformers whose features are statistics of something over a clip's frames.

    Instead of `compute` and `get_feature_names_out`, a subclass has

    - `frames`, which returns an array of shape (n_frames, n_channels) for some clips one after the
      other: as many frames as their spectrum has;
    - `channels`, with a name for each channel.

    It may have the parameters `statistics`, `deltas` and `over` (see `MFCC`); without them the
    features are means over all frames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import FrameTransformer
    >>> class Energy(FrameTransformer):
    ...     def __init__(self, sr=22050, *, hop_length=512, statistics=("mean", "std")):
    ...         self.sr = sr
    ...         self.hop_length = hop_length
    ...         self.statistics = statistics
    ...
    ...     def frames(self, spectra):
    ...         return spectra.power(self.stft()).sum(axis=1, keepdims=True)
    ...
    ...     def channels(self):
    ...         return ["energy"]
    >>> Energy().get_feature_names_out().tolist()
    ['energy_mean', 'energy_std']
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> Energy().fit_transform(noise).shape
    (3, 2)
    """

    statistics: Sequence[str] = PLAIN_MEAN
    deltas: int = 0
    over: str = "all"

    @abstractmethod
    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the channels of all frames of some clips, of shape (n_frames, n_channels)."""

    @abstractmethod
    def channels(self) -> list[str]:
        """Return the names of the channels."""

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the statistics of each clip, of shape (n_clips, n_features), float32."""
        frames, stft = self.frames(spectra), self.stft()
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
        if self.over == "voiced" and not self.stft().center:
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


class SequenceTransformer(ClipTransformer):
    """Base class of transformers whose features are a sequence of frames for each clip.

    A subclass has `frames`, which returns an array of shape (n_frames, n_channels) for some clips
    one after the other; `get_feature_names_out`, with a name for each channel; and the parameters
    `sr` and `n_frames`. It may have `normalize`, see `LogMelSpectrogram`.
    """

    n_frames: int
    normalize: str | None = None

    @abstractmethod
    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the channels of all frames of some clips, of shape (n_frames, n_channels)."""

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return some clips' frames, of shape (n_clips, n_frames, n_channels), float32."""
        return np.stack(
            [
                _fit_length(_normalize(part, self.normalize), self.n_frames)
                for part in spectra.split(self.frames(spectra), self.stft())
            ]
        )

    def __init_subclass__(cls, **how):
        super().__init_subclass__(auto_wrap_output_keys=None, **how)  # tables have two axes

    def feature_shape(self) -> tuple[int, ...]:
        """Return the shape of the features of one clip: (n_frames, n_channels)."""
        return self.n_frames, len(self.get_feature_names_out())

    def set_output(self, *, transform=None):
        """Refuse tables, which have no third axis; anything else changes nothing."""
        if transform not in (None, "default"):
            raise OptionError(
                f"{type(self).__name__} returns sequences, which have no table form: leave "
                "set_output at its default."
            )
        return self


def _normalize(frames: np.ndarray, how: str | None) -> np.ndarray:
    if how is None:
        return frames
    spread = frames.std(axis=0)
    return (frames - frames.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _fit_length(frames: np.ndarray, n_frames: int) -> np.ndarray:
    if len(frames) >= n_frames:
        return frames[:n_frames]
    return np.pad(frames, ((0, n_frames - len(frames)), (0, 0)), mode="edge")


def numbered(prefix: str, n: int) -> list[str]:
    """Return the names prefix_0, prefix_1, and so on."""
    return [f"{prefix}_{i}" for i in range(n)]
