"""The command line: one file per command; each parses, calls one function, and prints."""

from sklearn_ser.cli import (  # noqa: F401  each registers its command
    card,
    compare,
    corpora,
    evaluate,
    export,
    features,
    fit,
    grid_search,
    listen,
    predict,
    serve,
)
from sklearn_ser.cli._app import app, main

__all__ = ["app", "main"]
