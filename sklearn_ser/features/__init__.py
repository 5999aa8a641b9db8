"""Features: the transformers that compute them of clips, and the union that does so in one pass.

Scalers and the measures of a clip's quality are here too. To add a feature, subclass
`ClipTransformer` or `FrameTransformer` in a module here, and name it in `FEATURES` of
`pipelines.py`.
"""

from sklearn_ser.features._spectrum import STFT, Spectra
from sklearn_ser.features.articulation import Formants, Perturbation
from sklearn_ser.features.auditory import BarkSpectrum, Loudness, SpectralShape
from sklearn_ser.features.embeddings import PretrainedEmbedding
from sklearn_ser.features.rhythm import ModulationSpectrum, Rhythm
from sklearn_ser.features.scalers import GroupNormalizer, SequenceScaler
from sklearn_ser.features.sequences import FrameFeatures, LogMelSpectrogram
from sklearn_ser.features.spectral import MFCC, Chroma, MelSpectrogram, SpectralContrast
from sklearn_ser.features.transformers import (
    ClipTransformer,
    FrameTransformer,
    SequenceTransformer,
)
from sklearn_ser.features.union import AudioFeatureUnion, count_features, name_features
from sklearn_ser.features.voice import Pitch, VoiceCorrelations, VoiceQuality

__all__ = [
    "MFCC",
    "STFT",
    "AudioFeatureUnion",
    "BarkSpectrum",
    "Chroma",
    "ClipTransformer",
    "Formants",
    "FrameFeatures",
    "FrameTransformer",
    "GroupNormalizer",
    "LogMelSpectrogram",
    "Loudness",
    "MelSpectrogram",
    "ModulationSpectrum",
    "Perturbation",
    "Pitch",
    "PretrainedEmbedding",
    "Rhythm",
    "SequenceScaler",
    "SequenceTransformer",
    "Spectra",
    "SpectralContrast",
    "SpectralShape",
    "VoiceCorrelations",
    "VoiceQuality",
    "count_features",
    "name_features",
]
