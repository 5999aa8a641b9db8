"""A folder of one's own recordings: one subfolder per emotion.

``recordings/angry/take1.wav`` is angry. Below that, anything goes; above it too, as long as the
emotion's folder has a name that `canonical_emotion` knows: ``recordings/train/sad/anna/1.wav`` is
sad. Where no folder on the way has such a name, the topmost one is the emotion, as it stands.
Files beside the subfolders have no emotion: they are left out and reported. Speakers are unknown
here; a CSV can say who speaks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser.corpora.emotions import EMOTIONS, canonical_emotion
from sklearn_ser.corpora.listing import Listing, read_listing
from sklearn_ser.exceptions import CorpusError


def parser(folder: Path) -> Callable[[Path], dict[str, Any] | None]:
    """Make the function that reads a path's emotion from the folders between `folder` and it.

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
        known = [name for name in between if canonical_emotion(name) in EMOTIONS]
        return {"label": known[0] if known else between[0]}

    return parse


def read_folder(listing: Listing) -> pd.DataFrame:
    """Read a folder that has one subfolder per emotion.

    Raises
    ------
    CorpusError
        If its recordings lie in no subfolders.
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
        listing, parser(folder), corpus=folder.name, belongs="in an emotion's subfolder"
    )
