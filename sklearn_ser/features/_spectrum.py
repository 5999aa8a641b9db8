"""What the features of one clip share: its power spectrum, mel spectrogram and tuning.

Each is computed when a feature first asks for it and kept as long as the clip is at work, so that
any number of transformers costs one Fourier transform per setting. All arrays have time first,
(n_frames, n_bins): frames lie together in memory, where the FFT and the sums over bins want them.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np
from scipy import fft

from sklearn_ser.exceptions import AudioError
from sklearn_ser.features import _filters

# As many frames as let windowed frames and spectrum stay in a core's second-level cache.
_FRAMES_AT_ONCE = 32

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


class Spectrum:
    """One clip, and everything computed of it so far.

    Parameters
    ----------
    y : ndarray of shape (n_times,), float32
        The waveform.
    sr : int
        Its sampling rate, in Hz.
    name : str
        What an error calls it.
    """

    def __init__(self, y: np.ndarray, sr: int, name: str = "the clip"):
        self.y = y
        self.sr = sr
        self.name = name
        self._known: dict[Hashable, Any] = {}

    def _once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def power(self, stft: STFT) -> np.ndarray:
        """Return the power spectrogram |STFT|², of shape (n_frames, 1 + n_fft // 2)."""
        return self._once(stft, lambda: _power(self.y, stft, self.name))

    def mel(self, stft: STFT, mel: Mel) -> np.ndarray:
        """Return the mel spectrogram, of shape (n_frames, n_mels)."""
        return self._once((stft, mel), lambda: self._mel(stft, mel))

    def _mel(self, stft: STFT, mel: Mel) -> np.ndarray:
        bank = _filters.mel(self.sr, stft.n_fft, *mel[:-1])
        power = self.power(stft)
        if mel.power != 2:
            power = power ** (mel.power / 2)
        return (bank @ power.T).T

    def mel_db(self, stft: STFT, mel: Mel) -> np.ndarray:
        """Return the mel spectrogram in dB, of shape (n_frames, n_mels), 80 dB deep."""
        return self._once(("dB", stft, mel), lambda: power_to_db(self.mel(stft, mel)))

    def tuning(self, stft: STFT, bins_per_octave: int) -> float:
        """Return the deviation from A440, in fractions of a bin, as `librosa.estimate_tuning`."""
        return self._once(
            ("tuning", stft, bins_per_octave),
            lambda: _tuning(self.power(stft), self.sr, stft.n_fft, bins_per_octave),
        )


def _power(y: np.ndarray, stft: STFT, name: str) -> np.ndarray:
    n_fft, hop_length = stft.n_fft, stft.hop_length
    if stft.center:
        padding = n_fft // 2
        if stft.pad_mode == "constant":
            padded = np.zeros(len(y) + 2 * padding, dtype=np.float32)
            padded[padding : padding + len(y)] = y
            y = padded
        else:
            y = np.pad(y, padding, mode=stft.pad_mode)  # type: ignore[call-overload]
    if len(y) < n_fft:
        raise AudioError(
            f"{name} has {len(y)} samples, fewer than one frame of n_fft={n_fft}: use longer "
            "clips, a smaller n_fft, or center=True."
        )
    frames = np.lib.stride_tricks.sliding_window_view(y, n_fft)[::hop_length]
    window = _filters.window(stft.window, stft.win_length, n_fft)
    power = np.empty((len(frames), 1 + n_fft // 2), dtype=np.float32)
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        block = slice(start, start + _FRAMES_AT_ONCE)
        spectrum = fft.rfft(frames[block] * window, axis=1, overwrite_x=True)
        out = power[block]
        np.multiply(spectrum.real, spectrum.real, out=out)
        out += spectrum.imag * spectrum.imag
    return power


def power_to_db(power: np.ndarray, top_db: float = 80.0) -> np.ndarray:
    """Return 10·log10(power), floored `top_db` below its maximum, as `librosa.power_to_db`."""
    decibels = np.log10(np.maximum(power, AMIN))
    decibels *= 10
    return np.maximum(decibels, decibels.max() - top_db, out=decibels)


def _tuning(power: np.ndarray, sr: int, n_fft: int, bins_per_octave: int) -> float:
    """Estimate the tuning of a power spectrogram (time first) from its spectral peaks.

    What `librosa.estimate_tuning` does, on the bins between 150 and 4000 Hz alone: parabolic
    interpolation places each local maximum above a tenth of its frame's greatest bin [1]_, and the
    fullest histogram bin of the stronger half's distances from the nearest semitone wins.

    References
    ----------
    .. [1] Smith, J.O. "Sinusoidal peak interpolation", in Spectral Audio Signal Processing, 2011.
    """
    frequencies = _filters.fft_frequencies(sr, n_fft)
    inside = np.flatnonzero((frequencies >= 150) & (frequencies < min(4000, sr / 2)))
    # The last bin has no upper neighbour to interpolate with.
    first, end = inside[0], min(inside[-1] + 1, len(frequencies) - 1)
    floor = 0.1 * power.max(axis=1, keepdims=True)
    below, here, above = (power[:, first + i : end + i] for i in (-1, 0, 1))
    # A neighbour under the threshold counts as zero, and so never hides a peak.
    peaks = (here > floor) & (here > below) & (here >= above)
    frame, bin_ = np.nonzero(peaks)
    if not len(bin_):
        return 0.0
    here, below, above = here[frame, bin_], below[frame, bin_], above[frame, bin_]
    slope, curvature = (above - below) / 2, above + below - 2 * here
    inside_bin = np.abs(slope) < np.abs(curvature)
    shift = np.divide(-slope, curvature, out=np.zeros_like(slope), where=inside_bin)
    strength = here + 0.5 * slope * shift
    pitch = (bin_ + first + shift)[strength >= np.median(strength)] * (sr / n_fft)
    residual = np.mod(bins_per_octave * np.log2(pitch / (440 / 16)), 1.0)
    residual[residual >= 0.5] -= 1.0
    bins = np.linspace(-0.5, 0.5, 101)
    counts, _ = np.histogram(residual, bins)
    return float(bins[np.argmax(counts)])
