"""Training of a Keras network: batches, epochs, and the choice of the epoch to keep."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sklearn_ser.classifiers._checkpoint import Checkpoint, TrainingState
from sklearn_ser.classifiers._keras import load_keras

__all__ = ["EncodedSet", "TrainingOptions", "train"]

# Batches run in one call from Python into TensorFlow; more gained nothing, one costs a quarter.
_STEPS_PER_CALL = 16

# A running average of the weights reaches back no further than that.
_EPOCHS_AVERAGED = 2

# No network that has learned anything has weights like that; some kernels keep its loss finite.
_LARGEST_WEIGHT = 1e6


class EncodedSet(NamedTuple):
    """A training or validation set as a network takes it.

    Attributes
    ----------
    X : ndarray of shape (n_clips, ...), float32
    codes : ndarray of shape (n_clips,), int
        Positions of the emotions in `classes_`.
    weights : ndarray of shape (n_clips,), float32
    """

    X: np.ndarray
    codes: np.ndarray
    weights: np.ndarray


class TrainingOptions(NamedTuple):
    """How to train: the parameters of `NetworkClassifier`, and what is called after each epoch."""

    learning_rate: float
    ema_momentum: float | None
    batch_size: int
    epochs: int
    monitor: str
    patience: int | None
    verbose: int
    on_epoch: Callable[[dict], None] | None
    checkpoint: Checkpoint | None


def train(
    model: Any,
    training: EncodedSet,
    validation: EncodedSet | None,
    options: TrainingOptions,
    seed: int,
) -> tuple[list[dict], int]:
    """Train a network and leave it with the weights of its best epoch.

    Parameters
    ----------
    model : keras.Model
        Not compiled yet; changed in place.
    training : EncodedSet
    validation : EncodedSet or None
        What decides on the best epoch; without it the last one is kept.
    options : TrainingOptions
    seed : int
        Decides on the order of the clips in each epoch.

    Returns
    -------
    rows : list of dict
        The history, a row per epoch.
    best_epoch : int
        The epoch kept, counted from 1.

    Raises
    ------
    ValueError
        If training diverged: loss or weights have left all bounds.
    """
    keras, tf = load_keras()
    n_batches = -(-len(training.X) // options.batch_size)
    momentum = options.ema_momentum
    if momentum is not None:
        # On few clips an average over as many steps would still hold the first epochs.
        momentum = min(momentum, 1 - 1 / (_EPOCHS_AVERAGED * n_batches))
    model.compile(
        optimizer=keras.optimizers.Adam(
            options.learning_rate, use_ema=momentum is not None, ema_momentum=momentum
        ),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
        steps_per_execution=min(_STEPS_PER_CALL, n_batches),
    )
    model.optimizer.build(model.trainable_variables)
    epoch = tf.Variable(0, dtype=tf.int64)
    history = _History(model, options, epoch)
    if options.checkpoint is not None and (state := options.checkpoint.load()) is not None:
        history.restore(state)
    held_out = None
    if validation is not None and len(validation.codes):
        held_out = tf.data.Dataset.from_tensor_slices(tuple(validation)).batch(1024).cache()
    if not history.done:
        model.fit(
            _shuffled_batches(tf, training, options.batch_size, seed, epoch),
            validation_data=held_out,
            epochs=options.epochs,
            initial_epoch=len(history.rows),
            callbacks=[history.callback(keras)],
            shuffle=False,  # the batches shuffle themselves
            verbose=0,
        )
    largest = max(np.abs(weights).max() for weights in model.get_weights())
    loss = history.rows[-1]["loss"]
    if not (np.isfinite(loss) and largest < _LARGEST_WEIGHT):
        raise ValueError(
            f"Training diverged: the loss is {loss} after epoch {len(history.rows)}. Lower "
            f"learning_rate={options.learning_rate}."
        )
    model.set_weights(history.best)
    return history.rows, history.best_epoch


def _shuffled_batches(tf, training: EncodedSet, batch_size: int, seed: int, epoch):
    """Return the batches of an epoch, whose order follows from the seed and the epoch alone."""
    n_clips = len(training.X)
    clips_in_order = tf.data.Dataset.from_tensor_slices(tuple(training))

    def shuffle(_):
        # In the seed's tensor the epoch is read anew whenever one begins.
        order = clips_in_order.shuffle(n_clips, seed + epoch, reshuffle_each_iteration=False)
        return order.batch(batch_size)

    batches = tf.data.Dataset.from_tensors(0).flat_map(shuffle)
    n_batches = -(-n_clips // batch_size)
    counted = batches.apply(tf.data.experimental.assert_cardinality(n_batches))
    return counted.prefetch(tf.data.AUTOTUNE)


class _History:
    """The epochs of a training so far, the weights of the best one, and the checkpoint."""

    def __init__(self, model: Any, options: TrainingOptions, epoch_number: Any):
        self.model = model
        self.options = options
        self.epoch_number = epoch_number
        self.rows: list[dict] = []
        self.best: list[np.ndarray] = []

    def callback(self, keras: Any) -> Any:
        """Return what Keras calls."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=self._begin_epoch,
            on_epoch_end=self._end_epoch,
            on_test_begin=self._use_averages,
            on_test_end=self._use_weights,
        )

    def restore(self, state: TrainingState) -> None:
        """Go on after the last epoch of a state."""
        self.rows, self.best = state.rows, state.best
        for variable, value in zip(self._variables(), state.variables, strict=True):
            variable.assign(value)

    @property
    def best_epoch(self) -> int:
        """The best epoch, counted from 1; without a validation set the last one."""
        monitor = self.options.monitor
        if monitor not in self.rows[0]:
            return len(self.rows)
        values = [row[monitor] for row in self.rows]
        return int(np.argmin(values) if monitor == "val_loss" else np.argmax(values)) + 1

    @property
    def done(self) -> bool:
        """Whether all epochs are trained, or patience is at its end."""
        if not self.rows:
            return False
        n_since, patience = len(self.rows) - self.best_epoch, self.options.patience
        return (patience is not None and n_since >= patience) or (
            len(self.rows) >= self.options.epochs
        )

    def _variables(self) -> list:
        """Return all that training changes, in an order of its own."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def _use_averages(self, logs=None) -> None:
        if self.options.ema_momentum is not None:
            self._weights = self.model.get_weights()
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def _use_weights(self, logs=None) -> None:
        if self.options.ema_momentum is not None:
            self.model.set_weights(self._weights)

    def _begin_epoch(self, epoch: int, logs=None) -> None:
        self.epoch_number.assign(epoch)
        self._started = time.perf_counter()

    def _end_epoch(self, epoch: int, logs: dict) -> None:
        row = {"epoch": epoch + 1} | {name: float(value) for name, value in logs.items()}
        row["seconds"] = time.perf_counter() - self._started
        self.rows.append(row)
        if self.best_epoch == len(self.rows):
            self._use_averages()
            self.best = self.model.get_weights()
            self._use_weights()
        if self.options.checkpoint is not None:
            variables = [variable.numpy() for variable in self._variables()]
            self.options.checkpoint.save(TrainingState(self.rows, variables, self.best))
        if self.options.verbose:
            scores = ", ".join(f"{name} {row[name]:.4f}" for name in logs)
            print(f"epoch {epoch + 1}/{self.options.epochs}: {scores}")
        if self.options.on_epoch is not None:
            self.options.on_epoch(row)
        if self.done or not np.isfinite(row["loss"]):
            self.model.stop_training = True
