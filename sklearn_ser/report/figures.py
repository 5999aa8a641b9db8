"""PNG figures of a run, a search and a comparison, drawn without a screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklearn_ser.report.charts import plot_history
from sklearn_ser.report.style import PALETTE, heat, in_style

__all__ = [
    "draw_comparison",
    "draw_confusion_matrix",
    "draw_search",
    "draw_training_curves",
    "plot_confusion",
]

SCORES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro F1"}
MOST_CANDIDATES = 30  # in one figure, the best first


@in_style
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
    from sklearn.metrics import confusion_matrix

    emotions = np.union1d(truth, predicted)
    counts = confusion_matrix(truth, predicted, labels=emotions)
    size = 2.5 + 0.6 * len(emotions)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    plot_confusion(axes, counts, emotions)
    axes.set_title(title)
    figure.savefig(path, dpi=110)
    return counts


def plot_confusion(axes: Any, counts: ArrayLike, emotions: ArrayLike) -> None:
    """Plot a confusion matrix: a cell is as dark as its share of its row, and holds its count.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    counts : array-like of shape (n_emotions, n_emotions)
        Rows are the truth, columns the predictions.
    emotions : array-like of shape (n_emotions,)
    """
    counts, emotions = np.asarray(counts), np.asarray(emotions)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=heat(), vmin=0, vmax=1, aspect="equal")
    for i, j in np.ndindex(*counts.shape):
        paper = shares[i, j] > 0.7  # light letters on dark cells
        color = PALETTE["paper" if paper else "ink"]
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=color)
    places = range(len(emotions))
    axes.set_xticks(places, emotions, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, emotions)
    axes.tick_params(length=0)
    axes.set(xlabel="predicted", ylabel="truth")
    for side in axes.spines.values():
        side.set_visible(False)


@in_style
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
        plot_history(axes, history, quantity, best_epoch)
        axes.set(xlabel="epoch", ylabel=quantity)
    figure.savefig(path, dpi=110)


@in_style
def draw_search(cv_results: pd.DataFrame, path: Path, title: str) -> None:
    """Draw the UAR of the best candidates: a dot for each fold, a bar at their mean.

    Parameters
    ----------
    cv_results : DataFrame
        A row per candidate, the best first, as `GridSearchCV` reports it.
    path : Path
        The PNG file to write.
    title : str
    """
    from matplotlib.figure import Figure

    shown = cv_results.head(MOST_CANDIDATES)
    folds = shown.filter(regex=r"^split\d+_test_score$")
    labels = [_candidate(row) for _, row in shown.iterrows()]
    figure = Figure(figsize=(9, 1.4 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for place, (scores, mean) in enumerate(
        zip(folds.to_numpy(), shown["mean_test_score"], strict=True)
    ):
        axes.plot(
            scores, [place] * len(scores), "o", color=PALETTE["first"], alpha=0.35, markersize=5
        )
        axes.plot(mean, place, "|", color=PALETTE["second"], markersize=16, markeredgewidth=2.5)
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel="UAR: a dot for each fold, a bar at their mean")
    axes.grid(axis="x")
    if len(cv_results) > MOST_CANDIDATES:
        title += f" (the best {MOST_CANDIDATES} of {len(cv_results)})"
    axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=150)


def _candidate(row: pd.Series) -> str:
    words = [f"{name.removeprefix('clf__')}={value}" for name, value in row["params"].items()]
    if "n_resources" in row:
        words.append(f"({int(row['n_resources'])} clips)")
    return ", ".join(words) or "defaults"


def draw_comparison(rows: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw every score with its interval, a panel per score and a colour per split.

    Parameters
    ----------
    rows : sequence of dict
        The rows of a comparison.
    path : Path
        The PNG file to write.
    title : str
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row["clf"] for row in rows))
    splits = list(dict.fromkeys(row["split"] for row in rows))
    height = 1.7 + 0.18 * len(names) * (len(splits) + 1)
    figure = Figure(figsize=(10, height), layout="constrained")
    panels = figure.subplots(1, len(SCORES), sharey=True)
    for axes, (score, name) in zip(panels, SCORES.items(), strict=True):
        for i, split in enumerate(splits):
            here = [row for row in rows if row["split"] == split]
            values = [row[score] for row in here]
            ends = [row[f"{score}_interval"] for row in here]
            # A percentile interval need not hold the score itself.
            beyond = [
                [max(0, v - low) for v, (low, _) in zip(values, ends, strict=True)],
                [max(0, high - v) for v, (_, high) in zip(values, ends, strict=True)],
            ]
            label = f"{split} split" + ", transductive" * any(row["transductive"] for row in here)
            shift = (i - (len(splits) - 1) / 2) * 0.7 / len(splits)
            places = [names.index(row["clf"]) + shift for row in here]
            axes.errorbar(
                values, places, xerr=beyond, fmt="osD^"[i % 4], capsize=3, label=label, zorder=3
            )
        levels = {row["chance"].get(score) for row in rows}
        if len(levels) == 1 and (chance := levels.pop()) is not None:
            axes.axvline(chance, color="0.5", linestyle="--", linewidth=1)
            axes.annotate(
                "chance", (chance, 1), xycoords=("data", "axes fraction"),
                xytext=(3, -3), textcoords="offset points", fontsize=8, color="0.4", va="top",
            )  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), xlabel=name)
        axes.grid(axis="x")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.suptitle(title)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(splits), frameon=False)
    figure.savefig(path, dpi=150)
