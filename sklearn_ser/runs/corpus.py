"""The corpus of a run: the clips that could be read, with their features and checksums."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.pipelines import drop_failures, extract_features
from sklearn_ser.runs.checksums import audio_checksums, byte_checksums
from sklearn_ser.runs.options import Progress, RunOptions

__all__ = ["RunCorpus", "feature_setting", "read_corpus"]


@dataclass
class RunCorpus:
    """The clips of a run that could be read, and their features."""

    table: pd.DataFrame
    matrix: np.ndarray
    skipped: list[str]
    checksums: np.ndarray
    n_jobs: int | None = None

    @cached_property
    def audio(self) -> np.ndarray:
        """What is equal for clips of the same samples, whatever the container."""
        return audio_checksums(self.table["path"].tolist(), self.checksums, self.n_jobs)

    @property
    def fingerprint(self) -> str:
        """A checksum of what the clips hold and how they are labelled, in any order."""
        lines = sorted(map(" ".join, zip(self.checksums, self.emotions, strict=True)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def emotions(self) -> np.ndarray:
        """The emotion of each clip."""
        return self.table["emotion"].to_numpy().astype(str)


def read_corpus(
    pipeline: Pipeline, table: pd.DataFrame, options: RunOptions, progress: Progress
) -> RunCorpus:
    """Extract the features of a corpus, without its unreadable clips if that is asked for."""
    matrix, failures = extract_features(
        pipeline, table["path"].tolist(), lambda done, total: progress("features", done, total, "")
    )
    table, skipped = drop_failures(table, failures, options.on_error)
    checksums = byte_checksums(table["path"], options.n_jobs)
    return RunCorpus(table, matrix, skipped, checksums, options.n_jobs)


def feature_setting(pipeline: Pipeline) -> str:
    """Return a checksum of all that decides what features are extracted."""
    return joblib.hash([pipeline.named_steps[name].get_params() for name in ("audio", "features")])
