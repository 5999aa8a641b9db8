"""Scores of the same clips with noise, other gains, a telephone's band and the like."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.metrics.scores import score

__all__ = ["score_robustness"]

BATCH = 64  # clips in memory at once


def score_robustness(
    pipeline: Pipeline,
    sources: Sequence,
    truth: ArrayLike,
    *,
    seed: int = 0,
    on_batch: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score a fitted pipeline on degraded clips, for each kind of degradation.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned, fitted.
    sources : sequence of n_clips sources
        Clips that can be read.
    truth : array-like of shape (n_clips,)
        Emotions.
    seed : int, default=0
        Of noise and rooms. Each clip has its own, whatever other clips are scored.
    on_batch : callable, default=None
        Called after each batch with the number of clips done and their total.

    Returns
    -------
    stress : dict
        n_clips; seed; and conditions, a list of dicts of name, accuracy, uar and changed, the share
        of predictions that differ from those of the clips as recorded. These come first.

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
    truth = np.asarray(truth).astype(str)
    clips = pipeline.named_steps["audio"].transform(sources)
    sr = pipeline.named_steps["audio"].sr
    # Degraded clips are never met again: no cache wants them.
    features = clone(pipeline.named_steps["features"]).set_params(cache_dir=None)
    names = ("as recorded", *_CONDITIONS)
    batches: dict[str, list[np.ndarray]] = {name: [] for name in names}
    workers = Parallel(features.n_jobs, prefer="threads")
    for start in range(0, len(clips), BATCH):
        rows = range(start, min(start + BATCH, len(clips)))
        sounds = [clips[i] for i in rows]
        for name in names:
            worse = workers(
                delayed(_degrade)(y, sr, name, (seed, i)) for i, y in zip(rows, sounds, strict=True)
            )
            batches[name].append(pipeline[2:].predict(features.transform(worse)).astype(str))
        if on_batch is not None:
            on_batch(rows.stop, len(clips))
    predictions = {name: np.concatenate(predicted) for name, predicted in batches.items()}
    conditions = []
    for name, predicted in predictions.items():
        scores = score(truth, predicted)
        conditions.append(
            {
                "name": name,
                "accuracy": scores["accuracy"],
                "uar": scores["uar"],
                "changed": float(np.mean(predicted != predictions["as recorded"])),
            }
        )
    return {"n_clips": len(clips), "seed": seed, "conditions": conditions}


def _degrade(y: np.ndarray, sr: int, name: str, seed: tuple[int, int]) -> np.ndarray:
    if name not in _CONDITIONS:
        return y
    key, strength = _CONDITIONS[name]
    rng = np.random.default_rng([*seed, list(DEGRADATIONS).index(key)])
    return DEGRADATIONS[key].apply(y, sr, strength, rng)


_CONDITIONS = {
    one.label(strength): (key, strength)
    for key, one in DEGRADATIONS.items()
    for strength in one.strengths
    if one.needs is None
}
