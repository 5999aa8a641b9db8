"""Honest scores: splits, the leakage audit, figures of merit, pictures and the page with them."""

from sklearn_ser.evaluation.audit import audit_split, hide_test_part
from sklearn_ser.evaluation.calibration import calibration, coverage
from sklearn_ser.evaluation.details import details, importance
from sklearn_ser.evaluation.folds import divide_in_folds
from sklearn_ser.evaluation.groups import score_by_group
from sklearn_ser.evaluation.importance import (
    feature_groups,
    importance_by_group,
    pool_importance,
)
from sklearn_ser.evaluation.intervals import bootstrap_scores
from sklearn_ser.evaluation.scores import score
from sklearn_ser.evaluation.splits import SPLITS, TRANSDUCTIVE, Parts, divide
from sklearn_ser.evaluation.stress import stress

__all__ = [
    "SPLITS",
    "TRANSDUCTIVE",
    "Parts",
    "audit_split",
    "bootstrap_scores",
    "calibration",
    "coverage",
    "details",
    "divide",
    "divide_in_folds",
    "feature_groups",
    "hide_test_part",
    "importance",
    "importance_by_group",
    "pool_importance",
    "score",
    "score_by_group",
    "stress",
]
