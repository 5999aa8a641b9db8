"""The recurrent network of the published TESS recipe."""

from numbers import Integral

from sklearn_ser._sklearn import between, positive
from sklearn_ser.classifiers.network import SequenceNetworkClassifier, Stack, check_sizes

__all__ = ["LSTMClassifier"]


class LSTMClassifier(SequenceNetworkClassifier):
    """A recurrent network: LSTM 256, then dense layers with dropout, softmax.

    The published TESS recipe runs it over the 40 mean MFCCs of a clip as a sequence of 40 steps;
    sequences of frames do as well.

    Parameters
    ----------
    units : int, default=256
        Units of the LSTM.
    dense_units : tuple of int, default=(256, 256, 256)
        Units of the dense layers.
    dropout : float, default=0.5
        Share of units dropped after the LSTM and after each dense layer.
    learning_rate : float, default=0.001
        Step size of Adam.
    ema_momentum : float or None, default=0.99
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
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ser import LSTMClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> LSTMClassifier(8, dense_units=(), epochs=2, random_state=0).fit(X, y).n_epochs_
    2
    """

    _parameter_constraints: dict = {
        **SequenceNetworkClassifier._parameter_constraints,
        "units": [positive(Integral)],
        "dense_units": [tuple, list],
        "dropout": [between(0, 1)],
    }

    def __init__(
        self,
        units=256,
        *,
        dense_units=(256, 256, 256),
        dropout=0.5,
        learning_rate=0.001,
        ema_momentum=0.99,
        batch_size=32,
        epochs=50,
        validation_fraction=0.1,
        monitor="val_loss",
        patience=None,
        class_weight=None,
        random_state=None,
        verbose=0,
    ):
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
        check_sizes(dense_units=self.dense_units)
        stack = Stack(keras, seed)
        stack.add("Input", input_shape)
        stack.add("LSTM", int(self.units))
        stack.add("Dropout", self.dropout)
        stack.add_dense(self.dense_units, self.dropout)
        return stack.finish(n_classes, "lstm")
