"""A live session: its waveform, its level, and how long each emotion was heard."""

from collections import defaultdict

import numpy as np

from sklearn_ser.inference.segments import Segment, SegmentMerger
from sklearn_ser.inference.stream import EmotionEvent
from sklearn_ser.inference.timeline import Envelope

__all__ = ["NO_PREDICTION", "NO_SPEECH", "Session"]

NO_SPEECH, NO_PREDICTION = "no speech", "no prediction"


class Session:
    """What was heard so far.

    Parameters
    ----------
    rate : int
        Sampling rate of the samples, in Hz.

    Attributes
    ----------
    envelope : Envelope
    event : EmotionEvent or None
        The latest window.
    level : float
        Root mean square of the latest samples in dB of full scale; minus infinity of silence.
    clipped : bool
        Whether any of them is at full scale.
    """

    def __init__(self, rate: int):
        self.envelope = Envelope(rate)
        self.event: EmotionEvent | None = None
        self.level, self.clipped = -np.inf, False
        self._merger = SegmentMerger()
        self._ended: list[Segment] = []

    def hear(self, y: np.ndarray) -> None:
        """Take in samples, of shape (n_times,)."""
        self.envelope.push(y)
        peak = float(np.abs(y).max(initial=0.0))
        self.clipped = peak >= 1
        with np.errstate(divide="ignore"):
            self.level = float(20 * np.log10(np.sqrt(np.mean(np.square(y))))) if peak else -np.inf

    def take(self, event: EmotionEvent) -> None:
        """Take in the prediction of a window."""
        self._ended.extend(self._merger.push(event))
        self.event = event

    @property
    def segments(self) -> list[Segment]:
        """The segments so far, the one that goes on included."""
        last = self._merger.current
        return self._ended if last is None else [*self._ended, last]

    def seconds(self) -> dict[str, float]:
        """Return how long each emotion was heard, the longest first, then without speech."""
        total: defaultdict[str, float] = defaultdict(float)
        for segment in self.segments:
            total[name_of(segment)] += segment.end - segment.start
        order = sorted(total, key=lambda name: (name in (NO_SPEECH, NO_PREDICTION), -total[name]))
        return {name: total[name] for name in order}

    def ribbon(self, n_cells: int, seconds: float = 60.0) -> list[str | None]:
        """Return the emotion of each cell of the last seconds; None where there was nothing yet.

        Parameters
        ----------
        n_cells : int
        seconds : float, default=60.0
        """
        end = self.event.end if self.event is not None else 0.0
        times = end - seconds * (1 - (np.arange(n_cells) + 0.5) / n_cells)
        cells: list[str | None] = [None] * n_cells
        for segment in reversed(self.segments):
            if segment.end < end - seconds:
                break
            for i in np.flatnonzero((segment.start <= times) & (times < segment.end)):
                cells[i] = name_of(segment)
        return cells


def name_of(segment: Segment) -> str:
    """Return what a person reads of a segment."""
    if segment.error is not None or segment.emotion is None:
        return NO_PREDICTION
    return segment.emotion if segment.speech else NO_SPEECH
