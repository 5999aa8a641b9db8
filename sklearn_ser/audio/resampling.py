"""Waveforms from one sampling rate to another, whole or in pieces."""

from typing import Any

import numpy as np

from sklearn_ser.exceptions import AudioError

__all__ = ["RESAMPY_TYPES", "SOXR_TYPES", "StreamResampler", "resample"]

SOXR_TYPES = {"soxr_vhq": "VHQ", "soxr_hq": "HQ", "soxr_mq": "MQ", "soxr_lq": "LQ", "soxr_qq": "QQ"}
RESAMPY_TYPES = ("kaiser_best", "kaiser_fast")


def resample(y: np.ndarray, rate: int, sr: int, res_type: str, name: str) -> np.ndarray:
    """Return a waveform at another rate.

    Parameters
    ----------
    y : ndarray of shape (n_times,), float32
    rate, sr : int
        Its sampling rate, and the one that is wanted, in Hz.
    res_type : str
        One of `SOXR_TYPES` or `RESAMPY_TYPES`.
    name : str
        What an error calls it.

    Raises
    ------
    AudioError
        If resampy is missing, or the waveform too short for it.
    """
    if rate == sr:
        return y
    n_times = int(np.ceil(len(y) * sr / rate))
    try:
        if res_type in SOXR_TYPES:
            import soxr

            resampled = soxr.resample(y, rate, sr, quality=SOXR_TYPES[res_type])
        else:
            import resampy

            resampled = resampy.resample(y, rate, sr, filter=res_type)
    except ImportError as error:
        raise AudioError(
            f"res_type={res_type!r} needs resampy: pip install 'sklearn-ser[classic]', or use "
            "res_type='soxr_hq'."
        ) from error
    except ValueError as error:  # resampy refuses clips of a few samples
        raise AudioError(f"{name} cannot be resampled to {sr} Hz: {error}.") from error
    # The exact length by rounding up, as librosa.resample has it.
    if len(resampled) < n_times:
        resampled = np.pad(resampled, (0, n_times - len(resampled)))
    return resampled[:n_times].astype(np.float32, copy=False)


class StreamResampler:
    """Resamples a waveform that comes in pieces; the results together are those of the whole.

    Parameters
    ----------
    rate, sr : int
        Sampling rates of what comes and of what is wanted, in Hz.
    res_type : str, default="soxr_hq"
        One of soxr's; those of resampy look at a whole clip at once.

    Raises
    ------
    AudioError
        If the rates differ and `res_type` is not one of soxr's.
    """

    def __init__(self, rate: int, sr: int, res_type: str = "soxr_hq"):
        self._stream: Any = None
        if rate == sr:
            return
        if res_type not in SOXR_TYPES:
            raise AudioError(
                f"res_type={res_type!r} resamples whole clips only, not a recording in pieces: "
                f"convert it to {sr} Hz first, or fit with audio__res_type=soxr_hq."
            )
        import soxr

        self._stream = soxr.ResampleStream(
            rate, sr, 1, dtype="float32", quality=SOXR_TYPES[res_type]
        )

    def __call__(self, y: np.ndarray) -> np.ndarray:
        """Return what is ready of a piece, of shape (n_times,)."""
        return y if self._stream is None else self._stream.resample_chunk(y)

    def finish(self) -> np.ndarray:
        """Return what is left."""
        end = np.empty(0, dtype=np.float32)
        return end if self._stream is None else self._stream.resample_chunk(end, last=True)
