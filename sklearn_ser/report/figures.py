"""The pictures of a run, drawn without a screen."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = ["draw_confusion_matrix", "draw_training_curves"]


def draw_confusion_matrix(
    truth: ArrayLike, predicted: ArrayLike, path: Path, title: str
) -> np.ndarray:
    """Draw how often each emotion was taken for each other.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_clips,)
        Emotions.
    path : Path
        The PNG file to write.
    title : str

    Returns
    -------
    counts : ndarray of shape (n_emotions, n_emotions)
        Rows are the truth, columns the predictions.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    emotions = np.union1d(truth, predicted)
    counts = confusion_matrix(truth, predicted, labels=emotions)
    size = 2.5 + 0.6 * len(emotions)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    display = ConfusionMatrixDisplay(counts, display_labels=emotions)
    display.plot(ax=axes, cmap="Blues", colorbar=False, xticks_rotation=45)
    axes.set(title=title, xlabel="predicted", ylabel="truth")
    figure.savefig(path, dpi=110)
    return counts


def draw_training_curves(history: pd.DataFrame, best_epoch: int, path: Path) -> None:
    """Draw loss and accuracy by epoch, with the epoch that was kept.

    Parameters
    ----------
    history : DataFrame
        The `history_` of a network.
    best_epoch : int
        The epoch kept, counted from 1.
    path : Path
        The PNG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column, label in [(quantity, "training"), (f"val_{quantity}", "validation")]:
            if column in history:
                axes.plot(history["epoch"], history[column], label=label)
        axes.axvline(best_epoch, color="grey", linestyle=":", label=f"kept: epoch {best_epoch}")
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.legend()
    figure.savefig(path, dpi=110)
