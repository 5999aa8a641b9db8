"""Scores of the same clips with noise, other gains, a telephone's band and the like."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_ser.audio.conditions import AS_RECORDED, Condition, DegradedClips, list_conditions
from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.audio.noise import Noise
from sklearn_ser.exceptions import AudioError
from sklearn_ser.metrics.intervals import bootstrap_scores
from sklearn_ser.metrics.schema import Stress, StressRow
from sklearn_ser.metrics.scores import chance_levels, score

__all__ = ["predict_degraded", "score_degraded", "score_robustness"]

AT_ONCE = 512  # degraded clips predicted together


def score_robustness(
    pipeline: Pipeline,
    sources: Sequence,
    truth: ArrayLike,
    *,
    speakers: ArrayLike | None = None,
    noise: Noise | None = None,
    seed: int = 0,
    on_batch: Callable[[int, int], None] | None = None,
) -> Stress:
    """Score a fitted pipeline on degraded clips, for each degradation at several strengths.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned, fitted.
    sources : sequence of n_clips sources
        Clips that can be read.
    truth : array-like of shape (n_clips,)
        Emotions.
    speakers : array-like of shape (n_clips,), default=None
        Who speaks: babble is made of others of these clips, of other speakers where there are some.
    noise : Noise, default=None
        Recorded noise, see :func:`sklearn_ser.audio.noise.read_noise`.
    seed : int, default=0
        Of noise and rooms. Each clip has its own, whatever other clips are scored.
    on_batch : callable, default=None
        Called after each batch with the number of degraded clips done and their total.

    Returns
    -------
    stress : dict
        As `score_degraded` returns it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import make_pipeline
    >>> from sklearn_ser.metrics import score_robustness
    >>> noise = list(np.random.default_rng(0).normal(size=(8, 8000)) / 10)
    >>> y = ["sad", "happy"] * 4
    >>> found = score_robustness(make_pipeline("logreg", "mfcc").fit(noise, y), noise, y)
    >>> [row["name"] for row in found["conditions"]][:3]
    ['as recorded', 'white noise, 30 dB', 'white noise, 20 dB']
    """
    predicted = predict_degraded(
        pipeline, sources, speakers=speakers, noise=noise, seed=seed, on_batch=on_batch
    )
    return score_degraded(truth, predicted, speakers, seed=seed)


def predict_degraded(
    pipeline: Pipeline,
    sources: Sequence,
    *,
    speakers: ArrayLike | None = None,
    noise: Noise | None = None,
    seed: int = 0,
    on_batch: Callable[[int, int], None] | None = None,
) -> dict[Condition, np.ndarray]:
    """Predict clips as recorded and under each condition, decoding each once.

    Parameters
    ----------
    pipeline, sources, speakers, noise, seed, on_batch
        As in :func:`score_robustness`.

    Returns
    -------
    predicted : dict of Condition to ndarray of shape (n_clips,)
        Emotions.
    """
    clips = pipeline.named_steps["audio"].transform(sources)
    # Degraded clips are never met again: no cache wants them.
    features = clone(pipeline.named_steps["features"]).set_params(cache_dir=None)
    conditions = list_conditions(noise)
    speaker = None if speakers is None else np.asarray(speakers, dtype=object)
    degraded = DegradedClips(clips, conditions, seed, speaker, noise)
    rows: list[np.ndarray] = []
    predicted: list[np.ndarray] = []

    def flush() -> None:
        if rows:
            predicted.append(pipeline[2:].predict(np.stack(rows)).astype(str))
            rows.clear()

    done = 0
    for batch in features.iter_batches(degraded):
        if batch.failures:
            raise AudioError(next(iter(batch.failures.values())))
        rows.extend(row for row in batch.rows if row is not None)
        done += len(batch.rows)
        if len(rows) >= AT_ONCE:
            flush()
        if on_batch is not None:
            on_batch(done, len(degraded))
    flush()
    table = np.concatenate(predicted).reshape(len(clips), len(conditions))
    return {condition: table[:, j] for j, condition in enumerate(conditions)}


def score_degraded(
    truth: ArrayLike,
    predicted: Mapping[Condition, np.ndarray],
    speakers: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> Stress:
    """Score the predictions of degraded clips, of all folds together.

    Parameters
    ----------
    truth : array-like of shape (n_clips,)
        Emotions.
    predicted : mapping of Condition to ndarray of shape (n_clips,)
        As `predict_degraded` returns it.
    speakers : array-like of shape (n_clips,), default=None
        For the intervals, see :func:`sklearn_ser.metrics.bootstrap_scores`.
    seed : int, default=0

    Returns
    -------
    stress : dict
        n_clips; seed; chance, see :func:`sklearn_ser.metrics.chance_levels`; interval, what the
        intervals are; and conditions, a list of dicts of name, degradation, strength and unit (None
        where there is one strength only), n, accuracy, uar and their intervals, macro_f1,
        most_predicted (the most frequent prediction), most_predicted_share, and changed, the share
        of predictions that differ from those of the clips as recorded. These come first.
    """
    truth = np.asarray(truth).astype(str)
    clean = predicted[AS_RECORDED]
    conditions: list[StressRow] = []
    about: Any = None
    for condition, found in predicted.items():
        scores = score(truth, found)
        intervals = bootstrap_scores(truth, found, speakers, seed=seed)
        about = about or intervals["interval"]
        emotions, counts = np.unique(found, return_counts=True)
        one = DEGRADATIONS.get(condition.key)
        conditions.append(
            {
                "name": condition.label,
                "degradation": one.name if one else condition.label,
                "strength": condition.strength if one and one.unit else None,
                "unit": one.unit if one and one.unit else None,
                "n": len(truth),
                "accuracy": scores["accuracy"],
                "accuracy_interval": intervals["accuracy_interval"],
                "uar": scores["uar"],
                "uar_interval": intervals["uar_interval"],
                "macro_f1": scores["macro_f1"],
                "most_predicted": str(emotions[counts.argmax()]),
                "most_predicted_share": float(counts.max() / len(truth)),
                "changed": float(np.mean(found != clean)),
            }
        )
    return {
        "n_clips": len(truth),
        "seed": seed,
        "chance": chance_levels(truth),
        "interval": about,
        "conditions": conditions,
    }
