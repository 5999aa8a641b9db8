"""Saving and loading of pipelines: cards, file formats, and trust."""

from sklearn_ser.persistence.formats import ModelFile, load_pipeline, read_model, save_pipeline

__all__ = ["ModelFile", "load_pipeline", "read_model", "save_pipeline"]
