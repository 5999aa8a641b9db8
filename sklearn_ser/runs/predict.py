"""Predictions of many sources: one row each, or one for each window or segment of a recording."""

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sklearn_ser._files import check_writable
from sklearn_ser.audio.decoding import Channel
from sklearn_ser.audio.header import count_channels, read_header
from sklearn_ser.audio.opening import rereadable
from sklearn_ser.exceptions import AudioError, OptionError, UnfinishedError
from sklearn_ser.inference import EmotionStream, Predictor, find_sources, load_predictor
from sklearn_ser.inference.adaptation import RunningScaler
from sklearn_ser.inference.recordings import RecordingReader
from sklearn_ser.inference.rows import RowFile, check_output
from sklearn_ser.pipelines import find_name
from sklearn_ser.runs.options import Progress

__all__ = ["PredictOptions", "PredictSummary", "RowPrinter", "predict_sources"]

Row = Mapping[str, Any]

CHANNELS = ("mix", "split")
ADAPTATIONS = ("none", "recording", "corpus")
ERRORS_LISTED = 20  # more are in the rows, and only counted here


@dataclass(frozen=True)
class PredictOptions:
    """Options of `predict_sources`, with the command line's names and defaults."""

    trust: bool = False
    abstain_below: float = 0.0
    window: float | None = None  # seconds; None is one row for each source
    hop: float | None = None  # seconds; None is a quarter of the window
    segments: bool = False
    smooth: int = 3
    silence_db: float = -50.0
    vad: str = "energy"
    figure: Path | None = None
    adapt: str = "none"  # or what is scaled by its own clips so far: "recording", "corpus"
    channels: str = "mix"  # or "split": each channel has rows of its own
    n_jobs: int | None = None
    out: Path | None = None  # the table to write
    resume: bool = False


class RowPrinter(Protocol):
    """What shows rows as they are made."""

    def begin(self, columns: Sequence[str], sources: Sequence[str], n_done: int) -> None:
        """Take note of what comes; the first `n_done` sources are in the table already."""

    def add(self, rows: Sequence[Row]) -> None:
        """Show some rows."""


@dataclass
class PredictSummary:
    """What came of a run.

    Attributes
    ----------
    n_sources, n_failed, n_rows : int
        Sources, those that could not be read, and rows, those of earlier runs included.
    errors : list of str
        The first messages of this run.
    n_mono : int
        Sources of one channel, where channels are split.
    was_whole : bool
        Whether the table was finished before, so that there was nothing to do.
    """

    n_sources: int
    n_failed: int = 0
    n_rows: int = 0
    errors: list[str] = field(default_factory=list)
    n_mono: int = 0
    was_whole: bool = False


class _Step(NamedTuple):
    """Some rows of the source in hand."""

    rows: Sequence[Row]
    ends: bool  # the source
    error: str | None = None  # why it could not be read
    detail: str = ""  # how far the source is, for a progress bar
    n_channels: int = 0  # of the source, where channels are split


_Steps = Generator[_Step, None, None]


def predict_sources(
    model: str | os.PathLike,
    names: Sequence[str],
    options: PredictOptions,
    printer: RowPrinter,
    progress: Progress,
) -> PredictSummary:
    """Predict the emotion of each source, and write and show each row as it is made.

    Parameters
    ----------
    model : str or Path
        A run's folder, a model file or `"demo"`.
    names : sequence of str
        What `find_sources` reads.
    options : PredictOptions
    printer : RowPrinter
    progress : callable
        Called with "predict", the number of sources done, their total, and a detail.

    Returns
    -------
    summary : PredictSummary

    Raises
    ------
    OptionError
        If options contradict each other, or `resume` finds the table of something else.
    CorpusError
        If a name means no source.
    ModelError
        If the model cannot be loaded.
    OutputError
        If the table cannot be written; what it holds is kept, for `resume`.
    UnfinishedError
        If the user broke off, and there is a table to go on with.
    """
    _check_options(options)
    sources = find_sources(names)
    if options.figure is not None and len(sources) != 1:
        raise OptionError(f"`figure` draws one recording, and {len(sources)} sources are given.")
    predictor = load_predictor(
        model,
        trust=options.trust,
        abstain_below=options.abstain_below,
        silence_db=options.silence_db,
        voice=options.vad == "pitch",
        n_jobs=options.n_jobs,
    )
    columns, steps = _choose_steps(predictor, options)
    summary = PredictSummary(len(sources))
    if options.out is None:
        printer.begin(columns, sources, 0)
        _take_steps(steps(sources), None, summary, printer, progress)
        return summary
    about = _describe(predictor, options)
    table = RowFile(options.out, columns, sources, about, resume=options.resume)
    with contextlib.closing(table):
        summary.was_whole = table.was_whole
        printer.begin(columns, sources, table.n_done)
        try:
            _take_steps(steps(sources[table.n_done :]), table, summary, printer, progress)
            table.finish()
        except KeyboardInterrupt as error:
            kept = f"Stopped: the rows of {table.n_kept} of {len(sources)} sources are kept."
            how = (
                "As each depends on those before it (`adapt=corpus`), they cannot be gone on with: "
                "begin anew, with `adapt=none` for a table that can."
                if options.adapt == "corpus"
                else "To go on, give the same command with `resume`."
            )
            raise UnfinishedError(f"{kept} {how}") from error
        summary.n_failed, summary.n_rows = table.n_failed, table.n_rows
    return summary


def _check_options(options: PredictOptions) -> None:
    """Refuse, before any work, options that make no sense and files that cannot be written."""
    if options.out is not None:
        check_output(options.out)
    elif options.resume:
        raise OptionError("`resume` goes on with a file: name it with `csv` or `out`.")
    if options.channels not in CHANNELS:
        raise OptionError(
            f"Unknown `channels={options.channels}`: there are {' and '.join(CHANNELS)}."
        )
    find_name(options.adapt, ADAPTATIONS, "`adapt`")
    if options.adapt == "recording" and options.window is None:
        raise OptionError(
            "`adapt=recording` scales each window by those before it, and needs "
            "`window=SECONDS`; `adapt=corpus` scales each file by those before it."
        )
    if options.adapt == "corpus" and options.resume:
        raise OptionError(
            "`adapt=corpus` depends on all files from the first on, and cannot `resume`: leave "
            "one of them out."
        )
    if options.window is None and (
        options.hop is not None or options.segments or options.figure is not None
    ):
        raise OptionError("`hop`, `segments` and `figure` need `window=SECONDS`.")
    if options.figure is not None:
        figure = options.figure.expanduser()
        if figure.suffix not in (".png", ".svg", ".pdf") or not figure.parent.is_dir():
            raise OptionError(
                f"`figure={figure}`: give a .png, .svg or .pdf in a folder that exists."
            )
        check_writable(figure)


def _describe(predictor: Predictor, options: PredictOptions) -> dict[str, Any]:
    """Return what decides the rows besides the sources."""
    about = {"model": predictor.card["sha256"], "abstain_below": options.abstain_below}
    about |= {"silence_db": options.silence_db}
    if predictor.voice:
        about["voice"] = True
    if options.window is not None:
        about |= {"window": options.window, "hop": _hop(options), "segments": options.segments}
        about |= {"smooth": options.smooth, "vad": options.vad}
    if options.adapt != "none":
        about |= {"adapt": options.adapt}
    if options.channels == "split":
        about |= {"channels": options.channels}
    return about


def _hop(options: PredictOptions) -> float:
    assert options.window is not None
    return options.window / 4 if options.hop is None else options.hop


def _choose_steps(
    predictor: Predictor, options: PredictOptions
) -> tuple[list[str], Callable[[Sequence[str]], _Steps]]:
    """Return the columns of a row, and the function that makes the rows of sources."""
    split = options.channels == "split"
    scaler = RunningScaler(predictor.pipeline) if options.adapt == "corpus" else None
    if options.window is None:
        make = _channel_steps if split else _clip_steps
        times = ("channel",) if split else ()
        return predictor.columns(*times), lambda sources: make(predictor, sources, scaler)
    stream = EmotionStream(
        predictor,
        options.window,
        _hop(options),
        smooth=options.smooth,
        vad=options.vad,
        adapt=scaler or options.adapt == "recording",
    )
    figure = None if options.figure is None else options.figure.expanduser()
    reader = RecordingReader(stream, segments=options.segments, figure=figure, split=split)
    return reader.columns, lambda sources: _recording_steps(reader, sources)


def _clip_steps(
    predictor: Predictor, sources: Sequence[str], scaler: RunningScaler | None
) -> _Steps:
    """Yield a row for each source."""
    predictions = predictor.iter_predictions(sources, scaler)
    for source, prediction in zip(sources, predictions, strict=True):
        yield _Step([predictor.row(source, prediction)], True, prediction.error)


def _channel_steps(
    predictor: Predictor, sources: Sequence[str], scaler: RunningScaler | None
) -> _Steps:
    """Yield a row for each channel of each source."""
    for source in sources:
        try:
            with rereadable(source) as file:
                n_channels = count_channels(file, predictor.settings, source)
                channels = [Channel(file, i, source) for i in range(n_channels)]
                found = list(predictor.iter_predictions(channels, scaler))
        except AudioError as error:
            n_channels, message = 0, str(error)
            found = [predictor.failure(message)]
        rows = []
        for i, prediction in enumerate(found):
            row = predictor.row(source, prediction)
            channel = i if n_channels else None
            rows.append({"path": row.pop("path"), "channel": channel, **row})
        failed = next((one.error for one in found if one.error is not None), None)
        yield _Step(rows, True, failed, n_channels=n_channels)


def _recording_steps(reader: RecordingReader, sources: Sequence[str]) -> _Steps:
    """Yield the rows of each source block by block, so that a long one shows its progress."""
    for source in sources:
        error = None
        header = read_header(source, decode=False)
        whole = "" if header is None else f" of {_clock(header.seconds)}"
        for rows in reader.rows(source):
            error = next((row["error"] for row in rows if row["start"] is None), error)
            yield _Step(rows, False, None, _clock(reader.stream.seconds) + whole)
        yield _Step([], True, error, n_channels=reader.n_channels)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _take_steps(
    steps: _Steps,
    table: RowFile | None,
    summary: PredictSummary,
    printer: RowPrinter,
    progress: Progress,
) -> None:
    """Write and show rows, and count them."""
    n_done = 0 if table is None else table.n_done
    with contextlib.closing(steps):  # and with it what its workers still do
        for step in steps:
            summary.n_rows += len(step.rows)
            if table is not None and step.rows:
                table.add(step.rows)
            if step.rows:
                printer.add(step.rows)
            if step.ends:
                n_done += 1
                summary.n_failed += step.error is not None
                summary.n_mono += step.n_channels == 1
                if step.error is not None and len(summary.errors) < ERRORS_LISTED:
                    summary.errors.append(step.error)
                if table is not None:
                    table.done(failed=step.error is not None)
            progress("predict", n_done, summary.n_sources, step.detail)
