"""TurEV-DB, the Turkish emotion voice database: single words.

Six speakers say 82 words in four emotions: 1735 clips.

File names
----------
``<speaker>_<emotion>_<word>.wav`` in a folder for each emotion, such as ``1157_kz_ağaç.wav``: kz
(kızgın) angry, sk (sakin) calm, mt (mutlu) happy, hl (hüzünlü) sad.

References
----------
.. [1] S. F. Canpolat, Z. Ormanoğlu and D. Zeyrek (2020). Turkish Emotion Voice Database (TurEV-DB).
   SLTU-CCURL 2020, 368-375.
"""

import re
import unicodedata
from pathlib import Path

from sklearn_ser.corpora.base import Reader

_NAME = re.compile(r"(\d+)_(kz|sk|mt|hl)_(.+)", re.IGNORECASE)
_LABELS = {"kz": "angry", "sk": "calm", "mt": "happy", "hl": "sad"}


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of TurEV-DB.

    Examples
    --------
    >>> parse(Path("Angry/1157_kz_ağaç.wav"))
    {'label': 'angry', 'speaker': '1157', 'sex': None, 'text': 'ağaç', 'intensity': None}
    """
    match = _NAME.fullmatch(unicodedata.normalize("NFC", path.stem))
    if not match:
        return None
    speaker, emotion, text = match.groups()
    return {
        "label": _LABELS[emotion.lower()],
        "speaker": speaker,
        "sex": None,
        "text": text,
        "intensity": None,
    }


READER = Reader(
    name="turev-db",
    title="TurEV-DB, Turkish emotion voice database",
    citation=(
        "Canpolat, S. F., Ormanoğlu, Z. and Zeyrek, D. (2020). Turkish Emotion Voice Database "
        "(TurEV-DB). SLTU-CCURL 2020, 368-375. aclanthology.org/2020.sltu-1.52"
    ),
    licence="its README says CC BY-NC-ND 4.0, its LICENSE file GPL-3",
    homepage="https://aclanthology.org/2020.sltu-1.52/",
    example="1157_kz_ağaç.wav",
    parse=parse,
    n_clips=1735,
    language="Turkish",
    n_speakers=6,
    emotions=("angry", "calm", "happy", "sad"),
    hours=0.5,
    how_to_get=(
        "Follow the paper at https://aclanthology.org/2020.sltu-1.52/ to the recordings and put "
        "them into the folder 'turev-db' of your data folder."
    ),
)
