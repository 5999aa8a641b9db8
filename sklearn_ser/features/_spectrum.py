"""Spectra that the features of a clip share: power spectrum, mel spectrogram and tuning.

Each is computed when a feature first asks for it and kept as long as the clip is at work, so that
any number of transformers costs one Fourier transform per setting. All arrays have time first,
(n_frames, n_bins): frames lie together in memory, where the FFT and the sums over bins want them.

A few clips are worked on together, their frames one after the other in one array. What is done to
each frame by itself is then one long call instead of many short ones, and long calls are what lets
two threads work at once: each short one costs them a quarrel over Python's lock. No number of a
clip depends on its neighbours.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import fft

from sklearn_ser.exceptions import AudioError
from sklearn_ser.features import _filters

# As many frames as let windowed frames and spectrum stay in a core's second-level cache.
_FRAMES_AT_ONCE = 64

AMIN = 1e-10  # power below which decibels are not followed, as in librosa.power_to_db


class STFT(NamedTuple):
    """The settings of a short-time Fourier transform, named as in `librosa.stft`."""

    n_fft: int
    hop_length: int
    win_length: int
    window: Any
    center: bool
    pad_mode: str


class Mel(NamedTuple):
    """The settings of a mel filter bank, named as in `librosa.feature.melspectrogram`."""

    n_mels: int
    fmin: float
    fmax: float | None
    htk: bool
    norm: str | None
    power: float


class Spectra:
    """Some clips at one rate, and everything computed of them so far.

    Parameters
    ----------
    clips : sequence of n_clips ndarrays of shape (n_times,), float32
        Waveforms.
    sr : int
        Their sampling rate, in Hz.
    names : sequence of n_clips str
        What an error calls them.
    """

    def __init__(self, clips: Sequence[np.ndarray], sr: int, names: Sequence[str]):
        self.clips = clips
        self.sr = sr
        self.names = names
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what is known under a key, computed when first asked for."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def bounds(self, stft: STFT) -> np.ndarray:
        """Return where each clip's frames begin and the last one's end, of shape (n_clips + 1,)."""
        return self.once(("bounds", stft), lambda: self._bounds(stft))

    def _bounds(self, stft: STFT) -> np.ndarray:
        n_frames = []
        for y, name in zip(self.clips, self.names, strict=True):
            n_times = len(y) + (2 * (stft.n_fft // 2) if stft.center else 0)
            if n_times < stft.n_fft:
                raise AudioError(
                    f"{name} has {len(y)} samples, fewer than one frame of n_fft={stft.n_fft}: use "
                    "longer clips, a smaller n_fft, or center=True."
                )
            n_frames.append(1 + (n_times - stft.n_fft) // stft.hop_length)
        return np.cumsum([0, *n_frames])

    def split(self, frames: np.ndarray, stft: STFT) -> list[np.ndarray]:
        """Return the frames of each clip, views of shape (n_frames, ...)."""
        bounds = self.bounds(stft)
        return [frames[start:end] for start, end in pairwise(bounds)]

    def mean(self, frames: np.ndarray, stft: STFT) -> np.ndarray:
        """Return the mean over each clip's frames, of shape (n_clips, n_features), float32."""
        means = np.empty((len(self.clips), frames.shape[1]), dtype=np.float32)
        for row, part in zip(means, self.split(frames, stft), strict=True):
            # Summing many small numbers in float32 would lose digits on long clips.
            row[:] = np.add.reduce(part, axis=0, dtype=np.float64) / len(part)
        return means

    def power(self, stft: STFT) -> np.ndarray:
        """Return the power spectrograms |STFT|², of shape (n_frames, 1 + n_fft // 2)."""
        return self.once(stft, lambda: self._power(stft))

    def _power(self, stft: STFT) -> np.ndarray:
        bounds = self.bounds(stft)
        power = np.empty((bounds[-1], 1 + stft.n_fft // 2), dtype=np.float32)
        window = _filters.window(stft.window, stft.win_length, stft.n_fft)
        windowed = np.empty((_FRAMES_AT_ONCE, stft.n_fft), dtype=np.float32)
        for y, out in zip(self.clips, self.split(power, stft), strict=True):
            frames = np.lib.stride_tricks.sliding_window_view(_pad(y, stft), stft.n_fft)
            frames = frames[:: stft.hop_length]
            for start in range(0, len(frames), _FRAMES_AT_ONCE):
                block = out[start : start + _FRAMES_AT_ONCE]
                ready = windowed[: len(block)]
                np.multiply(frames[start : start + _FRAMES_AT_ONCE], window, out=ready)
                np.abs(fft.rfft(ready, axis=1), out=block)
                np.square(block, out=block)
        return power

    def mel(self, stft: STFT, mel: Mel) -> np.ndarray:
        """Return the mel spectrograms, of shape (n_frames, n_mels)."""
        return self.once((stft, mel), lambda: self._mel(stft, mel))

    def _mel(self, stft: STFT, mel: Mel) -> np.ndarray:
        bank = _filters.mel(self.sr, stft.n_fft, *mel[:-1])
        power = self.power(stft)
        if mel.power != 2:
            power = power ** (mel.power / 2)
        bands = np.empty((len(power), mel.n_mels), dtype=np.float32)
        for part, out in zip(self.split(power, stft), self.split(bands, stft), strict=True):
            out[:] = (bank @ part.T).T
        return bands

    def mel_db(self, stft: STFT, mel: Mel) -> np.ndarray:
        """Return the mel spectrograms in dB, of shape (n_frames, n_mels), 80 dB deep."""
        return self.once(("dB", stft, mel), lambda: self.to_db(self.mel(stft, mel), stft))

    def to_db(self, power: np.ndarray, stft: STFT, top_db: float = 80.0) -> np.ndarray:
        """Return 10·log10(power), floored `top_db` below each clip's maximum.

        As `librosa.power_to_db` on each clip.

        Parameters
        ----------
        power : ndarray of shape (n_frames, n_bins)
        stft : STFT
            The setting that decides which frames are whose.
        top_db : float, default=80.0

        Returns
        -------
        decibels : ndarray of shape (n_frames, n_bins)
        """
        decibels = np.maximum(power, AMIN)
        np.log10(decibels, out=decibels)
        decibels *= 10
        bounds = self.bounds(stft)
        highest = np.maximum.reduceat(np.maximum.reduce(decibels, axis=1), bounds[:-1])
        floor = np.repeat(highest - np.float32(top_db), np.diff(bounds))
        return np.maximum(decibels, floor[:, np.newaxis], out=decibels)

    def tuning(self, stft: STFT, bins_per_octave: int) -> list[float]:
        """Return each clip's deviation from A440, in fractions of a bin.

        As `librosa.estimate_tuning`.
        """
        return self.once(
            ("tuning", stft, bins_per_octave),
            lambda: _tuning(
                self.power(stft), self.bounds(stft), self.sr, stft.n_fft, bins_per_octave
            ),
        )


def _pad(y: np.ndarray, stft: STFT) -> np.ndarray:
    if not stft.center:
        return y
    padding = stft.n_fft // 2
    if stft.pad_mode != "constant":
        return np.pad(y, padding, mode=stft.pad_mode)  # type: ignore[call-overload]
    padded = np.zeros(len(y) + 2 * padding, dtype=np.float32)
    padded[padding : padding + len(y)] = y
    return padded


def _tuning(
    power: np.ndarray, bounds: np.ndarray, sr: int, n_fft: int, bins_per_octave: int
) -> list[float]:
    """Estimate the tuning of clips from the peaks of their power spectrograms (time first).

    What `librosa.estimate_tuning` does, on the bins between 150 and 4000 Hz alone: parabolic
    interpolation places each local maximum above a tenth of its frame's greatest bin [1]_, and the
    fullest histogram bin of the stronger half's distances from the nearest semitone wins.

    References
    ----------
    .. [1] Smith, J.O. "Sinusoidal peak interpolation", in Spectral Audio Signal Processing, 2011.
    """
    first, end = _filters.pitch_bins(sr, n_fft)
    here = power[:, first:end]
    # A neighbour under the threshold counts as zero, and so never hides a peak.
    peaks = here > 0.1 * np.maximum.reduce(power, axis=1, keepdims=True)
    peaks &= here > power[:, first - 1 : end - 1]
    peaks &= here >= power[:, first + 1 : end + 1]
    frame, bin_ = np.divmod(np.flatnonzero(peaks), end - first)
    bin_ += first
    place = frame * power.shape[1] + bin_
    flat = power.ravel()
    peak, below, above = flat[place], flat[place - 1], flat[place + 1]
    slope, curvature = (above - below) / 2, above + below - 2 * peak
    inside = np.abs(slope) < np.abs(curvature)
    shift = np.divide(-slope, curvature, out=np.zeros_like(slope), where=inside)
    strength = peak + 0.5 * slope * shift
    pitch = ((bin_ + shift) * (sr / n_fft)).astype(np.float32)
    residual = np.mod(bins_per_octave * np.log2(pitch / np.float32(440 / 16)), 1)
    residual[residual >= 0.5] -= 1
    histogram_bin = np.searchsorted(_TUNINGS, residual, side="right")
    tunings = []
    for start, stop in pairwise(np.searchsorted(frame, bounds)):
        strong = strength[start:stop] >= _median(strength[start:stop])
        counts = np.bincount(histogram_bin[start:stop][strong], minlength=102)[1:101]
        tunings.append(float(_TUNINGS[counts.argmax()]) if start < stop else 0.0)
    return tunings


_TUNINGS = np.linspace(-0.5, 0.5, 101)  # edges of a histogram in hundredths of a bin


def _median(values: np.ndarray) -> np.float32:
    """Return the median; np.median would take longer than all else here on a short clip."""
    middle = len(values) // 2
    if not middle:
        return np.float32(values[0] if len(values) else 0)
    if len(values) % 2:
        return np.partition(values, middle)[middle]
    return np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1].mean()
