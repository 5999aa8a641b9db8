"""Features of articulation: formants, and the regularity of the voice's cycles."""

import numpy as np
from scipy import fft

from sklearn_ser._sklearn import between
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import _pitch
from sklearn_ser.features._spectrum import STFT, Spectra
from sklearn_ser.features.auditory import SPEECH_CONSTRAINTS
from sklearn_ser.features.transformers import (
    STATISTICS_CONSTRAINTS,
    ClipTransformer,
    FrameTransformer,
)

__all__ = ["Formants", "Perturbation"]

_PREEMPHASIS = 0.97
# As in Praat's To Pitch, To PointProcess (cc), Get jitter and Get shimmer.
_VOICED = 0.45  # strength of the periodicity of a voiced frame
_SILENT = 0.03  # share of the clip's peak
_LIKE, _LIKE_OUTSIDE = 0.3, 0.7  # correlation of a cycle with the one before
_PERIOD_LEAP, _LEVEL_LEAP = 1.3, 1.6

_MARGIN = 50  # Hz from both ends where a root is no formant


class Formants(FrameTransformer):
    """The resonances of the vocal tract: frequencies of the first three formants, in Hz.

    Roots of a linear prediction of the spectrum below `fmax` [1]_, frame by frame. They tell vowels
    and speakers at least as much as emotions, and are no part of the set functionals. A formant
    that a frame lacks is taken from the frames around it.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    order : int, default=10
        Order of the prediction: twice the number of resonances below `fmax`.
    fmax : float, default=5500.0
        Highest frequency, in Hz: 5500 for voices of women, 5000 for those of men, as in Praat.
    n_fft : int, default=512
        Length of a frame and of its Fourier transform, in samples.
    hop_length : int, default=256
        Samples between the starts of frames.
    statistics : tuple of str, default=("median", "std")
        What is computed of each contour, as in :class:`MFCC`.
    deltas : int, default=0
        How many times the local slopes are added as further contours.
    over : {"all", "speech", "voiced"}, default="voiced"
        Which frames count: all, those between the first and the last of speech, or those where
        the voice has a pitch.

    References
    ----------
    .. [1] Makhoul, J. "Spectral linear prediction: properties and applications", IEEE TASSP 23(3),
       1975.

    Examples
    --------
    >>> from sklearn_ser import Formants
    >>> Formants(statistics=("median",)).get_feature_names_out().tolist()
    ['f1_voiced_median', 'f2_voiced_median', 'f3_voiced_median']
    """

    _parameter_constraints: dict = {
        **SPEECH_CONSTRAINTS,
        **STATISTICS_CONSTRAINTS,
        "order": [between(4, 30, closed="both")],
        "fmax": [between(1000, 24000, closed="both")],
    }

    def __init__(
        self,
        sr=16000,
        *,
        order=10,
        fmax=5500.0,
        n_fft=512,
        hop_length=256,
        statistics=("median", "std"),
        deltas=0,
        over="voiced",
    ):
        self.sr = sr
        self.order = order
        self.fmax = fmax
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.statistics = statistics
        self.deltas = deltas
        self.over = over

    def check_settings(self) -> None:
        """Raise `ValueError` for parameters that are wrong alone or do not fit together."""
        super().check_settings()
        n_lags = 2 * _n_bins(self.fmax, self.sr, self.n_fft) - 2
        if self.order >= n_lags:
            raise OptionError(
                f"Formants: `order={self.order}` needs a longer spectrum than `n_fft={self.n_fft}` "
                f"has below `fmax={self.fmax:g}` Hz: lower `order`, or raise `n_fft`."
            )

    def frames(self, spectra: Spectra) -> np.ndarray:
        """Return the formants of some clips' frames, of shape (n_frames, 3)."""
        stft = self.stft()
        found = _formants(spectra, stft, self.order, self.fmax)
        for part in spectra.split(found, stft):
            for contour in part.T:
                known = np.flatnonzero(~np.isnan(contour))
                held = contour[known] if len(known) else [0]
                contour[:] = np.interp(np.arange(len(contour)), known if len(known) else [0], held)
        return found

    def channels(self) -> list[str]:
        """Return the names f1, f2 and f3."""
        return ["f1", "f2", "f3"]


def _n_bins(fmax: float, sr: int, n_fft: int) -> int:
    return round(min(fmax, sr / 2) * n_fft / sr) + 1


def _formants(spectra: Spectra, stft: STFT, order: int, fmax: float) -> np.ndarray:
    power = spectra.power(stft)
    n_bins = _n_bins(fmax, spectra.sr, stft.n_fft)
    rate = 2 * (n_bins - 1) * spectra.sr / stft.n_fft
    turn = np.exp(-2j * np.pi * np.arange(n_bins) / stft.n_fft)
    emphasis = np.abs(1 - _PREEMPHASIS * turn) ** 2
    out = np.full((len(power), 3), np.nan, dtype=np.float32)
    heard = np.flatnonzero(power.max(axis=1) > 1e-8)
    if not len(heard):
        return out
    correlation = fft.irfft(power[heard, :n_bins] * emphasis, axis=1)[:, : order + 1]
    prediction = _levinson(correlation.astype(np.float64))
    companion = np.zeros((len(heard), order, order))
    companion[:, 0] = -prediction
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1
    roots = np.linalg.eigvals(companion)
    hz = np.angle(roots) * rate / (2 * np.pi)
    clear = (hz > _MARGIN) & (hz < rate / 2 - _MARGIN)
    out[heard] = np.sort(np.where(clear, hz, np.nan), axis=1)[:, :3]
    return out


def _levinson(correlation: np.ndarray) -> np.ndarray:
    """Return the coefficients 1 to order of the predictor of each row of autocorrelations."""
    order = correlation.shape[1] - 1
    error = correlation[:, 0] * (1 + 1e-9) + 1e-20
    a = np.zeros_like(correlation)
    a[:, 0] = 1
    for i in range(1, order + 1):
        reflection = -np.einsum("nk,nk->n", a[:, :i], correlation[:, i:0:-1]) / error
        a[:, 1 : i + 1] += reflection[:, np.newaxis] * a[:, :i][:, ::-1].copy()
        error *= np.maximum(1 - reflection**2, 1e-12)
    return a[:, 1:]


class Perturbation(ClipTransformer):
    """How regular the cycles of the voice are: jitter and shimmer.

    The mean difference between successive periods as a share of the mean period, and between the
    levels of successive cycles in dB [1]_. Cycles are marked as Praat does [2]_: from the strongest
    peak of a voiced stretch on, each mark is where the waveform is most like it was one cycle
    before (docs/features.md has the correlations with Praat's values). No part of the set
    functionals, whose scores it does not raise.

    Parameters
    ----------
    sr : int, default=16000
        Sampling rate of the clips, in Hz.
    hop_length : int, default=256
        Samples between the frames of the pitch tracker.

    References
    ----------
    .. [1] Teixeira, J.P., Oliveira, C., Lopes, C. "Vocal acoustic analysis: jitter, shimmer and HNR
       parameters", Procedia Technology 9, 2013.
    .. [2] Boersma, P. "Accurate short-term analysis of the fundamental frequency and the
       harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import Perturbation
    >>> t = np.arange(16000) / 16000
    >>> steady = sum(np.cos(2 * np.pi * 160 * k * t) / k for k in range(1, 9))
    >>> jitter, shimmer = Perturbation().fit_transform([steady])[0]
    >>> bool(jitter < 0.002), bool(shimmer < 0.02)
    (True, True)
    """

    _parameter_constraints: dict = {name: SPEECH_CONSTRAINTS[name] for name in ("sr", "hop_length")}

    def __init__(self, sr=16000, *, hop_length=256):
        self.sr = sr
        self.hop_length = hop_length

    def stft(self) -> STFT:
        """Return the setting of the spectrum that the pitch tracker uses."""
        return _pitch.setting(self.sr, self.hop_length)

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return jitter and shimmer of some clips, of shape (n_clips, 2), float32."""
        found = _pitch.track(spectra, self.hop_length)
        contours = spectra.split(np.column_stack([found.semitones, found.strength]), self.stft())
        rows = [
            _perturbation(y.astype(np.float64), contour, self.sr, self.hop_length)
            for y, contour in zip(spectra.clips, contours, strict=True)
        ]
        return np.array(rows, dtype=np.float32)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names jitter_local and shimmer_local_db."""
        return np.array(["jitter_local", "shimmer_local_db"], dtype=object)


def _perturbation(
    y: np.ndarray, contour: np.ndarray, sr: int, hop_length: int
) -> tuple[float, float]:
    """Return jitter and shimmer of a clip; 0 where it has no cycles to compare."""
    peak = np.abs(y).max()
    marks = []
    for start, end in zip(*_pitch.runs(_steady(y, contour, sr, hop_length, peak)), strict=True):
        first = max(start * hop_length - hop_length // 2, 0)
        last = min((end - 1) * hop_length + hop_length // 2, len(y))
        hz = _pitch.REFERENCE * 2 ** (contour[start:end, 0] / 12)
        places = np.arange(start, end) * hop_length
        marks += _mark_cycles(
            y, first, last, sr / np.interp(np.arange(first, last), places, hz), peak
        )
    times = np.unique(marks)
    periods = np.diff(times)
    # As in Praat: periods up to 20 ms, neither a missed cycle nor a pause between them.
    usual = periods <= 0.02 * sr
    leap = np.abs(np.diff(np.log(periods)))
    pairs = np.flatnonzero(usual[1:] & usual[:-1] & (leap <= np.log(_PERIOD_LEAP)))
    if not len(pairs):
        return 0.0, 0.0
    compared = periods[np.union1d(pairs, pairs + 1)]
    jitter = np.abs(periods[pairs + 1] - periods[pairs]).mean() / compared.mean()
    levels = np.full(len(times), np.nan)
    for i in pairs:
        levels[i + 1] = _level(y, times[i + 1], 0.2 * periods[i], 0.2 * periods[i + 1])
    steps = np.abs(np.diff(levels))
    steps = steps[usual & (steps <= 20 * np.log10(_LEVEL_LEAP))]
    return float(jitter), float(steps.mean()) if len(steps) else 0.0


def _steady(
    y: np.ndarray, contour: np.ndarray, sr: int, hop_length: int, peak: float
) -> np.ndarray:
    """Return which frames are voiced for Praat: where soft ones must be the more periodic."""
    reach = sr // 100
    places = np.arange(len(contour)) * hop_length
    loud = np.array([np.abs(y[max(p - reach, 0) : p + reach]).max(initial=0) for p in places])
    softness = np.maximum(0, 2 - loud / max(peak, 1e-9) * (1 + _VOICED) / _SILENT)
    return ~np.isnan(contour[:, 0]) & (contour[:, 1] > _VOICED + softness)


def _mark_cycles(
    y: np.ndarray, first: int, last: int, periods: np.ndarray, peak: float
) -> list[float]:
    """Return where the cycles of a voiced stretch are, in samples.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
        The clip.
    first, last : int
        Where the stretch begins and ends.
    periods : ndarray of shape (last - first,)
        The length of a cycle at each sample of the stretch, in samples.
    peak : float
        The greatest magnitude of the clip.
    """
    if last - first < 3:
        return []
    middle = (first + last) // 2
    reach = int(periods[middle - first] / 2) + 1
    here = np.abs(y[max(middle - reach, 0) : middle + reach])
    begin = float(max(middle - reach, 0) + here.argmax())
    marks = [begin]
    for direction in (-1, 1):
        place = marked = begin
        while first <= place < last:
            period = periods[int(place) - first]
            found = _next_cycle(y, place, period, direction)
            if found is None:
                break
            place, likeness, height = found
            outside = not first <= place < last
            alike = likeness > (_LIKE_OUTSIDE if outside else _LIKE)
            if alike and height > 0.01 * peak and abs(place - marked) > 0.8 * period:
                marks.append(place)
                marked = place
    return marks


def _next_cycle(
    y: np.ndarray, place: float, period: float, direction: int
) -> tuple[float, float, float] | None:
    """Return where the waveform is most like around `place`, how much, and its peak there."""
    n = round(period)
    centre = round(place)
    start = centre - n // 2
    steps = sorted((direction * int(0.8 * period), direction * int(np.ceil(1.25 * period))))
    low, high = max(start + steps[0], 0), min(start + steps[1], len(y) - n)
    if start < 0 or start + n > len(y) or high - low < 2:
        return None
    cycle, region = y[start : start + n], y[low : high + n]
    energy = np.concatenate([[0.0], np.cumsum(region * region)])
    norms = np.sqrt(np.maximum((energy[n:] - energy[:-n]) * (cycle @ cycle), 1e-20))
    likeness = np.correlate(region, cycle, "valid") / norms
    k = int(likeness.argmax())
    shift = 0.0
    if 0 < k < len(likeness) - 1:
        below, here, above = likeness[k - 1 : k + 2]
        curvature = below + above - 2 * here
        shift = (below - above) / (2 * curvature) if curvature < 0 else 0.0
    moved = low + k + shift - start
    return place + moved, float(likeness[k]), float(np.abs(region[k : k + n]).max())


def _level(y: np.ndarray, place: float, left: float, right: float) -> float:
    """Return the level around a mark in dB, under a window as wide on each side as is said."""
    first, last = max(int(np.ceil(place - left)), 0), min(int(place + right), len(y) - 1)
    away = np.arange(first, last + 1) - place
    window = 1 + np.cos(np.pi * np.where(away < 0, -away / left, away / right))
    power = np.sum((window * y[first : last + 1]) ** 2) / max(np.sum(window**2), 1e-9)
    return float(10 * np.log10(max(power, 1e-20)))
