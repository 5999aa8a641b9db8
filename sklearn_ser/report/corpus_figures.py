"""Figures of a corpus: clips by emotion and speaker, durations, waveforms and spectrograms."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.audio.decoding import load_audio
from sklearn_ser.exceptions import AudioError
from sklearn_ser.report.charts import draw_mel, draw_wave
from sklearn_ser.report.example_clips import ExampleClip, choose_examples
from sklearn_ser.report.style import color_emotions, in_style

__all__ = ["explore"]

SR = 22050
COLUMNS = 3
MOST_SECONDS = 10.0  # of a clip in a figure
MOST_BARS = 60


def explore(table: pd.DataFrame, seconds: pd.Series) -> Iterator[tuple[str, Any]]:
    """Draw a corpus.

    Parameters
    ----------
    table : DataFrame
        A corpus.
    seconds : Series
        The duration of each clip in seconds, with the index of the table; NaN where the clip
        cannot be read.

    Yields
    ------
    name : {"emotions", "durations", "speakers", "waveforms", "spectrograms"}
        speakers only where they are known; the last three and durations only where a clip can be
        read.
    figure : matplotlib.figure.Figure
    """
    yield "emotions", _draw_counts(table, "emotion", "speaker")
    if table["speaker"].notna().any():
        yield "speakers", _draw_counts(table, "speaker", "emotion")
    readable = table[seconds.notna()]
    if len(readable):
        yield "durations", _draw_durations(readable["emotion"], seconds.dropna())
    clips, about = _examples(readable)
    if clips:
        longest = max(len(clip.y) / clip.sr for clip in clips.values())
        for name, draw in [("waveforms", draw_wave), ("spectrograms", draw_mel)]:
            yield name, _draw_grid(clips, draw, longest, f"{name.title()}, {about}")


def _examples(table: pd.DataFrame) -> tuple[dict[str, ExampleClip], str]:
    """Return a clip of each emotion, and what they have in common."""
    chosen = choose_examples(table)
    clips = {}
    for emotion, row in chosen.items():
        try:
            y = load_audio(table["path"].iloc[row], SR, duration=MOST_SECONDS)
        except AudioError:  # a header may be better than what follows
            continue
        clips[emotion] = ExampleClip(y, SR, cut=False)
    common = []
    for column in ("speaker", "text"):
        values = table[column].iloc[list(chosen.values())].dropna().unique()
        if len(values) == 1:
            common.append(f"{column} {values[0]}")
    return clips, ", ".join(common) or "one clip of each emotion"


@in_style
def _draw_counts(table: pd.DataFrame, column: str, stack_by: str) -> Any:
    """Draw the clips of each value of a column, stacked by another column of few values."""
    figure, axes = _start((8, 4.5))
    counts = table[column].fillna("not known").astype(str)
    stackable = table[stack_by].nunique() <= 10 and table[stack_by].notna().all()
    by = table[stack_by].astype(str) if stackable else pd.Series("clips", index=table.index)
    stacked = pd.crosstab(counts, by)
    left_out = max(0, len(stacked) - MOST_BARS)
    if left_out:
        kept = stacked.sum(axis=1).nlargest(MOST_BARS).index
        stacked = stacked.loc[kept]
    bottom = np.zeros(len(stacked))
    colors = color_emotions(map(str, stacked)) if stack_by == "emotion" else {}
    for name in stacked:
        color = colors.get(str(name))
        axes.bar(stacked.index, stacked[name], bottom=bottom, label=name, color=color)
        bottom += stacked[name].to_numpy()
    if stackable:
        axes.legend(title=stack_by, loc="center left", bbox_to_anchor=(1, 0.5))
    if len(stacked) > 12:
        axes.tick_params(axis="x", rotation=90, labelsize=7)
    title = f"{len(table)} clips by {column}"
    if left_out:
        title += f": the {MOST_BARS} largest of {MOST_BARS + left_out}"
    axes.set(title=title, ylabel="clips", xlabel=column)
    return figure


@in_style
def _draw_durations(emotions: pd.Series, seconds: pd.Series) -> Any:
    """Draw how long clips are, all together and emotion by emotion."""
    figure, (whole, each) = _start((8, 6.5), rows=2)
    whole.hist(seconds, bins="auto" if len(seconds) > 30 else 10)
    whole.set(title=f"Durations of {len(seconds)} clips", xlabel="duration (s)", ylabel="clips")
    names = sorted(emotions.unique())
    each.boxplot(
        [seconds[emotions == name] for name in names], tick_labels=names, flierprops={"ms": 3}
    )
    each.set(ylabel="duration (s)", xlabel="emotion")
    if len(names) > 12:
        each.tick_params(axis="x", rotation=90)
    return figure


@in_style
def _draw_grid(clips: dict[str, ExampleClip], draw: Any, longest: float, title: str) -> Any:
    rows = -(-len(clips) // COLUMNS)
    figure, axes = _start((10, 1 + 2.1 * rows), rows=rows, columns=COLUMNS)
    grid = np.ravel(axes)
    for place, (emotion, clip) in zip(grid, clips.items(), strict=False):
        draw(place, clip)
        place.set(title=emotion, xlim=(0, longest), xlabel="time (s)")
    for place in grid[len(clips) :]:
        place.set_axis_off()
    figure.suptitle(title)
    return figure


def _start(size: tuple[float, float], rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns)
