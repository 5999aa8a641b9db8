"""Decoding and resampling of a source to one mono waveform, or a clear `AudioError`.

A source is a path, a URL, an open binary file, the bytes of a file, or a waveform. `load_audio`
reads one.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from sklearn_ser.audio.completeness import check_header, check_rest, cut_short
from sklearn_ser.audio.ffmpeg import FFMPEG, demuxer_of, open_with_ffmpeg
from sklearn_ser.audio.mpg123 import without_messages
from sklearn_ser.audio.opening import descriptor, open_binary
from sklearn_ser.audio.resampling import resample
from sklearn_ser.audio.waveforms import is_waveform, split_waveform, unpack
from sklearn_ser.exceptions import AudioError

__all__ = [
    "SERVED_FORMATS",
    "AudioSettings",
    "Channel",
    "SampleReader",
    "check_finite",
    "decode",
    "finish",
    "load_audio",
    "name_of",
    "open_source",
    "read_source",
]

SERVED_FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF")
"""The formats that are decoded for untrusted clients; OGG holds Vorbis and Opus."""

# Rates outside are a damaged header, not audio: telephones use 8,000 Hz, bat recorders 500,000 Hz.
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000

# A header may promise this much more than the file holds before the clip counts as cut short:
# MP3 headers round to whole frames of 1152 samples and include the encoder's padding.
TOLERATED_SHORTAGE = 2 * 1152

# Full scale is 1, which a waveform may exceed a little, as after a filter. Files of floats and
# decoders may exceed it more, but none has 32768. Greater powers do not fit into float32.
FULL_SCALE, GREATEST_RECORDED, GREATEST_SAMPLE = 1.5, 32.0, 1e10

# A clip may have as many samples as its greatest duration has at this rate, in Hz: at ten times the
# rate it would fill ten times the memory.
COMMON_RATE = 48_000

# soundfile says 2^63 - 1 where a header does not tell; the longest recordings have 10^10.
_MOST_FRAMES = 1 << 48

BLOCK = 1 << 18  # samples decoded at once from files of several channels, bytes read at once

_HEAD_BYTES = 64  # what tells formats apart

_APPLE_DOUBLE = b"\0\x05\x16\x07"  # such as `._clip.wav`

# What begins the files that are no MP3, by libsndfile's reading.
_SIGNATURES = (
    *(b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b"OggS", b".snd", b"dns."),
    *(b"caff", b"NIST"),
)


@dataclass(frozen=True)
class AudioSettings:
    """How a source becomes a waveform; the parameters of `AudioLoader`, in a hashable form."""

    sr: int = 22050
    offset: float = 0.0
    duration: float | None = None
    res_type: str = "soxr_hq"
    top_db: float | None = None
    max_duration: float | None = 600.0
    formats: tuple[str, ...] | None = None
    """Formats that are decoded, by libsndfile's names and `"FFMPEG"`; `None` for all."""


@dataclass(frozen=True)
class Channel:
    """One channel of a source, which is read as if it were the whole.

    Parameters
    ----------
    source : str, Path, bytes, or binary file object
    index : int
        From 0 on.
    name : str
        What an error calls it.
    """

    source: Any
    index: int
    name: str


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
    source : str, Path, bytes, binary file object, array of shape (n_times,), tuple or dict
        A file (wav, flac, ogg, mp3, aiff and others, told apart by their content, not by their
        name; mp4, m4a, webm, amr and others where the program ffmpeg is), a URL (http, https, s3,
        gs, az, hf) where the extra `urls` is installed, the bytes of such a file, or a waveform.
        A waveform holds floats between -1 and 1, or integers, which are divided by the full scale
        of their type; it is taken to be at the rate `sr`, unless it comes as `(samples, rate)` or
        `{"array": samples, "sampling_rate": rate}`.
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
    source = unpack(source)
    if is_waveform(source):
        y, rate = split_waveform(source, name)
        rate = _check_rate(settings.sr if rate is None else rate, settings, name)
        y = y[int(settings.offset * rate) :]
        if settings.duration is not None:
            y = y[: int(settings.duration * rate)]
        _check_length(len(y), rate, settings, name)
        # Bare waveforms, whose rate nobody has told, may be anything but infinite.
        greatest = FULL_SCALE if settings.sr else GREATEST_SAMPLE
    else:
        y, rate = _decode(source, settings, name)
        greatest = GREATEST_RECORDED
    if not len(y):
        if settings.offset:
            raise AudioError(f"{name} ends before offset={settings.offset:g} s: lower it.")
        raise AudioError(f"{name} holds no samples: leave it out or record it again.")
    check_finite(y, name, greatest)
    return y, rate


def _decode(source: Any, settings: AudioSettings, name: str) -> tuple[np.ndarray, int]:
    """Return the mono samples of an encoded source and their rate."""
    with open_source(source, settings, name) as (reader, promised):
        y = reader.read(promised)
        reader.check_end()
    return y, reader.samplerate


def finish(y: np.ndarray, rate: int, settings: AudioSettings, name: str) -> np.ndarray:
    """Return decoded samples at the rate of the settings, trimmed where they say so."""
    y = resample(y, rate, settings.sr, settings.res_type, name)
    if settings.top_db is None:
        return y
    import librosa

    trimmed, _ = librosa.effects.trim(y, top_db=settings.top_db)
    return trimmed if len(trimmed) else y


@contextmanager
def open_source(
    source: Any, settings: AudioSettings, name: str
) -> Iterator[tuple["SampleReader", int]]:
    """Open a source at its offset; whatever goes wrong with it is an `AudioError`.

    Yields
    ------
    reader : SampleReader
    promised : int
        How many samples there should be to read.
    """
    import soundfile

    channel = None
    if isinstance(source, Channel):
        source, channel = source.source, source.index
    try:
        with ExitStack() as stack:
            file = stack.enter_context(open_binary(source, name))
            reader = _open_decoder(file, settings, name, stack)
            reader.channel = channel
            _check_rate(reader.samplerate, settings, name)
            if reader.n_frames > _MOST_FRAMES:
                raise AudioError(
                    f"{name} does not say how long it is, as if written to a pipe: write it again, "
                    "with ffmpeg -i IN OUT.flac for instance."
                )
            n_times = reader.seek(settings)
            _check_length(n_times, reader.samplerate, settings, name, at_least=reader.by_ffmpeg)
            yield reader, reader.promised
    except (soundfile.SoundFileError, TypeError, ValueError, OSError) as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(_why_unreadable(source, name, error)) from error


def _open_decoder(
    file: BinaryIO, settings: AudioSettings, name: str, stack: ExitStack
) -> "SampleReader":
    """Open an encoded file by what it begins with, and check what its header says."""
    import soundfile

    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head:
        raise AudioError(f"{name} is empty (0 bytes): copy it again, or leave it out.")
    if head.startswith(_APPLE_DOUBLE):
        raise AudioError(f"{name} is no audio but what macOS keeps beside a file: leave it out.")
    if (demuxer := demuxer_of(head)) is not None:
        _check_format(FFMPEG, settings, name)
        whole = settings.duration if settings.duration is not None else settings.max_duration
        seconds = None if whole is None else settings.offset + whole + 1
        file = stack.enter_context(open_with_ffmpeg(file, demuxer, seconds, name))
        head = file.read(_HEAD_BYTES)
        file.seek(0)
    silenced = not head.startswith(_SIGNATURES)
    with without_messages() if silenced else nullcontext():
        audio = stack.enter_context(soundfile.SoundFile(_for_soundfile(file), closefd=False))
    if demuxer is None:
        _check_format(audio.format, settings, name)
    check_header(audio, file, name)
    return SampleReader(audio, file, name, by_ffmpeg=demuxer is not None)


def _for_soundfile(file: BinaryIO) -> Any:
    """Return the descriptor of a file on disk, which libsndfile reads by itself, or the file."""
    handle = descriptor(file)
    if handle is None:
        return file
    os.lseek(handle, 0, os.SEEK_SET)  # Python's buffer may have read ahead
    return handle


def _check_format(form: str, settings: AudioSettings, name: str) -> None:
    if settings.formats is not None and form not in settings.formats:
        kind = "a container that ffmpeg decodes" if form == FFMPEG else f"of the format {form}"
        raise AudioError(
            f"{name} is {kind}; allowed are {', '.join(settings.formats)}: convert it to wav or "
            "flac."
        )


class SampleReader:
    """An open source, from which mono samples are read.

    Attributes
    ----------
    samplerate : int
        In Hz.
    channels : int
    n_frames : int
        How many samples the header promises for each channel.
    promised : int
        How many of them there should be to read, after the offset and within the duration.
    by_ffmpeg : bool
        Whether ffmpeg has decoded it, which stops where the greatest duration is passed.
    channel : int or None
        The one to read; None reads the mean of all.
    """

    def __init__(self, audio: Any, file: BinaryIO, name: str, *, by_ffmpeg: bool = False):
        self.by_ffmpeg = by_ffmpeg
        self.channel: int | None = None
        self._audio = audio
        self._file = file
        self._name = name
        self._is_mp3 = audio.subtype.startswith("MPEG")  # in whatever container
        self._start = self._held = 0
        self.n_frames = self.promised = audio.frames
        self.samplerate: int = audio.samplerate
        self.channels: int = audio.channels

    def seek(self, settings: AudioSettings) -> int:
        """Go to the offset, and return how many samples there should be to read from there."""
        self._start = min(int(settings.offset * self.samplerate), self.n_frames)
        self.promised = self.n_frames - self._start
        if settings.duration is not None:
            self.promised = min(self.promised, int(settings.duration * self.samplerate))
        if self._start:
            with self._quiet():
                self._audio.seek(self._start)
        return self.promised

    def read(self, n_times: int) -> np.ndarray:
        """Return the next samples, the mean of channels or one: as many, or what is left."""
        n_times = min(n_times, self.promised - self._held)
        with self._quiet():
            y = read_mono(self._audio, n_times, self.channel)
        self._held += len(y)
        return y

    def check_end(self) -> None:
        """Raise `AudioError` where there are fewer samples than promised, or more."""
        rate = self.samplerate
        if self.promised - self._held > TOLERATED_SHORTAGE:
            raise AudioError(cut_short(self._name, self._held / rate, self.promised / rate))
        if self._start + self.promised == self.n_frames:
            with self._quiet():
                check_rest(self._audio, self._file, self._name)

    def _quiet(self) -> AbstractContextManager:
        return without_messages() if self._is_mp3 else nullcontext()


def check_finite(y: np.ndarray, name: str, greatest: float = GREATEST_RECORDED) -> None:
    """Raise `AudioError` where a sample is no number, or greater than any that is recorded."""
    peak = max(y.max(), -y.min())
    if peak <= greatest:
        return
    if np.isfinite(peak):
        raise AudioError(
            f"{name} holds samples of {peak:.5g}, where 1 is full scale: divide numbers of 16 bit "
            "by 32768, or write it again from its original."
        )
    raise AudioError(f"{name} holds NaN or infinite samples: write it again from its original.")


def read_mono(audio: Any, n_frames: int, channel: int | None = None) -> np.ndarray:
    """Return the next samples of an open soundfile, the mean of its channels or one of them."""
    if audio.channels == 1:
        return audio.read(n_frames, dtype="float32")
    # Many channels at once could need many times the memory of the result.
    y, held = np.empty(n_frames, dtype=np.float32), 0
    while held < n_frames:
        block = audio.read(min(n_frames - held, BLOCK), dtype="float32", always_2d=True)
        if not len(block):
            break
        mono = block.mean(axis=1) if channel is None else block[:, channel]
        y[held : held + len(block)] = mono
        held += len(block)
    return y[:held]


def _check_rate(rate: int, settings: AudioSettings, name: str) -> int:
    if settings.sr and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"{name} has a sampling rate of {rate} Hz, and no recording has that: its header, or "
            "the number that comes with it, is wrong."
        )
    if not settings.sr and rate:
        raise AudioError(f"{name} has a rate of its own: begin the pipeline with AudioLoader.")
    return rate


def _check_length(
    n_times: int, rate: int, settings: AudioSettings, name: str, *, at_least: bool = False
) -> None:
    most = settings.max_duration
    if most is None or n_times <= most * min(rate, COMMON_RATE):
        return
    mend = (
        "cut it into clips, or set the loader's duration or max_duration; `window=SECONDS` reads "
        "recordings of any length."
    )
    if n_times <= most * rate:  # not too long but at a rate that fills the memory
        raise AudioError(
            f"{name} holds {n_times} samples at {rate} Hz, as many as "
            f"{_clock(n_times / COMMON_RATE)} at {COMMON_RATE} Hz and more than the {most:g} s "
            f"that count as one clip: {mend}"
        )
    length = ("at least " if at_least else "") + _clock(n_times / rate)
    raise AudioError(
        f"{name} is {length} long, more than the {most:g} s that count as one clip: {mend}"
    )


def _clock(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _why_unreadable(source: Any, name: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name} does not exist: check the path."
    if isinstance(error, PermissionError):
        return f"{name} may not be read: change its permissions (chmod +r)."
    if isinstance(error, OSError) and error.strerror:
        return f"{name} cannot be read: {error.strerror}."
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
    kind = "waveform" if is_waveform(unpack(source)) else "source"
    return f"the {kind}" if position is None else f"{kind} {position}"
