"""Honest scores: splits, figures of merit, pictures and the page that shows them."""

from sklearn_ser.evaluation.scores import score
from sklearn_ser.evaluation.splits import SPLITS, Parts, divide

__all__ = ["SPLITS", "Parts", "divide", "score"]
