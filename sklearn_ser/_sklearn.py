"""The one place that touches scikit-learn's private means.

`_parameter_constraints` and `_validate_params` are how scikit-learn's own estimators turn a wrong
parameter into an `InvalidParameterError` that names it; `_get_output_config` tells what
`set_output` was told, and `_wrap_data_with_container` does it; `_VisualBlock` and `_get_doc_link`
make the picture of a pipeline in a notebook. They are private, so
`pyproject.toml` bounds the scikit-learn version and nothing else imports them.
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from importlib.metadata import PackageNotFoundError, metadata
from itertools import combinations
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils._set_output import _get_output_config, _wrap_data_with_container
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

from sklearn_ser.exceptions import OptionError

if TYPE_CHECKING:
    from sklearn.svm import SVC

__all__ = [
    "PRIVATE_TYPES",
    "DocumentedMixin",
    "active_transformers",
    "at_least",
    "between",
    "check_once",
    "check_sample_weight",
    "keep_index",
    "one_of",
    "one_vs_rest_values",
    "positive",
    "sequences_stay_arrays",
    "show_in_rows",
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


class DocumentedMixin:
    """A link to our own documentation in the picture of a pipeline, where its address is known.

    The address is that of the project's metadata (`Documentation`), or of SKLEARN_SER_SITE.
    """

    def _get_doc_link(self) -> str:
        own = type(self).__module__.partition(".")[0] == "sklearn_ser"
        site = documentation_site() if own else ""
        return f"{site}/reference/sklearn_ser.{type(self).__name__}.html" if site else ""


def documentation_site() -> str:
    """Return the address of the documentation, or "" where there is none."""
    if site := os.environ.get("SKLEARN_SER_SITE"):
        return site.rstrip("/")
    try:
        urls = metadata("sklearn-ser").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from its source
        urls = []
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "").rstrip("/")


def show_in_rows(named: Sequence[tuple[str, Any]], n_columns: int = 4) -> _VisualBlock:
    """Return the picture of a union: side by side, in several rows where there are many.

    Parameters
    ----------
    named : sequence of (str, transformer)
    n_columns : int, default=4
        As many as fit the width of a notebook.
    """
    rows = [named[i : i + n_columns] for i in range(0, len(named), n_columns)]
    blocks = [
        _VisualBlock("parallel", [one for _, one in row], names=[name for name, _ in row],
                     dash_wrapped=False)
        for row in rows
    ]  # fmt: skip
    if len(blocks) == 1:
        blocks[0].dash_wrapped = True
        return blocks[0]
    return _VisualBlock("serial", blocks)


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


_SOUND: set[tuple] = set()  # settings that have passed their check


def check_once(estimator, check: Callable[[], None]) -> None:
    """Call a check of parameters, unless an estimator with these very ones has passed it before.

    The checks take longer than some features of a short clip.
    """
    own = ((k, type(v), v) for k, v in vars(estimator).items() if not k.startswith("_"))
    _unless_known((type(estimator), *own), check)


def _unless_known(setting: tuple, check: Callable[[], None]) -> None:
    try:
        known = setting in _SOUND
    except TypeError:  # a list or an array among them
        check()
        return
    if not known:
        check()
        if len(_SOUND) >= 1000:
            _SOUND.clear()
        _SOUND.add(setting)


def one_vs_rest_values(svc: "SVC", X: np.ndarray) -> np.ndarray:
    """Return `svc.decision_function(X)` of three classes or more, to the last bit, in less time.

    It repeats no check of X, and has no loop over pairs of classes in each of which single elements
    of arrays are taken: for one clip that took as long as its features.

    Parameters
    ----------
    svc : SVC
        Fitted with its default `decision_function_shape`.
    X : ndarray of shape (n_clips, n_features)
        Checked before.

    Returns
    -------
    values : ndarray of shape (n_clips, n_classes), float64
    """
    if svc.n_support_.sum() != len(svc.support_vectors_):  # libsvm would read past the end
        raise ValueError("The internal representation of SVC was altered")
    confidences = -svc._dense_decision_function(X)
    pairs, signs = _pairs_of_classes(len(svc.classes_))
    votes = np.add.reduce((confidences > 0)[:, pairs] == (signs > 0), axis=2, dtype=np.float64)
    total = np.zeros_like(votes)
    for place in range(pairs.shape[1]):  # in the order of `decision_function`, for the last bit
        total += confidences[:, pairs[:, place]] * signs[:, place]
    return votes + total / (3 * (np.abs(total) + 1))


@lru_cache(maxsize=64)
def _pairs_of_classes(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs that each class is in, in their order, and 1 where it is the second."""
    pairs = list(combinations(range(n_classes), 2))
    own = [[k for k, pair in enumerate(pairs) if c in pair] for c in range(n_classes)]
    signs = [[1.0 if pairs[k][1] == c else -1.0 for k in ks] for c, ks in enumerate(own)]
    return np.array(own), np.array(signs)  # each of shape (n_classes, n_classes - 1)


def active_transformers(union) -> list[tuple[str, Any, float | None]]:
    """Return name, transformer and weight of each part of a `FeatureUnion` that is not dropped."""
    named = ((name, t if isinstance(t, str) else type(t)) for name, t in union.transformer_list)
    _unless_known((type(union), *named), union._validate_transformers)
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
