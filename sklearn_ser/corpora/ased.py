"""ASED, the Amharic speech emotion dataset.

65 speakers of four dialects say seven sentences in five emotions: 2474 clips. Many end in digital
silence.

File names
----------
``<emotion>-<sentence>-<repetition>-<sex>-<speaker>.wav``, such as ``a1-02-03-01-17.wav``: the
emotion's first letter and a digit (n neutral, f fear, h happy, s sad, a angry); the number of the
sentence; the repetition; 01 for women and 02 for men; the speaker. Sentences 01 and 02 are said in
every emotion. Those from 03 on belong to one emotion each, so their `text` carries its letter.

References
----------
.. [1] E. A. Retta, E. Almekhlafi, R. Sutcliffe, M. Mhamed, H. Ali and J. Feng (2023). A New Amharic
   Speech Emotion Dataset and Classification Benchmark. ACM Transactions on Asian and Low-Resource
   Language Information Processing 22(1). doi:10.1145/3529759
"""

import re
from pathlib import Path

from sklearn_ser.corpora.base import Reader

_NAME = re.compile(r"([nfhsa])\d-(\d\d)-\d\d-(0[12])-(\d\d)", re.IGNORECASE)
_LABELS = {"n": "neutral", "f": "fear", "h": "happy", "s": "sad", "a": "angry"}
_COMMON_TEXTS = ("01", "02")


def parse(path: Path) -> dict[str, str | None] | None:
    """Read the name of a file of ASED.

    Examples
    --------
    >>> parse(Path("a1-02-03-01-17.wav"))
    {'label': 'angry', 'speaker': '17', 'sex': 'female', 'text': '02', 'intensity': None}
    >>> parse(Path("a1-05-03-01-17.wav"))["text"]
    'a05'
    """
    match = _NAME.fullmatch(path.stem)
    if not match:
        return None
    letter, text, sex, speaker = match.groups()
    letter = letter.lower()
    return {
        "label": _LABELS[letter],
        "speaker": speaker,
        "sex": "female" if sex == "01" else "male",
        "text": text if text in _COMMON_TEXTS else letter + text,
        "intensity": None,
    }


READER = Reader(
    name="ased",
    title="ASED, Amharic speech emotion dataset",
    citation=(
        "Retta, E. A., Almekhlafi, E., Sutcliffe, R., Mhamed, M., Ali, H. and Feng, J. (2023). A "
        "New Amharic Speech Emotion Dataset and Classification Benchmark. ACM Transactions on "
        "Asian and Low-Resource Language Information Processing 22(1). doi:10.1145/3529759"
    ),
    licence="none stated: ask its authors",
    homepage="https://doi.org/10.1145/3529759",
    example="a1-02-03-01-17.wav",
    parse=parse,
    n_clips=2474,
    language="Amharic",
    n_speakers=65,
    emotions=("angry", "fear", "happy", "neutral", "sad"),
    hours=2.1,
    how_to_get=(
        "Get ASED_V1 from its authors (see https://doi.org/10.1145/3529759) and put it into the "
        "folder 'ased' of your data folder."
    ),
)
