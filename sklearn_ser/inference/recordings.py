"""Predictions of recordings of any length: a row for each window or segment."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sklearn_ser._files import printable
from sklearn_ser.audio.decoding import Channel
from sklearn_ser.audio.header import count_channels
from sklearn_ser.audio.opening import rereadable
from sklearn_ser.exceptions import AudioError
from sklearn_ser.inference.segments import Segment, SegmentMerger
from sklearn_ser.inference.stream import EmotionEvent, EmotionStream, settings_of
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
    split : bool, default=False
        Whether each channel has rows of its own, instead of the mean of all channels.

    Attributes
    ----------
    n_channels : int
        Of the recording that was read last, where channels are split; 0 if it could not be read.
    """

    def __init__(
        self,
        stream: EmotionStream,
        *,
        segments: bool = False,
        figure: Path | None = None,
        split: bool = False,
    ):
        self.stream = stream
        self.segments = segments
        self.figure = figure
        self.split = split
        self.n_channels = 0

    @property
    def columns(self) -> list[str]:
        """The names of a row's columns."""
        extra = () if self.segments else ("speech", "smoothed")
        times = ("channel", "start", "end") if self.split else ("start", "end")
        return self.stream.predictor.columns(*times, extra=extra)

    def rows(self, source: Any) -> Iterator[list[Row]]:
        """Yield the rows of a recording, as they are made; those of a channel after another's.

        A recording that cannot be read, or not to its end, has a last row that says why; so has
        each channel.

        Parameters
        ----------
        source : str, Path, bytes, or binary file object

        Yields
        ------
        rows : list of dict
            The columns path, channel (where channels are split), start and end (seconds), emotion,
            confidence, error, p_EMOTION for each emotion, for windows speech and smoothed, and
            warning.
        """
        self.n_channels = 0
        tracks: dict[str, tuple[Envelope, list[Segment]]] = {}
        name = printable(Path(str(source)).name)
        if not self.split:
            yield from self._track(source, source, None, tracks, name)
        else:
            settings = settings_of(self.stream.predictor)
            with contextlib.ExitStack() as stack:
                try:
                    again = stack.enter_context(rereadable(source))
                    self.n_channels = count_channels(again, settings, str(source))
                except AudioError as reason:
                    yield [self._error_row(source, None, str(reason))]
                for i in range(self.n_channels):
                    channel = Channel(again, i, str(source))
                    title = f"{name}, channel {i}"
                    yield from self._track(source, channel, i, tracks, title)
        if self.figure is not None and any(segments for _, segments in tracks.values()):
            draw_timeline(tracks, self.figure)

    def _track(
        self,
        source: Any,
        read: Any,
        channel: int | None,
        tracks: dict[str, tuple[Envelope, list[Segment]]],
        title: str,
    ) -> Iterator[list[Row]]:
        """Yield the rows of a recording or of one of its channels, and add to what is drawn."""
        merger = SegmentMerger()
        envelope, merged = tracks[title] = (Envelope(self.stream.sr), [])
        error = None
        try:
            for events in self._events(read, envelope):
                ended = [segment for event in events for segment in merger.push(event)]
                merged += ended
                items = ended if self.segments else events
                yield [self._row(source, channel, item) for item in items]
        except AudioError as reason:
            error = str(reason)
        last = merger.finish()
        merged += last
        if self.segments and last:
            yield [self._row(source, channel, item) for item in last]
        if error is not None:
            yield [self._error_row(source, channel, error)]

    def _events(self, source: Any, envelope: Envelope) -> Iterator[list[EmotionEvent]]:
        for y in self.stream.blocks(source):
            if self.figure is not None:
                envelope.push(y)
            yield self.stream.push(y) if len(y) else []
        yield self.stream.finish()

    def _error_row(self, source: Any, channel: int | None, error: str) -> Row:
        row: Row = dict.fromkeys(self.columns)
        row |= {"path": str(source), "error": error}
        return row | ({"channel": channel} if self.split else {})

    def _row(self, source: Any, channel: int | None, item: EmotionEvent | Segment) -> Row:
        row: Row = {
            "path": str(source),
            **({"channel": channel} if self.split else {}),
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
