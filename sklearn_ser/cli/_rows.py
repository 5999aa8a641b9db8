"""How `predict` shows its rows: as a table to look at, lines of CSV or JSON, or one document."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from sklearn_ser._files import printable
from sklearn_ser.cli._app import name_options, notice, print_json, terminal_width, wrap

NO_SPEECH = "no speech"  # what a person reads in place of the label "silence"


class Printer:
    """Shows rows on standard output as they are made.

    Parameters
    ----------
    form : {"table", "csv", "jsonl", "json", "none"}
    goes_on : bool
        Whether rows are wanted in a file too: then the work goes on when nobody reads what is
        printed any more.
    about : str or None
        What the model says of itself, for the one JSON document.
    """

    def __init__(self, form: str, *, goes_on: bool, about: str | None = None):
        self.form = form
        self.goes_on = goes_on
        self.about = about
        self.collected: list[Mapping[str, Any]] = []
        # While bars are shown, what libraries print goes to standard error; rows do not.
        self._stdout: Any = sys.stdout

    @property
    def to_a_person(self) -> bool:
        """Whether rows appear in a terminal, where a progress bar would be in their way."""
        return self.form in ("table", "csv", "jsonl") and sys.stdout.isatty()

    def begin(self, columns: Sequence[str], sources: Sequence[str], n_done: int) -> None:
        """Print the line above all others."""
        from sklearn_ser.inference.rows import as_csv

        self._columns = columns
        if 0 < n_done < len(sources):
            notice(f"Going on after {n_done} of {len(sources)} sources.")
        if self.form == "table":
            self._table = Table(columns, sources)
            self._print(self._table.heading())
        elif self.form == "csv":
            self._print(as_csv(columns))

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print some rows."""
        from sklearn_ser.inference.rows import as_csv, as_json_line

        if self.form == "json":
            self.collected.extend(rows)
        elif self.form == "jsonl":
            self._print("".join(map(as_json_line, rows)))
        elif self.form == "csv":
            self._print("".join(as_csv([row[name] for name in self._columns]) for row in rows))
        elif self.form == "table":
            self._print("".join(map(self._table.line, rows)))

    def finish(self) -> None:
        """Print what is printed at the end."""
        if self.form == "json":
            about = {} if self.about is None else {"about": self.about}
            print_json({**about, "rows": self.collected})

    def _print(self, text: str) -> None:
        if self._stdout is None:
            return
        if self._stdout.isatty():  # a terminal would obey the control characters of names
            text = printable(text, lines=True)
        try:
            typer.echo(text.encode("utf-8", "backslashreplace"), nl=False, file=self._stdout)
        except BrokenPipeError:
            if not self.goes_on:
                raise
            self._stdout = None


class Table:
    """Rows for people: columns of fixed width, so that each line can be shown when it is made.

    In a terminal that is too narrow a row has two lines, the file and the prediction.
    """

    def __init__(self, columns: Sequence[str], sources: Sequence[str]):
        self.probabilities = [name for name in columns if name.startswith("p_")]
        emotions = [name[2:] for name in self.probabilities]
        self.emotion_width = max(map(len, [*emotions, "emotion", NO_SPEECH]))
        self.path_width = min(60, max(len(printable(source)) for source in sources))
        self.windowed = "start" in columns
        self.split = "channel" in columns
        self.width = terminal_width(sys.stdout)
        next_ones = 2 * (max(map(len, emotions)) + len(" 99%, "))
        needed = self.path_width + self.emotion_width + 16 + next_ones
        needed += 9 * self.split + 21 * self.windowed
        self.stacked = self.width is not None and self.width < needed

    def heading(self) -> str:
        """Return the line above all others."""
        place = "channel  " if self.split else ""
        place += f"{'from':>9} {'to':>9}  " if self.windowed else ""
        return self._join("file", f"{place}{'emotion':{self.emotion_width}}  confidence  next")

    def line(self, row: Mapping[str, Any]) -> str:
        """Return a row as a line."""
        return self._join(printable(row["path"]), printable(self._cells(row)))

    def _join(self, path: str, cells: str) -> str:
        if not self.stacked:
            return f"{path:{self.path_width}}  {cells}\n"
        return f"{path}\n{wrap(f'    {cells}', self.width or 80)}\n"

    def _cells(self, row: Mapping[str, Any]) -> str:
        from sklearn_ser.inference.predictor import percent

        number = "-" if row.get("channel") is None else row["channel"]
        place = f"{number:>7}  " if self.split else ""
        if row["error"] is not None:
            reason = name_options(_reason(row))
            return f"{place}{'-':{self.emotion_width}}  {'-':>10}  not read: {reason}"
        place += f"{row['start']:9.2f} {row['end']:9.2f}  " if self.windowed else ""
        warning = f"  [{row['warning']}]" if row["warning"] else ""
        if row["confidence"] != row["confidence"]:  # NaN: a label "silence" may have one
            return f"{place}{NO_SPEECH:{self.emotion_width}}  {'-':>10}{warning}"
        ranked = sorted(self.probabilities, key=lambda name: -row[name])
        rest = [name for name in ranked if name[2:] != row["emotion"]][:2]
        others = ", ".join(f"{name[2:]} {percent(row[name])}" for name in rest)
        confidence = percent(row["confidence"])
        return f"{place}{row['emotion']:{self.emotion_width}}  {confidence:>10}  {others}{warning}"


def _reason(row: Mapping[str, Any]) -> str:
    return str(row["error"]).removeprefix(str(row["path"])).strip()
