"""`sklearn-ser predict`: the emotion of each file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, notice
from sklearn_ser.cli._model import introduce, split_words
from sklearn_ser.exceptions import OptionError

if TYPE_CHECKING:
    from sklearn_ser.runs.predict import PredictSummary


@command(name="predict")
def predict(
    words: Annotated[
        list[str],
        typer.Argument(
            help="The model: demo, a run's folder, or a .joblib, .skops or .onnx file; without "
            "one, demo answers. Then audio files, folders of them, patterns such as "
            "'calls/*.wav', URLs, or - for a list on standard input, one a line or as "
            "find -print0 writes it.",
            metavar="[MODEL] SOURCES",
        ),
    ],
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Write the table to this CSV file; - is standard output.", show_default=False
        ),
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
        typer.Option("--resume", help="Go on with FILE.partial, where a run was stopped."),
    ] = False,
    abstain_below: shared.AbstainOption = 0.0,
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
    smooth: shared.SmoothOption = 3,
    silence_db: shared.SilenceOption = -50.0,
    vad: shared.VadOption = "energy",
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Draw the timeline of the one recording over its waveform: a .png, .svg or .pdf.",
            show_default=False,
        ),
    ] = None,
    channels: Annotated[
        str,
        typer.Option(
            help="mix: the mean of a file's channels. split: rows for each channel by itself, as "
            "for the two people of a call; the column channel counts from 0.",
            metavar="mix|split",
        ),
    ] = "mix",
    adapt: Annotated[
        str | None,
        typer.Option(
            help="Scale features by what was heard before: in the same recording, or in all files "
            "of the call (corpus), so that predictions follow a voice and its room. Without it: "
            "none; corpus where demo answers.",
            metavar="none|recording|corpus",
            show_default=False,
        ),
    ] = None,
    trust: shared.TrustOption = False,
    n_jobs: shared.JobsOption = -1,
) -> None:
    """Predict the emotion of each file, with the probability of every emotion.

    Without a MODEL demo answers, a small model that comes with the package; it says how often it is
    right. A file that cannot be read gets a row with its error, the others go on, and the exit code
    is 1. A file that is silent, clipped, or unlike the clips the model was trained with gets its
    prediction with a warning.
    """
    form = _choose_form(csv, out, jsonl=jsonl, json=json)
    model, sources = split_words(words)
    to_stdout = csv is not None and str(csv) == "-"
    from sklearn_ser.cli._rows import Printer
    from sklearn_ser.cli._show import progress_bars
    from sklearn_ser.persistence import DEMO
    from sklearn_ser.runs.predict import PredictOptions, predict_sources

    if adapt is None:
        adapt = "corpus" if model == DEMO else "none"
    options = PredictOptions(
        trust=trust,
        abstain_below=abstain_below,
        window=window,
        hop=hop,
        segments=segments,
        smooth=smooth,
        silence_db=silence_db,
        vad=vad,
        figure=figure,
        channels=channels,
        adapt=adapt,
        n_jobs=n_jobs,
        out=out if csv is None or to_stdout else csv,
        resume=resume,
    )
    printer = Printer(form, goes_on=options.out is not None, about=introduce(model))
    with progress_bars(visible=not printer.to_a_person) as progress:
        summary = predict_sources(model, sources, options, printer, progress)
    printer.finish()
    _show(summary, options.out)


def _choose_form(csv: Path | None, out: Path | None, *, jsonl: bool, json: bool) -> str:
    """Return what is printed, or raise `OptionError` where the options contradict each other."""
    if csv is not None and out is not None:
        raise OptionError("--csv and --out both name the table: choose one.")
    printed = csv is not None and str(csv) == "-"
    if csv is not None and not printed and csv.suffix != ".csv":
        raise OptionError(
            f"--csv {csv}: give a file that ends in .csv, - for standard output, or use --out."
        )
    if jsonl + json + printed > 1:
        raise OptionError("--jsonl, --json and --csv - each fill standard output: choose one.")
    if printed:
        return "csv"
    if jsonl or json:
        return "jsonl" if jsonl else "json"
    return "table" if csv is None and out is None else "none"


def _show(summary: "PredictSummary", out: Path | None) -> None:
    """Say what came of the run; sources that could not be read are exit code 1."""
    if summary.was_whole:
        notice(
            f"{out} is whole already, so nothing was left to do. Without --resume it is made anew."
        )
    elif out is not None:
        notice(f"{summary.n_rows} rows in {out}")
    if summary.n_mono:
        notice(
            f"{summary.n_mono} of {summary.n_sources} sources are mono: --channels split finds "
            "channel 0 alone there."
        )
    for message in summary.errors:
        notice(message)
    if summary.n_failed:
        if summary.n_failed > len(summary.errors):
            more = summary.n_failed - len(summary.errors)
            notice(f"and {more} more: the column error has them all.")
        notice(f"{summary.n_failed} of {summary.n_sources} sources could not be read.")
        raise typer.Exit(1)
