"""The one place that touches scikit-learn's private means.

`_parameter_constraints` and `_validate_params` are how scikit-learn's own estimators turn a wrong
parameter into an `InvalidParameterError` that names it; `_get_output_config` tells what
`set_output` was told. They are private, so `pyproject.toml` bounds the scikit-learn version and
nothing else imports them.
"""

from numbers import Integral, Real

import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_output_config

__all__ = ["at_least", "between", "keep_index", "one_of", "positive", "validate_params"]


def positive(kind: type = Real) -> Interval:
    """Numbers above zero."""
    return at_least(1) if kind is Integral else Interval(kind, 0, None, closed="neither")


def at_least(low: float, kind: type = Integral) -> Interval:
    """Numbers from `low` on."""
    return Interval(kind, low, None, closed="left")


def between(low: float, high: float, closed: str = "left") -> Interval:
    """Real numbers between `low` and `high`."""
    return Interval(Real, low, high, closed=closed)


def one_of(*options: str) -> StrOptions:
    """One of several words."""
    return StrOptions(set(options))


def validate_params(estimator) -> None:
    """Raise `InvalidParameterError` (a `ValueError`) for a parameter outside its constraints.

    A third party's estimator that declares none is taken as it is.
    """
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()


def keep_index(transformer, matrix, index):
    """Return the output of a transformer with the index of its clips, where pandas is asked for.

    scikit-learn itself keeps the index of a DataFrame or a Series alone.
    """
    if index is None or _get_output_config("transform", transformer)["dense"] != "pandas":
        return matrix
    return pd.DataFrame(matrix, index=index)
