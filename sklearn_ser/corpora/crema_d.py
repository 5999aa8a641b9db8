"""CREMA-D, the crowd-sourced emotional multimodal actors dataset.

91 actors say 12 sentences in six emotions: 7442 files, under ``AudioWAV/``. The same clips as MP3
and Flash video, which come with it, are left out and reported.

File names
----------
``<actor>_<sentence>_<emotion>_<intensity>.wav``, such as ``1001_DFA_ANG_XX.wav``: actor 1001 to
1091; a sentence of twelve (DFA is "Don't forget a jacket"); ANG anger, DIS disgust, FEA fear, HAP
happy, NEU neutral or SAD; LO low, MD medium, HI high or XX unspecified. Who is a woman follows the
corpus's own VideoDemographics.csv.

References
----------
.. [1] H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova and R. Verma (2014). CREMA-D:
   Crowd-sourced Emotional Multimodal Actors Dataset. IEEE Transactions on Affective Computing
   5(4), 377-390. doi:10.1109/TAFFC.2014.2336244
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Reader

# The last letter is free: one file of the corpus is called 1040_ITH_SAD_X.wav.
_NAME = re.compile(r"(10\d\d)_([a-z]{3})_(ang|dis|fea|hap|neu|sad)_(lo|md|hi|xx?)", re.IGNORECASE)
_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}
_WOMEN = frozenset(
    {1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025}
    | {1028, 1029, 1030, 1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060}
    | {1061, 1063, 1072, 1073, 1074, 1075, 1076, 1078, 1079, 1082, 1084, 1089, 1091}
)


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of CREMA-D.

    Examples
    --------
    >>> parse(Path("AudioWAV/1001_IEO_ANG_HI.wav"))
    {'label': 'ANG', 'speaker': '1001', 'sex': 'male', 'text': 'IEO', 'intensity': 'high'}
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    actor, text, label, intensity = (part.upper() for part in match.groups())
    if not 1001 <= int(actor) <= 1091:
        return None
    return {
        "label": label,
        "speaker": actor,
        "sex": "female" if int(actor) in _WOMEN else "male",
        "text": text,
        "intensity": _INTENSITIES.get(intensity),
    }


READER = Reader(
    name="crema-d",
    title="CREMA-D, crowd-sourced emotional multimodal actors dataset",
    citation=(
        "Cao, H., Cooper, D. G., Keutmann, M. K., Gur, R. C., Nenkova, A. and Verma, R. (2014). "
        "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset. IEEE Transactions on "
        "Affective Computing 5(4), 377-390. doi:10.1109/TAFFC.2014.2336244"
    ),
    licence="Open Database License 1.0",
    homepage="https://github.com/CheyneyComputerScience/CREMA-D",
    example="1001_DFA_ANG_XX.wav",
    parse=parse,
    n_clips=7442,
    language="English",
    n_speakers=91,
    emotions=("angry", "disgust", "fear", "happy", "neutral", "sad"),
    hours=5.3,
    suffixes=(".wav",),
    how_to_get=(
        "Install git-lfs, run 'git lfs clone https://github.com/CheyneyComputerScience/CREMA-D' "
        "(several GB), and move its folder AudioWAV into the folder 'crema-d' of your data folder."
    ),
    note="Only its wav files are read, not the same clips as mp3 and video.",
)
