"""nEMO, acted emotional speech in Polish.

Nine actors say 90 sentences in six emotions: 4481 clips at 24 kHz.

File names
----------
``<speaker>_<emotion>_<sentence>.wav``, such as ``EB0_anger_12.wav``: the initials of the actor and
a digit; anger, fear, happiness, neutral, sadness or surprised; and the number of the sentence,
which is the same for all emotions.

References
----------
.. [1] I. Christop (2024). nEMO: Dataset of Emotional Speech in Polish. LREC-COLING 2024.
   arXiv:2404.06292
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Reader

_NAME = re.compile(r"([A-Z]{2}\d)_(anger|fear|happiness|neutral|sadness|surprised)_(\d{1,2})")
_SEXES = {"EB0": "female", "IC0": "female", "KS0": "male", "SM0": "male", "WR0": "male"}


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of nEMO.

    Examples
    --------
    >>> parse(Path("samples/EB0_anger_12.wav"))
    {'label': 'anger', 'speaker': 'EB0', 'sex': 'female', 'text': '12', 'intensity': None}
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker, label, text = match.groups()
    return {
        "label": label,
        "speaker": speaker,
        "sex": _SEXES.get(speaker),
        "text": text,
        "intensity": None,
    }


READER = Reader(
    name="nemo",
    title="nEMO, emotional speech in Polish",
    citation=(
        "Christop, I. (2024). nEMO: Dataset of Emotional Speech in Polish. LREC-COLING 2024. "
        "arXiv:2404.06292"
    ),
    licence="CC BY-NC-SA 4.0",
    homepage="https://github.com/amu-cai/nEMO",
    example="EB0_anger_12.wav",
    parse=parse,
    n_clips=4481,
    language="Polish",
    n_speakers=9,
    emotions=("angry", "fear", "happy", "neutral", "sad", "surprise"),
    hours=3.0,
    how_to_get=(
        "Get the folder 'samples' from https://github.com/amu-cai/nEMO and put it into the folder "
        "'nemo' of your data folder."
    ),
)
