"""Export of pipelines to ONNX: scaler and classifier as a graph for any runtime.

The graph holds what was learned, from a row of features to probabilities. Loader and features,
which learn nothing, travel as their parameters in the file's metadata and are built again from this
package's own classes. Reading such a file runs no code and needs neither TensorFlow nor the
scikit-learn version it was made with.
"""

import json
import math
import os
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser._sklearn import DocumentedMixin
from sklearn_ser.audio.decoding import HIGHEST_RATE
from sklearn_ser.audio.loader import AudioLoader
from sklearn_ser.classifiers import NetworkClassifier, are_probabilities
from sklearn_ser.classifiers._keras import ignore_deprecations, load_keras
from sklearn_ser.classifiers.probabilities import MostProbableMixin
from sklearn_ser.classifiers.svm import SVMClassifier
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier, unwrap_classifier
from sklearn_ser.exceptions import ModelError, OptionError
from sklearn_ser.features import AudioFeatureUnion, GroupNormalizer
from sklearn_ser.features.scalers import as_standard_scaler
from sklearn_ser.pipelines import FEATURES

__all__ = ["PORTABLE_FEATURES", "ONNXClassifier", "read_onnx", "to_onnx"]

FORMAT = 1
METADATA = "sklearn_ser"
_ROWS_AT_ONCE = 512


class ONNXClassifier(DocumentedMixin, MostProbableMixin, ClassifierMixin, BaseEstimator):
    """A classifier that was fitted elsewhere, run by ONNX Runtime.

    Parameters
    ----------
    model : bytes
        An ONNX model from rows of features to the probabilities of the classes.
    classes : list of str
        The emotions, in the order of its outputs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The emotions.

    Notes
    -----
    There is nothing to fit: `sklearn-ser export` makes the model.
    """

    def __init__(self, model=b"", classes=()):
        self.model = model
        self.classes = classes

    def fit(self, X, y=None):
        """Refuse: the model is finished.

        Raises
        ------
        ModelError
            Always.
        """
        raise ModelError("An exported model cannot be fitted again: fit the pipeline it came from.")

    @property
    def classes_(self) -> np.ndarray:
        """The emotions, of shape (n_classes,)."""
        return np.array(self.classes)

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of each emotion.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_frames, n_channels)

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
        """
        X = np.ascontiguousarray(X, dtype=np.float32)
        session = self._session()
        name, output = session.get_inputs()[0].name, session.get_outputs()[-1].name
        blocks = [
            session.run([output], {name: X[start : start + _ROWS_AT_ONCE]})[0]
            for start in range(0, len(X), _ROWS_AT_ONCE)
        ]
        probabilities = np.concatenate(blocks).astype(np.float64)
        # A division would make a sum of one out of whatever a wrong model gives.
        good = are_probabilities(probabilities)
        probabilities[good] /= probabilities[good].sum(axis=1, keepdims=True)
        return probabilities

    def _session(self):
        if "_running" not in self.__dict__:
            self._running = start_session(self.model)
        return self._running

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_running"}

    def __sklearn_is_fitted__(self) -> bool:
        return True


def start_session(model: bytes) -> Any:
    """Return an ONNX Runtime session on one thread: a clip is too little work to share."""
    try:
        import onnxruntime
    except ImportError as error:
        raise OptionError(
            "An .onnx model needs ONNX Runtime, which is missing here: "
            "pip install 'sklearn-ser[onnx]'."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def to_onnx(pipeline: Pipeline) -> bytes:
    """Return a fitted pipeline as an ONNX file.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline of `make_pipeline`.

    Returns
    -------
    data : bytes

    Raises
    ------
    ModelError
        If a step has no counterpart in ONNX.
    OptionError
        If the packages that convert are missing.
    """
    steps = pipeline.named_steps
    clf = unwrap_classifier(steps["clf"])
    scale = steps["scale"]
    if isinstance(scale, GroupNormalizer):  # nothing in ONNX tells the group of a clip
        scale = as_standard_scaler(scale)
    try:
        import onnx

        # Converters use what the packages that they convert from are about to drop.
        with ignore_deprecations():
            if isinstance(clf, NetworkClassifier):
                model = _convert_network(scale, clf)
            else:
                model = _convert_classifier(scale, clf)
    except ImportError as error:
        raise OptionError(
            f"Export needs the package {error.name}: pip install 'sklearn-ser[export]'."
        ) from error
    metadata = {
        "format": FORMAT,
        "classes": [str(name) for name in clf.classes_],
        "temperature": float(getattr(steps["clf"], "temperature_", 1.0)),
        "audio": _encode(steps["audio"].get_params()),
        "features": [
            [name, _feature_name(transformer), _encode(transformer.get_params())]
            for name, transformer in steps["features"].transformer_list
            if transformer != "drop"
        ],
        "weights": steps["features"].transformer_weights,
    }
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata)})
    model.producer_name = "sklearn-ser"
    return model.SerializeToString()


def read_onnx(data: bytes, name: str) -> Pipeline:
    """Return the pipeline that an ONNX file holds.

    Parameters
    ----------
    data : bytes
        What `to_onnx` returned.
    name : str
        What an error calls the file.

    Returns
    -------
    pipeline : Pipeline

    Raises
    ------
    ModelError
        If the file is none of `sklearn-ser export`.
    """
    try:
        session = start_session(data)
        metadata = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
        if metadata["format"] != FORMAT:
            raise ValueError(f"format {metadata['format']}")
        classes = [str(emotion) for emotion in metadata["classes"]]
        clf: BaseEstimator = ONNXClassifier(data, classes)
        clf._running = session
        features = [
            (step, PORTABLE_FEATURES[kind](**_decode(params)))
            for step, kind, params in metadata["features"]
        ]
        union = AudioFeatureUnion(features, transformer_weights=metadata["weights"])
        audio = AudioLoader(**_decode(metadata["audio"]))
        _check_outputs(clf, union)
        if metadata["temperature"] != 1:
            clf = TemperatureScaledClassifier(clf).calibrate(clf, np.empty((0, 1)), np.empty(0))
            clf.temperature_ = float(metadata["temperature"])
    except (OptionError, ModelError):
        raise
    except Exception as error:  # an untrusted file may be wrong in any way
        raise ModelError(
            f"{name} is not a model that sklearn-ser export has written: {error}."
        ) from error
    steps = [("audio", audio), ("features", union), ("scale", "passthrough"), ("clf", clf)]
    return Pipeline(steps)


def _check_outputs(clf: ONNXClassifier, union: AudioFeatureUnion) -> None:
    """Raise `ValueError` unless a row of zeros gets a probability of each class."""
    frames = getattr(union.transformer_list[0][1], "n_frames", None)
    shape = [len(union.get_feature_names_out())]
    probabilities = clf.predict_proba(np.zeros([1, *([frames] if frames else []), *shape]))
    if probabilities.shape != (1, len(clf.classes_)) or not are_probabilities(probabilities).all():
        raise ValueError(f"it gives {probabilities.tolist()} for {len(clf.classes_)} classes")


# An untrusted file must not name a folder of this machine, or a checkpoint to download.
PORTABLE_FEATURES = {name: kind for name, kind in FEATURES.items() if name != "embedding"}


def _feature_name(transformer: BaseEstimator) -> str:
    for name, kind in PORTABLE_FEATURES.items():
        if type(transformer) is kind:
            return name
    raise ModelError(
        f"{type(transformer).__name__} is not one of the features that an .onnx file can "
        "build again: save as .joblib."
    )


def _encode(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them."""
    return {
        name: str(value) if isinstance(value, float) and math.isinf(value) else value
        for name, value in params.items()
    }


def _decode(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as `_encode` got them; none that would fill the memory."""
    decoded = {}
    for name, value in params.items():
        greatest = HIGHEST_RATE if name == "sr" else _GREATEST_PARAMETER
        if isinstance(value, int) and abs(value) > greatest:
            raise ValueError(f"{name} is beyond {greatest}")
        if isinstance(value, list):
            value = tuple(value)
        elif value in ("inf", "-inf"):
            value = float(value)
        decoded[name] = value
    return decoded


_GREATEST_PARAMETER = 100_000  # whole numbers: a spectrum has some thousand values


def _convert_classifier(scale: Any, clf: Any) -> Any:
    """Return a scaler and a scikit-learn classifier as one ONNX model."""
    import skl2onnx
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    if isinstance(clf, SVMClassifier):
        if not clf.calibrated_:
            raise ModelError(
                "An uncalibrated SVMClassifier has no probabilities in ONNX: fit with "
                "clf__calibrate=True."
            )
        clf = clf.estimator_
    tail = make_pipeline(scale, clf)
    n_features = scale.n_features_in_
    try:
        return skl2onnx.to_onnx(
            tail,
            np.zeros((1, n_features), dtype=np.float32),
            options={id(clf): {"zipmap": False}},
        )
    except (
        MissingConverter,
        MissingShapeCalculator,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:  # where a converter is missing or fails, its own reason is of no help
        raise ModelError(
            f"{type(clf).__name__} has no counterpart in ONNX: save as .joblib or .skops."
        ) from error


def _convert_network(scale: Any, clf: NetworkClassifier) -> Any:
    """Return a scaler and a network as one ONNX model, which takes unscaled features."""
    import onnx

    keras, _ = load_keras()
    check_is_fitted(clf)
    # Keras' own Normalization keeps mean and variance where the export does not find them.
    standardize = keras.layers.BatchNormalization(epsilon=0, center=False, scale=False)
    whole = keras.Sequential(
        [
            keras.layers.Input(clf.input_shape_, name="features"),
            standardize,
            *clf.shape_layers(keras),
            clf.model_,
        ]
    )
    standardize.set_weights([scale.mean_, np.square(scale.scale_)])
    whole(np.zeros((1, *clf.input_shape_), dtype=np.float32))  # the export wants it called once
    # Both packages print their steps.
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        path = os.path.join(folder, "network.onnx")
        whole.export(path, format="onnx", verbose=False)
        return onnx.load(path)
