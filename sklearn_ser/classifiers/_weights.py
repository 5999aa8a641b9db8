"""A trained Keras network as its architecture and weights: small to pickle, quick to predict."""

import json

import numpy as np

from sklearn_ser.classifiers._keras import load_keras

_ROWS_AT_ONCE = 512


class Network:
    """A trained Keras model that pickles without Keras and loads TensorFlow at its first use.

    Parameters
    ----------
    model : keras.Model
        A trained model whose outputs are probabilities.
    """

    def __init__(self, model):
        self._model = model

    @property
    def model(self):
        """The Keras model, built again after unpickling."""
        if self._model is None:
            keras, _ = load_keras()
            # Keras refuses to run Python code that a file's architecture may carry.
            model = keras.models.model_from_json(self._architecture)
            model.set_weights(self._weights)
            self._model = model
        return self._model

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs for X, of shape (n_clips, n_classes), float64."""
        load_keras()  # or an error in a forked process, where TensorFlow would wait for ever
        blocks = [
            # model.predict would take 40 ms to start, for one clip as for a thousand.
            self.model.predict_on_batch(X[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(X), _ROWS_AT_ONCE)
        ]
        probabilities = np.concatenate(blocks).astype(np.float64)
        # float32 outputs miss a sum of one by more than some of scikit-learn's checks allow.
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def __getstate__(self) -> dict:
        if self._model is None:
            return {"architecture": self._architecture, "weights": self._weights}
        architecture = json.loads(self._model.to_json())
        architecture.pop("compile_config", None)  # training is over: no optimizer comes along
        return {"architecture": json.dumps(architecture), "weights": self._model.get_weights()}

    def __setstate__(self, state: dict) -> None:
        self._model = None
        self._architecture = state["architecture"]
        self._weights = state["weights"]
