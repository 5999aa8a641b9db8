"""TESS, the Toronto emotional speech set.

Two actresses, OAF (aged 64) and YAF (aged 26), say 200 words in the carrier phrase "Say the word
..." in seven emotions: 2 x 200 x 7 = 2800 files. Both say every word in every emotion, so a random
split puts each word and each speaker on both sides.

File names
----------
``<speaker>_<word>_<emotion>.wav``, such as ``OAF_back_angry.wav``: the speaker is OAF or YAF (one
copy in circulation misspells one file as ``OA_bite_neutral.wav``), the emotion angry, disgust,
fear, happy, neutral, ps (pleasant surprise; also written out) or sad. Copies lie flat, in folders
such as ``YAF_pleasant_surprised/``, or in both, in any mixture of cases: only the file name counts.

References
----------
.. [1] K. Dupuis and M. K. Pichora-Fuller (2010). Toronto emotional speech set (TESS). University
   of Toronto, Psychology Department. doi:10.5683/SP2/E8H2MF
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Download, Reader
from sklearn_ser.corpora.emotions import canonical_emotion

_NAME = re.compile(r"(oaf?|yaf?)_([a-z']+)_([a-z_ -]+)", re.IGNORECASE)
_EMOTIONS = {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"}


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of TESS.

    Examples
    --------
    >>> parse(Path("YAF_Fear/yaf_WITCH_Fear.wav"))
    {'label': 'fear', 'speaker': 'YAF', 'sex': 'female', 'text': 'witch', 'intensity': None}
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker, word, label = match.groups()
    if canonical_emotion(label) not in _EMOTIONS:
        return None
    return {
        "label": label.lower(),
        "speaker": speaker[0].upper() + "AF",
        "sex": "female",
        "text": word.lower(),
        "intensity": None,
    }


READER = Reader(
    name="tess",
    title="TESS, Toronto emotional speech set",
    citation=(
        "Dupuis, K. and Pichora-Fuller, M. K. (2010). Toronto emotional speech set (TESS). "
        "University of Toronto, Psychology Department. doi:10.5683/SP2/E8H2MF"
    ),
    licence="CC BY-NC-ND 4.0",
    homepage="https://doi.org/10.5683/SP2/E8H2MF",
    example="OAF_back_angry.wav",
    parse=parse,
    n_clips=2800,
    language="English",
    n_speakers=2,
    emotions=("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
    hours=1.6,
    downloads=(
        Download(
            "https://borealisdata.ca/api/access/dataset/:persistentId/"
            "?persistentId=doi:10.5683/SP2/E8H2MF",
            "tess.zip",
        ),
    ),
)
