"""Rows of features that a classifier is fitted on: clips, their changed copies, and weights."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from joblib import effective_n_jobs
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_ser.audio.augmentation import EVERYDAY, AugmentedClips, Sources, list_copies
from sklearn_ser.audio.noise import Noise
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features._extraction import Batch, gather
from sklearn_ser.model_selection.splits import Subset

__all__ = ["RowOptions", "TrainingRows", "make_rows"]

_TRIAL = 16  # copies whose time says what all take
_WORTH_SAYING = 64  # copies that are extracted without a word of what it costs

OnCopies = Callable[[int, int, str], None]  # copies done, their total, a detail


def _nothing(done: int, total: int, detail: str) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class RowOptions:
    """What a classifier is fitted on beside the clips as recorded, and how much each counts.

    Attributes
    ----------
    augment : tuple of str
        Names of augmentations, each of which adds changed copies of every training clip.
    seed : int
        Of the copies.
    noise : Noise or None
        Recordings that augmentation takes noise from.
    balance : bool
        Whether each emotion of each corpus counts alike, however many clips it has.
    on_copies : callable
        Called with the copies that are done, their total, and what they cost.
    """

    augment: tuple[str, ...] = ()
    seed: int = 0
    noise: Noise | None = None
    balance: bool = False
    on_copies: OnCopies = _nothing

    def weigh(self, clips: Subset) -> np.ndarray | None:
        """Return the weight of each clip and of each of its copies; None for equal ones.

        A clip and what everyday life makes of it weigh one clip together.
        """
        everyday = EVERYDAY in self.augment
        if not (self.balance or everyday):
            return None
        weights = np.ones(len(clips))
        if self.balance:
            groups = clips.table["corpus"].astype(str) + "\n" + clips.table["emotion"].astype(str)
            weights = compute_sample_weight("balanced", groups)
        return weights / (1 + len(list_copies(self.augment))) if everyday else weights


class TrainingRows(NamedTuple):
    """Features of clips and of their changed copies.

    Attributes
    ----------
    X : ndarray of shape (n_rows, ...), float32
        First the clips as recorded.
    clip : ndarray of shape (n_rows,), int
        Which clip each row is, or is a copy of.
    folds : list of ndarray of int
        The rows to fit on in each fold: its clips, then their copies, all of one kind after all of
        another.
    """

    X: np.ndarray
    clip: np.ndarray
    folds: list[np.ndarray]


def make_rows(
    pipeline: Pipeline, clips: Subset, folds: Sequence[np.ndarray], options: RowOptions
) -> TrainingRows:
    """Return the features of clips, and of the copies that each fold trains on.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned.
    clips : Subset of n_clips
        Training clips, which have been read before.
    folds : sequence of ndarray of int
        The clips to train on in each fold. Copies are made of these and of nothing else: babble in
        a fold has no voice that the fold is tested on.
    options : RowOptions

    Returns
    -------
    rows : TrainingRows
        Copies that are equal in several folds are there once.
    """
    X = clips.X(pipeline)
    everyone = np.arange(len(clips))
    if not options.augment:
        return TrainingRows(X, everyone, list(folds))
    known: dict[str, int] = {}
    parts, of, rows = [X], [everyone], []
    for train in folds:
        copies = _copies(pipeline, clips.take(train), options)
        checksums = [copies.content(i).sha256 for i in range(len(copies))]
        new = {checksum: i for i, checksum in enumerate(checksums) if checksum not in known}
        if new:
            known |= dict(zip(new, range(len(known), len(known) + len(new)), strict=True))
            chosen = copies[list(new.values())]
            n_per_clip = len(copies) // len(train)
            parts.append(_extract(pipeline, chosen, len(train), n_per_clip, options))
            of.append(train[np.array(chosen.rows) // n_per_clip])
        mine = np.array([known[checksum] for checksum in checksums]) + len(clips)
        # From clip by clip, as they were made, to copy by copy.
        rows.append(np.concatenate([train, mine.reshape(len(train), -1).T.ravel()]))
    return TrainingRows(np.concatenate(parts), np.concatenate(of), rows)


def _copies(pipeline: Pipeline, train: Subset, options: RowOptions) -> AugmentedClips:
    clips = pipeline.named_steps["audio"].transform(train.path)
    sources = Sources(clips, train.speaker, options.noise, train.checksums)
    return AugmentedClips(sources, list_copies(options.augment), options.seed)


def _extract(
    pipeline: Pipeline, copies: AugmentedClips, n_clips: int, n_per_clip: int, options: RowOptions
) -> np.ndarray:
    """Return the features of copies; what it costs is said before the work."""
    union = pipeline.named_steps["features"]
    words = f"{n_per_clip} {'copies' if n_per_clip > 1 else 'copy'} of {n_clips:,} clips"
    missing = union.find_missing(copies)
    if len(missing) > _WORTH_SAYING:
        list(union.iter_batches(copies[missing[:1]]))  # what is loaded once is no measure
        started = time.perf_counter()
        list(union.iter_batches(copies[missing[1 : 1 + _TRIAL]]))
        each = (time.perf_counter() - started) / _TRIAL / effective_n_jobs(union.n_jobs)
        seconds = max(1, round(each * len(missing)))
        words += f": {len(missing):,} more to extract, about {seconds:,} s"

    def shown() -> Iterator[Batch]:
        done = 0
        options.on_copies(0, len(copies), words)
        for batch in union.iter_batches(copies):
            yield batch
            done += len(batch.rows)
            options.on_copies(done, len(copies), words)

    X, failures = gather(shown(), len(copies))
    if failures:
        names = ",".join(options.augment)
        raise OptionError(f"`augment={names}`: {next(iter(failures.values()))}")
    return X
