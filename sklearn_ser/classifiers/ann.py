"""The fully connected network of the published TESS recipe."""

from sklearn_ser._sklearn import between, one_of
from sklearn_ser.classifiers.network import NetworkClassifier, Stack, check_sizes

__all__ = ["ANNClassifier"]


class ANNClassifier(NetworkClassifier):
    """A fully connected network: Dense 100, Dense 200 + Dropout, Dense 100 + Dropout, softmax.

    Trained with Adam on the categorical cross-entropy; the epoch that does best on a validation
    set, a share of the training data, is the one kept.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(100, 200, 100)
        Units of the hidden layers.
    activation : {"relu", "tanh", "elu", "gelu"}, default="relu"
        Activation of the hidden layers.
    dropout : float, default=0.3
        Share of units dropped after each hidden layer but the first.
    learning_rate : float, default=0.001
        Step size of Adam.
    ema_momentum : float or None, default=None
        Momentum of a running average of the weights over the steps [1]_, which is what is scored,
        kept and used in place of the weights themselves; `None` keeps these. It is lowered where
        the average would reach back more than two epochs.
    batch_size : int, default=32
        Clips in a step.
    epochs : int, default=100
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
    >>> from sklearn_ser import ANNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> ann = ANNClassifier(epochs=20, random_state=0).fit(X, y)
    >>> bool(ann.score(X, y) > 0.8)
    True
    """

    _parameter_constraints: dict = {
        **NetworkClassifier._parameter_constraints,
        "hidden_layer_sizes": [tuple, list],
        "activation": [one_of("relu", "tanh", "elu", "gelu")],
        "dropout": [between(0, 1)],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100, 200, 100),
        *,
        activation="relu",
        dropout=0.3,
        learning_rate=0.001,
        ema_momentum=None,
        batch_size=32,
        epochs=100,
        validation_fraction=0.1,
        monitor="val_loss",
        patience=None,
        class_weight=None,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
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
        check_sizes(hidden_layer_sizes=self.hidden_layer_sizes)
        stack = Stack(keras, seed)
        stack.add("Input", input_shape)
        for i, units in enumerate(self.hidden_layer_sizes):
            stack.add("Dense", int(units), activation=self.activation)
            if i:
                stack.add("Dropout", self.dropout)
        return stack.finish(n_classes, "ann")
