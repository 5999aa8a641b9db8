"""Figure of a recording: its waveform, and the emotion of each segment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline

from sklearn_ser.inference.segments import Segment, merge
from sklearn_ser.inference.stream import EmotionStream
from sklearn_ser.report.style import PALETTE, color_emotions, in_style

__all__ = ["Envelope", "TimelineDisplay", "draw_timeline"]

MOST_BUCKETS = 8192


class Envelope:
    """The highest and lowest samples over time, of a waveform of any length in flat memory.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.inference.timeline import Envelope
    >>> envelope = Envelope(sr=100)
    >>> envelope.push(np.sin(np.arange(1000)))
    >>> time, low, high = envelope.curves()
    >>> len(time) == len(low) == len(high), bool(high.max() > 0.9)
    (True, True)
    """

    def __init__(self, sr: int):
        self.sr = sr
        self._width = 64  # samples in a bucket; doubled when there are too many
        self._low = np.empty(0, dtype=np.float32)
        self._high = np.empty(0, dtype=np.float32)
        self._rest = np.empty(0, dtype=np.float32)

    def push(self, y: np.ndarray) -> None:
        """Take in samples, of shape (n_times,)."""
        y = np.concatenate([self._rest, y])
        n = len(y) // self._width
        whole = y[: n * self._width].reshape(n, self._width)
        self._rest = y[n * self._width :].copy()
        self._low = np.concatenate([self._low, whole.min(axis=1)])
        self._high = np.concatenate([self._high, whole.max(axis=1)])
        while len(self._low) >= 2 * MOST_BUCKETS:
            n = len(self._low) // 2
            last = slice(2 * n, None)  # without a neighbour; it holds its place
            self._low = np.append(self._low[: 2 * n].reshape(n, 2).min(axis=1), self._low[last])
            self._high = np.append(self._high[: 2 * n].reshape(n, 2).max(axis=1), self._high[last])
            self._width *= 2

    def curves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return times in seconds, and the lowest and highest samples there."""
        return np.arange(len(self._low)) * self._width / self.sr, self._low, self._high


@in_style
def draw_timeline(tracks: Mapping[str, tuple[Envelope, Sequence[Segment]]], path: Path) -> None:
    """Draw the segments of a recording over its waveform, and by emotion below it.

    Parameters
    ----------
    tracks : mapping of str to (Envelope, sequence of Segment)
        By title: one, or one for each channel, below each other on one axis of time.
    path : Path
        The image to write; its suffix says what kind.
    """
    from matplotlib.figure import Figure

    spoken = [s for _, segments in tracks.values() for s in segments if s.speech]
    emotions = sorted({s.emotion for s in spoken if s.emotion is not None})
    heights = [2.5, 0.35 * max(1, len(emotions)) + 0.3] * len(tracks)
    figure = Figure(figsize=(12, sum(heights) + 0.2 * len(tracks)), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    for i, (title, (envelope, segments)) in enumerate(tracks.items()):
        axes[2 * i].set(title=title, ylabel="amplitude")
        _draw_track(axes[2 * i], axes[2 * i + 1], envelope, segments, emotions)
    axes[0].set_xlim(0, max(map(_seconds, tracks.values())))
    axes[-1].set_xlabel("time in seconds")
    figure.savefig(path, dpi=120, format=path.suffix[1:])


def _seconds(track: tuple[Envelope, Sequence[Segment]]) -> float:
    """Return how long a track is."""
    time = track[0].curves()[0]
    return max([*time[-1:], *(segment.end for segment in track[1][-1:])], default=0.0)


def _draw_track(
    wave: Any, lanes: Any, envelope: Envelope, segments: Sequence[Segment], emotions: list[str]
) -> None:
    """Draw one waveform with its segments, and a lane for each emotion."""
    time, low, high = envelope.curves()
    wave.fill_between(time, low, high, color=PALETTE["ink"], linewidth=0.4)
    colours = color_emotions(emotions)
    for lane, emotion in enumerate(emotions):
        own = [s for s in segments if s.speech and s.emotion == emotion]
        bars = [(s.start, s.end - s.start) for s in own]
        lanes.broken_barh(bars, (lane - 0.4, 0.8), color=colours[emotion])
        # One shape for all: thousands of spans by themselves would take minutes.
        wave.broken_barh(
            bars, (0, 1), color=colours[emotion], alpha=0.35, transform=wave.get_xaxis_transform()
        )
    lanes.set(yticks=range(len(emotions)), yticklabels=emotions)
    lanes.set_ylim(max(1, len(emotions)) - 0.5, -0.5)
    lanes.grid(axis="x")
    lanes.set_axisbelow(True)


class TimelineDisplay:
    """A recording over time: its waveform, and the emotion of each segment.

    Parameters
    ----------
    envelope : Envelope
    segments : sequence of Segment

    Attributes
    ----------
    ax_ : Axes
        Around both panels.
    axes_ : tuple of Axes
        The waveform above, a lane for each emotion below.
    figure_ : Figure
    """

    def __init__(self, envelope: Envelope, segments: Sequence[Segment]):
        self.envelope, self.segments = envelope, segments

    @classmethod
    def from_predictions(
        cls, segments: Sequence[Segment], waveform: ArrayLike, sr: int, *, ax: Any = None
    ) -> "TimelineDisplay":
        """Draw it from segments.

        Parameters
        ----------
        segments : sequence of Segment
            What `sklearn_ser.inference.segments.merge` made of the events of a stream.
        waveform : array-like of shape (n_times,)
            The recording.
        sr : int
            Its rate, in Hz.
        ax : matplotlib.axes.Axes, default=None
        """
        envelope = Envelope(sr)
        envelope.push(np.asarray(waveform, dtype=np.float32))
        return cls(envelope, segments).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Pipeline,
        source: Any,
        *,
        window: float = 2.0,
        hop: float = 0.5,
        ax: Any = None,
    ) -> "TimelineDisplay":
        """Draw it from a fitted pipeline.

        Parameters
        ----------
        estimator : Pipeline or Predictor
        source : str, Path, or ndarray of shape (n_times,)
            A recording of any length; an array is a waveform at the pipeline's rate.
        window, hop : float
            Length of a window and time between their starts, in seconds.
        ax : matplotlib.axes.Axes, default=None

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_ser import TimelineDisplay, make_pipeline
        >>> noise = np.random.default_rng(0).normal(size=(4, 22050)) / 10
        >>> pipe = make_pipeline("logreg", "mfcc").fit(noise, ["sad", "happy"] * 2)
        >>> display = TimelineDisplay.from_estimator(pipe, noise.ravel(), window=1, hop=1)
        >>> display.segments[-1].end
        4.0
        """
        stream = EmotionStream(estimator, window, hop)
        envelope = Envelope(stream.sr)
        blocks = [source] if isinstance(source, np.ndarray) else stream.blocks(source)
        events = []
        for y in blocks:
            envelope.push(y)
            events += stream.push(y) if len(y) else []
        return cls(envelope, merge([*events, *stream.finish()])).plot(ax)

    @in_style
    def plot(self, ax: Any = None) -> "TimelineDisplay":
        """Draw into axes, or into a new figure."""
        spoken = {s.emotion for s in self.segments if s.speech and s.emotion is not None}
        from sklearn_ser.report.displays import panels  # scores, which predictions do without

        self.ax_, *axes = panels(ax, (9, 3.5), [(0, 0.45, 1, 0.55), (0, 0, 1, 0.4)])
        self.axes_ = tuple(axes)
        self.figure_ = self.ax_.figure
        _draw_track(axes[0], axes[1], self.envelope, self.segments, sorted(spoken))
        for one in axes:
            one.set_xlim(0, _seconds((self.envelope, self.segments)))
        axes[0].set(ylabel="amplitude", xticklabels=[])
        axes[1].set_xlabel("time in seconds")
        return self
