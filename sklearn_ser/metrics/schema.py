"""What metrics.json holds, as types for whatever writes or reads it.

JSON's numbers, lists and objects are Python's float, int, list and dict; null is None.
"""

from typing import Any, NotRequired, TypedDict

__all__ = [
    "Calibration",
    "Chance",
    "EmotionScores",
    "Importance",
    "Interval",
    "Metrics",
    "Scores",
    "Stress",
    "StressRow",
]


class EmotionScores(TypedDict):
    """The scores of one emotion; support is its number of clips."""

    precision: float
    recall: float
    f1: float
    support: int


class Chance(TypedDict):
    """What guessing reaches: one emotion for every clip, for the accuracy the most frequent."""

    accuracy: float
    uar: float


class Scores(TypedDict):
    """Scores of one set of clips."""

    accuracy: float
    uar: float
    macro_f1: float
    chance: NotRequired[Chance]  # runs of an older version lack it
    per_emotion: dict[str, EmotionScores]


class Interval(TypedDict):
    """How the intervals of the scores were computed; about says it in a sentence."""

    level: float
    resampled: str  # "speakers" or "clips"
    n: int
    n_resamples: int
    exact: NotRequired[list[str]]  # scores whose interval is not from resampling
    about: str


class Calibration(TypedDict):
    """Confidence and accuracy by bins of confidence."""

    ece: float
    n_bins: int
    confidence: float
    bins: list[dict[str, float]]
    # Of a calibrated classifier
    ece_before: NotRequired[float]
    temperature: NotRequired[float | None]
    n_clips: NotRequired[int]
    by: NotRequired[str | None]


class Importance(TypedDict):
    """Loss of UAR without each group of features."""

    n_clips: int
    n_repeats: int
    n_folds: int
    uar: float
    groups: list[dict[str, Any]]


class StressRow(TypedDict):
    """The scores under one condition. Runs of an older version lack most of it."""

    name: str
    degradation: str
    strength: float | None  # None where there is one strength only
    unit: str | None
    n: int
    accuracy: float
    accuracy_interval: list[float]
    uar: float
    uar_interval: list[float]
    macro_f1: float
    most_predicted: str
    most_predicted_share: float
    changed: float


class Stress(TypedDict):
    """The scores of degraded clips; the first condition is the clips as recorded."""

    n_clips: int
    seed: int
    chance: Chance
    interval: Interval
    conditions: list[StressRow]
    seen_in_training: NotRequired[bool]
    noise: NotRequired[dict[str, int] | None]  # n recordings, n_clips of them of the corpus


class Metrics(Scores):
    """The document metrics.json: the scores of the test set, and all that belongs to them."""

    accuracy_interval: list[float]
    uar_interval: list[float]
    macro_f1_interval: list[float]
    interval: Interval
    split: str
    n_train: int
    n_validation: int
    n_test: int
    train: Scores | None
    validation: Scores | None
    confusion_matrix: dict[str, Any]  # labels, and counts with a row for each true emotion
    calibration: Calibration
    coverage: list[dict[str, Any]]
    by_speaker: dict[str, Any] | None
    by_sex: dict[str, Any] | None
    skipped: list[Any]
    adapt: NotRequired[str]  # what clips are z-scored by: none, speaker, corpus or recording
    transductive: bool
    seconds: float
    run: str
    # Of fit and grid-search
    validation_by: NotRequired[str | None]
    classifier: NotRequired[str]
    seed: NotRequired[int]
    map: NotRequired[dict[str, str]]  # labels that were given another emotion
    audit: NotRequired[dict[str, Any]]
    importance: NotRequired[Importance]
    seconds_fit: NotRequired[float]
    folds: NotRequired[list[dict[str, Any]]]
    uar_mean_over_corpora: NotRequired[float]  # of a corpus split
    search: NotRequired[dict[str, Any]]
    stress: NotRequired[Stress | None]
    # Of evaluate
    n_seen: NotRequired[int]  # test clips that the model was fitted on
    corpora: NotRequired[dict[str, list[str]]]  # of model and data
    left_out: NotRequired[dict[str, Any]]  # emotions that only model or data have
