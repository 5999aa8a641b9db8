"""The corpus of a run: the clips that could be read, with their features and checksums."""

import hashlib
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.pipelines import drop_failures, extract_features
from sklearn_ser.runs.options import Progress, RunOptions

__all__ = ["RunCorpus", "clip_checksums", "feature_setting", "read_corpus"]


@dataclass
class RunCorpus:
    """The clips of a run that could be read, and their features."""

    table: pd.DataFrame
    matrix: np.ndarray
    skipped: list[str]
    checksums: np.ndarray

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
    return RunCorpus(table, matrix, skipped, clip_checksums(table))


def feature_setting(pipeline: Pipeline) -> str:
    """Return a checksum of all that decides what features are extracted."""
    return joblib.hash([pipeline.named_steps[name].get_params() for name in ("audio", "features")])


def clip_checksums(table: pd.DataFrame) -> np.ndarray:
    """Return a checksum of what each clip holds."""
    checksums = []
    for path in table["path"]:
        try:
            with open(path, "rb") as file:
                checksums.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:  # a URL, or a file that went away
            checksums.append(hashlib.sha256(str(path).encode()).hexdigest())
    return np.array(checksums)
