"""Neighbouring windows of one emotion, merged into segments of a timeline without overlap."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sklearn_ser.inference.stream import SILENCE, EmotionEvent

__all__ = ["Segment", "SegmentMerger", "merge"]


@dataclass
class Segment:
    """A stretch of one emotion.

    Attributes
    ----------
    start, end : float
        In seconds. A window speaks for the time around its centre, half a hop to each side; the
        first and the last window speak for their outer ends as well.
    emotion : str
        The smoothed emotion of its windows, or `"silence"`.
    n_windows : int
    total : dict of str to float
        The probabilities of its windows, summed.
    warnings : list of str
        What was said of its windows, each once.
    """

    start: float
    end: float
    emotion: str
    n_windows: int = 0
    total: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def probabilities(self) -> dict[str, float]:
        """The mean probability of every emotion."""
        return {name: value / self.n_windows for name, value in self.total.items()}

    @property
    def confidence(self) -> float:
        """The mean probability of the segment's emotion; NaN for silence."""
        return self.probabilities.get(self.emotion, np.nan)

    @property
    def warning(self) -> str | None:
        """What was said of its windows."""
        return " | ".join(self.warnings) or None

    def add(self, event: EmotionEvent) -> None:
        """Take in a window."""
        self.end = event.end
        self.n_windows += 1
        for name, value in event.probabilities.items():
            self.total[name] = self.total.get(name, 0.0) + value
        warning = (event.warning or "").split(" (")[0]  # without the figures of the one window
        if warning and warning not in self.warnings and len(self.warnings) < 5:
            self.warnings.append(warning)


class SegmentMerger:
    """Merges the events of a stream as they come."""

    def __init__(self) -> None:
        self._open: Segment | None = None
        self._centre = 0.0

    def push(self, event: EmotionEvent) -> list[Segment]:
        """Take in an event, and return the segment that it ends, if it does.

        Parameters
        ----------
        event : EmotionEvent

        Returns
        -------
        segments : list of at most one Segment
        """
        emotion = event.smoothed if event.error is None else SILENCE
        centre = (event.start + event.end) / 2
        ended = []
        if self._open is not None and self._open.emotion != emotion:
            self._open.end = (self._centre + centre) / 2
            ended = [self._open]
            self._open = Segment(self._open.end, event.end, emotion)
        elif self._open is None:
            self._open = Segment(event.start, event.end, emotion)
        self._open.add(event)
        self._centre = centre
        return ended

    def finish(self) -> list[Segment]:
        """Return the last segment, if there is one."""
        last = [] if self._open is None else [self._open]
        self._open = None
        return last


def merge(events: Iterable[EmotionEvent]) -> list[Segment]:
    """Merge neighbouring events of one smoothed emotion.

    Parameters
    ----------
    events : iterable of EmotionEvent
        Those of one recording, in order.

    Returns
    -------
    segments : list of Segment
    """
    merger = SegmentMerger()
    segments = [segment for event in events for segment in merger.push(event)]
    return segments + merger.finish()
