"""Features of the voice: pitch, voice quality, and their correlations."""

import numpy as np

from sklearn_ser._sklearn import at_least, between
from sklearn_ser.features import _activity, _contours, _pitch
from sklearn_ser.features._spectrum import Spectra
from sklearn_ser.features._statistics import deltas
from sklearn_ser.features.auditory import SPEECH_CONSTRAINTS
from sklearn_ser.features.transformers import (
    STATISTICS_CONSTRAINTS,
    ClipTransformer,
    FrameTransformer,
)

__all__ = ["Pitch", "VoiceCorrelations", "VoiceQuality"]

# The harmonics between 2 and 3.5 kHz are among what is measured.
_HARMONICS: dict = {"sr": [at_least(8000)]}


class Pitch(FrameTransformer):
    """The melody of the voice: semitones from the clip's own median pitch.

    Tracked between 60 and 600 Hz from the autocorrelation of 64 ms long frames [1]_. The first
    feature is the median itself, in semitones above 27.5 Hz; it is the only one that tells a high
    voice from a low one.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_fft : int, default=512
        Length of a frame, in samples, where `over` is "speech"; pitch has longer ones.
    hop_length : int, default=256
        Samples between the starts of frames.
    statistics : tuple of str, default=("mean", "std")
        What is computed of the contour, as in :class:`MFCC`.
    deltas : int, default=0
        How many times the local slopes are added as further contours.
    over : {"all", "speech", "voiced"}, default="voiced"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch. Between these, pitch is interpolated.

    References
    ----------
    .. [1] Boersma, P. "Accurate short-term analysis of the fundamental frequency and the
       harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import Pitch
    >>> a3 = np.sin(2 * np.pi * 220 * np.arange(16000) / 16000)
    >>> float(Pitch().fit_transform([a3])[0, 0].round(2))  # three octaves above 27.5 Hz
    36.0
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
        over="voiced",
    ):
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the features of some clips, of shape (n_clips, n_features), float32."""
        found = _pitch.track(spectra, self.hop_length)
        stft = _pitch.setting(self.sr, self.hop_length)
        medians = [
            [np.median(part[~np.isnan(part)]) if not np.isnan(part).all() else 0]
            for part in spectra.split(found.semitones, stft)
        ]
        return np.hstack([np.array(medians, dtype=np.float32), super().compute(spectra)])

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the pitch of some clips' frames from each clip's median, (n_frames, 1)."""
        return _contours.pitch_contour(spectra, self.stft())[:, np.newaxis]

    def channels(self) -> list[str]:
        """Return the name pitch."""
        return ["pitch"]

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names pitch_of_clip, pitch_voiced_mean, and so on."""
        return np.concatenate([["pitch_of_clip"], super().get_feature_names_out()]).astype(object)


class VoiceQuality(FrameTransformer):
    """How clear, breathy or pressed the voice is, where it has a pitch.

    The harmonics-to-noise ratio, from the height of the autocorrelation's peak [1]_; and by how
    much the first harmonic surpasses the second, the third, and the strongest between 2 and 3.5 kHz
    (an H1-A3 that needs no formants): high in a breathy voice, low in a pressed one [2]_. All in
    dB.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_fft : int, default=512
        Length of a frame, in samples, where `over` is "speech"; the voice has longer ones.
    hop_length : int, default=256
        Samples between the starts of frames.
    statistics : tuple of str, default=("mean", "std")
        What is computed of each contour, as in :class:`MFCC`.
    deltas : int, default=0
        How many times the local slopes are added as further contours.
    over : {"all", "speech", "voiced"}, default="voiced"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch; elsewhere the channels are 0.

    References
    ----------
    .. [1] Boersma, P. "Accurate short-term analysis of the fundamental frequency and the
       harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.
    .. [2] Hanson, H.M. "Glottal characteristics of female speakers: acoustic correlates", JASA
       101(1), 1997.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import VoiceQuality
    >>> noise = np.random.default_rng(0).normal(size=(3, 16000)) / 10
    >>> VoiceQuality().fit_transform(noise).shape
    (3, 8)
    """

    _parameter_constraints: dict = {**SPEECH_CONSTRAINTS, **_HARMONICS, **STATISTICS_CONSTRAINTS}

    def __init__(
        self,
        sr=16000,
        *,
        n_fft=512,
        hop_length=256,
        statistics=("mean", "std"),
        deltas=0,
        over="voiced",
    ):
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the quality of the voice in some clips' frames, of shape (n_frames, 4)."""
        return _contours.voice(spectra, self.stft())

    def channels(self) -> list[str]:
        """Return the names hnr, h1_h2, h1_h3 and h1_a3."""
        return list(_contours.VOICE)


class VoiceCorrelations(ClipTransformer):
    """Which qualities of the voice rise and fall together over a clip.

    Fisher's z of the correlations, over the voiced frames, between pitch, energy, voice quality,
    spectral shape and the cepstrum, and the local slopes of the first of them. A correlation is
    blind to the mean and the spread of both its sides, and so to much of what makes a speaker; what
    it sees is, for instance, whether a voice gets brighter as it gets higher.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_cepstra : int, default=12
        Number of cepstral coefficients among the contours.
    n_fft : int, default=512
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=256
        Samples between the starts of frames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import VoiceCorrelations
    >>> noise = np.random.default_rng(0).normal(size=(3, 16000)) / 10
    >>> VoiceCorrelations(n_cepstra=0).fit_transform(noise).shape
    (3, 105)
    """

    _parameter_constraints: dict = {
        **SPEECH_CONSTRAINTS,
        **_HARMONICS,
        "n_cepstra": [between(0, 24)],
    }

    def __init__(self, sr=16000, *, n_cepstra=12, n_fft=512, hop_length=256):
        self.sr = sr
        self.n_cepstra = n_cepstra
        self.n_fft = n_fft
        self.hop_length = hop_length

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the correlations of each clip, of shape (n_clips, n_features), float32."""
        stft = self.stft()
        shape = _contours.shape(spectra, stft)[:, _OF_SHAPE]
        voice = _contours.voice(spectra, stft)[:, :3]
        first = [_contours.pitch_contour(spectra, stft), _contours.energy(spectra, stft), *voice.T]
        contours = np.column_stack(
            [*first, shape, _contours.cepstrum(spectra, stft, 26, self.n_cepstra)]
        )
        rows = []
        masks = _activity.masks(spectra, stft, "voiced")
        for part, mask in zip(spectra.split(contours, stft), masks, strict=True):
            slopes = deltas(part[:, : len(_SLOPED)])
            rows.append(_correlations(np.hstack([part, slopes])[mask]))
        return np.stack(rows)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names pitch_energy_correlation, pitch_hnr_correlation, and so on."""
        names = [
            *_SLOPED,
            *("h1_h2", "h1_h3"),
            *(_contours.SHAPE[i] for i in _OF_SHAPE),
            *(f"cepstrum_{i + 1}" for i in range(self.n_cepstra)),
            *(f"{name}_delta" for name in _SLOPED),
        ]
        pairs = zip(*np.triu_indices(len(names), 1), strict=True)
        return np.array([f"{names[i]}_{names[j]}_correlation" for i, j in pairs], dtype=object)


_SLOPED = ("pitch", "energy", "hnr")
_OF_SHAPE = [
    _contours.SHAPE.index(name)
    for name in ("centroid", *(n for n in _contours.SHAPE if n.startswith("slope")), "alpha_ratio")
] + [_contours.SHAPE.index("hammarberg")]


def _correlations(frames: np.ndarray) -> np.ndarray:
    upper = np.triu_indices(frames.shape[1], 1)
    if len(frames) < 8:  # too few for a correlation to mean anything
        return np.zeros(len(upper[0]), dtype=np.float32)
    deviation = frames - frames.mean(axis=0)
    spread = np.sqrt(np.add.reduce(deviation**2, axis=0))
    deviation /= np.maximum(spread, 1e-6 * np.sqrt(len(frames)))
    return np.arctanh(np.clip((deviation.T @ deviation)[upper], -0.98, 0.98)).astype(np.float32)
