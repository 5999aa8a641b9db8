"""Base class of the networks: a scikit-learn classifier around a Keras network."""

import math
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ser._sklearn import (
    DocumentedMixin,
    at_least,
    between,
    check_sample_weight,
    one_of,
    positive,
    validate_params,
)
from sklearn_ser.classifiers._checkpoint import Checkpoint, identify
from sklearn_ser.classifiers._holdout import hold_out
from sklearn_ser.classifiers._keras import ignore_deprecations, load_keras
from sklearn_ser.classifiers._training import EncodedSet, TrainingOptions, train
from sklearn_ser.classifiers.probabilities import MostProbableMixin
from sklearn_ser.exceptions import ModelError

__all__ = ["NetworkClassifier", "SequenceNetworkClassifier"]

# Parameters that may change where a fit goes on from a checkpoint.
_NOT_IDENTITY = ("epochs", "patience", "verbose")

_ROWS_AT_ONCE = 512


class NetworkClassifier(DocumentedMixin, MostProbableMixin, ClassifierMixin, BaseEstimator):
    """Base of the classifiers that train a Keras network and keep its best epoch.

    A subclass names its parameters and builds its layers in `_build`. Everything random is drawn
    from `random_state` alone, so the same state gives the same network on the same machine, and the
    global random state is left alone.
    """

    _parameter_constraints: dict = {
        "learning_rate": [positive()],
        "ema_momentum": [between(0, 1), None],
        "batch_size": [positive(Integral)],
        "epochs": [positive(Integral)],
        "validation_fraction": [between(0, 1)],
        "monitor": [one_of("val_loss", "val_accuracy")],
        "patience": [at_least(1), None],
        "class_weight": [dict, one_of("balanced"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _build(self, keras: Any, input_shape: tuple[int, ...], n_classes: int, seed: Callable):
        """Return the network, a `keras.Model`; `seed()` gives a fresh seed for each layer."""

    def _shape(self, X: np.ndarray) -> np.ndarray:
        """Return X as the network takes it; here a row of features for each clip."""
        return X.reshape(len(X), math.prod(X.shape[1:]))

    def shape_layers(self, keras: Any) -> list[Any]:
        """Return the Keras layers that do what `_shape` does, for those who run it elsewhere."""
        return [keras.layers.Reshape((-1,))] if len(self.input_shape_) > 1 else []

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        groups=None,
        X_val=None,
        y_val=None,
        on_epoch=None,
        checkpoint=None,
    ) -> "NetworkClassifier":
        """Train the network and keep the epoch that does best on the validation set.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_frames, n_channels)
        y : array-like of shape (n_clips,)
            Emotions.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of each clip in the loss.
        groups : array-like of shape (n_clips,), default=None
            Speakers or texts that the validation set must not share with the rest; without two
            of them it is stratified.
        X_val : array-like of shape (n_val, ...), default=None
            A validation set to use in place of a share of X. Where it is empty there is none, and
            the last epoch is kept.
        y_val : array-like of shape (n_val,), default=None
            Its emotions.
        on_epoch : callable, default=None
            Called after each epoch with its row of `history_` as a dict.
        checkpoint : str or Path, default=None
            A file to keep the state of training in after each epoch. Where it exists, the fit goes
            on from there and ends as it would have without the break.

        Returns
        -------
        self : NetworkClassifier

        Raises
        ------
        OptionError
            If the checkpoint belongs to a fit with other data or parameters.
        ValueError
            If a parameter makes no sense, one class alone is there, or the loss diverges.
        """
        validate_params(self)
        X, y = validate_data(self, X, y, dtype=np.float32, allow_nd=True)
        self.input_shape_ = X.shape[1:]
        X = self._shape(X)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Only one class is in the training data, '{self.classes_[0]}': two are needed."
            )
        weights = check_sample_weight(sample_weight, X, dtype=np.float32)
        if self.class_weight is not None:
            weights = weights * compute_sample_weight(self.class_weight, y)
        random_state = check_random_state(self.random_state)

        def seed() -> int:
            return int(random_state.randint(2**31 - 1))

        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: give both, or neither.")
        training, validation = EncodedSet(X, codes, weights), None
        if y_val is not None and len(y_val):
            validation = self._encode_validation(X_val, y_val)
            self.validation_indices_ = np.arange(0)
        else:
            fraction = self.validation_fraction if y_val is None else 0
            kept, aside = hold_out(codes, fraction, groups=groups, random_state=seed())
            self.validation_indices_ = aside
            if len(aside):
                training, validation = (
                    EncodedSet(X[rows], codes[rows], weights[rows]) for rows in (kept, aside)
                )
        self._train(training, validation, seed, on_epoch, checkpoint)
        return self

    def _encode_validation(self, X, y) -> EncodedSet:
        X = self._shape(validate_data(self, X, dtype=np.float32, allow_nd=True, reset=False))
        y = np.asarray(y)
        known = np.isin(y, self.classes_)  # others say nothing of the network
        codes = np.searchsorted(self.classes_, y[known])
        return EncodedSet(X[known], codes, np.ones(len(codes), dtype=np.float32))

    def _train(self, training, validation, seed, on_epoch, checkpoint) -> None:
        keras, _ = load_keras()
        model = self._build(keras, training.X.shape[1:], len(self.classes_), seed)
        order = seed()
        if checkpoint is not None:
            # The callers' epochs may grow: a fit that goes on may go on for longer.
            parameters = {k: v for k, v in self.get_params().items() if k not in _NOT_IDENTITY}
            seen = [*training, *(validation or ())]
            checkpoint = Checkpoint(checkpoint, identify(model.to_json(), parameters, *seen))
        options = TrainingOptions(
            learning_rate=self.learning_rate,
            ema_momentum=self.ema_momentum,
            batch_size=self.batch_size,
            epochs=self.epochs,
            monitor=self.monitor,
            patience=self.patience,
            verbose=self.verbose,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
        )
        self.history_rows_, self.best_epoch_ = train(model, training, validation, options, order)
        self.n_epochs_ = len(self.history_rows_)
        self.weights_ = model.get_weights()
        self._model = model

    @property
    def model_(self) -> Any:
        """The trained network, a `keras.Model`."""
        load_keras()  # raises where it cannot be used
        if "_model" not in self.__dict__:
            check_is_fitted(self)
            self._model = self._rebuild()
        return self._model

    def _rebuild(self) -> Any:
        """Return the network anew, from the parameters and the weights.

        A file may hold anything, so nothing in it is a configuration for Keras to build from.
        """
        keras, _ = load_keras()
        try:
            validate_params(self)
            shape = self._shape(np.empty((0, *self.input_shape_), dtype=np.float32)).shape[1:]
            model = self._build(keras, shape, len(self.classes_), lambda: 0)
            model.set_weights([np.asarray(one) for one in self.weights_])
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"The network of this {type(self).__name__} cannot be built again, because its "
                f"parameters and its weights do not fit: {error}"
            ) from error
        return model

    def save_keras(self, path: str | os.PathLike) -> None:
        """Write the network as Keras does, for those who go on with it there.

        Parameters
        ----------
        path : str or Path
            A file name that ends in .keras.
        """
        model = self._rebuild()  # without the optimizer, which is twice its size
        with ignore_deprecations():
            model.save(path)

    def __getstate__(self) -> dict:
        # Weights are enough to build the model again, when it is first used and not before.
        return {name: value for name, value in super().__getstate__().items() if name != "_model"}

    @property
    def history_(self) -> pd.DataFrame:
        """A row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, seconds."""
        check_is_fitted(self)
        return pd.DataFrame(self.history_rows_)

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of each emotion.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_frames, n_channels)

        Returns
        -------
        probabilities : ndarray of shape (n_clips, n_classes)
        """
        check_is_fitted(self)
        X = self._shape(validate_data(self, X, dtype=np.float32, allow_nd=True, reset=False))
        model = self.model_
        blocks = [
            # model.predict would take 40 ms to start, for one clip as for a thousand.
            model.predict_on_batch(X[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(X), _ROWS_AT_ONCE)
        ]
        probabilities = np.concatenate(blocks).astype(np.float64)
        # float32 outputs miss a sum of one by more than some of scikit-learn's checks allow.
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.random_state is None
        tags.input_tags.three_d_array = True
        return tags


class SequenceNetworkClassifier(NetworkClassifier):
    """Base of the networks that run over a sequence; plain rows become (n_features, 1)."""

    def _shape(self, X: np.ndarray) -> np.ndarray:
        return X if X.ndim == 3 else X.reshape(len(X), math.prod(X.shape[1:]), 1)

    def shape_layers(self, keras: Any) -> list[Any]:
        """Return the Keras layers that do what `_shape` does, for those who run it elsewhere."""
        return [] if len(self.input_shape_) == 2 else [keras.layers.Reshape((-1, 1))]


class Stack:
    """The layers of a network in the making: named in order, each with a seed of its own.

    Parameters
    ----------
    keras : module
    seed : callable
        Gives a fresh seed.
    """

    def __init__(self, keras: Any, seed: Callable[[], int]):
        self.keras = keras
        self.seed = seed
        self.layers: list[Any] = []

    def add(self, kind: str, *arguments: Any, **how: Any) -> None:
        """Add a layer of a kind of `keras.layers`, seeding whatever it draws at random."""
        initializers = self.keras.initializers
        if kind in ("Dense", "Conv1D", "LSTM"):
            how["kernel_initializer"] = initializers.GlorotUniform(seed=self.seed())
        if kind == "LSTM":
            how["recurrent_initializer"] = initializers.Orthogonal(seed=self.seed())
        if kind == "Dropout":
            if not arguments[0]:
                return  # a share of nothing is no layer
            how["seed"] = self.seed()
        how.setdefault("name", f"{kind.lower()}_{len(self.layers)}")
        self.layers.append(getattr(self.keras.layers, kind)(*arguments, **how))

    def add_convolutions(self, filters: Iterable[int], kernel: int, pool: int, dropout: float):
        """Add convolutions, each with pooling and dropout after it."""
        for n_filters in filters:
            self.add("Conv1D", int(n_filters), kernel, padding="same", activation="relu")
            self.add("MaxPooling1D", pool, padding="same")
            self.add("Dropout", dropout)

    def add_dense(self, dense_units: Iterable[int], dropout: float):
        """Add dense layers, each with dropout after it."""
        for units in dense_units:
            self.add("Dense", int(units), activation="relu")
            self.add("Dropout", dropout)

    def finish(self, n_classes: int, name: str) -> Any:
        """Add the layer of the probabilities, and return the network."""
        self.add("Dense", n_classes, activation="softmax", name="emotions")
        return self.keras.Sequential(self.layers, name=name)


def check_sizes(**sizes: Any) -> None:
    """Raise `ValueError` for a list of layer sizes that are not positive whole numbers."""
    for name, values in sizes.items():
        if not all(isinstance(n, int | np.integer) and n > 0 for n in values):
            raise ValueError(f"{name}={values!r} must be positive whole numbers.")
