"""A CSV of recordings: the columns `path` and `emotion`, `speaker` and `text` if known, and others.

Relative paths count from the CSV's own folder, so that folder and CSV can move together. CSVs are
read as spreadsheets write them: commas, semicolons or tabs; UTF-8, UTF-16 or Windows-1252; column
names in any case; and paths as Windows writes them.
"""

import csv
import io
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser._files import as_text, read_regular
from sklearn_ser.audio.opening import check_source, is_url
from sklearn_ser.corpora.base import COLUMNS
from sklearn_ser.corpora.emotions import canonical_emotion
from sklearn_ser.corpora.listing import absolute, as_paths, make_table, some, to_records
from sklearn_ser.exceptions import AudioError, CorpusError, CorpusWarning

MAX_BYTES = 1 << 30


def read_table(path: str | Path, on_error: str = "stop") -> pd.DataFrame:
    r"""Read a CSV of recordings.

    Parameters
    ----------
    path : str or Path
        A CSV with a header.
    on_error : {"stop", "skip"}, default="stop"
        Whether files that are not there are an error; with `"skip"` they stay in the table,
        and extraction leaves them out.

    Returns
    -------
    pandas.DataFrame of shape (n_clips, n_columns)
        The eight columns of every corpus, then the CSV's own others, in the order of its rows.
        `label` is the CSV's emotion as it stands, and `corpus` the CSV's name, unless the CSV has
        columns of these names.

    Raises
    ------
    CorpusError
        If it cannot be read, is empty, lacks a column or a value, or names files that are not
        there: all rows at fault are reported together.

    Warns
    -----
    CorpusWarning
        If a file is listed more than once, or the CSV is not in Unicode.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "one.wav").write_bytes(b"")
    ...     _ = Path(folder, "mine.csv").write_text("path,emotion,speaker\none.wav,Anger,07\n")
    ...     read_table(Path(folder, "mine.csv"))[["emotion", "label", "speaker", "corpus"]]
      emotion  label speaker corpus
    0   angry  Anger      07   mine
    """
    path = absolute(path)
    table = _read_csv(path)
    for column in ("path", "emotion"):
        empty = [f"row {row}" for row in table.index[table[column].isna()]]
        if empty:
            raise CorpusError(
                f"{path}: no {column} in {some(empty)}. Fill the cell or delete the row."
            )
    rows = table.index  # as a spreadsheet numbers them: the header is row 1
    table = table.reset_index(drop=True)
    table["path"] = as_paths(_locate(cell, path.parent) for cell in table["path"])
    missing = [
        f"{cell} (row {row})"
        for row, cell in zip(rows, table["path"], strict=True)
        if not is_url(cell) and not os.path.isfile(cell)
    ]
    if missing and on_error != "skip":
        raise CorpusError(
            f"{path}: {len(missing)} of {len(table)} files are not there: {some(missing)}. "
            f"Relative paths count from {path.parent}; correct or delete these rows. Where "
            "features are extracted, `on_error=skip` goes on without them."
        )
    if on_error != "skip":
        _check_urls(table["path"], rows, path)
    if "label" not in table:
        table["label"] = table["emotion"]
    table["label"] = table["label"].fillna(table["emotion"])
    table["emotion"] = [canonical_emotion(label) for label in table["emotion"]]
    table["corpus"] = table["corpus"].fillna(path.stem) if "corpus" in table else path.stem
    table = _drop_duplicates(table, path)
    return make_table(to_records(table))


def _read_csv(path: Path) -> pd.DataFrame:
    """Read the cells: known columns are text (speaker 07 is not 7), an empty cell is missing."""
    if not os.path.lexists(path):
        raise CorpusError(f"There is no file {path}: check the path.")
    try:
        text, is_unicode = _decode(read_regular(path, MAX_BYTES))
        header, text = _read_header(text)
        delimiter = _delimiter(header)
        columns = _name_columns(path, next(csv.reader([header], delimiter=delimiter)))
        rows, text = _filled_rows(text, delimiter)
        with warnings.catch_warnings():
            # Cells beyond the header would otherwise be dropped with no more than a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep=delimiter,
                dtype={i: str for i, name in enumerate(columns) if name in COLUMNS},
                # Not pandas' own list of what is missing: someone's speaker may be called NA.
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=True,
                index_col=False,
            )
            table.columns = pd.Index(columns)
    except (pd.errors.EmptyDataError, StopIteration):
        raise CorpusError(f"{path} is empty: it needs the columns path and emotion.") from None
    except CorpusError:
        raise
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, csv.Error, pd.errors.ParserWarning) as error:
        raise CorpusError(f"{path} cannot be read as a CSV: {str(error).strip()}.") from None
    if table.empty:
        raise CorpusError(f"{path} has a header but no rows: one row per recording is needed.")
    table = table if is_unicode else _resolve_bytes(table, path)
    # Where a cell goes over several lines, lines are no rows.
    table.index = pd.Index(rows) if len(rows) == len(table) else table.index + 2
    return table


def _filled_rows(text: str, delimiter: str) -> tuple[list[int], str]:
    """Return the numbers of the rows that are not empty, the header being 1, and only these rows.

    Spreadsheets leave rows of nothing but separators where something was deleted.
    """
    lines = list(enumerate(io.StringIO(text, newline=None), 1))
    filled = [(i, line) for i, line in lines if line.replace(delimiter, "").strip()]
    first = filled[0][0]
    return [i - first + 1 for i, _ in filled[1:]], "".join(line for _, line in filled)


def _decode(data: bytes) -> tuple[str, bool]:
    """Return the text and whether it is Unicode; if not, its characters stand for its bytes."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what Excel calls Unicode Text
        return data.decode("utf-16", "replace"), True
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


def _read_header(text: str) -> tuple[str, str]:
    """Return the line with the names of the columns, and the text from there on."""
    if text[:4].lower() == "sep=":  # a line of its own, which tells Excel the separator
        text = text.partition("\n")[2]
    lines = io.StringIO(text, newline=None)
    return next(line for line in lines if line.strip()), text


def _delimiter(header: str) -> str:
    """Return what stands between the cells: a comma, unless another makes sense of the header."""
    for delimiter in (",", ";", "\t"):
        names = [
            name.strip().casefold() for name in next(csv.reader([header], delimiter=delimiter))
        ]
        if "path" in names and "emotion" in names:
            return delimiter
    return ","


def _name_columns(path: Path, header: list[str]) -> list[str]:
    """Return the names of the columns, the common ones in lower case."""
    names = [as_text(name.strip()) for name in header]
    names = [name.casefold() if name.casefold() in COLUMNS else name for name in names]
    absent = [name for name in ("path", "emotion") if name not in names]
    if absent:
        raise CorpusError(
            f"{path} has no column {' and no column '.join(absent)}; it has: {', '.join(names)}. "
            "Name the columns path and emotion, with commas, semicolons or tabs between."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CorpusError(f"{path} has more than one column {twice[0]}: leave one.")
    return names


def _resolve_bytes(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Take what is not UTF-8 for Windows-1252, unless a file's name has just these bytes."""
    guessed = False

    def resolve(cell: Any, *, is_path: bool) -> Any:
        nonlocal guessed
        if not isinstance(cell, str):
            return cell
        data = cell.encode("latin-1")
        text = data.decode("utf-8", "surrogateescape")
        if as_text(text) == text or (is_path and os.path.isfile(_locate(text, path.parent))):
            return text
        guessed = True
        return data.decode("cp1252", "replace")

    for name in table:
        cells = [resolve(cell, is_path=name == "path") for cell in table[name]]
        table[name] = as_paths(cells) if name == "path" else pd.Series(cells, table.index)
    if guessed:
        warnings.warn(
            f"{path} is not UTF-8, and was read as Windows-1252: save it as 'CSV UTF-8' if names "
            "come out wrong.",
            CorpusWarning,
            stacklevel=6,
        )
    return table


def _locate(cell: str, folder: Path) -> str:
    """Return what a path in a cell means: as it stands, with Windows' separators, or unescaped."""
    if is_url(cell):
        return cell
    place = _place(cell, folder)
    others = {cell.replace("\\", "/"), _unescape(cell)} - {cell} if "\\" in cell else set()
    if others and not os.path.isfile(place):
        places = sorted(_place(other, folder) for other in others)
        return next((other for other in places if os.path.isfile(other)), place)
    return place


def _place(path: str, folder: Path) -> str:
    # No home is looked up of a name that no file can have.
    return str(absolute(folder / (path if "\0" in path else os.path.expanduser(path))))


def _unescape(cell: str) -> str:
    """Undo `as_text`, with which this package writes names that are not UTF-8."""
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), cell)


def _check_urls(cells: pd.Series, rows: pd.Index, path: Path) -> None:
    """Raise for a URL that is not read, such as one that names a file of this machine."""
    for row, cell in zip(rows, cells, strict=True):
        try:
            check_source(cell)
        except AudioError as error:
            raise CorpusError(f"{path}: row {row}: {error}") from None


def _drop_duplicates(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    again = table.duplicated("path")
    if not again.any():
        return table
    emotions = table.groupby("path", sort=False)["emotion"].nunique()
    ambiguous = [Path(name).name for name in emotions.index[emotions > 1]]
    if ambiguous:
        raise CorpusError(
            f"{path} gives different emotions to the same file: {some(ambiguous)}. Keep one row "
            "each."
        )
    names = [Path(name).name for name in table["path"][again]]
    warnings.warn(
        f"{path} lists files more than once; the first row of each counts: {some(names)}.",
        CorpusWarning,
        stacklevel=3,
    )
    return table[~again]
