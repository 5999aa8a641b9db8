"""The classifiers that scikit-learn does not have, and temperature scaling.

Change here what a network looks like, how it is trained, or how probabilities are calibrated.
TensorFlow loads when a network is fitted or used.
"""

from sklearn_ser.classifiers.ann import ANNClassifier
from sklearn_ser.classifiers.capabilities import (
    fit_arguments,
    takes_sequences,
    uses_validation_set,
)
from sklearn_ser.classifiers.cnn import CNNClassifier
from sklearn_ser.classifiers.cnn_lstm import CNNLSTMClassifier
from sklearn_ser.classifiers.lstm import LSTMClassifier
from sklearn_ser.classifiers.network import NetworkClassifier
from sklearn_ser.classifiers.probabilities import are_probabilities, most_probable
from sklearn_ser.classifiers.svm import SVMClassifier
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier, unwrap_classifier

__all__ = [
    "ANNClassifier",
    "CNNClassifier",
    "CNNLSTMClassifier",
    "LSTMClassifier",
    "NetworkClassifier",
    "SVMClassifier",
    "TemperatureScaledClassifier",
    "are_probabilities",
    "fit_arguments",
    "most_probable",
    "takes_sequences",
    "unwrap_classifier",
    "uses_validation_set",
]
