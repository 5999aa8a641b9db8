"""One training of a Keras network: its batches, its epochs, and the epoch that is kept."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sklearn_ser.classifiers._checkpoint import Checkpoint, TrainingState
from sklearn_ser.classifiers._keras import load_keras

__all__ = ["Clips", "Plan", "train"]

# Batches run in one call from Python into TensorFlow; more gained nothing, one costs a quarter.
_STEPS_PER_CALL = 16

# A running average of the weights reaches back no further than that.
_EPOCHS_AVERAGED = 2

# No network that has learned anything has weights like that; some kernels keep its loss finite.
_LARGEST_WEIGHT = 1e6


class Clips(NamedTuple):
    """Some clips as a network takes them.

    Attributes
    ----------
    X : ndarray of shape (n_clips, ...), float32
    codes : ndarray of shape (n_clips,), int
        Numbers of their emotions.
    weights : ndarray of shape (n_clips,), float32
    """

    X: np.ndarray
    codes: np.ndarray
    weights: np.ndarray


class Plan(NamedTuple):
    """How to train: the parameters of `NetworkClassifier`, and whom to tell."""

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
    model: Any, clips: Clips, validation: Clips | None, plan: Plan, seed: int
) -> tuple[list[dict], int]:
    """Train a network and leave it with the weights of its best epoch.

    Parameters
    ----------
    model : keras.Model
        Not compiled yet; changed in place.
    clips : Clips
    validation : Clips or None
        What decides on the best epoch; without it the last one is kept.
    plan : Plan
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
    n_batches = -(-len(clips.X) // plan.batch_size)
    momentum = plan.ema_momentum
    if momentum is not None:
        # On few clips an average over as many steps would still hold the first epochs.
        momentum = min(momentum, 1 - 1 / (_EPOCHS_AVERAGED * n_batches))
    model.compile(
        optimizer=keras.optimizers.Adam(
            plan.learning_rate, use_ema=momentum is not None, ema_momentum=momentum
        ),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
        steps_per_execution=min(_STEPS_PER_CALL, n_batches),
    )
    model.optimizer.build(model.trainable_variables)
    epoch = tf.Variable(0, dtype=tf.int64)
    keeper = _make_keeper(keras, plan, epoch)
    if plan.checkpoint is not None and (state := plan.checkpoint.load()) is not None:
        keeper.go_on_from(state, model)
    held_out = None
    if validation is not None and len(validation.codes):
        held_out = tf.data.Dataset.from_tensor_slices(tuple(validation)).batch(1024).cache()
    if not keeper.done:
        model.fit(
            _shuffled_batches(tf, clips, plan.batch_size, seed, epoch),
            validation_data=held_out,
            epochs=plan.epochs,
            initial_epoch=len(keeper.rows),
            callbacks=[keeper],
            shuffle=False,  # the batches shuffle themselves
            verbose=0,
        )
    largest = max(np.abs(weights).max() for weights in model.get_weights())
    if not (np.isfinite(keeper.rows[-1]["loss"]) and largest < _LARGEST_WEIGHT):
        raise ValueError(
            f"Training diverged: the loss is {keeper.rows[-1]['loss']} after epoch "
            f"{len(keeper.rows)}. Lower learning_rate={plan.learning_rate}."
        )
    model.set_weights(keeper.best)
    return keeper.rows, keeper.best_epoch


def _shuffled_batches(tf, clips: Clips, batch_size: int, seed: int, epoch):
    """Return the batches of an epoch, whose order follows from the seed and the epoch alone."""
    n_clips = len(clips.X)
    clips_in_order = tf.data.Dataset.from_tensor_slices(tuple(clips))

    def shuffle(_):
        # In the seed's tensor the epoch is read anew whenever one begins.
        order = clips_in_order.shuffle(n_clips, seed + epoch, reshuffle_each_iteration=False)
        return order.batch(batch_size)

    batches = tf.data.Dataset.from_tensors(0).flat_map(shuffle)
    n_batches = -(-n_clips // batch_size)
    counted = batches.apply(tf.data.experimental.assert_cardinality(n_batches))
    return counted.prefetch(tf.data.AUTOTUNE)


def _make_keeper(keras, plan: Plan, epoch_number):
    """Return the Keras callback that keeps the history, the best epoch and the checkpoint."""

    class Keeper(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.rows: list[dict] = []
            self.best: list[np.ndarray] = []

        def go_on_from(self, state: TrainingState, model) -> None:
            self.rows, self.best = state.rows, state.best
            for variable, value in zip(_variables(model), state.variables, strict=True):
                variable.assign(value)

        @property
        def best_epoch(self) -> int:
            if plan.monitor not in self.rows[0]:
                return len(self.rows)
            values = [row[plan.monitor] for row in self.rows]
            return int(np.argmin(values) if plan.monitor == "val_loss" else np.argmax(values)) + 1

        @property
        def done(self) -> bool:
            if not self.rows:
                return False
            n_since = len(self.rows) - self.best_epoch
            late = plan.patience is not None and n_since >= plan.patience
            return late or len(self.rows) >= plan.epochs

        def _put_averages(self) -> None:
            if plan.ema_momentum is not None:
                self._weights = self.model.get_weights()
                self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

        def _put_weights_back(self) -> None:
            if plan.ema_momentum is not None:
                self.model.set_weights(self._weights)

        def on_test_begin(self, logs=None):
            self._put_averages()

        def on_test_end(self, logs=None):
            self._put_weights_back()

        def on_epoch_begin(self, epoch, logs=None):
            epoch_number.assign(epoch)
            self._started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            row = {"epoch": epoch + 1} | {name: float(value) for name, value in logs.items()}
            row["seconds"] = time.perf_counter() - self._started
            self.rows.append(row)
            if self.best_epoch == len(self.rows):
                self._put_averages()
                self.best = self.model.get_weights()
                self._put_weights_back()
            if plan.checkpoint is not None:
                variables = [variable.numpy() for variable in _variables(self.model)]
                plan.checkpoint.save(TrainingState(self.rows, variables, self.best))
            if plan.verbose:
                scores = ", ".join(f"{name} {row[name]:.4f}" for name in logs)
                print(f"epoch {epoch + 1}/{plan.epochs}: {scores}")
            if plan.on_epoch is not None:
                plan.on_epoch(row)
            if self.done or not np.isfinite(row["loss"]):
                self.model.stop_training = True

    return Keeper()


def _variables(model) -> list:
    """Return all that training changes, in an order of its own."""
    return [*model.variables, *model.optimizer.variables]
