"""Opening of sources of audio (files, URLs, pipes, bytes), bounded in size and time.

Paths of regular files are opened as they are. What has no end of its own (a URL, a pipe) is first
read whole, into memory while it is small and into a temporary file then.
"""

import contextlib
import io
import os
import queue
import re
import select
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from sklearn_ser._files import open_regular
from sklearn_ser.exceptions import AudioError

__all__ = [
    "MAX_BYTES",
    "MAX_SECONDS",
    "URL_SCHEMES",
    "check_source",
    "descriptor",
    "fetch",
    "is_url",
    "open_binary",
    "pipe_blocks",
    "readable_suffixes",
    "rereadable",
    "spool",
]

URL_SCHEMES = ("http", "https", "s3", "gs", "az", "hf")

# What a URL or a pipe may send, and how long it may take. A file on disk may be larger.
MAX_BYTES = 2 << 30
MAX_SECONDS = 300.0

_HELD_BYTES = 32 << 20  # kept in memory; more goes to a temporary file
_BLOCK = 1 << 18

_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".snd", ".caf", ".w64", ".rf64", ".sph"),
)
_FFMPEG_SUFFIXES = (
    *(".mp4", ".m4a", ".m4b", ".mov", ".3gp", ".3g2", ".webm", ".mka", ".mkv"),
    *(".amr", ".aac", ".wma"),
)


def readable_suffixes() -> frozenset[str]:
    """Return how the names of files end that can be decoded on this machine, in lower case.

    Files are told apart by their content, so that this only serves to choose among names. Those
    that need the program ffmpeg are there where ffmpeg is.
    """
    return frozenset(_SUFFIXES + (_FFMPEG_SUFFIXES if shutil.which("ffmpeg") else ()))


def is_url(source: Any) -> bool:
    """Say whether a source is a URL; a `Path` is never one."""
    return isinstance(source, str) and "://" in source


def check_source(source: Any, name: str | None = None) -> None:
    """Raise `AudioError` for a URL that is not read; nothing is opened.

    Other schemes of fsspec read files of this machine, run through other URLs, or unpack
    archives: a table of paths that somebody has sent could read what it should not.

    Parameters
    ----------
    source : str, or whatever `load_audio` reads
    name : str, default=None
        What the error calls it.

    Examples
    --------
    >>> from sklearn_ser.audio.opening import check_source
    >>> check_source("https://example.org/clip.wav")
    >>> check_source("reference://x::file:///etc/passwd")
    Traceback (most recent call last):
    ...
    sklearn_ser.exceptions.AudioError: reference://x::file:///etc/passwd is a chain of URLs, ...
    """
    if not is_url(source):
        return
    name = name or source
    scheme = source.partition("://")[0].lower()
    if "::" in source:
        raise AudioError(
            f"{name} is a chain of URLs, which is never read: fetch it first and give the file."
        )
    if scheme == "file":
        raise AudioError(f"{name} is a file's URL: give its path.")
    if scheme not in URL_SCHEMES:
        raise AudioError(
            f"{name} cannot be fetched: URLs of {', '.join(URL_SCHEMES[:-1])} and "
            f"{URL_SCHEMES[-1]} are read, none of {scheme!r}; fetch it first and give the file."
        )


@contextmanager
def open_binary(source: Any, name: str) -> Iterator[BinaryIO]:
    """Open an encoded source as a binary file that can be read from any place of it.

    Parameters
    ----------
    source : str, Path, bytes, or binary file object
        A file object is read from its start, and left open.
    name : str
        What an error calls it.

    Raises
    ------
    AudioError
        If it is none of these, cannot be fetched, or is beyond `MAX_BYTES` or `MAX_SECONDS`.
    OSError
        If a file cannot be opened, or is a folder, a socket or a device.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
    elif hasattr(source, "read"):
        if not hasattr(source, "seek") or (hasattr(source, "seekable") and not source.seekable()):
            with spool(iter(lambda: source.read(_BLOCK), b""), name) as file:
                yield file
        else:
            source.seek(0)
            yield source
    elif is_url(source):
        with _open_url(source, name) as file:
            yield file
    elif isinstance(source, str | os.PathLike):
        with _open_path(os.fspath(source), name) as file:
            yield file
    else:
        raise AudioError(
            f"{name} is a {type(source).__name__}: give a path, the bytes of a file, an open "
            "binary file, a 1-D array of floats, or an array and its rate: (samples, rate)."
        )


@contextmanager
def rereadable(source: Any) -> Iterator[Any]:
    """Give a source that can be read several times: a URL or a pipe as a file that it fills.

    Raises
    ------
    AudioError
        If a URL cannot be fetched, or what comes is beyond `MAX_BYTES` or `MAX_SECONDS`.
    """
    pipe = isinstance(source, str | os.PathLike) and _is_pipe(os.fspath(source))
    if not pipe and not is_url(source):
        yield source
        return
    with contextlib.ExitStack() as stack:
        name = os.fspath(source)
        try:
            file = stack.enter_context(open_binary(source, name))
        except OSError as error:
            raise AudioError(f"{name} cannot be read: {error.strerror or error}.") from error
        yield file


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):  # it is not there, or no path at all
        return False


def descriptor(file: Any) -> int | None:
    """Return the number by which other programs can read an open file, if it is one on disk.

    Files that Python makes up as they are read (bytes, unpacked archives) have none that serves.
    """
    raw = file.raw if isinstance(file, io.BufferedReader) else file
    return raw.fileno() if isinstance(raw, io.FileIO) else None


def fetch(url: str, name: str | None = None) -> bytes:
    """Return the bytes of a URL.

    Raises
    ------
    AudioError
        If it cannot be fetched, or is beyond `MAX_BYTES` or `MAX_SECONDS`.
    """
    with _open_url(url, name or url) as file:
        return file.read()


def spool(blocks: Iterator[bytes], name: str) -> BinaryIO:
    """Collect at most `MAX_BYTES` in a file of nobody else's, and return it at its start."""
    file: Any = tempfile.SpooledTemporaryFile(max_size=_HELD_BYTES)  # noqa: SIM115
    size = 0
    try:
        for block in blocks:
            size += len(block)
            if size > MAX_BYTES:
                raise AudioError(
                    f"{name} sends more than {MAX_BYTES / 1e6:.0f} MB: save it as wav or flac "
                    "first, which may be larger, or cut it."
                )
            file.write(block)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _open_path(path: str, name: str) -> BinaryIO:
    if not (hasattr(os, "mkfifo") and stat.S_ISFIFO(os.stat(path).st_mode)):
        return open_regular(path).detach()  # type: ignore[attr-defined]  # libsndfile has a buffer
    # `<(...)` of a shell and standard input are open already: to open them again could miss that
    # their writer is gone.
    inherited = re.fullmatch(
        r"/(?:dev|proc/self)/fd/(\d+)", path.replace("/dev/stdin", "/dev/fd/0")
    )
    if inherited:
        handle = os.dup(int(inherited[1]))
    else:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return spool(pipe_blocks(handle, name), name)
    finally:
        os.close(handle)


def pipe_blocks(handle: int, name: str) -> Iterator[bytes]:
    """Yield what comes out of a pipe until its writer closes it, for `MAX_SECONDS` at most."""
    deadline = time.monotonic() + MAX_SECONDS
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise _too_slow(name)
        block = os.read(handle, 1 << 16)
        if not block:
            return
        yield block


def _open_url(url: str, name: str) -> BinaryIO:
    check_source(url, name)
    try:
        import fsspec
    except ImportError as error:
        raise AudioError(f"{name}: to read URLs, pip install 'sklearn-ser[urls]'.") from error
    try:
        with contextlib.closing(_url_blocks(fsspec, url, name)) as blocks:
            return spool(blocks, name)
    except AudioError:
        raise
    except Exception as error:  # each file system behind fsspec raises errors of its own
        cause = error.__cause__ or error
        reason = str(cause).replace(url, "").strip() or type(cause).__name__
        raise AudioError(f"{name} cannot be fetched: {reason}.") from error


def _url_blocks(fsspec: Any, url: str, name: str) -> Generator[bytes]:
    """Yield the bytes of a URL as they come; a thread waits for them, so that we can stop."""
    scheme, _, rest = url.partition("://")
    # Without a size of block, the body is read as it comes, whatever the server says of ranges.
    how = {"block_size": 0} if scheme.lower() in ("http", "https") else {}
    blocks: queue.SimpleQueue = queue.SimpleQueue()
    stop = threading.Event()

    def run() -> None:
        try:
            with fsspec.open(f"{scheme.lower()}://{rest}", "rb", **how) as file:
                while not stop.is_set() and (block := file.read(_BLOCK)):
                    blocks.put(block)
            blocks.put(None)
        except BaseException as error:
            blocks.put(error)

    deadline = time.monotonic() + MAX_SECONDS
    threading.Thread(target=run, daemon=True, name="sklearn-ser fetch").start()
    try:
        while True:
            try:
                item = blocks.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise _too_slow(name) from None
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()


def _too_slow(name: str) -> AudioError:
    return AudioError(
        f"{name} has not come to its end within {MAX_SECONDS:g} s: save it to a file first, and "
        "give that."
    )
