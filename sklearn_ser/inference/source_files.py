"""Sources from names: files, URLs, folders, patterns and lists on standard input."""

import glob
import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

from sklearn_ser._files import as_text
from sklearn_ser.audio.opening import is_url
from sklearn_ser.corpora.listing import describe_unread, list_folder
from sklearn_ser.exceptions import CorpusError, CorpusWarning

__all__ = ["find_sources"]


def find_sources(names: Iterable[str], listed: bytes | None = None) -> list[str]:
    """Return the sources that names mean, in their order.

    Parameters
    ----------
    names : iterable of str
        Files, URLs, folders (the audio files in them, at any depth), patterns such as
        `calls/**/*.wav`, and `-` for a list. A file need not exist, so that its error has its row.
    listed : bytes, default=None
        That list: one of these a line; or, where it holds a NUL, exact names with a NUL after each,
        as `find -print0` writes them. `None` reads standard input.

    Returns
    -------
    sources : list of str
        A name that is not UTF-8 is as `os.fsdecode` gives it.

    Raises
    ------
    CorpusError
        If a folder holds no audio file, a pattern matches none, or the list is empty.

    Warns
    -----
    CorpusWarning
        If a folder holds recordings that cannot be decoded.
    """
    sources: list[str] = []
    for name in names:
        if name != "-":
            sources.extend(_expand(name))
            continue
        found = _read_list(sys.stdin.buffer.read() if listed is None else listed)
        if not found:
            raise CorpusError("-: standard input is empty: give it one source a line.")
        sources.extend(found)
    return sources


def _read_list(data: bytes) -> list[str]:
    """Return the sources of a list."""
    if b"\0" in data:
        names = [os.fsdecode(name) for name in data.split(b"\0") if name]
        return [file for name in names for file in _files_in(name)]
    lines = (os.fsdecode(line.rstrip(b"\r")) for line in data.split(b"\n"))
    return [source for line in lines if line.strip() for source in _expand(line)]


def _expand(name: str) -> list[str]:
    if is_url(name) or os.path.lexists(name) or not glob.has_magic(name):
        return _files_in(name)
    try:
        matches = sorted(glob.glob(os.path.expanduser(name), recursive=True))
    except RecursionError:
        raise CorpusError(
            f"{as_text(name)[:60]}... is no pattern: it has too many parts."
        ) from None
    # No pipe that is only matched; but a link to nowhere, so that its error has its row.
    files = [match for match in matches if os.path.isfile(match) or not os.path.exists(match)]
    folders = [match for match in matches if os.path.isdir(match)]
    # `**` matches every folder on the way; they are meant only where no file is.
    found = files or [file for folder in folders for file in _files_in(folder)]
    if not found:
        raise CorpusError(f"{as_text(name)} matches no file: check the pattern.")
    return found


def _files_in(name: str) -> list[str]:
    """Return the audio files of a folder; anything else is a source itself."""
    if is_url(name) or not os.path.isdir(name):
        return [name]
    listing = list_folder(name)
    # A link to nowhere is a source, so that its error has its row.
    broken = [path for path in listing.unreadable if not os.path.exists(path)]
    unread = [*listing.unsupported, *(path for path in listing.unreadable if path not in broken)]
    if unread:
        warnings.warn(describe_unread(Path(name), unread), CorpusWarning, stacklevel=4)
    return sorted(map(str, [*listing.audio, *broken]))
