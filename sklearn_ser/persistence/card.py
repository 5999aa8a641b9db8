"""The card beside a model file: what the model is, and the checksum of its file."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sklearn.pipeline import Pipeline

import sklearn_ser
from sklearn_ser.classifiers import NetworkClassifier
from sklearn_ser.classifiers._keras import tensorflow_version
from sklearn_ser.classifiers.temperature import unwrap_classifier
from sklearn_ser.exceptions import ModelError
from sklearn_ser.features import AudioFeatureUnion, PretrainedEmbedding

__all__ = ["card_path", "check_versions", "describe_pipeline", "find_model", "read_card"]

CARD_FORMAT = 1

CARD_ENTRIES = {
    **dict.fromkeys(("created", "classifier", "resampler", "file", "sha256"), str),
    **dict.fromkeys(("classes", "features"), list),
    **dict.fromkeys(("n_features", "sampling_rate"), int),
    "versions": dict,
}


def find_model(path: str | os.PathLike) -> Path:
    """Return the model file that a run's folder or a path means, or raise `ModelError`."""
    path = Path(path)
    if path.is_dir():
        for name in ("pipeline.joblib", "pipeline.skops", "pipeline.onnx"):
            if (path / name).is_file():
                return path / name
        raise ModelError(f"{path} is a folder without a pipeline.joblib: give the folder of a run.")
    if not path.exists():
        raise ModelError(f"{path} does not exist: give the folder of a run, or a model file.")
    if path.suffix not in (".joblib", ".skops", ".onnx"):
        raise ModelError(
            f"{path} is not a model: give a run's folder, or a .joblib, .skops or .onnx file."
        )
    return path


def card_path(path: str | os.PathLike) -> Path:
    """Return where the card of a model file lies."""
    path = Path(path)
    own = path.name == "pipeline.joblib"
    return path.with_name("card.json" if own else f"{path.name}.card.json")


def read_card(path: str | os.PathLike) -> dict:
    """Return the card of a run's folder or model file, or raise `ModelError`."""
    model = find_model(path)
    file = card_path(model)
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{model} has no card ({file.name}) beside it, so it cannot be checked: copy the card "
            "too, or save it with save_pipeline. If you trust its maker, joblib.load reads it."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as a card: {error}.") from error
    if not isinstance(card, dict) or card.get("card_format") != CARD_FORMAT:
        raise ModelError(f"{file} is not a card that this version of sklearn-ser can read.")
    for name, kind in CARD_ENTRIES.items():
        if not isinstance(card.get(name), kind):
            raise ModelError(f"{file} is not a whole card: its {name!r} is missing or wrong.")
    return card


def describe_pipeline(pipeline: Pipeline) -> dict:
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
    return {
        "card_format": CARD_FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "classes": [str(name) for name in steps["clf"].classes_],
        "classifier": repr(steps["clf"]),
        "network": isinstance(unwrap_classifier(steps["clf"]), NetworkClassifier),
        "features": [repr(transformer) for _, transformer in steps["features"].transformer_list],
        "n_features": len(steps["features"].get_feature_names_out()),
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


def check_versions(path: Path, card: dict) -> None:
    """Raise `ModelError` where a library is too far from the version that made the file."""
    here, there = _versions(), card.get("versions", {})
    uses_keras = card.get("network", False)
    # scikit-learn promises nothing across minor versions, numpy and Keras across major ones.
    for package, n_parts in [("scikit-learn", 2), ("numpy", 1), ("keras", 1)]:
        if package == "keras" and not uses_keras:
            continue
        wanted, found = there.get(package, "none"), here.get(package, "none")
        if wanted.split(".")[:n_parts] != found.split(".")[:n_parts]:
            raise ModelError(
                f"{path} was made with {package} {wanted} and here is {found}: "
                f"pip install '{package}=={wanted}', or fit again."
            )
