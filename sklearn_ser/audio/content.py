"""The bytes of a source, read once for hashing and decoding."""

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_ser._files import open_regular
from sklearn_ser.audio.decoding import BLOCK, AudioSettings, decode
from sklearn_ser.audio.opening import fetch, is_url
from sklearn_ser.audio.waveforms import unpack
from sklearn_ser.exceptions import AudioError

__all__ = ["HELD_BYTES", "Content", "read_content"]

HELD_BYTES = 32 * 1024 * 1024  # larger files are hashed block by block, and decoded from their path

_Stamp = tuple[int, int, int, int]


@dataclass
class Content:
    """What one source holds.

    Attributes
    ----------
    source : object
        What `load_audio` reads.
    sha256 : str
        Checksum of its bytes, or of the samples of a waveform; hexadecimal.
    data : bytes or ndarray or None
        The bytes or samples themselves; `None` for a file too large to keep.
    stamp : tuple or None
        What the file system said of a file before it was read.
    """

    source: Any
    sha256: str
    data: Any
    stamp: _Stamp | None = None

    @property
    def n_bytes(self) -> int:
        """How much memory it takes."""
        return 0 if self.data is None or self.data is self.source else len(self.data)

    def release(self) -> None:
        """Forget the bytes of a file; they are read again where they are needed."""
        if self.stamp is not None:
            self.data = None

    def decode(self, settings: AudioSettings, name: str) -> tuple[np.ndarray, int]:
        """Decode exactly what was hashed.

        Returns
        -------
        y : ndarray of shape (n_times,), float32
            The mono samples, before they are resampled.
        rate : int
            Their sampling rate, in Hz.

        Raises
        ------
        AudioError
            As `load_audio`, and where a file was changed since it was hashed.
        """
        if self.stamp is None:
            return decode(self.data, settings, name)
        if self.data is None and self.stamp[2] <= HELD_BYTES:
            again = read_content(self.source)
            if again is None or again.sha256 != self.sha256:
                raise _changed(name)
            self.data = again.data
        if self.data is not None:
            return decode(self.data, settings, name)
        decoded = decode(self.source, settings, name)
        if _stamp(self.source) != self.stamp:
            raise _changed(name)
        return decoded


def read_content(source: Any) -> Content | None:
    """Read and hash one source.

    Parameters
    ----------
    source : object
        What `load_audio` reads.

    Returns
    -------
    content : Content or None
        `None` for what cannot be read, or is no audio: decoding it says why.

    Raises
    ------
    AudioError
        If a URL cannot be fetched.
    """
    source = unpack(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return Content(source, hashlib.sha256(source).hexdigest(), source)
    if isinstance(source, np.ndarray) and source.dtype.kind == "f":
        checksum = hashlib.sha256(f"{source.dtype} {source.shape}".encode())
        checksum.update(np.ascontiguousarray(source).data)
        return Content(source, checksum.hexdigest(), source)
    if is_url(source):
        data = fetch(source)
        return Content(source, hashlib.sha256(data).hexdigest(), data)
    if isinstance(source, str | os.PathLike):
        try:
            return _read_file(os.fspath(source))
        except (OSError, ValueError):
            return None
    return None


def _read_file(path: str) -> Content | None:
    stamp = _stamp(path)
    if stamp is None:
        return None
    checksum = hashlib.sha256()
    with open_regular(path) as file:
        if stamp[2] <= HELD_BYTES:
            data = file.read()
            checksum.update(data)
            return Content(path, checksum.hexdigest(), data, stamp)
        while block := file.read(BLOCK):
            checksum.update(block)
    return Content(path, checksum.hexdigest(), None, stamp)


def _stamp(path: str) -> _Stamp | None:
    """Return what changes with a file's bytes; `None` for a folder, a pipe or a device."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_dev, status.st_ino, status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)


def _changed(name: str) -> AudioError:
    return AudioError(f"{name} was changed while it was read: try again when it is whole.")
