"""What the report of a search shows of its candidates, and what was chosen against the test set."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sklearn_ser.report.charts import FAINT, FIRST, INK, PANEL, SECOND, Chart, _finish, _start
from sklearn_ser.report.first_screen import strip_of
from sklearn_ser.report.style import in_style

__all__ = ["draw_candidates", "search_section"]

MOST_ROWS = 100  # of the table, the best first
MOST_AXES = 5  # of the plot
# Lines cross at the words: a little ground keeps them apart.
WORDS: dict[str, Any] = {
    "color": INK, "va": "center", "fontsize": 9, "zorder": 4,
    "bbox": {"facecolor": PANEL, "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
}  # fmt: skip


def search_section(metrics: Mapping[str, Any], cv_results: pd.DataFrame) -> dict[str, Any]:
    """Return what the page shows of a search.

    Parameters
    ----------
    metrics : mapping
        As in metrics.json, with its key search.
    cv_results : DataFrame
        A row per candidate, the best first, as in cv_results.csv; params holds dicts.

    Returns
    -------
    content : dict
        about (metrics["search"]), strip, names of the parameters, rows, n_more, charts, nested.
    """
    about = metrics["search"]
    rows = cv_results.reset_index(drop=True)
    names = list(dict.fromkeys(name for params in rows["params"] for name in params))
    shown = [
        {
            "values": [str(row["params"].get(name, "–")) for name in names],
            "uar": row["mean_test_score"],
            "sd": row["std_test_score"],
            "n_clips": int(row["n_resources"]) if "n_resources" in rows else None,
            "chosen": place == 0,
        }
        for place, row in rows.head(MOST_ROWS).iterrows()
    ]
    return {
        "about": about,
        "strip": strip_of(
            metrics["uar"], metrics.get("uar_interval"), metrics["chance"]["uar"],
            about["best_uar"], "search",
        ),
        "names": [name.replace("__", ".") for name in names],
        "rows": shown,
        "n_more": max(0, len(rows) - MOST_ROWS),
        "charts": draw_candidates(rows),
        "nested": about.get("nested", []),
    }  # fmt: skip


@in_style
def draw_candidates(cv_results: pd.DataFrame) -> list[Chart]:
    """Draw each candidate as a line through its parameters to its UAR; the best is bold.

    Parameters
    ----------
    cv_results : DataFrame
        As for :func:`search_section`.

    Returns
    -------
    charts : list of Chart
        One, or none where no parameter has two values.
    """
    values = pd.DataFrame(
        [{name: str(value) for name, value in params.items()} for params in cv_results["params"]]
    ).fillna("–")
    places = {str(name): _order(values[name]) for name in values if values[name].nunique() > 1}
    names = list(places)[:MOST_AXES]
    if not names:
        return []
    figure, axes = _start()
    figure.set_size_inches(2.2 + 1.3 * len(names), 3.4)
    figure.subplots_adjust(left=0.1, right=0.88, bottom=0.16)
    uar = cv_results["mean_test_score"].to_numpy()
    low, high = float(uar.min()), float(uar.max())
    heights = {
        name: [places[name][value] / (len(places[name]) - 1) for value in values[name]]
        for name in names
    }
    span = (high - low) or 1.0
    for row in reversed(range(len(uar))):
        ys = [*(heights[name][row] for name in names), (uar[row] - low) / span]
        chosen = row == 0
        axes.plot(
            range(len(ys)), ys, color=SECOND if chosen else FIRST, linewidth=2.5 if chosen else 1,
            alpha=1 if chosen else 0.15 + 0.45 * ys[-1],
        )  # fmt: skip
    for x, name in enumerate(names):
        axes.axvline(x, color=FAINT, linewidth=1, zorder=0)
        for value, place in places[name].items():
            y = place / (len(places[name]) - 1)
            axes.text(x, y, value, ha="center", **WORDS)
    axes.axvline(len(names), color=FAINT, linewidth=1, zorder=0)
    for y, score in ((0, low), (1, high)):
        axes.text(len(names), y, f"{score:.3f}", ha="center", **WORDS)
    labels = [name.rpartition("__")[2] for name in names]
    axes.set_xticks(range(len(names) + 1), [*labels, "UAR"])
    axes.set(yticks=[], ylim=(-0.05, 1.05))
    axes.spines[["left", "bottom"]].set_visible(False)
    best = ", ".join(f"{name.rpartition('__')[2]} {values[name][0]}" for name in names)
    alt = (
        f"{len(uar)} candidates as lines from their parameters to their UAR, from {low:.3f} to "
        f"{high:.3f}. Bold: the best, with {best}."
    )
    return [_finish(figure, "candidates", "Candidates", alt)]


def _order(values: pd.Series) -> dict[str, int]:
    """Return the place of each value on its axis: numbers by size, words by the alphabet."""

    def key(value: str) -> tuple[bool, float, str]:
        try:
            return (False, float(value), "")
        except ValueError:
            return (True, 0.0, value)

    return {value: place for place, value in enumerate(sorted(set(values), key=key))}
