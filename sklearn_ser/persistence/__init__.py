"""A fitted pipeline as a file: its card, its formats, and whether to trust it.

Change here what a card says and how it is checked (`card`), how a model file is written and read
(`formats`, `onnx`), and which files are loaded without being told to (`trust`).
"""

from sklearn_ser.persistence.card import Card, find_model, read_card
from sklearn_ser.persistence.formats import ModelFile, load_pipeline, read_model, save_pipeline

__all__ = [
    "Card",
    "ModelFile",
    "find_model",
    "load_pipeline",
    "read_card",
    "read_model",
    "save_pipeline",
]
