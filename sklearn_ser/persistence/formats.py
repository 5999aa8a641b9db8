"""Saving and loading a fitted pipeline as joblib, skops or ONNX, with its card beside it.

Loading a joblib file runs code that its maker chose. So a card with a checksum lies beside each
pipeline, which proves that it arrived whole; and this user's configuration folder keeps the
checksums of what was written here, which the commands load without being told to trust it. skops
and ONNX files run no code when they are loaded, and are the way to share with people one does not
know.
"""

import copy
import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import joblib
from sklearn.pipeline import Pipeline

from sklearn_ser._files import read_regular, staged, to_json
from sklearn_ser._sklearn import PRIVATE_TYPES
from sklearn_ser.audio.loader import AudioLoader
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier, check_temperature
from sklearn_ser.exceptions import ModelError, SerError
from sklearn_ser.features import AudioFeatureUnion, GroupNormalizer, SequenceScaler
from sklearn_ser.persistence.card import (
    Card,
    card_path,
    check_versions,
    describe_pipeline,
    find_model,
    read_card,
)
from sklearn_ser.persistence.demo import DEMO_FOLDER, ignore_versions, renew
from sklearn_ser.persistence.onnx import PORTABLE_FEATURES, read_onnx, to_onnx
from sklearn_ser.persistence.trust import remember, remembered
from sklearn_ser.pipelines import RECIPES

__all__ = ["ModelFile", "load_pipeline", "read_model", "save_pipeline"]

MAX_MODEL_BYTES = 4_000_000_000

# What skops may build beyond the plain scikit-learn and numpy types it trusts by itself.
SKOPS_TRUSTED = [
    *PRIVATE_TYPES,
    *(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in (
            *(AudioLoader, AudioFeatureUnion, SequenceScaler, GroupNormalizer),
            *PORTABLE_FEATURES.values(),
            *(type(recipe.classifier()) for recipe in RECIPES.values()),
            TemperatureScaledClassifier,
        )
    ),
]


def save_pipeline(
    pipeline: Pipeline, path: str | os.PathLike, card: Mapping[str, Any] | None = None
) -> Path:
    """Write a fitted pipeline and, beside it, its card.

    The file is complete or not there at all. What belongs to this machine (`n_jobs`, `cache_dir`,
    `verbose`) is left out.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    path : str or Path
        Where to write: `NAME.joblib`, `NAME.skops` to share, or `NAME.onnx` to predict without
        TensorFlow. The card of `pipeline.joblib` is `card.json`, that of any other file has its
        name and `.card.json`.
    card : mapping, default=None
        What else the card should say.

    Returns
    -------
    path : Path

    Raises
    ------
    ModelError
        If the pipeline is not fitted, the suffix is not known, or the format cannot hold a step.
    OSError
        If the disk is full or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_ser import load_pipeline, make_pipeline, save_pipeline
    >>> noise = np.random.default_rng(0).normal(size=(4, 8000)) / 10
    >>> pipe = make_pipeline("rf", "mfcc").fit(noise, ["sad", "happy"] * 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_pipeline(pipe, f"{folder}/noise.joblib")
    ...     again = load_pipeline(path)
    >>> again.classes_.tolist()
    ['happy', 'sad']
    """
    path = Path(path)
    pipeline = copy.deepcopy(pipeline)
    pipeline = pipeline.set_params(**_of_no_machine(pipeline))
    if path.suffix == ".skops":
        import skops.io

        data = skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED)
        unknown = set(skops.io.get_untrusted_types(data=data)) - set(SKOPS_TRUSTED)
        if unknown:
            raise ModelError(
                f"{path.name}: skops files hold classes of this package and of scikit-learn only, "
                f"not {', '.join(sorted(unknown))}: save as .joblib."
            )
    elif path.suffix == ".joblib":
        buffer = io.BytesIO()
        joblib.dump(pipeline, buffer)
        data = buffer.getvalue()
    elif path.suffix == ".onnx":
        data = to_onnx(pipeline)
    else:
        raise ModelError(f"{path.name}: give a file name that ends in .joblib, .skops or .onnx.")
    path.parent.mkdir(parents=True, exist_ok=True)
    full_card = describe_pipeline(pipeline) | dict(card or {})
    full_card |= {"file": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    card_text = to_json(full_card)
    # Both are on the disk before either takes its place: a disk that is full spoils neither.
    with staged(path) as ready, staged(card_path(path)) as card_ready:
        ready.write_bytes(data)
        card_ready.write_text(card_text, encoding="utf-8")
    if path.suffix == ".joblib":
        remember(full_card["sha256"])
    return path


class ModelFile(NamedTuple):
    """A model file as it was read: what becomes of it on the disk no longer matters."""

    path: Path
    data: bytes
    card: Card


def read_model(path: str | os.PathLike | ModelFile) -> ModelFile:
    """Read a model file and its card, and check that the file arrived whole.

    Parameters
    ----------
    path : str, Path or ModelFile
        A run's folder, a model file with its card beside it, or `"demo"`; a `ModelFile` is returned
        as it is.

    Returns
    -------
    model : ModelFile

    Raises
    ------
    ModelError
        If one is missing, or they do not belong together.
    """
    if isinstance(path, ModelFile):
        return path
    path = find_model(path)
    try:
        data = read_regular(path, MAX_MODEL_BYTES)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    card = read_card(path)
    if card.get("sha256") != hashlib.sha256(data).hexdigest():
        raise ModelError(
            f"{path} is not the file its card describes (its SHA-256 differs): it was damaged or "
            "changed. Copy both again, or fit again."
        )
    return ModelFile(path, data, card)


def load_pipeline(path: str | os.PathLike | ModelFile, *, trust: bool = True) -> Pipeline:
    """Read a pipeline after checking that it arrived whole and fits the versions here.

    .. warning:: A joblib file runs code when it is loaded: load only what you or people you trust
       have made. A matching card proves nothing about its maker. A skops file runs none.

    Parameters
    ----------
    path : str, Path or ModelFile
        A run's folder, a model file with its card beside it, `"demo"`, which comes with the
        package, or what `read_model` returned.
    trust : bool, default=True
        Whether to load a joblib file that was not written here by this user. The commands say
        `False` unless they are told to trust it.

    Returns
    -------
    pipeline : Pipeline

    Raises
    ------
    ModelError
        If the file is missing, damaged, of other versions, or not trusted.
    """
    path, data, card = read_model(path)
    if path.parent == DEMO_FOLDER:
        with ignore_versions():
            pipeline = _load_skops(path, data, of_any_version=True)
    elif path.suffix == ".onnx":
        pipeline = read_onnx(data, str(path))
    else:
        check_versions(path, card)
        if path.suffix == ".skops":
            pipeline = _load_skops(path, data)
        elif trust or card["sha256"] in remembered():
            pipeline = _load_joblib(path, data)
        else:
            raise ModelError(
                f"{path} was not written here by you, and loading a joblib file runs whatever code "
                "it carries: add `trust=True` if you trust its maker, or ask for a .skops file."
            )
    _check_pipeline(path, pipeline, card)
    return pipeline


def _load_joblib(path: Path, data: bytes) -> Any:
    try:
        return joblib.load(io.BytesIO(data))
    except Exception as error:  # unpickling may raise anything
        raise ModelError(f"{path} cannot be loaded: {type(error).__name__}: {error}.") from error


def _load_skops(path: Path, data: bytes, *, of_any_version: bool = False) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_MODEL_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_MODEL_BYTES / 1e6:g} MB")
        pipeline = skops.io.loads(data, trusted=SKOPS_TRUSTED)
        if of_any_version:
            pipeline = renew(pipeline)
        # An untrusted file names no folder to write to.
        return pipeline.set_params(**_of_no_machine(pipeline))
    except UntrustedTypesFoundException as error:
        raise ModelError(
            f"{path} holds classes that this package never writes, so it is not loaded: {error}"
        ) from error
    except Exception as error:  # a damaged zip or schema may raise anything
        raise ModelError(f"{path} is not a whole skops file: {error}.") from error


def _of_no_machine(pipeline: Pipeline) -> dict[str, Any]:
    """Return parameters that leave out what belongs to the machine a pipeline was fitted on."""
    neutral: dict[str, Any] = {"n_jobs": None, "cache_dir": None, "verbose": 0, "memory": None}
    return {
        name: neutral[last]
        for name in pipeline.get_params()
        if (last := name.rsplit("__", 1)[-1]) in neutral
    }


def _check_pipeline(path: Path, pipeline: Any, card: Card) -> None:
    """Raise `ModelError` where what was loaded is not what its card describes."""
    steps = getattr(pipeline, "named_steps", {})
    if not isinstance(pipeline, Pipeline) or not {"audio", "features", "clf"} <= set(steps):
        raise ModelError(f"{path} holds no pipeline of make_pipeline: fit again.")
    classes = [str(name) for name in getattr(steps["clf"], "classes_", ())]
    if classes != card["classes"]:
        raise ModelError(
            f"{path} tells {', '.join(classes) or 'nothing'} apart, and its card speaks of "
            f"{', '.join(card['classes'])}: they do not belong together; fit again."
        )
    if isinstance(steps["clf"], TemperatureScaledClassifier):
        check_temperature(steps["clf"])
    transformers = dict(steps["features"].transformer_list)
    for name, checksum in card.get("checkpoints", {}).items():
        try:
            here = transformers[name].checksum()
        except SerError:  # it is not here: that is said when its features are asked for
            continue
        except (AttributeError, KeyError):
            here = None
        if here != checksum:
            raise ModelError(
                f"{path} was fitted with another checkpoint for {name} than the one that is here "
                "(its SHA-256 differs): put the old one back, or fit again."
            )
