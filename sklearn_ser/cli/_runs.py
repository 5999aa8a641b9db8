"""`sklearn-ser runs`: the runs of a folder side by side, and the differences of two."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sklearn_ser._files import check_writable, printable
from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, name_options, print_json, say, terminal
from sklearn_ser.cli._ending import print_path
from sklearn_ser.exceptions import OptionError

SCORES = {"uar": "UAR", "macro_f1": "macro F1"}
MOST_CLIPS = 10  # named on a terminal, of those that one run alone has right


@command(name="runs")
def runs(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="The folder of the runs, or diff and two runs. Without it: artifacts.",
            metavar="[DIR] | diff A B",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Write the table as index.html into the folder too.")
    ] = False,
    json: JsonOption = False,
    open_page: shared.OpenOption = False,
) -> None:
    """Show all runs of a folder as a table, or in what two runs differ.

    Runs on the same data under the same split stand together, the highest UAR first; the groups
    with the newest runs come first. diff A B compares options, scores and clips of two runs.
    """
    words = words or ["artifacts"]
    if words[0] == "diff":
        _diff(words[1:], html=html or open_page, json=json)
        return
    if len(words) > 1:
        raise OptionError("Give one folder, or diff and two runs.")
    from sklearn_ser.runs.run_table import list_runs

    folder = Path(words[0])
    found = list_runs(folder)
    page = folder / "index.html"
    if html or open_page:
        from sklearn_ser.report.index_page import write_index

        for row in found["unfinished"]:
            row["reason"] = name_options(row["reason"])
        check_writable(page)
        write_index(page, found)
    if json:
        print_json(found)
        return
    _show(found)
    if html or open_page:
        print_path("Page", page, open_page=open_page)


def _show(found: Mapping[str, Any]) -> None:
    if not found["groups"]:
        say(f"{found['folder']} holds no run.")
    for group in found["groups"]:
        say(
            f"{group['data']}, {group['split']} split (guessing gets a UAR of "
            f"{group['runs'][0]['chance']:.3f})"
        )
        terminal().print(_tabulate(group["runs"]))
        if not group["same_test"]:
            say("These runs do not all test the same clips: small differences mean little.")
        say("")
    if found["others"]:
        named = ", ".join(f"{row['run']} ({row['kind']})" for row in found["others"])
        say(f"Beside them: {named}.")
    for heading in ("damaged", "unfinished"):
        for row in found[heading]:
            say(f"! {row['run']} ({heading}): {row['reason']}")


def _tabulate(rows: list[dict[str, Any]]) -> Any:
    """Return a table of runs, with as many columns as the terminal has room for."""
    from sklearn_ser.cli._show import numbers_table

    columns = {
        "clf": lambda row: printable(row["clf"]),
        "UAR": lambda row: f"{row['uar']:.3f}",
        "95% interval": lambda row: "{:.3f} to {:.3f}".format(*row["uar_interval"]),
        "accuracy": lambda row: f"{row['accuracy']:.3f}",
        "clips": lambda row: str(row["n_test"]),
        "made (UTC)": lambda row: printable(row["created"][:16].replace("T", " ")),
        "features": lambda row: printable(row["features"]),
    }
    widths = {
        name: max(len(name), *(len(value(row)) for row in rows)) + 3
        for name, value in columns.items()
    }
    room = terminal().width - 2 - min(24, max(len(row["run"]) for row in rows) + 2)
    while sum(widths[name] for name in columns) > room and len(columns) > 2:
        columns.popitem()
    table = numbers_table("run", list(columns))
    for row in rows:
        table.add_row(printable(row["run"]), *(value(row) for value in columns.values()))
    return table


def _diff(paths: list[str], *, html: bool, json: bool) -> None:
    if len(paths) != 2:
        raise OptionError("Give two runs behind diff, such as: runs diff artifacts/a artifacts/b.")
    if html:
        raise OptionError("`html` and `open` show the runs of a folder: leave them out with diff.")
    from sklearn_ser.runs.run_table import diff_runs

    found = diff_runs(*map(Path, paths))
    if json:
        print_json(found)
        return
    first, second = (printable(Path(path).name) for path in found["runs"])
    _show_options(found["options"], first, second)
    table = _two_columns(first, second, "difference")
    for name, (a, b, difference) in found["scores"].items():
        table.add_row(SCORES.get(name, name), f"{a:.3f}", f"{b:.3f}", f"{difference:+.3f}")
    terminal().print(table)
    _show_clips(found["clips"], found["test"], first, second)


def _two_columns(first: str, second: str, *more: str) -> Any:
    from rich.table import Table

    table = Table(header_style="bold")
    table.add_column("")
    for name in (first, second):
        table.add_column(name, overflow="fold", min_width=6)
    for name in more:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _show_options(options: Mapping[str, list], first: str, second: str) -> None:
    if not options:
        say("Both runs have the same options.")
        return
    table = _two_columns(first, second)
    for name, values in options.items():
        table.add_row(name, *("–" if value is None else printable(value) for value in values))
    terminal().print(table)


def _show_clips(
    clips: Mapping[str, Any], test: Mapping[str, Any] | None, first: str, second: str
) -> None:
    if test is None:
        say(
            f"The runs test no clip in common ({clips['n_first']} and {clips['n_second']}): their "
            "scores are of different clips."
        )
        return
    say(
        f"{clips['n_common']} clips are tested by both: {clips['both_right']} right in both, "
        f"{len(clips['only_first'])} in {first} alone, {len(clips['only_second'])} in {second} "
        f"alone, {clips['none_right']} in none."
    )
    if max(clips["n_first"], clips["n_second"]) > clips["n_common"]:
        say("The scores above are of other clips too; the test is of those that both have.")
    noise = "within noise" if test["p"] >= 0.05 else "more than noise"
    say(f"On them the UARs differ by {test['difference']:+.3f}: {noise} (p {test['p']:.3f}).")
    for name, rows in ((first, clips["only_first"]), (second, clips["only_second"])):
        if rows:
            say(f"Right in {name} alone:")
        for row in rows[:MOST_CLIPS]:
            say(
                f"  {Path(row['path']).name}: {row['truth']} ({row['prediction_1']} and "
                f"{row['prediction_2']} predicted)"
            )
        if len(rows) > MOST_CLIPS:
            say(f"  and {len(rows) - MOST_CLIPS} more, which --json lists")
