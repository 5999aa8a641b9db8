"""Table of the recordings in a folder; what is left out, and copies, are reported."""

import filecmp
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pandas as pd

from sklearn_ser._files import as_text
from sklearn_ser.audio.opening import readable_suffixes
from sklearn_ser.corpora.base import AUDIO_SUFFIXES, COLUMNS, Reader
from sklearn_ser.corpora.emotions import canonical_emotion
from sklearn_ser.exceptions import CorpusError, CorpusWarning


@dataclass
class Listing:
    """What a folder holds, each list sorted by path.

    Parameters
    ----------
    folder : Path
    audio : list of Path
        Files that can be decoded, by their suffixes.
    unsupported : list of Path
        Recordings and videos that cannot.
    unreadable : list of Path
        Folders that may not be entered, links to nowhere, pipes and the like.
    """

    folder: Path
    audio: list[Path] = field(default_factory=list)
    unsupported: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)

    def find_corpus(self, readers: Iterable[Reader]) -> Reader | None:
        """Return the corpus that names the most of the audio files, if it names more than half.

        Names of BanglaSER are also names of RAVDESS, and the other way round, but not all of them.
        """
        best, most = None, len(self.audio) / 2
        for reader in readers:
            named = sum(reader.read_name(path) is not None for path in self.audio)
            if named > most:
                best, most = reader, named
        return best


def absolute(path: str | Path) -> Path:
    """Make a path absolute without following its links."""
    return Path(os.path.abspath(os.path.expanduser(path)))


def list_folder(folder: str | Path) -> Listing:
    """Find every recording below a folder, on whatever links lead there.

    What begins with a dot is passed over: file managers leave such things, macOS a `._clip.wav`
    beside each `clip.wav` on foreign disks.

    Parameters
    ----------
    folder : str or Path
        All paths in the listing begin with it.

    Raises
    ------
    CorpusError
        If there is no such folder, or no audio file in it.
    """
    listing = Listing(Path(os.path.expanduser(folder)))
    if listing.folder.is_file():
        raise CorpusError(f"{listing.folder} is a file: give the folder that holds the recordings.")
    if not listing.folder.is_dir():
        raise CorpusError(f"There is no folder {listing.folder}: check the path.")
    readable = readable_suffixes()
    for path in _walk(listing):
        suffix = path.suffix.lower()
        if suffix in readable:
            (listing.audio if path.is_file() else listing.unreadable).append(path)
        elif suffix in AUDIO_SUFFIXES:
            listing.unsupported.append(path)
    for paths in (listing.audio, listing.unsupported, listing.unreadable):
        paths.sort()
    if not listing.audio:
        unread = [*listing.unsupported, *listing.unreadable]
        raise CorpusError(
            f"There is no audio file in {listing.folder}: give the folder that holds the "
            "recordings (wav, flac, ogg, mp3, ...)."
            + (f" {describe_unread(listing.folder, unread)}" if unread else "")
        )
    return listing


def describe_unread(folder: Path, paths: Sequence[Path]) -> str:
    """Say which recordings of a folder are left out because they cannot be decoded.

    Examples
    --------
    >>> describe_unread(Path("calls"), [Path("calls/1.dss")])
    '1 file in calls left out, not being readable: 1.dss. ffmpeg -i 1.dss 1.wav converts one.'
    """
    message = f"{_count(paths)} in {folder} left out, not being readable: {_names(paths)}."
    readable = readable_suffixes()
    for path in paths:
        if path.suffix.lower() not in readable:
            return f"{message} ffmpeg -i {path.name} {path.stem}.wav converts one."
    return message


def _walk(listing: Listing) -> Iterator[Path]:
    """Yield each file once, following links without ever going round in a circle."""

    def blocked(error: OSError) -> None:
        listing.unreadable.append(Path(error.filename))

    root = os.path.realpath(listing.folder)
    seen = {root}
    for here, folders, files in os.walk(listing.folder, onerror=blocked, followlinks=True):
        inside = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(here, name))
            # A link to where we come from leads in a circle, or over half the disk.
            circle = real in seen or (root + os.sep).startswith(real.rstrip(os.sep) + os.sep)
            if not (circle or name.startswith(".") or name == "__MACOSX"):
                seen.add(real)
                inside.append(name)
        folders[:] = inside
        yield from (Path(here, name) for name in files if not name.startswith("."))


def read_listing(
    listing: Listing,
    parse: Callable[[Path], dict[str, Any] | None],
    *,
    corpus: str,
    belongs: str,
    note: str = "",
) -> pd.DataFrame:
    """Make the table of a folder's recordings.

    Parameters
    ----------
    listing : Listing
    parse : callable
        As in `Reader`.
    corpus : str
        For the column of that name.
    belongs : str
        What the recordings have in common, for messages: ``"of TESS"``.
    note : str, default=""
        Said after what is left out.

    Returns
    -------
    pandas.DataFrame of shape (n_clips, 8)
        Sorted by path. Its `attrs` list what is not in it: `left_out` and `copies`, both lists of
        str.

    Warns
    -----
    CorpusWarning
        If files are left out, or copies found.
    """
    rows, left_out = [], [*listing.unsupported, *listing.unreadable]
    for path in listing.audio:
        record = parse(path)
        if record is None:
            left_out.append(path)
        else:
            emotion = canonical_emotion(str(record["label"]))
            rows.append({**record, "path": path, "emotion": emotion, "corpus": corpus})
    rows, copies = _drop_copies(rows)
    if left_out:
        _warn(
            f"{_count(left_out)} in {listing.folder} left out, not being audio {belongs}: "
            f"{_names(left_out)}. {note}"
        )
    if copies:
        _warn(
            f"{_count(copies)} in {listing.folder} left out as copies, byte for byte, of another "
            f"of that name: {_names(copies)}."
        )
    return make_table(rows, left_out, copies)


def make_table(
    rows: Sequence[dict[str, Any]], left_out: Sequence[Any] = (), copies: Sequence[Any] = ()
) -> pd.DataFrame:
    """Put records into a table of the common columns, and any others after them."""
    others = dict.fromkeys(key for row in rows for key in row if key not in COLUMNS)
    # A name may not be UTF-8. That of a file has to stay as it is, and pandas' strings cannot hold
    # it; that of a folder, which is a label, becomes text.
    texts = [
        {name: as_text(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in rows
    ]
    table = pd.DataFrame(texts, columns=[*COLUMNS, *others])
    table["path"] = as_paths(row["path"] for row in rows)
    table.attrs["left_out"] = [str(path) for path in left_out]
    table.attrs["copies"] = [str(path) for path in copies]
    return table


def as_paths(paths: Iterable[str | Path]) -> pd.Series:
    """Return a column of paths, which holds names that are not UTF-8."""
    return pd.Series([str(path) for path in paths], dtype=object)


def to_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Take a table apart into rows; what is missing becomes None."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return cast(list[dict[str, Any]], rows)


def some(items: Sequence[str], n: int = 5) -> str:
    """Name the first few, and count the others.

    Examples
    --------
    >>> some(["a.wav", "b.wav", "c.wav", "d.wav"], 2)
    'a.wav, b.wav and 2 more'
    """
    return ", ".join(items[:n]) + f" and {len(items) - n} more" * (len(items) > n)


def _drop_copies(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Path]]:
    """Keep the least deeply nested of files that share name, meaning and every byte.

    Files of one name and meaning with different contents are different takes: all stay.
    """
    kept: dict[tuple[object, ...], list[Path]] = {}
    copies = set()
    for row in sorted(rows, key=lambda row: (len(row["path"].parts), row["path"])):
        path = row["path"]
        key = (path.name.casefold(), row["emotion"], row.get("speaker"), row.get("text"))
        originals = kept.setdefault(key, [])
        if any(_same_bytes(path, original) for original in originals):
            copies.add(path)
        else:
            originals.append(path)
    return [row for row in rows if row["path"] not in copies], sorted(copies)


def _same_bytes(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _count(paths: Sequence[Path]) -> str:
    return "1 file" if len(paths) == 1 else f"{len(paths)} files"


def _names(paths: Sequence[Path]) -> str:
    return some([path.name for path in paths], 3)


def _warn(message: str) -> None:
    warnings.warn(message.rstrip(), CorpusWarning, stacklevel=5)
