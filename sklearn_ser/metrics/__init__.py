"""Scores and how far they may be off: intervals, paired tests, calibration, groups, importance.

Change here what is computed from predictions; what is drawn of it stands in `report`.
"""

from sklearn_ser.metrics.calibration import score_calibration, score_coverage
from sklearn_ser.metrics.groups import score_by_group
from sklearn_ser.metrics.importance import (
    feature_groups,
    feature_importance,
    importance_by_group,
    pool_importance,
)
from sklearn_ser.metrics.intervals import bootstrap_scores
from sklearn_ser.metrics.paired import compare_pairs, paired_test
from sklearn_ser.metrics.robustness import predict_degraded, score_degraded, score_robustness
from sklearn_ser.metrics.schema import Calibration, Metrics, Scores
from sklearn_ser.metrics.scores import (
    chance_level,
    chance_levels,
    constant_prediction,
    describe_predictions,
    is_better_than_chance,
    score,
)

__all__ = [
    "Calibration",
    "Metrics",
    "Scores",
    "bootstrap_scores",
    "chance_level",
    "chance_levels",
    "compare_pairs",
    "constant_prediction",
    "describe_predictions",
    "feature_groups",
    "feature_importance",
    "importance_by_group",
    "is_better_than_chance",
    "paired_test",
    "pool_importance",
    "predict_degraded",
    "score",
    "score_by_group",
    "score_calibration",
    "score_coverage",
    "score_degraded",
    "score_robustness",
]
