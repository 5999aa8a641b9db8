"""Loading of data by the names users give: corpora, folders, CSVs, or several joined."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser.corpora._registry import (
    data_home,
    find_folder,
    find_reader,
    get_by,
    get_reader,
    readers,
)
from sklearn_ser.corpora.base import Reader
from sklearn_ser.corpora.folder import read_folder
from sklearn_ser.corpora.listing import absolute, list_folder, make_table, read_listing, to_records
from sklearn_ser.corpora.selection import map_emotions, take_emotions
from sklearn_ser.corpora.summary import summarise
from sklearn_ser.corpora.synthetic import make_synthetic
from sklearn_ser.corpora.table import read_table
from sklearn_ser.exceptions import CorpusError, CorpusWarning


def load_corpus(name: str, path: str | Path | None = None) -> pd.DataFrame:
    """Read a corpus into a table with one row per recording.

    Parameters
    ----------
    name : str
        ``"tess"``, ``"ravdess"``, ``"emodb"``, ``"savee"``, ``"crema-d"``, ``"synthetic"``, or one
        that another package brings: see `list_corpora`. Case and hyphens make no difference.
    path : str or Path, default=None
        The folder that holds the recordings, at any depth; by default the folder of the corpus's
        name in the data folder: `SKLEARN_SER_DATA`, else ``~/sklearn_ser_data``. The synthetic
        corpus is made there if need be.

    Returns
    -------
    pandas.DataFrame of shape (n_clips, 8)
        Sorted by path, with the columns `path` (absolute), `emotion` (one of `EMOTIONS`, where it
        has a synonym there), `label` (the corpus's own word), `speaker`, `sex`, `text` (what is
        said, or the corpus's code for it), `intensity` and `corpus`; what is not known is missing.
        ``attrs["left_out"]`` lists the files that are not part of the corpus, ``attrs["copies"]``
        those that are there more than once.

    Raises
    ------
    CorpusError
        If the corpus is not known, or not there.

    Warns
    -----
    CorpusWarning
        If files are left out, or copies found.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("OAF_back_ps.wav", "YAF_back_fear.wav"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     load_corpus("tess", folder)[["emotion", "label", "speaker", "text"]]
        emotion label speaker  text
    0  surprise    ps     OAF  back
    1      fear  fear     YAF  back
    """
    reader = get_reader(name)
    folder = find_folder(reader.name) if path is None else absolute(path)
    if reader.name == "synthetic":
        folder = folder or data_home() / reader.name
        if path is None or not folder.exists():
            make_synthetic(folder)
    if folder is None:
        raise CorpusError(
            f"{reader.title} is not in the data folder {data_home()}. {get_by(reader)} "
            "Or give the folder it is in; SKLEARN_SER_DATA says where the data folder is."
        )
    return _read(reader, folder)


def _read(reader: Reader, folder: Path) -> pd.DataFrame:
    listing = list_folder(folder)
    table = read_listing(
        listing,
        reader.read_name,
        corpus=reader.name,
        belongs=f"of {reader.title.partition(',')[0]}",
        note=reader.note,
    )
    if table.empty:
        raise CorpusError(
            f"None of the {len(listing.audio)} audio files in {listing.folder} is named as in "
            f"{reader.title} (such as {reader.example}): {listing.audio[0].name} is the first."
        )
    return table


def load_data(
    data: str | Path,
    *,
    emotions: str | Sequence[str] | None = None,
    map: str | Mapping[str, str] | None = None,
    on_error: str = "stop",
) -> pd.DataFrame:
    """Read what `DATA` means on the command line into one table.

    Parameters
    ----------
    data : str or Path
        A corpus's name; a folder, where a known corpus is recognised by the names of most of its
        files, and any other has one subfolder per emotion; a CSV; or several of these joined by
        commas. A name that is also that of a folder here means the corpus, if that is on this
        machine: write ``./tess`` for the folder.
    emotions : str or sequence of str, default=None
        The emotions to take, in a list or joined by commas, in any case; `None` takes all.
    map : str or mapping, default=None
        Other emotions for some labels, ``"calm=neutral,boredom=sad"``: on the left an emotion or
        one of a corpus's own labels. Applied before `emotions` are taken; the column `label` stays.
    on_error : {"stop", "skip"}, default="stop"
        Whether files of a CSV that are not there are an error; with `"skip"` they stay in the
        table, and extraction leaves them out.

    Returns
    -------
    pandas.DataFrame of shape (n_clips, n_columns)
        As `load_corpus` does, with any other columns of a CSV after the common ones. Where several
        are joined, each speaker is named with its corpus, ``tess:OAF``, so that two corpora's
        speaker 03 are two people; a file that comes up twice counts once.

    Raises
    ------
    CorpusError
        If something is not known, not there, or cannot be read, or no clip has one of `emotions`
        or a label of `map`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("a/OAF_back_ps.wav", "b/03a01Fa.wav"):
    ...         Path(folder, name).parent.mkdir()
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     load_data(f"{folder}/a,{folder}/b")[["emotion", "speaker", "corpus"]]
        emotion   speaker corpus
    0  surprise  tess:OAF   tess
    1     happy  emodb:03  emodb
    """
    data = str(data)
    names = [data] if _exists(data) else [name.strip() for name in data.split(",")]
    tables = [_load_one(name, on_error) for name in names if name]
    if not tables:
        raise CorpusError("No data is named: give a corpus, a folder or a CSV.")
    table = tables[0] if len(tables) == 1 else _join(tables)
    table = map_emotions(table, map)
    return table if emotions is None else take_emotions(table, emotions)


def _load_one(name: str, on_error: str) -> pd.DataFrame:
    """Read a corpus, a folder or a CSV."""
    looks_like_path = "/" in name or "\\" in name or name.startswith((".", "~"))
    if not looks_like_path and not Path(name).suffix:
        reader = find_reader(name)
        if reader and (find_folder(reader.name) or not _exists(name)):
            return load_corpus(name)
        folder = find_folder(name)
        if not _exists(name) and not folder:
            get_reader(name)  # raises, with the names that are known
        elif not _exists(name):
            name = str(folder)
    path = absolute(name)
    if path.suffix.lower() == ".csv" and not path.is_dir():
        return read_table(path, on_error)
    if path.is_file():
        raise CorpusError(
            f"{path} is neither a folder nor a CSV: give the folder that holds the recordings, or "
            "a CSV with the columns path and emotion."
        )
    listing = list_folder(path)
    reader = listing.find_corpus(readers().values())
    return read_folder(listing) if reader is None else _read(reader, path)


def _exists(text: str) -> bool:
    try:
        return bool(text.strip()) and absolute(text).exists()
    except (OSError, ValueError):  # too long for a name, or a null byte in it
        return False


def _join(tables: list[pd.DataFrame]) -> pd.DataFrame:
    rows: dict[str, dict[str, Any]] = {}
    for table in tables:
        # Not pandas' concat, which warns about columns that are wholly missing.
        for row in to_records(table):
            if row["speaker"] is not None:
                row["speaker"] = f"{row['corpus']}:{row['speaker']}"
            rows.setdefault(row["path"], row)
    again = sum(len(table) for table in tables) - len(rows)
    if again:
        warnings.warn(
            f"{again} files are in more than one of the corpora; each counts once.",
            CorpusWarning,
            stacklevel=3,
        )
    left_out, copies = (
        [path for table in tables for path in table.attrs[name]] for name in ("left_out", "copies")
    )
    return make_table(list(rows.values()), left_out, copies)


def count_clips(reader: Reader, folder: Path) -> int:
    """Count the clips of a corpus in a folder by their names alone, copies once."""
    try:
        audio = list_folder(folder).audio
    except CorpusError:
        return 0
    records = ((path.name.casefold(), reader.read_name(path)) for path in audio)
    return len({(name, tuple(record.values())) for name, record in records if record})


def default_data() -> str:
    """Say which data to use where none is named: TESS if it is on this machine.

    Returns
    -------
    str
        ``"tess"`` or ``"synthetic"``.
    """
    reader = get_reader("tess")
    folder = find_folder(reader.name)
    return "tess" if folder and count_clips(reader, folder) else "synthetic"


def list_corpora() -> pd.DataFrame:
    """List the corpora that are known, and which of them are on this machine.

    Returns
    -------
    pandas.DataFrame of shape (n_corpora, 14)
        With the columns `name`, `title`, `language`, `emotions` (a list), `here` (bool), `clips`,
        `speakers` and `hours` (of what is here, measured), `clips_in_full`, `speakers_in_full` and
        `hours_in_full` (of the whole corpus, where that is known), `folder`, `licence` and
        `how_to_get`.

    Examples
    --------
    >>> "tess" in list(list_corpora()["name"])
    True
    """
    rows = []
    for reader in readers().values():
        folder = find_folder(reader.name)
        here = _measure(reader, folder) if folder else {"clips": 0}
        rows.append(
            {
                "name": reader.name,
                "title": reader.title,
                "language": reader.language,
                "emotions": list(reader.emotions),
                "here": here["clips"] > 0,
                "clips": here["clips"],
                "clips_in_full": reader.n_clips,
                "speakers": here.get("speakers"),
                "speakers_in_full": reader.n_speakers,
                "hours": here.get("hours"),
                "hours_in_full": reader.hours,
                "folder": str(folder) if here["clips"] else None,
                "licence": reader.licence,
                "how_to_get": get_by(reader),
            }
        )
    return pd.DataFrame(rows)


def _measure(reader: Reader, folder: Path) -> dict[str, Any]:
    """Count clips and speakers of a corpus in a folder, and the hours by the files' headers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CorpusWarning)  # `corpora show` says what is left out
            summary = summarise(_read(reader, folder))
    except CorpusError:
        return {"clips": 0}
    seconds = summary["seconds"]
    return {
        "clips": summary["clips"],
        "speakers": len(summary["speakers"]) or None,
        "hours": seconds["total"] / 3600 if seconds else None,
    }
