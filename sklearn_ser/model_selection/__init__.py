"""Splits of a corpus, the leakage audit, and the search for parameters.

Change here which clips train, validate and test, and how candidates are compared.
"""

from sklearn_ser.model_selection.audit import audit_split
from sklearn_ser.model_selection.splits import (
    SPLITS,
    TRANSDUCTIVE,
    Fold,
    Subset,
    split_corpus,
    split_folds,
)

__all__ = [
    "SPLITS",
    "TRANSDUCTIVE",
    "Fold",
    "Subset",
    "audit_split",
    "split_corpus",
    "split_folds",
]
