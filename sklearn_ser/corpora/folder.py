"""A folder of one's own recordings: one subfolder per emotion.

``recordings/angry/take1.wav`` is angry. Below that, anything goes; above it too, as long as the
emotion's folder has a name that `canonical_emotion` knows: ``recordings/train/sad/anna/1.wav`` is
sad. Where no folder on the way has such a name, the one as deep as those that have is the emotion,
as it stands, or else the topmost one below the folder that holds everything.
Files beside the subfolders have no emotion: they are left out and reported. Speakers are unknown
here; a CSV can say who speaks.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser.corpora.emotions import EMOTIONS, canonical_emotion
from sklearn_ser.corpora.listing import Listing, read_listing
from sklearn_ser.exceptions import CorpusError, CorpusWarning


def parser(folder: Path, level: int = 0) -> Callable[[Path], dict[str, Any] | None]:
    """Make the function that reads a path's emotion from the folders between `folder` and it.

    Parameters
    ----------
    folder : Path
    level : int, default=0
        Which of these folders is the emotion where none has the name of one.

    Examples
    --------
    >>> parse = parser(Path("recordings"))
    >>> parse(Path("recordings/Anger/anna/take1.wav"))
    {'label': 'Anger'}
    >>> parse(Path("recordings/take1.wav")) is None
    True
    """

    def parse(path: Path) -> dict[str, Any] | None:
        between = path.relative_to(folder).parts[:-1]
        if not between:
            return None
        place = _place_of_emotion(between)
        return {"label": between[min(level, len(between) - 1) if place is None else place]}

    return parse


def _place_of_emotion(between: Sequence[str]) -> int | None:
    """Return the first of some folders that has the name of an emotion."""
    known = (i for i, name in enumerate(between) if canonical_emotion(name) in EMOTIONS)
    return next(known, None)


def read_folder(listing: Listing) -> pd.DataFrame:
    """Read a folder that has one subfolder per emotion.

    Raises
    ------
    CorpusError
        If its recordings lie in no subfolders.

    Warns
    -----
    CorpusWarning
        If they all lie in one, whose name is of no emotion that is known.
    """
    folder = listing.folder
    if all(path.parent == folder for path in listing.audio):
        raise CorpusError(
            f"The files in {folder} are named as in no corpus that is known (such as "
            f"{listing.audio[0].name}), and there is no subfolder per emotion: sort them into "
            f"folders such as {folder.name}/angry and {folder.name}/sad, or give a CSV with the "
            "columns path and emotion."
        )
    return read_listing(
        listing,
        parser(folder, _find_level(listing)),
        corpus=folder.name,
        belongs="in an emotion's subfolder",
    )


def _find_level(listing: Listing) -> int:
    """Return how deep the emotions' folders lie.

    As deep as most of those with the name of an emotion; where there are none, just below the
    folder that holds everything.
    """
    folders = {path.parent.relative_to(listing.folder) for path in listing.audio} - {Path()}
    places = [_place_of_emotion(path.parts) for path in folders]
    known = [place for place in places if place is not None]
    if known:
        return max(set(known), key=known.count)
    shared = Path(os.path.commonpath(folders))
    if shared not in folders:
        return len(shared.parts)
    warnings.warn(
        f"All recordings in {listing.folder} lie in the one subfolder {shared}, which is taken "
        "for their emotion: sort them into one subfolder per emotion, or give a CSV.",
        CorpusWarning,
        stacklevel=6,
    )
    return len(shared.parts) - 1
