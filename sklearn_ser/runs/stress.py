"""The scores of the test clips of a run when they are degraded, of all folds together."""

from collections.abc import Sequence

import numpy as np

from sklearn_ser.audio.conditions import Condition, list_conditions
from sklearn_ser.audio.noise import Noise
from sklearn_ser.exceptions import OptionError
from sklearn_ser.metrics import predict_degraded, score_degraded
from sklearn_ser.metrics.schema import Stress
from sklearn_ser.model_selection import Fold
from sklearn_ser.runs.background import stress_noise
from sklearn_ser.runs.options import Progress, RunOptions
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.trainers import Trained

__all__ = ["SINGLE_CLIPS", "check_stress", "count_noise", "stress_folds"]


def check_stress(options: RunOptions) -> None:
    """Raise where degraded clips cannot be scored, before the work.

    Raises
    ------
    OptionError
        If features are z-scored over the clips of a group.
    SerError
        If the folder of noise is wrong.
    """
    if options.adapt != "none":
        raise OptionError(SINGLE_CLIPS)
    stress_noise(options)


SINGLE_CLIPS = (
    "`stress` changes single clips, and `adapt` scores them by statistics of all clips of their "
    "group: ask for one of them."
)


def stress_folds(
    trained: Sequence[Trained],
    folds: Sequence[Fold],
    store: FeatureStore,
    options: RunOptions,
    progress: Progress,
) -> Stress:
    """Score the test set of each fold, degraded, by the pipeline of the fold; all pooled.

    Babble is made of other clips of the same test set.
    """
    noise = stress_noise(options)
    n_conditions = len(list_conditions(noise))
    total = n_conditions * sum(len(fold.test) for fold in folds)
    detail = f"{n_conditions} ways"
    done = 0
    pooled: dict[Condition, list[np.ndarray]] = {}
    for one, fold in zip(trained, folds, strict=True):
        clips = store.subset(fold.test)

        def show(n: int, _: int, before: int = done) -> None:
            progress("stress", before + n, total, detail)

        predicted = predict_degraded(
            one.pipeline,
            clips.path,
            speakers=clips.speaker,
            noise=noise,
            seed=options.seed,
            on_batch=show,
        )
        for condition, emotions in predicted.items():
            pooled.setdefault(condition, []).append(emotions)
        done += n_conditions * len(fold.test)
    rows = np.concatenate([fold.test for fold in folds])
    speakers = None if store.speakers is None else store.speakers[rows]
    together = {condition: np.concatenate(parts) for condition, parts in pooled.items()}
    stress = score_degraded(store.emotions[rows], together, speakers, seed=options.seed)
    stress["seen_in_training"] = False
    stress["noise"] = count_noise(options, noise, store.checksums)
    return stress


def count_noise(
    options: RunOptions, noise: Noise | None, checksums: np.ndarray
) -> dict[str, int] | None:
    """Return how many recordings of noise degraded the clips, and how many are clips themselves.

    Returns
    -------
    counts : dict or None
        n, 0 where training has used all recordings of the folder; and n_clips, those of them that
        are clips of the corpus. None without a folder.
    """
    if options.noise is None:
        return None
    heard = () if noise is None else noise.checksums
    return {"n": len(heard), "n_clips": len(set(heard) & set(checksums))}
