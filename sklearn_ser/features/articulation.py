"""Features of articulation: formants, and the regularity of the voice's cycles."""

import numpy as np
from scipy import fft, signal

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
    peaks of successive cycles in dB [1]_. Cycles are marked where the waveform, low-passed, peaks
    near the period that the pitch tracker found, so these are approximations to what a
    phonetician's program finds on a sustained vowel; on running speech they follow its ranking
    loosely (docs/features.md has the correlations), and they are no part of the set functionals.

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
        contours = spectra.split(found.semitones, self.stft())
        rows = [
            _perturbation(y, semitones, self.sr, self.hop_length)
            for y, semitones in zip(spectra.clips, contours, strict=True)
        ]
        return np.array(rows, dtype=np.float32)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names jitter_local and shimmer_local_db."""
        return np.array(["jitter_local", "shimmer_local_db"], dtype=object)


def _perturbation(
    y: np.ndarray, semitones: np.ndarray, sr: int, hop_length: int
) -> tuple[float, float]:
    period_steps, periods, peak_steps = [], [], []
    kernel = signal.get_window("hann", 2 * int(0.0008 * sr) + 1, fftbins=False)
    smooth = np.convolve(y, kernel / kernel.sum(), "same") if len(y) > len(kernel) else y
    for start, end in zip(*_pitch.runs(~np.isnan(semitones)), strict=True):
        first, last = start * hop_length, min((end - 1) * hop_length, len(y))
        pitch = _pitch.REFERENCE * 2 ** (semitones[start:end] / 12)
        hz = np.interp(np.arange(first, last), np.arange(start, end) * hop_length, pitch)
        marks, peaks = _marks(smooth[first:last], hz / sr)
        if len(marks) < 3:
            continue
        lengths = np.diff(marks)
        expected = 1 / np.interp(marks[:-1], np.arange(len(hz)), hz / sr)
        usual = np.abs(lengths / expected - 1) < 0.25  # neither a leap nor a missed cycle
        pairs = usual[1:] & usual[:-1]
        period_steps.append(np.abs(np.diff(lengths))[pairs])
        periods.append(lengths[1:][pairs])
        peak_steps.append(np.abs(20 * np.diff(np.log10(np.maximum(peaks, 1e-9))))[:-1][pairs])
    if not periods or not len(np.concatenate(periods)):
        return 0.0, 0.0
    jitter = np.concatenate(period_steps).mean() / np.concatenate(periods).mean()
    return float(jitter), float(np.concatenate(peak_steps).mean())


def _marks(y: np.ndarray, cycles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each cycle peaks, between samples by a parabola, and how high.

    Parameters
    ----------
    y : ndarray of shape (n_times,)
        A voiced stretch.
    cycles : ndarray of shape (n_times,)
        Cycles a sample.
    """
    if len(y) < 3 * 16:
        return np.empty(0), np.empty(0)
    if -y.min() > y.max():
        y = -y
    phase = np.cumsum(cycles)
    # Turned so that the peaks lie in the middle of a cycle, far from where cycles are cut.
    centre = np.angle(np.sum(np.maximum(y, 0) ** 4 * np.exp(2j * np.pi * phase))) / (2 * np.pi)
    cuts = np.flatnonzero(np.diff(np.floor(phase - centre + 0.5)) > 0) + 1
    if len(cuts) < 4:
        return np.empty(0), np.empty(0)
    peaks = np.maximum.reduceat(y, cuts)[:-1]
    inside = y[cuts[0] : cuts[-1]]
    hits = np.flatnonzero(inside == np.repeat(peaks, np.diff(cuts))) + cuts[0]
    # The first sample of each cycle that reaches its peak.
    places = hits[np.searchsorted(hits, cuts[:-1])]
    places = np.clip(places, 1, len(y) - 2)
    below, here, above = (y[places + k].astype(float) for k in (-1, 0, 1))
    curvature = below + above - 2 * here
    shift = np.divide(
        below - above, 2 * curvature, out=np.zeros_like(here), where=curvature < -1e-12
    )
    return places + np.clip(shift, -0.5, 0.5), peaks
