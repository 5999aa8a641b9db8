"""From a source of audio to one mono waveform at one sampling rate, or a clear `AudioError`.

A source is a path, a URL that `fsspec` understands, an open binary file, the bytes of a file, or a
waveform. `load_audio` reads one; `AudioLoader` is the first step of every pipeline and hands its
successor `Clips`, a sequence that decodes a clip when it is asked for and keeps nothing.
"""

import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_ser._sklearn import at_least, one_of, positive, validate_params
from sklearn_ser.exceptions import AudioError

__all__ = ["AudioLoader", "Clips", "check_clips", "load_audio"]

SOXR_TYPES = {"soxr_vhq": "VHQ", "soxr_hq": "HQ", "soxr_mq": "MQ", "soxr_lq": "LQ", "soxr_qq": "QQ"}
RESAMPY_TYPES = ("kaiser_best", "kaiser_fast")

# Rates outside are a damaged header, not audio: telephones use 8,000 Hz, bat recorders 500,000 Hz.
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000

# A header may promise this much more than the file holds before the clip counts as cut short:
# MP3 headers round to whole frames of 1152 samples and include the encoder's padding.
TOLERATED_SHORTAGE = 2 * 1152

# soundfile says 2^63 - 1 where a header does not tell; the longest recordings have 10^10.
_MOST_FRAMES = 1 << 48

_BLOCK = 1 << 18  # samples decoded at once from files of several channels, bytes read at once


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
    >>> from sklearn_ser.audio import load_audio
    >>> file = io.BytesIO()
    >>> soundfile.write(file, np.zeros((8000, 2)), 8000, format="WAV")
    >>> load_audio(file, sr=16000).shape
    (16000,)
    """
    settings = AudioSettings(sr, offset, duration, res_type, top_db, max_duration)
    return _load(source, settings, _name(source))


def _load(source: Any, settings: AudioSettings, name: str) -> np.ndarray:
    if isinstance(source, np.ndarray | list | tuple):
        y, rate = _check_waveform(source, name), settings.sr
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
    # The sum is finite only if every sample is; it costs a tenth of looking at each.
    with np.errstate(all="ignore"):
        total = np.add.reduce(y)
    if not np.isfinite(total):
        raise AudioError(f"{name} holds NaN or infinite samples: write it again from its original.")
    y = _resample(y, rate, settings, name)
    return y if settings.top_db is None else _trim(y, settings.top_db)


def _decode(source: Any, settings: AudioSettings, name: str) -> tuple[np.ndarray, int]:
    """Return the mono samples of an encoded source and their rate."""
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
            y = _read_mono(file, promised)
    except (soundfile.SoundFileError, TypeError, ValueError, OSError) as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(_why_unreadable(source, name, error)) from error
    if promised - len(y) > TOLERATED_SHORTAGE:
        raise AudioError(_cut_short(name, len(y) / rate, promised / rate))
    return y, rate


def _read_mono(file, n_frames: int) -> np.ndarray:
    if file.channels == 1:
        return file.read(n_frames, dtype="float32")
    # Many channels at once could need many times the memory of the result.
    blocks, left = [], n_frames
    while left > 0:
        block = file.read(min(left, _BLOCK), dtype="float32", always_2d=True)
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
        return io.BytesIO(_fetch(source))
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        # A named pipe or a device would block or never end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise AudioError(f"{name} is a folder or device, not an audio file.")
        return path
    raise AudioError(
        f"{name} is a {type(source).__name__}: give a path, the bytes of a file, an open binary "
        "file, or a 1-D array of floats."
    )


def _fetch(url: str) -> bytes:
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


def _name(source: Any, position: int | None = None) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(file := getattr(source, "name", None), str):
        return file
    kind = "waveform" if isinstance(source, np.ndarray | list | tuple) else "source"
    return f"the {kind}" if position is None else f"{kind} {position}"


def _check_waveform(y: Any, name: str) -> np.ndarray:
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


class Clips:
    """A lazy sequence of waveforms: `clips[i]` decodes clip `i` and keeps nothing.

    Parameters
    ----------
    sources : list
        What `load_audio` reads, one per clip.
    settings : AudioSettings
        How to read them.
    index : pandas.Index, default=None
        The index of the Series the sources came in, for transformers with pandas output.
    positions : sequence of int, default=None
        What errors number the sources by, where they are part of a longer sequence.
    """

    def __init__(
        self,
        sources: list,
        settings: AudioSettings,
        index: Any = None,
        positions: Sequence[int] | None = None,
    ):
        self.sources = sources
        self.settings = settings
        self.index = index
        self.positions = range(len(sources)) if positions is None else positions

    @property
    def sr(self) -> int | None:
        """Sampling rate of the clips, in Hz; `None` for bare waveforms, whose rate is unknown."""
        return self.settings.sr or None

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, key):
        if isinstance(key, int | np.integer):
            return _load(self.sources[key], self.settings, self.name(int(key)))
        chosen = np.arange(len(self))[key]
        return Clips(
            [self.sources[i] for i in chosen],
            self.settings,
            None if self.index is None else self.index[chosen],
            [self.positions[i] for i in chosen],
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def checksum(self, i: int) -> bytes | None:
        """Return a checksum of clip `i`, of its bytes and of how they are read.

        `None` for what has no lasting content (a URL, an open file) or cannot be read.
        """
        source = self.sources[i]
        checksum = hashlib.sha256(repr(self.settings).encode())
        if isinstance(source, bytes | bytearray | memoryview):
            checksum.update(source)
        elif isinstance(source, np.ndarray):
            checksum.update(f"{source.dtype} {source.shape}".encode())
            checksum.update(np.ascontiguousarray(source).tobytes())
        elif isinstance(source, str | os.PathLike):
            try:
                if not stat.S_ISREG(os.stat(source).st_mode):
                    return None
                with open(source, "rb", buffering=0) as file:
                    while block := file.read(_BLOCK):
                        checksum.update(block)
            except OSError:
                return None
        else:
            return None
        return checksum.digest()

    def name(self, i: int) -> str:
        """Return what an error calls clip `i`: its path, or its position."""
        return _name(self.sources[i], self.positions[i])

    def __repr__(self) -> str:
        return f"<{len(self)} clips at {self.sr} Hz, decoded when asked for>"


class AudioLoader(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """The first step of every pipeline: sources of audio become waveforms at one rate.

    Nothing is decoded before it is needed and nothing decoded is kept, so the memory of a pipeline
    does not grow with the length of its corpus.

    Parameters
    ----------
    sr : int, default=22050
        Sampling rate of the clips, in Hz. The feature transformers after it must have the same.
    offset : float, default=0.0
        Where in each clip to start, in seconds.
    duration : float, default=None
        How much of each clip to use at most, in seconds; `None` uses all.
    res_type : str, default="soxr_hq"
        The resampler, see :func:`load_audio`. `"kaiser_fast"` is the one of the classic recipe and
        needs the extra `classic`.
    top_db : float, default=None
        Trim silence at both ends, this many decibels below the loudest; `None` trims nothing.
    max_duration : float, default=600.0
        The longest clip accepted, in seconds; `None` accepts any.

    See Also
    --------
    load_audio : The same for one source.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import AudioLoader
    >>> clips = AudioLoader(sr=16000).fit_transform([np.zeros(16000), np.ones(8000)])
    >>> len(clips), clips[1].shape
    (2, (8000,))
    """

    _parameter_constraints: dict = {
        "sr": [at_least(LOWEST_RATE)],
        "offset": [at_least(0, Real)],
        "duration": [positive(), None],
        "res_type": [one_of(*SOXR_TYPES, *RESAMPY_TYPES)],
        "top_db": [positive(), None],
        "max_duration": [positive(), None],
    }

    def __init__(
        self,
        sr=22050,
        *,
        offset=0.0,
        duration=None,
        res_type="soxr_hq",
        top_db=None,
        max_duration=600.0,
    ):
        self.sr = sr
        self.offset = offset
        self.duration = duration
        self.res_type = res_type
        self.top_db = top_db
        self.max_duration = max_duration

    def fit(self, X, y=None):
        """Check the parameters and the kind of X; nothing is decoded and nothing is learned.

        Parameters
        ----------
        X : sequence of sources
            As for :meth:`transform`.
        y : ignored

        Returns
        -------
        self : AudioLoader
        """
        validate_params(self)
        if hasattr(X, "__len__"):  # an iterator is used up by looking at it
            _as_sources(X)
        return self

    def transform(self, X) -> Clips:
        """Return the clips, not decoded yet.

        Parameters
        ----------
        X : sequence of n_clips sources, or array of shape (n_clips, n_times)
            Paths, URLs, bytes, open binary files, or waveforms at the rate `sr`.

        Returns
        -------
        clips : Clips of length n_clips

        Raises
        ------
        ValueError
            If X is a single source, or holds no clip.
        """
        validate_params(self)
        return Clips(_as_sources(X), AudioSettings(**self.get_params()), _index_of(X))

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the one name `"clip"`, so that a whole pipeline can be asked for its names."""
        return np.array(["clip"], dtype=object)

    def set_output(self, *, transform=None) -> "AudioLoader":
        """Change nothing: clips have no table form."""
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _as_sources(X: Any) -> list:
    """Return X as a list of sources, refusing what holds one clip where several are expected."""
    if isinstance(X, str | os.PathLike | bytes | bytearray) or hasattr(X, "read"):
        raise AudioError("One source of audio was given where a list is expected: write [source].")
    if hasattr(X, "iloc"):
        if getattr(X, "ndim", 1) == 2:
            if X.shape[1] != 1:
                raise AudioError(
                    "A table was given where a column of paths is expected: write corpus['path']."
                )
            X = X.iloc[:, 0]
        sources = list(X)
    elif isinstance(X, np.ndarray) and X.dtype.kind not in "OUS":
        if X.ndim != 2:
            raise AudioError(
                f"An array of shape {X.shape} was given where a batch of clips (n_clips, n_times) "
                "is expected: write [waveform] for one mono clip."
            )
        if X.shape[1] <= 8:
            raise AudioError(
                f"An array of shape {X.shape} was given, {len(X)} clips of {X.shape[1]} samples: "
                "for one clip of several channels write [y.mean(axis=1)]."
            )
        sources = list(X)
    elif isinstance(X, np.ndarray):
        sources = X.ravel().tolist() if X.ndim == 2 and X.shape[1] == 1 else X.tolist()
    else:
        sources = list(X)
    if not sources:
        raise AudioError("Found 0 clips: at least one is needed.")
    if isinstance(sources[0], Real):
        raise AudioError("One waveform was given where a list is expected: write [waveform].")
    return sources


def _index_of(X: Any) -> Any:
    return X.index if hasattr(X, "iloc") else None


def check_clips(X: Any) -> Any:
    """Return a batch of clips that transformers can read one by one, or raise.

    Parameters
    ----------
    X : Clips, array of shape (n_clips, n_times), or sequence of n_clips arrays of shape (n_times,)

    Returns
    -------
    clips : Clips
        What an `AudioLoader` made is returned as it is.

    Raises
    ------
    ValueError
        If X is not a batch of clips. What single clips hold is checked as each is read.
    """
    if isinstance(X, Clips):
        return X
    if hasattr(X, "toarray"):
        raise TypeError("A sparse matrix was given where clips are expected: pass a dense array.")
    if not hasattr(X, "__len__") and not hasattr(X, "__array__"):
        raise TypeError(f"Clips were expected, not {X!r}.")
    if hasattr(X, "iloc") and getattr(X, "ndim", 1) == 2:
        X, index = X.to_numpy(), X.index
    else:
        index = _index_of(X)
    if not hasattr(X, "iloc") and not _is_ragged(X):
        from sklearn.utils import check_array

        X = list(check_array(X, dtype=np.float32))
    return Clips(_as_sources(X), _WAVEFORMS, index)


def _is_ragged(X: Any) -> bool:
    """Say whether X is a sequence of arrays, which may differ in length."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and hasattr(X[0], "__len__")
    return isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], np.ndarray)


# Bare waveforms come without a rate; 0 marks that, and nothing is resampled.
_WAVEFORMS = replace(AudioSettings(), sr=0, max_duration=None)
