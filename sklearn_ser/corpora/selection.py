"""Emotions of a corpus: renamed by a mapping of the user's, and some of them taken."""

import difflib
import warnings
from collections.abc import Mapping, Sequence

import pandas as pd

from sklearn_ser.corpora.emotions import EMOTIONS, canonical_emotion
from sklearn_ser.exceptions import CorpusError, CorpusWarning

__all__ = ["map_emotions", "parse_map", "take_emotions"]


def parse_map(text: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return a mapping of labels to emotions.

    Parameters
    ----------
    text : str, mapping or None
        Pairs joined by commas, ``"calm=neutral,boredom=sad"``; a mapping of the same; None is none.

    Returns
    -------
    mapping : dict of str to str
        In the order of the text. The emotions on the right are in the common vocabulary, where they
        have a synonym there.

    Raises
    ------
    CorpusError
        If a pair is not whole, or a label stands there twice.

    Examples
    --------
    >>> parse_map("calm=neutral, bored=Sadness")
    {'calm': 'neutral', 'bored': 'sad'}
    """
    if isinstance(text, Mapping):
        pairs = [(str(label), str(emotion)) for label, emotion in text.items()]
    else:
        pairs = []
        for pair in filter(str.strip, (text or "").split(",")):
            label, sign, emotion = pair.partition("=")
            if not (sign and label.strip() and emotion.strip()):
                raise CorpusError(f"`map={pair.strip()}`: write LABEL=EMOTION, as in calm=neutral.")
            pairs.append((label, emotion))
    mapping: dict[str, str] = {}
    for label, emotion in pairs:
        label = label.strip()
        if label.casefold() in map(str.casefold, mapping):
            raise CorpusError(f"`map` has two emotions for {label!r}: choose one.")
        mapping[label] = canonical_emotion(emotion)
    return mapping


def map_emotions(
    table: pd.DataFrame, mapping: str | Mapping[str, str] | None, *, absent: str = "error"
) -> pd.DataFrame:
    """Return a corpus with other emotions for some of its labels.

    All pairs apply to the corpus as it was, so that ``a=b,b=c`` makes no clip of `a` one of `c`.

    Parameters
    ----------
    table : DataFrame
        A corpus.
    mapping : str, mapping or None
        As in `parse_map`. What stands on the left is an emotion of the corpus, or one of its own
        labels; an emotion comes before a label of the same name.
    absent : {"error", "ignore"}, default="error"
        What to do about labels that no clip has.

    Returns
    -------
    table : DataFrame
        With other emotions; its column `label` stays.

    Raises
    ------
    CorpusError
        If no clip has such a label, or a clip has two.

    Warns
    -----
    CorpusWarning
        If a new emotion looks like a known one misspelt.

    Examples
    --------
    >>> table = pd.DataFrame({"emotion": ["calm", "sad"], "label": ["Ruhe", "Trauer"]})
    >>> map_emotions(table, "calm=neutral")["emotion"].tolist()
    ['neutral', 'sad']
    """
    pairs = parse_map(mapping)
    if not pairs:
        return table
    emotions = table["emotion"].astype(str)
    labels = table.get("label", emotions).astype(str)
    new = emotions.copy()
    mapped_by = pd.Series("", index=table.index)
    for label, emotion in pairs.items():
        here = _clips_of(label, emotions, labels)
        if not here.any() and absent == "error":
            raise CorpusError(_unknown_label(label, emotions, labels))
        both = mapped_by[here & (mapped_by != "")]
        if len(both):
            raise CorpusError(
                f"`map` has two emotions for the same clips, which are {both.iloc[0]!r} and "
                f"{label!r}: choose one."
            )
        mapped_by[here] = label
        new[here] = emotion
        near = difflib.get_close_matches(emotion, EMOTIONS, n=1, cutoff=0.75)
        if near and emotion not in EMOTIONS and emotion not in set(emotions):
            warnings.warn(
                f"`map={label}={emotion}` makes a new emotion, {emotion!r}. Did you mean "
                f"{near[0]}?",
                CorpusWarning,
                stacklevel=3,
            )
    mapped = table.assign(emotion=new)
    mapped.attrs = table.attrs
    return mapped


def _clips_of(label: str, emotions: pd.Series, labels: pd.Series) -> pd.Series:
    """Say of each clip whether it is of a label: an emotion, a corpus's label, or a synonym."""
    for column, word in (
        (emotions, label),
        (labels, label),
        (emotions, canonical_emotion(label)),
    ):
        here = column.str.casefold() == word.casefold()
        if here.any():
            return here
    return here


def _unknown_label(label: str, emotions: pd.Series, labels: pd.Series) -> str:
    """Return the sentence about a label that no clip has, with the nearest ones."""
    known = sorted({*emotions, *labels})
    near = difflib.get_close_matches(label.casefold(), known, n=3, cutoff=0.5)
    guess = f" Did you mean {' or '.join(near)}?" if near else ""
    there = ", ".join(sorted(set(emotions)))
    own = ", ".join(sorted(set(labels) - set(emotions)))
    listed = there + (f"; their labels in the corpus are {own}" if own else "")
    return f"`map`: no clip is {label!r}.{guess} There are {listed}."


def take_emotions(table: pd.DataFrame, emotions: str | Sequence[str]) -> pd.DataFrame:
    """Return the clips of some emotions.

    Parameters
    ----------
    table : DataFrame
        A corpus.
    emotions : str or sequence of str
        In a list or joined by commas, in any case.

    Returns
    -------
    table : DataFrame
        Its ``attrs["other_emotions"]`` lists the paths of the other clips.

    Raises
    ------
    CorpusError
        If no clip has one of them.
    """
    words = emotions.split(",") if isinstance(emotions, str) else emotions
    there = {emotion.casefold(): emotion for emotion in sorted(table["emotion"].unique())}
    wanted = []
    for word in filter(None, (word.strip() for word in words)):
        emotion = canonical_emotion(word)
        if emotion.casefold() not in there:
            raise CorpusError(
                f"`emotions`: no clip is {emotion!r}; there are {', '.join(there.values())}."
            )
        wanted.append(there[emotion.casefold()])
    if not wanted:
        raise CorpusError(f"`emotions` names none; there are {', '.join(there.values())}.")
    here = table["emotion"].isin(wanted)
    taken = table[here].reset_index(drop=True)
    taken.attrs = {**table.attrs, "other_emotions": table["path"][~here].tolist()}
    return taken
