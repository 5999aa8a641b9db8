"""`FeatureStore`: the readable clips of a run, an inspection of each, and their features."""

import hashlib
from collections.abc import Sequence

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.model_selection import Subset
from sklearn_ser.pipelines import Extraction, drop_failures, extract_features
from sklearn_ser.runs.options import Progress, RunOptions, silent

__all__ = ["FeatureStore"]

_KEPT = 3  # feature settings in memory at once; others come from the cache


class FeatureStore:
    """The clips of a corpus that can be read, and their features in any setting.

    Parameters
    ----------
    table : DataFrame
        The corpus.
    pipelines : sequence of Pipeline
        One for each setting of loader and features in which every clip must be readable; others
        are dropped, or an error.
    options : RunOptions
        What to do about unreadable clips.
    progress : callable, default=None

    Attributes
    ----------
    table : DataFrame of n_clips rows
        The clips that can be read.
    skipped : list of str
        What is wrong with the others.
    inspections : DataFrame of n_clips rows
        What was found of each clip in the pass that extracted its features: checksums, length, rate
        and quality, as `extract_features` returns them.

    Raises
    ------
    AudioError
        If clips cannot be read and the options do not say to skip them, or none can.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        pipelines: Sequence[Pipeline],
        options: RunOptions,
        progress: Progress | None = None,
    ):
        self._progress = progress or silent
        settings = {_setting(pipeline): pipeline for pipeline in pipelines}
        self._kept = max(_KEPT, len(settings))
        extracted = {}
        for i, (setting, pipeline) in enumerate(settings.items()):
            detail = f"setting {i + 1} of {len(settings)}" if len(settings) > 1 else ""
            extracted[setting] = self._extract(pipeline, table, detail)
        failures = {i: why for one in extracted.values() for i, why in one.failures.items()}
        self.table, self.skipped = drop_failures(
            table, dict(sorted(failures.items())), options.on_error
        )
        self._features: dict[str, np.ndarray] = {}
        for setting, (X, inspections, _) in extracted.items():
            usable = ~inspections.index.isin(list(failures))
            self._features[setting] = X if usable.all() else X[usable]
            self.inspections = inspections[usable].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def emotions(self) -> np.ndarray:
        """The emotion of each clip."""
        return self.table["emotion"].to_numpy().astype(str)

    @property
    def speakers(self) -> np.ndarray | None:
        """Who speaks in each clip, or None where the corpus does not say."""
        return self.table["speaker"].to_numpy() if "speaker" in self.table else None

    def features(self, pipeline: Pipeline) -> np.ndarray:
        """Return the features of all clips in the setting of a pipeline.

        Returns
        -------
        X : ndarray of shape (n_clips, ...), float32

        Raises
        ------
        CorpusError
            If clips cannot be used in this setting that could in the first ones.
        """
        setting = _setting(pipeline)
        if setting not in self._features:
            X, _, failures = self._extract(pipeline, self.table, "")
            if failures:
                raise CorpusError(
                    f"{len(failures)} clips cannot be used with these features, and can with "
                    f"others of the search, the first: {next(iter(failures.values()))}"
                )
            self._features[setting] = X
            if len(self._features) > self._kept:
                del self._features[next(iter(self._features))]
            return X
        return self._features[setting]

    def subset(self, rows: np.ndarray) -> Subset:
        """Return some clips, given by their positions."""
        table = self.table.iloc[rows].reset_index(drop=True)
        return Subset(
            rows, table, lambda pipeline: self.features(pipeline)[rows], self.checksums[rows]
        )

    @property
    def checksums(self) -> np.ndarray:
        """A checksum of each file's bytes."""
        return self.inspections["sha256"].to_numpy().astype(str)

    @property
    def fingerprint(self) -> str:
        """A checksum of what the clips hold and how they are labelled, in any order."""
        lines = sorted(map(" ".join, zip(self.checksums, self.emotions, strict=True)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _extract(self, pipeline: Pipeline, table: pd.DataFrame, detail: str) -> Extraction:
        def show(done: int, total: int) -> None:
            self._progress("features", done, total, detail)

        return extract_features(pipeline, table["path"].tolist(), show)


def _setting(pipeline: Pipeline) -> str:
    """Return a checksum of all that decides what features are extracted."""
    return joblib.hash([pipeline.named_steps[name].get_params() for name in ("audio", "features")])
