"""Features of rhythm: voiced stretches and pauses, and the modulation of the spectrum."""

from numbers import Real

import numpy as np

from sklearn_ser._sklearn import at_least
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import _activity, _contours, _pitch
from sklearn_ser.features._spectrum import Spectra
from sklearn_ser.features.auditory import SPEECH_CONSTRAINTS
from sklearn_ser.features.transformers import ClipTransformer

__all__ = ["ModulationSpectrum", "Rhythm"]

_RHYTHM = (
    "voiced_rate",
    "voiced_seconds_mean",
    "voiced_seconds_std",
    "voiced_seconds_max",
    "pause_seconds_mean",
    "pause_seconds_std",
    "pause_seconds_max",
    "voiced_share",
    "syllable_rate",
    "active_share",
    "log_seconds",
    "rise_mean",
    "rise_std",
    "rise_max",
    "rise_min",
    "rise_abs_mean",
    "rising_share",
)


class Rhythm(ClipTransformer):
    """Tempo and phrasing: voiced stretches, pauses, syllables, and how pitch moves within each.

    Voiced stretches a second, their length and that of the gaps between them (in seconds), their
    share of the speech; syllables a second, counted as peaks of loudness; the share of frames that
    are not quiet; the logarithm of the length of the speech; and the slopes of pitch within voiced
    stretches (in semitones a second).

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_fft : int, default=512
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=256
        Samples between the starts of frames.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import Rhythm
    >>> noise = np.random.default_rng(0).normal(size=(3, 16000)) / 10
    >>> Rhythm().fit_transform(noise).shape
    (3, 17)
    """

    _parameter_constraints: dict = {**SPEECH_CONSTRAINTS}

    def __init__(self, sr=16000, *, n_fft=512, hop_length=256):
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the features of some clips, of shape (n_clips, 17), float32."""
        stft = self.stft()
        loudness = np.add.reduce(_contours.specific_loudness(spectra, stft, 26), axis=1)
        seconds = self.hop_length / self.sr
        clips = zip(
            _activity.masks(spectra, stft, "speech"),
            _activity.masks(spectra, stft, "voiced"),
            spectra.split(_contours.pitch_contour(spectra, stft), stft),
            spectra.split(loudness, stft),
            spectra.split(_contours.energy(spectra, stft), stft),
            strict=True,
        )
        return np.stack([_rhythm(*clip, seconds) for clip in clips])

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names voiced_rate, voiced_seconds_mean, and so on."""
        return np.array(_RHYTHM, dtype=object)


def _rhythm(
    speech: slice,
    voiced: np.ndarray,
    contour: np.ndarray,
    loudness: np.ndarray,
    energy: np.ndarray,
    seconds: float,
) -> np.ndarray:
    starts, ends = _pitch.runs(voiced)
    lengths = seconds * (ends - starts)
    pauses = seconds * (starts[1:] - ends[:-1])
    total = seconds * (speech.stop - speech.start)
    values = [
        len(starts) / total,
        *_spread(lengths),
        *_spread(pauses),
        lengths.sum() / total,
        _peaks(loudness[speech], seconds) / total,
        np.mean(energy[speech] > -25),
        np.log(total),
        *_rises(contour, starts, ends, seconds),
    ]
    return np.array(values, dtype=np.float32)


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    return (values.mean(), values.std(), values.max()) if len(values) else (0.0, 0.0, 0.0)


def _peaks(loudness: np.ndarray, seconds: float) -> int:
    """Return how many peaks the contour of loudness has, smoothed over 50 ms."""
    width = 2 * int(0.05 / seconds / 2) + 1
    smooth = np.convolve(loudness, np.ones(width) / width, "same")
    middle = smooth[1:-1]
    high = middle > 0.3 * smooth.max()
    return int(np.count_nonzero(high & (middle > smooth[:-2]) & (middle >= smooth[2:])))


def _rises(
    contour: np.ndarray, starts: np.ndarray, ends: np.ndarray, seconds: float
) -> list[float]:
    """Return statistics of the slopes of pitch within voiced stretches, in semitones a second."""
    slopes = []
    for start, end in zip(starts, ends, strict=True):
        if end - start >= 4:
            time = np.arange(end - start) - (end - start - 1) / 2
            slopes.append(time @ contour[start:end] / (time @ time) / seconds)
    if not slopes:
        return [0.0] * 6
    rises = np.array(slopes)
    return [
        float(rises.mean()),
        float(rises.std()),
        float(rises.max()),
        float(rises.min()),
        float(np.abs(rises).mean()),
        float(np.mean(rises > 0)),
    ]


class ModulationSpectrum(ClipTransformer):
    """How fast the bands of the spectrum fluctuate: energy in bands of modulation frequency.

    Syllables make levels rise and fall some four times a second, and the emotions differ in how
    much faster fluctuations there are [1]_. Taken of the levels in dB of groups of three bands of
    the ear, over the clip's speech.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    n_groups : int, default=8
        Number of groups of bands, of three Bark bands each.
    edges : tuple of float, default=(0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 31)
        Edges of the bands of modulation frequency, in Hz.
    n_fft : int, default=512
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=256
        Samples between the starts of frames.

    References
    ----------
    .. [1] Wu, S., Falk, T.H., Chan, W.-Y. "Automatic speech emotion recognition using modulation
       spectral features", Speech Communication 53(5), 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import ModulationSpectrum
    >>> noise = np.random.default_rng(0).normal(size=(3, 16000)) / 10
    >>> ModulationSpectrum().fit_transform(noise).shape
    (3, 80)
    """

    _parameter_constraints: dict = {
        **SPEECH_CONSTRAINTS,
        "n_groups": [at_least(1)],
        "edges": [tuple, list],
    }

    def __init__(
        self,
        sr=16000,
        *,
        n_groups=8,
        edges=(0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 31),
        n_fft=512,
        hop_length=256,
    ):
        self.sr = sr
        self.n_groups = n_groups
        self.edges = edges
        self.n_fft = n_fft
        self.hop_length = hop_length

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        edges = list(self.edges)
        numbers = all(isinstance(edge, Real) for edge in edges)
        if not numbers or len(edges) < 2 or sorted(set(edges)) != edges or edges[0] < 0:
            raise OptionError(
                f"ModulationSpectrum: `edges={self.edges}` must be two or more ascending "
                "frequencies in Hz."
            )

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the features of some clips, of shape (n_clips, n_features), float32."""
        stft = self.stft()
        bands = _contours.bark_decibels(spectra, stft, 3 * self.n_groups)
        groups = bands.reshape(len(bands), self.n_groups, 3).mean(axis=2)
        masks = _activity.masks(spectra, stft, "speech")
        rate, edges = self.sr / self.hop_length, np.asarray(self.edges, dtype=float)
        rows = [
            _contours.modulation(part[mask], rate, edges).ravel()
            for part, mask in zip(spectra.split(groups, stft), masks, strict=True)
        ]
        return np.stack(rows).astype(np.float32)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names modulation_0.5_1_0 (0.5 to 1 Hz, lowest bands), and so on."""
        return np.array(
            [
                f"modulation_{low:g}_{high:g}_{group}"
                for low, high in zip(self.edges[:-1], self.edges[1:], strict=True)
                for group in range(self.n_groups)
            ],
            dtype=object,
        )
