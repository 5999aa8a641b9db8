"""Keras, loaded when a network is first used."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from sklearn_ser.exceptions import ModelError, OptionError


def load_keras():
    """Return the modules (keras, tensorflow), loaded quietly.

    Raises
    ------
    OptionError
        If TensorFlow is missing, or Keras was told to use another backend.
    ModelError
        If this process was forked from one that has loaded TensorFlow, which would wait for ever.
    """
    keras, tensorflow, process = _import_keras()
    if process != os.getpid():
        raise ModelError(
            "Networks cannot be used in this process: it was forked from one that had used "
            "TensorFlow, whose threads do not come along. Use the model only after the fork, start "
            "processes by spawn, or export the model to ONNX."
        )
    return keras, tensorflow


@cache
def _import_keras():
    """Return the modules (keras, tensorflow), and the process that has loaded them."""
    with _start_quietly():
        try:
            import tensorflow
        except ImportError as error:
            raise OptionError(
                "Networks need TensorFlow, which is missing here: pip install tensorflow (or "
                "tensorflow-cpu), or choose another `clf`: svm, mlp, rf or logreg. Where pip finds "
                "no TensorFlow for your system (macOS on Intel, Windows on ARM), a network can "
                "still predict as an .onnx file."
            ) from error
        import keras

        if keras.backend.backend() != "tensorflow":
            raise OptionError(
                f"Keras runs on {keras.backend.backend()} here and the networks need TensorFlow: "
                "unset KERAS_BACKEND."
            )
        _limit_threads(tensorflow)
        tensorflow.config.list_logical_devices()  # the first look for devices has much to say
    # Many networks in one process (a search, scikit-learn's checks) are each traced once, and
    # TensorFlow takes that for a loop that traces by mistake.
    logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())
    return keras, tensorflow, os.getpid()


def tensorflow_version() -> str | None:
    """Return the version of TensorFlow, whichever distribution brought it, without loading it."""
    for name in ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _limit_threads(tensorflow) -> None:
    """Keep to the number of threads that joblib gives its workers, which TensorFlow ignores.

    Two networks that train at once would otherwise fight over every core.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads):
        with suppress(RuntimeError):  # somebody has set TensorFlow to work before us
            tensorflow.config.threading.set_intra_op_parallelism_threads(int(threads))
            tensorflow.config.threading.set_inter_op_parallelism_threads(int(threads))


@contextmanager
def _start_quietly() -> Iterator[None]:
    """Send what C++ code writes to standard error nowhere.

    TensorFlow reports missing graphics cards before it has read its own log level.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    standard_error = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)


@contextmanager
def ignore_deprecations() -> Iterator[None]:
    """Keep Keras' and TensorFlow's use of each other's and numpy's old ways to themselves."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        yield
