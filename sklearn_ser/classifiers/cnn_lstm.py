"""The network of convolutional and recurrent layers over features of frames."""

from numbers import Integral

from sklearn_ser._sklearn import between, positive
from sklearn_ser.classifiers.network import SequenceNetworkClassifier, Stack, check_sizes

__all__ = ["CNNLSTMClassifier"]


class CNNLSTMClassifier(SequenceNetworkClassifier):
    """A convolutional and recurrent network: Conv1D with pooling, LSTM, dense, softmax.

    On the per-frame MFCC, chroma and spectral contrast of `FrameFeatures`: the convolutions see
    what sounds like what, the LSTM in which order it comes.

    Parameters
    ----------
    filters : tuple of int, default=(64, 128)
        Filters of the convolutions.
    kernel_size : int, default=5
        Frames that a filter spans.
    pool_size : int, default=2
        Frames pooled into one after each convolution; short inputs are padded.
    units : int, default=128
        Units of the LSTM.
    dense_units : tuple of int, default=(64,)
        Units of the dense layers.
    dropout : float, default=0.3
        Share of units dropped after each pooling, the LSTM and each dense layer.
    learning_rate : float, default=0.001
        Step size of Adam.
    ema_momentum : float or None, default=None
        Momentum of a running average of the weights over the steps [1]_, which is what is scored,
        kept and used in place of the weights themselves; `None` keeps these. It is lowered where
        the average would reach back more than two epochs.
    batch_size : int, default=32
        Clips in a step.
    epochs : int, default=50
        Most passes over the training data.
    validation_fraction : float, default=0.1
        Share of the training clips (or groups) set aside to choose the epoch; 0 sets none aside
        and keeps the last epoch.
    monitor : {"val_loss", "val_accuracy"}, default="val_loss"
        What decides on the best epoch.
    patience : int, default=None
        Epochs without a better one after which to stop; `None` trains all.
    class_weight : dict or "balanced", default=None
        Weights of the classes in the loss.
    random_state : int, RandomState or None, default=None
        Decides on initial weights, dropout, order of clips and validation set.
    verbose : int, default=0
        Whether to print a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The emotions.
    history_ : DataFrame
        A row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, seconds.
    best_epoch_ : int
        The epoch kept, counted from 1.
    validation_indices_ : ndarray of int
        Positions of the training clips that were set aside.

    References
    ----------
    .. [1] Polyak, B. T. and Juditsky, A. B. "Acceleration of stochastic approximation by
       averaging", SIAM Journal on Control and Optimization 30(4), 1992.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import CNNLSTMClassifier
    >>> X = np.random.default_rng(0).normal(size=(20, 16, 8)).astype("float32")
    >>> network = CNNLSTMClassifier((4,), units=4, epochs=2, random_state=0)
    >>> network.fit(X, ["sad", "happy"] * 10).predict_proba(X).shape
    (20, 2)
    """

    _parameter_constraints: dict = {
        **SequenceNetworkClassifier._parameter_constraints,
        "filters": [tuple, list],
        "kernel_size": [positive(Integral)],
        "pool_size": [positive(Integral)],
        "units": [positive(Integral)],
        "dense_units": [tuple, list],
        "dropout": [between(0, 1)],
    }

    def __init__(
        self,
        filters=(64, 128),
        *,
        kernel_size=5,
        pool_size=2,
        units=128,
        dense_units=(64,),
        dropout=0.3,
        learning_rate=0.001,
        ema_momentum=None,
        batch_size=32,
        epochs=50,
        validation_fraction=0.1,
        monitor="val_loss",
        patience=None,
        class_weight=None,
        random_state=None,
        verbose=0,
    ):
        self.filters = filters
        self.kernel_size = kernel_size
        self.pool_size = pool_size
        self.units = units
        self.dense_units = dense_units
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.ema_momentum = ema_momentum
        self.batch_size = batch_size
        self.epochs = epochs
        self.validation_fraction = validation_fraction
        self.monitor = monitor
        self.patience = patience
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    def _build(self, keras, input_shape, n_classes, seed):
        check_sizes(filters=self.filters, dense_units=self.dense_units)
        stack = Stack(keras, seed)
        stack.add("Input", input_shape)
        stack.add_convolutions(self.filters, self.kernel_size, self.pool_size, self.dropout)
        stack.add("LSTM", int(self.units))
        stack.add("Dropout", self.dropout)
        stack.add_dense(self.dense_units, self.dropout)
        return stack.finish(n_classes, "cnn_lstm")
