"""From a fitted pipeline to answers: files, long recordings and live streams."""

from sklearn_ser.inference.clips import Answer, Predictor, predict_table
from sklearn_ser.inference.sources import find_sources

__all__ = ["Answer", "Predictor", "find_sources", "predict_table"]
