"""From a fitted pipeline to predictions: files, long recordings and live streams.

Change here how sources become rows, windows and segments, and when a prediction is withheld.
"""

from sklearn_ser.inference.predictor import Prediction, Predictor, load_predictor, predict_table
from sklearn_ser.inference.source_files import find_sources
from sklearn_ser.inference.stream import EmotionEvent, EmotionStream

__all__ = [
    "EmotionEvent",
    "EmotionStream",
    "Prediction",
    "Predictor",
    "find_sources",
    "load_predictor",
    "predict_table",
]
