"""A fitted pipeline as an HTTP API with a page, fit to meet strangers' audio."""

from sklearn_ser.server.limits import Limits

__all__ = ["Limits"]
