"""Extraction of features: the loop over clips that all transformers share.

A clip is decoded once, all transformers take their share of its one spectrum, and only their
features stay, so that memory holds a few clips however many there are. Threads serve well here:
decoding, resampling, the FFT and numpy's long calls all release Python's lock.
"""

import os
import threading
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import LibController, ThreadpoolController

from sklearn_ser.audio.content import Content
from sklearn_ser.audio.loader import Clips
from sklearn_ser.exceptions import AudioError, OptionError
from sklearn_ser.features._cache import FeatureCache, pack, unpack
from sklearn_ser.features._keys import code_version, describe_setting, is_own, make_key
from sklearn_ser.features._spectrum import STFT, Spectra
from sklearn_ser.features.quality import (
    Inspection,
    hash_samples,
    measure,
    pack_inspection,
    unpack_inspection,
)

BATCH_SIZE = 32  # clips handed to a worker at once
SAMPLES_AT_ONCE = 1 << 18  # decoded samples worked on together: six clips of two seconds
BYTES_AT_ONCE = 1 << 26  # of files read and not decoded yet

Inspect = Literal["quality", "voice", "all"] | None


class SpectrumTransformer(Protocol):
    """What can take part in the shared pass over a clip."""

    sr: int

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the features of some clips."""

    def content(self) -> bytes:
        """Return what decides them beside parameters and code."""

    def feature_shape(self) -> tuple[int, ...]:
        """Return the shape of the features of one clip."""

    def stft(self) -> STFT:
        """Return the setting of the spectrum they are computed from."""


Weighted = Sequence[tuple[SpectrumTransformer, float | None]]


class Batch(NamedTuple):
    """What came of some consecutive clips."""

    rows: list[np.ndarray | None]  # None where the clip could not be read
    failures: dict[int, str]  # position in the batch: what was wrong
    inspections: list[Inspection | None]  # None where it could not be read, or was not asked for


def iter_batches(
    transformers: Weighted,
    clips: Clips,
    n_jobs: int | None = None,
    cache: FeatureCache | None = None,
    inspect: Inspect = None,
) -> Iterator[Batch]:
    """Yield the features of consecutive batches of clips, in order.

    Parameters
    ----------
    transformers : sequence of (transformer, weight)
        Each transformer's features are multiplied by its weight, if it has one, and joined along
        the last axis.
    clips : Clips
    n_jobs : int, default=None
        How many batches to work on at once, as in joblib.
    cache : FeatureCache, default=None
        Where to look features up first and keep them.
    inspect : {"quality", "voice", "all"} or None, default=None
        What else to find out about each clip in the same pass: its quality; whether a voice is
        heard in it, too; or its quality and checksums.

    Yields
    ------
    batch : Batch
    """
    plan = Plan.of(transformers, clips, cache, inspect)
    starts = range(0, len(clips), BATCH_SIZE)
    if len(starts) == 1:
        with one_blas_thread():
            batch = compute_batch(plan, clips)
        yield batch
        return
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    kept_open = cache.kept_open() if cache else nullcontext()
    with one_blas_thread(), kept_open:
        yield from _stop_with_us(
            parallel,
            compute_batch,
            ((plan, clips[start : start + BATCH_SIZE]) for start in starts),
        )


def find_missing(transformers: Weighted, clips: Clips, cache: FeatureCache | None) -> list[int]:
    """Return the positions of the clips whose features the cache does not hold.

    Nothing is decoded; every clip must be readable, and its content known.
    """
    if cache is None:
        return list(range(len(clips)))
    plan = Plan.of(transformers, clips, cache, None)
    keys = []
    for i in range(len(clips)):
        content = clips.content(i)
        keys.append([plan.key(content, part) for part in plan.parts] if content else [None])
    found = cache.find([key for row in keys for key in row if key is not None])
    return [i for i, row in enumerate(keys) if not found.issuperset(row)]


_at_work: Counter[str] = Counter()  # calls in this process, by the loop they belong to
_work_ends = threading.Condition()


def _stop_with_us(parallel: Parallel, work: Callable, calls: Iterable[tuple]) -> Iterator[Any]:
    """Yield what joblib's workers return; if nobody takes it any more, wait until they stop.

    A thread that still computes when the process ends takes it down with an abort.
    """
    token = uuid.uuid4().hex
    results = parallel(delayed(_counted)(token, work, *call) for call in calls)
    try:
        # `yield from` would close them before the warnings are off.
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*tasks.*(cancelled|not used)")
            results.close()
        with _work_ends:
            _work_ends.wait_for(lambda: not _at_work[token])
            del _at_work[token]


def _counted(token: str, work: Callable, *call: Any) -> Any:
    with _work_ends:
        _at_work[token] += 1
    try:
        return work(*call)
    finally:
        with _work_ends:
            _at_work[token] -= 1
            _work_ends.notify_all()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold matrix products to one thread.

    Each is small here, so that several threads would only get in the way; and the last digits of a
    product depend on their number, which would give a clip alone other features than in a batch.
    """
    libraries = _blas()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, n_threads in zip(libraries, before, strict=True):
            library.set_num_threads(n_threads)


@lru_cache(maxsize=1)
def _blas() -> list[LibController]:
    # Looking for the libraries takes milliseconds, and `limit` describes all of them in each call.
    return ThreadpoolController().select(user_api="blas").lib_controllers


@dataclass(frozen=True)
class Plan:
    """What is computed of every clip, and under which keys it is kept.

    Attributes
    ----------
    transformers : sequence of (transformer, weight)
    stft : STFT or None
        The setting of the spectrum that the quality of a clip is measured on; `None` measures none.
    hash_samples : bool
        Whether to compute checksums.
    cache : FeatureCache or None
    settings : list of bytes or None
        What decides the features of each transformer, `None` where that is not known, and last
        what decides the inspection; empty without a cache.
    shapes : list of tuple of int
        The shape of a clip's features by transformer; () where it need not be known.
    voice : bool
        Whether to listen for a voice.
    """

    transformers: Weighted
    stft: STFT | None
    hash_samples: bool
    cache: FeatureCache | None
    settings: list[bytes | None]
    shapes: list[tuple[int, ...]]
    voice: bool = False

    @classmethod
    def of(
        cls, transformers: Weighted, clips: Clips, cache: FeatureCache | None, inspect: Inspect
    ) -> "Plan":
        """Return the plan for some transformers."""
        settings: list[bytes | None] = []
        # This package's own keep their promises; counting names takes long beside a short clip.
        shapes = [
            t.feature_shape() if cache or not is_own(type(t)) else () for t, _ in transformers
        ]
        stft = transformers[0][0].stft() if inspect else None
        if cache:
            read_as = repr(clips.settings).encode()
            for transformer, _ in transformers:
                setting = describe_setting(transformer)
                settings.append(None if setting is None else read_as + setting)
            settings.append(read_as + f"inspection {stft!r} {inspect} {code_version()}".encode())
        hash_samples = inspect == "all" or bool(inspect and cache)
        voice = inspect == "voice"
        return cls(transformers, stft, hash_samples, cache, settings, shapes, voice)

    @cached_property
    def parts(self) -> list[int]:
        """What there is to know of a clip: the index of each transformer, and `INSPECTION`."""
        return [*range(len(self.transformers)), *([INSPECTION] if self.stft else [])]

    def key(self, content: Content, part: int) -> bytes | None:
        """Return the key that a part is kept under."""
        setting = self.settings[part]
        return None if setting is None else make_key(content.sha256, setting)

    def pack(self, part: int, value: Any) -> bytes:
        """Return a part as bytes."""
        return pack_inspection(value) if part == INSPECTION else pack(value)

    def unpack(self, part: int, data: bytes) -> Any:
        """Return the part that `pack` has packed, `None` where it is not sound."""
        return unpack_inspection(data) if part == INSPECTION else unpack(data, self.shapes[part])


INSPECTION = -1  # the part of a clip that is no transformer's


@dataclass
class _Work:
    """The clips of a batch, and what is known of them so far."""

    plan: Plan
    clips: Clips
    contents: list[Content | None] = field(default_factory=list)
    known: dict[tuple[int, int], Any] = field(default_factory=dict)  # by clip and part
    failures: dict[int, str] = field(default_factory=dict)


def compute_batch(plan: Plan, clips: Clips) -> Batch:
    """Compute the features of some clips, or look them up."""
    work = _Work(plan, clips)
    if plan.cache or plan.hash_samples:
        _read_contents(work)
    else:
        work.contents = [None] * len(clips)
    keys = _make_keys(work) if plan.cache else {}
    cached = _look_up(work, keys) if plan.cache else set()
    # Clips that lack the same parts can be worked on together.
    lacking: dict[tuple[int, ...], list[int]] = {}
    for i in range(len(clips)):
        lacks = tuple(part for part in plan.parts if (i, part) not in work.known)
        if lacks and i not in work.failures:
            lacking.setdefault(lacks, []).append(i)
        else:
            work.contents[i] = None
    for lacks, positions in lacking.items():
        for group in _decode(work, positions):
            work.known |= _compute_group(work, lacks, group)
    if plan.cache:
        fresh = {place: key for place, key in keys.items() if place in work.known}
        plan.cache.put(
            {
                key: plan.pack(place[1], work.known[place])
                for place, key in fresh.items()
                if place not in cached
            }
        )
    everyone = range(len(clips))
    rows = [None if i in work.failures else _join(work, i) for i in everyone]
    return Batch(rows, work.failures, [work.known.get((i, INSPECTION)) for i in everyone])


def _read_contents(work: _Work) -> None:
    """Read and hash each clip; keep the bytes of as many as there is room for."""
    room = BYTES_AT_ONCE
    for i in range(len(work.clips)):
        content = None
        try:
            content = work.clips.content(i)
        except AudioError as error:
            work.failures[i] = str(error)
        if content is not None:
            room -= content.n_bytes
            if room < 0:
                content.release()
        work.contents.append(content)


def _make_keys(work: _Work) -> dict[tuple[int, int], bytes]:
    """Return the key of each part of each clip; none for clips without content."""
    return {
        (i, part): key
        for i, content in enumerate(work.contents)
        if content is not None
        for part in work.plan.parts
        if (key := work.plan.key(content, part)) is not None
    }


def _look_up(work: _Work, keys: Mapping[tuple[int, int], bytes]) -> set[tuple[int, int]]:
    """Take over what the cache knows, and return which parts those are."""
    assert work.plan.cache is not None
    found = work.plan.cache.get(list(keys.values()))
    for place, key in keys.items():
        if key in found:
            value = work.plan.unpack(place[1], found[key])
            if value is not None:
                work.known[place] = value
    return set(work.known)


class _Decoded(NamedTuple):
    """A decoded clip, and what only its native samples tell."""

    position: int
    y: np.ndarray  # at the rate of the features
    facts: tuple[str | None, str | None, int, int]  # the first fields of its Inspection


def _decode(work: _Work, positions: list[int]) -> Iterator[list[_Decoded]]:
    """Yield decoded clips in groups that are small in memory; note those that cannot be read."""
    group: list[_Decoded] = []
    for i in positions:
        content, work.contents[i] = work.contents[i], None  # free the bytes once decoded
        try:
            group.append(_decode_one(work, i, content))
        except AudioError as error:
            work.failures[i] = str(error)
            continue
        if sum(len(one.y) for one in group) >= SAMPLES_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _decode_one(work: _Work, i: int, content: Content | None) -> _Decoded:
    y, native, rate = work.clips.decode(i, content)
    rate = rate or work.plan.transformers[0][0].sr  # bare waveforms come without one
    checksums: tuple[str | None, str | None] = (None, None)
    if work.plan.hash_samples:
        checksums = (content.sha256 if content else None, hash_samples(native, int(rate)))
    return _Decoded(i, y, (*checksums, len(native), int(rate)))


def _compute_group(
    work: _Work, lacks: tuple[int, ...], group: list[_Decoded]
) -> dict[tuple[int, int], Any]:
    """Return what decoded clips lacked, by clip and part."""
    plan = work.plan
    sr = work.clips.sr or plan.transformers[0][0].sr
    spectra = Spectra([d.y for d in group], sr, [work.clips.name(d.position) for d in group])
    known: dict[tuple[int, int], Any] = {}
    values: Iterable
    try:
        for part in lacks:
            if part == INSPECTION:
                assert plan.stft is not None
                qualities = measure(spectra, plan.stft, voice=plan.voice)
                values = [Inspection(*d.facts, q) for d, q in zip(group, qualities, strict=True)]
            else:
                values = _computed(plan, part, spectra)
            known |= {(d.position, part): v for d, v in zip(group, values, strict=True)}
    except AudioError as error:
        if len(group) == 1:
            work.failures[group[0].position] = str(error)
            return {}
        known = {}
        for alone in group:
            known |= _compute_group(work, lacks, [alone])
    return known


def _computed(plan: Plan, part: int, spectra: Spectra) -> np.ndarray:
    """Return what a transformer computes, of the shape it promises."""
    transformer = plan.transformers[part][0]
    values = np.asarray(transformer.compute(spectra), dtype=np.float32)
    if plan.shapes[part] and values.shape != (len(spectra.clips), *plan.shapes[part]):
        raise OptionError(
            f"{type(transformer).__name__} has computed features of shape {values.shape} for "
            f"{len(spectra.clips)} clips, and names {plan.shapes[part][-1]}: compute must return "
            "as many as get_feature_names_out names."
        )
    return values


def _join(work: _Work, i: int) -> np.ndarray:
    """Return the row of a clip: its features of all transformers side by side."""
    row = [
        work.known[i, part] if weight is None else work.known[i, part] * np.float32(weight)
        for part, (_, weight) in enumerate(work.plan.transformers)
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
