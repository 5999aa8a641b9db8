"""Reading of long recordings block by block, in constant memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_ser.audio.decoding import (
    BLOCK,
    AudioSettings,
    check_finite,
    name_of,
    open_source,
)
from sklearn_ser.audio.resampling import StreamResampler
from sklearn_ser.exceptions import AudioError

__all__ = ["iter_blocks"]


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
