"""The loop over clips that every transformer and union runs: read, compute, drop, go on.

A clip is decoded once, all transformers take their share of its one `Spectrum`, and only their
numbers stay, so that memory holds a few clips however many there are. Threads serve well here:
decoding, resampling and the FFT all release Python's lock.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits

from sklearn_ser.audio import Clips
from sklearn_ser.exceptions import AudioError
from sklearn_ser.features._spectrum import Spectrum

BATCH_SIZE = 32  # clips handed to a worker at once


class SpectrumTransformer(Protocol):
    """What can take part in the shared pass over a clip."""

    sr: int

    def compute(self, spectrum: Spectrum) -> np.ndarray:
        """Return the numbers of one clip."""


class Batch(NamedTuple):
    """What came of some consecutive clips."""

    rows: list[np.ndarray | None]  # None where the clip could not be read
    failures: dict[int, str]  # position in the batch: what was wrong


def iter_batches(
    transformers: Sequence[tuple[SpectrumTransformer, float | None]],
    clips: Clips,
    n_jobs: int | None = None,
) -> Iterator[Batch]:
    """Yield the features of consecutive batches of clips, in order.

    Parameters
    ----------
    transformers : sequence of (transformer, weight)
        Each transformer's numbers are multiplied by its weight, if it has one, and joined along
        the last axis.
    clips : Clips
    n_jobs : int, default=None
        How many batches to work on at once, as in joblib.

    Yields
    ------
    batch : Batch
    """
    starts = range(0, len(clips), BATCH_SIZE)
    batches = (clips[start : start + BATCH_SIZE] for start in starts)
    if len(starts) == 1:
        yield compute_batch(transformers, clips)
        return
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    # Each matrix product here is small: several BLAS threads a product would only get in the way.
    with threadpool_limits(1, user_api="blas"):
        yield from parallel(delayed(compute_batch)(transformers, batch) for batch in batches)


def compute_batch(
    transformers: Sequence[tuple[SpectrumTransformer, float | None]], clips: Clips
) -> Batch:
    """Compute the features of some clips, one after the other."""
    rows: list[np.ndarray | None] = []
    failures = {}
    for i in range(len(clips)):
        try:
            rows.append(_compute_row(transformers, clips, i))
        except AudioError as error:
            rows.append(None)
            failures[i] = str(error)
    return Batch(rows, failures)


def _compute_row(
    transformers: Sequence[tuple[SpectrumTransformer, float | None]], clips: Clips, i: int
) -> np.ndarray:
    y, name = clips[i], clips.name(i)
    spectra: dict[int, Spectrum] = {}
    parts = []
    for transformer, weight in transformers:
        sr = clips.sr or transformer.sr
        spectrum = spectra.setdefault(sr, Spectrum(y, sr, name))
        part = transformer.compute(spectrum)
        parts.append(part if weight is None else part * np.float32(weight))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def extract(
    transformers: Sequence[tuple[SpectrumTransformer, float | None]],
    clips: Clips,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Return the features of all clips, or raise one error that lists every clip that failed.

    Returns
    -------
    X : ndarray of shape (n_clips, ...), float32

    Raises
    ------
    AudioError
        With `failures`, the message of each clip that could not be used by its position.
    """
    rows: list[Any] = []
    failures: dict[int, str] = {}
    for batch in iter_batches(transformers, clips, n_jobs):
        failures |= {len(rows) + i: message for i, message in batch.failures.items()}
        rows.extend(batch.rows)
    if failures:
        raise AudioError(summarize(failures, len(clips)), failures)
    return np.stack(rows)


def summarize(failures: dict[int, str], n_clips: int) -> str:
    """Say in one message what was wrong with each clip that failed."""
    messages = list(failures.values())
    if n_clips == 1:
        return messages[0]
    count = f"{len(messages)} of {n_clips} clips cannot be used"
    return f"{count}:{os.linesep}" + os.linesep.join(f"  {message}" for message in messages)


def uses_several_workers(n_jobs: int | None) -> bool:
    """Say whether joblib would run more than one worker."""
    return effective_n_jobs(n_jobs) > 1
