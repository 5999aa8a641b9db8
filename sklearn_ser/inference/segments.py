"""Segments: neighbouring windows of one emotion, merged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_ser._files import nan_to_none
from sklearn_ser.inference.predictor import SILENCE, SILENT, Prediction, Predictor
from sklearn_ser.inference.stream import EmotionEvent

__all__ = ["Segment", "SegmentMerger", "merge", "summarize"]

MOST_WARNINGS = 5  # of a segment; more would repeat the same in other words


@dataclass
class Segment:
    """A stretch of one emotion.

    Its emotion is the most probable one in all of its windows' smoothed probabilities, and so in
    their mean, too.

    Attributes
    ----------
    start, end : float
        In seconds. A window speaks for the time around its centre, half a hop to each side; the
        first and the last window speak for their outer ends as well.
    emotion : str or None
        The smoothed emotion of its windows, or `"silence"`; None where there was an error.
    speech : bool
        Whether there is speech in its windows.
    n_windows : int
    total : dict of str to float
        The smoothed probabilities of its windows, summed.
    warnings : list of str
        The warnings of its windows, each once.
    error : str or None
        Why there is no prediction of its windows.
    """

    start: float
    end: float
    emotion: str | None
    speech: bool
    n_windows: int = 0
    total: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def probabilities(self) -> dict[str, float]:
        """The mean smoothed probability of every emotion; NaN for silence and errors."""
        return {name: value / self.n_windows for name, value in self.total.items()}

    @property
    def confidence(self) -> float:
        """The greatest of the probabilities; NaN for silence and errors."""
        return max(self.probabilities.values(), default=np.nan)

    @property
    def warning(self) -> str | None:
        """The warnings of its windows."""
        return " | ".join(self.warnings) or None

    def add(self, event: EmotionEvent) -> None:
        """Take in a window."""
        self.end = event.end
        self.n_windows += 1
        for name, value in event.smoothed_probabilities.items():
            self.total[name] = self.total.get(name, 0.0) + value
        warning = (event.warning or "").split(" (")[0]  # without the figures of the one window
        if warning and warning not in self.warnings and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(warning)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON has it, with None for NaN."""
        names = ("start", "end", "emotion", "confidence", "probabilities", "warning", "error")
        return nan_to_none({name: getattr(self, name) for name in names})


class SegmentMerger:
    """Merges the events of a stream as they come.

    Attributes
    ----------
    current : Segment or None
        The segment that the next event goes on with or ends.
    """

    def __init__(self) -> None:
        self.current: Segment | None = None
        self._centre = 0.0  # of the latest window, in seconds

    def push(self, event: EmotionEvent) -> list[Segment]:
        """Take in an event, and return the segment that it ends, if it does.

        Parameters
        ----------
        event : EmotionEvent

        Returns
        -------
        segments : list of at most one Segment
        """
        centre = (event.start + event.end) / 2
        ended = []
        start = event.start
        same = (event.smoothed, event.speech)
        if self.current is not None and (self.current.emotion, self.current.speech) != same:
            self.current.end = start = (self._centre + centre) / 2
            ended = [self.current]
        if self.current is None or ended:
            self.current = Segment(start, event.end, *same, error=event.error)
        self.current.add(event)
        self._centre = centre
        return ended

    def finish(self) -> list[Segment]:
        """Return the last segment, if there is one."""
        last = [] if self.current is None else [self.current]
        self.current = None
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


def summarize(events: Sequence[EmotionEvent], predictor: Predictor) -> Prediction:
    """Return the prediction of a whole recording: of the mean probabilities of its speech.

    Parameters
    ----------
    events : sequence of EmotionEvent
        Those of one recording.
    predictor : Predictor
        The one that predicted them.

    Returns
    -------
    prediction : Prediction
        Its error is that of the first window where no window could be predicted.
    """
    speech = [event for event in events if event.speech]
    if not speech:
        nothing = np.full(len(predictor.emotions), np.nan)
        error = next((event.error for event in events if event.error), None)
        if error is not None:
            return Prediction(None, np.nan, nothing, error)
        return Prediction(SILENCE, np.nan, nothing, None, SILENT)
    rows = [[event.probabilities[name] for name in predictor.emotions] for event in speech]
    warnings = [event.warning for event in speech if event.warning]
    warning = f"{len(warnings)} of {len(speech)} windows: {warnings[0]}" if warnings else None
    return predictor.decide(np.mean(rows, axis=0), warning)
