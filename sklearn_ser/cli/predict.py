"""`sklearn-ser predict`: the emotion of each file."""

from pathlib import Path
from typing import Annotated

import typer

from sklearn_ser.cli._app import JsonOption, command, notice, print_json
from sklearn_ser.cli._options import JobsOption, ModelArgument, TrustOption


@command(name="predict")
def predict(
    model: ModelArgument,
    sources: Annotated[
        list[str],
        typer.Argument(help="Audio files, folders of them, or URLs.", metavar="SOURCES..."),
    ],
    csv: Annotated[
        Path | None, typer.Option(help="Write the table to this CSV file.", show_default=False)
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one JSON object per source and line.")
    ] = False,
    json: JsonOption = False,
    trust: TrustOption = False,
    n_jobs: JobsOption = -1,
) -> None:
    """Predict the emotion of each file, with the probability of every emotion.

    A file that cannot be read gets a row with its error, the others go on, and the exit code is 1.
    """
    from sklearn_ser.cli._show import progress_bars
    from sklearn_ser.exceptions import OptionError
    from sklearn_ser.inference import find_sources, predict_table
    from sklearn_ser.persistence import load_pipeline, write_atomically

    if csv is not None:
        csv = csv.expanduser()
        if csv.is_dir() or not csv.parent.is_dir():
            raise OptionError(f"--csv {csv}: give a file in a folder that exists.")
    pipeline = load_pipeline(model, trust=trust)
    pipeline.named_steps["features"].set_params(n_jobs=n_jobs)
    found = find_sources(sources)
    with progress_bars() as progress:
        table = predict_table(pipeline, found, lambda done, total: progress("predict", done, total))
    if csv is not None:
        write_atomically(csv, table.to_csv(index=False).encode())
    if json:
        print_json({"rows": table.to_dict("records")})
    elif jsonl:
        typer.echo(table.to_json(orient="records", lines=True, force_ascii=False), nl=False)
    elif csv is None:
        _print_table(table)
    else:
        notice(f"{len(table)} rows in {csv}")
    n_failed = int(table["error"].notna().sum())
    if n_failed:
        for message in table["error"].dropna():
            notice(message)
        notice(f"{n_failed} of {len(table)} sources could not be read.")
        raise typer.Exit(1)


def _print_table(table) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = Table(header_style="bold")
    shown.add_column("file", overflow="fold")
    shown.add_column("emotion")
    shown.add_column("confidence", justify="right")
    shown.add_column("then")
    probabilities = table.filter(regex="^p_")
    for (_, row), (_, values) in zip(table.iterrows(), probabilities.iterrows(), strict=True):
        if isinstance(row["error"], str):
            shown.add_row(escape(row["path"]), "-", "-", "not read")
            continue
        ranked = values.sort_values(ascending=False)
        then = ", ".join(f"{name[2:]} {value:.0%}" for name, value in ranked.iloc[1:3].items())
        shown.add_row(
            escape(row["path"]), escape(row["emotion"]), f"{row['confidence']:.0%}", escape(then)
        )
    Console().print(shown)
