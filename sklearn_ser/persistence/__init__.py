"""A fitted pipeline as a file: its card, its formats, and whether to trust it."""

from sklearn_ser.persistence.formats import load_pipeline, save_pipeline

__all__ = ["load_pipeline", "save_pipeline"]
