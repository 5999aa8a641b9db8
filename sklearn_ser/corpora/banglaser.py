"""BanglaSER, acted emotional speech in Bangla, recorded with phones and laptops.

34 speakers say three sentences, three times each, in five emotions (27 of them in neutral): 1467
clips.

File names
----------
Seven numbers as in RAVDESS, such as ``03-01-03-01-02-01-15.wav``: modality (03 is audio only),
vocal channel (01 speech), emotion (01 happy, 02 sad, 03 angry, 04 surprise, 05 neutral, unlike
RAVDESS), intensity (01 normal, 02 strong), sentence, repetition, and speaker.

References
----------
.. [1] R. K. Das, N. Islam, M. R. Ahmed, S. Islam, S. Shatabda and A. K. M. M. Islam (2022).
   BanglaSER: A speech emotion recognition dataset for the Bangla language. Data in Brief 42:
   108091. doi:10.1016/j.dib.2022.108091
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Reader

_NAME = re.compile(r"03-01-(0[1-5])-(0[12])-(0[1-3])-0\d-(0[1-9]|[12]\d|3[0-4])")
_LABELS = {"01": "happy", "02": "sad", "03": "angry", "04": "surprise", "05": "neutral"}


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of BanglaSER.

    Examples
    --------
    >>> parse(Path("Actor_15/03-01-03-01-02-01-15.wav"))
    {'label': 'angry', 'speaker': '15', 'sex': None, 'text': '02', 'intensity': 'normal'}
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    emotion, intensity, text, speaker = match.groups()
    return {
        "label": _LABELS[emotion],
        "speaker": speaker,
        "sex": None,
        "text": text,
        "intensity": "normal" if intensity == "01" else "strong",
    }


READER = Reader(
    name="banglaser",
    title="BanglaSER, speech emotion recognition dataset for the Bangla language",
    citation=(
        "Das, R. K., Islam, N., Ahmed, M. R., Islam, S., Shatabda, S. and Islam, A. K. M. M. "
        "(2022). BanglaSER: A speech emotion recognition dataset for the Bangla language. Data in "
        "Brief 42: 108091. doi:10.1016/j.dib.2022.108091"
    ),
    licence="CC BY 4.0",
    homepage="https://data.mendeley.com/datasets/t9h6p943xy/5",
    example="03-01-03-01-02-01-15.wav",
    parse=parse,
    n_clips=1467,
    language="Bangla",
    n_speakers=34,
    emotions=("angry", "happy", "neutral", "sad", "surprise"),
    how_to_get=(
        "Download it from https://data.mendeley.com/datasets/t9h6p943xy/5 and unpack it into the "
        "folder 'banglaser' of your data folder."
    ),
)
