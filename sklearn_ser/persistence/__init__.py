"""A fitted pipeline as a file: its card, its formats, and whether to trust it.

Change here what a card says and how it is checked (`card`), how a model file is written and read
(`formats`, `onnx`), which files are loaded without being told to (`trust`), and the model that
comes with the package (`demo`).
"""

from sklearn_ser.persistence.card import Card, find_model, names_model, read_card
from sklearn_ser.persistence.demo import DEMO
from sklearn_ser.persistence.formats import ModelFile, load_pipeline, read_model, save_pipeline

__all__ = [
    "DEMO",
    "Card",
    "ModelFile",
    "find_model",
    "load_pipeline",
    "names_model",
    "read_card",
    "read_model",
    "save_pipeline",
]
