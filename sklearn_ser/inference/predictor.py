"""`Predictor`: predictions of sources one by one, with warnings and errors.

The prediction of a clip does not depend on what is predicted together with it: in a table, as a
window of a stream or over HTTP, its probabilities are the same to the last bit.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

from sklearn_ser._files import nan_to_none
from sklearn_ser.audio.decoding import AudioSettings
from sklearn_ser.audio.loader import Clips
from sklearn_ser.classifiers.probabilities import are_probabilities
from sklearn_ser.classifiers.svm import SVMClassifier
from sklearn_ser.classifiers.temperature import unwrap_classifier
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import AudioFeatureUnion
from sklearn_ser.features._extraction import Batch, one_blas_thread
from sklearn_ser.features.quality import Judge, TrainingRange
from sklearn_ser.inference.adaptation import RunningScaler
from sklearn_ser.persistence import ModelFile, load_pipeline, read_model

__all__ = [
    "SILENCE",
    "UNSURE",
    "Prediction",
    "Predictor",
    "load_predictor",
    "percent",
    "predict_table",
]

UNSURE = "unsure"  # the emotion of a clip whose confidence is below what was asked for
SILENCE = "silence"  # the emotion of a clip without speech, ...
SILENT = "silent"  # ... and its warning,
NO_VOICE = "unlike speech"  # or that of a clip which is not silent, and holds no voice
SILENCE_DB = -50.0  # speech is louder for a tenth of the time, in any corpus there is

SOURCES_AT_ONCE = 2048  # that many are handed to the workers together

# Classifiers that work row by row inside. Others may round a row's matrix product otherwise when it
# comes among others, in the last digit, and so are given one row at a time.
ROW_BY_ROW = (SVMClassifier, RandomForestClassifier, ExtraTreesClassifier)

NOT_FINITE = "Its features are not finite: write it again from its original."
NO_PROBABILITIES = (
    "The model gives no probabilities for it (they are to be from 0 to 1, and sum to 1): export "
    "or fit the model again."
)


class Prediction(NamedTuple):
    """What is predicted of one source.

    Attributes
    ----------
    emotion : str or None
        The most probable emotion, `"unsure"` below the predictor's `abstain_below`, `"silence"`
        where there is no speech, or None where there is an error.
    confidence : float
        The greatest probability; NaN where there is no speech or an error.
    probabilities : ndarray of shape (n_classes,)
        As `predict_proba` gives them, of silence too; NaN where there is an error.
    error : str or None
        Why there is no prediction.
    warning : str or None
        In what the clip is unlike the clips that the pipeline was trained with.
    """

    emotion: str | None
    confidence: float
    probabilities: np.ndarray
    error: str | None = None
    warning: str | None = None


class Predictor:
    """A fitted pipeline that predicts with warnings, one bad source at a time.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    training : TrainingRange, default=None
        What the card says of the training clips, to tell clips that are unlike them.
    abstain_below : float, default=0.0
        Predict `"unsure"` where the greatest probability is lower.
    silence_db : float, default=-50.0
        Predict `"silence"` where less than a tenth of the clip's frames of 30 ms are louder, in dB
        below full scale.
    voice : bool, default=False
        Predict `"silence"` where no voice is heard as well: in noise, clicks, tones and music. Also
        where somebody whispers.
    n_jobs : int, default=None
        How many batches of clips to work on at once.

    Attributes
    ----------
    pipeline : Pipeline
    card : dict
        The model's card; empty unless `load_predictor` has read one.
    emotions : list of str
        The classes, in the order of the probabilities.
    sr : int
        Sampling rate of the pipeline's clips, in Hz.

    See Also
    --------
    load_predictor : A predictor of a model file.
    """

    card: Mapping[str, Any] = {}

    def __init__(
        self,
        pipeline: Pipeline,
        training: TrainingRange | None = None,
        *,
        abstain_below: float = 0.0,
        silence_db: float = SILENCE_DB,
        voice: bool = False,
        n_jobs: int | None = None,
    ):
        if not 0 <= abstain_below <= 1:
            raise OptionError(f"`abstain_below={abstain_below:g}`: give a probability from 0 to 1.")
        self.pipeline = pipeline
        # Read once: looking the parameters up takes longer than some features of a short clip.
        self.settings = AudioSettings(**pipeline.named_steps["audio"].get_params())
        features = pipeline.named_steps["features"]
        self.union = AudioFeatureUnion(
            features.transformer_list,
            transformer_weights=features.transformer_weights,
            n_jobs=n_jobs,
        )
        self.tail = pipeline[2:]
        self.judge = Judge(pipeline, training)
        self.emotions = [str(name) for name in pipeline.classes_]
        self.sr = int(self.settings.sr)
        self.abstain_below = abstain_below
        self.silence_db = silence_db
        self.voice = voice

    def iter_predictions(
        self,
        sources: Sequence[Any],
        scaler: RunningScaler | None = None,
        weight: float = 1.0,
    ) -> Iterator[Prediction]:
        """Yield the prediction of each source, in order, as it is made.

        Parameters
        ----------
        sources : sequence of n_clips sources
            Paths, URLs, bytes, binary files, or waveforms at the pipeline's rate.
        scaler : RunningScaler, default=None
            Scales each clip by those before it, in place of the pipeline's own scaler; clips with
            speech are added to it.
        weight : float, default=1.0
            How many clips each of them counts there.

        Yields
        ------
        prediction : Prediction
        """
        for start in range(0, len(sources), SOURCES_AT_ONCE):
            clips = Clips(list(sources[start : start + SOURCES_AT_ONCE]), self.settings)
            for batch in self.union.iter_batches(
                clips, inspect="voice" if self.voice else "quality"
            ):
                yield from self._predict_batch(batch, scaler, weight)

    def _predict_batch(
        self, batch: Batch, scaler: RunningScaler | None, weight: float
    ) -> list[Prediction]:
        """Return the predictions of a batch, one for each clip."""
        rows, failures, inspections = batch
        found = [
            self.failure(failures.get(i, NOT_FINITE)) for i in range(len(rows))
        ]  # until something better is known
        # A classifier would refuse its neighbours together with a row that is not finite.
        usable = [i for i, row in enumerate(rows) if row is not None and np.isfinite(row).all()]
        if not usable:
            return found
        X = np.stack([row for i in usable if (row := rows[i]) is not None])
        qualities = [one.quality for i in usable if (one := inspections[i])]
        if scaler is None:
            probabilities = predict_rows(self.tail, X)
        else:
            spoken = [q.loud > self.silence_db and q.voice is not False for q in qualities]
            probabilities = predict_rows(self.tail[1:], _scale_in_turn(X, scaler, spoken, weight))
        warnings = self.judge(X, qualities)
        good = are_probabilities(probabilities)
        for k, i in enumerate(usable):
            if qualities[k].loud <= self.silence_db:
                found[i] = Prediction(SILENCE, np.nan, probabilities[k], None, SILENT)
            elif qualities[k].voice is False:
                found[i] = Prediction(SILENCE, np.nan, probabilities[k], None, NO_VOICE)
            elif good[k]:
                found[i] = self.decide(probabilities[k], warnings[k])
            else:
                found[i] = self.failure(NO_PROBABILITIES)
        return found

    def failure(self, error: str) -> Prediction:
        """Return the prediction of a source that there is none of, and why."""
        return Prediction(None, np.nan, np.full(len(self.emotions), np.nan), error)

    def decide(self, probabilities: np.ndarray, warning: str | None = None) -> Prediction:
        """Return the prediction that probabilities of shape (n_classes,) mean."""
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        emotion = UNSURE if confidence < self.abstain_below else self.emotions[best]
        return Prediction(emotion, confidence, probabilities, None, warning)

    def warm_up(self, seconds: float = 2.0) -> None:
        """Predict noise once, so that the first clip waits for nothing that is loaded late."""
        noise = np.random.default_rng(0).normal(size=round(seconds * self.sr)) / 10
        list(self.iter_predictions([noise.astype(np.float32)]))

    def columns(self, *times: str, extra: Sequence[str] = ()) -> list[str]:
        """Return the names of a row's columns, with `times` after the path."""
        ours = [f"p_{emotion}" for emotion in self.emotions]
        return ["path", *times, "emotion", "confidence", "error", *ours, *extra, "warning"]

    def as_json(self, prediction: Prediction) -> dict[str, Any]:
        """Return a prediction without its error as JSON has it, with None for NaN."""
        return nan_to_none(
            {
                "emotion": prediction.emotion,
                "confidence": prediction.confidence,
                "probabilities": dict(
                    zip(self.emotions, prediction.probabilities.tolist(), strict=True)
                ),
                "warning": prediction.warning,
            }
        )

    def row(self, source: Any, prediction: Prediction) -> dict[str, Any]:
        """Return a prediction as a row of a table."""
        return {
            "path": str(source),
            "emotion": prediction.emotion,
            "confidence": prediction.confidence,
            "error": prediction.error,
            **dict(zip(self.columns()[4:-1], prediction.probabilities.tolist(), strict=True)),
            "warning": prediction.warning,
        }


def _scale_in_turn(
    X: np.ndarray, scaler: RunningScaler, spoken: Sequence[bool], weight: float
) -> np.ndarray:
    """Return clips as the classifier takes them, each scaled by what was spoken before it."""
    rows = []
    for x, has_speech in zip(X, spoken, strict=True):
        rows.append(scaler.scale(x))
        if has_speech:
            scaler.add(x, weight)
    return np.stack(rows)


def percent(probability: float) -> str:
    """Return a probability in percent, which says 100% of certainty alone.

    Examples
    --------
    >>> from sklearn_ser.inference.predictor import percent
    >>> percent(0.984), percent(0.9996), percent(1.0)
    ('98%', '>99%', '100%')
    """
    return ">99%" if 0.995 <= probability < 1 else f"{probability:.0%}"


def load_predictor(
    model: str | os.PathLike | ModelFile,
    *,
    trust: bool = False,
    abstain_below: float = 0.0,
    silence_db: float = SILENCE_DB,
    voice: bool = False,
    n_jobs: int | None = None,
) -> Predictor:
    """Return a predictor of a saved model, which knows from its card what to warn of.

    Parameters
    ----------
    model : str, Path or ModelFile
        A run's folder or a model file, or what `read_model` has read of it.
    trust : bool, default=False
        Whether to load a joblib file that was not written here by this user.
    abstain_below : float, default=0.0
        Predict `"unsure"` where the greatest probability is lower.
    silence_db : float, default=-50.0
        Predict `"silence"` where less than a tenth of the clip is louder; see `Predictor`.
    voice : bool, default=False
        Predict it where no voice is heard as well; what a card may ask for, too.
    n_jobs : int, default=None
        How many batches of clips to work on at once.

    Returns
    -------
    predictor : Predictor

    Raises
    ------
    ModelError
        If the model cannot be loaded or is not trusted.
    """
    model = read_model(model)
    predictor = Predictor(
        load_pipeline(model, trust=trust),
        TrainingRange.from_card(model.card),
        abstain_below=abstain_below,
        silence_db=silence_db,
        voice=voice or model.card.get("voice", False),
        n_jobs=n_jobs,
    )
    predictor.card = model.card
    return predictor


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
        if len(X) == 1 or isinstance(unwrap_classifier(tail.named_steps["clf"]), ROW_BY_ROW):
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
        Predict `"unsure"` where the greatest probability is lower.
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
    for source, found in zip(sources, predictor.iter_predictions(sources), strict=True):
        rows.append(predictor.row(source, found))
        if on_batch is not None:
            on_batch(len(rows), len(sources))
    return pd.DataFrame(rows, columns=predictor.columns())
