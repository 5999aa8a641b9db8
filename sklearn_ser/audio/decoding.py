"""From a source of audio to one mono waveform at one sampling rate, or a clear `AudioError`.

A source is a path, a URL that `fsspec` understands, an open binary file, the bytes of a file, or a
waveform. `load_audio` reads one.
"""

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_ser.exceptions import AudioError

__all__ = [
    "AudioSettings",
    "check_finite",
    "check_promise",
    "check_waveform",
    "decode",
    "fetch",
    "finish",
    "load_audio",
    "name_of",
    "open_source",
    "read_mono",
    "read_source",
]

SOXR_TYPES = {"soxr_vhq": "VHQ", "soxr_hq": "HQ", "soxr_mq": "MQ", "soxr_lq": "LQ", "soxr_qq": "QQ"}
RESAMPY_TYPES = ("kaiser_best", "kaiser_fast")

# Rates outside are a damaged header, not audio: telephones use 8,000 Hz, bat recorders 500,000 Hz.
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000

# A header may promise this much more than the file holds before the clip counts as cut short:
# MP3 headers round to whole frames of 1152 samples and include the encoder's padding.
TOLERATED_SHORTAGE = 2 * 1152

# Full scale is 1; what was never divided by it has 2^31. Greater powers do not fit into float32.
GREATEST_SAMPLE = 1e10

# soundfile says 2^63 - 1 where a header does not tell; the longest recordings have 10^10.
_MOST_FRAMES = 1 << 48

BLOCK = 1 << 18  # samples decoded at once from files of several channels, bytes read at once


@dataclass(frozen=True)
class AudioSettings:
    """How a source becomes a waveform; the parameters of `AudioLoader`, in a hashable form."""

    sr: int = 22050
    offset: float = 0.0
    duration: float | None = None
    res_type: str = "soxr_hq"
    top_db: float | None = None
    max_duration: float | None = 600.0


def load_audio(
    source: Any,
    sr: int = 22050,
    *,
    offset: float = 0.0,
    duration: float | None = None,
    res_type: str = "soxr_hq",
    top_db: float | None = None,
    max_duration: float | None = 600.0,
) -> np.ndarray:
    """Read one source as a mono waveform.

    Parameters
    ----------
    source : str, Path, bytes, binary file object, or array of shape (n_times,)
        A file that soundfile reads (wav, flac, ogg, mp3, aiff and others, told apart by their
        content, not by their name), a URL where the extra `urls` is installed, the bytes of such a
        file, or a waveform of floats, which is taken to be at the rate `sr` already.
    sr : int, default=22050
        Sampling rate of the result, in Hz.
    offset : float, default=0.0
        Where to start reading, in seconds.
    duration : float, default=None
        How much to read at most, in seconds; `None` reads to the end.
    res_type : str, default="soxr_hq"
        The resampler: `"soxr_vhq"`, `"soxr_hq"`, `"soxr_mq"`, `"soxr_lq"`, `"soxr_qq"`, or
        `"kaiser_best"` and `"kaiser_fast"` of resampy (extra `classic`). They do not give the same
        features: predict with the one that the pipeline was trained with.
    top_db : float, default=None
        Trim leading and trailing parts this many decibels below the loudest, as
        `librosa.effects.trim` does; `None` trims nothing.
    max_duration : float, default=600.0
        The longest clip accepted, in seconds, so that a ten-hour recording is an error and not a
        full memory; `None` accepts any.

    Returns
    -------
    y : ndarray of shape (n_times,), float32
        The waveform, the mean of the source's channels.

    Raises
    ------
    AudioError
        If the source is missing, unreadable, cut short, empty, too long, or not finite.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> import soundfile
    >>> from sklearn_ser.audio.loader import load_audio
    >>> file = io.BytesIO()
    >>> soundfile.write(file, np.zeros((8000, 2)), 8000, format="WAV")
    >>> load_audio(file, sr=16000).shape
    (16000,)
    """
    settings = AudioSettings(sr, offset, duration, res_type, top_db, max_duration)
    return read_source(source, settings, name_of(source))


def read_source(source: Any, settings: AudioSettings, name: str) -> np.ndarray:
    """Read one source as a mono waveform; `name` is what an error calls it."""
    y, rate = decode(source, settings, name)
    return finish(y, rate, settings, name)


def decode(source: Any, settings: AudioSettings, name: str) -> tuple[np.ndarray, int]:
    """Return the mono samples of a source, checked, and the rate they were recorded at."""
    if isinstance(source, np.ndarray | list | tuple):
        y, rate = check_waveform(source, name), settings.sr
        y = y[int(settings.offset * rate) :]
        if settings.duration is not None:
            y = y[: int(settings.duration * rate)]
        _check_length(len(y), rate, settings, name)
    else:
        y, rate = _decode(source, settings, name)
    if not len(y):
        if settings.offset:
            raise AudioError(f"{name} ends before offset={settings.offset:g} s: lower it.")
        raise AudioError(f"{name} holds no samples: leave it out or record it again.")
    check_finite(y, name)
    return y, rate


def finish(y: np.ndarray, rate: int, settings: AudioSettings, name: str) -> np.ndarray:
    """Return decoded samples resampled, and trimmed where that is asked for."""
    y = _resample(y, rate, settings, name)
    return y if settings.top_db is None else _trim(y, settings.top_db)


def _decode(source: Any, settings: AudioSettings, name: str) -> tuple[np.ndarray, int]:
    """Return the mono samples of an encoded source and their rate."""
    with open_source(source, settings, name) as (file, promised):
        y = read_mono(file, promised)
    check_promise(len(y), promised, file.samplerate, name)
    return y, file.samplerate


@contextmanager
def open_source(source: Any, settings: AudioSettings, name: str) -> Iterator[tuple[Any, int]]:
    """Open a source at its offset; whatever goes wrong with it is an `AudioError`.

    Yields
    ------
    file : soundfile.SoundFile
    promised : int
        How many samples there should be to read.
    """
    import soundfile

    try:
        with soundfile.SoundFile(_open(source, name)) as file:
            rate = file.samplerate
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise AudioError(f"{name} claims a sampling rate of {rate} Hz: its header is bad.")
            start = int(settings.offset * rate)
            if file.frames > _MOST_FRAMES:
                raise AudioError(
                    f"{name} does not say how long it is, as if written to a pipe: write it again, "
                    "with ffmpeg -i IN OUT.flac for instance."
                )
            promised = max(0, file.frames - start)
            _check_complete(file, name)
            if settings.duration is not None:
                promised = min(promised, int(settings.duration * rate))
            _check_length(promised, rate, settings, name)
            if start:
                file.seek(min(start, file.frames))
            yield file, promised
    except (soundfile.SoundFileError, TypeError, ValueError, OSError) as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(_why_unreadable(source, name, error)) from error


def check_promise(held: int, promised: int, rate: int, name: str) -> None:
    """Raise `AudioError` where a file holds fewer samples than its header has promised."""
    if promised - held > TOLERATED_SHORTAGE:
        raise AudioError(_cut_short(name, held / rate, promised / rate))


def check_finite(y: np.ndarray, name: str) -> None:
    """Raise `AudioError` where a sample is no number, or none that a recording has."""
    peak = max(y.max(), -y.min())
    if peak <= GREATEST_SAMPLE:
        return
    if np.isfinite(peak):
        raise AudioError(
            f"{name} holds samples of {peak:.1e}, where 1 is full scale: write it again from its "
            "original."
        )
    raise AudioError(f"{name} holds NaN or infinite samples: write it again from its original.")


def read_mono(file, n_frames: int) -> np.ndarray:
    """Return the next samples of an open file, the mean of its channels."""
    if file.channels == 1:
        return file.read(n_frames, dtype="float32")
    # Many channels at once could need many times the memory of the result.
    blocks, left = [], n_frames
    while left > 0:
        block = file.read(min(left, BLOCK), dtype="float32", always_2d=True)
        if not len(block):
            break
        blocks.append(block.mean(axis=1))
        left -= len(block)
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.float32)


def _check_complete(file, name: str) -> None:
    """Refuse a wav or aiff whose data chunk is longer than its file, and an ogg cut in the middle.

    libsndfile reads such files without a word; its log is the only trace. Recorders that write to
    a pipe put the greatest possible length in the header: that is no promise.
    """
    log = file.extra_info
    # Radio streams often lack their last page; half a page is there only where a file was cut.
    if "lacks an end-of-stream bit" in log and "Junk after the last page" in log:
        raise AudioError(f"{name} is cut short: copy it again, or leave it out.")
    if file.format not in ("WAV", "WAVEX", "AIFF", "RF64"):
        return
    for promised, held in re.findall(
        r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", log, re.MULTILINE
    ):
        if int(held) < int(promised) < 0x7FFFF000:
            seconds = file.frames / file.samplerate
            raise AudioError(_cut_short(name, seconds, seconds * int(promised) / max(1, int(held))))


def _cut_short(name: str, held: float, promised: float) -> str:
    return (
        f"{name} is cut short: its header promises {promised:.2f} s and it holds {held:.2f} s; "
        "copy it again, or leave it out."
    )


def _check_length(n_times: int, rate: int, settings: AudioSettings, name: str) -> None:
    if settings.max_duration is not None and n_times > settings.max_duration * rate:
        raise AudioError(
            f"{name} is {_clock(n_times / rate)} long, more than the {settings.max_duration:g} s "
            "that count as one clip: cut it into clips, or set the loader's duration or "
            "max_duration."
        )


def _clock(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _open(source: Any, name: str) -> Any:
    """Return what soundfile can open: a path, or a file object at its start."""
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if hasattr(source, "read"):
        if hasattr(source, "seek"):
            source.seek(0)
        return source
    if isinstance(source, str) and "://" in source:
        return io.BytesIO(fetch(source))
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        # A named pipe or a device would block or never end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise AudioError(f"{name} is a folder or device, not an audio file.")
        return os.fsencode(path)  # soundfile takes no name that is not UTF-8
    raise AudioError(
        f"{name} is a {type(source).__name__}: give a path, the bytes of a file, an open binary "
        "file, or a 1-D array of floats."
    )


def fetch(url: str) -> bytes:
    """Return the bytes behind a URL."""
    try:
        import fsspec
    except ImportError as error:
        raise AudioError(f"{url}: to read URLs, pip install 'sklearn-ser[urls]'.") from error
    try:
        with fsspec.open(url, "rb") as file:
            return file.read()
    except Exception as error:  # each file system behind fsspec raises errors of its own
        reason = str(error) or type(error).__name__
        raise AudioError(f"{url} cannot be fetched: {reason}.") from error


def _why_unreadable(source: Any, name: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name} does not exist: check the path."
    if isinstance(error, PermissionError):
        return f"{name} may not be read: change its permissions (chmod +r)."
    if isinstance(error, OSError) and error.strerror:
        return f"{name} cannot be read: {error.strerror}."
    if isinstance(source, str | os.PathLike) and Path(source).is_file():
        if not os.path.getsize(source):
            return f"{name} is empty (0 bytes): copy it again, or leave it out."
        try:  # libsndfile calls whatever the operating system says a system error
            open(source, "rb").close()
        except OSError as reason:
            return _why_unreadable(source, name, reason)
    return (
        f"{name} is not audio that can be decoded ({_plain(error)}): convert it to wav or flac, "
        "or leave it out."
    )


def _plain(error: Exception) -> str:
    """Return the last clause of libsndfile's message, without the path and the full stop."""
    text = getattr(error, "error_string", None) or str(error)
    if "does not exist or is not a regular file" in text:  # what it says of some broken MP3s
        text = "format not recognised"
    return text.removeprefix("Error : ").rstrip(". ").lower() or type(error).__name__


def name_of(source: Any, position: int | None = None) -> str:
    """Return what an error calls a source: its path, or its kind and position."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(file := getattr(source, "name", None), str):
        return file
    kind = "waveform" if isinstance(source, np.ndarray | list | tuple) else "source"
    return f"the {kind}" if position is None else f"{kind} {position}"


def check_waveform(y: Any, name: str) -> np.ndarray:
    """Return a waveform as float32, or raise `AudioError` where it is none."""
    try:
        y = np.asarray(y)
    except ValueError as error:
        raise AudioError(f"{name} is not an array of numbers: {error}.") from error
    if y.ndim != 1:
        raise AudioError(
            f"{name} has the shape {y.shape}; one clip is a mono waveform of shape (n_times,): "
            "average the channels first."
        )
    if y.dtype.kind != "f":
        raise AudioError(
            f"{name} holds {y.dtype} values; a waveform holds floats between -1 and 1: divide "
            "integer samples by their full scale (32768 for int16)."
        )
    return y.astype(np.float32, copy=False)


def _resample(y: np.ndarray, rate: int, settings: AudioSettings, name: str) -> np.ndarray:
    sr, res_type = settings.sr, settings.res_type
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


def _trim(y: np.ndarray, top_db: float) -> np.ndarray:
    import librosa

    trimmed, _ = librosa.effects.trim(y, top_db=top_db)
    return trimmed if len(trimmed) else y
