"""Length and sampling rate of a recording, from its header where that tells them."""

import os
from typing import Any, NamedTuple

from sklearn_ser.audio.completeness import FORMATS
from sklearn_ser.audio.decoding import AudioSettings, open_source
from sklearn_ser.exceptions import AudioError

__all__ = ["Header", "count_channels", "read_header"]


class Header(NamedTuple):
    """What a recording's header says."""

    seconds: float
    rate: int  # Hz


def read_header(path: str, *, decode: bool = True) -> Header | None:
    """Return the length and the rate of a file; None for a URL, or what cannot be read.

    Parameters
    ----------
    path : str
    decode : bool, default=True
        Whether what needs ffmpeg is decoded to know; otherwise that is None, too.

    Returns
    -------
    header : Header or None

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np, soundfile
    >>> from sklearn_ser.audio.header import read_header
    >>> with TemporaryDirectory() as folder:
    ...     soundfile.write(Path(folder, "a.wav"), np.zeros(24000), 16000)
    ...     read_header(f"{folder}/a.wav")
    Header(seconds=1.5, rate=16000)
    """
    if not os.path.isfile(path):
        return None
    settings = AudioSettings(max_duration=None, formats=None if decode else FORMATS)
    try:
        with open_source(path, settings, path) as (reader, promised):
            return Header(promised / reader.samplerate, reader.samplerate)
    except AudioError:
        return None


def count_channels(source: Any, settings: AudioSettings, name: str) -> int:
    """Return how many channels a source has, or raise `AudioError` where it cannot be read.

    Parameters
    ----------
    source : str, Path, bytes, or binary file object
    settings : AudioSettings
        What is too long for them is refused here already.
    name : str
        What an error calls it.
    """
    with open_source(source, settings, name) as (reader, _):
        return reader.channels
