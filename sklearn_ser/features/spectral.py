"""The four classic features of speech emotion recognition: MFCC, chroma, mel and contrast.

Each is the mean over time of librosa's feature of the same name, with librosa's parameters and
defaults but for `n_mfcc=40`, and equal to it within float32's precision.
"""

from numbers import Integral

import numpy as np

from sklearn_ser._sklearn import at_least, between, one_of, positive
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import _filters
from sklearn_ser.features._spectrum import Spectra
from sklearn_ser.features.transformers import (
    MEL_CONSTRAINTS,
    STATISTICS_CONSTRAINTS,
    STFT_CONSTRAINTS,
    FrameTransformer,
    numbered,
)

__all__ = ["MFCC", "Chroma", "MelSpectrogram", "SpectralContrast"]


class MFCC(FrameTransformer):
    """Mel-frequency cepstral coefficients, the mean of each over time.

    The mel spectrogram in decibels, and its discrete cosine transform over the bands: a compact
    outline of the spectrum's envelope [1]_. Equal to `librosa.feature.mfcc`.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz.
    n_mfcc : int, default=40
        Number of coefficients.
    dct_type : {1, 2, 3}, default=2
        Type of the cosine transform.
    norm : {"ortho"} or None, default="ortho"
        Normalisation of the cosine transform.
    lifter : float, default=0
        Strength of cepstral liftering; 0 applies none.
    n_fft : int, default=2048
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=512
        Samples between the starts of frames.
    win_length : int, default=None
        Length of the window, in samples; `None` means `n_fft`.
    window : str, tuple or float, default="hann"
        The window, as in `scipy.signal.get_window`.
    center : bool, default=True
        Whether frame t is centred at sample t * hop_length; the clip is padded for that.
    pad_mode : {"constant", "edge", "reflect", "symmetric"}, default="constant"
        How the clip is padded.
    n_mels : int, default=128
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency, in Hz.
    fmax : float, default=None
        Highest frequency, in Hz; `None` means half the sampling rate.
    htk : bool, default=False
        Whether to use HTK's mel formula instead of Slaney's.
    statistics : tuple of str, default=("mean",)
        What is computed of each contour: mean, std, min, max, range, median, iqr,
        skewness, kurtosis, slope, curvature, change, and percentiles such as p20.
    deltas : int, default=0
        How many times the local slopes are added as further contours: 1 for deltas, 2 for
        delta-deltas too.
    over : {"all", "speech", "voiced"}, default="all"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    References
    ----------
    .. [1] Davis, S., Mermelstein, P. "Comparison of parametric representations for monosyllabic
       word recognition in continuously spoken sentences", IEEE TASSP 28(4), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import MFCC
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> MFCC().fit_transform(noise).shape
    (3, 40)
    """

    _parameter_constraints: dict = {
        **STFT_CONSTRAINTS,
        **STATISTICS_CONSTRAINTS,
        **MEL_CONSTRAINTS,
        "n_mfcc": [positive(Integral)],
        "dct_type": [between(1, 3, closed="both")],
        "norm": [one_of("ortho"), None],
        "lifter": [at_least(0)],
    }

    def __init__(
        self,
        sr=22050,
        *,
        n_mfcc=40,
        dct_type=2,
        norm="ortho",
        lifter=0,
        n_fft=2048,
        hop_length=512,
        win_length=None,
        window="hann",
        center=True,
        pad_mode="constant",
        n_mels=128,
        fmin=0.0,
        fmax=None,
        htk=False,
        statistics=("mean",),
        deltas=0,
        over="all",
    ):
        self.sr = sr
        self.n_mfcc = n_mfcc
        self.dct_type = dct_type
        self.norm = norm
        self.lifter = lifter
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        if self.n_mfcc > self.n_mels:
            raise OptionError(
                f"MFCC: `n_mfcc={self.n_mfcc}` is more than the `n_mels={self.n_mels}` mel bands "
                "that the coefficients are computed from: lower `n_mfcc`, or raise `n_mels`."
            )
        if self.dct_type == 1 and self.n_mels < 2:
            raise OptionError("MFCC: `dct_type=1` needs `n_mels` of 2 at least.")

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the coefficients of some clips' frames, of shape (n_frames, n_mfcc)."""
        stft = self.stft()
        decibels = spectra.mel_db(stft, self._mel())
        transform = _filters.dct(self.n_mels, self.n_mfcc, self.dct_type, self.norm)
        coefficients = np.empty((len(decibels), transform.shape[1]), dtype=np.float32)
        # Clip by clip: the last bits of a product may depend on how many rows it has.
        for part, out in zip(
            spectra.split(decibels, stft), spectra.split(coefficients, stft), strict=True
        ):
            np.matmul(part, transform, out=out)
        if self.lifter:
            order = np.arange(1, coefficients.shape[1] + 1, dtype=np.float32)
            coefficients *= 1 + self.lifter / 2 * np.sin(np.pi * order / self.lifter)
        return coefficients

    def channels(self) -> list[str]:
        """Return the names mfcc_0, mfcc_1, and so on."""
        return numbered("mfcc", self.n_mfcc)


class MelSpectrogram(FrameTransformer):
    """Power in the bands of a mel filter bank, the mean of each over time.

    Equal to `librosa.feature.melspectrogram`.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz.
    n_fft : int, default=2048
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=512
        Samples between the starts of frames.
    win_length : int, default=None
        Length of the window, in samples; `None` means `n_fft`.
    window : str, tuple or float, default="hann"
        The window, as in `scipy.signal.get_window`.
    center : bool, default=True
        Whether frame t is centred at sample t * hop_length; the clip is padded for that.
    pad_mode : {"constant", "edge", "reflect", "symmetric"}, default="constant"
        How the clip is padded.
    power : float, default=2.0
        Exponent of the magnitude: 1 for energy, 2 for power.
    n_mels : int, default=128
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency, in Hz.
    fmax : float, default=None
        Highest frequency, in Hz; `None` means half the sampling rate.
    htk : bool, default=False
        Whether to use HTK's mel formula instead of Slaney's.
    norm : {"slaney"} or None, default="slaney"
        Whether each filter has the same area, or the same height.
    statistics : tuple of str, default=("mean",)
        What is computed of each contour: mean, std, min, max, range, median, iqr,
        skewness, kurtosis, slope, curvature, change, and percentiles such as p20.
    deltas : int, default=0
        How many times the local slopes are added as further contours: 1 for deltas, 2 for
        delta-deltas too.
    over : {"all", "speech", "voiced"}, default="all"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import MelSpectrogram
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> MelSpectrogram(n_mels=64).fit_transform(noise).shape
    (3, 64)
    """

    _parameter_constraints: dict = {
        **STFT_CONSTRAINTS,
        **STATISTICS_CONSTRAINTS,
        **MEL_CONSTRAINTS,
        "power": [positive()],
        "norm": [one_of("slaney"), None],
    }

    def __init__(
        self,
        sr=22050,
        *,
        n_fft=2048,
        hop_length=512,
        win_length=None,
        window="hann",
        center=True,
        pad_mode="constant",
        power=2.0,
        n_mels=128,
        fmin=0.0,
        fmax=None,
        htk=False,
        norm="slaney",
        statistics=("mean",),
        deltas=0,
        over="all",
    ):
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.power = power
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk
        self.norm = norm
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the power in the bands of some clips' frames, of shape (n_frames, n_mels)."""
        return spectra.mel(self.stft(), self._mel(self.norm, float(self.power)))

    def channels(self) -> list[str]:
        """Return the names mel_0, mel_1, and so on."""
        return numbered("mel", self.n_mels)


class Chroma(FrameTransformer):
    """Energy in the pitch classes, the mean of each over time.

    The power spectrum projected on `n_chroma` pitch classes, C first, each frame scaled to a
    maximum of 1. Equal to `librosa.feature.chroma_stft` at equal tuning.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz.
    norm : float or None, default=inf
        Order of the norm each frame is divided by; `None` divides by nothing.
    n_fft : int, default=2048
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=512
        Samples between the starts of frames.
    win_length : int, default=None
        Length of the window, in samples; `None` means `n_fft`.
    window : str, tuple or float, default="hann"
        The window, as in `scipy.signal.get_window`.
    center : bool, default=True
        Whether frame t is centred at sample t * hop_length; the clip is padded for that.
    pad_mode : {"constant", "edge", "reflect", "symmetric"}, default="constant"
        How the clip is padded.
    tuning : float, default=None
        Deviation from A440 in fractions of a pitch class; `None` estimates it for each clip.
    n_chroma : int, default=12
        Number of pitch classes in an octave.
    statistics : tuple of str, default=("mean",)
        What is computed of each contour: mean, std, min, max, range, median, iqr,
        skewness, kurtosis, slope, curvature, change, and percentiles such as p20.
    deltas : int, default=0
        How many times the local slopes are added as further contours: 1 for deltas, 2 for
        delta-deltas too.
    over : {"all", "speech", "voiced"}, default="all"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import Chroma
    >>> a4 = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> int(Chroma().fit_transform([a4])[0].argmax())  # C is 0, A is 9
    9
    """

    _parameter_constraints: dict = {
        **STFT_CONSTRAINTS,
        **STATISTICS_CONSTRAINTS,
        "norm": [between(0, np.inf, closed="right"), None],
        "tuning": [between(-0.5, 0.5, closed="both"), None],
        "n_chroma": [positive(Integral)],
    }

    def __init__(
        self,
        sr=22050,
        *,
        norm=np.inf,
        n_fft=2048,
        hop_length=512,
        win_length=None,
        window="hann",
        center=True,
        pad_mode="constant",
        tuning=None,
        n_chroma=12,
        statistics=("mean",),
        deltas=0,
        over="all",
    ):
        self.sr = sr
        self.norm = norm
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.tuning = tuning
        self.n_chroma = n_chroma
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        self.check_bands("n_chroma")

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the energy in the pitch classes of some clips' frames, (n_frames, n_chroma)."""
        stft = self.stft()
        power = spectra.power(stft)
        if self.tuning is None:
            tunings = spectra.tuning(stft, self.n_chroma)
        else:
            tunings = [float(self.tuning)] * len(spectra.clips)
        classes = np.empty((len(power), self.n_chroma), dtype=np.float32)
        for tuning, part, out in zip(
            tunings, spectra.split(power, stft), spectra.split(classes, stft), strict=True
        ):
            bank = _filters.chroma(self.sr, self.n_fft, self.n_chroma, tuning)
            np.matmul(part, bank.T, out=out)
        if self.norm is not None:
            length = _lengths(classes, self.norm)
            # A silent frame stays silent.
            length[length < np.finfo(np.float32).tiny] = 1
            classes /= length
        return classes

    def channels(self) -> list[str]:
        """Return the names chroma_0 (C), chroma_1 (C sharp), and so on."""
        return numbered("chroma", self.n_chroma)


class SpectralContrast(FrameTransformer):
    """Decibels between the peaks and the valleys of each octave, the mean over time.

    High where a voice is clear and harmonic, low where it is breathy or noisy [1]_. Equal to
    `librosa.feature.spectral_contrast`.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz.
    n_fft : int, default=2048
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=512
        Samples between the starts of frames.
    win_length : int, default=None
        Length of the window, in samples; `None` means `n_fft`.
    window : str, tuple or float, default="hann"
        The window, as in `scipy.signal.get_window`.
    center : bool, default=True
        Whether frame t is centred at sample t * hop_length; the clip is padded for that.
    pad_mode : {"constant", "edge", "reflect", "symmetric"}, default="constant"
        How the clip is padded.
    fmin : float, default=200.0
        Upper edge of the lowest band, in Hz.
    n_bands : int, default=6
        Number of octaves above it.
    quantile : float, default=0.02
        Share of a band's bins whose mean is its peak, and its valley.
    linear : bool, default=False
        Whether to return differences of magnitudes instead of decibels.
    statistics : tuple of str, default=("mean",)
        What is computed of each contour: mean, std, min, max, range, median, iqr,
        skewness, kurtosis, slope, curvature, change, and percentiles such as p20.
    deltas : int, default=0
        How many times the local slopes are added as further contours: 1 for deltas, 2 for
        delta-deltas too.
    over : {"all", "speech", "voiced"}, default="all"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    References
    ----------
    .. [1] Jiang, D.-N. et al. "Music type classification by spectral contrast feature", ICME 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import SpectralContrast
    >>> noise = np.random.default_rng(0).normal(size=(3, 22050)) / 10
    >>> SpectralContrast().fit_transform(noise).shape
    (3, 7)
    """

    _parameter_constraints: dict = {
        **STFT_CONSTRAINTS,
        **STATISTICS_CONSTRAINTS,
        "fmin": [positive()],
        "n_bands": [positive(Integral)],
        "quantile": [between(0, 1, closed="neither")],
        "linear": ["boolean"],
    }

    def __init__(
        self,
        sr=22050,
        *,
        n_fft=2048,
        hop_length=512,
        win_length=None,
        window="hann",
        center=True,
        pad_mode="constant",
        fmin=200.0,
        n_bands=6,
        quantile=0.02,
        linear=False,
        statistics=("mean",),
        deltas=0,
        over="all",
    ):
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.fmin = fmin
        self.n_bands = n_bands
        self.quantile = quantile
        self.linear = linear
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        self._bands()

    def _bands(self) -> tuple[tuple[int, int, int], ...]:
        return _filters.octave_bands(
            self.sr, self.n_fft, self.fmin, self.n_bands, float(self.quantile)
        )

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the contrast in the bands of some clips' frames, (n_frames, n_bands + 1)."""
        stft = self.stft()
        power = spectra.power(stft)
        bands = self._bands()
        valleys = np.empty((len(power), len(bands)), dtype=np.float32)
        peaks = np.empty_like(valleys)
        for k, (first, end, n_extreme) in enumerate(bands):
            valleys[:, k], peaks[:, k] = _extremes(power[:, first:end], n_extreme)
        if self.linear:
            return peaks - valleys
        return spectra.to_db(peaks, stft) - spectra.to_db(valleys, stft)

    def channels(self) -> list[str]:
        """Return the names contrast_0, contrast_1, and so on."""
        return numbered("contrast", self.n_bands + 1)


def _lengths(frames: np.ndarray, norm: float) -> np.ndarray:
    """Return the norm of each frame of non-negative numbers, of shape (n_frames, 1)."""
    if np.isinf(norm):
        return np.maximum.reduce(frames, axis=1, keepdims=True)
    return np.add.reduce(frames**norm, axis=1, keepdims=True) ** (1 / norm)


def _extremes(power: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean magnitude of the `n` least and of the `n` greatest bins of each frame."""
    if n == 1:
        return (
            np.sqrt(np.minimum.reduce(power, axis=1)),
            np.sqrt(np.maximum.reduce(power, axis=1)),
        )
    # numpy sorts with vector instructions and partitions without: sorting is ten times faster.
    ordered = np.sort(power, axis=1)
    least, greatest = np.sqrt(ordered[:, :n]), np.sqrt(ordered[:, -n:])
    return np.add.reduce(least, axis=1) / n, np.add.reduce(greatest, axis=1) / n
