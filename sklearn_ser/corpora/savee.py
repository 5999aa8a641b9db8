"""SAVEE, the Surrey audio-visual expressed emotion database.

Four men (DC, JE, JK, KL) say 15 English sentences in each of six emotions and 30 in neutral: 480
files.

File names
----------
The emotion's first letter or letters and the number of the sentence, either in a folder for each
speaker, ``DC/a01.wav``, or with the speaker in the name, ``DC_a01.wav``: a anger, d disgust, f
fear, h happiness, n neutral, sa sadness, su surprise. Most sentences belong to one emotion alone,
so `text` is the whole code (``a01``): the number by itself would say that ``a04`` and ``d04`` are
the same words, which they are not.

References
----------
.. [1] S. Haq and P. J. B. Jackson (2010). Multimodal emotion recognition. In W. Wang (ed.),
   Machine Audition: Principles, Algorithms and Systems, IGI Global, 398-423.
   doi:10.4018/978-1-61520-919-4.ch017
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Reader

_NAME = re.compile(r"(?:(dc|je|jk|kl)_)?((sa|su|[adfhn])\d\d)", re.IGNORECASE)
_LABELS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
_SPEAKERS = ("DC", "JE", "JK", "KL")


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of SAVEE, and its folder where the name leaves the speaker out.

    Examples
    --------
    >>> parse(Path("AudioData/DC/sa01.wav"))
    {'label': 'sadness', 'speaker': 'DC', 'sex': 'male', 'text': 'sa01', 'intensity': None}
    >>> parse(Path("DC_sa01.wav"))["speaker"]
    'DC'
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    in_name, text, letters = match.groups()
    speaker = (in_name or path.parent.name).upper()
    if speaker not in _SPEAKERS:
        return None
    return {
        "label": _LABELS[letters.lower()],
        "speaker": speaker,
        "sex": "male",
        "text": text.lower(),
        "intensity": None,
    }


READER = Reader(
    name="savee",
    title="SAVEE, Surrey audio-visual expressed emotion database",
    citation=(
        "Haq, S. and Jackson, P. J. B. (2010). Multimodal emotion recognition. In Wang, W. (ed.), "
        "Machine Audition: Principles, Algorithms and Systems, IGI Global, 398-423. "
        "doi:10.4018/978-1-61520-919-4.ch017"
    ),
    licence="free for research, after registration",
    homepage="http://kahlan.eps.surrey.ac.uk/savee/",
    example="DC_a01.wav",
    parse=parse,
    n_clips=480,
    language="English",
    n_speakers=4,
    emotions=("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
    hours=0.5,
    how_to_get=(
        "Fill in the registration form at http://kahlan.eps.surrey.ac.uk/savee/Download.html, "
        "then unpack AudioData.zip into the folder 'savee' of your data folder."
    ),
)
