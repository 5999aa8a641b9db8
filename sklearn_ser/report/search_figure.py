"""The figure of a search: what each candidate scored, fold by fold."""

from pathlib import Path

import pandas as pd

__all__ = ["draw_search"]

_MOST = 30  # candidates in one figure, the best first


def draw_search(cv_results: pd.DataFrame, path: Path, title: str) -> None:
    """Draw the UAR of the best candidates: a dot a fold, a bar at their mean.

    Parameters
    ----------
    cv_results : DataFrame
        A row per candidate, the best first, as `GridSearchCV` reports it.
    path : Path
        The PNG file to write.
    title : str
    """
    from matplotlib.figure import Figure

    shown = cv_results.head(_MOST)
    folds = shown.filter(regex=r"^split\d+_test_score$")
    labels = [_label(row) for _, row in shown.iterrows()]
    figure = Figure(figsize=(9, 1.4 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for place, (scores, mean) in enumerate(
        zip(folds.to_numpy(), shown["mean_test_score"], strict=True)
    ):
        axes.plot(scores, [place] * len(scores), "o", color="C0", alpha=0.35, markersize=5)
        axes.plot(mean, place, "|", color="C1", markersize=16, markeredgewidth=2.5)
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel="UAR: a dot a fold, a bar their mean")
    axes.grid(axis="x", color="0.9")
    if len(cv_results) > _MOST:
        title += f" (the best {_MOST} of {len(cv_results)})"
    axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=150)


def _label(row: pd.Series) -> str:
    words = [f"{name.removeprefix('clf__')}={value}" for name, value in row["params"].items()]
    if "n_resources" in row:
        words.append(f"({int(row['n_resources'])} clips)")
    return ", ".join(words) or "as it is"
