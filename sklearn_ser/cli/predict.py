"""`sklearn-ser predict`: the emotion of each file."""

from pathlib import Path
from typing import Annotated

import typer

from sklearn_ser.cli._app import JsonOption, command
from sklearn_ser.cli._options import AbstainOption, JobsOption, ModelArgument, TrustOption


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
    trust: TrustOption = False,
    n_jobs: JobsOption = -1,
) -> None:
    """Predict the emotion of each file, with the probability of every emotion.

    A file that cannot be read gets a row with its error, the others go on, and the exit code is 1.
    A file that is silent, clipped, or unlike the clips the model was trained with gets its answer
    with a warning.
    """
    from sklearn_ser.cli import _rows
    from sklearn_ser.inference import Predictor, find_sources
    from sklearn_ser.persistence import load_pipeline, read_card
    from sklearn_ser.quality import TrainingRange

    sink = _rows.choose_sink(csv, out, jsonl=jsonl, json=json, resume=resume)
    pipeline = load_pipeline(model, trust=trust)
    card = read_card(model)
    predictor = Predictor(
        pipeline,
        TrainingRange.from_card(card),
        abstain_below=abstain_below,
        n_jobs=n_jobs,
    )
    found = find_sources(sources)
    about = {"model": card["sha256"], "abstain_below": abstain_below}
    with _rows.written(sink, predictor.columns(), found, about) as rows:
        waiting = found[rows.n_done :]
        for source, answer in zip(waiting, predictor.answers(waiting), strict=True):
            rows.add([predictor.row(source, answer)])
            rows.done(answer.error)
