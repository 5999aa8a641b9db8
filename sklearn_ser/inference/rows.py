"""Rows written as they are made, by runs that may be killed at any moment and go on later.

The rows grow in `FILE.partial`, which becomes FILE when all are there. A journal beside it says,
line by line, up to which byte they belong to sources that are done: whatever stands after that is
half-written, and `--resume` cuts it off.
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn_ser._files import nan_to_none, printable_json, write_atomically
from sklearn_ser.exceptions import OptionError, OutputError

__all__ = ["FORMATS", "RowFile", "as_csv", "as_json_line"]

FORMATS = (".csv", ".jsonl", ".parquet")

COMMIT_SECONDS = 0.5  # how much work a kill may cost
ROWS_PER_GROUP = 10_000  # of a Parquet file


def as_csv(values: Sequence[Any]) -> str:
    """Return a line of CSV; None and NaN are empty."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        ["" if value is None or value != value else value for value in values]
    )
    return line.getvalue()


def as_json_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON; NaN is null."""
    return printable_json(json.dumps(nan_to_none(row), ensure_ascii=False)) + "\n"


class RowFile:
    """A table on disk that grows, survives its writer, and takes its name when it is whole.

    Parameters
    ----------
    path : Path
        What to write: a .csv, .jsonl or .parquet file.
    columns : sequence of str
    sources : sequence of str
        What the rows are made of, in their order.
    about : mapping
        What else decides the rows, such as the model's checksum; a run goes on only with the same.
    resume : bool, default=False
        Go on where a killed run stopped.

    Attributes
    ----------
    n_done, n_rows, n_failed : int
        Sources that are done, their rows, and how many of them could not be read.

    Raises
    ------
    OptionError
        If the file has no such suffix, or what is there was made of something else.
    OutputError
        If it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        sources: Sequence[str],
        about: Mapping[str, Any],
        *,
        resume: bool = False,
    ):
        self.path = check_output(path)
        self.partial = self.path.with_name(f"{self.path.name}.partial")
        self.journal = self.path.with_name(f"{self.path.name}.partial.journal")
        self.columns = list(columns)
        self.sources = sources
        self.n_done = self.n_rows = self.n_failed = 0
        self._about = json.loads(json.dumps({**about, "columns": self.columns}))
        self._names = hashlib.sha256()
        self._unwritten: list[str] = []
        self._last_commit = time.monotonic()
        with _named_errors(self.path):
            if not (resume and self._go_on()):
                self._begin()
            self._file = open(self.partial, "ab")  # noqa: SIM115  closed by close()
            self._log = open(self.journal, "ab")  # noqa: SIM115

    def _begin(self) -> None:
        header = as_csv(self.columns) if self.path.suffix == ".csv" else ""
        self.partial.write_text(header, encoding="utf-8")
        with open(self.journal, "wb") as journal:
            journal.write((json.dumps(self._about) + "\n" + self._state(len(header))).encode())
            os.fsync(journal.fileno())

    def _go_on(self) -> bool:
        """Return to the last state in the journal that the rows reach, or say there is none."""
        states = _whole_lines(self.journal)
        if len(states) < 2 or not self.partial.exists():
            return False
        if states[0] != self._about:
            raise OptionError(
                f"{self.partial} was begun with another model or other options: give the same, or "
                "leave out --resume to start anew."
            )
        size = self.partial.stat().st_size
        state = next((s for s in reversed(states[1:]) if s["bytes"] <= size), None)
        if state is None:
            return False
        self._name_done(state["done"])
        if state["done"] > len(self.sources) or self._names.hexdigest() != state["sources"]:
            raise OptionError(
                f"{self.partial} was begun with other sources: give the same in the same order, or "
                "leave out --resume to start anew."
            )
        os.truncate(self.partial, state["bytes"])
        self.n_rows, self.n_failed = state["rows"], state["failed"]
        # What a kill has cut off of the journal's own last line must not meet the next one.
        kept = [states[0], *(s for s in states[1:] if s["bytes"] <= state["bytes"])]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        write_atomically(self.journal, text.encode())
        return True

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of the source in hand."""
        for row in rows:
            if self.path.suffix == ".csv":
                self._unwritten.append(as_csv([row[name] for name in self.columns]))
            else:
                self._unwritten.append(as_json_line(row))
        self.n_rows += len(rows)
        if len(self._unwritten) >= 1000:
            self._write()

    def done(self, *, failed: bool = False) -> None:
        """Say that all rows of the source in hand are there."""
        self._name_done(self.n_done + 1)
        self.n_failed += failed
        if time.monotonic() - self._last_commit >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Bring all rows to the disk, then the line of the journal that vouches for them."""
        with _named_errors(self.path):
            self._write()
            os.fsync(self._file.fileno())
            self._log.write(self._state(self._file.tell()).encode())
            self._log.flush()
        self._last_commit = time.monotonic()

    def finish(self) -> None:
        """Give the file its name."""
        self.commit()
        self.close()
        with _named_errors(self.path):
            if self.path.suffix == ".parquet":
                write_atomically(self.path, self._write_parquet)
                self.partial.unlink()
            else:
                os.replace(self.partial, self.path)
            self.journal.unlink()

    def close(self) -> None:
        """Let go of the files, whatever state they are in."""
        self._file.close()
        self._log.close()

    def _write(self) -> None:
        data = "".join(self._unwritten).encode("utf-8", "backslashreplace")
        self._unwritten.clear()
        with _named_errors(self.path):
            self._file.write(data)
            self._file.flush()

    def _name_done(self, n_done: int) -> None:
        for source in self.sources[self.n_done : n_done]:
            self._names.update(source.encode("utf-8", "surrogateescape") + b"\0")
        self.n_done = n_done

    def _state(self, n_bytes: int) -> str:
        state = {
            "bytes": n_bytes,
            "done": self.n_done,
            "rows": self.n_rows,
            "failed": self.n_failed,
            "sources": self._names.hexdigest(),
        }
        return json.dumps(state) + "\n"

    def _write_parquet(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([(name, _arrow_type(name)) for name in self.columns])
        rows: list[dict] = []
        with open(self.partial, encoding="utf-8") as lines, pq.ParquetWriter(path, schema) as table:
            for line in lines:
                rows.append(json.loads(line))
                if len(rows) == ROWS_PER_GROUP:
                    table.write_table(pa.Table.from_pylist(rows, schema))
                    rows.clear()
            if rows or not self.n_rows:
                table.write_table(pa.Table.from_pylist(rows, schema))


def check_output(path: Path) -> Path:
    """Return where a table may be written, or raise `OptionError`."""
    path = path.expanduser()
    if path.suffix not in FORMATS:
        raise OptionError(f"{path}: give a file that ends in .csv, .jsonl or .parquet.")
    if path.is_dir() or not path.parent.is_dir():
        raise OptionError(f"{path}: give a file in a folder that exists.")
    return path


def _arrow_type(column: str) -> str:
    if column in ("start", "end", "confidence") or column.startswith("p_"):
        return "float64"
    return "bool" if column == "speech" else "string"


def _whole_lines(journal: Path) -> list[dict]:
    """Return the lines of a journal up to the first that is not whole."""
    lines: list[dict] = []
    try:
        text = journal.read_bytes()
    except OSError:
        return lines
    for line in text.split(b"\n")[:-1]:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


@contextlib.contextmanager
def _named_errors(path: Path):
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
