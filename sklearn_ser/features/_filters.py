"""Filter banks and transforms over frequency, each computed once per setting and process.

They are librosa's (`librosa.filters.mel`, `librosa.filters.chroma`; the tests compare them number
by number). They stand here because a first call of librosa's costs several seconds of compiling,
which somebody who predicts one clip would wait for.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import fft, sparse

from sklearn_ser.exceptions import OptionError


@lru_cache(maxsize=32)
def window(name: str | tuple | float, win_length: int, n_fft: int) -> np.ndarray:
    """Return an analysis window of length `n_fft`, its `win_length` samples centred in zeros."""
    plain = name == "hann" and win_length > 1
    values = _hann(win_length) if plain else _other_window(name, win_length)
    left = (n_fft - win_length) // 2
    return np.pad(values, (left, n_fft - win_length - left)).astype(np.float32)


def _hann(length: int) -> np.ndarray:
    # As `scipy.signal` computes it, to the last bit.
    return (0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, length + 1)))[:length]


def _other_window(name: str | tuple | float, length: int) -> np.ndarray:
    from scipy.signal import get_window  # an import that one who predicts a clip would wait for

    return get_window(name, length, fftbins=True)


def fft_frequencies(sr: int, n_fft: int) -> np.ndarray:
    """Return the centre frequencies of the FFT's bins, in Hz."""
    return np.fft.rfftfreq(n_fft, 1 / sr)


@lru_cache(maxsize=32)
def pitch_bins(sr: int, n_fft: int) -> tuple[int, int]:
    """Return the first and the end bin between 150 and 4000 Hz, neighbours on both sides.

    Raises
    ------
    ValueError
        If there is none.
    """
    frequencies = fft_frequencies(sr, n_fft)
    inside = np.flatnonzero((frequencies >= 150) & (frequencies < min(4000, sr / 2)))
    if not len(inside):
        raise OptionError(f"No FFT bin lies between 150 and 4000 Hz: raise n_fft={n_fft}.")
    return max(1, int(inside[0])), min(int(inside[-1]) + 1, len(frequencies) - 1)


def _hz_to_mel(frequencies: np.ndarray, htk: bool) -> np.ndarray:
    if htk:
        return 2595 * np.log10(1 + np.asarray(frequencies) / 700)
    # Slaney's Auditory Toolbox: linear up to 1 kHz, then 27 logarithmic steps to 6.4 kHz.
    linear = np.asarray(frequencies, dtype=float) / (200 / 3)
    logarithmic = 15 + np.log(np.maximum(frequencies, 1e-9) / 1000) / (np.log(6.4) / 27)
    return np.where(np.asarray(frequencies) >= 1000, logarithmic, linear)


def _mel_to_hz(mels: np.ndarray, htk: bool) -> np.ndarray:
    if htk:
        return 700 * (10 ** (mels / 2595) - 1)
    return np.where(mels >= 15, 1000 * np.exp((np.log(6.4) / 27) * (mels - 15)), mels * 200 / 3)


@lru_cache(maxsize=32)
def mel(
    sr: int,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    htk: bool,
    norm: str | None,
) -> sparse.csr_array:
    """Return the mel filter bank, of shape (n_mels, 1 + n_fft // 2).

    Triangles between neighbouring points of the mel scale; `norm="slaney"` gives each the same
    area. 98 % of the matrix is zeros, hence sparse.
    """
    lowest, highest = _hz_to_mel(np.array([fmin, fmax or sr / 2]), htk)
    edges = _mel_to_hz(np.linspace(lowest, highest, n_mels + 2), htk)
    widths = np.diff(edges)
    ramps = edges[:, np.newaxis] - fft_frequencies(sr, n_fft)
    rising = -ramps[:-2] / widths[:-1, np.newaxis]
    falling = ramps[2:] / widths[1:, np.newaxis]
    weights = np.maximum(0, np.minimum(rising, falling))
    if norm == "slaney":
        weights *= (2 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return sparse.csr_array(weights.astype(np.float32))


@lru_cache(maxsize=32)
def bark(sr: int, n_fft: int, n_bands: int, fmin: float = 20.0) -> np.ndarray:
    """Return triangles evenly spaced on the Bark scale [1]_, of shape (1 + n_fft // 2, n_bands).

    References
    ----------
    .. [1] Traunmüller, H. "Analytical expressions for the tonotopic sensory scale", JASA 88, 1990.
    """

    def to_bark(frequencies):
        return 26.81 * frequencies / (1960 + frequencies) - 0.53

    edges = np.linspace(to_bark(fmin), to_bark(min(8000.0, sr / 2)), n_bands + 2)
    place = to_bark(fft_frequencies(sr, n_fft))[:, np.newaxis]
    width = edges[1] - edges[0]
    weights = np.maximum(0, 1 - np.abs(place - edges[1:-1]) / width)
    # A band narrower than the distance of two bins takes the nearest.
    empty = np.flatnonzero(~weights.any(axis=0))
    weights[np.abs(place - edges[1:-1]).argmin(axis=0)[empty], empty] = 1
    return weights.astype(np.float32)


@lru_cache(maxsize=256)  # a tuning in hundredths of a semitone: 100 banks per setting
def chroma(sr: int, n_fft: int, n_chroma: int, tuning: float) -> np.ndarray:
    """Return the chroma filter bank, of shape (n_chroma, 1 + n_fft // 2).

    Gaussian bumps around each pitch class [1]_, weighted by a broad Gaussian over octaves that is
    centred five octaves above 27.5 Hz.

    References
    ----------
    .. [1] Ellis, D.P.W. "Chroma feature analysis and synthesis", 2007.
       https://labrosa.ee.columbia.edu/matlab/chroma-ansyn/
    """
    frequencies = np.linspace(0, sr, n_fft, endpoint=False)[1:]
    octaves = np.log2(frequencies / (440 / 16 * 2 ** (tuning / n_chroma)))
    # The bin at 0 Hz gets a made-up place, 1.5 octaves below the first.
    classes = n_chroma * np.concatenate(([octaves[0] - 1.5], octaves))
    widths = np.concatenate((np.maximum(np.diff(classes), 1), [1]))
    half = np.round(n_chroma / 2)
    distance = classes - np.arange(n_chroma)[:, np.newaxis]
    distance = np.remainder(distance + half + 10 * n_chroma, n_chroma) - half
    weights = np.exp(-0.5 * (2 * distance / widths) ** 2)
    weights /= np.maximum(np.linalg.norm(weights, axis=0), np.finfo(float).tiny)
    weights *= np.exp(-0.5 * ((classes / n_chroma - 5) / 2) ** 2)
    weights = np.roll(weights, -3 * (n_chroma // 12), axis=0)  # start at C, not at A
    return np.ascontiguousarray(weights[:, : 1 + n_fft // 2], dtype=np.float32)


@lru_cache(maxsize=32)
def dct(n_in: int, n_out: int, dct_type: int, norm: str | None) -> np.ndarray:
    """Return the discrete cosine transform as a matrix, of shape (n_in, n_out)."""
    transform = fft.dct(np.eye(n_in), type=dct_type, norm=norm, axis=1)
    return np.ascontiguousarray(transform[:, :n_out], dtype=np.float32)


@lru_cache(maxsize=32)
def octave_bands(
    sr: int, n_fft: int, fmin: float, n_bands: int, quantile: float
) -> tuple[tuple[int, int, int], ...]:
    """Return the bands of the spectral contrast: first bin, end bin, how many bins are extreme.

    Octaves upwards from `fmin`, and one band below it. As in librosa, each band but the first
    begins one bin early and each but the last loses its last bin; the share that `quantile` takes
    is counted before that loss.
    """
    edges = np.concatenate(([0.0], fmin * 2.0 ** np.arange(n_bands + 1)))
    if np.any(edges[:-1] >= sr / 2):
        most = max(1, int(np.ceil(np.log2(sr / 2 / fmin))) - 1) if fmin < sr / 2 else 1
        raise OptionError(
            f"SpectralContrast: {n_bands} octaves above fmin={fmin:g} Hz reach beyond half the "
            f"sampling rate of {sr} Hz: lower n_bands or fmin (features__contrast__n_bands={most})."
        )
    frequencies = fft_frequencies(sr, n_fft)
    bands = []
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((frequencies >= low) & (frequencies <= high))
        if not len(inside):
            raise OptionError(
                f"SpectralContrast: no FFT bin lies between {low:g} and {high:g} Hz: raise n_fft "
                "or fmin."
            )
        first = inside[0] - (k > 0)
        end = len(frequencies) if k == n_bands else inside[-1] + 1
        n_extreme = max(1, int(np.rint(quantile * (end - first))))
        bands.append((int(first), int(end - (k < n_bands)), n_extreme))
    return tuple(bands)
