"""Splits of a corpus, the leakage audit, and the search for parameters.

Change here which clips train, validate and test, and how candidates are compared.
"""

from sklearn_ser.model_selection.audit import audit_split, hide_test_part
from sklearn_ser.model_selection.folds import divide_in_folds
from sklearn_ser.model_selection.splits import SPLITS, TRANSDUCTIVE, Parts, divide

__all__ = [
    "SPLITS",
    "TRANSDUCTIVE",
    "Parts",
    "audit_split",
    "divide",
    "divide_in_folds",
    "hide_test_part",
]
