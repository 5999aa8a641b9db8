"""One vocabulary of emotions for all corpora, and the one table of synonyms behind it."""

import re
import unicodedata

EMOTIONS = ("angry", "boredom", "calm", "disgust", "fear", "happy", "neutral", "sad", "surprise")

_SYNONYMS = {
    "angry": "anger ang mad rage furious Wut Ärger Zorn",
    "boredom": "bored boring Langeweile",
    "calm": "calmness calmed relaxed Ruhe ruhig",
    "disgust": "disgusted disgusting dis Ekel",
    "fear": "fearful fea afraid scared anxiety anxious Angst",
    "happy": "happiness hap joy joyful joyous Freude",
    "neutral": "neutrality neu neut normal",
    "sad": "sadness unhappy sorrow Trauer traurig",
    "surprise": "surprised surprising sur ps pleasant-surprise pleasant-surprised Überraschung",
}


def _key(label: str) -> str:
    return re.sub(r"[\s_-]+", "", label).casefold()


_BY_KEY = {
    _key(word): emotion
    for emotion, words in _SYNONYMS.items()
    for word in (emotion, *words.split())
}


def canonical_emotion(label: str) -> str:
    """Put a corpus's own label into the common vocabulary.

    Case, spaces, hyphens and underscores make no difference.

    Parameters
    ----------
    label : str
        As a corpus, a folder or a CSV has it: ``"Fearful"``, ``"ps"``, ``"pleasant surprise"``.

    Returns
    -------
    str
        One of `EMOTIONS`; a label that is not in the table of synonyms is returned as it stands.

    Examples
    --------
    >>> canonical_emotion("Pleasant_Surprised")
    'surprise'
    >>> canonical_emotion("happiness")
    'happy'
    >>> canonical_emotion("contempt")
    'contempt'
    """
    # A Mac writes an umlaut as two characters.
    label = unicodedata.normalize("NFC", label).strip()
    return _BY_KEY.get(_key(label), label)
