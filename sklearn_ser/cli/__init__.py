"""The command line: one file per command; each parses, calls one function, and prints."""

from sklearn_ser.cli import (  # noqa: F401  each registers its command
    _card,
    _compare,
    _corpora,
    _evaluate,
    _export,
    _features,
    _figures,
    _fit,
    _grid_search,
    _listen,
    _predict,
    _runs,
    _serve,
)
from sklearn_ser.cli._app import app, main

__all__ = ["app", "main"]
