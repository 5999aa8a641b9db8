"""A fitted pipeline as a file: its card, its formats, and whether to trust it."""

from sklearn_ser.persistence.formats import ModelFile, load_pipeline, read_model, save_pipeline

__all__ = ["ModelFile", "load_pipeline", "read_model", "save_pipeline"]
