"""Registry of the known corpora, and where they are on this machine."""

import difflib
import os
import re
import warnings
from importlib.metadata import entry_points
from pathlib import Path

from sklearn_ser.corpora import (
    ased,
    banglaser,
    baved,
    crema_d,
    emodb,
    nemo,
    ravdess,
    savee,
    synthetic,
    tess,
    turevdb,
    urdu,
)
from sklearn_ser.corpora.base import Reader
from sklearn_ser.corpora.listing import absolute
from sklearn_ser.exceptions import CorpusError, CorpusWarning

_MODULES = (
    *(tess, ravdess, emodb, savee, crema_d, nemo, banglaser, ased, turevdb, urdu, baved),
    synthetic,
)
BUILT_IN = tuple(module.READER for module in _MODULES)
ENTRY_POINTS = "sklearn_ser.corpora"


def data_home() -> Path:
    """Say where corpora are looked for: `SKLEARN_SER_DATA`, else ``~/sklearn_ser_data``.

    Returns
    -------
    Path
        Absolute; it need not exist.
    """
    return absolute(os.environ.get("SKLEARN_SER_DATA") or "~/sklearn_ser_data")


def key(name: str) -> str:
    """Make names comparable: EMO-DB, emo_db and emodb are one."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def readers() -> dict[str, Reader]:
    """Collect the corpora of this package and of others, by name.

    Another package adds its own through the entry-point group ``sklearn_ser.corpora``; the value is
    a `Reader`, or a function that returns one.

    Warns
    -----
    CorpusWarning
        If an entry point cannot be loaded, or takes a name that is taken.
    """
    found = {reader.name: reader for reader in BUILT_IN}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            reader = entry.load()
            if not isinstance(reader, Reader):
                reader = reader()
            if not isinstance(reader, Reader):
                raise TypeError(f"it gives a {type(reader).__name__}, not a Reader")
            if key(reader.name) in map(key, found):
                raise ValueError(f"there is a corpus named {reader.name} already")
        except Exception as error:  # another package's code may fail in any way
            warnings.warn(
                f"The corpus {entry.name!r} ({entry.value}) of another package is left out: "
                f"{error or type(error).__name__}.",
                CorpusWarning,
                stacklevel=2,
            )
        else:
            found[reader.name] = reader
    return found


def find_reader(name: str) -> Reader | None:
    """Return the corpus of that name, whatever its case and hyphens, or None."""
    return {key(reader.name): reader for reader in readers().values()}.get(key(name))


def get_reader(name: str) -> Reader:
    """Return the corpus of that name.

    Raises
    ------
    CorpusError
        If none is known by it.
    """
    reader = find_reader(name)
    if reader is None:
        known = list(readers())
        close = difflib.get_close_matches(name.lower(), known, n=1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise CorpusError(
            f"There is no corpus named {name!r}.{guess} Known are {', '.join(known)} (see "
            "'sklearn-ser corpora list'); recordings of your own go by the path of their folder "
            "or CSV."
        )
    return reader


def find_folder(name: str) -> Path | None:
    """Return the folder of that name in the data folder, whatever its case and hyphens."""
    try:
        folders = sorted(path for path in data_home().iterdir() if path.is_dir())
    except OSError:
        return None
    alike = [folder for folder in folders if key(folder.name) == key(name)]
    # A folder of exactly that name comes first.
    return min(alike, key=lambda folder: folder.name != name, default=None)


def get_by(reader: Reader) -> str:
    """Say in a sentence how to get a corpus."""
    if reader.downloads:
        return f"Run 'sklearn-ser corpora get {reader.name}'."
    return reader.how_to_get or f"See {reader.homepage}."
