"""Honest scores: splits, the leakage audit, figures of merit, pictures and the page with them."""

from sklearn_ser.evaluation.audit import audit_split, hide_test_part
from sklearn_ser.evaluation.folds import divide_in_folds
from sklearn_ser.evaluation.intervals import bootstrap_scores
from sklearn_ser.evaluation.scores import score
from sklearn_ser.evaluation.splits import SPLITS, Parts, divide

__all__ = [
    "SPLITS",
    "Parts",
    "audit_split",
    "bootstrap_scores",
    "divide",
    "divide_in_folds",
    "hide_test_part",
    "score",
]
