"""What files are meant by the words on a command line."""

import glob
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from sklearn_ser.corpora.base import AUDIO_SUFFIXES
from sklearn_ser.exceptions import CorpusError

__all__ = ["find_sources"]


def find_sources(names: Iterable[str], listed: Iterable[str] | None = None) -> list[str]:
    """Return the sources that names mean, in their order.

    Parameters
    ----------
    names : iterable of str
        Files, URLs, folders (the audio files in them, at any depth), patterns such as
        `calls/**/*.wav`, and `-` for a list with one of these a line. A file need not exist, so
        that its error has its row.
    listed : iterable of str, default=None
        The lines of that list; `None` reads standard input.

    Returns
    -------
    sources : list of str

    Raises
    ------
    CorpusError
        If a folder holds no audio file, a pattern matches none, or the list is empty.
    """
    sources: list[str] = []
    for name in names:
        if name != "-":
            sources.extend(_expand(name))
            continue
        lines = [line.rstrip("\r\n") for line in (sys.stdin if listed is None else listed)]
        found = [source for line in lines if line.strip() for source in _expand(line)]
        if not found:
            raise CorpusError("-: standard input is empty: give it one source a line.")
        sources.extend(found)
    return sources


def _expand(name: str) -> list[str]:
    if "://" in name or os.path.lexists(name):
        return _files_in(name) if os.path.isdir(name) else [name]
    if not glob.has_magic(name):
        return [name]
    matches = sorted(glob.glob(os.path.expanduser(name), recursive=True))
    files = [match for match in matches if not os.path.isdir(match)]
    folders = [match for match in matches if os.path.isdir(match)]
    # `**` matches every folder on the way; they are meant only where no file is.
    found = files or [file for folder in folders for file in _files_in(folder)]
    if not found:
        raise CorpusError(f"{name} matches no file: check the pattern.")
    return found


def _files_in(folder: str) -> list[str]:
    found = sorted(
        str(file)
        for file in Path(folder).rglob("*")
        if file.suffix.lower() in AUDIO_SUFFIXES
        and not file.name.startswith(".")  # litter of file managers
        and not file.is_dir()
    )
    if not found:
        raise CorpusError(f"{folder} holds no audio file: give another folder, or files.")
    return found
