"""`sklearn-ser predict`: the emotion of each file."""

from pathlib import Path
from typing import Annotated

import typer

from sklearn_ser.cli._app import JsonOption, command
from sklearn_ser.cli._options import (
    AbstainOption,
    JobsOption,
    ModelArgument,
    SilenceOption,
    SmoothOption,
    TrustOption,
    VadOption,
)


@command(name="predict")
def predict(
    model: ModelArgument,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Audio files, folders of them, patterns such as 'calls/*.wav', URLs, or - for a "
            "list on standard input, one a line.",
            metavar="SOURCES...",
        ),
    ],
    csv: Annotated[
        Path | None, typer.Option(help="Write the table to this CSV file.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write the table to this .csv, .jsonl or .parquet file. It grows in FILE.partial "
            "and takes its name when all rows are there.",
            show_default=False,
        ),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one JSON object per source and line.")
    ] = False,
    json: JsonOption = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with FILE.partial, where a killed run has stopped."),
    ] = False,
    abstain_below: AbstainOption = 0.0,
    window: Annotated[
        float | None,
        typer.Option(
            help="A row for each window of so many seconds, of recordings of any length.",
            metavar="SECONDS",
            show_default=False,
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(
            help="Time between the starts of windows. Without it: a quarter of the window.",
            metavar="SECONDS",
            show_default=False,
        ),
    ] = None,
    segments: Annotated[
        bool,
        typer.Option("--segments", help="Merge neighbouring windows of one emotion into one row."),
    ] = False,
    smooth: SmoothOption = 3,
    silence_db: SilenceOption = -50.0,
    vad: VadOption = "energy",
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Draw the timeline of the one recording over its waveform: a .png, .svg or .pdf.",
            show_default=False,
        ),
    ] = None,
    trust: TrustOption = False,
    n_jobs: JobsOption = -1,
) -> None:
    """Predict the emotion of each file, with the probability of every emotion.

    A file that cannot be read gets a row with its error, the others go on, and the exit code is 1.
    A file that is silent, clipped, or unlike the clips the model was trained with gets its answer
    with a warning.
    """
    from sklearn_ser.cli import _rows
    from sklearn_ser.exceptions import OptionError
    from sklearn_ser.inference import find_sources, load_predictor

    sink = _rows.choose_sink(csv, out, jsonl=jsonl, json=json, resume=resume)
    if window is None and (hop is not None or segments or figure is not None):
        raise OptionError("--hop, --segments and --figure need --window SECONDS.")
    predictor = load_predictor(model, trust=trust, abstain_below=abstain_below, n_jobs=n_jobs)
    found = find_sources(sources)
    about = {"model": predictor.card["sha256"], "abstain_below": abstain_below}
    if window is None:
        with _rows.written(sink, predictor.columns(), found, about) as rows:
            waiting = found[rows.n_done :]
            for source, prediction in zip(
                waiting, predictor.iter_predictions(waiting), strict=True
            ):
                rows.add([predictor.row(source, prediction)])
                rows.done(prediction.error)
        return
    from sklearn_ser.inference import EmotionStream
    from sklearn_ser.inference.recordings import RecordingReader

    hop = window / 4 if hop is None else hop
    reader = RecordingReader(
        EmotionStream(predictor, window, hop, smooth=smooth, silence_db=silence_db, vad=vad),
        segments=segments,
        figure=_check_figure(figure, found),
    )
    about |= {"window": window, "hop": hop, "segments": segments}
    about |= {"smooth": smooth, "silence_db": silence_db, "vad": vad}
    with _rows.written(sink, reader.columns, found, about) as rows:
        for source in found[rows.n_done :]:
            error = None
            for made in reader.rows(source):
                rows.add(made)
                error = next((row["error"] for row in made if row["start"] is None), None)
            rows.done(error)


def _check_figure(figure: Path | None, sources: list[str]) -> Path | None:
    from sklearn_ser.exceptions import OptionError

    if figure is None:
        return None
    figure = figure.expanduser()
    if figure.suffix not in (".png", ".svg", ".pdf") or not figure.parent.is_dir():
        raise OptionError(f"--figure {figure}: give a .png, .svg or .pdf in a folder that exists.")
    if len(sources) != 1:
        raise OptionError(f"--figure draws one recording, and {len(sources)} sources are given.")
    return figure
