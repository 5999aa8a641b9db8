"""Contours of speech (a value per frame), each computed once for all features of a clip.

Everything here is relative to how loud the clip is, so that the distance to the microphone and the
gain of the recording count for nothing.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

from sklearn_ser.features import _activity, _filters, _pitch
from sklearn_ser.features._spectrum import STFT, Spectra
from sklearn_ser.features._statistics import deltas

_FLOOR = 1e-10  # power of a bin, against the clip's level, below which nothing is followed
_BAND_FLOOR = 1e-8  # the same of a band
_RASTA_SECONDS = 0.16  # the time constant of a pole of 0.94 at 100 frames a second

ROLLOFFS = (0.25, 0.5, 0.75, 0.9)
SLOPES = ((0, 500), (500, 1500), (1500, 5000), (0, 8000))
BANDS = ((0, 250), (250, 650), (650, 1000), (1000, 2000), (2000, 4000), (4000, 8000))
SHAPE = (
    "centroid",
    "spread",
    *(f"rolloff_{100 * share:.0f}" for share in ROLLOFFS),
    *(f"slope_{low}_{high}" for low, high in SLOPES),
    "alpha_ratio",
    "hammarberg",
    *(f"band_{low}_{high}" for low, high in BANDS),
    "flux",
)


def _decibels(power: np.ndarray) -> np.ndarray:
    return np.float32(10 / np.log(10)) * np.log(power)


def project(spectra: Spectra, stft: STFT, frames: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return frames @ matrix, clip by clip: last bits may depend on the number of rows."""
    out = np.empty((len(frames), matrix.shape[1]), dtype=np.float32)
    for part, place in zip(spectra.split(frames, stft), spectra.split(out, stft), strict=True):
        np.matmul(part, matrix, out=place)
    return out


def relative(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return the power spectrograms, each clip's level being 1; (n_frames, n_bins)."""

    def compute() -> np.ndarray:
        levels = _activity.per_frame(spectra, stft, 10 ** (-_activity.levels(spectra, stft) / 10))
        power = spectra.power(stft) * levels[:, np.newaxis]
        power += np.float32(_FLOOR)
        return power

    return spectra.once(("relative", stft), compute)


def decibels(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return the spectrograms in dB below the clip's level, of shape (n_frames, n_bins)."""
    return spectra.once(("decibels", stft), lambda: _decibels(relative(spectra, stft)))


def energy(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return the energy of frames in dB below the clip's level, of shape (n_frames,)."""
    levels = _activity.per_frame(spectra, stft, _activity.levels(spectra, stft))
    return np.maximum(_activity.energy(spectra, stft) - levels, -80)


def bark(spectra: Spectra, stft: STFT, n_bands: int) -> np.ndarray:
    """Return the power in the bands of the ear, of shape (n_frames, n_bands)."""

    def compute() -> np.ndarray:
        bank = _filters.bark(spectra.sr, stft.n_fft, n_bands)
        return project(spectra, stft, relative(spectra, stft), bank)

    return spectra.once(("bark", stft, n_bands), compute)


def bark_decibels(spectra: Spectra, stft: STFT, n_bands: int) -> np.ndarray:
    """Return the power in the bands of the ear, in dB below the clip's level."""
    return spectra.once(
        ("bark dB", stft, n_bands),
        lambda: _decibels(bark(spectra, stft, n_bands) + np.float32(_BAND_FLOOR)),
    )


def rasta(spectra: Spectra, stft: STFT, n_bands: int) -> np.ndarray:
    """Return how the bands rise and fall at the pace of speech (RASTA).

    A local slope, integrated with a leak: what stays the same through the clip, such as the
    recording channel and the length of a speaker's throat, is filtered out.
    """
    from scipy.signal import lfilter  # an import that those who need no RASTA do not wait for

    pole = np.exp(-stft.hop_length / spectra.sr / _RASTA_SECONDS)
    bands = bark_decibels(spectra, stft, n_bands)
    parts = [lfilter([1], [1, -pole], deltas(part), axis=0) for part in spectra.split(bands, stft)]
    return np.concatenate(parts).astype(np.float32)


def specific_loudness(spectra: Spectra, stft: STFT, n_bands: int) -> np.ndarray:
    """Return the loudness of each band of the ear, the clip's loud frames summing to 1."""

    def compute() -> np.ndarray:
        loudness = np.cbrt(bark(spectra, stft, n_bands))
        total = np.add.reduce(loudness, axis=1)
        loud = [np.sort(part)[int(0.95 * (len(part) - 1))] for part in spectra.split(total, stft)]
        scale = _activity.per_frame(spectra, stft, 1 / np.maximum(loud, 1e-12))
        return loudness * scale[:, np.newaxis]

    return spectra.once(("loudness", stft, n_bands), compute)


def cepstrum(spectra: Spectra, stft: STFT, n_bands: int, n: int) -> np.ndarray:
    """Return cepstral coefficients 1 to n of the bands of the ear, of shape (n_frames, n)."""
    transform = _filters.dct(n_bands, n + 1, 2, "ortho")[:, 1:]
    return project(spectra, stft, bark_decibels(spectra, stft, n_bands), transform)


class _ShapeFilters:
    """Matrices over the bins of a spectrum, for `shape`."""

    def __init__(self, sr: int, n_fft: int):
        hz = _filters.fft_frequencies(sr, n_fft)
        self.hz = hz.astype(np.float32)
        ranges = [*BANDS, (50, 1000), (1000, 5000)]
        self.sums = np.stack([(hz >= low) & (hz < high) for low, high in ranges], axis=1)
        self.sums = self.sums.astype(np.float32)
        self.moments = np.stack([np.ones_like(hz), hz, hz**2], axis=1).astype(np.float32)
        slopes = []
        for low, high in SLOPES:
            inside = (hz >= low) & (hz <= min(high, sr / 2))
            place = np.where(inside, (hz - hz[inside].mean()) / 1000, 0)
            slopes.append(place / max(place @ place, 1e-12))
        self.slopes = np.stack(slopes, axis=1).astype(np.float32)
        self.two_kilohertz, self.five_kilohertz = np.searchsorted(hz, [2000, 5000])


_shape_filters = lru_cache(maxsize=8)(_ShapeFilters)


def shape(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return what `SHAPE` names of each frame's spectrum, of shape (n_frames, len(SHAPE))."""
    return spectra.once(("shape", stft), lambda: _shape(spectra, stft))


def _shape(spectra: Spectra, stft: STFT) -> np.ndarray:
    filters = _shape_filters(spectra.sr, stft.n_fft)
    power = relative(spectra, stft)
    total, first, second = project(spectra, stft, power, filters.moments).T
    centroid = first / total
    spread = np.sqrt(np.maximum(second / total - centroid**2, 0))
    cumulated = np.cumsum(power, axis=1)
    step = np.float32(spectra.sr / stft.n_fft)
    rolloffs = [
        # The first bin that reaches the share: as many are below it, for the sum never falls.
        step * (cumulated < share * total[:, np.newaxis]).argmin(axis=1).astype(np.float32)
        for share in ROLLOFFS
    ]
    slopes = project(spectra, stft, decibels(spectra, stft), filters.slopes)
    sums = _decibels(project(spectra, stft, power, filters.sums) + np.float32(_BAND_FLOOR))
    low, high = filters.two_kilohertz, filters.five_kilohertz
    peaks = [
        _decibels(np.maximum.reduce(power[:, a:b], axis=1)) for a, b in ((0, low), (low, high))
    ]
    magnitude = np.sqrt(power / total[:, np.newaxis])
    flux = np.zeros_like(total)
    np.sqrt(np.add.reduce((magnitude[1:] - magnitude[:-1]) ** 2, axis=1), out=flux[1:])
    flux[spectra.bounds(stft)[:-1]] = 0
    n = len(BANDS)
    contours = [
        centroid,
        spread,
        *rolloffs,
        *slopes.T,
        sums[:, n + 1] - sums[:, n],
        peaks[0] - peaks[1],
        *(sums[:, :n] - _decibels(total)[:, np.newaxis]).T,
        flux,
    ]
    return np.stack(contours, axis=1)


VOICE = ("hnr", "h1_h2", "h1_h3", "h1_a3")


def voice(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return what `VOICE` names of each frame, of shape (n_frames, 4); 0 where there is no pitch.

    Harmonics-to-noise ratio, and by how much the first harmonic surpasses the second, the third,
    and the strongest between 2 and 3.5 kHz; all in dB.
    """
    return spectra.once(("voice", stft.hop_length), lambda: _voice(spectra, stft.hop_length))


def _voice(spectra: Spectra, hop_length: int) -> np.ndarray:
    found = _pitch.track(spectra, hop_length)
    long = _pitch.setting(spectra.sr, hop_length)
    out = np.zeros((len(found.voiced), len(VOICE)), dtype=np.float32)
    rows = np.flatnonzero(found.voiced)
    power = spectra.power(long)
    share = np.clip(found.strength[rows], 1e-3, 0.9999)
    pitch = _pitch.REFERENCE * 2 ** (found.semitones[rows] / 12)
    width = long.n_fft / spectra.sr
    near = np.arange(-2, 3)
    harmonics = []
    for k in (1, 2, 3):
        bins = np.rint(k * pitch * width).astype(int)[:, np.newaxis] + near
        # The sum over the window's main lobe does not depend on where between bins it lies.
        harmonics.append(np.add.reduce(power[rows[:, np.newaxis], bins], axis=1))
    high = power[rows, int(2000 * width) : int(3500 * width) + 5]
    lobes = np.lib.stride_tricks.sliding_window_view(high, len(near), axis=1)
    harmonics.append(np.maximum.reduce(np.add.reduce(lobes, axis=2), axis=1))
    levels = _decibels(np.stack(harmonics, axis=1) + np.float32(1e-10))
    out[rows, 0] = 10 * np.log10(share / (1 - share))
    out[rows, 1:] = levels[:, :1] - levels[:, 1:]
    return out


def pitch_contour(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return the pitch in semitones from each clip's median, held through pauses; (n_frames,)."""
    return spectra.once(("contour", stft.hop_length), lambda: _pitch_contour(spectra, stft))


def _pitch_contour(spectra: Spectra, stft: STFT) -> np.ndarray:
    found = _pitch.track(spectra, stft.hop_length)
    out = np.zeros(len(found.voiced), dtype=np.float32)
    long = _pitch.setting(spectra.sr, stft.hop_length)
    for place, semitones in zip(
        spectra.split(out, long), spectra.split(found.semitones, long), strict=True
    ):
        voiced = np.flatnonzero(~np.isnan(semitones))
        if len(voiced):
            pitch = semitones[voiced]
            place[:] = np.interp(np.arange(len(place)), voiced, pitch - np.median(pitch))
    return out


def modulation(bands: np.ndarray, frame_rate: float, edges: np.ndarray) -> np.ndarray:
    """Return the log energy of the fluctuations of some contours in bands of modulation frequency.

    Parameters
    ----------
    bands : ndarray of shape (n_frames, n_channels)
    frame_rate : float
        Frames a second.
    edges : ndarray of shape (n_bands + 1,)
        Edges of the bands of modulation frequency, in Hz.

    Returns
    -------
    energies : ndarray of shape (n_bands, n_channels)
    """
    window = np.hanning(len(bands) + 2)[1:-1].astype(np.float32)[:, np.newaxis]
    n_fft = fft.next_fast_len(max(512, len(bands)), real=True)
    power = np.abs(fft.rfft((bands - bands.mean(axis=0)) * window, n_fft, axis=0)) ** 2
    cuts = np.searchsorted(np.arange(len(power)) * frame_rate / n_fft, edges)
    cumulated = np.concatenate([np.zeros_like(power[:1]), np.cumsum(power, axis=0)])
    density = (cumulated[cuts[1:]] - cumulated[cuts[:-1]]) / (np.sum(window**2) * n_fft)
    return np.log(np.maximum(density, 0) + 1e-4)
