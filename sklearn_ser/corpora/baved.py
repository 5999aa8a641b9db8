"""BAVED, the basic Arabic vocal emotions dataset: words at three levels of emotion.

60 speakers say seven words at three levels: 1935 clips. The levels are intensities, not names of
emotions, so the labels here say just that.

File names
----------
``<speaker>-<sex>-<age>-<word>-<level>-<number>.wav`` in a folder for each word, such as
``0/49-m-23-6-1-201.wav``: m or f; a word from 0 to 6; level 0 low (tired or down), 1 neutral, 2
high (joy, anger or other strong emotion).

References
----------
.. [1] A. Aouf (2019). Basic Arabic Vocal Emotions Dataset (BAVED).
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Reader

_NAME = re.compile(r"(\d+)-([mf])-\d+-(\d)-([012])-\d+", re.IGNORECASE)
_LEVELS = {"0": "low", "1": "middle", "2": "high"}


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of BAVED.

    Examples
    --------
    >>> parse(Path("6/49-m-23-6-2-201.wav"))
    {'label': 'high intensity', 'speaker': '49', 'sex': 'male', 'text': '6', 'intensity': 'high'}
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker, sex, text, level = match.groups()
    return {
        "label": f"{_LEVELS[level]} intensity",
        "speaker": speaker,
        "sex": "male" if sex.lower() == "m" else "female",
        "text": text,
        "intensity": _LEVELS[level],
    }


READER = Reader(
    name="baved",
    title="BAVED, basic Arabic vocal emotions dataset",
    citation="Aouf, A. (2019). Basic Arabic Vocal Emotions Dataset (BAVED).",
    licence="none stated: ask its author",
    homepage="https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset",
    example="49-m-23-6-1-201.wav",
    parse=parse,
    n_clips=1935,
    language="Arabic",
    n_speakers=60,
    emotions=("high intensity", "low intensity", "middle intensity"),
    how_to_get=(
        "Get it from https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset and put it "
        "into the folder 'baved' of your data folder."
    ),
)
