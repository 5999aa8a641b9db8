"""Keras networks as scikit-learn classifiers; TensorFlow loads when one is fitted or used."""

from sklearn_ser.networks.ann import ANNClassifier
from sklearn_ser.networks.base import NetworkClassifier

__all__ = ["ANNClassifier", "NetworkClassifier"]
