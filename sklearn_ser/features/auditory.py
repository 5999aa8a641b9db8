"""Features of speech for unseen speakers: bands of the ear, spectral shape, loudness.

All are relative to how loud the clip is, and by default taken over its speech alone. The shape of
the contour over time says more of an emotion than its mean, which says more of the speaker; so
`statistics` has more than the mean by default.
"""

from numbers import Integral

import numpy as np

from sklearn_ser._sklearn import at_least, one_of, positive
from sklearn_ser.features import _contours
from sklearn_ser.features._spectrum import Spectra
from sklearn_ser.features.transformers import STATISTICS_CONSTRAINTS, FrameTransformer, numbered

__all__ = ["BarkSpectrum", "Loudness", "SpectralShape"]

SPEECH_CONSTRAINTS: dict = {
    "sr": [at_least(4000)],
    "n_fft": [at_least(128)],
    "hop_length": [positive(Integral)],
}


class BarkSpectrum(FrameTransformer):
    """Level in the frequency bands of the ear, from 20 Hz to 8 kHz.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_bands : int, default=26
        Number of bands, triangles evenly spaced on the Bark scale [1]_.
    scale : {"decibels", "rasta", "loudness"}, default="decibels"
        Decibels below the clip's level; the same filtered as in RASTA, so that only what rises and
        falls at the pace of speech is left [2]_; or loudness, the cube root of power, as a share of
        the loudness of the clip's loud frames.
    n_fft : int, default=512
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=256
        Samples between the starts of frames.
    statistics : tuple of str, default=("mean", "std")
        What is computed of each contour, as in :class:`MFCC`.
    deltas : int, default=0
        How many times the local slopes are added as further contours.
    over : {"all", "speech", "voiced"}, default="speech"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    References
    ----------
    .. [1] Traunmüller, H. "Analytical expressions for the tonotopic sensory scale", JASA 88, 1990.
    .. [2] Hermansky, H., Morgan, N. "RASTA processing of speech", IEEE TSAP 2(4), 1994.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import BarkSpectrum
    >>> noise = np.random.default_rng(0).normal(size=(3, 16000)) / 10
    >>> BarkSpectrum().fit_transform(noise).shape
    (3, 52)
    """

    _parameter_constraints: dict = {
        **SPEECH_CONSTRAINTS,
        **STATISTICS_CONSTRAINTS,
        "n_bands": [at_least(2)],
        "scale": [one_of("decibels", "rasta", "loudness")],
    }

    def __init__(
        self,
        sr=16000,
        *,
        n_bands=26,
        scale="decibels",
        n_fft=512,
        hop_length=256,
        statistics=("mean", "std"),
        deltas=0,
        over="speech",
    ):
        self.sr = sr
        self.n_bands = n_bands
        self.scale = scale
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        self.check_bands("n_bands")

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the level in the bands of some clips' frames, of shape (n_frames, n_bands)."""
        contour = {
            "decibels": _contours.bark_decibels,
            "rasta": _contours.rasta,
            "loudness": _contours.specific_loudness,
        }[self.scale]
        return contour(spectra, self.stft(), self.n_bands)

    def channels(self) -> list[str]:
        """Return the names bark_0, or bark_rasta_0, or bark_loudness_0, and so on."""
        return numbered("bark" if self.scale == "decibels" else f"bark_{self.scale}", self.n_bands)


class SpectralShape(FrameTransformer):
    """Where in frequency the energy lies: centre, width, tilt, and shares of bands.

    Vocal effort tilts the spectrum: a pressed, loud voice has more energy above 1 kHz, a sad or
    bored one less [1]_. The channels are the spectral centroid and spread and the roll-offs at 25,
    50, 75 and 90 % (in Hz); the slopes of the spectrum from 0 to 500, 500 to 1500, 1500 to 5000 and
    0 to 8000 Hz (in dB per kHz); the alpha ratio, energy in 1-5 kHz over 50-1000 Hz, and the
    Hammarberg index, the strongest peak below 2 kHz over that in 2-5 kHz (in dB); the share of six
    bands (in dB); and the flux, how much the spectrum differs from that of the frame before.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_fft : int, default=512
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=256
        Samples between the starts of frames.
    statistics : tuple of str, default=("mean", "std")
        What is computed of each contour, as in :class:`MFCC`.
    deltas : int, default=0
        How many times the local slopes are added as further contours.
    over : {"all", "speech", "voiced"}, default="speech"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    References
    ----------
    .. [1] Eyben, F. et al. "The Geneva minimalistic acoustic parameter set (GeMAPS) for voice
       research and affective computing", IEEE TAC 7(2), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import SpectralShape
    >>> noise = np.random.default_rng(0).normal(size=(3, 16000)) / 10
    >>> SpectralShape().fit_transform(noise).shape
    (3, 38)
    """

    _parameter_constraints: dict = {**SPEECH_CONSTRAINTS, **STATISTICS_CONSTRAINTS}

    def __init__(
        self,
        sr=16000,
        *,
        n_fft=512,
        hop_length=256,
        statistics=("mean", "std"),
        deltas=0,
        over="speech",
    ):
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the shape of the spectrum of some clips' frames, (n_frames, n_channels)."""
        return _contours.shape(spectra, self.stft())

    def channels(self) -> list[str]:
        """Return the names centroid, spread, rolloff_25, and so on."""
        return list(_contours.SHAPE)


class Loudness(FrameTransformer):
    """How loud each frame is against the clip's loud frames: as loudness, and as energy in dB.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_fft : int, default=512
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=256
        Samples between the starts of frames.
    statistics : tuple of str, default=("mean", "std")
        What is computed of each contour, as in :class:`MFCC`.
    deltas : int, default=0
        How many times the local slopes are added as further contours.
    over : {"all", "speech", "voiced"}, default="speech"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import Loudness
    >>> noise = np.random.default_rng(0).normal(size=(3, 16000)) / 10
    >>> Loudness().get_feature_names_out()[:2].tolist()
    ['loudness_speech_mean', 'energy_speech_mean']
    """

    _parameter_constraints: dict = {**SPEECH_CONSTRAINTS, **STATISTICS_CONSTRAINTS}

    def __init__(
        self,
        sr=16000,
        *,
        n_fft=512,
        hop_length=256,
        statistics=("mean", "std"),
        deltas=0,
        over="speech",
    ):
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return loudness and energy of some clips' frames, of shape (n_frames, 2)."""
        stft = self.stft()
        loudness = np.add.reduce(_contours.specific_loudness(spectra, stft, 26), axis=1)
        return np.stack([loudness, _contours.energy(spectra, stft)], axis=1)

    def channels(self) -> list[str]:
        """Return the names loudness and energy."""
        return ["loudness", "energy"]
