"""Speech activity and level of a clip, which level-independent features are relative to."""

from itertools import pairwise

import numpy as np

from sklearn_ser.features import _pitch
from sklearn_ser.features._spectrum import AMIN, STFT, Spectra

DEPTH = 30.0  # dB below its level at which a clip's speech begins and ends


def energy(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return the power of all frames, in dB, of shape (n_frames,)."""

    def compute() -> np.ndarray:
        total = np.add.reduce(spectra.power(stft), axis=1)
        return 10 * np.log10(np.maximum(total, AMIN))

    return spectra.once(("energy", stft), compute)


def levels(spectra: Spectra, stft: STFT) -> np.ndarray:
    """Return how loud each clip speaks: the 95th percentile of its frames, in dB; (n_clips,)."""

    def compute() -> np.ndarray:
        parts = spectra.split(energy(spectra, stft), stft)
        return np.array([np.sort(part)[int(0.95 * (len(part) - 1))] for part in parts])

    return spectra.once(("levels", stft), compute)


def per_frame(spectra: Spectra, stft: STFT, values: np.ndarray) -> np.ndarray:
    """Repeat a number of each clip for each of its frames, of shape (n_frames,)."""
    return np.repeat(values, np.diff(spectra.bounds(stft))).astype(np.float32)


def masks(spectra: Spectra, stft: STFT, over: str) -> list:
    """Return what picks the frames that count from each clip.

    Parameters
    ----------
    spectra : Spectra
    stft : STFT
    over : {"all", "speech", "voiced"}
        All; those from the first to the last within 30 dB of the clip's level; or those where the
        voice has a pitch.

    Returns
    -------
    masks : list of n_clips slices or arrays of bool of shape (n_frames,)
    """
    return spectra.once(("masks", stft, over), lambda: _MASKS[over](spectra, stft))


def _all(spectra: Spectra, stft: STFT) -> list[slice]:
    return [slice(None)] * len(spectra.clips)


def _speech(spectra: Spectra, stft: STFT) -> list[slice]:
    found = []
    parts = spectra.split(energy(spectra, stft), stft)
    for part, level in zip(parts, levels(spectra, stft), strict=True):
        loud = np.flatnonzero(part >= level - DEPTH)
        found.append(slice(loud[0], loud[-1] + 1))
    return found


def _voiced(spectra: Spectra, stft: STFT) -> list[np.ndarray]:
    voiced = _pitch.track(spectra, stft.hop_length).voiced
    tracked = pairwise(spectra.bounds(_pitch.setting(spectra.sr, stft.hop_length)))
    wanted = np.diff(spectra.bounds(stft))
    # An odd n_fft may have a frame less than the tracker's even one.
    return [voiced[start:end][:n] for (start, end), n in zip(tracked, wanted, strict=True)]


_MASKS = {"all": _all, "speech": _speech, "voiced": _voiced}
