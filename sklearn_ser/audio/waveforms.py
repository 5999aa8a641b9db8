"""Waveforms given as arrays, of any type of number, alone or with their sampling rate."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from sklearn_ser.exceptions import AudioError

__all__ = ["PCM_TYPES", "check_waveform", "full_scale", "is_waveform", "split_waveform", "unpack"]

PCM_TYPES: dict[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
"""Encodings of samples that come without a header, by ffmpeg's names: what `np.frombuffer` needs.

`check_waveform` makes floats of them.
"""


def unpack(source: Any) -> Any:
    """Return what a row of Hugging Face's datasets holds undecoded: its bytes, or its path."""
    if isinstance(source, Mapping) and "array" not in source:
        if source.get("bytes") is not None:
            return source["bytes"]
        return source.get("path", source)
    return source


def is_waveform(source: Any) -> bool:
    """Say whether a source is a waveform, with its rate or without, and not something encoded."""
    if isinstance(source, Mapping):
        return "array" in source
    return isinstance(source, np.ndarray | list | tuple)


def split_waveform(source: Any, name: str) -> tuple[np.ndarray, int | None]:
    """Return the samples of a waveform, and its rate where it has one.

    Parameters
    ----------
    source : array of shape (n_times,), tuple, or dict
        The samples, `(samples, rate)` as of soundfile and librosa, `(rate, samples)` as of scipy,
        or `{"array": samples, "sampling_rate": rate}` as of Hugging Face's datasets.
    name : str
        What an error calls it.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
    rate : int or None
        In Hz.

    Raises
    ------
    AudioError
        If it is no waveform.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio.waveforms import split_waveform
    >>> split_waveform((np.array([0, 16384], dtype=np.int16), 8000), "clip")
    (array([0. , 0.5], dtype=float32), 8000)
    """
    rate: Any = None
    if isinstance(source, Mapping):
        if "sampling_rate" not in source:
            raise AudioError(f"{name} has no 'sampling_rate' beside its 'array'.")
        source, rate = source["array"], source["sampling_rate"]
    elif is_pair(source):
        source, rate = reversed(source) if isinstance(source[0], Real) else source
    else:
        return check_waveform(source, name), None
    try:
        whole = int(rate)
    except (TypeError, ValueError, OverflowError):
        whole = 0
    if whole <= 0 or whole != rate:
        raise AudioError(f"{name} has a sampling rate of {rate!r}: give a whole number of Hz.")
    return check_waveform(source, name), whole


def is_pair(source: Any) -> bool:
    """Say whether a source is the samples of a clip and a rate, in either order."""
    return (
        isinstance(source, tuple)
        and len(source) == 2
        and isinstance(source[0], Real) != isinstance(source[1], Real)
    )


def check_waveform(y: Any, name: str) -> np.ndarray:
    """Return a waveform as float32, or raise `AudioError` where it is none.

    Integers are divided by the full scale of their type.
    """
    try:
        y = np.asarray(y)
    except ValueError as error:
        raise AudioError(
            f"{name} is neither an array of numbers nor such an array and its rate in Hz, "
            "(samples, rate)."
        ) from error
    if y.ndim != 1:
        raise AudioError(
            f"{name} has the shape {y.shape}; one clip is a mono waveform of shape (n_times,): "
            "average the channels first."
        )
    if y.dtype.kind == "f":
        return y.astype(np.float32, copy=False)
    return full_scale(y, name)


def full_scale(y: np.ndarray, name: str) -> np.ndarray:
    """Return integer samples as floats between -1 and 1.

    Parameters
    ----------
    y : ndarray of int8, int16, int32 or uint8
        The types that audio has; unsigned bytes have their zero at 128, as in wav files.
    name : str
        What an error calls it.

    Returns
    -------
    y : ndarray of float32, of the same shape

    Raises
    ------
    AudioError
        If it is of another type, whose full scale nobody knows.
    """
    if y.dtype.kind == "i" and y.dtype.itemsize <= 4:
        return y.astype(np.float32) / np.float32(2 ** (8 * y.dtype.itemsize - 1))
    if y.dtype == np.uint8:
        return (y.astype(np.float32) - 128) / np.float32(128)
    raise AudioError(
        f"{name} holds {y.dtype} values, whose full scale is not known; a waveform holds floats "
        "between -1 and 1, or int16: divide by the full scale (32768 for numbers of 16 bit)."
    )
