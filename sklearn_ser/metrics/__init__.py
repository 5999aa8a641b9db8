"""Scores and how far they may be off: intervals, paired tests, calibration, groups, importance.

Change here what is computed from predictions; what is drawn of it stands in `report`.
"""

from sklearn_ser.metrics.calibration import calibration, coverage
from sklearn_ser.metrics.details import details, importance
from sklearn_ser.metrics.groups import score_by_group
from sklearn_ser.metrics.importance import feature_groups, importance_by_group, pool_importance
from sklearn_ser.metrics.intervals import bootstrap_scores
from sklearn_ser.metrics.robustness import stress
from sklearn_ser.metrics.scores import score

__all__ = [
    "bootstrap_scores",
    "calibration",
    "coverage",
    "details",
    "feature_groups",
    "importance",
    "importance_by_group",
    "pool_importance",
    "score",
    "score_by_group",
    "stress",
]
