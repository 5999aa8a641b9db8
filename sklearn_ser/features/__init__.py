"""Transformers from clips to numbers, and the union that computes them in one pass."""

from sklearn_ser.features.scaler import SequenceScaler
from sklearn_ser.features.sequences import FrameFeatures, LogMelSpectrogram
from sklearn_ser.features.spectral import MFCC, Chroma, MelSpectrogram, SpectralContrast
from sklearn_ser.features.union import AudioFeatureUnion

__all__ = [
    "MFCC",
    "AudioFeatureUnion",
    "Chroma",
    "FrameFeatures",
    "LogMelSpectrogram",
    "MelSpectrogram",
    "SequenceScaler",
    "SpectralContrast",
]
