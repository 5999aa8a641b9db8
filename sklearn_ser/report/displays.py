"""Displays in scikit-learn's manner: what is on a report, of any predictions, in a notebook."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline

from sklearn_ser.exceptions import OptionError
from sklearn_ser.metrics import score_calibration
from sklearn_ser.metrics.robustness import score_degraded, score_robustness
from sklearn_ser.metrics.schema import Calibration, Stress
from sklearn_ser.report.charts import coverage_curve, plot_coverage, plot_reliability
from sklearn_ser.report.stress_charts import plot_noises, plot_others
from sklearn_ser.report.style import PALETTE, in_style

if TYPE_CHECKING:
    from sklearn_ser.audio.conditions import Condition
    from sklearn_ser.audio.noise import Noise

__all__ = ["CoverageDisplay", "ReliabilityDisplay", "RobustnessDisplay", "panels"]


def panels(ax: Any, size: tuple[float, float], places: Sequence[Sequence[float]]) -> list[Any]:
    """Return axes within axes: a display of several panels takes the place of one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        `None` takes a new figure of `size`, in inches.
    size : (float, float)
    places : sequence of (left, bottom, width, height)
        As shares of the axes.

    Returns
    -------
    axes : list of Axes
        The axes around them first.
    """
    if ax is None:
        ax = new_axes(size)
    ax.set_axis_off()
    return [ax, *(ax.inset_axes(place) for place in places)]


def new_axes(size: tuple[float, float]) -> Any:
    """Return the axes of a new figure, in inches, that a notebook shows."""
    import matplotlib.pyplot as plt

    # On white paper: ink would not be seen on a dark notebook.
    paper = PALETTE["paper"]
    return plt.figure(figsize=size, layout="constrained", facecolor=paper).subplots()


class ReliabilityDisplay:
    """How often predictions of each confidence are right, and how many clips that stands for.

    Parameters
    ----------
    calibration : dict
        What `sklearn_ser.metrics.score_calibration` returns; `metrics["calibration"]` of a run.

    Attributes
    ----------
    ax_ : Axes
        Around both panels.
    axes_ : tuple of Axes
        Shares above, clips below.
    figure_ : Figure

    Examples
    --------
    >>> from sklearn_ser import ReliabilityDisplay
    >>> probabilities = [[0.1, 0.9], [0.4, 0.6]]
    >>> display = ReliabilityDisplay.from_predictions(
    ...     ["sad", "happy"], probabilities, classes=["happy", "sad"])
    >>> display.axes_[0].get_ylabel()
    'share right'
    """

    def __init__(self, calibration: Calibration | Mapping[str, Any]):
        self.calibration = calibration

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        classes: ArrayLike,
        n_bins: int = 15,
        ax: Any = None,
    ) -> "ReliabilityDisplay":
        """Draw it from probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            Emotions.
        y_proba : array-like of shape (n_clips, n_classes)
            What `predict_proba` returned.
        classes : array-like of shape (n_classes,)
            The emotions of the columns, as in `classes_`.
        n_bins : int, default=15
        ax : matplotlib.axes.Axes, default=None
        """
        return cls(score_calibration(y_true, y_proba, classes, n_bins=n_bins)).plot(ax)

    @classmethod
    def from_estimator(
        cls, estimator: Pipeline, X: Sequence, y: ArrayLike, *, n_bins: int = 15, ax: Any = None
    ) -> "ReliabilityDisplay":
        """Draw it from a fitted pipeline, clips (paths or waveforms) and their emotions."""
        proba = estimator.predict_proba(X)
        return cls.from_predictions(y, proba, classes=estimator.classes_, n_bins=n_bins, ax=ax)

    @in_style
    def plot(self, ax: Any = None) -> "ReliabilityDisplay":
        """Draw into axes, or into a new figure."""
        self.ax_, *axes = panels(ax, (4.5, 4), [(0, 0.32, 1, 0.68), (0, 0, 1, 0.22)])
        self.axes_ = tuple(axes)
        self.figure_ = self.ax_.figure
        plot_reliability(axes[0], axes[1], self.calibration)
        return self


class CoverageDisplay:
    """The accuracy of the predictions that are kept when the unsure ones are dropped.

    Parameters
    ----------
    share, accuracy : ndarray of shape (n_confidences,)
        The share of predictions kept, and how many of them are right.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure

    Examples
    --------
    >>> from sklearn_ser import CoverageDisplay
    >>> probabilities = [[0.1, 0.9], [0.6, 0.4]]
    >>> display = CoverageDisplay.from_predictions(
    ...     ["sad", "sad"], probabilities, classes=["happy", "sad"])
    >>> display.accuracy.tolist()
    [1.0, 0.5]
    """

    def __init__(self, share: ArrayLike, accuracy: ArrayLike):
        self.share, self.accuracy = np.asarray(share), np.asarray(accuracy)

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_proba: ArrayLike, *, classes: ArrayLike, ax: Any = None
    ) -> "CoverageDisplay":
        """Draw it from probabilities; the parameters are those of `ReliabilityDisplay`."""
        proba, classes = np.asarray(y_proba), np.asarray(classes)
        right = classes[proba.argmax(axis=1)] == np.asarray(y_true)
        return cls(*coverage_curve(proba.max(axis=1), right)).plot(ax)

    @classmethod
    def from_estimator(
        cls, estimator: Pipeline, X: Sequence, y: ArrayLike, *, ax: Any = None
    ) -> "CoverageDisplay":
        """Draw it from a fitted pipeline, clips (paths or waveforms) and their emotions."""
        proba = estimator.predict_proba(X)
        return cls.from_predictions(y, proba, classes=estimator.classes_, ax=ax)

    @in_style
    def plot(self, ax: Any = None) -> "CoverageDisplay":
        """Draw into axes, or into a new figure."""
        self.ax_ = new_axes((4.5, 3)) if ax is None else ax
        self.figure_ = self.ax_.figure
        plot_coverage(self.ax_, self.share, self.accuracy)
        return self


class RobustnessDisplay:
    """The UAR of degraded clips: by the strength of noise, and under all else.

    Parameters
    ----------
    stress : dict
        What `sklearn_ser.metrics.score_robustness` returns; `metrics["stress"]` of a run that was
        fitted with `stress=True`.

    Attributes
    ----------
    ax_ : Axes
        Around both panels.
    axes_ : tuple of Axes
        Noise on the left, the others on the right.
    figure_ : Figure
    """

    def __init__(self, stress: Stress | Mapping[str, Any]):
        if any("strength" not in row for row in stress["conditions"]):
            raise OptionError("`stress` is of an older version without strengths: measure it anew.")
        self.stress = stress

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        predicted: "Mapping[Condition, np.ndarray]",
        *,
        speakers: ArrayLike | None = None,
        ax: Any = None,
    ) -> "RobustnessDisplay":
        """Draw it from predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            Emotions.
        predicted : mapping of Condition to ndarray of shape (n_clips,)
            What `sklearn_ser.metrics.robustness.predict_degraded` returned.
        speakers : array-like of shape (n_clips,), default=None
            For the intervals.
        ax : matplotlib.axes.Axes, default=None
        """
        return cls(score_degraded(y_true, predicted, speakers)).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Pipeline,
        X: Sequence,
        y: ArrayLike,
        *,
        speakers: ArrayLike | None = None,
        noise: "Noise | None" = None,
        seed: int = 0,
        ax: Any = None,
    ) -> "RobustnessDisplay":
        """Draw it from a fitted pipeline, clips (paths or waveforms) and their emotions."""
        stress = score_robustness(estimator, X, y, speakers=speakers, noise=noise, seed=seed)
        return cls(stress).plot(ax)

    @in_style
    def plot(self, ax: Any = None) -> "RobustnessDisplay":
        """Draw into axes, or into a new figure."""
        self.ax_, *axes = panels(ax, (9, 4.5), [(0, 0, 0.42, 0.85), (0.66, 0, 0.34, 1)])
        self.axes_ = tuple(axes)
        self.figure_ = self.ax_.figure
        for one, plot in zip(axes, (plot_noises, plot_others), strict=True):
            plot(one, self.stress["conditions"], self.stress["chance"]["uar"])
        return self
