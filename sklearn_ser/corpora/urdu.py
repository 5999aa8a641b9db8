"""URDU, emotional speech from Urdu talk shows.

400 clips of 38 speakers in four emotions. It is spontaneous speech: nobody acts, no two clips share
a text, and most speakers are heard in one emotion only.

File names
----------
``<speaker>_F<file>_<emotion><number>.wav`` in a folder for each emotion, such as
``Angry/SM1_F10_A010.wav``: SM or SF and a number for a man or a woman; A angry, H happy, N neutral,
S sad.

References
----------
.. [1] S. Latif, A. Qayyum, M. Usman and J. Qadir (2018). Cross lingual speech emotion recognition:
   Urdu vs. Western languages. FIT 2018, 88-93. arXiv:1812.10411
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Reader

_NAME = re.compile(r"(S([MF])\d+)_F\d+_([AHNS])\d+", re.IGNORECASE)
_LABELS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of URDU.

    Examples
    --------
    >>> parse(Path("Angry/SM1_F10_A010.wav"))
    {'label': 'angry', 'speaker': 'SM1', 'sex': 'male', 'text': None, 'intensity': None}
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker, sex, letter = (group.upper() for group in match.groups())
    return {
        "label": _LABELS[letter],
        "speaker": speaker,
        "sex": "male" if sex == "M" else "female",
        "text": None,
        "intensity": None,
    }


READER = Reader(
    name="urdu",
    title="URDU, emotional speech from Urdu talk shows",
    citation=(
        "Latif, S., Qayyum, A., Usman, M. and Qadir, J. (2018). Cross lingual speech emotion "
        "recognition: Urdu vs. Western languages. FIT 2018, 88-93. arXiv:1812.10411"
    ),
    licence="for research",
    homepage="https://arxiv.org/abs/1812.10411",
    example="SM1_F10_A010.wav",
    parse=parse,
    n_clips=400,
    language="Urdu",
    n_speakers=38,
    emotions=("angry", "happy", "neutral", "sad"),
    hours=0.3,
    how_to_get=(
        "Follow the paper at https://arxiv.org/abs/1812.10411 to the recordings and put them into "
        "the folder 'urdu' of your data folder."
    ),
)
