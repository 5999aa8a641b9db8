"""The figures of a run for a paper or a thesis: of one width, in one font, in every format."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import OptionError
from sklearn_ser.report.charts import (
    coverage_curve,
    plot_coverage,
    plot_history,
    plot_reliability,
)
from sklearn_ser.report.figures import plot_confusion
from sklearn_ser.report.stress_charts import plot_noises, plot_others
from sklearn_ser.report.style import PALETTE, figure_style

__all__ = ["FORMATS", "draw_paper_figures", "parse_width"]

FORMATS = ("pdf", "svg", "png")
DOTS_PER_INCH = 300  # of PNG files
INCHES = {"mm": 1 / 25.4, "cm": 1 / 2.54, "in": 1.0, "pt": 1 / 72.27}  # the point of TeX
NARROWEST, WIDEST = 1.5, 20.0  # inches
LETTERS = 8.0  # points: the size of a caption


def parse_width(text: str) -> float:
    """Return a width in inches.

    Examples
    --------
    >>> from sklearn_ser.report.paper_figures import parse_width
    >>> round(parse_width("84mm"), 3), parse_width("3.5in")
    (3.307, 3.5)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(mm|cm|in|pt)\s*", text.lower())
    inches = float(match[1]) * INCHES[match[2]] if match else 0.0
    if not NARROWEST <= inches <= WIDEST:
        raise OptionError(
            f"`width={text}`: give a width from 40mm to 500mm with its unit (mm, cm, in or pt), "
            "such as 84mm for one column and 174mm for two."
        )
    return inches


def check_font(font: str) -> None:
    """Raise `OptionError` for a font that is not on this machine."""
    from matplotlib import font_manager

    if font in ("serif", "sans-serif", "monospace"):
        return
    try:
        font_manager.findfont(font, fallback_to_default=False)
    except ValueError as error:
        raise OptionError(
            f"`font={font}`: this machine has no such font. Give serif, sans-serif, monospace, or "
            "the name of an installed font."
        ) from error


def draw_paper_figures(
    folder: Path,
    metrics: Mapping[str, Any],
    predictions: pd.DataFrame,
    history: pd.DataFrame | None = None,
    *,
    formats: Sequence[str] = FORMATS,
    width: float = 84 / 25.4,
    font: str = "sans-serif",
) -> list[Path]:
    """Draw what a run shows, each figure as a file of each format.

    Parameters
    ----------
    folder : Path
        Where to write.
    metrics : mapping
        What is in metrics.json.
    predictions : DataFrame
        What is in predictions.csv.
    history : DataFrame, default=None
        Loss and accuracy of a network by epoch.
    formats : sequence of {"pdf", "svg", "png"}
    width : float
        In inches.
    font : str, default="sans-serif"

    Returns
    -------
    files : list of Path
    """
    import matplotlib

    check_font(font)
    files = []
    with matplotlib.rc_context(figure_style(font=font, size=LETTERS)):
        matplotlib.rcParams["svg.hashsalt"] = "sklearn-ser"
        for name, figure in _draw(metrics, predictions, history, width):
            for kind in formats:
                path = folder / f"{name}.{kind}"
                # Equal runs leave equal files: no date is noted.
                noted = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
                paper = PALETTE["paper"] if kind == "png" else "none"  # seen on dark screens too
                figure.savefig(
                    path, format=kind, dpi=DOTS_PER_INCH, metadata=noted, facecolor=paper
                )
                files.append(path)
    return files


def _draw(
    metrics: Mapping[str, Any],
    predictions: pd.DataFrame,
    history: pd.DataFrame | None,
    width: float,
) -> Iterator[tuple[str, Any]]:
    """Yield the name and the figure of each."""
    confusion = metrics["confusion_matrix"]
    figure, axes = _start(width, width)
    # Twelve emotions in one column: the numbers become smaller than the names.
    with _letters(min(LETTERS, 18 * width / len(confusion["labels"]))):
        plot_confusion(axes, confusion["counts"], confusion["labels"])
    yield "confusion_matrix", figure
    figure, axes = _start(width, 0.62 * width)
    _plot_emotions(axes, metrics["per_emotion"])
    yield "emotions", figure
    if metrics.get("calibration"):
        figure, (shares, counts) = _start(width, 0.85 * width, rows=(3, 1))
        plot_reliability(shares, counts, metrics["calibration"])
        yield "reliability", figure
        figure, axes = _start(width, 0.62 * width)
        confidence = predictions.filter(regex="^p_").max(axis=1)
        right = predictions["truth"] == predictions["prediction"]
        plot_coverage(axes, *coverage_curve(confidence, right))
        yield "coverage", figure
    if history is not None:
        for quantity in ("loss", "accuracy"):
            figure, axes = _start(width, 0.62 * width)
            plot_history(axes, history, quantity, None)
            axes.set(xlabel="epoch", ylabel=quantity)
            yield f"training_{quantity}", figure
    stress = metrics.get("stress")
    if stress and all("strength" in row for row in stress["conditions"]):
        for name, plot, height in [("noise", plot_noises, 0.95), ("others", plot_others, 1.3)]:
            figure, axes = _start(width, height * width)
            plot(axes, stress["conditions"], stress["chance"]["uar"])
            yield f"robustness_{name}", figure


def _letters(size: float) -> Any:
    import matplotlib

    return matplotlib.rc_context({"font.size": size})


def _plot_emotions(axes: Any, per_emotion: Mapping[str, Mapping[str, float]]) -> None:
    """Plot the recall of each emotion, and their mean, the UAR."""
    recalls = {name: row["recall"] for name, row in per_emotion.items() if row["support"]}
    axes.bar(list(recalls), list(recalls.values()), color=PALETTE["first"], width=0.7)
    mean = float(np.mean(list(recalls.values())))
    axes.axhline(mean, color=PALETTE["ink"], linestyle="--", linewidth=1, label=f"UAR {mean:.3f}")
    axes.set(ylabel="recall", ylim=(0, 1.02))
    axes.tick_params(axis="x", rotation=45)
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)


def _start(width: float, height: float, rows: Sequence[float] = (1,)) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(len(rows), height_ratios=rows)
