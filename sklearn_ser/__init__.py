"""Speech emotion recognition the scikit-learn way: audio files in, a fitted Pipeline out.

>>> from sklearn_ser import make_pipeline
>>> make_pipeline("svm", features=("mfcc", "chroma")).named_steps.keys()
dict_keys(['audio', 'features', 'scale', 'clf'])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_ser.audio.loader import AudioLoader
    from sklearn_ser.classifiers import (
        ANNClassifier,
        CNNClassifier,
        CNNLSTMClassifier,
        LSTMClassifier,
    )
    from sklearn_ser.classifiers.svm import SVMClassifier
    from sklearn_ser.corpora import load_corpus
    from sklearn_ser.features import (
        MFCC,
        AudioFeatureUnion,
        BarkSpectrum,
        Chroma,
        ClipTransformer,
        Formants,
        FrameFeatures,
        FrameTransformer,
        GroupNormalizer,
        LogMelSpectrogram,
        Loudness,
        MelSpectrogram,
        ModulationSpectrum,
        Perturbation,
        Pitch,
        PretrainedEmbedding,
        Rhythm,
        SequenceScaler,
        SpectralContrast,
        SpectralShape,
        VoiceCorrelations,
        VoiceQuality,
    )
    from sklearn_ser.inference import EmotionStream
    from sklearn_ser.inference.timeline import TimelineDisplay
    from sklearn_ser.persistence import load_pipeline, save_pipeline
    from sklearn_ser.pipelines import make_pipeline
    from sklearn_ser.report.displays import (
        CoverageDisplay,
        ReliabilityDisplay,
        RobustnessDisplay,
    )
    from sklearn_ser.runs import load_run

__version__ = "0.1.0.dev0"

# Where each public name lives. They are imported when first used, so that `import sklearn_ser`
# costs nothing and TensorFlow loads for those alone who use a network.
_HOMES = {
    "ANNClassifier": "classifiers",
    "AudioFeatureUnion": "features",
    "AudioLoader": "audio",
    "BarkSpectrum": "features",
    "CNNClassifier": "classifiers",
    "CNNLSTMClassifier": "classifiers",
    "Chroma": "features",
    "CoverageDisplay": "report.displays",
    "ClipTransformer": "features",
    "EmotionStream": "inference",
    "Formants": "features",
    "FrameFeatures": "features",
    "FrameTransformer": "features",
    "LSTMClassifier": "classifiers",
    "LogMelSpectrogram": "features",
    "Loudness": "features",
    "MFCC": "features",
    "MelSpectrogram": "features",
    "ModulationSpectrum": "features",
    "Perturbation": "features",
    "Pitch": "features",
    "PretrainedEmbedding": "features",
    "ReliabilityDisplay": "report.displays",
    "Rhythm": "features",
    "RobustnessDisplay": "report.displays",
    "SVMClassifier": "classifiers",
    "SequenceScaler": "features",
    "GroupNormalizer": "features",
    "SpectralContrast": "features",
    "SpectralShape": "features",
    "TimelineDisplay": "inference.timeline",
    "VoiceCorrelations": "features",
    "VoiceQuality": "features",
    "load_corpus": "corpora",
    "load_pipeline": "persistence",
    "load_run": "runs",
    "make_pipeline": "pipelines",
    "save_pipeline": "persistence",
}

__all__ = [
    "MFCC",
    "ANNClassifier",
    "AudioFeatureUnion",
    "AudioLoader",
    "BarkSpectrum",
    "CNNClassifier",
    "CNNLSTMClassifier",
    "Chroma",
    "ClipTransformer",
    "CoverageDisplay",
    "EmotionStream",
    "Formants",
    "FrameFeatures",
    "FrameTransformer",
    "GroupNormalizer",
    "LSTMClassifier",
    "LogMelSpectrogram",
    "Loudness",
    "MelSpectrogram",
    "ModulationSpectrum",
    "Perturbation",
    "Pitch",
    "PretrainedEmbedding",
    "ReliabilityDisplay",
    "Rhythm",
    "RobustnessDisplay",
    "SVMClassifier",
    "SequenceScaler",
    "SpectralContrast",
    "SpectralShape",
    "TimelineDisplay",
    "VoiceCorrelations",
    "VoiceQuality",
    "__version__",
    "load_corpus",
    "load_pipeline",
    "load_run",
    "make_pipeline",
    "save_pipeline",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sklearn_ser' has no attribute {name!r}")
    return getattr(import_module(f"sklearn_ser.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
