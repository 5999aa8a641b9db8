"""Predictions of recordings of any length: a row for each window or segment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sklearn_ser._files import printable
from sklearn_ser.exceptions import AudioError
from sklearn_ser.inference.segments import Segment, SegmentMerger
from sklearn_ser.inference.stream import EmotionEvent, EmotionStream
from sklearn_ser.inference.timeline import Envelope, draw_timeline

__all__ = ["RecordingReader"]

Row = dict[str, Any]


class RecordingReader:
    """Turns recordings into rows, window by window or segment by segment.

    Parameters
    ----------
    stream : EmotionStream
    segments : bool, default=False
        Whether rows are segments instead of windows.
    figure : Path, default=None
        Where to draw the timeline of the recording that is read.
    """

    def __init__(
        self, stream: EmotionStream, *, segments: bool = False, figure: Path | None = None
    ):
        self.stream = stream
        self.segments = segments
        self.figure = figure

    @property
    def columns(self) -> list[str]:
        """The names of a row's columns."""
        extra = () if self.segments else ("speech", "smoothed")
        return self.stream.predictor.columns("start", "end", extra=extra)

    def rows(self, source: Any) -> Iterator[list[Row]]:
        """Yield the rows of a recording, as they are made.

        A recording that cannot be read, or not to its end, has a last row that says why.

        Parameters
        ----------
        source : str, Path, bytes, or binary file object

        Yields
        ------
        rows : list of dict
            The columns path, start and end (seconds), emotion, confidence, error, p_EMOTION for
            each emotion, for windows speech and smoothed, and warning.
        """
        merger, merged = SegmentMerger(), []
        envelope = Envelope(self.stream.sr)
        error = None
        try:
            for events in self._events(source, envelope):
                ended = [segment for event in events for segment in merger.push(event)]
                merged += ended
                yield [self._row(source, item) for item in (ended if self.segments else events)]
        except AudioError as reason:
            error = str(reason)
        last = merger.finish()
        merged += last
        if self.segments and last:
            yield [self._row(source, item) for item in last]
        if error is not None:
            row: Row = dict.fromkeys(self.columns)
            yield [row | {"path": str(source), "error": error}]
        if self.figure is not None and merged:
            draw_timeline(envelope, merged, self.figure, printable(Path(str(source)).name))

    def _events(self, source: Any, envelope: Envelope) -> Iterator[list[EmotionEvent]]:
        for y in self.stream.blocks(source):
            if self.figure is not None:
                envelope.push(y)
            yield self.stream.push(y) if len(y) else []
        yield self.stream.finish()

    def _row(self, source: Any, item: EmotionEvent | Segment) -> Row:
        row: Row = {
            "path": str(source),
            "start": item.start,
            "end": item.end,
            "emotion": item.emotion,
            "confidence": item.confidence,
            "error": item.error,
            **{f"p_{name}": value for name, value in item.probabilities.items()},
        }
        if isinstance(item, EmotionEvent):
            row |= {"speech": item.speech, "smoothed": item.smoothed}
        return row | {"warning": item.warning}
