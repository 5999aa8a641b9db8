"""Transformers from clips to numbers, and the union that computes them in one pass."""

from sklearn_ser.features.articulation import Formants, Perturbation
from sklearn_ser.features.auditory import BarkSpectrum, Loudness, SpectralShape
from sklearn_ser.features.embeddings import PretrainedEmbedding
from sklearn_ser.features.rhythm import ModulationSpectrum, Rhythm
from sklearn_ser.features.scaler import SequenceScaler
from sklearn_ser.features.sequences import FrameFeatures, LogMelSpectrogram
from sklearn_ser.features.speakers import SpeakerNormalizer
from sklearn_ser.features.spectral import MFCC, Chroma, MelSpectrogram, SpectralContrast
from sklearn_ser.features.union import AudioFeatureUnion, count_features, name_features
from sklearn_ser.features.voice import Pitch, VoiceCorrelations, VoiceQuality

__all__ = [
    "MFCC",
    "AudioFeatureUnion",
    "BarkSpectrum",
    "Chroma",
    "Formants",
    "FrameFeatures",
    "LogMelSpectrogram",
    "Loudness",
    "MelSpectrogram",
    "ModulationSpectrum",
    "Perturbation",
    "Pitch",
    "PretrainedEmbedding",
    "Rhythm",
    "SequenceScaler",
    "SpeakerNormalizer",
    "SpectralContrast",
    "SpectralShape",
    "VoiceCorrelations",
    "VoiceQuality",
    "count_features",
    "name_features",
]
