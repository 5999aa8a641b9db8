"""Pitch tracking: pitch, periodicity and voicing of each frame.

The autocorrelation of a frame, divided by that of its window, has a peak at the period whose height
is the share of periodic power in the frame [1]_. Which of the peaks is the period, rather than its
double or half, is settled in three passes: the best peak alone, the best near the clip's median
pitch, and the best near the median of the frames around it.

References
----------
.. [1] Boersma, P. "Accurate short-term analysis of the fundamental frequency and the
   harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.
"""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import fft

from sklearn_ser.features import _filters
from sklearn_ser.features._spectrum import STFT, Spectra

REFERENCE = 27.5  # Hz, where semitones are counted from: A0
LOWEST, HIGHEST = 60.0, 600.0  # Hz, from a low male voice to a cry
SECONDS = 0.064  # a frame holds four periods of the lowest pitch

_LEAST_PEAK = 0.3  # of the autocorrelation, to be a candidate
_VOICED_PEAK = 0.5  # to count as voiced: as much periodic power as noise
_STRONG_PEAK = 0.75  # to take part in medians
_OCTAVE_COST = 0.03  # by how much a peak must be higher than one an octave above it
_LEAP_COST = 0.03  # a semitone away from the frames around
_FARTHEST = 9  # semitones from the frames around
_QUIETEST = 1e-4  # power, against the clip's loud frames
_AROUND = 9  # frames of the local median
_SHORTEST = 3  # voiced frames in a row


class Track(NamedTuple):
    """The pitch of all frames of some clips."""

    semitones: np.ndarray  # above REFERENCE, nan where there is no pitch; (n_frames,)
    strength: np.ndarray  # share of periodic power, 0 to 1; (n_frames,)
    voiced: np.ndarray  # where there is a pitch; (n_frames,)


def setting(sr: int, hop_length: int) -> STFT:
    """Return the Fourier transform that pitch is tracked on."""
    win_length = round(SECONDS * sr)
    n_fft = 1 << (win_length - 1).bit_length()
    return STFT(n_fft, hop_length, win_length, "hann", True, "constant")


def track(spectra: Spectra, hop_length: int) -> Track:
    """Return the pitch of all frames of some clips, one each `hop_length` samples."""
    stft = setting(spectra.sr, hop_length)
    return spectra.once(("pitch", stft), lambda: _track(spectra, stft))


def _n_bins(sr: int, n_fft: int) -> int:
    """Return how many bins pitch is heard in: those up to 4 kHz or a little more."""
    n_bins = n_fft // 2
    while n_bins / 2 * sr / n_fft >= 4000:
        n_bins //= 2
    return n_bins + 1


@lru_cache(maxsize=8)
def _hearing(n_bins: int) -> np.ndarray:
    """Return a weight for each bin: falling smoothly, so that the peaks at the period are round."""
    weights = np.cos(np.linspace(0, np.pi / 2, n_bins)) ** 2
    weights[:2] = 0  # a constant offset is as periodic as can be
    return weights.astype(np.float32)


@lru_cache(maxsize=8)
def _window_correlation(stft: STFT, n_bins: int) -> np.ndarray:
    window = _filters.window(stft.window, stft.win_length, stft.n_fft)
    correlation = fft.irfft(np.abs(fft.rfft(window)[:n_bins]) ** 2)
    return (correlation / correlation[0]).astype(np.float32)


def _track(spectra: Spectra, stft: STFT) -> Track:
    bounds = spectra.bounds(stft)
    n_bins = _n_bins(spectra.sr, stft.n_fft)
    power = spectra.power(stft)[:, :n_bins] * _hearing(n_bins)
    rate = spectra.sr * 2 * (n_bins - 1) / stft.n_fft
    first, last = int(rate / HIGHEST), int(np.ceil(rate / LOWEST))
    correlation = fft.irfft(power, axis=1)[:, : last + 2]
    loudness = np.maximum(correlation[:, :1], np.float32(1e-12))
    correlation = correlation / (loudness * _window_correlation(stft, n_bins)[: last + 2])
    frame, lag, height = _peaks(correlation, first, last)
    semitones = 12 * np.log2(rate / REFERENCE / lag)
    score = height - _OCTAVE_COST * np.log2(lag)
    audible = _audible(loudness[:, 0], bounds)

    n_frames = len(power)
    chosen = _best(frame, score, n_frames)
    pitch, strength = _take(chosen, semitones, height)
    strong = (strength > _STRONG_PEAK) & audible
    near = np.zeros(n_frames)
    for start, end in pairwise(bounds):
        near[start:end] = _median_or(pitch[start:end][strong[start:end]], np.nan)
    near_clip = np.nan_to_num(near)
    chosen = _best(frame, score - 0.02 * np.abs(semitones - near_clip[frame]), n_frames)
    pitch, strength = _take(chosen, semitones, height)
    for start, end in pairwise(bounds):
        near[start:end] = _around(pitch[start:end], strong[start:end], near[start:end])
    near = np.where(np.isnan(near), 0, near)
    leap = np.abs(semitones - near[frame])
    chosen = _best(frame, score - _LEAP_COST * leap, n_frames)
    pitch, strength = _take(chosen, semitones, height)
    with np.errstate(invalid="ignore"):
        voiced = (strength > _VOICED_PEAK) & audible & (np.abs(pitch - near) < _FARTHEST)
    for start, end in pairwise(bounds):
        _drop_short(voiced[start:end])
    pitch = np.where(voiced, pitch, np.nan).astype(np.float32)
    return Track(pitch, np.clip(strength, 0, 1).astype(np.float32), voiced)


def _peaks(r: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frame, place and height of the local maxima, placed between samples by a parabola."""
    here = r[:, first : last + 1]
    peaks = here > np.float32(_LEAST_PEAK)
    peaks &= here > r[:, first - 1 : last]
    peaks &= here >= r[:, first + 1 : last + 2]
    frame, lag = np.divmod(np.flatnonzero(peaks), last + 1 - first)
    lag += first
    flat, place = r.ravel(), frame * r.shape[1] + lag
    middle, below, above = (flat[place + k].astype(np.float64) for k in (0, -1, 1))
    shift = (below - above) / (2 * (below + above - 2 * middle))
    return frame, lag + shift, np.minimum(middle - (below - above) * shift / 4, 0.99999)


def _best(frame: np.ndarray, score: np.ndarray, n_frames: int) -> np.ndarray:
    """Return the place of each frame's best candidate, -1 where it has none."""
    best = np.full(n_frames, -1)
    if len(frame):
        starts = np.flatnonzero(np.diff(frame, prepend=-1))  # candidates come frame by frame
        highest = np.maximum.reduceat(score, starts)
        chosen = np.flatnonzero(score == np.repeat(highest, np.diff(starts, append=len(frame))))
        best[frame[chosen]] = chosen  # the last of a frame stays
    return best


def _take(
    chosen: np.ndarray, semitones: np.ndarray, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not len(semitones):
        return np.full(len(chosen), np.nan), np.zeros(len(chosen))
    none = chosen < 0
    return np.where(none, np.nan, semitones[chosen]), np.where(none, 0, height[chosen])


def _audible(loudness: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    audible = np.empty(len(loudness), dtype=bool)
    for start, end in pairwise(bounds):
        part = loudness[start:end]
        loud = np.sort(part)[int(0.98 * (len(part) - 1))]
        audible[start:end] = part > max(_QUIETEST * loud, 1e-10)
    return audible


def _median_or(values: np.ndarray, otherwise: float) -> float:
    return float(np.sort(values)[len(values) // 2]) if len(values) else otherwise


def _around(pitch: np.ndarray, strong: np.ndarray, median: np.ndarray) -> np.ndarray:
    """Return, for each frame of a clip, the median of the strong frames around it."""
    places = np.flatnonzero(strong & ~np.isnan(pitch))
    if len(places) < _AROUND:
        return median
    half = _AROUND // 2
    held = np.pad(pitch[places], half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(held, _AROUND)
    local = np.sort(windows, axis=1)[:, half]
    return np.interp(np.arange(len(pitch)), places, local)


def runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each run of True begins and ends (exclusively)."""
    steps = np.diff(np.concatenate(([0], mask.astype(np.int8), [0])))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _drop_short(voiced: np.ndarray) -> None:
    for start, end in zip(*runs(voiced), strict=True):
        if end - start < _SHORTEST:
            voiced[start:end] = False
