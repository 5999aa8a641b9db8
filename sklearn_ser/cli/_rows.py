"""Where the rows of `predict` go: a file, standard output line by line, or a table to look at."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from sklearn_ser._files import printable
from sklearn_ser.cli._app import notice, print_json
from sklearn_ser.exceptions import OptionError

LISTED_ERRORS = 20  # more are in the rows, and only counted here
NO_SPEECH = "no speech"  # what a person reads in place of the label "silence"


@dataclass(frozen=True)
class Sink:
    """What was asked for."""

    file: Path | None
    form: str  # "table", "jsonl", "json", or "none" where the file is all
    resume: bool


def choose_sink(
    csv: Path | None, out: Path | None, *, jsonl: bool, json: bool, resume: bool
) -> Sink:
    """Return where rows go, or raise `OptionError` where the options contradict each other."""
    from sklearn_ser.inference.rows import check_output

    if csv is not None and out is not None:
        raise OptionError("--csv and --out both name the table: choose one.")
    if csv is not None and csv.suffix != ".csv":
        raise OptionError(f"--csv {csv}: give a file that ends in .csv, or use --out.")
    if jsonl and json:
        raise OptionError("--jsonl and --json both fill standard output: choose one.")
    file = csv or out
    if file is not None:
        file = check_output(file)
    if resume and file is None:
        raise OptionError("--resume goes on with a file: name it with --csv or --out.")
    form = "jsonl" if jsonl else "json" if json else "table" if file is None else "none"
    return Sink(file, form, resume)


class Rows:
    """Takes rows, hands them on to all who want them, and counts what failed."""

    def __init__(self, sink: Sink, columns: Sequence[str], sources, progress, file, stdout):
        self.sink = sink
        self.n_sources = len(sources)
        self.n_done = self.n_rows = self.n_failed = 0
        self.errors: list[str] = []
        self.collected: list[Mapping[str, Any]] = []
        self._progress = progress
        self._file = file
        self._stdout = stdout
        self._table = Table(columns, sources) if sink.form == "table" else None
        if self._table is not None:
            self._print(self._table.heading())
        if file is not None:
            self.n_done, self.n_rows, self.n_failed = file.n_done, file.n_rows, file.n_failed

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take rows of the source in hand."""
        from sklearn_ser.inference.rows import as_json_line

        self.n_rows += len(rows)
        if self._file is not None:
            self._file.add(rows)
        if self.sink.form == "json":
            self.collected.extend(rows)
        elif self.sink.form == "jsonl":
            self._print("".join(map(as_json_line, rows)))
        elif self._table is not None:
            self._print("".join(map(self._table.line, rows)))

    def done(self, error: str | None) -> None:
        """Take note that a source is done, and what was wrong with it."""
        self.n_done += 1
        if error is not None:
            self.n_failed += 1
            if len(self.errors) < LISTED_ERRORS:
                self.errors.append(error)
        if self._file is not None:
            self._file.done(failed=error is not None)
        self._progress("predict", self.n_done, self.n_sources)

    def _print(self, text: str) -> None:
        typer.echo(text.encode("utf-8", "backslashreplace"), nl=False, file=self._stdout)


@contextmanager
def written(
    sink: Sink, columns: Sequence[str], sources: Sequence[str], about: Mapping[str, Any]
) -> Iterator[Rows]:
    """Give a taker of rows; afterwards say what failed, which is exit code 1.

    Yields
    ------
    rows : Rows
    """
    from sklearn_ser.cli._show import progress_bars
    from sklearn_ser.inference.rows import RowFile

    # While bars are shown, what libraries print goes to standard error; rows do not.
    file, stdout = None, sys.stdout
    if sink.file is not None:
        file = RowFile(sink.file, columns, sources, about, resume=sink.resume)
        if file.n_done:
            notice(f"Going on after {file.n_done} of {len(sources)} sources.")
    try:
        with progress_bars(visible=not _printing_to_a_person(sink)) as progress:
            rows = Rows(sink, columns, sources, progress, file, stdout)
            yield rows
            if file is not None:
                file.finish()
    finally:
        if file is not None:
            file.close()
    if sink.form == "json":
        print_json({"rows": rows.collected})
    if sink.file is not None:
        notice(f"{rows.n_rows} rows in {sink.file}")
    if rows.n_failed:
        for message in rows.errors:
            notice(message)
        if rows.n_failed > len(rows.errors):
            notice(f"and {rows.n_failed - len(rows.errors)} more: the column error has them all.")
        notice(f"{rows.n_failed} of {len(sources)} sources could not be read.")
        raise typer.Exit(1)


def _printing_to_a_person(sink: Sink) -> bool:
    """Say whether rows appear in the terminal, where a progress bar would be in their way."""
    return sink.form in ("table", "jsonl") and sys.stdout.isatty()


class Table:
    """Rows for people: columns of fixed width, so that each line can be shown when it is made."""

    def __init__(self, columns: Sequence[str], sources: Sequence[str]):
        self.probabilities = [name for name in columns if name.startswith("p_")]
        names = [*(name[2:] for name in self.probabilities), "emotion", NO_SPEECH]
        self.emotion_width = max(map(len, names))
        self.path_width = min(60, max(map(len, sources)))
        self.windowed = "start" in columns

    def heading(self) -> str:
        """Return the line above all others."""
        times = f"{'from':>9} {'to':>9}  " if self.windowed else ""
        return f"{'file':{self.path_width}}  {times}{'emotion':{self.emotion_width}}  sure  then\n"

    def line(self, row: Mapping[str, Any]) -> str:
        """Return a row as a line."""
        return printable(self._cells(row)) + "\n"

    def _cells(self, row: Mapping[str, Any]) -> str:
        from sklearn_ser.inference.predictor import SILENCE, percent

        start = f"{row['path']:{self.path_width}}  "
        if row["error"] is not None:
            return f"{start}{'-':{self.emotion_width}}     -  not read: {_reason(row)}"
        if self.windowed:
            start += f"{row['start']:9.2f} {row['end']:9.2f}  "
        warning = f"  [{row['warning']}]" if row["warning"] else ""
        if row["emotion"] == SILENCE:
            return f"{start}{NO_SPEECH:{self.emotion_width}}     -{warning}"
        ranked = sorted(self.probabilities, key=lambda name: -row[name])
        rest = [name for name in ranked if name[2:] != row["emotion"]][:2]
        then = ", ".join(f"{name[2:]} {percent(row[name])}" for name in rest)
        sure = percent(row["confidence"])
        return f"{start}{row['emotion']:{self.emotion_width}}  {sure:>4}  {then}{warning}"


def _reason(row: Mapping[str, Any]) -> str:
    return str(row["error"]).removeprefix(str(row["path"])).strip()
