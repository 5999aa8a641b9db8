"""The one place that touches scikit-learn's private means.

`_parameter_constraints` and `_validate_params` are how scikit-learn's own estimators turn a wrong
parameter into an `InvalidParameterError` that names it; `_get_output_config` tells what
`set_output` was told, and `_wrap_data_with_container` does it. They are private, so
`pyproject.toml` bounds the scikit-learn version and nothing else imports them.
"""

from collections.abc import Callable
from functools import wraps
from numbers import Integral, Real
from typing import Any

import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_output_config, _wrap_data_with_container
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

from sklearn_ser.exceptions import OptionError

__all__ = [
    "PRIVATE_TYPES",
    "active_transformers",
    "at_least",
    "between",
    "check_sample_weight",
    "keep_index",
    "one_of",
    "positive",
    "sequences_stay_arrays",
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
    if index is None or matrix.ndim != 2:
        return matrix
    if _get_output_config("transform", transformer)["dense"] != "pandas":
        return matrix
    return pd.DataFrame(matrix, index=index)


def sequences_stay_arrays(cls: type) -> type:
    """Decorate a transformer whose output may have three axes, which no table has.

    Under `sklearn.set_config(transform_output="pandas")` such output stays an array.

    Raises
    ------
    OptionError
        By the decorated methods, where `set_output` has asked this very transformer for a table.
    """
    for name in ("transform", "fit_transform"):
        setattr(cls, name, _arrays_pass(getattr(cls, name)))
    return cls


def _arrays_pass(method: Callable) -> Callable:
    bare = getattr(method, "__wrapped__", method)  # without scikit-learn's own wrapper

    @wraps(bare)
    def decorated(self, X, *args, **kwargs):
        output = bare(self, X, *args, **kwargs)
        if getattr(output, "ndim", 2) == 2:
            return _wrap_data_with_container("transform", output, X, self)
        if getattr(self, "_sklearn_output_config", {}).get("transform", "default") != "default":
            raise OptionError(
                f"{type(self).__name__} returns sequences here, which have no table form: leave "
                "set_output at its default."
            )
        return output

    return decorated
