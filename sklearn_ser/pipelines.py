"""Recipes: pipelines of scikit-learn by the name of a classifier and of its features."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser._sklearn import validate_params
from sklearn_ser.audio.loader import AudioLoader
from sklearn_ser.classifiers import (
    ANNClassifier,
    CNNClassifier,
    CNNLSTMClassifier,
    LSTMClassifier,
    takes_sequences,
)
from sklearn_ser.classifiers.svm import SVMClassifier
from sklearn_ser.exceptions import AudioError, OptionError
from sklearn_ser.features import (
    MFCC,
    AudioFeatureUnion,
    BarkSpectrum,
    Chroma,
    Formants,
    FrameFeatures,
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
from sklearn_ser.features._extraction import Batch, gather
from sklearn_ser.features.quality import Inspection, tabulate
from sklearn_ser.features.transformers import ClipTransformer, SequenceTransformer

__all__ = [
    "FEATURES",
    "FEATURE_SETS",
    "RECIPES",
    "Extraction",
    "FeatureSet",
    "Recipe",
    "check_on_error",
    "drop_failures",
    "extract_features",
    "find_name",
    "make_pipeline",
    "set_pipeline_params",
    "with_tail",
]

FEATURES: dict[str, type[BaseEstimator]] = {
    "mfcc": MFCC,
    "chroma": Chroma,
    "mel": MelSpectrogram,
    "contrast": SpectralContrast,
    "logmel": LogMelSpectrogram,
    "frames": FrameFeatures,
    "bark": BarkSpectrum,
    "shape": SpectralShape,
    "loudness": Loudness,
    "pitch": Pitch,
    "quality": VoiceQuality,
    "correlations": VoiceCorrelations,
    "rhythm": Rhythm,
    "modulation": ModulationSpectrum,
    "formants": Formants,
    "perturbation": Perturbation,
    "embedding": PretrainedEmbedding,
}

_TWELVE = (
    *("mean", "std", "p5", "p20", "median", "p80", "p95"),
    *("skewness", "kurtosis", "slope", "curvature", "change"),
)


@dataclass(frozen=True)
class FeatureSet:
    """Features that go together under one name, and the sampling rate they were chosen at."""

    about: str
    sr: int
    transformers: Mapping[str, BaseEstimator]


FEATURE_SETS: dict[str, FeatureSet] = {
    "functionals": FeatureSet(
        "statistics of spectrum, loudness and voice, made for unseen speakers",
        16000,
        {
            "bark": BarkSpectrum(statistics=_TWELVE),
            "rasta": BarkSpectrum(scale="rasta", statistics=_TWELVE),
            "bark_loudness": BarkSpectrum(scale="loudness", statistics=_TWELVE),
            "shape": SpectralShape(statistics=_TWELVE),
            "loudness": Loudness(statistics=_TWELVE),
            "loudness_voiced": Loudness(statistics=_TWELVE, over="voiced"),
            "pitch": Pitch(statistics=_TWELVE, deltas=1),
            "quality": VoiceQuality(statistics=_TWELVE),
            "correlations": VoiceCorrelations(),
            "rhythm": Rhythm(),
            "modulation": ModulationSpectrum(),
        },
    ),
}

FOUR_FEATURES = ("mfcc", "chroma", "mel", "contrast")


@dataclass(frozen=True)
class Recipe:
    """A classifier, the features it gets where none are named, and what a search tries."""

    about: str
    classifier: Callable[[], BaseEstimator]
    features: tuple[str, ...]
    grid: Mapping[str, Sequence[Any]]


RECIPES: dict[str, Recipe] = {
    "svm": Recipe(
        "support vector machine with an RBF kernel and calibrated probabilities",
        SVMClassifier,
        FOUR_FEATURES,
        {"clf__C": [1, 10, 100], "clf__gamma": ["scale", 0.001, 0.01]},
    ),
    "mlp": Recipe(
        "multi-layer perceptron of scikit-learn",
        lambda: MLPClassifier((300,), alpha=0.01, max_iter=500),
        FOUR_FEATURES,
        {
            "clf__hidden_layer_sizes": [(100,), (300,), (300, 100)],
            "clf__alpha": [0.0001, 0.01, 1],
        },
    ),
    "rf": Recipe(
        "random forest of 300 trees",
        lambda: RandomForestClassifier(300),
        FOUR_FEATURES,
        {"clf__n_estimators": [100, 300], "clf__max_features": ["sqrt", 0.2]},
    ),
    "logreg": Recipe(
        "logistic regression",
        lambda: LogisticRegression(C=0.05, max_iter=3000),
        FOUR_FEATURES,
        {"clf__C": [0.005, 0.05, 0.5, 5]},
    ),
    "ann": Recipe(
        "the published network on 40 MFCCs: Dense 100, 200, 100 with dropout",
        ANNClassifier,
        ("mfcc",),
        {"clf__dropout": [0.1, 0.3, 0.5], "clf__learning_rate": [0.0003, 0.001]},
    ),
    "cnn": Recipe(
        "convolutional network on log-mel spectrograms",
        CNNClassifier,
        ("logmel",),
        {"clf__dropout": [0.2, 0.4], "clf__kernel_size": [3, 5]},
    ),
    "lstm": Recipe(
        "recurrent network over 40 MFCCs",
        LSTMClassifier,
        ("mfcc",),
        {"clf__dropout": [0.2, 0.5], "clf__units": [128, 256]},
    ),
    "cnn-lstm": Recipe(
        "convolutional and recurrent network on MFCC, chroma and contrast frame by frame",
        CNNLSTMClassifier,
        ("frames",),
        {"clf__dropout": [0.2, 0.4], "clf__units": [64, 128]},
    ),
}


def make_pipeline(
    clf: str | BaseEstimator = "svm",
    features: str | Sequence[str | BaseEstimator] | None = None,
    *,
    sr: int | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    **params: Any,
) -> Pipeline:
    """Return a pipeline from audio to emotions, with the steps audio, features, scale and clf.

    Parameters
    ----------
    clf : str or classifier, default="svm"
        Name of a recipe (svm, mlp, rf, logreg, ann, cnn, lstm or cnn-lstm), any scikit-learn
        classifier, or "passthrough" where only the features are of interest.
    features : str or sequence of str or transformers, default=None
        Names of features, out of mfcc, chroma, mel and contrast, of the set functionals (made for
        unseen speakers) or its parts, or of sequences, logmel and frames (as one string:
        joined by commas), or transformers, this package's or your own subclasses of
        `ClipTransformer`; `None` takes the recipe's own.
    sr : int, default=None
        Sampling rate for loader and features, in Hz; `None` means that of the transformers among
        the features, 16000 with functionals or embedding, and 22050 otherwise.
    n_jobs : int, default=None
        Batches of clips to extract at once.
    random_state : int, RandomState or None, default=None
        Seed of the classifier.
    **params
        Parameters of single steps, such as `clf__C=1` or `audio__res_type="kaiser_fast"`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Its `fit` takes paths (or waveforms) and emotions.

    Raises
    ------
    OptionError
        If a name is not known or a parameter does not exist.

    Examples
    --------
    >>> from sklearn_ser import make_pipeline
    >>> pipe = make_pipeline("svm", features=("mfcc", "chroma"), clf__C=1)
    >>> pipe.named_steps["clf"]
    SVMClassifier(C=1)
    """
    recipe = None
    if isinstance(clf, str) and clf != "passthrough":
        recipe = RECIPES[find_name(clf, RECIPES, "classifier")]
        clf = recipe.classifier()
    elif not isinstance(clf, str) and not hasattr(clf, "fit"):
        raise OptionError(f"clf={clf!r} is neither the name of a recipe nor a classifier.")
    if isinstance(clf, type):
        raise OptionError(f"clf={clf.__name__} is a class: write {clf.__name__}().")
    if (
        random_state is not None
        and isinstance(clf, BaseEstimator)
        and "random_state" in clf.get_params()
    ):
        clf = clone(clf).set_params(random_state=random_state)
    if features is None:
        features = recipe.features if recipe else FOUR_FEATURES
    features = _listed(features)
    sr = _rate_for(features) if sr is None else sr
    union = _make_union(features, sr, n_jobs)
    sequences = isinstance(union.transformer_list[0][1], SequenceTransformer)
    if sequences and recipe and not takes_sequences(clf):
        raise OptionError(
            f"{type(clf).__name__} takes a row of features for each clip, and "
            f"{union.transformer_list[0][0]} gives sequences: choose other features, or a network."
        )
    pipeline = Pipeline(
        [
            ("audio", AudioLoader(sr=sr)),
            ("features", union),
            ("scale", SequenceScaler() if sequences else StandardScaler()),
            ("clf", clf),
        ]
    )
    return set_pipeline_params(pipeline, params)


def _listed(features: str | BaseEstimator | Sequence[str | BaseEstimator]) -> list:
    if isinstance(features, str):
        return [name.strip().lower() for name in features.split(",") if name.strip()]
    if isinstance(features, BaseEstimator):
        return [features]
    return [one.lower() if isinstance(one, str) else one for one in features]


def _rate_for(features: Sequence) -> int:
    """Return the sampling rate that some features were made for, or the usual one."""
    rates = {}
    for feature in features:
        if isinstance(feature, ClipTransformer):
            rates[type(feature).__name__] = feature.sr
        elif feature in FEATURE_SETS:
            rates[feature] = FEATURE_SETS[feature].sr
        elif feature == "embedding":
            rates[feature] = PretrainedEmbedding().sr
    if len(set(rates.values())) > 1:
        raise OptionError(f"The features have different rates, {rates}: choose one with `sr`.")
    return next(iter(rates.values()), 22050)


def _make_union(features: Sequence, sr: int, n_jobs: int | None) -> AudioFeatureUnion:
    transformers: list[tuple[str, BaseEstimator]] = []
    for feature in features:
        if not isinstance(feature, str):
            transformers.append((_name_of(feature, features), clone(feature).set_params(sr=sr)))
        elif feature in FEATURE_SETS:
            parts = FEATURE_SETS[feature].transformers.items()
            transformers += [(name, clone(part).set_params(sr=sr)) for name, part in parts]
        else:
            known = {**FEATURES, **FEATURE_SETS}
            transformers.append((feature, FEATURES[find_name(feature, known, "feature")](sr=sr)))
    names = [name for name, _ in transformers]
    if not names or len(set(names)) < len(names):
        raise OptionError(
            f"Features {', '.join(names) or '(none)'}: name at least one, and each once."
        )
    return AudioFeatureUnion(transformers, n_jobs=n_jobs)


def _name_of(transformer: Any, features: Sequence) -> str:
    """Return the name of a transformer: its class in small letters, numbered among several."""
    if isinstance(transformer, type):
        name = transformer.__name__
        raise OptionError(f"features={name} is a class: write {name}().")
    if not isinstance(transformer, ClipTransformer):
        raise OptionError(
            f"features={transformer!r} is neither the name of a feature nor a transformer of "
            "clips: subclass sklearn_ser.ClipTransformer or FrameTransformer."
        )
    kind = type(transformer)
    alike = [one for one in features if type(one) is kind]
    if len(alike) == 1:
        return kind.__name__.lower()
    return f"{kind.__name__.lower()}-{[one is transformer for one in alike].index(True) + 1}"


def set_pipeline_params(pipeline: Pipeline, params: Mapping[str, Any]) -> Pipeline:
    """Set parameters of the steps; a rate given to the loader goes to the features as well.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned.
    params : mapping of str to object
        Such as `{"clf__C": 1}`.

    Returns
    -------
    pipeline : Pipeline
        The same.

    Raises
    ------
    OptionError
        If a parameter does not exist (the message names those that are near), or its value makes
        no sense.
    """
    known = pipeline.get_params()
    for name in params:
        if name not in known:
            step = name.split("__")[0]
            near = get_close_matches(name, [k for k in known if k.startswith(f"{step}__")], n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else " It has the form clf__NAME."
            raise OptionError(f"The pipeline has no parameter {name!r}.{hint}")
    params = dict(params)
    if "audio__sr" in params:
        for name, _ in pipeline.named_steps["features"].transformer_list:
            params.setdefault(f"features__{name}__sr", params["audio__sr"])
    for name in params:
        if name in ("features__transformer_list", "features__transformer_weights", "steps") or (
            hasattr(known[name], "get_params")
        ):
            raise OptionError(f"{name} cannot be set to a value: set the parameters in it.")
    pipeline.set_params(**params)
    for step in pipeline.named_steps.values():
        for estimator in [step, *dict(getattr(step, "transformer_list", [])).values()]:
            check = getattr(estimator, "check_settings", lambda e=estimator: validate_params(e))
            try:
                check()
            except ValueError as error:
                raise OptionError(str(error)) from error
    return pipeline


def find_name(name: str, known: Collection[str], kind: str) -> str:
    """Return a name as it is known, given in upper or lower case.

    Parameters
    ----------
    name : str
    known : collection of str
        In lower case.
    kind : str
        What is named, for the message.

    Raises
    ------
    OptionError
        If it is not known; the message names the nearest one that is.

    Examples
    --------
    >>> from sklearn_ser.pipelines import RECIPES, find_name
    >>> find_name("SVM", RECIPES, "classifier")
    'svm'
    """
    if (lower := name.strip().lower()) in known:
        return lower
    near = get_close_matches(lower, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
    raise OptionError(f"Unknown {kind} {name!r}: {hint}")


class Extraction(NamedTuple):
    """What was extracted from some sources.

    Attributes
    ----------
    X : ndarray of shape (n_clips - n_failures, ...), float32
        The features of the clips that could be read, in order.
    inspections : DataFrame of n_clips - n_failures rows
        What the same reading of the same clips told of them, indexed by their position among the
        sources: sha256 (of the bytes), samples_sha256 (of the mono samples, equal in whatever
        container), frames and sampling_rate (as recorded), seconds, level, clipped, bandwidth and
        loud (see `Quality`).
    failures : dict of int to str
        What is wrong with each other clip, by its position.
    """

    X: np.ndarray
    inspections: pd.DataFrame
    failures: dict[int, str]


def extract_features(
    pipeline: Pipeline,
    sources: Sequence,
    on_batch: Callable[[int, int], None] | None = None,
) -> Extraction:
    """Compute the features of all sources, going on past those that cannot be read.

    Each source is read once: its bytes are hashed, decoded and described in one pass. With a
    feature cache that knows them nothing is decoded.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned, fitted or not: audio and features learn nothing.
    sources : sequence of n_clips sources
        Paths or whatever else the pipeline's loader takes.
    on_batch : callable, default=None
        Called after each batch with the number of clips done and their total.

    Returns
    -------
    extraction : Extraction

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.pipelines import extract_features, make_pipeline
    >>> noise = np.random.default_rng(0).normal(size=(2, 22050)) / 10
    >>> X, inspections, failures = extract_features(make_pipeline("svm", "mfcc"), noise)
    >>> X.shape, inspections["seconds"].tolist(), failures
    ((2, 40), [1.0, 1.0], {})
    """
    clips = pipeline.named_steps["audio"].transform(sources)
    inspections: dict[int, Inspection] = {}

    def batches() -> Iterator[Batch]:
        done = 0
        for batch in pipeline.named_steps["features"].iter_batches(clips, inspect="all"):
            yield batch
            for i, (row, one) in enumerate(zip(batch.rows, batch.inspections, strict=True)):
                if row is not None and one is not None:
                    inspections[done + i] = one
            done += len(batch.rows)
            if on_batch is not None:
                on_batch(done, len(clips))

    X, failures = gather(batches(), len(clips))
    return Extraction(X, tabulate(inspections), failures)


def with_tail(pipeline: Pipeline, scale: BaseEstimator, clf: BaseEstimator) -> Pipeline:
    """Return the pipeline whose scaler and classifier were fitted on its extracted features."""
    head = [(name, pipeline.named_steps[name]) for name in ("audio", "features")]
    return Pipeline([*head, ("scale", scale), ("clf", clf)])


def check_on_error(on_error: str) -> None:
    """Raise `OptionError` for an unknown way with clips that cannot be read."""
    if on_error not in ("stop", "skip"):
        raise OptionError(f"Unknown `on_error={on_error}`: there are stop and skip.")


def drop_failures(
    table: pd.DataFrame, failures: Mapping[int, str], on_error: str
) -> tuple[pd.DataFrame, list[str]]:
    """Drop the clips that could not be read from a corpus, or raise one error about them all.

    Parameters
    ----------
    table : DataFrame
        The corpus whose features were extracted.
    failures : mapping of int to str
        What `extract_features` returned.
    on_error : {"stop", "skip"}

    Returns
    -------
    table : DataFrame
        The rows that `extract_features` returned features for.
    skipped : list of str
        What was wrong with the others.

    Raises
    ------
    AudioError
        If any clip failed and `on_error` is "stop", or if all did.
    """
    check_on_error(on_error)
    if failures and on_error == "stop":
        listed = "\n".join(f"  {message}" for message in failures.values())
        raise AudioError(
            f"{len(failures)} of {len(table)} clips cannot be used; `on_error=skip` goes on "
            f"without them:\n{listed}",
            dict(failures),
        )
    if len(failures) == len(table):
        raise AudioError(f"No clip can be used; the first: {next(iter(failures.values()))}")
    kept = np.setdiff1d(np.arange(len(table)), list(failures))
    return table.iloc[kept].reset_index(drop=True), list(failures.values())
