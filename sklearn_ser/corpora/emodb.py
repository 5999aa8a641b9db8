"""EMO-DB, the Berlin database of emotional speech.

Ten actors say ten German sentences in seven emotions; 535 utterances passed the listening test.

File names
----------
``<speaker><text><emotion><version>.wav``, such as ``03a01Fa.wav``: speaker 03, text a01, and the
first letter of the German emotion: W (Wut) anger, L (Langeweile) boredom, E (Ekel) disgust, A
(Angst) fear, F (Freude) happiness, T (Trauer) sadness, N neutral. Speakers 03, 10, 11, 12 and 15
are men; 08, 09, 13, 14 and 16 are women.

References
----------
.. [1] F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier and B. Weiss (2005). A database of
   German emotional speech. Interspeech 2005, 1517-1520. doi:10.21437/Interspeech.2005-446
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Download, Reader

_NAME = re.compile(r"(\d\d)([ab]\d\d)([wleaftn])[a-z]?", re.IGNORECASE)
_LABELS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_SEXES = dict.fromkeys(("03", "10", "11", "12", "15"), "male") | dict.fromkeys(
    ("08", "09", "13", "14", "16"), "female"
)


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of EMO-DB.

    Examples
    --------
    >>> parse(Path("wav/03a01Fa.wav"))
    {'label': 'happiness', 'speaker': '03', 'sex': 'male', 'text': 'a01', 'intensity': None}
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker, text, letter = match.groups()
    return {
        "label": _LABELS[letter.upper()],
        "speaker": speaker,
        "sex": _SEXES.get(speaker),
        "text": text.lower(),
        "intensity": None,
    }


READER = Reader(
    name="emodb",
    title="EMO-DB, Berlin database of emotional speech",
    citation=(
        "Burkhardt, F., Paeschke, A., Rolfes, M., Sendlmeier, W. F. and Weiss, B. (2005). A "
        "database of German emotional speech. Interspeech 2005, 1517-1520. "
        "doi:10.21437/Interspeech.2005-446"
    ),
    licence="CC BY 4.0 (EmoDB 2.0); CC0 1.0 as published in audb: name its authors either way",
    homepage="http://emodb.bilderbar.info",
    example="03a01Fa.wav",
    parse=parse,
    n_clips=535,
    language="German",
    n_speakers=10,
    emotions=("angry", "boredom", "disgust", "fear", "happy", "neutral", "sad"),
    hours=0.4,
    downloads=(Download("http://emodb.bilderbar.info/download/download.zip", "emodb.zip"),),
)
