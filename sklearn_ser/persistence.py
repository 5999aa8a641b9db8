"""A fitted pipeline as a file, its card beside it, and the question whether to trust a file.

Loading a joblib file runs code that its maker chose. So a card with a checksum lies beside each
pipeline, which proves that it arrived whole; and this user's configuration folder keeps the
checksums of what was written here, which is what the commands unpickle without being asked to
trust. skops files run no code when loaded and are the way to share with strangers.
"""

import copy
import hashlib
import io
import json
import os
import platform
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import joblib
from sklearn.pipeline import Pipeline

import sklearn_ser
from sklearn_ser.exceptions import ModelError, OutputError, SerError
from sklearn_ser.features import AudioFeatureUnion, PretrainedEmbedding
from sklearn_ser.networks import NetworkClassifier
from sklearn_ser.onnx_models import read_onnx, to_onnx
from sklearn_ser.temperature import bare_classifier

__all__ = [
    "card_path",
    "find_model",
    "load_pipeline",
    "read_card",
    "save_pipeline",
    "write_atomically",
]

CARD_FORMAT = 1

CARD_ENTRIES = {
    **dict.fromkeys(("created", "classifier", "resampler", "file", "sha256"), str),
    **dict.fromkeys(("classes", "features"), list),
    **dict.fromkeys(("n_features", "sampling_rate"), int),
    "versions": dict,
}

# What skops may build beyond the plain scikit-learn and numpy types it trusts by itself.
SKOPS_TRUSTED = [
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn_ser.audio.AudioLoader",
    "sklearn_ser.classifiers.SVMClassifier",
    "sklearn_ser.features.articulation.Formants",
    "sklearn_ser.features.articulation.Perturbation",
    "sklearn_ser.features.rhythm.ModulationSpectrum",
    "sklearn_ser.features.rhythm.Rhythm",
    "sklearn_ser.features.scaler.SequenceScaler",
    "sklearn_ser.features.sequences.FrameFeatures",
    "sklearn_ser.features.sequences.LogMelSpectrogram",
    "sklearn_ser.features.spectral.Chroma",
    "sklearn_ser.features.spectral.MFCC",
    "sklearn_ser.features.spectral.MelSpectrogram",
    "sklearn_ser.features.spectral.SpectralContrast",
    "sklearn_ser.features.speakers.SpeakerNormalizer",
    "sklearn_ser.features.speech.BarkSpectrum",
    "sklearn_ser.features.speech.Loudness",
    "sklearn_ser.features.speech.SpectralShape",
    "sklearn_ser.features.union.AudioFeatureUnion",
    "sklearn_ser.features.voice.Pitch",
    "sklearn_ser.features.voice.VoiceCorrelations",
    "sklearn_ser.features.voice.VoiceQuality",
    "sklearn_ser.networks._network.Network",
    "sklearn_ser.networks.ann.ANNClassifier",
    "sklearn_ser.networks.cnn.CNNClassifier",
    "sklearn_ser.networks.cnn_lstm.CNNLSTMClassifier",
    "sklearn_ser.networks.lstm.LSTMClassifier",
    "sklearn_ser.temperature.TemperatureScaledClassifier",
]


def save_pipeline(pipeline: Pipeline, path: str | os.PathLike, card: dict | None = None) -> Path:
    """Write a fitted pipeline and, beside it, its card.

    The file is complete or not there at all. What belongs to this machine (`n_jobs`, `cache_dir`,
    `verbose`) is left out.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline.
    path : str or Path
        Where to write: `NAME.joblib`, `NAME.skops` to share with strangers, or `NAME.onnx` to
        predict without TensorFlow. The card of
        `pipeline.joblib` is `card.json`, that of any other file has its name and `.card.json`.
    card : dict, default=None
        What else the card should say.

    Returns
    -------
    path : Path

    Raises
    ------
    ModelError
        If the pipeline is not fitted, the suffix is not known, or skops does not know a part.
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
    pipeline = _without_machine(pipeline)
    if path.suffix == ".skops":
        import skops.io

        data = skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED)
        unknown = set(skops.io.get_untrusted_types(data=data)) - set(SKOPS_TRUSTED)
        if unknown:
            raise ModelError(
                f"{path.name}: skops files hold this package's own and scikit-learn's parts only, "
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
    full_card = describe_pipeline(pipeline) | (card or {})
    full_card |= {"file": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    card_text = json.dumps(full_card, indent=2, ensure_ascii=False)
    # Both are on the disk before either takes its place: a disk that is full spoils neither.
    with staged(path) as ready, staged(card_path(path)) as card_ready:
        ready.write_bytes(data)
        card_ready.write_text(card_text, encoding="utf-8")
    if path.suffix == ".joblib":
        _remember(full_card["sha256"])
    return path


def load_pipeline(path: str | os.PathLike, *, trust: bool = True) -> Pipeline:
    """Read a pipeline after checking that it arrived whole and fits the versions here.

    .. warning:: A joblib file runs code when it is loaded: load only what you or people you trust
       have made. A matching card proves nothing about its maker. A skops file runs none.

    Parameters
    ----------
    path : str or Path
        A run's folder, or a model file with its card beside it.
    trust : bool, default=True
        Whether to load a joblib file that was not written here by this user. The commands say
        `False` unless they are told `--trust`.

    Returns
    -------
    pipeline : Pipeline

    Raises
    ------
    ModelError
        If the file is missing, damaged, of other versions, or not trusted.
    """
    path = find_model(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    checksum = hashlib.sha256(data).hexdigest()
    card = read_card(path)
    if card.get("sha256") != checksum:
        raise ModelError(
            f"{path} is not the file its card describes (its SHA-256 differs): it was damaged or "
            "changed. Copy both again, or fit again."
        )
    if path.suffix == ".onnx":
        return read_onnx(data, str(path))
    _check_versions(path, card)
    if path.suffix == ".skops":
        return _load_skops(path, data)
    if not trust and checksum not in _remembered():
        raise ModelError(
            f"{path} was not written here by you, and loading a joblib file runs whatever code it "
            "carries: add --trust if you trust its maker, or ask for a .skops file."
        )
    try:
        pipeline = joblib.load(io.BytesIO(data))
    except Exception as error:  # unpickling may raise anything
        raise ModelError(f"{path} cannot be loaded: {type(error).__name__}: {error}.") from error
    _check_checkpoints(path, pipeline, card.get("checkpoints", {}))
    return pipeline


def _check_checkpoints(path: Path, pipeline: Pipeline, expected: dict[str, str]) -> None:
    """Raise `ModelError` where a checkpoint is not the one that the pipeline was fitted with."""
    for name, checksum in expected.items():
        transformer = dict(pipeline.named_steps["features"].transformer_list)[name]
        try:
            found = transformer.checksum()
        except SerError:  # it is not here: that is said when its features are asked for
            continue
        if found != checksum:
            raise ModelError(
                f"{path} was fitted with another checkpoint than the one that is now at "
                f"{transformer.model} (its SHA-256 differs): put the old one back, or fit again."
            )


def _load_skops(path: Path, data: bytes) -> Pipeline:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.loads(data, trusted=SKOPS_TRUSTED)
    except UntrustedTypesFoundException as error:
        raise ModelError(
            f"{path} holds parts that this package never writes, so it is not loaded: {error}"
        ) from error
    except Exception as error:  # a damaged zip or schema may raise anything
        raise ModelError(f"{path} is not a whole skops file: {error}.") from error


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
        "network": isinstance(bare_classifier(steps["clf"]), NetworkClassifier),
        "features": [repr(transformer) for _, transformer in steps["features"].transformer_list],
        "n_features": len(steps["features"].get_feature_names_out()),
        "sampling_rate": int(steps["audio"].sr),
        "resampler": steps["audio"].res_type,
        **({"checkpoints": checkpoints} if checkpoints else {}),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    packages = ("numpy", "scipy", "scikit-learn", "librosa", "keras", "tensorflow")
    versions = {"python": platform.python_version(), "sklearn-ser": sklearn_ser.__version__}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # TensorFlow is not needed for every classifier
            continue
    return versions


def _check_versions(path: Path, card: dict) -> None:
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


def _without_machine(pipeline: Pipeline) -> Pipeline:
    """Return a copy without what belongs to the machine it was fitted on."""
    pipeline = copy.deepcopy(pipeline)
    neutral: dict[str, Any] = {"n_jobs": None, "cache_dir": None, "verbose": 0, "memory": None}
    return pipeline.set_params(
        **{
            name: neutral[last]
            for name in pipeline.get_params()
            if (last := name.rsplit("__", 1)[-1]) in neutral
        }
    )


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a place beside a file, which replaces it when all went well and vanishes otherwise.

    Yields
    ------
    ready : Path
        Where to write.
    """
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    ready = Path(name)
    try:
        yield ready
        os.chmod(ready, 0o666 & ~umask())
        os.replace(ready, path)
    except BaseException as error:
        ready.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, SerError):
            raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
        raise


def write_atomically(path: Path, data: bytes | Callable[[Path], None]) -> None:
    """Write a file whole or not at all: beside its place first, then renamed.

    Parameters
    ----------
    path : Path
    data : bytes, or a function that writes a file of the name it is given
    """
    with staged(path) as ready:
        if callable(data):
            data(ready)
        else:
            ready.write_bytes(data)


def umask() -> int:
    """Return the permissions that this process withholds from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _trust_file() -> Path:
    import platformdirs

    folder = os.environ.get("SKLEARN_SER_CONFIG") or platformdirs.user_config_dir("sklearn-ser")
    return Path(folder) / "written-here.txt"


def _remember(checksum: str) -> None:
    """Note that this user wrote a file here; a line is appended in one write."""
    file = _trust_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a", encoding="ascii") as lines:
            lines.write(checksum + "\n")
    except OSError:
        # Without a configuration folder the model is good all the same, and --trust loads it.
        return


def _remembered() -> set[str]:
    try:
        return set(_trust_file().read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return set()
