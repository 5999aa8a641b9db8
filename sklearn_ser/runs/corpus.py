"""The corpus of a run: the clips that could be read, with their features and checksums."""

import hashlib
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.pipelines import drop_failures, extract_features
from sklearn_ser.runs.options import Progress, RunOptions

__all__ = ["RunCorpus", "feature_setting", "read_corpus"]


@dataclass
class RunCorpus:
    """The clips of a run that could be read, and their features."""

    table: pd.DataFrame
    matrix: np.ndarray
    skipped: list[str]
    inspections: pd.DataFrame  # a row per clip, of `extract_features`

    @property
    def checksums(self) -> np.ndarray:
        """What is equal for clips of the same bytes."""
        return self.inspections["sha256"].to_numpy().astype(str)

    @property
    def audio(self) -> np.ndarray:
        """What is equal for clips of the same samples, whatever the container."""
        return self.inspections["samples_sha256"].to_numpy().astype(str)

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
    matrix, inspections, failures = extract_features(
        pipeline, table["path"].tolist(), lambda done, total: progress("features", done, total, "")
    )
    table, skipped = drop_failures(table, failures, options.on_error)
    return RunCorpus(table, matrix, skipped, inspections)


def feature_setting(pipeline: Pipeline) -> str:
    """Return a checksum of all that decides what features are extracted."""
    return joblib.hash([pipeline.named_steps[name].get_params() for name in ("audio", "features")])
