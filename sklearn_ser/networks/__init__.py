"""Keras networks as scikit-learn classifiers; TensorFlow loads when one is fitted or used."""

from sklearn_ser.networks.ann import ANNClassifier
from sklearn_ser.networks.base import NetworkClassifier
from sklearn_ser.networks.cnn import CNNClassifier
from sklearn_ser.networks.cnn_lstm import CNNLSTMClassifier
from sklearn_ser.networks.lstm import LSTMClassifier

__all__ = [
    "ANNClassifier",
    "CNNClassifier",
    "CNNLSTMClassifier",
    "LSTMClassifier",
    "NetworkClassifier",
]
