"""What makes two clips the same: their bytes, or their samples in whatever container."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

__all__ = ["audio_checksums", "byte_checksums"]


def byte_checksums(paths: Iterable[str], n_jobs: int | None = None) -> np.ndarray:
    """Return a checksum of what each file holds.

    Parameters
    ----------
    paths : iterable of str
        A URL, or a file that went away, counts by its name.
    n_jobs : int, default=None
        Files to read at once, as in joblib.

    Returns
    -------
    checksums : ndarray of shape (n_clips,), str
    """
    return np.array(_map(_byte_checksum, paths, n_jobs))


def audio_checksums(
    paths: Sequence[str], checksums: np.ndarray, n_jobs: int | None = None
) -> np.ndarray:
    """Return what is equal for clips of the same mono samples at the same rate, and for no others.

    Headers tell the length of each clip for next to nothing; only clips of the same length are
    decoded, so that a corpus is not decoded twice.

    Parameters
    ----------
    paths : sequence of str
    checksums : ndarray of shape (n_clips,)
        What `byte_checksums` returned: a file of the same bytes is opened once.
    n_jobs : int, default=None

    Returns
    -------
    checksums : ndarray of shape (n_clips,), str
        That of its bytes for a clip that cannot be opened, or is alone in its length.
    """
    first = np.sort(np.unique(checksums, return_index=True)[1])
    lengths = _map(_length, [paths[i] for i in first], n_jobs)
    alike: dict[tuple[int, int], list[int]] = {}
    for i, length in zip(first, lengths, strict=True):
        if length is not None:
            alike.setdefault(length, []).append(i)
    candidates = [i for rows in alike.values() if len(rows) > 1 for i in rows]
    samples = _map(_sample_checksum, [paths[i] for i in candidates], n_jobs)
    audio = {
        checksums[i]: found
        for i, found in zip(candidates, samples, strict=True)
        if found is not None
    }
    return np.array([audio.get(checksum, checksum) for checksum in checksums])


def _byte_checksum(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256(str(path).encode()).hexdigest()


def _length(path: str) -> tuple[int, int] | None:
    """Return the length of a file in samples, and its rate, as its header says."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            return file.frames, file.samplerate
    except (soundfile.SoundFileError, OSError):
        return None


def _sample_checksum(path: str) -> str | None:
    import soundfile

    try:
        y, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError):
        return None
    y = y.mean(axis=1) + np.float32(0)  # makes -0.0 the 0.0 it equals
    return hashlib.sha256(f"{rate} samples ".encode() + y.tobytes()).hexdigest()


def _map(work: Callable[[str], Any], paths: Iterable[str], n_jobs: int | None) -> list:
    n_workers = (os.cpu_count() or 1) if n_jobs is not None and n_jobs < 0 else n_jobs or 1
    with ThreadPoolExecutor(n_workers) as pool:
        return list(pool.map(work, paths))
