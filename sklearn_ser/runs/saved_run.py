"""A saved run: its scores and card, and when they are asked for, predictions and pipeline."""

import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sklearn_ser._files import read_regular
from sklearn_ser.exceptions import ModelError
from sklearn_ser.metrics import Metrics
from sklearn_ser.persistence import Card, load_pipeline, read_card
from sklearn_ser.report.run_html import show_run
from sklearn_ser.report.verdict import verdict

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["Run", "load_run"]

MAX_METRICS_BYTES = 50_000_000
_NEEDED: dict[str, Any] = {
    **dict.fromkeys(("accuracy", "uar", "macro_f1"), (int, float)),
    **dict.fromkeys(("n_train", "n_validation", "n_test"), int),
    **dict.fromkeys(("chance", "per_emotion", "confusion_matrix"), dict),
    **dict.fromkeys(("accuracy_interval", "uar_interval", "macro_f1_interval"), list),
    "split": str,
}


class Run:
    """What `fit` or `grid-search` left in a folder. In a notebook it shows its scores.

    Parameters
    ----------
    path : str or Path
        The run's folder.

    Attributes
    ----------
    path : Path
    metrics : dict
        What is in metrics.json.
    card : dict
        What is in card.json.
    predictions : DataFrame of shape (n_test, 3 + n_emotions)
        path, truth and prediction of each test clip, and the probability of each emotion.
    pipeline : Pipeline
        The fitted pipeline. Loading it runs code of the file: only for runs you trust.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.metrics = _read_metrics(self.path)
        self.card: Card = read_card(self.path)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The predictions of the test clips."""
        return _read_predictions(self.path / "predictions.csv")

    @cached_property
    def pipeline(self) -> "Pipeline":
        """The fitted pipeline."""
        return load_pipeline(self.path)

    @property
    def report(self) -> Path:
        """The page of the run."""
        return self.path / "report.html"

    def __repr__(self) -> str:
        return f"<Run {self.path}: {verdict(self.metrics)}>"

    def _repr_html_(self) -> str:
        return show_run(self.metrics, self.card, str(self.path))


def load_run(path: str | os.PathLike) -> Run:
    """Return a saved run.

    Parameters
    ----------
    path : str or Path
        The run's folder, as `fit` or `grid-search` made it.

    Returns
    -------
    run : Run
        With `metrics`, `card`, `predictions` and `pipeline`. Nothing is unpickled before
        `pipeline` is asked for.

    Raises
    ------
    ModelError
        If there is no run, or a damaged one.

    Examples
    --------
    >>> from sklearn_ser import load_run
    >>> load_run("nowhere")
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.ModelError: nowhere does not exist: give the folder of a run.
    """
    return Run(path)


def _read_metrics(folder: Path) -> Metrics:
    file = folder / "metrics.json"
    if not folder.exists():
        raise ModelError(f"{folder} does not exist: give the folder of a run.")
    if not folder.is_dir():
        raise ModelError(f"{folder} is a file: give the folder of a run.")
    try:
        metrics = json.loads(read_regular(file, MAX_METRICS_BYTES))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} has no metrics.json: give the folder of a run.") from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is not JSON: the run is damaged.") from error
    if not isinstance(metrics, dict):
        raise ModelError(f"{file} does not hold scores: the run is damaged.")
    for name, kind in _NEEDED.items():
        value = metrics.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ModelError(f"{file} has no {name} of the right kind: the run is damaged.")
    return metrics  # type: ignore[return-value]


def _read_predictions(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(file, dtype={"path": str, "truth": str, "prediction": str})
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ModelError(f"{file} is not a table of predictions: the run is damaged.") from error
    if missing := {"path", "truth", "prediction"} - set(table.columns):
        raise ModelError(f"{file} has no column {', '.join(sorted(missing))}: the run is damaged.")
    return table
