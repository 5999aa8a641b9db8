"""The loop over clips that every transformer and union runs: read, compute, drop, go on.

A clip is decoded once, all transformers take their share of its one spectrum, and only their
numbers stay, so that memory holds a few clips however many there are. Threads serve well here:
decoding, resampling, the FFT and numpy's long calls all release Python's lock.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController

from sklearn_ser.audio.loader import Clips
from sklearn_ser.exceptions import AudioError
from sklearn_ser.features._cache import FeatureCache, describe_setting, make_key
from sklearn_ser.features._spectrum import Spectra

BATCH_SIZE = 32  # clips handed to a worker at once
SAMPLES_AT_ONCE = 1 << 18  # decoded samples worked on together: six clips of two seconds

Weighted = Sequence[tuple["SpectrumTransformer", float | None]]


class SpectrumTransformer(Protocol):
    """What can take part in the shared pass over a clip."""

    sr: int

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the numbers of some clips."""


class Batch(NamedTuple):
    """What came of some consecutive clips."""

    rows: list[np.ndarray | None]  # None where the clip could not be read
    failures: dict[int, str]  # position in the batch: what was wrong


def iter_batches(
    transformers: Weighted,
    clips: Clips,
    n_jobs: int | None = None,
    cache: FeatureCache | None = None,
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
    cache : FeatureCache, default=None
        Where to look features up first and keep them.

    Yields
    ------
    batch : Batch
    """
    starts = range(0, len(clips), BATCH_SIZE)
    if len(starts) == 1:
        with one_blas_thread():
            batch = compute_batch(transformers, clips, cache)
        yield batch
        return
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    kept_open = cache.kept_open() if cache else nullcontext()
    with one_blas_thread(), kept_open:
        yield from parallel(
            delayed(compute_batch)(transformers, clips[start : start + BATCH_SIZE], cache)
            for start in starts
        )


def one_blas_thread() -> AbstractContextManager:
    """Hold matrix products to one thread.

    Each is small here, so that several threads would only get in the way; and the last digits of a
    product depend on their number, which would give a clip alone other features than in a batch.
    """
    return _blas().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # looking for the libraries takes milliseconds


def compute_batch(transformers: Weighted, clips: Clips, cache: FeatureCache | None = None) -> Batch:
    """Compute the features of some clips, or look them up."""
    keys = _make_keys(transformers, clips) if cache else {}
    known = cache.get(list(keys.values())) if cache else {}
    parts = {place: known[key] for place, key in keys.items() if key in known}
    failures: dict[int, str] = {}
    # Clips that lack the same transformers' features can be worked on together.
    lacking: dict[tuple[int, ...], list[int]] = {}
    for i in range(len(clips)):
        lacks = tuple(t for t in range(len(transformers)) if (i, t) not in parts)
        lacking.setdefault(lacks, []).append(i)
    for lacks, positions in lacking.items():
        if not lacks:
            continue
        for group, waveforms in _decode(clips, positions, failures):
            computed = _compute_group(transformers, lacks, clips, group, waveforms, failures)
            parts |= computed
    if cache:
        cache.put({keys[p]: v for p, v in parts.items() if p in keys and keys[p] not in known})
    rows = [None if i in failures else _join(transformers, parts, i) for i in range(len(clips))]
    return Batch(rows, failures)


def _make_keys(transformers: Weighted, clips: Clips) -> dict[tuple[int, int], bytes]:
    """Return the key of each clip's features by transformer; none for clips without content."""
    settings = [describe_setting(transformer) for transformer, _ in transformers]
    return {
        (i, t): make_key(content, setting)
        for i in range(len(clips))
        if (content := clips.checksum(i)) is not None
        for t, setting in enumerate(settings)
        if setting is not None
    }


def _decode(
    clips: Clips, positions: list[int], failures: dict[int, str]
) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """Yield decoded clips in groups that are small in memory; note those that cannot be read."""
    group: list[int] = []
    waveforms: list[np.ndarray] = []
    for i in positions:
        try:
            waveforms.append(clips[i])
        except AudioError as error:
            failures[i] = str(error)
            continue
        group.append(i)
        if sum(map(len, waveforms)) >= SAMPLES_AT_ONCE:
            yield group, waveforms
            group, waveforms = [], []
    if group:
        yield group, waveforms


def _compute_group(
    transformers: Weighted,
    lacks: tuple[int, ...],
    clips: Clips,
    group: list[int],
    waveforms: list[np.ndarray],
    failures: dict[int, str],
) -> dict[tuple[int, int], np.ndarray]:
    """Return the features of decoded clips by clip and transformer."""
    names = [clips.name(i) for i in group]
    spectra = Spectra(waveforms, clips.sr or transformers[0][0].sr, names)
    try:
        computed = {t: transformers[t][0].compute(spectra) for t in lacks}
    except AudioError as error:
        if len(group) == 1:
            failures[group[0]] = str(error)
            return {}
        alone = [
            _compute_group(transformers, lacks, clips, [i], [y], failures)
            for i, y in zip(group, waveforms, strict=True)
        ]
        return {place: part for computed in alone for place, part in computed.items()}
    return {(i, t): rows[n] for t, rows in computed.items() for n, i in enumerate(group)}


def _join(transformers: Weighted, parts: dict[tuple[int, int], np.ndarray], i: int) -> np.ndarray:
    """Return the row of a clip: its features of all transformers side by side."""
    row = [
        parts[i, t] if weight is None else parts[i, t] * np.float32(weight)
        for t, (_, weight) in enumerate(transformers)
    ]
    return row[0] if len(row) == 1 else np.concatenate(row, axis=-1)


def extract(
    transformers: Weighted,
    clips: Clips,
    n_jobs: int | None = None,
    cache: FeatureCache | None = None,
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
    X, failures = gather(iter_batches(transformers, clips, n_jobs, cache), len(clips))
    if failures:
        raise AudioError(summarize(failures, len(clips)), failures)
    return X


def gather(batches: Iterable[Batch], n_clips: int) -> tuple[np.ndarray, dict[int, str]]:
    """Collect batches in one matrix.

    Parameters
    ----------
    batches : iterable of Batch
    n_clips : int
        How many clips they hold together.

    Returns
    -------
    X : ndarray of shape (n_clips - n_failures, ...), float32
        The rows of the clips that could be read, in order.
    failures : dict of int to str
        What is wrong with each other clip, by its position.
    """
    X: np.ndarray | None = None
    failures: dict[int, str] = {}
    done = n_good = 0
    for batch in batches:
        failures |= {done + i: message for i, message in batch.failures.items()}
        for row in batch.rows:
            if row is None:
                continue
            if X is None:  # the first row tells how large the matrix is: no second copy of it
                X = np.empty((n_clips, *row.shape), dtype=np.float32)
            X[n_good] = row
            n_good += 1
        done += len(batch.rows)
    return (np.empty((0, 0), np.float32) if X is None else X[:n_good]), failures


def summarize(failures: dict[int, str], n_clips: int) -> str:
    """Say in one message what was wrong with each clip that failed."""
    messages = list(failures.values())
    if n_clips == 1:
        return messages[0]
    count = f"{len(messages)} of {n_clips} clips cannot be used"
    return f"{count}:{os.linesep}" + os.linesep.join(f"  {message}" for message in messages)
