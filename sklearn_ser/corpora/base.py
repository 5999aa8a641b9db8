"""Base class of corpora: name, source and licence, and the pattern of the file names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("path", "emotion", "label", "speaker", "sex", "text", "intensity", "corpus")

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".aac", ".wma", ".amr"),
    *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".ape", ".wv"),
    *(".ra", ".dss", ".ac3", ".3gp", ".3g2", ".mka", ".mp4", ".avi", ".mov", ".mkv", ".webm"),
    *(".flv", ".mpg", ".mpeg", ".m4v"),
)
"""Files that count as recordings; those that cannot be decoded here are left out, and reported."""


@dataclass(frozen=True)
class Download:
    """One zip archive at a corpus's official home.

    Parameters
    ----------
    url : str
        Where it is.
    file_name : str
        What to call it on this machine.
    checksum : str, default=None
        As ``"md5:bc69..."``, where the corpus's home publishes one.
    """

    url: str
    file_name: str
    checksum: str | None = None


@dataclass(frozen=True)
class Reader:
    """A corpus that is recognised, and read, by the names of its files.

    Parameters
    ----------
    name : str
        What the user types: short, lower case.
    title : str
        The corpus's own name in full.
    citation : str
        Authors, year, title, DOI: the line that belongs in a paper.
    licence : str
        What one may do with it.
    homepage : str
        Its official home.
    example : str
        One of its file names, for messages.
    parse : callable of Path to dict or None
        From a file's path to what its name says, or None where it is no file of this corpus. The
        dict must have `label` (the corpus's own word for the emotion; `emotion` follows from it by
        `canonical_emotion`) and may have `speaker`, `sex` (``"female"`` or ``"male"``), `text`
        and `intensity`. Only the path is looked at: the file need not exist.
    n_clips : int, default=None
        How many clips the whole corpus has, where that is known.
    language : str, default=None
        What is spoken, by its English name.
    n_speakers : int, default=None
    emotions : tuple of str, default=()
        All of them, in the common vocabulary.
    hours : float, default=None
        How long the whole corpus is.
    downloads : tuple of Download, default=()
        The archives that make up the corpus; empty where it cannot be had without a person.
    how_to_get : str, default=""
        The steps of that person, as one or two sentences.
    suffixes : tuple of str, default=AUDIO_SUFFIXES
        In lower case, with the dot. A file that ends in none of them is never parsed.
    note : str, default=""
        Said where files are left out, if the corpus has files that are left out on purpose.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sklearn_ser.corpora.tess import READER
    >>> READER.parse(Path("TESS/OAF_back_ps.wav"))["text"]
    'back'
    """

    name: str
    title: str
    citation: str
    licence: str
    homepage: str
    example: str
    parse: Callable[[Path], dict[str, str | None] | None]
    n_clips: int | None = None
    language: str | None = None
    n_speakers: int | None = None
    emotions: tuple[str, ...] = ()
    hours: float | None = None
    downloads: tuple[Download, ...] = ()
    how_to_get: str = ""
    suffixes: tuple[str, ...] = AUDIO_SUFFIXES
    note: str = ""

    def read_name(self, path: Path) -> dict[str, str | None] | None:
        """Parse `path` if it ends in one of the corpus's suffixes."""
        return self.parse(path) if path.suffix.lower() in self.suffixes else None
