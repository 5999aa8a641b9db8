"""A CSV of recordings: the columns `path` and `emotion`, `speaker` and `text` if known, and others.

Relative paths count from the CSV's own folder, so that folder and CSV can move together.
"""

import warnings
from pathlib import Path

import pandas as pd

from sklearn_ser.corpora.base import COLUMNS
from sklearn_ser.corpora.emotions import canonical_emotion
from sklearn_ser.corpora.listing import absolute, make_table, some, to_records
from sklearn_ser.exceptions import CorpusError, CorpusWarning


def read_table(path: str | Path) -> pd.DataFrame:
    r"""Read a CSV of recordings.

    Parameters
    ----------
    path : str or Path
        A CSV in UTF-8 (a byte order mark is fine), with a header.

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
        If a file is listed more than once.

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
        empty = [f"row {i + 2}" for i, missing in enumerate(table[column].isna()) if missing]
        if empty:
            raise CorpusError(
                f"{path}: no {column} in {some(empty)}. Fill the cell or delete the row."
            )
    table["path"] = [_locate(cell, path.parent) for cell in table["path"]]
    missing = [
        f"{cell} (row {i + 2})"  # as a spreadsheet numbers it: the header is row 1
        for i, cell in enumerate(table["path"])
        if "://" not in cell and not Path(cell).is_file()
    ]
    if missing:
        raise CorpusError(
            f"{path}: {len(missing)} of {len(table)} files are not there: {some(missing)}. "
            f"Relative paths count from {path.parent}."
        )
    if "label" not in table:
        table["label"] = table["emotion"]
    table["label"] = table["label"].fillna(table["emotion"])
    table["emotion"] = [canonical_emotion(label) for label in table["emotion"]]
    table["corpus"] = table["corpus"].fillna(path.stem) if "corpus" in table else path.stem
    table = _drop_duplicates(table, path)
    return make_table(to_records(table))


def _read_csv(path: Path) -> pd.DataFrame:
    """Read the cells: known columns are text (speaker 07 is not 7), an empty cell is missing."""
    if not path.is_file():
        raise CorpusError(f"There is no file {path}: check the path.")
    try:
        with warnings.catch_warnings():
            # Cells beyond the header would otherwise be dropped with no more than a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                encoding="utf-8-sig",
                dtype=dict.fromkeys(COLUMNS, str),
                # Not pandas' own list of what is missing: someone's speaker may be called NA.
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=True,
                index_col=False,
            )
    except UnicodeDecodeError:
        raise CorpusError(f"{path} is not UTF-8: save it as 'CSV UTF-8' and try again.") from None
    except pd.errors.EmptyDataError:
        raise CorpusError(f"{path} is empty: it needs the columns path and emotion.") from None
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise CorpusError(f"{path} cannot be read as a CSV: {str(error).strip()}.") from None
    table.columns = table.columns.str.strip()
    absent = [column for column in ("path", "emotion") if column not in table]
    if absent:
        raise CorpusError(
            f"{path} has no column {' and no column '.join(absent)}; it has: "
            f"{', '.join(table.columns)}. Name the columns path and emotion, with commas between."
        )
    if table.empty:
        raise CorpusError(f"{path} has a header but no rows: one row per recording is needed.")
    return table


def _locate(cell: str, folder: Path) -> str:
    return cell if "://" in cell else str(absolute(folder / Path(cell).expanduser()))


def _drop_duplicates(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    again = table.duplicated("path")
    if not again.any():
        return table
    emotions = table.groupby("path", sort=False)["emotion"].nunique()
    torn = [Path(name).name for name in emotions.index[emotions > 1]]
    if torn:
        raise CorpusError(
            f"{path} gives different emotions to the same file: {some(torn)}. Keep one row each."
        )
    names = [Path(name).name for name in table["path"][again]]
    warnings.warn(
        f"{path} lists files more than once; the first row of each counts: {some(names)}.",
        CorpusWarning,
        stacklevel=3,
    )
    return table[~again]
