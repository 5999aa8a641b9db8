"""RAVDESS, the Ryerson audio-visual database of emotional speech and song.

24 actors say two sentences, twice each, in eight emotions and two intensities (neutral has only
the normal one): 1440 spoken files. The same names carry songs and videos too. Only speech is read
here: song and video files are left out, and reported.

File names
----------
Seven numbers, such as ``03-01-06-01-02-01-12.wav``: modality (03 is audio only), vocal channel (01
speech, 02 song), emotion (01 neutral, 02 calm, 03 happy, 04 sad, 05 angry, 06 fearful, 07 disgust,
08 surprised), intensity (01 normal, 02 strong), sentence (01 kids, 02 dogs), repetition, and actor
(odd numbers are men, even numbers women).

References
----------
.. [1] S. R. Livingstone and F. A. Russo (2018). The Ryerson Audio-Visual Database of Emotional
   Speech and Song (RAVDESS). PLoS ONE 13(5): e0196391. doi:10.1371/journal.pone.0196391
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Download, Reader

_NAME = re.compile(r"03-01-(0[1-8])-(0[12])-(0[12])-0[12]-(0[1-9]|1\d|2[0-4])")
_LABELS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
_TEXTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a spoken file of RAVDESS.

    Examples
    --------
    >>> parse(Path("Actor_12/03-01-06-01-02-01-12.wav"))["label"]
    'fearful'
    >>> parse(Path("Actor_12/03-02-06-01-02-01-12.wav")) is None  # a song
    True
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    emotion, intensity, text, actor = match.groups()
    return {
        "label": _LABELS[emotion],
        "speaker": actor,
        "sex": "male" if int(actor) % 2 else "female",
        "text": _TEXTS[text],
        "intensity": "normal" if intensity == "01" else "strong",
    }


READER = Reader(
    name="ravdess",
    title="RAVDESS, Ryerson audio-visual database of emotional speech and song",
    citation=(
        "Livingstone, S. R. and Russo, F. A. (2018). The Ryerson Audio-Visual Database of "
        "Emotional Speech and Song (RAVDESS). PLoS ONE 13(5): e0196391. "
        "doi:10.1371/journal.pone.0196391"
    ),
    licence="CC BY-NC-SA 4.0",
    homepage="https://zenodo.org/records/1188976",
    example="03-01-06-01-02-01-12.wav",
    parse=parse,
    n_clips=1440,
    language="English",
    n_speakers=24,
    emotions=("angry", "calm", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
    hours=1.5,
    downloads=(
        Download(
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            "Audio_Speech_Actors_01-24.zip",
            "md5:bc696df654c87fed845eb13823edef8a",
        ),
    ),
    note="Only its spoken audio is read, not its songs and videos.",
)
