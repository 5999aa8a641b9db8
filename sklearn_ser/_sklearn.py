"""The one place that touches scikit-learn's private means.

`_parameter_constraints` and `_validate_params` are how scikit-learn's own estimators turn a wrong
parameter into an `InvalidParameterError` that names it; `_get_output_config` tells what
`set_output` was told; `_transport` carries what a callback has to say out of a worker process. They
are private, so `pyproject.toml` bounds the scikit-learn version and nothing else imports them.
"""

from collections.abc import Callable
from contextlib import suppress
from numbers import Integral, Real
from typing import Any

import pandas as pd
from sklearn.callback._transport import close_listener, open_listener, send
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "PRIVATE_TYPES",
    "FitCounter",
    "active_transformers",
    "at_least",
    "between",
    "check_sample_weight",
    "keep_index",
    "one_of",
    "positive",
    "validate_params",
]


# Classes at private paths that a saved pipeline of scikit-learn's own classifiers holds.
PRIVATE_TYPES = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)


def positive(kind: type = Real) -> Interval:
    """Numbers above zero."""
    return at_least(1) if kind is Integral else Interval(kind, 0, None, closed="neither")


def at_least(low: float, kind: type = Integral) -> Interval:
    """Numbers from `low` on."""
    return Interval(kind, low, None, closed="left")


def between(low: float, high: float, closed: str = "left", kind: type = Real) -> Interval:
    """Numbers between `low` and `high`."""
    return Interval(kind, low, high, closed=closed)


def one_of(*options: str) -> StrOptions:
    """One of several words."""
    return StrOptions(set(options))


def validate_params(estimator) -> None:
    """Raise `InvalidParameterError` (a `ValueError`) for a parameter outside its constraints.

    A third party's estimator that declares none is taken as it is.
    """
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()


def active_transformers(union) -> list[tuple[str, Any, float | None]]:
    """Return name, transformer and weight of each part of a `FeatureUnion` that is not dropped."""
    union._validate_transformers()
    union._validate_transformer_weights()
    return list(union._iter())


def keep_index(transformer, matrix, index):
    """Return the output of a transformer with the index of its clips, where pandas is asked for.

    scikit-learn itself keeps the index of a DataFrame or a Series alone.
    """
    if index is None or _get_output_config("transform", transformer)["dense"] != "pandas":
        return matrix
    return pd.DataFrame(matrix, index=index)


class FitCounter:
    """A scikit-learn callback for searches that tells of each fit, wherever it was made.

    Parameters
    ----------
    on_fit : callable
        Called without arguments after each fit of a candidate on a fold, in this process, from a
        thread of its own. A worker on another machine has no way to tell.
    """

    def __init__(self, on_fit: Callable[[], Any]):
        self.on_fit: Callable[[], Any] | None = on_fit
        self.listener = None

    def setup(self, estimator, context) -> None:
        """Listen, as the search begins."""
        self.listener = open_listener(lambda message: self.on_fit() if self.on_fit else None)

    def teardown(self, estimator, context) -> None:
        """Stop listening, as the search ends."""
        if self.listener is not None:
            close_listener(self.listener)
            self.listener = None

    def on_fit_task_begin(self, estimator, context, **more) -> None:
        """Do nothing: a fit counts when it is done."""

    def on_fit_task_end(self, estimator, context, **more) -> None:
        """Tell of a fit."""
        if context.task_name == "candidate-split-evaluation" and self.listener is not None:
            with suppress(OSError, EOFError):
                send(self.listener, None)

    def __getstate__(self) -> dict:
        return {"on_fit": None, "listener": self.listener}
