"""From a fitted pipeline to answers: files, long recordings and live streams."""

from sklearn_ser.inference.clips import Answer, Predictor, predict_table
from sklearn_ser.inference.sources import find_sources
from sklearn_ser.inference.stream import EmotionEvent, EmotionStream

__all__ = [
    "Answer",
    "EmotionEvent",
    "EmotionStream",
    "Predictor",
    "find_sources",
    "predict_table",
]
