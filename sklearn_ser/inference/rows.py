"""Writing of rows to a file as they are made, to be resumed after a kill at any moment.

The rows grow in `FILE.partial`, which becomes FILE when all are there. A journal beside it says,
line by line, up to which byte they belong to sources that are done: whatever stands after that is
half-written, and a resumed run cuts it off.
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sklearn_ser._files import (
    as_text,
    check_writable,
    locked,
    nan_to_none,
    open_to_append,
    read_regular,
    to_json,
    write_all,
    write_atomically,
)
from sklearn_ser.exceptions import OptionError, OutputError

__all__ = ["FORMATS", "RowFile", "as_csv", "as_json_line", "check_output"]

FORMATS = (".csv", ".jsonl", ".parquet")

COMMIT_SECONDS = 0.5  # how much work a kill may cost
MAX_JOURNAL = 1 << 30  # bytes
ROWS_PER_GROUP = 10_000  # of a Parquet file


def as_csv(values: Sequence[Any]) -> str:
    """Return a line of CSV; None and NaN are empty."""
    line = io.StringIO()
    # With "\r\n" for the end of a line, cells that hold either of the two are quoted.
    csv.writer(line, lineterminator="\r\n").writerow(
        ["" if cell is None else cell for cell in nan_to_none(list(values))]
    )
    return line.getvalue()[:-2] + "\n"


def as_json_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of JSON; NaN is null."""
    return to_json(row, indent=None) + "\n"


class State(NamedTuple):
    """A line of the journal: what the first `bytes` bytes of the rows hold."""

    bytes: int
    done: int  # sources
    rows: int
    failed: int  # sources that could not be read
    sources: str  # checksum of the names of those that are done


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
        Go on where a killed run stopped. A table that is whole is left as it is.

    Attributes
    ----------
    n_done, n_rows, n_failed : int
        Sources that are done, their rows, and how many of them could not be read.
    n_kept : int
        Sources whose rows are on the disk for good.
    was_whole : bool
        Whether there was nothing left to do.

    Raises
    ------
    OptionError
        If the file has no such suffix, what is there was made of something else, or another
        process is writing the file.
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
        self.n_done = self.n_rows = self.n_failed = self.n_kept = 0
        self.was_whole = False
        self._about = json.loads(json.dumps({**about, "columns": self.columns}))
        self._names = hashlib.sha256()
        self._unwritten: list[str] = []
        self._n_bytes = 0
        self._last_commit = time.monotonic()
        lock = self.path.with_name(f".{self.path.name}.lock")
        busy = f"Another process is writing {self.path}: wait for it, or give another file."
        with self._named_errors(), contextlib.ExitStack() as stack:
            stack.enter_context(locked(lock, busy))
            if resume and self.path.exists() and not self.partial.exists():
                self._take_whole()
            else:
                self._file, self._log = self._open(stack, resume)
            self._open_files = stack.pop_all()

    def _open(self, stack: contextlib.ExitStack, resume: bool) -> tuple[BinaryIO, BinaryIO]:
        goes_on = resume and self._go_on()
        file = stack.enter_context(open_to_append(self.partial, new=not goes_on))
        log = stack.enter_context(open_to_append(self.journal, new=not goes_on))
        if not goes_on:
            header = as_csv(self.columns).encode() if self.path.suffix == ".csv" else b""
            write_all(file, header)
            self._n_bytes = len(header)
            write_all(log, json.dumps(self._about).encode() + b"\n" + self._state())
            os.fsync(log.fileno())
        return file, log

    def _go_on(self) -> bool:
        """Return to the last state in the journal that the rows reach, or say there is none."""
        journal = _read_journal(self.journal)
        if journal is None or not self.partial.exists():
            return False
        about, states = journal
        if about != self._about:
            raise OptionError(
                f"{self.partial} was begun with another model or other options: give the same, or "
                "leave out `resume` to start anew."
            )
        with open_to_append(self.partial) as rows, open_to_append(self.journal) as log:
            size = os.fstat(rows.fileno()).st_size
            reached = [(state, end) for state, end in states if state.bytes <= size]
            if not reached:
                return False
            state, end = reached[-1]
            self._name_done(min(state.done, len(self.sources)))
            if state.done > self.n_done or self._names.hexdigest() != state.sources:
                raise OptionError(
                    f"{self.partial} was begun with other sources: give the same in the same "
                    "order, or leave out `resume` to start anew."
                )
            os.ftruncate(rows.fileno(), state.bytes)
            os.ftruncate(log.fileno(), end)
        self.n_kept, self.n_rows, self.n_failed = state.done, state.rows, state.failed
        self._n_bytes = state.bytes
        return True

    def _take_whole(self) -> None:
        """Take a table that was finished before for done, if it is of the same sources."""
        table = _read_table(self.path)
        paths = [as_text(path) for path, _ in groupby(self.sources)]
        if list(table) != self.columns or [path for path, _ in groupby(table["path"])] != paths:
            raise OptionError(
                f"{self.path} is whole, and of other sources, or another model: give the same, or "
                "leave out `resume` to make it anew."
            )
        failed = table["error"].notna() if "error" in table else table["path"].isna()
        if "start" in table:  # a window may fail where its recording does not
            failed &= table["start"].isna()
        if "channel" in table:  # a source counts once
            failed = failed.groupby(table["path"]).any()
        self.n_done = self.n_kept = len(self.sources)
        self.n_rows, self.n_failed = len(table), int(failed.sum())
        self.was_whole = True

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of the source in hand."""
        for row in rows:
            if self.path.suffix == ".csv":
                self._unwritten.append(as_csv([row[name] for name in self.columns]))
            else:
                self._unwritten.append(as_json_line(row))
        self.n_rows += len(rows)
        if len(self._unwritten) >= 1000:
            with self._named_errors():
                self._write()

    def done(self, *, failed: bool = False) -> None:
        """Say that all rows of the source in hand are there."""
        self._name_done(self.n_done + 1)
        self.n_failed += failed
        if time.monotonic() - self._last_commit >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Bring all rows to the disk, then the line of the journal that vouches for them."""
        with self._named_errors():
            self._write()
            os.fsync(self._file.fileno())
            write_all(self._log, self._state())
        self.n_kept = self.n_done
        self._last_commit = time.monotonic()

    def finish(self) -> None:
        """Give the file its name."""
        if self.was_whole:
            return
        self.commit()
        with self._named_errors():
            self._file.close()
            self._log.close()
            if self.path.suffix == ".parquet":
                write_atomically(self.path, self._write_parquet)
                self.partial.unlink()
            else:
                os.replace(self.partial, self.path)
            self.journal.unlink()

    def close(self) -> None:
        """Let go of the files and of the lock, whatever state they are in."""
        self._open_files.close()

    def _write(self) -> None:
        data = "".join(self._unwritten).encode()
        self._unwritten.clear()
        write_all(self._file, data)
        self._n_bytes += len(data)

    def _name_done(self, n_done: int) -> None:
        for source in self.sources[self.n_done : n_done]:
            self._names.update(source.encode("utf-8", "surrogatepass") + b"\0")
        self.n_done = n_done

    def _state(self) -> bytes:
        names = self._names.hexdigest()
        state = State(self._n_bytes, self.n_done, self.n_rows, self.n_failed, names)
        return json.dumps(state._asdict()).encode() + b"\n"

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Name the table, and what of it is kept, where the system refuses to write."""
        try:
            yield
        except OSError as error:
            said = isinstance(error, OutputError)
            message = (
                str(error) if said else f"{self.path} cannot be written: {error.strerror or error}."
            )
            if self.n_kept:
                message += (
                    f" The rows of {self.n_kept} of {len(self.sources)} sources are kept: free "
                    "some space, then give the same command with `resume`."
                )
            raise OutputError(message) from error

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
    """Return where a table may be written, or raise `OptionError` or `OutputError`."""
    path = path.expanduser()
    if path.suffix not in FORMATS:
        raise OptionError(f"{path}: give a file that ends in .csv, .jsonl or .parquet.")
    if (path.exists() and not path.is_file()) or not path.parent.is_dir():
        raise OptionError(f"{path}: give a file in a folder that exists.")
    check_writable(path)
    return path


def _arrow_type(column: str) -> str:
    if column in ("start", "end", "confidence") or column.startswith("p_"):
        return "float64"
    if column == "channel":
        return "int64"
    return "bool" if column == "speech" else "string"


def _read_journal(path: Path) -> tuple[Any, list[tuple[State, int]]] | None:
    """Return the first line of a journal, and its states with the bytes up to the end of each.

    None if there is no journal, or a kill left it without a state. What follows a line that is not
    whole does not count.

    Raises
    ------
    OptionError
        If it is no journal at all.
    """
    try:
        lines = read_regular(path, MAX_JOURNAL, follow=False).split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OptionError(
            f"{path} cannot be read ({error.strerror}): remove it, or leave out `resume`."
        ) from error
    values: list[Any] = []
    states: list[tuple[State, int]] = []
    end = 0
    for line in lines:
        end += len(line) + 1
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8
            break
        if len(values) > 1:
            state = _as_state(values[-1])
            if state is None or (states and state.bytes < states[-1][0].bytes):
                break
            states.append((state, end))
    if not states and len(lines) > 1:
        raise OptionError(
            f"{path} is damaged, so that nobody can say what is done: leave out `resume` to start "
            "anew."
        )
    return (values[0], states) if states else None


def _as_state(value: Any) -> State | None:
    """Return a line of the journal as a state, if it is one."""
    if not isinstance(value, dict) or set(value) != set(State._fields):
        return None
    state = State(**value)
    counts = all(type(n) is int and n >= 0 for n in state[:-1])
    return state if counts and isinstance(state.sources, str) else None


def _read_table(path: Path) -> Any:
    """Read the columns of a finished table that tell what it was made of."""
    import pandas as pd

    try:
        if path.suffix == ".csv":
            text = dict.fromkeys(("path", "error"), str)
            table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
        elif path.suffix == ".jsonl":
            with open(path, encoding="utf-8") as lines:
                table = pd.DataFrame([json.loads(line) for line in lines])
        else:
            table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{path} is there already and cannot be read ({error}): leave out `resume` to make it "
            "anew."
        ) from error
    return table if "path" in table else table.assign(path=None)
