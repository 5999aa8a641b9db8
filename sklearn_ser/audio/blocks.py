"""Reading of long recordings block by block, in constant memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_ser.audio.decoding import (
    BLOCK,
    SOXR_TYPES,
    AudioSettings,
    check_finite,
    name_of,
    open_source,
)
from sklearn_ser.exceptions import AudioError

__all__ = ["StreamResampler", "iter_blocks"]


def iter_blocks(
    source: Any, settings: AudioSettings, name: str | None = None
) -> Iterator[np.ndarray]:
    """Yield a source block by block as a mono waveform at one rate, in flat memory.

    The blocks together are what `load_audio` returns, to the last bit.

    Parameters
    ----------
    source : str, Path, bytes, or binary file object
        As for `load_audio`.
    settings : AudioSettings
        How to read it; nothing is trimmed, whatever `top_db` says.
    name : str, default=None
        What an error calls it.

    Yields
    ------
    y : ndarray of shape (n_times,), float32

    Raises
    ------
    AudioError
        As `load_audio`; where the end of a source is damaged, after the blocks before it.
    """
    name = name or name_of(source)
    with open_source(source, settings, name) as (reader, left):
        resample = StreamResampler(reader.samplerate, settings.sr, settings.res_type)
        empty = True
        while left > 0:
            y = reader.read(BLOCK)
            if not len(y):
                break
            check_finite(y, name)
            left -= len(y)
            empty = False
            yield resample(y)
        yield resample.finish()
        reader.check_end()
    if empty:
        raise AudioError(f"{name} holds no samples: leave it out or record it again.")


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
