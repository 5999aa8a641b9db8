"""`sklearn-ser corpora`: what is known, what is on this machine, how to get it."""

import functools
from pathlib import Path
from typing import Annotated, Any

import typer

from sklearn_ser._files import check_writable, printable
from sklearn_ser.cli._app import DebugOption, JsonOption, app, command, notice, print_json, terminal
from sklearn_ser.cli._options import EmotionsOption, MapOption

corpora_app = typer.Typer(
    help="Corpora of emotional speech: list them, get them, look into one. "
    "Without a subcommand: the list.",
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(
    corpora_app,
    name="corpora",
    short_help="List corpora of emotional speech, get one, look into one.",
)


@corpora_app.callback()
def corpora(context: typer.Context, json: JsonOption = False, debug: DebugOption = False) -> None:
    """Corpora of emotional speech: list them, get them, look into one.

    Without a subcommand: the list. Corpora are looked for in the data folder: SKLEARN_SER_DATA,
    else ~/sklearn_ser_data, each in a folder of its name.
    """
    if context.invoked_subcommand is None:
        list_command(context=context, json=json, debug=debug)
    elif json or debug:
        option = "--json" if json else "--debug"
        raise typer.BadParameter(f"write {option} after '{context.invoked_subcommand}'")


@command(corpora_app, "list")
def list_command(json: JsonOption = False) -> None:
    """List the corpora that are known: which are on this machine, and how to get the others."""
    from sklearn_ser.corpora import data_home, list_corpora

    rows = [_plain(row) for row in list_corpora().to_dict("records")]
    if json:
        return print_json({"data_folder": str(data_home()), "corpora": rows})
    table = _table("name", "language", "clips here", "speakers", "emotions", "hours", "licence")
    for row in rows:
        table.add_row(
            printable(row["name"]),
            printable(row["language"] or "?"),
            _of(row["clips"] or None, row["clips_in_full"]) if row["here"] else "-",
            _of(row["speakers"], row["speakers_in_full"]),
            str(len(row["emotions"]) or "?"),
            _of(row["hours"], row["hours_in_full"]),
            printable(row["licence"]),
        )
    _print(table)
    for row in rows:
        if not row["here"]:
            _print(f"{row['title']} ({row['name']}): {row['how_to_get']}")
    return _print(f"Data folder: {data_home()} (set SKLEARN_SER_DATA to change it)")


@command(corpora_app, "get")
def get(
    name: Annotated[str, typer.Argument(help="The corpus, as 'sklearn-ser corpora' lists it.")],
    to: Annotated[
        Path | None,
        typer.Option(help="The folder to put it in; by default its own in the data folder."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Download a corpus from its official home, or say how to get it.

    A download that was cut goes on where it stopped when the command is run again.
    """
    from sklearn_ser.corpora import get_corpus

    folder = get_corpus(name, to)
    if json:
        return print_json({"name": name, "folder": str(folder)})
    return notice(
        f"{name} is in {folder}; look into it with: sklearn-ser corpora show {to or name}"
    )


@command(corpora_app, "show")
def show(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A corpus, a folder, a CSV with the columns path and emotion, or several of "
            "these joined by commas.",
        ),
    ],
    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Draw it too: emotions, speakers, durations, and a waveform and a mel "
            "spectrogram of each emotion, as PNG in this folder.",
        ),
    ] = None,
    emotions: EmotionsOption = None,
    map: MapOption = None,
    json: JsonOption = False,
) -> None:
    """Describe a corpus: emotions, speakers, texts, durations, sampling rates, files left out."""
    from sklearn_ser.corpora import load_data, summarise

    if plots is not None:
        check_writable(plots / "emotions.png")
    table = load_data(data, emotions=emotions, map=map)
    summary = {"data": data, **summarise(table)}
    if plots is not None:
        summary["plots"] = _draw(table, plots)
    if json:
        return print_json(summary)
    return _show(summary)


def _draw(table: Any, folder: Path) -> list[str]:
    """Write the figures of a corpus and return their paths."""
    from sklearn_ser._files import write_atomically
    from sklearn_ser.report.corpus_figures import explore
    from sklearn_ser.report.example_clips import durations

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in explore(table, durations(table["path"])):
        path = folder / f"{name}.png"
        write_atomically(path, functools.partial(figure.savefig, dpi=150))
        written.append(str(path))
    return written


def _show(summary: dict[str, Any]) -> None:
    for name, about in summary["corpora"].items():
        _print(f"{about['title'] or name}: {about['clips']} clips", style="bold")
        if about["language"]:
            _print(f"  language: {about['language']}")
        if about["licence"]:
            _print(f"  licence: {about['licence']}\n  {about['citation']}")
    for heading in ("emotion", "speaker"):
        counts = summary[f"{heading}s"]
        table = _table(heading, "clips", "share")
        for value, n in counts.items():
            table.add_row(printable(value), str(n), f"{n / summary['clips']:.1%}")
        _print(table if counts else f"{heading}s: not known")
    _print(f"texts: {summary['texts'] or 'not known'}")
    seconds = summary["seconds"]
    if seconds:
        _print(
            f"duration: {seconds['total'] / 3600:.2f} hours in all; from {seconds['shortest']:.2f} "
            f"to {seconds['longest']:.2f} s, median {seconds['median']:.2f} s"
        )
    if "plots" in summary:
        names = ", ".join(Path(path).name for path in summary["plots"])
        _print(f"figures: {names} in {Path(summary['plots'][0]).parent}")
    rates = ", ".join(f"{rate} Hz ({n})" for rate, n in summary["sampling_rates"].items())
    _print(f"sampling rates: {rates or 'not known'}")
    for heading in ("unreadable", "left_out", "copies"):
        paths = summary[heading]
        if paths:
            names = ", ".join(Path(path).name for path in paths[:3]) + ", ..." * (len(paths) > 3)
            _print(f"{heading.replace('_', ' ')}: {len(paths)} ({names})")


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Take a row of a table for what it says: what is missing is None, a count is whole."""
    from sklearn_ser._files import nan_to_none

    plain = nan_to_none(row)
    counts = ("clips_in_full", "speakers", "speakers_in_full")
    whole = {name: None if plain[name] is None else int(plain[name]) for name in counts}
    return {**plain, **whole}


def _of(here: float | None, full: float | None) -> str:
    """Say how much of a corpus is here: "5 of 9", or one number where they are the same."""
    form = ".1f" if isinstance(here, float) or isinstance(full, float) else "d"
    numbers = [format(n, form) for n in (here, full) if n is not None]
    return " of ".join(dict.fromkeys(numbers)) or "?"


def _table(*headings: str) -> Any:
    from rich.table import Table

    table = Table()
    for heading in headings:
        number = heading in ("clips", "clips here", "speakers", "emotions", "hours", "share")
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    return table


def _print(what: Any, style: str | None = None) -> None:
    terminal().print(what, style=style, soft_wrap=isinstance(what, str))
