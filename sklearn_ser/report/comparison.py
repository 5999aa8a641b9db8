"""The figure and the headline of a comparison: random split and unseen speakers side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw_comparison", "headline"]

SCORES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro F1"}


def headline(rows: Sequence[dict[str, Any]]) -> str | None:
    """Say how much of the best random-split score is left on unseen speakers.

    Parameters
    ----------
    rows : sequence of dict
        The rows of a comparison.

    Returns
    -------
    sentence : str or None
        None unless both splits are there.

    Examples
    --------
    >>> from sklearn_ser.report.comparison import headline
    >>> rows = [{"clf": "svm", "split": "random", "uar": 0.99}]
    >>> headline([*rows, {"clf": "svm", "split": "speaker", "uar": 0.14}])
    'Best on a random split: svm, UAR 0.990; on unseen speakers it scores 0.140.'
    """
    by = {(row["clf"], row["split"]): row["uar"] for row in rows}
    names = dict.fromkeys(row["clf"] for row in rows)
    both = [clf for clf in names if (clf, "random") in by and (clf, "speaker") in by]
    if not both:
        return None
    known = max(both, key=lambda clf: by[clf, "random"])
    new = max(both, key=lambda clf: by[clf, "speaker"])
    how = " (transductive)" if any(row.get("transductive") for row in rows) else ""
    sentence = (
        f"Best on a random split: {known}, UAR {by[known, 'random']:.3f}; on unseen speakers{how} "
        f"it scores {by[known, 'speaker']:.3f}"
    )
    if new != known:
        sentence += (
            f", and {new}, the best there, {by[new, 'speaker']:.3f} ({by[new, 'random']:.3f} on a "
            "random split)"
        )
    return sentence + "."


def draw_comparison(
    rows: Sequence[dict[str, Any]], n_emotions: int, path: Path, title: str
) -> None:
    """Draw every score with its interval, a panel per score and a colour per split.

    Parameters
    ----------
    rows : sequence of dict
        The rows of a comparison.
    n_emotions : int
        Of the test clips; guessing gets a UAR of its inverse.
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
        if score == "uar":
            axes.axvline(1 / n_emotions, color="0.5", linestyle="--", linewidth=1)
            axes.annotate(
                "guessing", (1 / n_emotions, 1), xycoords=("data", "axes fraction"),
                xytext=(3, -3), textcoords="offset points", fontsize=8, color="0.4", va="top",
            )  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), xlabel=name)
        axes.grid(axis="x", color="0.9")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.suptitle(title)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(splits), frameon=False)
    figure.savefig(path, dpi=150)
