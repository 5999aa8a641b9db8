"""The card beside a model file: what the model is, and the checksum of its file.

A card may come from anybody. `read_card` checks its size and the type of every entry, so that
whatever reads a card after it can rely on the types below.
"""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import UnionType
from typing import (
    Any,
    NotRequired,
    TypedDict,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from sklearn.pipeline import Pipeline

import sklearn_ser
from sklearn_ser._files import read_regular
from sklearn_ser.classifiers import NetworkClassifier, unwrap_classifier
from sklearn_ser.classifiers._keras import tensorflow_version
from sklearn_ser.exceptions import ModelError
from sklearn_ser.features import AudioFeatureUnion, PretrainedEmbedding
from sklearn_ser.persistence.demo import DEMO, DEMO_FOLDER

__all__ = [
    "Card",
    "card_path",
    "check_versions",
    "describe_pipeline",
    "find_model",
    "names_model",
    "read_card",
]

CARD_FORMAT = 1

MAX_CARD_BYTES = 50_000_000  # most of a large one are the clips that could not be read


class CardData(TypedDict):
    """The corpus of a run."""

    name: str
    n_clips: int
    skipped: list[str]
    corpora: NotRequired[list[str]]
    emotions: NotRequired[dict[str, int]]
    map: NotRequired[dict[str, str]]  # labels that were given another emotion
    fingerprint: NotRequired[str]


class CardSplit(TypedDict):
    """How the corpus was split for the scores."""

    kind: str
    seed: int
    n_test: int
    n_train: int
    n_validation: int
    validation_by: str | None
    test_size: NotRequired[float | None]
    validation_size: NotRequired[float]
    adapt: NotRequired[str]
    transductive: NotRequired[bool]
    n_folds: NotRequired[int]
    test_speakers: NotRequired[list[str]]
    test_corpora: NotRequired[list[str]]
    test_texts: NotRequired[list[str]]


class CardScores(TypedDict):
    """The scores of the test set; intervals as in metrics.json."""

    accuracy: float
    uar: float
    macro_f1: float
    accuracy_interval: NotRequired[list[float | None]]
    uar_interval: NotRequired[list[float | None]]
    macro_f1_interval: NotRequired[list[float | None]]
    chance: NotRequired[dict[str, float]]  # accuracy and uar of guessing


class CardAudit(TypedDict):
    """The leakage audit of the split, in sentences; metrics.json has more."""

    sentences: NotRequired[list[str]]


class CardTest(TypedDict):
    """The scores on a corpus, of clips that the model was not fitted on."""

    corpus: str
    language: str
    n_clips: int
    n_speakers: int
    adapt: str
    accuracy: float
    uar: float


class Card(TypedDict):
    """What a card says. It may say more: what is not named here is kept as it is."""

    card_format: int
    created: str
    classes: list[str]
    classifier: str
    features: list[str]
    n_features: int
    n_frames: NotRequired[int | None]  # of sequences, whose n_features are of a frame
    sampling_rate: int
    resampler: str
    versions: dict[str, str]
    file: str
    sha256: str
    network: NotRequired[bool]
    checkpoints: NotRequired[dict[str, str]]
    # What a run adds
    recipe: NotRequired[str]
    parameters: NotRequired[dict[str, str]]
    data: NotRequired[CardData]
    split: NotRequired[CardSplit]
    scores: NotRequired[CardScores]
    audit: NotRequired[CardAudit]
    training: NotRequired[dict[str, float | None]]  # null stands for NaN
    refit: NotRequired[bool]
    calibrated: NotRequired[bool]
    # What is said of the model wherever it predicts, and where that was measured
    about: NotRequired[str]
    tests: NotRequired[list[CardTest]]
    voice: NotRequired[bool]  # whether nothing is predicted where no voice is heard
    attribution: NotRequired[str]  # whose data it was fitted on


MODEL_SUFFIXES = (".joblib", ".skops", ".onnx")


def names_model(word: str) -> bool:
    """Say whether a word is the name of a model, rather than of a source of audio.

    Examples
    --------
    >>> from sklearn_ser.persistence import names_model
    >>> names_model("demo"), names_model("pipeline.onnx"), names_model("clip.wav")
    (True, True, False)
    """
    path = Path(word)
    return word == DEMO or path.suffix in MODEL_SUFFIXES or _file_of_run(path) is not None


def _file_of_run(folder: Path) -> Path | None:
    files = (folder / f"pipeline{suffix}" for suffix in MODEL_SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def find_model(path: str | os.PathLike) -> Path:
    """Return the model file that `"demo"`, a run's folder or a path means.

    Raises
    ------
    ModelError
        If it means none.
    """
    if isinstance(path, str) and path == DEMO:
        return DEMO_FOLDER / "pipeline.skops"
    path = Path(path)
    if path.is_dir():
        if file := _file_of_run(path):
            return file
        raise ModelError(f"{path} is a folder without a pipeline.joblib: give the folder of a run.")
    if not path.exists():
        raise ModelError(
            f"{path} does not exist: give the folder of a run, a model file, or demo, the model "
            "that comes with the package."
        )
    if path.suffix not in MODEL_SUFFIXES:
        raise ModelError(
            f"{path} is not a model: give a run's folder, a .joblib, .skops or .onnx file, or demo."
        )
    return path


def card_path(path: str | os.PathLike) -> Path:
    """Return where the card of a model file lies."""
    path = Path(path)
    own = path.name == "pipeline.joblib"
    return path.with_name("card.json" if own else f"{path.name}.card.json")


def read_card(path: str | os.PathLike) -> Card:
    """Return the card of `"demo"`, a run's folder or model file, or raise `ModelError`."""
    model = find_model(path)
    file = card_path(model)
    try:
        card = json.loads(read_regular(file, MAX_CARD_BYTES))
    except FileNotFoundError as error:
        raise ModelError(
            f"{model} has no card ({file.name}) beside it, so it cannot be checked: copy the card "
            "too, or save it with save_pipeline. If you trust its maker, joblib.load reads it."
        ) from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read as a card: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is not a card: it is not JSON in UTF-8.") from error
    if not isinstance(card, dict) or card.get("card_format") != CARD_FORMAT:
        raise ModelError(f"{file} is not a card that this version of sklearn-ser can read.")
    if wrong := _wrong_entry(card, Card, ""):
        raise ModelError(f"{file} is not a whole card: its {wrong} is missing or of a wrong type.")
    return card  # type: ignore[return-value]


def _wrong_entry(value: Any, kind: Any, name: str = "") -> str | None:
    """Return the name of the first entry of a document that is not of its type, or None."""
    origin = get_origin(kind)
    if origin is UnionType:
        return name if all(_wrong_entry(value, one) is not None for one in get_args(kind)) else None
    if is_typeddict(kind):
        if not isinstance(value, dict):
            return name
        if missing := kind.__required_keys__ - value.keys():
            return f"{name}.{min(missing)}".lstrip(".")
        entries: dict[Any, Any] = {
            key: one for key, one in get_type_hints(kind).items() if key in value
        }
    elif origin in (list, dict):
        if not isinstance(value, origin):
            return name
        of_each = get_args(kind)[-1]
        entries = dict.fromkeys(range(len(value)) if origin is list else value, of_each)
    else:
        # In Python a whole number is no float, but a truth value is a whole number.
        fits = isinstance(value, int | float if kind is float else kind)
        return None if fits and (kind is bool or not isinstance(value, bool)) else name
    wrong = (_wrong_entry(value[k], one, f"{name}.{k}".lstrip(".")) for k, one in entries.items())
    return next((one for one in wrong if one is not None), None)


def describe_pipeline(pipeline: Pipeline) -> dict[str, Any]:
    """Return what a card says of a fitted pipeline itself.

    Raises
    ------
    ModelError
        If the pipeline is not fitted.
    """
    steps = getattr(pipeline, "named_steps", {})
    if not {"audio", "features", "clf"} <= set(steps) or not isinstance(
        steps["features"], AudioFeatureUnion
    ):
        raise ModelError(
            "Only a pipeline of make_pipeline can be saved; of a search, its best_estimator_."
        )
    if not hasattr(steps["clf"], "classes_"):
        raise ModelError("Only a fitted pipeline can be saved: call fit first.")
    if not hasattr(steps["clf"], "predict_proba"):
        raise ModelError(
            f"{type(steps['clf']).__name__} gives no probabilities, which predictions are made of: "
            "wrap it in CalibratedClassifierCV."
        )
    checkpoints = {
        name: transformer.checksum()
        for name, transformer in steps["features"].transformer_list
        if isinstance(transformer, PretrainedEmbedding)
    }
    shape = steps["features"].feature_shape()
    return {
        "card_format": CARD_FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "classes": [str(name) for name in steps["clf"].classes_],
        "classifier": repr(steps["clf"]),
        "network": isinstance(unwrap_classifier(steps["clf"]), NetworkClassifier),
        "features": [repr(transformer) for _, transformer in steps["features"].transformer_list],
        "n_features": shape[-1],
        "n_frames": shape[0] if len(shape) > 1 else None,
        "sampling_rate": int(steps["audio"].sr),
        "resampler": steps["audio"].res_type,
        **({"checkpoints": checkpoints} if checkpoints else {}),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    packages = ("numpy", "scipy", "scikit-learn", "librosa", "keras")
    versions = {"python": platform.python_version(), "sklearn-ser": sklearn_ser.__version__}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # TensorFlow is not needed for every classifier
            continue
    if tensorflow := tensorflow_version():
        versions["tensorflow"] = tensorflow
    return versions


def check_versions(path: Path, card: Card) -> None:
    """Raise `ModelError` where a library is too far from the version that made the file."""
    here, there = _versions(), card["versions"]
    uses_keras = card.get("network", False)
    # scikit-learn promises nothing across minor versions, numpy and Keras across major ones.
    for package, n_parts in [("scikit-learn", 2), ("numpy", 1), ("keras", 1)]:
        if package == "keras" and not uses_keras:
            continue
        made_with, here_is = there.get(package, "none"), here.get(package, "none")
        if made_with.split(".")[:n_parts] != here_is.split(".")[:n_parts]:
            raise ModelError(
                f"{path} was made with {package} {made_with} and here is {here_is}: "
                f"pip install '{package}=={made_with}', or fit again."
            )
