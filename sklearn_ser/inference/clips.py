"""From sources of audio to their emotions, one bad source at a time.

Whatever asks (a table, a window of a stream, a server), the answer to the same samples is the same
to the last bit, alone or among others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

from sklearn_ser.audio.decoding import AudioSettings
from sklearn_ser.audio.loader import Clips
from sklearn_ser.classifiers.svm import SVMClassifier
from sklearn_ser.classifiers.temperature import bare_classifier
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import SpeakerNormalizer
from sklearn_ser.features._extraction import one_blas_thread
from sklearn_ser.features.quality import Judge, TrainingRange, split_quality, with_quality

__all__ = ["UNSURE", "Answer", "Predictor", "predict_table"]

UNSURE = "unsure"  # the emotion of a clip whose confidence is below what was asked for

SOURCES_AT_ONCE = 2048  # that many are handed to the workers together

# Classifiers that work row by row inside. Others may round a row's matrix product otherwise when it
# comes among others, in the last digit, and so are given one row at a time.
ROW_BY_ROW = (SVMClassifier, RandomForestClassifier, ExtraTreesClassifier)


class Answer(NamedTuple):
    """What came of one source."""

    emotion: str | None  # None where it could not be read
    confidence: float
    probabilities: np.ndarray  # of shape (n_classes,); NaN where it could not be read
    error: str | None
    warning: str | None


class Predictor:
    """A fitted pipeline that answers with probabilities, and with warnings.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    training : TrainingRange, default=None
        What the card says of the training clips, to tell clips that are unlike them.
    abstain_below : float, default=0.0
        Answer `"unsure"` where the greatest probability is lower.
    n_jobs : int, default=None
        How many batches of clips to work on at once.

    Attributes
    ----------
    emotions : list of str
        The classes, in the order of the probabilities.
    sr : int
        Sampling rate of the pipeline's clips, in Hz.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        training: TrainingRange | None = None,
        *,
        abstain_below: float = 0.0,
        n_jobs: int | None = None,
    ):
        if not 0 <= abstain_below <= 1:
            raise OptionError(f"abstain_below={abstain_below:g}: give a probability from 0 to 1.")
        scale = pipeline.named_steps["scale"]
        if isinstance(scale, SpeakerNormalizer) and scale.unknown != "global":
            raise OptionError(
                "This model z-scores the clips of each speaker, and recordings do not tell who "
                "speaks: in Python, pipeline.predict(clips, speaker=names); or fit a model without "
                "--normalize-speakers."
            )
        # Read once: looking the parameters up takes longer than some features of a short clip.
        self.settings = AudioSettings(**pipeline.named_steps["audio"].get_params())
        self.union = with_quality(pipeline.named_steps["features"], n_jobs)
        self.tail = pipeline[2:]
        self.judge = Judge(pipeline, training)
        self.emotions = [str(name) for name in pipeline.classes_]
        self.sr = int(self.settings.sr)
        self.abstain_below = abstain_below

    def answers(self, sources: Sequence[Any]) -> Iterator[Answer]:
        """Yield the answer to each source, in order, as it is made.

        Parameters
        ----------
        sources : sequence of n_clips sources
            Paths, URLs, bytes, binary files, or waveforms at the pipeline's rate.

        Yields
        ------
        answer : Answer
        """
        for start in range(0, len(sources), SOURCES_AT_ONCE):
            clips = Clips(list(sources[start : start + SOURCES_AT_ONCE]), self.settings)
            for batch in self.union.iter_batches(clips):
                yield from self._answer(batch.rows, batch.failures)

    def _answer(self, rows: list, failures: dict[int, str]) -> Iterator[Answer]:
        for i, row in enumerate(rows):
            if row is not None and not np.isfinite(row).all():
                rows[i] = None  # a classifier would refuse its neighbours with it
                failures[i] = "Its features are not finite: write it again from its original."
        parted = [split_quality(row) for row in rows if row is not None]
        if parted:
            X = np.stack([features for features, _ in parted])
            probabilities = iter(predict_rows(self.tail, X))
            warnings = iter(self.judge(X, [quality for _, quality in parted]))
        for i, row in enumerate(rows):
            if row is None:
                nothing = np.full(len(self.emotions), np.nan)
                yield Answer(None, np.nan, nothing, failures[i], None)
            else:
                yield self.decide(next(probabilities), next(warnings))

    def decide(self, probabilities: np.ndarray, warning: str | None = None) -> Answer:
        """Return the answer that probabilities mean."""
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        emotion = UNSURE if confidence < self.abstain_below else self.emotions[best]
        return Answer(emotion, confidence, probabilities, None, warning)

    def columns(self, *times: str, extra: Sequence[str] = ()) -> list[str]:
        """Return the names of a row's columns, with `times` after the path."""
        ours = [f"p_{emotion}" for emotion in self.emotions]
        return ["path", *times, "emotion", "confidence", "error", *ours, *extra, "warning"]

    def row(self, source: Any, answer: Answer) -> dict[str, Any]:
        """Return an answer as a row of a table."""
        return {
            "path": str(source),
            "emotion": answer.emotion,
            "confidence": answer.confidence,
            "error": answer.error,
            **dict(zip(self.columns()[4:-1], answer.probabilities.tolist(), strict=True)),
            "warning": answer.warning,
        }


def predict_rows(tail: BaseEstimator, X: np.ndarray) -> np.ndarray:
    """Return the probabilities of each row, the same to the last bit alone or among others.

    Parameters
    ----------
    tail : Pipeline
        The steps `scale` and `clf` of a fitted pipeline.
    X : ndarray of shape (n_clips, ...)

    Returns
    -------
    probabilities : ndarray of shape (n_clips, n_classes), float64
    """
    with one_blas_thread():
        if len(X) == 1 or isinstance(bare_classifier(tail.named_steps["clf"]), ROW_BY_ROW):
            return np.asarray(tail.predict_proba(X), dtype=np.float64)
        each = [tail.predict_proba(X[i : i + 1]) for i in range(len(X))]
        return np.concatenate(each).astype(np.float64)


def predict_table(
    pipeline: Pipeline,
    sources: Iterable,
    on_batch: Callable[[int, int], None] | None = None,
    *,
    training: TrainingRange | None = None,
    abstain_below: float = 0.0,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Predict the emotion of each source; a source that cannot be read gets a row that says why.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    sources : sequence of n_clips sources
    on_batch : callable, default=None
        Called after each clip with the number of clips done and their total.
    training : TrainingRange, default=None
        What the card says of the training clips.
    abstain_below : float, default=0.0
        Answer `"unsure"` where the greatest probability is lower.
    n_jobs : int, default=None

    Returns
    -------
    table : DataFrame of n_clips rows
        The columns path, emotion, confidence (the probability of that emotion), error (missing
        where all went well), p_EMOTION for each emotion, and warning (missing where the clip is
        like the training clips).
    """
    predictor = Predictor(pipeline, training, abstain_below=abstain_below, n_jobs=n_jobs)
    sources = list(sources)
    rows = []
    for source, answer in zip(sources, predictor.answers(sources), strict=True):
        rows.append(predictor.row(source, answer))
        if on_batch is not None:
            on_batch(len(rows), len(sources))
    return pd.DataFrame(rows, columns=predictor.columns())
